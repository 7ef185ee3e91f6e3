"""What a checkpoint holds, and that it, like a model's folder, is there whole or not at all."""

import json
import math
import os
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import torch
from safetensors.torch import save_file
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam, Linear, Model, Shim

import spacy_bertlstm.training.checkpoint as checkpoint
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.training.checkpoint import read_checkpoint, write_checkpoint
from spacy_bertlstm.training.randomness import (
    get_random_states,
    pack_python_states,
    set_random_states,
    unpack_python_states,
)
from spacy_bertlstm.training.replacing import replaced_whole, tidy
from spacy_bertlstm.training.state import get_state, set_state
from spacy_bertlstm.training.weights import hash_weights, list_scalers, list_weights


class Kill(BaseException):
    """Stands for a kill."""


# --- The file ---------------------------------------------------------------------------


def test_tensors_and_facts_come_back_exactly(tmp_path: Path) -> None:
    tied = torch.rand(3, 4)
    tensors = {"a": tied, "b": tied, "c": tied.T, "d": torch.tensor(7), "e": torch.rand(2).half()}
    facts = {"float": 0.1 + 0.2, "numpy": numpy.float32(0.1), "none": None, "list": [1, [math.inf]]}
    write_checkpoint(tmp_path / "x", tensors, facts)
    again, facts_again = read_checkpoint(tmp_path / "x")
    assert again.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(again[name], tensor) and again[name].dtype == tensor.dtype
    assert facts_again == {**facts, "numpy": float(numpy.float32(0.1))}
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("damage", ["empty", "cut", "foreign", "folder", None, "{", "[]"])
def test_a_file_that_is_no_checkpoint(tmp_path: Path, damage: str | None) -> None:
    path = tmp_path / "x"
    write_checkpoint(path, {"a": torch.rand(100)}, {})
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "foreign":
        save_file({"a": torch.rand(1)}, path)
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:  # of the right format, with other facts or none
        facts = {} if damage is None else {"facts": damage}
        metadata = {"format": "spacy-bertlstm.checkpoint.v1", **facts}
        save_file({"a": torch.rand(1)}, path, metadata=metadata)
    with pytest.raises(BertLstmError, match="BL511"):
        read_checkpoint(path)


def test_the_older_checkpoint_stands_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    write_checkpoint(path, {}, {"number": 1})

    def save_half(tensors: object, part: Path, metadata: object) -> None:
        part.write_bytes(b"half")
        raise Kill

    monkeypatch.setattr(checkpoint, "save_file", save_half)
    with pytest.raises(Kill):
        write_checkpoint(path, {}, {"number": 2})
    monkeypatch.undo()
    assert read_checkpoint(path)[1] == {"number": 1}
    write_checkpoint(path, {}, {"number": 3})
    assert read_checkpoint(path)[1] == {"number": 3}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError, match="BL109"):
        write_checkpoint(tmp_path / "missing" / "x", {}, {})
    (tmp_path / "file").touch()
    with pytest.raises(BertLstmError, match="BL109"), replaced_whole(tmp_path / "file" / "x"):
        pass


# --- Folders ----------------------------------------------------------------------------


def write_model(folder: Path, content: str) -> None:
    with replaced_whole(folder) as part:
        (part / "inner").mkdir(parents=True)
        (part / "inner" / "file").write_text(content)


