"""The classifier of spans: what it reads, its gradients, and its independence of the batch."""

import numpy
import pytest
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model, NumpyOps
from thinc.types import Floats2d, Ragged

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.heads.spans import (
    SpanTokens,
    build_span_classifier,
    find_tokens,
    span_attention,
    span_summary,
)

WIDTH = 5
VOCAB = Vocab()


def make_doc(length: int, sentences: tuple[int, ...] = ()) -> Doc:
    starts = [i in (0, *sentences) for i in range(length)] if sentences else None
    return Doc(VOCAB, words=[f"w{i}" for i in range(length)], sent_starts=starts)


def join(*spans: list[tuple[int, int]]) -> Ragged:
    edges = numpy.asarray([span for found in spans for span in found], dtype="i").reshape(-1, 2)
    return Ragged(edges, numpy.asarray([len(found) for found in spans], dtype="i"))


class Vectors:
    """Stands for an encoder: gives each Doc its vectors, and keeps their gradients."""

    def __init__(self, vectors: dict[int, numpy.ndarray]) -> None:
        self.vectors = vectors
        self.gradients: list[numpy.ndarray] | None = None
        self.model: Model[list[Doc], list[Floats2d]] = Model("vectors", self.forward)

    def forward(self, model: Model, docs: list[Doc], is_train: bool) -> tuple:
        def backprop(gradients: list[numpy.ndarray]) -> list[Doc]:
            self.gradients = gradients
            return docs

        # A Doc without tokens comes without a width, as spacy-transformers gives it.
        empty = numpy.zeros((0, 0), dtype="f")
        return [self.vectors[len(doc)] if len(doc) else empty for doc in docs], backprop


@pytest.fixture
def vectors(rng: numpy.random.Generator) -> Vectors:
    return Vectors({n: rng.normal(size=(n, WIDTH)).astype("f") for n in range(1, 10)})


def build(vectors: Vectors, rng: numpy.random.Generator, **settings: object) -> Model:
    model = build_span_classifier(vectors.model, hidden_width=4, nO=3, **settings)
    doc = make_doc(2)
    model.initialize(X=([doc], join([(0, 1)])))
    for node in model.get_ref("head").walk():
        for name in node.param_names:
            shape = node.get_param(name).shape
            node.set_param(name, rng.normal(0, 0.7, size=shape).astype("f"))
    return model


def tokens_of(docs: list[Doc], spans: Ragged, context: int = 9) -> SpanTokens:
    vectors = [numpy.zeros((len(doc), WIDTH), dtype="f") for doc in docs]
    return find_tokens(NumpyOps(), (docs, spans), vectors, context)


def surroundings(tokens: SpanTokens) -> list[list[tuple[int, int]]]:
    pairs = list(zip(tokens.around.tolist(), tokens.marks.tolist(), strict=True))
    stops = numpy.cumsum(tokens.n_around).tolist()
    return [pairs[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]


def test_what_stands_around_a_span() -> None:
    docs = [make_doc(7, sentences=(3, 6)), make_doc(0), make_doc(3)]
    tokens = tokens_of(docs, join([(4, 5), (2, 4), (3, 4)], [], [(0, 1)]))
    assert tokens.inside.tolist() == [4, 2, 3, 3, 7]
    assert tokens.n_inside.tolist() == [1, 2, 1, 1]
    assert surroundings(tokens) == [
        [(3, 2), (4, 1), (5, 0)],
        [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 0)],  # over two sentences
        [(3, 1), (4, 2), (5, 0)],
        [(7, 1), (8, 0), (9, 0)],  # without sentences
    ]
    cut = tokens_of(docs, join([(2, 4)], [], [(0, 1)]), context=1)
    assert [[row for row, _ in found] for found in surroundings(cut)] == [[1, 2, 3, 4], [7, 8]]
    alone = tokens_of(docs, join([(2, 4)], [], []), context=0)
    assert surroundings(alone) == [[(2, 1), (3, 1)]]


def test_a_span_alone_gives_what_it_gives_in_a_batch(
    vectors: Vectors, rng: numpy.random.Generator
) -> None:
    model = build(vectors, rng)
    docs = [make_doc(6, sentences=(4,)), make_doc(0), make_doc(9), make_doc(1)]
    spans = [[(0, 2), (5, 6)], [], [(3, 4)], [(0, 1)]]
    together = model.predict((docs, join(*spans)))
    assert together.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    alone = [
        model.predict(([doc], join(found))) for doc, found in zip(docs, spans, strict=True) if found
    ]
    numpy.testing.assert_allclose(together, numpy.concatenate(alone), atol=1e-5)


