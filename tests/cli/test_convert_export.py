"""convert, export and split: what they write, and how they refuse bad input."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from click.testing import Result
from spacy.cli._util import app as spacy_app
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.records import Concept, Document
from spacy_bertlstm.tokens.corpus import make_corpus_reader, read_docs, write_docs
from spacy_bertlstm.tokens.extensions import get_record, register_extensions, set_record

# A word that stands in every note, and must never be shown.
CANARY = "zanzibarwort"

TEXT = f"He has {CANARY} pain .\nAspirin 40mg was given .\n"
CON = f'c="{CANARY} pain" 1:2 1:3||t="problem"\nc="aspirin" 2:0 2:0||t="treatment"\n'
AST = f'c="{CANARY} pain" 1:2 1:3||t="problem"||a="present"\n'
REL = f'c="aspirin" 2:0 2:0||r="TrAP"||c="{CANARY} pain" 1:2 1:3\n'
GOOD: dict[str, str | bytes] = {"1.txt": TEXT, "1.con": CON, "1.ast": AST, "1.rel": REL}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", *map(str, arguments)])


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, hidden ones too, with the contents of the files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def assert_succeeded(result: Result) -> None:
    assert result.exit_code == 0, result.output
    assert "[BL" not in result.output
    assert CANARY not in result.output


def assert_refused(result: Result, code: str, *places: object) -> None:
    """Assert one coded error that names its place, quotes no note and says what to do."""
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 1
    assert re.findall(r"\[BL\d{3}\]", result.stderr) == [f"[{code}]"]
    assert "[BL" not in result.stdout
    (message,) = (line for line in result.stderr.splitlines() if "[BL" in line)
    for place in places:
        assert str(place) in message
    # The next step is a sentence of its own, or an example of what is wanted.
    assert re.search(r"\. [A-Z][a-z-]+ |such as", message), "no next step"
    assert "Traceback" not in result.output
    assert CANARY not in result.output


def converted(folder: Path, files: dict[str, str | bytes] = GOOD, name: str = "in") -> Path:
    """A .spacy file made of the given files."""
    write_files(folder / name, files)
    path = folder / f"{name}.spacy"
    assert_succeeded(run("convert", "i2b2", folder / name, path, "--allow-loss"))
    return path


# --- convert: good input ----------------------------------------------------------------


def test_convert_writes_docs_with_records_and_views(tmp_path: Path) -> None:
    (doc,) = read_docs(converted(tmp_path), Vocab())
    assert doc.text == TEXT
    assert [(entity.text, entity.label_) for entity in doc.ents] == [
        (f"{CANARY} pain", "problem"),
        ("Aspirin", "treatment"),
    ]
    assert doc.ents[0]._.assertion == "present"
    (relation,) = doc._.relations
    assert relation["label"] == "TrAP"
    record = get_record(doc)
    assert record is not None
    assert record.id == "1" and len(record.relations) == 1


def test_convert_prints_a_summary(tmp_path: Path) -> None:
    write_files(tmp_path / "in", {**GOOD, "2.txt": "Nothing here\n", "2.con": ""})
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy")
    assert_succeeded(result)
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[:4] == [
        ["annotations", "read", "kept", "lost"],
        ["concept", "2", "2", "0"],
        ["assertion", "1", "1", "0"],
        ["relation", "1", "1", "0"],
    ]
    last = result.stdout.splitlines()[-1]
    assert last.startswith("2 records (0 without annotations), ")
    assert last.endswith(f" 2 entities in doc.ents -> {tmp_path / 'out.spacy'}")
    assert result.stderr == ""


def test_convert_counts_records_without_annotations(tmp_path: Path) -> None:
    write_files(tmp_path / "in", {"a.txt": TEXT, "b.txt": TEXT})
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy")
    assert_succeeded(result)
    assert "2 records (2 without annotations)" in result.stdout
    docs = list(read_docs(tmp_path / "out.spacy", Vocab()))
    assert not any(doc.has_annotation("ENT_IOB") for doc in docs)


def test_convert_makes_missing_folders(tmp_path: Path) -> None:
    write_files(tmp_path / "in", GOOD)
    out = tmp_path / "a" / "b" / "out.spacy"
    assert_succeeded(run("convert", "i2b2", tmp_path / "in", out))
    assert [path.name for path in out.parent.iterdir()] == ["out.spacy"]


def test_convert_replaces_an_older_file(tmp_path: Path) -> None:
    out = tmp_path / "out.spacy"
    out.write_bytes(b"old")
    write_files(tmp_path / "in", GOOD)
    assert_succeeded(run("convert", "i2b2", tmp_path / "in", out))
    assert len(list(read_docs(out, Vocab()))) == 1


@pytest.mark.parametrize("text", ["", "\n", " ", "\0", "\r\n\r\n"])
def test_convert_takes_notes_without_words(text: str, tmp_path: Path) -> None:
    path = converted(tmp_path, {"1.txt": text, "1.con": ""})
    (doc,) = read_docs(path, Vocab())
    assert doc.text == text
    assert_succeeded(run("export", "i2b2", path, tmp_path / "out"))
    assert (tmp_path / "out" / "txt" / "1.txt").read_bytes() == text.encode()


# --- convert: bad input -----------------------------------------------------------------

BAD_LINE = f'c="{CANARY}" 1:2 1:99||t="problem"\n'

# name: (files, further options, code, what the message names)
REFUSED: dict[str, tuple[dict[str, str | bytes], list[str], str, list[str]]] = {
    "annotations without text": ({"1.con": CON}, [], "BL104", ["1.con", "1.txt"]),
    "text without concepts": (
        {**GOOD, "2.txt": TEXT, "2.ast": AST},
        [],
        "BL104",
        ["2.txt", "2.con"],
    ),
    "names that differ": ({"1.txt": TEXT, "01.con": CON}, [], "BL104", ["01.con", "01.txt"]),
    "one record twice": ({**GOOD, "txt/1.txt": TEXT}, [], "BL105", ["txt/1.txt", "'1'"]),
    "offsets past the line": (
        {**GOOD, "1.con": CON + BAD_LINE},
        [],
        "BL106",
        ["1 of 5", "1.con", "line 3", "1:99", "5 tokens"],
    ),
    "line past the text": (
        {**GOOD, "1.ast": AST + AST.replace("1:", "71:")},
        [],
        "BL106",
        ["1 of 5", "1.ast", "line 2", "71:2"],
    ),
    "unknown type": (
        {**GOOD, "1.con": CON.replace("treatment", "drug")},
        [],
        "BL106",
        ["1.con", "line 2", "'drug'", "treatment"],
    ),
    "unknown assertion": (
        {**GOOD, "1.ast": AST.replace("present", "maybe")},
        [],
        "BL106",
        ["1.ast", "line 1", "'maybe'", "absent"],
    ),
    "unknown relation": (
        {**GOOD, "1.rel": REL.replace("TrAP", "TrXP")},
        [],
        "BL106",
        ["1.rel", "line 1", "'TrXP'", "TrAP"],
    ),
    "not an annotation line": (
        {**GOOD, "1.con": f"{CON}\n{CANARY} is what he has\n"},
        [],
        "BL106",
        ["1.con", "line 4", "not of the form"],
    ),
    "a number of 5,000 digits": (
        {**GOOD, "1.con": CON.replace("1:2", "1:" + "2" * 5000, 1)},
        [],
        "BL106",
        ["1.con", "line 1"],
    ),
    "text in Latin-1": (
        {**GOOD, "1.txt": f"{TEXT}{CANARY} caf\xe9".encode("latin-1")},
        [],
        "BL103",
        ["1.txt", "line 3"],
    ),
    "annotations in Latin-1": (
        {**GOOD, "1.con": b'c="caf\xe9" 1:0 1:0||t="test"'},
        [],
        "BL103",
        ["1.con", "line 1", "byte 6"],
    ),
    "text in UTF-16": ({**GOOD, "1.txt": TEXT.encode("utf-16")}, [], "BL103", ["1.txt", "line 1"]),
    "empty folder": ({}, [], "BL102", [".txt"]),
    "files of other kinds": ({"1.xml": TEXT, "README": CANARY}, [], "BL102", [".txt"]),
    "text only, annotations demanded": (
        {"1.txt": TEXT},
        ["--require-annotations"],
        "BL107",
        ["1.txt", "--require-annotations"],
    ),
}


@pytest.mark.parametrize("old", [None, b"the old contents"])
@pytest.mark.parametrize("name", REFUSED)
def test_convert_refuses(name: str, old: bytes | None, tmp_path: Path) -> None:
    files, options, code, places = REFUSED[name]
    write_files(tmp_path / "in", files)
    out = tmp_path / "out" / "docs.spacy"
    out.parent.mkdir()
    if old is not None:
        out.write_bytes(old)
    before = snapshot(tmp_path)
    result = run("convert", "i2b2", tmp_path / "in", out, *options)
    assert_refused(result, code, tmp_path / "in", *places)
    assert snapshot(tmp_path) == before


def test_convert_refuses_a_missing_folder(tmp_path: Path) -> None:
    result = run("convert", "i2b2", tmp_path / "none", tmp_path / "out.spacy")
    assert_refused(result, "BL101", tmp_path / "none")
    assert snapshot(tmp_path) == {}


def test_convert_refuses_a_file_for_a_folder(tmp_path: Path) -> None:
    write_files(tmp_path, GOOD)
    before = snapshot(tmp_path)
    result = run("convert", "i2b2", tmp_path / "1.txt", tmp_path / "out.spacy")
    assert_refused(result, "BL101", tmp_path / "1.txt")
    assert snapshot(tmp_path) == before


def test_convert_refuses_an_unknown_format(tmp_path: Path) -> None:
    result = run("convert", "word97", tmp_path, tmp_path / "out.spacy")
    assert result.exit_code == 2
    assert "i2b2" in result.stderr and "Traceback" not in result.output


@pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses such names itself")
def test_convert_refuses_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    write_files(tmp_path / "in", {"1.txt": TEXT})
    try:
        os.rename(tmp_path / "in" / "1.txt", os.fsencode(tmp_path / "in") + b"/\xff.txt")
    except OSError:
        pytest.skip("the file system takes no such name")
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy")
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert re.findall(r"\[BL\d{3}\]", result.stderr)
    assert not (tmp_path / "out.spacy").exists()


def test_text_only_is_converted_where_annotations_are_not_demanded(tmp_path: Path) -> None:
    write_files(tmp_path / "in", {"1.txt": TEXT})
    assert_succeeded(run("convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy"))


def test_annotations_demanded_and_there(tmp_path: Path) -> None:
    write_files(tmp_path / "in", GOOD)
    result = run(
        "convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy", "--require-annotations"
    )
    assert_succeeded(result)


# --- Places that cannot be written ------------------------------------------------------


def unwritable(folder: Path) -> dict[str, Path]:
    """Output paths that cannot be: each fails for root as well."""
    (folder / "file").write_bytes(b"")
    (folder / "folder" / "inner").mkdir(parents=True)
    return {
        "below a file": folder / "file" / "out",
        "deep below a file": folder / "file" / "a" / "b" / "out",
        "a folder with something in it": folder / "folder",
        "a name too long": folder / ("x" * 300),
        "a folder's name too long": folder / ("x" * 300) / "out",
    }


PLACES = [
    "below a file",
    "deep below a file",
    "a folder with something in it",
    "a name too long",
    "a folder's name too long",
]


@pytest.mark.parametrize("place", PLACES)
def test_convert_to_a_place_that_cannot_be_written(place: str, tmp_path: Path) -> None:
    write_files(tmp_path / "in", GOOD)
    out = unwritable(tmp_path)[place]
    before = snapshot(tmp_path)
    assert_refused(run("convert", "i2b2", tmp_path / "in", out), "BL109", out)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("place", PLACES)
def test_a_report_to_a_place_that_cannot_be_written(place: str, tmp_path: Path) -> None:
    write_files(tmp_path / "in", GOOD)
    report = unwritable(tmp_path)[place]
    before = snapshot(tmp_path)
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy", "--report", report)
    assert_refused(result, "BL109", report)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("place", PLACES)
def test_export_to_a_place_that_cannot_be_written(place: str, tmp_path: Path) -> None:
    docs = converted(tmp_path)
    out = unwritable(tmp_path)[place]
    before = snapshot(tmp_path)
    code = "BL110" if place == "a folder with something in it" else "BL109"
    assert_refused(run("export", "i2b2", docs, out), code, out)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("place", [place for place in PLACES if "something" not in place])
def test_split_to_a_place_that_cannot_be_written(place: str, tmp_path: Path) -> None:
    docs = converted(tmp_path, many_notes(10))
    out = unwritable(tmp_path)[place]
    before = snapshot(tmp_path)
    assert_refused(run("split", docs, out), "BL109", out)
    assert snapshot(tmp_path) == before


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_without_permission(tmp_path: Path) -> None:
    docs = converted(tmp_path)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    for command in (
        ("convert", "i2b2", tmp_path / "in", closed / "x"),
        ("export", "i2b2", docs, closed / "x"),
        ("split", docs, closed / "x", "--ratio", "1", "0", "0"),
    ):
        assert_refused(run(*command), "BL109", closed / "x")
    assert list(closed.iterdir()) == []


@pytest.mark.parametrize("command", ["convert", "export", "split"])
def test_a_full_disk_leaves_no_file_behind(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = converted(tmp_path)
    before = snapshot(tmp_path)
    write_bytes = Path.write_bytes

    def fill_up(path: Path, data: bytes) -> int:
        write_bytes(path, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    out = tmp_path / "out"
    arguments: dict[str, list[object]] = {
        "convert": ["convert", "i2b2", tmp_path / "in", out],
        "export": ["export", "i2b2", docs, out],
        "split": ["split", docs, tmp_path, "--ratio", 1, 0, 0],
    }
    result = run(*arguments[command])
    assert_refused(result, "BL109", "No space left")
    assert ".part" not in result.stderr
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interruption_leaves_no_file_behind(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted(tmp_path)
    before = snapshot(tmp_path)
    write_bytes = Path.write_bytes

    def interrupt(path: Path, data: bytes) -> int:
        write_bytes(path, data[: len(data) // 2])
        raise error

    monkeypatch.setattr(Path, "write_bytes", interrupt)
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy")
    assert result.exit_code != 0
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("command", ["convert", "report", "export"])
def test_the_current_folder_as_output(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = converted(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    arguments: dict[str, list[object]] = {
        "convert": ["convert", "i2b2", tmp_path / "in", "."],
        "report": ["convert", "i2b2", tmp_path / "in", tmp_path / "x.spacy", "--report", "."],
        "export": ["export", "i2b2", docs, "."],
    }
    result = run(*arguments[command])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 0 or "[BL109]" in result.stderr


# --- Losses and the report --------------------------------------------------------------

LOSSY: dict[str, str | bytes] = {
    **GOOD,
    "1.con": CON + BAD_LINE + CON,
    "1.ast": AST + AST.replace("present", "absent"),
}


@pytest.mark.parametrize("allow_loss", [True, False])
def test_the_report_is_written_with_or_without_loss_allowed(
    allow_loss: bool, tmp_path: Path
) -> None:
    write_files(tmp_path / "in", LOSSY)
    out, report = tmp_path / "out.spacy", tmp_path / "new" / "report.json"
    options = ["--allow-loss"] if allow_loss else []
    result = run("convert", "i2b2", tmp_path / "in", out, "--report", report, *options)
    assert out.exists() is allow_loss
    if allow_loss:
        assert_succeeded(result)
    else:
        assert_refused(result, "BL106", "1.con", "line 3", "--allow-loss", "report")
    text = report.read_text(encoding="utf-8")
    assert CANARY not in text
    data = json.loads(text)
    assert data["read"] == {"concept": 5, "assertion": 2, "relation": 1}
    assert data["kept"] == {"concept": 4, "assertion": 2, "relation": 1}
    assert data["lost"] == 1
    found = [(Path(f["path"]).name, f["line"], f["lost"]) for f in data["findings"]]
    assert found == [
        ("1.con", 3, True),
        ("1.con", 4, False),
        ("1.con", 5, False),
        ("1.ast", 2, False),
    ]
    assert all(f["reason"] for f in data["findings"])
    assert [path.name for path in report.parent.iterdir()] == ["report.json"]


def test_allow_loss_says_what_is_lost(tmp_path: Path) -> None:
    write_files(tmp_path / "in", LOSSY)
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy", "--allow-loss")
    assert_succeeded(result)
    assert ["concept", "5", "4", "1"] in [line.split() for line in result.stdout.splitlines()]
    assert "note: 2 x repeats an earlier line" in result.stdout
    (lost,) = (line for line in result.stderr.splitlines() if line.startswith("lost:"))
    assert str(tmp_path / "in" / "1.con") in lost and "line 3" in lost
    (doc,) = read_docs(tmp_path / "out.spacy", Vocab())
    assert len(doc.ents) == 2


def test_many_losses_are_cut_short_on_screen_but_not_in_the_report(tmp_path: Path) -> None:
    write_files(tmp_path / "in", {**GOOD, "1.con": CON + BAD_LINE * 25})
    report = tmp_path / "report.json"
    result = run(
        "convert", "i2b2", tmp_path / "in", tmp_path / "o.spacy", "--allow-loss", "--report", report
    )
    assert_succeeded(result)
    assert len(re.findall(r"^lost: .*line \d", result.stderr, re.MULTILINE)) == 10
    assert "15 more" in result.stderr
    assert json.loads(report.read_text())["lost"] == 25


def test_an_annotation_that_no_entity_can_hold_is_noted_not_lost(tmp_path: Path) -> None:
    con = CON + 'c="pain" 1:3 1:3||t="problem"\nc="he ." 1:0 1:0,1:4 1:4||t="test"\n'
    write_files(tmp_path / "in", {**GOOD, "1.con": con})
    report = tmp_path / "report.json"
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "o.spacy", "--report", report)
    assert_succeeded(result)
    findings = json.loads(report.read_text())["findings"]
    assert [(Path(f["path"]).name, f["line"], f["lost"]) for f in findings] == [
        ("1.con", 3, False),
        ("1.con", 4, False),
    ]
    assert "2 entities in doc.ents" in result.stdout


def test_every_finding_of_a_file_names_it_by_the_same_path(tmp_path: Path) -> None:
    # Two parts of a release hold files of one name: the bare name would not tell them apart.
    con = CON + 'c="pain" 1:3 1:3||t="problem"\n' + BAD_LINE
    write_files(tmp_path / "in", {**GOOD, "1.con": con})
    report = tmp_path / "report.json"
    run("convert", "i2b2", tmp_path / "in", tmp_path / "o.spacy", "--report", report)
    findings = json.loads(report.read_text())["findings"]
    assert {f["path"] for f in findings} == {str(tmp_path / "in" / "1.con")}


# --- .spacy files that are none ---------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return converted(tmp_path_factory.mktemp("whole")).read_bytes()


def not_a_docbin(kind: str, whole: bytes) -> bytes:
    data = srsly.msgpack_loads(zlib.decompress(whole))
    return {
        "empty": lambda: b"",
        "garbage": lambda: bytes(range(256)) * 20,
        "text": lambda: TEXT.encode(),
        "first byte": lambda: whole[:1],
        "first half": lambda: whole[: len(whole) // 2],
        "without its last byte": lambda: whole[:-1],
        "one byte flipped": lambda: whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
        "a Doc": lambda: spacy.blank("en")(TEXT).to_bytes(),
        "compressed garbage": lambda: zlib.compress(b"\xc1garbage"),
        "a compressed list": lambda: zlib.compress(srsly.msgpack_dumps([1, 2])),
        "a compressed number": lambda: zlib.compress(srsly.msgpack_dumps(7)),
        "a compressed dict": lambda: zlib.compress(srsly.msgpack_dumps({"a": 1})),
        "no tokens": lambda: zlib.compress(srsly.msgpack_dumps({**data, "tokens": b""})),
        "strings that are missing": lambda: zlib.compress(
            srsly.msgpack_dumps({**data, "strings": []})
        ),
        "user data that is broken": lambda: zlib.compress(
            srsly.msgpack_dumps({**data, "user_data": [b"\xc1"]})
        ),
        "user data of another kind": lambda: zlib.compress(
            srsly.msgpack_dumps({**data, "user_data": [srsly.msgpack_dumps(3)]})
        ),
        "span groups that are broken": lambda: zlib.compress(
            srsly.msgpack_dumps({**data, "span_groups": [b"\xc1"]})
        ),
        "attributes that are unknown": lambda: zlib.compress(
            srsly.msgpack_dumps({**data, "attrs": [10**6] * len(data["attrs"])})
        ),
    }[kind]()


BROKEN = [
    "empty",
    "garbage",
    "text",
    "first byte",
    "first half",
    "without its last byte",
    "one byte flipped",
    "a Doc",
    "compressed garbage",
    "a compressed list",
    "a compressed number",
    "a compressed dict",
    "no tokens",
    "strings that are missing",
    "user data that is broken",
    "user data of another kind",
    "span groups that are broken",
    "attributes that are unknown",
]


@pytest.mark.parametrize("command", ["export", "split"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_no_docbin(kind: str, command: str, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.spacy"
    path.write_bytes(not_a_docbin(kind, whole))
    before = snapshot(tmp_path)
    arguments = ["export", "i2b2", path] if command == "export" else ["split", path]
    assert_refused(run(*arguments, tmp_path / "out"), "BL201", path)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("kind", BROKEN)
def test_training_on_a_file_that_is_no_docbin(kind: str, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.spacy"
    path.write_bytes(not_a_docbin(kind, whole))
    with pytest.raises(BertLstmError) as raised:
        list(make_corpus_reader(path)(spacy.blank("en")))
    assert raised.value.code == "BL201"
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("command", ["export", "split"])
def test_a_spacy_file_that_is_missing(command: str, tmp_path: Path) -> None:
    path = tmp_path / "none.spacy"
    arguments = ["export", "i2b2", path] if command == "export" else ["split", path]
    assert_refused(run(*arguments, tmp_path / "out"), "BL101", path)
    assert snapshot(tmp_path) == {}


def test_a_spacy_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = converted(tmp_path)

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert_refused(run("split", path, tmp_path / "out"), "BL108", path, "Permission denied")


@pytest.mark.parametrize("files", [{"1.txt": TEXT}, {"1.txt": TEXT, "1.con": ""}])
def test_training_on_docs_without_entities(files: dict[str, str | bytes], tmp_path: Path) -> None:
    path = converted(tmp_path, files)
    with pytest.raises(BertLstmError) as raised:
        list(make_corpus_reader(path)(spacy.blank("en")))
    assert raised.value.code == "BL202"
    assert str(path) in str(raised.value)
    assert CANARY not in str(raised.value)


def test_training_on_docs_with_entities(tmp_path: Path) -> None:
    path = converted(tmp_path, {**GOOD, "2.txt": "None here\n", "2.con": ""})
    examples = list(make_corpus_reader(path)(spacy.blank("en")))
    assert [len(example.reference.ents) for example in examples] == [2, 0]


# --- export -----------------------------------------------------------------------------


def edited(path: Path, change: Callable[[Doc], None]) -> Path:
    """The Docs of a .spacy file after a change to each."""
    docs = list(read_docs(path, spacy.blank("en").vocab))
    for doc in docs:
        change(doc)
    out = path.with_name("edited.spacy")
    write_docs(docs, out)
    return out


def drop_entities(doc: Doc) -> None:
    doc.set_ents([], default="outside")


def set_one_entity(doc: Doc) -> None:
    span = doc.char_span(doc.text.index("Aspirin"), doc.text.index("Aspirin") + 7, "treatment")
    doc.set_ents([span], default="outside")


def forget_record(doc: Doc) -> None:
    doc._.record = None
    doc.user_data["id"] = "1"


def exported(folder: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().decode() for path in folder.rglob("*.*")}


@pytest.mark.parametrize("source", ["auto", "record", "doc"])
def test_export_of_converted_docs(source: str, tmp_path: Path) -> None:
    result = run("export", "i2b2", converted(tmp_path), tmp_path / "out", "--source", source)
    assert_succeeded(result)
    assert exported(tmp_path / "out") == GOOD
    assert result.stdout.splitlines()[-1] == f"1 records -> {tmp_path / 'out'}"
    assert ["concept", "2", "2", "0"] in [line.split() for line in result.stdout.splitlines()]


def test_export_into_an_empty_folder(tmp_path: Path) -> None:
    docs = converted(tmp_path)
    (tmp_path / "out").mkdir()
    assert_succeeded(run("export", "i2b2", docs, tmp_path / "out"))
    assert exported(tmp_path / "out") == GOOD


@pytest.mark.parametrize("taken", ["file", "folder", "hidden"])
def test_export_never_writes_over_anything(taken: str, tmp_path: Path) -> None:
    docs = converted(tmp_path)
    files = {"file": "out", "folder": "out/txt/old.txt", "hidden": "out/.keep"}
    write_files(tmp_path, {files[taken]: "old"})
    before = snapshot(tmp_path)
    assert_refused(run("export", "i2b2", docs, tmp_path / "out"), "BL110", tmp_path / "out")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("change", [drop_entities, set_one_entity])
def test_export_asks_where_entities_and_record_differ(
    change: Callable[[Doc], None], tmp_path: Path
) -> None:
    docs = edited(converted(tmp_path), change)
    before = snapshot(tmp_path)
    result = run("export", "i2b2", docs, tmp_path / "out")
    assert_refused(result, "BL203", "'1'", "--source record", "--source doc")
    assert snapshot(tmp_path) == before
    assert_succeeded(run("export", "i2b2", docs, tmp_path / "rec", "--source", "record"))
    assert exported(tmp_path / "rec") == GOOD
    assert_succeeded(run("export", "i2b2", docs, tmp_path / "doc", "--source", "doc"))
    assert exported(tmp_path / "doc")["1.con"] != CON


def test_export_of_entities_predicted_on_an_unannotated_record(tmp_path: Path) -> None:
    # Their record is text only: to export it would drop every prediction without a word.
    docs = edited(converted(tmp_path, {"1.txt": TEXT}), set_one_entity)
    result = run("export", "i2b2", docs, tmp_path / "out")
    if result.exit_code:
        assert_refused(result, "BL203", "--source doc")
    else:
        assert "treatment" in exported(tmp_path / "out").get("1.con", "")


def change_assertion(doc: Doc) -> None:
    doc.ents[0]._.assertion = "absent"


def change_relations(doc: Doc) -> None:
    doc._.relations = []


@pytest.mark.parametrize("change", [change_assertion, change_relations])
def test_export_does_not_drop_changed_assertions_and_relations(
    change: Callable[[Doc], None], tmp_path: Path
) -> None:
    docs = edited(converted(tmp_path), change)
    result = run("export", "i2b2", docs, tmp_path / "out")
    assert result.exit_code != 0 or exported(tmp_path / "out") != GOOD


def test_export_of_docs_without_record(tmp_path: Path) -> None:
    docs = edited(converted(tmp_path), forget_record)
    assert_succeeded(run("export", "i2b2", docs, tmp_path / "out"))
    assert exported(tmp_path / "out") == GOOD
    result = run("export", "i2b2", docs, tmp_path / "record", "--source", "record")
    assert_refused(result, "BL207", docs, "'1'", "--source doc")
    assert not (tmp_path / "record").exists()


def stock_docs(path: Path, ids: Sequence[object]) -> Path:
    docs = [spacy.blank("en")(TEXT) for _ in ids]
    for doc, name in zip(docs, ids, strict=True):
        if name is not None:
            doc.user_data["id"] = name
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


def test_export_of_docs_without_name(tmp_path: Path) -> None:
    docs = stock_docs(tmp_path / "stock.spacy", ["a", None])
    before = snapshot(tmp_path)
    assert_refused(run("export", "i2b2", docs, tmp_path / "out"), "BL204", docs, "number 2")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["", "..", "../up", "/abs", "a/../../b", "nul\0"])
def test_export_of_docs_with_an_unusable_name(name: str, tmp_path: Path) -> None:
    docs = stock_docs(tmp_path / "stock.spacy", [name])
    before = snapshot(tmp_path)
    assert_refused(run("export", "i2b2", docs, tmp_path / "out"), "BL111")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", [7, 1.5, True, ["a"]])
def test_export_of_docs_whose_name_is_no_string(name: object, tmp_path: Path) -> None:
    docs = stock_docs(tmp_path / "stock.spacy", [name])
    result = run("export", "i2b2", docs, tmp_path / "out")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 0 or "[BL" in result.stderr


def test_export_of_two_docs_of_one_name(tmp_path: Path) -> None:
    docs = stock_docs(tmp_path / "stock.spacy", ["a", "a"])
    before = snapshot(tmp_path)
    result = run("export", "i2b2", docs, tmp_path / "out")
    assert_refused(result, "BL112", "'a'")
    assert ".part" not in result.stderr, "the message names a temporary folder"
    assert snapshot(tmp_path) == before


def test_what_convert_takes_export_takes(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a/part/1.txt": TEXT, "b/part/1.txt": TEXT}
    docs = converted(tmp_path, files)
    assert_succeeded(run("export", "i2b2", docs, tmp_path / "out"))
    assert len(list((tmp_path / "out").rglob("1.txt"))) == 2


def entity_inside_token(doc: Doc) -> None:
    start = doc.text.index("mg")
    doc.set_ents([doc.char_span(start, start + 2, "treatment")], default="outside")
    doc._.record = None
    doc._.relations = []
    doc.user_data["id"] = "1"


def test_export_of_an_entity_inside_a_token(tmp_path: Path) -> None:
    docs = edited(converted(tmp_path), entity_inside_token)
    before = snapshot(tmp_path)
    result = run("export", "i2b2", docs, tmp_path / "out")
    assert_refused(result, "BL106", "1 of 1", "--widen")
    assert snapshot(tmp_path) == before

    report = tmp_path / "report.json"
    result = run("export", "i2b2", docs, tmp_path / "lossy", "--allow-loss", "--report", report)
    assert_succeeded(result)
    assert exported(tmp_path / "lossy")["1.con"] == ""
    assert json.loads(report.read_text())["lost"] == 1
    assert CANARY not in report.read_text()

    assert_succeeded(run("export", "i2b2", docs, tmp_path / "wide", "--widen"))
    assert exported(tmp_path / "wide")["1.con"].split('"', 2)[2] == ' 2:1 2:1||t="treatment"\n'
    assert_succeeded(run("convert", "i2b2", tmp_path / "wide", tmp_path / "again.spacy"))


def test_a_loss_without_a_line_is_not_said_to_be_on_line_0(tmp_path: Path) -> None:
    docs = edited(converted(tmp_path), entity_inside_token)
    result = run("export", "i2b2", docs, tmp_path / "out")
    assert "line 0" not in result.stderr


def test_widening_is_noted(tmp_path: Path) -> None:
    docs = edited(converted(tmp_path), entity_inside_token)
    report = tmp_path / "report.json"
    assert_succeeded(run("export", "i2b2", docs, tmp_path / "o", "--widen", "--report", report))
    assert json.loads(report.read_text())["findings"]


def test_export_of_labels_that_i2b2_does_not_know(tmp_path: Path) -> None:
    def relabel(doc: Doc) -> None:
        doc.set_ents([doc.char_span(0, 2, "Drug")], default="outside")
        forget_record(doc)
        doc._.relations = []

    docs = edited(converted(tmp_path), relabel)
    result = run("export", "i2b2", docs, tmp_path / "out")
    assert_refused(result, "BL106", "Drug")


# --- Round trips ------------------------------------------------------------------------


def licensed_layout(root: Path) -> Path:
    training = "concept_assertion_relation_training_data"
    gold = "reference_standard_for_test_data"
    files: dict[str, str | bytes] = {"test_data/9.txt": TEXT, f"{gold}/concepts/9.con": CON}
    files[f"{gold}/ast/9.ast"] = AST
    files[f"{gold}/rel/9.rel"] = ""
    for part in ("beth", "partners"):
        for number in ("1", "2"):
            name = f"{number}" if number == "1" else f"{part}-{number}"
            text = TEXT.replace("\n", "\r\n") if number == "2" else TEXT
            files[f"{training}/{part}/txt/{name}.txt"] = text
            files[f"{training}/{part}/concept/{name}.con"] = CON
            files[f"{training}/{part}/ast/{name}.ast"] = AST
            files[f"{training}/{part}/rel/{name}.rel"] = REL
    return write_files(root, files)


def without_sources(value: Any) -> Any:
    """A record's dict but for the files and lines it was read from."""
    if isinstance(value, dict):
        return {key: without_sources(part) for key, part in value.items() if key != "source"}
    if isinstance(value, tuple):
        return tuple(without_sources(part) for part in value)
    return value


