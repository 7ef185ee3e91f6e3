"""bf16 products with prepared weights are those of autocast, and follow the weights."""

from collections.abc import Callable

import numpy
import pytest
import spacy
import torch
from thinc.api import Model

from spacy_bertlstm.encoder import budget
from spacy_bertlstm.encoder.bf16 import has_packed_products

TEXTS = ["the patient has chest pain", "no fever", "aspirin was given daily for pain"]

pytestmark = pytest.mark.skipif(
    not has_packed_products("cpu"), reason="torch comes without oneDNN's products"
)


def encode(model: Model) -> numpy.ndarray:
    nlp = spacy.blank("en")
    data = model.predict([nlp.make_doc(text) for text in TEXTS]).doc_data
    return numpy.concatenate([of_doc.model_output.last_hidden_state[0] for of_doc in data])


def test_they_are_near_fp32_and_those_of_autocast(
    make_model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    exact, prepared = encode(make_model("fp32")), encode(make_model("bf16"))
    numpy.testing.assert_allclose(prepared, exact, atol=0.05)
    assert not numpy.array_equal(prepared, exact)
    monkeypatch.setattr(budget, "has_packed_products", lambda device: False)
    numpy.testing.assert_allclose(prepared, encode(make_model("bf16")), atol=0.02)


@pytest.mark.parametrize("product", range(6))
@pytest.mark.parametrize("kind", ["weight", "bias"])
def test_weights_that_change_between_two_texts_count(
    make_model: Callable[[str], Model], product: int, kind: str
) -> None:
    """Whoever changes them: a training, an average of weights, a file."""
    model = make_model("bf16")
    before = encode(model)
    numpy.testing.assert_array_equal(encode(model), before)
    layers = model.shim._own_layers()
    with torch.no_grad():
        # As thinc's optimizers do, behind torch's back.
        weights = getattr(layers[-1].products[product], kind).detach().numpy()
        weights += numpy.linspace(0.0, 0.5, weights.size).reshape(weights.shape)
    after = encode(model)
    assert not numpy.array_equal(after, before)
    fresh = make_model("bf16").from_bytes(model.to_bytes())
    numpy.testing.assert_array_equal(encode(fresh), after)
