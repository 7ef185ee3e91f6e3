import itertools
import math

import numpy
import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_bertlstm.evaluation.calibration import (
    HIGHEST,
    LOWEST,
    Average,
    bin_reliability,
    expected_calibration_error,
    fit_temperature,
    fit_thresholds,
    judge_entities,
    negative_log_likelihood,
)


def test_the_error_by_hand() -> None:
    confidences = [0.95, 0.85, 0.9, 0.3, 0.35, 1.0]
    right = [True, True, False, False, True, True]
    # 0.8-0.9: 0.85 against 1; 0.9-1: 0.95 against 2/3; 0.3-0.4: 0.325 against 0.5.
    expected = (1 * 0.15 + 3 * (0.95 - 2 / 3) + 2 * 0.175) / 6
    assert expected_calibration_error(confidences, right) == pytest.approx(expected)
    # One bin: the mean confidence against the share that is right.
    assert expected_calibration_error(confidences, right, bins=1) == pytest.approx(
        abs(sum(confidences) / 6 - 4 / 6)
    )


def test_bins() -> None:
    found = bin_reliability([0.0, 0.24, 0.25, 1.0], [False, True, True, True], bins=4)
    assert [(b.low, b.high, b.count) for b in found] == [
        (0.0, 0.25, 2),
        (0.25, 0.5, 1),
        (0.5, 0.75, 0),
        (0.75, 1.0, 1),
    ]
    assert [b.accuracy for b in found] == [0.5, 1.0, None, 1.0]
    assert [b.confidence for b in found] == [0.12, 0.25, None, 1.0]


def test_perfect_confidences_have_no_error(rng: numpy.random.Generator) -> None:
    confidences = rng.random(200_000)
    right = rng.random(200_000) < confidences
    assert expected_calibration_error(confidences, right) < 0.005
    assert expected_calibration_error(confidences**3, right) > 0.1


def test_likelihood() -> None:
    assert negative_log_likelihood([0.5, 0.25], [True, False]) == pytest.approx(
        -(math.log(0.5) + math.log(0.75)) / 2
    )
    assert math.isfinite(negative_log_likelihood([0.0, 1.0], [True, False]))


@pytest.mark.parametrize("truth", [0.3, 1.0, 3.0])
def test_a_known_temperature_is_found(rng: numpy.random.Generator, truth: float) -> None:
    logits = rng.normal(1, 2, size=50_000)
    right = rng.random(len(logits)) < 1 / (1 + numpy.exp(-logits))

    def confidences_at(temperature: float) -> numpy.ndarray:
        return 1 / (1 + numpy.exp(-logits * truth / temperature))

    found = fit_temperature(confidences_at, right)
    assert found == pytest.approx(truth, rel=0.05)
    floor = negative_log_likelihood(confidences_at(found), right)
    for other in numpy.geomspace(LOWEST, HIGHEST, 500):
        assert floor <= negative_log_likelihood(confidences_at(other), right) + 1e-7


def test_with_nothing_wrong_the_temperature_is_at_the_end_of_its_range() -> None:
    logits = numpy.asarray([1.0, 2.0])
    found = fit_temperature(lambda t: 1 / (1 + numpy.exp(-logits / t)), [True, True])
    assert LOWEST <= found < 0.1


def gold_doc() -> Doc:
    #      0  3   7     13   18  22
    doc = Doc(Vocab(), words="He has chest pain and fever".split())
    doc.set_ents([Span(doc, 2, 4, label="problem")], missing=[doc[5:6]], default="outside")
    return doc


@pytest.mark.parametrize(
    ("entity", "verdict"),
    [
        ((7, 17, "problem"), True),
        ((7, 17, "test"), False),
        ((7, 12, "problem"), False),
        ((3, 17, "problem"), False),
        ((0, 2, "problem"), False),
        ((22, 27, "problem"), None),
        ((18, 27, "problem"), None),
        ((18, 21, "problem"), False),
    ],
)
def test_entities_are_judged(entity: tuple[int, int, str], verdict: bool | None) -> None:
    assert judge_entities(gold_doc(), [entity]) == [verdict]


def test_other_tokens_do_not_matter() -> None:
    doc = Doc(Vocab(), words=["He", "has", "chest pain", "."], spaces=[True, True, False, False])
    doc.ents = [Span(doc, 2, 3, label="problem")]
    assert judge_entities(doc, [(7, 17, "problem"), (7, 18, "problem")]) == [True, False]


def test_without_annotation_nothing_is_known() -> None:
    doc = Doc(Vocab(), words=["no", "pain"])
    assert judge_entities(doc, [(3, 7, "problem")]) == [None]


def f1_of(found: numpy.ndarray, right: numpy.ndarray, total: int) -> float:
    return 2 * (found & right).sum() / max(1, found.sum() + total)


@pytest.mark.parametrize("average", list(Average))
@pytest.mark.parametrize("missing", [0, 3])
def test_no_other_thresholds_are_better(missing: int, average: Average) -> None:
    """Against all that tell the confidences apart, of up to three labels."""
    rng = numpy.random.default_rng(0)
    nowhere = 0
    for _ in range(60):
        shape = int(rng.integers(0, 9)), int(rng.integers(1, 4))
        # Some are equally sure.
        confidences = rng.integers(1, 8, size=shape) / 8
        right = rng.random(shape) < [0.6, 0.3, 0.1][: shape[1]]
        totals = right.sum(axis=0) + missing
        fitted = fit_thresholds(confidences, right, totals, average)
        assert [value is None for value in fitted] == [not column.any() for column in right.T]
        thresholds = numpy.asarray([0.999 if value is None else value for value in fitted])
        assert ((thresholds > 0) & (thresholds <= 1)).all()
        assert not (thresholds == confidences).any()
        found = confidences >= thresholds
        nowhere += int((right.any(axis=0) & ~found.any(axis=0)).sum())
        cuts = [*(numpy.arange(7) / 8 + 0.1), 1.0]
        if average is Average.macro:
            for i, column in enumerate(right.T):
                each = [f1_of(confidences[:, i] >= cut, column, totals[i]) for cut in cuts]
                assert f1_of(found[:, i], column, totals[i]) == max(each)
        else:
            tried = itertools.product(cuts, repeat=shape[1])
            best = max(f1_of(confidences >= one, right, totals.sum()) for one in tried)
            assert f1_of(found, right, totals.sum()) == best
    # A label that would cost the others more than it brings is found nowhere, but for its own F1.
    assert (nowhere > 0) == (average is Average.micro)
