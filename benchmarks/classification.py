"""Compare categories of whole texts with those of TF-IDF and logistic regression, over folds.

    python benchmarks/classification.py CSV [--systems BERT+BiLSTM] [--passes 3] [--folds 5]

CSV has a text and its one label a row. A text that stands there twice counts once; one with two
labels is left out. Each fold's test part is a share of the texts, stratified; a tenth of the others
is dev, on which the checkpoint is chosen, and the features, C and weights of the peer, which is
scikit-learn's. In a second row it learns from dev as well. The encoder's rate is chosen on the
first fold's dev. The test parts together are the whole corpus.

It needs `pip install ".[benchmarks]"`. Every training ends in a file in DIR, so that the benchmark
goes on where it was stopped.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import spacy
from ner import bare_docs
from spacy.language import Language
from spacy.util import load_config
from trainings import (
    PARTS,
    ROOT,
    Trainer,
    Training,
    add_options,
    as_place,
    convert,
    print_row,
    tune,
    without_bilstm,
    write_config,
)

from spacy_bertlstm.evaluation.bootstrap import as_interval, draw_documents, randomization_test
from spacy_bertlstm.evaluation.categories import CategoryFigures, sample_figures
from spacy_bertlstm.tokens.corpus import held_categories, read_docs

CONFIG = "configs/textcat.cfg"
# Of its labels one holds.
EXCLUSIVE = {
    "components.textcat.factory": "textcat",
    "components.textcat.scorer": {"@scorers": "spacy.textcat_scorer.v2"},
    "components.textcat.threshold": 0.0,
    "components.textcat.model.exclusive_classes": True,
}
OURS, WITHOUT = "BERT+BiLSTM", "BERT"
ON_TRAIN, ON_BOTH = "TF-IDF + regression", "TF-IDF + regression, train and dev"
SCALES = (0.05, 0.1, 0.2)
NGRAMS = (1, 2)  # the longest
WEIGHTS = (None, "balanced")
COSTS = (0.0625, 0.25, 1.0, 4.0, 16.0)  # the regression's C
SAMPLES = 2000
AUC = "macro AUC"


class Part(NamedTuple):
    """Texts, and the number of the label of each."""

    texts: list[str]
    labels: numpy.ndarray


def main() -> None:
    arguments = parse_arguments()
    os.chdir(ROOT)
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    labels = write_distinct(arguments, work / "texts.csv")
    folds = split(work, arguments.folds)
    bare = without_bilstm(load_config(ROOT / CONFIG), "textcat")
    every = {OURS: CONFIG, WITHOUT: write_config(bare, work / "without_bilstm.cfg")}
    configs = {name: every[name] for name in arguments.systems}
    trainer = Trainer(work, score_texts, arguments.gpu_id, arguments.jobs)
    first, *_ = arguments.seeds

    def make(name: str, fold: int, seed: int, scale: float) -> Training:
        settings = EXCLUSIVE | {
            "paths.encoder": arguments.encoder,
            "training.optimizer.encoder_scale": scale,
        }
        title = f"{name}-{scale:g}-fold-{fold}"
        return Training(title, configs[name], settings, folds[fold], arguments.passes, seed)

    scales = {
        name: tune(
            trainer,
            partial(make, name, 0, first),
            arguments.scales,
            title=f"encoder_scale, {name}",
            score="cats_macro_f",
        )
        for name in configs
    }
    runs = list(product(arguments.seeds, range(len(folds)), configs))
    results = trainer.train_all([make(name, fold, seed, scales[name]) for seed, fold, name in runs])
    # By system, seed and fold, (n_texts, n_labels).
    scores: dict[str, dict[int, list[numpy.ndarray]]] = defaultdict(lambda: defaultdict(list))
    for (seed, _, name), result in zip(runs, results, strict=True):
        order = [result["labels"].index(label) for label in labels]
        scores[name][seed].append(numpy.asarray(result["test"])[:, order])
    for name, of_folds in regress(folds, labels).items():
        scores[name] = {first: of_folds}
    gold = [read_part(fold["test"], labels).labels for fold in folds]
    print_tables({name: list(of.values()) for name, of in scores.items()}, gold, labels)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("csv", type=as_place)
    parser.add_argument("--text-column", default="medical_abstract")
    parser.add_argument("--label-column", default="condition_label")
    add_options(parser, "benchmark_classification")
    parser.set_defaults(seeds=[0])
    parser.add_argument("--systems", nargs="+", choices=[OURS, WITHOUT], default=[OURS, WITHOUT])
    parser.add_argument("--scales", nargs="+", type=float, default=SCALES, help="of the encoder")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--folds", type=int, default=5)
    return parser.parse_args()


def write_distinct(arguments: argparse.Namespace, target: Path) -> list[str]:
    """Write each text with one label to a table; the labels."""
    found: dict[str, set[str]] = defaultdict(set)
    with arguments.csv.open(encoding="utf-8", newline="") as file:
        rows = [
            (row[arguments.text_column], row[arguments.label_column])
            for row in csv.DictReader(file)
        ]
    for text, label in rows:
        found[text].add(label)
    distinct = [(text, *labels) for text, labels in found.items() if len(labels) == 1]
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *distinct])
    print(
        f"{len(rows)} rows, {len(found)} texts; without the {len(found) - len(distinct)} that have "
        f"two labels {len(distinct)}",
        flush=True,
    )
    return sorted({label for _, label in distinct})


def split(work: Path, folds: int) -> list[dict[str, Path]]:
    """The files of each fold's parts."""
    convert("csv", work / "texts.csv", work / "texts.spacy")
    command = [sys.executable, "-m", "spacy", "bertlstm", "split", work / "texts.spacy", work]
    subprocess.run([*command, "--folds", str(folds), "--ratio", "9", "1", "0"], check=True)
    return [
        {part: work / f"fold-{fold}" / f"{part}.spacy" for part in PARTS} for fold in range(folds)
    ]


