"""Dropout at the price of a byte of randomness a value."""

import numpy
import torch
from torch import Tensor
from torch.nn import functional

_VALUES_OF_A_BYTE = 256
_BYTES_A_DRAW = 8


def drop(X: Tensor, rate: float) -> Tensor:
    """Set a share of the values to zero, and scale the others up by as much.

    On a CPU torch's own dropout draws a number for each value, which takes as long as an
    encoder's matrix products; here one draw serves eight.

    X (Tensor): In training; a rate of 0 gives it back.
    rate (float): Below 1. On a CPU it is rounded to a 256th, 0.1 to 0.1016.
    """
    if X.device.type != "cpu":
        return functional.dropout(X, rate) if rate else X
    threshold = round(rate * _VALUES_OF_A_BYTE)
    if not threshold:
        return X
    # The first of those bytes, from -128 on, that are kept.
    first_kept = threshold - _VALUES_OF_A_BYTE // 2
    # Comparing takes longer: the lower bytes come to the last that is not kept, the others to the
    # first that is, which are then 0 and 1.
    kept = _draw_bytes(X.shape).clamp_(first_kept - 1, first_kept).sub_(first_kept - 1)
    return X * kept.to(X.dtype).mul_(_VALUES_OF_A_BYTE / (_VALUES_OF_A_BYTE - threshold))


def _draw_bytes(shape: torch.Size) -> Tensor:
    """Random ones, as torch's generator stands; a faster one than torch's draws them."""
    (seed,) = torch.randint(2**63 - 1, (1,)).tolist()
    draws = numpy.random.SFC64(seed).random_raw(-(-shape.numel() // _BYTES_A_DRAW))
    return torch.from_numpy(draws.view("int8"))[: shape.numel()].view(shape)
