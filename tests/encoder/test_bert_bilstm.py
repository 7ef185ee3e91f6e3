from collections.abc import Callable

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import registry
from spacy.vocab import Vocab
from thinc.api import Config, Model

from spacy_bertlstm.encoder.bert_bilstm import build_bert_bilstm, with_input
from spacy_bertlstm.encoder.bilstm import stacked_bilstm
from spacy_bertlstm.errors import BertLstmError

WIDTH = 6

BILSTM = """
[tok2vec]
@architectures = "spacy-bertlstm.BertBiLSTM.v1"
hidden_width = 4
depth = 1
dropout = 0.0
join_input = {join_input}

[tok2vec.tok2vec]
"""

MULTI_HASH_EMBED = """
@architectures = "spacy.MultiHashEmbed.v2"
width = 6
attrs = ["NORM", "SHAPE"]
rows = [50, 50]
include_static_vectors = {static}
"""

STATIC_VECTORS = """
@layers = "chain.v1"

[tok2vec.tok2vec.*.vectors]
@layers = "spacy.StaticVectors.v2"
nO = 6

[tok2vec.tok2vec.*.ragged2list]
@layers = "ragged2list.v1"
"""

EMBEDDINGS = {
    "hashes": MULTI_HASH_EMBED.format(static="false"),
    "hashes and vectors": MULTI_HASH_EMBED.format(static="true"),
    "vectors": STATIC_VECTORS,
}


@pytest.fixture
def nlp(rng: numpy.random.Generator) -> Language:
    nlp = spacy.blank("en")
    nlp.vocab.reset_vectors(width=3)
    for word in ("no", "pain", "fever"):
        nlp.vocab.set_vector(word, rng.normal(size=3).astype("f"))
    return nlp


@pytest.fixture
def build(nlp: Language) -> Callable[[str, bool], Model]:
    def resolve(embedding: str, join_input: bool) -> Model:
        text = BILSTM.format(join_input=str(join_input).lower()) + EMBEDDINGS[embedding]
        model = registry.resolve(Config().from_str(text))["tok2vec"]
        model.initialize(X=[nlp("no pain"), nlp("fever")])
        return model

    return resolve


def lists(rng: numpy.random.Generator, lengths: list[int]) -> list[numpy.ndarray]:
    # A Doc without tokens comes without a width, as spacy-transformers gives it.
    return [rng.normal(size=(n, WIDTH if n else 0)).astype("f") for n in lengths]


@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("join_input", [False, True])
def test_a_bilstm_without_a_transformer(
    build: Callable[[str, bool], Model], nlp: Language, embedding: str, join_input: bool
) -> None:
    model = build(embedding, join_input)
    assert model.get_dim("nO") == 8 + (WIDTH if join_input else 0)
    docs = [nlp(text) for text in ("no pain , no fever", "", "pain")]
    together, backprop = model.begin_update(docs)
    assert [Y.shape for Y in together] == [(len(doc), model.get_dim("nO")) for doc in docs]
    for doc, Y in zip(docs, together, strict=True):
        if len(doc):
            numpy.testing.assert_allclose(model.predict([doc])[0], Y, atol=1e-5)
    backprop([numpy.ones_like(Y) for Y in together])
    gradients = [n.get_grad(name) for n in model.walk() for name in n.grad_names]
    assert len(gradients) > len(model.get_ref("bilstm").param_names)
    assert all(gradient.any() for gradient in gradients)
    again = build(embedding, join_input).from_bytes(model.to_bytes())
    assert again.get_dim("nO") == model.get_dim("nO")
    for Y, other in zip(together, again.predict(docs), strict=True):
        numpy.testing.assert_allclose(other, Y, atol=1e-6)


def test_the_input_stands_behind_the_output(rng: numpy.random.Generator) -> None:
    layer = stacked_bilstm(hidden_width=4, depth=2, dropout=0.0)
    model = with_input(layer)
    Xs = lists(rng, [0, 5, 1])
    model.initialize(X=Xs)
    assert layer.get_dim("nI") == WIDTH
    assert model.get_dim("nO") == 8 + WIDTH
    for X, Y, alone in zip(Xs, model.predict(Xs), layer.predict(Xs), strict=True):
        assert Y.shape == (len(X), 8 + WIDTH)
        if len(X):
            numpy.testing.assert_array_equal(Y, numpy.hstack([alone, X]))


def test_gradients_of_joined_input_equal_finite_differences(rng: numpy.random.Generator) -> None:
    model = with_input(stacked_bilstm(hidden_width=2, depth=1, dropout=0.0))
    Xs = lists(rng, [3, 0, 1])
    model.initialize(X=Xs)
    dYs = [rng.normal(size=(len(X), 4 + WIDTH)).astype("f") for X in Xs]

    def objective() -> float:
        return sum(float((Y * dY).sum()) for Y, dY in zip(model.predict(Xs), dYs, strict=True))

    _, backprop = model.begin_update(Xs)
    step = 1e-2
    for X, dX in zip(Xs, backprop(dYs), strict=True):
        assert len(dX) == len(X)
        for index in numpy.ndindex(X.shape):
            before = X[index]
            X[index] = before + step
            up = objective()
            X[index] = before - step
            down = objective()
            X[index] = before
            assert dX[index] == pytest.approx((up - down) / (2 * step), abs=2e-3)


def test_joining_is_off_by_default(build: Callable[[str, bool], Model]) -> None:
    """Weights of pipelines from before the option fit."""
    layers = [node.name for node in build_bert_bilstm(build("hashes", False).layers[0]).walk()]
    assert layers.count("stacked_bilstm") == 1
    assert not any(name.startswith("with_input") for name in layers)


@pytest.mark.parametrize(("hidden_width", "depth"), [(8, 0), (0, 1)])
def test_a_bilstm_of_nothing_is_a_coded_error(hidden_width: int, depth: int) -> None:
    with pytest.raises(BertLstmError, match="BL324.*listener"):
        build_bert_bilstm(Model("any", lambda model, X, is_train: X), hidden_width, depth)


def test_a_batch_of_nothing(build: Callable[[str, bool], Model]) -> None:
    model = build("hashes", True)
    (Y,) = model.predict([Doc(Vocab())])
    assert Y.shape == (0, 8 + WIDTH)
