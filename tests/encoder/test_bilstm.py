import pickle
from typing import Any
from unittest.mock import Mock

import numpy
import pytest
import torch
from thinc.api import Model, NumpyOps, get_current_ops

from spacy_bertlstm.encoder import bilstm
from spacy_bertlstm.encoder.bilstm import stacked_bilstm
from spacy_bertlstm.encoder.lstm_layout import LstmLayout, make_lstm_layout
from spacy_bertlstm.encoder.precision import Precision, autocast_dtype
from spacy_bertlstm.encoder.prepared import has_prepared_lstm


@pytest.fixture
def lstm(rng: numpy.random.Generator) -> Model:
    model = stacked_bilstm(hidden_width=4, depth=2, dropout=0.3)
    model.initialize(X=[rng.normal(size=(3, 6)).astype("f")])
    return model


def sequences(rng: numpy.random.Generator, lengths: list[int]) -> list[numpy.ndarray]:
    return [rng.normal(size=(length, 6)).astype("f") for length in lengths]


def test_equals_torch(lstm: Model, rng: numpy.random.Generator) -> None:
    reference = torch.nn.LSTM(6, 4, num_layers=2, bidirectional=True)
    reference.load_state_dict({n: torch.tensor(lstm.get_param(n)) for n in lstm.param_names})
    (X,) = sequences(rng, [5])
    expected = reference(torch.tensor(X))[0].detach().numpy()
    numpy.testing.assert_allclose(lstm.predict([X])[0], expected, atol=1e-6)


