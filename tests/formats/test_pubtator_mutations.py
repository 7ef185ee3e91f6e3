"""Seeded damage to PubTator files: every line is given back or named in the report."""

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
from spacy_bertlstm.formats.pubtator import find_pubtator, read_pubtator, write_pubtator
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Document

MUTATIONS = 1200
CHUNK = 50

_FIRST = (
    "11|t|Zolopril induced rash.\n"
    "11|a|A rash, and oral or nasal ulcers, after zolopril.\n"
    "11\t0\t8\tZolopril\tChemical\tD000001\n"
    "11\t17\t21\trash\tDisease\t-1\n"
    "11\t35\t55\toral or nasal ulcers\tDisease\tD000003|D000004\toral ulcers|nasal ulcers\n"
    "11\tCID\tD000001\tD000003\n"
)
_SECOND = (
    "PMC7|t|Ünïted Tëst of ß 😀\n"
    "PMC7|a|A p.V600E change || in\ttwo\u2028 sisters\n"
    "PMC7\t0\t11\tÜnïted Tëst\tTest\t10,20\n"
    "PMC7\t21\t28\tp.V600E\tSequenceVariant\tp|SUB|V|600|E\n"
    "PMC7\tAssociation\t10\tp|SUB|V|600|E\tNovel\n"
    "PMC7\tBind\t10\t20\tNo\n"
)
NOTES = [
    f"{_FIRST}\n{_SECOND}\n",
    f"\n{_SECOND}\n{_FIRST}\n{_FIRST}".replace("\n", "\r\n"),
    f"\ufeff{_FIRST}",
    "5|t|Nothing here\n5|a|\n\n",
    f"5|t|severe\n5|a|rash\n5\t0\t11\tsevere rash\tDisease\t D1+D2\n\n{_SECOND}",
]

# --- The damage -------------------------------------------------------------------------

_MARKS = [
    "|", "||", "|t|", "|a|", "\t", "\t\t", "\n", "\n\n", "\r", "\r\n", " ", ",", "+", "-1", "-",
    "\0", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u2028", "\ufeff", "\u0301", "😀", "١", "İ",
    "0", "9" * 5000, "11", "12|t|", "11|a|", "11\t0\t8\t", "\tNovel", "{}", "%s", "\x1b[31m",
]  # fmt: skip


@edit_lines
def swap_columns(rng: random.Random, lines: list[bytes], place: int) -> None:
    columns = lines[place].split(b"\t")
    rng.shuffle(columns)
    lines[place] = b"\t".join(columns)


@edit_lines
def drop_column(rng: random.Random, lines: list[bytes], place: int) -> None:
    columns = lines[place].split(b"\t")
    del columns[rng.randrange(len(columns))]
    lines[place] = b"\t".join(columns)


@edit_lines
def wrong_id(rng: random.Random, lines: list[bytes], place: int) -> None:
    lines[place] = re.sub(rb"^\w+(?=[\t|])", rng.choice([b"12", b"", b"PMC7"]), lines[place])


@edit_lines
def random_offset(rng: random.Random, lines: list[bytes], place: int) -> None:
    columns = lines[place].split(b"\t")
    number = rng.choice([rng.randrange(90), -3, 10**8, 10**9, 10**30])
    columns[rng.randrange(len(columns))] = str(number).encode()
    lines[place] = b"\t".join(columns)


def insert_mark(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_MARKS).encode() + data[place:]


def spaces_for_tabs(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"\t", b" ")


def binary(rng: random.Random, data: bytes) -> bytes:
    return rng.randbytes(rng.randrange(200))


MUTATORS: list[Callable[[random.Random, bytes], bytes]] = [
    flip_byte, flip_byte, delete_line, delete_line, duplicate_line, duplicate_line,
    truncate_line, truncate_line, join_lines, join_lines, shuffle_lines, swap_columns,
    swap_columns, drop_column, drop_column, wrong_id, wrong_id, random_offset, random_offset,
    truncate_file, insert_mark, insert_mark, insert_mark, spaces_for_tabs, to_crlf, to_cr,
    to_latin1, to_utf16, binary,
]  # fmt: skip


def damaged(seed: int) -> bytes:
    """A file after one to three mutations."""
    rng = random.Random(seed)
    data = rng.choice(NOTES).encode()
    for mutate in rng.choices(MUTATORS, k=rng.choice([1, 1, 2, 3])):
        data = mutate(rng, data)
    return data


