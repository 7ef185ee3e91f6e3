"""Compare the hybrid with its parts and with spaCy's own transformer + ner, on one corpus.

    python benchmarks/ner.py CORPUS [--work DIR] [--seeds 0 1 2] [--passes 6] [--jobs 1]
    python benchmarks/ner.py CORPUS --speeds-only

CORPUS holds train, dev and test in the i2b2 2010 format. Every system has the same encoder, data,
batches and number of passes. Its learning rate is chosen on dev, with the first seed and a part of
the passes: three are tried, and while the best is the lowest or the highest, one beyond it. Then
each system is trained with every seed; the checkpoint with the best F1 on dev is tested.

Every training ends in a file in DIR, so that the benchmark goes on where it was stopped.
"""

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import spacy
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc
from spacy.training.initialize import init_nlp
from spacy.training.loop import create_train_batches
from spacy.util import load_config, registry, resolve_dot_names
from trainings import (
    PARTS,
    ROOT,
    Trainer,
    Training,
    add_options,
    as_place,
    convert_parts,
    pool,
    print_row,
    tune,
)

from spacy_bertlstm.evaluation.bootstrap import (
    bootstrap_intervals,
    count_matches,
    randomization_test,
)
from spacy_bertlstm.tokens.corpus import read_docs

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


class Run(NamedTuple):
    """One row of results."""

    name: str
    seed: int


def main() -> None:
    arguments = parse_arguments()
    os.chdir(ROOT)
    work: Path = arguments.work
    sources = {part: arguments.corpus / part for part in PARTS}
    corpora = convert_parts("i2b2", sources, work)
    trainer = Trainer(work, find_entities, arguments.gpu_id, arguments.jobs)
    make = partial(make_training, corpora=corpora, encoder=arguments.encoder)
    first, *_ = arguments.seeds

    def measure(rates: dict[str, float]) -> dict[str, Speeds]:
        learners = {
            name: Learner(make(name, rates[name], passes=1, seed=first), arguments.gpu_id)
            for name in arguments.systems
        }
        return measure_speeds(learners, corpora["dev"], arguments.rounds)

    if arguments.speeds_only:
        print_speeds(measure({name: SYSTEMS[name].guess for name in arguments.systems}))
        return
    rates = {
        name: tune(
            trainer,
            partial(make, name, passes=arguments.tuning_passes, seed=first),
            [SYSTEMS[name].guess * factor for factor in (0.5, 1, 2)],
            title=f"{SYSTEMS[name].setting} of {name}",
            score="ents_f",
            widen=True,
        )
        for name in arguments.systems
    }
    # By seed first: what is there after a kill can be compared.
    runs = [Run(name, seed) for seed in arguments.seeds for name in arguments.systems]
    trainings = [
        make(run.name, rates[run.name], passes=arguments.passes, seed=run.seed) for run in runs
    ]
    results = dict(zip(runs, trainer.train_all(trainings), strict=True))
    if arguments.train_only:
        return
    speeds = measure(rates)
    print(f"\nPasses: {arguments.passes}.", end=" ")
    print_table(results, rates, gold_entities(corpora["test"]), speeds)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=as_place, help="i2b2 layout")
    add_options(parser, "benchmark_ner")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--tuning-passes", type=int, default=3, help="to choose the rate")
    parser.add_argument("--train-only", action="store_true", help="without speeds and table")
    parser.add_argument("--speeds-only", action="store_true", help="without whole trainings")
    parser.add_argument("--rounds", type=int, default=5, help="of the speed measurement")
    return parser.parse_args()


def make_training(
    name: str, rate: float, *, corpora: dict[str, Path], encoder: str, passes: int, seed: int
) -> Training:
    """A training of one of the SYSTEMS at a rate."""
    system = SYSTEMS[name]
    settings = {**fixed_settings(name, encoder), system.setting: rate}
    return Training(f"{name}-{rate:g}", system.config, settings, corpora, passes, seed)


def fixed_settings(name: str, encoder: str) -> dict[str, Any]:
    """Overrides of a system's config that do not depend on the training."""
    paths = load_config(ROOT / SYSTEMS[name].config)["paths"]
    return {"paths.encoder": encoder} if "encoder" in paths else {}


def find_entities(training: Training, nlp: Language) -> dict[str, Any]:
    """What a pipeline finds in the test part."""
    docs = nlp.pipe(bare_docs(nlp, training.corpora["test"]))
    return {"test": [entities(doc) for doc in docs]}


def bare_docs(nlp: Language, path: Path) -> Iterator[Doc]:
    """The texts of a corpus, tokenized by the pipeline, without any annotation."""
    for doc in read_docs(path, nlp.vocab):
        yield nlp.make_doc(doc.text)


def entities(doc: Doc) -> list[Entity]:
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def gold_entities(path: Path) -> list[list[Entity]]:
    return [entities(doc) for doc in read_docs(path, spacy.blank("en").vocab)]


