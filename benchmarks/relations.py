"""Compare the relation head with simpler ways to relate entities, on gold and on found entities.

    python benchmarks/relations.py CORPUS --split SPLIT.json [--seeds 0 1 2] [--passes 6]

CORPUS is a folder in brat's format; SPLIT names the records of train, dev and test, by the start
of their names. All judge the same pairs: the head with and without the BiLSTM, a linear SVM on
TF-IDF of words and types (scikit-learn), and the nearest pair of types that relate in train. What
a system must choose, it chooses on dev, and the threshold of each label too. "Found" are the
entities of configs/ner.cfg trained with the same seed: of nested ones it finds one. A relation is
right where its label, head and tail are; one that no system could propose counts as missed.

It needs `pip install ".[benchmarks]"`. Every training ends in a file in DIR, so that the benchmark
goes on where it was stopped.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy
import spacy
from ner import bare_docs, entities
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import load_config
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
    without_bilstm,
    write_config,
)

from spacy_bertlstm.evaluation.bootstrap import (
    bootstrap_intervals,
    count_matches,
    randomization_test,
)
from spacy_bertlstm.evaluation.calibration import Average, fit_thresholds
from spacy_bertlstm.pipeline.proposals import Decoding, Proposal
from spacy_bertlstm.pipeline.relations import BertLstmRelations
from spacy_bertlstm.tokens.build import CONCEPTS, RelationKey, relation_keys
from spacy_bertlstm.tokens.corpus import give_spans, read_docs, write_docs
from spacy_bertlstm.tokens.relations import found_relations, gold_relations, wanted_relations

CONFIG, NER = "configs/relations_gold.cfg", "configs/ner.cfg"
OURS, WITHOUT, SVM, NEAREST = "BiLSTM", "no BiLSTM", "TF-IDF + linear SVM", "nearest pair"
COSTS = (0.1, 0.3, 1.0, 3.0, 10.0)  # the SVM's C
# The relations of each document.
Relations = list[set[RelationKey]]
# From what might relate in a Doc to how sure it is, (n_units, n_labels).
Judge = Callable[[Doc, Proposal], numpy.ndarray]


def main() -> None:
    arguments = parse_arguments()
    os.chdir(ROOT)
    work: Path = arguments.work
    corpora = split(arguments.corpus, arguments.split, work)
    first, *_ = arguments.seeds
    fixed = {"paths.encoder": arguments.encoder}
    found = find_all_entities(arguments, corpora)
    config = load_config(ROOT / CONFIG)
    config["components"]["relations"] |= asked(arguments.candidates)
    configs = {
        OURS: write_config(config, work / "relations.cfg"),
        WITHOUT: write_config(without_bilstm(config, "relations"), work / "without_bilstm.cfg"),
    }

    def make(name: str, seed: int, scale: float) -> Training:
        settings = fixed | {"training.optimizer.encoder_scale": scale}
        files = corpora | {"found": found[seed]}
        return Training(
            name.replace(" ", "_"), configs[name], settings, files, arguments.passes, seed
        )

    measure = partial(find_relations, average=arguments.average)
    trainer = Trainer(work, measure, arguments.gpu_id, arguments.jobs, arguments.average)
    scale = tune(
        trainer,
        partial(make, OURS, first),
        arguments.scales,
        title="encoder_scale",
        score="rel_micro_f",
    )
    runs = [(name, seed) for seed in arguments.seeds for name in configs]
    results = trainer.train_all([make(name, seed, scale) for name, seed in runs])
    systems: dict[str, list[dict[str, Relations]]] = {name: [] for name in configs}
    for (name, _), result in zip(runs, results, strict=True):
        systems[name].append({key: read_keys(result[key]) for key in ("test", "found")})
    systems |= judge_simply(arguments, corpora, found)
    print_table(systems, corpora["test"], found, arguments.seeds)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=as_place, help="brat's format")
    parser.add_argument("--split", type=as_place, required=True)
    parser.add_argument(
        "--candidates", default="SentencePairs", choices=["SentencePairs", "WindowPairs"]
    )
    add_options(parser, "benchmark_relations")
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument(
        "--scales", nargs="+", type=float, default=[0.05, 0.1, 0.2], help="of the encoder's rate"
    )
    parser.add_argument(
        "--average",
        type=Average,
        choices=list(Average),
        default=Average.micro,
        help="of thresholds",
    )
    return parser.parse_args()


def split(corpus: Path, names: Path, work: Path) -> dict[str, Path]:
    """Convert the records of each part; a name in the split is the start of some files' names."""
    parts = json.loads(names.read_text(encoding="utf-8"))
    part_of = {name: part for part in PARTS for name in parts[part]}
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(corpus.iterdir()):
            if part := part_of.get(path.stem) or part_of.get(path.stem.partition("_")[0]):
                target = Path(folder) / part / path.name
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(path, target)
        return convert_parts("brat", {part: Path(folder) / part for part in PARTS}, work)


