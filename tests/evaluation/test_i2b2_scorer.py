"""The i2b2 2010 scores: by hand, by a slow program, and what is corrected."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bertlstm.evaluation.i2b2_2010 import TASKS, read_i2b2, score_i2b2
from spacy_bertlstm.evaluation.pairs import Annotation, Pair, read_pairs
from spacy_bertlstm.evaluation.rows import Row
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.schemas import I2B2_2010

Files = dict[str, str]


def write(folder: Path, files: Files) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content.encode("utf-8"))
    return folder


def score(
    tmp_path: Path, kind: str, reference: Files, system: Files, *, official: bool
) -> tuple[str, dict[str, Row], LossReport]:
    """The printed report, the rows by label, and what was left out."""
    report = LossReport()
    folder = tmp_path / ("official" if official else "corrected")
    folder.mkdir()
    folders = write(folder / "ref", reference), write(folder / "sys", system)
    (pairs,) = read_pairs(TASKS[kind], folders[0], [folders[1]], report, official=official)
    rows = TASKS[kind].score(pairs, official=official)
    return TASKS[kind].report(pairs, rows), {row.label: row for row in rows}, report


def both(
    tmp_path: Path, kind: str, reference: str, system: str
) -> tuple[dict[str, Row], dict[str, Row]]:
    """The rows of one document, official and corrected."""
    files = {f"a.{kind}": reference}, {f"a.{kind}": system}
    _, official, _ = score(tmp_path, kind, *files, official=True)
    _, corrected, _ = score(tmp_path, kind, *files, official=False)
    return official, corrected


def counts(row: Row) -> tuple[int | None, ...]:
    return row.tp, row.fn, row.fp


def con(*spans: str, label: str = "problem") -> str:
    return "".join(f'c="x" {span}||t="{label}"\n' for span in spans)


# --- Reports by hand ---------------------------------------------------------------------

CON_REPORT = """\
-- CONCEPT FILE TEST --
Number of Reference Files Tested :2.0	Number of System Files Tested :2.0
Number of Reference Lines :5.0	Number of System Lines :5.0

TESTING 1.1 -  Exact span for all concepts together
	True Positive	False Negative	False Positive	R Value	P Value	F Value
Concept Exact Span ->	2.0	3.0	3.0	0.4	0.4	0.4
Class Exact Span ->	1.0	4.0	4.0	0.2	0.2	0.2

TESTING 1.2 -  Exact span for separate concept classes
	True Positive	False Negative	False Positive	R Value	P Value	F Value
Exact Span for Problem ->	1.0	2.0	1.0	0.3333333333333333	0.5	0.4
Exact Span for Treatment ->	1.0	0.0	0.0	1.0	1.0	1.0
Exact Span for Test ->	0.0	1.0	2.0	0.0	0.0	0.0
Exact Span With Matching Class for Problem ->	1.0	2.0	1.0	0.3333333333333333	0.5	0.4
Exact Span With Matching Class for Treatment ->	0.0	1.0	0.0	0.0	NaN	0.0
Exact Span With Matching Class for Test ->	0.0	1.0	3.0	0.0	0.0	0.0

TESTING 1.3 -  Inexact span for all concepts together
	True Positive	False Negative	False Positive	R Value	P Value	F Value
Concept Inexact Span ->	4.0	1.0	1.0	0.8	0.8	0.8
Class Inexact Span ->	4.0	1.0	1.0	0.75	0.6	0.6666666666666666

TESTING 1.4 -  Inexact span for separate concept classes
	True Positive	False Negative	False Positive	R Value	P Value	F Value
Inexact Span for Problem ->	2.0	1.0	0.0	0.6666666666666666	1.0	0.8
Inexact Span for Treatment ->	1.0	0.0	0.0	1.0	1.0	1.0
Inexact Span for Test ->	1.0	0.0	1.0	1.0	0.5	0.6666666666666666
Inexact Span With Matching Class for Problem ->	2.0	1.0	0.0	0.6666666666666666	1.0	0.8
Inexact Span With Matching Class for Treatment ->	0.0	1.0	0.0	0.0	NaN	0.0
Inexact Span With Matching Class for Test ->	1.0	0.0	2.0	1.0	0.3333333333333333	0.5

