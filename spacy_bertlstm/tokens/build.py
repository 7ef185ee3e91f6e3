"""Records to Docs and back, aligned by characters."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy
from spacy.tokens import Doc, Span
from spacy.util import filter_spans
from thinc.types import Ints2d

from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Assertion, Concept, Document, Relation
from spacy_bertlstm.tokens.extensions import (
    get_record,
    get_span_statements,
    register_extensions,
    set_record,
    set_span_value,
    sound_relations,
)

CONCEPTS = "concepts"  # the key in doc.spans
# Between the vocabulary ids of one span; those of variants have "|", "," and ";" in them.
KB_SEPARATOR = " "
_HALF = 0.5  # the score from which on spaCy takes a category to hold

# The label, the head and the tail: extents, or vocabulary ids where concepts relate.
RelationKey = tuple[str, Hashable, Hashable]


def build_doc(
    record: Document,
    tokenizer: Callable[[str], Doc],
    report: LossReport,
    *,
    line_sentences: bool = False,
    root: Path = Path(),
) -> Doc:
    """Make the Doc of a record: the record itself in its user data, the rest as views.

    record (Document): The record.
    tokenizer (Callable[[str], Doc]): The pipeline's own, so that training and use agree.
    report (LossReport): Notes every concept that `doc.ents` cannot hold.
    line_sentences (bool): Whether each line is a sentence.
    root (Path): The folder that the record's sources are below, for the report.
    RETURNS (Doc): In `doc.cats` 1.0 for each category of the record and 0.0 for the others that
        there were to choose from. All concepts on token boundaries stand in
        `doc.spans["concepts"]`, their records' ids as span ids: nested, crossing and of one extent
        alike. Of those that overlap, `doc.ents` has the longest; of those as long, the one that
        begins first; of those of one extent, the one that the record names first. Assertions, of
        whatever name, are what `register_span_attribute` makes readable. Those and relations of
        events are shown on the events' triggers; relations of relations, equivalences and
        discontinuous concepts stand in the record alone.
    """
    doc = tokenizer(record.text)
    set_record(doc, record)
    if line_sentences:
        set_line_sentences(doc)
    doc.cats = _score_choices(record)
    if not record.annotated:
        return doc
    views = _make_views(doc, record)
    doc.spans[CONCEPTS] = list(views.spans.values())
    doc.set_ents(views.entities, default="outside")
    for span, name, value in views.assertions:
        set_span_value(span, name, value)
    doc._.relations = views.relations
    kept = {span.id_ for span in views.entities}
    for concept in record.concepts:
        if concept.id in kept or not concept.label:
            continue
        if concept.id in views.spans:
            reason = "overlaps a longer concept"
        else:
            reason = "discontinuous, or not on token boundaries"
        path, _, line = concept.source.rpartition(":")
        report.note(
            str(root / path) if path else f"record {record.id}",
            int(line) if path else 0,
            f"{reason}: kept in the record, not in doc.ents",
        )
    return doc


def _score_choices(record: Document) -> dict[str, float]:
    return {label: float(label in record.categories) for label in sorted(record.choices)}


@dataclass
class _Views:
    """What a record gives a Doc.

    spans (dict[str, Span]): Of each concept that lies on token boundaries, by its id.
    entities (list[Span]): The longest of those that overlap.
    assertions (list[tuple[Span, str, str]]): Spans, and names and values of what is said of
        them, or of the events they trigger.
    relations (list[dict]): As in doc._.relations, events by their triggers.
    hidden (set[RelationKey]): Those of which an end is no span, by the ends' ids.
    """

    spans: dict[str, Span]
    entities: list[Span]
    assertions: list[tuple[Span, str, str]]
    relations: list[dict[str, Any]]
    hidden: set[RelationKey]


def _make_views(doc: Doc, record: Document) -> _Views:
    text = doc.text
    aligned = {concept.id: _align(doc, text, concept) for concept in record.concepts}
    spans = {concept_id: span for concept_id, span in aligned.items() if span is not None}
    # An event is shown on its trigger.
    places = {concept.id: concept.id for concept in record.concepts if concept.label}
    places |= {
        event.id: places[event.trigger] for event in record.events if event.trigger in places
    }
    shown = {name: spans[place] for name, place in places.items() if place in spans}
    ties: list[tuple[str, str, str]] = [
        (relation.label, head, tail)
        for relation in record.relations
        if relation.level == "mention" and len(relation.arguments) == 2
        for head, tail in [relation.ends]
        if head in places and tail in places
    ]
    return _Views(
        spans=spans,
        entities=filter_spans(spans.values()),
        assertions=[
            (shown[assertion.target], assertion.name, assertion.value)
            for assertion in record.assertions
            if assertion.target in shown
        ],
        relations=[
            {"label": label, "head": _extent(shown[head]), "tail": _extent(shown[tail])}
            for label, head, tail in ties
            if head in shown and tail in shown
        ],
        hidden={tie for tie in ties if not (tie[1] in shown and tie[2] in shown)},
    )


def _align(doc: Doc, text: str, concept: Concept) -> Span | None:
    if len(concept.fragments) != 1 or not concept.label:
        return None
    # An entity neither begins nor ends with space, though an i2b2 token may be empty.
    covered = text[concept.start : concept.end]
    start = concept.start + len(covered) - len(covered.lstrip())
    end = concept.end - len(covered) + len(covered.rstrip())
    kb_id = KB_SEPARATOR.join(concept.kb_ids)
    return doc.char_span(start, end, label=concept.label, kb_id=kb_id, span_id=concept.id)


def lay_span(span: Span, doc: Doc) -> Span | None:
    """The span that a Doc of the same text has in another's place, by characters.

    RETURNS (Span | None): With the same label and ids; None off the Doc's token boundaries.
    """
    return doc.char_span(
        span.start_char,
        span.end_char,
        label=span.label_,
        kb_id=span.kb_id_,
        span_id=span.id_,
    )


def _extent(span: Span) -> list[int | str]:
    return [span.start_char, span.end_char, span.label_]


def set_line_sentences(doc: Doc) -> None:
    """Start a sentence at the first word of each line.

    doc (Doc): Changed in place; line breaks stay with the line that they end.
    """
    starts = numpy.full(len(doc), -1, dtype="int64").view("uint64")
    starts[:1] = 1
    spaces = doc.to_array("IS_SPACE").astype(bool)
    words = numpy.flatnonzero(~spaces)
    for i in numpy.flatnonzero(spaces).tolist():
        if "\n" in doc[i].text:
            following = int(numpy.searchsorted(words, i))
            if 0 < following < len(words):  # space before the first word belongs to its line
                starts[words[following]] = 1
    doc.from_array(["SENT_START"], cast(Ints2d, starts.reshape(-1, 1)))


def said_spans(doc: Doc) -> list[Span]:
    """The spans of groups of which something is said, as by a component that reads a group.

    Those of a gold Doc's concepts are not among them: what it has for entities stands in doc.ents.
    """
    groups = (group for key, group in doc.spans.items() if key != CONCEPTS)
    return [span for group in groups for span in group if get_span_statements(span)]


def read_doc(doc: Doc, record_id: str) -> Document:
    """The record that a Doc's annotations amount to, whether gold or predicted.

    doc (Doc): With `doc.ents`, and `said_spans`, their `kb_id_`, `span._.assertion` and other
        attributes, with `doc._.relations` and `doc._.concept_relations`, and with `doc.cats`, of
        which those count that reach a half.
    record_id (str): The new record's name.
    RETURNS (Document): One Concept an extent and label; a relation whose end is no entity brings
        a concept of its own.
    RAISES: BL208 where its relations are none.
    """
    register_extensions()
    concepts: dict[tuple[int, int, str], Concept] = {}

    def concept_id(start: int, end: int, label: str, kb_ids: tuple[str, ...] = ()) -> str:
        key = (start, end, label)
        if not 0 <= start < end <= len(doc.text):
            raise ValueError("outside the text")
        if key not in concepts:
            concept = Concept(f"T{len(concepts) + 1}", label, ((start, end),), kb_ids=kb_ids)
            concepts[key] = concept
        return concepts[key].id

    assertions: list[Assertion] = []
    for entity in [*doc.ents, *said_spans(doc)]:
        kb_ids = tuple(entity.kb_id_.split(KB_SEPARATOR)) if entity.kb_id_ else ()
        target = concept_id(entity.start_char, entity.end_char, entity.label_, kb_ids)
        said = {"assertion": entity._.assertion, **get_span_statements(entity)}
        assertions += [
            Assertion(target, value, name) for name, value in said.items() if value is not None
        ]
    with sound_relations():
        relations = [
            Relation(
                relation["label"],
                (concept_id(*relation["head"]), concept_id(*relation["tail"])),
            )
            for relation in doc._.relations
        ]
        relations += [
            Relation(relation["label"], (relation["head"], relation["tail"]), level="concept")
            for relation in doc._.concept_relations
        ]
    return Document(
        id=record_id,
        text=doc.text,
        concepts=tuple(concepts.values()),
        assertions=tuple(dict.fromkeys(assertions)),
        relations=tuple(relations),
        annotated=doc.has_annotation("ENT_IOB") or bool(concepts or relations),
        categories=tuple(label for label, score in doc.cats.items() if score >= _HALF),
        choices=tuple(doc.cats),
    )


def shows_record(doc: Doc) -> bool:
    """Whether the annotations on a Doc are those that its gold record gives it."""
    record = get_record(doc)
    if record is None:
        return False
    views = _make_views(doc, record)
    values: dict[str, dict[str, str]] = {span.id_: {} for span in views.spans.values()}
    for span, name, value in views.assertions:
        values[span.id_][name] = value
    return (
        {_key(span) for span in views.entities} == {_key(span) for span in doc.ents}
        and all(get_span_statements(span) == values[span.id_] for span in views.spans.values())
        # An entity that was set anew may have another id, and values of its own.
        and {(_key(span), values[span.id_].get("assertion")) for span in views.entities}
        == {(_key(span), span._.assertion) for span in doc.ents}
        and relation_keys(views.relations) == relation_keys(doc._.relations)
        # A gold Doc's relations of concepts stand in its record alone.
        and relation_keys(doc._.concept_relations) in (set(), concept_relations(record))
        and _score_choices(record) == doc.cats
    )


def _key(span: Span) -> tuple[int, int, str, str]:
    return span.start, span.end, span.label_, span.kb_id_


def relation_keys(relations: Iterable[dict[str, Any]]) -> set[RelationKey]:
    """What tells relations of a Doc apart: their labels, heads and tails.

    RAISES: BL208 where they are none.
    """
    with sound_relations():
        return {
            (relation["label"], _as_key(relation["head"]), _as_key(relation["tail"]))
            for relation in relations
        }


def _as_key(end: Any) -> Hashable:
    return end if isinstance(end, str) else tuple(end)


def concept_relations(record: Document) -> set[RelationKey]:
    """The relations between two vocabulary ids of a record."""
    return {
        (relation.label, head, tail)
        for relation in record.relations
        if relation.level == "concept" and len(relation.arguments) == 2
        for head, tail in [relation.ends]
    }


def hidden_relations(doc: Doc) -> set[RelationKey]:
    """The relations of a gold record's mentions that doc._.relations cannot hold.

    An end of theirs is discontinuous, or not on token boundaries.

    RETURNS (set[RelationKey]): Label, and ids of head and tail; none where somebody has set
        doc._.relations anew.
    RAISES: BL208 where the record or the relations are none.
    """
    record = get_record(doc)
    if record is None:
        return set()
    views = _make_views(doc, record)
    unchanged = relation_keys(views.relations) == relation_keys(doc._.relations)
    return views.hidden if unchanged else set()
