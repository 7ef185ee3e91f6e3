"""Compare the hybrid with its parts and with spaCy's own transformer + ner, on one corpus.

    python benchmarks/ner.py CORPUS [--work DIR] [--seeds 0 1 2] [--passes 8]

CORPUS holds train, dev and test in the i2b2 2010 format. Every system has the same encoder, data,
batches and number of passes. Each has the same number of learning rates to choose from, tried
with the first seed for half the passes; the best F1 on dev decides. Then each is trained with
every seed; the checkpoint with the best F1 on dev is the one tested.

Every training ends in a file in DIR, so that the benchmark goes on where it was stopped. The
files hold offsets and labels, never text.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import spacy
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc
from spacy.training.initialize import init_nlp
from spacy.training.loop import create_train_batches
from spacy.util import load_config, registry, resolve_dot_names

from spacy_bertlstm.evaluation.bootstrap import (
    bootstrap_intervals,
    count_matches,
    randomization_test,
)
from spacy_bertlstm.tokens.corpus import read_docs

ROOT = Path(__file__).parent.parent
PARTS = ("train", "dev", "test")
STOCK = "stock"


class System(NamedTuple):
    """What is compared: a config, and the rates of which dev chooses one."""

    title: str
    config: str
    setting: str
    rates: tuple[float, ...]


ENCODER_SCALE = "training.optimizer.encoder_scale"
LEARN_RATE = "training.optimizer.learn_rate.initial_rate"
SYSTEMS = {
    "hybrid": System("BERT + BiLSTM + CRF", "configs/ner.cfg", ENCODER_SCALE, (0.1, 0.2, 0.4)),
    "bert": System("BERT + CRF", "configs/ner_bert.cfg", ENCODER_SCALE, (0.1, 0.2, 0.4)),
    "bilstm": System("BiLSTM + CRF", "configs/ner_bilstm.cfg", LEARN_RATE, (0.0005, 0.001, 0.002)),
    STOCK: System(
        "spaCy transformer + ner", "benchmarks/stock_ner.cfg", LEARN_RATE, (1e-4, 2e-4, 4e-4)
    ),
}


def main() -> None:
    arguments = parse_arguments()
    os.chdir(ROOT)
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    corpora = convert(arguments.corpus, work)
    runs: dict[str, list[dict[str, Any]]] = {}
    for name in arguments.systems:
        rate = choose_rate(name, corpora, arguments)
        runs[name] = [
            train(name, corpora, work, rate=rate, seed=seed, passes=arguments.passes)
            for seed in arguments.seeds
        ]
    if arguments.train_only:
        return
    speeds = measure_speeds(arguments.systems, corpora, work, arguments)
    print_table(runs, gold_entities(corpora["test"]), speeds, arguments)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=lambda path: Path(path).resolve(), help="i2b2 layout")
    parser.add_argument("--work", type=Path, default=Path("training/benchmark_ner"))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--passes", type=int, default=8)
    parser.add_argument("--encoder", default="assets/all-MiniLM-L6-v2")
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--train-only", action="store_true", help="without speeds and table")
    parser.add_argument("--rounds", type=int, default=5, help="of the speed measurement")
    return parser.parse_args()


def convert(corpus: Path, work: Path) -> dict[str, Path]:
    corpora = {part: work / f"{part}.spacy" for part in PARTS}
    for part, path in corpora.items():
        if not path.exists():
            bertlstm = [sys.executable, "-m", "spacy", "bertlstm"]
            subprocess.run([*bertlstm, "convert", "i2b2", corpus / part, path], check=True)
    return corpora


def choose_rate(name: str, corpora: dict[str, Path], arguments: argparse.Namespace) -> float:
    """The rate with the best F1 on dev after half the passes, with the first seed."""
    scores = {}
    for rate in SYSTEMS[name].rates:
        run = train(
            name,
            corpora,
            arguments.work,
            rate=rate,
            seed=arguments.seeds[0],
            passes=math.ceil(arguments.passes / 2),
        )
        scores[rate] = run["dev_f"]
    best = max(scores, key=lambda rate: scores[rate])
    tried = ", ".join(f"{rate:g}: {100 * score:.2f}" for rate, score in scores.items())
    print(f"{name}: F1 on dev by rate: {tried}; chosen: {best:g}", flush=True)
    return best


def train(
    name: str, corpora: dict[str, Path], work: Path, *, rate: float, seed: int, passes: int
) -> dict[str, Any]:
    """Train and test one system once, or take the result of an earlier run from its file."""
    folder = work / f"{name}-{rate:g}-{passes}-{seed}"
    result_file = folder.with_suffix(folder.suffix + ".json")
    if result_file.exists():
        result: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
        return result
    settings = make_settings(name, corpora, rate=rate, seed=seed, passes=passes)
    print(f"{folder.name}: {settings['training.max_steps']} batches", flush=True)
    options = [text for key, value in settings.items() for text in (f"--{key}", str(value))]
    command = [sys.executable, "-m", "spacy", "train", SYSTEMS[name].config, "--output", folder]
    begin = time.monotonic()
    with (work / f"{folder.name}.log").open("w", encoding="utf-8") as log:
        subprocess.run([*command, *options], check=True, stdout=log, stderr=log)
    seconds = time.monotonic() - begin
    nlp = spacy.load(folder / "model-best")
    result = {
        "system": name,
        "rate": rate,
        "seed": seed,
        "passes": passes,
        "seconds": round(seconds),
        "dev_f": nlp.meta["performance"]["ents_f"],
        "test": [entities(doc) for doc in nlp.pipe(bare_docs(nlp, corpora["test"]))],
    }
    part = result_file.with_suffix(".part")
    part.write_text(json.dumps(result), encoding="utf-8")
    part.replace(result_file)
    shutil.rmtree(folder / "model-last")
    print(f"{folder.name}: F1 on dev {100 * result['dev_f']:.2f}, {seconds:.0f} s", flush=True)
    return result


def make_settings(
    name: str, corpora: dict[str, Path], *, rate: float, seed: int, passes: int
) -> dict[str, Any]:
    """Overrides of a system's config: the rate and the seed, and steps that make the passes."""
    settings: dict[str, Any] = {
        "paths.train": str(corpora["train"]),
        "paths.dev": str(corpora["dev"]),
        "system.seed": seed,
        SYSTEMS[name].setting: rate,
    }
    config = load_config(ROOT / SYSTEMS[name].config, overrides={"paths.train": "x"})
    a_pass = count_batches(config, corpora["train"])
    steps = passes * a_pass
    return {
        **settings,
        "training.max_steps": steps,
        "training.optimizer.learn_rate.total_steps": steps,
        "training.optimizer.learn_rate.warmup_steps": steps // 20,
        "training.eval_frequency": a_pass,
        "training.patience": 0,
    }