def find_all_entities(
    arguments: argparse.Namespace,
    corpora: dict[str, Path],
    link: Callable[[str, str], str] = lambda text, label: "",
) -> dict[int, Path]:
    """The test part with the entities that configs/ner.cfg finds, by seed; see `write_found`."""
    work, settings = arguments.work, {"paths.encoder": arguments.encoder}
    trainings = [
        Training("ner", NER, settings, corpora, arguments.passes, seed) for seed in arguments.seeds
    ]
    trainer = Trainer(work, find_entities, arguments.gpu_id, arguments.jobs)
    results = zip(arguments.seeds, trainer.train_all(trainings), strict=True)
    return {
        seed: write_found(result["test"], corpora["test"], work / f"found{seed}.spacy", link)
        for seed, result in results
    }


def find_entities(training: Training, nlp: Language) -> dict[str, Any]:
    docs = nlp.pipe(bare_docs(nlp, training.corpora["test"]))
    return {"test": [entities(doc) for doc in docs]}


def write_found(
    found: list[list[Any]],
    path: Path,
    target: Path,
    link: Callable[[str, str], str] = lambda text, label: "",
) -> Path:
    """Write the records of a file with found entities in the place of the gold ones.

    link (Callable): From an entity's text and label to its vocabulary ids.
    """
    nlp = blank()
    docs = []
    for gold, of_gold in zip(read_docs(path, nlp.vocab), found, strict=True):
        doc = nlp.make_doc(gold.text)
        spans = [
            doc.char_span(start, end, label=label, kb_id=link(doc.text[start:end], label))
            for start, end, label in of_gold
        ]
        doc.set_ents(spans)
        doc.spans[CONCEPTS] = spans
        docs.append(doc)
    write_docs(docs, target)
    return target


