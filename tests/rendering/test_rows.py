from collections.abc import Callable

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.records import Concept, Document
from spacy_bertlstm.rendering.rows import ENTITY_COLUMNS, RELATION_COLUMNS, doc_to_rows
from spacy_bertlstm.tokens.extensions import register_extensions, set_record

META = {"lang": "en", "name": "clinical", "version": "1.2.3"}


def test_entities(note: Doc) -> None:
    rows = doc_to_rows(note, META)
    assert rows.record == "visit-1"
    assert [row["text"] for row in rows.entities] == [
        "fever",
        "Aspirin",
        "old> chest",
        "chest pain",
        "headache",
    ]
    assert rows.entities[0] == {
        "record": "visit-1",
        "start": 11,
        "end": 16,
        "text": "fever",
        "label": "problem",
        "kb_id": None,
        "section": None,
        "assertion": "absent",
        "assertion_confidence": 0.5,
        "confidence": 0.75,
        "model": "en_clinical",
        "model_version": "1.2.3",
    }
    for row in rows.entities:
        assert list(row) == list(ENTITY_COLUMNS)
        assert note.text[row["start"] : row["end"]] == row["text"]


def test_relations(note: Doc) -> None:
    rows = doc_to_rows(note, META)
    assert rows.relations[0] == {
        "record": "visit-1",
        "label": "TrAP",
        "head_start": 19,
        "head_end": 26,
        "head_text": "Aspirin",
        "head_label": "treatment",
        "head_kb_id": None,
        "tail_start": 44,
        "tail_end": 54,
        "tail_text": "chest pain",
        "tail_label": "problem",
        "tail_kb_id": None,
        "confidence": 0.875,
        "model": "en_clinical",
        "model_version": "1.2.3",
    }
    assert all(list(row) == list(RELATION_COLUMNS) for row in rows.relations)
    assert len(rows.relations) == 2


def test_relations_of_vocabulary_ids(note: Doc) -> None:
    found = {"label": "CID", "head": "D001241", "tail": "D006261"}
    note._.concept_relations = [found | {"confidence": 0.5}]
    *_, row = doc_to_rows(note, META).relations
    assert list(row) == list(RELATION_COLUMNS)
    assert {key: value for key, value in row.items() if value is not None} == {
        "record": "visit-1",
        "label": "CID",
        "head_kb_id": "D001241",
        "tail_kb_id": "D006261",
        "confidence": 0.5,
        "model": "en_clinical",
        "model_version": "1.2.3",
    }
    note._.concept_relations = [{"label": "CID"}]
    with pytest.raises(BertLstmError, match="BL208"):
        doc_to_rows(note)


def test_they_are_the_same_from_a_docbin(note: Doc) -> None:
    data = DocBin(docs=[note], store_user_data=True).to_bytes()
    (again,) = DocBin().from_bytes(data).get_docs(spacy.blank("en").vocab)
    assert doc_to_rows(again) == doc_to_rows(note)


def test_what_is_not_known_is_none() -> None:
    doc = spacy.blank("en")("No pain.")
    doc.ents = [Span(doc, 1, 2, label="problem", kb_id="C0030193")]
    (row,) = doc_to_rows(doc).entities
    known = {"start": 3, "end": 7, "text": "pain", "label": "problem", "kb_id": "C0030193"}
    assert row == dict.fromkeys(ENTITY_COLUMNS) | known


def test_a_gold_doc_is_named_by_its_record() -> None:
    doc = spacy.blank("en")("No pain.")
    doc.user_data["id"] = "other"
    set_record(doc, Document("12", doc.text, concepts=(Concept("T1", "problem", ((3, 7),)),)))
    assert doc_to_rows(doc).record == "12"


def test_each_assertion_of_an_extent_has_a_row() -> None:
    doc = spacy.blank("en")("No pain.")
    register_extensions()
    doc.spans["found"] = [Span(doc, 1, 2, "problem", span_id=name) for name in ("a", "b", "c")]
    for span, value in zip(doc.spans["found"], ("absent", "possible", "absent"), strict=True):
        span._.assertion = value
    doc.spans["other"] = [Span(doc, 0, 1, "problem")]  # of which nothing is said
    rows = doc_to_rows(doc).entities
    assert [(row["text"], row["assertion"]) for row in rows] == [
        ("pain", "absent"),
        ("pain", "possible"),
    ]


@pytest.mark.parametrize(
    "relations",
    [
        [{"label": "PIP", "head": [0, 2, "problem"]}],
        [{"label": "PIP", "head": [0, 2, "problem"], "tail": [3]}],
        [{"label": "PIP", "head": [0, 2, "problem"], "tail": [3, 99, "problem"]}],
        [{"label": "PIP", "head": [2, 2, "problem"], "tail": [3, 7, "problem"]}],
        ["PIP"],
        None,
    ],
)
def test_broken_relations_are_refused(relations: object, make_doc: Callable[..., Doc]) -> None:
    doc = make_doc("a", "No pain.", [("pain", "problem")])
    doc._.relations = relations
    with pytest.raises(BertLstmError, match="BL208"):
        doc_to_rows(doc)


def test_the_section_that_an_entity_begins_in() -> None:
    doc = spacy.blank("en")("Plan: none\nALLERGIES:\npenicillin gives a rash")
    doc.ents = [doc.char_span(22, 32, label="treatment"), doc.char_span(0, 4, label="test")]
    assert [row["section"] for row in doc_to_rows(doc).entities] == ["Plan", "ALLERGIES"]