def test_a_sequence_gives_the_same_alone_and_in_a_batch(
    lstm: Model, rng: numpy.random.Generator
) -> None:
    Xs = sequences(rng, [5, 1, 0, 17, 3, 16, 4, 100])
    together = lstm.predict(Xs)
    assert [Y.shape for Y in together] == [(len(X), 8) for X in Xs]
    for X, Y in zip(Xs, together, strict=True):
        numpy.testing.assert_allclose(lstm.predict([X])[0], Y, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
def test_two_threads_give_what_one_gives(
    lstm: Model, rng: numpy.random.Generator, threads: int
) -> None:
    Xs = sequences(rng, [5, 1, 0, 17])
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    expected = lstm.predict(Xs)
    try:
        torch.set_num_threads(threads)
        found = lstm.predict(Xs)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for Y, expected_Y in zip(found, expected, strict=True):
        numpy.testing.assert_array_equal(Y, expected_Y)


@pytest.mark.parametrize("precision", [Precision.fp32, Precision.bf16])
def test_weights_laid_out_once_give_what_torchs_own_function_gives(
    rng: numpy.random.Generator, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_prepared_lstm("cpu", autocast_dtype(precision, "cpu") or torch.float32):
        pytest.skip("torch comes without oneDNN's LSTM in this precision")
    model = stacked_bilstm(hidden_width=128, depth=2, dropout=0.0, precision=precision)
    Xs = sequences(rng, [5, 1, 0, 17, 40, *range(3, 33)])
    model.initialize(X=Xs)
    prepare = Mock(wraps=bilstm.PreparedLstm)
    monkeypatch.setattr(bilstm, "PreparedLstm", prepare)
    found = model.predict(Xs)
    assert prepare.call_count == 4  # of each layer and direction
    for Y, again in zip(found, model.predict(Xs), strict=True):
        numpy.testing.assert_array_equal(Y, again)
    assert prepare.call_count == 4
    monkeypatch.setattr(bilstm, "has_prepared_lstm", lambda device, dtype: False)
    for Y, expected in zip(found, model.predict(Xs), strict=True):
        numpy.testing.assert_allclose(Y, expected, atol=1e-6 if precision == "fp32" else 1e-2)
    assert prepare.call_count == 4


@pytest.mark.parametrize("way", ["", "_reverse"])
@pytest.mark.parametrize("name", ["weight_ih", "weight_hh", "bias_ih", "bias_hh"])
@pytest.mark.parametrize("precision", [Precision.fp32, Precision.bf16])
def test_weights_that_change_between_two_batches_count(
    rng: numpy.random.Generator, precision: Precision, name: str, way: str
) -> None:
    """As all do where there is a new average, or a file is read."""
    model = stacked_bilstm(hidden_width=32, depth=2, dropout=0.0, precision=precision)
    Xs = sequences(rng, [5, 1, 17])
    model.initialize(X=Xs)
    before = numpy.concatenate(model.predict(Xs))
    # As thinc's optimizers do, behind torch's back.
    weights = model.get_param(f"{name}_l1{way}")
    weights += numpy.linspace(0.1, 0.5, weights.size, dtype="f").reshape(weights.shape)
    after = numpy.concatenate(model.predict(Xs))
    assert not numpy.array_equal(after, before)
    fresh = stacked_bilstm(hidden_width=32, depth=2, dropout=0.0, precision=precision)
    fresh.from_bytes(model.to_bytes())
    numpy.testing.assert_array_equal(numpy.concatenate(fresh.predict(Xs)), after)


def test_a_single_weight_that_is_changed_counts_from_the_next_training_on(
    lstm: Model, rng: numpy.random.Generator
) -> None:
    Xs = sequences(rng, [5, 2])
    before, weights = lstm.predict(Xs)[0], lstm.get_param("weight_hh_l0")
    weights[1, 2] += 1
    lstm.begin_update(Xs)
    assert not numpy.array_equal(lstm.predict(Xs)[0], before)


@pytest.mark.parametrize("reads_bytes", [True, False])
def test_weights_in_the_place_of_others_count_if_a_single_one_differs(
    lstm: Model, rng: numpy.random.Generator, reads_bytes: bool
) -> None:
    Xs = sequences(rng, [5, 2])
    other = lstm.copy()
    weights = lstm.get_param("weight_hh_l0").copy()
    weights[1, 2] += 1
    other.set_param("weight_hh_l0", weights)
    expected = other.predict(Xs)
    assert not numpy.array_equal(lstm.predict(Xs)[0], expected[0])
    if reads_bytes:
        lstm.from_bytes(other.to_bytes())
    else:
        lstm.set_param("weight_hh_l0", weights)
    for Y, same in zip(lstm.predict(Xs), expected, strict=True):
        numpy.testing.assert_array_equal(Y, same)


def test_copies_keep_what_each_has_made(
    lstm: Model, rng: numpy.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    Xs = sequences(rng, [5, 2])
    other = lstm.copy()
    other.get_param("bias_ih_l0")[:] += 1
    expected = lstm.predict(Xs), other.predict(Xs)
    monkeypatch.setattr(bilstm, "PreparedLstm", Mock(side_effect=AssertionError))
    with torch.inference_mode():
        for model, own in zip((lstm, other), expected, strict=True):
            numpy.testing.assert_array_equal(
                numpy.concatenate(model.predict(Xs)), numpy.concatenate(own)
            )


def test_a_copy_and_a_pickle_have_weights_of_their_own(
    lstm: Model, rng: numpy.random.Generator
) -> None:
    Xs = sequences(rng, [5, 2])
    expected = lstm.predict(Xs)
    for other in (lstm.copy(), pickle.loads(pickle.dumps(lstm))):
        other.get_param("bias_ih_l0")[:] += 1
        assert not numpy.array_equal(other.predict(Xs)[0], expected[0])
        for Y, same in zip(lstm.predict(Xs), expected, strict=True):
            numpy.testing.assert_array_equal(Y, same)


def test_bf16_is_near_fp32_in_use_and_in_training(rng: numpy.random.Generator) -> None:
    models = [
        stacked_bilstm(4, 2, dropout=0.0, precision=precision)
        for precision in (Precision.fp32, Precision.bf16)
    ]
    Xs = sequences(rng, [5, 1, 0, 17])
    models[0].initialize(X=Xs)
    models[1].from_bytes(models[0].to_bytes())
    dYs = [rng.normal(size=(len(X), 8)).astype("f") for X in Xs]
    exact, rounded = (model.predict(Xs) for model in models)
    assert all(Y.dtype == numpy.float32 for Y in rounded)
    found = numpy.concatenate(rounded)
    assert not numpy.array_equal(found, numpy.concatenate(exact))
    numpy.testing.assert_allclose(found, numpy.concatenate(exact), atol=0.02)
    for model in models:
        model.begin_update(Xs)[1](dYs)
    for name in models[0].param_names:
        right, near = (model.get_grad(name) for model in models)
        assert near.dtype == numpy.float32
        assert numpy.linalg.norm(near - right) < 0.05 * numpy.linalg.norm(right), name


@pytest.mark.parametrize(
    ("lengths", "most"),
    [([1] * 2000, 1.0), ([3] * 300, 1.05), ([17] * 100, 1.25), ([50] * 30, 1.25), ([500], 1.05)],
)
def test_padding_is_short_beside_the_sequences(
    lengths: list[int], most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[int] = []

    def note(lengths: list[int], device: torch.device, **settings: Any) -> LstmLayout:
        layout = make_lstm_layout(lengths, device, **settings)
        places.append(len(layout.sources))
        return layout

    monkeypatch.setattr(bilstm, "make_lstm_layout", note)
    Xs = [numpy.zeros((length, 2), dtype="f") for length in lengths]
    stacked_bilstm(2, 1, dropout=0.0).initialize(X=Xs).predict(Xs)
    assert places[-1] <= most * sum(lengths)


def test_a_callers_autocast_changes_nothing(lstm: Model, rng: numpy.random.Generator) -> None:
    Xs = sequences(rng, [5, 9])
    expected = lstm.predict(Xs)
    lstm.attrs["dropout"] = 0.0
    with torch.autocast("cpu"):
        found = lstm.predict(Xs)
        trained, backprop = lstm.begin_update(Xs)
        assert all(numpy.isfinite(dX).all() for dX in backprop(trained))
    for Y, X_trained, expected_Y in zip(found, trained, expected, strict=True):
        numpy.testing.assert_array_equal(Y, expected_Y)
        numpy.testing.assert_allclose(X_trained, expected_Y, atol=1e-6)


def test_empty_batches(lstm: Model) -> None:
    empty = numpy.zeros((0, 6), dtype="f")
    assert lstm.predict([]) == []
    assert [Y.shape for Y in lstm.predict([empty, empty])] == [(0, 8), (0, 8)]


def test_gradients_equal_finite_differences(rng: numpy.random.Generator) -> None:
    model = stacked_bilstm(hidden_width=2, depth=2, dropout=0.0)
    Xs = sequences(rng, [3, 0, 1, 6, 5])  # two runs of similar length and one alone
    model.initialize(X=Xs)
    dYs = [rng.normal(size=(len(X), 4)).astype("f") for X in Xs]

    def objective() -> float:
        model.begin_update(Xs)  # behind which single weights that were changed in place count
        return sum(float((Y * dY).sum()) for Y, dY in zip(model.predict(Xs), dYs, strict=True))

    _, backprop = model.begin_update(Xs)
    dXs = backprop(dYs)
    checks = [(X, dX) for X, dX in zip(Xs, dXs, strict=True)]
    checks += [(model.get_param(name), model.get_grad(name)) for name in model.param_names]
    step = 1e-2
    for values, gradients in checks:
        assert values.shape == gradients.shape
        for index in list(numpy.ndindex(values.shape))[:6]:
            before = values[index]
            values[index] = before + step
            up = objective()
            values[index] = before - step
            down = objective()
            values[index] = before
            assert gradients[index] == pytest.approx((up - down) / (2 * step), abs=2e-3)


def test_dropout_acts_in_training_only(lstm: Model, rng: numpy.random.Generator) -> None:
    Xs = sequences(rng, [9])
    numpy.testing.assert_array_equal(lstm.predict(Xs)[0], lstm.predict(Xs)[0])
    dropped, _ = lstm.begin_update(Xs)
    assert (dropped[0] == 0).any()
    assert not (lstm.predict(Xs)[0] == 0).any()


def test_bytes_bring_back_the_weights_and_the_width(
    lstm: Model, rng: numpy.random.Generator
) -> None:
    Xs = sequences(rng, [4])
    copy = stacked_bilstm(hidden_width=4, depth=2, dropout=0.3).from_bytes(lstm.to_bytes())
    numpy.testing.assert_array_equal(copy.predict(Xs)[0], lstm.predict(Xs)[0])


@pytest.mark.gpu
def test_gpu_equals_cpu(rng: numpy.random.Generator) -> None:
    from thinc.api import CupyOps, use_ops

    assert isinstance(get_current_ops(), NumpyOps)
    model = stacked_bilstm(hidden_width=4, depth=2, dropout=0.0)
    Xs = sequences(rng, [5, 2])
    model.initialize(X=Xs)
    expected = model.predict(Xs)
    with use_ops("cupy"):
        copy = stacked_bilstm(hidden_width=4, depth=2, dropout=0.0).from_bytes(model.to_bytes())
        ops = CupyOps()
        on_gpu = copy.predict([ops.asarray(X) for X in Xs])
    for Y, expected_Y in zip(on_gpu, expected, strict=True):
        numpy.testing.assert_allclose(Y.get(), expected_Y, atol=1e-5)
