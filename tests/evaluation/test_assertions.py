"""Scores of an attribute of spans, counted by hand."""

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bertlstm.evaluation.assertions import make_assertion_scorer
from spacy_bertlstm.tokens.extensions import register_extensions, register_span_attribute

NLP = spacy.blank("en")
# (start, end, label, value)
Marked = list[tuple[int, int, str, str | None]]


def make_doc(spans: Marked, attribute: str = "assertion", key: str | None = None) -> Doc:
    register_extensions()
    doc = Doc(NLP.vocab, words=[f"w{i}" for i in range(8)])
    marked = [Span(doc, a, b, label=label) for a, b, label, _ in spans]
    if key is None:
        doc.set_ents(marked)
    else:
        doc.spans[key] = marked
    for span, (*_, value) in zip(marked, spans, strict=True):
        span._.set(attribute, value)
    return doc


def score(gold: Marked, found: Marked, **settings: object) -> dict[str, object]:
    example = Example(make_doc(found), make_doc(gold))
    return make_assertion_scorer()([example], labels=("present",), **settings)


GOLD: Marked = [
    (0, 1, "problem", "absent"),
    (1, 2, "problem", "present"),
    (2, 3, "problem", "present"),
    (3, 4, "problem", None),
    (4, 5, "test", "present"),
]


def test_what_gold_says_of_itself() -> None:
    scores = score(GOLD, GOLD)
    assert scores["assertion_micro_f"] == scores["assertion_macro_f"] == 1.0
    assert list(scores["assertion_per_type"]) == ["absent", "present"]


def test_scores_end_to_end() -> None:
    found: Marked = [
        (0, 1, "problem", "absent"),  # right
        (1, 2, "problem", "absent"),  # another value: absent is false, present missed
        # (2, 3) was not found: present missed
        (3, 4, "problem", "possible"),  # gold says nothing
        (4, 5, "problem", "present"),  # another label: present is false, and missed
        (6, 7, "problem", "possible"),  # no such span: possible is false
        (7, 8, "problem", None),  # says nothing
    ]
    scores = score(GOLD, found)
    assert scores["assertion_micro_p"] == pytest.approx(1 / 4)
    assert scores["assertion_micro_r"] == pytest.approx(1 / 4)
    assert scores["assertion_micro_f"] == pytest.approx(1 / 4)
    per_type = scores["assertion_per_type"]
    assert list(per_type) == ["absent", "possible", "present"]
    assert per_type["absent"] == pytest.approx({"p": 1 / 2, "r": 1, "f": 2 / 3})
    assert per_type["present"] == per_type["possible"] == {"p": 0, "r": 0, "f": 0}
    assert scores["assertion_macro_f"] == pytest.approx(2 / 9)


def test_types_that_count() -> None:
    found: Marked = [(1, 2, "problem", "present"), (4, 5, "test", "absent")]
    scores = score(GOLD, found, types=["problem"])
    assert scores["assertion_micro_p"] == 1.0
    assert scores["assertion_micro_r"] == pytest.approx(1 / 3)
    assert score(GOLD, found)["assertion_micro_p"] == pytest.approx(1 / 2)


def test_two_spans_of_one_extent_count_twice() -> None:
    register_extensions()
    docs = []
    for values in (["absent", "present"], ["absent", "absent"]):
        doc = make_doc([], key="x")
        doc.spans["x"] = [Span(doc, 0, 2, "problem", span_id=f"T{i}") for i in range(2)]
        for span, value in zip(doc.spans["x"], values, strict=True):
            span._.assertion = value
        docs.append(doc)
    gold, found = docs
    per_type = make_assertion_scorer()([Example(found, gold)], spans="x")["assertion_per_type"]
    assert per_type["absent"] == pytest.approx({"p": 1 / 2, "r": 1, "f": 2 / 3})
    assert per_type["present"]["r"] == 0


def test_where_gold_is_missing_nothing_is_false() -> None:
    found = make_doc([(0, 1, "problem", "absent"), (5, 6, "problem", "absent")])
    gold = make_doc([(0, 1, "problem", "absent")])
    gold.set_ents(list(gold.ents), missing=[gold[4:7]], default="outside")
    scores = make_assertion_scorer()([Example(found, gold)])
    assert scores["assertion_micro_f"] == 1.0
    bare = Doc(NLP.vocab, words=[word.text for word in found])
    assert set(make_assertion_scorer()([Example(found, bare)]).values()) == {None}
    # A group that gold has not is not an empty one.
    grouped = make_doc([(0, 1, "problem", "absent")], key="x")
    examples = [Example(grouped, grouped), Example(grouped, bare)]
    assert make_assertion_scorer()(examples, spans="x")["assertion_micro_p"] == 1.0
    bare.spans["x"] = []
    assert make_assertion_scorer()(examples, spans="x")["assertion_micro_p"] == 0.5


@pytest.mark.parametrize("gold", [[], [(0, 1, "problem", None)]])
def test_without_a_gold_value_there_is_nothing_to_score(gold: Marked) -> None:
    scores = score(gold, [(0, 1, "problem", "absent")])
    assert len(scores) == 5 and set(scores.values()) == {None}


def test_keys_begin_with_the_attribute() -> None:
    register_span_attribute("polarity")
    doc = make_doc([(0, 1, "event", "NEG")], attribute="polarity")
    scores = make_assertion_scorer()([Example(doc, doc)], attribute="polarity")
    assert sorted(scores) == [
        f"polarity_{key}" for key in ("macro_f", "micro_f", "micro_p", "micro_r", "per_type")
    ]
    assert scores["polarity_per_type"] == {"NEG": {"p": 1.0, "r": 1.0, "f": 1.0}}
