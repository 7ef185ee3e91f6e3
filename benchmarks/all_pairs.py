"""Measure the memory that the relation head takes where all entities of a note are paired.

    python benchmarks/all_pairs.py [--entities 0 1 100 250 500]

A made-up note of twice as many words as entities, read or learned from twice by
configs/relations_gold.cfg with all pairs. Each figure is the most memory that a process of its own
held; what its pairs add is the difference to the row of one entity.
"""

import argparse
import os
from multiprocessing import get_context

from relations import CONFIG
from serving import peak_memory
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import load_config, load_model_from_config
from spacy.vocab import Vocab
from trainings import ROOT, as_encoder, print_row

from spacy_bertlstm.tokens.extensions import register_extensions

LABEL, KIND = "causes", "problem"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--entities", nargs="+", type=int, default=[0, 1, 100, 250, 500])
    parser.add_argument("--encoder", type=as_encoder, default="./assets/all-MiniLM-L6-v2")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    print_row(["entities", "directed pairs", "in use, MiB", "in training, MiB"])
    print_row(["---:"] * 4)
    # A new process each, as the most memory of one never falls.
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for number in arguments.entities:
            asked = [(arguments.encoder, number, learn) for learn in (False, True)]
            figures = pool.starmap(measure, asked, chunksize=1)
            print_row(
                [str(number), str(number * max(0, number - 1)), *map("{:.0f}".format, figures)]
            )


def measure(encoder: str, number: int, learn: bool) -> float:
    """The most memory of a process that meets such a note, in MiB.

    encoder (str): Its folder.
    number (int): Of the note's entities.
    learn (bool): Whether the note is learned from, or read.
    """
    config = load_config(ROOT / CONFIG, overrides={"paths.encoder": encoder})
    config["components"]["relations"]["candidates"] = {"@misc": "spacy-bertlstm.AllPairs.v1"}
    register_extensions()
    nlp = load_model_from_config(config, auto_fill=True)
    small = Example(*(make_doc(nlp.vocab, 2) for _ in range(2)))
    optimizer = nlp.initialize(lambda: [small])
    doc, gold = (make_doc(nlp.vocab, number) for _ in range(2))
    for _ in range(2):  # the optimizer has its averages from the second update on
        if learn:
            nlp.update([Example(doc.copy(), gold)], sgd=optimizer)
        else:
            nlp(doc.copy())
    return peak_memory()


def make_doc(vocab: Vocab, number: int) -> Doc:
    """A note with so many entities, the first two of which relate."""
    doc = Doc(vocab, words=["fever", "and"] * number)
    spans = [Span(doc, i, i + 1, KIND) for i in range(0, len(doc), 2)]
    doc.set_ents(spans, default="outside")
    if number > 1:
        head, tail = ([span.start_char, span.end_char, KIND] for span in spans[:2])
        doc._.relations = [{"label": LABEL, "head": head, "tail": tail}]
    return doc


if __name__ == "__main__":
    main()
