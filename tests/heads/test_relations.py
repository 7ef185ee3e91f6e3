"""The relation classifier by itself: gradients, chunks, and nothing to score."""

from collections.abc import Callable

import numpy
import pytest
import spacy
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.heads.pairs import Candidates, pair_all
from spacy_bertlstm.heads.relations import RelationInput, build_relation_classifier

NLP = spacy.blank("en")
SPANS = [[(0, 2), (1, 3), (5, 6)], [], [(0, 1), (7, 9)]]
LENGTHS = [7, 3, 9]


class Vectors:
    """An encoder whose vectors are given, and which notes their gradient."""

    def __init__(self, arrays: list[Floats2d]) -> None:
        self.arrays = arrays
        self.gradient: list[Floats2d] | None = None

    def __call__(
        self, model: Model, docs: list[Doc], is_train: bool
    ) -> tuple[list[Floats2d], Callable]:
        def backprop(gradient: list[Floats2d]) -> list[Doc]:
            self.gradient = gradient
            return docs

        return self.arrays, backprop


@pytest.fixture
def vectors(rng: numpy.random.Generator) -> Vectors:
    return Vectors([rng.normal(size=(length, 4)).astype("f") for length in LENGTHS])


@pytest.fixture
def question() -> RelationInput:
    docs = [Doc(NLP.vocab, words=["w"] * length) for length in LENGTHS]
    candidates = []
    for doc, spans in zip(docs, SPANS, strict=True):
        extents = numpy.asarray(spans, dtype="int64").reshape(-1, 2)
        pairs = pair_all([doc[start:end] for start, end in spans])
        candidates.append(Candidates(extents, numpy.arange(len(spans)) % 2, pairs))
    return docs, candidates


@pytest.fixture
def make_model(
    vectors: Vectors, question: RelationInput, rng: numpy.random.Generator
) -> Callable[..., Model]:
    def make(**settings: int) -> Model:
        model = build_relation_classifier(
            Model("vectors", vectors), hidden_width=5, type_width=2, window=4, nO=3, **settings
        )
        model.get_ref("types").set_dim("nV", 2)
        model.initialize(X=question)
        for node in model.walk():
            for name in node.param_names:
                shape = node.get_param(name).shape
                node.set_param(name, rng.normal(size=shape).astype("f"))
        return model

    return make


def test_gradients(
    make_model: Callable[..., Model], vectors: Vectors, question: RelationInput
) -> None:
    """Of every parameter and of what the encoder gives, by numbers."""
    model = make_model()
    weights = numpy.random.default_rng(1).normal(size=(8, 3)).astype("f")
    Y, backprop = model.begin_update(question)
    assert Y.shape == weights.shape
    backprop(weights)

    def loss() -> float:
        return float((model.predict(question).astype("float64") * weights).sum())

    checked = [
        (node.get_param(n), node.get_grad(n)) for node in model.walk() for n in node.param_names
    ]
    assert len(checked) == 11
    assert vectors.gradient is not None
    checked += list(zip(vectors.arrays, vectors.gradient, strict=True))
    for array, gradient in checked:
        assert gradient.shape == array.shape
        slopes = numpy.zeros(array.shape)
        for place in numpy.ndindex(*array.shape):
            value, found = array[place], []
            for sign in (1, -1):
                array[place] = value + sign * 1e-3
                found.append(loss())
            array[place] = value
            slopes[place] = (found[0] - found[1]) / 2e-3
        # Where a unit of the hidden layer changes sign, the slope jumps.
        close = numpy.isclose(gradient, slopes, atol=0.05, rtol=0.02)
        assert close.mean() > 0.98
    assert not vectors.gradient[1].any()


@pytest.mark.parametrize("most", [1, 3, 8, 100])
def test_prediction_in_chunks_changes_nothing(
    most: int, make_model: Callable[..., Model], question: RelationInput
) -> None:
    model = make_model(max_pairs=most)
    seen = []
    forward = model.get_ref("scorer")._func

    def note(scorer: Model, X: tuple, is_train: bool) -> tuple:
        seen.append(len(X[1].pairs))
        return forward(scorer, X, is_train)

    model.get_ref("scorer")._func = note
    Y = model.predict(question)
    assert max(seen) <= most and sum(seen) == 8
    del seen[:]
    whole, _ = model.begin_update(question)
    assert seen == [8]
    numpy.testing.assert_allclose(Y, whole, atol=1e-5)


@pytest.mark.parametrize("n_spans", [0, 2])
def test_without_pairs_the_encoder_gets_zeros(
    n_spans: int, make_model: Callable[..., Model], vectors: Vectors, question: RelationInput
) -> None:
    docs, candidates = question
    none = [
        Candidates(found.spans[:n_spans], found.types[:n_spans], found.pairs[:0])
        for found in candidates
    ]
    model = make_model()
    Y, backprop = model.begin_update((docs, none))
    assert Y.shape == (0, 3)
    backprop(Y)
    assert vectors.gradient is not None
    assert [array.shape for array in vectors.gradient] == [(length, 4) for length in LENGTHS]
    assert not any(array.any() for array in vectors.gradient)
    assert model.predict((docs, none)).shape == (0, 3)


@pytest.mark.parametrize("setting", ["hidden_width", "type_width", "window", "max_pairs"])
def test_widths_of_nothing_are_a_coded_error(setting: str) -> None:
    with pytest.raises(BertLstmError, match=f"BL362.*{setting}"):
        build_relation_classifier(Model("vectors", Vectors([])), **{setting: 0})
