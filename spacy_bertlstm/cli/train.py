"""`python -m spacy bertlstm train`"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from click import NoSuchOption
from spacy.cli._util import (
    import_code,
    parse_config_overrides,
    show_validation_error,
)
from spacy.language import DEFAULT_CONFIG
from spacy.training.initialize import init_nlp
from spacy.util import load_config

from spacy_bertlstm.cli.app import app, errors_as_messages, use_gpu
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.training.loop import train as train_pipeline


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train(
    context: typer.Context,
    config_path: Annotated[Path, typer.Argument(metavar="CONFIG", help="A spaCy config")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A folder for model-best and model-last")
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a training in the folder was killed")
    ] = False,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(min=1, help="Steps between checkpoints, by default those to an evaluation"),
    ] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="-1 is the CPU")] = -1,
    code: Annotated[
        Path | None, typer.Option("--code", "-c", help="A Python file to import before")
    ] = None,
) -> None:
    """Train as 'spacy train' does, with checkpoints, so that a killed training can go on.

    Settings of the config can be given as options, such as --paths.train FILE.spacy. The
    checkpoint stands in the output folder until the training ends; from then on --resume
    leaves everything as it is, unless the settings or the corpora have changed.
    """
    try:
        overrides = parse_config_overrides(context.args)
    except NoSuchOption as error:
        # Newer versions of typer do not know click's own errors.
        raise typer.BadParameter(error.message) from error
    import_code(code)
    with errors_as_messages():
        if not config_path.is_file():
            raise BertLstmError("BL101", kind="file", path=config_path)
        use_gpu(gpu_id, silent=False)
        with show_validation_error(config_path):
            _require_known(overrides, config_path)
            config = load_config(config_path, overrides=overrides, interpolate=False)
            nlp = init_nlp(config, use_gpu=gpu_id)
        model = train_pipeline(nlp, output, resume=resume, checkpoint_every=checkpoint_every)
        typer.echo(f"trained pipeline -> {model}")


def _require_known(overrides: Iterable[str], config_path: Path) -> None:
    """Refuse a setting that spaCy would drop without a word, or keep though it is of no use.

    Below a section's own settings stand those of functions and components, which spaCy checks,
    and tables such as score_weights, where any name may stand.

    RAISES: BL520.
    """
    file = load_config(config_path, interpolate=False)
    for key in overrides:
        section, _, name = key.partition(".")
        known = {**DEFAULT_CONFIG.get(section, {}), **file.get(section, {})}
        of_function = any(other.startswith("@") for other in known)
        # spaCy's defaults for pretraining stand elsewhere.
        if "." in name or section == "pretraining" or of_function or name in known:
            continue
        if f"${{{key}}}" not in file.to_str(interpolate=False):
            raise BertLstmError("BL520", key=key)
