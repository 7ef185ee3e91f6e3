"""`python -m spacy bertlstm leaks`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_bertlstm.cli.app import app, errors_as_messages
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.shipping.leaks import (
    find_leaks,
    find_private_words,
    find_public_words,
    find_settings,
)
from spacy_bertlstm.tokens.corpus import read_docs


@app.command()
def leaks(
    path: Annotated[Path, typer.Argument(metavar="WHEEL", help="A wheel, or a folder")],
    notes: Annotated[
        list[Path], typer.Argument(metavar="DOCS...", help=".spacy files of the notes")
    ],
    encoder: Annotated[
        str | None,
        typer.Option(help="The encoder's folder or name: its vocabulary is public"),
    ] = None,
    public: Annotated[
        list[Path] | None,
        typer.Option(help="A file or folder whose words are public; may be given several times"),
    ] = None,
    public_text: Annotated[
        list[str] | None,
        typer.Option(
            help="What you state of the package, such as its name; may be given several times"
        ),
    ] = None,
    lang: Annotated[str, typer.Option(help="The language of the notes")] = "en",
    show_text: Annotated[
        bool, typer.Option("--show-text", help="Print the words that were found")
    ] = False,
) -> None:
    """Look in a wheel for words that only the notes hold; one that is found is an error.

    Public are also the numbers that keys in its config.cfg and meta.json are set to.
    """
    with errors_as_messages():
        public_words = find_public_words(
            lang, encoder=encoder, files=public or (), texts=public_text or ()
        )
        public_words |= find_settings(path)
        docs = (doc for file in notes for doc in read_docs(file))
        private = find_private_words(docs, public_words)
        if not private:
            raise BertLstmError("BL333", path=", ".join(map(str, notes)))
        words: set[str] = set()
        places: set[str] = set()
        for leak in find_leaks(path, private):
            words |= leak.words
            places.add(leak.place)
            shown = f": {', '.join(sorted(leak.words))}" if show_text else ""
            typer.echo(f"leak: {leak.place}: {len(leak.words)} words ({leak.kind}){shown}")
        if words:
            raise BertLstmError("BL332", path=path, words=len(words), files=len(places))
        typer.echo(f"{path}: none of {len(private)} words that only the notes hold")
