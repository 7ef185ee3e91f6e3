"""A pipeline's weights under names that are the same in every process."""

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from spacy.language import Language
from thinc.api import Model, PyTorchShim, xp2torch
from torch import Tensor

from spacy_bertlstm.errors import BertLstmError


def list_weights(nlp: Language) -> dict[str, Tensor]:
    """All weights of all components, as tensors that share their memory.

    nlp (Language): An initialized pipeline.
    RETURNS (dict[str, Tensor]): By component, number of the node in its model, and parameter;
        the buffers of torch modules are among them.
    RAISES: BL515 where weights are neither thinc's nor torch's.
    """
    weights = {}
    for place, node in _walk(nlp):
        for name in node.param_names:
            if node.has_param(name):
                weights[f"{place}.{name}"] = xp2torch(node.get_param(name))
        for shim_place, shim in _shims(place, node):
            for name, tensor in shim._model.state_dict().items():
                weights[f"{shim_place}.{name}"] = tensor
    return weights


def name_parameters(nlp: Language) -> dict[tuple[int, str], str]:
    """The names of the parameters that an optimizer knows by numbers of this process.

    RETURNS (dict[tuple[int, str], str]): From an optimizer's key to a name; the first one
        where components share a node.
    RAISES: BL515.
    """
    names: dict[tuple[int, str], str] = {}
    for place, node in _walk(nlp):
        for name in node.param_names:
            names.setdefault((node.id, name), f"{place}.{name}")
        for shim_place, shim in _shims(place, node):
            for name, _ in shim._model.named_parameters():
                names.setdefault((shim.id, name), f"{shim_place}.{name}")
    return names


def list_scalers(nlp: Language) -> dict[str, Tensor]:
    """What the scalers of gradients in half precision have come to, sharing their memory.

    RAISES: BL515.
    """
    return {
        f"{shim_place}.{name}": getattr(shim._grad_scaler, name)
        for place, node in _walk(nlp)
        for shim_place, shim in _shims(place, node)
        for name in ("_scale", "_growth_tracker")
    }


def hash_weights(nlp: Language) -> str:
    """The SHA-256 of a pipeline's weights: equal for equal names, types, shapes and values.

    RAISES: BL515.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(list_weights(nlp).items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _walk(nlp: Language) -> Iterator[tuple[str, Model[Any, Any]]]:
    """Every node of every component's model, with its place."""
    for name, pipe in nlp.components:
        model = getattr(pipe, "model", None)
        if isinstance(model, Model):
            for number, node in enumerate(model.walk()):
                yield f"{name}.{number}", node


def _shims(place: str, node: Model[Any, Any]) -> Iterator[tuple[str, PyTorchShim]]:
    """The torch modules that a node wraps, with their places."""
    for number, shim in enumerate(node.shims):
        if not isinstance(shim, PyTorchShim):
            raise BertLstmError("BL515", name=place.partition(".")[0])
        yield f"{place}.shim{number}", shim
