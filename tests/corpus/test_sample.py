"""Checks of the synthetic sample corpus, read with a parser of their own."""

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATOR = ROOT / "corpus" / "make_sample.py"
SAMPLE = ROOT / "corpus" / "sample"
TRAINING = "concept_assertion_relation_training_data"
GOLD = "reference_standard_for_test_data"
FOLDERS = {
    "train": {
        "txt": f"{TRAINING}/beth/txt",
        "con": f"{TRAINING}/beth/concept",
        "ast": f"{TRAINING}/beth/ast",
        "rel": f"{TRAINING}/beth/rel",
    },
    "dev": {
        "txt": f"{TRAINING}/partners/txt",
        "con": f"{TRAINING}/partners/concept",
        "ast": f"{TRAINING}/partners/ast",
        "rel": f"{TRAINING}/partners/rel",
    },
    "test": {
        "txt": "test_data",
        "con": f"{GOLD}/concepts",
        "ast": f"{GOLD}/ast",
        "rel": f"{GOLD}/rel",
    },
}
TYPES = {"problem", "test", "treatment"}
ASSERTIONS = {
    "present",
    "absent",
    "possible",
    "conditional",
    "hypothetical",
    "associated_with_someone_else",
}
# The types that the two arguments of a relation must have.
RELATIONS = {
    "TrIP": ("treatment", "problem"),
    "TrWP": ("treatment", "problem"),
    "TrCP": ("treatment", "problem"),
    "TrAP": ("treatment", "problem"),
    "TrNAP": ("treatment", "problem"),
    "PIP": ("problem", "problem"),
    "TeRP": ("test", "problem"),
    "TeCP": ("test", "problem"),
}
MIN_NOTES = 160
MIN_LONG_NOTES = 4
LONG_TOKENS = 450
MAX_BYTES = 2_000_000
MIN_UNSEEN_SHARE = {"dev": 0.30, "test": 0.40}
# A look-up of training words must stay below this entity F1, or the sample measures nothing.
LEXICON_TAGGER_MAX_F1 = 0.60

SPAN = r'c="(?P<text{0}>.*)" (?P<line{0}>\d+):(?P<start{0}>\d+) (?P<last{0}>\d+):(?P<end{0}>\d+)'
CONCEPT_LINE = re.compile(SPAN.format(1) + r'\|\|t="(?P<type>[^"]+)"')
ASSERTION_LINE = re.compile(SPAN.format(1) + r'\|\|t="problem"\|\|a="(?P<value>[^"]+)"')
RELATION_LINE = re.compile(
    SPAN.format(1) + r'\|\|r="(?P<type>[^"]+)"\|\|' + SPAN.format(2),
)


@dataclass(frozen=True)
class Mention:
    """A quoted span: line from 1, tokens from 0, end inclusive."""

    text: str
    line: int
    start: int
    end: int


@dataclass(frozen=True)
class Note:
    """One record as its four files give it."""

    name: str
    lines: list[list[str]]
    concepts: dict[Mention, str]
    assertions: dict[Mention, str]
    relations: list[tuple[Mention, str, Mention]]

    @property
    def size(self) -> int:
        """Count the tokens."""
        return sum(len(line) for line in self.lines)


Corpus = dict[str, list[Note]]
Spans = set[tuple[int, int, str]]


def mention(match: re.Match[str], which: int) -> Mention:
    """Read one of the spans of a matched line."""
    line, last = match[f"line{which}"], match[f"last{which}"]
    assert line == last, "a concept of the sample stays on its line"
    return Mention(
        match[f"text{which}"], int(line), int(match[f"start{which}"]), int(match[f"end{which}"])
    )


def matches(pattern: re.Pattern[str], path: Path) -> list[re.Match[str]]:
    """Match every line of an annotation file, all of which must fit."""
    found = []
    for row in path.read_text(encoding="utf-8").splitlines():
        match = pattern.fullmatch(row)
        assert match, f"{path.name}: {row}"
        found.append(match)
    return found


