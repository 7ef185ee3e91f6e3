"""Measure relations between vocabulary ids: which drugs induce which diseases, by whole abstract.

    python benchmarks/cid.py BC5CDR [--seeds 0 1 2] [--passes 6]

BC5CDR is the folder of the corpus's three PubTator files, its official split. Thresholds, and how
the mentions of a concept make one probability, are chosen on dev. "Found" are the entities of
configs/ner.cfg trained with the same seed; their ids are those that the same words have most often
in train and dev, and none where these words do not occur there. Beside the head stand all pairs of
a drug and a disease with mentions in one sentence.

Every training ends in a file in DIR, so that the benchmark goes on where it was stopped.
"""

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import product
from pathlib import Path

import spacy
from relations import (
    CONFIG,
    OURS,
    WITHOUT,
    Relations,
    blank,
    find_all_entities,
    find_relations,
    give,
    print_table,
    read_keys,
)
from spacy.util import load_config
from trainings import (
    ROOT,
    Trainer,
    Training,
    add_options,
    as_place,
    convert_parts,
    without_bilstm,
    write_config,
)

from spacy_bertlstm.tokens.corpus import read_docs
from spacy_bertlstm.tokens.relations import get_concepts

FILES = {
    "train": "CDR_TrainingSet.PubTator.txt",
    "dev": "CDR_DevelopmentSet.PubTator.txt",
    "test": "CDR_TestSet.PubTator.txt",
}
AGGREGATES = ("max", "noisy_or")
LABEL, HEAD, TAIL = "CID", "Chemical", "Disease"


def main() -> None:
    arguments = parse_arguments()
    os.chdir(ROOT)
    work: Path = arguments.work
    sources = {part: arguments.corpus / name for part, name in FILES.items()}
    corpora = convert_parts("pubtator", sources, work)
    found = find_all_entities(arguments, corpora, learn_links(corpora["train"], corpora["dev"]))
    trainer = Trainer(work, find_relations, arguments.gpu_id, arguments.jobs)

    def make(name: str, seed: int, aggregate: str) -> Training:
        config = load_config(ROOT / CONFIG)
        config["components"]["relations"] |= {
            "level": "concept",
            "aggregate": aggregate,
            "candidates": {"@misc": "spacy-bertlstm.AllPairs.v1"},
        }
        config["corpora"]["train"]["max_words"] = 0
        if name == WITHOUT:
            config = without_bilstm(config, "relations")
        title = f"{name} {aggregate}".replace(" ", "_")
        path = write_config(config, work / f"{title}.cfg")
        settings = {"paths.encoder": arguments.encoder}
        files = corpora | {"found": found[seed]}
        return Training(title, path, settings, files, arguments.passes, seed)

    first, *_ = arguments.seeds
    tried = trainer.train_all([make(OURS, first, aggregate) for aggregate in AGGREGATES])
    scores = {
        aggregate: result["dev"]["rel_micro_f"]
        for aggregate, result in zip(AGGREGATES, tried, strict=True)
    }
    best = max(scores, key=lambda aggregate: scores[aggregate])
    print(f"micro F1 on dev: {scores}; chosen: {best}", flush=True)
    runs = [(name, seed) for seed in arguments.seeds for name in (OURS, WITHOUT)]
    results = trainer.train_all([make(name, seed, best) for name, seed in runs])
    systems: dict[str, list[dict[str, Relations]]] = defaultdict(list)
    for (name, _), result in zip(runs, results, strict=True):
        systems[name].append({key: read_keys(result[key]) for key in ("test", "found")})
    systems["pairs of a sentence"] = [
        {"test": pair_in_sentences(corpora["test"]), "found": pair_in_sentences(path)}
        for path in found.values()
    ]
    print_table(systems, corpora["test"], found, arguments.seeds, "concept")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=as_place)
    add_options(parser, "benchmark_cid")
    parser.add_argument("--passes", type=int, default=6)
    return parser.parse_args()


def learn_links(*paths: Path) -> Callable[[str, str], str]:
    """From an entity's words and label to the id that they have most often in some files."""
    seen: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for path in paths:
        for doc in read_docs(path, spacy.blank("en").vocab):
            for ent in doc.ents:
                seen[ent.text.lower(), ent.label_][ent.kb_id_] += 1
    best = {key: ids.most_common(1)[0][0] for key, ids in seen.items()}
    return lambda text, label: best.get((text.lower(), label), "")


def pair_in_sentences(path: Path) -> Relations:
    """All drugs and diseases of a sentence, as if each induced each."""
    nlp = blank()
    found: Relations = []
    for doc in nlp.pipe(give(doc, nlp) for doc in read_docs(path, nlp.vocab)):
        pairs = set()
        for sentence in doc.sents:
            ids = {
                label: [
                    i for ent in sentence.ents if ent.label_ == label for i in get_concepts(ent)
                ]
                for label in (HEAD, TAIL)
            }
            pairs |= {(LABEL, *ends) for ends in product(ids[HEAD], ids[TAIL])}
        found.append(pairs)
    return found


if __name__ == "__main__":
    main()
