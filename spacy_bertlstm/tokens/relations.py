"""The relations that stand on a Doc, between mentions or between concepts."""

from collections.abc import Collection, Iterable
from typing import Any

from spacy.tokens import Doc, Span

from spacy_bertlstm.tokens.build import (
    KB_SEPARATOR,
    RelationKey,
    concept_relations,
    hidden_relations,
    relation_keys,
)
from spacy_bertlstm.tokens.extensions import get_record, register_extensions, sound_relations

# What stands in the place of an id where an annotator found none.
_NO_CONCEPT = ("", "-1")


def get_concepts(span: Span) -> list[str]:
    """The vocabulary ids of a mention: none, one, or several where it is composite."""
    found = dict.fromkeys(span.kb_id_.split(KB_SEPARATOR))
    return [concept for concept in found if concept not in _NO_CONCEPT]


def gold_relations(doc: Doc, level: str) -> set[RelationKey] | None:
    """What relates in a gold Doc, or None where nobody has annotated it.

    doc (Doc): Its relations of mentions stand in doc._.relations, those of concepts in its
        record alone.
    level (str): "mention" or "concept".
    RAISES: BL208 where its record is none, or its relations are none.
    """
    if level == "mention":
        found = found_relations(doc, level)
        return found if found or doc.has_annotation("ENT_IOB") else None
    record = get_record(doc)
    if record is None or not record.annotated:
        return None
    return concept_relations(record)


def wanted_relations(doc: Doc, level: str) -> set[RelationKey] | None:
    """What is to be found in a gold Doc: `gold_relations`, and those that no Doc can hold.

    The latter can only be missed. The arguments are those of `gold_relations`.
    """
    gold = gold_relations(doc, level)
    return gold if gold is None or level == "concept" else gold | hidden_relations(doc)


def is_cut(doc: Doc) -> bool:
    """Whether an annotated Doc has lost its record, as a part of a longer one has."""
    return get_record(doc) is None and doc.has_annotation("ENT_IOB")


def orient(keys: Iterable[tuple[str, Any, Any]], undirected: Collection[str]) -> set[RelationKey]:
    """Write relations without a direction in one way: what sorts first is the head.

    keys (Iterable[RelationKey]): Label, head and tail of each.
    undirected (Collection[str]): The labels whose relations have no direction.
    """
    return {
        (label, tail, head) if label in undirected and tail < head else (label, head, tail)
        for label, head, tail in keys
    }


def found_relations(doc: Doc, level: str) -> set[RelationKey]:
    """What relates by a Doc's attribute for that level.

    RAISES: BL208 where what stands there are no relations.
    """
    register_extensions()
    return relation_keys(doc._.relations if level == "mention" else doc._.concept_relations)


def cut_relations(run: Span) -> list[dict[str, Any]]:
    """The relations of a Doc with both ends in a stretch of it, as from where that begins.

    run (Span): The stretch, which is to be a Doc of its own.
    RAISES: BL208 where they are none.
    """
    shift, stop = run.start_char, run.end_char
    moved = []
    with sound_relations():
        for relation in run.doc._.relations:
            ends = {key: relation[key] for key in ("head", "tail")}
            if all(shift <= start and end <= stop for start, end, _ in ends.values()):
                ends = {
                    key: [start - shift, end - shift, label]
                    for key, (start, end, label) in ends.items()
                }
                moved.append({**relation, **ends})
    return moved
