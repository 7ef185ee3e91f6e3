"""The model card of a trained pipeline: README.md and meta.json, filled from the run.

It holds counts, scores and settings, and no text of a note.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from spacy.util import load_config

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.files import written_whole
from spacy_bertlstm.shipping.prune import last_part
from spacy_bertlstm.tokens.corpus import Counts

_TEMPLATE = """# {package} {version}

{description}.

Load it with `nlp = spacy.load("{package}")`. Its components: {components}.

## Data

{statement}

{data}

## Intended use

To find what its labels name in notes like those it was trained on, as help for people who read,
search or count them, after its errors were measured on notes of the place where it is used.

{labels}

Out of scope: decisions on a patient that nobody checks against the note; notes of another kind,
language or speciality without a new measurement; taking a finding that was not found for one
that is not there; de-identification.

## Scores

In brackets, where given: 95 % bootstrap intervals over documents. What is said of an entity, and
a relation, counts as found only where its entities are.

{scores}

## Training

| | |
| --- | --- |
{training}

## Limits

- It repeats what its training notes and their annotators did, errors and imbalances included.
- The scores are of one training run. They are no promise for other notes.
- How well it does on groups of patients, by age, sex, origin or language, was not measured.

## Privacy

No word stands in the vocabulary because a training note held it, and no path in the config: the
project's `package` step rebuilds both from labels and public entries, searches every file of the
built wheel for words that only the notes hold, and keeps no wheel in which it finds one. The
weights themselves may still remember parts of the notes. Whoever passes on a pipeline that was
trained on real notes must judge that risk, and the terms under which they were given.
"""

_PACKAGES = (
    "spacy-bertlstm",
    "spacy",
    "spacy-transformers",
    "thinc",
    "torch",
    "transformers",
)


# A hyphen would make a folder that cannot be imported and a wheel of another name.
_NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")


@dataclass(frozen=True)
class Facts:
    """What the run cannot know of itself, or left in files.

    name (str): Of the package, without the language: a-z, 0-9 and single underscores.
    version (str): Of the package, in the normal form of PEP 440.
    statement (str): What the notes are, whence, and whether they are synthetic.
    licence (str): Of the pipeline.
    encoder (str): The folder or name of the encoder.
    encoder_licence (str): Its licence.
    data (dict[str, Counts]): One entry a part, such as "train".
    scores (dict[str, Any]): As `python -m spacy bertlstm evaluate` writes them: values by key,
        and under "intervals" the 95 % bounds (low, high) of some.
    """

    name: str
    version: str
    statement: str
    licence: str
    encoder: str
    encoder_licence: str
    data: Mapping[str, Counts]
    scores: Mapping[str, Any]


def read_scores(path: Path) -> dict[str, Any]:
    """Read a file of scores.

    RAISES: BL101 (no such file), BL334 (not JSON, no mapping, or what should be scores is none).
    """
    if not path.is_file():
        raise BertLstmError("BL101", kind="file", path=path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BertLstmError("BL334", path=path, reason=type(error).__name__) from error
    if not isinstance(data, dict):
        raise BertLstmError("BL334", path=path, reason=f"a {type(data).__name__}")
    for key, value in data.items():
        if key == "intervals":
            sound = isinstance(value, Mapping) and all(map(_are_bounds, value.values()))
        elif key.endswith("_per_type") and value:
            sound = isinstance(value, Mapping) and all(map(_are_measures, value.values()))
        else:
            continue
        if not sound:
            raise BertLstmError("BL334", path=path, reason=f"{key} holds other things")
    return data


def _is_score(value: object) -> bool:
    return isinstance(value, float | int) and 0 <= value <= 1


def _are_bounds(value: object) -> bool:
    return isinstance(value, Sequence) and len(value) == 2 and all(map(_is_score, value))


def _are_measures(value: object) -> bool:
    """Whether they are precision, recall and F1, or one number, such as an area under a curve."""
    if isinstance(value, Mapping):
        return all(_is_score(value.get(measure)) for measure in "prf")
    return value is None or _is_score(value)


def write_card(pipeline: Path, facts: Facts) -> None:
    """Write the card to a pipeline's README.md, and its facts to meta.json.

    `python -m spacy package` takes both into the package.

    pipeline (Path): A folder that `prune_pipeline` wrote.
    facts (Facts): What stands on the card.
    RAISES: BL109 (not writable), BL330 (no pipeline), BL335 (a name or version that no package
        can have).
    """
    try:
        meta = json.loads((pipeline / "meta.json").read_text(encoding="utf-8"))
        config = load_config(pipeline / "config.cfg", interpolate=True)
    except (OSError, ValueError) as error:
        reason = "no config.cfg or meta.json that can be read"
        raise BertLstmError("BL330", path=pipeline, reason=reason) from error
    _require_package(facts, meta["lang"])
    labels = [
        f"- {component}: {', '.join(f'`{label}`' for label in group)}"
        for component, group in meta["labels"].items()
        if group
    ]
    meta.update(
        name=facts.name,
        version=facts.version,
        description="Clinical natural language processing, trained with spacy-bertlstm",
        license=facts.licence,
        sources=[{"name": last_part(facts.encoder), "license": facts.encoder_licence}],
    )
    card = _TEMPLATE.format(
        package=f"{meta['lang']}_{facts.name}",
        version=facts.version,
        description=meta["description"],
        components=", ".join(f"`{name}`" for name in meta["components"]),
        statement=facts.statement,
        data=_table(_data_rows(facts.data)),
        labels="\n".join(labels),
        scores=_table(_score_rows(facts.scores)),
        training="\n".join(f"| {key} | {value} |" for key, value in _recipe(config, facts)),
    )
    for name, content in (
        ("README.md", card),
        ("meta.json", json.dumps(meta, indent=2, ensure_ascii=False) + "\n"),
    ):
        with written_whole(pipeline / name) as part:
            part.write_text(content, encoding="utf-8")


def _require_package(facts: Facts, lang: str) -> None:
    if not _NAME.fullmatch(facts.name) or facts.name.startswith(f"{lang}_"):
        raise BertLstmError("BL335", what="name", value=facts.name)
    normal: str | None = None
    with suppress(InvalidVersion):
        normal = str(Version(facts.version))
    # Folders in the package are called as it is given, the wheel by its normal form.
    if normal != facts.version:
        raise BertLstmError("BL335", what="version", value=facts.version)


def _table(rows: Iterable[Sequence[str]]) -> str:
    head, *body = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def _data_rows(data: Mapping[str, Counts]) -> Iterator[list[str]]:
    parts = data.values()
    yield ["", *data]
    yield ["documents", *(f"{part.docs:,}" for part in parts)]
    yield ["tokens", *(f"{part.tokens:,}" for part in parts)]
    for kind, counts in (
        ("", [part.labels for part in parts]),
        ("assertion ", [part.assertions for part in parts]),
        ("relation ", [part.relations for part in parts]),
        ("of ", [part.categories for part in parts]),
    ):
        for label in sorted(set().union(*counts)):
            yield [f"{kind}`{label}`", *(f"{count.get(label, 0):,}" for count in counts)]


def _score_rows(scores: Mapping[str, Any]) -> Iterator[list[str]]:
    """Precision, recall and F1 of everything that has them by type."""
    yield ["Test part, %", "P", "R", "F1"]
    for key, types in scores.items():
        if not key.endswith("_per_type"):
            continue
        rows = {label: row for label, row in (types or {}).items() if isinstance(row, Mapping)}
        if rows:
            task = key.removesuffix("_per_type").removesuffix("_f")
            for label, values in sorted(rows.items()):
                yield [f"`{label}`", *(f"{100 * values[measure]:.1f}" for measure in "prf")]
            yield [f"all `{task}`", *(_score(scores, task, measure) for measure in "prf")]


def _score(scores: Mapping[str, Any], task: str, measure: str) -> str:
    for key in (f"{task}_{measure}", f"{task}_micro_{measure}"):
        if _is_score(scores.get(key)):
            bounds = [f"{100 * bound:.1f}" for bound in scores.get("intervals", {}).get(key, ())]
            return f"{100 * scores[key]:.1f}" + (f" ({' to '.join(bounds)})" if bounds else "")
    return ""


def _recipe(config: Mapping[str, Any], facts: Facts) -> Iterator[tuple[str, str]]:
    training = config["training"]
    yield "Encoder", f"{last_part(facts.encoder)}, {facts.encoder_licence}"
    yield "Batches, at most", str(training["max_steps"])
    yield "Stopped after batches without gain on dev", str(training["patience"])
    yield "Seed", str(training["seed"])
    yield "Optimizer", f"`{training['optimizer']['@optimizers']}`"
    for package in _PACKAGES:
        yield package, version(package)
    yield "Licence of this pipeline", facts.licence