# --- What must hold of it ---------------------------------------------------------------


def lines_of(data: bytes) -> dict[int, str]:
    """The lines of a file that hold something, by number, without their ends."""
    lines = enumerate(data.decode().split("\n"), start=1)
    ended = {number: line.removeprefix("\ufeff").removesuffix("\r") for number, line in lines}
    return {number: line for number, line in ended.items() if line.strip()}


def is_passage(line: str) -> bool:
    return re.match(r"[^|\t\r\ufeff]{1,200}\|[ta]\|", line) is not None


def as_written(line: str) -> str:
    """Carriage returns inside a passage or a mention become spaces."""
    return line.replace("\r", " ")


def read(path: Path) -> tuple[list[Document], LossReport]:
    report = LossReport()
    return [d for file in find_pubtator(path) for d in read_pubtator(file, report)], report


def check(data: bytes, folder: Path) -> str:
    """Assert that a damaged file is refused, or accounted for; gives which."""
    folder.mkdir()
    path = folder / "note.pubtator"
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
            assert not any(is_passage(line) for line in lines_of(data).values())
        return error.code

    lines = lines_of(data)
    annotations = {
        number: line for number, line in lines.items() if not is_passage(line) or "\r" in line
    }
    lost = {finding.line for finding in report.lost}
    noted = {finding.line for finding in report.findings} - lost
    assert lost <= set(annotations)
    assert report.read.total() == len(annotations)
    assert report.kept.total() == len(annotations) - len(lost)
    assert {finding.path for finding in report.findings} <= {str(path)}

    out = folder / "out"
    out.mkdir()
    written = LossReport()
    write_pubtator(documents, out, written)
    again = Counter(lines_of((out / "note.pubtator").read_bytes()).values())
    for number, line in lines.items():
        if number in lost and not is_passage(line):
            continue
        line = as_written(line) if is_passage(line) else line
        if not again[line] and not is_passage(line):
            # A carriage return or a tab is reported at one end or the other.
            assert number in noted or written.findings, f"line {number}: {line!r}"
        else:
            assert again[line] > 0, f"line {number} is gone: {line!r}"
            again[line] -= 1
    for document in documents:
        for concept in document.concepts:
            assert document.covered_text(concept).strip()
            stated = concept.quoted
            assert stated is None or stated != document.covered_text(concept)
    return "kept" if not lost else "lost"


@pytest.mark.parametrize("first", range(0, MUTATIONS, CHUNK))
def test_damage_is_refused_or_accounted_for(tmp_path: Path, first: int) -> None:
    for seed in range(first, first + CHUNK):
        try:
            check(damaged(seed), tmp_path / str(seed))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def test_damage_is_of_every_outcome(tmp_path: Path) -> None:
    outcomes = Counter(check(damaged(seed), tmp_path / str(seed)) for seed in range(200))
    assert set(outcomes) == {"BL103", "BL140", "kept", "lost"}
    assert min(outcomes.values()) >= 5, outcomes


@pytest.mark.parametrize("first", range(0, 300, CHUNK))
def test_what_is_read_again_is_the_same(tmp_path: Path, first: int) -> None:
    """A second pass through files neither loses nor changes anything."""
    for seed in range(first, first + CHUNK):
        folder = tmp_path / str(seed)
        folder.mkdir()
        (folder / "note.pubtator").write_bytes(damaged(seed))
        try:
            documents, _ = read(folder)
        except BertLstmError:
            continue
        for out in ("one", "two"):
            (folder / out).mkdir()
            report = LossReport()
            write_pubtator(documents, folder / out, report)
            assert not report.lost, f"seed {seed}"
            documents, report = read(folder / out)
            assert not report.lost, f"seed {seed}"
        one, two = ((folder / out / "note.pubtator").read_bytes() for out in ("one", "two"))
        assert one == two, f"seed {seed}"


@pytest.mark.parametrize("seed", range(12))
def test_the_command_refuses_damage_or_converts(tmp_path: Path, seed: int) -> None:
    outcome = check(damaged(seed), tmp_path / "checked")
    source, output = tmp_path / "note.pubtator", tmp_path / "out.spacy"
    source.write_bytes(damaged(seed))
    arguments = ["bertlstm", "convert", "pubtator", str(source), str(output)]
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