def test_round_trip_of_the_licensed_layout(tmp_path: Path) -> None:
    licensed_layout(tmp_path / "in")
    first, second = tmp_path / "first.spacy", tmp_path / "second.spacy"
    assert_succeeded(run("convert", "i2b2", tmp_path / "in", first, "--require-annotations"))
    assert_succeeded(run("export", "i2b2", first, tmp_path / "out"))
    assert_succeeded(run("convert", "i2b2", tmp_path / "out", second))
    before, after = (
        {
            record.id: without_sources(record.to_dict())
            for record in map(get_record, read_docs(path, Vocab()))
            if record
        }
        for path in (first, second)
    )
    assert before == after
    assert sorted(before) == ["9", "beth-2", "beth/1", "partners-2", "partners/1"]
    for path in (tmp_path / "in").rglob("*.*"):
        group = path.parent.parent.name
        name = f"{group}/{{}}/1" if path.stem == "1" else f"{{}}/{path.stem}"
        kind = {".txt": "txt", ".con": "concept", ".ast": "ast", ".rel": "rel"}[path.suffix]
        copy = tmp_path / "out" / (name.format(kind) + path.suffix)
        assert copy.read_bytes() == path.read_bytes(), copy


def test_a_round_trip_keeps_what_no_doc_can_show(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        **GOOD,
        "1.con": CON + f'c="{CANARY}" 1:2 1:2||t="problem"\nc="he ." 1:0 1:0,1:4 1:4||t="test"\n'
        f'c="{CANARY} pain" 1:2 1:3||t="test"\n',
        "1.ast": AST + AST.replace("present", "possible"),
        "1.rel": REL + REL.replace("TrAP", "TrCP") + REL.replace("2:0 2:0", "2:2 2:2"),
    }
    docs = converted(tmp_path, files)
    assert_succeeded(run("export", "i2b2", docs, tmp_path / "out"))
    written = exported(tmp_path / "out")
    for name in ("1.txt", "1.con", "1.ast"):
        assert written[name] == files[name]
    assert written["1.rel"].count("\n") == 3


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    licensed_layout(tmp_path / "in")
    for name in ("a", "b"):
        assert_succeeded(run("convert", "i2b2", tmp_path / "in", tmp_path / f"{name}.spacy"))
    assert (tmp_path / "a.spacy").read_bytes() == (tmp_path / "b.spacy").read_bytes()