"""


def test_a_concept_report_by_hand(tmp_path: Path) -> None:
    """One pair exact, one inside, one of another class, one around; each folder's own file."""
    reference = {
        "a.con": 'c="pain" 1:1 1:1||t="problem"\nc="chest x ray" 1:3 1:5||t="test"\n'
        'c="aspirin" 2:0 2:0||t="treatment"\nc="fever" 2:4 2:4||t="problem"\n',
        "b.con": 'c="a rash" 1:0 1:1||t="problem"\n',
    }
    system = {
        "a.con": 'c="a fever" 2:3 2:4||t="problem"\nc="x ray" 1:4 1:5||t="test"\n'
        'c="aspirin" 2:0 2:0||t="test"\nc="pain" 1:1 1:1||t="problem"\n',
        "c.con": 'c="scan" 1:0 1:0||t="test"',
    }
    printed, rows, _ = score(tmp_path, "con", reference, system, official=True)
    assert printed == CON_REPORT
    assert rows["Class Inexact Span"].counts == (), "no sum of documents"
    assert rows["Concept Inexact Span"].counts == ((4, 0, 0), (0, 0, 1), (0, 1, 0))


AST_REPORT = """\
-- ASSERTION FILE TEST --
Number of Reference Files Tested :1.0	Number of System Files Tested :1.0
Number of Reference Lines :3.0	Number of System Lines :4.0

TESTING 2.1 - Exact span for all assertions
	True Positive	False Negative	False Positive	R Value	P Value	F Value
Exact Span With Matching Concept ->	2.0	1.0	2.0	0.6666666666666666	0.5	0.5714285714285714
Exact Span With Matching Assertion ->	1.0	2.0	3.0	0.3333333333333333	0.25	0.2857142857142857

TESTING 2.2 - Exact span for separate assertions
	True Positive	False Negative	False Positive	R Value	P Value	F Value
Present With Exact Span ->	1.0	0.0	1.0	1.0	0.5	0.6666666666666666
Absent With Exact Span ->	1.0	0.0	0.0	1.0	1.0	1.0
Possible With Exact Span ->	0.0	1.0	0.0	0.0	NaN	0.0
Hypothetical With Exact Span ->	0.0	0.0	0.0	NaN	NaN	NaN
Conditional With Exact Span ->	0.0	0.0	1.0	NaN	0.0	0.0
Associated With Someone Else With Exact Span ->	0.0	0.0	0.0	NaN	NaN	NaN
Present With Exact Span And Matching Assertion ->	1.0	0.0	2.0	1.0	0.3333333333333333	0.5
Absent With Exact Span And Matching Assertion ->	0.0	1.0	0.0	0.0	NaN	0.0
Possible With Exact Span And Matching Assertion ->	0.0	1.0	0.0	0.0	NaN	0.0
Hypothetical With Exact Span And Matching Assertion ->	0.0	0.0	0.0	NaN	NaN	NaN
Conditional With Exact Span And Matching Assertion ->	0.0	0.0	1.0	NaN	0.0	0.0
Associated With Someone Else With Exact Span And Matching Assertion ->	0.0	0.0	0.0	NaN	NaN	NaN

"""


def test_an_assertion_report_by_hand(tmp_path: Path) -> None:
    """A doubled line, a wrong value, an unknown one, and one on nothing; types do not count."""
    reference = (
        'c="pain" 1:1 1:1||t="problem"||a="present"\nc="fever" 1:3 1:3||t="problem"||a="absent"\n'
        'c="a rash" 2:0 2:1||t="problem"||a="possible"\n'
    )
    system = (
        'c="pain" 1:1 1:1||t="test"||a="present"\nc="fever" 1:3 1:3||t="problem"||a="present"\n'
        'c="a rash" 2:0 2:1||t="problem"||a="likely"\n'
        'c="he" 3:0 3:0||t="problem"||a="conditional"\n'
        'c="pain" 1:1 1:1||t="problem"||a="present"\n'
    )
    printed, _, report = score(
        tmp_path, "ast", {"a.ast": reference}, {"a.ast": system}, official=True
    )
    assert printed == AST_REPORT
    (lost,) = report.lost
    assert lost.line == 3 and "unknown label 'likely'" in lost.reason


