"""The table of messages and its use in the package agree, and errors cross processes."""

from __future__ import annotations

import ast
import pickle
import re
from pathlib import Path
from string import Formatter

import pytest

import spacy_bertlstm
from spacy_bertlstm.errors import MESSAGES, BertLstmError

PACKAGE = Path(spacy_bertlstm.__file__).parent


def calls() -> list[tuple[str, ast.Call]]:
    """Every BertLstmError(...) in the package, with its place."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) == "BertLstmError":
                found.append((f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno}", node))
    return found


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def fields(code: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(MESSAGES[code]) if name is not None}


# errors.py itself rebuilds errors from a variable.
CALLS = [(place, call) for place, call in calls() if not place.startswith("errors.py:")]
USED = {call.args[0].value for _, call in CALLS if isinstance(call.args[0], ast.Constant)}


def test_there_are_errors_to_check() -> None:
    assert len(CALLS) > 10
    assert len(MESSAGES) > 10


@pytest.mark.parametrize("place, call", CALLS, ids=[place for place, _ in CALLS])
def test_a_raised_error_fills_its_message(place: str, call: ast.Call) -> None:
    (code,) = call.args
    assert isinstance(code, ast.Constant), f"{place}: the code is not a literal"
    assert code.value in MESSAGES, f"{place}: {code.value} has no message"
    given = [keyword.arg for keyword in call.keywords]
    assert None not in given, f"{place}: values are unpacked from a dict"
    assert set(given) == fields(code.value), place


@pytest.mark.parametrize("code", MESSAGES)
def test_every_code_is_used(code: str) -> None:
    assert code in USED


@pytest.mark.parametrize("code", MESSAGES)
def test_a_message_has_a_stable_code_and_two_sentences(code: str) -> None:
    assert re.fullmatch(r"BL\d{3}", code)
    message = MESSAGES[code]
    assert message.endswith(".")
    assert all(name.isidentifier() for name in fields(code)), "fields are plain names"
    # The cause, and the next step.
    assert re.search(r"\. [A-Z]|such as|must be", message), f"no next step: {message}"


@pytest.mark.parametrize("code", MESSAGES)
def test_an_error_pickles(code: str) -> None:
    values = {name: Path("a/{b}") if name == "path" else f"{{{name}}}" for name in fields(code)}
    error = BertLstmError(code, **values)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is BertLstmError
    assert (again.code, again.values, str(again)) == (code, values, str(error))
    assert str(error).startswith(f"[{code}] ")
    for value in values.values():
        assert str(value) in str(error), "braces in values stay as they are"


def test_an_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"\[BL101\] x: no such file"):
        raise BertLstmError("BL101", kind="file", path="x")


def test_a_message_without_its_values_is_refused_at_once() -> None:
    with pytest.raises(KeyError):
        BertLstmError("BL101")
    with pytest.raises(KeyError):
        BertLstmError("BL000")
