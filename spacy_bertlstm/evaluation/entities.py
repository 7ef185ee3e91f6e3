"""Entities judged as spaCy's scorer judges them, with intervals over documents."""

from __future__ import annotations

from collections.abc import Sequence

from spacy.language import Language
from spacy.training import Example

from spacy_bertlstm.evaluation.bootstrap import bootstrap_intervals, count_matches
from spacy_bertlstm.evaluation.calibration import judge_entities
from spacy_bertlstm.evaluation.reports import Report


def report_entities(
    nlp: Language, examples: Sequence[Example], *, samples: int, seed: int
) -> list[Report]:
    """Judge `doc.ents`: exact bounds and label.

    nlp (Language): The pipeline.
    examples (Sequence[Example]): What it predicts, and the gold Docs.
    samples (int): Of the bootstrap.
    seed (int): Of the samples.
    RETURNS (list[Report]): One; none where no Doc has gold entities.
    """
    if not any(example.reference.ents for example in examples):
        return []
    both = [doc for example in examples for doc in (example.reference, example.predicted)]
    labels = sorted({ent.label_ for doc in both for ent in doc.ents})
    rows = {
        title: bootstrap_intervals(
            [_count(example, chosen) for example in examples], samples=samples, seed=seed
        )
        for title, chosen in [*((label, {label}) for label in labels), ("all", set(labels))]
    }
    report = Report(
        title=f"{len(examples)} Docs; exact bounds and label",
        rows={
            title: {name: row[key] for name, key in (("P", "p"), ("R", "r"), ("F1", "f"))}
            for title, row in rows.items()
        },
        scores={f"ents_{key}": interval for key, interval in rows["all"].items()},
    )
    return [report]


def _count(example: Example, labels: set[str]) -> tuple[int, int, int]:
    """True positives, false positives and false negatives, as spaCy's own scorer has them.

    What is found where gold annotation is missing is neither right nor wrong.
    """
    found, gold = (
        [(e.start_char, e.end_char, e.label_) for e in doc.ents if e.label_ in labels]
        for doc in (example.predicted, example.reference)
    )
    verdicts = judge_entities(example.reference, found)
    judged = [entity for entity, right in zip(found, verdicts, strict=True) if right is not None]
    return count_matches(gold, judged)