REL_ROWS = """\
Exact Span With Matching Concept ->	2.0	0.0	1.0	1.0	0.6666666666666666	0.8
Concept With Matching Span and Relation ->	2.0	0.0	1.0	1.0	0.6666666666666666	0.8

TESTING 3.2 -  Exact span for separate relationships	
	True Positive	False Negative	False Positive	R Value	P Value	F Value
TrIP With Exact Span True Positive ->	0.0	0.0	0.0	NaN	NaN	NaN
TrWP With Exact Span True Positive ->	0.0	0.0	0.0	NaN	NaN	NaN
TrCP With Exact Span True Positive ->	0.0	0.0	0.0	NaN	NaN	NaN
TrAP With Exact Span True Positive ->	1.0	0.0	0.0	1.0	1.0	1.0
TrNAP With Exact Span True Positive ->	0.0	0.0	0.0	NaN	NaN	NaN
PIP With Exact Span True Positive ->	1.0	0.0	1.0	1.0	0.5	0.6666666666666666
TeRP With Exact Span True Positive ->	0.0	0.0	0.0	NaN	NaN	NaN
TeCP With Exact Span True Positive ->	0.0	0.0	0.0	NaN	NaN	NaN
TrIP With Exact Span And Matching Relations ->	0.0	0.0	0.0	NaN	NaN	NaN
TrWP With Exact Span And Matching Relations ->	0.0	0.0	0.0	NaN	NaN	NaN
TrCP With Exact Span And Matching Relations ->	0.0	0.0	0.0	NaN	NaN	NaN
TrAP With Exact Span And Matching Relations ->	1.0	0.0	0.0	1.0	1.0	1.0
TrNAP With Exact Span And Matching Relations ->	0.0	0.0	0.0	NaN	NaN	NaN
PIP With Exact Span And Matching Relations ->	1.0	0.0	0.0	1.0	1.0	1.0
TeRP With Exact Span And Matching Relations ->	0.0	0.0	1.0	NaN	0.0	0.0
TeCP With Exact Span And Matching Relations ->	0.0	0.0	0.0	NaN	NaN	NaN

"""  # noqa: W291


def rel(*relations: str) -> str:
    """Lines from "1:1 1:1 TrAP 1:3 1:3"."""
    lines = []
    for relation in relations:
        start, end, label, begin, stop = relation.split()
        lines.append(f'c="x" {start} {end}||r="{label}"||c="y" {begin} {stop}\n')
    return "".join(lines)


def test_a_relation_report_by_hand(tmp_path: Path) -> None:
    """Arguments in either order; an unknown type; spans are paired with the first line."""
    reference = rel("1:1 1:1 TrAP 1:3 1:3", "2:0 2:0 PIP 2:4 2:4")
    system = rel(
        "1:3 1:3 TrAP 1:1 1:1", "2:0 2:0 TeRP 2:4 2:4", "2:4 2:4 PIP 2:0 2:0",
        "1:1 1:1 None 2:0 2:0",
    )  # fmt: skip
    printed, _, report = score(
        tmp_path, "rel", {"a.rel": reference}, {"a.rel": system}, official=True
    )
    head, _, rest = printed.partition("F Value\n")
    assert rest == REL_ROWS
    assert "-- RELATION FILE TEST --\n" in head
    assert "Reference Lines :2.0\tNumber of System Lines :3.0\n" in head
    assert head.endswith(
        "TESTING 3.1 - Exact span for all relationships\t\n"
        "\tTrue Positive\tFalse Negative\tFalse Positive\tR Value\tP Value\t"
    )
    assert [found.line for found in report.lost] == [4]


def test_numbers_are_printed_as_java_does(tmp_path: Path) -> None:
    reference = con(*(f"{line}:0 {line}:0" for line in range(1, 2001)))
    printed, _, _ = score(
        tmp_path, "con", {"a.con": reference}, {"a.con": con("1:0 1:0")}, official=True
    )
    assert "Concept Exact Span ->\t1.0\t1999.0\t0.0\t5.0E-4\t1.0\t" in printed


