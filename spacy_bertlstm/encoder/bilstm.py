"""The one torch LSTM: stacked, bidirectional, over sequences of any length."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

import numpy
import torch
from thinc.api import Model, get_width, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor

from spacy_bertlstm.encoder.dropout import drop
from spacy_bertlstm.encoder.precision import Precision, autocast_dtype
from spacy_bertlstm.encoder.stairs import Stairs, make_stairs
from spacy_bertlstm.encoder.trained_lstm import TrainedLayer
from spacy_bertlstm.threads import one_thread, require_own_threads

InT = list[Floats2d]
OutT = list[Floats2d]

_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
# One more call of torch's LSTM takes about as long as so many values.
_TREAD_PRICE = 256


def stacked_bilstm(
    hidden_width: int, depth: int, dropout: float, precision: Precision = Precision.fp32
) -> Model[InT, OutT]:
    """A stacked bidirectional LSTM whose output for a sequence depends on that sequence alone.

    The weights are thinc parameters under torch's names, so that the input width may come
    with the data and thinc's optimizer, averages and serialization treat them as their own.

    Each direction runs on its own, the backward one over sequences that are reversed in front of
    their padding. So padding always comes last and reaches no output, as in torch's packed
    sequences, which take several times as long on a CPU. Where torch may have two threads there,
    the two directions run side by side in use, and one after the other in training.

    hidden_width (int): Units each way; the output has twice as many.
    depth (int): Layers.
    dropout (float): On the output of each layer, in training.
    precision (Precision): Of what it calculates; inputs, outputs, weights and gradients are fp32.
    RETURNS (Model): From sequences of shape (length, nI) to (length, 2 * hidden_width).
    """
    require_own_threads()
    names = [name for name, _ in _torch_lstm(1, 1, depth).named_parameters()]
    return Model(
        "stacked_bilstm",
        # No attribute, since these are stored with the weights, and the config is to decide.
        partial(forward, precision=precision),
        init=init,
        dims={"nI": None, "nO": 2 * hidden_width},
        params=dict.fromkeys(names),
        attrs={"depth": depth, "dropout": dropout},
    )


def forward(
    model: Model[InT, OutT], Xs: InT, is_train: bool, *, precision: Precision
) -> tuple[OutT, Callable]:
    lengths = [len(X) for X in Xs]
    if not sum(lengths):
        return [model.ops.alloc2f(0, model.get_dim("nO")) for _ in Xs], lambda dYs: Xs

    def split(array: Floats2d) -> list[Floats2d]:
        return model.ops.xp.split(array, numpy.cumsum(lengths)[:-1])

    # (total length, nI)
    X = xp2torch(model.ops.xp.concatenate([X for X in Xs if len(X)]), requires_grad=is_train)
    weights = {
        name: xp2torch(model.get_param(name), requires_grad=is_train) for name in model.param_names
    }
    rate = model.attrs["dropout"] if is_train else 0.0
    dtype = autocast_dtype(precision, X.device.type) or X.dtype
    own = {name: weight.to(dtype) for name, weight in weights.items()}
    apart = X.device.type == "cpu" and torch.get_num_threads() > 1
    with torch.set_grad_enabled(is_train), one_thread():
        # (total length, nO)
        Y = _run(X.to(dtype), lengths, own, model.attrs["depth"], rate, apart).to(X.dtype)

    def backprop(dYs: OutT) -> InT:
        dY = xp2torch(model.ops.xp.concatenate([dY for dY in dYs if len(dY)]))
        with one_thread():
            dX, *gradients = torch.autograd.grad(Y, [X, *weights.values()], dY)
        for name, gradient in zip(weights, gradients, strict=True):
            model.inc_grad(name, cast(Floats2d, torch2xp(gradient)))
        return split(cast(Floats2d, torch2xp(dX)))

    return split(cast(Floats2d, torch2xp(Y.detach()))), backprop


def init(model: Model[InT, OutT], X: InT | None = None, Y: OutT | None = None) -> None:
    if X is not None:
        model.set_dim("nI", first_width(X))
    lstm = _torch_lstm(
        model.get_dim("nI"), model.get_dim("nO") // 2, model.attrs["depth"], device="cpu"
    )
    for name, weight in lstm.named_parameters():
        values = model.ops.xp.asarray(weight.detach().numpy())
        model.set_param(name, cast(Floats2d, values))


def first_width(Xs: InT) -> int:
    """The width of sequences, of which an empty one may not know it."""
    return get_width(next((X for X in Xs if len(X)), Xs[0]))


def _run(
    X: Tensor,
    lengths: Sequence[int],
    weights: dict[str, Tensor],
    depth: int,
    rate: float,
    apart: bool,
) -> Tensor:
    """All layers over all sequences, given and returned one behind the other."""
    by_hand = torch.is_grad_enabled() and X.device.type == "cpu"
    stairs = make_stairs(lengths, X.device, tread_price=0 if by_hand else _TREAD_PRICE)
    X = X.index_select(0, stairs.sources)  # (n_places, nI)
    for layer in range(depth):
        own = [weights[f"{name}_l{layer}{way}"] for way in ("", "_reverse") for name in _WEIGHTS]
        Y = TrainedLayer.apply(X, stairs, *own) if by_hand else run_layer(X, stairs, own, apart)
        X = drop(Y, rate)
    return X.index_select(0, stairs.places)


def run_layer(X: Tensor, stairs: Stairs, weights: list[Tensor], apart: bool) -> Tensor:
    """One layer in both directions, (n_places, width) to (n_places, 2 * hidden_width)."""
    width = weights[1].shape[1]
    Y = X.new_zeros(len(X), 2 * width)
    places = torch.arange(len(X), device=X.device)
    onward = partial(_run_lstm, X, Y, slice(width), stairs, places, weights[:4])
    backward = partial(_run_lstm, X, Y, slice(width, None), stairs, stairs.reverse, weights[4:])
    if apart:
        # Made anew each time: a process that was forked has lost the threads of its parent.
        with ThreadPoolExecutor(1, initializer=_calculate_alone) as companion:
            pending = companion.submit(backward)
            onward()
            pending.result()
    else:
        onward()
        backward()
    return Y


def _run_lstm(
    X: Tensor, Y: Tensor, half: slice, stairs: Stairs, order: Tensor, weights: list[Tensor]
) -> None:
    """One layer in one direction.

    X (Tensor): (n_places, width).
    Y (Tensor): Takes the outputs, (n_places, 2 * hidden_width).
    half (slice): Where in the width of Y.
    order (Tensor): The places that inputs are taken from and outputs put to, (n_places,).
    """
    h = c = X.new_zeros(1, stairs.treads[0][1], weights[1].shape[1])
    for places in stairs.split(order):
        rows = places.shape[1]
        places = places.flatten()
        # (steps * sequences, width) -> (steps, sequences, width)
        own_X = X.index_select(0, places).unflatten(0, (-1, rows))
        state = h[:, :rows], c[:, :rows]
        own_Y, h, c = torch.lstm(
            own_X, state, weights, True, 1, 0.0, torch.is_grad_enabled(), False, False
        )
        Y[:, half].index_copy_(0, places, own_Y.flatten(0, 1))


def _calculate_alone() -> None:
    """A thread has its own mind on how many more it may start, and on tracing gradients."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)


def _torch_lstm(width: int, hidden_width: int, depth: int, device: str = "meta") -> torch.nn.LSTM:
    """Torch's stacked LSTM, for the names of the weights and their first values."""
    return torch.nn.LSTM(width, hidden_width, num_layers=depth, bidirectional=True, device=device)
