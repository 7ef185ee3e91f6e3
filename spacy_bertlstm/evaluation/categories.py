"""Categories of whole texts judged as spaCy's scorer judges them, with intervals over documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy
from spacy.language import Language
from spacy.pipeline import MultiLabel_TextCategorizer, TextCategorizer
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertlstm.evaluation.bootstrap import as_interval, draw_documents
from spacy_bertlstm.evaluation.reports import Report

_COLUMNS = ("P", "R", "F1", "AUC")
_KEYS = ("p", "r", "f", "auc")


@dataclass(frozen=True)
class CategoryFigures:
    """How good categories are, over all texts and in samples of them.

    rows (Mapping[str, Mapping[str, numpy.ndarray]]): By row and column, values of shape
        (1 + samples,); NaN where they are undefined.
    accuracy (numpy.ndarray): The share of texts with all labels right, of the same shape.
    """

    rows: Mapping[str, Mapping[str, numpy.ndarray]]
    accuracy: numpy.ndarray


def report_categories(
    nlp: Language, examples: Sequence[Example], *, samples: int, seed: int
) -> list[Report]:
    """Judge `doc.cats`, of a pipeline's last text categorizer.

    A text without any of the labels in its gold cats is left out. Of exclusive labels the highest
    score counts, of others each that reaches the component's threshold. Accuracy is the share of
    texts with all labels right. Macro figures are means over labels; the AUC of a label that
    all texts have, or none, is undefined and counts as 0 there.

    nlp (Language): The pipeline.
    examples (Sequence[Example]): What it predicts, and the gold Docs.
    samples (int): Of the bootstrap.
    seed (int): Of the samples.
    RETURNS (list[Report]): One; none where it has no `textcat` or `textcat_multilabel`, or no Doc
        has gold categories of its labels.
    """
    pipes = [pipe for _, pipe in nlp.pipeline if isinstance(pipe, TextCategorizer)]
    if not pipes:
        return []
    pipe = pipes[-1]
    labels = pipe.labels
    judged = [eg for eg in examples if any(label in eg.reference.cats for label in labels)]
    if not judged:
        return []
    exclusive = not isinstance(pipe, MultiLabel_TextCategorizer)
    # Each (n_docs, n_labels); gold is NaN where nobody chose.
    gold = _as_table([eg.reference for eg in judged], labels, 0.0 if exclusive else numpy.nan)
    scores = _as_table([eg.predicted for eg in judged], labels, 0.0)
    found = scores >= pipe.cfg["threshold"]
    if exclusive:
        found = numpy.eye(len(labels), dtype=bool)[scores.argmax(axis=1)]
    draws = draw_documents(len(judged), samples=samples, seed=seed)
    figures = sample_figures(labels, found, scores, gold, draws)
    accuracy = as_interval(figures.accuracy)
    table = {
        title: {column: as_interval(values) for column, values in row.items()}
        for title, row in figures.rows.items()
    }
    rule = "the highest score counts" if exclusive else "each label by itself"
    report = Report(
        title=f"{len(judged)} Docs with categories; {rule}",
        rows=table,
        scores={
            **{
                f"cats_{mean}_{key}": table[mean][column]
                for mean in ("micro", "macro")
                for key, column in zip(_KEYS, _COLUMNS, strict=True)
                if column in table[mean]
            },
            "cats_accuracy": accuracy,
        },
        figures={"accuracy": accuracy},
    )
    return [report]


def sample_figures(
    labels: Sequence[str],
    found: numpy.ndarray,
    scores: numpy.ndarray,
    gold: numpy.ndarray,
    draws: numpy.ndarray,
) -> CategoryFigures:
    """Judge categories over all texts and in samples of them.

    Those of two systems in the same samples can be subtracted.

    labels (Sequence[str]): Titles of the columns.
    found (numpy.ndarray): Whether a text is given a label, (n_docs, n_labels).
    scores (numpy.ndarray): Of each label, of the same shape.
    gold (numpy.ndarray): 1.0 where a text has the label, NaN where nobody knows; the same shape.
    draws (numpy.ndarray): From `draw_documents`, (1 + samples, n_docs).
    RETURNS (CategoryFigures): With a row for each label, "micro" and "macro".
    """
    right, wrong, known = gold > 0, gold == 0, ~numpy.isnan(gold)
    counts = numpy.stack([found & right, found & wrong, ~found & right], axis=2)
    # True and false positives and false negatives in each sample, (1 + samples, n_labels, 3)
    sums = numpy.tensordot(draws, counts.astype("int64"), 1)
    by_label = [
        [*_prf(sums[:, i]), _auc(draws, scores[:, i], gold[:, i])] for i in range(len(labels))
    ]
    # A figure that the estimate lacks is 0 in each sample too, as spaCy's scorer has it.
    defined = [
        [values if numpy.isfinite(values[0]) else numpy.zeros_like(values) for values in row]
        for row in by_label
    ]
    rows = dict(zip(labels, by_label, strict=True))
    rows["micro"] = _prf(sums.sum(axis=1))
    rows["macro"] = [numpy.mean(values, axis=0) for values in zip(*defined, strict=True)]
    correct = ((found == right) | ~known).all(axis=1)
    return CategoryFigures(
        rows={title: dict(zip(_COLUMNS, row, strict=False)) for title, row in rows.items()},
        accuracy=draws @ correct / len(correct),
    )


def _as_table(docs: Sequence[Doc], labels: Sequence[str], missing: float) -> numpy.ndarray:
    rows = [[doc.cats.get(label, missing) for label in labels] for doc in docs]
    return numpy.asarray(rows, dtype="float64")


def _prf(sums: numpy.ndarray) -> list[numpy.ndarray]:
    """Precision, recall and F1 of rows of counts; NaN where they are undefined."""
    tp, fp, fn = sums.T
    with numpy.errstate(invalid="ignore"):
        return [tp / (tp + fp), tp / (tp + fn), 2 * tp / (2 * tp + fp + fn)]


def _auc(draws: numpy.ndarray, scores: numpy.ndarray, gold: numpy.ndarray) -> numpy.ndarray:
    """How often a text with a label scores higher than one without, ties counting half.

    draws (numpy.ndarray): How often each text counts, (1 + samples, n_docs).
    scores (numpy.ndarray): Of each text, (n_docs,).
    gold (numpy.ndarray): Whether it has the label, NaN where nobody knows.
    RETURNS (numpy.ndarray): One a row of draws; NaN where all have the label, or none.
    """
    _, places = numpy.unique(scores, return_inverse=True)
    # By score, ascending, how many texts have it, (1 + samples, n_scores)
    bins = numpy.eye(places.max() + 1)[places]
    having, lacking = ((draws * mask) @ bins for mask in (gold > 0, gold == 0))
    below = lacking.cumsum(axis=1) - lacking / 2
    with numpy.errstate(invalid="ignore"):
        return (having * below).sum(axis=1) / (having.sum(axis=1) * lacking.sum(axis=1))
