"""`python -m spacy bertlstm train`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from click import NoSuchOption
from spacy.cli._util import (
    import_code,
    parse_config_overrides,
    setup_gpu,
    show_validation_error,
)
from spacy.training.initialize import init_nlp
from spacy.util import load_config

from spacy_bertlstm.cli.app import app, errors_as_messages
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
        bool, typer.Option("--resume", help="Go on from the checkpoint in the folder, if any")
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
    checkpoint stands in the output folder until the training ends.
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
        setup_gpu(gpu_id)
        with show_validation_error(config_path):
            config = load_config(config_path, overrides=overrides, interpolate=False)
            nlp = init_nlp(config, use_gpu=gpu_id)
        model = train_pipeline(nlp, output, resume=resume, checkpoint_every=checkpoint_every)
        typer.echo(f"trained pipeline -> {model}")
