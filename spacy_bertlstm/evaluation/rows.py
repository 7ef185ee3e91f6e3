"""The rows of a scorer's report, and what documents make of them: intervals and tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from spacy_bertlstm.evaluation.bootstrap import (
    bootstrap_intervals,
    randomization_test,
)

# True positives, false positives and false negatives of one document.
Counts = tuple[int, int, int]
Intervals = dict[str, tuple[float, float] | None]
MEASURES = ("precision", "recall", "f1")


@dataclass(frozen=True)
class Row:
    """One row of a report; None stands where a figure is undefined.

    section (str): The table that it stands in.
    label (str): What it is about, unique in its section.
    counts (tuple[Counts, ...]): Of each document, where the row is their sum; else none.
    """

    section: str
    label: str
    tp: int | None
    fn: int | None
    fp: int | None
    precision: float | None
    recall: float | None
    f1: float | None
    counts: tuple[Counts, ...] = ()

    @classmethod
    def of(cls, section: str, label: str, counts: Sequence[Counts]) -> Row:
        """The row that sums up documents."""
        tp, fp, fn = add(counts)
        return cls(
            section,
            label,
            tp=tp,
            fn=fn,
            fp=fp,
            precision=divide(tp, tp + fp),
            recall=divide(tp, tp + fn),
            f1=divide(2 * tp, 2 * tp + fp + fn),
            counts=tuple(counts),
        )

    def to_dict(self) -> dict[str, Any]:
        """The row without its documents."""
        keys = ("section", "label", "tp", "fn", "fp", *MEASURES)
        return {key: getattr(self, key) for key in keys}

    def intervals(self, *, samples: int, seed: int = 0) -> Intervals | None:
        """95 % intervals over documents, by measure.

        samples (int): How often documents are drawn.
        seed (int): Of the draws.
        RETURNS (Intervals | None): The bounds, None for an undefined measure; None for all
            where the row is no sum of documents.
        """
        if not self.counts:
            return None
        found = bootstrap_intervals(self.counts, samples=samples, seed=seed)
        return {
            measure: None if getattr(self, measure) is None else (found[key].low, found[key].high)
            for measure, key in zip(MEASURES, "prf", strict=True)
        }


@dataclass(frozen=True)
class Comparison:
    """One row of two systems.

    difference (float | None): The second's F1 less the first's.
    p (float | None): Of the paired approximate-randomization test over documents; None where
        the row is no sum of documents, or nothing stands in it.
    """

    first: Row
    second: Row
    difference: float | None
    p: float | None

    def to_dict(self) -> dict[str, Any]:
        scores = [
            {key: value for key, value in row.to_dict().items() if key not in ("section", "label")}
            for row in (self.first, self.second)
        ]
        return {
            "section": self.first.section,
            "label": self.first.label,
            "systems": scores,
            "difference": self.difference,
            "p": self.p,
        }


def compare_rows(
    first: Sequence[Row], second: Sequence[Row], *, samples: int, seed: int = 0
) -> list[Comparison]:
    """Compare two systems row by row.

    first, second (Sequence[Row]): Of the same documents in the same order.
    samples (int): How often the systems' outputs on random documents are exchanged.
    seed (int): Of the exchanges.
    """
    compared = []
    for a, b in zip(first, second, strict=True):
        difference = None if a.f1 is None or b.f1 is None else b.f1 - a.f1
        p = None
        if any(map(any, a.counts + b.counts)):
            # A document on which the two count alike changes nothing when they are exchanged.
            differing = [(x, y) for x, y in zip(a.counts, b.counts, strict=True) if x != y]
            alike = [x for x, y in zip(a.counts, b.counts, strict=True) if x == y]
            p = randomization_test(
                [add(alike), *(x for x, _ in differing)],
                [add(alike), *(y for _, y in differing)],
                samples=samples,
                seed=seed,
            )
        compared.append(Comparison(a, b, difference, p))
    return compared


def divide(part: float, whole: float) -> float | None:
    """A share, None of nothing."""
    return part / whole if whole else None


def add(counts: Iterable[Counts]) -> Counts:
    """The sum of counts."""
    tp = fp = fn = 0
    for found in counts:
        tp, fp, fn = tp + found[0], fp + found[1], fn + found[2]
    return tp, fp, fn
