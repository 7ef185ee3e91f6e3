import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Adam, Model, reduce_mean
from tokenizers.processors import TemplateProcessing
from transformers.utils import ModelOutput

from spacy_bertlstm.encoder import budget
from spacy_bertlstm.encoder.transformer import (
    TransformerModel,
    build_transformer_model,
    build_transformer_tok2vec,
    count_positions,
)
from spacy_bertlstm.encoder.windows import make_sentence_windows
from spacy_bertlstm.errors import BertLstmError


@pytest.fixture
def model(tiny_bert: Path) -> Model:
    model = build_transformer_model(str(tiny_bert), make_sentence_windows(1000))
    model.initialize()
    return model


def test_windows_that_the_encoder_cannot_take_are_halved(model: Model) -> None:
    """200 tokens in one sentence, 30 word pieces a window: nothing is cut off."""
    nlp = spacy.blank("en")
    doc = nlp("pain " * 100 + "xyz " * 100)
    doc[0].is_sent_start = True
    for token in doc[1:]:
        token.is_sent_start = False
    assert count_positions(model) == 30
    last_places: list[int] = []
    model.transformer.embeddings.position_embeddings.register_forward_pre_hook(
        lambda module, args: last_places.append(int(args[0].max()))
    )
    output = model.predict([doc])
    (spans,) = output.spans
    assert [token.i for span in spans for token in span] == list(range(200))
    assert 16 <= max(last_places) < 32
    (data,) = output.doc_data
    assert (data.align.lengths > 0).all()