def score_texts(training: Training, nlp: Language) -> dict[str, Any]:
    """The scores of a pipeline's labels on the test part."""
    labels = nlp.get_pipe("textcat").labels
    docs = nlp.pipe(bare_docs(nlp, training.corpora["test"]))
    return {"labels": labels, "test": [[doc.cats[label] for label in labels] for doc in docs]}


def read_part(path: Path, labels: list[str]) -> Part:
    docs = list(read_docs(path, spacy.blank("en").vocab))
    numbers = [labels.index(label) for doc in docs for label in held_categories(doc)]
    return Part([doc.text for doc in docs], numpy.asarray(numbers))


def regress(folds: list[dict[str, Path]], labels: list[str]) -> dict[str, list[numpy.ndarray]]:
    """The peer's scores on each fold's test part, learned from train, and from train and dev."""
    scores: dict[str, list[numpy.ndarray]] = {ON_TRAIN: [], ON_BOTH: []}
    for number, fold in enumerate(folds):
        train, dev, test = (read_part(fold[part], labels) for part in PARTS)
        both = Part(train.texts + dev.texts, numpy.concatenate([train.labels, dev.labels]))
        tried = {
            (longest, weights, cost): macro_f1(
                fit(train, dev.texts, longest, weights, cost), dev.labels, labels
            )
            for longest, weights, cost in product(NGRAMS, WEIGHTS, COSTS)
        }
        best = max(tried, key=lambda settings: tried[settings])
        longest, weights, cost = best
        print(
            f"TF-IDF, fold {number}: 1-{longest}-grams, weights {weights}, C {cost:g}: "
            f"macro F1 on dev {100 * tried[best]:.2f}",
            flush=True,
        )
        scores[ON_TRAIN].append(fit(train, test.texts, *best))
        scores[ON_BOTH].append(fit(both, test.texts, *best))
    return scores


