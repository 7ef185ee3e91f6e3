"""Label maps: what they make of a record, and how a bad map is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.i2b2 import format_record
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.mapping import LabelMap, read_map
from spacy_bertlstm.records import (
    Assertion,
    Concept,
    Document,
    Event,
    Normalization,
    Note,
    Relation,
)

MAPS = sorted((Path(__file__).parent.parent / "configs" / "maps").glob("*.toml"))

TEXT = "Aspirin helped . No cough , some fever , age 40 .\n"

MAP = """
schema = "i2b2-2010"
[concepts]
Sign = "problem"
Drug = "treatment"
[relations]
HELPS = "TrIP"
[assertions]
"POLARITY NEG" = "absent"
"SPECULATED" = "possible"
default.problem = "present"
"""


def concept(name: str, label: str, words: str) -> Concept:
    start = TEXT.index(words)
    return Concept(name, label, ((start, start + len(words)),), source=f"1.ann:{name[1:]}")


RECORD = Document(
    "1",
    TEXT,
    concepts=(
        concept("T1", "Drug", "Aspirin"),
        concept("T2", "Sign", "cough"),
        concept("T3", "Sign", "fever"),
        concept("T4", "Age", "age 40"),
    ),
    assertions=(
        Assertion("E2", "NEG", "POLARITY", "A1"),
        Assertion("T2", "NEG", "POLARITY", "A2"),
        Assertion("E4", "NEG", "POLARITY", "A3"),
        Assertion("T1", "", "SPECULATED", "A4"),
        Assertion("T3", "UP", "TREND", "A5"),
    ),
    relations=(
        Relation("HELPS", ("T1", "E2"), ("Arg1", "Arg2"), id="R1"),
        Relation("HELPS", ("T1", "T4"), ("Arg1", "Arg2"), id="R2"),
        Relation("HELPS", ("T1", "E9"), ("Arg1", "Arg2"), id="R3"),
        Relation("BEFORE", ("T1", "T3"), ("Arg1", "Arg2"), id="R4"),
    ),
    events=(Event("E2", "Sign", "T2", (("Cause", "T1"),)), Event("E4", "Age", "T4")),
)


def write_map(folder: Path, text: str = MAP) -> Path:
    path = folder / "map.toml"
    path.write_text(text, encoding="utf-8")
    return path


def mapped(folder: Path, record: Document = RECORD, text: str = MAP) -> tuple[Document, LossReport]:
    report = LossReport()
    return read_map(write_map(folder, text)).apply(record, report), report


def test_a_record_gets_the_labels_of_the_schema(tmp_path: Path) -> None:
    record, report = mapped(tmp_path)
    assert [(c.id, c.label, c.source) for c in record.concepts] == [
        ("T1", "treatment", "1.ann:1"),
        ("T2", "problem", "1.ann:2"),
        ("T3", "problem", "1.ann:3"),
    ]
    assert [(a.target, a.name, a.value) for a in record.assertions] == [
        ("T2", "assertion", "absent"),
        ("T3", "assertion", "present"),
    ]
    assert [(r.id, r.label, r.arguments) for r in record.relations] == [
        ("R1", "TrIP", ("T1", "T2"))
    ]
    assert record.events == ()
    assert (record.id, record.text, record.annotated) == ("1", TEXT, True)
    assert report.findings == []


def test_what_has_no_place_is_counted_by_kind_and_label(tmp_path: Path) -> None:
    _, report = mapped(tmp_path)
    assert report.unmapped == Counter(
        {
            ("concept", "Age"): 1,
            ("assertion", "TREND UP"): 1,
            ("assertion of what is unmapped", "POLARITY NEG"): 1,
            ("assertion of what has none", "SPECULATED"): 1,
            ("relation", "BEFORE"): 1,
            ("relation of what is unmapped", "HELPS"): 2,
            ("event argument", "Sign Cause"): 1,
        }
    )


def test_notes_and_normalizations_follow_what_they_are_about(tmp_path: Path) -> None:
    record = replace(
        RECORD,
        normalizations=(
            Normalization("T1", "RX:1191", "Aspirin", "Reference", "N1"),
            Normalization("T4", "X:1", "age 40", "Reference", "N2"),
        ),
        notes=(
            Note("sure?", "E2", "AnnotatorNotes", "#1"),
            Note("of a relation", "R1", "AnnotatorNotes", "#2"),
            Note("# on the record"),
        ),
    )
    record, report = mapped(tmp_path, record)
    assert [(tie.id, tie.target) for tie in record.normalizations] == [("N1", "T1")]
    assert [(note.id, note.target) for note in record.notes] == [("#1", "T2"), ("", "")]
    assert report.unmapped["normalization of what is unmapped", "Reference"] == 1
    assert report.unmapped["note of what is unmapped", "AnnotatorNotes"] == 1


def test_the_map_accounts_for_every_annotation(tmp_path: Path) -> None:
    record, report = mapped(tmp_path)
    dropped: Counter[str] = Counter()
    for (kind, _), number in report.unmapped.items():
        dropped[kind.split(" of ")[0]] += number
    assert len(record.concepts) + dropped["concept"] == len(RECORD.concepts)
    assert len(record.relations) + dropped["relation"] == len(RECORD.relations)
    # Two said the same of one concept, and one is there by default.
    assert len(record.assertions) - 1 + dropped["assertion"] + 1 == len(RECORD.assertions)


def test_i2b2_can_write_what_comes_out(tmp_path: Path) -> None:
    record, _ = mapped(tmp_path)
    report = LossReport()
    contents = format_record(record, report)
    assert report.findings == []
    assert contents[".ast"].count("\n") == 2
    assert contents[".rel"] == 'c="aspirin" 1:0 1:0||r="TrIP"||c="cough" 1:4 1:4\n'


def test_a_star_stands_for_all_other_labels(tmp_path: Path) -> None:
    record, report = mapped(tmp_path, text=MAP.replace("Drug =", '"*" ='))
    labels = {concept.id: concept.label for concept in record.concepts}
    assert labels == {"T1": "treatment", "T2": "problem", "T3": "problem", "T4": "treatment"}
    assert ("concept", "Age") not in report.unmapped


def test_relations_between_vocabulary_ids_keep_them(tmp_path: Path) -> None:
    tie = Relation("HELPS", ("D001", "D002"), level="concept")
    record, _ = mapped(tmp_path, Document("1", TEXT, relations=(tie,)))
    assert record.relations == (Relation("TrIP", ("D001", "D002"), level="concept"),)


def test_a_record_that_nobody_annotated_gets_no_defaults(tmp_path: Path) -> None:
    bare = Document("1", TEXT, (concept("T1", "Sign", "cough"),), annotated=False)
    assert mapped(tmp_path, bare)[0].assertions == ()


def test_what_stands_in_a_labels_place_is_not_quoted(tmp_path: Path) -> None:
    odd = Document("1", TEXT, (Concept("T1", "some cough at night", ((0, 3),)),))
    assert mapped(tmp_path, odd)[1].unmapped == {("concept", "of 19 characters"): 1}


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.name)
def test_a_shipped_map_can_be_read(path: Path) -> None:
    assert isinstance(read_map(path), LabelMap)


def test_there_is_a_shipped_map() -> None:
    assert MAPS


REFUSED = {
    "not TOML": (MAP + "\nSign = problem", "BL116", ["line 13"]),
    "a label twice": (MAP.replace("Drug", "Sign"), "BL116", ["line 5"]),
    "nested beyond measure": ("a = " + "[" * 100_000, "BL116", []),
    "no schema": (MAP.replace("schema", "scheme"), "BL117", ["schema"]),
    "unknown schema": (MAP.replace("i2b2-2010", "i2b2-1999"), "BL114", ["i2b2-1999", "n2c2-2018"]),
    "unknown table": (MAP.replace("[relations]", "[relation]"), "BL117", ["[relation]"]),
    "unknown key": ('other = "x"\n' + MAP, "BL117", ["[other]"]),
    "no table": ('schema = "i2b2-2010"\nconcepts = "x"', "BL117", ["[concepts]"]),
    "no table of defaults": (
        MAP.replace('default.problem = "present"', 'default = "present"'),
        "BL117",
        ["[assertions.default]"],
    ),
    "no label": (MAP.replace('"treatment"', "7"), "BL117", ["[concepts] Drug"]),
    "a type it lacks": (MAP.replace('"treatment"', '"drug"'), "BL118", ["Drug", "'drug'", "test"]),
    "a relation it lacks": (MAP.replace("TrIP", "TrUP"), "BL118", ["HELPS", "'TrUP'", "TeCP"]),
    "a value it lacks": (MAP.replace('"absent"', '"no"'), "BL118", ["POLARITY NEG", "'no'"]),
    "a default it lacks": (MAP.replace('"present"', '"yes"'), "BL118", ["problem", "'yes'"]),
    "a default of what has none": (MAP.replace(".problem", ".test"), "BL118", ["'test'"]),
    "a schema without values": (
        'schema = "n2c2-2018"\n[assertions]\nx = "present"',
        "BL118",
        ["none"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_map_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    text, code, places = REFUSED[name]
    path = write_map(tmp_path, text)
    with pytest.raises(BertLstmError) as raised:
        read_map(path)
    assert raised.value.code == code
    for place in [*places, *([] if code == "BL114" else [str(path)])]:
        assert place in str(raised.value)


def test_a_map_that_is_missing_or_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError, match="BL108"):
        read_map(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'schema = "\xe9"')
    with pytest.raises(BertLstmError, match="BL103"):
        read_map(tmp_path / "latin.toml")