def test_the_rows_name_all_labels_of_the_schema(tmp_path: Path) -> None:
    assert _titles("con", tmp_path) == {label.title() for label in I2B2_2010.concepts}
    assert _titles("ast", tmp_path) == {
        label.replace("_", " ").title() for label in I2B2_2010.assertions
    }
    assert _titles("rel", tmp_path) == set(I2B2_2010.relations)


def _titles(kind: str, tmp_path: Path) -> set[str]:
    separate = [row.label for row in score_i2b2([], kind) if "separate" in row.section]
    parts = (
        "Inexact Span", "Exact Span", "With", "Matching Class", "for", "And", "Matching Assertion",
        "Matching Relations", "True Positive",
    )  # fmt: skip
    titles = set()
    for label in separate:
        for part in parts:
            label = label.replace(part, "")
        titles.add(" ".join(label.split()).replace("Associated Someone", "Associated With Someone"))
    return titles


# --- Lines -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        'c="a \'quoted" word" 1:0 1:2||t="test"',
        'c="" 1:0 1:2||t="test"',
        '\ufeffc="x" 1:0 1:2||t="test"',
        'c="x" 1:0 1:2||t="test"\r',
        'c="x" 1:0 1:2||t="tEst"',
    ],
)
def test_lines_that_both_take(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.con"
    path.write_bytes(f"{line}\n".encode())
    for official in (True, False):
        report = LossReport()
        (found,) = read_i2b2(path, report, "con", official=official)
        assert found.extents == ((((1, 0), (1, 3)),),)
        assert found.label.lower() == "test"
        assert (report.read["con"], report.kept["con"], report.lost) == (1, 1, [])


LEFT_OUT = {
    "con": [
        'c="a || b" 1:0 1:2||t="test"',
        'c="x" 1:0  1:2||t="test"',
        'c="x" 1:0 1:0,1:2 1:2||t="test"',
        "",
    ],
    "ast": ['c="a || b" 1:0 1:2||t="problem"||a="absent"', 'c="x" 1:0 1:2||t="problem"||a="no"'],
    "rel": [
        'c="a || b" 1:0 1:0||r="PIP"||c="y" 1:2 1:2',
        'c="a" 1:0 1:0||r="PIP"||c="y || z" 1:2 1:2',
        'c="x" 1:0 1:0||r="pip"||c="y" 1:2 1:2',
    ],
}


@pytest.mark.parametrize(
    ("kind", "line"), [(kind, line) for kind, lines in LEFT_OUT.items() for line in lines]
)
def test_lines_that_the_official_program_leaves_out(tmp_path: Path, kind: str, line: str) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_text(f"{line}\n", encoding="utf-8")
    report = LossReport()
    assert read_i2b2(path, report, kind, official=True) == []
    assert [(found.path, found.line) for found in report.lost] == [(str(path), 1)]
    report = LossReport()
    found = read_i2b2(path, report, kind)
    assert len(found) == (1 if line else 0)
    assert report.lost == []


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("con", "zebra"),
        ("con", 'c="zebra" 1:0 1:2||t="test'),
        ("con", 'c="zebra" 1:0||t="test"'),
        ("con", 'c="zebra" 1:0 1:2||a="test"'),
        ("con", 'c="zebra" 1:0 9999999999:2||t="test"'),
        ("con", 'd="zebra" 1:0 1:2||t="test"'),
        ("ast", 'c="zebra" 1:0 1:2||t="problem"'),
        ("ast", 'c="zebra" 1:0 1:2||a="absent"||t="problem"'),
        ("rel", 'c="zebra" 1:0 1:2||r="PIP"'),
        ("rel", 'c="zebra" 1:0 1:2||r="PIP||c="zebra" 1:0 1:2'),
        ("rel", 'c="zebra" 1:0 1:2||r="PIP"||c="zebra" 1:0'),
    ],
)
def test_broken_lines_are_named_and_not_quoted(tmp_path: Path, kind: str, line: str) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_text(f"{line}\n", encoding="utf-8")
    for official in (True, False):
        report = LossReport()
        assert read_i2b2(path, report, kind, official=official) == []
        (lost,) = report.lost
        assert lost.line == 1 and "zebra" not in lost.reason
        assert (report.read[kind], report.kept[kind]) == (1, 0)