def find_relations(
    training: Training, nlp: Language, average: Average = Average.micro
) -> dict[str, Any]:
    """What a pipeline finds in the test part, its thresholds fitted on dev."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "spacy", "bertlstm", "calibrate", str(nlp.path)]
        paths = [str(training.corpora["dev"]), folder]
        subprocess.run([*command, *paths, "--average", average], check=True)
        fitted = spacy.load(folder)
    level = fitted.get_pipe("relations").level
    result: dict[str, Any] = {}
    for key in ("test", "found"):
        docs = [give(doc, fitted) for doc in read_docs(training.corpora[key], fitted.vocab)]
        result[key] = [sorted(found_relations(doc, level)) for doc in fitted.pipe(docs)]
    return result


def read_keys(documents: list[list[Any]]) -> Relations:
    """Relations as they come back from JSON."""

    def read_end(end: list[Any] | str) -> Any:
        return end if isinstance(end, str) else tuple(end)

    return [
        {(label, read_end(head), read_end(tail)) for label, head, tail in doc} for doc in documents
    ]


def asked(candidates: str) -> dict[str, Any]:
    """The settings of the head that tell which entities it pairs."""
    return {"spans": CONCEPTS, "candidates": {"@misc": f"spacy-bertlstm.{candidates}.v1"}}


def give(doc: Doc, nlp: Language) -> Doc:
    """The text of a Doc with its entities alone."""
    given = nlp.make_doc(doc.text)
    give_spans(doc, given)
    return given


def blank() -> Language:
    """What cuts texts as the pipelines do."""
    config = load_config(ROOT / CONFIG)["nlp"]["tokenizer"]
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": config}})
    nlp.add_pipe("bertlstm_sentences")
    return nlp


@dataclass(frozen=True)
class Part:
    """The Docs of a part, and what might relate in each.

    targets (list[numpy.ndarray]): What does, (n_units, n_labels).
    total (numpy.ndarray): How many relations of each label there are, proposed or not.
    """

    docs: list[Doc]
    proposals: list[Proposal]
    targets: list[numpy.ndarray]
    total: numpy.ndarray


class Asker:
    """Proposes what the head is asked, to all.

    path (Path): Whose relations tell the labels, and the types that they join.
    """

    def __init__(self, path: Path, candidates: str) -> None:
        self.nlp = blank()
        self.head = cast(
            BertLstmRelations,
            self.nlp.add_pipe(
                "bertlstm_relations",
                config=asked(candidates),
            ),
        )
        keys = (key for doc in read_docs(path) for key in gold_relations(doc, "mention") or ())
        for triple in sorted({(label, head[2], tail[2]) for label, head, tail in keys}):
            self.head.add_label(*triple)

    def read(self, path: Path) -> Part:
        split = self.nlp.get_pipe("bertlstm_sentences")
        golds = list(read_docs(path, self.nlp.vocab))
        docs = [split(give(gold, self.nlp)) for gold in golds]
        proposals = [self.head.propose(self.head.mentions(doc)) for doc in docs]
        wanted = [wanted_relations(gold, "mention") or set() for gold in golds]
        labels = self.head.labels
        total = Counter(label for keys in wanted for label, _, _ in keys)
        targets = [
            proposal.find(keys, labels) for proposal, keys in zip(proposals, wanted, strict=True)
        ]
        return Part(docs, proposals, targets, numpy.asarray([total[label] for label in labels]))


def judge_simply(
    arguments: argparse.Namespace, corpora: dict[str, Path], found: dict[int, Path]
) -> dict[str, list[dict[str, Relations]]]:
    """What the simple systems find, once for each seed, since the found entities differ."""
    asker = Asker(corpora["train"], arguments.candidates)
    train, dev, test = (asker.read(corpora[part]) for part in PARTS)
    judges: dict[str, dict[str, Judge]] = {
        SVM: {f"C {cost:g}": fit_svm(train, cost) for cost in COSTS},
        NEAREST: {
            direction: fit_nearest(train, direction) for direction in ("tail", "head", "either")
        },
    }
    parts = {seed: asker.read(path) for seed, path in found.items()}
    systems = {}
    for name, variants in judges.items():
        fitted = {
            title: Fitted(asker.head.labels, judge, dev, arguments.average)
            for title, judge in variants.items()
        }
        best = max(fitted, key=lambda title: fitted[title].f1)
        tried = ", ".join(f"{title}: {100 * fitted[title].f1:.2f}" for title in fitted)
        print(f"{name}: micro F1 on dev, thresholds fitted there: {tried}; chosen: {best}")
        on_gold = fitted[best].find(test)
        systems[name] = [
            {"test": on_gold, "found": fitted[best].find(part)} for part in parts.values()
        ]
    return systems


class Fitted:
    """A judge with the threshold of each label that is best on dev."""

    def __init__(self, labels: Sequence[str], judge: Judge, dev: Part, average: Average) -> None:
        self.labels, self.judge = labels, judge
        scores = numpy.concatenate(self.ask(dev))
        right = numpy.concatenate(dev.targets)
        fitted = fit_thresholds(scores, right, dev.total, average)
        self.thresholds = {
            label: 1.0 if value is None else value
            for label, value in zip(labels, fitted, strict=True)
        }
        hits = scores >= numpy.asarray(list(self.thresholds.values()))
        self.f1 = 2 * int((hits & right).sum()) / int(hits.sum() + dev.total.sum())

    def ask(self, part: Part) -> list[numpy.ndarray]:
        return [
            numpy.where(proposal.legal, self.judge(doc, proposal), 0.0)
            for doc, proposal in zip(part.docs, part.proposals, strict=True)
        ]

    def find(self, part: Part) -> Relations:
        found = Decoding(self.labels, part.proposals, self.ask(part)).relations(self.thresholds)
        return [relation_keys(relations) for relations in found]


def fit_svm(train: Part, cost: float) -> Judge:
    """A linear SVM for each label, on the pairs that may have it."""
    from scipy.special import expit
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    asked = zip(train.docs, train.proposals, strict=True)
    features = [names for doc, proposal in asked for names in describe(doc, proposal)]
    vectorizer = TfidfVectorizer(analyzer=lambda names: names, sublinear_tf=True)
    X = vectorizer.fit_transform(features)
    legal = numpy.concatenate([proposal.legal for proposal in train.proposals])
    targets = numpy.concatenate(train.targets)
    machines = [
        # A label that no pair in train has is found nowhere.
        LinearSVC(C=cost).fit(X[allowed], right[allowed]) if right.any() else None
        for allowed, right in zip(legal.T, targets.T, strict=True)
    ]

    def judge(doc: Doc, proposal: Proposal) -> numpy.ndarray:
        names = describe(doc, proposal)
        if not names:
            return numpy.zeros(proposal.legal.shape)
        Y = vectorizer.transform(names)
        columns = [
            numpy.zeros(len(names)) if machine is None else expit(machine.decision_function(Y))
            for machine in machines
        ]
        return numpy.stack(columns, axis=1)

    return judge


def describe(doc: Doc, proposal: Proposal) -> list[list[str]]:
    """The features of each pair: words of both, between and beside, types, order and distance."""
    spans, words = proposal.candidates.spans.tolist(), [token.lower_ for token in doc]
    types = [label for _, _, label in proposal.ends]
    lists = []
    for head, tail in proposal.units.tolist():
        first, second = sorted((head, tail))
        (start, left), (right, end) = spans[first], spans[second]
        between = words[left:right]
        order = "forward" if head == first else "backward"
        inside = sum(left <= a and b <= right for a, b in spans[first + 1 : second])
        of_both = f"{types[head]} {types[tail]} {order}"
        lists.append(
            [
                of_both,
                *(f"head {word}" for word in words[slice(*spans[head])]),
                *(f"tail {word}" for word in words[slice(*spans[tail])]),
                *(f"between {word}" for word in between),
                *(f"between {a} {b}" for a, b in zip(between, between[1:], strict=False)),
                *(f"{order} before {word}" for word in words[max(start - 2, 0) : start]),
                *(f"{order} behind {word}" for word in words[end : end + 2]),
                f"{of_both} distance {min(len(between), 10)}",
                f"{of_both} entities between {min(inside, 4)}",
                f"{of_both} {' '.join(between[:3])}",
            ]
        )
    return lists


def fit_nearest(train: Part, direction: str) -> Judge:
    """Relate each tail to its nearest head, or each head to its nearest tail, of legal types.

    How sure it is: how often such a pair of these types relates so in train. A pair of types has
    the one label that it has most often there.
    """

    def nearest(proposal: Proposal) -> numpy.ndarray:
        """Which units are the nearest of an end's, (n_units, n_labels)."""
        chosen = numpy.zeros(proposal.legal.shape, dtype=bool)
        spans = proposal.candidates.spans[proposal.units]  # (n_units, 2 ends, 2 bounds)
        gaps = spans[:, :, 0].max(axis=1) - spans[:, :, 1].min(axis=1)
        columns = {"head": [0], "tail": [1], "either": [0, 1]}[direction]
        for label, allowed in enumerate(proposal.legal.T):
            (places,) = numpy.nonzero(allowed)
            places = places[numpy.argsort(gaps[places], kind="stable")]
            for column in columns:
                _, first = numpy.unique(proposal.units[places, column], return_index=True)
                chosen[places[first], label] = True
        return chosen

    def types_of(proposal: Proposal) -> numpy.ndarray:
        names = numpy.asarray([label for _, _, label in proposal.ends], dtype=object)
        return names[proposal.units]

    counts: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    for proposal, target in zip(train.proposals, train.targets, strict=True):
        of_units = types_of(proposal)
        for unit, label in zip(*numpy.nonzero(nearest(proposal)), strict=True):
            count = counts[(*of_units[unit], label)]
            count[0] += int(target[unit, label])
            count[1] += 1
    rates = {key: right / number for key, (right, number) in counts.items()}
    best: dict[tuple[str, str], int] = {}
    for head, tail, label in sorted(rates, key=lambda key: rates[key]):
        best[head, tail] = label

    def judge(doc: Doc, proposal: Proposal) -> numpy.ndarray:
        scores = numpy.zeros(proposal.legal.shape)
        of_units = types_of(proposal)
        for unit, label in zip(*numpy.nonzero(nearest(proposal)), strict=True):
            head, tail = of_units[unit]
            if best.get((head, tail)) == label:
                scores[unit, label] = rates[head, tail, label]
        return scores

    return judge


