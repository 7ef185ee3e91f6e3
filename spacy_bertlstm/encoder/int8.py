"""The matrix products of BERT's layers in int8, by the oneDNN operators that torch brings.

Weights are quantized by row. What they are multiplied with is quantized with fixed scales, so
that a text gives the same in every batch; these come from running the encoder over its own
vocabulary, in random order, and need no text. Scales by channel are moved from activations to
weights as in SmoothQuant (Xiao et al., ICML 2023).
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import Linear

from spacy_bertlstm.encoder.packed import Layer

# How far the scale of a channel follows its values rather than its weights.
_SMOOTHING = 0.7
# Of the range of the activated values, whose largest are few: the rest is worth finer steps.
_KEPT_RANGE = 0.5
# Below GELU's least value, -0.17.
_LEAST_ACTIVATED = -0.18
_STEPS = 255
_MIDDLE = 128
# Of a channel that holds nothing but zeros.
_TINY = 1e-6


def has_int8(device: str) -> bool:
    """Whether a kind of device multiplies int8 in hardware, and torch makes use of it."""
    if device != "cpu" or not hasattr(torch.ops.onednn, "qlinear_pointwise"):
        return False
    abilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(abilities.get(name, False) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


def can_quantize(encoder: Any) -> bool:
    """Whether `quantize_layers` serves an encoder that can be packed."""
    return bool(encoder.config.hidden_act == "gelu")


def quantize_layers(
    layers: Sequence[Layer], run: Callable[[Sequence[Layer]], Any]
) -> Sequence[Layer]:
    """Make the int8 products of an encoder's layers; not of those with values that are not finite.

    layers (Sequence[Layer]): Whose weights are rounded; they stay as they are.
    run (Callable): Runs the encoder with the layers it is given, over word pieces of all kinds.
    """
    measured = [MeasuredLayer(layer) for layer in layers]
    run(measured)
    if not all(values.isfinite().all() for own in measured for values in own.largest.values()):
        return layers  # whose vectors show it, as they do in another precision
    return [Int8Layer(layer) for layer in measured]


class MeasuredLayer(Layer):
    """Notes the largest absolute value of each channel that a product is given.

    layer (Layer): Whose products these are.
    """

    def __init__(self, layer: Layer) -> None:
        vars(self).update(vars(layer))
        self.largest: dict[str, Tensor] = {}

    def _note(self, product: str, X: Tensor) -> None:
        largest = X.float().abs().amax(0)
        self.largest[product] = torch.maximum(largest, self.largest.get(product, largest))

    def project(self, X: Tensor) -> Tensor:
        self._note("projection", X)
        return super().project(X)

    def project_attention(self, Y: Tensor) -> Tensor:
        self._note("attention_output", Y)
        return super().project_attention(Y)

    def feed_forward(self, X: Tensor) -> Tensor:
        self._note("expansion", X)
        Y: Tensor = self.activate(self.expansion(X))
        self._note("contraction", Y)
        return cast(Tensor, self.contraction(Y))


class Int8Layer(Layer):
    """A layer whose products are of int8, and whose other values are bf16 or wider.

    layer (MeasuredLayer): After a run.
    """

    def __init__(self, layer: MeasuredLayer) -> None:
        vars(self).update(vars(layer))
        largest = layer.largest
        self._projection = _smooth([layer.query, layer.key, layer.value], largest["projection"])
        self._attention_output = _smooth([layer.attention_output], largest["attention_output"])
        self._expansion = _smooth([layer.expansion], largest["expansion"])
        top = max(float(largest["contraction"].max()) * _KEPT_RANGE, -_LEAST_ACTIVATED)
        step = torch.tensor((top - _LEAST_ACTIVATED) / _STEPS)
        zero = round(-_LEAST_ACTIVATED / float(step))
        self._contraction = Int8Product([layer.contraction], step, zero)

    def project(self, X: Tensor) -> Tensor:
        return self._projection(self._projection.quantize(X))

    def project_attention(self, Y: Tensor) -> Tensor:
        return self._attention_output(self._attention_output.quantize(Y))

    def feed_forward(self, X: Tensor) -> Tensor:
        activated = self._expansion.activated_for(self._contraction, self._expansion.quantize(X))
        return self._contraction(activated)

    def add(self, Y: Tensor, X: Tensor) -> Tensor:
        return Y.add_(X)


def _smooth(parts: list[Linear], largest: Tensor) -> "Int8Product":
    """Share the range of each channel between its values and its weights.

    largest (Tensor): The largest absolute value of each channel.
    """
    of_weights = torch.cat([part.weight for part in parts]).abs().amax(0)
    shared = largest.clamp_min(_TINY) ** _SMOOTHING / of_weights.clamp_min(_TINY) ** (
        1 - _SMOOTHING
    )
    # One step for all channels, after each is divided by its share.
    step = (largest / shared).max().clamp_min(_TINY) / (_STEPS - _MIDDLE)
    return Int8Product(parts, shared * step, _MIDDLE)


class Int8Product:
    """A linear layer that takes values of 8 bits, and gives bf16.

    parts (list[Linear]): Layers of one input, whose outputs are to stand side by side.
    steps (Tensor): What a difference of 1 stands for, of each channel or of all.
    zero (int): What stands for 0.
    """

    def __init__(self, parts: list[Linear], steps: Tensor, zero: int) -> None:
        self.steps, self.zero = steps, zero
        self._inverse = 1 / steps
        # Half a step more, since what stands behind the point is cut off.
        self._offset = torch.full_like(steps, zero + 0.5)
        self._bias = torch.cat([part.bias for part in parts])
        weights = torch.cat([part.weight for part in parts]) * steps  # (nO, nI)
        self._row_steps = weights.abs().amax(1).clamp_min(_TINY) / (_STEPS // 2)
        rows = (weights / self._row_steps[:, None]).round().to(torch.int8)
        self._weights = torch.ops.onednn.qlinear_prepack(rows, None)
        self._row_zeros = torch.zeros(len(rows), dtype=torch.int64)

    def quantize(self, X: Tensor) -> Tensor:
        """Round values to 8 bits, (n_pieces, nI)."""
        return (
            torch.addcmul(self._offset, X.float(), self._inverse).clamp_(0, _STEPS).to(torch.uint8)
        )

    def __call__(self, X: Tensor) -> Tensor:
        """Multiply what is quantized, (n_pieces, nI) to (n_pieces, nO)."""
        return self._multiply(X, 1.0, 0, torch.bfloat16, "none", "")

    def activated_for(self, other: "Int8Product", X: Tensor) -> Tensor:
        """The same behind GELU, quantized as another product takes it."""
        return self._multiply(X, float(other.steps), other.zero, torch.uint8, "gelu", "none")

    def _multiply(
        self, X: Tensor, step: float, zero: int, dtype: torch.dtype, activation: str, kind: str
    ) -> Tensor:
        Y: Tensor = torch.ops.onednn.qlinear_pointwise(
            X,
            1.0,  # the rows of weights have the inputs' steps in them
            self.zero,
            self._weights,
            self._row_steps,
            self._row_zeros,
            self._bias,
            step,
            zero,
            dtype,
            activation,
            [],
            kind,
        )
        return Y