def fit(
    train: Part, texts: list[str], longest: int, weights: str | None, cost: float
) -> numpy.ndarray:
    """Learn from texts, and score others, (n_texts, n_labels)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(ngram_range=(1, longest), sublinear_tf=True)
    regression = LogisticRegression(C=cost, class_weight=weights, max_iter=1000)
    regression.fit(vectorizer.fit_transform(train.texts), train.labels)
    scores: numpy.ndarray = regression.predict_proba(vectorizer.transform(texts))
    return scores


def macro_f1(scores: numpy.ndarray, gold: numpy.ndarray, labels: list[str]) -> float:
    once = numpy.ones((1, len(gold)), dtype="int64")
    return float(judge(scores, gold, labels, once).rows["macro"]["F1"][0])


def judge(
    scores: numpy.ndarray, gold: numpy.ndarray, labels: list[str], draws: numpy.ndarray
) -> CategoryFigures:
    """Figures in each sample of texts; the highest score counts."""
    ones = numpy.eye(len(labels))
    found = ones[scores.argmax(axis=1)].astype(bool)
    return sample_figures(labels, found, scores, ones[gold], draws)


def print_tables(
    scores: dict[str, list[list[numpy.ndarray]]], gold: list[numpy.ndarray], labels: list[str]
) -> None:
    """Print Markdown: figures over all folds together, and of each.

    scores (dict): By system, seed and fold.
    gold (list[numpy.ndarray]): By fold.
    """
    texts = numpy.concatenate(gold)
    draws = draw_documents(len(texts), samples=SAMPLES)
    of_folds = numpy.split(draws, numpy.cumsum([len(of_fold) for of_fold in gold])[:-1], axis=1)

    def judge_run(run: list[numpy.ndarray]) -> dict[str, numpy.ndarray]:
        figures = flatten(judge(numpy.concatenate(run), texts, labels, draws))
        folds = zip(run, gold, of_folds, strict=True)
        by_fold = [flatten(judge(*fold, labels, of_fold)) for *fold, of_fold in folds]
        # The scores of two folds' models do not compare, their ranks within a fold do.
        return figures | {AUC: average(by_fold)[AUC]}

    figures = {name: average([judge_run(run) for run in runs]) for name, runs in scores.items()}
    print(
        f"\n{len(texts)} texts in {len(gold)} folds, each in one test part; in brackets 95 % "
        "bootstrap intervals over texts, those of differences paired; p: paired randomization "
        "test over texts of accuracy, which is micro P, R and F1. AUC: the mean of the folds'.\n"
    )
    columns = list(next(iter(figures.values())))
    print_row(["", *columns, "p"])
    print_row(["---"] * (len(columns) + 2))
    for name, of_system in figures.items():
        print_row([name, *(as_interval(of_system[column]) for column in columns), ""])
    ours, *others = figures
    for other in others:
        row = [as_interval(figures[ours][column] - figures[other][column]) for column in columns]
        p = randomization_test(*(count(scores[name], texts) for name in (ours, other)))
        print_row([f"{ours} less {other}", *row, f"{p:.4f}"])
    print("\nBy fold:\n")
    print_row(["", *columns])
    print_row(["---"] * (len(columns) + 1))
    for name, runs in scores.items():
        by_fold = [
            average(
                [
                    flatten(judge(run[fold], of_fold, labels, numpy.ones((1, len(of_fold)))))
                    for run in runs
                ]
            )
            for fold, of_fold in enumerate(gold)
        ]
        row = [[100 * float(of[column][0]) for of in by_fold] for column in columns]
        print_row(
            [
                name,
                *(
                    f"{statistics.mean(values):.1f} ({' '.join(f'{v:.1f}' for v in values)})"
                    for values in row
                ),
            ]
        )


def flatten(figures: CategoryFigures) -> dict[str, numpy.ndarray]:
    macro = {f"macro {column}": values for column, values in figures.rows["macro"].items()}
    return {"accuracy": figures.accuracy, **macro}


def average(runs: list[dict[str, numpy.ndarray]]) -> dict[str, numpy.ndarray]:
    """The mean of each figure over seeds."""
    return {name: numpy.mean([run[name] for run in runs], axis=0) for name in runs[0]}


def count(runs: list[list[numpy.ndarray]], gold: numpy.ndarray) -> list[list[int]]:
    """True positives, false positives and false negatives of each text, by the mean of seeds."""
    right = [numpy.concatenate(run).argmax(axis=1) == gold for run in runs]
    hits = numpy.sum(right, axis=0)
    return [[int(hit), len(runs) - int(hit), len(runs) - int(hit)] for hit in hits]


if __name__ == "__main__":
    main()
