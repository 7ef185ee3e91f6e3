"""Compare the hybrid with its parts and with spaCy's own transformer + ner, on one corpus.

    python benchmarks/ner.py CORPUS [--work DIR] [--seeds 0 1 2] [--passes 6] [--jobs 1]

CORPUS holds train, dev and test in the i2b2 2010 format. Every system has the same encoder, data,
batches and number of passes. Its learning rate is chosen on dev, with the first seed and a part of
the passes: three are tried, and while the best is the lowest or the highest, one beyond it. Then
each system is trained with every seed; the checkpoint with the best F1 on dev is tested.

Every training ends in a file in DIR, so that the benchmark goes on where it was stopped. The
files hold offsets and labels, never text; their names tell the run, and by a fingerprint the
corpus, the encoder and the config.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import spacy
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc
from spacy.training.initialize import init_nlp
from spacy.training.loop import create_train_batches
from spacy.util import load_config, registry, resolve_dot_names
from thinc.api import Config

from spacy_bertlstm.evaluation.bootstrap import (
    bootstrap_intervals,
    count_matches,
    randomization_test,
)
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.corpus import read_docs

ROOT = Path(__file__).parent.parent
PARTS = ("train", "dev", "test")
STOCK = "stock"
BATCHES_A_ROUND = 8  # of the speed measurement
Entity = tuple[int, int, str]


class System(NamedTuple):
    """What is compared: a config, and the setting whose value dev chooses, with a first guess."""

    title: str
    config: str
    setting: str
    guess: float


ENCODER_SCALE = "training.optimizer.encoder_scale"
LEARN_RATE = "training.optimizer.learn_rate.initial_rate"
SYSTEMS = {
    "hybrid": System("BERT + BiLSTM + CRF", "configs/ner.cfg", ENCODER_SCALE, 0.2),
    "bert": System("BERT + CRF", "configs/ner_bert.cfg", ENCODER_SCALE, 0.2),
    "bilstm": System("BiLSTM + CRF", "configs/ner_bilstm.cfg", LEARN_RATE, 1e-3),
    STOCK: System("spaCy transformer + ner", "benchmarks/stock_ner.cfg", LEARN_RATE, 2e-4),
}


@dataclass(frozen=True)
class Benchmark:
    """What all runs share."""

    work: Path
    encoder: str
    gpu_id: int
    jobs: int

    @property
    def corpora(self) -> dict[str, Path]:
        return {part: self.work / f"{part}.spacy" for part in PARTS}

    def settings(self, name: str) -> dict[str, Any]:
        """Overrides of a system's config that do not depend on the run."""
        settings = {f"paths.{part}": str(self.corpora[part]) for part in ("train", "dev")}
        if "encoder" in load_config(ROOT / SYSTEMS[name].config)["paths"]:
            settings["paths.encoder"] = self.encoder
        return settings


class Run(NamedTuple):
    """One training."""

    name: str
    rate: float
    passes: int
    seed: int


def main() -> None:
    arguments = parse_arguments()
    os.chdir(ROOT)
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    benchmark = Benchmark(work, arguments.encoder, arguments.gpu_id, arguments.jobs)
    convert(arguments.corpus, benchmark.corpora)
    first, *_ = arguments.seeds
    rates = {
        name: choose_rate(benchmark, name, arguments.tuning_passes, first)
        for name in arguments.systems
    }
    # By seed first: what is there after a kill can be compared.
    runs = [
        Run(name, rates[name], arguments.passes, seed)
        for seed in arguments.seeds
        for name in arguments.systems
    ]
    results = dict(zip(runs, train_all(benchmark, runs), strict=True))
    if arguments.train_only:
        return
    speeds = measure_speeds(benchmark, arguments.systems, arguments.rounds)
    print_table(results, gold_entities(benchmark.corpora["test"]), speeds)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=lambda path: Path(path).resolve(), help="i2b2 layout")
    parser.add_argument("--work", type=Path, default=Path("training/benchmark_ner"))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--tuning-passes", type=int, default=3, help="to choose the rate")
    parser.add_argument("--encoder", default="./assets/all-MiniLM-L6-v2")
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--train-only", action="store_true", help="without speeds and table")
    parser.add_argument("--rounds", type=int, default=5, help="of the speed measurement")
    return parser.parse_args()


def convert(corpus: Path, paths: dict[str, Path]) -> None:
    for part, path in paths.items():
        command = [sys.executable, "-m", "spacy", "bertlstm", "convert", "i2b2"]
        subprocess.run([*command, corpus / part, path], check=True)


