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
    rate (float): On a CPU it is rounded to a 256th, 0.1 to 0.1016, and to 255 of them at most.
    """
    if X.device.type != "cpu":
        return functional.dropout(X, rate) if rate else X
    threshold = min(round(rate * _VALUES_OF_A_BYTE), _VALUES_OF_A_BYTE - 1)
    if not threshold:
        return X
    # On one thread numpy takes less time to compare bytes than torch to wake a second thread.
    kept = (_draw_bytes(X.numel()) >= threshold).view("int8")
    factors = torch.from_numpy(kept).view(X.shape).to(X.dtype)
    return X * factors.mul_(_VALUES_OF_A_BYTE / (_VALUES_OF_A_BYTE - threshold))


def _draw_bytes(number: int) -> numpy.ndarray:
    """Random bytes from numpy's SFC64, which one number from torch's slower generator seeds."""
    (seed,) = torch.randint(2**63 - 1, (1,)).tolist()
    draws = numpy.random.SFC64(seed).random_raw(-(-number // _BYTES_A_DRAW))
    return draws.view("uint8")[:number]
