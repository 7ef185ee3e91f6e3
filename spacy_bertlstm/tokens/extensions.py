"""Every custom attribute of Docs and Spans, registered in one place."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from spacy.tokens import Doc, Span

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.records import Document

# spaCy keys span._.x by the extent alone. Under this one extension stands what is said of all
# spans of an extent: {label: {id: {attribute: value}}}, plain values, never changed in place.
_VALUES = "bertlstm_values"


def register_extensions() -> None:
    """Register the package's attributes; those that exist already are left as they are.

    doc._.record (dict | None): The gold record (`Document.to_dict`) that the Doc was made of.
    doc._.relations (list[dict]): {"label": str, "head": extent, "tail": extent}, an extent
        being [start_char, end_char, label]: plain values, which survive serialization. Found
        ones have their "confidence" too.
    doc._.concept_relations (list[dict]): The same of vocabulary ids in the place of extents.
    span._.assertion (str | None): Such as "absent"; see `register_span_attribute`.
    span._.confidence (float | None): A probability.
    WARNS: BL340 (another package has one of them).
    """
    _register(Doc, "record", default=None)
    _register(Doc, "relations", default=[])
    _register(Doc, "concept_relations", default=[])
    _register(Span, "confidence", default=None)
    register_span_attribute("assertion")


def register_span_attribute(name: str) -> None:
    """Register span._.<name> (str | None) and span._.<name>_confidence (float | None).

    Spans of one extent have values of their own if they differ in label or id. A span with an
    id that has no value has that of its label without an id; a span without an id has the one
    value that all of its label have.

    name (str): Such as "assertion".
    RAISES: BL341 (not usable as a name).
    WARNS: BL340 (another package has it).
    """
    if not name.isidentifier() or name in ("confidence", _VALUES):
        raise BertLstmError("BL341", name=name)
    _register(Span, _VALUES, default=None)
    for key in (name, f"{name}_confidence"):
        _register(Span, key, getter=_Getter(key), setter=_Setter(key))


def _register(kind: type[Doc] | type[Span], name: str, **how: Any) -> None:
    if not kind.has_extension(name):
        kind.set_extension(name, **how)
        return
    ours = how.get("default"), None, how.get("getter"), how.get("setter")
    if kind.get_extension(name) != ours:
        _warn_taken(f"{kind.__name__.lower()}._.{name}")


@cache
def _warn_taken(place: str) -> None:
    warnings.warn(str(BertLstmError("BL340", place=place)), stacklevel=2)


# Classes, not functions made on the spot: these pickle, and two of one name are equal.
@dataclass(frozen=True)
class _Getter:
    name: str

    def __call__(self, span: Span) -> Any:
        return get_span_value(span, self.name)


@dataclass(frozen=True)
class _Setter:
    name: str

    def __call__(self, span: Span, value: Any) -> None:
        set_span_value(span, self.name, value)


def get_span_value(span: Span, name: str) -> Any:
    """What is said of a span under a name, whether an attribute has that name or not."""
    by_id = (span._.get(_VALUES) or {}).get(span.label_, {})
    own = by_id.get(span.id_, {})
    if name in own:
        return own[name]
    if span.id_:
        return by_id.get("", {}).get(name)
    values = {values[name] for values in by_id.values() if values.get(name) is not None}
    return values.pop() if len(values) == 1 else None


def get_span_statements(span: Span) -> dict[str, str]:
    """What is said of a span in words, by attribute, confidences left out."""
    by_id = (span._.get(_VALUES) or {}).get(span.label_, {})
    names = sorted({name for values in by_id.values() for name in values})
    said = ((name, get_span_value(span, name)) for name in names)
    return {name: value for name, value in said if isinstance(value, str)}


def set_span_value(span: Span, name: str, value: Any) -> None:
    """Say something of a span: of its extent with its label and its id."""
    stored = span._.get(_VALUES) or {}
    by_id = stored.get(span.label_, {})
    values = {**by_id.get(span.id_, {}), name: value}
    span._.set(_VALUES, {**stored, span.label_: {**by_id, span.id_: values}})


def copy_span_values(span: Span, doc: Doc) -> None:
    """Take what is said of the spans within a span to the Doc that was made of it.

    span (Span): Of the original.
    doc (Doc): As `span.as_doc()` gives it.
    """
    offset = span.start_char
    for key, values in span.doc.user_data.items():
        if not isinstance(key, tuple) or key[:2] != ("._.", _VALUES):
            continue
        _, _, start, end = key
        if offset <= start and end <= span.end_char:
            doc.user_data["._.", _VALUES, start - offset, end - offset] = values


@contextmanager
def sound_relations() -> Iterator[None]:
    """Read doc._.relations or doc._.concept_relations, which anybody may have set.

    RAISES: BL208 (they are none).
    """
    try:
        yield
    except BertLstmError:
        raise
    except (TypeError, KeyError, ValueError) as error:
        raise BertLstmError("BL208", reason=f"its relations: {type(error).__name__}") from error


def get_record(doc: Doc) -> Document | None:
    """The gold record of a Doc, or None where it has none.

    RAISES: BL208 (it is no record).
    """
    register_extensions()
    if doc._.record is None:
        return None
    try:
        return Document.from_dict(doc._.record)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BertLstmError("BL208", reason=type(error).__name__) from error


def set_record(doc: Doc, record: Document) -> None:
    """Let a gold record ride in a Doc's user data."""
    register_extensions()
    doc._.record = record.to_dict()