# --- split ------------------------------------------------------------------------------


def many_notes(number: int) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {}
    for index in range(number):
        files[f"{index:03}.txt"] = f"{TEXT}Note {index} .\n"
        files[f"{index:03}.con"] = CON
    return files


def parts_of(folder: Path) -> dict[str, list[str]]:
    return {
        path.stem: [record.id for record in map(get_record, read_docs(path, Vocab())) if record]
        for path in sorted(folder.glob("*.spacy"))
    }


@pytest.mark.parametrize(
    "ratio, sizes",
    [
        ([], {"train": 14, "dev": 3, "test": 3}),
        (["70", "15", "15"], {"train": 14, "dev": 3, "test": 3}),
        (["0.8", "0.1", "0.1"], {"train": 16, "dev": 2, "test": 2}),
        (["1", "1", "0"], {"train": 10, "dev": 10}),
        (["1", "0", "0"], {"train": 20}),
        (["0", "0", "1"], {"test": 20}),
        (["1", "1", "2"], {"train": 5, "dev": 5, "test": 10}),
    ],
)
def test_split_sizes(ratio: list[str], sizes: dict[str, int], tmp_path: Path) -> None:
    docs = converted(tmp_path, many_notes(20))
    result = run("split", docs, tmp_path / "out", *(["--ratio", *ratio] if ratio else []))
    assert_succeeded(result)
    parts = parts_of(tmp_path / "out")
    assert {name: len(ids) for name, ids in parts.items()} == sizes
    every = [name for ids in parts.values() for name in ids]
    assert sorted(every) == [f"{index:03}" for index in range(20)]
    assert result.stdout.splitlines()[-1] == f"{', '.join(sizes)} -> {tmp_path / 'out'}"


