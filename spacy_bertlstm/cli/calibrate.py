"""`python -m spacy bertlstm calibrate`"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy
import typer
from spacy.language import Language
from spacy.tokens import Span
from spacy.util import minibatch
from tqdm import tqdm

from spacy_bertlstm.cli.app import app, errors_as_messages, load_pipeline
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.evaluation.calibration import (
    bin_reliability,
    expected_calibration_error,
    fit_temperature,
    judge_entities,
    negative_log_likelihood,
)
from spacy_bertlstm.files import require_no_files, written_whole
from spacy_bertlstm.pipeline.ner import BertLstmNer, Decoding
from spacy_bertlstm.tokens.corpus import read_docs


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
        Path | None, typer.Option("--test", help="Another .spacy file, to try the temperature on")
    ] = None,
    component: Annotated[
        str | None, typer.Option(help="The component's name, where there are several")
    ] = None,
    bins: Annotated[
        int, typer.Option(min=1, help="Of equal width, for the expected calibration error")
    ] = 10,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the figures and the bins to this file")
    ] = None,
) -> None:
    """Fit the temperature of a pipeline's confidences on Docs with gold entities.

    The entities found stay the same. The expected calibration error on DEV flatters, since the
    temperature was fitted there; the one on --test does not.
    """
    with errors_as_messages():
        require_no_files(output)
        if json_path is not None:
            json_place, out_place = json_path.resolve(), output.resolve()
            if json_place.is_relative_to(out_place) or out_place.is_relative_to(json_place):
                raise BertLstmError("BL317", path=json_path)
        nlp, name, ner = _load(model, component)
        judged = {"dev": _judge(nlp, name, ner, dev_path)}
        if test_path is not None:
            judged["test"] = _judge(nlp, name, ner, test_path)
        dev = judged["dev"]
        if not 0 < dev.right.sum() < len(dev.right):
            raise BertLstmError(
                "BL316", path=dev_path, found=len(dev.right), right=int(dev.right.sum())
            )
        # The pipeline that has read the notes holds their words; a fresh one does not.
        fresh, _, ner = _load(model, name)
        temperatures = [ner.temperature, fit_temperature(dev.confidences, dev.right)]
        ner.temperature = temperatures[-1]
        report: dict[str, Any] = {"component": name, "temperature": temperatures}
        report |= {key: part.to_dict(temperatures, bins) for key, part in judged.items()}
        with written_whole(output) as place:
            fresh.to_disk(place)
            if json_path is not None:
                with written_whole(json_path) as json_part:
                    json_part.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        for key, part in judged.items():
            errors = " -> ".join(f"{error:.2%}" for error in report[key]["ece"])
            typer.echo(
                f"{key}: {part.right.sum()} of {len(part.right)} entities right, "
                f"expected calibration error {errors or 'unknown'}"
            )
        typer.echo(f"temperature {temperatures[0]:.3f} -> {temperatures[1]:.3f}: {output}")


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
    later = nlp.pipe_names[nlp.pipe_names.index(name) :]
    decodings = []
    verdicts: list[bool | None] = []
    golds = (gold for gold in read_docs(path) if gold.text)
    golds = tqdm(golds, desc=f"Reading {path}", unit="record", disable=None)
    with nlp.select_pipes(disable=later):
        for batch in minibatch(golds, nlp.batch_size):
            docs = list(nlp.pipe(gold.text for gold in batch))
            decoding = ner.decode(docs)
            decodings.append(decoding)
            for gold, doc, spans in zip(batch, docs, decoding.spans, strict=True):
                found = [Span(doc, start, end, label=label) for start, end, label in spans]
                entities = [(span.start_char, span.end_char, span.label_) for span in found]
                verdicts.extend(judge_entities(gold, entities))
    known = numpy.asarray([verdict is not None for verdict in verdicts], dtype=bool)
    right = numpy.asarray([verdict for verdict in verdicts if verdict is not None], dtype=bool)
    return _Judged(decodings, known, right)


def _load(model: str, component: str | None) -> tuple[Language, str, BertLstmNer]:
    """Load a pipeline, and choose the component in it."""
    nlp = load_pipeline(model)
    kind = {name: pipe for name, pipe in nlp.pipeline if isinstance(pipe, BertLstmNer)}
    names = ", ".join(kind) or "none"
    if component is None and len(kind) != 1:
        raise BertLstmError("BL314", path=model, count=len(kind), names=names)
    name = next(iter(kind)) if component is None else component
    if name not in kind:
        raise BertLstmError("BL313", path=model, component=name, names=names)
    return nlp, name, kind[name]
