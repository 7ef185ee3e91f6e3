"""What a training changes in a pipeline and its optimizer, by names that outlive the process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from spacy.language import Language
from thinc.api import Optimizer, get_current_ops, xp2torch
from torch import Tensor

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.training.weights import list_scalers, list_weights, name_parameters


def get_state(nlp: Language, optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights and the state of the optimizer, between two steps.

    nlp (Language): An initialized pipeline.
    optimizer (Optimizer): thinc's or a subclass, whose state is tables by parameter and numbers.
    RETURNS (tuple): The tensors "weights/NAME", "scalers/NAME" and "optimizer/TABLE/NAME", which
        share the memory of what they stand for; the optimizer's numbers.
    RAISES: BL515 or BL516 where a weight cannot be named.
    """
    tensors = _tensors(nlp)
    names = name_parameters(nlp)
    for table, values in _tables(optimizer):
        for key, value in values.items():
            if key not in names:
                raise BertLstmError("BL516", name=key[1])
            tensors[f"optimizer/{table}/{names[key]}"] = (
                torch.tensor(value) if isinstance(value, int) else xp2torch(value)
            )
    return tensors, dict(_numbers(optimizer))


def set_state(
    nlp: Language,
    optimizer: Optimizer,
    tensors: dict[str, Tensor],
    numbers: dict[str, Any],
    *,
    path: Path,
) -> None:
    """Bring a fresh pipeline and a fresh optimizer into the state that `get_state` gave.

    optimizer (Optimizer): Its schedules have taken as many steps as the other's.
    path (Path): Where the state comes from, for messages.
    RAISES: BL515; BL517 where the pipeline has other weights.
    """
    for name, tensor in _tensors(nlp).items():
        saved = tensors.get(name)
        if saved is None or saved.shape != tensor.shape:
            raise BertLstmError("BL517", path=path, name=name)
        # In place, so that all who share it see it.
        tensor.detach().copy_(saved)
    ops = get_current_ops()
    keys = {name: key for key, name in name_parameters(nlp).items()}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition("/")
        if kind == "optimizer":
            table, _, parameter = rest.partition("/")
            value = ops.xp.asarray(tensor.numpy()) if tensor.ndim else tensor.item()
            getattr(optimizer, table)[keys[parameter]] = value
    for name, number in numbers.items():
        setattr(optimizer, name, number)


def _tensors(nlp: Language) -> dict[str, Tensor]:
    weights = {f"weights/{name}": tensor for name, tensor in list_weights(nlp).items()}
    scalers = {f"scalers/{name}": tensor for name, tensor in list_scalers(nlp).items()}
    return {**weights, **scalers}


def _tables(optimizer: Optimizer) -> Iterator[tuple[str, dict[Any, Any]]]:
    """The moments, averages and counts of each parameter, but not what is of a single step."""
    for name in _slots(optimizer):
        value = getattr(optimizer, name)
        if isinstance(value, dict) and name != "schedules" and not name.startswith("_"):
            yield name, value


def _numbers(optimizer: Optimizer) -> Iterator[tuple[str, Any]]:
    """What does not follow a schedule: a schedule comes to its number by its own steps."""
    for name in _slots(optimizer):
        value = getattr(optimizer, name)
        if isinstance(value, (int, float, list)) and name not in optimizer.schedules:
            yield name, value


def _slots(optimizer: Optimizer) -> list[str]:
    slots = [name for kind in type(optimizer).__mro__ for name in getattr(kind, "__slots__", ())]
    return [*slots, *getattr(optimizer, "__dict__", ())]
