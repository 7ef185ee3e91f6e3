"""The comparison of a corpus with what comes back of it finds every loss and change."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "roundtrip.py"

TEXT = "He takes aspirin\r\nfor pain .\n"
ANN = "T1\tDrug 9 16\taspirin\nT2\tReason 22 26\tpain\nR1\tReason-Drug Arg1:T2 Arg2:T1\t\n"


def corpus(folder: Path, annotations: str) -> Path:
    (folder / "in").mkdir()
    (folder / "in" / "1.txt").write_bytes(TEXT.encode())
    (folder / "in" / "1.ann").write_bytes(annotations.encode())
    return folder / "in"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_corpus_that_comes_back_whole(tmp_path: Path) -> None:
    done = run("n2c2-2018", corpus(tmp_path, ANN), "--name", "mine")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "| mine | 3 (R 1, T 2) | 3 | 0 | none |"


def test_what_is_lost_stands_in_the_table(tmp_path: Path) -> None:
    broken = ANN + "T3\tDrug 9 99\taspirin\nT1\tDrug 9 16\taspirin\n"
    done = run("brat", corpus(tmp_path, broken), "--no-head")
    assert done.returncode == 0, done.stderr
    (row,) = done.stdout.splitlines()
    assert "| 5 (R 1, T 4) | 3 | 2 | " in row
    assert "1 x N N is past the text's N characters" in row


@pytest.mark.parametrize(
    "change",
    [
        lambda out: (out / "1.ann").write_text(ANN.replace("9 16", "9 15")),
        lambda out: (out / "1.ann").write_text(ANN + "A1\tNegation T1\n"),
        lambda out: (out / "1.txt").write_bytes(TEXT.replace("\r", "").encode()),
        lambda out: (out / "2.txt").write_text(""),
        lambda out: (out / "1.txt").unlink(),
    ],
)
def test_a_change_without_report_is_a_fault(
    change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("roundtrip", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "roundtrip", script)
    spec.loader.exec_module(script)
    source = corpus(tmp_path, ANN)

    def commands(work: Path, command: str, *arguments: object) -> list[dict]:
        if command == "export":
            (work / "out").mkdir()
            (work / "out" / "1.txt").write_bytes(TEXT.encode())
            (work / "out" / "1.ann").write_bytes(ANN.encode())
            change(work / "out")
        return []

    monkeypatch.setattr(script, "bertlstm", commands)
    faults, _ = script.compare("brat", source, tmp_path)
    assert faults
