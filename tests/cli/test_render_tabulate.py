"""bertlstm render and tabulate: what they read and write, and how they refuse."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
import spacy
from click.testing import Result
from spacy.cli._util import app as spacy_app
from spacy.tokens import Doc, Span
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.tokens.corpus import write_docs
from spacy_bertlstm.tokens.extensions import register_extensions

# A word that stands in every note, and must never be shown on a terminal.
CANARY = "zanzibarwort"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", *map(str, arguments)])


def assert_succeeded(result: Result) -> None:
    assert result.exit_code == 0, result.output
    assert CANARY not in result.output


def assert_refused(result: Result, code: str, *parts: object) -> None:
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 1
    assert re.findall(r"\[BL\d{3}\]", result.stderr) == [f"[{code}]"]
    assert CANARY not in result.output
    for part in parts:
        assert str(part) in result.stderr


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Three notes, each with two entities and a relation."""
    register_extensions()
    nlp = spacy.blank("en")
    made = []
    for number in range(3):
        doc = nlp(f"Aspirin for {CANARY} pain.")
        doc.user_data["id"] = f"note-{number}"
        doc.ents = [Span(doc, 0, 1, label="treatment"), Span(doc, 3, 4, label="problem")]
        ends = [[ent.start_char, ent.end_char, ent.label_] for ent in doc.ents]
        doc._.relations = [{"label": "TrAP", "head": ends[0], "tail": ends[1]}]
        made.append(doc)
    write_docs(made, tmp_path / "docs.spacy")
    return tmp_path / "docs.spacy"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that finds pain."""
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "problem", "pattern": "pain"}])
    nlp.meta.update(name="rules", version="1.2.3")
    folder = tmp_path_factory.mktemp("render") / "model"
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder of two notes, one with the line ends of Windows."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_bytes(f"{CANARY}:\r\nNo pain.".encode())
    (folder / "b.txt").write_bytes(b"Much pain, more pain.")
    (folder / "README.md").write_bytes(b"pain")
    return folder


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_render_docs(docs: Path, tmp_path: Path) -> None:
    result = run("render", docs, tmp_path / "new" / "out.html")
    assert_succeeded(result)
    assert "3 Docs, 6 entities, 3 relations -> " in result.stdout
    page = (tmp_path / "new" / "out.html").read_text(encoding="utf-8")
    assert page.count("<article") == 3
    assert "<title>docs.spacy</title>" in page and "read by" not in page


@pytest.mark.parametrize("limit, shown, left", [(2, 2, True), (3, 3, False), (9, 3, False)])
def test_render_stops_at_the_limit(
    limit: int, shown: int, left: bool, docs: Path, tmp_path: Path
) -> None:
    result = run("render", docs, tmp_path / "out.html", "--limit", limit)
    assert_succeeded(result)
    assert (tmp_path / "out.html").read_text(encoding="utf-8").count("<article") == shown
    assert ("there are more" in result.stdout) == left


def test_render_what_a_pipeline_finds(model: Path, notes: Path, tmp_path: Path) -> None:
    result = run("render", model, tmp_path / "out.html", "--text", notes)
    assert_succeeded(result)
    assert "2 Docs, 3 entities, 0 relations" in result.stdout
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert re.findall(r"<h2>(.*)</h2>", page) == ["a", "b"]
    assert "read by en_rules 1.2.3" in page
    assert f"{CANARY}:&#13;\n" in page


def test_tabulate_docs(docs: Path, tmp_path: Path) -> None:
    out, relations = tmp_path / "out.csv", tmp_path / "relations.jsonl"
    result = run("tabulate", docs, out, "--relations", relations)
    assert_succeeded(result)
    assert f"3 Docs, 6 entities -> {out}\n3 relations -> {relations}\n" == result.stdout
    assert [(row["record"], row["text"]) for row in read_csv(out)] == [
        (f"note-{number}", words) for number in range(3) for words in ("Aspirin", "pain")
    ]
    rows = [json.loads(line) for line in relations.read_text(encoding="utf-8").splitlines()]
    assert [(row["head_text"], row["label"], row["tail_text"]) for row in rows] == [
        ("Aspirin", "TrAP", "pain")
    ] * 3


def test_tabulate_says_that_relations_are_left_out(docs: Path, tmp_path: Path) -> None:
    result = run("tabulate", docs, tmp_path / "out.csv")
    assert_succeeded(result)
    assert "3 relations -> nowhere; --relations FILE" in result.stdout


def test_tabulate_what_a_pipeline_finds(model: Path, notes: Path, tmp_path: Path) -> None:
    texts = ["--text", notes / "b.txt", "--text", notes / "a.txt"]
    assert_succeeded(run("tabulate", model, tmp_path / "out.csv", *texts))
    rows = read_csv(tmp_path / "out.csv")
    assert [(row["record"], row["start"], row["model"], row["model_version"]) for row in rows] == [
        ("b", "5", "en_rules", "1.2.3"),
        ("b", "16", "en_rules", "1.2.3"),
        ("a", str(len(CANARY) + 6), "en_rules", "1.2.3"),
    ]


COMMANDS = [("render", "out.html"), ("tabulate", "out.csv")]


@pytest.mark.parametrize("command, name", COMMANDS)
def test_what_is_read_is_not_overwritten(
    command: str, name: str, docs: Path, model: Path, notes: Path, tmp_path: Path
) -> None:
    before = docs.read_bytes()
    assert_refused(run(command, docs, docs), "BL121", docs)
    note = notes / "a.txt"
    assert_refused(run(command, model, note, "--text", note), "BL121", note)
    assert docs.read_bytes() == before and note.read_bytes().endswith(b"No pain.")
    # What an earlier run left beside the notes is no note.
    for _ in range(2):
        assert_succeeded(run(command, model, notes / name, "--text", notes))


def test_two_tables_are_two_files(docs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    (tmp_path / "x").mkdir()
    relations = tmp_path / "x" / ".." / "out.csv"
    assert_refused(run("tabulate", docs, out, "--relations", relations), "BL644", relations)
    assert not out.exists()


@pytest.mark.parametrize("command, name", COMMANDS)
def test_bad_input_is_refused(
    command: str, name: str, docs: Path, model: Path, notes: Path, tmp_path: Path
) -> None:
    out = tmp_path / name
    out.write_text("old", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.txt").write_bytes(b"H\xf6he")
    (tmp_path / "a.txt").write_bytes(b"pain")
    broken = tmp_path / "broken.spacy"
    broken.write_bytes(b"no DocBin")
    for arguments, code, part in (
        ([tmp_path / "no.spacy"], "BL101", "no.spacy"),
        ([broken], "BL201", broken),
        ([model], "BL640", "--text FILE"),
        ([docs, "--text", notes], "BL315", docs),
        ([model, "--text", tmp_path / "no.txt"], "BL101", "no.txt"),
        ([model, "--text", tmp_path / "empty"], "BL102", "empty"),
        ([model, "--text", tmp_path / "latin.txt"], "BL103", "latin.txt"),
        ([model, "--text", notes, "--text", tmp_path / "a.txt"], "BL112", "'a'"),
    ):
        first, *rest = arguments
        assert_refused(run(command, first, out, *rest), code, part)
        assert out.read_text(encoding="utf-8") == "old"
    assert not list(tmp_path.glob(".part-*"))


@pytest.mark.parametrize("first, second", [("out.csv", "taken"), ("taken", "out.csv")])
def test_both_tables_or_none(first: str, second: str, docs: Path, tmp_path: Path) -> None:
    (tmp_path / "taken.csv" / "x").mkdir(parents=True)
    paths = [tmp_path / name.replace("taken", "taken.csv") for name in (first, second)]
    assert_refused(run("tabulate", docs, paths[0], "--relations", paths[1]), "BL109", "taken.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("format", ["i2b2", "brat"])
def test_what_a_pipeline_predicts_is_exported(format: str, tmp_path: Path) -> None:
    """Assertions and relations that components set, with their confidences."""
    register_extensions()
    doc = Doc(spacy.blank("en").vocab, words="Aspirin for pain , no fever .".split())
    doc.user_data["id"] = "1"
    spans = [(0, 1, "treatment", None), (2, 3, "problem", "present"), (5, 6, "problem", "absent")]
    doc.ents = [Span(doc, start, end, label=label) for start, end, label, _ in spans]
    for entity, (*_, assertion) in zip(doc.ents, spans, strict=True):
        entity._.confidence = 0.9
        entity._.assertion = assertion
    extents = [[entity.start_char, entity.end_char, entity.label_] for entity in doc.ents]
    doc._.relations = [
        {"label": "TrAP", "head": extents[0], "tail": extents[1], "confidence": 0.75}
    ]
    write_docs([doc], tmp_path / "docs.spacy")
    out = tmp_path / "out"
    assert_succeeded(run("export", format, tmp_path / "docs.spacy", out, "--source", "doc"))
    files = {path.suffix: path.read_text(encoding="utf-8") for path in out.rglob("1.*")}
    if format == "i2b2":
        assert files[".ast"].splitlines() == [
            'c="pain" 1:2 1:2||t="problem"||a="present"',
            'c="fever" 1:5 1:5||t="problem"||a="absent"',
        ]
        assert files[".rel"] == 'c="aspirin" 1:0 1:0||r="TrAP"||c="pain" 1:2 1:2\n'
    else:
        lines = files[".ann"].splitlines()
        assert "R1\tTrAP Arg1:T1 Arg2:T2\t" in lines
        assert {"A1\tassertion T2 present", "A2\tassertion T3 absent"} <= set(lines)
