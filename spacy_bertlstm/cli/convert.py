"""`python -m spacy bertlstm convert`"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from spacy_bertlstm.cli.app import (
    FormatName,
    app,
    errors_as_messages,
    print_account,
    require_spared,
)
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.catalog import FORMATS, Format, Unit
from spacy_bertlstm.losses import Account, LossReport, open_account
from spacy_bertlstm.mapping import LabelMap, read_map
from spacy_bertlstm.records import Document
from spacy_bertlstm.schemas import Schema, get_schema
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.corpus import open_docs
from spacy_bertlstm.tokens.stream import Job, open_builder


@app.command()
def convert(
    format: Annotated[FormatName, typer.Argument(help="The format of the input")],
    input: Annotated[
        Path,
        typer.Argument(metavar="IN", help="A folder; or a file, if the format has many a file"),
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="The .spacy file to write, or the folder")
    ],
    report_path: Annotated[
        Path | None, typer.Option("--report", help="Write the loss report to this JSON file")
    ] = None,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Go on where annotations are lost")
    ] = False,
    require_annotations: Annotated[
        bool, typer.Option("--require-annotations", help="Refuse records with text only")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Leave out files that cannot be read, by name")
    ] = False,
    map_path: Annotated[
        Path | None, typer.Option("--map", help="A TOML file: which label becomes which")
    ] = None,
    schema_name: Annotated[
        str | None,
        typer.Option("--schema", help="Report what this schema does not allow; default: the map's"),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse what the schema does not allow")
    ] = False,
    shard_size: Annotated[
        int | None,
        typer.Option(min=1, help="Write OUT as a folder of files of so many records each"),
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Tables: the column of the text; default: text")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Tables: the column of the label; default: label")
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(help="Tables: the column of the names; default: rows are numbered")
    ] = None,
    label_separator: Annotated[
        str | None, typer.Option(help="Tables: what stands between the labels of one text")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(help="Tables: a label to choose from, once for each; default: all in a file"),
    ] = None,
    n_process: Annotated[
        int, typer.Option("--n-process", "-n", min=1, help="Processes that build Docs")
    ] = 1,
) -> None:
    """Convert annotated notes to a .spacy file, one Doc a record.

    By default any lost annotation makes the conversion fail, and OUT is not written. Memory
    grows with the size of OUT; with --shard-size it does not grow with the number of records.

    Exit codes: 0, OUT is written; 1, OUT is not written, and the message says why; 2, OUT is
    written without the files that --keep-going left out (or, as for all commands, wrong usage).
    """
    with errors_as_messages():
        if report_path is not None:
            report_place, out_place = report_path.resolve(), output.resolve()
            if report_place.is_relative_to(out_place) or out_place.is_relative_to(report_place):
                raise BertLstmError("BL113", path=report_path)
        maps = [] if map_path is None else [map_path]
        require_spared(output, ".spacy", input, *maps)
        require_spared(report_path, ".json", input, *maps)
        label_map = None if map_path is None else read_map(map_path)
        schema = None if label_map is None else label_map.schema
        if schema_name is not None:
            schema = get_schema(schema_name)
        chosen = FORMATS[format]
        options = {
            "text_column": text_column,
            "label_column": label_column,
            "id_column": id_column,
            "label_separator": label_separator,
            "labels": labels,
        }
        options = {name: value for name, value in options.items() if value is not None}
        for option in options:
            if option not in chosen.read_options:
                raise BertLstmError("BL119", option=option.replace("_", "-"), format=format)
        units = chosen.find(input, require_annotations=require_annotations, **options)
        records = unannotated = tokens = entities = 0
        with (
            open_docs(output, shard_size=shard_size) as writer,
            open_builder(
                make_clinical_tokenizer,
                line_sentences=chosen.line_sentences,
                n_process=n_process,
                shard_size=shard_size,
            ) as build,
        ):
            with open_account(report_path) as account:
                jobs = _read(
                    tqdm(units, desc=f"Converting {input}", unit="file", disable=None),
                    chosen,
                    account if keep_going else None,
                    _make_change(label_map, schema, strict=strict),
                )
                for built in build(jobs):
                    account.add(built.report)
                    records += len(built.docs)
                    unannotated += built.unannotated
                    tokens += built.tokens
                    entities += built.entities
                    writer.add(built.docs)
                print_account(account)
            if not allow_loss:
                account.require_no_loss()
            if not records:
                raise BertLstmError("BL115", path=input)
        typer.echo(
            f"{records} records ({unannotated} without annotations), {tokens} tokens, "
            f"{entities} entities in doc.ents -> {output}"
        )
        if account.quarantined:
            typer.secho(f"{len(account.quarantined)} files left out", err=True)
            raise typer.Exit(2)


Change = Callable[[Document, LossReport, Unit], Document]


def _read(
    units: Iterable[Unit], chosen: Format, account: Account | None, change: Change
) -> Iterator[Job]:
    """Read records, change them, and put those that cannot be read into quarantine.

    account (Account | None): Names the quarantined; None where an error is to end it all.
    """
    for unit in units:
        report = LossReport()
        records = 0
        try:
            for record in chosen.read(unit, report):
                record = change(record, report, unit)
                yield Job(record, report.take(), unit.root)
                records += 1
        except BertLstmError as error:
            if account is None:
                raise
            account.quarantine(unit.path, error, records=records)
        else:
            yield Job(None, report, unit.root)  # what the end of a file brought to light


def _make_change(label_map: LabelMap | None, schema: Schema | None, *, strict: bool) -> Change:
    def change(record: Document, report: LossReport, unit: Unit) -> Document:
        if label_map is not None:
            record = label_map.apply(record, report)
        if schema is not None:
            for source, reason in schema.violations(record):
                path, _, line = source.rpartition(":")
                place = str(unit.root / path) if path else f"record {record.id}"
                report.note(place, int(line) if path else 0, reason)
                if strict:
                    raise BertLstmError("BL120", place=report.findings[-1].place, reason=reason)
        return record

    return change
