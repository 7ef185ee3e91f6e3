"""The lossless document record that every format is read into and written from.

Docs, `doc.ents`, `doc.spans`, `span._.assertion` and `doc._.relations` are views of it.
Offsets are characters of `Document.text`, the end exclusive; identity lies in ids, never
in extents, because two annotations may share one extent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Fragments = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Concept:
    """A labelled stretch of text.

    id (str): Unique within its document.
    label (str): Its type; "" where the source names an extent without a type.
    fragments (Fragments): One (start, end) a piece, in the source's order.
    quoted (str | None): The text as the source states it, only where the source's format
        would state the text at the offsets otherwise.
    kb_ids (tuple[str, ...]): Identifiers in a vocabulary, such as "MESH:D001241".
    source (str): The file, below the folder that was read, and the line: "beth/12.con:3".
    """

    id: str
    label: str
    fragments: Fragments
    quoted: str | None = None
    kb_ids: tuple[str, ...] = ()
    source: str = ""

    @property
    def start(self) -> int:
        return min(start for start, _ in self.fragments)

    @property
    def end(self) -> int:
        return max(end for _, end in self.fragments)


@dataclass(frozen=True)
class Assertion:
    """A value said of a concept, an event or a relation.

    target (str): The id of what it is said of.
    value (str): Such as "absent"; "" for a property that is there or not.
    name (str): Which property it is; formats with several have others than "assertion".
    id (str): Its own id, where the format gives one.
    source (str): The file and line it was read from.
    """

    target: str
    value: str
    name: str = "assertion"
    id: str = ""
    source: str = ""


@dataclass(frozen=True)
class Relation:
    """A labelled tie between concepts, events or vocabulary ids.

    label (str): Its type.
    arguments (tuple[str, ...]): Ids, in the source's order.
    roles (tuple[str, ...]): One name an argument, or empty where the format has none.
    level (str): "mention" where arguments are ids of this document's annotations,
        "concept" where they are vocabulary ids, "equivalence" where they are ids of this
        document's annotations that all stand for one another.
    id (str): Its own id, where the format gives one.
    source (str): The file and line it was read from.
    """

    label: str
    arguments: tuple[str, ...]
    roles: tuple[str, ...] = ()
    level: str = "mention"
    id: str = ""
    source: str = ""

    @property
    def ends(self) -> tuple[str, ...]:
        """The arguments in the order of their roles where these are numbered, as Arg1 and Arg2.

        Where they are not, in the source's order.
        """
        if sorted(self.roles) != [f"Arg{number + 1}" for number in range(len(self.arguments))]:
            return self.arguments
        return tuple(
            argument for _, argument in sorted(zip(self.roles, self.arguments, strict=True))
        )


@dataclass(frozen=True)
class Event:
    """A trigger concept with arguments, which relations and assertions may point to.

    id (str): Unique within its document.
    label (str): Its type.
    trigger (str): The id of the trigger concept.
    arguments (tuple[tuple[str, str], ...]): (role, id) pairs, in the source's order.
    source (str): The file and line it was read from.
    """

    id: str
    label: str
    trigger: str
    arguments: tuple[tuple[str, str], ...] = ()
    source: str = ""


@dataclass(frozen=True)
class Normalization:
    """An annotation of its own that ties a concept or an event to a vocabulary.

    target (str): The id of what is tied, whose `Concept.kb_ids` hold the identifier too.
    kb_id (str): The identifier, such as "MESH:D001241".
    text (str): The entry's name, as the source states it.
    name (str): Which kind of tie it is.
    id (str): Its own id, where the format gives one.
    source (str): The file and line it was read from.
    """

    target: str
    kb_id: str
    text: str = ""
    name: str = "Reference"
    id: str = ""
    source: str = ""


@dataclass(frozen=True)
class Note:
    """What an annotator wrote about an annotation or about the whole document.

    text (str): Free text; it may quote the document.
    target (str): The id of what it is about; "" for the whole document.
    name (str): Which kind of note it is; "" where it is of none.
    id (str): Its own id, where the format gives one.
    source (str): The file and line it was read from.
    """

    text: str
    target: str = ""
    name: str = ""
    id: str = ""
    source: str = ""


@dataclass(frozen=True)
class Document:
    """A text with everything that was annotated on it.

    id (str): The record's name.
    text (str): The text, character for character as in the source.
    annotated (bool): False where nobody annotated its parts, which is not the same as an
        annotation that found nothing.
    metadata (dict[str, str]): What else the source says of the record.
    categories (tuple[str, ...]): Those that the whole text belongs to.
    choices (tuple[str, ...]): The categories that there were to choose from; none where nobody
        chose, which is not the same as a choice that found none.
    """

    id: str
    text: str
    concepts: tuple[Concept, ...] = ()
    assertions: tuple[Assertion, ...] = ()
    relations: tuple[Relation, ...] = ()
    events: tuple[Event, ...] = ()
    annotated: bool = True
    metadata: dict[str, str] = field(default_factory=dict)
    normalizations: tuple[Normalization, ...] = ()
    notes: tuple[Note, ...] = ()
    categories: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    @property
    def has_annotations(self) -> bool:
        """Whether somebody annotated its parts, or it as a whole."""
        return self.annotated or bool(self.choices)

    def covered_text(self, concept: Concept) -> str:
        """The text under a concept, its fragments joined by one space."""
        return " ".join(self.text[start:end] for start, end in concept.fragments)

    def to_dict(self) -> dict[str, Any]:
        """The record as plain dicts, tuples and strings."""
        # As dataclasses.asdict, which takes ten times as long.
        values = dict(vars(self), metadata=dict(self.metadata))
        for key in _PARTS:
            values[key] = tuple(dict(vars(item)) for item in values[key])
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Document:
        """Rebuild a record.

        data (Mapping): From `to_dict`; sequences may have become lists or tuples on the way.
        RETURNS (Document): Equal to the one that was stored.
        RAISES: TypeError, ValueError, KeyError or AttributeError for anything else.
        """
        values = dict(data)
        for key, kind in _PARTS.items():
            values[key] = tuple(kind(**_frozen(item)) for item in data.get(key, ()))
        values["metadata"] = dict(data.get("metadata", {}))
        for key in ("categories", "choices"):
            values[key] = _tuples(data.get(key, ()))
        document = cls(**values)
        _require_types(document)
        length = len(document.text)
        for concept in document.concepts:
            fragments = concept.fragments
            if not fragments or not all(0 <= start <= end <= length for start, end in fragments):
                raise ValueError(f"concept {concept.id} lies outside the text")
        if not set(document.categories) <= set(document.choices):
            raise ValueError("a category was not to choose")
        return document


def _require_types(document: Document) -> None:
    """Raise TypeError where a field holds another type than its class says."""
    metadata = document.metadata.items()
    sound = isinstance(document.annotated, bool) and all(map(_are_texts, metadata))
    texts = ((document.id, document.text), document.categories, document.choices)
    if not (sound and all(map(_are_texts, texts))):
        raise TypeError("the record")
    for key in _PARTS:
        for item in getattr(document, key):
            for name, value in vars(item).items():
                if not _FITS.get((key, name), _is_text)(value):
                    raise TypeError(f"{key}: {name}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(part, str) for part in value)


def _are_extents(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(part, tuple) and len(part) == 2 and all(type(place) is int for place in part)
        for part in value
    )


def _are_pairs(value: Any) -> bool:
    return isinstance(value, tuple) and all(_are_texts(part) and len(part) == 2 for part in value)


# By the part and the field; the others hold text.
_FITS: dict[tuple[str, str], Callable[[Any], bool]] = {
    ("concepts", "fragments"): _are_extents,
    ("concepts", "quoted"): lambda value: value is None or _is_text(value),
    ("concepts", "kb_ids"): _are_texts,
    ("relations", "arguments"): _are_texts,
    ("relations", "roles"): _are_texts,
    ("events", "arguments"): _are_pairs,
}

_PARTS: dict[str, Any] = {
    "concepts": Concept,
    "assertions": Assertion,
    "relations": Relation,
    "events": Event,
    "normalizations": Normalization,
    "notes": Note,
}


def _frozen(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _tuples(value) for key, value in item.items()}


def _tuples(value: Any) -> Any:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return tuple(_tuples(part) for part in value)
    return value
