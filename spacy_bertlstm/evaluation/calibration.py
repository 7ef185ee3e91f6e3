"""How far confidences can be believed, the temperature that mends them, the best threshold.

Sources: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017
(temperature, expected calibration error).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

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


def fit_threshold(
    confidences: Sequence[float] | numpy.ndarray,
    right: Sequence[bool] | numpy.ndarray,
    total: int,
) -> float | None:
    """Find the least confidence that gives the best F1.

    confidences (Sequence[float]): Of all that was proposed.
    right (Sequence[bool]): Whether each is right.
    total (int): How many are to be found, whether they were proposed or not.
    RETURNS (float | None): Halfway from the last that is found to the next; None where nothing
        that was proposed is right.
    """
    values = numpy.asarray(confidences, dtype="float64")
    order = numpy.argsort(-values, kind="stable")
    values = values[order]
    hits = numpy.cumsum(numpy.asarray(right, dtype=bool)[order])
    if not len(hits) or not hits[-1]:
        return None
    scores = 2 * hits / (numpy.arange(1, len(hits) + 1) + total)
    following = numpy.append(values[1:], 0.0)
    # What is equally sure is found together.
    best = int(numpy.argmax(numpy.where(following < values, scores, 0.0)))
    middle = (values[best] + following[best]) / 2
    return float(middle if middle > following[best] else values[best])
