"""The CRF against the enumeration of every path."""

from itertools import product
from unittest.mock import Mock

import numpy
import pytest

from spacy_bertlstm.heads import crf
from spacy_bertlstm.heads.crf import (
    CrfScores,
    Legality,
    TagRun,
    crf_decode,
    crf_log_probs,
    crf_loss,
    make_lattice,
)
from spacy_bertlstm.tags import (
    decode_tags,
    legal_ends,
    legal_starts,
    legal_transitions,
    make_tags,
    span_tags,
)

TAGS = make_tags(["problem", "test"])
LEGALITY = Legality(legal_starts(TAGS), legal_ends(TAGS), legal_transitions(TAGS))
# A tag set small enough to enumerate all paths of five tokens.
FEW_TAGS = make_tags(["problem"])
FEW_LEGALITY = Legality(legal_starts(FEW_TAGS), legal_ends(FEW_TAGS), legal_transitions(FEW_TAGS))
ANYTHING = Legality(*(numpy.ones((len(TAGS),) * dims, dtype=bool) for dims in (1, 1, 2)))

Path = tuple[int, ...]


def random_scores(
    rng: numpy.random.Generator, lengths: list[int], n: int = len(TAGS), scale: float = 1.0
) -> CrfScores:
    return CrfScores(
        emissions=[rng.normal(0, scale, size=(length, n)).astype("f") for length in lengths],
        starts=rng.normal(0, scale, size=n).astype("f"),
        ends=rng.normal(0, scale, size=n).astype("f"),
        transitions=rng.normal(0, scale, size=(n, n)).astype("f"),
    )


def path_score(scores: CrfScores, text: int, path: Path) -> float:
    score = float(scores.starts[path[0]]) + float(scores.ends[path[-1]])
    score += sum(float(scores.emissions[text][i, tag]) for i, tag in enumerate(path))
    return score + sum(
        float(scores.transitions[pair]) for pair in zip(path, path[1:], strict=False)
    )


def legal_paths(length: int, legality: Legality = LEGALITY) -> list[Path]:
    return [
        path
        for path in product(range(len(legality.starts)), repeat=length)
        if legality.starts[path[0]]
        and legality.ends[path[-1]]
        and all(legality.transitions[pair] for pair in zip(path, path[1:], strict=False))
    ]


def keep(paths: list[Path], mask: numpy.ndarray | None) -> list[Path]:
    """The paths through allowed tags."""
    if mask is None:
        return paths
    return [path for path in paths if all(mask[i, tag] for i, tag in enumerate(path))]


def log_sum(scores: list[float]) -> float:
    return float(numpy.logaddexp.reduce(scores))


def brute_loss(
    scores: CrfScores, allowed: list[numpy.ndarray], legality: Legality = LEGALITY
) -> float:
    loss = 0.0
    for text, mask in enumerate(allowed):
        paths = legal_paths(len(mask), legality)
        loss += log_sum([path_score(scores, text, path) for path in paths])
        loss -= log_sum([path_score(scores, text, path) for path in keep(paths, mask)])
    return loss


def random_masks(
    rng: numpy.random.Generator,
    lengths: list[int],
    share_missing: float,
    legality: Legality = LEGALITY,
) -> list[numpy.ndarray]:
    """Gold tags of a random legal path; some are missing, and some may be one of a few."""
    masks = []
    for length in lengths:
        paths = legal_paths(length, legality)
        path = paths[rng.integers(len(paths))]
        mask = numpy.zeros((length, len(legality.starts)), dtype=bool)
        mask[rng.random(length) < share_missing / 2] = True
        mask |= rng.random(mask.shape) < share_missing / 2
        mask[numpy.arange(length), path] = True
        masks.append(mask)
    return masks


def decode(
    scores: CrfScores,
    legality: Legality = LEGALITY,
    allowed: list[numpy.ndarray | None] | None = None,
) -> list[numpy.ndarray]:
    return crf_decode(make_lattice(scores, legality, allowed))


