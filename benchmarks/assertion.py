"""Compare the assertion head with rules, on the gold entities of a corpus.

    python benchmarks/assertion.py CORPUS [--negspacy-python P] [--medspacy-python P]

CORPUS holds train, dev and test in the i2b2 2010 format. The rules are negspacy with its clinical
terms and medspaCy's ConText as it comes, each in an environment of its own; they are given the
sentences that the head sees. Every training ends in a file in DIR, so that the benchmark goes on
where it was stopped. The head's `balance` is
chosen on dev, with the first seed.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import load_config
from trainings import (
    PARTS,
    ROOT,
    Trainer,
    Training,
    add_options,
    as_place,
    convert_parts,
    pool_values,
    print_row,
    tune,
    without_bilstm,
    write_config,
)

from spacy_bertlstm.evaluation.bootstrap import randomization_test
from spacy_bertlstm.evaluation.reports import Counts, report_counts
from spacy_bertlstm.text.sentences import find_sentence_starts
from spacy_bertlstm.tokens.corpus import give_spans, read_docs

CONFIG = "configs/assertion.cfg"
TYPE = "problem"
BALANCE, BALANCES = "components.assertion.balance", (0.5, 1.0)
RULES = ("negspacy", "medspacy")
# The value of each gold problem, in a list for each document; None where nothing was said.
Values = list[list[str | None]]


def main() -> None:
    arguments = parse_arguments()
    os.chdir(ROOT)
    work: Path = arguments.work
    sources = {part: arguments.corpus / part for part in PARTS}
    corpora = convert_parts("i2b2", sources, work)
    gold = [[span._.assertion for span in problems(doc)] for doc in read_gold(corpora["test"])]
    trainer = Trainer(work, find_values, arguments.gpu_id, arguments.jobs)
    first, *_ = arguments.seeds

    def make(name: str, config: str, seed: int, balance: float) -> Training:
        settings = {
            "paths.encoder": arguments.encoder,
            BALANCE: balance,
            "training.score_weights.assertion_micro_f": 0.0,
            "training.score_weights.assertion_macro_f": 1.0,
        }
        return Training(name, config, settings, corpora, arguments.passes, seed)

    balance = tune(
        trainer,
        lambda value: make("BiLSTM", CONFIG, first, value),
        BALANCES,
        title="balance",
        score="assertion_macro_f",
    )
    without = without_bilstm(load_config(ROOT / CONFIG), "assertion")
    configs = {
        "BiLSTM": CONFIG,
        "no BiLSTM": write_config(without, work / "without_bilstm.cfg"),
    }
    trainings = [
        make(name, config, seed, balance)
        for seed in arguments.seeds
        for name, config in configs.items()
    ]
    systems: dict[str, list[Values]] = {name: [] for name in configs}
    for training, result in zip(trainings, trainer.train_all(trainings), strict=True):
        systems[training.name].append(result["test"])
    for name in RULES:
        if python := getattr(arguments, f"{name}_python"):
            # Once for each seed, so that the sums compare.
            systems[name] = [ask_rules(name, python, corpora["test"])] * len(arguments.seeds)
    print_table(systems, gold, arguments.seeds)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=as_place, help="i2b2 layout")
    add_options(parser, "benchmark_assertion")
    parser.add_argument("--passes", type=int, default=6)
    for name in RULES:
        parser.add_argument(f"--{name}-python", type=os.path.abspath, help="where it is installed")
    return parser.parse_args()


def read_gold(path: Path) -> list[Doc]:
    return list(read_docs(path, spacy.blank("en").vocab))


def problems(doc: Doc) -> list[Span]:
    return [ent for ent in doc.ents if ent.label_ == TYPE]


def find_values(training: Training, nlp: Language) -> dict[str, Any]:
    """What a pipeline says of the gold problems of the test part."""
    gold = read_gold(training.corpora["test"])
    docs = [nlp.make_doc(doc.text) for doc in gold]
    for doc, of_gold in zip(docs, gold, strict=True):
        give_spans(of_gold, doc)
    values: Values = []
    for doc, of_gold in zip(nlp.pipe(docs), gold, strict=True):
        found = {(ent.start_char, ent.end_char): ent._.assertion for ent in problems(doc)}
        values.append([found.get((ent.start_char, ent.end_char)) for ent in problems(of_gold)])
    return {"test": values}


def ask_rules(name: str, python: str, path: Path) -> Values:
    documents = [
        {
            "text": doc.text,
            "sentences": find_sentence_starts(doc.text),
            "entities": [(ent.start_char, ent.end_char) for ent in problems(doc)],
        }
        for doc in read_gold(path)
    ]
    answer = subprocess.run(
        [python, ROOT / "benchmarks" / "context_worker.py", name],
        input=json.dumps(documents),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    values: Values = json.loads(answer.stdout)
    return values


def count(gold: Values, found: Values) -> list[Counts]:
    """True positives, false positives and false negatives of each value, by document."""
    names = sorted({value for values in gold for value in values if value is not None})
    counts = []
    for wanted, given in zip(gold, found, strict=True):
        pairs = list(zip(wanted, given, strict=True))
        counts.append(
            {
                name: (
                    sum(pair == (name, name) for pair in pairs),
                    sum(given == name != wanted for wanted, given in pairs),
                    sum(wanted == name != given for wanted, given in pairs),
                )
                for name in names
            }
        )
    return counts


def print_table(systems: dict[str, list[Values]], gold: Values, seeds: list[int]) -> None:
    """Print Markdown: F1 of each value and their mean, with intervals; the tests against rules."""
    number = {
        name: sum(values.count(name) for values in gold) for values in gold for name in values
    }
    held = ", ".join(f"{number[name]} {name}" for name in sorted(number, key=number.get))
    print(
        f"\n{len(gold)} documents with {sum(map(len, gold))} problems ({held}), which are given; "
        f"seeds {seeds}, their counts summed; in brackets 95 % bootstrap intervals over "
        "documents; p: paired randomization test over documents against the BiLSTM, given "
        "these seeds.\n"
    )
    counts = {
        name: pool_values([count(gold, found) for found in runs]) for name, runs in systems.items()
    }
    ours = counts["BiLSTM"]
    names = sorted(number)
    print_row(["", *(f"F1 {name}" for name in names), "macro F1", *(f"p {name}" for name in names)])
    print_row(["---"] * (2 + 2 * len(names)))
    for system, documents in counts.items():
        report = report_counts("", documents, prefix="", samples=10_000, seed=0)
        cells = [*(report.rows[name]["F1"] for name in names), report.figures["macro F1"]]
        tests = [
            randomization_test([doc[name] for doc in ours], [doc[name] for doc in documents])
            for name in names
        ]
        shown = [f"{p:.4f}" if documents is not ours else "" for p in tests]
        print_row([system, *cells, *shown])


if __name__ == "__main__":
    main()
