"""From what is scored of mentions to what holds between their concepts.

Members say which pairs speak for which units, pairs of concepts: (n_members, 2), a pair and a
unit each, sorted by unit, no unit without a member. Scores are logits; -inf rules a label out.
"""

from collections.abc import Callable, Sequence

import numpy

from spacy_bertlstm.heads.pairs import count_up

# From the gradient by units to that by pairs.
Backprop = Callable[[numpy.ndarray], numpy.ndarray]
# From logits by pairs and members to logits by units.
Aggregate = Callable[[numpy.ndarray, numpy.ndarray], tuple[numpy.ndarray, Backprop]]

# Below it, exp(x) is so small that log(1 + exp(x)) and log(exp(exp(x)) - 1) are both exp(x);
# above its negative, log(exp(x) - 1) is x.
_TINY = -35.0


def join_concepts(
    pairs: numpy.ndarray, concepts: Sequence[Sequence[int]]
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Which pairs of concepts the pairs of mentions speak for.

    pairs (numpy.ndarray): (n_pairs, 2) mentions.
    concepts (Sequence[Sequence[int]]): The concepts of each mention: none, one, or several
        where it is composite.
    RETURNS (tuple): The units, (n_units, 2) different concepts, and their members.
    """
    counts = numpy.asarray([len(found) for found in concepts], dtype="int64")
    flat = numpy.asarray([concept for found in concepts for concept in found], dtype="int64")
    firsts = numpy.cumsum(counts) - counts
    heads, tails = pairs.T
    combinations = counts[heads] * counts[tails]
    number = numpy.repeat(numpy.arange(len(pairs)), combinations)
    step = count_up(combinations)
    of_head = flat[firsts[heads[number]] + step // counts[tails[number]]]
    of_tail = flat[firsts[tails[number]] + step % counts[tails[number]]]
    apart = of_head != of_tail
    ends = numpy.stack([of_head, of_tail], axis=1)[apart]
    units, unit = numpy.unique(ends, axis=0, return_inverse=True)
    members = numpy.stack([number[apart], unit.reshape(-1)], axis=1)
    return units, members[numpy.argsort(members[:, 1], kind="stable")]


def aggregate_single(
    logits: numpy.ndarray, members: numpy.ndarray
) -> tuple[numpy.ndarray, Backprop]:
    """Each unit is its one pair, in the same order."""
    return logits, lambda d_units: d_units


def aggregate_max(logits: numpy.ndarray, members: numpy.ndarray) -> tuple[numpy.ndarray, Backprop]:
    """A unit is as likely as its likeliest pair; several that tie share the gradient."""
    starts = unit_starts(members)
    of_members = logits[members[:, 0]]
    best = numpy.maximum.reduceat(of_members, starts)
    chosen = numpy.isfinite(of_members) & (of_members == best[members[:, 1]])
    ties = numpy.add.reduceat(chosen.astype("float64"), starts)[members[:, 1]]
    chosen = chosen / numpy.maximum(ties, 1)
    return best, _scatter(logits, members, chosen)


def aggregate_noisy_or(
    logits: numpy.ndarray, members: numpy.ndarray
) -> tuple[numpy.ndarray, Backprop]:
    """A unit holds unless each of its pairs, independently of the others, does not.

    With s the sum of log(1 + exp(logit)) over its pairs, a unit's probability is 1 - exp(-s) and
    its logit log(exp(s) - 1), calculated from log(s), which tiny probabilities do not underflow.
    """
    of_members = logits[members[:, 0]]
    log_sums = numpy.logaddexp.reduceat(_log_softplus(of_members), unit_starts(members))
    sums = numpy.exp(log_sums)
    joined = numpy.where(log_sums < _TINY, log_sums, _log_expm1(sums))
    # d joined / d logit = sigmoid(logit) * exp(s) / (exp(s) - 1), of one that is ruled out 0.
    open_ = numpy.isfinite(of_members)
    finite = numpy.where(open_, of_members, 0.0)
    unit = members[:, 1]
    log_slopes = finite - numpy.logaddexp(0, finite)
    log_slopes += numpy.where(open_, sums[unit] - joined[unit], 0.0)
    return joined, _scatter(logits, members, numpy.where(open_, numpy.exp(log_slopes), 0.0))


AGGREGATES: dict[str, Aggregate] = {"max": aggregate_max, "noisy_or": aggregate_noisy_or}


def unit_starts(members: numpy.ndarray) -> numpy.ndarray:
    """Where the members of each unit begin."""
    return numpy.flatnonzero(numpy.diff(members[:, 1], prepend=-1))


def _scatter(logits: numpy.ndarray, members: numpy.ndarray, slopes: numpy.ndarray) -> Backprop:
    def backprop(d_units: numpy.ndarray) -> numpy.ndarray:
        gradient = numpy.zeros_like(logits)
        numpy.add.at(gradient, members[:, 0], slopes * d_units[members[:, 1]])
        return gradient

    return backprop


def _log_softplus(values: numpy.ndarray) -> numpy.ndarray:
    """log(log(1 + exp(x)))"""
    bounded = numpy.maximum(values, _TINY)
    return numpy.where(values < _TINY, values, numpy.log(numpy.logaddexp(0, bounded)))


def _log_expm1(values: numpy.ndarray) -> numpy.ndarray:
    """log(exp(x) - 1), for values that are not tiny."""
    bounded = numpy.clip(values, numpy.exp(_TINY), -_TINY)
    return numpy.where(values > -_TINY, values, numpy.log(numpy.expm1(bounded)))
