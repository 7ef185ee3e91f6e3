"""The encoder multiplies in the format that the config names, the weights stay in fp32."""

from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import numpy
import pytest
import spacy
import torch
from transformers.utils import ModelOutput

from spacy_bertlstm.encoder import packed
from spacy_bertlstm.encoder import precision as precision_module
from spacy_bertlstm.encoder.budget import find_width_step
from spacy_bertlstm.encoder.precision import (
    Precision,
    autocast_dtype,
    has_amx,
    has_bf16,
    read_precision,
)
from spacy_bertlstm.encoder.transformer import TransformerModel, build_transformer_model
from spacy_bertlstm.encoder.windows import make_sentence_windows
from spacy_bertlstm.errors import BertLstmError

TEXTS = ["the patient has chest pain", "no fever", "aspirin was given daily for pain"]

Build = Callable[..., TransformerModel]


@pytest.fixture
def build(tiny_bert: Path) -> Build:
    """The same weights under another precision, without dropout."""

    def make(precision: str, **settings: object) -> TransformerModel:
        still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        model = build_transformer_model(
            str(tiny_bert),
            make_sentence_windows(6),
            transformer_config=still,
            precision=precision,
            **settings,
        )
        model.initialize()
        return model

    return make


@pytest.fixture(params=[True, False])
def bf16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """A processor that multiplies bf16 in hardware, or one that does not."""
    abilities = {"avx512_bf16": request.param, "avx2": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities, raising=False)
    forget_abilities()
    yield request.param
    forget_abilities()


def forget_abilities() -> None:
    has_bf16.cache_clear()
    has_amx.cache_clear()


@pytest.fixture(params=[True, False])
def amx(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """A processor that multiplies tiles, or one that multiplies bf16 without."""
    abilities = {"avx512_bf16": True, "amx_bf16": request.param}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities, raising=False)
    forget_abilities()
    yield request.param
    forget_abilities()


def test_with_amx_texts_are_as_wide_as_whole_tiles(amx: bool) -> None:
    assert has_amx("cpu") is amx
    assert not has_amx("cuda")
    assert find_width_step(device="cpu", packs=True) == (16 if amx else 8)
    assert find_width_step(device="cpu", packs=False) == 1
    assert find_width_step(device="cuda", packs=True) == 1


def encode(model: TransformerModel, *, is_train: bool = False) -> numpy.ndarray:
    nlp = spacy.blank("en")
    batch, _ = model([nlp.make_doc(text) for text in TEXTS], is_train)
    return batch.model_output["last_hidden_state"].detach().numpy()


def product_types(model: TransformerModel, *, is_train: bool) -> set[torch.dtype]:
    """The types that attention is given, which are those of products."""
    with patch.object(packed, "_attend", wraps=packed._attend) as attend:
        encode(model, is_train=is_train)
    return {call.args[1].dtype for call in attend.call_args_list}


@pytest.mark.parametrize("is_train", [False, True])
@pytest.mark.parametrize(
    ("precision", "expected"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_products_have_the_type_that_was_asked_for(
    build: Build, precision: str, expected: torch.dtype, *, is_train: bool
) -> None:
    assert product_types(build(precision), is_train=is_train) == {expected}


@pytest.mark.parametrize("name", ["auto", "fp16"])
def test_without_a_gpu_the_processor_decides(build: Build, name: str, *, bf16: bool) -> None:
    expected = torch.bfloat16 if bf16 else torch.float32
    assert product_types(build(name), is_train=False) == {expected}
    assert encode(build(name)).dtype == numpy.float32


def test_bf16_is_near_fp32(build: Build) -> None:
    exact, rough = encode(build("fp32")), encode(build("bf16"))
    assert 0 < abs(exact - rough).max() < 0.05 * abs(exact).max()


@pytest.mark.parametrize("max_pieces", [20, 8192])
def test_gradients_in_bf16_are_near_those_in_fp32(build: Build, max_pieces: int) -> None:
    """In one sub-batch, and in several, whose activations are computed again."""
    gradients = {}
    for precision in ("fp32", "bf16"):
        model = build(precision, max_pieces=max_pieces)
        nlp = spacy.blank("en")
        batch, backprop = model.begin_update([nlp.make_doc(text) for text in TEXTS])
        shape = batch.model_output["last_hidden_state"].shape
        dY = torch.tensor(numpy.random.default_rng(0).normal(size=shape).astype("f"))
        batch.model_output = ModelOutput(last_hidden_state=dY)
        backprop(batch)
        gradients[precision] = {
            name: weight.grad.to_dense()
            for name, weight in model.transformer.named_parameters()
            if weight.grad is not None
        }
    assert gradients["fp32"].keys() == gradients["bf16"].keys() != set()
    for name, exact in gradients["fp32"].items():
        rough = gradients["bf16"][name]
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() <= 0.1 * exact.norm() + 1e-3, name


def test_weights_that_change_are_cast_anew(build: Build) -> None:
    """torch's autocast keeps casts of weights; a kept one would be that of an older step."""
    model = build("bf16")
    before = encode(model)
    with torch.no_grad():
        model.transformer.encoder.layer[0].output.dense.weight.mul_(100.0)
    assert abs(encode(model) - before).max() > 0.05


def test_mixed_precision_is_fp16(build: Build) -> None:
    assert build("fp32", mixed_precision=True).shim.precision is Precision.fp16


def test_fp16_learns_on_a_processor_as_auto(build: Build) -> None:
    gradients = {}
    for precision in ("auto", "fp16"):
        model = build(precision)
        batch, backprop = model.begin_update([spacy.blank("en")("no pain")])
        Y = batch.model_output["last_hidden_state"]
        dY = torch.randn(Y.shape, generator=torch.Generator().manual_seed(0))
        batch.model_output = ModelOutput(last_hidden_state=dY)
        backprop(batch)
        gradients[precision] = model.transformer.encoder.layer[0].output.dense.weight.grad
    assert torch.equal(gradients["auto"], gradients["fp16"])
    assert gradients["fp16"].any()


def test_types_by_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision_module, "has_bf16", lambda device: device == "cuda")
    assert autocast_dtype(Precision.fp16, "cuda") is torch.float16
    assert autocast_dtype(Precision.auto, "cuda") is torch.bfloat16
    assert autocast_dtype(Precision.fp32, "cuda") is None
    assert autocast_dtype(Precision.auto, "cpu") is None
    assert autocast_dtype(Precision.bf16, "cpu") is torch.bfloat16


@pytest.mark.parametrize(("capability", "expected"), [((8, 0), True), ((7, 5), False)])
def test_bf16_of_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], *, expected: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    has_bf16.cache_clear()
    assert has_bf16("cuda") is expected
    has_bf16.cache_clear()
    assert not has_bf16("mps")


def test_unknown_precision(tiny_bert: Path) -> None:
    assert read_precision("bf16") is Precision.bf16
    with pytest.raises(BertLstmError, match=r"BL325.*'half'.*auto, fp32, bf16, fp16"):
        build_transformer_model(str(tiny_bert), make_sentence_windows(6), precision="half")
