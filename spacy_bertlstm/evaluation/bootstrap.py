"""Intervals and paired tests for precision, recall and F1, with the document as the unit.

Sources: Efron, Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile intervals);
Noreen, "Computer-Intensive Methods for Testing Hypotheses", 1989 (approximate randomization).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy

Ints2d = numpy.ndarray
Floats2d = numpy.ndarray


@dataclass(frozen=True)
class Interval:
    """An estimate between the bounds of its interval."""

    estimate: float
    low: float
    high: float


def count_matches(gold: Iterable[Hashable], predicted: Iterable[Hashable]) -> tuple[int, int, int]:
    """Count what was found, wrongly found and missed in one document.

    gold (Iterable[Hashable]): Annotations such as (start, end, label).
    predicted (Iterable[Hashable]): The same of a system.
    RETURNS (tuple[int, int, int]): True positives, false positives, false negatives.
    """
    gold, predicted = set(gold), set(predicted)
    found = len(gold & predicted)
    return found, len(predicted) - found, len(gold) - found


def bootstrap_intervals(
    counts: Sequence[Sequence[int]], *, samples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Percentile intervals of micro-averaged precision, recall and F1 over documents.

    Samples in which a figure is undefined, as without any document that has the label, count
    for nothing.

    counts (Sequence[Sequence[int]]): True positives, false positives and false negatives of
        each document, shape (n_documents, 3).
    samples (int): How often as many documents are drawn, with replacement.
    level (float): The share of samples inside the interval.
    seed (int): Of the draws.
    RETURNS (dict[str, Interval]): Under "p", "r" and "f", between 0 and 1.
    """
    table = _as_table(counts)
    sums = draw_documents(len(table), samples=samples, seed=seed) @ table
    values = numpy.where(_wholes(sums) > 0, _prf(sums), numpy.nan)
    return {key: as_interval(column, level) for key, column in zip("prf", values.T, strict=True)}


def draw_documents(count: int, *, samples: int, seed: int = 0) -> Ints2d:
    """How often each document counts: once, and then as often as each sample draws it.

    count (int): Documents.
    samples (int): How often as many documents are drawn, with replacement.
    seed (int): Of the draws.
    RETURNS (Ints2d): Shape (1 + samples, count), ones in the first row.
    """
    rng = numpy.random.default_rng(seed)
    draws = rng.multinomial(count, [1 / count] * count, size=samples)
    return numpy.concatenate([numpy.ones((1, count), dtype=draws.dtype), draws])


def as_interval(values: numpy.ndarray, level: float = 0.95) -> Interval:
    """The percentile interval of a figure.

    values (numpy.ndarray): The estimate, and then the figure of each sample; NaN where it is
        undefined. A sample without it counts for nothing, an estimate without it is 0.
    level (float): The share of samples inside the interval.
    """
    estimate, *_ = numpy.nan_to_num(values[:1])
    defined = values[1:][~numpy.isnan(values[1:])]
    if not len(defined):
        defined = numpy.asarray([estimate])
    low, high = numpy.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(estimate), float(low), float(high))


def randomization_test(
    counts_a: Sequence[Sequence[int]],
    counts_b: Sequence[Sequence[int]],
    *,
    samples: int = 10_000,
    seed: int = 0,
) -> float:
    """How likely two equally good systems differ in micro F1 by as much as these two, or more.

    counts_a, counts_b (Sequence[Sequence[int]]): As for `bootstrap_intervals`, of two systems
        on the same documents in the same order.
    samples (int): How often the systems' outputs on random documents are exchanged.
    seed (int): Of the exchanges.
    RETURNS (float): The two-sided p-value.
    """
    a, b = _as_table(counts_a), _as_table(counts_b)
    observed = abs(_f1_difference(a.sum(axis=0)[None], b.sum(axis=0)[None])[0])
    rng = numpy.random.default_rng(seed)
    # What of a document's difference each system keeps, (samples, 3); exact, as floats are fast.
    keep = rng.integers(2, size=(samples, len(a))).astype("float64")
    kept = keep @ (a - b).astype("float64")
    differences = _f1_difference(b.sum(axis=0) + kept, a.sum(axis=0) - kept)
    # A difference equal to the observed one counts, whatever the rounding.
    as_large = int((abs(differences) >= observed - 1e-12).sum())
    return (as_large + 1) / (samples + 1)


def _as_table(counts: Sequence[Sequence[int]]) -> Ints2d:
    return numpy.asarray(counts, dtype="int64").reshape(-1, 3)


def _prf(counts: Ints2d | Floats2d) -> Floats2d:
    """Precision, recall and F1 of each row of counts; 0 where there is nothing to count."""
    tp = counts[:, 0]
    parts: Floats2d = numpy.stack([tp, tp, 2 * tp], axis=1) / numpy.maximum(_wholes(counts), 1)
    return parts


def _wholes(counts: Ints2d | Floats2d) -> Ints2d | Floats2d:
    """What precision, recall and F1 are shares of; they are undefined where it is 0."""
    tp, fp, fn = counts.T
    return numpy.stack([tp + fp, tp + fn, 2 * tp + fp + fn], axis=1)


def _f1_difference(a: Ints2d | Floats2d, b: Ints2d | Floats2d) -> numpy.ndarray:
    difference: numpy.ndarray = _prf(a)[:, 2] - _prf(b)[:, 2]
    return difference