# --- What is corrected, one by one ---------------------------------------------------------


def test_an_overhang_to_the_left(tmp_path: Path) -> None:
    left = both(tmp_path, "con", con("1:4 1:6"), con("1:3 1:5"))
    assert [counts(rows["Concept Inexact Span"]) for rows in left] == [(0, 1, 1), (1, 0, 0)]


@pytest.mark.parametrize("system", ["1:5 1:8", "1:5 1:5", "1:3 1:7", "1:4 1:6", "1:6 2:0"])
def test_other_overlaps_count_in_both(tmp_path: Path, system: str) -> None:
    found = both(tmp_path, "con", con("1:4 1:6"), con(system))
    assert [counts(rows["Concept Inexact Span"]) for rows in found] == [(1, 0, 0)] * 2


@pytest.mark.parametrize("system", ["1:7 1:8", "1:1 1:3", "2:4 2:6"])
def test_what_touches_nothing(tmp_path: Path, system: str) -> None:
    found = both(tmp_path, "con", con("1:4 1:6"), con(system))
    assert [counts(rows["Concept Inexact Span"]) for rows in found] == [(0, 1, 1)] * 2


def test_long_lines_do_not_run_into_the_next(tmp_path: Path) -> None:
    found = both(tmp_path, "con", con("1:1001 1:1003"), con("2:1 2:3"))
    assert [counts(rows["Concept Inexact Span"]) for rows in found] == [(1, 0, 0), (0, 1, 1)]
    assert [counts(rows["Concept Exact Span"]) for rows in found] == [(0, 1, 1)] * 2


def test_inexact_pairs_are_as_many_as_possible(tmp_path: Path) -> None:
    """The first reference takes the only span that the second could have."""
    reference = con("1:0 1:9", "1:0 1:2")
    system = con("1:1 1:2", "1:5 1:6")
    found = both(tmp_path, "con", reference, system)
    assert [counts(rows["Concept Inexact Span"]) for rows in found] == [(1, 1, 1), (2, 0, 0)]


def test_the_aggregate_has_its_own_misses(tmp_path: Path) -> None:
    found = both(tmp_path, "con", con("1:0 1:0", "2:0 2:0"), con("1:0 1:0", label="test"))
    official, corrected = (rows["Class Inexact Span"] for rows in found)
    assert counts(official) == (1, 1, 0)
    assert (official.recall, official.precision, official.f1) == (0, 0, 0)
    assert counts(corrected) == (0, 2, 1)
    # Here its recall is too high: one of three is right, not one of two.
    reference = con("1:0 1:0", "2:0 2:0") + con("3:0 3:0", label="test")
    system = con("1:0 1:0") + con("2:0 2:0", label="test")
    (tmp_path / "more").mkdir()
    found = both(tmp_path / "more", "con", reference, system)
    assert [rows["Class Inexact Span"].recall for rows in found] == [1 / 2, 1 / 3]


@pytest.mark.parametrize("line", [line for line in LEFT_OUT["con"] if line])
def test_lines_are_not_left_out(tmp_path: Path, line: str) -> None:
    found = both(tmp_path, "con", f"{line}\n", f"{line}\n")
    assert [counts(rows["Class Exact Span"]) for rows in found] == [(0, 0, 0), (1, 0, 0)]


def test_the_pieces_of_a_discontinuous_concept_count(tmp_path: Path) -> None:
    pieces = 'c="x" 1:5 1:6 , 1:0 1:1||t="problem"\n'
    system = con("1:2 1:4", "1:6 1:9")
    _, rows = both(tmp_path, "con", pieces, system)
    assert counts(rows["Concept Exact Span"]) == (0, 1, 2)
    assert counts(rows["Concept Inexact Span"]) == (1, 0, 1)