def print_table(
    systems: dict[str, list[dict[str, Relations]]],
    path: Path,
    found: dict[int, Path],
    seeds: list[int],
    level: str = "mention",
) -> None:
    """Print Markdown: micro F1 on gold and on found entities, and the F1 of each label."""
    gold = [wanted_relations(doc, level) or set() for doc in read_docs(path)]
    number = Counter(label for keys in gold for label, _, _ in keys)
    right = [
        count_matches(entities(of_gold), entities(doc))
        for file in found.values()
        for of_gold, doc in zip(read_docs(path), read_docs(file), strict=True)
    ]
    f1 = bootstrap_intervals(right, samples=1)["f"].estimate
    print(
        f"\n{len(gold)} documents with {sum(number.values())} relations; seeds {seeds}, their "
        "counts summed; in brackets 95 % bootstrap intervals over documents; p: paired "
        f"randomization test over documents against {OURS}, given these seeds. F1 of the found "
        f"entities: {100 * f1:.1f}.\n"
    )
    head = ["P", "R", "F1", "p"]
    print_row(["", *(f"{key} entities: {title}" for key in ("gold", "found") for title in head)])
    print_row(["---"] * 9)
    counts = {
        name: {
            key: pool(
                [
                    [count_matches(*pair) for pair in zip(gold, run[key], strict=True)]
                    for run in runs
                ]
            )
            for key in ("test", "found")
        }
        for name, runs in systems.items()
    }
    for name, tables in counts.items():
        row: list[Any] = [name]
        for key, table in tables.items():
            row += bootstrap_intervals(table, samples=10_000).values()
            tested = name != OURS
            row.append(f"{randomization_test(counts[OURS][key], table):.4f}" if tested else "")
        print_row(row)
    print("\nF1 of each label on gold entities, and how many there are:\n")
    labels = [label for label, _ in number.most_common()]
    print_row(["", *(f"{label} ({number[label]})" for label in labels)])
    print_row(["---"] * (1 + len(labels)))
    for name, runs in systems.items():
        print_row([name, *(f"{100 * label_f1(gold, runs, label):.1f}" for label in labels)])


def label_f1(gold: Relations, runs: Iterable[dict[str, Relations]], label: str) -> float:
    def only(keys: set[RelationKey]) -> set[RelationKey]:
        return {key for key in keys if key[0] == label}

    counts = [
        count_matches(only(wanted), only(given))
        for run in runs
        for wanted, given in zip(gold, run["test"], strict=True)
    ]
    return bootstrap_intervals(counts, samples=1)["f"].estimate


if __name__ == "__main__":
    main()