def read_note(name: str, folders: dict[str, str]) -> Note:
    """Read the four files of one record."""
    paths = {ext: SAMPLE / folder / f"{name}.{ext}" for ext, folder in folders.items()}
    lines = paths["txt"].read_bytes().decode("utf-8").split("\n")
    assert lines.pop() == ""
    concept_rows = matches(CONCEPT_LINE, paths["con"])
    assertion_rows = matches(ASSERTION_LINE, paths["ast"])
    concepts = {mention(row, 1): row["type"] for row in concept_rows}
    assertions = {mention(row, 1): row["value"] for row in assertion_rows}
    assert len(concepts) == len(concept_rows)
    assert len(assertions) == len(assertion_rows)
    return Note(
        name=name,
        lines=[line.split(" ") for line in lines],
        concepts=concepts,
        assertions=assertions,
        relations=[
            (mention(row, 1), row["type"], mention(row, 2))
            for row in matches(RELATION_LINE, paths["rel"])
        ],
    )


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Read the whole sample."""
    return {
        part: [
            read_note(path.stem, folders)
            for path in sorted((SAMPLE / folders["txt"]).glob("*.txt"))
        ]
        for part, folders in FOLDERS.items()
    }


def tree(root: Path) -> dict[str, bytes]:
    """Read every file under a folder."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def generate(*args: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """Run the generator as a user would."""
    return subprocess.run(
        [sys.executable, str(GENERATOR), *args],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def mentions(notes: list[Note]) -> list[str]:
    """List the mention texts of some notes."""
    return [item.text.lower() for note in notes for item in note.concepts]


def gold_spans(note: Note, line: int) -> Spans:
    """Give the concepts of one line as (start, end, type)."""
    return {(m.start, m.end, label) for m, label in note.concepts.items() if m.line == line}


def tags_of(note: Note) -> list[list[str]]:
    """Write a note's concepts as B/I/O tags."""
    tags = [["O"] * len(line) for line in note.lines]
    for item, label in note.concepts.items():
        row = tags[item.line - 1]
        row[item.start] = f"B-{label}"
        row[item.start + 1 : item.end + 1] = [f"I-{label}"] * (item.end - item.start)
    return tags


def spans_of(tags: list[str]) -> Spans:
    """Read spans from B/I/O tags; an I that continues nothing starts a span."""
    spans: Spans = set()
    start, label = 0, ""
    for at, tag in enumerate([*tags, "O"]):
        kind, _, name = tag.partition("-")
        if label and (kind != "I" or name != label):
            spans.add((start, at - 1, label))
            label = ""
        if kind != "O" and not label:
            start, label = at, name
    return spans


