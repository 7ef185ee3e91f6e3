"""Dropout at the price of a byte of randomness a value."""

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
    rate (float): On a CPU it is rounded to a 256th, 0.1 to 0.1016.
    """
    if not rate:
        return X
    if X.device.type != "cpu":
        return functional.dropout(X, rate)
    threshold = round(rate * _VALUES_OF_A_BYTE)
    draws = torch.empty(-(-X.numel() // _BYTES_A_DRAW), dtype=torch.int64)
    # Without an upper bound, all 64 bits are random.
    draws.random_(-(2**63), None)
    draws = draws.view(torch.int8)[: X.numel()].view(X.shape)
    # Comparing takes longer. The lowest bytes come to 0 or less, the first of the others to 1.
    kept = draws.to(X.dtype).add_(_VALUES_OF_A_BYTE // 2 + 1 - threshold).clamp_(0, 1)
    return X * kept.mul_(_VALUES_OF_A_BYTE / (_VALUES_OF_A_BYTE - threshold))
