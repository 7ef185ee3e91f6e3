"""`python -m spacy bertlstm calibrate`"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import numpy
import typer
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import minibatch
from tqdm import tqdm

from spacy_bertlstm.cli.app import app, errors_as_messages, load_pipeline
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.evaluation.calibration import (
    Average,
    bin_reliability,
    expected_calibration_error,
    fit_temperature,
    fit_thresholds,
    judge_entities,
    negative_log_likelihood,
)
from spacy_bertlstm.files import require_no_files, written_whole
from spacy_bertlstm.pipeline.ner import BertLstmNer, Decoding
from spacy_bertlstm.pipeline.relations import BertLstmRelations
from spacy_bertlstm.tokens.corpus import give_spans, read_docs
from spacy_bertlstm.tokens.relations import orient, wanted_relations


@app.command()
def calibrate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A pipeline's folder or name")],
    dev_path: Annotated[
        Path, typer.Argument(metavar="DEV", help="A .spacy file that it was not trained on")
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="The calibrated pipeline: a folder, new or empty")
    ],
    test_path: Annotated[
        Path | None, typer.Option("--test", help="Another .spacy file, to try it on")
    ] = None,
    component: Annotated[
        str | None, typer.Option(help="The component's name, where there are several")
    ] = None,
    bins: Annotated[
        int, typer.Option(min=1, help="Of equal width, for the expected calibration error")
    ] = 10,
    average: Annotated[
        Average,
        typer.Option(
            help="Relations: micro gives all labels together the best F1, macro each label its own"
        ),
    ] = Average.micro,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the figures and the bins to this file")
    ] = None,
) -> None:
    """Fit a pipeline's confidences, and the thresholds of its relations, on gold Docs.

    The entities found stay the same; relations of a label are found from a confidence of its own,
    so that F1 is best. The figures on DEV flatter, since all was fitted there; those on --test do
    not.
    """
    with errors_as_messages():
        require_no_files(output)
        if json_path is not None:
            json_place, out_place = json_path.resolve(), output.resolve()
            if json_place.is_relative_to(out_place) or out_place.is_relative_to(json_place):
                raise BertLstmError("BL317", path=json_path)
        nlp = load_pipeline(model)
        # The pipeline that has read the notes holds their words; a fresh one does not.
        fresh = load_pipeline(model)
        paths = {"dev": dev_path} | ({"test": test_path} if test_path else {})
        relating = [name for name, pipe in nlp.pipeline if isinstance(pipe, BertLstmRelations)]
        name = _choose_ner(nlp, model, component, required=not relating)
        report: dict[str, Any] = {}
        lines: list[str] = []
        if name is not None:
            report |= _fit_temperature(nlp, fresh, name, paths, bins, lines)
        if relating:
            report["relations"] = {
                other: _fit_thresholds(nlp, fresh, other, paths, average, lines)
                for other in relating
            }
        with written_whole(output) as place:
            fresh.to_disk(place)
            if json_path is not None:
                with written_whole(json_path) as json_part:
                    json_part.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        for line in lines:
            typer.echo(line)
        typer.echo(f"calibrated: {output}")


def _fit_temperature(
    nlp: Language,
    fresh: Language,
    name: str,
    paths: dict[str, Path],
    bins: int,
    lines: list[str],
) -> dict[str, Any]:
    """Set the temperature of a component of the fresh pipeline.

    RETURNS (dict[str, Any]): The figures; the lines that say them are added to `lines`.
    """
    ner, other = (cast(BertLstmNer, pipeline.get_pipe(name)) for pipeline in (nlp, fresh))
    judged = {key: _judge(nlp, name, ner, path) for key, path in paths.items()}
    dev = judged["dev"]
    if not 0 < dev.right.sum() < len(dev.right):
        raise BertLstmError(
            "BL316", path=paths["dev"], found=len(dev.right), right=int(dev.right.sum())
        )
    temperatures = [ner.temperature, fit_temperature(dev.confidences, dev.right)]
    other.temperature = temperatures[-1]
    report: dict[str, Any] = {"component": name, "temperature": temperatures}
    for key, part in judged.items():
        report[key] = part.to_dict(temperatures, bins)
        errors = " -> ".join(f"{error:.2%}" for error in report[key]["ece"])
        lines.append(
            f"{key}: {part.right.sum()} of {len(part.right)} entities right, "
            f"expected calibration error {errors or 'unknown'}"
        )
    lines.append(f"temperature {temperatures[0]:.3f} -> {temperatures[1]:.3f}")
    return report


def _fit_thresholds(
    nlp: Language,
    fresh: Language,
    name: str,
    paths: dict[str, Path],
    average: Average,
    lines: list[str],
) -> dict[str, Any]:
    """Set the thresholds of a component of the fresh pipeline, one a label, for the best F1.

    A label of which nothing right was proposed keeps its own.

    RETURNS (dict[str, Any]): The figures; the lines that say them are added to `lines`.
    """
    relations, other = (
        cast(BertLstmRelations, pipeline.get_pipe(name)) for pipeline in (nlp, fresh)
    )
    judged = {key: _judge_relations(nlp, name, relations, path) for key, path in paths.items()}
    dev = judged["dev"]
    if not dev.right.any():
        raise BertLstmError("BL363", path=paths["dev"], component=name)
    before = relations.thresholds
    fitted = fit_thresholds(dev.probabilities, dev.right, dev.gold, average)
    after = {
        label: before[label] if value is None else value
        for label, value in zip(relations.labels, fitted, strict=True)
    }
    other.thresholds = after
    report: dict[str, Any] = {
        "thresholds": {label: [before[label], after[label]] for label in after}
    }
    for key, part in judged.items():
        report[key] = [part.f1(list(thresholds.values())) for thresholds in (before, after)]
        scores = " -> ".join("unknown" if f1 is None else f"{f1:.2%}" for f1 in report[key])
        lines.append(f"{key}: F1 of {name} {scores}")
    return report


@dataclass(frozen=True)
class _JudgedRelations:
    """All that a component proposes in a file, a row a pair and a column a label.

    probabilities (numpy.ndarray): Of each to hold.
    right (numpy.ndarray): Whether it does.
    gold (numpy.ndarray): How many there are of each label, proposed or not.
    """

    probabilities: numpy.ndarray
    right: numpy.ndarray
    gold: numpy.ndarray

    def f1(self, thresholds: Sequence[float]) -> float | None:
        """Over all labels; None where there is nothing to find and nothing found."""
        found = self.probabilities >= numpy.asarray(thresholds)
        both = int(found.sum() + self.gold.sum())
        return 2 * int((found & self.right).sum()) / both if both else None


def _judge_relations(
    nlp: Language, name: str, relations: BertLstmRelations, path: Path
) -> _JudgedRelations:
    """Compare what a component proposes in a file with the gold relations there.

    A pipeline that finds no entities by itself is given those of the file.
    """
    before = nlp.pipe_names[: nlp.pipe_names.index(name)]
    assigned = {attr for pipe in before for attr in nlp.get_pipe_meta(pipe).assigns}
    given = not assigned & {"doc.ents", "doc.spans"}
    labels = relations.labels
    probabilities = [numpy.zeros((0, len(labels)))]
    right = [numpy.zeros((0, len(labels)), dtype=bool)]
    count: Counter[str] = Counter()
    for golds, docs in _read(nlp, name, path, given=given):
        decoding = relations.decode(docs)
        for i, gold in enumerate(golds):
            annotated = wanted_relations(gold, relations.level)
            if annotated is not None:
                wanted = orient(annotated, relations.undirected)
                probabilities.append(decoding.probabilities[i])
                right.append(decoding.proposals[i].find(wanted, labels))
                count.update(label for label, _, _ in wanted)
    return _JudgedRelations(
        numpy.concatenate(probabilities),
        numpy.concatenate(right),
        numpy.asarray([count[label] for label in labels]),
    )


@dataclass(frozen=True)
class _Judged:
    """The entities that a component finds in a file.

    decodings (list[Decoding]): One a batch.
    known (numpy.ndarray): Whether gold annotation tells if an entity is right.
    right (numpy.ndarray): Whether it is, for those where it is known.
    """

    decodings: list[Decoding]
    known: numpy.ndarray
    right: numpy.ndarray

    def confidences(self, temperature: float) -> numpy.ndarray:
        """Of the entities that `right` is about."""
        batches = [decoding.confidences(temperature) for decoding in self.decodings]
        values = [value for batch in batches for found in batch for value in found]
        return numpy.asarray(values)[self.known]

    def to_dict(self, temperatures: Sequence[float], bins: int) -> dict[str, Any]:
        """The figures at each temperature; none where there are no entities."""
        tried = [self.confidences(value) for value in temperatures if len(self.right)]
        return {
            "entities": len(self.right),
            "right": int(self.right.sum()),
            "ece": [expected_calibration_error(found, self.right, bins=bins) for found in tried],
            "nll": [negative_log_likelihood(found, self.right) for found in tried],
            "bins": [
                [asdict(found) for found in bin_reliability(values, self.right, bins=bins)]
                for values in tried
            ],
        }


def _judge(nlp: Language, name: str, ner: BertLstmNer, path: Path) -> _Judged:
    """Let all up to the component read the texts of a file, and compare with its entities."""
    decodings = []
    verdicts: list[bool | None] = []
    for golds, docs in _read(nlp, name, path):
        decoding = ner.decode(docs)
        decodings.append(decoding)
        for gold, doc, spans in zip(golds, docs, decoding.spans, strict=True):
            found = [Span(doc, start, end, label=label) for start, end, label in spans]
            entities = [(span.start_char, span.end_char, span.label_) for span in found]
            verdicts.extend(judge_entities(gold, entities))
    known = numpy.asarray([verdict is not None for verdict in verdicts], dtype=bool)
    right = numpy.asarray([verdict for verdict in verdicts if verdict is not None], dtype=bool)
    return _Judged(decodings, known, right)


def _read(
    nlp: Language, name: str, path: Path, *, given: bool = False
) -> Iterator[tuple[list[Doc], list[Doc]]]:
    """Let all up to a component read the texts of a file.

    given (bool): Whether the gold entities stand on what is read.
    YIELDS (tuple[list[Doc], list[Doc]]): The gold Docs of a batch, and those read.
    """
    later = nlp.pipe_names[nlp.pipe_names.index(name) :]
    golds = (gold for gold in read_docs(path) if gold.text)
    golds = tqdm(golds, desc=f"Reading {path}", unit="record", disable=None)

    def bare(gold: Doc) -> Doc:
        doc = nlp.make_doc(gold.text)
        if given:
            give_spans(gold, doc)
        return doc

    with nlp.select_pipes(disable=later):
        for batch in minibatch(golds, nlp.batch_size):
            yield batch, list(nlp.pipe(map(bare, batch)))


def _choose_ner(nlp: Language, model: str, component: str | None, *, required: bool) -> str | None:
    """The name of the component whose temperature is fitted; None where there may be none."""
    kind = [name for name, pipe in nlp.pipeline if isinstance(pipe, BertLstmNer)]
    names = ", ".join(kind) or "none"
    if component is None and not kind and not required:
        return None
    if component is None and len(kind) != 1:
        raise BertLstmError("BL314", path=model, count=len(kind), names=names)
    name = kind[0] if component is None else component
    if name not in kind:
        raise BertLstmError("BL313", path=model, component=name, names=names)
    return name
