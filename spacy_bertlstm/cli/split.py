"""`python -m spacy bertlstm split`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from spacy.vocab import Vocab

from spacy_bertlstm.cli.app import app, errors_as_messages
from spacy_bertlstm.tokens.corpus import read_docs, split_docs, write_parts


@app.command()
def split(
    docs_path: Annotated[Path, typer.Argument(metavar="DOCS", help="A .spacy file")],
    output: Annotated[Path, typer.Argument(metavar="OUTDIR", help="A folder")],
    ratio: Annotated[
        tuple[float, float, float],
        typer.Option(help="The shares of train, dev and test; a share of 0 makes no file"),
    ] = (70, 15, 15),
    seed: Annotated[int, typer.Option(help="Of the shuffling")] = 0,
) -> None:
    """Split the Docs of a .spacy file at random, by record, into train, dev and test."""
    with errors_as_messages():
        docs = list(read_docs(docs_path, Vocab()))
        parts = split_docs(docs, ratio, seed=seed, path=docs_path)
        write_parts(parts, output, source=docs_path)
        for name, part in parts.items():
            typer.echo(f"{len(part)} records -> {output / name}.spacy")