@pytest.mark.parametrize("call", range(1, 6))
def test_a_folder_is_replaced_whole_wherever_a_kill_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Of the calls that change the disk, the kill comes instead of the given one."""
    folder = tmp_path / "model"
    write_model(folder, "old")
    calls = 0

    def mortal(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call:
                raise Kill
            return original(*arguments, **options)

        return run

    with monkeypatch.context() as patch, pytest.raises(Kill):
        patch.setattr(Path, "replace", mortal(Path.replace))
        patch.setattr(os, "rmdir", mortal(os.rmdir))
        patch.setattr(Path, "write_text", mortal(Path.write_text))
        write_model(folder, "new")
        raise Kill  # where there are fewer calls
    tidy(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (folder / "inner" / "file").read_text() == ("old" if call <= 3 else "new")


# --- Random generators ------------------------------------------------------------------


def draw() -> list[float]:
    return [random.gauss(0, 1), random.random(), *numpy.random.normal(size=3), *torch.rand(2)]


def test_random_generators_go_on_where_they_were() -> None:
    fix_random_seed(0)
    draw()  # an odd number of normal variates: one waits in each generator
    states = json.loads(json.dumps(get_random_states()))
    expected = draw()
    assert draw() != expected
    set_random_states(states)
    assert draw() == expected


def test_python_states_as_a_tensor() -> None:
    states = []
    for seed in range(3):
        random.seed(seed)
        if seed:
            random.gauss(0, 1)
        states.append(random.getstate())
    assert unpack_python_states(pack_python_states(states)) == states
    assert unpack_python_states(pack_python_states([])) == []


# --- The pipeline and the optimizer -----------------------------------------------------


@pytest.fixture
def learn(
    make_nlp: Callable[..., Language], make_examples: Callable[[Language], list[Example]]
) -> Callable[[], tuple[Language, Any]]:
    def learn() -> tuple[Language, Any]:
        fix_random_seed(0)
        nlp = make_nlp()
        examples = make_examples(nlp)
        optimizer = Adam(0.01)
        nlp.initialize(lambda: examples, sgd=optimizer)
        nlp.update(examples, sgd=False, annotates=["sentences"])
        for name in ("transformer", "ner"):
            nlp.get_pipe(name).finish_update(optimizer)
        return nlp, optimizer

    return learn


def test_equal_weights_have_equal_hashes(learn: Callable[[], tuple[Language, Any]]) -> None:
    nlp, _ = learn()
    other, _ = learn()
    assert hash_weights(nlp) == hash_weights(other)
    assert other.from_bytes(nlp.to_bytes()) is other
    assert hash_weights(nlp) == hash_weights(other)
    for name in ("ner", "transformer"):
        before = hash_weights(other)
        place = next(key for key in reversed(list_weights(other)) if key.startswith(name))
        list_weights(other)[place].detach().flatten()[0] += 1e-3
        assert hash_weights(other) != before


def test_the_state_goes_over_into_another_process_s_pipeline(
    learn: Callable[[], tuple[Language, Any]],
    make_nlp: Callable[..., Language],
    make_examples: Callable[[Language], list[Example]],
) -> None:
    nlp, optimizer = learn()
    for scaler in list_scalers(nlp).values():
        scaler += 3
    tensors, numbers = get_state(nlp, optimizer)
    other = make_nlp()
    examples = make_examples(other)
    other.initialize(lambda: examples)
    fresh = Adam(0.5)
    set_state(other, fresh, tensors, numbers, path=Path("x"))
    assert hash_weights(other) == hash_weights(nlp)
    assert fresh.learn_rate == 0.01
    assert len(fresh.mom1) == len(optimizer.mom1) > 30
    assert set(fresh.nr_update.values()) == {1}
    assert [int(value) for value in list_scalers(other).values()] == [2**16 + 3, 3]
    again, _ = get_state(other, fresh)
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())


def test_a_pipeline_of_another_shape(learn: Callable[[], tuple[Language, Any]]) -> None:
    nlp, optimizer = learn()
    tensors, numbers = get_state(nlp, optimizer)
    name = next(iter(list_weights(nlp)))
    for changed in ({name: tensors[f"weights/{name}"][:1]}, {}):
        saved = {f"weights/{key}": tensor for key, tensor in changed.items()}
        with pytest.raises(BertLstmError, match=f"BL517.*{name}"):
            set_state(nlp, optimizer, saved, numbers, path=Path("x"))


def pipeline_of(model: Model) -> Any:
    return SimpleNamespace(components=[("odd", SimpleNamespace(model=model))])


def test_weights_that_are_not_reached_are_refused() -> None:
    model = Model("odd", lambda model, X, is_train: (X, lambda dY: dY), shims=[Shim(None)])
    with pytest.raises(BertLstmError, match="BL515.*'odd'"):
        list_weights(pipeline_of(model))
    optimizer = Adam()
    optimizer((-1, "hidden"), numpy.zeros(2, dtype="f"), numpy.ones(2, dtype="f"))
    with pytest.raises(BertLstmError, match="BL516.*'hidden'"):
        get_state(pipeline_of(Linear(1, 1).initialize()), optimizer)
