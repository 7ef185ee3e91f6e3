"""Measure conversion: documents a second, and peak memory at 1,000 and at 10,000 documents.

    python benchmarks/convert.py [--format FORMAT ...] [--n-process N] [--shard-size N]

Notes are made up, with annotations, in a temporary folder. Each conversion is a process of its
own. Speed is given as a share of what spacy.blank("en") reaches by tokenizing the same texts in
the same run; the time of starting up is left out, as the difference of the two conversions.
Exits with 1 where memory at 10,000 documents is more than 1.1 times that at 1,000.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

# What a child imports would count as memory of the next: this process stays small.
if TYPE_CHECKING:
    from spacy_bertlstm.records import Document

SIZES = (1_000, 10_000)
MOST = 1.1

# The type of the finding and of what is given against it, the value that is stated of the
# finding, and how the two are tied, where a format does not take the labels of i2b2 2010.
I2B2 = ("problem", "treatment", "present", "TrAP")
LABELS = {"n2c2-2018": ("Reason", "Drug", None, "Reason-Drug")}

SYLLABLES = "ba ce di fo gu la me ni po ru sa te vi xo zu".split()


def make_documents(number: int, labels: tuple[str, str, str | None, str]) -> Iterator[Document]:
    """Notes of some 30 sentences; each has words that no other has, as real ones do."""
    from spacy_bertlstm.records import Assertion, Concept, Document, Relation

    finding, drug, value, tie = labels
    draw = random.Random(0)
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(5_000)]
    for index in range(number):
        text = f"Note {index:07}\n"
        concepts, assertions, relations = [], [], []
        for sentence in range(30):
            drug_word, finding_word = draw.choice(words), draw.choice(words)
            parts = [*draw.choices(words, k=4), drug_word, f"{draw.randint(1, 99)}mg", "for"]
            before = " ".join(parts[:4]) + " "
            begin = len(text) + len(before)
            text += " ".join(parts) + " "
            at = len(text)
            text += f"{finding_word} , {' '.join(draw.choices(words, k=5))}"
            text += f" {draw.getrandbits(40)} .\n" if sentence % 3 == 0 else " .\n"
            ids = f"T{2 * sentence + 1}", f"T{2 * sentence + 2}"
            concepts.append(Concept(ids[0], drug, ((begin, begin + len(drug_word)),)))
            concepts.append(Concept(ids[1], finding, ((at, at + len(finding_word)),)))
            relations.append(Relation(tie, ids))
            if value is not None:
                assertions.append(Assertion(ids[1], value))
        yield Document(
            f"{index:07}", text, tuple(concepts), tuple(assertions), tuple(relations)
        )  # fmt: skip


def make_corpus(format_name: str, number: int, folder: Path) -> None:
    """Write a corpus in a format, and its texts a line each beside it."""
    from spacy_bertlstm.formats.catalog import FORMATS
    from spacy_bertlstm.losses import LossReport

    labels = LABELS.get(format_name, I2B2)
    (folder / "corpus").mkdir(parents=True)
    documents = make_documents(number, labels)
    FORMATS[format_name].write(documents, folder / "corpus", LossReport())
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        for document in make_documents(number, labels):
            file.write(json.dumps(document.text) + "\n")


def tokenize(folder: Path) -> None:
    """Print the seconds that spaCy's English tokenizer takes for the texts."""
    import spacy

    nlp = spacy.blank("en")
    seconds = 0.0
    with (folder / "texts.jsonl").open(encoding="utf-8") as file:
        for line in file:
            text = json.loads(line)
            begin = time.perf_counter()
            nlp.make_doc(text)
            seconds += time.perf_counter() - begin
    write(str(seconds))


def convert(format_name: str, folder: Path, options: list[str]) -> tuple[float, float]:
    """The seconds and the peak MiB of a conversion."""
    command = [sys.executable, "-m", "spacy", "bertlstm", "convert", format_name]
    command += [str(folder / "corpus"), str(folder / "out"), "--allow-loss", *options]
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {child.returncode}")
    kilobyte = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - begin, usage.ru_maxrss * kilobyte / 2**20


def measure(format_name: str, options: list[str]) -> bool:
    """Print a format's row; whether memory stays in bounds."""
    seconds, memory = {}, {}
    with TemporaryDirectory() as place:
        for number in SIZES:
            folder = Path(place) / str(number)
            run_self("--make", format_name, str(number), str(folder))
            seconds[number], memory[number] = convert(format_name, folder, options)
        plain = float(run_self("--tokenize", str(folder))) / number
    few, many = SIZES
    each = (seconds[many] - seconds[few]) / (many - few)
    ratio = memory[many] / memory[few]
    write(
        f"| {format_name} | {plain / each:.2f} | {memory[few]:.0f} MiB | {memory[many]:.0f} MiB "
        f"| {ratio:.3f} |"
    )
    return ratio <= MOST


def run_self(*arguments: str) -> str:
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--format", nargs="+", default=["i2b2"], help="of 'convert'")
    parser.add_argument("--n-process", type=int, default=1)
    parser.add_argument("--shard-size", type=int, default=500)
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--tokenize", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.make:
        name, number, folder = args.make
        make_corpus(name, int(number), Path(folder))
    elif args.tokenize:
        tokenize(args.tokenize)
    else:
        few, many = SIZES
        write(f"| format | documents/s, of spaCy's tokenizer | at {few:,} | at {many:,} | ratio |")
        write("|---|---:|---:|---:|---:|")
        options = ["--n-process", str(args.n_process), "--shard-size", str(args.shard_size)]
        if not all([measure(name, options) for name in args.format]):
            raise SystemExit(f"memory at {many:,} documents is more than {MOST} times as much")


if __name__ == "__main__":
    main()
