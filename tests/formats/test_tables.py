"""Tables are read to records and written back; what cannot be kept is named by file and line."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.catalog import FORMATS
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Concept, Document

CSV = (
    "id,age,note,course\r\n"
    '7,61,"No pain, no fever.",better\r\n'
    '8,,"He said: ""worse"".\r\nThen fever.\n",worse\r\n'
    "9,40,Unchanged.,\r\n"
)


def read(path: Path, **options: Any) -> tuple[list[Document], LossReport]:
    chosen, report = FORMATS[path.suffix[1:]], LossReport()
    units = chosen.find(path, **options)
    return [document for unit in units for document in chosen.read(unit, report)], report


read_notes = partial(read, text_column="note", label_column="course", id_column="id")


def write(documents: list[Document], folder: Path, format: str) -> LossReport:
    folder.mkdir()
    report = LossReport()
    assert FORMATS[format].write(documents, folder, report) == len(documents)
    return report


def put(folder: Path, content: str | bytes, name: str = "notes.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def put_lines(folder: Path, *rows: object) -> Path:
    return put(folder, "".join(f"{json.dumps(row)}\n" for row in rows), "notes.jsonl")


def test_a_row_is_a_record(tmp_path: Path) -> None:
    documents, report = read_notes(put(tmp_path, CSV))
    first, second, third = documents
    assert (first.id, first.text, first.metadata["age"]) == ("7", "No pain, no fever.", "61")
    assert (first.categories, first.choices) == (("better",), ("better", "worse"))
    assert second.text == 'He said: "worse".\r\nThen fever.\n'
    assert (third.categories, third.choices) == ((), ())
    assert not any(document.annotated for document in documents)
    assert [document.has_annotations for document in documents] == [True, True, False]
    assert (report.read, report.kept) == ({"row": 3}, {"row": 3})


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_comes_back_to_the_byte_but_for_the_ends_of_rows(tmp_path: Path, mark: str) -> None:
    documents, _ = read_notes(put(tmp_path, mark + CSV))
    report = write(documents, tmp_path / "out", "csv")
    assert not report.findings
    written = (tmp_path / "out" / "notes.csv").read_bytes().decode()
    assert written == CSV.replace("\r\n", "\n").replace('"".\n', '"".\r\n')


def test_a_mark_that_is_a_columns_own_stays(tmp_path: Path) -> None:
    documents, _ = read(put(tmp_path, '\ufeff"\ufeffsite",text,label\nA,Pain.,a\n'))
    write(documents, tmp_path / "out", "csv")
    again, _ = read(tmp_path / "out" / "notes.csv")
    assert again == documents and again[0].metadata["\ufeffsite"] == "A"


def test_a_megabyte_of_note(tmp_path: Path) -> None:
    text = 'A "quoted", long\nnote. ' * 60_000
    documents, _ = read(put(tmp_path, 'text,label\n"' + text.replace('"', '""') + '",a\n'))
    assert [document.text for document in documents] == [text]


def test_several_labels_in_a_cell(tmp_path: Path) -> None:
    path = put(tmp_path, "text,label\nOne.,b;a\nTwo.,c ; a;\nThree.,\n")
    documents, report = read(path, label_separator=";")
    assert [document.categories for document in documents] == [("b", "a"), ("c", "a"), ()]
    assert documents[0].choices == ("a", "b", "c")
    assert [(finding.line, finding.lost) for finding in report.findings] == [(3, False)]
    write(documents, tmp_path / "out", "csv")
    written = (tmp_path / "out" / "notes.csv").read_text()
    assert written == "text,label\nOne.,b;a\nTwo.,c;a\nThree.,\n"


def test_labels_that_are_named_are_all_there_is_to_choose_from(tmp_path: Path) -> None:
    path = put(tmp_path, "text,label\nOne.,a\nTwo.,b\n")
    documents, report = read(path, labels=["z", "a"])
    assert [document.choices for document in documents] == [("z", "a")]
    assert [(finding.path, finding.line) for finding in report.lost] == [(str(path), 3)]


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("text,course\na,b\n", "BL143", 1),
        ("\n\nbody,label\na,b\n", "BL143", 3),
        ("text,label,label\na,b,c\n", "BL144", 1),
        ("text,label,table\na,b,c\n", "BL144", 1),
        ('text,label\na,b\n"c,d\n', "BL145", 3),
        ('text,label\na,b\n"c"d,e\n', "BL145", 3),
        ("text,label\na\rb,c\n", "BL145", 2),
        ("text,label\na,b\nc\0,d\n", "BL145", 3),
        (b"text,label\na,b\n\xe9,d\n", "BL103", 3),
        ("", "BL146", None),
        ("text,label\n\n", "BL146", None),
    ],
)
def test_what_is_no_table_is_refused(
    tmp_path: Path, content: str | bytes, code: str, line: int | None
) -> None:
    path = put(tmp_path, content)
    with pytest.raises(BertLstmError) as raised:
        read(path)
    assert raised.value.code == code
    assert f"{path}, line {line}:" in str(raised.value) if line else str(path) in str(raised.value)


@pytest.mark.parametrize("row", ["a", "a,b,c,d", ",b,2", "  ,b,2", "a,b,", "Seen.,b,1"], ids=str)
def test_a_row_that_cannot_be_kept_is_lost_with_its_line(tmp_path: Path, row: str) -> None:
    path = put(tmp_path, f'text,label,name\n"Se\nen.",b,1\n{row}\nLast.,b,3\n')
    documents, report = read(path, id_column="name")
    assert [document.id for document in documents] == ["1", "3"]
    assert [(finding.path, finding.line) for finding in report.lost] == [(str(path), 4)]
    assert (report.read["row"], report.kept["row"]) == (3, 2)


def test_required_labels(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError) as raised:
        read_notes(put(tmp_path, CSV), require_annotations=True)
    assert raised.value.code == "BL147" and "line 6" in str(raised.value)


def test_a_separator_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError) as raised:
        read(put(tmp_path, CSV), label_separator=" ")
    assert raised.value.code == "BL148"


def test_a_folder_has_no_other_files_read(tmp_path: Path) -> None:
    put(tmp_path, "text\n", "README.txt")
    with pytest.raises(BertLstmError) as raised:
        FORMATS["csv"].find(tmp_path)
    assert raised.value.code == "BL102" and ".txt" not in str(raised.value).partition(":")[2]
    (tmp_path / "a").mkdir()
    put(tmp_path / "a", "text,label\nOne.,x\n")
    put(tmp_path, "text,label\nTwo.,y\n")
    chosen, report = FORMATS["csv"], LossReport()
    documents = [d for unit in chosen.find(tmp_path) for d in chosen.read(unit, report)]
    assert [document.id for document in documents] == ["a/notes-1", "notes-1"]


ROWS = [
    {"text": "One.", "label": "a", "age": 61, "site": "A"},
    {"label": ["b", "a"], "text": "Two.\r\n", "vitals": {"pulse": [60, None]}},
    {"text": "Three \u00fc \U0001f600", "label": []},
    {"text": "Four.", "label": None, "seen": False},
    {"text": "Five."},
    {"text": "Six.", "label": 1},
    {"text": "Seven.", "label": [2, 1], "gone": None},
]


def test_json_lines_come_back(tmp_path: Path) -> None:
    documents, report = read(put_lines(tmp_path, *ROWS))
    assert not report.findings
    assert documents[0].choices == ("1", "2", "a", "b")
    assert [document.has_annotations for document in documents] == [1, 1, 1, 0, 0, 1, 1]
    assert documents[0].metadata["age"] == "61"
    assert json.loads(documents[1].metadata["vitals"]) == {"pulse": [60, None]}
    assert not write(documents, tmp_path / "out", "jsonl").findings
    written = (tmp_path / "out" / "notes.jsonl").read_text(encoding="utf-8").splitlines()
    assert [list(json.loads(line).items()) for line in written] == [
        list(row.items()) for row in ROWS
    ]


def test_ids_of_json_may_be_integers(tmp_path: Path) -> None:
    rows = [{"n": 4, "text": "One.", "label": "a"}, {"n": "5", "text": "Two.", "label": "a"}]
    documents, _ = read(put_lines(tmp_path, *rows), id_column="n")
    assert [document.id for document in documents] == ["4", "5"]
    write(documents, tmp_path / "out", "jsonl")
    written = (tmp_path / "out" / "notes.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in written] == rows


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "text",
        '{"text": "a", "text": "b"}',
        '{"text": "\\ud800"}',
        '{"text": "a", "x": NaN}',
        '{"text": "a", "x": 1e999}',
        '{"text": "a", "x": ' + "[" * 100_000 + "}",
        '{"text": "a", "x": ' + "9" * 5000 + "}",
        '{"text": 5}',
        '{"text": "a", "label": {"b": 1}}',
        '{"text": "a", "label": ["b", 1]}',
        '{"text": "a", "label": 0.5}',
        '{"text": "a", "format": "b"}',
        "{}",
    ],
    ids=lambda line: line[:30],
)
def test_a_line_that_cannot_be_kept_is_lost_with_its_number(tmp_path: Path, line: str) -> None:
    path = put(tmp_path, f'\n{line}\r\n{{"text": "Kept.", "label": "a"}}', "notes.jsonl")
    documents, report = read(path)
    assert [document.text for document in documents] == ["Kept."]
    assert [(finding.path, finding.line) for finding in report.lost] == [(str(path), 2)]


def test_json_lines_as_csv_and_back(tmp_path: Path) -> None:
    documents, _ = read(put_lines(tmp_path, ROWS[0], ROWS[1] | {"age": "9", "site": "B"}))
    report = write(documents, tmp_path / "out", "csv")
    assert len(report.lost) == 1 and "columns" in report.lost[0].reason
    again, _ = read(tmp_path / "out" / "notes.csv", label_separator=";")
    assert [document.text for document in again] == ["One.", "Two.\r\n"]
    assert [document.categories for document in again] == [("a",), ("b", "a")]
    assert [document.metadata["age"] for document in again] == ["61", "9"]
    assert not write(again, tmp_path / "back", "jsonl").findings
    (tmp_path / "out" / "notes.csv").unlink()


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (Document("1", "pain", choices=("a",)), "a choice of none"),
        (Document("1", "pain", categories=("a;b", "c"), choices=("a;b", "c")), "separator"),
        (Document("1", "pa\0in"), "NUL"),
        (Document("1", "pain", concepts=(Concept("T1", "problem", ((0, 4),)),)), "concept"),
    ],
)
def test_what_csv_cannot_hold_is_named(tmp_path: Path, document: Document, reason: str) -> None:
    report = write([document], tmp_path / "out", "csv")
    assert [reason in finding.reason for finding in report.lost] == [True]
    assert (tmp_path / "out" / "documents.csv").read_text().startswith("id,text,label\n1,")


@pytest.mark.parametrize("format", sorted({*FORMATS} - {"csv", "jsonl"}))
@pytest.mark.parametrize("annotated", [True, False])
def test_other_formats_name_the_categories_they_lose(
    tmp_path: Path, format: str, annotated: bool
) -> None:
    document = Document("1", "pain", annotated=annotated, categories=("a",), choices=("a", "b"))
    report = write([document], tmp_path / "out", format)
    assert [finding.reason.startswith("a category") for finding in report.lost] == [True]
    assert (report.read["category"], report.kept["category"]) == (1, 0)


def test_two_records_of_one_id_do_not_share_a_table(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError) as raised:
        write([Document("1", "a"), Document("1", "b")], tmp_path / "out", "jsonl")
    assert raised.value.code == "BL112"


def test_a_table_that_is_none(tmp_path: Path) -> None:
    (document, *_), _ = read_notes(put(tmp_path, CSV))
    document.metadata["table"] = '{"layout": {}, "rows": 5}'
    with pytest.raises(BertLstmError) as raised:
        write([document], tmp_path / "out", "csv")
    assert raised.value.code == "BL208"
