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
    """Count what .spacy files or folders of them hold; one without annotations is an error."""
    with errors_as_messages():
        for path in paths:
            counts = count_docs(read_docs(path))
            kinds = {
                "entities": counts.labels,
                "assertions": counts.assertions,
                "relations": counts.relations,
                "categories": counts.categories,
            }
            if not (counts.labels or counts.categories):
                raise BertLstmError("BL202", path=path)
            found = [
                f"{sum(labels.values())} {kind}: "
                + ", ".join(f"{label} {count}" for label, count in sorted(labels.items()))
                for kind, labels in kinds.items()
                if labels
            ]
            typer.echo(
                f"{path}: {counts.docs} Docs ({counts.unannotated} without annotations), "
                f"{counts.tokens} tokens, {'; '.join(found)}"
            )
