"""bertlstm split: what it writes and prints, and how it refuses.

What it shares with convert and export stands in test_convert_export.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import spacy
from click.testing import Result
from spacy.cli._util import app as spacy_app
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.records import Document
from spacy_bertlstm.tokens.corpus import read_docs, write_docs
from spacy_bertlstm.tokens.extensions import get_record, set_record

CANARY = "zanzibarwort"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", *map(str, arguments)])


def assert_refused(result: Result, code: str, *places: object) -> None:
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 1
    assert re.findall(r"\[BL\d{3}\]", result.stderr) == [f"[{code}]"]
    assert CANARY not in result.output
    for place in places:
        assert str(place) in result.stderr


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Twelve records of six patients; the last two have one text, and no annotation."""
    nlp = spacy.blank("en")
    docs: list[Doc] = []
    for i in range(12):
        doc = nlp(f"{CANARY} fever {min(i, 10)}")
        if i < 10:
            doc.set_ents([Span(doc, 1, 2, "problem" if i < 6 else "test")], default="outside")
        record = Document(f"p{i // 2}_{i:02}", doc.text, metadata={"patient": f"p{i // 2}"})
        set_record(doc, record)
        docs.append(doc)
    write_docs(docs, tmp_path / "notes.spacy")
    return tmp_path / "notes.spacy"


def names_of(path: Path) -> list[str]:
    return [record.id for record in map(get_record, read_docs(path, Vocab())) if record]


def rows_of(result: Result) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line}


@pytest.mark.parametrize(
    "options", [["--group-by", "patient"], ["--group-regex", "^(p.)_"], ["--no-stratify"]]
)
def test_groups_stay_together(options: list[str], source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("split", source, out, "--ratio", 1, 1, 1, *options)
    assert result.exit_code == 0, result.output
    assert CANARY not in result.output
    parts = [names_of(out / f"{part}.spacy") for part in ("train", "dev", "test")]
    assert [len(names) for names in parts] == [4, 4, 4]
    patients = [{name[:2] for name in names} for names in parts]
    shared = patients[0] & patients[1] | patients[0] & patients[2] | patients[1] & patients[2]
    assert bool(shared) == ("--no-stratify" in options)


def test_the_table_says_what_each_part_holds(source: Path, tmp_path: Path) -> None:
    result = run("split", source, tmp_path / "out", "--ratio", 1, 1, 0, "--group-by", "patient")
    assert result.exit_code == 0, result.output
    rows = rows_of(result)
    # One patient of each part has both tests of two records each, or the pair without any.
    assert rows["train"] == ["dev", "all"]
    assert rows["records"] == ["6", "50.0%", "6", "50.0%", "12"]
    assert rows["groups"] == ["3", "50.0%", "3", "50.0%", "6"]
    assert rows["tokens"] == ["18", "50.0%", "18", "50.0%", "36"]
    assert sorted(rows["unannotated"][0:4:2]) == ["0", "2"]
    assert sorted(rows["entities"][0:4:2]) == ["4", "6"]
    assert rows["problem"][-1] == "6" and rows["test"][-1] == "4"
    assert "1 records repeat the text of another" in result.stdout
    assert result.stdout.splitlines()[-1] == f"train, dev -> {tmp_path / 'out'}"


def test_folds(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("split", source, out, "--folds", 3, "--ratio", 1, 1, 0, "--group-by", "patient")
    assert result.exit_code == 0, result.output
    tests = [name for fold in range(3) for name in names_of(out / f"fold-{fold}" / "test.spacy")]
    assert len(tests) == len(set(tests)) == 12
    for fold in range(3):
        parts = [names_of(out / f"fold-{fold}" / f"{part}.spacy") for part in ("train", "dev")]
        assert [len(names) for names in parts] == [4, 4]
        assert f"4 train, 4 dev, 4 test records -> {out / f'fold-{fold}'}" in result.stdout
    rows = rows_of(result)
    assert rows["fold-0"] == ["fold-1", "fold-2", "all"]
    assert rows["records"][0:6:2] == ["4", "4", "4"]


def test_excluded_records_are_left_out_and_unknown_ids_named(source: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_bytes(b"\xef\xbb\xbfp0_00\r\n\r\n p5_10 \nzz9\n")
    result = run("split", source, tmp_path / "out", "--ratio", 1, 1, 0, "--exclude", ids)
    assert result.exit_code == 0, result.output
    names = [name for part in ("train", "dev") for name in names_of(tmp_path / f"out/{part}.spacy")]
    assert sorted(names) == [f"p{i // 2}_{i:02}" for i in range(12) if i not in (0, 10)]
    assert "2 records excluded" in result.stdout
    assert "1 ids to exclude name no record: zz9" in result.stdout
    assert "1 records stay that have the very text of an excluded one: p5_11" in result.stderr


def test_a_long_list_of_unknown_ids_is_cut(source: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("p0_00\n" + "".join(f"x{i}\n" for i in range(25)), encoding="utf-8")
    result = run("split", source, tmp_path / "out", "--exclude", ids)
    assert "25 ids to exclude name no record: x0, " in result.stdout
    assert "x9 and 15 more" in result.stdout


@pytest.mark.parametrize("content", ["zz9\n", ""])
def test_ids_that_are_all_unknown(content: str, source: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text(content, encoding="utf-8")
    assert_refused(run("split", source, tmp_path / "out", "--exclude", ids), "BL224", ids)
    assert not (tmp_path / "out").exists()


def test_ids_that_cannot_be_read(source: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert_refused(run("split", source, tmp_path / "out", "--exclude", missing), "BL101", missing)
    binary = tmp_path / "binary"
    binary.write_bytes(b"a\n\xff\n")
    result = run("split", source, tmp_path / "out", "--exclude", binary)
    assert_refused(result, "BL103", binary, "line 2")


def test_groups_are_named_in_one_way(source: Path, tmp_path: Path) -> None:
    result = run("split", source, tmp_path, "--group-by", "patient", "--group-regex", "(.)")
    assert_refused(result, "BL225")


def test_too_few_groups(source: Path, tmp_path: Path) -> None:
    result = run("split", source, tmp_path / "out", "--group-regex", "^(p)")
    assert_refused(result, "BL205", "12 Docs in 1 groups", "70 15 15")


def test_one_fold_is_none(source: Path, tmp_path: Path) -> None:
    assert run("split", source, tmp_path / "out", "--folds", 1).exit_code == 2


def test_a_source_that_is_no_file(tmp_path: Path) -> None:
    assert_refused(run("split", tmp_path / "x.spacy", tmp_path / "out"), "BL101", "x.spacy")
