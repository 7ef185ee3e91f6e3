"""Tables, CSV or JSON lines: a text and its categories a row, and back.

A CSV file has a header, and commas between its fields (RFC 4180), which may hold line breaks. It
is written with as few quotes as can be, and LF at the ends of rows. A JSON lines file has an
object a line; its label is a string, an integer, a list of either, or null. Columns other than
those of text, label and id become metadata; a value of JSON that is no string stays JSON there.

Where a label is empty, null or missing, nobody chose; an empty list is a choice of none. There is
to choose from what is named, or else all labels that a file holds.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.lines import RecordsFile, find_files, read_lines
from spacy_bertlstm.formats.sources import (
    LostError,
    accounted,
    require_file_name,
    require_unicode,
)
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Document

SEPARATOR = ";"  # of labels in a CSV cell, where the table had none

# Metadata beside those of the columns.
_RESERVED = ("format", "table")
_LARGEST_FIELD = 2**31 - 1


@dataclass(frozen=True)
class Layout:
    """Which columns of a table are what.

    text, label (str): The columns of the text and of its categories.
    id (str | None): That of the records' names; without one, they are numbered.
    separator (str | None): What stands between labels where one string may hold several.
    """

    text: str = "text"
    label: str = "label"
    id: str | None = None
    separator: str | None = None


@dataclass(frozen=True)
class TableFile(RecordsFile):
    """One table.

    layout (Layout): What its columns are.
    labels (tuple[str, ...]): What there is to choose from; none stands for all labels in it.
    """

    layout: Layout = field(default_factory=Layout)
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One row of a table.

    line (int): Where it begins.
    values (Mapping[str, Any]): By column, in their order.
    flaw (str): Why there are none.
    """

    line: int
    values: Mapping[str, Any]
    flaw: str = ""


@dataclass(frozen=True)
class Kind:
    """A way to write tables.

    name (str): Of the format, and of its files' suffix.
    read (Callable): From a file to its rows.
    """

    name: str
    read: Callable[[TableFile], Iterator[Row]]


def read_csv(file: TableFile) -> Iterator[Row]:
    """Read the rows of a CSV file, one in memory at a time.

    RAISES: BL103 (not UTF-8), BL108 (unreadable), BL143 (it lacks a column), BL144 (names of
        columns that cannot be), BL145 (not CSV).
    """
    # The limit is the process's, and never lowered: another reader may be at work.
    csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_FIELD))
    reader = csv.reader(_read_clean(file.path), strict=True)
    columns: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            reason = str(error).partition(" - ")[0]  # what follows is a hint for programmers
            raise BertLstmError("BL145", path=file.path, line=line, reason=reason) from error
        if fields is None:
            return
        if not fields:  # a blank line
            continue
        if not columns:
            columns = fields
            _require_columns(file, line, columns)
        elif len(fields) != len(columns):
            yield Row(line, {}, f"has {len(fields)} fields, and the header {len(columns)}")
        else:
            yield Row(line, dict(zip(columns, fields, strict=True)))


def _read_clean(path: Path) -> Iterator[str]:
    for number, line in read_lines(path, joined=False):
        if "\0" in line:
            raise BertLstmError("BL145", path=path, line=number, reason="a NUL character")
        yield line


def _require_columns(file: TableFile, line: int, columns: Sequence[str]) -> None:
    layout = file.layout
    named = {"text-column": layout.text, "label-column": layout.label, "id-column": layout.id}
    for option, column in named.items():
        if column is not None and column not in columns:
            raise BertLstmError("BL143", path=file.path, line=line, column=column, option=option)
    if len(set(columns)) < len(columns):
        raise BertLstmError("BL144", path=file.path, line=line, reason="two columns of one name")
    if set(_RESERVED) & set(columns) - set(named.values()):
        reason = "a column of a name that is not free"
        raise BertLstmError("BL144", path=file.path, line=line, reason=reason)


