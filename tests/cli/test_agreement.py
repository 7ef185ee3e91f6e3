"""bertlstm agreement: what it prints and writes, and how it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import spacy
from click.testing import Result
from spacy.cli._util import app as spacy_app
from spacy.tokens import Span
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.tokens.corpus import read_docs, write_docs

CANARY = "zanzibarwort"
TEXT = f"He has {CANARY} pain .\nAspirin 40mg was given .\n"
PAIN = f'c="{CANARY} pain" 1:2 1:3||t="problem"'
ASPIRIN = 'c="aspirin" 2:0 2:0||t="treatment"'
TAKES = f'c="aspirin" 2:0 2:0||r="{{}}"||c="{CANARY} pain" 1:2 1:3'

# By record: .con, .ast and .rel.
NOTES_A = {
    "1": ([PAIN, ASPIRIN], [f'{PAIN}||a="present"'], [TAKES.format("TrAP")]),
    "2": ([ASPIRIN], [], []),
    "3": ([PAIN], [], []),
}
NOTES_B = {
    "1": ([ASPIRIN, PAIN], [f'{PAIN}||a="absent"'], [TAKES.format("TrWP")]),
    "2": (['c="aspirin 40mg" 2:0 2:1||t="treatment"', PAIN], [], []),
    "4": ([PAIN], [], []),
}


def write_notes(folder: Path, notes: dict[str, tuple[list[str], list[str], list[str]]]) -> Path:
    folder.mkdir()
    for name, parts in notes.items():
        (folder / f"{name}.txt").write_text(TEXT, encoding="utf-8")
        for suffix, lines in zip((".con", ".ast", ".rel"), parts, strict=True):
            (folder / f"{name}{suffix}").write_text("".join(f"{x}\n" for x in lines), "utf-8")
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return write_notes(tmp_path / "a", NOTES_A), write_notes(tmp_path / "b", NOTES_B)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", *map(str, arguments)])


def assert_refused(result: Result, code: str, *places: object) -> None:
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 1
    assert re.findall(r"\[BL\d{3}\]", result.stderr) == [f"[{code}]"]
    assert CANARY not in result.output
    for place in places:
        assert str(place) in result.stderr


def lines_of(result: Result) -> list[list[str]]:
    return [line.split() for line in result.stdout.splitlines()]


def test_the_tables_and_the_disagreements(folders: tuple[Path, Path]) -> None:
    result = run("agreement", "i2b2", *folders)
    assert result.exit_code == 0, result.output
    assert CANARY not in result.output
    lines = lines_of(result)
    assert ["2", "records", "that", "both", "annotated,", "20", "tokens"] in lines
    # Of tokens A has 2 pain, 2 aspirin; B 2 pain in each record, aspirin with 40mg in one.
    problem = (18 / 20 - (2 * 4 + 18 * 16) / 400) / (1 - 296 / 400)
    assert ["problem", "1", "2", "1", "1", "66.67", "66.67", f"{problem:.3f}"] in lines
    assert ["treatment", "2", "2", "1", "2", "50.00", "100.00"] in [line[:-1] for line in lines]
    assert ["all", "3", "4", "2", "3", "57.14", "85.71"] in [line[:-1] for line in lines]
    assert ["assertion", "1", "1", "1", "0", "0.000"] in lines
    assert ["TrAP", "1", "0", "0", "1", "0.00", "0.000"] in lines
    places = [line for line in lines if line and line[0] in ("1", "2") and len(line) > 4]
    assert ["1", "assertion", "7-24", "present", "absent"] in places
    assert ["1", "relation", "27-34", ">", "7-24", "TrAP", "TrWP"] in places
    assert ["2", "extent", "27-34", "/", "27-39", "treatment", "treatment"] in places
    assert ["2", "concept", "7-24", "-", "problem"] in places
    assert "left out, only in A: 1 records: 3" in result.stderr
    assert "left out, only in B: 1 records: 4" in result.stderr


def test_text_is_shown_on_request_alone(folders: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    assert run("agreement", "i2b2", *folders, "--json", path).exit_code == 0
    assert CANARY not in path.read_text(encoding="utf-8")
    result = run("agreement", "i2b2", *folders, "--json", path, "--show-text")
    assert f"27-34 'Aspirin' > 7-24 '{CANARY} pain'" in result.stdout
    listed = json.loads(path.read_text(encoding="utf-8"))["disagreements"]
    assert {"at": [[7, 24]], "text": f"{CANARY} pain"} in [
        place for one in listed for place in one["places_b"]
    ]


def test_the_report_has_all(folders: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    result = run("agreement", "i2b2", *folders, "--json", path, "--bootstrap", 50, "--list", 1)
    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["records"] == 2
    assert report["left_out"]["only in A"] == ["3"]
    figure = report["concepts"][""]["figures"]["f_exact"]
    assert figure["value"] == pytest.approx(4 / 7)
    assert figure["low"] <= figure["value"] <= figure["high"]
    assert len(report["disagreements"]) == 4
    assert "and 3 more; --json FILE lists all" in result.stdout
    assert "57.14 (" in result.stdout


def test_perfect_agreement(folders: tuple[Path, Path]) -> None:
    result = run("agreement", "i2b2", folders[0], folders[0])
    assert result.exit_code == 0, result.output
    lines = lines_of(result)
    assert ["all", "4", "4", "4", "4", "100.00", "100.00", "1.000"] in lines
    # One pain has a value and one has none: two categories, on which both agree.
    assert ["assertion", "1", "1", "2", "2", "1.000"] in lines
    # The one pair that could be tied is.
    assert ["TrAP", "1", "1", "1", "1", "100.00", "undefined"] in lines
    assert result.stdout.rstrip().endswith("disagreements: none")
    assert result.stderr == ""


def test_docs_agree_as_their_files_do(folders: tuple[Path, Path], tmp_path: Path) -> None:
    docs = [folder.with_suffix(".spacy") for folder in folders]
    for folder, path in zip(folders, docs, strict=True):
        assert run("convert", "i2b2", folder, path).exit_code == 0
    first, second = run("agreement", "i2b2", *folders), run("agreement", "spacy", *docs)
    assert first.stdout.splitlines()[2:] == second.stdout.splitlines()[2:]


def test_docs_that_no_longer_show_their_records(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """As a pipeline leaves them, which is not what the gold record says."""
    path, predicted = tmp_path / "a.spacy", tmp_path / "predicted.spacy"
    run("convert", "i2b2", folders[0], path)
    docs = list(read_docs(path, spacy.blank("en").vocab))
    for doc in docs:
        doc.ents = [Span(doc, 0, 1, "problem")]
    write_docs(docs, predicted)
    assert_refused(run("agreement", "spacy", path, predicted), "BL203", "--source")
    same = run("agreement", "spacy", path, predicted, "--source", "record")
    assert ["all", "4", "4", "4", "4", "100.00", "100.00", "1.000"] in lines_of(same)


def test_records_that_one_did_not_annotate(folders: tuple[Path, Path]) -> None:
    for path in folders[1].glob("*.*"):
        if path.suffix != ".txt":
            path.unlink()
    assert_refused(run("agreement", "i2b2", *folders), "BL620", *folders)


def test_no_record_in_both(folders: tuple[Path, Path]) -> None:
    for name in ("1", "2"):
        for path in folders[1].glob(f"{name}.*"):
            path.rename(path.with_name(f"x{path.name}"))
    assert_refused(run("agreement", "i2b2", *folders), "BL620", *folders)


def test_a_record_that_comes_twice(folders: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "a.spacy"
    run("convert", "i2b2", folders[0], path)
    docs = list(read_docs(path, spacy.blank("en").vocab))
    write_docs([*docs, docs[1]], path)
    assert_refused(run("agreement", "spacy", path, path), "BL621", path, "'2'")


def test_texts_that_differ(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (folders[1] / "2.txt").write_text(TEXT.replace("given", "taken"), encoding="utf-8")
    out = tmp_path / "out.json"
    assert_refused(run("agreement", "i2b2", *folders, "--json", out), "BL622", "'2'", "44")
    assert not out.exists()


def test_the_report_does_not_take_the_place_of_an_input(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "a.spacy"
    run("convert", "i2b2", folders[0], path)
    before = path.read_bytes()
    assert_refused(run("agreement", "spacy", path, path, "--json", path), "BL121", path)
    assert path.read_bytes() == before


def test_lines_that_cannot_be_read(folders: tuple[Path, Path]) -> None:
    (folders[1] / "1.con").write_text(f"{PAIN}\n{CANARY}\n", encoding="utf-8")
    assert_refused(run("agreement", "i2b2", *folders), "BL106", folders[1])
    result = run("agreement", "i2b2", *folders, "--allow-loss")
    assert result.exit_code == 0, result.output
    assert f"lost: {folders[1] / '1.con'}, line 2" in result.stderr
    assert CANARY not in result.output
