"""`python -m spacy bertlstm check`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_bertlstm.cli.app import app, errors_as_messages
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tokens.corpus import count_docs, read_docs


@app.command()
def check(
    paths: Annotated[
        list[Path], typer.Argument(metavar="DOCS...", help=".spacy files, or folders of them")
    ],
) -> None:
    """Count what .spacy files or folders of them hold; one that holds no entity is an error."""
    with errors_as_messages():
        for path in paths:
            counts = count_docs(read_docs(path))
            if not counts.labels:
                raise BertLstmError("BL202", path=path)
            labels = ", ".join(f"{label} {count}" for label, count in sorted(counts.labels.items()))
            typer.echo(
                f"{path}: {counts.docs} Docs ({counts.unannotated} without annotations), "
                f"{counts.tokens} tokens, {sum(counts.labels.values())} entities: {labels}"
            )
