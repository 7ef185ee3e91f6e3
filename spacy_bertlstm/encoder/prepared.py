"""Products on a CPU with weights that are laid out once: those of BERT's layers, and the LSTM's.

oneDNN wants weights in an order of its own. Torch brings them into it in each batch, and autocast
rounds them before; on a processor that multiplies bf16 fast, both take longer than the products.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor
from torch.nn import Linear, functional

from spacy_bertlstm.encoder.packed import Layer

# What torch calls an LSTM among its recurrent layers.
_LSTM = 2
# Of each array of weights about so many values are looked at.
_SAMPLE_WEIGHTS = 64
# Of a row's length, so that samples of rows that follow each other are of columns far apart.
_SHIFT = 0.382

_T = TypeVar("_T")


class WeightCache(Generic[_T]):
    """What was last made from weights, until they are trained, replaced or changed.

    Other arrays in their place are always seen, and operations of torch on a parameter. To look
    for others at all weights would take as long as to make it, so a sample is looked at, which
    does not see that a few have been changed through numpy or `.data`.
    """

    def __init__(self) -> None:
        self._entry: _Entry[_T] | None = None

    def get(
        self, weights: Sequence[Tensor], make: Callable[[], _T], parts: Sequence[object] = ()
    ) -> _T:
        """What was made last, or, where the weights are others than then, what is made now.

        weights (Sequence[Tensor]): All that it is made from.
        make (Callable[[], _T]): Makes it.
        parts (Sequence): What it holds on to as it is, in whose place others may come.
        """
        state = [number for values in weights for number in _describe(values)]
        state += map(id, parts)
        entry = self._entry  # read once, since other Python threads may be at the same
        if entry is None or entry.state != state or not entry.has_its_sample():
            views = [_view_some(values) for values in weights]
            sample = torch.cat(views)  # before: what changes meanwhile is to be seen
            entry = self._entry = _Entry(make(), state, views, sample)
        return entry.result


@dataclass(frozen=True)
class _Entry(Generic[_T]):
    """What was made from weights, and how they were then.

    result (Any): What was made.
    state (list[int]): What `_describe` tells of each array, and who the parts are.
    views (list[Tensor]): Of each array some values. While they are held on to, an array's memory
        cannot be another's.
    sample (Tensor): What stood in them, one array behind the other.
    """

    result: _T
    state: list[int]
    views: list[Tensor]
    sample: Tensor

    def has_its_sample(self) -> bool:
        """Whether the same values stand there still."""
        return torch.equal(self.sample, torch.cat(self.views))


def _describe(values: Tensor) -> tuple[int, int]:
    """Where an array lies, and how often torch has changed it."""
    return values.data_ptr(), 0 if values.is_inference() else values._version


def _view_some(values: Tensor) -> Tensor:
    """Some values of an array, of rows and columns all over it; they change with it."""
    step = max(1, values.numel() // _SAMPLE_WEIGHTS)
    if values.dim() > 1:
        step += int(_SHIFT * values.shape[-1])
    return values.detach().as_strided((-(-values.numel() // step),), (step,))


def has_prepared_products(device: str, dtype: torch.dtype) -> bool:
    """Whether torch has oneDNN's products with prepared weights.

    device (str): "cpu", or another kind of torch's.
    dtype (torch.dtype): Of what is multiplied, float32 or bfloat16.
    """
    return (
        device == "cpu"
        and torch.backends.mkldnn.is_available()
        and bool(torch.backends.mkldnn.enabled)
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        # Not every processor that torch emulates bf16 on.
        and (dtype is torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))
    )


def has_prepared_lstm(device: str, dtype: torch.dtype) -> bool:
    """As `has_prepared_products`, of oneDNN's LSTM."""
    return (
        has_prepared_products(device, dtype)
        and hasattr(torch.ops.mkldnn, "_reorder_mkldnn_rnn_layer_weight")
        and hasattr(torch.ops.aten, "mkldnn_rnn_layer")
    )


class PreparedLayer(Layer):
    """A layer whose products are of one number format; what they are given may be wider.

    layer (Layer): Whose weights are copied; they stay as they are.
    dtype (torch.dtype): float32 or bfloat16.
    """

    def __init__(self, layer: Layer, dtype: torch.dtype) -> None:
        vars(self).update(vars(layer))
        self._projection = Product([layer.query, layer.key, layer.value], dtype)
        self._attention_output = Product([layer.attention_output], dtype)
        self._expansion = Product([layer.expansion], dtype)
        self._contraction = Product([layer.contraction], dtype)
        # Where it is GELU, it is done as the product is written, which spares its way to memory.
        self._joins = getattr(layer.activate, "act", None) is functional.gelu

    def project(self, X: Tensor) -> Tensor:
        return self._projection(X)

    def project_attention(self, Y: Tensor) -> Tensor:
        return self._attention_output(Y)

    def feed_forward(self, X: Tensor) -> Tensor:
        if self._joins:
            return self._contraction(self._expansion(X, "gelu"))
        return self._contraction(self.activate(self._expansion(X)))

    def add(self, Y: Tensor, X: Tensor) -> Tensor:
        return Y.add_(X)


class Product:
    """A linear layer, or several of one input side by side.

    parts (list[Linear]): Layers of one input.
    dtype (torch.dtype): Of weights, inputs and outputs.
    """

    def __init__(self, parts: list[Linear], dtype: torch.dtype) -> None:
        self._dtype = dtype
        weights = torch.cat([part.weight for part in parts]).to(dtype)  # (nO, nI)
        self._weights = torch.ops.mkldnn._reorder_linear_weight(weights)
        self._bias = torch.cat([part.bias for part in parts]).to(dtype)

    def __call__(self, X: Tensor, activation: str = "none") -> Tensor:
        """Multiply, (n_pieces, nI) to (n_pieces, nO).

        activation (str): "gelu", exactly calculated, or "none".
        """
        Y = torch.ops.mkldnn._linear_pointwise(
            X.to(self._dtype), self._weights, self._bias, activation, [], "none"
        )
        return cast(Tensor, Y)


class PreparedLstm:
    """A layer of torch's LSTM in one direction, in use.

    Torch's own function brings weights into oneDNN's order in each call, and for a few time steps
    that takes longer than the steps.

    weights (Sequence[Tensor]): Torch's four, which may change later.
    """

    def __init__(self, weights: Sequence[Tensor]) -> None:
        w_ih, w_hh, *biases = weights
        self.width = w_hh.shape[1]
        self._biases = [bias.clone() for bias in biases]
        self._weights = torch.ops.mkldnn._reorder_mkldnn_rnn_layer_weight(
            w_ih, w_hh, self.width, reverse=False, has_biases=True, batch_first=False
        )

    def __call__(self, X: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From inputs and the states before, (n_steps, n_rows, nI) and (1, n_rows, width) each.

        RETURNS (tuple[Tensor, Tensor, Tensor]): Outputs, (n_steps, n_rows, width), and the states
            behind them.
        """
        Y, h, c, _ = torch.ops.aten.mkldnn_rnn_layer(
            # It reads memory as it lies there.
            X.contiguous(),
            *self._weights,
            *self._biases,
            h.contiguous(),
            c.contiguous(),
            reverse=False,
            batch_sizes=[],
            mode=_LSTM,
            hidden_size=self.width,
            num_layers=1,
            has_biases=True,
            bidirectional=False,
            batch_first=False,
            train=False,
        )
        return Y, h, c