def choose_rate(benchmark: Benchmark, name: str, passes: int, seed: int) -> float:
    """The rate with the best F1 on dev; never one at an end of what was tried."""
    guess = SYSTEMS[name].guess
    scores: dict[float, float] = {}
    new = [guess / 2, guess, guess * 2]
    while new:
        runs = [Run(name, rate, passes, seed) for rate in new]
        results = train_all(benchmark, runs)
        scores |= {run.rate: found["dev_f"] for run, found in zip(runs, results, strict=True)}
        best = max(scores, key=lambda rate: scores[rate])
        new = [best / 2] if best == min(scores) else [best * 2] if best == max(scores) else []
    tried = ", ".join(f"{rate:g}: {100 * scores[rate]:.2f}" for rate in sorted(scores))
    print(f"{name}: F1 on dev by {SYSTEMS[name].setting}: {tried}; chosen: {best:g}", flush=True)
    return best


def train_all(benchmark: Benchmark, runs: Iterable[Run]) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(benchmark.jobs) as pool:
        return list(pool.map(lambda run: train(benchmark, run), runs))


def train(benchmark: Benchmark, run: Run) -> dict[str, Any]:
    """Train and test one system once, or take the result of an earlier run from its file."""
    folder = place(benchmark, run)
    result_file = folder.with_name(folder.name + ".json")
    if result_file.exists():
        result: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
        return result
    begin = time.monotonic()
    steps = train_pipeline(benchmark, run, folder)
    nlp = spacy.load(folder / "model-best")
    result = {
        "steps": steps,
        "seconds": round(time.monotonic() - begin),
        "dev_f": nlp.meta["performance"]["ents_f"],
        "test": [entities(doc) for doc in nlp.pipe(bare_docs(nlp, benchmark.corpora["test"]))],
    }
    part = result_file.with_name(result_file.name + ".part")
    part.write_text(json.dumps(result), encoding="utf-8")
    part.replace(result_file)
    shutil.rmtree(folder)
    title = folder.name.rpartition("-")[0]
    print(f"{title}: F1 on dev {100 * result['dev_f']:.2f}, {result['seconds']} s", flush=True)
    return result


def place(benchmark: Benchmark, run: Run) -> Path:
    """The folder of a training: its name tells the run, the corpus, the encoder and the config."""
    mark = fingerprint(load_config(ROOT / SYSTEMS[run.name].config), benchmark)
    return benchmark.work / f"{run.name}-{run.rate:g}-{run.passes}-{run.seed}-{mark}"


