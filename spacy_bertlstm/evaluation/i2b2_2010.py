"""The i2b2/VA 2010 scores of concepts, assertions and relations.

The corrected scores differ from those of the published program in this, and in nothing else:

| | official | corrected |
|---|---|---|
| an overhang to the left | a system span that starts before the reference and ends in it does \
not touch it | any shared token counts |
| a place in a text | line x 1000 + token, so long lines run into the next | line and token |
| inexact pairs | the first that is free, in the files' order | as many as possible, exact ones \
first, whatever the order |
| "Class Inexact Span" | counts of "Concept Inexact Span"; its recall and F take the misses from \
there | its own counts |
| `||` in a concept's text, more than one space between offsets, discontinuous ranges | the line \
does not count | it counts |
| blank lines | reported | passed over |
| an assertion or relation of unknown value or type | does not count | counts: right in its span, \
wrong in its value |
| a relation's arguments | in either order | in their order |

Both pair one to one, so what is doubled is wrong; both take the concept's type from .con lines
alone, and compare types and values letter by letter.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from spacy_bertlstm.evaluation.matching import overlap, pair_equal, pair_first, pair_most
from spacy_bertlstm.evaluation.pairs import Annotation, Extent, Pair, Task
from spacy_bertlstm.evaluation.rows import Counts, Row, divide
from spacy_bertlstm.formats.sources import LostError, read_text, require_known
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.schemas import I2B2_2010


@dataclass(frozen=True)
class _Section:
    """Rows about spans alone, then the same about spans with their labels.

    heading (str): As it is printed.
    span, label (str): The rows' labels; "{}" stands for each class in turn.
    """

    heading: str
    span: str
    label: str
    inexact: bool = False

    @property
    def name(self) -> str:
        return self.heading.partition("-")[2].strip()


@dataclass(frozen=True)
class _Kind:
    """What a kind of file holds and how its report is laid out.

    parts (int): What `||` separates on a line.
    classes (dict[str, str]): The known labels, and what the report calls them.
    """

    title: str
    parts: int
    classes: dict[str, str]
    sections: tuple[_Section, ...]


_CONCEPTS = ("problem", "treatment", "test")
_ASSERTIONS = (
    "present",
    "absent",
    "possible",
    "hypothetical",
    "conditional",
    "associated_with_someone_else",
)


def _titles(labels: Sequence[str]) -> dict[str, str]:
    return {label: label.replace("_", " ").title() for label in labels}


_KINDS = {
    "con": _Kind(
        "CONCEPT FILE TEST",
        parts=2,
        classes=_titles(_CONCEPTS),
        sections=(
            _Section(
                "TESTING 1.1 -  Exact span for all concepts together",
                "Concept Exact Span",
                "Class Exact Span",
            ),
            _Section(
                "TESTING 1.2 -  Exact span for separate concept classes",
                "Exact Span for {}",
                "Exact Span With Matching Class for {}",
            ),
            _Section(
                "TESTING 1.3 -  Inexact span for all concepts together",
                "Concept Inexact Span",
                "Class Inexact Span",
                inexact=True,
            ),
            _Section(
                "TESTING 1.4 -  Inexact span for separate concept classes",
                "Inexact Span for {}",
                "Inexact Span With Matching Class for {}",
                inexact=True,
            ),
        ),
    ),
    "ast": _Kind(
        "ASSERTION FILE TEST",
        parts=3,
        classes=_titles(_ASSERTIONS),
        sections=(
            _Section(
                "TESTING 2.1 - Exact span for all assertions",
                "Exact Span With Matching Concept",
                "Exact Span With Matching Assertion",
            ),
            _Section(
                "TESTING 2.2 - Exact span for separate assertions",
                "{} With Exact Span",
                "{} With Exact Span And Matching Assertion",
            ),
        ),
    ),
    "rel": _Kind(
        "RELATION FILE TEST",
        parts=3,
        classes={label: label for label in I2B2_2010.relations},
        sections=(
            _Section(
                "TESTING 3.1 - Exact span for all relationships\t",
                "Exact Span With Matching Concept",
                "Concept With Matching Span and Relation",
            ),
            _Section(
                "TESTING 3.2 -  Exact span for separate relationships\t",
                "{} With Exact Span True Positive",
                "{} With Exact Span And Matching Relations",
            ),
        ),
    ),
}
_COLUMNS = "\tTrue Positive\tFalse Negative\tFalse Positive\tR Value\tP Value\tF Value"

# Nine digits are more than any line or token number has, and fewer than int() refuses.
_POSITION = re.compile(r"(\d{1,9}):(\d{1,9})")
_OFFICIAL_RANGE = re.compile(r" \d{1,9}:\d{1,9} \d{1,9}:\d{1,9}")
_RANGE = r"\s*\d{1,9}:\d{1,9}\s+\d{1,9}:\d{1,9}\s*"
_RANGES = re.compile(f"{_RANGE}(?:,{_RANGE})*")


def read_i2b2(
    path: Path, report: LossReport, kind: str, *, official: bool = False
) -> list[Annotation]:
    """Read a .con, .ast or .rel file, without its text.

    kind (str): "con", "ast" or "rel".
    report (LossReport): Filled with the lines that do not count.
    official (bool): Leave out what the published program leaves out.
    RETURNS (list[Annotation]): In the file's order, positions as (line, token).
    RAISES: BL103, BL108.
    """
    annotations: list[Annotation] = []
    lines = read_text(path).split("\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line and not official:
            continue
        report.read[kind] += 1
        try:
            annotations.append(_parse(line, kind, official=official))
        except LostError as loss:
            report.lose(str(path), number, str(loss))
        else:
            report.kept[kind] += 1
    return annotations


def _parse(line: str, kind: str, *, official: bool) -> Annotation:
    """An annotation from a line; reads from the end, since `||` may stand in a concept's text.

    RAISES: LostError.
    """
    if not line:
        raise LostError("a blank line")
    if official and line.count("||") != _KINDS[kind].parts - 1:
        raise LostError(f"it has not {_KINDS[kind].parts} parts with || between them")
    extents: tuple[Extent, ...]
    if kind == "rel":
        first, _, rest = line.partition('||r="')
        label, _, second = rest.partition('"||')
        extents = (_parse_extent(first, official), _parse_extent(second, official))
    else:
        rest, _, field = line.rpartition("||")
        label = _parse_field(field, "a" if kind == "ast" else "t")
        if kind == "ast":
            rest, _, field = rest.rpartition("||")
            _parse_field(field, "t")
        extents = (_parse_extent(rest, official),)
    if official and kind != "con":
        require_known("label", label, _KINDS[kind].classes)
    return Annotation(extents, (label,))


def _parse_field(field: str, name: str) -> str:
    if len(field) < 4 or not field.startswith(f'{name}="') or not field.endswith('"'):
        raise LostError(f'no {name}="..." in its place')
    return field[3:-1]


def _parse_extent(part: str, official: bool) -> Extent:
    quoted, _, ranges = part.rpartition('"')
    shape = _OFFICIAL_RANGE if official else _RANGES
    if not quoted.startswith('c="') or not shape.fullmatch(ranges):
        raise LostError('no c="..." L:T L:T in its place')
    positions = [(int(line), int(token)) for line, token in _POSITION.findall(ranges)]
    pairs = zip(positions[::2], positions[1::2], strict=True)
    return tuple(sorted((start, (line, token + 1)) for start, (line, token) in pairs))


def score_i2b2(pairs: Sequence[Pair], kind: str, *, official: bool = False) -> list[Row]:
    """Score concepts, assertions or relations.

    pairs (Sequence[Pair]): A missing file is taken for an empty one.
    kind (str): "con", "ast" or "rel".
    official (bool): As the published program, its oddities included.
    RETURNS (list[Row]): In the order of the program's report.
    """
    layout = _KINDS[kind]
    counts = {
        (inexact, labelled): _count(pairs, kind, inexact, labelled, official)
        for inexact in sorted({section.inexact for section in layout.sections})
        for labelled in (False, True)
    }
    rows: list[Row] = []
    for section in layout.sections:
        for labelled, template in enumerate((section.span, section.label)):
            found = counts[section.inexact, bool(labelled)]
            if "{}" in template:
                rows += [
                    Row.of(section.name, template.format(title), found[label])
                    for label, title in layout.classes.items()
                ]
            else:
                rows.append(Row.of(section.name, template, found[None]))
        if official and rows[-1].label == "Class Inexact Span":
            rows[-1] = _mixed(*rows[-2:])
    return rows


def _mixed(spans: Row, classes: Row) -> Row:
    """The aggregate row as the published program prints it, of two counters."""
    tp, fp, fn = classes.tp or 0, classes.fp or 0, spans.fn or 0
    return Row(
        classes.section,
        classes.label,
        tp=spans.tp,
        fn=spans.fn,
        fp=spans.fp,
        precision=divide(tp, tp + fp),
        recall=divide(tp, tp + fn),
        f1=divide(2 * tp, 2 * tp + fp + fn),
    )


def _count(
    pairs: Sequence[Pair], kind: str, inexact: bool, labelled: bool, official: bool
) -> dict[str | None, list[Counts]]:
    """The counts of each document, by class and under None of all."""
    match = _MATCHES[official, inexact]
    counts: dict[str | None, list[Counts]] = {label: [] for label in _KINDS[kind].classes}
    counts[None] = []
    for pair in pairs:
        reference, system = pair.reference or (), pair.system or ()
        if not official:
            # So that the order of the lines does not matter.
            reference, system = sorted(reference), sorted(system)
        groups: dict[str | None, tuple[list[Annotation], list[Annotation]]]
        groups = defaultdict(lambda: ([], []))
        for side, lines in enumerate((reference, system)):
            for annotation in lines:
                groups[annotation.label if labelled else None][side].append(annotation)
        found: dict[str | None, list[int]] = defaultdict(lambda: [0, 0, 0])
        for gold, predicted in groups.values():
            matched = match(gold, predicted)
            taken = set(matched.values())
            for i, annotation in enumerate(gold):
                found[annotation.label][0 if i in matched else 2] += 1
            for j, annotation in enumerate(predicted):
                found[annotation.label][1] += j not in taken
        found[None] = [sum(part) for part in zip((0, 0, 0), *found.values(), strict=True)]
        for label, series in counts.items():
            tp, fp, fn = found[label]
            series.append((tp, fp, fn))
    return counts


def _match_official_exact(
    reference: Sequence[Annotation], system: Sequence[Annotation]
) -> dict[int, int]:
    return pair_equal(reference, system, lambda found: tuple(sorted(found.extents)))


def _match_official_inexact(
    reference: Sequence[Annotation], system: Sequence[Annotation]
) -> dict[int, int]:
    return pair_first([*map(_flat, reference)], [*map(_flat, system)], _touches)


def _flat(annotation: Annotation) -> Annotation:
    """The annotation in the published program's count of positions."""
    (((start_line, start), (end_line, end)),) = annotation.extents[0]
    extent = (((start_line * 1000 + start,), (end_line * 1000 + end,)),)
    return Annotation((extent,), annotation.labels)


