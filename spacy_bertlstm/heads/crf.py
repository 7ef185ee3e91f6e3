"""A linear-chain conditional random field: scores, loss, decoding and probabilities, all exact.

Source: Lafferty, McCallum, Pereira, "Conditional random fields", ICML 2001.

Steps are many, small, and wait for each other, so they run in numpy on the CPU wherever the
model runs: what moves between the devices is one score a token and tag.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy
from thinc.api import get_array_module
from thinc.types import Floats1d, Floats2d
from thinc.util import to_numpy

# The score of what cannot be. Finite, so that no difference of two scores is undefined; far below
# any sum of real ones, so that its exponential is exactly zero.
IMPOSSIBLE = -1e9

# Below these, sums of scores stay far from those of what cannot be.
LARGEST_SCORE = 1e8

# Whatever underflow took from a sum of exponentials above it is less than 1e-100 of the sum.
_TINY = 1e-200
_LOG_TINY = math.log(_TINY)

# A run of tags in a text: the index of its first token, and its tags.
TagRun = tuple[int, Sequence[int] | numpy.ndarray]


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


@dataclass(frozen=True)
class Lattice:
    """Scores in float64 with what cannot be ruled out, in the order of the steps.

    A row is a token: the first token of each text, the longest text first, then the second
    tokens, and so on. The texts "abc", "d" and "ef" lie as

        a e d | b f | c        sizes: 3, 2, 1        rows: (0, 3, 5), (2,), (1, 4)

    emissions (numpy.ndarray): (n_rows, n_tags).
    starts, ends, transitions (numpy.ndarray): As in CrfScores.
    rows (list[numpy.ndarray]): Of each text's tokens, in the order of the texts.
    sizes (list[int]): The number of texts at each step.
    """

    emissions: numpy.ndarray
    starts: numpy.ndarray
    ends: numpy.ndarray
    transitions: numpy.ndarray
    rows: list[numpy.ndarray]
    sizes: list[int]


def make_lattice(
    scores: CrfScores, legality: Legality, allowed: Sequence[numpy.ndarray | None] | None = None
) -> Lattice:
    """Lay out a batch for the functions below.

    scores (CrfScores): From the model; a text may be empty.
    legality (Legality): Of the tag set.
    allowed (Sequence[numpy.ndarray | None] | None): The tags that the tokens of each text may
        have, as booleans of shape (length, n_tags), None for all. A text must have a legal
        path that is allowed.
    """
    rows, sizes = _lay_out([len(array) for array in scores.emissions])
    emissions = numpy.empty((sum(sizes), len(scores.starts)))
    masks = [None] * len(rows) if allowed is None else allowed
    for text_rows, array, mask in zip(rows, scores.emissions, masks, strict=True):
        values = to_numpy(array)
        emissions[text_rows] = values if mask is None else numpy.where(mask, values, IMPOSSIBLE)
    pairs = (
        (scores.starts, legality.starts),
        (scores.ends, legality.ends),
        (scores.transitions, legality.transitions),
    )
    starts, ends, transitions = (
        numpy.where(legal, to_numpy(values).astype("float64"), IMPOSSIBLE)
        for values, legal in pairs
    )
    return Lattice(emissions, starts, ends, transitions, rows, sizes)


def crf_decode(lattice: Lattice) -> list[numpy.ndarray]:
    """The best path of each text, by Viterbi's algorithm.

    RETURNS (list[numpy.ndarray]): Tag indices, one (length,) array a text.
    """
    steps = _steps(lattice.sizes)
    pairs = [
        (slice(before.start, before.start + step.stop - step.start), step)  # whose texts go on
        for before, step in pairwise(steps)
    ]
    # The score of the best way to each row and tag. Never normalized: even over very long texts,
    # sums in float64 keep more digits than the scores of float32 have.
    best = lattice.emissions.T.copy()  # (n_tags, n_rows)
    best[:, : max(lattice.sizes, default=0)] += lattice.starts[:, None]
    transitions = lattice.transitions[:, :, None]
    for before, step in pairs:
        # (before, after, n_texts) -> (after, n_texts)
        best[:, step] += (best[:, None, before] + transitions).max(axis=0)

    best = best.T.copy()
    path = (best + lattice.ends).argmax(axis=1)  # of the rows that texts end in
    into = lattice.transitions.T.copy()  # (after, before)
    for before, step in reversed(pairs):
        path[before] = (best[before] + into[path[step]]).argmax(axis=1)
    return [path[rows] for rows in lattice.rows]


def crf_log_probs(
    lattice: Lattice, tag_runs: Sequence[Sequence[TagRun]], *, temperature: float = 1.0
) -> list[numpy.ndarray]:
    """The logs of the probabilities that runs of tokens have exactly the given tags.

    All paths through a run are summed: with the tags B, I and L of one label it is the
    probability of an entity with its boundaries and its label.

    lattice (Lattice): A batch.
    tag_runs (Sequence[Sequence[TagRun]]): Any number a text, each of one token at least.
    temperature (float): Divides all scores.
    RETURNS (list[numpy.ndarray]): One (n_runs,) array a text.
    """
    stops = numpy.cumsum([len(own) for own in tag_runs])
    rows_and_tags = [
        (rows[start : start + len(tags)], tags)
        for rows, own in zip(lattice.rows, tag_runs, strict=True)
        for start, tags in own
    ]
    if not rows_and_tags:
        return [numpy.zeros(0) for _ in tag_runs]
    lattice = _cool(lattice, temperature)
    forward, backward, _ = _pass_messages(lattice, lattice.emissions)
    # All runs one behind the other, (n_tokens,).
    row, tag = (numpy.concatenate(arrays) for arrays in zip(*rows_and_tags, strict=True))
    lengths = numpy.asarray([len(tags) for _, tags in rows_and_tags])
    first = lengths.cumsum() - lengths
    later = numpy.delete(numpy.arange(len(row)), first)
    # The chance of a run's first tag, then of each tag given the one before: a product of
    # shares, where sums over the text's whole length would cancel.
    shares = numpy.empty(len(row))
    at = row[first]
    shares[first] = _log_share(forward[at] + backward[at] - lattice.emissions[at], tag[first])
    shares[later] = _log_share(
        lattice.transitions[tag[later - 1]] + backward[row[later]], tag[later]
    )
    return numpy.split(numpy.add.reduceat(shares, first), stops[:-1])


def crf_loss(
    scores: CrfScores, allowed: Sequence[numpy.ndarray], legality: Legality
) -> tuple[float, CrfScores]:
    """The negative log-likelihood of what is known of the tags, and its gradient.

    The likelihood sums over every path through the allowed tags: with one tag a token
    allowed it is the usual one; where all are allowed, nothing is known.

    scores (CrfScores): From the model.
    allowed (Sequence[numpy.ndarray]): Booleans of shape (length, n_tags), one array a text.
    legality (Legality): Of the tag set; each text must have a legal path that is allowed.
        Where all is legal and scores of transitions are zero, the loss is the cross-entropy.
    RETURNS (tuple[float, CrfScores]): Summed over the batch.
    """
    lattice = make_lattice(scores, legality)
    known = make_lattice(scores, legality, allowed)
    # One run for both: all that is legal, and what is known besides.
    emissions = numpy.stack([lattice.emissions, known.emissions])
    forward, backward, log_z = _pass_messages(lattice, emissions)
    joint = forward + backward - emissions
    free, tied = numpy.exp(joint - _log_sum_exp(joint, axis=-1)[..., None])

    xp = get_array_module(scores.starts)
    d_tags = (free - tied).astype("float32")
    gradient = CrfScores(
        emissions=[xp.asarray(d_tags[rows]) for rows in lattice.rows],
        starts=xp.asarray(d_tags[_edge(lattice, 0)].sum(axis=0)),
        ends=xp.asarray(d_tags[_edge(lattice, -1)].sum(axis=0)),
        transitions=xp.asarray(_transitions_gradient(lattice, forward, backward)),
    )
    return float(log_z[0] - log_z[1]), gradient


def _pass_messages(
    lattice: Lattice, emissions: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Run the forward-backward algorithm.

    lattice (Lattice): A batch.
    emissions (numpy.ndarray): The lattice's, or several such tables, stacked.
    RETURNS (tuple): Of each row and tag, the log of the sum over all ways from the text's
        begin to it, and of those from it to the text's end, both with the row's own emission
        and up to a constant a row; and the log of the sum over all paths of all texts, up to
        a constant that all tables share.
    """
    # Read from its end, a text is a lattice too: both ways run side by side.
    mirror = numpy.empty(sum(lattice.sizes), dtype="int64")
    for rows in lattice.rows:
        mirror[rows] = rows[::-1]
    ways = numpy.stack([emissions, emissions[..., mirror, :]])  # (2, ..., n_rows, n_tags)
    between = [1] * (emissions.ndim - 2)
    starts = numpy.stack([lattice.starts, lattice.ends])
    starts = starts.reshape(2, *between, 1, len(lattice.starts))
    peak = lattice.transitions.max()
    transitions = numpy.stack([lattice.transitions, lattice.transitions.T]) - peak
    transitions = transitions.reshape(2, *between, *lattice.transitions.shape)
    factors = numpy.exp(transitions)

    barred = _is_impossible(ways)

    def add_quickly(state: numpy.ndarray, step: slice) -> numpy.ndarray:
        return numpy.log(numpy.exp(state) @ factors)

    def add_carefully(state: numpy.ndarray, step: slice) -> numpy.ndarray:
        # A barred tag may be out of reach, and its sum zero; it does not matter.
        sums = numpy.exp(state) @ factors + barred[..., step, :]
        if sums.min() > _TINY:
            return numpy.log(sums)
        # (2, ..., size, before, after) -> (2, ..., size, after)
        return _log_sum_exp(state[..., None] + transitions[..., None, :, :], axis=-2)

    with numpy.errstate(divide="ignore", invalid="ignore"):
        messages, sums, tops = _walk(lattice, starts, ways, add_quickly)
    if _have_lost(lattice, messages, sums, transitions, barred):
        messages, _, tops = _walk(lattice, starts, ways, add_carefully)
    log_z = tops[0].sum(axis=(-2, -1))
    forward, backward = messages[0], messages[1][..., mirror, :]
    last = _edge(lattice, -1)
    log_z += _log_sum_exp(forward[..., last, :] + lattice.ends, axis=-1).sum(axis=-1)
    return forward, backward, log_z


