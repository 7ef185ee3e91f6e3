"""Label sets and legal argument types, one schema a task.

A schema is registered as an entry point of the group `spacy_bertlstm_schemas`; those of other
packages are found as ours are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points

from spacy_bertlstm.errors import BertLstmError, first_line
from spacy_bertlstm.losses import shown
from spacy_bertlstm.records import Document

GROUP = "spacy_bertlstm_schemas"


@dataclass(frozen=True)
class Schema:
    """What a task may annotate.

    concepts (tuple[str, ...]): Concept types.
    assertions (tuple[str, ...]): Assertion values.
    relations (dict[str, tuple[str, str]]): Relation types with the types of their arguments.
    asserted (tuple[str, ...]): Concept types that have assertions.
    """

    name: str
    concepts: tuple[str, ...]
    assertions: tuple[str, ...]
    relations: dict[str, tuple[str, str]]
    asserted: tuple[str, ...] = ()

    def violations(self, document: Document) -> Iterator[tuple[str, str]]:
        """What a record holds that the task may not annotate.

        document (Document): A concept without a label is no violation, but names no type.
        YIELDS (tuple[str, str]): The source of the annotation and the reason.
        """
        labels = {concept.id: concept.label for concept in document.concepts}
        for concept in document.concepts:
            if concept.label and concept.label not in self.concepts:
                yield concept.source, f"{self.name} has no type {shown(concept.label)}"
        for assertion in document.assertions:
            if assertion.value not in self.assertions:
                yield assertion.source, f"{self.name} has no value {shown(assertion.value)}"
            elif labels.get(assertion.target) not in self.asserted:
                label = shown(labels.get(assertion.target, ""))
                yield assertion.source, f"{self.name} has no assertions of {label}"
        for relation in document.relations:
            wanted = self.relations.get(relation.label)
            found = tuple(labels.get(argument, "") for argument in relation.ends)
            if wanted is None:
                yield relation.source, f"{self.name} has no relation {shown(relation.label)}"
            elif found != wanted:
                have = " and ".join(map(shown, found))
                needed = " and ".join(wanted)
                yield relation.source, f"{relation.label} takes {needed}, not {have}"


# Uzuner et al., "2010 i2b2/VA challenge on concepts, assertions, and relations in
# clinical text", JAMIA 2011.
I2B2_2010 = Schema(
    name="i2b2-2010",
    concepts=("problem", "test", "treatment"),
    assertions=(
        "present",
        "absent",
        "possible",
        "conditional",
        "hypothetical",
        "associated_with_someone_else",
    ),
    relations={
        "TrIP": ("treatment", "problem"),
        "TrWP": ("treatment", "problem"),
        "TrCP": ("treatment", "problem"),
        "TrAP": ("treatment", "problem"),
        "TrNAP": ("treatment", "problem"),
        "PIP": ("problem", "problem"),
        "TeRP": ("test", "problem"),
        "TeCP": ("test", "problem"),
    },
    asserted=("problem",),
)

_N2C2_ATTRIBUTES = ("Strength", "Form", "Dosage", "Frequency", "Route", "Duration", "Reason", "ADE")

# Henry et al., "2018 n2c2 shared task on adverse drug events and medication extraction in
# electronic health records", JAMIA 2020.
N2C2_2018 = Schema(
    name="n2c2-2018",
    concepts=("Drug", *_N2C2_ATTRIBUTES),
    assertions=(),
    relations={f"{label}-Drug": (label, "Drug") for label in _N2C2_ATTRIBUTES},
)


def get_schema(name: str) -> Schema:
    """Find a registered schema.

    name (str): As registered, "spacy-bertlstm.i2b2-2010.v1", or "i2b2-2010" where it is ours.
    RAISES: BL114 (unknown, or not loadable).
    """
    points = {point.name: point for point in entry_points(group=GROUP)}
    point = points.get(name) or points.get(f"spacy-bertlstm.{name}.v1")
    try:
        schema = point.load() if point else None
    except (ImportError, AttributeError) as error:
        raise BertLstmError(
            "BL114", name=name, reason=first_line(error), known=", ".join(sorted(points))
        ) from error
    if not isinstance(schema, Schema):
        reason = "it is no Schema" if point else "not registered"
        raise BertLstmError("BL114", name=name, reason=reason, known=", ".join(sorted(points)))
    return schema
