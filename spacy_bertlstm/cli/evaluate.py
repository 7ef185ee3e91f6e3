"""`python -m spacy bertlstm evaluate`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from spacy.scorer import Scorer
from spacy.training import Example

from spacy_bertlstm.cli.app import app, errors_as_messages, load_pipeline, use_gpu
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.evaluation.assertions import report_assertions
from spacy_bertlstm.evaluation.bootstrap import Interval
from spacy_bertlstm.evaluation.categories import report_categories
from spacy_bertlstm.evaluation.entities import report_entities
from spacy_bertlstm.evaluation.relations import report_relations
from spacy_bertlstm.evaluation.reports import Report
from spacy_bertlstm.files import written_whole
from spacy_bertlstm.tokens.corpus import make_corpus_reader

# By what a component says that it assigns.
REPORTS = {
    "doc.ents": report_entities,
    "span._.assertion": report_assertions,
    "doc._.relations": report_relations,
    "doc.cats": report_categories,
}


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A pipeline: folder or package")],
    docs_path: Annotated[Path, typer.Argument(metavar="DOCS", help="A .spacy file with gold")],
    output: Annotated[Path | None, typer.Option(help="Write the scores as JSON")] = None,
    bootstrap: Annotated[int, typer.Option(min=1, help="Samples for the intervals")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the samples")] = 0,
    gpu_id: Annotated[int, typer.Option(help="-1 is the CPU")] = -1,
    given: Annotated[
        bool, typer.Option("--given", help="Give the pipeline the gold entities to work on")
    ] = False,
) -> None:
    """Score what a pipeline predicts on gold Docs, with 95 % intervals over documents."""
    with errors_as_messages():
        use_gpu(gpu_id)
        nlp = load_pipeline(model)
        read = list(make_corpus_reader(docs_path, given=given)(nlp))
        predicted = nlp.pipe([example.predicted for example in read])
        examples = [
            Example(doc, example.reference) for doc, example in zip(predicted, read, strict=True)
        ]
        assigned = {part for name in nlp.pipe_names for part in nlp.get_pipe_meta(name).assigns}
        reports = [
            report
            for attribute, make in REPORTS.items()
            if attribute in assigned
            for report in make(nlp, examples, samples=bootstrap, seed=seed)
        ]
        if not reports:
            names = ", ".join(nlp.pipe_names)
            raise BertLstmError("BL377", path=docs_path, model=model, names=names)
        scores = Scorer(nlp).score(examples)
        scores = {key: value for key, value in scores.items() if value is not None}
        scores["intervals"] = {}
        for report in reports:
            _print_report(report)
            for key, interval in report.scores.items():
                scores[key] = interval.estimate
                scores["intervals"][key] = [interval.low, interval.high]
        if output is not None:
            with written_whole(output) as part:
                part.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


def _print_report(report: Report) -> None:
    def cell(interval: Interval | None) -> str:
        if interval is None:
            return ""
        return f"{100 * interval.estimate:.2f} ({100 * interval.low:.1f}-{100 * interval.high:.1f})"

    typer.echo(f"{report.title}; 95 % intervals over Docs")
    for name, interval in report.figures.items():
        typer.echo(f"{name} {cell(interval)}")
    columns = list(dict.fromkeys(column for row in report.rows.values() for column in row))
    width = max(map(len, report.rows))
    typer.echo(f"{'':<{width}}" + "".join(f"{column:>23}" for column in columns))
    for title, row in report.rows.items():
        cells = "".join(f"{cell(row.get(column)):>23}" for column in columns)
        typer.echo(f"{title:<{width}}{cells}".rstrip())