LENGTHS = [[1], [2], [3], [1, 2, 3], [3, 1, 0, 2, 1]]


@pytest.mark.parametrize("lengths", LENGTHS)
def test_decode_finds_the_best_legal_path(rng: numpy.random.Generator, lengths: list[int]) -> None:
    for _ in range(10):
        scores = random_scores(rng, lengths)
        paths = decode(scores)
        assert [len(path) for path in paths] == lengths
        for text, path in enumerate(paths):
            if len(path):
                best = max(legal_paths(len(path)), key=lambda p, t=text: path_score(scores, t, p))
                assert tuple(path) == best


@pytest.mark.parametrize("lengths", LENGTHS[:-1])
def test_decode_keeps_to_what_is_allowed(rng: numpy.random.Generator, lengths: list[int]) -> None:
    for _ in range(10):
        scores = random_scores(rng, lengths)
        masks = [*random_masks(rng, lengths[:-1], 0.5), *random_masks(rng, lengths[-1:], 1.0)]
        masks[1:2] = [None] * len(masks[1:2])
        for text, path in enumerate(decode(scores, allowed=masks)):
            allowed = keep(legal_paths(len(path)), masks[text])
            assert tuple(path) == max(allowed, key=lambda p, t=text: path_score(scores, t, p))


@pytest.mark.parametrize("share_missing", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("lengths", LENGTHS[:-1])
def test_loss_equals_enumeration(
    rng: numpy.random.Generator, lengths: list[int], share_missing: float
) -> None:
    for _ in range(5):
        scores = random_scores(rng, lengths)
        masks = random_masks(rng, lengths, share_missing)
        loss, _ = crf_loss(scores, masks, LEGALITY)
        assert loss == pytest.approx(brute_loss(scores, masks), abs=1e-9)


@pytest.mark.parametrize("share_missing", [0.0, 0.3, 0.8])
def test_loss_of_five_tokens_equals_enumeration(
    rng: numpy.random.Generator, share_missing: float
) -> None:
    lengths = [5, 4, 1, 5]
    for _ in range(5):
        scores = random_scores(rng, lengths, len(FEW_TAGS))
        masks = random_masks(rng, lengths, share_missing, FEW_LEGALITY)
        loss, _ = crf_loss(scores, masks, FEW_LEGALITY)
        assert loss == pytest.approx(brute_loss(scores, masks, FEW_LEGALITY), abs=1e-9)


def every_piece(tags: tuple[str, ...], length: int) -> list[TagRun]:
    """Every entity that a text could hold, and each tag alone."""
    labels = sorted({tag[2:] for tag in tags if tag != "O"})
    spans = [
        (start, [tags.index(tag) for tag in span_tags(end - start, label)])
        for start in range(length)
        for end in range(start + 1, length + 1)
        for label in labels
    ]
    single = [(start, [tag]) for start in range(length) for tag in range(len(tags))]
    return [*spans, *single]


def brute_log_probs(
    scores: CrfScores,
    text: int,
    pieces: list[TagRun],
    legality: Legality,
    mask: numpy.ndarray | None,
    temperature: float,
) -> list[float]:
    paths = keep(legal_paths(len(scores.emissions[text]), legality), mask)
    totals = [path_score(scores, text, path) / temperature for path in paths]
    shares = []
    for start, tags in pieces:
        through = [
            total
            for path, total in zip(paths, totals, strict=True)
            if path[start : start + len(tags)] == tuple(tags)
        ]
        shares.append(log_sum(through) - log_sum(totals) if through else -numpy.inf)
    return shares


def same_log_probs(found: numpy.ndarray, expected: list[float]) -> bool:
    return numpy.allclose(numpy.exp(found), numpy.exp(expected), atol=1e-12) and all(
        log == pytest.approx(brute, abs=1e-9) if numpy.isfinite(brute) else log < -1e8
        for log, brute in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize(
    ("tags", "legality", "lengths"),
    [
        (TAGS, LEGALITY, [1]),
        (TAGS, LEGALITY, [3, 0, 1, 2]),
        (FEW_TAGS, FEW_LEGALITY, [5]),
        (FEW_TAGS, FEW_LEGALITY, [2, 5, 4, 1, 3]),
    ],
)
def test_probabilities_of_pieces_equal_enumeration(
    rng: numpy.random.Generator,
    tags: tuple[str, ...],
    legality: Legality,
    lengths: list[int],
    constrained: bool,
    temperature: float,
) -> None:
    scores = random_scores(rng, lengths, len(tags), scale=2.0)
    full = [length for length in lengths if length]
    some = iter(random_masks(rng, full, 1.0, legality))
    masks = [next(some) if length and constrained else None for length in lengths]
    pieces = [every_piece(tags, length) for length in lengths]
    lattice = make_lattice(scores, legality, masks)
    found = crf_log_probs(lattice, pieces, temperature=temperature)
    assert len(found) == len(lengths)
    for text, length in enumerate(lengths):
        assert len(found[text]) == len(pieces[text])
        if length:
            expected = brute_log_probs(
                scores, text, pieces[text], legality, masks[text], temperature
            )
            assert same_log_probs(found[text], expected)


def test_without_pieces_there_are_no_probabilities(rng: numpy.random.Generator) -> None:
    lattice = make_lattice(random_scores(rng, [2, 0, 1]), LEGALITY)
    assert [len(found) for found in crf_log_probs(lattice, [[], [], []])] == [0, 0, 0]
    empty = make_lattice(random_scores(rng, [0, 0]), LEGALITY)
    assert [len(found) for found in crf_log_probs(empty, [[], []])] == [0, 0]
    assert [len(path) for path in crf_decode(empty)] == [0, 0]


def test_the_loss_of_no_tokens_is_zero(rng: numpy.random.Generator) -> None:
    none = numpy.zeros((0, len(TAGS)), dtype=bool)
    loss, gradient = crf_loss(random_scores(rng, [0, 0]), [none, none], LEGALITY)
    assert loss == 0.0
    assert [d.shape for d in gradient.emissions] == [none.shape] * 2
    assert not gradient.starts.any() and not gradient.transitions.any()


@pytest.mark.parametrize("share_missing", [0.0, 0.5])
@pytest.mark.parametrize("legality", [LEGALITY, ANYTHING], ids=["legal", "anything"])
def test_gradient_equals_finite_differences(
    rng: numpy.random.Generator, legality: Legality, share_missing: float
) -> None:
    lengths = [1, 3, 0, 2]
    scores = random_scores(rng, lengths)
    masks = random_masks(rng, [1, 3], share_missing)
    masks += [numpy.zeros((0, len(TAGS)), dtype=bool), *random_masks(rng, [2], share_missing)]
    _, gradient = crf_loss(scores, masks, legality)
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
            up, _ = crf_loss(scores, masks, legality)
            values[index] = before - step
            down, _ = crf_loss(scores, masks, legality)
            values[index] = before
            assert gradients[index] == pytest.approx((up - down) / (2 * step), abs=1e-4)


@pytest.mark.parametrize("share_missing", [0.0, 0.5])
def test_without_succession_and_rules_the_loss_is_the_cross_entropy(
    rng: numpy.random.Generator, share_missing: float
) -> None:
    lengths = [3, 1, 2]
    scores = random_scores(rng, lengths)
    for values in (scores.starts, scores.ends, scores.transitions):
        values[:] = 0.0
    masks = random_masks(rng, lengths, share_missing)
    loss, gradient = crf_loss(scores, masks, ANYTHING)
    expected = 0.0
    for emissions, d_emissions, mask in zip(
        scores.emissions, gradient.emissions, masks, strict=True
    ):
        shares = numpy.exp(emissions.astype("d"))
        known = numpy.where(mask, shares, 0.0)
        expected += (numpy.log(shares.sum(axis=1)) - numpy.log(known.sum(axis=1))).sum()
        d_expected = shares / shares.sum(axis=1, keepdims=True)
        d_expected -= known / known.sum(axis=1, keepdims=True)
        numpy.testing.assert_allclose(d_emissions, d_expected, atol=1e-6)
    assert loss == pytest.approx(expected, abs=1e-9)


def test_a_text_gives_the_same_alone_and_in_a_batch(rng: numpy.random.Generator) -> None:
    scores = random_scores(rng, [4, 1, 7, 4])
    masks = random_masks(rng, [4, 1], 0.5) + [None, None]
    pieces = [every_piece(TAGS, length) for length in (4, 1, 7, 4)]
    lattice = make_lattice(scores, LEGALITY, masks)
    together = zip(
        scores.emissions, masks, pieces, crf_decode(lattice), crf_log_probs(lattice, pieces),
        strict=True,
    )  # fmt: skip
    for emissions, mask, text_pieces, path, log_probs in together:
        one = CrfScores([emissions], scores.starts, scores.ends, scores.transitions)
        alone = make_lattice(one, LEGALITY, [mask])
        assert crf_decode(alone)[0].tolist() == path.tolist()
        numpy.testing.assert_allclose(crf_log_probs(alone, [text_pieces])[0], log_probs, 1e-9)


def test_long_texts_keep_their_precision(rng: numpy.random.Generator) -> None:
    """Sums over 5,000 tokens cancel to 1e-6; all entities of a token sum to one."""
    long = random_scores(rng, [5000])
    nothing_known = [numpy.ones((5000, len(TAGS)), dtype=bool)]
    loss, gradient = crf_loss(long, nothing_known, LEGALITY)
    assert loss == pytest.approx(0.0, abs=1e-6)
    assert max(abs(d).max() for d in gradient.emissions) < 1e-6
    gold = [numpy.zeros((5000, len(TAGS)), dtype=bool)]
    gold[0][:, 0] = True
    loss, gradient = crf_loss(long, gold, LEGALITY)
    assert numpy.isfinite(loss) and loss > 0
    # Each token's marginals sum to one, so their difference from the gold sums to zero.
    assert numpy.abs(gradient.emissions[0].sum(axis=1)).max() < 1e-5

    single = [(2500, [tag]) for tag in range(len(TAGS))]
    lattice = make_lattice(long, LEGALITY)
    (log_probs,) = crf_log_probs(lattice, [single])
    assert numpy.exp(log_probs).sum() == pytest.approx(1.0, abs=1e-12)
    marginals = gradient.emissions[0][2500].copy()
    marginals[0] += 1
    numpy.testing.assert_allclose(numpy.exp(log_probs), marginals, atol=1e-6)
    # One path from end to end: its probability is the exponential of minus its loss.
    (whole,) = crf_log_probs(lattice, [[(0, [0] * 5000)]])
    assert whole[0] == pytest.approx(-loss, rel=1e-9)


@pytest.mark.parametrize(
    ("scale", "barred", "walks"),
    [
        (1.0, [], 1),
        (1.0, [0, 7], 1),  # as whitespace tokens at both ends
        (1.0, [3, 4], 1),
        (300.0, [], 2),
    ],
)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 50.0])
def test_sums_are_formed_with_care_only_where_exponentials_underflow(
    rng: numpy.random.Generator,
    scale: float,
    barred: list[int],
    walks: int,
    temperature: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not where tags are out of reach by rule."""
    walk = Mock(wraps=crf._walk)
    monkeypatch.setattr(crf, "_walk", walk)
    scores = random_scores(rng, [8, 0, 1], scale=scale * temperature)
    masks = [numpy.ones((length, len(TAGS)), dtype=bool) for length in (8, 0, 1)]
    masks[0][barred, 1:] = False
    pieces: list[list[TagRun]] = [[(2, [0])], [], []]
    crf_log_probs(make_lattice(scores, LEGALITY, masks), pieces, temperature=temperature)
    assert walk.call_count == walks


def test_training_forms_sums_once_beside_what_is_not_annotated(
    rng: numpy.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = Mock(wraps=crf._walk)
    monkeypatch.setattr(crf, "_walk", walk)
    known = numpy.ones((8, len(TAGS)), dtype=bool)
    known[2:5] = numpy.eye(len(TAGS), dtype=bool)[[TAGS.index(tag) for tag in ("O", "U-test", "O")]]
    crf_loss(random_scores(rng, [8]), [known], LEGALITY)
    assert walk.call_count == 1


@pytest.mark.parametrize("scale", [300.0, 3000.0])
def test_extreme_scores_stay_exact(rng: numpy.random.Generator, scale: float) -> None:
    """Where exponentials underflow, logs are summed instead."""
    lengths = [3, 1, 2, 3]
    for _ in range(5):
        scores = random_scores(rng, lengths, scale=scale)
        masks = random_masks(rng, lengths, 0.5)
        loss, gradient = crf_loss(scores, masks, LEGALITY)
        assert loss == pytest.approx(brute_loss(scores, masks), rel=1e-6, abs=1e-6)
        assert numpy.isfinite(gradient.transitions).all()
        pieces = [every_piece(TAGS, length) for length in lengths]
        found = crf_log_probs(make_lattice(scores, LEGALITY, masks), pieces)
        for text in range(len(lengths)):
            expected = brute_log_probs(scores, text, pieces[text], LEGALITY, masks[text], 1.0)
            numpy.testing.assert_allclose(numpy.exp(found[text]), numpy.exp(expected), atol=1e-6)


def test_extreme_gradients_equal_the_difference_of_marginals(
    rng: numpy.random.Generator,
) -> None:
    """Expected transitions, summed over what follows, are the tag's own probability."""
    scores = random_scores(rng, [4], scale=1000.0)
    masks = random_masks(rng, [4], 0.5)
    _, gradient = crf_loss(scores, masks, LEGALITY)
    before = gradient.emissions[0][:-1].sum(axis=0)
    numpy.testing.assert_allclose(gradient.transitions.sum(axis=1), before, atol=1e-5)
    numpy.testing.assert_allclose(
        gradient.transitions.sum(axis=0), gradient.emissions[0][1:].sum(axis=0), atol=1e-5
    )


def test_a_model_that_is_certain_of_an_illegal_tag_decodes_to_a_legal_path() -> None:
    emissions = numpy.zeros((3, len(TAGS)), dtype="f")
    emissions[:, TAGS.index("I-test")] = 1e4
    zeros = numpy.zeros(len(TAGS), dtype="f")
    scores = CrfScores([emissions], zeros, zeros, numpy.zeros((len(TAGS),) * 2, dtype="f"))
    (path,) = decode(scores)
    assert [TAGS[i] for i in path] == ["B-test", "I-test", "L-test"]
    assert decode_tags([TAGS[i] for i in path]) == [(0, 3, "test")]
    gold = numpy.zeros((3, len(TAGS)), dtype=bool)
    gold[:, 0] = True
    loss, gradient = crf_loss(scores, [gold], LEGALITY)
    assert loss == pytest.approx(1e4)
    assert all(numpy.isfinite(d).all() for d in gradient.emissions)


def test_scores_that_are_not_finite_show_in_the_loss(rng: numpy.random.Generator) -> None:
    scores = random_scores(rng, [3, 2])
    scores.emissions[1][0, 0] = numpy.nan
    masks = random_masks(rng, [3, 2], 0.0)
    with numpy.errstate(invalid="ignore"):
        loss, _ = crf_loss(scores, masks, LEGALITY)
    assert numpy.isnan(loss)
