"""The scorer of relations, counted by hand."""

import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.evaluation.relations import make_relation_scorer
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Concept, Document, Relation
from spacy_bertlstm.tokens.build import build_doc
from spacy_bertlstm.tokens.extensions import register_extensions, set_record

NLP = spacy.blank("en")
SCORE = make_relation_scorer()
DRUG, PAIN, FEVER = [0, 1, "treatment"], [2, 3, "problem"], [4, 5, "problem"]


def doc_with(*relations: tuple[str, list, list], annotated: bool = True) -> Doc:
    register_extensions()
    doc = NLP("a b c d e")
    if annotated:
        doc.set_ents([], default="outside")
    doc._.relations = [
        {"label": label, "head": head, "tail": tail} for label, head, tail in relations
    ]
    return doc


def test_label_bounds_types_and_direction_count() -> None:
    gold = doc_with(
        ("TrAP", DRUG, PAIN), ("TrCP", DRUG, PAIN), ("PIP", PAIN, FEVER), ("TrAP", DRUG, FEVER)
    )
    found = doc_with(
        ("TrAP", DRUG, PAIN),  # right
        ("TrAP", DRUG, PAIN),  # said twice
        ("TrWP", DRUG, PAIN),  # another label
        ("PIP", FEVER, PAIN),  # the other way round
        ("TrAP", DRUG, [4, 5, "test"]),  # another type
    )
    scores = SCORE([Example(found, gold)])
    assert scores["rel_micro_p"] == pytest.approx(1 / 4)
    assert scores["rel_micro_r"] == pytest.approx(1 / 4)
    assert scores["rel_micro_f"] == pytest.approx(1 / 4)
    assert scores["rel_per_type"]["TrAP"] == pytest.approx({"p": 0.5, "r": 0.5, "f": 0.5})
    assert set(scores["rel_per_type"]) == {"TrAP", "TrCP", "TrWP", "PIP"}
    assert scores["rel_macro_f"] == pytest.approx(0.5 / 4)


def test_what_was_never_proposed_is_missed() -> None:
    gold = doc_with(("TrAP", DRUG, PAIN), ("TrAP", DRUG, FEVER))
    scores = SCORE([Example(doc_with(("TrAP", DRUG, PAIN)), gold), Example(doc_with(), gold)])
    assert scores["rel_micro_p"] == 1.0
    assert scores["rel_micro_r"] == pytest.approx(1 / 4)


def test_what_no_doc_can_hold_is_missed() -> None:
    """A relation of a discontinuous concept stands in the gold record alone."""
    record = Document(
        "1",
        "a b c d e",
        concepts=(
            Concept("T1", "treatment", ((0, 1),)),
            Concept("T2", "problem", ((2, 3),)),
            Concept("T3", "problem", ((4, 5), (8, 9))),
        ),
        relations=(Relation("TrAP", ("T1", "T2")), Relation("TrAP", ("T1", "T3"))),
    )
    gold = build_doc(record, NLP, LossReport())
    scores = SCORE([Example(doc_with(("TrAP", DRUG, PAIN)), gold)], undirected=["TrAP"])
    assert (scores["rel_micro_p"], scores["rel_micro_r"]) == (1.0, 0.5)


def test_a_doc_that_nobody_annotated_does_not_count() -> None:
    found = doc_with(("TrAP", DRUG, PAIN))
    scores = SCORE([Example(found, doc_with(annotated=False))])
    assert set(scores) == {
        *("rel_micro_p", "rel_micro_r", "rel_micro_f", "rel_macro_f", "rel_per_type")
    }
    assert set(scores.values()) == {None}
    assert SCORE([Example(found, doc_with())])["rel_micro_p"] == 0.0


def test_concepts_are_told_by_their_ids() -> None:
    gold = doc_with()
    relations = (
        Relation("CID", ("D1", "D2"), level="concept"),
        Relation("CID", ("D1", "D3"), level="concept"),
        Relation("CID", ("T1", "T2"), level="mention"),
    )
    set_record(gold, Document("1", gold.text, relations=relations))
    found = doc_with()
    found._.concept_relations = [
        {"label": "CID", "head": "D1", "tail": "D2", "confidence": 0.9},
        {"label": "CID", "head": "D3", "tail": "D1", "confidence": 0.9},
    ]
    scores = SCORE([Example(found, gold)], level="concept")
    assert scores["rel_micro_f"] == pytest.approx(0.5)
    assert SCORE([Example(found, doc_with())], level="concept")["rel_micro_f"] is None


@pytest.mark.parametrize("broken", [{"label": "TrAP", "head": DRUG}, "TrAP"])
def test_what_is_no_relation_is_a_coded_error(broken: object) -> None:
    gold = doc_with(("TrAP", DRUG, PAIN))
    gold._.relations = [broken]
    with pytest.raises(BertLstmError, match="BL208"):
        SCORE([Example(doc_with(), gold)])
