"""Docs as rows: one an entity, one a relation, of plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spacy.tokens import Doc, Span

from spacy_bertlstm.text.sections import Section, find_sections, section_at
from spacy_bertlstm.tokens.build import CONCEPTS, said_spans
from spacy_bertlstm.tokens.extensions import get_record, register_extensions, sound_relations

Row = dict[str, Any]

# What a row holds, and of which type where it is not None.
ENTITY_COLUMNS: Mapping[str, type] = {
    "record": str,
    "start": int,
    "end": int,
    "text": str,
    "label": str,
    "kb_id": str,
    "section": str,
    "assertion": str,
    "assertion_confidence": float,
    "confidence": float,
    "model": str,
    "model_version": str,
}
RELATION_COLUMNS: Mapping[str, type] = {
    "record": str,
    "label": str,
    "head_start": int,
    "head_end": int,
    "head_text": str,
    "head_label": str,
    "head_kb_id": str,
    "tail_start": int,
    "tail_end": int,
    "tail_text": str,
    "tail_label": str,
    "tail_kb_id": str,
    "confidence": float,
    "model": str,
    "model_version": str,
}


class Rows(NamedTuple):
    """What a Doc says.

    record (str | None): Its name: that of its gold record, or doc.user_data["id"].
    entities (list[Row]): By ENTITY_COLUMNS, sorted by place, the longer of one start first.
    relations (list[Row]): By RELATION_COLUMNS, in the order of doc._.relations, and behind them
        those of doc._.concept_relations, whose ends are vocabulary ids and have no place.
    """

    record: str | None
    entities: list[Row]
    relations: list[Row]


def doc_to_rows(doc: Doc, model: Mapping[str, Any] | None = None) -> Rows:
    """Give a Doc's entities and relations as rows, such as pandas.DataFrame takes.

    doc (Doc): Gold or predicted. Concepts of a gold Doc that overlap an entity have rows too, as
        have spans of a group of which something is said; discontinuous ones stand in its record
        alone.
    model (Mapping | None): `nlp.meta` of the pipeline that read the Doc.
    RETURNS (Rows): Offsets are characters of `doc.text`; what is not known is None.
    RAISES: BL208 (its relations are none, or its record is none).
    """
    register_extensions()
    read_by = {
        "model": f"{model['lang']}_{model['name']}" if model else None,
        "model_version": model["version"] if model else None,
    }
    record = get_record(doc)
    name = doc.user_data.get("id") if record is None else record.id
    name = None if name is None else str(name)
    known = {"record": name}
    sections = find_sections(doc.text)
    entities = [{**known, **_entity(span, sections), **read_by} for span in _spans(doc)]
    with sound_relations():
        found = [_relation(doc, item) for item in doc._.relations]
        found += map(_concept_relation, doc._.concept_relations)
    blank: Row = dict.fromkeys(RELATION_COLUMNS)
    relations = [blank | known | relation | read_by for relation in found]
    return Rows(name, entities, relations)


def _spans(doc: Doc) -> list[Span]:
    """The entities, the concepts for which doc.ents had no room, and what else is judged.

    Of one extent and label there is one, or one for each assertion.
    """
    spans = {
        (span.start_char, -span.end_char, span.label_, span._.assertion or ""): span
        for span in [*doc.spans.get(CONCEPTS, ()), *said_spans(doc), *doc.ents]
    }
    return [spans[key] for key in sorted(spans)]


def _entity(span: Span, sections: Sequence[Section]) -> Row:
    return {
        "start": span.start_char,
        "end": span.end_char,
        "text": span.text,
        "label": span.label_,
        "kb_id": span.kb_id_ or None,
        "section": section_at(sections, span.start_char),
        "assertion": span._.assertion,
        "assertion_confidence": span._.assertion_confidence,
        "confidence": span._.confidence,
    }


def _relation(doc: Doc, relation: Mapping[str, Any]) -> Row:
    row: Row = {"label": relation["label"]}
    for end in ("head", "tail"):
        start, stop, label = relation[end]
        if not 0 <= start < stop <= len(doc.text):
            raise ValueError(f"{end} lies outside the text")
        row[f"{end}_start"] = start
        row[f"{end}_end"] = stop
        row[f"{end}_text"] = doc.text[start:stop]
        row[f"{end}_label"] = label
    return row | {"confidence": relation.get("confidence")}


def _concept_relation(relation: Mapping[str, Any]) -> Row:
    return {
        "label": relation["label"],
        "head_kb_id": relation["head"],
        "tail_kb_id": relation["tail"],
        "confidence": relation.get("confidence"),
    }
