"""The n2c2 2018 scores: by hand, by a slow program, and what is corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bertlstm.evaluation.n2c2_2018 import TASK, read_n2c2, score_n2c2
from spacy_bertlstm.evaluation.pairs import Annotation, Pair, read_pairs
from spacy_bertlstm.evaluation.rows import Row
from spacy_bertlstm.losses import LossReport

Rows = dict[tuple[str, str], Row]


def score(
    tmp_path: Path, gold: dict[str, str], system: dict[str, str], *, official: bool
) -> tuple[str, Rows, LossReport]:
    """The printed report, the rows by section and label, and what was left out."""
    folder = tmp_path / ("official" if official else "corrected")
    for side, files in (("gold", gold), ("system", system)):
        (folder / side).mkdir(parents=True)
        for name, content in files.items():
            (folder / side / name).write_bytes(content.encode("utf-8"))
    report = LossReport()
    (pairs,) = read_pairs(TASK, folder / "gold", [folder / "system"], report, official=official)
    rows = TASK.score(pairs, official=official)
    return TASK.report(pairs, rows), {(row.section, row.label): row for row in rows}, report


def both(tmp_path: Path, gold: str, system: str) -> tuple[Rows, Rows]:
    """The rows of one document, official and corrected."""
    files = {"a.ann": gold}, {"a.ann": system}
    _, official, _ = score(tmp_path, *files, official=True)
    _, corrected, _ = score(tmp_path, *files, official=False)
    return official, corrected


def drugs(*places: str) -> str:
    return "".join(f"T{i}\tDrug {place}\tx\n" for i, place in enumerate(places, start=1))


def counts(row: Row) -> tuple[int | None, ...]:
    return row.tp, row.fn, row.fp


STRICT, LENIENT = ("tags, strict", "Drug"), ("tags, lenient", "Drug")

# --- The report by hand ------------------------------------------------------------------

GOLD = (
    "R1\tADE-Drug Arg1:T3 Arg2:T1\nT1\tDrug 0 7\taspirin\nT2\tDrug 10 17\twarfari\n"
    "T3\tADE 20 25\tnausea\n"
)
SYSTEM = (
    "T1\tDrug 0 7\taspirin\nT2\tDrug 5 12\tn war\nT3\tADE 21 25\tusea\n"
    "R1\tADE-Drug Arg1:T3 Arg2:T1\n"
)
REPORT = """\
****************************** TRACK 2 *******************************
                      ------- strict -------    ------ lenient -------
                      Prec.   Rec.    F(b=1)    Prec.   Rec.    F(b=1)
                Drug  0.5000  0.5000  0.5000    1.0000  0.5000  0.6667
            Strength  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
            Duration  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
               Route  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
                Form  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
                 Ade  0.0000  0.0000  0.0000    1.0000  1.0000  1.0000
              Dosage  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
              Reason  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
           Frequency  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
                      ------------------------------------------------
     Overall (micro)  0.3333  0.3333  0.3333    1.0000  0.6667  0.8000
     Overall (macro)  0.1667  0.1667  0.1667    0.5000  0.3333  0.4000

***************************** RELATIONS ******************************
    Strength -> Drug  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
      Dosage -> Drug  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
    Duration -> Drug  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
   Frequency -> Drug  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
        Form -> Drug  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
       Route -> Drug  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
      Reason -> Drug  0.0000  0.0000  0.0000    0.0000  0.0000  0.0000
         ADE -> Drug  0.0000  0.0000  0.0000    1.0000  1.0000  1.0000
                      ------------------------------------------------
     Overall (micro)  0.0000  0.0000  0.0000    1.0000  1.0000  1.0000
     Overall (macro)  0.0000  0.0000  0.0000    0.5000  0.5000  0.5000

                                     2 files found                  
