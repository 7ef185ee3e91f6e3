"""Seeded damage to brat folders: every annotation line is given back or accounted for."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import spacy
from damage import (
    delete_line,
    duplicate_line,
    empty,
    flip_byte,
    join_lines,
    shuffle_lines,
    to_cr,
    to_crlf,
    to_latin1,
    to_utf16,
    truncate_file,
    truncate_line,
    widen_spaces,
)
from spacy.cli._util import app as spacy_app
from spacy.tokens import Doc
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.brat import (
    RecordFiles,
    find_records,
    format_record,
    read_record,
    write_brat,
)
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Document
from spacy_bertlstm.schemas import N2C2_2018
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.build import build_doc, shows_record
from spacy_bertlstm.tokens.extensions import get_record

MUTATIONS = 2000
CHUNK = 100
COMMANDS = 40

# A word that stands in texts and comments, and must never be shown.
CANARY = "zanzibarwort"

Files = dict[str, bytes]

# --- The undamaged folders --------------------------------------------------------------

NOTES: list[dict[str, str]] = [
    {
        "1.txt": f"He has {CANARY} and takes aspirin 40mg\nfor chest pain .\n",
        "1.ann": f"T1\tReason 7 19\t{CANARY}\n"
        "T2\tDrug 30 37\taspirin\n"
        "T3\tStrength 38 42\t40mg\n"
        "T4\tReason 47 57\tchest pain\n"
        "R1\tStrength-Drug Arg1:T3 Arg2:T2\t\n"
        "R2\tReason-Drug Arg1:T4 Arg2:T2\t\n"
        f"#1\tAnnotatorNotes T1\t{CANARY}\n",
    },
    {
        "two.txt": f"No ünd 😀 fever,\r\ncough or\tleft and right {CANARY}\r\npain .\r\n",
        "two.ann": "E1\tSign:T1 \n"
        "T1\tSign 9 14\tfever\n"
        "R2\tBefore Arg1:R1 Arg2:E2\t\n"
        "R1\tBefore Arg1:E1 Arg2:E2\t\n"
        "A1\tNegation E1\n"
        "A2\tSure R1 very much\n"
        f"T2\tSign 17 22;26 30;41 53\tcough left {CANARY}\n"
        "E2\tSign:T2 Theme:E1 Theme2:E3 Cause:T1\n"
        "E3\tSign:T3\n"
        f"T3\tPlace 26 53\tleft and right {CANARY}\n"
        "T4\tSign 26 53\tLEFT\n"
        f"T5\tSign 41 59\t{CANARY}\r pain\n"
        "M1\tNegation T5\n"
        "N1\tReference E2 UMLS:C1:2\tcough\n"
        "N2\tReference T1 UMLS:C3\t\n"
        "*\tOR T1 E2 T5\n"
        "*\tOR E1 E3\n"
        f"# {CANARY}\n"
        "#2\tAnnotatorNotes A2\tis it\tso?\n",
    },
    {
        "a/3.txt": "\ufeffFever .\n",
        "a/3.ann": "\ufeffT1\tSign 1 6\tFever\n\nA1\tSure T1 no\n",
        "b/3.txt": "\ufeffFever .\n",
        "b/3.ann": "T1\tSign 0 5\tFever\nA1\tassertion T1 absent\n",
        "b/4.txt": "Nothing.",
    },
    {
        "5.txt": "aspirin binds cox and blocks cox today .\n",
        "5.a1": "T1\tDrug 0 7\taspirin\nT2\tGene 14 17\tcox\n*\tEquiv T1 T2\n",
        "5.a2": "T3\tBinding 8 13\tbinds\nE1\tBinding:T3 Theme:T1 Theme2:T2\n"
        "T4\tBlocking 22 28\tblocks\nE2\tBlocking:T4 Theme:E1\nM1\tNegation E2\n",
    },
]


# --- The damage -------------------------------------------------------------------------

_MARKS = [
    "\t", "\t\t", " ", "  ", ";", ":", "*", "#", "T", "E1", "R1", "\r", "\n", "\r\n", "\n\n",
    "\0", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u2028", "\u200b", "\ufeff", "\u0301", "😀",
    "١", "-", "0", "-1", "9" * 5000, "1e9", "{}", "%s", "\x1b[31m", "T1\tDrug 0 4\tHe h",
    "\nR9\tX Arg1:R9 Arg2:T1\t\n", "\nE9\tX:T1 Theme:E9\n", "\nX1\ty\n", "\nT9\tX 0 2;3 5\tHe\n",
]  # fmt: skip


def _edit(change: Callable[[random.Random, bytes], bytes], suffixes: str = "txt ann a1 a2"):
    """A mutation of one file's bytes, drawn among those with the given suffixes."""

    def mutate(rng: random.Random, files: Files) -> None:
        names = [name for name in sorted(files) if name.rpartition(".")[2] in suffixes.split()]
        if names:
            name = rng.choice(names)
            files[name] = change(rng, files[name])

    mutate.__name__ = change.__name__
    return mutate


