"""The one torch LSTM: stacked, bidirectional, over sequences of any length."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, cast
from weakref import WeakKeyDictionary

import numpy
import torch
from thinc.api import Model, get_width, torch2xp, xp2torch
from thinc.backends import ParamServer
from thinc.types import Floats2d
from torch import Tensor
from torch.autograd.function import once_differentiable

from spacy_bertlstm.encoder.dropout import drop
from spacy_bertlstm.encoder.lstm_layout import LstmLayout, make_lstm_layout
from spacy_bertlstm.encoder.precision import Precision, autocast_dtype
from spacy_bertlstm.encoder.prepared import PreparedLstm, WeightCache, has_prepared_lstm
from spacy_bertlstm.threads import call_both, require_own_threads, torch_threads

InT = list[Floats2d]
OutT = list[Floats2d]
# A layer in one direction, from inputs and two states to outputs and states.
Lstm: TypeAlias = "TorchLstm | PreparedLstm"
# A layer in both directions: of inputs as laid out, and whether the directions run in parallel.
RunLayer = Callable[[Tensor, LstmLayout, bool], Tensor]

# The layers of models, made ready for use on a CPU, by what holds a model's weights: a model itself
# cannot be referred to weakly.
_PREPARED: WeakKeyDictionary[ParamServer, WeightCache[list[tuple[Lstm, Lstm]]]] = (
    WeakKeyDictionary()
)

_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
# Values that take about as long as one more call of torch's LSTM.
_CPU_SEGMENT_PRICE, _GPU_SEGMENT_PRICE = 64, 256
# On a CPU oneDNN makes a kernel for each shape of a call, in milliseconds. So calls are of these
# numbers of time steps, down to one that is short beside the mean sequence, and few: of a large
# batch not many more than the last figure.
_STEPS = (128, 64, 32, 16, 8, 4, 2, 1)
_SHORT, _MOST_PADDING = 1 / 4, 16
_MANY_SEGMENTS = 64


def stacked_bilstm(
    hidden_width: int, depth: int, dropout: float, precision: Precision = Precision.fp32
) -> Model[InT, OutT]:
    """A stacked bidirectional LSTM whose output for a sequence depends on that sequence alone.

    The weights are thinc parameters under torch's names, so that the input width may come
    with the data and thinc's optimizer, averages and serialization treat them as their own.

    Each direction runs on its own, the backward one over sequences that are reversed in front of
    their padding. So padding always comes last and reaches no output, as in torch's packed
    sequences, which take several times as long on a CPU. Where torch may have two threads, the
    two directions run side by side.

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
    require_own_threads()
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
    depth, rate = model.attrs["depth"], model.attrs["dropout"] if is_train else 0.0
    on_cpu = X.device.type == "cpu"
    dtype = autocast_dtype(precision, X.device.type) or X.dtype
    in_parallel = on_cpu and torch.get_num_threads() > 1
    # The precision is the layer's own affair; under a caller's autocast a companion would not be.
    uncast = torch.autocast(X.device.type, enabled=False)
    # A time step is small, and cores that shared it would wait for each other at each of hundreds.
    # With a core to itself each, two gain a factor of 1.7; beside one other busy process they may
    # lose a factor of 100.
    with torch.set_grad_enabled(is_train), torch_threads(1), uncast:
        layers: list[RunLayer]
        if is_train:
            _PREPARED.pop(model._params, None)  # of weights that are to change
        if is_train and on_cpu:
            eights = _sort_weights(weights, depth, dtype)
            layers = [partial(_train_layer, weights=eight) for eight in eights]
        else:
            cache = None if is_train else _PREPARED.setdefault(model._params, WeightCache())
            ways = _make_ways(weights, depth, dtype, cache)
            layers = [partial(run_layer, ways=pair) for pair in ways]
        # (total length, nO)
        Y = _run(X.to(dtype), lengths, layers, rate, in_parallel).to(X.dtype)

    def backprop(dYs: OutT) -> InT:
        dY = xp2torch(model.ops.xp.concatenate([dY for dY in dYs if len(dY)]))
        with torch_threads(1), uncast:
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


def _sort_weights(weights: dict[str, Tensor], depth: int, dtype: torch.dtype) -> list[list[Tensor]]:
    """The weights of each layer in a number format, four of each direction."""
    own = {name: weight.to(dtype) for name, weight in weights.items()}
    return [
        [own[f"{name}_l{layer}{way}"] for way in ("", "_reverse") for name in _WEIGHTS]
        for layer in range(depth)
    ]


def _make_ways(
    weights: dict[str, Tensor],
    depth: int,
    dtype: torch.dtype,
    cache: WeightCache[list[tuple[Lstm, Lstm]]] | None,
) -> list[tuple[Lstm, Lstm]]:
    """The two directions of each layer, to be calculated in a number format.

    cache (WeightCache | None): Of what these weights were made into; None in training.
    """

    def make(kind: Callable[[Sequence[Tensor]], Lstm]) -> list[tuple[Lstm, Lstm]]:
        eights = _sort_weights(weights, depth, dtype)
        return [(kind(eight[:4]), kind(eight[4:])) for eight in eights]

    arrays = list(weights.values())
    if cache is not None and has_prepared_lstm(arrays[0].device.type, dtype):
        return cache.get(arrays, lambda: make(PreparedLstm))
    return make(TorchLstm)


