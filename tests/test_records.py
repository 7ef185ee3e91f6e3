"""Records survive every way of storing them."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_bertlstm.records import (
    Assertion,
    Concept,
    Document,
    Event,
    Normalization,
    Note,
    Relation,
)
from spacy_bertlstm.tokens.extensions import get_record, set_record

TEXT = "He has chest  pain .\r\nAspirin\0 \u2028 😀 ünd\n"

FULL = Document(
    id="part/1",
    text=TEXT,
    concepts=(
        Concept("T1", "problem", ((7, 18),), source="1.con:1"),
        Concept("T2", "treatment", ((22, 29), (0, 2)), 'as "stated"', ("MESH:D1", "C2"), "x:2"),
        Concept("T3", "", ((22, 29),)),
    ),
    assertions=(
        Assertion("T1", "present", source="1.ast:1"),
        Assertion("E1", "past", name="tense", id="A1"),
    ),
    relations=(
        Relation("TrAP", ("T2", "T1"), source="1.rel:1"),
        Relation("CID", ("D1", "D2"), ("chemical", "disease"), "concept", "R1"),
        Relation("alone", ()),
    ),
    events=(Event("E1", "Change", "T1", (("theme", "T2"), ("theme", "T3")), "1.ann:9"),),
    metadata={"format": "i2b2", "files": ".con"},
    normalizations=(Normalization("T2", "MESH:D1", "an entry", id="N1", source="1.ann:10"),),
    notes=(Note("sure?", "T1", "AnnotatorNotes", "#1", "1.ann:11"), Note("# alone")),
    categories=("cardiology",),
    choices=("cardiology", "neurology"),
)

RECORDS = {
    "full": FULL,
    "empty": Document("", ""),
    "not annotated": Document("1", TEXT, annotated=False),
    "one character strings": Document(
        "a", "b", (Concept("c", "d", ((0, 1),), "e", ("f",), "g"),), (Assertion("h", "i"),)
    ),
}


def through_msgpack(record: Document) -> Document:
    return Document.from_dict(srsly.msgpack_loads(srsly.msgpack_dumps(record.to_dict())))


def through_json(record: Document) -> Document:
    return Document.from_dict(srsly.json_loads(srsly.json_dumps(record.to_dict())))


def through_pickle(record: Document) -> Document:
    return pickle.loads(pickle.dumps(record))


def through_doc(record: Document) -> Document:
    doc = spacy.blank("en")(record.text)
    set_record(doc, record)
    return stored(Doc(Vocab()).from_bytes(doc.to_bytes()))


def through_docbin(record: Document) -> Document:
    doc = spacy.blank("en")(record.text)
    set_record(doc, record)
    data = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (again,) = DocBin(store_user_data=True).from_bytes(data).get_docs(Vocab())
    assert again.text == record.text
    return stored(again)


def through_docbin_twice(record: Document) -> Document:
    return through_docbin(through_docbin(record))


def stored(doc: Doc) -> Document:
    record = get_record(doc)
    assert record is not None
    return record


WAYS: list[Callable[[Document], Document]] = [
    through_msgpack,
    through_json,
    through_pickle,
    through_doc,
    through_docbin,
    through_docbin_twice,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", RECORDS)
def test_a_record_comes_back_equal(name: str, way: Callable[[Document], Document]) -> None:
    record = RECORDS[name]
    again = way(record)
    assert again == record
    assert repr(again) == repr(record), "a value of another kind that compares equal"


def test_the_dict_is_plain() -> None:
    def assert_plain(value: Any) -> None:
        if isinstance(value, dict):
            assert all(isinstance(key, str) for key in value)
            value = list(value.values())
        if isinstance(value, (list, tuple)):
            for part in value:
                assert_plain(part)
        else:
            assert type(value) in (str, int, bool, type(None))

    assert_plain(FULL.to_dict())


def test_a_dict_of_an_older_version_lacks_what_came_later() -> None:
    data = FULL.to_dict()
    later: dict[str, Any] = dict.fromkeys(("normalizations", "notes", "categories", "choices"), ())
    for key in later:
        assert data.pop(key)
    assert Document.from_dict(data) == dataclasses.replace(FULL, **later)


def test_the_dict_holds_every_field() -> None:
    assert set(FULL.to_dict()) == {field.name for field in dataclasses.fields(Document)}


def test_from_dict_does_not_share_the_metadata() -> None:
    data = FULL.to_dict()
    record = Document.from_dict(data)
    data["metadata"]["format"] = "other"
    assert record.metadata["format"] == "i2b2"


def test_from_dict_leaves_its_argument_alone() -> None:
    data = FULL.to_dict()
    Document.from_dict(data)
    assert data == FULL.to_dict()


def test_a_doc_without_record_has_none() -> None:
    assert get_record(spacy.blank("en")("text")) is None


def test_records_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        FULL.id = "2"  # type: ignore[misc]


def test_extents_of_fragments() -> None:
    first, second, _ = FULL.concepts
    assert (first.start, first.end) == (7, 18)
    assert (second.start, second.end) == (0, 29)
    assert FULL.covered_text(first) == "chest  pain"
    assert FULL.covered_text(second) == "Aspirin He"


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (("Arg2", "Arg1"), ("T2", "T1")),
        (("Arg1", "Arg2"), ("T1", "T2")),
        ((), ("T1", "T2")),
        (("To", "From"), ("T1", "T2")),
        (("Arg2", "Arg2"), ("T1", "T2")),
    ],
)
def test_numbered_roles_order_the_ends_of_a_relation(
    roles: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    relation = Relation("X", ("T1", "T2"), roles)
    assert relation.ends == expected
    assert relation.arguments == ("T1", "T2")


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("concepts", "id", 5),
        ("concepts", "label", None),
        ("concepts", "fragments", "0 4"),
        ("concepts", "fragments", ((0, True),)),
        ("concepts", "quoted", 1.5),
        ("concepts", "kb_ids", 10**6),
        ("concepts", "kb_ids", "D1"),
        ("assertions", "value", ("absent",)),
        ("relations", "arguments", (("Arg1", "T1"),)),
        ("relations", "roles", (1, 2)),
        ("events", "arguments", (True,)),
        ("events", "arguments", ("T1", "T2")),
        ("", "metadata", {"files": 1.5}),
        ("", "text", 3),
        ("", "annotated", "yes"),
        ("", "categories", "problem"),
        ("", "choices", (1,)),
        ("", "categories", ("not to choose",)),
    ],
)
def test_a_field_of_another_type_is_no_record(part: str, field: str, value: object) -> None:
    whole = Document(
        "1",
        "pain",
        concepts=(Concept("T1", "problem", ((0, 4),)),),
        assertions=(Assertion("T1", "absent"),),
        relations=(Relation("X", ("T1", "T1")),),
        events=(Event("E1", "problem", "T1"),),
    )
    data = whole.to_dict()
    assert Document.from_dict(data) == whole
    (data[part][0] if part else data)[field] = value
    with pytest.raises((TypeError, ValueError, AttributeError)):
        Document.from_dict(data)
