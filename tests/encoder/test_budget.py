"""The encoder works on no more padded word pieces than it may, and the output is the same."""

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import spacy
import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy_transformers.data_classes import FullTransformerBatch
from thinc.api import Adam
from transformers.utils import ModelOutput

from spacy_bertlstm.encoder import budget
from spacy_bertlstm.encoder.budget import group_runs, share_runs
from spacy_bertlstm.encoder.packed import find_layers, make_buckets
from spacy_bertlstm.encoder.transformer import TransformerModel, build_transformer_model
from spacy_bertlstm.encoder.windows import make_sentence_windows
from spacy_bertlstm.threads import torch_threads

NLP = spacy.blank("en")
# Windows of 8 to 3 pieces, special ones included.
TEXTS = ["pain fever chest ray was given", "no pain", "", "x", "the patient has fever " * 4]
MANY = 8192
# The pieces of the sub-batches, where only lengths part them: packed there are no sub-batches.
BY_LENGTH = {True: [37], False: [24, 6, 4, 3]}
FEW = 20
LESS_THAN_A_WINDOW = 5

Build = Callable[..., TransformerModel]


@pytest.fixture(params=[True, False], ids=["packed", "padded"])
def packs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the encoder is one that runs without padding."""
    packs: bool = request.param
    monkeypatch.setattr(
        budget, "find_layers", lambda encoder: find_layers(encoder) if packs else []
    )
    return packs


@pytest.fixture
def build(tiny_bert: Path, packs: bool) -> Build:
    """The same weights, with another budget or dropout."""

    def make(
        max_pieces: int, dropout: float = 0.0, *, mix_layers: bool = False
    ) -> TransformerModel:
        rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
        model = build_transformer_model(
            str(tiny_bert),
            make_sentence_windows(6),
            transformer_config=rates,
            max_pieces=max_pieces,
            mix_layers=mix_layers,
        )
        model.initialize()
        return model

    return make


def make_docs() -> list[Doc]:
    return [NLP.make_doc(text) for text in TEXTS]


def record_calls(model: TransformerModel) -> list[int]:
    """The word pieces of each sub-batch, with their padding where the encoder needs it."""
    calls: list[int] = []
    model.transformer.embeddings.word_embeddings.register_forward_pre_hook(
        lambda module, args: calls.append(args[0].numel())
    )
    return calls


def vectors(batch: FullTransformerBatch) -> numpy.ndarray:
    return batch.model_output["last_hidden_state"].detach().numpy()


def train(model: TransformerModel) -> tuple[numpy.ndarray, dict[str, numpy.ndarray]]:
    """The output, and the gradients of the weights for a random gradient of the output."""
    batch, backprop = model.begin_update(make_docs())
    Y = vectors(batch)
    dY = numpy.random.default_rng(1).normal(size=Y.shape).astype("f")
    batch.model_output = ModelOutput(last_hidden_state=torch.tensor(dY))
    backprop(batch)
    gradients = {
        name: weight.grad.to_dense().numpy().copy()
        for name, weight in model.transformer.named_parameters()
        if weight.grad is not None
    }
    return Y, gradients


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=20),
    most=st.integers(10, 100),
    packs=st.booleans(),
    device=st.sampled_from(["cpu", "cuda"]),
)
def test_tables_hold_each_run_once_and_keep_to_the_budget(
    lengths: list[int], most: int, packs: bool, device: str
) -> None:
    batches = group_runs(lengths, most, range(len(lengths)), device=device, packs=packs)
    runs = [i for buckets in batches for bucket in buckets for i in bucket]
    assert sorted(runs) == list(range(len(lengths)))
    for buckets in batches:
        of_buckets = [[lengths[i] for i in bucket] for bucket in buckets]
        step = budget.find_width_step(device=device, packs=packs)
        laid_out = make_buckets(of_buckets, torch.device("cpu"), width_step=step)
        assert laid_out.size <= most or sum(map(len, buckets)) == 1
        assert packs or len(buckets) == 1
    if device == "cuda" and max(lengths) * len(lengths) <= most:
        assert len(batches) == len(batches[0]) == 1


@given(lengths=st.lists(st.integers(0, 500), min_size=1, max_size=20), most=st.integers(10, 2000))
def test_two_sides_have_about_half_each_and_the_budget_is_for_both(
    lengths: list[int], most: int
) -> None:
    with torch_threads(2):
        sides = share_runs(lengths, most, device="cpu", packs=True)
    assert sorted(i for side in sides for i in side) == list(range(len(lengths)))
    if len(sides) == 2:
        step = budget.find_width_step(device="cpu", packs=True)
        for side in sides:
            loads = sum(lengths[i] for i in side)
            assert 0.4 * sum(lengths) <= loads <= 0.6 * sum(lengths)
            for buckets in group_runs(lengths, most // 2, side, device="cpu", packs=True):
                of_buckets = [[lengths[i] for i in bucket] for bucket in buckets]
                laid_out = make_buckets(of_buckets, torch.device("cpu"), width_step=step)
                assert laid_out.size <= most // 2


@given(lengths=st.lists(st.integers(1, 500), min_size=1, max_size=20))
@pytest.mark.parametrize("packs", [True, False])
def test_on_a_cpu_runs_of_a_table_are_of_like_length(lengths: list[int], packs: bool) -> None:
    batches = group_runs(lengths, 10**6, range(len(lengths)), device="cpu", packs=packs)
    ordered = [[lengths[i] for i in bucket] for buckets in batches for bucket in buckets]
    assert len(batches) == (1 if packs else len(ordered))

    def is_full(n_runs: int, length: int) -> bool:
        step = budget.find_width_step(device="cpu", packs=packs)
        width = -(-length // step) * step
        return packs and n_runs * width**2 > budget._MOST_SCORES

    for bucket, next_bucket in itertools.pairwise(ordered):
        assert budget._CLOSENESS * bucket[0] > next_bucket[0] or is_full(len(bucket) + 1, bucket[0])
    for bucket in ordered:
        assert bucket[-1] >= budget._CLOSENESS * bucket[0]
        assert len(bucket) == 1 or not is_full(len(bucket), bucket[0])


def test_an_encoder_whose_weights_are_frozen_teaches_what_stands_above(build: Build) -> None:
    model = build(MANY)
    model.transformer.requires_grad_(False)
    _, gradients = train(model)
    assert not gradients


def test_prediction_in_sub_batches_gives_the_same(build: Build, packs: bool) -> None:
    small, large = build(FEW), build(MANY)
    calls, one_call = record_calls(small), record_calls(large)
    in_parts, at_once = vectors(small.predict(make_docs())), vectors(large.predict(make_docs()))
    assert one_call == BY_LENGTH[packs]
    assert len(calls) > len(one_call)
    assert max(calls) <= FEW
    numpy.testing.assert_allclose(in_parts, at_once, atol=1e-5)


def test_a_window_of_more_pieces_goes_through_alone_and_whole(build: Build) -> None:
    small, large = build(LESS_THAN_A_WINDOW), build(MANY)
    calls = record_calls(small)
    alone, at_once = small.predict(make_docs()), large.predict(make_docs())
    assert max(calls) == 8
    assert calls == sorted(calls, reverse=True)
    assert [len(spans) for spans in alone.spans] == [len(spans) for spans in at_once.spans]
    numpy.testing.assert_allclose(vectors(alone), vectors(at_once), atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize("max_pieces", [MANY, 2 * FEW])
def test_sub_batches_run_side_by_side_and_give_the_same(
    tiny_bert: Path, precision: str, max_pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_transformer_model(
        str(tiny_bert), make_sentence_windows(6), max_pieces=max_pieces, precision=precision
    )
    model.initialize()
    threads: list[threading.Thread] = []
    with torch_threads(2):
        alone = vectors(model.predict(make_docs()))
        monkeypatch.setattr(budget, "_LEAST_SHARED", 1)
        calls = record_calls(model)
        model.transformer.embeddings.word_embeddings.register_forward_pre_hook(
            lambda module, args: threads.append(threading.current_thread())
        )
        beside = vectors(model.predict(make_docs()))
        assert torch.get_num_threads() == 2
    numpy.testing.assert_allclose(beside, alone, atol=1e-5 if precision == "fp32" else 0.05)
    assert sum(calls) == BY_LENGTH[True][0]
    assert max(calls) <= max_pieces // 2
    assert len(set(threads)) == 2
    assert threads.count(threading.current_thread()) in (len(calls) // 2, -(-len(calls) // 2))


@pytest.mark.parametrize("beside", [False, True])
def test_an_error_on_either_side_arrives_and_leaves_the_threads_as_they_were(
    tiny_bert: Path, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "_LEAST_SHARED", 1)
    model = build_transformer_model(str(tiny_bert), make_sentence_windows(6))
    model.initialize()
    caller = threading.current_thread()

    def fail(module: torch.nn.Module, args: tuple) -> None:
        if (threading.current_thread() is not caller) is beside:
            raise KeyError

    hook = model.transformer.embeddings.word_embeddings.register_forward_pre_hook(fail)
    with torch_threads(2):
        with pytest.raises(KeyError):
            model.predict(make_docs())
        assert torch.get_num_threads() == 2
        hook.remove()
        assert numpy.isfinite(vectors(model.predict(make_docs()))).all()


def test_runs_are_shared_where_it_is_worth_it() -> None:
    def count(lengths: list[int], n_threads: int = 2, most: int = MANY, **other: Any) -> int:
        with torch_threads(n_threads):
            return len(share_runs(lengths, most, **{"device": "cpu", "packs": True} | other))

    enough = budget._LEAST_SHARED
    assert count([enough // 2] * 2) == 2
    assert count([500, *[100] * 5]) == 2
    assert count([enough // 2, enough // 2 - 1]) == 1
    assert count([510, 10]) == count([enough]) == count([300] * 3) == 1
    assert count([500, 500], most=999) == 1
    assert count([enough] * 2, n_threads=1) == count([enough] * 2, n_threads=3) == 1
    assert count([enough] * 2, device="cuda") == count([enough] * 2, packs=False) == 1


@pytest.mark.parametrize("few, most", [(FEW, FEW), (LESS_THAN_A_WINDOW, 8)])
def test_training_in_sub_batches_gives_the_same_gradients(
    build: Build, packs: bool, few: int, most: int
) -> None:
    small, large = build(few), build(MANY)
    calls, one_call = record_calls(small), record_calls(large)
    Y_parts, in_parts = train(small)
    Y_whole, at_once = train(large)
    assert one_call == BY_LENGTH[packs]  # nothing is computed twice where there is no need
    assert max(calls) <= most
    assert calls[: len(calls) // 2] == calls[len(calls) // 2 :]  # forward, and again
    numpy.testing.assert_allclose(Y_parts, Y_whole, atol=1e-5)
    assert in_parts.keys() == at_once.keys()
    assert len(at_once) > 30
    for name, gradient in at_once.items():
        numpy.testing.assert_allclose(in_parts[name], gradient, atol=1e-4, err_msg=name)
        assert gradient.any() or name.endswith("key.bias"), name


def test_any_optimizer_may_step_on_sparse_gradients(build: Build, packs: bool) -> None:
    model = build(MANY)
    train(model)
    words = model.transformer.embeddings.word_embeddings
    assert words.weight.grad.is_sparse is packs
    assert not words.sparse
    before = words.weight.detach().clone()
    used = words.weight.grad.to_dense().any(dim=1)
    model.finish_update(Adam(0.1, L2=0.0))
    assert torch.equal((words.weight != before).any(dim=1), used)
    assert 0 < int(used.sum()) < len(used)


def test_no_activation_is_kept_between_forward_and_backward(build: Build) -> None:
    saved: list[torch.Tensor] = []

    def save(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tensor)
        return tensor

    def train_forward(model: TransformerModel) -> int:
        saved.clear()
        with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
            model.begin_update(make_docs())
        return sum(tensor.is_floating_point() for tensor in saved)

    assert train_forward(build(MANY)) > 50
    assert train_forward(build(FEW)) == 0


def test_each_sub_batch_is_computed_again_with_the_same_dropout(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients equal those of a run that keeps everything."""
    outputs: list[numpy.ndarray] = []
    model = build(FEW, dropout=0.5)
    model.transformer.encoder.layer[1].attention.output.dense.register_forward_hook(
        lambda module, inputs, output: outputs.append(output.detach().numpy().copy())
    )
    torch.manual_seed(3)
    Y, again = train(model)
    random_after = torch.get_rng_state()
    half = len(outputs) // 2
    assert half > 2
    for first, second in zip(outputs[:half], outputs[half:], strict=True):
        numpy.testing.assert_array_equal(first, second)

    monkeypatch.setattr(budget, "checkpoint", lambda run, *inputs, use_reentrant: run(*inputs))
    torch.manual_seed(3)
    Y_kept, kept = train(build(FEW, dropout=0.5))
    numpy.testing.assert_array_equal(Y, Y_kept)
    for name, gradient in kept.items():
        numpy.testing.assert_array_equal(again[name], gradient, err_msg=name)
    # The second computation takes nothing from the stream of random numbers.
    assert torch.equal(random_after, torch.get_rng_state())

    torch.manual_seed(4)
    assert not numpy.array_equal(train(build(FEW, dropout=0.5))[0], Y)


