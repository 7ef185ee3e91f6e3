"""A linear-chain conditional random field: scores, loss and exact decoding, as pure functions.

Source: Lafferty, McCallum, Pereira, "Conditional random fields", ICML 2001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from thinc.api import Ops, get_array_module
from thinc.types import Floats1d, Floats2d

# The score of what cannot be. Finite, so that no difference of two is undefined; far below
# any sum of real scores, so that its exponential is exactly zero.
IMPOSSIBLE = -1e9


@dataclass
class CrfScores:
    """The scores of a batch, or, in the same shape, their gradient.

    emissions (list[Floats2d]): One (length, n_tags) array a text.
    starts (Floats1d): Of each tag beginning a text, (n_tags,).
    ends (Floats1d): Of each tag ending a text, (n_tags,).
    transitions (Floats2d): Of the column's tag following the row's, (n_tags, n_tags).
    """

    emissions: list[Floats2d]
    starts: Floats1d
    ends: Floats1d
    transitions: Floats2d


@dataclass(frozen=True)
class Legality:
    """Which tags may begin and end a text and follow each other, as booleans."""

    starts: numpy.ndarray
    ends: numpy.ndarray
    transitions: numpy.ndarray


@dataclass
class _Expectations:
    """What a CRF expects of a batch.

    log_z (Floats1d): The log of the sum over all paths, (n_texts,).
    tags (Floats3d): The probability of each tag, (n_texts, longest, n_tags).
    transitions (Floats2d): The expected number of each transition, (n_tags, n_tags).
    """

    log_z: Any
    tags: Any
    transitions: Any


def crf_loss(
    ops: Ops, scores: CrfScores, allowed: Sequence[numpy.ndarray], legality: Legality
) -> tuple[float, CrfScores]:
    """The negative log-likelihood of what is known of the tags, and its gradient.

    The likelihood sums over every path through the allowed tags: with one tag a token
    allowed it is the usual one; where all are allowed, nothing is known.

    ops (Ops): Where to calculate.
    scores (CrfScores): From the model.
    allowed (Sequence[numpy.ndarray]): Booleans of shape (length, n_tags), one array a text.
    legality (Legality): Of the tag set; each text must have a legal path that is allowed.
    RETURNS (tuple[float, CrfScores]): Summed over the batch.
    """
    xp = ops.xp
    emissions, lengths = _pad(xp, scores.emissions)
    chain = _legal_chain(xp, scores, legality)
    known, _ = _pad(xp, [xp.asarray(mask) for mask in allowed])
    free = _expect(xp, emissions, lengths, *chain)
    tied = _expect(xp, xp.where(known > 0, emissions, IMPOSSIBLE), lengths, *chain)

    loss = float((free.log_z - tied.log_z).sum())
    d_tags = (free.tags - tied.tags).astype("float32")
    last = (xp.arange(len(lengths)), xp.asarray(lengths) - 1)
    gradient = CrfScores(
        emissions=[d[:length] for d, length in zip(d_tags, lengths, strict=True)],
        starts=d_tags[:, 0].sum(axis=0),
        ends=d_tags[last].sum(axis=0),
        transitions=(free.transitions - tied.transitions).astype("float32"),
    )
    return loss, gradient


def crf_decode(scores: CrfScores, legality: Legality) -> list[numpy.ndarray]:
    """The best legal path of each text, by Viterbi's algorithm.

    scores (CrfScores): From the model.
    legality (Legality): Of the tag set.
    RETURNS (list[numpy.ndarray]): Tag indices, one (length,) array a text.
    """
    xp = get_array_module(scores.starts)
    emissions, lengths = _pad(xp, scores.emissions)
    starts, ends, transitions = _legal_chain(xp, scores, legality)
    n_texts, longest, n_tags = emissions.shape
    inside = _inside(xp, lengths, longest)

    best = starts + emissions[:, 0]  # (n_texts, n_tags)
    pointers = xp.zeros((longest, n_texts, n_tags), dtype="int32")
    stay = xp.arange(n_tags, dtype="int32")
    for t in range(1, longest):
        paths = best[:, :, None] + transitions  # (n_texts, before, after)
        pointers[t] = xp.where(inside[:, t, None], paths.argmax(axis=1), stay)
        step = paths.max(axis=1) + emissions[:, t]
        # Only differences matter; without this, long texts would lose precision.
        step -= step.max(axis=1, keepdims=True)
        best = xp.where(inside[:, t, None], step, best)

    tags = _to_numpy((best + ends).argmax(axis=1))
    back = _to_numpy(pointers)
    paths = numpy.zeros((n_texts, longest), dtype="int32")
    rows = numpy.arange(n_texts)
    for t in range(longest - 1, -1, -1):
        paths[:, t] = tags
        tags = back[t, rows, tags]
    return [path[:length] for path, length in zip(paths, lengths, strict=True)]


def _expect(
    xp: Any, emissions: Any, lengths: list[int], starts: Any, ends: Any, transitions: Any
) -> _Expectations:
    """Run the forward-backward algorithm in log space, normalized at every step."""
    n_texts, longest, _ = emissions.shape
    inside = _inside(xp, lengths, longest)

    forward = xp.zeros_like(emissions)
    log_z = xp.zeros(n_texts)
    state = starts + emissions[:, 0]  # (n_texts, n_tags)
    for t in range(longest):
        if t:
            # (n_texts, before, after) -> (n_texts, after)
            step = _log_sum_exp(xp, state[:, :, None] + transitions, axis=1) + emissions[:, t]
            state = xp.where(inside[:, t, None], step, state)
        scale = _log_sum_exp(xp, state, axis=1)
        log_z += scale  # zero past the end, where the state is normalized already
        state = state - scale[:, None]
        forward[:, t] = state
    log_z += _log_sum_exp(xp, state + ends, axis=1)

    tags = xp.zeros_like(emissions)
    expected = xp.zeros_like(transitions)
    state = xp.broadcast_to(ends, forward[:, 0].shape)
    for t in range(longest - 1, -1, -1):
        joint = forward[:, t] + state
        joint = joint - _log_sum_exp(xp, joint, axis=1)[:, None]
        tags[:, t] = xp.where(inside[:, t, None], xp.exp(joint), 0.0)
        if t:
            # (n_texts, before, after), of the step from t - 1 to t
            after = (emissions[:, t] + state)[:, None, :]
            pairs = forward[:, t - 1, :, None] + transitions + after
            flat = pairs.reshape(n_texts, -1)
            flat = xp.exp(flat - _log_sum_exp(xp, flat, axis=1)[:, None])
            expected += (flat * inside[:, t, None]).sum(axis=0).reshape(expected.shape)
            step = _log_sum_exp(xp, transitions + after, axis=2)
            step = step - _log_sum_exp(xp, step, axis=1)[:, None]
            state = xp.where(inside[:, t, None], step, state)
    return _Expectations(log_z, tags, expected)


def _legal_chain(xp: Any, scores: CrfScores, legality: Legality) -> tuple[Any, Any, Any]:
    pairs = (
        (scores.starts, legality.starts),
        (scores.ends, legality.ends),
        (scores.transitions, legality.transitions),
    )
    starts, ends, transitions = (
        xp.where(xp.asarray(legal), values.astype("float64"), IMPOSSIBLE) for values, legal in pairs
    )
    return starts, ends, transitions


def _pad(xp: Any, arrays: Sequence[Any]) -> tuple[Any, list[int]]:
    """Texts of length 1 at least, as one (n_texts, longest, n_tags) array of float64."""
    lengths = [len(array) for array in arrays]
    padded = xp.zeros((len(arrays), max(lengths), arrays[0].shape[1]), dtype="float64")
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded, lengths


def _inside(xp: Any, lengths: list[int], longest: int) -> Any:
    return xp.arange(longest) < xp.asarray(lengths)[:, None]


def _log_sum_exp(xp: Any, values: Any, axis: int) -> Any:
    top = values.max(axis=axis, keepdims=True)
    return xp.log(xp.exp(values - top).sum(axis=axis)) + top.squeeze(axis)


def _to_numpy(array: Any) -> numpy.ndarray:
    return array.get() if hasattr(array, "get") else array
