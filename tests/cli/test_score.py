"""score and compare: what they print, and how they refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import Result
from spacy.cli._util import app as spacy_app
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)

# A word that stands in every file, and must never be shown.
CANARY = "zanzibarwort"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", *map(str, arguments)])


def line(place: str, label: str = "problem") -> str:
    return f'c="{CANARY}" {place}||t="{label}"\n'


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Eight documents of a reference, a system that misses half, and one that finds all."""
    names = ("ref", "half", "all")
    for name in names:
        (tmp_path / name / "concept").mkdir(parents=True)
        for i in range(8):
            text = line("1:0 1:1") + ("" if name == "half" else line("2:4 2:4", "test"))
            (tmp_path / name / "concept" / f"{i}.con").write_text(text, encoding="utf-8")
    return tmp_path / "ref", tmp_path / "half", tmp_path / "all"


@pytest.fixture
def brat(tmp_path: Path) -> tuple[Path, Path]:
    for side, end in (("gold", 7), ("system", 6)):
        (tmp_path / side).mkdir()
        text = f"T1\tDrug 0 {end}\t{CANARY}\nT2\tADE 9 12\t{CANARY}\nR1\tADE-Drug Arg1:T2 Arg2:T1\n"
        (tmp_path / side / "1.ann").write_text(text, encoding="utf-8")
    return tmp_path / "gold", tmp_path / "system"


def test_the_report_stands_alone_on_standard_output(folders: tuple[Path, Path, Path]) -> None:
    reference, half, _ = folders
    (half / "concept" / "0.con").write_text(line("1:0  1:1"), encoding="utf-8")
    (half / "concept" / "1.con").unlink()
    result = run("score", "i2b2-2010", reference, half, "--type", "con", "--official")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("-- CONCEPT FILE TEST --\n")
    assert "Number of Reference Files Tested :8.0\tNumber of System Files Tested :7.0\n" in (
        result.stdout
    )
    assert "Class Exact Span ->\t6.0\t10.0\t0.0\t0.375\t1.0\t" in result.stdout
    assert "ERROR" not in result.stdout and "note" not in result.stdout
    assert f"ERROR: {half / 'concept' / '0.con'}, line 1: " in result.stderr
    assert f"note: {half / '1.con'}: no such file" in result.stderr
    assert CANARY not in result.output


def test_corrected_is_the_default(folders: tuple[Path, Path, Path]) -> None:
    reference, half, _ = folders
    (half / "concept" / "0.con").write_text(line("1:0  1:1"), encoding="utf-8")
    default = run("score", "i2b2-2010", reference, half, "--type", "con")
    assert default.exit_code == 0
    assert "Class Exact Span ->\t8.0\t8.0\t0.0\t0.5\t1.0\t" in default.stdout
    named = run("score", "i2b2-2010", reference, half, "--type", "con", "--corrected")
    assert named.stdout == default.stdout


def test_json_holds_every_row(folders: tuple[Path, Path, Path]) -> None:
    reference, half, _ = folders
    command = ["score", "i2b2-2010", reference, half, "--type", "con"]
    found = json.loads(run(*command, "--json").stdout)
    printed = run(*command).stdout
    assert (found["task"], found["type"], found["mode"]) == ("i2b2-2010", "con", "corrected")
    assert (found["documents"], found["left_out"]) == (8, [])
    assert [row["label"] for row in found["rows"]] == [
        text.partition(" ->")[0] for text in printed.splitlines() if "->" in text
    ]
    rows = {row["label"]: row for row in found["rows"]}
    assert rows["Exact Span for Test"] == {
        "section": "Exact span for separate concept classes",
        "label": "Exact Span for Test",
        "tp": 0,
        "fn": 8,
        "fp": 0,
        "precision": None,
        "recall": 0.0,
        "f1": 0.0,
    }


def test_json_names_what_is_left_out(folders: tuple[Path, Path, Path]) -> None:
    reference, half, _ = folders
    (half / "concept" / "0.con").write_text(CANARY * 3 + "\n", encoding="utf-8")
    result = run("score", "i2b2-2010", reference, half, "--type", "con", "--json")
    found = json.loads(result.stdout)
    assert [(item["path"], item["line"]) for item in found["left_out"]] == [
        (str(half / "concept" / "0.con"), 1)
    ]
    assert CANARY not in result.output


def test_many_findings_are_counted(folders: tuple[Path, Path, Path]) -> None:
    reference, half, _ = folders
    (half / "concept" / "0.con").write_text("x\n" * 25, encoding="utf-8")
    result = run("score", "i2b2-2010", reference, half, "--type", "con")
    assert result.stderr.count("ERROR: ") == 10
    assert "15 more; --json lists all" in result.stderr


def test_intervals(folders: tuple[Path, Path, Path]) -> None:
    """Of a system that does as well on every document there is no doubt."""
    reference, half, _ = folders
    command = ["score", "i2b2-2010", reference, half, "--type", "con", "--bootstrap", "50"]
    result = run(*command)
    report, _, table = result.stdout.partition("\n95 % intervals over 8 documents, 50 samples\n")
    assert report == run(*command[:-2]).stdout
    cells = next(row for row in table.splitlines() if row.startswith("Class Exact Span"))
    assert cells.split()[3:] == [
        "100.00", "(100.0-100.0)", "50.00", "(50.0-50.0)", "66.67", "(66.7-66.7)",
    ]  # fmt: skip
    rows = {row["label"]: row for row in json.loads(run(*command, "--json").stdout)["rows"]}
    assert rows["Class Exact Span"]["intervals"]["recall"] == [0.5, 0.5]
    assert rows["Exact Span for Test"]["intervals"]["precision"] is None
    odd = json.loads(run(*command, "--json", "--official").stdout)["rows"]
    rows = {row["label"]: row for row in odd}
    assert rows["Class Inexact Span"]["intervals"] is None


