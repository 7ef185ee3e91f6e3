"""Compare entities and assertions on one encoder with entities alone.

    python benchmarks/joint.py CORPUS [--seeds 0 1 2] [--passes 5] [--rounds 5]

CORPUS holds train, dev and test in the i2b2 2010 format. configs/ner.cfg and configs/clinical.cfg,
without its relations, are trained with the same data, passes and seeds; the pipelines of the first
seed then read the test part in turn. Every training ends in a file in DIR, so that the benchmark
goes on where it was stopped.
"""

import argparse
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import spacy
from ner import bare_docs, entities
from spacy.language import Language
from spacy.training import Example
from spacy.util import load_config
from thinc.api import Config
from trainings import (
    PARTS,
    ROOT,
    Trainer,
    Training,
    add_options,
    as_place,
    convert_parts,
    pool,
    pool_values,
    print_row,
    write_config,
)

from spacy_bertlstm.evaluation.assertions import count_values
from spacy_bertlstm.evaluation.bootstrap import (
    bootstrap_intervals,
    count_matches,
    randomization_test,
)
from spacy_bertlstm.evaluation.reports import report_counts
from spacy_bertlstm.tokens.corpus import read_docs

NER, CLINICAL = "configs/ner.cfg", "configs/clinical.cfg"
ALONE, JOINT = "entities alone", "entities and assertions"
TYPES = ("problem",)  # that have an assertion


def main() -> None:
    arguments = parse_arguments()
    os.chdir(ROOT)
    work: Path = arguments.work
    sources = {part: arguments.corpus / part for part in PARTS}
    corpora = convert_parts("i2b2", sources, work)
    joint = without_relations(load_config(ROOT / CLINICAL))
    configs = {ALONE: NER, JOINT: write_config(joint, work / "joint.cfg")}
    runs = [(name, seed) for seed in arguments.seeds for name in configs]
    settings = {"paths.encoder": arguments.encoder}
    trainings = [
        Training(name.replace(" ", "_"), configs[name], settings, corpora, arguments.passes, seed)
        for name, seed in runs
    ]
    first, *_ = arguments.seeds

    def place(training: Training) -> Path:
        return work / f"{training.name}.model"

    def judge(training: Training, nlp: Language) -> dict[str, Any]:
        if training.seed == first:
            shutil.rmtree(place(training), ignore_errors=True)
            shutil.copytree(nlp.path, place(training))
        return count(training, nlp)

    trainer = Trainer(work, judge, arguments.gpu_id, arguments.jobs)
    results = dict(zip(runs, trainer.train_all(trainings), strict=True))
    print_scores(results, arguments.seeds)
    pipelines = {name: spacy.load(place(t)) for (name, _), t in zip(runs, trainings, strict=True)}
    print_times(pipelines, corpora["test"], arguments.rounds)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=as_place, help="i2b2 layout")
    add_options(parser, "benchmark_joint")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5, help="of the measurement of time")
    return parser.parse_args()


def without_relations(config: Config) -> Config:
    changed = config.copy()
    changed["nlp"]["pipeline"].remove("relations")
    del changed["components"]["relations"]
    weights = changed["training"]["score_weights"]
    changed["training"]["score_weights"] = {
        key: value for key, value in weights.items() if not key.startswith("rel_")
    }
    return changed


def count(training: Training, nlp: Language) -> dict[str, Any]:
    """True positives, false positives and false negatives in each document of the test part."""
    path = training.corpora["test"]
    golds = read_docs(path, nlp.vocab)
    pairs = zip(nlp.pipe(bare_docs(nlp, path)), golds, strict=True)
    examples = [Example(doc, gold) for doc, gold in pairs]
    counts: dict[str, Any] = {
        "entities": [
            count_matches(entities(eg.reference), entities(eg.predicted)) for eg in examples
        ]
    }
    if "assertion" in nlp.pipe_names:
        counts["assertion"] = [count_values(eg, "assertion", None, TYPES) for eg in examples]
    return counts


def print_scores(results: dict[tuple[str, int], dict[str, Any]], seeds: list[int]) -> None:
    def gather(name: str, key: str) -> list[Any]:
        return [results[name, seed][key] for seed in seeds]

    tables = {name: pool(gather(name, "entities")) for name in (ALONE, JOINT)}
    print(
        f"\n{len(tables[ALONE])} documents; seeds {seeds}, their counts summed; in brackets 95 % "
        "bootstrap intervals over documents; p: paired randomization test over documents, given "
        "these seeds.\n"
    )
    print_row(["", "P", "R", "F1", "each seed"])
    print_row(["---"] * 5)
    for name, table in tables.items():
        each = [bootstrap_intervals(own, samples=1)["f"] for own in gather(name, "entities")]
        shown = " ".join(f"{100 * f1.estimate:.1f}" for f1 in each)
        print_row([name, *bootstrap_intervals(table, samples=10_000).values(), shown])
    print(f"\np of the difference: {randomization_test(tables[ALONE], tables[JOINT]):.4f}")
    summed = pool_values(gather(JOINT, "assertion"))
    report = report_counts("", summed, prefix="", samples=10_000, seed=0)
    print("\nAssertions end to end: an entity that was not found is a miss.\n")
    print_row([*report.rows, "macro F1"])
    print_row(["---"] * (1 + len(report.rows)))
    print_row([*(row["F1"] for row in report.rows.values()), report.figures["macro F1"]])


def print_times(pipelines: dict[str, Language], path: Path, rounds: int) -> None:
    """Let the pipelines read the texts of a file in turn."""
    texts = [doc.text for doc in read_docs(path, spacy.blank("en").vocab)]
    seconds: dict[str, list[float]] = {name: [] for name in pipelines}
    for number in range(rounds + 1):
        for name, nlp in pipelines.items():
            begin = time.perf_counter()
            for _ in nlp.pipe(texts):
                pass
            if number:  # the first round warms up
                seconds[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratio = medians[JOINT] / medians[ALONE]
    print(f"\nTime of {JOINT} to that of {ALONE}, medians of {rounds} in turn: {ratio:.3f}")


if __name__ == "__main__":
    main()
