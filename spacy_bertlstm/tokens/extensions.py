"""Every custom attribute of Docs and Spans, registered in one place."""

from spacy.tokens import Doc, Span

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.records import Document


def register_extensions() -> None:
    """Register the package's attributes; those that exist already are left as they are.

    doc._.record (dict | None): The gold record (`Document.to_dict`) that the Doc was made of.
    doc._.relations (list[dict]): {"label": str, "head": extent, "tail": extent}, an extent
        being [start_char, end_char, label]: plain values, which survive serialization.
    span._.assertion (str | None): Such as "absent".
    span._.confidence (float | None): A probability.
    """
    for name, default in (("record", None), ("relations", [])):
        if not Doc.has_extension(name):
            Doc.set_extension(name, default=default)
    for name in ("assertion", "confidence"):
        if not Span.has_extension(name):
            Span.set_extension(name, default=None)


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
