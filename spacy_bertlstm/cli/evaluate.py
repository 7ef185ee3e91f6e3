"""`python -m spacy bertlstm evaluate`"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from spacy.scorer import Scorer
from spacy.training import Example

from spacy_bertlstm.cli.app import app, errors_as_messages, load_pipeline, use_gpu
from spacy_bertlstm.evaluation.bootstrap import Interval, bootstrap_intervals, count_matches
from spacy_bertlstm.evaluation.calibration import judge_entities
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
    with errors_as_messages():
        use_gpu(gpu_id)
        nlp = load_pipeline(model)
        gold = [example.reference for example in make_corpus_reader(docs_path)(nlp)]
        predicted = nlp.pipe(nlp.make_doc(doc.text) for doc in gold)
        examples = [Example(doc, truth) for doc, truth in zip(predicted, gold, strict=True)]
        scores = Scorer(nlp).score(examples)
        scores = {key: value for key, value in scores.items() if value is not None}
        both = [doc for example in examples for doc in (example.reference, example.predicted)]
        labels = sorted({ent.label_ for doc in both for ent in doc.ents})
        rows = {
            title: bootstrap_intervals(
                [_count(example, chosen) for example in examples], samples=bootstrap, seed=seed
            )
            for title, chosen in [*((label, {label}) for label in labels), ("all", set(labels))]
        }
        scores["intervals"] = {
            f"ents_{key}": [interval.low, interval.high] for key, interval in rows["all"].items()
        }
        typer.echo(f"{len(examples)} Docs; exact bounds and label; 95 % intervals over Docs")
        _print_table(rows)
        if output is not None:
            with written_whole(output) as part:
                part.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


def _count(example: Example, labels: set[str]) -> tuple[int, int, int]:
    """True positives, false positives and false negatives, as spaCy's own scorer has them.

    What is found where gold annotation is missing is neither right nor wrong.
    """
    found, gold = (
        [(e.start_char, e.end_char, e.label_) for e in doc.ents if e.label_ in labels]
        for doc in (example.predicted, example.reference)
    )
    verdicts = judge_entities(example.reference, found)
    judged = [entity for entity, right in zip(found, verdicts, strict=True) if right is not None]
    return count_matches(gold, judged)


def _print_table(rows: Mapping[str, Mapping[str, Interval]]) -> None:
    def cell(interval: Interval) -> str:
        return f"{100 * interval.estimate:.2f} ({100 * interval.low:.1f}-{100 * interval.high:.1f})"

    width = max(map(len, rows))
    typer.echo(f"{'':<{width}}{'P':>23}{'R':>23}{'F1':>23}")
    for label, intervals in rows.items():
        typer.echo(f"{label:<{width}}" + "".join(f"{cell(intervals[key]):>23}" for key in "prf"))