def train_pipeline(benchmark: Benchmark, run: Run, folder: Path) -> int:
    """Train one system, its best checkpoint into `folder`/model-best; the number of its steps."""
    config = ROOT / SYSTEMS[run.name].config
    settings = benchmark.settings(run.name)
    a_pass = count_batches(load_config(config, overrides=settings))
    steps = run.passes * a_pass
    settings |= {
        "system.seed": run.seed,
        SYSTEMS[run.name].setting: run.rate,
        "training.max_steps": steps,
        "training.optimizer.learn_rate.total_steps": steps,
        "training.optimizer.learn_rate.warmup_steps": steps // 20,
        "training.eval_frequency": a_pass,
        "training.patience": 0,
    }
    options = [text for key, value in settings.items() for text in (f"--{key}", str(value))]
    options += ["--output", str(folder), "--gpu-id", str(benchmark.gpu_id)]
    threads = max(1, (os.cpu_count() or 1) // benchmark.jobs)
    with folder.with_name(folder.name + ".log").open("w", encoding="utf-8") as log:
        subprocess.run(
            [sys.executable, "-m", "spacy", "train", config, *options],
            check=True,
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )
    return steps


def fingerprint(config: Config, benchmark: Benchmark) -> str:
    digest = hashlib.sha256(f"{config.to_str()} {benchmark.encoder}".encode())
    for path in benchmark.corpora.values():
        for doc in read_docs(path, spacy.blank("en").vocab):
            digest.update(repr((doc.text, entities(doc))).encode())
    return digest.hexdigest()[:8]


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


def bare_docs(nlp: Language, path: Path) -> Iterator[Doc]:
    """The texts of a corpus, tokenized by the pipeline, without any annotation."""
    for doc in read_docs(path, nlp.vocab):
        yield nlp.make_doc(doc.text)


def entities(doc: Doc) -> list[Entity]:
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def gold_entities(path: Path) -> list[list[Entity]]:
    return [entities(doc) for doc in read_docs(path, spacy.blank("en").vocab)]


class Speeds(NamedTuple):
    """Words a second in each round, in training and in use."""

    training: list[float]
    inference: list[float]


def measure_speeds(benchmark: Benchmark, names: Iterable[str], rounds: int) -> dict[str, Speeds]:
    """Time all systems in turn, so that a busy minute of the machine strikes all of them.

    The models have learned from a few batches only: the scores do not matter here.
    """
    learners = {name: Learner(benchmark, name) for name in names}
    speeds = {name: Speeds([], []) for name in learners}
    for number in range(rounds + 1):
        for name, learner in learners.items():
            measured = learner.learn(), learner.read(benchmark.corpora["dev"])
            if number:  # the first round warms up
                for values, value in zip(speeds[name], measured, strict=True):
                    values.append(value)
    return speeds


class Learner:
    """A pipeline in training."""

    def __init__(self, benchmark: Benchmark, name: str) -> None:
        config = load_config(ROOT / SYSTEMS[name].config, overrides=benchmark.settings(name))
        self.nlp = init_nlp(config, use_gpu=benchmark.gpu_id)
        filled = self.nlp.config.interpolate()
        training = registry.resolve(filled["training"], schema=ConfigSchemaTraining)
        (corpus,) = resolve_dot_names(filled, [training["train_corpus"]])
        self.batches = create_train_batches(self.nlp, corpus, training["batcher"], 0)
        self.optimizer = training["optimizer"]
        self.annotating = training["annotating_components"]

    def learn(self) -> float:
        """Words a second over some batches."""
        words, begin = 0, time.monotonic()
        for _ in range(BATCHES_A_ROUND):
            _, batch = next(self.batches)
            words += sum(len(example) for example in batch)
            self.nlp.update(batch, drop=0.1, sgd=False, annotates=self.annotating)
            for _, pipe in self.nlp.pipeline:
                if getattr(pipe, "is_trainable", False):
                    pipe.finish_update(self.optimizer)
            self.optimizer.step_schedules()
        return words / (time.monotonic() - begin)

    def read(self, path: Path) -> float:
        """Words a second over the texts of a corpus."""
        begin = time.monotonic()
        words = sum(len(doc) for doc in self.nlp.pipe(bare_docs(self.nlp, path)))
        return words / (time.monotonic() - begin)


def print_table(
    results: dict[Run, dict[str, Any]], gold: list[list[Entity]], speeds: dict[str, Speeds]
) -> None:
    """Print Markdown: scores over all seeds together, intervals over documents, speeds."""
    names = list(speeds)
    counts = {
        run: [
            count_matches(truth, map(tuple, found))
            for truth, found in zip(gold, result["test"], strict=True)
        ]
        for run, result in results.items()
    }
    of_seeds = {name: [counts[run] for run in results if run.name == name] for name in names}
    # The counts of each document, summed over the seeds.
    pooled = {
        name: [
            [sum(column) for column in zip(*documents, strict=True)]
            for documents in zip(*tables, strict=True)
        ]
        for name, tables in of_seeds.items()
    }
    passes, seeds = {run.passes for run in results}, sorted({run.seed for run in results})
    print(
        f"\n{len(gold)} documents with {sum(map(len, gold))} entities; passes: {passes}; seeds "
        f"{seeds}, their counts summed; in brackets 95 % bootstrap intervals over documents; p: "
        "paired randomization test over documents against stock, given these seeds; words/s: "
        "medians in turn, and ratio to stock.\n"
    )
    head = ["", "rate", "P", "R", "F1", "each seed", "p", "training words/s", "inference words/s"]
    print(f"| {' | '.join(head)} |\n| {' | '.join(['---'] * len(head))} |")
    for name in names:
        title, _, setting, _ = SYSTEMS[name]
        intervals = bootstrap_intervals(pooled[name], samples=10_000)
        row = [
            title,
            next(f"{setting.split('.')[-1]} {r.rate:g}" for r in results if r.name == name),
        ]
        row += [
            f"{100 * value.estimate:.1f} ({100 * value.low:.1f}-{100 * value.high:.1f})"
            for value in intervals.values()
        ]
        row.append(
            " ".join(
                f"{100 * bootstrap_intervals(table, samples=1)['f'].estimate:.1f}"
                for table in of_seeds[name]
            )
        )
        compared = STOCK in names and name != STOCK
        row.append(f"{randomization_test(pooled[name], pooled[STOCK]):.4f}" if compared else "")
        for kind in Speeds._fields:
            speed = statistics.median(getattr(speeds[name], kind))
            ratio = ""
            if compared:
                ratio = f" ({speed / statistics.median(getattr(speeds[STOCK], kind)):.2f})"
            row.append(f"{speed:.0f}{ratio}")
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
