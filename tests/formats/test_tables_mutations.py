"""Seeded damage to tables: a file is refused, or every row given back or named in the report."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from damage import (
    delete_line,
    duplicate_line,
    flip_byte,
    join_lines,
    shuffle_lines,
    to_cr,
    to_crlf,
    to_latin1,
    to_utf16,
    truncate_file,
    truncate_line,
)

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.catalog import FORMATS
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Document

MUTATIONS = 900
CHUNK = 50

FILES = {
    "csv": [
        'id,text,label,site\n1,"No pain, no fever.",a,A\n'
        '2,"""Worse,""\r\nshe said.",b;a,\n3,Same.,,B\n',
        '\ufeffid,text,label\r\n1,"Ünïted\n\n",a\r\n2,😀\u2028 x,"b"\r\n',
    ],
    "jsonl": [
        '{"id": "1", "text": "No pain.", "label": "a", "age": 61}\n'
        '{"id": "2", "label": ["b", "a"], "text": "Wörse.\\r\\n", "vitals": {"pulse": [60]}}\n\n'
        '{"id": "3", "text": "Same.", "label": null}\n',
        '\ufeff{"id": 1, "text": "x", "label": 2}\r\n{"text": "y", "id": 2, "label": []}',
    ],
}
_MARKS = [
    ",", ";", '"', '""', "\n", "\r", "\r\n", "\t", "\0", "\x0b", "\u2028", "\ufeff", "{", "}",
    "[", "]", ":", "\\", "\\ud800", "\\u0000", "null", "1e400", "text", "😀", "9" * 5000, " ",
]  # fmt: skip


def insert_mark(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_MARKS).encode() + data[place:]


MUTATORS: list[Callable[[random.Random, bytes], bytes]] = [
    flip_byte, flip_byte, delete_line, duplicate_line, truncate_line, truncate_line, join_lines,
    shuffle_lines, to_crlf, to_cr, to_latin1, to_utf16, truncate_file, insert_mark, insert_mark,
    insert_mark, insert_mark,
]  # fmt: skip


def damaged(format: str, seed: int) -> bytes:
    """A file after one to three mutations."""
    rng = random.Random(seed)
    data = rng.choice(FILES[format]).encode()
    for mutate in rng.choices(MUTATORS, k=rng.choice([1, 1, 2, 3])):
        data = mutate(rng, data)
    return data


def read(path: Path) -> tuple[list[Document], LossReport]:
    chosen, report = FORMATS[path.suffix[1:]], LossReport()
    units = chosen.find(path, id_column="id", label_separator=";")
    return [document for unit in units for document in chosen.read(unit, report)], report


def rows_of(data: bytes, format: str) -> list[Any]:
    """A file's rows as the standard library reads them, None where it cannot."""
    text = data.decode().removeprefix("\ufeff")
    if format == "csv":
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [row for row in rows if row][1:]
    found: list[Any] = []
    for line in text.split("\n"):
        if line.strip():
            try:
                found.append(json.loads(line))
            except (ValueError, RecursionError):
                found.append(None)
    return found


def told_json(row: Any, *, choices: bool) -> str:
    """A row as it is written: labels without blanks and repeats, and none as null."""
    label = row.get("label") if isinstance(row, dict) else None
    if isinstance(label, str):
        label = ";".join(dict.fromkeys(filter(None, map(str.strip, label.split(";"))))) or None
    elif isinstance(label, list):
        stripped = (part.strip() if isinstance(part, str) else part for part in label)
        label = list(dict.fromkeys(part for part in stripped if part != "")) if choices else None
    if label != (row or {}).get("label"):
        row = row | {"label": label}
    return json.dumps(row, ensure_ascii=False)


def told_csv(header: list[str], row: list[str]) -> str:
    place = header.index("label")
    parts = dict.fromkeys(filter(None, map(str.strip, row[place].split(";"))))
    return json.dumps([*row[:place], ";".join(parts), *row[place + 1 :]], ensure_ascii=False)


def check(format: str, data: bytes, folder: Path) -> str:
    """Assert that a damaged file is refused, or accounted for; gives which."""
    folder.mkdir()
    path = folder / f"notes.{format}"
    path.write_bytes(data)
    try:
        documents, report = read(path)
    except BertLstmError as error:
        assert error.code in ("BL103", "BL143", "BL144", "BL145", "BL146")
        assert str(path) in str(error)
        return error.code
    rows = rows_of(data, format)
    assert report.read["row"] == len(rows)
    assert report.kept["row"] == len(documents) == len(rows) - len(report.lost)
    assert {finding.path for finding in report.findings} <= {str(path)}
    last_line = data.count(b"\n") + 1
    assert all(1 <= finding.line <= last_line for finding in report.findings)

    out = folder / "out"
    out.mkdir()
    written = LossReport()
    FORMATS[format].write(documents, out, written)
    assert not written.lost
    if documents:
        again = rows_of((out / path.name).read_bytes(), format)
        assert len(again) == len(documents)
        if format == "csv":
            header = next(
                row
                for row in csv.reader(io.StringIO(data.decode().removeprefix("\ufeff"), newline=""))
                if row
            )
            left = Counter(told_csv(header, row) for row in rows if len(row) == len(header))
            found = Counter(told_csv(header, row) for row in again)
        else:
            # Where a file has no label, an empty list is noted, and written as null.
            choices = any(document.choices for document in documents)
            dicts = [row for row in rows if isinstance(row, dict)]
            left = Counter(told_json(row, choices=choices) for row in dicts)
            found = Counter(told_json(row, choices=choices) for row in again)
        assert not found - left
        reread, report = read(out / path.name)
        assert not report.lost
        keys = ("id", "text", "categories")
        assert [[getattr(d, key) for key in keys] for d in reread] == [
            [getattr(d, key) for key in keys] for d in documents
        ]
    return "lost" if report.lost or len(documents) < len(rows) else "kept"


@pytest.mark.parametrize("first", range(0, MUTATIONS, CHUNK))
@pytest.mark.parametrize("format", FILES)
def test_damage_is_refused_or_accounted_for(tmp_path: Path, format: str, first: int) -> None:
    for seed in range(first, first + CHUNK):
        try:
            check(format, damaged(format, seed), tmp_path / str(seed))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize(
    ("format", "outcomes"),
    [
        ("csv", {"BL103", "BL143", "BL145", "BL146", "kept", "lost"}),
        ("jsonl", {"BL103", "BL146", "kept", "lost"}),
    ],
)
def test_damage_is_of_every_outcome(tmp_path: Path, format: str, outcomes: set[str]) -> None:
    found = Counter(
        check(format, damaged(format, seed), tmp_path / str(seed)) for seed in range(400)
    )
    assert outcomes <= set(found), found