def test_split_is_determined_by_its_seed(tmp_path: Path) -> None:
    docs = converted(tmp_path, many_notes(20))
    splits = []
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert_succeeded(run("split", docs, tmp_path / name, "--seed", seed))
        splits.append(parts_of(tmp_path / name))
    assert splits[0] == splits[1] != splits[2]
    assert (tmp_path / "a" / "dev.spacy").read_bytes() == (
        tmp_path / "b" / "dev.spacy"
    ).read_bytes()


def test_split_keeps_all_that_a_doc_holds(tmp_path: Path) -> None:
    docs = converted(tmp_path, many_notes(3))
    assert_succeeded(run("split", docs, tmp_path / "out", "--ratio", 1, 1, 1))
    first = {get_record(doc).id: doc for doc in read_docs(docs, Vocab())}
    for path in (tmp_path / "out").glob("*.spacy"):
        for doc in read_docs(path, Vocab()):
            other = first[get_record(doc).id]
            assert doc.to_json() == other.to_json()
            assert doc.user_data == other.user_data
            assert doc.spans.to_bytes() == other.spans.to_bytes()


@pytest.mark.parametrize(
    "ratio",
    [(0, 0, 0), (-1, 1, 1), (70, -15, 45), ("nan", 1, 1), (1, "nan", 1), ("inf", 1, 1)],
)
def test_split_refuses_a_bad_ratio(ratio: tuple[object, ...], tmp_path: Path) -> None:
    docs = converted(tmp_path, many_notes(5))
    before = snapshot(tmp_path)
    result = run("split", docs, tmp_path / "out", "--ratio", *ratio)
    assert_refused(result, "BL206", "70 15 15")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("ratio", [("a", "b", "c"), (70, 15)])
