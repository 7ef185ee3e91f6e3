"""Label maps: records with a corpus's labels to records with those of a schema, by data."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from spacy_bertlstm.errors import BertLstmError, first_line
from spacy_bertlstm.formats.sources import read_text
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Assertion, Concept, Document, Normalization, Note, Relation
from spacy_bertlstm.schemas import Schema, get_schema

_TABLES = ("concepts", "relations", "assertions")
_OTHERS = "*"  # stands for every label that a table does not name


@dataclass(frozen=True)
class LabelMap:
    """Which label of a corpus becomes which label of a schema.

    schema (Schema): Of the labels to come.
    concepts (Mapping[str, str]): Concept labels; "*" stands for all others.
    relations (Mapping[str, str]): Relation labels; "*" stands for all others.
    assertions (Mapping[str, str]): To a value, from "NAME VALUE" as the corpus has it, or from
        "NAME" where it has no values.
    default (Mapping[str, str]): The value of a concept of which none is stated, by new label.
    """

    schema: Schema
    concepts: Mapping[str, str]
    relations: Mapping[str, str]
    assertions: Mapping[str, str]
    default: Mapping[str, str]

    def apply(self, document: Document, report: LossReport) -> Document:
        """Map a record.

        An event becomes its trigger concept: what is said of it is said of that.

        document (Document): The record.
        report (LossReport): Counts what the map has no place for, by kind and label.
        RETURNS (Document): With concepts and what points to them; without events.
        """
        concepts = self._map_concepts(document.concepts, report)
        # By the id of a concept or an event: that of the concept which it became.
        places = {concept.id: concept.id for concept in concepts}
        for event in document.events:
            if event.trigger in places:
                places.setdefault(event.id, event.trigger)
            for role, _ in event.arguments:
                report.drop("event argument", event.label, role)
        assertions = self._map_assertions(document.assertions, concepts, places, report)
        if document.annotated:
            stated = {assertion.target for assertion in assertions}
            assertions += [
                Assertion(concept.id, self.default[concept.label], source=concept.source)
                for concept in concepts
                if concept.label in self.default and concept.id not in stated
            ]
        return Document(
            id=document.id,
            text=document.text,
            concepts=tuple(concepts),
            assertions=tuple(assertions),
            relations=tuple(self._map_relations(document.relations, places, report)),
            annotated=document.annotated,
            metadata=document.metadata,
            normalizations=tuple(_moved(document.normalizations, places, report)),
            notes=tuple(_moved(document.notes, places, report)),
            categories=document.categories,
            choices=document.choices,
        )

    def _map_concepts(self, concepts: Iterable[Concept], report: LossReport) -> list[Concept]:
        mapped = []
        for concept in concepts:
            label = self.concepts.get(concept.label, self.concepts.get(_OTHERS))
            if label is None:
                report.drop("concept", concept.label)
            else:
                mapped.append(replace(concept, label=label))
        return mapped

    def _map_assertions(
        self,
        assertions: Iterable[Assertion],
        concepts: Iterable[Concept],
        places: Mapping[str, str],
        report: LossReport,
    ) -> list[Assertion]:
        asserted = {concept.id for concept in concepts if concept.label in self.schema.asserted}
        # By the target and the value: one may be said of an event and of its trigger.
        mapped: dict[tuple[str, str], Assertion] = {}
        for assertion in assertions:
            value = self.assertions.get(f"{assertion.name} {assertion.value}".strip())
            target = places.get(assertion.target)
            if value is None:
                report.drop("assertion", assertion.name, assertion.value)
            elif target is None:
                report.drop("assertion of what is unmapped", assertion.name, assertion.value)
            elif target not in asserted:
                report.drop("assertion of what has none", assertion.name, assertion.value)
            else:
                source = assertion.source
                mapped.setdefault((target, value), Assertion(target, value, source=source))
        return list(mapped.values())

    def _map_relations(
        self, relations: Iterable[Relation], places: Mapping[str, str], report: LossReport
    ) -> list[Relation]:
        mapped = []
        for relation in relations:
            label = self.relations.get(relation.label, self.relations.get(_OTHERS))
            ends: tuple[str | None, ...] = relation.arguments
            if relation.level != "concept":
                ends = tuple(map(places.get, relation.arguments))
            if label is None:
                report.drop("relation", relation.label)
            elif None in ends:
                report.drop("relation of what is unmapped", relation.label)
            else:
                arguments = tuple(end for end in ends if end is not None)
                mapped.append(replace(relation, label=label, arguments=arguments))
        return mapped


Pointer = TypeVar("Pointer", Normalization, Note)


def _moved(
    items: Iterable[Pointer], places: Mapping[str, str], report: LossReport
) -> Iterator[Pointer]:
    """What points to a concept or an event, or to nothing, pointing to what that became."""
    for item in items:
        if not item.target or item.target in places:
            yield replace(item, target=places.get(item.target, ""))
        else:
            report.drop(f"{type(item).__name__.lower()} of what is unmapped", item.name)


def read_map(path: Path) -> LabelMap:
    """Read a map from a TOML file.

    path (Path): It names its schema, and has tables [concepts], [relations] and [assertions];
        the last may hold a table `default`.
    RAISES: BL103 (not UTF-8), BL108 (unreadable), BL114 (unknown schema), BL116 (not TOML),
        BL117 (another structure), BL118 (a label that the schema lacks).
    """
    try:
        data = tomllib.loads(read_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BertLstmError("BL116", path=path, reason=first_line(error)) from error
    name = data.pop("schema", None)
    if not isinstance(name, str):
        raise BertLstmError(
            "BL117", path=path, place="schema", reason='not given as schema = "NAME"'
        )
    schema = get_schema(name)
    for table in data:
        if table not in _TABLES:
            raise BertLstmError("BL117", path=path, place=f"[{table}]", reason="unknown table")
    assertions = data.get("assertions", {})
    default = assertions.pop("default", {}) if isinstance(assertions, dict) else {}

    def read_table(place: str, table: Any, kind: str, known: Iterable[str]) -> dict[str, str]:
        if not isinstance(table, dict):
            raise BertLstmError("BL117", path=path, place=place, reason="not a table")
        for key, label in table.items():
            if not isinstance(label, str):
                raise BertLstmError("BL117", path=path, place=f"{place} {key}", reason="no string")
            if label not in known:
                raise BertLstmError(
                    "BL118",
                    path=path,
                    place=f"{place} {key}",
                    label=label,
                    kind=kind,
                    schema=schema.name,
                    known=", ".join(known) or "none",
                )
        return table

    label_map = LabelMap(
        schema,
        read_table("[concepts]", data.get("concepts", {}), "type", schema.concepts),
        read_table("[relations]", data.get("relations", {}), "relation", schema.relations),
        read_table("[assertions]", assertions, "value", schema.assertions),
        read_table("[assertions.default]", default, "value", schema.assertions),
    )
    for label in label_map.default:
        if label not in schema.asserted:
            raise BertLstmError(
                "BL118",
                path=path,
                place="[assertions.default]",
                label=label,
                kind="type with assertions",
                schema=schema.name,
                known=", ".join(schema.asserted) or "none",
            )
    return label_map