def count_batches(config: Any, path: Path) -> int:
    reader = registry.resolve({"reader": {**config["corpora"]["train"], "path": str(path)}})
    batcher = registry.resolve({"batcher": config["training"]["batcher"]})["batcher"]
    return len(list(batcher(list(reader["reader"](spacy.blank("en"))))))


def bare_docs(nlp: Language, path: Path) -> Iterator[Doc]:
    """The texts of a corpus, tokenized by the pipeline, without any annotation."""
    for doc in read_docs(path, nlp.vocab):
        yield nlp.make_doc(doc.text)


def entities(doc: Doc) -> list[tuple[int, int, str]]:
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def gold_entities(path: Path) -> list[list[tuple[int, int, str]]]:
    return [entities(doc) for doc in read_docs(path, spacy.blank("en").vocab)]


class Speeds(NamedTuple):
    """Words a second in each round, in training and in use."""

    training: list[float]
    inference: list[float]


def measure_speeds(
    names: Iterable[str], corpora: dict[str, Path], work: Path, arguments: argparse.Namespace
) -> dict[str, Speeds]:
    """Time all systems in turn, so that a busy minute of the machine strikes all of them."""
    models, batches, optimizers = {}, {}, {}
    for name in names:
        settings = make_settings(name, corpora, rate=SYSTEMS[name].rates[0], seed=0, passes=8)
        config = load_config(ROOT / SYSTEMS[name].config, overrides=settings)
        nlp = models[name] = init_nlp(config, use_gpu=arguments.gpu_id)
        filled = nlp.config.interpolate()
        training = registry.resolve(filled["training"], schema=ConfigSchemaTraining)
        (corpus,) = resolve_dot_names(filled, [training["train_corpus"]])
        batches[name] = create_train_batches(nlp, corpus, training["batcher"], 0)
        optimizers[name] = training["optimizer"], training["annotating_components"]
    speeds = {name: Speeds([], []) for name in names}
    for number in range(arguments.rounds + 1):
        for name, nlp in models.items():
            words, begin = 0, time.monotonic()
            optimizer, annotating = optimizers[name]
            for _ in range(8):
                _, batch = next(batches[name])
                words += sum(len(example) for example in batch)
                nlp.update(batch, drop=0.1, sgd=False, annotates=annotating)
                for _, pipe in nlp.pipeline:
                    if getattr(pipe, "is_trainable", False):
                        pipe.finish_update(optimizer)
                optimizer.step_schedules()
            training = words / (time.monotonic() - begin)
            words, begin = 0, time.monotonic()
            for doc in nlp.pipe(bare_docs(nlp, corpora["dev"])):
                words += len(doc)
            inference = words / (time.monotonic() - begin)
            if number:  # the first round warms up
                speeds[name].training.append(training)
                speeds[name].inference.append(inference)
    return speeds


