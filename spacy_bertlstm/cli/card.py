"""`python -m spacy bertlstm card`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_bertlstm.cli.app import app, errors_as_messages
from spacy_bertlstm.shipping.card import Facts, read_scores, write_card
from spacy_bertlstm.tokens.corpus import count_docs, read_docs


@app.command()
def card(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A pruned pipeline's folder")],
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DOCS...", help=".spacy files; each counts under its own name"),
    ],
    scores: Annotated[Path, typer.Option(help="The scores that 'evaluate' wrote")],
    name: Annotated[str, typer.Option(help="The package's name, without the language")],
    version: Annotated[str, typer.Option(help="The package's version")],
    statement: Annotated[str, typer.Option(help="What the notes are, and if they are synthetic")],
    licence: Annotated[str, typer.Option(help="Of the pipeline")],
    encoder: Annotated[str, typer.Option(help="The encoder's folder or name")],
    encoder_licence: Annotated[str, typer.Option(help="The encoder's licence")],
) -> None:
    """Write a pipeline's model card, and its name and licence, for 'spacy package'."""
    with errors_as_messages():
        facts = Facts(
            name=name,
            version=version,
            statement=statement,
            licence=licence,
            encoder=encoder,
            encoder_licence=encoder_licence,
            data={path.stem: count_docs(read_docs(path)) for path in data},
            scores=read_scores(scores),
        )
        write_card(model, facts)
        typer.echo(f"Model card -> {model / 'README.md'}")
