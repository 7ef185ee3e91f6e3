"""`python -m spacy bertlstm agreement`"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from tqdm import tqdm

from spacy_bertlstm.cli.app import app, errors_as_messages, print_account, require_spared
from spacy_bertlstm.cli.export import Source, read_records
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.evaluation.agreement import (
    Agreement,
    Disagreement,
    Figure,
    Row,
    compare_records,
    summarize,
)
from spacy_bertlstm.files import written_whole
from spacy_bertlstm.formats.catalog import FORMATS
from spacy_bertlstm.losses import Account, LossReport
from spacy_bertlstm.records import Document, Fragments
from spacy_bertlstm.tokens.corpus import read_docs

_MOST_NAMED = 10
_SPACY = "spacy"
# The names in the table of formats, and Docs.
InputName = StrEnum(  # type: ignore[misc]
    "InputName", {name: name for name in (*FORMATS, _SPACY)}
)


@app.command()
def agreement(
    format: Annotated[
        InputName, typer.Argument(help="The format of both; 'spacy' stands for .spacy files")
    ],
    a: Annotated[Path, typer.Argument(metavar="A", help="One annotator's notes")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The other's")],
    bootstrap: Annotated[
        int | None,
        typer.Option(min=1, help="Add 95 % intervals over records, from so many samples"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the samples")] = 0,
    most_listed: Annotated[
        int, typer.Option("--list", min=0, help="How many disagreements to print; --json has all")
    ] = 20,
    show_text: Annotated[
        bool, typer.Option("--show-text", help="List disagreements with the text that they are on")
    ] = False,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", help="Write figures and disagreements to this file"),
    ] = None,
    source: Annotated[
        Source, typer.Option(help="Of .spacy files: each Doc's gold record, or what stands on it")
    ] = Source.auto,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Go on where annotations cannot be read")
    ] = False,
) -> None:
    """Compare two annotators: F1 of concepts, relations and categories, kappa, disagreements.

    Records are matched by name. Those that only one annotator has are named and left out.
    """
    with errors_as_messages():
        require_spared(json_path, ".json", a, b)
        records_a, records_b = (
            _read(format, path, source=source, allow_loss=allow_loss) for path in (a, b)
        )
        alone = {
            "only in A": [name for name in records_a if name not in records_b],
            "only in B": [name for name in records_b if name not in records_a],
        }
        shared = [name for name in records_a if name in records_b]
        both = [
            name
            for name in shared
            if records_a[name].has_annotations and records_b[name].has_annotations
        ]
        alone["not annotated by both"] = [name for name in shared if name not in set(both)]
        if not both:
            raise BertLstmError("BL620", a=a, b=b)
        found = summarize(
            [compare_records(records_a[name], records_b[name]) for name in both],
            samples=bootstrap or 0,
            seed=seed,
        )
        listed = [
            _to_dict(one, records_a[one.record].text if show_text else None)
            for one in found.disagreements
        ]
        if json_path is not None:
            report = {**found.to_dict(), "left_out": alone, "disagreements": listed}
            with written_whole(json_path) as part:
                part.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        typer.echo(f"A: {a}\nB: {b}")
        _print_figures(found, alone, intervals=bootstrap is not None)
        _print_disagreements(found.disagreements, listed[:most_listed])


def _read(
    format: InputName, path: Path, *, source: Source, allow_loss: bool
) -> dict[str, Document]:
    """Read an annotator's records, by name.

    RAISES: BL106 (annotations would be lost), BL621 (a name comes twice), and what reading does.
    """
    report = LossReport()
    records: dict[str, Document] = {}
    for record in _records(format, path, source, report):
        if record.id in records:
            raise BertLstmError("BL621", path=path, record=record.id)
        records[record.id] = record
    account = Account()
    account.add(report)
    if account.lost:
        print_account(account)
        if not allow_loss:
            account.require_no_loss()
    return records


def _records(
    format: InputName, path: Path, source: Source, report: LossReport
) -> Iterator[Document]:
    shown = f"Reading {path}"
    if format == _SPACY:
        docs = tqdm(read_docs(path), desc=shown, unit="record", disable=None)
        yield from read_records(docs, path, source)
    else:
        chosen = FORMATS[format]
        for unit in tqdm(chosen.find(path), desc=shown, unit="file", disable=None):
            yield from chosen.read(unit, report)


def _to_dict(one: Disagreement, text: str | None) -> dict[str, Any]:
    """A disagreement for the report, with the text at its places where there is one."""

    def show(place: Fragments | str) -> object:
        if text is None or isinstance(place, str):
            return place
        return {"at": place, "text": " ".join(text[start:end] for start, end in place)}

    return {
        "record": one.record,
        "kind": one.kind,
        "name": one.name,
        "a": one.a,
        "b": one.b,
        "places_a": [show(place) for place in one.places_a],
        "places_b": [show(place) for place in one.places_b],
    }


def _print_figures(
    found: Agreement, alone: Mapping[str, Sequence[str]], *, intervals: bool
) -> None:
    typer.echo(f"{found.records} records that both annotated, {found.tokens} tokens")
    for reason, names in alone.items():
        if names:
            hidden = len(names) - _MOST_NAMED
            more = f" and {hidden} more" if hidden > 0 else ""
            typer.secho(
                f"left out, {reason}: {len(names)} records: {', '.join(names[:_MOST_NAMED])}{more}",
                fg=typer.colors.YELLOW,
                err=True,
            )
    if intervals:
        typer.echo("in brackets: 95 % intervals over records")
    if len(found.concepts) > 1 or not found.categories:
        _print_table("concepts", found.concepts, {"f_exact", "f_overlap"}, intervals=intervals)
    if found.attributes:
        _print_table("attributes", found.attributes, set(), intervals=intervals)
    if found.relations:
        _print_table("relations", found.relations, {"f"}, intervals=intervals)
    if found.categories:
        _print_table("categories", found.categories, {"f"}, intervals=intervals)
    if any(found.out_of_reach):
        of_a, of_b = found.out_of_reach
        typer.echo(f"not compared: {of_a} relations of A and {of_b} of B, on what only one marked")


_TITLES = {
    "a": "A",
    "b": "B",
    "f_exact": "F1 exact",
    "f_overlap": "F1 overlap",
    "token_kappa": "token kappa",
    "f": "F1",
}


def _print_table(
    title: str, rows: Mapping[str, Row], percent: set[str], *, intervals: bool
) -> None:
    """Print rows with their counts and figures, F1 in percent."""
    first = next(iter(rows.values()))
    width = max(len(title), 10, *map(len, rows)) + 1
    wide = 24 if intervals else 12
    head = "".join(f"{_TITLES.get(name, name):>9}" for name in first.counts)
    head += "".join(f"{_TITLES.get(name, name):>{wide}}" for name in first.figures)
    typer.echo(f"\n{title:<{width}}{head}")
    for name, row in rows.items():
        cells = "".join(f"{count:>9}" for count in row.counts.values())
        for key, figure in row.figures.items():
            cells += f"{_show(figure, percent=key in percent):>{wide}}"
        typer.echo(f"{name or 'all':<{width}}{cells}")


def _show(figure: Figure, *, percent: bool) -> str:
    if figure.value is None:
        return "undefined"

    def show(value: float, digits: int) -> str:
        return f"{100 * value:.{digits}f}" if percent else f"{value:.3f}"

    shown = show(figure.value, 2)
    if figure.low is not None and figure.high is not None:
        shown += f" ({show(figure.low, 1)} to {show(figure.high, 1)})"
    return shown


def _print_disagreements(every: Sequence[Disagreement], listed: Sequence[dict[str, Any]]) -> None:
    kinds = Counter(one.kind for one in every)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none"
    typer.echo(f"\ndisagreements: {counts}")
    rows = [("record", "kind", "at", "A", "B")]
    for one in listed:
        at = _show_places(one["places_a"] or one["places_b"])
        if one["kind"] == "extent":
            at += f" / {_show_places(one['places_b'])}"
        rows.append(
            (one["record"], one["name"] or one["kind"], at, one["a"] or "-", one["b"] or "-")
        )
    if len(rows) == 1:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
    if len(every) > len(listed):
        typer.echo(f"and {len(every) - len(listed)} more; --json FILE lists all")


def _show_places(places: Sequence[Any]) -> str:
    shown = []
    for place in places:
        text = ""
        if isinstance(place, dict):
            text = f" {place['text']!r}"
            place = place["at"]
        if not isinstance(place, str):
            place = ",".join(f"{start}-{end}" for start, end in place)
        shown.append(f"{place}{text}")
    return " > ".join(shown)
