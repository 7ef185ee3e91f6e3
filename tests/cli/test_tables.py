"""Tables through the commands: convert, check, split, agreement and export."""

import csv
from pathlib import Path

import pytest
from spacy.cli._util import app as spacy_app
from typer.testing import CliRunner, Result

import spacy_bertlstm.cli  # noqa: F401 - registers the commands
from spacy_bertlstm.tokens.corpus import read_docs, write_docs

COURSES = ("better", "same", "worse")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", *map(str, arguments)])


def write_table(path: Path, courses: list[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "note", "course", "ward"])
        for number, course in enumerate(courses):
            writer.writerow([number, f"Note, number {number}.\r\nSeen.", course, f"W{number % 7}"])
    return path


def convert(table: Path, output: Path, *options: object) -> Result:
    columns = ("--text-column", "note", "--label-column", "course", "--id-column", "name")
    return run("convert", "csv", table, output, *columns, *options)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Sixty notes, twenty of each course, and one that nobody labelled."""
    table = write_table(tmp_path / "notes.csv", [*(20 * COURSES), ""])
    result = convert(table, tmp_path / "notes.spacy")
    assert result.exit_code == 0, result.output
    assert "61 records (1 without annotations)" in result.output
    return tmp_path / "notes.spacy"


def test_docs_have_all_labels_and_no_entity_annotation(docs: Path) -> None:
    first, *_, last = read_docs(docs)
    assert first.cats == {"better": 1.0, "same": 0.0, "worse": 0.0}
    assert last.cats == {}
    assert not first.has_annotation("ENT_IOB")
    assert first._.record["metadata"]["ward"] == "W0"


def test_a_table_comes_back(docs: Path, tmp_path: Path) -> None:
    result = run("export", "csv", docs, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "notes.csv").read_bytes() == (tmp_path / "notes.csv").read_bytes()


def test_what_was_predicted_is_not_exported_as_gold(docs: Path, tmp_path: Path) -> None:
    changed = list(read_docs(docs))
    for doc in changed:
        doc.cats = {"better": 0.2, "same": 0.1, "worse": 0.7}
    write_docs(changed, tmp_path / "predicted.spacy")
    assert "BL203" in run("export", "csv", tmp_path / "predicted.spacy", tmp_path / "out").output
    done = run("export", "csv", tmp_path / "predicted.spacy", tmp_path / "out", "--source", "doc")
    assert done.exit_code == 0, done.output
    with (tmp_path / "out" / "documents.csv").open(newline="") as file:
        assert {row["label"] for row in csv.DictReader(file)} == {"worse"}


def test_check_counts_categories(docs: Path) -> None:
    result = run("check", docs)
    assert result.exit_code == 0, result.output
    assert "61 Docs (1 without annotations)" in result.output
    assert "60 categories: better 20, same 20, worse 20" in result.output


def test_split_gives_each_part_its_share_of_each_category(docs: Path, tmp_path: Path) -> None:
    result = run("split", docs, tmp_path / "parts", "--ratio", 60, 20, 20)
    assert result.exit_code == 0, result.output
    for part, count in (("train", 12), ("dev", 4), ("test", 4)):
        held = [doc.cats for doc in read_docs(tmp_path / "parts" / f"{part}.spacy") if doc.cats]
        assert [sum(cats[course] for cats in held) for course in COURSES] == [count] * 3
    assert "  category worse" in result.output
    by_ward = run("split", docs, tmp_path / "wards", "--group-by", "ward")
    assert by_ward.exit_code == 0, by_ward.output


def test_agreement_on_categories(docs: Path, tmp_path: Path) -> None:
    other = write_table(tmp_path / "other.csv", [*(10 * COURSES), *(10 * COURSES[::-1]), "same"])
    assert convert(other, tmp_path / "other.spacy").exit_code == 0
    result = run("agreement", "spacy", docs, tmp_path / "other.spacy")
    assert result.exit_code == 0, result.output
    table = result.output.partition("\ncategories")[2].splitlines()
    rows = {row.split()[0]: row.split()[1:] for row in table[1:5]}
    # Of sixty texts that both labelled, forty have one label; chance would give twenty.
    assert rows["all"] == ["60", "60", "40", "60", "66.67", "0.500"]
    assert rows["same"] == ["20", "20", "20", "60", "100.00", "1.000"]
    assert "disagreements: 20 category" in result.output
    assert "\nconcepts" not in result.output


def test_options_of_tables_are_for_tables(tmp_path: Path) -> None:
    result = run("convert", "brat", tmp_path, tmp_path / "o.spacy", "--label-column", "x")
    assert result.exit_code == 1
    assert "BL119" in result.output and "--label-column" in result.output


def test_a_row_that_is_lost_makes_the_conversion_fail(tmp_path: Path) -> None:
    table = write_table(tmp_path / "notes.csv", ["better", "same"])
    table.write_text(table.read_text() + "short\n")
    result = convert(table, tmp_path / "out.spacy")
    assert result.exit_code == 1
    assert "BL106" in result.output and not (tmp_path / "out.spacy").exists()
    assert convert(table, tmp_path / "out.spacy", "--allow-loss").exit_code == 0


def test_labels_that_are_named(tmp_path: Path) -> None:
    table = write_table(tmp_path / "notes.csv", ["better", "same"])
    named = [part for course in COURSES for part in ("--labels", course)]
    assert convert(table, tmp_path / "out.spacy", *named).exit_code == 0
    assert all(set(doc.cats) == set(COURSES) for doc in read_docs(tmp_path / "out.spacy"))