@pytest.mark.parametrize("most", [FEW, MANY])
def test_use_between_forward_and_backward_changes_no_gradient(build: Build, most: int) -> None:
    """As when the transformer is one of a training's annotating components."""
    gradients = []
    for uses in (False, True):
        model = build(most, dropout=0.5)
        torch.manual_seed(3)
        output, backprop = model.begin_update(make_docs())
        if uses:
            model.predict(make_docs())
        backprop(output)
        gradients.append({n: w.grad for n, w in model.transformer.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, atol=0, rtol=0, msg=name)


@pytest.mark.parametrize("sizes", [*itertools.product((FEW, MANY), repeat=2)])
def test_gradients_add_up_over_batches(build: Build, sizes: tuple[int, int]) -> None:
    """Those of the embeddings are sparse where all goes through at once."""
    model = build(MANY)
    model.shim.max_pieces = sizes[0]
    _, once = train(model)
    model.shim.max_pieces = sizes[1]
    _, twice = train(model)
    for name, gradient in once.items():
        numpy.testing.assert_allclose(twice[name], 2 * gradient, atol=1e-4, err_msg=name)


def test_torch_is_told_the_device_of_what_is_computed_again(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the state of a GPU's random numbers only where a tensor argument is there."""
    devices: list[list[str]] = []

    def record(run: Callable, *inputs: object, use_reentrant: bool) -> object:
        devices.append([x.device.type for x in inputs if isinstance(x, torch.Tensor)])
        return run(*inputs)

    monkeypatch.setattr(budget, "checkpoint", record)
    build(FEW).begin_update(make_docs())
    assert len(devices) > 1
    assert all(own == ["cpu"] for own in devices)


class Scaler:
    """What thinc's scaler of fp16 gradients does on a GPU."""

    found_inf = False

    def scale(self, tensors: list[torch.Tensor], inplace: bool) -> list[torch.Tensor]:
        return [tensor.mul_(1024.0) for tensor in tensors]

    def unscale(self, tensors: list[torch.Tensor]) -> bool:
        for tensor in tensors:
            tensor.mul_(1 / 1024.0)
            self.found_inf |= not bool(torch.isfinite(tensor).all())
        return self.found_inf

    def update(self) -> None:
        self.found_inf = False


@pytest.mark.parametrize("mix_layers", [False, True])
def test_scaled_gradients_of_several_batches_add_up(build: Build, mix_layers: bool) -> None:
    """As with `accumulate_gradient`."""
    gradients: list[dict[str, numpy.ndarray]] = []
    for scales in (False, True):
        model = build(FEW, mix_layers=mix_layers)
        if scales:
            model.shim._grad_scaler = Scaler()
        train(model)
        train(model)
        found: dict[str, numpy.ndarray] = {}
        gradients.append(found)

        def keep(
            key: tuple[int, str],
            weights: numpy.ndarray,
            gradient: numpy.ndarray,
            found: dict[str, numpy.ndarray] = found,
        ) -> tuple[numpy.ndarray, numpy.ndarray]:
            found[key[1]] = gradient.copy()
            return weights, gradient

        model.finish_update(keep)
    assert ("layer_mix" in gradients[0]) is mix_layers
    for name, gradient in gradients[0].items():
        numpy.testing.assert_allclose(gradients[1][name], gradient, rtol=1e-4, atol=1e-6)


def test_a_mix_does_not_learn_from_scaled_gradients_that_are_not_finite(build: Build) -> None:
    model = build(FEW, mix_layers=True)
    model.shim._grad_scaler = Scaler()
    batch, backprop = model.begin_update(make_docs())
    dY = torch.full_like(batch.model_output["last_hidden_state"], torch.inf)
    batch.model_output = ModelOutput(last_hidden_state=dY)
    backprop(batch)
    before = {name: weight.clone() for name, weight in model.transformer.named_parameters()}
    model.finish_update(Adam(0.1))
    assert (model.layers[0].get_param("layer_mix") == 0).all()
    for name, weight in model.transformer.named_parameters():
        assert torch.equal(weight, before[name])


@pytest.mark.gpu
def test_sub_batches_on_a_gpu(build: Build) -> None:
    from thinc.api import use_ops

    with use_ops("cupy"):
        model = build(FEW, dropout=0.5)
        outputs: list[torch.Tensor] = []
        model.transformer.encoder.layer[1].attention.output.dense.register_forward_hook(
            lambda module, inputs, output: outputs.append(output.detach().clone())
        )
        batch, backprop = model.begin_update(make_docs())
        Y = batch.model_output["last_hidden_state"]
        batch.model_output = ModelOutput(last_hidden_state=torch.ones_like(Y))
        backprop(batch)
        half = len(outputs) // 2
        assert half > 2
        for first, second in zip(outputs[:half], outputs[half:], strict=True):
            assert torch.equal(first, second)