def test_split_refuses_what_is_no_ratio(ratio: tuple[object, ...], tmp_path: Path) -> None:
    result = run("split", tmp_path / "x.spacy", tmp_path / "out", "--ratio", *ratio)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("number, ratio", [(2, (1, 1, 1)), (5, (98, 1, 1)), (1, (70, 15, 15))])
def test_split_refuses_too_few_docs(
    number: int, ratio: tuple[int, int, int], tmp_path: Path
) -> None:
    docs = converted(tmp_path, many_notes(number))
    before = snapshot(tmp_path)
    result = run("split", docs, tmp_path / "out", "--ratio", *ratio)
    assert_refused(result, "BL205", docs, f"{number} Docs")
    assert snapshot(tmp_path) == before


def test_split_leaves_no_part_of_an_older_split(tmp_path: Path) -> None:
    # A dev.spacy left from before may hold what now is in train.spacy.
    docs = converted(tmp_path, many_notes(10))
    assert_succeeded(run("split", docs, tmp_path / "out"))
    result = run("split", docs, tmp_path / "out", "--ratio", 1, 0, 0, "--seed", 1)
    parts = parts_of(tmp_path / "out")
    every = [name for ids in parts.values() for name in ids]
    assert result.exit_code != 0 or len(every) == len(set(every))


