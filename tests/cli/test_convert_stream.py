"""convert: shards, processes, quarantine, maps and schemas; export of folders."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from spacy.cli._util import app as spacy_app
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.formats.catalog import FORMATS
from spacy_bertlstm.tokens.corpus import DocsWriter, read_docs
from spacy_bertlstm.tokens.extensions import get_record

# A word that stands in every note, and must never be shown.
CANARY = "zanzibarwort"

TEXT = f"He has {CANARY} pain .\nAspirin 40mg was given .\n"
CON = f'c="{CANARY} pain" 1:2 1:3||t="problem"\nc="aspirin" 2:0 2:0||t="treatment"\n'
AST = f'c="{CANARY} pain" 1:2 1:3||t="problem"||a="present"\n'
BAD_LINE = 'c="x" 9:0 9:0||t="problem"\n'


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(spacy_app, ["bertlstm", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert CANARY not in result.output
    return result


def codes(result: Result) -> list[str]:
    return re.findall(r"\[(BL\d{3})\]", result.stderr)


def write_notes(folder: Path, number: int = 10) -> Path:
    folder.mkdir(parents=True)
    for index in range(number):
        (folder / f"{index:03}.txt").write_text(f"{TEXT}Note {index} .\n")
        (folder / f"{index:03}.con").write_text(CON)
        (folder / f"{index:03}.ast").write_text(AST)
    return folder


def ids(path: Path) -> list[str]:
    return [record.id for record in map(get_record, read_docs(path)) if record]


def left(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


# --- Shards -----------------------------------------------------------------------------


def test_shards_hold_what_one_file_holds(tmp_path: Path) -> None:
    write_notes(tmp_path / "in")
    assert run("convert", "i2b2", tmp_path / "in", tmp_path / "one.spacy").exit_code == 0
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "many", "--shard-size", 4)
    assert result.exit_code == 0
    assert "10 records" in result.stdout and "20 entities" in result.stdout
    assert left(tmp_path / "many") == {"0000.spacy", "0001.spacy", "0002.spacy"}
    assert [len(ids(path)) for path in sorted((tmp_path / "many").iterdir())] == [4, 4, 2]
    one, many = (list(read_docs(tmp_path / name)) for name in ("one.spacy", "many"))
    assert [doc.to_json() for doc in one] == [doc.to_json() for doc in many]
    assert [doc.user_data for doc in one] == [doc.user_data for doc in many]


def test_a_folder_of_shards_is_taken_wherever_a_file_is(tmp_path: Path) -> None:
    write_notes(tmp_path / "in")
    run("convert", "i2b2", tmp_path / "in", tmp_path / "docs", "--shard-size", 4)
    (tmp_path / "docs" / ".part").write_bytes(b"x")
    (tmp_path / "docs" / "README").write_bytes(b"x")
    checked = run("check", tmp_path / "docs")
    assert "10 Docs" in checked.stdout and "problem 10, treatment 10" in checked.stdout
    assert run("export", "i2b2", tmp_path / "docs", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "concept" / "009.con").read_text() == CON
    assert run("split", tmp_path / "docs", tmp_path / "parts").exit_code == 0
    assert sum(len(ids(path)) for path in (tmp_path / "parts").iterdir()) == 10


@pytest.mark.parametrize("command", ["check", "export", "split"])
def test_a_folder_without_docs(command: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    arguments: dict[str, list[object]] = {
        "check": ["check", tmp_path / "docs"],
        "export": ["export", "i2b2", tmp_path / "docs", tmp_path / "out"],
        "split": ["split", tmp_path / "docs", tmp_path / "out"],
    }
    result = run(*arguments[command])
    assert result.exit_code == 1 and codes(result) == ["BL210"]
    assert left(tmp_path) == {"docs"}


def test_shards_never_join_what_is_there(tmp_path: Path) -> None:
    write_notes(tmp_path / "in", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0000.spacy").write_bytes(b"old")
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "out", "--shard-size", 4)
    assert result.exit_code == 1 and codes(result) == ["BL110"]
    assert (tmp_path / "out" / "0000.spacy").read_bytes() == b"old"


def test_a_report_in_the_folder_of_shards(tmp_path: Path) -> None:
    write_notes(tmp_path / "in", 1)
    out = tmp_path / "out"
    for report in (out / "report.json", tmp_path):
        result = run("convert", "i2b2", tmp_path / "in", out, "--shard-size", 4, "--report", report)
        assert result.exit_code == 1 and codes(result) == ["BL113"]
    docs = tmp_path / "docs.spacy"
    run("convert", "i2b2", tmp_path / "in", docs)
    result = run("export", "i2b2", docs, out, "--report", out / "report.json")
    assert result.exit_code == 1 and codes(result) == ["BL113"]
    assert not out.exists()


@pytest.mark.parametrize("option", ["out", "report", "map"])
def test_nothing_that_is_read_is_overwritten(tmp_path: Path, option: str) -> None:
    note = write_notes(tmp_path / "in", 1) / "000.txt"
    label_map = tmp_path / "map.toml"
    label_map.write_text('schema = "i2b2-2010"\n')
    text = note.read_bytes()
    arguments: dict[str, list[object]] = {
        "out": [note],
        "report": [tmp_path / "out.spacy", "--report", note],
        "map": [label_map, "--map", label_map],
    }
    result = run("convert", "i2b2", tmp_path / "in", *arguments[option])
    assert result.exit_code == 1 and codes(result) == ["BL121"]
    assert note.read_bytes() == text
    assert left(tmp_path) == {"in", "in/000.txt", "in/000.con", "in/000.ast", "map.toml"}


def test_earlier_output_among_the_notes_is_replaced(tmp_path: Path) -> None:
    folder = write_notes(tmp_path / "in", 1)
    for _ in range(2):
        arguments = (folder, folder / "docs.spacy", "--report", folder / "report.json")
        assert run("convert", "i2b2", *arguments).exit_code == 0
    assert len(ids(folder / "docs.spacy")) == 1


def test_export_does_not_write_its_report_over_the_docs(tmp_path: Path) -> None:
    docs = tmp_path / "docs.spacy"
    run("convert", "i2b2", write_notes(tmp_path / "in", 1), docs)
    data = docs.read_bytes()
    result = run("export", "i2b2", docs, tmp_path / "out", "--report", docs)
    assert result.exit_code == 1 and codes(result) == ["BL121"]
    assert docs.read_bytes() == data
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fault", ["loss", "fault", "report", "interrupt", "full"])
@pytest.mark.parametrize("shards", [True, False])
def test_nothing_is_left_of_a_conversion_that_fails(
    fault: str, shards: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = write_notes(tmp_path / "in")
    options: list[object] = ["--shard-size", 2] if shards else []
    if fault == "loss":
        (notes / "009.con").write_text(CON + BAD_LINE)
    elif fault == "fault":
        (notes / "009.con").write_bytes(b"\xff")
    elif fault == "report":
        options += ["--report", notes / "000.txt" / "report.json"]
    elif fault == "full":

        def fill_up(path: Path, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", fill_up)
    else:

        def interrupt(writer: DocsWriter) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(DocsWriter, "close", interrupt)
    before = left(tmp_path)
    out = tmp_path / "new" / "out"
    result = CliRunner().invoke(spacy_app, ["bertlstm", "convert", "i2b2", str(notes), str(out),
                                            *map(str, options)])  # fmt: skip
    assert result.exit_code != 0
    expected = {"loss": "BL106", "fault": "BL103", "report": "BL109", "full": "BL109"}
    assert codes(result) == ([expected[fault]] if fault in expected else [])
    if fault == "full":
        assert str(out) in result.stderr
    assert left(tmp_path) == before


# --- Processes --------------------------------------------------------------------------


def test_several_processes_write_the_same_bytes(tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "in", 70)
    (notes / "030.con").write_text(CON + BAD_LINE)
    (notes / "050.txt").write_bytes(b"\xff")
    outputs = []
    for number in (1, 2):
        out, report = tmp_path / f"{number}.spacy", tmp_path / f"{number}.json"
        result = run(
            "convert", "i2b2", notes, out, "--report", report, "--allow-loss", "--keep-going",
            "--n-process", number,
        )  # fmt: skip
        assert result.exit_code == 2
        said = result.output.replace(str(out), "OUT")
        outputs.append((out.read_bytes(), report.read_bytes(), said))
    assert outputs[0] == outputs[1]


# Of a script that meddles with the writer of Docs.
WRITES_DOCS = """import os, signal, sys
from spacy.cli._util import app
import spacy_bertlstm.cli
from spacy_bertlstm.tokens.corpus import DocsWriter
add = DocsWriter.add
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_ctrl_c_ends_the_workers_and_leaves_nothing(tmp_path: Path) -> None:
    write_notes(tmp_path / "in", 400)
    before = left(tmp_path)
    # The parent interrupts itself as soon as the first Docs have come back from a worker.
    code = WRITES_DOCS + (
        # A shell starts what is in the background with the signal ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def interrupt(writer, docs):\n"
        "    add(writer, docs)\n"
        "    os.killpg(os.getpgrp(), signal.SIGINT)\n"
        "DocsWriter.add = interrupt\n"
        "if __name__ == '__main__':\n"
        "    app(['bertlstm', 'convert', 'i2b2', *sys.argv[1:], '--n-process', '2'])\n"
    )
    script = tmp_path.parent / "interrupt.py"
    script.write_text(code)
    arguments = [sys.executable, script, tmp_path / "in", tmp_path / "out", "--shard-size", "5"]
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=300, start_new_session=True
    )
    assert done.returncode in (1, 130, -signal.SIGINT)
    assert "Traceback" not in done.stderr and CANARY not in done.stdout + done.stderr
    assert left(tmp_path) == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("ignores", [False, True])