def test_the_context_and_the_other_spans_matter(
    vectors: Vectors, rng: numpy.random.Generator
) -> None:
    docs = [make_doc(6)]
    marked, unmarked = build(vectors, rng), build(vectors, rng, span_marks=False)
    for model, seen in ((marked, True), (unmarked, False)):
        alone = model.predict((docs, join([(0, 2)])))
        beside = model.predict((docs, join([(0, 2), (4, 5)])))[:1]
        assert numpy.allclose(alone, beside, atol=1e-6) is not seen
    before = marked.predict((docs, join([(0, 2)])))
    vectors.vectors[6][5] += 1.0
    assert not numpy.allclose(marked.predict((docs, join([(0, 2)]))), before, atol=1e-6)
    near = build(vectors, rng, context=3)
    before = near.predict((docs, join([(0, 2)])))
    vectors.vectors[6][5] += 1.0
    numpy.testing.assert_array_equal(near.predict((docs, join([(0, 2)]))), before)


@pytest.mark.parametrize("span_marks", [True, False])
def test_gradients_equal_finite_differences(rng: numpy.random.Generator, span_marks: bool) -> None:
    docs = [make_doc(4), make_doc(1), make_doc(5, sentences=(3,))]
    X = tokens_of(docs, join([(0, 2), (1, 3)], [(0, 1)], [(2, 4)]))
    X = X._replace(vectors=rng.normal(size=X.vectors.shape).astype("f"))
    for model in (span_summary(), span_attention(3, span_marks)):
        model.initialize(X=X)
        parameters = []
        for node in model.walk():
            for name in node.param_names:
                node.set_param(name, rng.normal(size=node.get_param(name).shape).astype("f"))
                parameters.append((node, name))
        Y, backprop = model.begin_update(X)
        dY = rng.normal(size=Y.shape).astype("f")
        pairs = [(X.vectors, backprop(dY))]
        pairs += [(node.get_param(name), node.get_grad(name)) for node, name in parameters]
        assert len(pairs) == 1 + len(parameters)
        step = 1e-2
        for values, gradient in pairs:
            assert gradient.any() and gradient.shape == values.shape
            for index in numpy.ndindex(values.shape):
                before = values[index]
                found = []
                for there in (before + step, before - step):
                    values[index] = there
                    found.append(float((model.predict(X) * dY).sum()))
                values[index] = before
                expected = (found[0] - found[1]) / (2 * step)
                assert gradient[index] == pytest.approx(expected, abs=5e-3)


def test_gradients_reach_the_encoder(vectors: Vectors, rng: numpy.random.Generator) -> None:
    model = build(vectors, rng)
    docs = [make_doc(3), make_doc(0), make_doc(4), make_doc(2)]
    Y, backprop = model.begin_update((docs, join([(1, 2)], [], [(0, 2), (2, 4)], [])))
    assert Y.shape == (3, 3)
    backprop(rng.normal(size=Y.shape).astype("f"))
    assert [len(gradient) for gradient in vectors.gradients] == [3, 0, 4, 2]
    reached = [gradient.any(axis=1).tolist() for gradient in vectors.gradients]
    assert reached == [[True] * 3, [], [True] * 4, [False] * 2]


def test_without_a_span_the_encoder_hears_of_zeros(
    vectors: Vectors, rng: numpy.random.Generator
) -> None:
    model = build(vectors, rng)
    docs = [make_doc(3), make_doc(0)]
    Y, backprop = model.begin_update((docs, join([], [])))
    assert Y.shape == (0, 3)
    backprop(Y)
    assert [gradient.shape for gradient in vectors.gradients] == [(3, WIDTH), (0, 0)]
    assert not vectors.gradients[0].any()


def test_weights_pass_through_bytes(vectors: Vectors, rng: numpy.random.Generator) -> None:
    model = build(vectors, rng)
    X = [make_doc(3)], join([(1, 2)])
    again = build_span_classifier(vectors.model, hidden_width=4).from_bytes(model.to_bytes())
    numpy.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("sizes", [{"hidden_width": 0}, {"context": -1}])
def test_sizes_that_cannot_be_are_a_coded_error(vectors: Vectors, sizes: dict[str, int]) -> None:
    with pytest.raises(BertLstmError, match="BL345"):
        build_span_classifier(vectors.model, **sizes)
