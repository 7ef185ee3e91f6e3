import pickle
from collections.abc import Callable

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.tokens.underscore import Underscore

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.records import Document
from spacy_bertlstm.tokens import extensions
from spacy_bertlstm.tokens.extensions import (
    get_record,
    register_extensions,
    register_span_attribute,
    set_record,
)


def test_a_record_rides_with_its_doc() -> None:
    doc = spacy.blank("en")("No pain.")
    assert get_record(doc) is None
    record = Document(id="a", text="No pain.")
    set_record(doc, record)
    assert get_record(doc) == record


@pytest.mark.parametrize("broken", [{"text": "No pain."}, ["a"], {"id": "a", "concepts": 1}])
def test_what_is_no_record_is_a_coded_error(broken: object) -> None:
    register_extensions()
    doc = spacy.blank("en")("No pain.")
    doc._.record = broken
    with pytest.raises(BertLstmError, match="BL208") as caught:
        get_record(doc)
    assert "pain" not in str(caught.value)


# --- attributes of spans ----------------------------------------------------------------

TEXT = "No chest pain."


@pytest.fixture
def doc() -> Doc:
    """Three spans of one extent, and one of another."""
    register_extensions()
    doc = spacy.blank("en")(TEXT)
    doc.spans["x"] = [
        Span(doc, 1, 3, label="problem", span_id="T1"),
        Span(doc, 1, 3, label="problem", span_id="T2"),
        Span(doc, 1, 3, label="finding"),
        Span(doc, 2, 3, label="problem"),
    ]
    return doc


def values(doc: Doc) -> list[str | None]:
    return [span._.assertion for span in doc.spans["x"]]


@pytest.fixture
def said(doc: Doc) -> Doc:
    for span, value in zip(doc.spans["x"], ["absent", "possible", "present"], strict=False):
        span._.assertion = value
        span._.assertion_confidence = 0.25
    return doc


OWN = ["absent", "possible", "present", None]


def test_spans_of_one_extent_keep_their_own_values(said: Doc) -> None:
    assert values(said) == OWN
    said.spans["x"][1]._.assertion = None
    assert values(said) == ["absent", None, "present", None]
    assert [span._.assertion_confidence for span in said.spans["x"]] == [0.25] * 3 + [None]


def test_whose_value_a_span_has_that_has_none_of_its_own(doc: Doc) -> None:
    first, second, other, _ = doc.spans["x"]
    without_id = Span(doc, 1, 3, label="problem")
    first._.assertion = "absent"
    assert [without_id._.assertion, second._.assertion, other._.assertion] == ["absent", None, None]
    second._.assertion = "possible"
    assert without_id._.assertion is None
    second._.assertion = "absent"
    assert without_id._.assertion == "absent"
    third = Span(doc, 1, 3, label="problem", span_id="T3")
    assert third._.assertion is None
    without_id._.assertion = "present"
    assert [without_id._.assertion, third._.assertion] == ["present", "present"]
    assert [first._.assertion, second._.assertion] == ["absent", "absent"]


def test_reading_a_value_leaves_nothing_behind(doc: Doc) -> None:
    assert values(doc) == [None] * 4
    assert doc.user_data == {}


@pytest.mark.parametrize(
    "carry",
    [
        lambda doc: next(
            DocBin()
            .from_bytes(DocBin(docs=[doc], store_user_data=True).to_bytes())
            .get_docs(spacy.blank("en").vocab)
        ),
        lambda doc: Doc(spacy.blank("en").vocab).from_bytes(doc.to_bytes()),
        lambda doc: pickle.loads(pickle.dumps(doc)),
        lambda doc: doc.copy(),
    ],
    ids=["DocBin", "to_bytes", "pickle", "copy"],
)
def test_values_survive(said: Doc, carry: Callable[[Doc], Doc]) -> None:
    again = carry(said)
    assert values(again) == OWN
    again.spans["x"][0]._.assertion = "changed"
    assert values(again) == ["changed", *OWN[1:]]
    assert values(said) == OWN


def test_values_move_with_their_spans(said: Doc) -> None:
    joined = Doc.from_docs([said, Doc(said.vocab, words=["Seen", "today", "."]), said])
    assert values(joined) == OWN + OWN
    part = said[1:4].as_doc(copy_user_data=True)
    assert Span(part, 0, 2, label="problem", span_id="T2")._.assertion == "possible"
    Span(part, 0, 2, label="finding")._.assertion = "changed"
    assert values(said) == OWN


def test_another_attribute_is_registered_alike(doc: Doc) -> None:
    register_span_attribute("polarity")
    span = doc.spans["x"][0]
    span._.polarity = "NEG"
    span._.assertion = "absent"
    assert [span._.polarity, span._.assertion, span._.polarity_confidence] == [
        "NEG",
        "absent",
        None,
    ]


@pytest.mark.parametrize("name", ["", "two words", "confidence", "bertlstm_values"])
def test_a_name_that_no_attribute_can_have_is_a_coded_error(name: str) -> None:
    with pytest.raises(BertLstmError, match="BL341"):
        register_span_attribute(name)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Span, "assertion"),
        (Span, "assertion_confidence"),
        (Span, "confidence"),
        (Doc, "relations"),
        (Doc, "record"),
    ],
)
def test_a_name_that_another_package_has_is_told_once(
    kind: type[Doc] | type[Span], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_extensions()
    held = f"{kind.__name__.lower()}_extensions"
    theirs = ("theirs", None, None, None)
    monkeypatch.setattr(Underscore, held, {**getattr(Underscore, held), name: theirs})
    extensions._warn_taken.cache_clear()
    with pytest.warns(UserWarning, match=rf"BL340.*{kind.__name__.lower()}\._\.{name} ") as caught:
        register_extensions()
        register_extensions()
    assert len(caught) == 1
    assert kind.get_extension(name) == theirs
    extensions._warn_taken.cache_clear()
