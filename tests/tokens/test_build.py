from dataclasses import replace
from typing import Any

import pytest
import spacy
from spacy.tokens import DocBin, Span

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Assertion, Concept, Document, Event, Relation
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.build import (
    build_doc,
    hidden_relations,
    read_doc,
    set_line_sentences,
    shows_record,
)
from spacy_bertlstm.tokens.extensions import get_record, register_span_attribute

TOKENIZER = make_clinical_tokenizer()(spacy.blank("en"))
TEXT = "Chest pain today .\nGave aspirin 40mg ."
RECORD = Document(
    "1",
    TEXT,
    concepts=(
        Concept("T1", "problem", ((0, 10),)),
        Concept("T2", "problem", ((6, 10),)),
        Concept("T3", "treatment", ((24, 31),)),
        Concept("T4", "test", ((0, 5), (11, 16))),
        Concept("T5", "test", ((25, 31),)),
    ),
    assertions=(Assertion("T1", "present"),),
    relations=(Relation("TrAP", ("T3", "T1")), Relation("TrAP", ("T3", "T4"))),
)


def test_views_of_a_record() -> None:
    report = LossReport()
    doc = build_doc(RECORD, TOKENIZER, report, line_sentences=True)
    assert doc.text == TEXT
    assert [(ent.text, ent.label_, ent.id_) for ent in doc.ents] == [
        ("Chest pain", "problem", "T1"),
        ("aspirin", "treatment", "T3"),
    ]
    assert [span.id_ for span in doc.spans["concepts"]] == ["T1", "T2", "T3"]
    assert doc.ents[0]._.assertion == "present"
    assert doc.ents[1]._.assertion is None
    assert doc._.relations == [
        {"label": "TrAP", "head": [24, 31, "treatment"], "tail": [0, 10, "problem"]}
    ]
    assert [sentence.text.strip() for sentence in doc.sents] == TEXT.split("\n")
    assert [finding.lost for finding in report.findings] == [False] * 3
    reasons = [finding.reason.partition(":")[0] for finding in report.findings]
    assert reasons == [
        "overlaps a longer concept",
        "discontinuous, or not on token boundaries",
        "discontinuous, or not on token boundaries",
    ]


def test_events_are_shown_on_their_triggers() -> None:
    events = (
        Event("E1", "problem", "T1"),
        Event("E2", "treatment", "T3", (("Theme", "E1"),)),
        Event("E3", "test", "T4"),
    )
    record = replace(
        RECORD,
        events=events,
        assertions=(Assertion("E1", "absent"), Assertion("E2", "past", name="tense")),
        relations=(
            Relation("TrAP", ("E2", "E1"), ("Arg1", "Arg2"), id="R1"),
            Relation("TrAP", ("E2", "T2"), id="R2"),
            Relation("TrAP", ("E3", "T2"), id="R3"),  # a discontinuous trigger
            Relation("TrAP", ("R1", "T2"), id="R4"),
            Relation("SAME", ("T1", "T2"), level="equivalence"),
            Relation("CID", ("T1", "T2"), level="concept"),
        ),
    )
    doc = build_doc(record, TOKENIZER, LossReport())
    assert doc.ents[0]._.assertion == "absent"
    assert doc.ents[1]._.assertion is None
    assert doc._.relations == [
        {"label": "TrAP", "head": [24, 31, "treatment"], "tail": [0, 10, "problem"]},
        {"label": "TrAP", "head": [24, 31, "treatment"], "tail": [6, 10, "problem"]},
    ]
    assert hidden_relations(doc) == {("TrAP", "E3", "T2")}
    assert shows_record(doc)
    assert get_record(doc) == record
    doc._.relations = []  # what is set anew is all that counts
    assert hidden_relations(doc) == set()


def test_of_one_extent_the_first_is_an_entity() -> None:
    concepts = (
        Concept("T1", "test", ((0, 5),)),
        Concept("T2", "problem", ((6, 10),)),
        Concept("T3", "treatment", ((6, 10),)),
        Concept("T4", "problem", ((0, 10),)),
        Concept("T5", "problem", ((6, 16),)),
    )
    doc = build_doc(Document("1", TEXT, concepts), TOKENIZER, LossReport())
    assert [span.id_ for span in doc.spans["concepts"]] == ["T1", "T2", "T3", "T4", "T5"]
    assert [ent.id_ for ent in doc.ents] == ["T4"]
    without = Document("1", TEXT, concepts[:3])
    assert [ent.id_ for ent in build_doc(without, TOKENIZER, LossReport()).ents] == ["T1", "T2"]


def test_concepts_of_one_extent_keep_their_own_assertions() -> None:
    record = replace(
        RECORD,
        concepts=(
            Concept("T1", "problem", ((0, 10),)),
            Concept("T2", "problem", ((0, 10),)),
            Concept("T3", "finding", ((0, 10),)),
            Concept("T4", "problem", ((0, 10),)),
        ),
        assertions=(
            Assertion("T1", "present"),
            Assertion("T2", "absent"),
            Assertion("T3", "possible"),
            Assertion("T2", "past", name="tense"),
        ),
        relations=(),
    )
    doc = build_doc(record, TOKENIZER, LossReport())
    values = [span._.assertion for span in doc.spans["concepts"]]
    assert values == ["present", "absent", "possible", None]
    assert doc.ents[0]._.assertion == "present"
    register_span_attribute("tense")
    assert [span._.tense for span in doc.spans["concepts"]] == [None, "past", None, None]
    assert shows_record(doc)
    for span, name, value in [(1, "assertion", "present"), (1, "tense", None)]:
        changed = build_doc(record, TOKENIZER, LossReport())
        changed.spans["concepts"][span]._.set(name, value)
        assert not shows_record(changed)