@pytest.mark.parametrize("packs", [True, False])
def test_python_threads_may_share_it(
    tiny_bert: Path, packs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them runs into another's tokenizing, nor into dropout at another's end."""
    if not packs:
        monkeypatch.setattr(budget, "find_layers", lambda encoder: [])
    dropout = {"hidden_dropout_prob": 0.5}
    model = build_transformer_model(
        str(tiny_bert), make_sentence_windows(1000), transformer_config=dropout, max_pieces=32
    )
    model.initialize()
    nlp = spacy.blank("en")
    docs = [nlp("pain xyz " * n) for n in (60, 3, 20)]

    def vectors() -> numpy.ndarray:
        data = model.predict(docs).doc_data
        return numpy.concatenate([one.model_output.last_hidden_state[0] for one in data])

    expected = vectors()
    with ThreadPoolExecutor(3) as pool:
        found = [pool.submit(vectors) for _ in range(60)]
    for result in found:
        numpy.testing.assert_allclose(result.result(), expected, atol=1e-5)


def test_the_stock_model_cuts_such_windows(tiny_bert: Path) -> None:
    """What the test above would find if windows were not halved."""
    stock = spacy.registry.architectures.get("spacy-transformers.TransformerModel.v3")(
        str(tiny_bert), make_sentence_windows(1000), {}, {}, False, {}
    )
    stock.initialize()
    doc = spacy.blank("en")("pain " * 100)
    (data,) = stock.predict([doc]).doc_data
    assert (data.align.lengths == 0).any()


def test_an_encoder_that_cannot_be_loaded_is_a_coded_error(tmp_path: Path) -> None:
    model = build_transformer_model(str(tmp_path / "none"), make_sentence_windows(9))
    with pytest.raises(BertLstmError, match="BL307.*project run encoder"):
        model.initialize()


def test_an_encoder_without_room_is_a_coded_error(model: Model) -> None:
    model.tokenizer.model_max_length = 2
    with pytest.raises(BertLstmError, match="BL306"):
        count_positions(model)


def test_a_slow_tokenizer_is_a_coded_error(tiny_bert: Path) -> None:
    model = build_transformer_model(
        str(tiny_bert), make_sentence_windows(9), tokenizer_config={"use_fast": False}
    )
    with pytest.raises(BertLstmError, match="BL321.*use_fast"):
        model.initialize()


@pytest.mark.parametrize("max_pieces", [1, 16])
def test_a_budget_below_the_encoders_limit_changes_no_window(
    model: Model, tiny_bert: Path, max_pieces: int
) -> None:
    small = build_transformer_model(
        str(tiny_bert), make_sentence_windows(1000), max_pieces=max_pieces
    )
    small.initialize()
    docs = [spacy.blank("en")("the patient has chest pain . " * 20)]
    got, expected = small.predict(docs), model.predict(docs)
    assert [(s.start, s.end) for s in got.spans[0]] == [(s.start, s.end) for s in expected.spans[0]]
    assert max(len(span) for span in got.spans[0]) > 16
    numpy.testing.assert_allclose(
        got.doc_data[0].model_output.last_hidden_state,
        expected.doc_data[0].model_output.last_hidden_state,
        atol=1e-5,
    )


def test_an_encoder_that_names_no_limit_has_one(model: Model) -> None:
    model.tokenizer.model_max_length = int(1e30)
    model.transformer.config.max_position_embeddings = None
    assert count_positions(model) == 8190


ODD = {
    "nothing": "",
    "one token": "x",
    "a word": "pain",
    "10,000 tokens": "pain " * 10_000,
    "3,000 letters": "y" * 3000,
    "3,000 letters of other kinds": "\u5fc3\u81d3" * 1500,
    "a space": " ",
    "spaces": "   ",
    "newlines": "\n\n\n",
    "controls": "\x07 \x00",
    "soft hyphens": "\u00ad \u200b \ufeff",
    "emoji": "\U0001f600\U0001f3fd",
    "all of it": " \n pain\u00ad\n\n \x07\u200b \U0001f600 x\n",
}


def make_odd_docs() -> list[Doc]:
    nlp = spacy.blank("en")
    return [nlp.make_doc(text) for text in ODD.values()] + [
        Doc(nlp.vocab, words=["no", "a." * 1500, "pain"], spaces=[True, True, False])
    ]


@pytest.fixture
def tok2vec(encoder: Path) -> Model:
    """Docs to one vector a token."""
    transformer = build_transformer_model(str(encoder), make_sentence_windows(8), max_pieces=256)
    return build_transformer_tok2vec(transformer, reduce_mean())


def test_odd_docs_give_the_same_alone_and_in_a_batch(tok2vec: Model) -> None:
    tok2vec.initialize()
    docs = make_odd_docs()
    for doc, together in zip(docs, tok2vec.predict(docs), strict=True):
        assert len(together) == len(doc)
        assert numpy.isfinite(together).all()
        if len(doc):
            (alone,) = tok2vec.predict([doc])
            numpy.testing.assert_allclose(alone, together, atol=1e-5)
            # What has no word pieces has no vector, and everything else has.
            lengths = tok2vec.layers[0].predict([doc])[0].align.lengths
            numpy.testing.assert_array_equal(together.any(axis=1), lengths > 0)


def test_odd_docs_are_trained_on(tok2vec: Model) -> None:
    tok2vec.initialize()
    Ys, backprop = tok2vec.begin_update(make_odd_docs())
    backprop([numpy.ones_like(Y) for Y in Ys])
    (transformer,) = (node for node in tok2vec.walk() if node.name == "transformer")
    gradients = [
        weight.grad.to_dense()
        for weight in transformer.transformer.parameters()
        if weight.grad is not None
    ]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert any(gradient.any() for gradient in gradients)


def test_an_encoder_comes_back_from_bytes_and_as_a_copy(tok2vec: Model, encoder: Path) -> None:
    docs = [spacy.blank("en")("Given 40mg p.o.  aspirin,\n5 µg"), Doc(Vocab())]
    tok2vec.initialize()
    expected = tok2vec.predict(docs)[0]
    transformer = build_transformer_model("elsewhere", make_sentence_windows(8), max_pieces=64)
    again = build_transformer_tok2vec(transformer, reduce_mean()).from_bytes(tok2vec.to_bytes())
    for other in (again, again.copy(), copy.deepcopy(again), pickle.loads(pickle.dumps(again))):
        numpy.testing.assert_array_equal(other.predict(docs)[0], expected)
        (node,) = (node for node in other.walk() if node.name == "transformer")
        assert type(node) is TransformerModel
        assert node.shim.max_pieces == 64, "the budget is the machine's, not the weights'"
        other.initialize()  # neither loads the encoder anew
    assert transformer.copy().shim._model is not transformer.shim._model


def test_an_optimizer_keeps_moments_of_each_copy(model: Model) -> None:
    """As of the transformers that nlp.replace_listeners makes, whose gradients are their own."""
    other = model.copy()
    optimizer = Adam(0.1)
    for factor, each in ((1.0, model), (-1.0, other)):
        batch, backprop = each.begin_update([spacy.blank("en")("no pain")])
        dY = factor * torch.randn_like(batch.model_output["last_hidden_state"])
        batch.model_output = ModelOutput(last_hidden_state=dY)
        backprop(batch)
        each.finish_update(optimizer)
    n_weights = sum(weight.grad is not None for weight in model.transformer.parameters())
    assert n_weights > 10
    assert list(optimizer.nr_update.values()) == [1] * (2 * n_weights)
    for weight, opposite in zip(
        model.transformer.parameters(), other.transformer.parameters(), strict=True
    ):
        assert weight.grad is None or not torch.equal(weight, opposite)


def test_reading_changes_nothing_that_is_saved(model: Model) -> None:
    before = model.to_bytes()
    model.predict([spacy.blank("en")("no pain")])
    assert model.to_bytes() == before
    assert model.tokenizer.backend_tokenizer.truncation is None
    model.tokenizer.backend_tokenizer.enable_truncation(7)
    model.predict([spacy.blank("en")("pain " * 20)])
    assert model.tokenizer.backend_tokenizer.truncation["max_length"] == 7


@pytest.mark.parametrize("text", ["pain", " "])
@pytest.mark.parametrize("packs", [True, False])
def test_blanks_may_have_no_pieces_at_all(
    model: Model, packs: bool, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a tokenizer adds no special ones."""
    if not packs:
        monkeypatch.setattr(budget, "find_layers", lambda encoder: [])
    backend = model.tokenizer.backend_tokenizer
    backend.post_processor = TemplateProcessing(single="$A", special_tokens=[])
    docs = [Doc(Vocab(), words=[word]) for word in (text, " ", "\u200b")]
    found = model.predict(docs)
    n_pieces = int(text != " ")
    assert [data.align.lengths.tolist() for data in found.doc_data] == [[n_pieces], [0], [0]]
    batch, backprop = model.begin_update(docs)
    Y = batch.model_output["last_hidden_state"]
    assert Y.shape == (1, n_pieces, 16)
    batch.model_output = ModelOutput(last_hidden_state=torch.ones_like(Y))
    backprop(batch)


@pytest.mark.parametrize("trained_with", [True, False])
def test_another_mix_of_layers_than_in_training_is_a_coded_error(
    tiny_bert: Path, trained_with: bool
) -> None:
    def build(mix_layers: bool) -> Model:
        windows = make_sentence_windows(8)
        return build_transformer_model(str(tiny_bert), windows, mix_layers=mix_layers)

    trained = build(trained_with)
    trained.initialize()
    docs = [spacy.blank("en")("no pain")]
    build(trained_with).from_bytes(trained.to_bytes()).predict(docs)
    with pytest.raises(BertLstmError, match="BL326"):
        build(not trained_with).from_bytes(trained.to_bytes()).predict(docs)


def test_a_budget_of_no_pieces_is_a_coded_error(tiny_bert: Path) -> None:
    with pytest.raises(BertLstmError, match="BL327"):
        build_transformer_model(str(tiny_bert), make_sentence_windows(8), max_pieces=0)


def test_it_learns_where_the_caller_traces_no_gradients(model: Model) -> None:
    with torch.no_grad():
        batch, backprop = model.begin_update([spacy.blank("en")("no pain")])
        dY = torch.randn_like(batch.model_output["last_hidden_state"])
        batch.model_output = ModelOutput(last_hidden_state=dY)
        backprop(batch)
    assert model.transformer.encoder.layer[0].output.dense.weight.grad.any()


def test_docs_without_tokens_need_no_encoder(model: Model) -> None:
    batch, backprop = model.begin_update([Doc(Vocab()), Doc(Vocab())])
    assert [data.model_output for data in batch.doc_data] == [{}, {}]
    backprop(batch)
    assert model.predict([]).doc_data == []


def test_long_tokens_and_long_docs_pass(make_nlp: Callable[..., Language]) -> None:
    nlp = make_nlp()
    nlp.get_pipe("ner").add_label("problem")
    nlp.get_pipe("ner").add_label("test")
    nlp.initialize()
    texts = ["", "x", "pain", "y" * 3000, "pain " * 2000, "no\n\n\npain\n", " \n "]
    for text, doc in zip(texts, nlp.pipe(texts), strict=True):
        assert doc.text == text
        assert doc._.trf_data is None  # cleaned away


def test_a_doc_gives_the_same_alone_and_in_a_batch(make_nlp: Callable[..., Language]) -> None:
    nlp = make_nlp()
    nlp.get_pipe("ner").add_label("problem")
    nlp.initialize()
    texts = ["pain .", "the patient has no fever .\nhe was given aspirin .", "x " * 90, "pain"]

    def scores(batch: list[str]) -> list[numpy.ndarray]:
        docs = [nlp.get_pipe("sentences")(nlp.make_doc(text)) for text in batch]
        transformer = nlp.get_pipe("transformer")
        transformer.set_annotations(docs, transformer.predict(docs))
        return nlp.get_pipe("ner").model.predict(docs).emissions

    for text, together in zip(texts, scores(texts), strict=True):
        (alone,) = scores([text])
        numpy.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("max_pieces", [8192, 8])
@pytest.mark.parametrize("packs", [True, False])
def test_layers_are_mixed_by_shares_that_are_learned(
    tiny_bert: Path, packs: bool, max_pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not packs:
        monkeypatch.setattr(budget, "find_layers", lambda encoder: [])
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model = build_transformer_model(
        str(tiny_bert),
        make_sentence_windows(1000),
        transformer_config=still,
        max_pieces=max_pieces,
        mix_layers=True,
    )
    model.initialize()
    assert bool(model.shim.find_layers()) is packs
    encoder = model.layers[0]
    assert encoder.get_param("layer_mix").tolist() == [0, 0, 0]
    encoder.set_param("layer_mix", numpy.asarray([0.5, -1.0, 0.2], dtype="f"))
    nlp = spacy.blank("en")
    docs = [nlp.make_doc("no pain"), nlp.make_doc("the patient has fever")]
    found = model.predict(docs)
    shares = numpy.exp([0.5, -1.0, 0.2])
    for data, doc in zip(found.doc_data, docs, strict=True):
        states = model.transformer.eval()(
            **model.tokenizer(doc.text, return_tensors="pt"), output_hidden_states=True
        ).hidden_states
        expected = sum(s * X.detach().numpy() for s, X in zip(shares, states, strict=True))
        vectors = data.model_output.last_hidden_state
        numpy.testing.assert_allclose(vectors, expected / shares.sum(), atol=1e-5)

    batch, backprop = model.begin_update(docs)
    Y = batch.model_output["last_hidden_state"]
    dY = 100 * torch.randn(Y.shape, generator=torch.Generator().manual_seed(0))

    def objective() -> float:
        return float((torch.as_tensor(model.predict(docs).model_output[0]) * dY).sum())

    batch.model_output = ModelOutput(last_hidden_state=dY)
    backprop(batch)
    mix, gradient = encoder.get_param("layer_mix"), encoder.get_grad("layer_mix").copy()
    for i in range(3):
        before = mix[i]
        mix[i] = before + 0.01
        up = objective()
        mix[i] = before - 0.01
        down = objective()
        mix[i] = before
        assert gradient[i] == pytest.approx((up - down) / 0.02, abs=0.05)
    assert abs(gradient).max() > 1

    loaded = build_transformer_model(str(tiny_bert), make_sentence_windows(1000), mix_layers=True)
    loaded.from_bytes(model.to_bytes())
    numpy.testing.assert_array_equal(loaded.layers[0].get_param("layer_mix"), mix)
