"""The one torch LSTM: stacked, bidirectional, over sequences of any length."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import starmap
from typing import Any, cast

import numpy
import torch
from thinc.api import Model, get_width, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from spacy_bertlstm.encoder.dropout import drop
from spacy_bertlstm.encoder.precision import Precision, autocast_dtype
from spacy_bertlstm.encoder.threads import one_thread, require_own_threads

InT = list[Floats2d]
OutT = list[Floats2d]

# Sequences at least so long as this share of the longest beside them run together, in use and in
# training, where each step has a price of its own.
_SIMILAR_LENGTH = {False: 0.75, True: 0.4}


def stacked_bilstm(
    hidden_width: int, depth: int, dropout: float, precision: Precision = Precision.fp32
) -> Model[InT, OutT]:
    """A stacked bidirectional LSTM whose output for a sequence depends on that sequence alone.

    The weights are thinc parameters under torch's names, so that the input width may come
    with the data and thinc's optimizer, averages and serialization treat them as their own.

    Each direction runs on its own over padded batches, the backward one over sequences that
    are reversed before they are padded. So padding always comes last and reaches no output,
    as in torch's packed sequences, whose training takes several times as long on a CPU. On a CPU
    where torch may have two threads, the two directions run side by side.

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
    ends = numpy.cumsum(lengths)
    rows, outputs = [], []
    for group in _group_by_length(lengths, in_training=torch.is_grad_enabled()):
        inputs = [X[ends[i] - lengths[i] : ends[i]] for i in group]
        rows += [torch.arange(ends[i] - lengths[i], ends[i]) for i in group]
        outputs.append(_run_group(inputs, weights, depth, rate, apart))
    Y = torch.cat(outputs)
    # From the groups' order back to the given one.
    return Y[torch.argsort(torch.cat(rows)).to(Y.device)]


def _group_by_length(lengths: Sequence[int], *, in_training: bool) -> list[list[int]]:
    """Indices of sequences that are padded to one length."""
    similar = _SIMILAR_LENGTH[in_training]
    groups: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not lengths[i]:
            break
        if groups and lengths[i] >= similar * lengths[groups[-1][0]]:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _run_group(
    sequences: list[Tensor], weights: dict[str, Tensor], depth: int, rate: float, apart: bool
) -> Tensor:
    lengths = torch.tensor([len(sequence) for sequence in sequences], device=sequences[0].device)
    X = pad_sequence(sequences)  # (longest, n_sequences, width)
    steps = torch.arange(len(X), device=X.device)[:, None]
    column = torch.arange(len(sequences), device=X.device)
    inside = steps < lengths  # (longest, n_sequences)
    # Reverses each sequence and leaves its padding where it is; its own inverse.
    reverse = torch.where(inside, lengths - 1 - steps, steps)
    for layer in range(depth):
        both = [
            (X, *_layer_weights(weights, f"l{layer}")),
            (X[reverse, column], *_layer_weights(weights, f"l{layer}_reverse")),
        ]
        onward, backward = (
            _SideBySide.apply(*both[0], *both[1]) if apart else starmap(_run_lstm, both)
        )
        X = drop(torch.cat([onward, backward[reverse, column]], dim=-1), rate)
    # (longest, n_sequences, nO) -> (total length, nO)
    return X.transpose(0, 1)[inside.T]


def _layer_weights(weights: dict[str, Tensor], suffix: str) -> list[Tensor]:
    return [
        weights[f"{name}_{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]


def _run_lstm(X: Tensor, *weights: Tensor) -> Tensor:
    """One layer in one direction, (longest, n_sequences, width) to (..., hidden_width)."""
    state = X.new_zeros(1, X.shape[1], weights[1].shape[1])
    Y: Tensor = torch.lstm(X, (state, state), weights, True, 1, 0.0, False, False, False)[0]
    return Y


class _SideBySide(torch.autograd.Function):
    """Two LSTMs in two threads, their gradients too.

    Torch has one thread to calculate gradients on a CPU, so each of the two has a graph of its
    own. Threads are made anew each time: a process that was forked has lost those of its parent.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        wanted = any(ctx.needs_input_grad)

        def run(own: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
            with torch.set_grad_enabled(wanted):
                leaves = [tensor.detach().requires_grad_(wanted) for tensor in own]
                return leaves, _run_lstm(*leaves)

        ctx.graphs = _in_two_threads(run, _halves(inputs))
        (_, first), (_, second) = ctx.graphs
        return first.detach(), second.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        def run(graph: tuple[tuple[list[Tensor], Tensor], Tensor]) -> tuple[Tensor, ...]:
            (leaves, Y), dY = graph
            return torch.autograd.grad(Y, leaves, dY)

        first, second = _in_two_threads(run, list(zip(ctx.graphs, gradients, strict=True)))
        return *first, *second


def _halves(inputs: Sequence[Tensor]) -> list[Sequence[Tensor]]:
    middle = len(inputs) // 2
    return [inputs[:middle], inputs[middle:]]


def _in_two_threads(function: Callable[[Any], Any], arguments: Sequence[Any]) -> tuple[Any, Any]:
    first, second = arguments
    # Each thread has its own mind on how many more it may start.
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as companion:
        pending = companion.submit(function, second)
        return function(first), pending.result()


def _torch_lstm(width: int, hidden_width: int, depth: int, device: str = "meta") -> torch.nn.LSTM:
    """Torch's stacked LSTM, for the names of the weights and their first values."""
    return torch.nn.LSTM(width, hidden_width, num_layers=depth, bidirectional=True, device=device)
