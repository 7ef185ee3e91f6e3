"""Seeded damage to CoNLL files: every token and tag is kept or named in the report."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from damage import (
    delete_line,
    duplicate_line,
    edit_lines,
    flip_byte,
    join_lines,
    shuffle_lines,
    to_cr,
    to_crlf,
    to_latin1,
    to_utf16,
    truncate_file,
    truncate_line,
)
from spacy.cli._util import app as spacy_app
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.conll import find_conll, read_conll, write_conll
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Document

MUTATIONS = 1200
CHUNK = 50

_BIO = (
    "-DOCSTART- -X- O\n\nHe PRP O\nhas VBZ O\nsevere JJ B-problem\nrash NN I-problem\n"
    "hives NN B-problem\n. . O\n\nAspirin NN B-treatment\n-DOCSTART- -X- O\n\nNo DT O\n"
)
NOTES = [
    _BIO,
    _BIO.replace("B-treatment", "I-treatment").replace("B-problem\nrash", "I-problem\nrash"),
    "# id = 1\nÜlcers\tB-x\nof\tI-x\nß 😀\tL-x\n#\tO\n\n\u2028a\tU-Drug-Name\n",
    "\ufeffHe O\nhas O\nold B-a\npain E-a\nnow S-b\n".replace("\n", "\r\n"),
    "only\ntokens\n\nhere\n",
    "A B\nrash I\nnow O\n",
]

# --- The damage -------------------------------------------------------------------------

_MARKS = [
    " ", "  ", "\t", "\t\t", "\n", "\n\n", "\r", "\r\n", "#", "# ", "-", "O", " O", "B-", "I-x",
    " L-x", " U-problem", "-DOCSTART-", "\n-DOCSTART-\n", "\0", "\x0b", "\x0c", "\x1c", "\x85",
    "\xa0", "\u2028", "\ufeff", "\u0301", "😀", "١", "9" * 5000, "{}", "%s", "\x1b[31m",
]  # fmt: skip
_TAGS = ["O", "B-problem", "I-problem", "L-problem", "U-x", "E-x", "S-y", "I-y", "B", "I", "X-y"]


@edit_lines
def swap_columns(rng: random.Random, lines: list[bytes], place: int) -> None:
    columns = re.split(rb"([\t ])", lines[place])
    columns[::2] = columns[::-2]
    lines[place] = b"".join(columns)


@edit_lines
def drop_tag(rng: random.Random, lines: list[bytes], place: int) -> None:
    lines[place] = re.sub(rb"[\t ][^\t ]*$", b"", lines[place])


@edit_lines
def change_tag(rng: random.Random, lines: list[bytes], place: int) -> None:
    tag = rng.choice(_TAGS).encode()
    lines[place] = re.sub(rb"(?<=[\t ])[^\t \r]+(?=\r?$)", tag, lines[place])


def insert_mark(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_MARKS).encode() + data[place:]


def tabs_for_spaces(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b" ", b"\t")


def spaces_for_tabs(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"\t", b" ")


def binary(rng: random.Random, data: bytes) -> bytes:
    return rng.randbytes(rng.randrange(200))


def no_lines(rng: random.Random, data: bytes) -> bytes:
    return rng.choice([b"", b"\n \n", b"# a comment\n"])


MUTATORS: list[Callable[[random.Random, bytes], bytes]] = [
    flip_byte, flip_byte, delete_line, duplicate_line, truncate_line, truncate_line, join_lines,
    shuffle_lines, shuffle_lines, swap_columns, drop_tag, drop_tag, change_tag, change_tag,
    change_tag, truncate_file, insert_mark, insert_mark, insert_mark, insert_mark,
    tabs_for_spaces, spaces_for_tabs, to_crlf, to_cr, to_latin1, to_utf16, binary, no_lines,
]  # fmt: skip


def damaged(seed: int) -> bytes:
    """A file after one to three mutations."""
    rng = random.Random(seed)
    data = rng.choice(NOTES).encode()
    for mutate in rng.choices(MUTATORS, k=rng.choice([1, 1, 2, 3])):
        data = mutate(rng, data)
    return data


# --- What must hold of it ---------------------------------------------------------------

_TAG = re.compile(r"O|[BILUES](-\S+)?")


def parse(data: bytes) -> list[tuple[int, str, str | None]]:
    """Each token line's number, token and tag, by this test's own reading."""
    found = []
    for number, line in enumerate(data.decode().split("\n"), start=1):
        line = line.removeprefix("\ufeff").rstrip(" \t\r")
        columns = line.split("\t") if "\t" in line else re.findall("[^ ]+", line)
        if not line or columns[0] == "-DOCSTART-":
            continue
        tagged = len(columns) > 1 and _TAG.fullmatch(columns[-1])
        if line.startswith("#") and not tagged:
            continue
        found.append((number, columns[0], columns[-1] if tagged else None))
    return found


def read(path: Path) -> tuple[list[Document], LossReport]:
    report = LossReport()
    return [d for file in find_conll(path) for d in read_conll(file, report)], report


def check(data: bytes, folder: Path) -> str:
    """Assert that a damaged file is refused, or accounted for; gives which."""
    folder.mkdir()
    path = folder / "note.conll"
    path.write_bytes(data)
    try:
        documents, report = read(path)
    except BertLstmError as error:
        assert error.code in ("BL103", "BL140")
        assert str(path) in str(error)
        if error.code == "BL103":
            line = data.count(b"\n", 0, int(str(error.values["offset"]))) + 1
            assert f", line {line}:" in str(error)
        else:
            assert parse(data) == []
        return error.code

    lost = {finding.line for finding in report.lost}
    assert {finding.path for finding in report.findings} <= {str(path)}
    space = " \t\r\n"
    tokens = [(number, token, tag) for number, token, tag in parse(data) if token.strip(space)]
    assert {number for number, token, _ in parse(data) if not token.strip(space)} <= lost
    # Every token stands in a text, in order, and lies in a concept of its tag's label.
    documents_left = iter(documents)
    text, place, concepts = "", 0, ()
    for number, token, tag in tokens:
        while not text[place:].strip(" \n"):
            document = next(documents_left)
            text, place, concepts = document.text, 0, document.concepts
        while not text.startswith(token, place):
            assert text[place] in " \n", f"line {number}: {token!r} is gone"
            place += 1
        end = place + len(token)
        around = [c.label for c in concepts if c.start <= place and end <= c.end]
        if tag is None:
            assert number in lost or not document.annotated
        if number not in lost:
            assert around == ([] if tag in (None, "O") else [tag[2:]]), f"line {number}"
        place = end
    assert not any(document.text for document in documents_left)

    out = folder / "out"
    out.mkdir()
    written = LossReport()
    write_conll(documents, out, written)
    again, _ = read(out)
    if not any(mark in token for _, token, _ in tokens for mark in " \t\r"):
        assert not written.lost
        for document, other in zip(documents, again, strict=True):
            starts = ("#", "-DOCSTART-")
            if document.annotated or not any(word.startswith(starts) for word in _words(document)):
                assert _words(other) == _words(document)
                assert _entities(other) == _entities(document)
    return "kept" if not lost else "lost"


def _words(document: Document) -> list[str]:
    return [word for word in re.split("[ \n]", document.text) if word]


def _entities(document: Document) -> list[tuple[str, str]]:
    return [(document.covered_text(concept), concept.label) for concept in document.concepts]


@pytest.mark.parametrize("first", range(0, MUTATIONS, CHUNK))
def test_damage_is_refused_or_accounted_for(tmp_path: Path, first: int) -> None:
    for seed in range(first, first + CHUNK):
        try:
            check(damaged(seed), tmp_path / str(seed))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def test_damage_is_of_every_outcome(tmp_path: Path) -> None:
    outcomes = Counter(check(damaged(seed), tmp_path / str(seed)) for seed in range(300))
    assert set(outcomes) == {"BL103", "BL140", "kept", "lost"}
    assert min(outcomes.values()) >= 5, outcomes


@pytest.mark.parametrize("seed", range(12))
def test_the_command_refuses_damage_or_converts(tmp_path: Path, seed: int) -> None:
    outcome = check(damaged(seed), tmp_path / "checked")
    source, output = tmp_path / "note.conll", tmp_path / "out.spacy"
    source.write_bytes(damaged(seed))
    arguments = ["bertlstm", "convert", "conll", str(source), str(output)]
    result = CliRunner().invoke(spacy_app, arguments)
    codes = re.findall(r"\[BL\d{3}\]", result.output)
    if outcome == "kept":
        assert result.exit_code == 0, result.output
        assert output.is_file()
    else:
        assert result.exit_code == 1
        assert codes == ["[BL106]" if outcome == "lost" else f"[{outcome}]"]
        assert str(source) in result.output
        assert not output.exists()
