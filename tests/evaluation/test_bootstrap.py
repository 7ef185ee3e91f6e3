from itertools import product

import numpy
import pytest

from spacy_bertlstm.evaluation.bootstrap import (
    bootstrap_intervals,
    count_matches,
    randomization_test,
)


def f1(counts: numpy.ndarray) -> float:
    tp, fp, fn = counts.sum(axis=0)
    return 2 * tp / (2 * tp + fp + fn)


def test_a_match_has_the_same_bounds_and_label() -> None:
    gold = [(0, 2, "problem"), (5, 6, "test"), (8, 9, "test")]
    predicted = [(0, 2, "problem"), (5, 6, "problem"), (8, 10, "test")]
    assert count_matches(gold, predicted) == (1, 2, 2)
    assert count_matches([], []) == (0, 0, 0)


def test_the_estimates_are_micro_averages() -> None:
    intervals = bootstrap_intervals([(3, 1, 0), (0, 0, 2), (1, 0, 0)])
    assert intervals["p"].estimate == pytest.approx(4 / 5)
    assert intervals["r"].estimate == pytest.approx(4 / 6)
    assert intervals["f"].estimate == pytest.approx(8 / 11)


def test_like_documents_leave_no_doubt() -> None:
    interval = bootstrap_intervals([(3, 1, 1)] * 5)["f"]
    assert interval.low == interval.estimate == interval.high


def test_the_interval_is_that_of_all_possible_samples(rng: numpy.random.Generator) -> None:
    """Four documents can be drawn in 256 ways, which can be counted out."""
    counts = rng.integers(1, 20, size=(4, 3))
    values = [f1(counts[list(drawn)]) for drawn in product(range(4), repeat=4)]
    low, high = numpy.quantile(values, [0.025, 0.975])
    interval = bootstrap_intervals(counts.tolist(), samples=50_000)["f"]
    assert interval.low == pytest.approx(low, abs=0.01)
    assert interval.high == pytest.approx(high, abs=0.01)


def test_samples_without_the_label_count_for_nothing() -> None:
    """One of three documents has the label; three of ten samples are without it."""
    found = bootstrap_intervals([(1, 0, 0), (0, 0, 0), (0, 0, 0)])
    assert {key: (interval.low, interval.high) for key, interval in found.items()} == {
        "p": (1, 1),
        "r": (1, 1),
        "f": (1, 1),
    }
    found = bootstrap_intervals([(1, 0, 0), (0, 0, 1)])
    assert (found["p"].low, found["r"].low, found["f"].low) == (1, 0, 0)


def test_no_annotation_at_all_is_no_error() -> None:
    interval = bootstrap_intervals([(0, 0, 0), (0, 0, 0)])["f"]
    assert (interval.low, interval.estimate, interval.high) == (0, 0, 0)


def test_the_paired_test_counts_all_exchanges(rng: numpy.random.Generator) -> None:
    """Eight documents can be exchanged in 256 ways, which can be counted out."""
    a, b = rng.integers(1, 20, size=(2, 8, 3))
    observed = abs(f1(a) - f1(b))
    as_large = 0
    for exchanged in product([False, True], repeat=8):
        mask = numpy.asarray(exchanged)[:, None]
        difference = f1(numpy.where(mask, b, a)) - f1(numpy.where(mask, a, b))
        as_large += abs(difference) >= observed - 1e-12
    p = randomization_test(a.tolist(), b.tolist(), samples=50_000)
    assert p == pytest.approx(as_large / 256, abs=0.01)


def test_a_system_does_not_differ_from_itself(rng: numpy.random.Generator) -> None:
    a = rng.integers(0, 20, size=(10, 3)).tolist()
    assert randomization_test(a, a) == 1.0


def test_a_system_that_wins_everywhere_differs() -> None:
    assert randomization_test([(9, 1, 1)] * 12, [(5, 5, 5)] * 12) < 0.01
