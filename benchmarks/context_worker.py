"""What benchmarks/assertion.py asks of rules, in an environment of their own.

    python context_worker.py negspacy|medspacy < documents.json > values.json

A document has a text, the first character of each sentence, and entities: (start, end). The answer
has the value of each entity.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

# From an entity to its value.
Judge = Callable[[Span], str]


def load_negspacy() -> tuple[Language, Judge]:
    import negspacy.negation  # noqa: F401
    from negspacy.termsets import termset

    nlp = spacy.blank("en")
    nlp.add_pipe("negex", config={"neg_termset": termset("en_clinical").get_patterns()})
    return nlp, lambda span: "absent" if span._.negex else "present"


def load_medspacy() -> tuple[Language, Judge]:
    import medspacy.context  # noqa: F401

    nlp = spacy.blank("en")
    nlp.add_pipe("medspacy_context")

    def judge(span: Span) -> str:
        if span._.is_negated:
            return "absent"
        return "possible" if span._.is_uncertain else "present"

    return nlp, judge


LOADERS = {"negspacy": load_negspacy, "medspacy": load_medspacy}


def read(document: dict[str, Any], nlp: Language, judge: Judge) -> list[str]:
    doc = nlp.make_doc(document["text"])
    starts = set(document["sentences"])
    for token in doc:
        token.is_sent_start = token.i == 0 or token.idx in starts
    spans = [
        doc.char_span(start, end, label="problem", alignment_mode="expand")
        for start, end in document["entities"]
    ]
    # Two may share a token here: one by one, the answer of each is its own.
    return [judge(annotate(nlp, doc, span)) for span in spans]


def annotate(nlp: Language, doc: Doc, span: Span) -> Span:
    own = doc.copy()
    own.ents = [Span(own, span.start, span.end, label=span.label_)]
    for _, pipe in nlp.pipeline:
        own = pipe(own)
    (found,) = own.ents
    return found


if __name__ == "__main__":
    # What a library prints shall not stand in the answer.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    nlp, judge = LOADERS[sys.argv[1]]()
    json.dump([read(document, nlp, judge) for document in json.load(sys.stdin)], answer)
