"""From pairs of mentions to pairs of concepts: by brute force, and gradients by numbers."""

import numpy
import pytest

from spacy_bertlstm.heads.concepts import AGGREGATES, aggregate_noisy_or, join_concepts

MEMBERS = numpy.asarray([(0, 0), (1, 0), (2, 0), (1, 1), (3, 2), (4, 3), (5, 3)])


def test_concepts_are_joined_as_loops_join_them(rng: numpy.random.Generator) -> None:
    for _ in range(50):
        n = int(rng.integers(0, 7))
        concepts = [rng.permutation(4)[: int(rng.integers(0, 4))].tolist() for _ in range(n)]
        pairs = numpy.asarray(
            [(i, j) for i in range(n) for j in range(n) if i != j], dtype="int64"
        ).reshape(-1, 2)
        units, members = join_concepts(pairs, concepts)
        expected = {
            (number, head, tail)
            for number, (i, j) in enumerate(pairs.tolist())
            for head in concepts[i]
            for tail in concepts[j]
            if head != tail
        }
        assert len(set(map(tuple, units.tolist()))) == len(units)
        found = [(number, *units[unit].tolist()) for number, unit in members.tolist()]
        assert sorted(found) == sorted(expected)
        # Sorted by unit, and no unit without a member.
        assert list(dict.fromkeys(members[:, 1].tolist())) == list(range(len(units)))


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_gradients(aggregate: str, rng: numpy.random.Generator) -> None:
    logits = rng.normal(0, 2, size=(6, 3))
    logits[1, 0] = logits[4, 1] = -numpy.inf
    d_units = rng.normal(size=(4, 3))
    function = AGGREGATES[aggregate]
    _, backprop = function(logits, MEMBERS)
    gradient = backprop(d_units)
    step = 1e-6
    for place in numpy.ndindex(*logits.shape):
        if numpy.isinf(logits[place]):
            assert gradient[place] == 0
            continue
        values = []
        for sign in (1, -1):
            moved = logits.copy()
            moved[place] += sign * step
            joined, _ = function(moved, MEMBERS)
            values.append((numpy.where(numpy.isfinite(joined), joined, 0) * d_units).sum())
        slope = (values[0] - values[1]) / (2 * step)
        assert gradient[place] == pytest.approx(slope, abs=1e-6)


def test_noisy_or_is_what_its_name_says(rng: numpy.random.Generator) -> None:
    logits = rng.normal(0, 2, size=(6, 3))
    logits[0, 0] = logits[3, 1] = -numpy.inf
    joined, _ = aggregate_noisy_or(logits, MEMBERS)
    of_pairs = 1 / (1 + numpy.exp(-logits))
    for unit in range(4):
        mine = of_pairs[MEMBERS[MEMBERS[:, 1] == unit, 0]]
        expected = 1 - numpy.prod(1 - mine, axis=0)
        numpy.testing.assert_allclose(1 / (1 + numpy.exp(-joined[unit])), expected, atol=1e-12)


@pytest.mark.parametrize("logit", [-2000.0, -300.0, -36.0, -34.0, 0.0, 34.0, 36.0, 2000.0])
def test_noisy_or_is_stable(logit: float) -> None:
    """One pair is itself; two of tiny probability p make 2 p, and share the gradient."""
    joined, backprop = aggregate_noisy_or(numpy.full((1, 1), logit), numpy.asarray([(0, 0)]))
    assert joined.item() == pytest.approx(logit, abs=1e-9)
    assert backprop(numpy.ones((1, 1))).item() == pytest.approx(1.0)
    twice = numpy.asarray([(0, 0), (1, 0)])
    joined, backprop = aggregate_noisy_or(numpy.full((2, 1), logit), twice)
    if logit < -30:
        assert joined.item() == pytest.approx(logit + numpy.log(2))
        numpy.testing.assert_allclose(backprop(numpy.ones((1, 1))), 0.5)
    assert numpy.isfinite(backprop(numpy.ones((1, 1)))).all()
