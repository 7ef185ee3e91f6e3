"""The one torch LSTM: stacked, bidirectional, over sequences of any length."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import cast

import numpy
import torch
from thinc.api import Model, get_width, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor
from torch.nn.functional import dropout
from torch.nn.utils.rnn import pad_sequence

from spacy_bertlstm.encoder.precision import Precision, autocast_dtype
from spacy_bertlstm.encoder.threads import one_thread, require_own_threads

InT = list[Floats2d]
OutT = list[Floats2d]

# Sequences at least so long as this share of the longest beside them run together.
_SIMILAR_LENGTH = 0.75


def stacked_bilstm(
    hidden_width: int, depth: int, dropout: float, precision: Precision = Precision.fp32
) -> Model[InT, OutT]:
    """A stacked bidirectional LSTM whose output for a sequence depends on that sequence alone.

    The weights are thinc parameters under torch's names, so that the input width may come
    with the data and thinc's optimizer, averages and serialization treat them as their own.

    Each direction runs on its own over padded batches, the backward one over sequences that
    are reversed before they are padded. So padding always comes last and reaches no output,
    as in torch's packed sequences, whose training takes several times as long on a CPU. In use,
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
    apart = not is_train and X.device.type == "cpu" and torch.get_num_threads() > 1
    with torch.set_grad_enabled(is_train), one_thread(), _companion(apart) as companion:
        # (total length, nO)
        Y = _run(X.to(dtype), lengths, own, model.attrs["depth"], rate, companion).to(X.dtype)

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


def _companion(wanted: bool) -> AbstractContextManager[Executor | None]:
    """A second thread, where it is wanted; made anew, since a process loses threads by a fork."""
    return ThreadPoolExecutor(1) if wanted else nullcontext()


def _run(
    X: Tensor,
    lengths: Sequence[int],
    weights: dict[str, Tensor],
    depth: int,
    rate: float,
    companion: Executor | None,
) -> Tensor:
    """All layers over all sequences, given and returned one behind the other."""
    ends = numpy.cumsum(lengths)
    rows, outputs = [], []
    for group in _group_by_length(lengths):
        inputs = [X[ends[i] - lengths[i] : ends[i]] for i in group]
        rows += [torch.arange(ends[i] - lengths[i], ends[i]) for i in group]
        outputs.append(_run_group(inputs, weights, depth, rate, companion))
    Y = torch.cat(outputs)
    # From the groups' order back to the given one.
    return Y[torch.argsort(torch.cat(rows)).to(Y.device)]


def _group_by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Indices of sequences that are padded to one length, each by a third at most."""
    groups: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not lengths[i]:
            break
        if groups and lengths[i] >= _SIMILAR_LENGTH * lengths[groups[-1][0]]:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _run_group(
    sequences: list[Tensor],
    weights: dict[str, Tensor],
    depth: int,
    rate: float,
    companion: Executor | None,
) -> Tensor:
    lengths = torch.tensor([len(sequence) for sequence in sequences], device=sequences[0].device)
    X = pad_sequence(sequences)  # (longest, n_sequences, width)
    steps = torch.arange(len(X), device=X.device)[:, None]
    column = torch.arange(len(sequences), device=X.device)
    inside = steps < lengths  # (longest, n_sequences)
    # Reverses each sequence and leaves its padding where it is; its own inverse.
    reverse = torch.where(inside, lengths - 1 - steps, steps)

    # Each thread has a mind of its own on whether gradients are wanted.
    wanted = torch.is_grad_enabled()

    def run_backward(X: Tensor, layer: int) -> Tensor:
        with torch.set_grad_enabled(wanted):
            return _run_lstm(X[reverse, column], weights, f"l{layer}_reverse")[reverse, column]

    for layer in range(depth):
        pending = companion.submit(run_backward, X, layer) if companion else None
        onward = _run_lstm(X, weights, f"l{layer}")
        backward = pending.result() if pending else run_backward(X, layer)
        X = dropout(torch.cat([onward, backward], dim=-1), rate)
    # (longest, n_sequences, nO) -> (total length, nO)
    return X.transpose(0, 1)[inside.T]


def _run_lstm(X: Tensor, weights: dict[str, Tensor], suffix: str) -> Tensor:
    """One layer in one direction, (longest, n_sequences, width) to (..., hidden_width)."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    own = [weights[f"{name}_{suffix}"] for name in names]
    state = X.new_zeros(1, X.shape[1], own[1].shape[1])
    Y: Tensor = torch.lstm(X, (state, state), own, True, 1, 0.0, False, False, False)[0]
    return Y


def _torch_lstm(width: int, hidden_width: int, depth: int, device: str = "meta") -> torch.nn.LSTM:
    """Torch's stacked LSTM, for the names of the weights and their first values."""
    return torch.nn.LSTM(width, hidden_width, num_layers=depth, bidirectional=True, device=device)