def lexicon_tagger_f1(train: list[Note], test: list[Note]) -> float:
    """Score the tagger that gives each known word its most frequent training tag."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for note in train:
        for line, tags in zip(note.lines, tags_of(note), strict=True):
            for token, tag in zip(line, tags, strict=True):
                seen[token.lower()][tag] += 1
    best = {word: max(sorted(counts), key=counts.__getitem__) for word, counts in seen.items()}
    right = guessed = wanted = 0
    for note in test:
        for number, line in enumerate(note.lines, start=1):
            guess = spans_of([best.get(token.lower(), "O") for token in line])
            gold = gold_spans(note, number)
            right += len(guess & gold)
            guessed += len(guess)
            wanted += len(gold)
    return 2 * right / (guessed + wanted)


def test_generator_recreates_the_folder(tmp_path: Path) -> None:
    """The files on disk are what the generator writes, no more and no fewer."""
    done = generate("--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path) == tree(SAMPLE)


def test_generator_does_not_depend_on_hash_order(tmp_path: Path) -> None:
    """Another hash seed gives the same bytes."""
    assert generate("--out", str(tmp_path / "a"), hash_seed="1").returncode == 0
    assert generate("--out", str(tmp_path / "b"), hash_seed="77").returncode == 0
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_check_names_the_first_difference(tmp_path: Path) -> None:
    """The check passes on fresh files and names a changed, an extra and a missing file."""
    generate("--out", str(tmp_path))
    assert generate("--out", str(tmp_path), "--check").returncode == 0
    changed = min(tmp_path.glob("test_data/*.txt"))
    original = changed.read_bytes()
    changed.write_bytes(original + b"x\n")
    done = generate("--out", str(tmp_path), "--check")
    assert done.returncode == 1
    assert changed.name in done.stdout
    changed.unlink()
    assert changed.name in generate("--out", str(tmp_path), "--check").stdout
    changed.write_bytes(original)
    (tmp_path / "extra.txt").write_text("x", encoding="utf-8")
    assert "extra.txt" in generate("--out", str(tmp_path), "--check").stdout


def test_another_seed_gives_other_notes(tmp_path: Path) -> None:
    """The seed reaches the text."""
    assert generate("--out", str(tmp_path), "--seed", "7").returncode == 0
    assert tree(tmp_path) != tree(SAMPLE)


def test_size(corpus: Corpus) -> None:
    """There are enough notes, some of them longer than one encoder window."""
    sizes = {part: [note.size for note in notes] for part, notes in corpus.items()}
    assert sum(len(part) for part in sizes.values()) >= MIN_NOTES
    long = {part: sum(size > LONG_TOKENS for size in each) for part, each in sizes.items()}
    assert sum(long.values()) >= MIN_LONG_NOTES
    assert long["train"]
    assert long["test"]
    assert sum(len(data) for data in tree(SAMPLE).values()) < MAX_BYTES


def test_every_record_has_its_four_files() -> None:
    """No annotation file lacks its text, and the other way round."""
    for folders in FOLDERS.values():
        names = {
            ext: {path.stem for path in (SAMPLE / folder).iterdir()}
            for ext, folder in folders.items()
        }
        assert names["txt"]
        assert all(stems == names["txt"] for stems in names.values())


def test_names_are_unique_over_the_parts(corpus: Corpus) -> None:
    """A record name belongs to one part only."""
    names = [note.name for notes in corpus.values() for note in notes]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("part", FOLDERS)
def test_every_label_occurs(corpus: Corpus, part: str) -> None:
    """All types, assertion values and relation types occur in every part, and no others."""
    notes = corpus[part]
    assert {label for note in notes for label in note.concepts.values()} == TYPES
    assert {value for note in notes for value in note.assertions.values()} == ASSERTIONS
    assert {kind for note in notes for _, kind, _ in note.relations} == set(RELATIONS)


@pytest.mark.parametrize("part", FOLDERS)
def test_tokens(corpus: Corpus, part: str) -> None:
    """One space between tokens, none at the ends, no empty line."""
    for note in corpus[part]:
        tokens = [token for line in note.lines for token in line]
        assert all(token and not token.isspace() for token in tokens), note.name


@pytest.mark.parametrize("part", FOLDERS)
def test_offsets_give_back_the_quoted_text(corpus: Corpus, part: str) -> None:
    """Every quoted text is the lower-cased text at its offsets, and concepts do not overlap."""
    for note in corpus[part]:
        taken: set[tuple[int, int]] = set()
        for item in note.concepts:
            tokens = note.lines[item.line - 1][item.start : item.end + 1]
            assert len(tokens) == item.end - item.start + 1 > 0, note.name
            assert item.text == " ".join(tokens).lower(), note.name
            places = {(item.line, at) for at in range(item.start, item.end + 1)}
            assert not taken & places, note.name
            taken |= places


@pytest.mark.parametrize("part", FOLDERS)
def test_arguments_are_concepts_of_the_record(corpus: Corpus, part: str) -> None:
    """Each problem has one assertion; relations join fitting concepts of one line."""
    for note in corpus[part]:
        problems = {item for item, label in note.concepts.items() if label == "problem"}
        assert set(note.assertions) == problems, note.name
        for left, kind, right in note.relations:
            assert left.line == right.line, note.name
            assert left != right, note.name
            assert (note.concepts[left], note.concepts[right]) == RELATIONS[kind], note.name
        assert len(set(note.relations)) == len(note.relations), note.name


@pytest.mark.parametrize(("part", "least"), MIN_UNSEEN_SHARE.items())
def test_share_of_unseen_mentions(corpus: Corpus, part: str, least: float) -> None:
    """Enough mentions have a text that never was a mention in train."""
    known = set(mentions(corpus["train"]))
    there = mentions(corpus[part])
    assert sum(text not in known for text in there) / len(there) >= least


def test_lexicon_tagger_stays_weak(corpus: Corpus) -> None:
    """Looking words up is not enough to solve the test part."""
    assert 0.0 < lexicon_tagger_f1(corpus["train"], corpus["test"]) <= LEXICON_TAGGER_MAX_F1


@pytest.mark.demo
def test_lexicon_tagger_stays_far_below_the_demos_model(corpus: Corpus) -> None:
    """The model that `make demo` trains has learned more than a list of words."""
    metrics = json.loads((ROOT / "metrics" / "test.json").read_text(encoding="utf-8"))
    assert lexicon_tagger_f1(corpus["train"], corpus["test"]) <= metrics["ents_f"] - 0.15


def test_spans_of_tags() -> None:
    """The helper reads adjacent, broken and trailing spans."""
    tags = ["B-test", "B-test", "I-test", "I-problem", "O", "B-problem", "I-problem"]
    assert spans_of(tags) == {
        (0, 0, "test"),
        (1, 2, "test"),
        (3, 3, "problem"),
        (5, 6, "problem"),
    }
