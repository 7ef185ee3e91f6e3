"""`python -m spacy bertlstm prune`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_bertlstm.cli.app import app, errors_as_messages
from spacy_bertlstm.shipping.prune import prune_pipeline
from spacy_bertlstm.tokens.corpus import read_docs


@app.command()
def prune(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A trained pipeline's folder")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="A folder, new or empty")],
    verify: Annotated[
        Path | None,
        typer.Option(
            metavar="DOCS", help="Compare the predictions of both on the texts of this .spacy file"
        ),
    ] = None,
) -> None:
    """Write a trained pipeline without the words and the paths of its training."""
    with errors_as_messages():
        texts = [] if verify is None else [doc.text for doc in read_docs(verify)]
        pruned = prune_pipeline(model, output, texts=texts)
        typer.echo(f"{pruned.kept} strings kept, {pruned.dropped} dropped -> {output}")
        if verify is not None:
            typer.echo(f"The predictions on {len(texts)} Docs are the same.")
