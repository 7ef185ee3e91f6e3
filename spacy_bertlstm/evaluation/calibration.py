"""How far confidences can be believed, the temperature that mends them, the best threshold.

Sources: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017
(temperature, expected calibration error).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy
from spacy.tokens import Doc

# Where a temperature is looked for, and how finely at first.
LOWEST, HIGHEST = 0.05, 20.0
_GRID = 25
# Of the logarithm at last.
_PRECISION = 1e-4

# No probability is taken to be nearer to 0 or 1, so that one error costs a finite loss.
_CERTAIN = 1e-12


@dataclass(frozen=True)
class ReliabilityBin:
    """What is so sure, and how often it is right.

    low, high (float): The bin's bounds; a confidence on a bound is in the bin above it.
    count (int): The entities in it.
    confidence (float | None): Their mean confidence; None where there are none.
    accuracy (float | None): The share of them that is right.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def judge_entities(gold: Doc, entities: Iterable[tuple[int, int, str]]) -> list[bool | None]:
    """Say which entities are right: boundaries and label as in the gold Doc.

    gold (Doc): Of the same text, its tokens may be others.
    entities (Iterable[tuple[int, int, str]]): (start, end, label) in characters.
    RETURNS (list[bool | None]): None where gold annotation is missing on part of an entity.
    """
    right = {(ent.start_char, ent.end_char, ent.label_) for ent in gold.ents}
    missing = [(t.idx, t.idx + len(t)) for t in gold if not t.ent_iob]
    return [
        None
        if any(begin < end and start < stop for begin, stop in missing)
        else (start, end, label) in right
        for start, end, label in entities
    ]


def bin_reliability(
    confidences: Sequence[float] | numpy.ndarray,
    right: Sequence[bool] | numpy.ndarray,
    *,
    bins: int = 10,
) -> list[ReliabilityBin]:
    """Sort entities into bins of equal width by their confidence.

    confidences (Sequence[float]): Probabilities.
    right (Sequence[bool]): Whether each was right.
    bins (int): How many.
    """
    values = numpy.asarray(confidences, dtype="float64")
    hits = numpy.asarray(right, dtype="float64")
    places = numpy.minimum((values * bins).astype("int64"), bins - 1)
    found = []
    for i in range(bins):
        inside = places == i
        count = int(inside.sum())
        found.append(
            ReliabilityBin(
                low=i / bins,
                high=(i + 1) / bins,
                count=count,
                confidence=float(values[inside].mean()) if count else None,
                accuracy=float(hits[inside].mean()) if count else None,
            )
        )
    return found


def expected_calibration_error(
    confidences: Sequence[float] | numpy.ndarray,
    right: Sequence[bool] | numpy.ndarray,
    *,
    bins: int = 10,
) -> float:
    """The mean distance of confidence and accuracy over bins of equal width.

    confidences (Sequence[float]): Probabilities, one at least.
    right (Sequence[bool]): Whether each was right.
    bins (int): How many; each counts by the entities in it.
    """
    error = 0.0
    for found in bin_reliability(confidences, right, bins=bins):
        if found.confidence is not None and found.accuracy is not None:
            error += found.count * abs(found.confidence - found.accuracy)
    return error / len(confidences)


def negative_log_likelihood(
    confidences: Sequence[float] | numpy.ndarray, right: Sequence[bool] | numpy.ndarray
) -> float:
    """The mean negative log of the probability given to what is the case.

    confidences (Sequence[float]): Probabilities of being right, one at least.
    right (Sequence[bool]): Whether each was.
    """
    values = numpy.clip(numpy.asarray(confidences, dtype="float64"), _CERTAIN, 1 - _CERTAIN)
    return float(-numpy.log(numpy.where(right, values, 1 - values)).mean())


