"""The n2c2 2018 track 2 scores of entities and relations.

The corrected scores differ from those of the published script in this, and in nothing else:

| | official | corrected |
|---|---|---|
| a gold file that the system lacks | left out | all missed |
| a second system span on one gold span | left out | wrong |
| a system span on two gold spans | takes both, so another on either is left out | takes one |
| a pair | the first in the file's order | as many as possible, exact ones first |
| "Overall (macro)" | mean over documents, an empty one scoring 0 | mean over the types that \
the reference or the system has |
| a discontinuous span | from its first start to its last end | its pieces |

In both a system file without gold file is left out, and relations want the types and both
arguments matched, in their order and in the same mode.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spacy_bertlstm.evaluation.matching import (
    Neighbours,
    Touches,
    overlap,
    pair_equal,
    pair_most,
)
from spacy_bertlstm.evaluation.pairs import Annotation, Extent, Pair, Task
from spacy_bertlstm.evaluation.rows import MEASURES, Counts, Row, add, divide
from spacy_bertlstm.formats.sources import LostError, read_text
from spacy_bertlstm.losses import LossReport

# In the order and with the names of the published report.
_TAGS = {
    label: label.capitalize()
    for label in "Drug Strength Duration Route Form ADE Dosage Reason Frequency".split()
}
_RELATIONS = {
    f"{label}-Drug": f"{label} -> Drug"
    for label in "Strength Dosage Duration Frequency Form Route Reason ADE".split()
}
# By the number of an annotation's extents.
_TABLES = {1: ("tags", _TAGS), 2: ("relations", _RELATIONS)}
_MODES = ("strict", "lenient")

_TAG = re.compile(r"(T\S*)\t(\S+) (\d{1,9} \d{1,9}(?:;\d{1,9} \d{1,9})*)(?:\t.*)?")
_RELATION = re.compile(r"(R\S*)\t(\S+) [^\s:]+:(\S+) [^\s:]+:(\S+)")


def read_n2c2(path: Path, report: LossReport, *, official: bool = False) -> list[Annotation]:
    """Read the entities and relations of an .ann file, without its text.

    report (LossReport): Filled with the lines that do not count.
    official (bool): Read a discontinuous span as the published script does.
    RETURNS (list[Annotation]): The entities in the file's order, then the relations.
    RAISES: BL103, BL108.
    """
    tags: dict[str, Annotation] = {}
    relations: dict[str, Annotation] = {}
    lines = [(n, line.strip()) for n, line in enumerate(read_text(path).split("\n"), start=1)]
    for kind in "TR":  # a relation may stand before its arguments
        for number, line in lines:
            if not line.startswith(kind):
                continue
            report.read[kind] += 1
            try:
                if kind == "T":
                    key, tag = _parse_tag(line, official)
                    known, tags[key] = key in tags, tag
                else:
                    key, relation = _parse_relation(line, tags)
                    known, relations[key] = key in relations, relation
                if known:
                    raise LostError("its id stands on an earlier line too, which does not count")
            except LostError as loss:
                report.lose(str(path), number, str(loss))
            else:
                report.kept[kind] += 1
    return [*tags.values(), *relations.values()]


def _parse_tag(line: str, official: bool) -> tuple[str, Annotation]:
    match = _TAG.fullmatch(line)
    if match is None:
        raise LostError("not of the form T1<TAB>Type start end<TAB>text")
    key, label, ranges = match.groups()
    numbers = [int(number) for number in re.findall(r"\d+", ranges)]
    if official:
        numbers = [numbers[0], numbers[-1]]
    extent: Extent = tuple(
        sorted(((s,), (e,)) for s, e in zip(numbers[::2], numbers[1::2], strict=True))
    )
    return key, Annotation((extent,), (label,))


def _parse_relation(line: str, tags: dict[str, Annotation]) -> tuple[str, Annotation]:
    match = _RELATION.fullmatch(line)
    if match is None:
        raise LostError("not of the form R1<TAB>Type Arg1:T1 Arg2:T2")
    key, label, *ends = match.groups()
    if not all(end in tags for end in ends):
        raise LostError("an argument that the file lacks")
    first, second = (tags[end] for end in ends)
    return key, Annotation(first.extents + second.extents, (label, first.label, second.label))


def score_n2c2(pairs: Sequence[Pair], *, official: bool = False) -> list[Row]:
    """Score entities and relations, strictly and leniently.

    pairs (Sequence[Pair]): Those without a reference do not count.
    official (bool): As the published script, its oddities included.
    RETURNS (list[Row]): Entities strict, entities lenient, relations strict and lenient.
    """
    rows = []
    scored = [_is_scored(pair, official) for pair in pairs]
    for arity, (table, titles) in _TABLES.items():
        for mode in _MODES:
            section = f"{table}, {mode}"
            counts = [
                _count(pair, arity, mode, official) if on else {}
                for pair, on in zip(pairs, scored, strict=True)
            ]
            classes = [
                _row(section, title, [found.get(label, (0, 0, 0)) for found in counts])
                for label, title in titles.items()
            ]
            totals = [add(found.values()) for found in counts]
            if official:
                parts = [_row("", "", [totals[i]]) for i, on in enumerate(scored) if on]
            else:
                parts = [row for row in classes if row.tp or row.fn or row.fp]
            rows += [
                *classes,
                _row(section, "Overall (micro)", totals),
                _mean(section, "Overall (macro)", parts),
            ]
    return rows


def _is_scored(pair: Pair, official: bool) -> bool:
    return pair.reference is not None and not (official and pair.system is None)


def _row(section: str, label: str, counts: Sequence[Counts]) -> Row:
    """The row that sums up documents; its F1 is rounded as that of the published script."""
    row = Row.of(section, label, counts)
    if row.precision and row.recall:
        p, r = row.precision, row.recall
        row = replace(row, f1=2 * (p * r) / (p + r))
    return row


def _mean(section: str, label: str, rows: Sequence[Row]) -> Row:
    """The row of mean scores, in which what is undefined counts 0."""

    def mean(measure: str) -> float | None:
        return divide(sum(getattr(row, measure) or 0.0 for row in rows), len(rows))

    precision, recall, f1 = map(mean, MEASURES)
    return Row(section, label, None, None, None, precision, recall, f1)


def _count(pair: Pair, arity: int, mode: str, official: bool) -> dict[str, Counts]:
    """The counts of one document, by label; what has other labels never matches."""
    sides: dict[tuple[str, ...], tuple[list[Annotation], list[Annotation]]]
    sides = defaultdict(lambda: ([], []))
    for side, found in enumerate((pair.reference or (), pair.system or ())):
        for annotation in found:
            if len(annotation.extents) == arity:
                sides[annotation.labels][side].append(annotation)
    count = _count_official if official else _count_corrected
    counts: dict[str, list[Counts]] = defaultdict(list)
    for labels, (gold, system) in sides.items():
        counts[labels[0]].append(count(gold, system, overlap if mode == "lenient" else _equal))
    return {label: add(parts) for label, parts in counts.items()}


def _equal(first: Annotation, second: Annotation) -> bool:
    return first.extents == second.extents


def _count_official(
    gold: Sequence[Annotation], system: Sequence[Annotation], touches: Touches
) -> Counts:
    """Each of the gold keeps the first of the system that touches it; others on it are out."""
    neighbours = Neighbours(system, touches)
    hits: set[int] = set()
    out: set[int] = set()
    for annotation in gold:
        found = list(neighbours.of(annotation))
        hits.update(found)
        out.update(found[1:])
    tp = len(hits - out)
    return tp, len(system) - len(hits), len(gold) - tp


def _count_corrected(
    gold: Sequence[Annotation], system: Sequence[Annotation], touches: Touches
) -> Counts:
    pairs = pair_equal(gold, system, lambda annotation: annotation.extents)
    if touches is not _equal:
        pairs = pair_most(gold, system, touches, pairs)
    return len(pairs), len(system) - len(pairs), len(gold) - len(pairs)


def format_n2c2(pairs: Sequence[Pair], rows: Sequence[Row]) -> str:
    """Lay rows out as the published script does.

    pairs (Sequence[Pair]): What was scored.
    rows (Sequence[Row]): From `score_n2c2`.
    """
    blank, rule = " " * 20, "-" * 48
    measures = "Prec.   Rec.    F(b=1)"
    out = []
    for table, title in (("tags", "TRACK 2"), ("relations", "RELATIONS")):
        out.append(f"{f' {title} ':*^70}")
        if table == "tags":
            out.append(f"{blank}  {' strict ':-^22}    {' lenient ':-^22}")
            out.append(f"{blank}  {measures}    {measures}")
        strict, lenient = (
            [row for row in rows if row.section == f"{table}, {mode}"] for mode in _MODES
        )
        for both in zip(strict, lenient, strict=True):
            if both[0].label == "Overall (micro)":
                out.append(f"{blank}  {rule}")
            out.append(f"{both[0].label:>20}  {'    '.join(map(_figures, both))}")
        out.append("")
    files = sum(pair.reference is not None and pair.system is not None for pair in pairs)
    out.append(f"{blank}{f'  {files} files found  ':^48}")
    return "\n".join(out) + "\n"


def _figures(row: Row) -> str:
    return "  ".join(f"{value or 0.0:.4f}" for value in (row.precision, row.recall, row.f1))


TASK = Task(".ann", read_n2c2, score_n2c2, format_n2c2, unpaired=False)
