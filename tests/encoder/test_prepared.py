"""Products with prepared weights are those of the layers themselves, and follow the weights."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy
import pytest
import spacy
import torch
from thinc.api import Model
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertLayer

from spacy_bertlstm.encoder import budget, packed, prepared
from spacy_bertlstm.encoder.packed import Layer
from spacy_bertlstm.encoder.prepared import PreparedLayer, has_prepared_products

# The place of the keys among a layer's products.
KEYS = 1
TEXTS = ["the patient has chest pain", "no fever", "aspirin was given daily for pain"]


def needs(name: str, dtype: torch.dtype) -> Any:
    """A parameter of a test that needs products of a number format."""
    reason = f"torch comes without oneDNN's products in {name}"
    missing = not has_prepared_products("cpu", dtype)
    return pytest.param(name, marks=pytest.mark.skipif(missing, reason=reason))


PRECISIONS = [needs("fp32", torch.float32), needs("bf16", torch.bfloat16)]


def encode(model: Model) -> numpy.ndarray:
    nlp = spacy.blank("en")
    data = model.predict([nlp.make_doc(text) for text in TEXTS]).doc_data
    return numpy.concatenate([of_doc.model_output.last_hidden_state[0] for of_doc in data])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_they_are_near_those_of_the_layers_and_fp32(
    make_model: Callable[[str], Model], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = encode(make_model(precision))
    monkeypatch.setattr(budget, "has_prepared_products", lambda device, dtype: False)
    exact, own = encode(make_model("fp32")), encode(make_model(precision))
    rounds = precision != "fp32"
    numpy.testing.assert_allclose(prepared, own, atol=0.02 if rounds else 1e-5)
    numpy.testing.assert_allclose(prepared, exact, atol=0.05 if rounds else 1e-5)
    assert numpy.allclose(prepared, exact, atol=1e-5) != rounds


@pytest.mark.skipif(not has_prepared_products("cpu", torch.float32), reason="no oneDNN")
@pytest.mark.parametrize("activation", ["gelu", "relu", "gelu_new"])
def test_an_activation_that_cannot_be_joined_to_a_product_runs_behind_it(activation: str) -> None:
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32, num_attention_heads=2, intermediate_size=64, hidden_act=activation
    )
    layer = Layer(BertLayer(config))
    X = torch.randn(5, 32)
    with torch.no_grad():
        prepared = PreparedLayer(layer, torch.float32)
        torch.testing.assert_close(prepared.feed_forward(X), layer.feed_forward(X))
        torch.testing.assert_close(prepared.project(X), layer.project(X))
        torch.testing.assert_close(prepared.project_attention(X), layer.project_attention(X))


def project(model: Model) -> numpy.ndarray:
    """Queries, keys and values of the last layer."""
    with patch.object(packed, "_attend", wraps=packed._attend) as attend:
        encode(model)
    projected: numpy.ndarray = attend.call_args.args[1].float().numpy()
    return projected


@pytest.mark.parametrize("product", range(6))
@pytest.mark.parametrize("kind", ["weight", "bias"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_weights_that_change_between_two_texts_count(
    make_model: Callable[[str], Model], product: int, kind: str, precision: str
) -> None:
    """Whoever changes them: a training, an average of weights, a file."""
    model = make_model(precision)
    before = encode(model)
    numpy.testing.assert_array_equal(encode(model), before)
    before_keys = project(model)
    layers = model.shim.find_layers()
    with torch.no_grad():
        # As thinc's optimizers do, behind torch's back.
        weights = getattr(layers[-1].products[product], kind).detach().numpy()
        weights += numpy.linspace(0.0, 0.5, weights.size).reshape(weights.shape)
    after = encode(model)
    # What is added to all keys of a text changes no attention, but for rounding: so the keys are
    # looked at themselves.
    if (product, kind) == (KEYS, "bias"):
        assert not numpy.array_equal(project(model), before_keys)
    else:
        assert not numpy.array_equal(after, before)
    fresh = make_model(precision).from_bytes(model.to_bytes())
    numpy.testing.assert_array_equal(encode(fresh), after)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_part_of_the_weights_that_torch_changes_counts(
    make_model: Callable[[str], Model], precision: str
) -> None:
    model = make_model(precision)
    before = encode(model)
    with torch.no_grad():
        model.shim.find_layers()[-1].expansion.weight[1, 2] += 1
    assert not numpy.array_equal(encode(model), before)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["norm", "activation"])
def test_a_module_in_anothers_place_counts(
    make_model: Callable[[str], Model], precision: str, name: str
) -> None:
    model = make_model(precision)
    before = encode(model)
    layer = model.transformer.encoder.layer[0]
    if name == "norm":
        layer.output.LayerNorm = torch.nn.LayerNorm(16)
        torch.nn.init.normal_(layer.output.LayerNorm.weight)
    else:
        layer.intermediate.intermediate_act_fn = torch.nn.ReLU()
    after = encode(model)
    assert not numpy.allclose(after, before, atol=1e-3)
    budget._PREPARED.clear()
    numpy.testing.assert_array_equal(encode(model), after)


def test_a_sample_is_of_rows_and_columns_all_over() -> None:
    rows, columns = 1024, 384
    places = prepared._view_some(torch.arange(rows * columns).view(rows, columns)).numpy()
    assert len(places) > 32
    for numbers, size in ((places // columns, rows), (places % columns, columns)):
        assert set(numbers * 8 // size) == set(range(8))
