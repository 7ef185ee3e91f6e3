"""The states of the random generators that a training draws from."""

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy
import torch
from thinc.api import get_current_ops
from thinc.compat import cupy, has_cupy_gpu
from torch import Tensor

# What random.getstate() gives.
PythonState = tuple[int, tuple[int, ...], float | None]

_PYTHON_VERSION = random.getstate()[0]


def get_random_states() -> dict[str, Any]:
    """The states of all generators, fit for JSON."""
    numpys: Any = numpy.random.get_state(legacy=False)
    key = numpys["state"]["key"].tolist()
    return {
        "python": random.getstate(),
        "numpy": {**numpys, "state": {**numpys["state"], "key": key}},
        "torch": torch.get_rng_state().tolist(),
        "cuda": torch.cuda.get_rng_state().tolist() if _on_gpu() else None,
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Put all generators into the states that `get_random_states` gave."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    numpys = states["numpy"]
    key = numpy.asarray(numpys["state"]["key"], dtype="uint32")
    numpy.random.set_state({**numpys, "state": {**numpys["state"], "key": key}})
    torch.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8))
    if _on_gpu():
        torch.cuda.set_rng_state(torch.tensor(states["cuda"], dtype=torch.uint8))


def restart_cupy(number: int) -> None:
    """Seed cupy's generator, whose state cannot be read, where a training may be resumed.

    number (int): Of the training's steps so far.
    """
    if has_cupy_gpu:
        cupy.random.seed(number)


def pack_python_states(states: Sequence[PythonState]) -> Tensor:
    """Python's states as a tensor of one row each; a float64 holds their numbers exactly."""
    rows = [[*words, math.nan if gauss is None else gauss] for _, words, gauss in states]
    return torch.tensor(rows, dtype=torch.float64)


def unpack_python_states(rows: Tensor) -> list[PythonState]:
    """The reverse of `pack_python_states`."""
    return [
        (_PYTHON_VERSION, tuple(map(int, words)), None if math.isnan(gauss) else gauss)
        for *words, gauss in rows.tolist()
    ]


def _on_gpu() -> bool:
    return get_current_ops().device_type == "gpu"