def print_table(
    runs: dict[str, list[dict[str, Any]]],
    gold: list[list[tuple[int, int, str]]],
    speeds: dict[str, Speeds],
    arguments: argparse.Namespace,
) -> None:
    """Print Markdown: scores over all seeds together, intervals over documents, ratios."""
    counts = {
        name: [
            [sum(column) for column in zip(*of_seeds, strict=True)]
            for of_seeds in zip(
                *(count_documents(gold, run["test"]) for run in of_name), strict=True
            )
        ]
        for name, of_name in runs.items()
    }
    print(
        f"\nTest part: {len(gold)} documents, {sum(map(len, gold))} entities; "
        f"{arguments.passes} passes, seeds {' '.join(map(str, arguments.seeds))}, pooled; "
        "95 % bootstrap intervals over documents; p: paired randomization test against stock; "
        "words/s as ratios to stock, medians in turn.\n"
    )
    print("| | rate | P | R | F1 | each seed | p | training | inference |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, table in counts.items():
        intervals = bootstrap_intervals(table, samples=10_000)
        cells = [
            f"{100 * found.estimate:.1f} ({100 * found.low:.1f}-{100 * found.high:.1f})"
            for found in (intervals[key] for key in "prf")
        ]
        seeds = " ".join(
            f"{100 * bootstrap_intervals(count_documents(gold, run['test']))['f'].estimate:.1f}"
            for run in runs[name]
        )
        p = ratios = ""
        if STOCK in counts:
            if name != STOCK:
                p = f"{randomization_test(table, counts[STOCK]):.4f}"
            ratios = " | ".join(
                f"{statistics.median(own) / statistics.median(stock):.2f}"
                for own, stock in zip(speeds[name], speeds[STOCK], strict=True)
            )
        rate = runs[name][0]["rate"]
        print(
            f"| {SYSTEMS[name].title} | {rate:g} | {' | '.join(cells)} | {seeds} | {p} | {ratios} |"
        )


def count_documents(
    gold: list[list[tuple[int, int, str]]], predicted: list[list[list[Any]]]
) -> list[tuple[int, int, int]]:
    return [
        count_matches(truth, map(tuple, found))
        for truth, found in zip(gold, predicted, strict=True)
    ]


if __name__ == "__main__":
    main()
