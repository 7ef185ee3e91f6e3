"""Measure the clinical tokenizer and the sentence splitter on annotated corpora.

    python benchmarks/tokenizer.py --brat DIR --i2b2 DIR [--show-lost N]

--brat is a folder of .txt/.ann pairs of raw text, one sentence a line; beside it, or one folder
up, suggested_split.json may name the parts. --i2b2 holds {train,dev,test}/{txt,concept}. The
rules were tuned on train and dev only. Never prints corpus text: what is lost is shown as shapes.
"""

import argparse
import json
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import spacy
from spacy.language import Language
from spacy.pipeline import Sentencizer
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from spacy_bertlstm.formats.i2b2 import read_i2b2
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.text.sentences import ClinicalSentenceSplitter
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer

_T_LINE = re.compile(r"^T\S*\t\S+ ([\d ;]+)\t", re.M)


class Gold(NamedTuple):
    """One text with its gold mentions as fragments: part of the split, text, [[(start, end)]]."""

    part: str
    text: str
    mentions: list[list[tuple[int, int]]]


def read_brat(folder: Path) -> Iterator[Gold]:
    parts: dict[str, str] = {}
    for place in (folder, folder.parent):
        split = place / "suggested_split.json"
        if split.exists():
            table = json.loads(split.read_text(encoding="utf8"))
            parts = {stem: part for part, stems in table.items() for stem in stems}
            break
    for path in sorted(folder.glob("*.txt")):
        with path.open(encoding="utf8", newline="") as file:
            text = file.read()
        with path.with_suffix(".ann").open(encoding="utf8", newline="") as file:
            lines = _T_LINE.findall(file.read())
        mentions = []
        for offsets in lines:
            fragments = [fragment.split() for fragment in offsets.split(";")]
            mentions.append([(int(start), int(end)) for start, end in fragments])
        yield Gold(parts.get(path.stem, "all"), text, mentions)


def read_i2b2_parts(folder: Path) -> Iterator[Gold]:
    for part in sorted(path for path in folder.iterdir() if path.is_dir()):
        for record in read_i2b2(part, LossReport()):
            mentions = [list(concept.fragments) for concept in record.concepts]
            yield Gold(part.name, record.text, mentions)


def boundaries(doc: Doc) -> tuple[set[int], set[int]]:
    """Character offsets at which a token starts, and at which one ends; no whitespace tokens."""
    starts = {token.idx for token in doc if not token.is_space}
    ends = {token.idx + len(token) for token in doc if not token.is_space}
    return starts, ends


def shape(text: str) -> str:
    return "".join(
        "d" if c.isdigit() else ("X" if c.isupper() else "x") if c.isalpha() else c for c in text
    )


def lost_shape(text: str, offset: int) -> str:
    """The shape of the chunk around a lost boundary, which is marked by a bar."""
    left = re.search(r"\S{0,8}\Z", text[:offset])
    right = re.match(r"\S{0,8}", text[offset:])
    return f"{shape(left[0] if left else '')}|{shape(right[0] if right else '')}"


class Row(NamedTuple):
    kept: float
    mentions: float
    tokens_per_word: float
    lost: Counter[str]


def tokenize(texts: list[str], name: str) -> list[Doc]:
    """Tokenize with a new tokenizer, whose cache is empty."""
    nlp = make_tokenizers()[name]
    return [nlp.make_doc(text) for text in texts]


def measure(golds: list[Gold], tokenize: Callable[[str], Doc]) -> Row:
    bounds = kept = mentions = whole = tokens = words = 0
    lost: Counter[str] = Counter()
    for gold in golds:
        doc = tokenize(gold.text)
        starts, ends = boundaries(doc)
        tokens += len(starts)
        words += len(gold.text.split())
        for mention in gold.mentions:
            missing = 0
            for fragment in mention:
                for offset, found in zip(fragment, (starts, ends), strict=True):
                    bounds += 1
                    if offset not in found:
                        missing += 1
                        lost[lost_shape(gold.text, offset)] += 1
            kept += 2 * len(mention) - missing
            mentions += 1
            whole += not missing
    return Row(kept / bounds, whole / mentions, tokens / words, lost)


def line_starts(text: str) -> set[int]:
    return {match.start(1) for match in re.finditer(r"(?m)^[^\S\n]*(\S)", text)}