@pytest.mark.parametrize("name", ["train", "test"])
def test_split_leaves_its_source_alone(name: str, tmp_path: Path) -> None:
    docs = converted(tmp_path, many_notes(10)).rename(tmp_path / f"{name}.spacy")
    before = snapshot(tmp_path)
    assert_refused(run("split", docs, tmp_path, "--ratio", 85, 15, 0), "BL209", docs)
    assert snapshot(tmp_path) == before


def test_a_pipe_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    write_files(tmp_path / "in", GOOD)
    os.mkfifo(tmp_path / "pipe")
    assert_refused(run("convert", "i2b2", tmp_path / "in", tmp_path / "pipe"), "BL109", "pipe")
    assert (tmp_path / "pipe").is_fifo()


def test_the_report_does_not_take_the_place_of_the_docs(tmp_path: Path) -> None:
    write_files(tmp_path / "in", GOOD)
    out = tmp_path / "o.spacy"
    assert_refused(run("convert", "i2b2", tmp_path / "in", out, "--report", out), "BL113", out)
    assert not out.exists()


def test_a_link_is_followed(tmp_path: Path) -> None:
    write_files(tmp_path / "in", GOOD)
    (tmp_path / "link.spacy").symlink_to(tmp_path / "real.spacy")
    assert_succeeded(run("convert", "i2b2", tmp_path / "in", tmp_path / "link.spacy"))
    assert (tmp_path / "link.spacy").is_symlink()
    assert len(list(read_docs(tmp_path / "real.spacy", Vocab()))) == 1