def _walk(
    lattice: Lattice,
    starts: numpy.ndarray,
    ways: numpy.ndarray,
    add: Callable[[numpy.ndarray, slice], numpy.ndarray],
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Go through a batch step by step.

    lattice (Lattice): The batch.
    starts (numpy.ndarray): Of each tag beginning a text, (2, ..., 1, n_tags).
    ways (numpy.ndarray): Emissions, (2, ..., n_rows, n_tags).
    add (Callable): From a step's messages to what comes with them to the tags of the next step,
        whose rows are given, too.
    RETURNS (tuple): Of each row, its messages, the largest being 0; what has come to it; and the
        constant that was taken from its messages, (2, ..., n_rows, 1).
    """
    messages, sums = numpy.empty_like(ways), numpy.zeros_like(ways)
    tops = numpy.empty((*ways.shape[:-1], 1))
    state = starts
    for step in _steps(lattice.sizes):
        if step.start:
            state = sums[..., step, :] = add(state[..., : step.stop - step.start, :], step)
        state = state + ways[..., step, :]
        tops[..., step, :] = top = state.max(axis=-1, keepdims=True)
        messages[..., step, :] = state = state - top
    return messages, sums, tops


def _have_lost(
    lattice: Lattice,
    messages: numpy.ndarray,
    sums: numpy.ndarray,
    transitions: numpy.ndarray,
    barred: numpy.ndarray,
) -> bool:
    """Whether exponentials have underflown in the sums of `_walk`, or something is no number.

    A sum of zero is right where a tag is barred, or where all that may come before it is. That is
    so beside each entity and each whitespace token that stands there.

    lattice (Lattice): The batch.
    messages, sums (numpy.ndarray): What `_walk` gives, (2, ..., n_rows, n_tags).
    transitions (numpy.ndarray): Of both ways, (2, ..., n_tags, n_tags).
    barred (numpy.ndarray): Which tags no token of the row can have, (2, ..., n_rows, n_tags).
    RETURNS (bool): Of the whole batch.
    """
    way, *tables, row, tag = numpy.nonzero(~(barred | (sums > _LOG_TINY)))
    if not len(row):
        return False
    into = transitions.reshape(2, *transitions.shape[-2:])[way, :, tag]  # (n_suspects, n_tags)
    terms = messages[(way, *tables, _rows_before(lattice)[row])] + into
    return not _is_impossible(terms).all()


def _is_impossible(scores: numpy.ndarray) -> numpy.ndarray:
    impossible: numpy.ndarray = scores < IMPOSSIBLE / 2
    return impossible


def _transitions_gradient(
    lattice: Lattice, forward: numpy.ndarray, backward: numpy.ndarray
) -> numpy.ndarray:
    """How often each transition is expected in the first table, less how often in the second."""
    n_texts = max(lattice.sizes, default=0)
    left = forward[:, _rows_before(lattice)[n_texts:]]  # (2, n_rows - n_texts, n_tags)
    right = backward[:, n_texts:]
    factors = numpy.exp(lattice.transitions - lattice.transitions.max())
    from_left, to_right = numpy.exp(left), numpy.exp(right)
    sums = ((from_left @ factors) * to_right).sum(axis=-1)
    fine = sums > _TINY
    to_right *= (fine / numpy.where(fine, sums, 1.0))[..., None]
    expected = factors * (from_left.swapaxes(1, 2) @ to_right)
    for table, row in zip(*numpy.nonzero(~fine), strict=True):
        pairs = left[table, row, :, None] + lattice.transitions + right[table, row]
        expected[table] += numpy.exp(pairs - _log_sum_exp(pairs.ravel(), axis=0))
    gradient: numpy.ndarray = expected[0] - expected[1]
    return gradient.astype("float32")


def _cool(lattice: Lattice, temperature: float) -> Lattice:
    """Divide all scores, but for those of what cannot be."""

    def divide(scores: numpy.ndarray) -> numpy.ndarray:
        return numpy.where(_is_impossible(scores), scores, scores / temperature)

    return replace(
        lattice,
        emissions=divide(lattice.emissions),
        starts=divide(lattice.starts),
        ends=divide(lattice.ends),
        transitions=divide(lattice.transitions),
    )


def _lay_out(lengths: Sequence[int]) -> tuple[list[numpy.ndarray], list[int]]:
    """The rows of each text and the sizes of the steps, as `Lattice` shows them."""
    by_length = numpy.argsort([-length for length in lengths], kind="stable")
    ascending = numpy.sort(numpy.asarray(lengths, dtype="int64"))
    steps = numpy.arange(max(lengths, default=0))
    sizes = len(lengths) - numpy.searchsorted(ascending, steps, side="right")
    begins = numpy.cumsum(sizes) - sizes
    places = numpy.argsort(by_length)
    rows = [begins[:length] + place for length, place in zip(lengths, places, strict=True)]
    return rows, sizes.tolist()


def _steps(sizes: Sequence[int]) -> list[slice]:
    """The rows of each step."""
    stops = numpy.cumsum(sizes, dtype="int64").tolist()
    return [slice(stop - size, stop) for stop, size in zip(stops, sizes, strict=True)]


def _rows_before(lattice: Lattice) -> numpy.ndarray:
    """Of each row that of the token before it; any for the first tokens of the texts."""
    before = numpy.zeros(sum(lattice.sizes), dtype="int64")
    for rows in lattice.rows:
        before[rows[1:]] = rows[:-1]
    return before


def _edge(lattice: Lattice, place: int) -> numpy.ndarray:
    """The rows of the first (0) or last (-1) tokens of the texts that have any."""
    return numpy.asarray([rows[place] for rows in lattice.rows if len(rows)], dtype="int64")


def _log_share(values: numpy.ndarray, columns: numpy.ndarray) -> numpy.ndarray:
    """The log of what one column of each row of logs has of the row's sum."""
    chosen: numpy.ndarray = values[numpy.arange(len(values)), columns]
    return chosen - _log_sum_exp(values, axis=1)


def _log_sum_exp(values: numpy.ndarray, axis: int) -> numpy.ndarray:
    top = values.max(axis=axis, keepdims=True)
    sums: numpy.ndarray = numpy.log(numpy.exp(values - top).sum(axis=axis))
    return sums + top.squeeze(axis)
