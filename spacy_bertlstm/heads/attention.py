"""Attention in which many small sets of rows share the rows, as pairs of entities share tokens."""

from collections.abc import Callable
from typing import cast

import torch
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats1d, Floats2d, Ragged
from torch.nn import functional

from spacy_bertlstm.threads import require_own_threads

# The rows, and which of them are in each bag: their places, one bag behind the other.
Bags = tuple[Floats2d, Ragged]


def bag_attention(width: int) -> Model[Bags, Floats2d]:
    """The mean of each bag's rows, weighted by how like they are to one learned query.

    The rows of a bag are summed where they stand and never copied: a copy for each of the bags
    that a row is in took gigabytes where the hundreds of entities of a note are all paired.

    width (int): Of the rows.
    RETURNS (Model[tuple[Floats2d, Ragged], Floats2d]): From rows and bags, none of them empty,
        to (n_bags, width). The gradient is that of the rows.
    """
    require_own_threads()
    return Model("bag_attention", forward, init=init, dims={"nO": width}, params={"Q": None})


def forward(
    model: Model[Bags, Floats2d], X: Bags, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    require_own_threads()
    values, bags = X
    rows = xp2torch(values, requires_grad=is_train)
    query = xp2torch(model.get_param("Q"), requires_grad=is_train)
    places, lengths = (xp2torch(array).long() for array in (bags.dataXd, bags.lengths))
    # Under a caller's autocast its operations would not agree on a number format.
    uncast = torch.autocast(rows.device.type, enabled=False)
    with torch.set_grad_enabled(is_train), uncast:
        scores = (rows @ query)[places]
        highest = torch.segment_reduce(scores.detach(), "max", lengths=lengths)
        weights = torch.exp(scores - highest.repeat_interleave(lengths))
        sums = torch.segment_reduce(weights, "sum", lengths=lengths)
        weights = weights / sums.repeat_interleave(lengths)
        starts = lengths.cumsum(0) - lengths
        Y = functional.embedding_bag(places, rows, starts, mode="sum", per_sample_weights=weights)

    def backprop(dY: Floats2d) -> Floats2d:
        with uncast:
            d_rows, d_query = torch.autograd.grad(Y, (rows, query), xp2torch(dY))
        model.inc_grad("Q", cast(Floats1d, torch2xp(d_query)))
        return cast(Floats2d, torch2xp(d_rows))

    return cast(Floats2d, torch2xp(Y.detach())), backprop


def init(model: Model[Bags, Floats2d], X: Bags | None = None, Y: Floats2d | None = None) -> None:
    query = model.ops.alloc1f(model.get_dim("nO"))
    query += model.ops.xp.random.uniform(-0.1, 0.1, query.shape)
    model.set_param("Q", query)
