"""Label sets and legal argument types, one schema a task."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schema:
    """What a task may annotate.

    concepts (tuple[str, ...]): Concept types.
    assertions (tuple[str, ...]): Assertion values.
    relations (dict[str, tuple[str, str]]): Relation types with the types of their arguments.
    """

    name: str
    concepts: tuple[str, ...]
    assertions: tuple[str, ...]
    relations: dict[str, tuple[str, str]]


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
)

# Henry et al., "2018 n2c2 shared task on adverse drug events and medication extraction in
# electronic health records", JAMIA 2020.
N2C2_2018 = Schema(
    name="n2c2-2018",
    concepts=(
        "Drug",
        "Strength",
        "Form",
        "Dosage",
        "Frequency",
        "Route",
        "Duration",
        "Reason",
        "ADE",
    ),
    assertions=(),
    relations={
        "Strength-Drug": ("Strength", "Drug"),
        "Form-Drug": ("Form", "Drug"),
        "Dosage-Drug": ("Dosage", "Drug"),
        "Frequency-Drug": ("Frequency", "Drug"),
        "Route-Drug": ("Route", "Drug"),
        "Duration-Drug": ("Duration", "Drug"),
        "Reason-Drug": ("Reason", "Drug"),
        "ADE-Drug": ("ADE", "Drug"),
    },
)