def read_jsonl(file: TableFile) -> Iterator[Row]:
    """Read the rows of a file of JSON lines, one in memory at a time.

    RAISES: BL103 (not UTF-8), BL108 (unreadable).
    """
    named = {file.layout.text, file.layout.label, file.layout.id}
    for number, line in read_lines(file.path, joined=False):
        if not line.strip():
            continue
        try:
            values = json.loads(line, object_pairs_hook=_unique, parse_constant=_refuse)
            if not isinstance(values, dict):
                raise ValueError
            # "\ud800" alone is no character, and 1e999 would be written as no JSON.
            json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            yield Row(number, {}, "is no JSON object, or one with a key that comes twice")
            continue
        if set(_RESERVED) & values.keys() - named:
            yield Row(number, {}, "has a key 'format' or 'table', which are not free")
        else:
            yield Row(number, values)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError
    return values


def _refuse(constant: str) -> None:
    raise ValueError(constant)


CSV = Kind("csv", read_csv)
JSONL = Kind("jsonl", read_jsonl)


def find_tables(
    root: Path,
    kind: Kind,
    *,
    require_annotations: bool = False,
    text_column: str = "text",
    label_column: str = "label",
    id_column: str | None = None,
    label_separator: str | None = None,
    labels: Iterable[str] = (),
) -> list[TableFile]:
    """Find the tables of a kind.

    root (Path): A file, or a folder whose files with the kind's suffix count.
    require_annotations (bool): Whether a row without label makes reading fail.
    text_column, label_column, id_column, label_separator: See `Layout`.
    labels (Iterable[str]): See `TableFile`.
    RETURNS (list[TableFile]): Sorted by path.
    RAISES: BL101 (neither file nor folder), BL102 (no file of the kind), BL148 (no separator).
    """
    if label_separator is not None and not label_separator.strip():
        raise BertLstmError("BL148")
    layout = Layout(text_column, label_column, id_column, label_separator)
    return [
        TableFile(found.path, found.root, require_annotations, layout, tuple(labels))
        for found in find_files(root, [f".{kind.name}"], plain=False)
    ]


def read_table(file: TableFile, report: LossReport, kind: Kind) -> Iterator[Document]:
    """Read the records of a table one after another, in two passes: the first is for the labels.

    file (TableFile): From `find_tables`.
    report (LossReport): Filled with what was read, kept, noted and lost, by row.
    RAISES: BL111 (a file name that is not Unicode), BL146 (no row in it), BL147 (annotations are
        required, and a row has none), and what the kind's reader does.
    """
    require_unicode(file.name)
    choices = file.labels or tuple(sorted(_collect_labels(file, kind)))
    taken: set[str] = set()
    number = 0
    for number, row in enumerate(kind.read(file), start=1):
        document = None
        with accounted(report, "row", str(file.path), row.line):
            document = _read_row(row, number, file, kind, choices, report)
            if document.id in taken:
                document = None
                raise LostError("its id is an earlier row's")
            taken.add(document.id)
        if document is None:
            continue
        if file.require_annotations and not document.choices:
            raise BertLstmError("BL147", path=file.path, line=row.line)
        yield document
    if not number:
        raise BertLstmError("BL146", path=file.path)


def _collect_labels(file: TableFile, kind: Kind) -> set[str]:
    labels: set[str] = set()
    for row in kind.read(file):
        try:
            labels.update(_read_label(row, file.layout).labels)
        except LostError:
            continue  # the second pass says so
    return labels


@dataclass(frozen=True)
class _Label:
    """What the label of a row says.

    labels (tuple[str, ...]): Those that hold.
    chosen (bool): Whether it says anything.
    listed, numeric (bool): Whether JSON has it in a list, and as integers.
    whole (bool): Whether it says no more than that.
    """

    labels: tuple[str, ...] = ()
    chosen: bool = False
    listed: bool = False
    numeric: bool = False
    whole: bool = True