def _run(
    X: Tensor, lengths: Sequence[int], layers: Sequence[RunLayer], rate: float, in_parallel: bool
) -> Tensor:
    """All layers over all sequences, given and returned one behind the other."""
    if X.device.type == "cpu":
        price = max(_CPU_SEGMENT_PRICE, sum(lengths) // _MANY_SEGMENTS)
        least = min(_SHORT * sum(lengths) / len(lengths), _MOST_PADDING)
        sizes = [steps for steps in _STEPS if 2 * steps > least]
        layout = make_lstm_layout(lengths, X.device, segment_price=price, sizes=sizes)
    else:
        layout = make_lstm_layout(lengths, X.device, segment_price=_GPU_SEGMENT_PRICE)
    X = X.index_select(0, layout.sources)  # (n_places, nI)
    for run in layers:
        X = drop(run(X, layout, in_parallel), rate)
    return X.index_select(0, layout.places)


class TorchLstm:
    """As PreparedLstm, by torch's own function, on any device and in training."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self._weights = list(weights)
        self.width = weights[1].shape[1]

    def __call__(self, X: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        traces = torch.is_grad_enabled()
        return torch.lstm(X, (h, c), self._weights, True, 1, 0.0, traces, False, False)


def run_layer(X: Tensor, layout: LstmLayout, in_parallel: bool, ways: tuple[Lstm, Lstm]) -> Tensor:
    """One layer in both directions, (n_places, width) to (n_places, 2 * hidden_width).

    in_parallel (bool): Whether the directions run at the same time.
    ways (tuple[Lstm, Lstm]): The forward and the backward direction.
    """
    onward, backward = ways
    Y, Y_reverse = call_both(
        partial(_run_direction, X, layout, onward),
        partial(_run_direction, X.index_select(0, layout.reverse), layout, backward),
        in_parallel=in_parallel,
    )
    return torch.cat([Y, Y_reverse.index_select(0, layout.reverse)], dim=1)


class TrainedLayer(torch.autograd.Function):
    """`run_layer` whose directions run at the same time on the way back, too."""

    @staticmethod
    def forward(
        ctx: Any, X: Tensor, layout: LstmLayout, in_parallel: bool, *weights: Tensor
    ) -> Tensor:
        """As `run_layer`, with four weights of the forward and four of the backward direction."""
        ctx.reverse, ctx.in_parallel = layout.reverse, in_parallel
        ctx.ways = call_both(
            partial(_trace_lstm, X, layout, weights[:4]),
            partial(_trace_lstm, X.index_select(0, layout.reverse), layout, weights[4:]),
            in_parallel=in_parallel,
        )
        (Y, _), (Y_reverse, _) = ctx.ways
        return torch.cat([Y, Y_reverse.index_select(0, layout.reverse)], dim=1).detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dY: Tensor) -> tuple[Tensor | None, ...]:
        reverse = ctx.reverse
        dY, dY_reverse = dY.chunk(2, dim=1)
        # Nothing asks for them twice, and they hold on to much.
        (onward, backward), ctx.ways = ctx.ways, None
        (dX, *d_onward), (dX_reverse, *d_backward) = call_both(
            partial(torch.autograd.grad, *onward, dY),
            partial(torch.autograd.grad, *backward, dY_reverse.index_select(0, reverse)),
            in_parallel=ctx.in_parallel,
        )
        return dX + dX_reverse.index_select(0, reverse), None, None, *d_onward, *d_backward


def _train_layer(
    X: Tensor, layout: LstmLayout, in_parallel: bool, weights: Sequence[Tensor]
) -> Tensor:
    return cast(Tensor, TrainedLayer.apply(X, layout, in_parallel, *weights))


def _trace_lstm(
    X: Tensor, layout: LstmLayout, weights: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """One layer in one direction, and what to ask for the gradients of."""
    X, *weights = inputs = [values.detach().requires_grad_() for values in (X, *weights)]
    with torch.enable_grad():
        return _run_direction(X, layout, TorchLstm(weights)), inputs


def _run_direction(X: Tensor, layout: LstmLayout, lstm: Lstm) -> Tensor:
    """One layer in one direction, (n_places, width) to (n_places, hidden_width)."""
    h = c = X.new_zeros(1, layout.segments[0][1], lstm.width)
    Ys = []
    for own_X in layout.split(X):
        n_rows = own_X.shape[1]
        Y, h, c = lstm(own_X, h[:, :n_rows], c[:, :n_rows])
        Ys.append(Y.flatten(0, 1))
    return torch.cat(Ys)


def _torch_lstm(width: int, hidden_width: int, depth: int, device: str = "meta") -> torch.nn.LSTM:
    """Torch's stacked LSTM, for the names of the weights and their first values."""
    return torch.nn.LSTM(width, hidden_width, num_layers=depth, bidirectional=True, device=device)
