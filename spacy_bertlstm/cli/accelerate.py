"""`python -m spacy bertlstm accelerate`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_bertlstm.cli.app import app, errors_as_messages, load_pipeline, use_gpu
from spacy_bertlstm.encoder.precision import Precision
from spacy_bertlstm.files import require_no_files
from spacy_bertlstm.shipping.accelerate import Effect, Windows, accelerate_pipeline


@app.command()
def accelerate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A pipeline's folder or name")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="A folder, new or empty")],
    windows: Annotated[
        Windows, typer.Option(help="What the transformer reads at once")
    ] = Windows.original,
    precision: Annotated[
        Precision | None, typer.Option(help="Of the encoder's matrix products; fp32 if not given")
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(metavar="DOCS", help="Compare both pipelines on this .spacy file with gold"),
    ] = None,
    gpu_id: Annotated[int, typer.Option(help="-1 is the CPU")] = -1,
) -> None:
    """Put a spacy-transformers pipeline on this package's faster transformer, weights unchanged.

    With the original windows in fp32 it predicts the same. Whole sentences as windows, or another
    precision, are faster still, and may change predictions: --test shows how much.
    """
    with errors_as_messages():
        require_no_files(output)
        use_gpu(gpu_id)
        nlp = load_pipeline(model)
        effect = accelerate_pipeline(nlp, output, windows=windows, precision=precision, test=test)
        if effect is not None:
            _print_effect(effect)
        typer.echo(f"{model} -> {output}")


def _print_effect(effect: Effect) -> None:
    width = max(map(len, ["words/s", *effect.scores]))
    typer.echo(f"{'':<{width}}{'original':>14}{'accelerated':>14}{'difference':>14}")
    for key, (before, after) in effect.scores.items():
        change = 100 * (after - before)
        typer.echo(f"{key:<{width}}{100 * before:>14.2f}{100 * after:>14.2f}{change:>+14.2f}")
    before, after = effect.speed
    ratio = f"x {after / before:.2f}"
    typer.echo(f"{'words/s':<{width}}{before:>14.0f}{after:>14.0f}{ratio:>14}")
    typer.echo(f"The annotations of {effect.equal} of {effect.docs} Docs are equal.")