def test_an_entity_with_another_id_is_compared_by_what_it_says() -> None:
    doc = build_doc(RECORD, TOKENIZER, LossReport())
    doc.ents = [Span(doc, ent.start, ent.end, ent.label_, span_id="E1") for ent in doc.ents]
    assert doc.spans["concepts"][0]._.assertion == "present"
    assert not shows_record(doc)
    doc.ents[0]._.assertion = "present"
    assert shows_record(doc)


def test_everything_survives_a_docbin() -> None:
    doc = build_doc(RECORD, TOKENIZER, LossReport())
    data = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (back,) = DocBin().from_bytes(data).get_docs(spacy.blank("en").vocab)
    assert get_record(back) == RECORD
    assert shows_record(back)
    assert back.ents[0]._.assertion == "present"
    assert read_doc(back, "1") == read_doc(doc, "1")
    assert read_doc(back, "1").relations == (Relation("TrAP", ("T2", "T1")),)


@pytest.mark.parametrize("annotated", [True, False])
def test_nothing_found_is_not_nothing_known(annotated: bool) -> None:
    doc = build_doc(Document("1", "No news .", annotated=annotated), TOKENIZER, LossReport())
    assert doc.has_annotation("ENT_IOB") is annotated
    assert read_doc(doc, "1").annotated is annotated


def test_relations_count_as_annotation_where_no_entity_does() -> None:
    doc = TOKENIZER("Aspirin for pain .")
    get_record(doc)
    doc._.relations = [{"label": "TrAP", "head": [0, 7, "treatment"], "tail": [12, 16, "problem"]}]
    record = read_doc(doc, "1")
    assert record.annotated and len(record.concepts) == 2 and len(record.relations) == 1


def test_all_that_is_said_is_read() -> None:
    """Other attributes than assertion, spans of a group, relations of vocabulary ids."""
    doc = TOKENIZER("Pain , no fever .")
    register_span_attribute("tense")
    get_record(doc)
    doc.ents = [Span(doc, 0, 1, "problem")]
    doc.ents[0]._.tense = "past"
    doc.ents[0]._.tense_confidence = 0.5
    doc.spans["found"] = [Span(doc, 0, 1, "problem"), Span(doc, 3, 4, "problem")]
    doc.spans["found"][1]._.assertion = "absent"
    doc.spans["other"] = [Span(doc, 2, 4, "problem")]
    doc._.concept_relations = [{"label": "CID", "head": "D1", "tail": "D2", "confidence": 0.5}]
    record = read_doc(doc, "1")
    assert [concept.fragments for concept in record.concepts] == [((0, 4),), ((10, 15),)]
    assert record.assertions == (Assertion("T1", "past", "tense"), Assertion("T2", "absent"))
    assert record.relations == (Relation("CID", ("D1", "D2"), level="concept"),)
    doc.set_ents([], missing=[doc[:]])
    assert read_doc(doc, "1").annotated


def test_spans_of_one_extent_are_read_with_all_that_is_said() -> None:
    doc = TOKENIZER("Pain .")
    register_span_attribute("assertion")
    doc.spans["found"] = [Span(doc, 0, 1, "problem", span_id=name) for name in ("a", "b", "c")]
    for span, value in zip(doc.spans["found"], ("absent", "possible", "absent"), strict=True):
        span._.assertion = value
    record = read_doc(doc, "1")
    assert record.assertions == (Assertion("T1", "absent"), Assertion("T1", "possible"))


@pytest.mark.parametrize(
    "relation",
    [
        {"label": "TrAP", "head": [24, 31, "treatment"]},
        {"label": "TrAP", "head": [24, 31], "tail": [0, 10, "problem"]},
        {"label": "TrAP", "head": [24, 99, "treatment"], "tail": [0, 10, "problem"]},
        "TrAP",
    ],
)
def test_broken_relations_are_a_coded_error(relation: Any) -> None:
    doc = build_doc(RECORD, TOKENIZER, LossReport())
    doc._.relations = [relation]
    with pytest.raises(BertLstmError, match="BL208"):
        read_doc(doc, "1")


def test_a_doc_that_was_changed_no_longer_shows_its_record() -> None:
    register_span_attribute("tense")
    for change in ("entities", "assertion", "tense", "relations", "concept_relations"):
        doc = build_doc(RECORD, TOKENIZER, LossReport())
        assert shows_record(doc)
        if change == "entities":
            doc.ents = []
        elif change == "assertion":
            doc.ents[0]._.assertion = "absent"
        elif change == "tense":
            doc.ents[0]._.tense = "past"
        elif change == "relations":
            doc._.relations = []
        else:
            doc._.concept_relations = [{"label": "CID", "head": "D1", "tail": "D2"}]
        assert not shows_record(doc)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a b\nc", ["a b", "c"]),
        ("a\n\n\nb\r\nc\n", ["a", "b", "c"]),
        ("  \n a\n  b", ["a", "b"]),
        ("a\n \n", ["a"]),
    ],
)
def test_lines_are_sentences(text: str, expected: list[str]) -> None:
    doc = TOKENIZER(text)
    set_line_sentences(doc)
    assert [sentence.text.strip() for sentence in doc.sents] == expected
    assert sum(len(sentence) for sentence in doc.sents) == len(doc)
