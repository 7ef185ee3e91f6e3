"""int8 products are near those of the encoder, and nothing that is stored changes."""

from collections.abc import Callable

import numpy
import pytest
import spacy
import torch
from thinc.api import Model
from torch.nn import Linear
from transformers.utils import ModelOutput

from spacy_bertlstm.encoder import budget
from spacy_bertlstm.encoder.int8 import Int8Product, has_int8

TEXTS = ["the patient has chest pain", "no fever", "aspirin was given daily for pain"]

needs_int8 = pytest.mark.skipif(not has_int8("cpu"), reason="no int8 products on this processor")


def encode(model: Model, texts: list[str] = TEXTS) -> list[numpy.ndarray]:
    nlp = spacy.blank("en")
    data = model.predict([nlp.make_doc(text) for text in texts]).doc_data
    return [of_doc.model_output.last_hidden_state[0] for of_doc in data]


def off_by(found: list[numpy.ndarray], right: list[numpy.ndarray]) -> float:
    difference = numpy.concatenate(found) - numpy.concatenate(right)
    return float(numpy.linalg.norm(difference) / numpy.linalg.norm(numpy.concatenate(right)))


@needs_int8
def test_a_product_is_within_its_steps() -> None:
    """Each of 64 terms is off by half a step of its input and of its row of weights."""
    torch.manual_seed(0)
    X, layer = torch.randn(50, 64), Linear(64, 32)
    steps = X.abs().amax(0) / 127
    product = Int8Product([layer], steps, 128)
    with torch.no_grad():
        exact = layer(X)
        error = (product(product.quantize(X)).float() - exact).abs()
        row_steps = (layer.weight * steps).abs().amax(1) / 127 / steps.min()
        bound = 64 * (steps.max() / 2 * layer.weight.abs().max() + X.abs().max() * row_steps.max())
    assert 0 < float(error.max()) < float(bound)
    assert float(error.mean()) < 0.02 * float(exact.abs().mean())


@needs_int8
def test_values_beyond_the_range_are_cut_and_not_wrapped() -> None:
    product = Int8Product([Linear(2, 2)], torch.tensor([0.1, 0.1]), 128)
    assert product.quantize(torch.tensor([[100.0, -100.0]])).tolist() == [[255, 0]]
    assert product.quantize(torch.tensor([[0.0, 0.26]])).tolist() == [[128, 131]]


@needs_int8
def test_int8_is_near_fp32_and_the_same_in_every_batch(
    make_model: Callable[[str], Model],
) -> None:
    exact, model = encode(make_model("fp32")), make_model("int8")
    together = encode(model)
    assert 0 < off_by(together, exact) < 0.05
    for text, vectors in zip(TEXTS, together, strict=True):
        numpy.testing.assert_array_equal(encode(model, [text])[0], vectors)
    numpy.testing.assert_array_equal(encode(make_model("int8"))[0], together[0])


@needs_int8
def test_what_is_stored_stays_and_what_has_learned_is_quantized_anew(
    make_model: Callable[[str], Model],
) -> None:
    model, plain = make_model("int8"), make_model("fp32")
    before = encode(model)
    for name, weight in model.transformer.state_dict().items():
        assert torch.equal(weight, plain.transformer.state_dict()[name]), name
    nlp = spacy.blank("en")
    batch, backprop = model.begin_update([nlp.make_doc(text) for text in TEXTS])
    Y = batch.model_output["last_hidden_state"]
    batch.model_output = ModelOutput(last_hidden_state=torch.ones_like(torch.as_tensor(Y)))
    backprop(batch)
    with torch.no_grad():
        for weight in model.transformer.parameters():
            weight *= 1.2
    assert off_by(encode(model), before) > 0.05
    after = encode(model)
    model.from_bytes(plain.to_bytes())
    numpy.testing.assert_array_equal(encode(model)[0], before[0])
    assert off_by(after, before) > 0.05


@needs_int8
@pytest.mark.parametrize("name", ["attention.output.LayerNorm", "word_embeddings"])
def test_what_the_range_comes_from_counts(make_model: Callable[[str], Model], name: str) -> None:
    model = make_model("int8")
    encode(model)
    with torch.no_grad():
        for key, weight in model.transformer.named_parameters():
            if name in key:
                weight.mul_(8.0)
    fresh = make_model("int8").from_bytes(model.to_bytes())
    for found, right in zip(encode(model), encode(fresh), strict=True):
        numpy.testing.assert_array_equal(found, right)


@needs_int8
def test_a_tokenizer_may_have_more_pieces_than_the_encoder(
    make_model: Callable[[str], Model],
) -> None:
    model = make_model("int8")
    model.tokenizer.add_tokens([f"[DEID{number}]" for number in range(60)])
    assert numpy.isfinite(numpy.concatenate(encode(model))).all()


@needs_int8
def test_weights_that_are_not_finite_show_as_in_fp32(make_model: Callable[[str], Model]) -> None:
    for precision in ("fp32", "int8"):
        model = make_model(precision)
        with torch.no_grad():
            model.transformer.encoder.layer[0].output.dense.weight[0] = torch.nan
        assert numpy.isnan(numpy.concatenate(encode(model))).any()


@needs_int8
def test_a_model_that_has_run_can_be_copied(make_model: Callable[[str], Model]) -> None:
    """As `nlp.replace_listeners` does."""
    model = make_model("int8")
    vectors = encode(model)
    copied = model.copy()
    for found, right in zip(encode(copied), vectors, strict=True):
        numpy.testing.assert_array_equal(found, right)
    copied.begin_update([spacy.blank("en").make_doc("no pain")])
    numpy.testing.assert_array_equal(encode(model)[0], vectors[0])


def test_without_int8_the_precision_is_that_of_auto(
    make_model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "has_int8", lambda device: False)
    for found, right in zip(encode(make_model("int8")), encode(make_model("auto")), strict=True):
        numpy.testing.assert_array_equal(found, right)


def test_only_some_processors_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for abilities, has in (({"avx512_vnni": True}, True), ({"avx2": True}, False), ({}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda a=abilities: a, raising=False)
        assert has_int8("cpu") == has
        assert not has_int8("cuda")
