"""`python -m spacy bertlstm score`"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from spacy_bertlstm.cli.app import app, errors_as_messages
from spacy_bertlstm.evaluation.pairs import read_pairs
from spacy_bertlstm.evaluation.rows import MEASURES, Intervals, Row
from spacy_bertlstm.evaluation.tasks import TASKS, get_task
from spacy_bertlstm.losses import LossReport

# The names in the table of tasks, as typer wants choices.
TaskName = StrEnum("TaskName", {name: name for name in TASKS})  # type: ignore[misc]
KindName = StrEnum(  # type: ignore[misc]
    "KindName", {kind: kind for kinds in TASKS.values() for kind in kinds if kind}
)

# The options of `compare` too.
Task = Annotated[TaskName, typer.Argument(help="The task, and so its official scorer")]
Reference = Annotated[Path, typer.Argument(metavar="REF", help="The reference's folder")]
Kind = Annotated[KindName | None, typer.Option("--type", help="Of the files, for i2b2-2010")]
Official = Annotated[
    bool,
    typer.Option(
        "--official/--corrected",
        help="Score as the published program does, oddities included, or without them",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the rows as JSON")]
Seed = Annotated[int, typer.Option(help="Of the samples")]

_MOST_SHOWN = 10


@app.command()
def score(
    task: Task,
    reference: Reference,
    system: Annotated[Path, typer.Argument(metavar="SYS", help="The system's folder")],
    kind: Kind = None,
    official: Official = False,
    as_json: AsJson = False,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Samples for 95 % intervals over documents; 0 is none")
    ] = 0,
    seed: Seed = 0,
) -> None:
    """Score a system's annotation files against the reference's, paired by name.

    The report has the layout of the task's official program.
    """
    with errors_as_messages():
        chosen = get_task(task, kind)
        report = LossReport()
        (pairs,) = read_pairs(chosen, reference, [system], report, official=official)
        rows = chosen.score(pairs, official=official)
        warn_of(report)
        intervals = [
            row.intervals(samples=bootstrap, seed=seed) if bootstrap else None for row in rows
        ]
        if as_json:
            found = describe(task, kind, official, report) | {"documents": len(pairs)}
            found["rows"] = [
                row.to_dict() | ({"intervals": bounds} if bootstrap else {})
                for row, bounds in zip(rows, intervals, strict=True)
            ]
            typer.echo(json.dumps(found, indent=2))
            return
        typer.echo(chosen.report(pairs, rows), nl=False)
        if bootstrap:
            typer.echo(f"\n95 % intervals over {len(pairs)} documents, {bootstrap} samples")
            _print_intervals(rows, intervals)


def describe(task: str, kind: str | None, official: bool, report: LossReport) -> dict[str, Any]:
    """What was scored and how, for JSON."""
    return {
        "task": task,
        "type": kind,
        "mode": "official" if official else "corrected",
        "left_out": [
            {"path": found.path, "line": found.line, "reason": found.reason}
            for found in report.findings
        ],
    }


def warn_of(report: LossReport) -> None:
    """Name the lines and files that do not count, on standard error."""
    for finding in report.findings[:_MOST_SHOWN]:
        kind = "ERROR" if finding.lost else "note"
        typer.secho(f"{kind}: {finding.place}: {finding.reason}", fg=typer.colors.YELLOW, err=True)
    hidden = len(report.findings) - _MOST_SHOWN
    if hidden > 0:
        typer.secho(f"{hidden} more; --json lists all", err=True)


def print_sections(rows: Sequence[Row], cells: Sequence[str], titles: str) -> None:
    """Print a table below each section's name."""
    width = max(len(row.label) for row in rows)
    section = None
    for row, cell in zip(rows, cells, strict=True):
        if row.section != section:
            section = row.section
            typer.echo(f"\n{section}\n{'':<{width}}{titles}")
        typer.echo(f"{row.label:<{width}}{cell}")


def _print_intervals(rows: Sequence[Row], intervals: Sequence[Intervals | None]) -> None:
    def cell(row: Row, bounds: Intervals | None, measure: str) -> str:
        value = getattr(row, measure)
        if value is None:
            return "-"
        interval = bounds and bounds[measure]
        text = f" ({100 * interval[0]:.1f}-{100 * interval[1]:.1f})" if interval else ""
        return f"{100 * value:.2f}{text}"

    cells = [
        "".join(f"{cell(row, bounds, measure):>23}" for measure in MEASURES)
        for row, bounds in zip(rows, intervals, strict=True)
    ]
    print_sections(rows, cells, "".join(f"{title:>23}" for title in ("P", "R", "F1")))
