"""`python -m spacy bertlstm hash`"""

from __future__ import annotations

from typing import Annotated

import typer

from spacy_bertlstm.cli.app import app, errors_as_messages, load_pipeline
from spacy_bertlstm.training.weights import hash_weights


@app.command("hash")
def hash_model(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A pipeline's folder or name")],
) -> None:
    """Print the SHA-256 of a pipeline's weights, which is equal for equal weights."""
    with errors_as_messages():
        typer.echo(hash_weights(load_pipeline(model)))
