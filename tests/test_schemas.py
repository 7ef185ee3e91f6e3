"""Schemas: how they are found, and what they say of a record."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

import spacy_bertlstm.schemas
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.records import Assertion, Concept, Document, Relation
from spacy_bertlstm.schemas import GROUP, I2B2_2010, N2C2_2018, get_schema


@pytest.mark.parametrize("schema", [I2B2_2010, N2C2_2018])
def test_a_schema_is_found_by_either_name(schema: spacy_bertlstm.schemas.Schema) -> None:
    assert get_schema(schema.name) is schema
    assert get_schema(f"spacy-bertlstm.{schema.name}.v1") is schema


@pytest.mark.parametrize("schema", [I2B2_2010, N2C2_2018])
def test_relations_join_types_of_the_schema(schema: spacy_bertlstm.schemas.Schema) -> None:
    assert {end for ends in schema.relations.values() for end in ends} <= set(schema.concepts)
    assert set(schema.asserted) <= set(schema.concepts)


def test_n2c2_ties_each_attribute_to_its_drug() -> None:
    assert len(N2C2_2018.concepts) == 9
    attributes = set(N2C2_2018.concepts) - {"Drug"}
    assert N2C2_2018.relations == {f"{label}-Drug": (label, "Drug") for label in attributes}


@pytest.mark.parametrize("value", ["spacy_bertlstm.schemas:GROUP", "no.such.module:X", "re:none"])
def test_what_others_register_is_a_schema_or_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [
        EntryPoint("theirs.v1", "spacy_bertlstm.schemas:N2C2_2018", GROUP),
        EntryPoint("broken.v1", value, GROUP),
    ]
    monkeypatch.setattr(spacy_bertlstm.schemas, "entry_points", lambda group: points)
    assert get_schema("theirs.v1") is N2C2_2018
    for name in ("broken.v1", "unknown"):
        with pytest.raises(BertLstmError) as raised:
            get_schema(name)
        assert raised.value.code == "BL114"
        assert name in str(raised.value) and "theirs.v1" in str(raised.value)


def concepts(*labels: str) -> tuple[Concept, ...]:
    return tuple(
        Concept(f"T{number}", label, ((0, 1),), source=f"1.ann:{number}")
        for number, label in enumerate(labels, start=1)
    )


@pytest.mark.parametrize(
    "record, expected",
    [
        (Document("1", "x", concepts("problem", "test", "")), []),
        (
            Document("1", "x", concepts("problem", "drug")),
            [("1.ann:2", "i2b2-2010 has no type 'drug'")],
        ),
        (
            Document("1", "x", concepts("problem"), (Assertion("T1", "maybe", source="1.ann:7"),)),
            [("1.ann:7", "i2b2-2010 has no value 'maybe'")],
        ),
        (
            Document("1", "x", concepts("test"), (Assertion("T1", "absent"),)),
            [("", "i2b2-2010 has no assertions of 'test'")],
        ),
        (
            Document(
                "1", "x", concepts("problem", "treatment"), (), (Relation("TrAP", ("T2", "T1")),)
            ),
            [],
        ),
        (
            Document(
                "1", "x", concepts("problem", "treatment"), (), (Relation("TrAP", ("T1", "T2")),)
            ),
            [("", "TrAP takes treatment and problem, not 'problem' and 'treatment'")],
        ),
        (
            Document("1", "x", concepts("problem"), (), (Relation("CAUSES", ("T1", "T1")),)),
            [("", "i2b2-2010 has no relation 'CAUSES'")],
        ),
        (
            Document("1", "x", concepts("a note's own words in a label's place")),
            [("1.ann:1", "i2b2-2010 has no type of 37 characters")],
        ),
    ],
)
def test_violations(record: Document, expected: list[tuple[str, str]]) -> None:
    assert list(I2B2_2010.violations(record)) == expected