"""  # noqa: W291


def test_a_report_by_hand(tmp_path: Path) -> None:
    """A hit, a system span over two gold spans, one that is too short; an empty document."""
    gold = {"a.ann": GOLD, "empty.ann": "", "skipped.ann": drugs("0 7")}
    system = {"a.ann": SYSTEM, "empty.ann": "", "extra.ann": drugs("0 7")}
    printed, rows, report = score(tmp_path, gold, system, official=True)
    assert printed == REPORT
    assert rows[LENIENT].counts == ((1, 0, 1), (0, 0, 0))
    left_out = {(Path(found.path).name, found.reason) for found in report.findings}
    assert {name for name, _ in left_out} == {"skipped.ann", "extra.ann"}
    assert all("left out" in reason for _, reason in left_out)


def test_unknown_types_count_among_all_only(tmp_path: Path) -> None:
    gold = drugs("0 7") + "T2\tOther 10 12\tx\nR1\tOther-Drug Arg1:T2 Arg2:T1\n"
    for rows in both(tmp_path, gold, gold):
        assert counts(rows["tags, strict", "Overall (micro)"]) == (2, 0, 0)
        assert counts(rows["relations, strict", "Overall (micro)"]) == (1, 0, 0)
        sums = [row.tp for (section, _), row in rows.items() if section == "relations, strict"]
        assert sum(tp or 0 for tp in sums) == 1


# --- Lines -------------------------------------------------------------------------------


def test_other_lines_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.ann"
    path.write_bytes(
        b"\xef\xbb\xbfT1\tDrug 0 7\taspirin\r\nA1\tNegated T1\r\n#1\tNote T1\tx\r\n\r\n"
        b"*\tAlias T1 T2\nE1\tDrug:T1\nT2\tADE 9 12\t"
    )
    report = LossReport()
    found = read_n2c2(path, report)
    assert [annotation.label for annotation in found] == ["Drug", "ADE"]
    assert report.findings == []


@pytest.mark.parametrize(
    "line",
    [
        "T1\tDrug 0\tzebra",
        "T1 Drug 0 7 zebra",
        "T1\tDrug 0 7,9 12\tzebra",
        "T1\tDrug 0 9999999999\tzebra",
        "Text zebra",
        "R1\tADE-Drug Arg1:T8",
        "R1\tADE-Drug Arg1:T8 Arg2:T9",
        "R1\tADE-Drug T9 T9",
    ],
)
def test_broken_lines_are_named_and_not_quoted(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.ann"
    path.write_text(f"T9\tDrug 0 7\tx\n{line}\n", encoding="utf-8")
    for official in (True, False):
        report = LossReport()
        assert len(read_n2c2(path, report, official=official)) == 1
        (lost,) = report.lost
        assert (lost.path, lost.line) == (str(path), 2) and "zebra" not in lost.reason


def test_of_a_repeated_id_the_last_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.ann"
    path.write_text("T1\tDrug 0 7\tx\nT1\tADE 8 9\tx\n", encoding="utf-8")
    report = LossReport()
    assert [found.label for found in read_n2c2(path, report)] == ["ADE"]
    assert [lost.line for lost in report.lost] == [2]


# --- What is corrected, one by one ---------------------------------------------------------


def test_a_missing_file_is_missed(tmp_path: Path) -> None:
    gold = {"a.ann": drugs("0 7"), "b.ann": drugs("0 7", "9 12")}
    system = {"a.ann": drugs("0 7"), "c.ann": drugs("0 7")}
    printed, rows, report = score(tmp_path, gold, system, official=True)
    assert counts(rows[STRICT]) == (1, 0, 0)
    printed_too, rows, report = score(tmp_path, gold, system, official=False)
    assert counts(rows[STRICT]) == (1, 2, 0)
    assert {(Path(f.path).name, f.reason) for f in report.findings} == {
        ("b.ann", "no such file; nothing found"),
        ("c.ann", "no file of this name to pair it with; left out"),
    }
    assert all("  1 files found  " in report for report in (printed, printed_too))


def test_a_second_span_on_one_gold_span_is_wrong(tmp_path: Path) -> None:
    found = both(tmp_path, drugs("0 9"), drugs("0 4", "5 9"))
    assert [counts(rows[LENIENT]) for rows in found] == [(1, 0, 0), (1, 0, 1)]
    (tmp_path / "twice").mkdir()
    found = both(tmp_path / "twice", drugs("0 9"), drugs("0 9", "0 9"))
    assert [counts(rows[STRICT]) for rows in found] == [(1, 0, 0), (1, 0, 1)]


def test_a_span_on_two_gold_spans_takes_one(tmp_path: Path) -> None:
    """The second span is right; the script leaves it out since the first took its gold span."""
    found = both(tmp_path, drugs("0 4", "5 9"), drugs("0 9", "5 9"))
    assert [counts(rows[LENIENT]) for rows in found] == [(1, 1, 0), (2, 0, 0)]


def test_a_single_span_on_two_gold_spans_is_a_hit_and_a_miss_in_both(tmp_path: Path) -> None:
    for rows in both(tmp_path, drugs("0 4", "5 9"), drugs("0 9")):
        assert counts(rows[LENIENT]) == (1, 1, 0)


def test_pairs_are_as_many_as_possible(tmp_path: Path) -> None:
    """The first gold span keeps the first system span, which alone the second could have."""
    found = both(tmp_path, drugs("0 9", "0 4"), drugs("1 3", "6 8"))
    assert [counts(rows[LENIENT]) for rows in found] == [(1, 1, 0), (2, 0, 0)]


def test_macro_is_a_mean_over_types(tmp_path: Path) -> None:
    """A document of ten drugs all found, one with a drug and an ADE, neither found."""
    many = drugs(*(f"{10 * i} {10 * i + 5}" for i in range(10)))
    gold = {"a.ann": many, "b.ann": drugs("0 7") + "T9\tADE 10 12\tx\n", "c.ann": ""}
    system = {"a.ann": many, "b.ann": "T1\tRoute 0 2\tx\n", "c.ann": ""}
    _, rows, _ = score(tmp_path, gold, system, official=True)
    official = rows["tags, strict", "Overall (macro)"]
    assert (official.precision, official.recall, official.f1) == (1 / 3, 1 / 3, 1 / 3)
    _, rows, _ = score(tmp_path, gold, system, official=False)
    corrected = rows["tags, strict", "Overall (macro)"]
    assert corrected.precision == pytest.approx((1 + 0 + 0) / 3)
    assert corrected.recall == pytest.approx((10 / 11 + 0 + 0) / 3)
    assert corrected.f1 == pytest.approx((20 / 21 + 0 + 0) / 3)
    assert counts(corrected) == (None, None, None) and corrected.counts == ()


def test_a_discontinuous_span_has_pieces(tmp_path: Path) -> None:
    found = both(tmp_path, drugs("0 4;10 14"), drugs("0 14"))
    assert [counts(rows[STRICT]) for rows in found] == [(1, 0, 0), (0, 1, 1)]
    assert [counts(rows[LENIENT]) for rows in found] == [(1, 0, 0)] * 2
    (tmp_path / "between").mkdir()
    found = both(tmp_path / "between", drugs("0 4;10 14"), drugs("5 9"))
    assert [counts(rows[LENIENT]) for rows in found] == [(1, 0, 0), (0, 1, 1)]


# --- What both have in common ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("relation", "strict", "lenient"),
    [
        ("ADE-Drug Arg1:T2 Arg2:T1", True, True),
        ("ADE-Drug Arg1:T1 Arg2:T2", False, False),
        ("Reason-Drug Arg1:T2 Arg2:T1", False, False),
        ("ADE-Drug Arg1:T4 Arg2:T1", False, True),
        ("ADE-Drug Arg1:T2 Arg2:T3", False, False),
        ("ADE-Drug Arg1:T2 Arg2:T5", False, False),
    ],
)
def test_relations_want_both_arguments(
    tmp_path: Path, relation: str, strict: bool, lenient: bool
) -> None:
    tags = (
        "T1\tDrug 0 7\tx\nT2\tADE 10 14\tx\nT3\tADE 0 7\tx\nT4\tADE 12 16\tx\nT5\tDrug 20 25\tx\n"
    )
    for rows in both(tmp_path, f"{tags}R1\tADE-Drug Arg1:T2 Arg2:T1\n", f"{tags}R1\t{relation}\n"):
        for mode, hit in (("strict", strict), ("lenient", lenient)):
            row = rows[f"relations, {mode}", "Overall (micro)"]
            assert counts(row) == ((1, 0, 0) if hit else (0, 1, 1))


def test_spans_side_by_side_share_nothing(tmp_path: Path) -> None:
    for rows in both(tmp_path, drugs("0 4"), drugs("4 9")):
        assert counts(rows[LENIENT]) == (0, 1, 1)


tags = st.builds(
    lambda start, length, label: Annotation(((((start,), (start + length,)),),), (label,)),
    st.integers(0, 12),
    st.integers(1, 5),
    st.sampled_from(["Drug", "ADE", "Other"]),
)
relations = st.builds(
    lambda first, second, label: Annotation(
        first.extents + second.extents, (label, first.label, second.label)
    ),
    tags,
    tags,
    st.sampled_from(["ADE-Drug", "Other-Drug"]),
)
sides = st.lists(tags | relations, max_size=6)
documents = st.lists(
    st.builds(Pair, st.just("a"), sides, st.none() | sides), min_size=1, max_size=3
)


def agrees(gold: Annotation, found: Annotation, mode: str) -> bool:
    if gold.labels != found.labels:
        return False
    for (((a,), (b,)),), (((c,), (d,)),) in zip(gold.extents, found.extents, strict=True):
        if not ((a, b) == (c, d) if mode == "strict" else set(range(a, b)) & set(range(c, d))):
            return False
    return True


def slow_official(
    gold: Sequence[Annotation], system: Sequence[Annotation], mode: str
) -> tuple[int, int, int]:
    """The rules one after the other, over every pair."""
    kept = list(range(len(system)))
    matched: set[int] = set()
    for j, found in enumerate(system):
        for i, annotation in enumerate(gold):
            if agrees(annotation, found, mode):
                if i in matched and j in kept:
                    kept.remove(j)
                matched.add(i)
    tp = sum(any(agrees(g, system[j], mode) for g in gold) for j in kept)
    return tp, len(gold) - tp, len(kept) - tp


def largest(gold: Sequence[Annotation], system: Sequence[Annotation], mode: str) -> int:
    """The size of the largest pairing, by trying all."""
    if not gold:
        return 0
    best = largest(gold[1:], system, mode)
    for j, found in enumerate(system):
        if agrees(gold[0], found, mode):
            rest = [*system[:j], *system[j + 1 :]]
            best = max(best, 1 + largest(gold[1:], rest, mode))
    return best


@settings(deadline=None, max_examples=200)
@given(documents)
def test_scores_by_brute_force(pairs: list[Pair]) -> None:
    official, corrected = (
        {(row.section, row.label): row for row in score_n2c2(pairs, official=how)}
        for how in (True, False)
    )
    for table, arity, label, title in (
        ("tags", 1, "ADE", "Ade"),
        ("tags", 1, None, "Overall (micro)"),
        ("relations", 2, "ADE-Drug", "ADE -> Drug"),
        ("relations", 2, None, "Overall (micro)"),
    ):
        for mode in ("strict", "lenient"):
            slow = [0, 0, 0]
            tp = gold_total = system_total = 0
            for pair in pairs:
                gold, system = (
                    [a for a in side or () if len(a.extents) == arity and label in (None, a.label)]
                    for side in (pair.reference, pair.system)
                )
                if pair.system is not None:
                    slow = [
                        x + y for x, y in zip(slow, slow_official(gold, system, mode), strict=True)
                    ]
                tp += largest(gold, system, mode)
                gold_total, system_total = gold_total + len(gold), system_total + len(system)
            key = (f"{table}, {mode}", title)
            assert counts(official[key]) == tuple(slow)
            assert counts(corrected[key]) == (tp, gold_total - tp, system_total - tp)


@settings(deadline=None)
@given(documents)
def test_corrected_scores_are_symmetric(pairs: list[Pair]) -> None:
    pairs = [replace(pair, system=pair.system or []) for pair in pairs]
    turned = [replace(pair, reference=pair.system, system=pair.reference) for pair in pairs]
    for row, other in zip(score_n2c2(pairs), score_n2c2(turned), strict=True):
        assert (row.tp, row.fp, row.fn) == counts(other)
        assert (row.precision, row.recall) == (other.recall, other.precision)
