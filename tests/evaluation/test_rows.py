"""Rows, their intervals and the comparison of two systems."""

from __future__ import annotations

import numpy
import pytest

from spacy_bertlstm.evaluation.bootstrap import bootstrap_intervals, randomization_test
from spacy_bertlstm.evaluation.rows import Row, compare_rows


def test_a_row_sums_up_documents() -> None:
    row = Row.of("section", "label", [(3, 1, 0), (0, 0, 2)])
    assert row.to_dict() == {
        "section": "section",
        "label": "label",
        "tp": 3,
        "fn": 2,
        "fp": 1,
        "precision": 3 / 4,
        "recall": 3 / 5,
        "f1": 6 / 9,
    }


@pytest.mark.parametrize(
    ("counts", "scores"),
    [
        ((0, 0, 0), (None, None, None)),
        ((0, 1, 0), (0, None, 0)),
        ((0, 0, 1), (None, 0, 0)),
    ],
)
def test_what_is_divided_by_nothing_is_undefined(
    counts: tuple[int, int, int], scores: tuple[float | None, ...]
) -> None:
    row = Row.of("", "", [counts])
    assert (row.precision, row.recall, row.f1) == scores
    intervals = row.intervals(samples=10)
    assert intervals is not None
    assert [bounds is None for bounds in intervals.values()] == [s is None for s in scores]


def test_intervals_are_those_of_the_bootstrap() -> None:
    counts = [(3, 1, 0), (0, 0, 2), (5, 5, 1)]
    expected = bootstrap_intervals(counts, samples=100, seed=3)
    found = Row.of("", "", counts).intervals(samples=100, seed=3)
    assert found == {
        measure: (expected[key].low, expected[key].high)
        for measure, key in (("precision", "p"), ("recall", "r"), ("f1", "f"))
    }


def test_a_row_that_is_no_sum_has_neither_interval_nor_p() -> None:
    row = Row("", "", None, None, None, 0.5, 0.5, 0.5)
    assert row.intervals(samples=10) is None
    (compared,) = compare_rows([row], [row], samples=10)
    assert (compared.difference, compared.p) == (0, None)


def test_a_comparison_is_the_paired_test(rng: numpy.random.Generator) -> None:
    """Documents on which both count alike weigh in F1, and cannot be exchanged."""
    drawn = rng.integers(1, 20, size=(2, 12, 3))
    drawn[1, 8:] = drawn[0, 8:]
    a, b = (Row.of("s", "l", [tuple(row) for row in side.tolist()]) for side in drawn)
    (compared,) = compare_rows([a], [b], samples=20_000)
    assert a.f1 is not None and b.f1 is not None and compared.p is not None
    assert compared.difference == b.f1 - a.f1
    assert compared.p == pytest.approx(
        randomization_test(a.counts, b.counts, samples=20_000), abs=0.02
    )
    found = compared.to_dict()
    assert [system["f1"] for system in found["systems"]] == [a.f1, b.f1]


def test_a_system_does_not_differ_from_itself() -> None:
    row = Row.of("", "", [(3, 1, 0), (0, 0, 2)])
    (compared,) = compare_rows([row], [row], samples=50)
    assert (compared.difference, compared.p) == (0, 1)


def test_nothing_is_not_compared() -> None:
    row = Row.of("", "", [(0, 0, 0)])
    (compared,) = compare_rows([row], [row], samples=50)
    assert (compared.difference, compared.p) == (None, None)