def fit_temperature(
    confidences_at: Callable[[float], Sequence[float] | numpy.ndarray],
    right: Sequence[bool] | numpy.ndarray,
) -> float:
    """Find the temperature that makes what is the case most likely.

    A grid over the logarithm finds the valley, a golden-section search its floor.

    confidences_at (Callable): From a temperature to the probabilities of being right.
    right (Sequence[bool]): Whether each was; some true and some false, else the best
        temperature is at an end of the range.
    RETURNS (float): From 0.05 to 20.
    """

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(confidences_at(math.exp(log_temperature)), right)

    grid = numpy.linspace(math.log(LOWEST), math.log(HIGHEST), _GRID).tolist()
    losses = [loss(value) for value in grid]
    best = losses.index(min(losses))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]
    golden = (math.sqrt(5) - 1) / 2
    first, second = high - golden * (high - low), low + golden * (high - low)
    first_loss, second_loss = loss(first), loss(second)
    while high - low > _PRECISION:
        if first_loss <= second_loss:
            high, second, second_loss = second, first, first_loss
            first = high - golden * (high - low)
            first_loss = loss(first)
        else:
            low, first, first_loss = first, second, second_loss
            second = low + golden * (high - low)
            second_loss = loss(second)
    return math.exp((low + high) / 2)


class Average(StrEnum):
    """Which F1 thresholds are to give: over all labels together, or of each label for itself."""

    micro = "micro"
    macro = "macro"


def fit_thresholds(
    confidences: numpy.ndarray,
    right: numpy.ndarray,
    totals: Sequence[int] | numpy.ndarray,
    average: Average = Average.micro,
) -> list[float | None]:
    """Find the least confidence of each label that together give the best F1.

    confidences (numpy.ndarray): Of all that was proposed, (n_proposed, n_labels).
    right (numpy.ndarray): Whether each is right, of the same shape.
    totals (Sequence[int]): How many of each label are to be found, proposed or not.
    average (Average): With "micro" a label is found as far as it serves the F1 of all, and may
        be found nowhere; with "macro" each has its own best F1, and a rare or a hard one may cost
        the others' much.
    RETURNS (list[float | None]): Halfway from the last that is found to the next; None of a label
        of which nothing right was proposed.
    """
    columns = range(len(totals))
    cuts = [_Cuts(confidences[:, i], right[:, i]) for i in columns]
    places = [0] * len(cuts)
    for group in [columns] if average is Average.micro else [[i] for i in columns]:
        total = sum(int(totals[i]) for i in group)
        for i, place in zip(group, _best_places([cuts[i] for i in group], total), strict=True):
            places[i] = place
    return [
        cut.threshold(place) if cut.hits[-1] else None
        for cut, place in zip(cuts, places, strict=True)
    ]


class _Cuts:
    """How many of a label are found, and are right, by where its confidences are cut.

    numbers, hits, misses (numpy.ndarray): Of each cut, the first of which finds nothing.
    """

    def __init__(self, confidences: numpy.ndarray, right: numpy.ndarray) -> None:
        order = numpy.argsort(-confidences, kind="stable")
        values = confidences[order].astype("float64")
        # What is equally sure is found together.
        last = numpy.append(values[1:] < values[:-1], numpy.ones(min(1, len(values)), dtype=bool))
        self.numbers = numpy.append(0, numpy.flatnonzero(last) + 1)
        self.hits = numpy.append(0, numpy.cumsum(right[order], dtype="int64"))[self.numbers]
        self._bounds = numpy.concatenate([[1.0], values[last], [0.0]])

    def threshold(self, place: int) -> float:
        """The least confidence of what a cut finds."""
        upper, lower = self._bounds[place : place + 2]
        middle = (upper + lower) / 2
        return float(middle if middle > lower else upper)


def _best_places(cuts: Sequence[_Cuts], total: int) -> list[int]:
    """The cuts of labels that together have the best F1.

    That F1 is what one more that is found must pay for being found, so that each label can be cut
    for itself (Dinkelbach, Management Science 1967).
    """
    price = 0.0
    while True:
        places = [int(numpy.argmax(2 * cut.hits - price * cut.numbers)) for cut in cuts]
        hits, number = (
            sum(int(values[place]) for values, place in zip(arrays, places, strict=True))
            for arrays in ([cut.hits for cut in cuts], [cut.numbers for cut in cuts])
        )
        f1 = 2 * hits / max(1, number + total)
        if f1 <= price:
            return places
        price = f1
