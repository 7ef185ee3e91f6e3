"""Trainings that benchmarks compare: each ends in a file, so that a benchmark goes on after a kill.

The files hold figures, offsets and labels, never text. Their names tell the training, and by a
fingerprint all that it depends on: the config and its settings, the corpora, the encoder, the
package's own code, and the kind of device.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import spacy
from spacy.language import Language
from spacy.util import load_config, registry
from thinc.api import Config

import spacy_bertlstm
from spacy_bertlstm.evaluation.bootstrap import Interval
from spacy_bertlstm.evaluation.reports import Counts
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer

ROOT = Path(__file__).parent.parent
PARTS = ("train", "dev", "test")
_PACKAGE = Path(spacy_bertlstm.__file__).parent


@dataclass(frozen=True)
class Training:
    """One training.

    name (str): Tells it from the others of a benchmark, as part of a file's name.
    config (str): Absolute, or relative to the repository.
    settings (Mapping[str, Any]): What overrides the config.
    corpora (Mapping[str, Path]): The files of the parts; train and dev are learned from.
    passes (int): Over the training part.
    seed (int): Of the weights and of the order.
    """

    name: str
    config: str
    settings: Mapping[str, Any]
    corpora: Mapping[str, Path]
    passes: int
    seed: int = 0

    @property
    def overrides(self) -> dict[str, Any]:
        """What overrides the config, but the number of steps."""
        paths = {f"paths.{part}": str(self.corpora[part]) for part in ("train", "dev")}
        return {**paths, **self.settings, "system.seed": self.seed}

    @property
    def title(self) -> str:
        return f"{self.name}-{self.passes}-{self.seed}"


# What a trained pipeline is asked, as JSON.
Measure = Callable[[Training, Language], dict[str, Any]]


@dataclass(frozen=True)
class Trainer:
    """Trains, or reads the file that an earlier training ended in.

    work (Path): The folder of the files.
    measure (Callable): What the best checkpoint of each training is asked; asked anew where
        `question` is another.
    gpu_id (int): -1 is the CPU.
    jobs (int): Trainings at a time.
    question (str): What `measure` asks for.
    """

    work: Path
    measure: Measure
    gpu_id: int = -1
    jobs: int = 1
    question: str = ""
    _hashes: dict[Path, str] = field(default_factory=dict)

    def train_all(self, trainings: Iterable[Training]) -> list[dict[str, Any]]:
        """The result of each: `seconds`, `steps`, `dev` (its scores there) and the measure's."""
        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(self.train, trainings))

    def train(self, training: Training) -> dict[str, Any]:
        folder = self._place(training, self.question)
        result_file = folder.with_name(folder.name + ".json")
        if result_file.exists():
            result: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
            return result
        begin = time.monotonic()
        steps = self._learn(training, folder)
        nlp = spacy.load(folder / "model-best")
        result = {
            "steps": steps,
            "seconds": round(time.monotonic() - begin),
            "dev": nlp.meta["performance"],
            **self.measure(training, nlp),
        }
        part = result_file.with_name(result_file.name + ".part")
        part.write_text(json.dumps(result), encoding="utf-8")
        part.replace(result_file)
        shutil.rmtree(folder)
        print(f"{training.title}: {result['seconds']} s", flush=True)
        return result

    def find_model(self, training: Training) -> Path:
        """The best checkpoint of a training, which is kept."""
        folder = self._place(training, "model")
        model = folder.with_name(folder.name + ".model")
        if not model.exists():
            print(f"{training.title}: training", flush=True)
            self._learn(training, folder)
            (folder / "model-best").replace(model)
            shutil.rmtree(folder)
        return model

    def _place(self, training: Training, question: str) -> Path:
        told = [
            load_config(ROOT / training.config).to_str(),
            question,
            repr(sorted(training.settings.items())),
            "cpu" if self.gpu_id < 0 else "cuda",
            *map(self._hash, [*training.corpora.values(), _PACKAGE]),
        ]
        encoder = Path(training.settings.get("paths.encoder", ""))
        if encoder.name and encoder.is_dir():  # else the name of one on a hub, or none
            told.append(self._hash(encoder))
        mark = hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]
        return self.work / f"{training.title}-{mark}"

    def _hash(self, path: Path) -> str:
        """Of a file, or of all of a folder's but Python's compiled ones."""
        if path not in self._hashes:
            digest = hashlib.sha256()
            for file in [path] if path.is_file() else sorted(path.rglob("*")):
                if file.is_file() and file.suffix != ".pyc":
                    digest.update(f"{file.relative_to(path)}".encode())
                    digest.update(file.read_bytes())
            self._hashes[path] = digest.hexdigest()
        return self._hashes[path]

    def _learn(self, training: Training, folder: Path) -> int:
        """Train, the best checkpoint into `folder`/model-best; the number of its steps."""
        config = ROOT / training.config
        a_pass = count_batches(load_config(config, overrides=training.overrides))
        steps = training.passes * a_pass
        settings = training.overrides | {
            "training.max_steps": steps,
            "training.optimizer.learn_rate.total_steps": steps,
            "training.optimizer.learn_rate.warmup_steps": steps // 20,
            "training.eval_frequency": a_pass,
            "training.patience": 0,
        }
        options = [text for item in settings.items() for text in as_option(*item)]
        options += ["--output", str(folder), "--gpu-id", str(self.gpu_id)]
        threads = max(1, (os.cpu_count() or 1) // self.jobs)
        with folder.with_name(folder.name + ".log").open("w", encoding="utf-8") as log:
            subprocess.run(
                [sys.executable, "-m", "spacy", "train", config, *options],
                check=True,
                stdout=log,
                stderr=log,
                env={"OMP_NUM_THREADS": str(threads), **os.environ},
            )
        return steps


def as_option(key: str, value: Any) -> tuple[str, str]:
    """An override as the command line takes it."""
    return f"--{key}", value if isinstance(value, str) else json.dumps(value)


def count_batches(config: Config) -> int:
    """How many batches a pass over the training part has, in the order of the file."""
    resolved = registry.resolve(
        {
            "reader": config.interpolate()["corpora"]["train"],
            "batcher": config["training"]["batcher"],
        }
    )
    nlp = spacy.blank("en")
    nlp.tokenizer = make_clinical_tokenizer()(nlp)
    return len(list(resolved["batcher"](list(resolved["reader"](nlp)))))


def tune(
    trainer: Trainer,
    make: Callable[[float], Training],
    values: Sequence[float],
    *,
    title: str,
    score: str,
    widen: bool = False,
) -> float:
    """Train with each value of a setting, and print the scores on dev.

    make (Callable): From a value to a training.
    title (str): What is printed of the setting.
    score (str): The key of the score.
    widen (bool): While the best value is the lowest or the highest, whether to try one beyond.
    RETURNS (float): The best.
    """
    scores: dict[float, float] = {}
    new = list(values)
    while new:
        results = trainer.train_all(map(make, new))
        scores |= {value: found["dev"][score] for value, found in zip(new, results, strict=True)}
        best = max(scores, key=lambda value: scores[value])
        new = [best / 2] if best == min(scores) else [best * 2] if best == max(scores) else []
        new = new if widen else []
    tried = ", ".join(f"{value:g}: {100 * scores[value]:.2f}" for value in sorted(scores))
    print(f"{score} on dev by {title}: {tried}; chosen: {best:g}", flush=True)
    return best


def convert(kind: str, source: Path, target: Path, *options: str) -> None:
    """Convert a folder of annotations to a .spacy file."""
    command = [sys.executable, "-m", "spacy", "bertlstm", "convert", kind, source, target]
    subprocess.run([*command, *options], check=True)


def convert_parts(kind: str, sources: Mapping[str, Path], work: Path) -> dict[str, Path]:
    """Convert the parts of a corpus to .spacy files in a folder, which is made where it is not."""
    work.mkdir(parents=True, exist_ok=True)
    targets = {part: work / f"{part}.spacy" for part in sources}
    for part, source in sources.items():
        convert(kind, source, targets[part])
    return targets


def add_options(parser: argparse.ArgumentParser, work: str) -> None:
    """Add what all benchmarks that train can be told; `work` is under training/."""
    add_places(parser, work)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")


def add_places(parser: argparse.ArgumentParser, work: str) -> None:
    """Add where files are: relative to where the user stands, or by default to the repository."""
    parser.add_argument("--work", type=as_place, default=Path("training") / work)
    parser.add_argument("--encoder", type=as_encoder, default="./assets/all-MiniLM-L6-v2")


def as_place(path: str) -> Path:
    """A path that a benchmark finds from the repository, too."""
    return Path(path).resolve()


def as_encoder(name: str) -> str:
    """The path of a folder as `as_place` has it, or the name of an encoder on a hub."""
    return str(as_place(name)) if Path(name).is_dir() else name


def pool(tables: Sequence[Sequence[Sequence[int]]]) -> list[list[int]]:
    """The counts of each document, summed over the seeds."""
    return numpy.asarray(tables).sum(axis=0).tolist()


def pool_values(tables: Sequence[Sequence[Counts]]) -> list[Counts]:
    """The counts of each value in each document, summed over the seeds."""
    pooled = []
    for document in zip(*tables, strict=True):
        values = {value for counts in document for value in counts}
        of_values = {
            value: [counts.get(value, (0, 0, 0)) for counts in document] for value in values
        }
        pooled.append(
            {value: tuple(numpy.sum(rows, axis=0).tolist()) for value, rows in of_values.items()}
        )
    return pooled


def print_row(cells: Iterable[str | Interval]) -> None:
    """Print a row of a Markdown table; intervals in percent."""
    print(f"| {' | '.join(map(as_cell, cells))} |", flush=True)


def as_cell(value: str | Interval) -> str:
    if isinstance(value, str):
        return value
    return f"{100 * value.estimate:.1f} ({100 * value.low:.1f}-{100 * value.high:.1f})"


def without_bilstm(config: Config, component: str) -> Config:
    """A config in which a component reads the transformer's vectors themselves."""
    changed = config.copy()
    model = changed["components"][component]["model"]
    model["tok2vec"] = model["tok2vec"]["tok2vec"]
    return changed


def write_config(config: Config, path: Path) -> str:
    """Write a config for a `Training`."""
    config.to_disk(path)
    return str(path.resolve())