def test_unknown_values_and_types_count(tmp_path: Path) -> None:
    known = 'c="x" 1:0 1:0||t="problem"||a="absent"\n'
    found = both(tmp_path, "ast", known, known.replace("absent", "likely"))
    assert [counts(rows["Exact Span With Matching Assertion"]) for rows in found] == [
        (0, 1, 0),
        (0, 1, 1),
    ]
    assert [counts(rows["Exact Span With Matching Concept"]) for rows in found] == [
        (0, 1, 0),
        (1, 0, 0),
    ]
    (tmp_path / "rel").mkdir()
    known = rel("1:0 1:0 PIP 1:2 1:2")
    found = both(tmp_path / "rel", "rel", known, known.replace("PIP", "Pip"))
    assert [counts(rows["Concept With Matching Span and Relation"]) for rows in found] == [
        (0, 1, 0),
        (0, 1, 1),
    ]


def test_arguments_have_an_order(tmp_path: Path) -> None:
    found = both(tmp_path, "rel", rel("1:0 1:0 PIP 1:2 1:2"), rel("1:2 1:2 PIP 1:0 1:0"))
    assert [counts(rows["Exact Span With Matching Concept"]) for rows in found] == [
        (1, 0, 0),
        (0, 1, 1),
    ]


# --- What both have in common ----------------------------------------------------------------


def test_what_is_doubled_is_wrong(tmp_path: Path) -> None:
    found = both(tmp_path, "con", con("1:0 1:0"), con("1:0 1:0", "1:0 1:0"))
    for rows in found:
        for label in ("Class Exact Span", "Concept Inexact Span"):
            assert counts(rows[label]) == (1, 0, 1)
    (tmp_path / "rel").mkdir()
    once = rel("1:0 1:0 PIP 1:2 1:2")
    found = both(tmp_path / "rel", "rel", once, once + rel("1:2 1:2 PIP 1:0 1:0"))
    for rows in found:
        assert counts(rows["Exact Span With Matching Concept"]) == (1, 0, 1)


def test_types_are_compared_letter_by_letter(tmp_path: Path) -> None:
    """A type that nobody knows counts in no row of a class, but among all."""
    for rows in both(tmp_path, "con", con("1:0 1:0"), con("1:0 1:0", label="Problem")):
        assert counts(rows["Concept Exact Span"]) == (1, 0, 0)
        assert counts(rows["Class Exact Span"]) == (0, 1, 1)
        assert counts(rows["Exact Span With Matching Class for Problem"]) == (0, 1, 0)


spans = st.builds(
    lambda line, start, length, label: Annotation(
        ((((line, start), (line, start + length + 1)),),), (label,)
    ),
    st.integers(1, 2),
    st.integers(0, 8),
    st.integers(0, 4),
    st.sampled_from(["problem", "test", "treatment", "other"]),
)
documents = st.lists(
    st.builds(Pair, st.just("a"), st.none() | st.lists(spans, max_size=6), st.lists(spans)),
    max_size=3,
)
relations = st.lists(
    st.builds(
        lambda first, second, label: Annotation((*first.extents, *second.extents), (label,)),
        spans,
        spans,
        st.sampled_from(["PIP", "TrAP"]),
    ),
    max_size=8,
)


def slow_official(
    pairs: Sequence[Pair], *, inexact: bool, labelled: bool
) -> tuple[tuple[int, int, int], dict[str, tuple[int, int, int]]]:
    """Two loops over lines, with the four numbers as the files have them."""
    total: Counter[str] = Counter()
    classes: dict[str, Counter[str]] = {}
    for pair in pairs:
        free = list(pair.system or ())
        for reference in pair.reference or ():
            hit = None
            for system in free:
                one, other = numbers(reference), numbers(system)
                if inexact:
                    a, b = one[0] * 1000 + one[1], one[2] * 1000 + one[3]
                    c, d = other[0] * 1000 + other[1], other[2] * 1000 + other[3]
                    same = (a <= c <= b) or (c <= a and d >= b)
                else:
                    same = one == other
                if same and (not labelled or reference.label == system.label):
                    hit = system
                    break
            outcome = "fn" if hit is None else "tp"
            if hit is not None:
                free = [system for system in free if system is not hit]
            total[outcome] += 1
            classes.setdefault(reference.label, Counter())[outcome] += 1
        for system in free:
            total["fp"] += 1
            classes.setdefault(system.label, Counter())["fp"] += 1

    def as_tuple(found: Counter[str]) -> tuple[int, int, int]:
        return found["tp"], found["fn"], found["fp"]

    return as_tuple(total), {label: as_tuple(found) for label, found in classes.items()}