def test_a_signal_to_end_leaves_nothing(tmp_path: Path, name: str, ignores: bool) -> None:
    number = getattr(signal, name)
    write_notes(tmp_path / "in", 5)
    before = left(tmp_path)
    code = WRITES_DOCS + (
        f"signal.signal({int(number)}, signal.{'SIG_IGN' if ignores else 'SIG_DFL'})\n"
        "def interrupt(writer, docs):\n"
        "    add(writer, docs)\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "DocsWriter.add = interrupt\n"
        "app(['bertlstm', 'convert', 'i2b2', *sys.argv[1:]])\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "in", tmp_path / "out.spacy"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == (0 if ignores else 128 + number)
    assert "Traceback" not in done.stderr
    assert left(tmp_path) == before or ignores


# --- Quarantine -------------------------------------------------------------------------

# name: (file, its bytes or None to take it away, the code, the file that is named)
FAULTS: dict[str, tuple[str, bytes | None, str, str]] = {
    "text that is not UTF-8": ("003.txt", b"caf\xe9", "BL103", "003.txt"),
    "annotations that are not UTF-8": ("003.ast", AST.encode() + b"\xff", "BL103", "003.txt"),
    "no text": ("003.txt", None, "BL104", "003.ast"),
    "no concepts": ("003.con", None, "BL104", "003.txt"),
    "a record twice": ("003.TXT", TEXT.encode(), "BL105", "003.txt"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_that_cannot_be_read_is_left_out_by_name(name: str, tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "in")
    file, data, code, named = FAULTS[name]
    if data is None:
        (notes / file).unlink()
    else:
        (notes / file).write_bytes(data)
    out, report = tmp_path / "out.spacy", tmp_path / "report.json"
    before = left(tmp_path)
    result = run("convert", "i2b2", notes, out)
    assert result.exit_code == 1 and codes(result) == [code]
    assert left(tmp_path) == before

    result = run("convert", "i2b2", notes, out, "--keep-going", "--report", report)
    assert result.exit_code == 2 and codes(result) == [code]
    assert "1 files left out" in result.stderr
    assert "003" not in ids(out) and len(ids(out)) == 9
    data = json.loads(report.read_text())
    (part,) = data["quarantined"]
    assert Path(part["path"]).name.casefold() == named.casefold()
    assert part["code"] == code and part["message"] in result.stderr and part["records"] == 0
    # What was read of the record before is not said to be kept.
    assert data["read"] == data["kept"] == {"concept": 18, "assertion": 9}
    assert data["findings"] == []


def test_keeping_on_without_any_fault(tmp_path: Path) -> None:
    write_notes(tmp_path / "in")
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy", "--keep-going")
    assert result.exit_code == 0 and result.stderr == ""


def test_a_loss_is_no_fault(tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "in")
    (notes / "003.con").write_text(CON + BAD_LINE)
    result = run("convert", "i2b2", notes, tmp_path / "out.spacy", "--keep-going")
    assert result.exit_code == 1 and codes(result) == ["BL106"]
    assert not (tmp_path / "out.spacy").exists()


def test_nothing_but_files_that_cannot_be_read(tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "in", 2)
    for path in notes.glob("*.txt"):
        path.write_bytes(b"\xff")
    report = tmp_path / "report.json"
    result = run(
        "convert", "i2b2", notes, tmp_path / "out.spacy", "--keep-going", "--report", report
    )
    assert result.exit_code == 1 and codes(result) == ["BL103", "BL103", "BL115"]
    assert not (tmp_path / "out.spacy").exists()
    assert len(json.loads(report.read_text())["quarantined"]) == 2


def test_a_folder_without_records_is_refused_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy", "--keep-going")
    assert result.exit_code == 1 and codes(result) == ["BL102"]


# --- Maps and schemas -------------------------------------------------------------------

MAP = """
schema = "n2c2-2018"
[concepts]
treatment = "Drug"
problem = "Reason"
[relations]
TrAP = "Reason-Drug"
"""


def test_a_map_changes_labels_and_names_what_it_has_no_place_for(tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "in", 2)
    rel = f'c="aspirin" 2:0 2:0||r="TrAP"||c="{CANARY} pain" 1:2 1:3\n'
    (notes / "000.rel").write_text(rel)
    (tmp_path / "map.toml").write_text(MAP)
    out, report = tmp_path / "out.spacy", tmp_path / "report.json"
    result = run("convert", "i2b2", notes, out, "--map", tmp_path / "map.toml", "--report", report)
    assert result.exit_code == 0
    first, second = read_docs(out)
    assert [entity.label_ for entity in first.ents] == ["Reason", "Drug"]
    assert [relation["label"] for relation in first._.relations] == ["Reason-Drug"]
    assert first.ents[0]._.assertion is None
    assert "unmapped: 2 x assertion assertion present" in result.stdout
    data = json.loads(report.read_text())
    assert data["unmapped"] == {"assertion": {"assertion present": 2}}
    assert data["lost"] == 0
    # The schema of the map is looked after: the drug comes second in its relations.
    (finding,) = data["findings"]
    assert (Path(finding["path"]).name, finding["line"], finding["lost"]) == ("000.rel", 1, False)
    assert "Reason-Drug takes Reason and Drug" in finding["reason"]


def test_a_schema_is_reported_or_insisted_on(tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "in", 2)
    out = tmp_path / "out.spacy"
    result = run("convert", "i2b2", notes, out, "--schema", "i2b2-2010", "--strict")
    assert result.exit_code == 0 and "note" not in result.output
    result = run("convert", "i2b2", notes, out, "--schema", "n2c2-2018")
    assert result.exit_code == 0
    assert "note: 2 x n2c2-2018 has no type 'problem'" in result.stdout
    out.unlink()
    result = run("convert", "i2b2", notes, out, "--schema", "n2c2-2018", "--strict")
    assert result.exit_code == 1 and codes(result) == ["BL120"]
    assert "000.con, line 1: n2c2-2018 has no type 'problem'" in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    "options, code",
    [(["--schema", "none"], "BL114"), (["--map", "none.toml"], "BL108")],
)
def test_a_schema_or_a_map_that_is_not_there(options: list[str], code: str, tmp_path: Path) -> None:
    write_notes(tmp_path / "in", 1)
    result = run("convert", "i2b2", tmp_path / "in", tmp_path / "out.spacy", *options)
    assert result.exit_code == 1 and codes(result) == [code]
    assert not (tmp_path / "out.spacy").exists()


# --- Options of formats, and help -------------------------------------------------------


def test_an_option_that_a_format_has_no_use_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notes(tmp_path / "in", 1)
    docs = tmp_path / "docs.spacy"
    run("convert", "i2b2", tmp_path / "in", docs)
    monkeypatch.setitem(FORMATS, "i2b2", replace(FORMATS["i2b2"], write_options=frozenset()))
    assert run("export", "i2b2", docs, tmp_path / "plain").exit_code == 0
    result = run("export", "i2b2", docs, tmp_path / "wide", "--widen")
    assert result.exit_code == 1 and codes(result) == ["BL119"]
    assert "--widen" in result.stderr and not (tmp_path / "wide").exists()


def test_help_says_what_the_exit_codes_mean_and_what_memory_grows_with() -> None:
    text = " ".join(run("convert", "--help").stdout.split())
    assert "Exit codes: 0" in text and "Memory" in text