def test_split_writes_all_parts_or_none(tmp_path: Path) -> None:
    docs = converted(tmp_path, many_notes(10))
    write_files(tmp_path / "out", {"test.spacy/in the way": ""})
    before = snapshot(tmp_path)
    assert_refused(run("split", docs, tmp_path / "out"), "BL109", "test.spacy")
    assert snapshot(tmp_path) == before


def test_split_of_stock_docs_keeps_their_annotations(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    doc = nlp("He runs")
    for token, tag in zip(doc, ("PRP", "VBZ"), strict=True):
        token.tag_ = tag
        token.lemma_ = token.lower_
    DocBin(docs=[doc], attrs=["TAG", "LEMMA"]).to_disk(tmp_path / "stock.spacy")
    with pytest.warns(UserWarning, match="BL227"):
        assert_succeeded(run("split", tmp_path / "stock.spacy", tmp_path, "--ratio", 1, 0, 0))
    (again,) = read_docs(tmp_path / "train.spacy", Vocab())
    assert [token.tag_ for token in again] == ["PRP", "VBZ"]


# --- A process of its own ---------------------------------------------------------------


def run_process(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spacy", "bertlstm", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **environment},
        timeout=120,
    )


def test_the_command_is_mounted_on_spacy(tmp_path: Path) -> None:
    write_files(tmp_path / "in", GOOD)
    done = run_process("convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy")
    assert done.returncode == 0, done.stderr
    assert "2 entities in doc.ents" in done.stdout
    assert (tmp_path / "out.spacy").is_file()
    assert CANARY not in done.stdout + done.stderr


def test_a_refusal_in_a_process_on_a_terminal_without_unicode(tmp_path: Path) -> None:
    write_files(tmp_path / "in", {**GOOD, "1.con": CON + BAD_LINE})
    before = snapshot(tmp_path)
    done = run_process(
        "convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy", PYTHONIOENCODING="ascii"
    )
    assert done.returncode == 1
    assert re.findall(r"\[BL\d{3}\]", done.stderr) == ["[BL106]"]
    assert "Traceback" not in done.stderr and CANARY not in done.stdout + done.stderr
    assert snapshot(tmp_path) == before


# --- The record itself ------------------------------------------------------------------


def test_a_record_that_is_no_record(tmp_path: Path) -> None:
    register_extensions()
    doc = spacy.blank("en")(TEXT)
    set_record(doc, Document("1", TEXT, (Concept("T1", "problem", ((0, 2),)),)))
    doc._.record = {"id": "1"}
    write_docs([doc], tmp_path / "x.spacy")
    result = run("export", "i2b2", tmp_path / "x.spacy", tmp_path / "out")
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert re.findall(r"\[BL\d{3}\]", result.stderr)


# --- check ------------------------------------------------------------------------------


def test_check_counts_what_files_hold(tmp_path: Path) -> None:
    docs = converted(tmp_path)
    result = run("check", docs, docs)
    assert_succeeded(result)
    assert result.stdout.count(f"{docs}: 1 Docs (0 without annotations)") == 2
    assert "2 entities: problem 1, treatment 1; 1 assertions: present 1; 1 relations: TrAP 1" in (
        result.stdout
    )


def test_check_refuses_a_file_without_entities(tmp_path: Path) -> None:
    good = converted(tmp_path)
    bare = stock_docs(tmp_path / "bare.spacy", ["a"])
    assert_refused(run("check", good, bare), "BL202", bare)
