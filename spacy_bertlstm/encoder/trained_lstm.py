"""A bidirectional LSTM layer for training on a CPU, about twice as fast as torch's own.

What does not depend on the step before is done for all time steps together, most matrix products
among it, and these in the inputs' number format. What is left for the loop over time is in fp32,
which is as fast there as bf16 with as few sequences as a batch has.

Gates are those of torch.nn.LSTM in its order: input, forget, cell and output.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spacy_bertlstm.encoder.stairs import Stairs


class TrainedLayer(torch.autograd.Function):
    """Both directions, one after the other, so that the loop's weights stay in a core's cache."""

    @staticmethod
    def forward(ctx: Any, X: Tensor, stairs: Stairs, *weights: Tensor) -> Tensor:
        """Calculate the outputs.

        X (Tensor): In stairs, (n_places, nI).
        stairs (Stairs): With no padding but the last.
        weights (Tensor): Four of the forward and four of the backward direction.
        RETURNS (Tensor): In stairs, (n_places, 2 * hidden_width).
        """
        X_reverse = X.index_select(0, stairs.reverse)
        onward = X, *_advance(X, stairs, *weights[:4]), *weights[:2]
        backward = X_reverse, *_advance(X_reverse, stairs, *weights[4:]), *weights[4:6]
        ctx.save_for_backward(*onward, *backward)
        ctx.stairs = stairs
        Y, Y_reverse = onward[1], backward[1]
        return torch.cat([Y, Y_reverse.index_select(0, stairs.reverse)], dim=1).to(X.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dY: Tensor) -> tuple[Tensor | None, ...]:
        stairs = ctx.stairs
        middle = len(ctx.saved_tensors) // 2
        dY, dY_reverse = dY.chunk(2, dim=1)
        dY_reverse = dY_reverse.index_select(0, stairs.reverse)
        dX, *onward = _retreat(dY, stairs, *ctx.saved_tensors[:middle])
        dX_reverse, *backward = _retreat(dY_reverse, stairs, *ctx.saved_tensors[middle:])
        dX += dX_reverse.index_select(0, stairs.reverse)
        return dX, None, *onward, *backward


def _advance(
    X: Tensor, stairs: Stairs, W_ih: Tensor, W_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The outputs of one direction, its cells and its gates, in stairs."""
    width = W_hh.shape[1]
    # (n_places, 4 * width) -> (n_places, 4, width)
    gates = torch.addmm(b_ih + b_hh, X, W_ih.t()).float().unflatten(1, (4, width))
    W = W_hh.float().t().contiguous()
    Y, c = torch.zeros(2, len(X), width)
    h_before, c_before = torch.zeros(2, stairs.treads[0][1], width)
    for own_gates, own_Y, own_c in _treads(stairs, gates, Y, c):
        rows = own_Y.shape[1]
        h_before, c_before = h_before[:rows], c_before[:rows]
        for G, i_and_f, i, f, g, o, h_now, c_now in _steps(
            own_gates.flatten(2), own_gates[:, :, :2], *own_gates.unbind(2), own_Y, own_c
        ):
            G.addmm_(h_before, W)
            i_and_f.sigmoid_()
            g.tanh_()
            o.sigmoid_()
            torch.mul(i, g, out=c_now).addcmul_(f, c_before)
            torch.tanh(c_now, out=h_now).mul_(o)
            h_before, c_before = h_now, c_now
    return Y, c, gates


def _retreat(
    dY: Tensor,
    stairs: Stairs,
    X: Tensor,
    Y: Tensor,
    c: Tensor,
    gates: Tensor,
    W_ih: Tensor,
    W_hh: Tensor,
) -> tuple[Tensor, ...]:
    """The gradients of one direction's input and weights, by that of its output."""
    width = W_hh.shape[1]
    i, f, g, o = gates.unbind(1)
    t = c.tanh()
    # What the gradient of c is multiplied by, for the output gate that of h, until the loop.
    dG = torch.empty_like(gates)
    torch.mul(g * i, 1 - i, out=dG[:, 0])
    torch.mul(c.index_select(0, stairs.previous).mul_(f), 1 - f, out=dG[:, 1])
    torch.mul(i, 1 - g * g, out=dG[:, 2])
    torch.mul(t * o, 1 - o, out=dG[:, 3])
    dG[stairs.size :] = 0
    h_to_c = t.square_().neg_().add_(1).mul_(o)
    dH = dY.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    W = W_hh.float()
    # What a step hands on to the one before it, for the sequences alive there.
    all_dh, all_dc = torch.zeros(2, stairs.treads[0][1], width)
    for own_dG, *own in reversed(list(_treads(stairs, dG, dH, h_to_c, f))):
        rows = own_dG.shape[1]
        dh_later, dc = all_dh[:rows], all_dc[:rows]
        dc_of_gates = dc[:, None]
        steps = _steps(own_dG.flatten(2), own_dG[:, :, :3], own_dG[:, :, 3], *own)
        for dG_now, dG_of_c, dG_of_h, dh, to_c, forget in reversed(list(steps)):
            dh.add_(dh_later)
            dc.addcmul_(dh, to_c)
            dG_of_c.mul_(dc_of_gates)
            dG_of_h.mul_(dh)
            dc.mul_(forget)
            torch.mm(dG_now, W, out=dh_later)
    dG = dG.flatten(1)  # (n_places, 4 * width)
    db = dG.sum(0).to(X.dtype)
    dG = dG.to(X.dtype)
    H = Y.index_select(0, stairs.previous).to(X.dtype)
    dW_ih, dW_hh = (dG.t() @ torch.cat([X, H], dim=1)).split([X.shape[1], width], dim=1)
    return dG @ W_ih, dW_ih, dW_hh, db, db


def _treads(stairs: Stairs, *arrays: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """What arrays hold for each tread, (steps, sequences, ...) each."""
    return zip(*map(stairs.split, arrays), strict=True)


def _steps(*arrays: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """What arrays hold for each time step of a tread, (sequences, ...) each."""
    return zip(*(array.unbind() for array in arrays), strict=True)
