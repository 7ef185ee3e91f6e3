"""The matrix products of BERT's layers in bf16, with weights that are rounded and laid out once.

Autocast rounds the weights again in each batch, and oneDNN brings them into its own order; on a
processor that multiplies bf16 fast, both take longer than the products.
"""

from typing import cast

import torch
from torch import Tensor
from torch.nn import Linear

from spacy_bertlstm.encoder.packed import Layer


def has_packed_products(device: str) -> bool:
    """Whether torch has oneDNN's products with prepared weights, for a kind of device."""
    return (
        device == "cpu"
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        # Not every processor that torch emulates bf16 on.
        and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    )


class Bf16Layer(Layer):
    """A layer whose products are of bf16; what they are given may be wider.

    layer (Layer): Whose weights are rounded; they stay as they are.
    """

    def __init__(self, layer: Layer) -> None:
        vars(self).update(vars(layer))
        self._projection = Bf16Product([layer.query, layer.key, layer.value])
        self._mixture = Bf16Product([layer.mixture])
        self._expansion = Bf16Product([layer.expansion])
        self._contraction = Bf16Product([layer.contraction])

    def project(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        queries, keys, values = self._projection(X).chunk(3, dim=1)
        return queries, keys, values

    def mix(self, Y: Tensor) -> Tensor:
        return self._mixture(Y)

    def feed_forward(self, X: Tensor) -> Tensor:
        return self._contraction(self.activate(self._expansion(X)))


class Bf16Product:
    """A linear layer, or several of one input side by side.

    parts (list[Linear]): Layers of one input.
    """

    def __init__(self, parts: list[Linear]) -> None:
        weights = torch.cat([part.weight for part in parts]).bfloat16()  # (nO, nI)
        self._weights = torch.ops.mkldnn._reorder_linear_weight(weights)
        self._bias = torch.cat([part.bias for part in parts]).bfloat16()

    def __call__(self, X: Tensor) -> Tensor:
        """Multiply, (n_pieces, nI) to (n_pieces, nO)."""
        Y = torch.ops.mkldnn._linear_pointwise(
            X.bfloat16(), self._weights, self._bias, "none", [], ""
        )
        return cast(Tensor, Y)
