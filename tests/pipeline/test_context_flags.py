from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.pipeline.context_flags import FLAGS, add_context_flags
from spacy_bertlstm.tokens.extensions import register_extensions

VALUES = {
    None: None,
    "present": None,
    "absent": "is_negated",
    "possible": "is_uncertain",
    "hypothetical": "is_hypothetical",
    "conditional": "is_hypothetical",
    "associated_with_someone_else": "is_family",
}


@pytest.fixture(autouse=True)
def without_flags() -> Iterator[None]:
    """No flag is registered, before and after."""
    names = [*FLAGS, "is_historical"]
    for name in filter(Span.has_extension, names):
        Span.remove_extension(name)
    yield
    for name in filter(Span.has_extension, names):
        Span.remove_extension(name)


def register_as_medspacy() -> None:
    """Register the flags as medspaCy 1.3 does: plain values, and those taken are left alone."""
    for name in [*FLAGS, "is_historical"]:
        with suppress(ValueError):
            Span.set_extension(name, default=False)


def make_doc(nlp: Language) -> Doc:
    """A Doc with one entity a value."""
    register_extensions()
    doc = nlp.make_doc(" ".join("pain" for _ in VALUES))
    doc.ents = [Span(doc, i, i + 1, label="problem") for i in range(len(VALUES))]
    for entity, value in zip(doc.ents, VALUES, strict=True):
        entity._.assertion = value
    return doc


def flags_of(span: Span) -> list[str]:
    values = {name: span._.get(name) for name in FLAGS}
    assert set(map(type, values.values())) == {bool}
    return [name for name, value in values.items() if value]


def test_the_flags_are_read_from_the_assertion() -> None:
    add_context_flags()
    add_context_flags()  # twice is once
    doc = make_doc(spacy.blank("en"))
    for entity, flag in zip(doc.ents, VALUES.values(), strict=True):
        assert flags_of(entity) == ([] if flag is None else [flag])
    doc.ents[0]._.assertion = "absent"
    assert flags_of(doc.ents[0]) == ["is_negated"]
    assert not Span.has_extension("is_historical")


def test_the_component_gives_them() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("bertlstm_context_flags")
    doc = nlp(make_doc(nlp))
    assert [flags_of(entity) for entity in doc.ents] == [
        [] if flag is None else [flag] for flag in VALUES.values()
    ]
    assert nlp.analyze_pipes()["problems"]["bertlstm_context_flags"] == ["span._.assertion"]


def test_values_of_medspacy_are_set() -> None:
    register_as_medspacy()
    nlp = spacy.blank("en")
    nlp.add_pipe("bertlstm_context_flags")
    doc = make_doc(nlp)
    for entity in doc.ents:
        entity._.is_negated = True
        entity._.is_historical = True
    doc = nlp(doc)
    # What has no assertion keeps what it had.
    assert flags_of(doc.ents[0]) == ["is_negated"]
    for entity, flag in list(zip(doc.ents, VALUES.values(), strict=True))[1:]:
        assert flags_of(entity) == ([] if flag is None else [flag])
    assert all(entity._.is_historical for entity in doc.ents)
    assert Span.get_extension("is_negated")[0] is False


def test_medspacy_may_come_later() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("bertlstm_context_flags")
    register_as_medspacy()
    doc = nlp(make_doc(nlp))
    assert [flags_of(entity) for entity in doc.ents[2:4]] == [["is_negated"], ["is_uncertain"]]


def test_an_attribute_with_a_setter_is_set() -> None:
    found: dict[int, bool] = {}
    Span.set_extension(
        "is_negated",
        getter=lambda span: found.get(span.start, False),
        setter=lambda span, value: found.update({span.start: value}),
    )
    nlp = spacy.blank("en")
    nlp.add_pipe("bertlstm_context_flags")
    doc = nlp(make_doc(nlp))
    assert found == {i: i == 2 for i in range(1, len(doc))}


@pytest.mark.parametrize("how", ["getter", "method"])
def test_an_attribute_that_cannot_be_set_is_refused(how: str) -> None:
    computed: dict[str, Callable[[Span], Any]] = {how: lambda span: False}
    Span.set_extension("is_family", **computed)
    with pytest.raises(BertLstmError, match=r"BL643\].*is_family"):
        spacy.blank("en").add_pipe("bertlstm_context_flags")


def test_it_works_in_processes() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("bertlstm_context_flags")
    docs = list(nlp.pipe([make_doc(nlp), make_doc(nlp)], n_process=2, batch_size=1))
    assert [flags_of(doc.ents[2]) for doc in docs] == [["is_negated"], ["is_negated"]]


def test_it_works_where_it_was_unpickled() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("bertlstm_context_flags")
    stored = pickle.dumps(nlp)
    for name in FLAGS:  # as in a process that has not made the component
        Span.remove_extension(name)
    nlp = pickle.loads(stored)
    assert flags_of(nlp(make_doc(nlp)).ents[2]) == ["is_negated"]
