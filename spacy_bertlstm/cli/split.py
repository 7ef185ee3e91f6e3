"""`python -m spacy bertlstm split`"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from spacy_bertlstm.cli.app import app, errors_as_messages
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tokens.corpus import read_docs
from spacy_bertlstm.tokens.splits import (
    Survey,
    find_by_metadata,
    find_by_pattern,
    plan_split,
    read_ids,
    survey_docs,
    write_parts,
)

_MOST_NAMED = 10


@app.command()
def split(
    docs_path: Annotated[
        Path, typer.Argument(metavar="DOCS", help="A .spacy file, or a folder of them")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTDIR", help="A folder")],
    ratio: Annotated[
        tuple[float, float, float],
        typer.Option(help="The shares of train, dev and test; a share of 0 makes no file"),
    ] = (70, 15, 15),
    seed: Annotated[int, typer.Option(min=0, help="Of all that is left to chance")] = 0,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Make so many splits, OUTDIR/fold-0 and on; each record is in one test part, "
            "and train and dev share the others by --ratio",
        ),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Keep records together whose metadata agree in this key"),
    ] = None,
    group_regex: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Keep records together whose names agree in the pattern's first group",
        ),
    ] = None,
    stratify: Annotated[
        bool,
        typer.Option(
            "--stratify/--no-stratify", help="Give each part its share of each label and category"
        ),
    ] = True,
    exclude_path: Annotated[
        Path | None,
        typer.Option("--exclude", metavar="IDS", help="Leave out the records that this file names"),
    ] = None,
) -> None:
    """Split the Docs of a .spacy file into train, dev and test, by record or group of records.

    No group stands in two parts; records with one and the same text are one group.
    """
    with errors_as_messages():
        if group_by is not None and group_regex is not None:
            raise BertLstmError("BL225")
        find_group = None
        if group_by is not None:
            find_group = find_by_metadata(group_by)
        elif group_regex is not None:
            find_group = find_by_pattern(group_regex)
        ids = [] if exclude_path is None else read_ids(exclude_path)
        survey = survey_docs(
            read_docs(docs_path), path=docs_path, find_group=find_group, exclude=ids
        )
        if exclude_path is not None and len(survey.unknown) == len(set(ids)):
            raise BertLstmError("BL224", path=exclude_path, count=len(set(ids)), source=docs_path)
        plan = plan_split(
            survey, ratio, path=docs_path, folds=folds or 0, seed=seed, stratify=stratify
        )
        write_parts(plan, output, source=docs_path, survey=survey)
        _print_notes(survey)
        if folds is None:
            _print_table(survey, plan)
            typer.echo(f"{', '.join(plan)} -> {output}")
        else:
            tests = [f"fold-{fold}/test" for fold in range(folds)]
            _print_table(survey, {name.removesuffix("/test"): plan[name] for name in tests})
            typer.echo("The table is of the test parts.")
            for name in tests:
                fold = name.removesuffix("/test")
                sizes = (
                    f"{len(numbers)} {part.removeprefix(fold + '/')}"
                    for part, numbers in plan.items()
                    if part.startswith(fold + "/")
                )
                typer.echo(f"{', '.join(sizes)} records -> {output / fold}")


def _print_notes(survey: Survey) -> None:
    excluded = survey.groups.count(-1)
    if excluded:
        typer.echo(f"{excluded} records excluded")
    if survey.unknown:
        typer.echo(
            f"note: {len(survey.unknown)} ids to exclude name no record: {_few(survey.unknown)}"
        )
    if survey.twins:
        typer.secho(
            f"note: {len(survey.twins)} records stay that have the very text of an excluded one: "
            f"{_few(survey.twins)}",
            fg=typer.colors.YELLOW,
            err=True,
        )
    if survey.repeats:
        typer.echo(f"{survey.repeats} records repeat the text of another, and share its group")


def _few(names: Sequence[str]) -> str:
    hidden = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {hidden} more" if hidden > 0 else "")


def _print_table(survey: Survey, parts: Mapping[str, Sequence[int]]) -> None:
    """Print what each part holds, one column a part, in numbers and shares of all parts."""
    columns = [_count(survey, numbers) for numbers in parts.values()]
    total = _count(survey, [number for numbers in parts.values() for number in numbers])
    width = max(map(len, total))
    typer.echo(f"{'':<{width}}" + "".join(f"{name:>16}" for name in parts) + f"{'all':>10}")
    for row, whole in total.items():
        cells = (f"{column[row]:>9}{column[row] / whole:>7.1%}" for column in columns)
        typer.echo(f"{row:<{width}}{''.join(cells)}{whole:>10}")


def _count(survey: Survey, numbers: Sequence[int]) -> Counter[str]:
    """What Docs hold, by the rows of the table; there are none of 0."""
    items = [survey.items[number] for number in numbers]
    labels, categories = Counter[str](), Counter[str]()
    for item in items:
        labels.update(item.labels)
        categories.update(item.categories)
    rows = {
        "records": len(items),
        "unannotated": sum(not item.annotated for item in items),
        "groups": len({survey.groups[number] for number in numbers}),
        "tokens": sum(item.tokens for item in items),
        "entities": labels.total(),
    }
    rows |= {f"  {label}": labels[label] for label in sorted(labels)}
    rows["categories"] = categories.total()
    rows |= {f"  category {label}": categories[label] for label in sorted(categories)}
    return +Counter(rows)
