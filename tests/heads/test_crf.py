"""The CRF against the enumeration of every path."""

from itertools import product

import numpy
import pytest
from thinc.api import NumpyOps

from spacy_bertlstm.heads.crf import CrfScores, Legality, crf_decode, crf_loss
from spacy_bertlstm.tags import legal_ends, legal_starts, legal_transitions, make_tags

OPS = NumpyOps()
TAGS = make_tags(["problem", "test"])
LEGALITY = Legality(legal_starts(TAGS), legal_ends(TAGS), legal_transitions(TAGS))


def random_scores(rng: numpy.random.Generator, lengths: list[int]) -> CrfScores:
    n = len(TAGS)
    return CrfScores(
        emissions=[rng.normal(size=(length, n)).astype("f") for length in lengths],
        starts=rng.normal(size=n).astype("f"),
        ends=rng.normal(size=n).astype("f"),
        transitions=rng.normal(size=(n, n)).astype("f"),
    )


def is_legal(path: tuple[int, ...]) -> bool:
    return bool(
        LEGALITY.starts[path[0]]
        and LEGALITY.ends[path[-1]]
        and all(LEGALITY.transitions[pair] for pair in zip(path, path[1:], strict=False))
    )


def path_score(scores: CrfScores, text: int, path: tuple[int, ...]) -> float:
    score = float(scores.starts[path[0]]) + float(scores.ends[path[-1]])
    score += sum(float(scores.emissions[text][i, tag]) for i, tag in enumerate(path))
    return score + sum(
        float(scores.transitions[pair]) for pair in zip(path, path[1:], strict=False)
    )


def legal_paths(length: int) -> list[tuple[int, ...]]:
    return [path for path in product(range(len(TAGS)), repeat=length) if is_legal(path)]


def log_sum(scores: list[float]) -> float:
    return float(numpy.logaddexp.reduce(scores))


def brute_loss(scores: CrfScores, allowed: list[numpy.ndarray]) -> float:
    loss = 0.0
    for text, mask in enumerate(allowed):
        paths = legal_paths(len(mask))
        known = [path for path in paths if all(mask[i, tag] for i, tag in enumerate(path))]
        loss += log_sum([path_score(scores, text, path) for path in paths])
        loss -= log_sum([path_score(scores, text, path) for path in known])
    return loss


def random_masks(
    rng: numpy.random.Generator, lengths: list[int], share_missing: float
) -> list[numpy.ndarray]:
    """Gold tags of a random legal path, some of them missing."""
    masks = []
    for length in lengths:
        paths = legal_paths(length)
        path = paths[rng.integers(len(paths))]
        mask = numpy.zeros((length, len(TAGS)), dtype=bool)
        mask[numpy.arange(length), path] = True
        mask[rng.random(length) < share_missing] = True
        masks.append(mask)
    return masks


LENGTHS = [[1], [2], [3], [1, 2, 3], [3, 1, 2, 1]]


@pytest.mark.parametrize("lengths", LENGTHS)
def test_decode_finds_the_best_legal_path(rng: numpy.random.Generator, lengths: list[int]) -> None:
    for _ in range(10):
        scores = random_scores(rng, lengths)
        for text, path in enumerate(crf_decode(scores, LEGALITY)):
            best = max(legal_paths(len(path)), key=lambda p, t=text: path_score(scores, t, p))
            assert tuple(path) == best


@pytest.mark.parametrize("share_missing", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_loss_equals_enumeration(
    rng: numpy.random.Generator, lengths: list[int], share_missing: float
) -> None:
    for _ in range(5):
        scores = random_scores(rng, lengths)
        masks = random_masks(rng, lengths, share_missing)
        loss, _ = crf_loss(OPS, scores, masks, LEGALITY)
        assert loss == pytest.approx(brute_loss(scores, masks), abs=1e-5)


@pytest.mark.parametrize("share_missing", [0.0, 0.5])
def test_gradient_equals_finite_differences(
    rng: numpy.random.Generator, share_missing: float
) -> None:
    lengths = [1, 3, 2]
    scores = random_scores(rng, lengths)
    masks = random_masks(rng, lengths, share_missing)
    _, gradient = crf_loss(OPS, scores, masks, LEGALITY)
    pairs = [
        *zip(scores.emissions, gradient.emissions, strict=True),
        (scores.starts, gradient.starts),
        (scores.ends, gradient.ends),
        (scores.transitions, gradient.transitions),
    ]
    step = 1e-2
    for values, gradients in pairs:
        assert values.shape == gradients.shape
        for index in numpy.ndindex(values.shape):
            before = values[index]
            values[index] = before + step
            up, _ = crf_loss(OPS, scores, masks, LEGALITY)
            values[index] = before - step
            down, _ = crf_loss(OPS, scores, masks, LEGALITY)
            values[index] = before
            assert gradients[index] == pytest.approx((up - down) / (2 * step), abs=1e-3)


def test_a_text_gives_the_same_alone_and_in_a_batch(rng: numpy.random.Generator) -> None:
    scores = random_scores(rng, [4, 1, 7])
    together = crf_decode(scores, LEGALITY)
    for emissions, path in zip(scores.emissions, together, strict=True):
        alone = CrfScores([emissions], scores.starts, scores.ends, scores.transitions)
        assert crf_decode(alone, LEGALITY)[0].tolist() == path.tolist()


def test_long_texts_keep_their_precision(rng: numpy.random.Generator) -> None:
    """Marginals of a text of 5,000 equal those of its middle, far from both ends."""
    long = random_scores(rng, [5000])
    nothing_known = [numpy.ones((5000, len(TAGS)), dtype=bool)]
    loss, gradient = crf_loss(OPS, long, nothing_known, LEGALITY)
    assert loss == pytest.approx(0.0, abs=1e-6)
    assert max(abs(d).max() for d in gradient.emissions) < 1e-6
    gold = [numpy.zeros((5000, len(TAGS)), dtype=bool)]
    gold[0][:, 0] = True
    loss, gradient = crf_loss(OPS, long, gold, LEGALITY)
    assert numpy.isfinite(loss) and loss > 0
    # Each token's marginals sum to one, so their difference from the gold sums to zero.
    assert numpy.abs(gradient.emissions[0].sum(axis=1)).max() < 1e-5


def test_extreme_scores_stay_finite_and_legal() -> None:
    """A model that is certain of an illegal tag still decodes to a legal path."""
    emissions = numpy.zeros((3, len(TAGS)), dtype="f")
    emissions[:, TAGS.index("I-test")] = 1e4
    zeros = numpy.zeros(len(TAGS), dtype="f")
    scores = CrfScores([emissions], zeros, zeros, numpy.zeros((len(TAGS),) * 2, dtype="f"))
    (path,) = crf_decode(scores, LEGALITY)
    assert is_legal(tuple(path))
    assert [TAGS[i] for i in path] == ["B-test", "I-test", "L-test"]
    gold = numpy.zeros((3, len(TAGS)), dtype=bool)
    gold[:, 0] = True
    loss, gradient = crf_loss(OPS, scores, [gold], LEGALITY)
    assert numpy.isfinite(loss)
    assert all(numpy.isfinite(d).all() for d in gradient.emissions)