def _touches(reference: Annotation, system: Annotation) -> bool:
    ((start, end),), ((begin, stop),) = reference.extents[0], system.extents[0]
    inside = start <= begin and stop <= end
    around = begin <= start and end <= stop
    to_the_right = start <= begin < end < stop
    return inside or around or to_the_right


def _match_exact(reference: Sequence[Annotation], system: Sequence[Annotation]) -> dict[int, int]:
    """Equal spans, those that are alike in label first."""
    return pair_equal(reference, system, lambda found: found, lambda found: found.extents)


def _match_inexact(reference: Sequence[Annotation], system: Sequence[Annotation]) -> dict[int, int]:
    return pair_most(reference, system, overlap, _match_exact(reference, system))


# By whether they are official, and inexact.
_MATCHES = {
    (True, False): _match_official_exact,
    (True, True): _match_official_inexact,
    (False, False): _match_exact,
    (False, True): _match_inexact,
}


def format_i2b2(pairs: Sequence[Pair], rows: Sequence[Row], kind: str) -> str:
    """Lay rows out as the published program does.

    pairs (Sequence[Pair]): What was scored.
    rows (Sequence[Row]): From `score_i2b2`.
    """
    layout = _KINDS[kind]
    sides = [
        [found for found in side if found is not None]
        for side in ([pair.reference for pair in pairs], [pair.system for pair in pairs])
    ]
    files = [_java(len(side)) for side in sides]
    lines = [_java(sum(map(len, side))) for side in sides]
    out = [
        f"-- {layout.title} --",
        f"Number of Reference Files Tested :{files[0]}\tNumber of System Files Tested :{files[1]}",
        f"Number of Reference Lines :{lines[0]}\tNumber of System Lines :{lines[1]}",
        "",
    ]
    for section in layout.sections:
        out += [section.heading, _COLUMNS]
        for row in rows:
            if row.section == section.name:
                figures = (row.tp, row.fn, row.fp, row.recall, row.precision, row.f1)
                out.append("\t".join([f"{row.label} ->", *map(_java, figures)]))
        out.append("")
    return "\n".join(out) + "\n"


def _java(value: float | None) -> str:
    """A number as Java prints a double."""
    if value is None:
        return "NaN"
    value = float(value)
    if value == 0 or 1e-3 <= value < 1e7:
        return repr(value)
    digits = Decimal(repr(value)).normalize().as_tuple()
    first, *rest = map(str, digits.digits)
    return f"{first}.{''.join(rest) or '0'}E{len(rest) + int(digits.exponent)}"


def _task(kind: str) -> Task:
    def read(path: Path, report: LossReport, *, official: bool = False) -> list[Annotation]:
        return read_i2b2(path, report, kind, official=official)

    def score(pairs: Sequence[Pair], *, official: bool = False) -> list[Row]:
        return score_i2b2(pairs, kind, official=official)

    def report(pairs: Sequence[Pair], rows: Sequence[Row]) -> str:
        return format_i2b2(pairs, rows, kind)

    return Task(f".{kind}", read, score, report, unpaired=True)


TASKS = {kind: _task(kind) for kind in _KINDS}
