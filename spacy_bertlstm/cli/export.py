"""`python -m spacy bertlstm export`"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from spacy.tokens import Doc
from spacy.vocab import Vocab
from tqdm import tqdm

from spacy_bertlstm.cli.app import FormatName, app, errors_as_messages, print_report, write_report
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.files import require_no_files, written_whole
from spacy_bertlstm.formats.catalog import FORMATS
from spacy_bertlstm.formats.i2b2 import write_i2b2
from spacy_bertlstm.losses import LossReport
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
    docs_path: Annotated[Path, typer.Argument(metavar="DOCS", help="A .spacy file")],
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
        typer.Option("--widen", help="Grow entities that end inside a token of the format"),
    ] = False,
    report_path: Annotated[
        Path | None, typer.Option("--report", help="Write the loss report to this JSON file")
    ] = None,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Go on where annotations are lost")
    ] = False,
) -> None:
    """Export the Docs of a .spacy file to the files of an annotation format."""
    with errors_as_messages():
        report = LossReport()
        docs = tqdm(
            read_docs(docs_path, Vocab()), desc=f"Exporting {docs_path}", unit="record",
            disable=None,
        )  # fmt: skip
        require_no_files(output)
        with written_whole(output) as part:
            part.mkdir()
            write = FORMATS[format].write
            if widen and write is write_i2b2:
                write = partial(write_i2b2, widen=True)
            written = write(read_records(docs, docs_path, source), part, report)
            print_report(report)
            write_report(report, report_path)
            if not allow_loss:
                report.require_no_loss()
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
