"""In which number format the encoder multiplies."""

from collections.abc import Iterable
from enum import StrEnum
from functools import cache

import torch

from spacy_bertlstm.errors import BertLstmError


class Precision(StrEnum):
    """The number format of an encoder's matrix products.

    auto: bf16 where the processor has instructions for it, else fp32.
    fp32, bf16: On any device; bf16 without instructions for it is slow.
    fp16: On a GPU, with scaled gradients; elsewhere as auto, so that what was trained on a GPU
        runs anywhere.
    int8: In use on a CPU that has instructions for it, of an encoder of BERT's build; elsewhere,
        and in training, as auto.
    """

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"
    int8 = "int8"


def read_precision(name: str, *, known: Iterable[Precision] = Precision) -> Precision:
    """A precision by its name in a config.

    known (Iterable[Precision]): Those that are served.
    RAISES: BL325 (no such precision).
    """
    if name not in list(map(str, known)):
        raise BertLstmError("BL325", precision=name, known=", ".join(known))
    return Precision(name)


def autocast_dtype(precision: Precision, device: str) -> torch.dtype | None:
    """The type that torch.autocast is to use, None for none.

    device (str): "cpu", "cuda" or another of torch's.
    """
    if precision is Precision.fp32:
        return None
    if precision is Precision.fp16 and device == "cuda":
        return torch.float16
    if precision is Precision.bf16 or has_bf16(device):
        return torch.bfloat16
    return None


@cache
def has_bf16(device: str) -> bool:
    """Whether a kind of device multiplies bf16 in hardware."""
    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    return device == "cpu" and _cpu_has("avx512_bf16", "amx_bf16", "arm_bf16")


@cache
def has_amx(device: str) -> bool:
    """Whether a kind of device multiplies whole tiles of bf16 at once, as Intel's AMX does."""
    return device == "cpu" and _cpu_has("amx_bf16")


def _cpu_has(*names: str) -> bool:
    """Whether torch knows this processor to have one of these."""
    # Before torch 2.9 nothing public tells.
    abilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(abilities.get(name, False) for name in names)