class Speeds(NamedTuple):
    """Tokens a second in each round, in training and in use."""

    training: list[float]
    inference: list[float]


def measure_speeds(learners: dict[str, "Learner"], path: Path, rounds: int) -> dict[str, Speeds]:
    """Time all systems in turn, so that a busy minute of the machine strikes all of them.

    The models have learned from a few batches only: the scores do not matter here.
    """
    speeds = {name: Speeds([], []) for name in learners}
    for number in range(rounds + 1):
        for name, learner in learners.items():
            measured = learner.learn(), learner.read(path)
            if number:  # the first round warms up
                for values, value in zip(speeds[name], measured, strict=True):
                    values.append(value)
    return speeds


class Learner:
    """A pipeline in training."""

    def __init__(self, training: Training, gpu_id: int) -> None:
        config = load_config(ROOT / training.config, overrides=training.overrides)
        self.nlp = init_nlp(config, use_gpu=gpu_id)
        filled = self.nlp.config.interpolate()
        training = registry.resolve(filled["training"], schema=ConfigSchemaTraining)
        (corpus,) = resolve_dot_names(filled, [training["train_corpus"]])
        self.batches = create_train_batches(self.nlp, corpus, training["batcher"], 0)
        self.optimizer = training["optimizer"]
        self.annotating = training["annotating_components"]

    def learn(self) -> float:
        """Tokens a second over some batches."""
        tokens, begin = 0, time.monotonic()
        for _ in range(BATCHES_A_ROUND):
            _, batch = next(self.batches)
            tokens += sum(len(example) for example in batch)
            self.nlp.update(batch, drop=0.1, sgd=False, annotates=self.annotating)
            for _, pipe in self.nlp.pipeline:
                if getattr(pipe, "is_trainable", False):
                    pipe.finish_update(self.optimizer)
            self.optimizer.step_schedules()
        return tokens / (time.monotonic() - begin)

    def read(self, path: Path) -> float:
        """Tokens a second over the texts of a corpus."""
        begin = time.monotonic()
        tokens = sum(len(doc) for doc in self.nlp.pipe(bare_docs(self.nlp, path)))
        return tokens / (time.monotonic() - begin)


def print_table(
    results: dict[Run, dict[str, Any]],
    rates: dict[str, float],
    gold: list[list[Entity]],
    speeds: dict[str, Speeds],
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
    pooled = {name: pool(tables) for name, tables in of_seeds.items()}
    seeds = sorted({run.seed for run in results})
    print(
        f"{len(gold)} documents with {sum(map(len, gold))} entities; seeds {seeds}, their counts "
        "summed; in brackets 95 % bootstrap intervals over documents; p: paired randomization "
        "test over documents against the first row, given these seeds; F1 on dev: of the "
        "checkpoint, with each seed; tokens/s: medians in turn, and ratio to stock.\n"
    )
    head = ["", "rate", "P", "R", "F1", "each seed", "p", "F1 on dev"]
    head += ["training tokens/s", "inference tokens/s"]
    print_row(head)
    print_row(["---"] * len(head))
    first = names[0]
    for name in names:
        title, _, setting, _ = SYSTEMS[name]
        each = [bootstrap_intervals(table, samples=1)["f"].estimate for table in of_seeds[name]]
        on_dev = [result["dev"]["ents_f"] for run, result in results.items() if run.name == name]
        p = "" if name == first else f"{randomization_test(pooled[first], pooled[name]):.4f}"
        print_row(
            [
                title,
                f"{setting.split('.')[-1]} {rates[name]:g}",
                *bootstrap_intervals(pooled[name], samples=10_000).values(),
                show_scores(each),
                p,
                show_scores(on_dev),
                *show_speeds(speeds, name),
            ]
        )


def show_scores(scores: list[float]) -> str:
    """Scores in percent, with each seed."""
    return " ".join(f"{100 * score:.1f}" for score in scores)


def print_speeds(speeds: dict[str, Speeds]) -> None:
    """Print Markdown: medians in turn, and ratios to stock."""
    print_row(["", "training tokens/s", "inference tokens/s"])
    print_row(["---"] * 3)
    for name in speeds:
        print_row([SYSTEMS[name].title, *show_speeds(speeds, name)])


def show_speeds(speeds: dict[str, Speeds], name: str) -> list[str]:
    """Tokens a second in training and in use, with the ratio to stock where it was measured."""
    shown = []
    for kind in Speeds._fields:
        speed = statistics.median(getattr(speeds[name], kind))
        ratio = ""
        if STOCK in speeds and name != STOCK:
            ratio = f" ({speed / statistics.median(getattr(speeds[STOCK], kind)):.2f})"
        shown.append(f"{speed:.0f}{ratio}")
    return shown


if __name__ == "__main__":
    main()
