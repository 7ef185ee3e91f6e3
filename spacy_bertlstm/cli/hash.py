"""`python -m spacy bertlstm hash`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import spacy
import typer

from spacy_bertlstm.cli.app import app, errors_as_messages
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.training.weights import hash_weights


@app.command("hash")
def hash_model(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The folder of a pipeline")],
) -> None:
    """Print the SHA-256 of a pipeline's weights, which is equal for equal weights."""
    with errors_as_messages():
        if not (model / "meta.json").is_file():
            raise BertLstmError("BL101", kind="pipeline", path=model)
        typer.echo(hash_weights(spacy.load(model)))