def test_n2c2(brat: tuple[Path, Path]) -> None:
    result = run("score", "n2c2-2018", *brat)
    assert result.exit_code == 0, result.output
    assert (
        "                Drug  0.0000  0.0000  0.0000    1.0000  1.0000  1.0000\n" in result.stdout
    )
    assert (
        "         ADE -> Drug  0.0000  0.0000  0.0000    1.0000  1.0000  1.0000\n" in result.stdout
    )
    assert CANARY not in result.output
    rows = json.loads(run("score", "n2c2-2018", *brat, "--json").stdout)["rows"]
    assert len({(row["section"], row["label"]) for row in rows}) == len(rows) == 2 * (11 + 10)
    with_intervals = run("score", "n2c2-2018", *brat, "--bootstrap", "20").stdout
    assert "tags, lenient\n" in with_intervals


def test_two_systems(folders: tuple[Path, Path, Path]) -> None:
    reference, half, whole = folders
    command = ["compare", "i2b2-2010", reference, half, whole, "--type", "con"]
    result = run(*command)
    assert result.exit_code == 0, result.output
    row = next(row for row in result.stdout.splitlines() if row.startswith("Class Exact Span"))
    first, second, difference, p = row.split()[3:]
    assert (first, second, difference) == ("66.67", "100.00", "+33.33")
    # Only where all eight documents are exchanged, or none, is the difference as large.
    assert float(p) == pytest.approx(2 / 256, abs=0.004)
    found = json.loads(run(*command, "--json", "--official").stdout)
    assert (found["mode"], found["documents"]) == ("official", 8)
    rows = {row["label"]: row for row in found["rows"]}
    assert [system["tp"] for system in rows["Class Exact Span"]["systems"]] == [8, 16]
    assert rows["Class Exact Span"]["difference"] == pytest.approx(1 / 3)
    assert rows["Class Inexact Span"]["p"] is None, "the odd row is no sum of documents"
    assert rows["Exact Span for Treatment"]["difference"] is None
    assert CANARY not in result.output


def test_two_systems_on_files_that_one_of_them_lacks(folders: tuple[Path, Path, Path]) -> None:
    reference, half, whole = folders
    (half / "concept" / "0.con").unlink()
    (whole / "concept" / "more.con").write_text(line("1:0 1:0"), encoding="utf-8")
    command = ["compare", "i2b2-2010", reference, half, whole, "--type", "con", "--json"]
    found = json.loads(run(*command).stdout)
    assert found["documents"] == 9
    rows = {row["label"]: row for row in found["rows"]}
    systems = rows["Class Exact Span"]["systems"]
    assert [(s["tp"], s["fn"], s["fp"]) for s in systems] == [(7, 9, 0), (16, 0, 1)]


# --- Refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["i2b2-2010", "ref", "all"], "BL602"),
        (["n2c2-2018", "ref", "all", "--type", "con"], "BL603"),
        (["i2b2-2010", "ref", "none", "--type", "con"], "BL101"),
        (["i2b2-2010", "none", "all", "--type", "con"], "BL101"),
        (["i2b2-2010", "ref", "all", "--type", "ast"], "BL102"),
        (["n2c2-2018", "ref", "all"], "BL102"),
        (["i2b2-2010", "ref", "other", "--type", "con"], "BL601"),
        (["i2b2-2010", "ref", "empty", "--type", "con"], "BL102"),
        (["i2b2-2010", "ref", ".", "--type", "con"], "BL105"),
        (["i2b2-2010", "ref", "binary", "--type", "con"], "BL103"),
    ],
)
def test_refusals(
    folders: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, command: list[str], code: str
) -> None:
    root = folders[0].parent
    for name in ("other", "empty", "binary"):
        (root / name).mkdir()
    (root / "other" / "x.con").write_text(line("1:0 1:0"), encoding="utf-8")
    (root / "binary" / "0.con").write_bytes(CANARY.encode() + b"\xff\xfe")
    monkeypatch.chdir(root)
    for whole in (["score", *command], ["compare", *command[:3], command[2], *command[3:]]):
        result = run(*whole)
        assert result.exit_code == 1
        assert f"[{code}]" in result.stderr and result.stdout == ""
        assert CANARY not in result.output


def test_the_official_i2b2_program_scores_an_empty_system(folders: tuple[Path, Path, Path]) -> None:
    reference = folders[0]
    (reference.parent / "empty").mkdir()
    result = run(
        "score", "i2b2-2010", reference, reference.parent / "empty", "--type", "con", "--official"
    )
    assert result.exit_code == 0
    assert "Number of System Files Tested :0.0\n" in result.stdout
    assert "Class Exact Span ->\t0.0\t16.0\t0.0\t0.0\tNaN\t0.0\n" in result.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_cannot_be_read(folders: tuple[Path, Path, Path]) -> None:
    reference, half, _ = folders
    (half / "concept" / "0.con").chmod(0)
    result = run("score", "i2b2-2010", reference, half, "--type", "con")
    assert result.exit_code == 1 and "[BL108]" in result.stderr


def test_a_task_that_nobody_knows(folders: tuple[Path, Path, Path]) -> None:
    result = run("score", "i2b2-2012", *folders[:2])
    assert result.exit_code == 2