def measure_sentences(
    golds: list[Gold], tokenize: Callable[[str], Doc], join_lines: bool = False
) -> tuple[float, float]:
    """Precision and recall of sentence starts against line starts, micro over documents."""
    splitter = ClinicalSentenceSplitter()
    hits = found = wanted = 0
    for gold in golds:
        text = gold.text.replace("\n", " ") if join_lines else gold.text
        doc = splitter(tokenize(text))
        got = {token.idx for token in doc if token.is_sent_start and not token.is_space}
        starts = line_starts(gold.text)
        hits += len(got & starts)
        found += len(got)
        wanted += len(starts)
    return hits / found, hits / wanted


def time_ratio(ours: Callable[[], object], peer: Callable[[], object], rounds: int = 5) -> float:
    """The median over rounds of our time to the peer's, both run in turn."""
    ratios = []
    for _ in range(rounds):
        times = []
        for run in (ours, peer):
            begin = time.perf_counter()
            run()
            times.append(time.perf_counter() - begin)
        ratios.append(times[0] / times[1])
    return statistics.median(ratios)


def make_tokenizers() -> dict[str, Language]:
    clinical = spacy.blank("en")
    clinical.tokenizer = make_clinical_tokenizer()(clinical)
    white = spacy.blank("en")
    white.tokenizer = Tokenizer(white.vocab)
    return {"clinical": clinical, "spacy en": spacy.blank("en"), "whitespace": white}


def write(line: str = "") -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--brat", type=Path, help="folder of .txt/.ann pairs")
    parser.add_argument("--i2b2", type=Path, help="folder with {train,dev,test}/{txt,concept}")
    parser.add_argument("--show-lost", type=int, default=0, metavar="N")
    args = parser.parse_args()
    corpora: list[tuple[str, list[Gold]]] = []
    if args.brat:
        corpora.append((args.brat.resolve().parent.name, list(read_brat(args.brat))))
    if args.i2b2:
        corpora.append((args.i2b2.resolve().name, list(read_i2b2_parts(args.i2b2))))
    if not corpora:
        parser.error("give --brat, --i2b2 or both")
    tokenizers = make_tokenizers()

    write("| corpus | part | tokenizer | boundaries kept | mentions whole | tokens a word |")
    write("|---|---|---|---:|---:|---:|")
    lost: Counter[str] = Counter()
    for corpus, golds in corpora:
        for part in sorted({gold.part for gold in golds}, key="train dev test all".find):
            chosen = [gold for gold in golds if gold.part == part]
            for name, nlp in tokenizers.items():
                row = measure(chosen, nlp.make_doc)
                write(
                    f"| {corpus} | {part} | {name} | {row.kept:.3%} | {row.mentions:.3%} "
                    f"| {row.tokens_per_word:.3f} |"
                )
                # What the test part loses stays out of sight: the rules must not learn it.
                if name == "clinical" and part != "test":
                    lost += row.lost

    write()
    write("| corpus | part | line breaks | start precision | start recall |")
    write("|---|---|---|---:|---:|")
    for corpus, golds in corpora:
        for part in sorted({gold.part for gold in golds}, key="train dev test all".find):
            chosen = [gold for gold in golds if gold.part == part]
            for join_lines in (False, True):
                precision, recall = measure_sentences(
                    chosen, tokenizers["clinical"].make_doc, join_lines
                )
                write(
                    f"| {corpus} | {part} | {'spaces' if join_lines else 'kept'} "
                    f"| {precision:.3%} | {recall:.3%} |"
                )

    write()
    texts = [gold.text for _, golds in corpora for gold in golds]
    docs = [tokenizers["clinical"].make_doc(text) for text in texts]
    ratio = time_ratio(
        lambda: tokenize(texts, "clinical"),
        lambda: tokenize(texts, "spacy en"),
    )
    write(f"tokenizer: {ratio:.2f} of the time of spaCy's English tokenizer")
    splitter, sentencizer = ClinicalSentenceSplitter(overwrite=True), Sentencizer(overwrite=True)
    ratio = time_ratio(
        lambda: [splitter(doc) for doc in docs], lambda: [sentencizer(doc) for doc in docs]
    )
    write(f"sentence splitter: {ratio:.2f} of the time of spaCy's sentencizer")

    if args.show_lost:
        write()
        write("| lost boundary (shape; train and dev) | count |")
        write("|---|---:|")
        for key, number in lost.most_common(args.show_lost):
            escaped = key.replace("|", "\\|")
            write(f"| {escaped} | {number} |")


if __name__ == "__main__":
    main()
