"""`python -m spacy bertlstm check`"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from spacy.vocab import Vocab

from spacy_bertlstm.cli.app import app, errors_as_messages
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tokens.corpus import read_docs


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(metavar="DOCS...", help=".spacy files")],
) -> None:
    """Count what .spacy files hold; one that holds no entity is an error."""
    with errors_as_messages():
        for path in paths:
            docs = tokens = unannotated = 0
            labels: Counter[str] = Counter()
            for doc in read_docs(path, Vocab()):
                docs += 1
                tokens += len(doc)
                unannotated += not doc.has_annotation("ENT_IOB")
                labels.update(ent.label_ for ent in doc.ents)
            if not labels:
                raise BertLstmError("BL202", path=path)
            counts = ", ".join(f"{label} {count}" for label, count in sorted(labels.items()))
            typer.echo(
                f"{path}: {docs} Docs ({unannotated} without annotations), {tokens} tokens, "
                f"{labels.total()} entities: {counts}"
            )
