"""Checkpoint files: tensors and facts, written whole, without a word of a note."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.training.replacing import replaced_whole

_FORMAT = "spacy-bertlstm.checkpoint.v1"


def write_checkpoint(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write a checkpoint; a kill leaves the older one or the new one, whole.

    path (Path): A safetensors file.
    tensors (dict[str, Tensor]): On any device.
    facts (dict[str, Any]): All the rest, fit for JSON.
    RAISES: BL109 (not writable).
    """
    # safetensors takes no two tensors that share memory, as tied weights do.
    copies = {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }
    # Python's own JSON keeps every digit of a float; `default` is for numpy's numbers.
    metadata = {"format": _FORMAT, "facts": json.dumps(facts, default=float)}
    with replaced_whole(path) as part:
        try:
            save_file(copies, part, metadata=metadata)
        except SafetensorError as error:  # such as a full disk
            raise OSError from error


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and facts of a checkpoint.

    RAISES: BL511 where it is none.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise BertLstmError("BL511", path=path, reason=type(error).__name__) from error
    if metadata.get("format") != _FORMAT:
        raise BertLstmError("BL511", path=path, reason=f"its format is not {_FORMAT}")
    return tensors, json.loads(metadata["facts"])
