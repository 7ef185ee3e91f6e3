"""`python -m spacy bertlstm compare`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from spacy_bertlstm.cli.app import app, errors_as_messages
from spacy_bertlstm.cli.score import (
    AsJson,
    Kind,
    Official,
    Reference,
    Seed,
    Task,
    describe,
    print_sections,
    warn_of,
)
from spacy_bertlstm.evaluation.pairs import read_pairs
from spacy_bertlstm.evaluation.rows import compare_rows
from spacy_bertlstm.evaluation.tasks import get_task
from spacy_bertlstm.losses import LossReport


@app.command()
def compare(
    task: Task,
    reference: Reference,
    first: Annotated[Path, typer.Argument(metavar="SYS1", help="The first system's folder")],
    second: Annotated[Path, typer.Argument(metavar="SYS2", help="The second system's folder")],
    kind: Kind = None,
    official: Official = False,
    as_json: AsJson = False,
    samples: Annotated[int, typer.Option(min=1, help="Of the randomization test")] = 10_000,
    seed: Seed = 0,
) -> None:
    """Compare two systems: F1, the difference, and how likely chance alone makes one as large.

    The paired approximate-randomization test exchanges the systems' output on random documents.
    Each p is one test's; of many rows a few are small by chance.
    """
    with errors_as_messages():
        chosen = get_task(task, kind)
        report = LossReport()
        sides = read_pairs(chosen, reference, [first, second], report, official=official)
        scores = [chosen.score(pairs, official=official) for pairs in sides]
        compared = compare_rows(*scores, samples=samples, seed=seed)
        warn_of(report)
        documents = len(sides[0])
        if as_json:
            found = describe(task, kind, official, report)
            found |= {"documents": documents, "rows": [row.to_dict() for row in compared]}
            typer.echo(json.dumps(found, indent=2))
            return
        typer.echo(
            f"F1 of SYS1 {first} and SYS2 {second}; {documents} documents; p: paired approximate "
            f"randomization by document, {samples} samples"
        )
        cells = []
        for row in compared:
            scored = (row.first.f1, row.second.f1)
            percent = ["-" if value is None else f"{100 * value:.2f}" for value in scored]
            change = "-" if row.difference is None else f"{100 * row.difference:+.2f}"
            p = "-" if row.p is None else f"{row.p:.4f}"
            cells.append("".join(f"{cell:>12}" for cell in (*percent, change, p)))
        titles = "".join(f"{title:>12}" for title in ("SYS1", "SYS2", "SYS2 - SYS1", "p"))
        print_sections([row.first for row in compared], cells, titles)