def _read_label(row: Row, layout: Layout) -> _Label:
    value = row.values.get(layout.label)
    if value is None or value == "":
        return _Label()
    listed = isinstance(value, list)
    values = value if listed else [value]
    numeric = bool(values) and all(type(part) is int for part in values)
    if not numeric and not all(isinstance(part, str) for part in values):
        raise LostError("its label is neither a string or an integer nor a list of such")
    parts = [str(part) for part in values]
    if layout.separator is not None and not listed:
        parts = parts[0].split(layout.separator)
    labels = tuple(dict.fromkeys(filter(None, map(str.strip, parts))))
    return _Label(labels, listed or bool(labels), listed, numeric, whole=list(labels) == parts)


@dataclass(frozen=True)
class _Table:
    """What a record knows of its table, so that it can be written as it was.

    file (str): The file below the folder that was searched.
    columns (tuple[str, ...]): Those of its row, in their order.
    layout (Layout): What they are.
    json (tuple[str, ...]): Those whose metadata are JSON.
    listed, numeric, numbered (bool): Whether its label is a list, and of integers, and whether
        its id is an integer.
    """

    file: str = "documents"
    columns: tuple[str, ...] = ("id", "text", "label")
    layout: Layout = field(default_factory=lambda: Layout(id="id"))
    json: tuple[str, ...] = ()
    listed: bool = False
    numeric: bool = False
    numbered: bool = False

    @classmethod
    def of(cls, document: Document) -> _Table:
        """That of a record, or of one that no table held.

        RAISES: BL208 (it is no such).
        """
        if document.metadata.get("format") not in (CSV.name, JSONL.name):
            return cls()
        try:
            facts = json.loads(document.metadata["table"])
            return cls(**{**facts, "layout": Layout(**facts["layout"])})
        except (ValueError, TypeError, KeyError) as error:
            raise BertLstmError("BL208", reason=f"its table: {type(error).__name__}") from error


def _read_row(
    row: Row, number: int, file: TableFile, kind: Kind, choices: Sequence[str], report: LossReport
) -> Document:
    """The record of a row, or LostError."""
    layout = file.layout
    if row.flaw:
        raise LostError(row.flaw)
    text = row.values.get(layout.text)
    if not isinstance(text, str) or not text.strip():
        raise LostError("has no text")
    name: Any = f"{PurePosixPath(file.name).with_suffix('')}-{number}"
    if layout.id is not None:
        name = row.values.get(layout.id)
        if type(name) is not int and not (isinstance(name, str) and name):
            raise LostError("has no id")
    label = _read_label(row, layout)
    if not set(label.labels) <= set(choices):
        raise LostError("its label is none of those that are named")
    if not label.whole:
        reason = "its labels hold blanks or repeat each other; kept without"
        report.note(str(file.path), row.line, reason)
    if label.chosen and not choices:
        reason = "chooses none, where there is no label to choose from; as if nobody chose"
        report.note(str(file.path), row.line, reason)
    others = {
        column: value
        for column, value in row.values.items()
        if column not in (layout.text, layout.label, layout.id)
    }
    table = _Table(
        file=file.name,
        columns=tuple(row.values),
        layout=layout,
        json=tuple(column for column, value in others.items() if not isinstance(value, str)),
        listed=label.listed,
        numeric=label.numeric,
        numbered=layout.id is not None and not isinstance(name, str),
    )
    metadata = {
        column: _dump(value) if column in table.json else value for column, value in others.items()
    }
    return Document(
        id=str(name),
        text=text,
        annotated=False,
        metadata={"format": kind.name, "table": _dump(asdict(table)), **metadata},
        categories=label.labels,
        choices=tuple(choices) if label.chosen else (),
    )


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def write_tables(
    documents: Iterable[Document], folder: Path, report: LossReport, kind: Kind
) -> int:
    """Write records below an existing folder: each to a file named as the one that held it.

    documents (Iterable[Document]): Those that no table held go to one of their own, with the
        columns id, text and label. The columns of a CSV file are those of its first record.
    report (LossReport): Filled with what a table cannot express.
    RETURNS (int): The number of records written.
    RAISES: BL111 (the file's name is none), BL112 (two records of one id in a file), BL208 (what
        a record knows of its table is broken), OSError.
    """
    count = 0
    headers: dict[str, list[str]] = {}
    taken: set[tuple[str, str]] = set()
    for document in documents:
        table = _Table.of(document)
        require_file_name(table.file)
        name = table.file
        if document.metadata.get("format") != kind.name:
            name = str(PurePosixPath(name).with_suffix(f".{kind.name}"))
        if table.layout.id is not None and (name, document.id) in taken:
            raise BertLstmError("BL112", record=document.id)
        taken.add((name, document.id))
        _account(document, report)
        values = _values(document, table)
        if kind is JSONL:
            content = _dump(values) + "\n"
        else:
            cells = _cells(values, document, table, report)
            content = "" if name in headers else _format_csv(list(cells))
            if content.startswith("\ufeff"):  # which reading would take for the file's mark
                content = f"\ufeff{content}"
            header = headers.setdefault(name, list(cells))
            if not set(cells) <= set(header):
                reason = "columns that the first record of its file lacks"
                report.lose(f"record {document.id}", 0, reason)
            content += _format_csv([cells.get(column, "") for column in header])
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not held open: a corpus may have more files than a process may open.
        with path.open("ab") as file:
            file.write(content.encode("utf-8"))
        count += 1
    return count