def numbers(annotation: Annotation) -> tuple[int, int, int, int]:
    (((line, start), (last, end)),) = annotation.extents[0]
    return line, start, last, end - 1


@settings(deadline=None, max_examples=200)
@given(documents)
def test_the_official_scores_by_two_loops(pairs: list[Pair]) -> None:
    # Equal annotations are told apart by identity.
    pairs = [
        replace(pair, system=[replace(found) for found in pair.system or ()]) for pair in pairs
    ]
    rows = {row.label: row for row in score_i2b2(pairs, "con", official=True)}
    for inexact, word in ((False, "Exact"), (True, "Inexact")):
        for labelled in (False, True):
            total, classes = slow_official(pairs, inexact=inexact, labelled=labelled)
            matching = "With Matching Class " if labelled else ""
            for label in ("problem", "test", "treatment"):
                row = rows[f"{word} Span {matching}for {label.title()}"]
                assert counts(row) == classes.get(label, (0, 0, 0))
            row = rows[f"{'Class' if labelled else 'Concept'} {word} Span"]
            if not (inexact and labelled):
                assert counts(row) == total
            else:
                spans_only, _ = slow_official(pairs, inexact=True, labelled=False)
                assert counts(row) == spans_only
                if total[0]:
                    assert row.recall == total[0] / (total[0] + spans_only[1])
                    assert row.precision == total[0] / (total[0] + total[2])


@settings(deadline=None)
@given(relations, relations)
def test_relations_are_counted_as_multisets(
    reference: list[Annotation], system: list[Annotation]
) -> None:
    pairs = [Pair("a", reference, system)]
    for official in (True, False):

        def key(annotation: Annotation, official: bool = official) -> object:
            first, second = annotation.extents
            ends = frozenset({(first, 1), (second, 1 + (first == second))})
            return (ends if official else (first, second), annotation.label)

        row = score_i2b2(pairs, "rel", official=official)[1]
        common = (Counter(map(key, reference)) & Counter(map(key, system))).total()
        assert counts(row) == (common, len(reference) - common, len(system) - common)


@settings(deadline=None)
@given(documents, st.randoms(use_true_random=False))
def test_corrected_scores_do_not_depend_on_the_order_of_lines(
    pairs: list[Pair], rng: random.Random
) -> None:
    shuffled = [
        replace(
            pair,
            reference=pair.reference and rng.sample(pair.reference, len(pair.reference)),
            system=pair.system and rng.sample(pair.system, len(pair.system)),
        )
        for pair in pairs
    ]
    assert score_i2b2(shuffled, "con") == score_i2b2(pairs, "con")


@settings(deadline=None)
@given(documents)
def test_corrected_scores_are_symmetric_and_consistent(pairs: list[Pair]) -> None:
    turned = [replace(pair, reference=pair.system, system=pair.reference) for pair in pairs]
    rows = {row.label: row for row in score_i2b2(pairs, "con")}
    for row in score_i2b2(turned, "con"):
        if "together" in row.section:
            assert (row.tp, row.fp, row.fn) == counts(rows[row.label])
    tp = {label: row.tp or 0 for label, row in rows.items()}
    assert tp["Class Exact Span"] <= tp["Concept Exact Span"] <= tp["Concept Inexact Span"]
    assert tp["Class Exact Span"] <= tp["Class Inexact Span"] <= tp["Concept Inexact Span"]
    official = {row.label: row for row in score_i2b2(pairs, "con", official=True)}
    assert counts(official["Concept Exact Span"]) == counts(rows["Concept Exact Span"])
    assert (official["Concept Inexact Span"].tp or 0) <= tp["Concept Inexact Span"]


@given(documents)
def test_a_reference_agrees_with_itself(pairs: list[Pair]) -> None:
    same = [replace(pair, system=pair.reference) for pair in pairs]
    for official in (True, False):
        for row in score_i2b2(same, "con", official=official):
            assert (row.fn, row.fp) == (0, 0)
            assert row.f1 in (None, 1.0)
