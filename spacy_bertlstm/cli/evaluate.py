"""`python -m spacy bertlstm evaluate`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertlstm.cli.app import app, errors_as_messages, load_pipeline
from spacy_bertlstm.evaluation.bootstrap import Interval, bootstrap_intervals, count_matches
from spacy_bertlstm.files import written_whole
from spacy_bertlstm.tokens.corpus import make_corpus_reader


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A pipeline: folder or package")],
    docs_path: Annotated[Path, typer.Argument(metavar="DOCS", help="A .spacy file with gold")],
    output: Annotated[Path | None, typer.Option(help="Write the scores as JSON")] = None,
    bootstrap: Annotated[int, typer.Option(min=1, help="Samples for the intervals")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the samples")] = 0,
    gpu_id: Annotated[int, typer.Option(help="-1 is the CPU")] = -1,
) -> None:
    """Score a pipeline's entities on gold Docs, with 95 % intervals over documents."""
    setup_gpu(gpu_id, silent=True)
    with errors_as_messages():
        nlp = load_pipeline(model)
        gold = [example.reference for example in make_corpus_reader(docs_path)(nlp)]
        predicted = nlp.pipe(nlp.make_doc(doc.text) for doc in gold)
        examples = [Example(doc, truth) for doc, truth in zip(predicted, gold, strict=True)]
        scores = Scorer(nlp).score(examples)
        scores = {key: value for key, value in scores.items() if value is not None}
        both = [doc for example in examples for doc in (example.reference, example.predicted)]
        labels = sorted({ent.label_ for doc in both for ent in doc.ents})
        rows = {label: _intervals(examples, {label}, bootstrap, seed) for label in labels}
        rows["all"] = _intervals(examples, set(labels), bootstrap, seed)
        scores["intervals"] = {
            f"ents_{key}": [interval.low, interval.high] for key, interval in rows["all"].items()
        }
        _print_table(rows, examples)
        if output is not None:
            with written_whole(output) as part:
                part.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


def _intervals(
    examples: list[Example], labels: set[str], samples: int, seed: int
) -> dict[str, Interval]:
    counts = [
        count_matches(_entities(example.reference, labels), _entities(example.predicted, labels))
        for example in examples
    ]
    return bootstrap_intervals(counts, samples=samples, seed=seed)


def _entities(doc: Doc, labels: set[str]) -> list[tuple[int, int, str]]:
    return [(e.start_char, e.end_char, e.label_) for e in doc.ents if e.label_ in labels]


def _print_table(rows: dict[str, dict[str, Interval]], examples: list[Example]) -> None:
    def cell(interval: Interval) -> str:
        return f"{100 * interval.estimate:.2f} ({100 * interval.low:.1f}-{100 * interval.high:.1f})"

    typer.echo(f"{len(examples)} Docs; exact bounds and label; 95 % intervals over Docs")
    width = max(map(len, rows)) + 2
    typer.echo(f"{'':<{width}}{'P':>20}{'R':>20}{'F1':>20}")
    for label, intervals in rows.items():
        typer.echo(f"{label:<{width}}" + "".join(f"{cell(intervals[key]):>20}" for key in "prf"))
