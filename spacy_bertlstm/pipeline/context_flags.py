"""Assertions under the names that medspaCy's users know: `span._.is_negated` and others."""

from collections.abc import Collection
from functools import partial

from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tokens.extensions import register_extensions

# No assertion of i2b2 2010 says that a problem is past, as medspaCy's is_historical does.
FLAGS = {
    "is_negated": frozenset({"absent"}),
    "is_uncertain": frozenset({"possible"}),
    "is_hypothetical": frozenset({"hypothetical", "conditional"}),
    "is_family": frozenset({"associated_with_someone_else"}),
}


def add_context_flags() -> None:
    """Register the flags, each a bool read from `span._.assertion` whenever it is asked for.

    span._.is_negated: "absent".
    span._.is_uncertain: "possible".
    span._.is_hypothetical: "hypothetical" or "conditional".
    span._.is_family: "associated_with_someone_else".

    Names that are registered already, as medspaCy does when it is imported, are left as they
    are; the component `bertlstm_context_flags` sets their values.
    """
    register_extensions()
    for name, values in FLAGS.items():
        if not Span.has_extension(name):
            Span.set_extension(name, getter=partial(_says, values))


def _says(values: Collection[str], span: Span) -> bool:
    return span._.assertion in values


@Language.factory(
    "bertlstm_context_flags",
    requires=["span._.assertion"],
    assigns=[f"span._.{name}" for name in FLAGS],
)
def make_context_flags(nlp: Language, name: str) -> "ContextFlags":
    """Make the component; see `ContextFlags`."""
    return ContextFlags()


class ContextFlags:
    """Gives entities medspaCy's flags, whoever has registered them.

    Where they are attributes of another package, all four of each entity that has an assertion
    are set, also to False: the assertion counts for more than what stood there. Those of other
    entities are left alone.

    RAISES: BL643 (an attribute that cannot be set).
    """

    def __init__(self) -> None:
        add_context_flags()
        for name in _foreign():
            _, method, getter, setter = Span.get_extension(name)
            if method is not None or (getter is not None and setter is None):
                raise BertLstmError("BL643", name=name)

    def __call__(self, doc: Doc) -> Doc:
        # A component that was unpickled in a new process has not passed its factory.
        add_context_flags()
        foreign = _foreign()
        for entity in doc.ents:
            if entity._.assertion is not None:
                for name in foreign:
                    entity._.set(name, _says(FLAGS[name], entity))
        return doc


def _foreign() -> list[str]:
    """The flags that are attributes of another package."""
    getters = {name: Span.get_extension(name)[2] for name in FLAGS}
    return [name for name, getter in getters.items() if getattr(getter, "func", None) is not _says]
