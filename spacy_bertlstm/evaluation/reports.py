"""What `evaluate` prints of one kind of annotation, whatever kind that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy
from spacy.language import Language

from spacy_bertlstm.evaluation.bootstrap import (
    Interval,
    as_interval,
    bootstrap_intervals,
    draw_documents,
)

# True positives, false positives and false negatives, by value.
Counts = Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Report:
    """How good a pipeline is at one kind of annotation.

    title (str): What was judged, and what counts as right.
    rows (Mapping[str, Mapping[str, Interval]]): A table, by row and column; not each row has
        each column.
    scores (Mapping[str, Interval]): What the file of scores tells, by spaCy's keys.
    figures (Mapping[str, Interval]): What has no place in the table.
    """

    title: str
    rows: Mapping[str, Mapping[str, Interval]]
    scores: Mapping[str, Interval]
    figures: Mapping[str, Interval] = field(default_factory=dict)


def report_each(
    nlp: Language, factory: str, report: Callable[[Any], Report | None]
) -> list[Report]:
    """Report what each component of a kind does, where there is something to report.

    nlp (Language): The pipeline.
    factory (str): The kind.
    report (Callable): From a component to what is to be said of it.
    """
    names = (name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory == factory)
    reports = (report(nlp.get_pipe(name)) for name in names)
    return [found for found in reports if found is not None]


def report_counts(
    title: str, documents: Sequence[Counts], *, prefix: str, samples: int, seed: int
) -> Report | None:
    """Report values that are right or wrong: each, all of them, and the mean of their F1.

    documents (Sequence[Counts]): What was counted in each.
    prefix (str): Of the keys of scores.
    samples (int): Of the bootstrap.
    seed (int): Of the samples.
    RETURNS (Report | None): None where no document has a value in gold.
    """
    values = sorted({value for counts in documents for value in counts})
    # (n_documents, n_values, 3)
    table = numpy.asarray(
        [[counts.get(value, (0, 0, 0)) for value in values] for counts in documents]
    ).reshape(len(documents), len(values), 3)
    if not table[:, :, [0, 2]].any():
        return None
    rows = {
        value: bootstrap_intervals(table[:, i].tolist(), samples=samples, seed=seed)
        for i, value in enumerate(values)
    }
    rows["all"] = bootstrap_intervals(table.sum(axis=1).tolist(), samples=samples, seed=seed)
    draws = draw_documents(len(documents), samples=samples, seed=seed)
    tp, fp, fn = numpy.moveaxis(numpy.tensordot(draws, table, 1), 2, 0)  # (1 + samples, n_values)
    macro = as_interval((2 * tp / numpy.maximum(2 * tp + fp + fn, 1)).mean(axis=1))
    return Report(
        title=title,
        rows={value: {"P": row["p"], "R": row["r"], "F1": row["f"]} for value, row in rows.items()},
        scores={
            **{f"{prefix}_micro_{key}": interval for key, interval in rows["all"].items()},
            f"{prefix}_macro_f": macro,
        },
        figures={"macro F1": macro},
    )
