"""What a training leaves to be resumed by: written whole, without a word of a note."""

import json
from collections.abc import Iterable
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
    return tensors, _parse(metadata.get("facts", ""), path)


def write_finished(path: Path, facts: dict[str, Any]) -> None:
    """Note that a training has ended; a kill leaves the whole note or none.

    path (Path): A JSON file.
    facts (dict[str, Any]): Which training it was, fit for JSON.
    RAISES: BL109 (not writable).
    """
    with replaced_whole(path) as part:
        part.write_text(json.dumps(facts, indent=2, default=float) + "\n", encoding="utf-8")


def read_finished(path: Path) -> dict[str, Any]:
    """Read which training has ended.

    RAISES: BL511 where it cannot be told.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BertLstmError("BL511", path=path, reason=type(error).__name__) from error
    return _parse(text, path)


def require_facts(path: Path, held: Iterable[str], needed: Iterable[str]) -> None:
    """Make sure that a file holds all that is to be read from it.

    RAISES: BL511.
    """
    missing = sorted({*needed} - {*held})
    if missing:
        raise BertLstmError("BL511", path=path, reason=f"it lacks {missing[0]}")


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except ValueError as error:
        raise BertLstmError("BL511", path=path, reason="its facts are no JSON") from error
    if not isinstance(facts, dict):
        raise BertLstmError("BL511", path=path, reason="its facts are no JSON object")
    return facts
