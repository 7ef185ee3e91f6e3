"""Scores of an attribute of spans, end to end: a span that was not found is a miss."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy
from spacy.language import Language
from spacy.scorer import PRFScore
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertlstm.evaluation.calibration import judge_entities
from spacy_bertlstm.evaluation.reports import Report, report_counts, report_each
from spacy_bertlstm.tokens.extensions import register_span_attribute

# (start, end, label), in characters.
Place = tuple[int, int, str]


def make_assertion_scorer() -> Callable[..., dict[str, Any]]:
    """Make the scorer of `bertlstm_assertion`; see `score_span_attribute`."""
    return score_span_attribute


def score_span_attribute(
    examples: Iterable[Example],
    *,
    attribute: str = "assertion",
    spans: str | None = None,
    types: Collection[str] = (),
    **options: Any,
) -> dict[str, Any]:
    """Score the values of an attribute on spans of the same bounds and label.

    A gold value is missed where its span was not found, or has another value; a value is false
    where gold has no such span, or another value on it. Gold spans without a value, and places
    where gold annotation is missing, say neither right nor wrong.

    examples (Iterable[Example]): Gold and predicted Docs.
    attribute (str): What stands behind `span._.`, and the keys begin with.
    spans (str | None): A key of `doc.spans`; None for `doc.ents`.
    types (Collection[str]): Labels of the spans that count; empty for all.
    options: What else spaCy hands to a scorer.
    RETURNS (dict[str, Any]): `assertion_micro_p`, `_r` and `_f`, `assertion_macro_f`, the mean
        over the values that occur, and `assertion_per_type`, p, r and f of each value; None
        where gold has no value.
    """
    per_value: dict[str, PRFScore] = defaultdict(PRFScore)
    for example in examples:
        for value, counts in count_values(example, attribute, spans, types).items():
            per_value[value] += PRFScore(**dict(zip(("tp", "fp", "fn"), counts, strict=True)))
    return _to_scores(attribute, per_value)


def report_assertions(
    nlp: Language, examples: Sequence[Example], *, samples: int, seed: int
) -> list[Report]:
    """Judge what each `bertlstm_assertion` of a pipeline sets, as `score_span_attribute` does.

    The titles say on which spans it has learned.

    nlp (Language): The pipeline.
    examples (Sequence[Example]): What it predicts, and the gold Docs.
    samples (int): Of the bootstrap.
    seed (int): Of the samples.
    """

    def report(pipe: Any) -> Report | None:
        return report_counts(
            f"{len(examples)} Docs; span._.{pipe.attribute}, exact bounds and label; "
            f"learned on {pipe.train_on} spans",
            [count_values(eg, pipe.attribute, pipe.spans, pipe.types) for eg in examples],
            prefix=pipe.attribute,
            samples=samples,
            seed=seed,
        )

    return report_each(nlp, "bertlstm_assertion", report)


def count_values(
    example: Example, attribute: str, spans: str | None, types: Collection[str]
) -> dict[str, tuple[int, int, int]]:
    """True positives, false positives and false negatives of a Doc, by value.

    The arguments are those of `score_span_attribute`.
    """
    register_span_attribute(attribute)
    gold, found = (
        _read_values(doc, attribute, spans, types) for doc in (example.reference, example.predicted)
    )
    unknown = {place for place, values in gold.items() if None in values}
    if spans is None:
        verdicts = judge_entities(example.reference, found)
        unknown.update(place for place, right in zip(found, verdicts, strict=True) if right is None)
    elif spans not in example.reference.spans:
        unknown.update(found)
    counts: dict[str, numpy.ndarray] = {}
    for place in gold.keys() | found.keys():
        wanted, given = gold.get(place, Counter()), found.get(place, Counter())
        for value in (wanted | given).keys() - {None}:
            hits = min(wanted[value], given[value])
            wrong = 0 if place in unknown else given[value] - hits
            counts[value] = counts.get(value, 0) + numpy.asarray(
                [hits, wrong, wanted[value] - hits]
            )
    return {value: tuple(row.tolist()) for value, row in counts.items() if row.any()}


def _read_values(
    doc: Doc, attribute: str, spans: str | None, types: Collection[str]
) -> dict[Place, Counter[Any]]:
    """The values at each place, None among them where a span has none."""
    found: dict[Place, Counter[Any]] = defaultdict(Counter)
    for span in doc.ents if spans is None else doc.spans.get(spans, ()):
        if not types or span.label_ in types:
            place = span.start_char, span.end_char, span.label_
            found[place][span._.get(attribute)] += 1
    return found


def _to_scores(attribute: str, per_value: dict[str, PRFScore]) -> dict[str, Any]:
    micro = sum(per_value.values(), start=PRFScore())
    known = micro.tp + micro.fn > 0
    scores = {
        "micro_p": micro.precision,
        "micro_r": micro.recall,
        "micro_f": micro.fscore,
        "macro_f": sum(prf.fscore for prf in per_value.values()) / max(len(per_value), 1),
        "per_type": {value: per_value[value].to_dict() for value in sorted(per_value)},
    }
    return {f"{attribute}_{key}": value if known else None for key, value in scores.items()}
