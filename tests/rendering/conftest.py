"""Docs with what a pipeline predicts, set by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_bertlstm.tokens.extensions import register_extensions


@pytest.fixture
def make_doc() -> Callable[..., Doc]:
    """Make a Doc of a text whose entities are given as (words, label, attributes)."""
    nlp = spacy.blank("en")

    def build(
        name: str | None,
        text: str,
        entities: list[tuple],
        relations: list[tuple[str, int, int]] = (),
        concepts: list[tuple[str, str]] = (),
    ) -> Doc:
        """The relations are (label, head, tail), the ends by number in the entities; the concepts
        stand beside the entities, as those of a gold Doc do for which doc.ents has no room.
        """
        register_extensions()
        doc = nlp.make_doc(text)
        if name is not None:
            doc.user_data["id"] = name

        def find(words: str, label: str, after: int = 0) -> Span:
            start = text.index(words, after)
            return doc.char_span(start, start + len(words), label=label)

        spans: list[Span] = []
        for words, label, *values in entities:
            spans.append(find(words, label, spans[-1].end_char if spans else 0))
            for key, value in dict(*values).items():
                spans[-1]._.set(key, value)
        doc.set_ents(spans, default="outside")
        doc.spans["concepts"] = [*spans, *(find(*concept) for concept in concepts)]
        extents = [[span.start_char, span.end_char, span.label_] for span in spans]
        doc._.relations = [
            {"label": label, "head": extents[head], "tail": extents[tail], "confidence": 0.875}
            for label, head, tail in relations
        ]
        return doc

    return build


@pytest.fixture
def note(make_doc: Callable[..., Doc]) -> Doc:
    """A short note with everything that can stand in a row."""
    absent = {"assertion": "absent", "confidence": 0.75, "assertion_confidence": 0.5}
    return make_doc(
        "visit-1",
        "She denies fever.\r\nAspirin helped the <old> chest pain & headache.\n",
        [
            ("fever", "problem", absent),
            ("Aspirin", "treatment", {"confidence": 0.875}),
            ("chest pain", "problem", {"assertion": "present"}),
            ("headache", "problem", {"assertion": "possible"}),
        ],
        [("TrAP", 1, 2), ("PIP", 0, 3)],
        [("old> chest", "site")],
    )