def _account(document: Document, report: LossReport) -> None:
    report.read["category"] += len(document.categories)
    report.kept["category"] += len(document.categories)
    parts = {
        "concept": document.concepts,
        "assertion": document.assertions,
        "relation": document.relations,
        "event": document.events,
        "normalization": document.normalizations,
        "note": document.notes,
    }
    for kind, items in parts.items():
        for _ in items:
            with accounted(report, kind, f"record {document.id}"):
                raise LostError(f"{kind}: a table of texts and categories has no column for it")


def _values(document: Document, table: _Table) -> dict[str, Any]:
    """A record's row, as JSON has it."""
    layout = table.layout
    columns = list(table.columns)
    if document.choices and layout.label not in columns:
        columns.append(layout.label)
    values: dict[str, Any] = {}
    for column in columns:
        if column == layout.text:
            values[column] = document.text
        elif column == layout.label:
            values[column] = _label_value(document, table)
        elif column == layout.id:
            values[column] = int(document.id) if table.numbered else document.id
        elif column in document.metadata:
            stated = document.metadata[column]
            values[column] = json.loads(stated) if column in table.json else stated
    return values


def _label_value(document: Document, table: _Table) -> Any:
    if not document.choices:
        return None
    labels = [int(label) if table.numeric else label for label in document.categories]
    if table.listed or not labels:
        return labels
    if len(labels) == 1:
        return labels[0]
    separator = table.layout.separator
    return labels if separator is None else separator.join(map(str, labels))


def _cells(
    values: Mapping[str, Any], document: Document, table: _Table, report: LossReport
) -> dict[str, str]:
    """A record's row, as CSV has it."""
    place = f"record {document.id}"
    cells = {column: _as_cell(value) for column, value in values.items()}
    label = table.layout.label
    if any(not isinstance(value, str) for column, value in values.items() if column != label):
        report.note(place, 0, "values that are no strings are written as JSON, and null as nothing")
    if label in cells:
        separator = table.layout.separator or SEPARATOR
        cells[label] = separator.join(document.categories)
        if document.choices and not document.categories:
            report.lose(place, 0, "a choice of none, which CSV cannot tell from no choice")
        if len(document.categories) > 1 and table.layout.separator is None:
            report.note(place, 0, f"its labels are parted by '{separator}'")
            if any(separator in category for category in document.categories):
                report.lose(place, 0, f"a label that holds the separator '{separator}'")
    if any("\0" in cell for cell in cells.values()):
        report.lose(place, 0, "a NUL character, which CSV cannot hold")
    return cells


def _as_cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _dump(value)


def _format_csv(fields: Iterable[str]) -> str:
    row = StringIO(newline="")
    # With another line terminator a carriage return inside a field would not be quoted.
    csv.writer(row, lineterminator="\r\n").writerow(fields)
    return row.getvalue().removesuffix("\r\n") + "\n"