def _at(pattern: bytes, new: Callable[[random.Random], bytes], name: str):
    """A mutation that puts something else in the place of one match."""

    def change(rng: random.Random, data: bytes) -> bytes:
        places = list(re.finditer(pattern, data))
        if not places:
            return data
        place = rng.choice(places)
        return data[: place.start()] + new(rng) + data[place.end() :]

    change.__name__ = name
    return change


def _reference(rng: random.Random) -> bytes:
    return f"{rng.choice('TTEERRAMN#X')}{rng.randrange(7)}".encode()


def binary(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.randrange(1, 40)) + data[place:]


def insert_mark(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_MARKS).encode() + data[place:]


def close_circle(rng: random.Random, data: bytes) -> bytes:
    return (
        data
        + b"E7\tX:T1 Theme:E8\nE8\tX:T1 Theme:E7\nA7\tSure E8\nR7\tX A:E7 B:R8\nR8\tX A:R7 B:T1"
    )


def swap_tabs(rng: random.Random, data: bytes) -> bytes:
    return data.replace(*rng.choice([(b"\t", b" "), (b" ", b"\t"), (b"\t", b"\t\t"), (b"\t", b"")]))


def add_mark(rng: random.Random, data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data


def swap_files(rng: random.Random, files: Files) -> None:
    one, two = rng.sample(sorted(files), 2)
    files[one], files[two] = files[two], files[one]


def remove_file(rng: random.Random, files: Files) -> None:
    del files[rng.choice(sorted(files))]


def rename_file(rng: random.Random, files: Files) -> None:
    name = rng.choice(sorted(files))
    stem, _, suffix = name.rpartition(".")
    new = rng.choice(
        [f"{stem}.{suffix.upper()}", f"{stem}x.{suffix}", f"sub/{name}", f"{name}.bak"]
    )
    files[new] = files.pop(name)


def copy_file(rng: random.Random, files: Files) -> None:
    name = rng.choice(sorted(files))
    stem, _, suffix = name.rpartition(".")
    files[rng.choice([f"{stem}.{rng.choice(['ann', 'a1', 'TXT'])}", f"sub/{name}"])] = files[name]


_ANNOTATED = "ann a1 a2"
_ID = rb"\b[TERAMN#]\d+"
MUTATORS: list[Callable[[random.Random, Files], None]] = [
    _edit(_at(rb"\b\d+\b", lambda rng: str(rng.randrange(70)).encode(), "offset"), _ANNOTATED),
    _edit(_at(rb"\b\d+\b", lambda rng: b"9" * rng.randrange(1, 30), "huge_offset"), _ANNOTATED),
    _edit(_at(rb"\d+ \d+", lambda rng: b"5 2", "reverse_offsets"), _ANNOTATED),
    _edit(_at(rb"(?<=\d)\t", lambda rng: b";0 3\t", "further_fragment"), _ANNOTATED),
    _edit(_at(_ID, _reference, "change_id"), _ANNOTATED),
    _edit(_at(rb"(?<=[: ])[TERAMN#]\d+", _reference, "change_reference"), _ANNOTATED),
    _edit(_at(rb"(?<=[: ])[TERAMN#]\d+", lambda rng: CANARY.encode(), "words_for_id"), _ANNOTATED),
    _edit(_at(rb"(?m)^.", lambda rng: bytes([rng.choice(b"TERAMN#*XZ ")]), "kind"), _ANNOTATED),
    _edit(_at(rb"\t", lambda rng: rng.choice([b" ", b"", b"\t\t"]), "change_tab"), _ANNOTATED),
    _edit(flip_byte),
    _edit(flip_byte, _ANNOTATED),
    _edit(binary),
    _edit(delete_line, _ANNOTATED),
    _edit(delete_line, "txt"),
    _edit(duplicate_line, _ANNOTATED),
    _edit(truncate_line, _ANNOTATED),
    _edit(truncate_file),
    _edit(shuffle_lines, _ANNOTATED),
    _edit(join_lines, _ANNOTATED),
    _edit(insert_mark, _ANNOTATED),
    _edit(insert_mark, "txt"),
    _edit(close_circle, _ANNOTATED),
    _edit(swap_tabs, _ANNOTATED),
    _edit(to_crlf),
    _edit(to_cr),
    _edit(to_latin1),
    _edit(to_utf16),
    _edit(add_mark),
    _edit(widen_spaces),
    _edit(empty),
    swap_files,
    remove_file,
    rename_file,
    copy_file,
]  # fmt: skip


def damaged(seed: int) -> tuple[Files, list[str]]:
    """A folder's files after one to four mutations, and the names of these."""
    rng = random.Random(seed)
    files = {name: text.encode() for name, text in rng.choice(NOTES).items()}
    mutators = rng.choices(MUTATORS, k=rng.choice([1, 1, 2, 3, 4]))
    for mutate in mutators:
        if len(files) > 1:
            mutate(rng, files)
    return files, [mutate.__name__ for mutate in mutators]


def write_files(folder: Path, files: Files) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


# --- What must hold of it ---------------------------------------------------------------


def line_key(line: str) -> tuple[object, ...]:
    """What a line says: blanks between its words and at its end say nothing."""
    name, *fields = line.split("\t", 2)
    words = [word for word in re.split("[ ;]", fields[0]) if word] if fields else []
    if line.startswith("T"):
        words = [str(int(word)) if re.fullmatch("[0-9]{1,9}", word) else word for word in words]
    return (name, *words, "".join(fields[1:]).rstrip())


def unaccounted(files: RecordFiles, record: Document, report: LossReport) -> list[str]:
    """The annotation lines neither given back nor reported lost, and those made up."""
    contents = format_record(record, LossReport())
    faults = []
    if contents.pop(".txt").encode() != files.path.read_bytes():
        faults.append(f"{files.path.name}: another text")
    written = {line_key(line) for content in contents.values() for line in content.split("\n")}
    made_up = written - {line_key("")}
    lost = {(finding.path, finding.line) for finding in report.findings if finding.lost}
    for path in list(files.files.values())[1:]:
        lines = path.read_bytes().decode().removeprefix("\ufeff").split("\n")
        for number, line in enumerate(lines, start=1):
            key = line_key(line.rstrip("\r"))
            if line.strip() and key not in written and (str(path), number) not in lost:
                faults.append(f"{path.name}, line {number}: neither given back nor reported")
            made_up.discard(key)
    if made_up:
        faults.append(f"{files.path.name}: {len(made_up)} lines made up")
    if report.read.total() - report.kept.total() != len(lost):
        faults.append("the counts of the report disagree with its findings")
    return faults


def without_sources(record: Document) -> dict[str, object]:
    data = record.to_dict()
    for items in data.values():
        if isinstance(items, tuple):
            for item in items:
                item["source"] = ""
    return data


def rewritten(record: Document, folder: Path) -> list[str]:
    """What changes when a record is written and read again."""
    folder.mkdir()
    report = LossReport()
    write_brat([record], folder, report)
    if report.lost:
        return ["what was read cannot be written"]
    (files,) = find_records(folder)
    again = replace(read_record(files, report), id=record.id)
    if report.lost:
        return ["what was written cannot be read"]
    return [] if without_sources(again) == without_sources(record) else ["reads otherwise again"]


def faults_of(seed: int, folder: Path, tokenizer: Callable[[str], Doc]) -> list[str]:
    files, _ = damaged(seed)
    write_files(folder / "in", files)
    faults = []
    try:
        found = find_records(folder / "in")
    except BertLstmError as error:
        return [] if error.code == "BL102" else [f"{error.code} for the whole folder"]
    for number, record_files in enumerate(found):
        report = LossReport()
        try:
            record = read_record(record_files, report)
        except BertLstmError as error:
            if CANARY in str(error) or not any(
                str(p) in str(error) for p in record_files.files.values()
            ):
                faults.append(f"{error.code}: without file, or with words of the note")
            continue
        faults += unaccounted(record_files, record, report)
        faults += rewritten(record, folder / f"out-{number}")
        doc = build_doc(record, tokenizer, report)
        if doc.text != record.text or not shows_record(doc) or get_record(doc) != record:
            faults.append("the Doc shows another record")
        if any(CANARY in finding.reason for finding in report.findings):
            faults.append("a report with words of the note")
        typed = LossReport()
        faults += unaccounted(
            record_files, read_record(record_files, typed, schema=N2C2_2018), typed
        )
    return faults


@pytest.fixture(scope="module")
def tokenizer() -> Callable[[str], Doc]:
    return make_clinical_tokenizer()(spacy.blank("en"))


@pytest.mark.parametrize("first", range(0, MUTATIONS, CHUNK))
def test_damage_is_refused_or_accounted_for(
    first: int, tmp_path: Path, tokenizer: Callable[[str], Doc]
) -> None:
    failures = []
    for seed in range(first, first + CHUNK):
        folder = tmp_path / str(seed)
        folder.mkdir()
        faults = faults_of(seed, folder, tokenizer)
        failures += [f"seed {seed} {damaged(seed)[1]}: {fault}" for fault in faults]
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("index", range(len(NOTES)))
def test_the_undamaged_notes_lose_nothing(index: int, tmp_path: Path) -> None:
    write_files(tmp_path, {name: text.encode() for name, text in NOTES[index].items()})
    for files in find_records(tmp_path):
        report = LossReport()
        record = read_record(files, report)
        assert report.lost == []
        assert unaccounted(files, record, report) == []
        assert bool(record.concepts) == record.annotated


def test_the_seeds_reach_every_mutation_and_all_outcomes(tmp_path: Path) -> None:
    names = [name for seed in range(MUTATIONS) for name in damaged(seed)[1]]
    assert set(names) == {mutate.__name__ for mutate in MUTATORS}
    outcomes = {"refused": 0, "lost": 0, "kept": 0}
    for seed in range(0, MUTATIONS, 10):
        for files in find_records(write_files(tmp_path / str(seed), damaged(seed)[0])):
            report = LossReport()
            try:
                read_record(files, report)
            except BertLstmError:
                outcomes["refused"] += 1
            else:
                outcomes["lost" if report.lost else "kept"] += 1
    assert min(outcomes.values()) > 20, outcomes


@pytest.mark.parametrize("format", ["brat", "n2c2-2018"])
def test_the_command_writes_all_or_nothing(format: str, tmp_path: Path) -> None:
    codes = set()
    for seed in range(COMMANDS):
        folder = write_files(tmp_path / f"in-{seed}", damaged(seed)[0])
        out = tmp_path / f"{seed}.spacy"
        done = CliRunner().invoke(spacy_app, ["bertlstm", "convert", format, str(folder), str(out)])
        codes.add(done.exit_code)
        assert out.exists() is (done.exit_code == 0)
        assert done.exit_code in (0, 1)
        if done.exit_code:
            assert re.search(r"\[BL1\d\d\]", done.stderr), done.stderr
            assert format != "brat" or CANARY not in done.output
    assert 1 in codes and (0 in codes or format == "n2c2-2018")


# --- Size -------------------------------------------------------------------------------


def through(folder: Path, text: str, lines: list[str]) -> tuple[LossReport, dict[str, str]]:
    """Read one record, and give it back: the report and the contents of its files."""
    (folder / "1.txt").write_bytes(text.encode())
    (folder / "1.ann").write_bytes("".join(f"{line}\n" for line in lines).encode())
    (files,) = find_records(folder)
    report = LossReport()
    return report, format_record(read_record(files, report), LossReport())


def test_a_large_note_takes_no_more_than_its_share(tmp_path: Path) -> None:
    """What took steps by the square of the size would not end here."""
    count = 20_000
    text = "ache and rash . " * count
    lines = []
    for index in range(count):
        start = 16 * index
        lines.append(f"T{index}\tSign {start} {start + 4};{start + 9} {start + 13}\tache rash")
        # Each event, but for the last, waits for the next: no recursion is as deep.
        lines.append(f"E{index}\tSign:T{index} Theme:E{index + 1}")
        lines.append(f"A{index}\tSure E{index}")
    lines.append(f"E{count}\tSign:T0")
    report, files = through(tmp_path, text, lines)
    assert report.read == report.kept
    assert report.read.total() == 3 * count + 1
    assert files[".ann"].count("\n") == 3 * count + 1

    report, files = through(tmp_path, text, lines[:-1])
    assert report.kept == {"concept": count}
    assert len(report.lost) == 2 * count

    circle = [*lines[:-1], f"E{count}\tSign:T0 Theme:E0"]
    report, files = through(tmp_path, text, circle)
    assert report.kept == {"concept": count}


@pytest.mark.parametrize(
    "head, unit, tail",
    [
        ("T1\tSign ", "0 4;", "\tache"),
        ("T1\tSign ", "0 4 ", "\tache"),
        ("T1\tSign 0 4", " ", "x\tache"),
        ("T1\tSign 0 4\t", "T1", "ache"),
        ("T1\tSign 0 4\t", "\t", "ache"),
        ("T1\tSign 0 4\t", " T1\r", "ache"),
        ("E1\tSign:T1", " Theme:T1", ""),
        ("E1\tSign:T1", " ", "x"),
        ("R1\tX", " Arg1:T1", " x"),
        ("A1\tSure", " ", "x"),
        ("A1\tSure T1 ", " x", "\tx"),
        ("N1\tReference T1 ", ":", "\tx"),
        ("*\tEquiv", " T1", " ;:"),
        ("#1\tNotes", " T1", ""),
        ("", " \t", "x"),
        ("", "T", ""),
    ],
)
def test_a_long_line_takes_no_more_than_its_share(
    head: str, unit: str, tail: str, tmp_path: Path
) -> None:
    line = head + unit * (3_000_000 // len(unit)) + tail
    report, files = through(tmp_path, "ache and rash . ", [line])
    assert len(report.findings) == 1 or files[".ann"] == line + "\n"
