"""What `evaluate` prints of one kind of annotation, whatever kind that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spacy_bertlstm.evaluation.bootstrap import Interval


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
