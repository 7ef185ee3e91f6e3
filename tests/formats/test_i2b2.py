"""The i2b2/VA 2010 reader and writer: every oddity of real files, every layout of folders."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.i2b2 import (
    RecordFiles,
    TokenTable,
    find_records,
    format_record,
    read_i2b2,
    read_record,
    write_i2b2,
)
from spacy_bertlstm.losses import Account, LossReport
from spacy_bertlstm.records import (
    Assertion,
    Concept,
    Document,
    Event,
    Fragments,
    Normalization,
    Note,
    Relation,
)

TRAINING = "concept_assertion_relation_training_data"
GOLD = "reference_standard_for_test_data"


# --- Helpers, with a line parser of their own -------------------------------------------

_EXTENT = r'c="(.*)"\s+(\d[\d:,\s]*)'
_FORMS = {
    ".con": re.compile(rf'{_EXTENT}\|\|(t="[^"]*")'),
    ".ast": re.compile(rf'{_EXTENT}\|\|(t="[^"]*"\|\|a="[^"]*")'),
    ".rel": re.compile(rf'{_EXTENT}\|\|(r="[^"]*")\|\|{_EXTENT}'),
}


def normalized(content: str, suffix: str) -> Counter[tuple[object, ...]]:
    """The lines of an annotation file but for order, duplicates, case and spacing."""
    lines = [line.strip() for line in content.removeprefix("\ufeff").split("\n")]
    keys = {_key(line, suffix) for line in lines if line}
    return Counter(keys)


def _key(line: str, suffix: str) -> tuple[object, ...]:
    match = _FORMS[suffix].fullmatch(line)
    assert match is not None, f"not an annotation line: {line!r}"
    quoted1, ranges1, label, *second = match.groups()
    key: tuple[object, ...] = (_folded(quoted1), _numbers(ranges1), label)
    return (*key, _folded(second[0]), _numbers(second[1])) if second else key


def _folded(quoted: str) -> tuple[str, ...]:
    return tuple(quoted.casefold().split())


def _numbers(ranges: str) -> tuple[tuple[int, ...], ...]:
    digits = "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in ranges)
    return tuple(tuple(map(int, re.findall(r"\d+", part))) for part in digits.split(","))


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read_one(folder: Path, **files: str | bytes) -> tuple[Document, LossReport]:
    """Read the record "note" whose files are given by their suffix without its period."""
    write_files(folder, {f"note.{suffix}": content for suffix, content in files.items()})
    report = LossReport()
    (record,) = read_i2b2(folder, report)
    return record, report


def covered(record: Document) -> list[tuple[str, str]]:
    return [(record.covered_text(concept), concept.label) for concept in record.concepts]


def reasons(report: LossReport) -> list[tuple[str, int, bool]]:
    return [(finding.reason, finding.line, finding.lost) for finding in report.findings]


def assert_written_back(record: Document, **files: str) -> dict[str, str]:
    """Assert that the files which the record gives are those it was read from."""
    report = LossReport()
    contents = format_record(record, report)
    assert report.findings == []
    assert report.read == report.kept
    assert contents.pop(".txt") == files.pop("txt").removeprefix("\ufeff")
    for suffix, content in files.items():
        assert normalized(contents.pop(f".{suffix}"), f".{suffix}") == normalized(
            content, f".{suffix}"
        )
    assert not any(contents.values()), "lines that the source had not"
    return contents


# --- Oddities that cost nothing: read, checked, written back ----------------------------

NOTE = "He has chest pain .\nAspirin was given .\n"
PAIN = 'c="chest pain" 1:2 1:3||t="problem"\n'
ASPIRIN = 'c="aspirin" 2:0 2:0||t="treatment"\n'
PAIN_PRESENT = 'c="chest pain" 1:2 1:3||t="problem"||a="present"\n'
ASPIRIN_FOR_PAIN = 'c="aspirin" 2:0 2:0||r="TrAP"||c="chest pain" 1:2 1:3\n'
BOTH = [("chest pain", "problem"), ("Aspirin", "treatment")]

# name: (files, covered text and label of every concept)
ODDITIES: dict[str, tuple[dict[str, str], list[tuple[str, str]]]] = {
    "plain": (
        {"txt": NOTE, "con": PAIN + ASPIRIN, "ast": PAIN_PRESENT, "rel": ASPIRIN_FOR_PAIN},
        BOTH,
    ),
    "crlf everywhere": (
        {
            "txt": NOTE.replace("\n", "\r\n"),
            "con": (PAIN + ASPIRIN).replace("\n", "\r\n"),
            "ast": PAIN_PRESENT.replace("\n", "\r\n"),
            "rel": ASPIRIN_FOR_PAIN.replace("\n", "\r\n"),
        },
        BOTH,
    ),
    "crlf in the text only": ({"txt": NOTE.replace("\n", "\r\n"), "con": PAIN + ASPIRIN}, BOTH),
    "crlf on some lines": ({"txt": NOTE.replace("\n", "\r\n", 1), "con": PAIN + ASPIRIN}, BOTH),
    "crlf, concept at the end of its line": (
        {"txt": "He has chest pain\r\nnow\r\n", "con": PAIN},
        [("chest pain", "problem")],
    ),
    "bom in every file": (
        {"txt": "\ufeff" + NOTE, "con": "\ufeff" + PAIN + ASPIRIN, "ast": "\ufeff" + PAIN_PRESENT},
        BOTH,
    ),
    "bom and a concept on the first token": (
        {"txt": "\ufeffFever today\n", "con": '\ufeffc="fever" 1:0 1:0||t="problem"\n'},
        [("Fever", "problem")],
    ),
    "no line break at the end": ({"txt": NOTE.rstrip(), "con": (PAIN + ASPIRIN).rstrip()}, BOTH),
    "double spaces inside a concept": (
        {"txt": "He has chest   pain .\n", "con": PAIN},
        [("chest   pain", "problem")],
    ),
    "double spaces before a concept": (
        {"txt": "He  has   chest pain .\n", "con": PAIN},
        [("chest pain", "problem")],
    ),
    "double spaces in the quoted text": (
        {"txt": NOTE, "con": 'c=" chest   pain " 1:2 1:3||t="problem"\n'},
        [("chest pain", "problem")],
    ),
    "leading space": (
        {"txt": " Fever today\n", "con": 'c="fever" 1:1 1:1||t="problem"\n'},
        [("Fever", "problem")],
    ),
    "leading spaces": (
        {"txt": "   Fever today\n", "con": 'c="fever" 1:1 1:1||t="problem"\n'},
        [("Fever", "problem")],
    ),
    "leading space on a later line": (
        {"txt": NOTE + " Fever today\n", "con": 'c="fever" 3:1 3:1||t="problem"\n'},
        [("Fever", "problem")],
    ),
    "concept from the empty token 0": (
        {"txt": " Fever today\n", "con": 'c="fever" 1:0 1:1||t="problem"\n'},
        [(" Fever", "problem")],
    ),
    "trailing spaces": (
        {"txt": "Now chest pain  \nAspirin \n", "con": PAIN.replace("1:2 1:3", "1:1 1:2")},
        [("chest pain", "problem")],
    ),
    "concept to the empty token at the line's end": (
        {"txt": "Now chest pain  \n", "con": PAIN.replace("1:2 1:3", "1:1 1:3")},
        [("chest pain  ", "problem")],
    ),
    "lower-cased quoted text": (
        {"txt": "ACUTE Renal FAILURE .\n", "con": 'c="acute renal failure" 1:0 1:2||t="problem"'},
        [("ACUTE Renal FAILURE", "problem")],
    ),
    "quoted text in the case of the note": (
        {"txt": "ACUTE Renal FAILURE .\n", "con": 'c="ACUTE Renal FAILURE" 1:0 1:2||t="problem"'},
        [("ACUTE Renal FAILURE", "problem")],
    ),
    "case folding that changes the length": (
        {"txt": "Straße und İnfarkt .\n", "con": 'c="STRASSE und İnfarkt" 1:0 1:2||t="problem"'},
        [("Straße und İnfarkt", "problem")],
    ),
    "quotes inside": (
        {"txt": 'The "heavy" head .\n', "con": 'c="the "heavy" head" 1:0 1:2||t="problem"\n'},
        [('The "heavy" head', "problem")],
    ),
    "one quote alone": (
        {"txt": 'A 5" lesion .\n', "con": 'c="a 5" lesion" 1:0 1:2||t="problem"\n'},
        [('A 5" lesion', "problem")],
    ),
    "pipes inside": (
        {"txt": "On x||y now .\n", "con": 'c="on x||y" 1:0 1:1||t="test"\n'},
        [("On x||y", "test")],
    ),
    "an annotation's form inside": (
        {
            "txt": 'See 1" 1:0 1:0||t="test" here .\n',
            "con": 'c="1" 1:0 1:0||t="test"" 1:1 1:3||t="problem"\n',
        },
        [('1" 1:0 1:0||t="test"', "problem")],
    ),
    "quotes and pipes inside both ends of a relation": (
        {
            "txt": 'The a||b "x" helps "y||r" .\n',
            "con": 'c="a||b "x"" 1:1 1:2||t="treatment"\nc=""y||r"" 1:4 1:4||t="problem"\n',
            "ast": 'c=""y||r"" 1:4 1:4||t="problem"||a="possible"\n',
            "rel": 'c="a||b "x"" 1:1 1:2||r="TrIP"||c=""y||r"" 1:4 1:4\n',
        },
        [('a||b "x"', "treatment"), ('"y||r"', "problem")],
    ),
    "unsorted lines": ({"txt": NOTE, "con": ASPIRIN + PAIN}, BOTH[::-1]),
    "concept over two lines": (
        {"txt": NOTE, "con": 'c="pain . aspirin" 1:3 2:0||t="problem"\n'},
        [("pain .\nAspirin", "problem")],
    ),
    "concept over two lines with crlf": (
        {"txt": NOTE.replace("\n", "\r\n"), "con": 'c="pain . aspirin" 1:3 2:0||t="problem"\n'},
        [("pain .\r\nAspirin", "problem")],
    ),
    "empty .rel": ({"txt": NOTE, "con": PAIN + ASPIRIN, "rel": ""}, BOTH),
    "empty .ast and .rel": ({"txt": NOTE, "con": PAIN + ASPIRIN, "ast": "", "rel": "\n"}, BOTH),
    "empty .con": ({"txt": NOTE, "con": ""}, []),
    "empty text": ({"txt": "", "con": ""}, []),
    "several relations on a pair": (
        {
            "txt": NOTE,
            "con": PAIN + ASPIRIN,
            "rel": ASPIRIN_FOR_PAIN + ASPIRIN_FOR_PAIN.replace("TrAP", "TrCP"),
        },
        BOTH,
    ),
    "discontinuous": (
        {"txt": "Left and right leg pain .\n", "con": 'c="left pain" 1:0 1:0,1:4 1:4||t="problem"'},
        [("Left pain", "problem")],
    ),
    "discontinuous, over lines, spaces around the comma": (
        {"txt": NOTE, "con": 'c="chest aspirin was" 1:2 1:2 , 2:0 2:1||t="problem"\n'},
        [("chest Aspirin was", "problem")],
    ),
    "discontinuous end of a relation": (
        {
            "txt": NOTE,
            "con": 'c="chest ." 1:2 1:2,1:4 1:4||t="problem"\n' + ASPIRIN,
            "ast": 'c="chest ." 1:2 1:2,1:4 1:4||t="problem"||a="absent"\n',
            "rel": 'c="aspirin" 2:0 2:0||r="TrAP"||c="chest ." 1:2 1:2,1:4 1:4\n',
        },
        [("chest .", "problem"), ("Aspirin", "treatment")],
    ),
    "blank lines": ({"txt": NOTE, "con": f"\n{PAIN}\n  \n\t\n{ASPIRIN}\n\n"}, BOTH),
    "blank lines in the text": (
        {"txt": "\n\n" + NOTE, "con": PAIN.replace("1:", "3:")},
        [("chest pain", "problem")],
    ),
    "two spaces between offsets": ({"txt": NOTE, "con": PAIN.replace("1:2 ", "1:2  ")}, BOTH[:1]),
    "tab between offsets": ({"txt": NOTE, "con": PAIN.replace("1:2 ", "1:2\t")}, BOTH[:1]),
    "space around the line": ({"txt": NOTE, "con": f"  {PAIN.strip()} \t\n"}, BOTH[:1]),
    "leading zeros": ({"txt": NOTE, "con": PAIN.replace("1:2", "01:002")}, BOTH[:1]),
    "two types on one extent": (
        {
            "txt": NOTE,
            "con": PAIN + PAIN.replace("problem", "test"),
            "ast": PAIN_PRESENT,
        },
        [("chest pain", "problem"), ("chest pain", "test")],
    ),
    "two types on one extent, related": (
        {
            "txt": NOTE,
            "con": PAIN.replace("problem", "test") + PAIN + ASPIRIN,
            "rel": ASPIRIN_FOR_PAIN + 'c="chest pain" 1:2 1:3||r="TeRP"||c="chest pain" 1:2 1:3',
        },
        [("chest pain", "test"), ("chest pain", "problem"), ("Aspirin", "treatment")],
    ),
    "overlapping concepts": (
        {"txt": NOTE, "con": PAIN + 'c="pain" 1:3 1:3||t="problem"\n'},
        [("chest pain", "problem"), ("pain", "problem")],
    ),
    "tab inside a token": (
        {"txt": "A b\tc fever\n", "con": 'c="b\tc fever" 1:1 1:2||t="problem"\n'},
        [("b\tc fever", "problem")],
    ),
    "nul inside a token": (
        {"txt": "A b\0c fever\n", "con": 'c="b\0c fever" 1:1 1:2||t="problem"\n'},
        [("b\0c fever", "problem")],
    ),
    "beyond the basic plane": (
        {"txt": "😀 Fever ünd 𝒙 pain\n", "con": 'c="𝒙 pain" 1:3 1:4||t="problem"\n'},
        [("𝒙 pain", "problem")],
    ),
}

# What Python's str.splitlines breaks a line at, but an i2b2 line goes on.
SEPARATORS = ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
for _mark in SEPARATORS:
    ODDITIES[f"line separator {_mark!a} as a token"] = (
        {"txt": f"A {_mark} chest pain .\nAspirin\n", "con": PAIN + ASPIRIN},
        BOTH,
    )
    ODDITIES[f"line separator {_mark!a} inside a concept"] = (
        {"txt": f"A chest{_mark}pain .\n", "con": f'c="chest{_mark}pain" 1:1 1:1||t="problem"\n'},
        [(f"chest{_mark}pain", "problem")],
    )
ODDITIES["carriage return inside a line"] = (
    {"txt": "A chest\rpain .\nAspirin\n", "con": 'c="chest\rpain" 1:1 1:1||t="problem"\n'},
    [("chest\rpain", "problem")],
)
ODDITIES["no-break space is no separator"] = (
    {"txt": "A chest\u00a0pain .\n", "con": 'c="chest\u00a0pain" 1:1 1:1||t="problem"\n'},
    [("chest\u00a0pain", "problem")],
)


@pytest.mark.parametrize("name", ODDITIES)
def test_oddity_is_read_and_written_back_without_a_word(name: str, tmp_path: Path) -> None:
    files, expected = ODDITIES[name]
    record, report = read_one(tmp_path, **files)
    assert report.findings == []
    assert report.read == report.kept
    assert record.id == "note"
    assert record.annotated
    assert record.text == files["txt"].removeprefix("\ufeff")
    assert covered(record) == expected
    assert [concept.id for concept in record.concepts] == [
        f"T{number}" for number in range(1, len(expected) + 1)
    ]
    assert all(concept.quoted is None for concept in record.concepts)
    assert_written_back(record, **files)


@pytest.mark.parametrize("name", ODDITIES)
def test_what_was_written_reads_as_the_same_record(name: str, tmp_path: Path) -> None:
    first, _ = read_one(tmp_path / "first", **ODDITIES[name][0])
    report = LossReport()
    (tmp_path / "second").mkdir()
    assert write_i2b2([first], tmp_path / "second", report) == 1
    (second,) = read_i2b2(tmp_path / "second", report)
    assert report.findings == []
    assert second == first or without_sources(second) == without_sources(first)


def without_sources(record: Document) -> tuple[object, ...]:
    return (
        record.id,
        record.text,
        record.annotated,
        record.metadata,
        [(concept.id, concept.label, concept.fragments) for concept in record.concepts],
        [(assertion.target, assertion.value) for assertion in record.assertions],
        [(relation.label, relation.arguments) for relation in record.relations],
    )


def test_the_plain_record_in_full(tmp_path: Path) -> None:
    record, report = read_one(tmp_path, **ODDITIES["plain"][0])
    assert record == Document(
        id="note",
        text=NOTE,
        concepts=(
            Concept("T1", "problem", ((7, 17),), source="note.con:1"),
            Concept("T2", "treatment", ((20, 27),), source="note.con:2"),
        ),
        assertions=(Assertion("T1", "present", source="note.ast:1"),),
        relations=(Relation("TrAP", ("T2", "T1"), source="note.rel:1"),),
        metadata={"format": "i2b2", "files": ".ast .con .rel"},
    )
    assert report.read == {"concept": 2, "assertion": 1, "relation": 1}
    assert format_record(record, LossReport()) == {
        ".txt": NOTE,
        ".con": PAIN + ASPIRIN,
        ".ast": PAIN_PRESENT,
        ".rel": ASPIRIN_FOR_PAIN,
    }


def test_the_bom_is_no_part_of_the_text(tmp_path: Path) -> None:
    record, _ = read_one(tmp_path, txt="\ufeff" + NOTE, con=PAIN)
    assert record.text == NOTE


def test_fragments_keep_the_order_of_the_source(tmp_path: Path) -> None:
    con = 'c="aspirin chest" 2:0 2:0,1:2 1:2||t="problem"\n'
    record, _ = read_one(tmp_path, txt=NOTE, con=con)
    (concept,) = record.concepts
    assert concept.fragments == ((20, 27), (7, 12))
    assert (concept.start, concept.end) == (7, 27)
    assert_written_back(record, txt=NOTE, con=con)


@pytest.mark.parametrize("present", [{"con"}, {"con", "ast"}, {"con", "rel"}])
def test_a_missing_annotation_file_is_not_made_up(present: set[str], tmp_path: Path) -> None:
    files = {suffix: "" for suffix in present}
    record, _ = read_one(tmp_path, txt=NOTE, **files)
    contents = format_record(record, LossReport())
    assert set(contents) == {".txt", *(f".{suffix}" for suffix in present)}


@pytest.mark.parametrize("present", [{"ast"}, {"rel"}, {"ast", "rel"}])
def test_a_record_without_con_file_does_not_get_one(present: set[str], tmp_path: Path) -> None:
    contents = {"ast": PAIN_PRESENT, "rel": ASPIRIN_FOR_PAIN}
    files = {suffix: contents[suffix] for suffix in present}
    record, report = read_one(tmp_path, txt=NOTE, **files)
    assert report.lost == []
    written = format_record(record, LossReport())
    for suffix in present:
        assert normalized(written[f".{suffix}"], f".{suffix}") == normalized(
            files[suffix], f".{suffix}"
        )
    assert not written.get(".con")


def test_a_text_alone_is_not_annotated(tmp_path: Path) -> None:
    record, report = read_one(tmp_path, txt=NOTE)
    assert not record.annotated
    assert format_record(record, report) == {".txt": NOTE}
    assert report.read.total() == 0


# --- Oddities worth a word: kept and noted ----------------------------------------------


def test_duplicates_are_kept_once_and_noted(tmp_path: Path) -> None:
    files = {
        "txt": NOTE,
        "con": PAIN + ASPIRIN + PAIN.upper().replace("C=", "c=").replace('T="PROBLEM', 't="problem')
        + ASPIRIN,
        "ast": PAIN_PRESENT * 2,
        "rel": ASPIRIN_FOR_PAIN * 3,
    }  # fmt: skip
    record, report = read_one(tmp_path, **files)
    assert reasons(report) == [
        ("repeats an earlier line; kept once", line, False) for line in (3, 4, 2, 2, 3)
    ]
    assert covered(record) == BOTH
    assert len(record.assertions) == len(record.relations) == 1
    assert_written_back(record, **files)


def test_two_values_on_one_concept_are_both_kept(tmp_path: Path) -> None:
    files = {
        "txt": NOTE,
        "con": PAIN,
        "ast": PAIN_PRESENT + PAIN_PRESENT.replace("present", "absent"),
    }
    record, report = read_one(tmp_path, **files)
    assert reasons(report) == [("a second value for one concept; both kept", 2, False)]
    assert [(a.target, a.value) for a in record.assertions] == [("T1", "present"), ("T1", "absent")]
    assert_written_back(record, **files)


def test_the_two_types_of_an_extent_have_a_value_each(tmp_path: Path) -> None:
    files = {
        "txt": NOTE,
        "con": PAIN + PAIN.replace("problem", "test"),
        "ast": PAIN_PRESENT + PAIN_PRESENT.replace("problem", "test").replace("present", "absent"),
    }
    record, report = read_one(tmp_path, **files)
    assert report.findings == []
    assert [(a.target, a.value) for a in record.assertions] == [("T1", "present"), ("T2", "absent")]
    assert_written_back(record, **files)


def test_a_treatment_treatment_pair_is_kept_and_noted(tmp_path: Path) -> None:
    files = {
        "txt": "Aspirin and heparin .\n",
        "con": 'c="aspirin" 1:0 1:0||t="treatment"\nc="heparin" 1:2 1:2||t="treatment"\n',
        "rel": 'c="aspirin" 1:0 1:0||r="TrAP"||c="heparin" 1:2 1:2\n',
    }
    record, report = read_one(tmp_path, **files)
    ((reason, line, lost),) = reasons(report)
    assert (line, lost) == (1, False)
    assert "not a treatment here" in reason
    assert record.relations[0].arguments == ("T1", "T2")
    assert_written_back(record, **files)


def test_swapped_arguments_stay_swapped(tmp_path: Path) -> None:
    swapped = 'c="chest pain" 1:2 1:3||r="TrAP"||c="aspirin" 2:0 2:0\n'
    files = {"txt": NOTE, "con": PAIN + ASPIRIN, "rel": ASPIRIN_FOR_PAIN + swapped}
    record, report = read_one(tmp_path, **files)
    assert [relation.arguments for relation in record.relations] == [("T2", "T1"), ("T1", "T2")]
    assert not report.lost
    assert {finding.line for finding in report.findings} == {2}
    assert_written_back(record, **files)


@pytest.mark.parametrize("suffix", ["ast", "rel"])
def test_a_concept_that_the_con_file_lacks_is_kept_and_noted(suffix: str, tmp_path: Path) -> None:
    lines = {
        "ast": 'c="aspirin" 2:0 2:0||t="treatment"||a="present"\n',
        "rel": ASPIRIN_FOR_PAIN,
    }
    files = {"txt": NOTE, "con": PAIN, suffix: lines[suffix]}
    record, report = read_one(tmp_path, **files)
    assert reasons(report) == [("names a concept that the .con file lacks; kept", 1, False)]
    assert record.concepts[1].source == f"note.{suffix}:1"
    assert record.covered_text(record.concepts[1]) == "Aspirin"
    assert record.concepts[1].label == ("treatment" if suffix == "ast" else "")
    assert_written_back(record, **files)


def test_an_assertion_of_another_type_than_the_con_files(tmp_path: Path) -> None:
    files = {"txt": NOTE, "con": PAIN, "ast": PAIN_PRESENT.replace("problem", "treatment")}
    record, report = read_one(tmp_path, **files)
    assert reasons(report) == [("names a concept that the .con file lacks; kept", 1, False)]
    assert covered(record) == [("chest pain", "problem"), ("chest pain", "treatment")]
    assert_written_back(record, **files)


@pytest.mark.parametrize("quoted", ["chest ache", "chestpain"])
def test_quoted_text_that_differs_is_kept_and_noted(quoted: str, tmp_path: Path) -> None:
    files = {"txt": NOTE, "con": PAIN.replace("chest pain", quoted)}
    record, report = read_one(tmp_path, **files)
    ((reason, line, lost),) = reasons(report)
    assert "quoted text" in reason
    assert (line, lost) == (1, False)
    assert record.concepts[0].quoted == quoted
    assert_written_back(record, **files)


@pytest.mark.parametrize("quoted", ["", " "])
def test_empty_quoted_text_is_noted(quoted: str, tmp_path: Path) -> None:
    _, report = read_one(tmp_path, txt=NOTE, con=PAIN.replace("chest pain", quoted))
    assert [finding.line for finding in report.findings] == [1]


@pytest.mark.parametrize(
    "suffix, line",
    [
        ("ast", 'c="chest ache" 1:2 1:3||t="problem"||a="present"\n'),
        ("rel", 'c="aspirin" 2:0 2:0||r="TrAP"||c="chest ache" 1:2 1:3\n'),
        ("rel", 'c="tylenol" 2:0 2:0||r="TrAP"||c="chest pain" 1:2 1:3\n'),
    ],
)
def test_quoted_text_that_differs_is_noted_outside_the_con_file(
    suffix: str, line: str, tmp_path: Path
) -> None:
    files = {"txt": NOTE, "con": PAIN + ASPIRIN, suffix: line}
    _, report = read_one(tmp_path, **files)
    assert [(Path(finding.path).name, finding.line) for finding in report.findings] == [
        (f"note.{suffix}", 1)
    ]


# --- Lines that cannot be kept: lost, and said so ---------------------------------------

FAR = "9" * 5000

LOSSES = {
    "line past the text": ("con", 'c="x" 9:0 9:0||t="problem"', "past the text's 3 lines"),
    "line 0": ("con", 'c="x" 0:0 0:0||t="problem"', "past the text's 3 lines"),
    "token past the line": ("con", 'c="x" 1:5 1:5||t="problem"', "past the line's 5 tokens"),
    "end past the line": ("con", 'c="x" 1:2 1:99||t="problem"', "past the line's 5 tokens"),
    "end before start": ("con", 'c="x" 1:3 1:2||t="problem"', "ends before it starts"),
    "end on an earlier line": ("con", 'c="x" 2:0 1:2||t="problem"', "ends before it starts"),
    "last, empty line": ("con", 'c="" 3:0 3:0||t="problem"', "covers no text"),
    "unknown type": ("con", 'c="x" 1:2 1:3||t="drug"', "unknown type 'drug'"),
    "type in another case": ("con", 'c="x" 1:2 1:3||t="Problem"', "unknown type 'Problem'"),
    "empty type": ("con", 'c="x" 1:2 1:3||t=""', "unknown type ''"),
    "no type": ("con", 'c="x" 1:2 1:3', "not of the form"),
    "no offsets": ("con", 'c="x"||t="problem"', "not of the form"),
    "one offset": ("con", 'c="x" 1:2||t="problem"', "not of the form"),
    "negative offset": ("con", 'c="x" 1:-2 1:3||t="problem"', "not of the form"),
    "trailing comma": ("con", 'c="x" 1:2 1:3,||t="problem"', "not of the form"),
    "something behind": ("con", 'c="x" 1:2 1:3||t="problem"||', "not of the form"),
    "an assertion in the .con file": ("con", PAIN_PRESENT.strip(), "not of the form"),
    "not an annotation": ("con", "# comment", "not of the form"),
    "a second fragment past the text": ("con", 'c="x" 1:2 1:2,9:0 9:0||t="problem"', "past the"),
    "a number of 5,000 digits": ("con", f'c="x" {FAR}:0 1:0||t="problem"', ""),
    "unknown value": ("ast", PAIN_PRESENT.strip().replace("present", "maybe"), "unknown value"),
    "unknown type of an assertion": (
        "ast",
        PAIN_PRESENT.strip().replace("problem", "drug"),
        "unknown type 'drug'",
    ),
    "a concept in the .ast file": ("ast", PAIN.strip(), "not of the form"),
    "assertion past the line": ("ast", PAIN_PRESENT.strip().replace("1:3", "1:7"), "1:7 is past"),
    "unknown relation": ("rel", ASPIRIN_FOR_PAIN.strip().replace("TrAP", "TrXP"), "unknown type"),
    "relation past the line": (
        "rel",
        ASPIRIN_FOR_PAIN.strip().replace("2:0 2:0", "2:0 2:9"),
        "2:9 is past",
    ),
    "relation with one end": ("rel", 'c="aspirin" 2:0 2:0||r="TrAP"', "not of the form"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_line_that_cannot_be_kept_is_reported_lost(name: str, tmp_path: Path) -> None:
    suffix, line, reason = LOSSES[name]
    files = {"txt": NOTE, "con": PAIN, "ast": "", "rel": ""}
    files[suffix] = f"{files[suffix]}\n{line}\n"
    number = files[suffix][: files[suffix].index(line)].count("\n") + 1
    record, report = read_one(tmp_path, **files)
    (loss,) = report.lost
    assert loss.path == str(tmp_path / f"note.{suffix}")
    assert loss.line == number
    assert reason in loss.reason
    assert '"x"' not in loss.reason and "chest" not in loss.reason
    assert report.read.total() == 2 and report.kept.total() == 1
    assert covered(record) == [("chest pain", "problem")]
    account = Account()
    account.add(report)
    with pytest.raises(BertLstmError) as raised:
        account.require_no_loss()
    assert raised.value.code == "BL106"
    assert raised.value.values["place"] == f"{tmp_path}/note.{suffix}, line {number}"


def test_an_empty_token_alone_is_lost(tmp_path: Path) -> None:
    _, report = read_one(tmp_path, txt=" Fever\n", con='c="" 1:0 1:0||t="problem"\n')
    ((reason, line, lost),) = reasons(report)
    assert reason == "1:0 1:0 covers no text"
    assert (line, lost) == (1, True)


def test_two_annotations_run_into_one_line_are_lost(tmp_path: Path) -> None:
    # As in a file with the line ends of old Macs: one of the two would be taken for the
    # quoted text of the other.
    con = PAIN.strip() + "\r" + ASPIRIN.strip()
    record, report = read_one(tmp_path, txt=NOTE, con=con)
    assert report.lost or covered(record) == BOTH


# --- Files that cannot be read ----------------------------------------------------------


@pytest.mark.parametrize("suffix", ["txt", "con", "ast", "rel"])
@pytest.mark.parametrize(
    "data, line, offset",
    [
        (b"caf\xe9 au lait\n", 1, 3),
        (b"a\r\nb\r\n\xff", 3, 6),
        ("fever".encode("utf-16"), 1, 0),
        (b"ok \xed\xa0\x80", 1, 3),
    ],
)
def test_bytes_that_are_not_utf8(
    suffix: str, data: bytes, line: int, offset: int, tmp_path: Path
) -> None:
    files: dict[str, str | bytes] = {"txt": NOTE, "con": PAIN, "ast": "", "rel": ""}
    files[suffix] = data
    with pytest.raises(BertLstmError) as raised:
        read_one(tmp_path, **files)
    assert raised.value.code == "BL103"
    assert raised.value.values == {
        "path": tmp_path / f"note.{suffix}",
        "line": line,
        "offset": offset,
    }


@pytest.mark.parametrize("suffix", ["con", "ast", "rel"])
def test_what_stands_in_a_labels_place_is_not_quoted(suffix: str, tmp_path: Path) -> None:
    """A line whose text and label changed places must not carry the text into a report."""
    swapped = {
        "con": 'c="problem" 1:2 1:3||t="Mr. Zanzibar, born 1950"',
        "ast": 'c="chest pain" 1:2 1:3||t="problem"||a="Mr. Zanzibar, born 1950"',
        "rel": 'c="a" 2:0 2:0||r="Mr. Zanzibar, born 1950"||c="chest pain" 1:2 1:3',
    }
    _, report = read_one(tmp_path, txt=NOTE, **{"con": PAIN, suffix: swapped[suffix]})
    (loss,) = report.lost
    assert "of 23 characters" in loss.reason
    assert "Zanzibar" not in str(report)


def test_a_file_that_vanished(tmp_path: Path) -> None:
    files = RecordFiles("note", tmp_path / "note.txt", {}, tmp_path)
    with pytest.raises(BertLstmError) as raised:
        read_record(files, LossReport())
    assert raised.value.code == "BL108"


# --- The layouts ------------------------------------------------------------------------


def licensed_layout(root: Path) -> Path:
    files: dict[str, str | bytes] = {}
    for part in ("beth", "partners"):
        folder = f"{TRAINING}/{part}"
        for kind, suffix, content in (
            ("txt", "txt", NOTE),
            ("concept", "con", PAIN + ASPIRIN),
            ("ast", "ast", PAIN_PRESENT),
            ("rel", "rel", ASPIRIN_FOR_PAIN),
        ):
            files[f"{folder}/{kind}/record-{part}.{suffix}"] = content
            files[f"{folder}/{kind}/record-7.{suffix}"] = content
    for kind, suffix, content in (
        ("concepts", "con", PAIN),
        ("ast", "ast", PAIN_PRESENT),
        ("rel", "rel", ""),
    ):
        files[f"{GOLD}/{kind}/0001.{suffix}"] = content
    files["test_data/0001.txt"] = NOTE
    return write_files(root, files)


# root: the ids found there, and whether they are annotated
LAYOUTS = {
    ".": (
        ["beth/record-7", "record-beth", "partners/record-7", "record-partners", "0001"],
        True,
    ),
    TRAINING: (["beth/record-7", "record-beth", "partners/record-7", "record-partners"], True),
    f"{TRAINING}/beth": (["record-7", "record-beth"], True),
    f"{TRAINING}/partners": (["record-7", "record-partners"], True),
    f"{TRAINING}/beth/txt": (["record-7", "record-beth"], False),
    GOLD: (["0001"], True),
    "test_data": (["0001"], False),
}


@pytest.mark.parametrize("root", LAYOUTS)
def test_every_part_of_the_licensed_release(root: str, tmp_path: Path) -> None:
    licensed_layout(tmp_path / "release")
    ids, annotated = LAYOUTS[root]
    report = LossReport()
    records = list(read_i2b2(tmp_path / "release" / root, report))
    assert sorted(record.id for record in records) == sorted(ids)
    assert all(record.annotated is annotated for record in records)
    assert all(record.text == NOTE for record in records)
    assert all(bool(record.concepts) is annotated for record in records)
    assert report.findings == []


def test_the_licensed_release_found_twice_is_in_the_same_order(tmp_path: Path) -> None:
    licensed_layout(tmp_path)
    assert find_records(tmp_path) == find_records(tmp_path)
    texts = [files.text for files in find_records(tmp_path)]
    assert texts == sorted(texts)


def test_the_reference_standard_from_inside_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    licensed_layout(tmp_path)
    monkeypatch.chdir(tmp_path / GOLD)
    (files,) = find_records(Path("."))
    assert files.text.resolve() == tmp_path / "test_data" / "0001.txt"
    assert set(files.annotations) == {".con", ".ast", ".rel"}


@pytest.mark.parametrize("missing", [".con", ".ast", ".rel"])
def test_a_part_of_the_reference_standard(missing: str, tmp_path: Path) -> None:
    licensed_layout(tmp_path)
    (path,) = (tmp_path / GOLD).rglob(f"*{missing}")
    path.unlink()
    (files,) = find_records(tmp_path / GOLD)
    assert set(files.annotations) == {".con", ".ast", ".rel"} - {missing}


def test_a_reference_standard_without_its_texts(tmp_path: Path) -> None:
    licensed_layout(tmp_path)
    (tmp_path / "test_data" / "0001.txt").unlink()
    (tmp_path / "test_data").rmdir()
    (files,) = find_records(tmp_path / GOLD)
    with pytest.raises(BertLstmError) as raised:
        read_record(files, LossReport())
    assert raised.value.code == "BL104"
    assert raised.value.values["expected"] == "0001.txt"


def test_one_flat_folder(tmp_path: Path) -> None:
    write_files(tmp_path, {"b.txt": NOTE, "b.con": PAIN, "a.txt": NOTE, "a.con": "", "a.rel": ""})
    first, second = find_records(tmp_path)
    assert (first.id, set(first.annotations)) == ("a", {".con", ".rel"})
    assert (second.id, set(second.annotations)) == ("b", {".con"})


@pytest.mark.parametrize("kinds", [("txt", "concept"), ("txt", "concepts"), (".", "concept")])
def test_a_folder_for_each_kind(kinds: tuple[str, str], tmp_path: Path) -> None:
    write_files(tmp_path, {f"{kinds[0]}/a.txt": NOTE, f"{kinds[1]}/a.con": PAIN})
    (files,) = find_records(tmp_path)
    assert set(files.annotations) == {".con"}


def test_sub_folders_name_records_of_the_same_name(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {f"{part}/{name}.{suffix}": NOTE if suffix == "txt" else PAIN
         for part in ("one", "two") for name in ("1", part) for suffix in ("txt", "con")},
    )  # fmt: skip
    assert [files.id for files in find_records(tmp_path)] == ["one/1", "one", "two/1", "two"]


def test_deep_sub_folders_of_the_same_name_give_different_ids(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/part/1.txt": NOTE, "b/part/1.txt": NOTE, "1.txt": NOTE})
    ids = [files.id for files in find_records(tmp_path)]
    assert len(set(ids)) == 3


def test_records_of_one_name_in_two_parts_are_written_and_read_again(tmp_path: Path) -> None:
    licensed_layout(tmp_path / "in")
    records = list(read_i2b2(tmp_path / "in", LossReport()))
    (tmp_path / "out").mkdir()
    assert write_i2b2(records, tmp_path / "out", LossReport()) == len(records) == 5
    again = {record.id: record for record in read_i2b2(tmp_path / "out", LossReport())}
    assert set(again) == {record.id for record in records}
    for record in records:
        assert without_sources(again[record.id]) == without_sources(record)


def test_files_of_other_kinds_are_ignored(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {"1.txt": NOTE, "1.con": PAIN, "1.con~": "", "1.pdf": b"\xff", "README": "", "x.xml": "",
         "1.con.bak": "", "a.txt.gz": b"\x1f", "x.txt/inner.md": ""},
    )  # fmt: skip
    (files,) = find_records(tmp_path)
    assert (files.id, set(files.annotations)) == ("1", {".con"})


HIDDEN = [".hidden.txt", "._1.txt", "._1.con", ".trash/2.txt", ".git/a/2.con", "txt/.3.txt"]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_hidden_files_are_ignored(hidden: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"1.txt": NOTE, "1.con": PAIN, hidden: b"\xff"})
    (files,) = find_records(tmp_path)
    assert files.id == "1"


def test_a_hidden_parent_of_the_root_hides_nothing(tmp_path: Path) -> None:
    write_files(tmp_path / ".data" / "notes", {"1.txt": NOTE, "1.con": PAIN})
    assert len(find_records(tmp_path / ".data" / "notes")) == 1
    assert len(find_records(tmp_path / ".data")) == 1


def test_hidden_files_beside_the_reference_standard_are_ignored(tmp_path: Path) -> None:
    licensed_layout(tmp_path)
    write_files(tmp_path, {"test_data/._0001.txt": b"\xff"})
    assert [files.id for files in find_records(tmp_path / GOLD)] == ["0001"]


def test_suffixes_in_capitals(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.TXT": NOTE, "1.CON": PAIN, "1.Ast": PAIN_PRESENT})
    (files,) = find_records(tmp_path)
    assert set(files.annotations) == {".con", ".ast"}
    record = read_record(files, LossReport())
    assert_written_back(record, txt=NOTE, con=PAIN, ast=PAIN_PRESENT)


def test_a_concept_of_an_ast_file_in_capitals_is_not_written_to_con(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.txt": NOTE, "1.con": "", "1.AST": PAIN_PRESENT})
    (record,) = read_i2b2(tmp_path, LossReport())
    assert_written_back(record, txt=NOTE, con="", ast=PAIN_PRESENT)


@pytest.mark.parametrize(
    "files, code",
    [
        ({"1.con": PAIN}, "BL104"),
        ({"1.txt": NOTE, "1.con": PAIN, "2.ast": ""}, "BL104"),
        ({"1.txt": NOTE, "1.con": PAIN, "2.txt": NOTE}, "BL104"),
        ({"1.txt": NOTE, "1.con": PAIN, "2.txt": NOTE, "2.ast": ""}, "BL104"),
        ({"1.txt": NOTE, "1.TXT": NOTE}, "BL105"),
        ({"1.txt": NOTE, "txt/1.txt": NOTE}, "BL105"),
    ],
)
def test_a_record_at_fault_is_found_and_raises_when_it_is_read(
    files: dict[str, str], code: str, tmp_path: Path
) -> None:
    write_files(tmp_path, files)
    *others, last = find_records(tmp_path)
    assert [read_record(other, LossReport()).id for other in others] == ["1"] * len(others)
    report = LossReport()
    with pytest.raises(BertLstmError) as raised:
        read_record(last, report)
    assert raised.value.code == code
    assert str(tmp_path) in str(raised.value)
    assert report == LossReport()


@pytest.mark.parametrize("files", [{}, {"a.xml": "", "b.md": ""}])
def test_folders_that_are_refused(files: dict[str, str], tmp_path: Path) -> None:
    write_files(tmp_path, files)
    with pytest.raises(BertLstmError) as raised:
        find_records(tmp_path)
    assert raised.value.code == "BL102"
    assert str(tmp_path) in str(raised.value)


def test_roots_that_are_no_folder(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.txt": NOTE})
    for root in (tmp_path / "none", tmp_path / "1.txt"):
        with pytest.raises(BertLstmError) as raised:
            find_records(root)
        assert raised.value.code == "BL101"


def test_require_annotations(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.txt": NOTE})
    assert len(list(read_i2b2(tmp_path, LossReport()))) == 1
    with pytest.raises(BertLstmError) as raised:
        list(read_i2b2(tmp_path, LossReport(), require_annotations=True))
    assert raised.value.code == "BL107"
    write_files(tmp_path, {"1.con": ""})
    assert len(list(read_i2b2(tmp_path, LossReport(), require_annotations=True))) == 1


# --- The token table --------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["", " ", "  ", "a", " a", "a ", "  a  b ", "a\tb", "\u2028 a", "a  b   c", "\x85", "\0 a"],
)
def test_tokens_are_those_of_a_split_at_runs_of_spaces(line: str) -> None:
    for end in ("\n", "\r\n", ""):
        text = f"x{end or chr(10)}{line}{end}"
        offsets = TokenTable(text).lines[1]
        assert [text[start:stop] for start, stop in offsets] == re.split(" +", line)


def test_every_pair_of_tokens_has_its_position() -> None:
    text = " a  b\r\n\n c d  \nlast"
    table = TokenTable(text)
    tokens = [
        (number, index, *offsets)
        for number, line in enumerate(table.lines, start=1)
        for index, offsets in enumerate(line)
    ]
    for i, (line, token, start, _) in enumerate(tokens):
        for end_line, end_token, _, end in tokens[i:]:
            position = f"{line}:{token} {end_line}:{end_token}"
            assert table.locate(start, end) == position


@pytest.mark.parametrize(
    "start, end, strict, widened",
    [
        (3, 7, "1:1 1:1", "1:1 1:1"),  # "40mg"
        (5, 7, None, "1:1 1:1"),  # "mg"
        (3, 5, None, "1:1 1:1"),  # "40"
        (5, 10, None, "1:1 1:2"),  # "mg p."
        (0, 4, None, "1:0 1:1"),  # "a  4"
        (5, 15, None, "1:1 2:0"),  # over the line's end
    ],
)
def test_positions_widened_and_not(start: int, end: int, strict: str | None, widened: str) -> None:
    table = TokenTable("a  40mg p.o.\nnext one")
    assert table.locate(start, end) == strict
    assert table.locate(*table.widen(start, end)) == widened


# --- The writer -------------------------------------------------------------------------


def test_a_concept_inside_a_token_is_lost_or_widened() -> None:
    record = Document("1", "Give 40mg now\n", (Concept("T1", "treatment", ((7, 9),)),))
    report = LossReport()
    assert format_record(record, report)[".con"] == ""
    (loss,) = report.lost
    assert "--widen" in loss.reason and "mg" not in loss.reason
    report = LossReport()
    written = format_record(record, report, widen=True)[".con"]
    assert written == 'c="40mg" 1:1 1:1||t="treatment"\n'
    assert report.lost == []


def test_what_hangs_on_a_lost_concept_is_lost_too() -> None:
    record = Document(
        "1",
        "Give 40mg now\n",
        (Concept("T1", "treatment", ((7, 9),)), Concept("T2", "problem", ((10, 13),))),
        (Assertion("T1", "present"), Assertion("T2", "absent")),
        (Relation("TrAP", ("T1", "T2")),),
    )
    report = LossReport()
    contents = format_record(record, report)
    assert contents[".ast"] == 'c="now" 1:2 1:2||t="problem"||a="absent"\n'
    assert ".rel" not in contents
    assert len(report.lost) == 3
    assert report.read - report.kept == Counter(concept=1, assertion=1, relation=1)


@pytest.mark.parametrize(
    "record",
    [
        Document("1", "fever", (Concept("T1", "Drug", ((0, 5),)),)),
        Document("1", "fever", (Concept("T1", 'a"b', ((0, 5),)),)),
        Document("1", "fever", (Concept("T1", "a\nb", ((0, 5),)),)),
        Document(
            "1", "fever", (Concept("T1", "problem", ((0, 5),)),), (Assertion("T1", "perhaps"),)
        ),
        Document(
            "1",
            "fever x",
            (Concept("T1", "problem", ((0, 5),)), Concept("T2", "problem", ((6, 7),))),
            (),
            (Relation("ADE-Drug", ("T1", "T2")),),
        ),
    ],
)
def test_a_label_that_i2b2_does_not_know_is_reported(record: Document, tmp_path: Path) -> None:
    # The reader refuses such lines: to write them without a word would lose them later.
    written, read = LossReport(), LossReport()
    write_i2b2([record], tmp_path, written)
    list(read_i2b2(tmp_path, read))
    assert written.findings or not read.lost


def test_quoted_text_never_breaks_a_line(tmp_path: Path) -> None:
    record = Document("1", "fever", (Concept("T1", "problem", ((0, 5),), quoted="a\nb"),))
    write_i2b2([record], tmp_path, LossReport())
    report = LossReport()
    (again,) = read_i2b2(tmp_path, report)
    assert report.lost == []
    assert len(again.concepts) == 1


def test_what_other_formats_have_is_lost_with_a_word() -> None:
    record = Document(
        "1",
        "pain",
        (Concept("T1", "problem", ((0, 4),)),),
        events=(Event("E1", "problem", "T1"),),
        normalizations=(Normalization("T1", "UMLS:C1"),),
        notes=(Note("sure?", "T1"),),
    )
    report = LossReport()
    assert set(format_record(record, report)) == {".txt", ".con"}
    assert [finding.reason for finding in report.lost] == [
        "event: i2b2 has no such line",
        "normalization: i2b2 has no such line",
        "note: i2b2 has no such line",
    ]
    assert report.read.total() - report.kept.total() == 3


@pytest.mark.parametrize("name", ["", ".", "/", "/abs", "..", "../up", "a/../../b", "nul\0"])
def test_names_that_cannot_be_file_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(BertLstmError) as raised:
        write_i2b2([Document(name, "x")], tmp_path, LossReport())
    assert raised.value.code == "BL111"
    assert list(tmp_path.iterdir()) == []


def test_two_records_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError) as raised:
        write_i2b2([Document("a", "x"), Document("a", "y")], tmp_path, LossReport())
    assert raised.value.code == "BL112"


def test_two_names_of_one_file(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError) as raised:
        write_i2b2([Document("p/a", "x"), Document("p//a", "y")], tmp_path, LossReport())
    assert raised.value.code == "BL112"


def test_bytes_of_the_text_are_the_same(tmp_path: Path) -> None:
    text = "a\r\nb\rc\x0b\x85\u2028d  \t\n\n\ufeff e\0"
    write_i2b2([Document("1", text)], tmp_path, LossReport())
    assert (tmp_path / "txt" / "1.txt").read_bytes() == text.encode()


def test_fragments_are_plain_tuples(tmp_path: Path) -> None:
    record, _ = read_one(tmp_path, txt=NOTE, con=PAIN)
    expected: Fragments = ((7, 17),)
    assert record.concepts[0].fragments == expected
