"""`python -m spacy bertlstm export`"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from spacy.tokens import Doc
from tqdm import tqdm

from spacy_bertlstm.cli.app import (
    FormatName,
    app,
    errors_as_messages,
    print_account,
    require_spared,
)
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.files import require_no_files, written_whole
from spacy_bertlstm.formats.catalog import FORMATS
from spacy_bertlstm.losses import LossReport, open_account
from spacy_bertlstm.records import Document
from spacy_bertlstm.tokens.build import read_doc, shows_record
from spacy_bertlstm.tokens.corpus import read_docs
from spacy_bertlstm.tokens.extensions import get_record


class Source(StrEnum):
    """Which annotations of a Doc to export."""

    auto = "auto"
    record = "record"
    doc = "doc"


@app.command()
def export(
    format: Annotated[FormatName, typer.Argument(help="The format of the output")],
    docs_path: Annotated[
        Path, typer.Argument(metavar="DOCS", help="A .spacy file, or a folder of them")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTDIR", help="A folder, new or empty")],
    source: Annotated[
        Source,
        typer.Option(
            help="Export the gold record that a Doc was converted from, or the Doc's own "
            "entities; auto takes the record if the entities agree with it"
        ),
    ] = Source.auto,
    widen: Annotated[
        bool,
        typer.Option("--widen", help="i2b2: grow entities that end inside a token"),
    ] = False,
    report_path: Annotated[
        Path | None, typer.Option("--report", help="Write the loss report to this JSON file")
    ] = None,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Go on where annotations are lost")
    ] = False,
) -> None:
    """Export the Docs of .spacy files to the files of an annotation format."""
    with errors_as_messages():
        if report_path is not None and report_path.resolve().is_relative_to(output.resolve()):
            raise BertLstmError("BL113", path=report_path)
        require_spared(report_path, ".json", docs_path)
        chosen = FORMATS[format]
        options = {"widen": True} if widen else {}
        for option in options:
            if option not in chosen.write_options:
                raise BertLstmError("BL119", option=option, format=format)
        docs = tqdm(
            read_docs(docs_path), desc=f"Exporting {docs_path}", unit="record", disable=None
        )
        require_no_files(output)
        report = LossReport()
        with written_whole(output) as part:
            part.mkdir()
            with open_account(report_path) as account:

                def accounted() -> Iterator[Document]:
                    for record in read_records(docs, docs_path, source):
                        yield record
                        account.add(report.take())

                written = chosen.write(accounted(), part, report, **options)
                account.add(report)
                print_account(account)
            if not allow_loss:
                account.require_no_loss()
        typer.echo(f"{written} records -> {output}")


def read_records(docs: Iterable[Doc], path: Path, source: Source) -> Iterator[Document]:
    """The records of Docs.

    path (Path): Where the Docs come from, for messages.
    RAISES: BL203 (record and Doc differ), BL204 (no name), BL207 (no record), BL208 (broken).
    """
    for index, doc in enumerate(docs, start=1):
        record = get_record(doc)
        record_id = doc.user_data.get("id") if record is None else record.id
        if not isinstance(record_id, str):
            raise BertLstmError("BL204", path=path, index=index)
        if source is Source.doc or (source is Source.auto and record is None):
            yield read_doc(doc, record_id)
        elif record is None:
            raise BertLstmError("BL207", path=path, record=record_id)
        elif source is Source.auto and not shows_record(doc):
            raise BertLstmError("BL203", record=record_id)
        else:
            yield record
