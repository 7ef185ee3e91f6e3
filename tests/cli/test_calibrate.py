"""bertlstm calibrate: what it fits, prints and writes, and how it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
import srsly
from click.testing import Result
from spacy.cli._util import app as spacy_app
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.evaluation.calibration import (
    expected_calibration_error,
    negative_log_likelihood,
)
from spacy_bertlstm.tokens.corpus import give_spans, write_docs
from spacy_bertlstm.tokens.extensions import register_extensions

# A word that stands in dev and test alone.
CANARY = "zanzibarwort"

TEXTS = ["He has chest pain .", "No fever today .", "She takes aspirin daily .", "An x ray ."]
SPANS = [(7, 17, "problem"), (3, 8, "problem"), (10, 17, "treatment"), (3, 8, "test")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, hash_encoder: dict[str, object]) -> Path:
    """A small pipeline that finds what it has learned, and more."""
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    tagger = {"@architectures": "spacy-bertlstm.CrfTagger.v1", "tok2vec": hash_encoder}
    nlp.add_pipe("bertlstm_ner", name="ner", config={"model": tagger})
    examples = [
        Example.from_dict(nlp.make_doc(text), {"entities": [span]})
        for text, span in zip(TEXTS, SPANS, strict=True)
    ]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.02
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    folder = tmp_path_factory.mktemp("calibrate") / "model"
    nlp.to_disk(folder)
    return folder


def make_gold(*, wrong: tuple[int, ...]) -> list[Doc]:
    """The learned texts behind a new word; in some the gold entity is another."""
    nlp = spacy.blank("en")
    docs = []
    for i, (text, (start, end, label)) in enumerate(zip(TEXTS, SPANS, strict=True)):
        doc = nlp(f"{CANARY} . {text}")
        shift = len(CANARY) + 3
        span = doc.char_span(start + shift, end + shift, "other" if i in wrong else label)
        doc.set_ents([span], default="outside")
        docs.append(doc)
    return docs


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """dev, where a half of the gold entities are others, and test, where a quarter are."""
    paths = tmp_path / "dev.spacy", tmp_path / "test.spacy"
    write_docs(make_gold(wrong=(0, 3)), paths[0])
    write_docs(make_gold(wrong=(1,)), paths[1])
    return paths


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", "calibrate", *map(str, arguments)])


def assert_refused(result: Result, code: str, *parts: str) -> None:
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == 1
    assert re.findall(r"\[BL\d{3}\]", result.stderr) == [f"[{code}]"]
    assert "Traceback" not in result.output
    assert CANARY not in result.output
    for part in parts:
        assert part in result.stderr


def found_in(model: Path, gold: list[Doc]) -> tuple[list[tuple], list[float], list[bool]]:
    """The entities of a pipeline in use, their confidences, and whether they are right."""
    nlp = spacy.load(model)
    entities, confidences, right = [], [], []
    for doc in gold:
        truth = {(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents}
        for ent in nlp(doc.text).ents:
            entities.append((ent.start_char, ent.end_char, ent.label_))
            confidences.append(ent._.confidence)
            right.append(entities[-1] in truth)
    return entities, confidences, right


def test_it_fits_prints_and_writes(model: Path, files: tuple[Path, Path], tmp_path: Path) -> None:
    dev, test = files
    out, figures = tmp_path / "new" / "out", tmp_path / "figures.json"
    result = run(model, dev, out, "--test", test, "--bins", 5, "--json", figures)
    assert result.exit_code == 0, result.output
    assert CANARY not in result.output
    report = json.loads(figures.read_text(encoding="utf-8"))
    assert report["component"] == "ner"
    before, after = report["temperature"]
    assert before == 1.0
    assert spacy.load(out).get_pipe("ner").temperature == pytest.approx(after)

    # The report says what the two pipelines do in use.
    for key, gold in (("dev", make_gold(wrong=(0, 3))), ("test", make_gold(wrong=(1,)))):
        entities, confidences, right = found_in(model, gold)
        calibrated, new_confidences, _ = found_in(out, gold)
        assert calibrated == entities
        assert report[key]["entities"] == len(entities)
        assert report[key]["right"] == sum(right)
        for i, values in enumerate((confidences, new_confidences)):
            error = expected_calibration_error(values, right, bins=5)
            assert report[key]["ece"][i] == pytest.approx(error, abs=1e-6)
            assert report[key]["nll"][i] == pytest.approx(
                negative_log_likelihood(values, right), abs=1e-6
            )
            assert sum(found["count"] for found in report[key]["bins"][i]) == len(entities)
    assert report["dev"]["nll"][1] < report["dev"]["nll"][0]
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == ["dev", "test"]
    assert f"{report['dev']['ece'][0]:.2%} -> {report['dev']['ece'][1]:.2%}" in lines[0]
    assert f"temperature 1.000 -> {after:.3f}" in lines[2]


def test_the_words_of_the_notes_are_not_kept(
    model: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    assert run(model, files[0], tmp_path / "out", "--test", files[1]).exit_code == 0
    strings = srsly.read_json(tmp_path / "out" / "vocab" / "strings.json")
    assert strings == srsly.read_json(model / "vocab" / "strings.json")
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or CANARY.encode() not in path.read_bytes()


def test_it_can_be_done_again(model: Path, files: tuple[Path, Path], tmp_path: Path) -> None:
    assert run(model, files[0], tmp_path / "a").exit_code == 0
    once = spacy.load(tmp_path / "a").get_pipe("ner").temperature
    result = run(tmp_path / "a", files[0], tmp_path / "b")
    assert f"temperature {once:.3f} -> {once:.3f}" in result.stdout


def test_a_folder_in_use_is_left_alone(model: Path, files: tuple[Path, Path]) -> None:
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    assert_refused(run(model, files[0], model), "BL110", str(model))
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before


def test_nothing_is_left_where_a_file_cannot_be_written(
    model: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "taken" / "x").mkdir(parents=True)
    out = tmp_path / "out"
    assert_refused(run(model, files[0], out, "--json", tmp_path / "taken"), "BL109")
    assert not out.exists()
    assert not list(tmp_path.glob(".part-*"))


@pytest.mark.parametrize("output, json_path", [("o", "o/x.json"), ("o", "o"), ("f/o", "f")])
def test_figures_in_the_way_of_the_pipeline_are_refused(
    output: str, json_path: str, model: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    result = run(model, files[0], tmp_path / output, "--json", tmp_path / json_path)
    assert_refused(result, "BL317", str(tmp_path / json_path))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["missing", "broken"])
def test_no_pipeline(name: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    assert_refused(run(tmp_path / name, files[0], tmp_path / "out"), "BL315", name)


def test_no_component(files: tuple[Path, Path], tmp_path: Path) -> None:
    spacy.blank("en").to_disk(tmp_path / "blank")
    assert_refused(run(tmp_path / "blank", files[0], tmp_path / "out"), "BL314", "none")


def test_several_components(model: Path, files: tuple[Path, Path], tmp_path: Path) -> None:
    nlp = spacy.load(model)
    nlp.add_pipe("ner", name="second", source=spacy.load(model))
    nlp.to_disk(tmp_path / "two")
    out = tmp_path / "out"
    assert_refused(run(tmp_path / "two", files[0], out), "BL314", "ner, second")
    assert_refused(run(tmp_path / "two", files[0], out, "--component", "x"), "BL313", "'x'")
    assert run(tmp_path / "two", files[0], out, "--component", "ner").exit_code == 0
    calibrated = spacy.load(out)
    assert calibrated.get_pipe("ner").temperature != 1.0
    assert calibrated.get_pipe("second").temperature == 1.0


@pytest.mark.parametrize("kind", ["all right", "all wrong", "not annotated"])
def test_docs_that_teach_no_temperature(
    kind: str, model: Path, tmp_path: Path, make_dev: Callable[[str], Path]
) -> None:
    assert_refused(run(model, make_dev(kind), tmp_path / "out"), "BL316", "dev.spacy")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def make_dev(model: Path, tmp_path: Path) -> Callable[[str], Path]:
    def make(kind: str) -> Path:
        docs = make_gold(wrong=(0, 1, 2, 3))
        if kind == "all right":
            docs = [spacy.load(model)(doc.text) for doc in docs]
        elif kind == "not annotated":
            docs = [spacy.blank("en")(doc.text) for doc in docs]
        write_docs(docs, tmp_path / "dev.spacy")
        return tmp_path / "dev.spacy"

    return make


def test_a_test_file_without_annotations_has_no_figures(
    model: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    write_docs([spacy.blank("en")(TEXTS[0]), spacy.blank("en")("")], tmp_path / "bare.spacy")
    result = run(model, files[0], tmp_path / "out", "--test", tmp_path / "bare.spacy")
    assert result.exit_code == 0, result.output
    assert "test: 0 of 0 entities right, expected calibration error unknown" in result.stdout


def test_missing_dev(model: Path, tmp_path: Path) -> None:
    assert_refused(run(model, tmp_path / "no.spacy", tmp_path / "out"), "BL101", "no.spacy")


def make_related(nlp: Language) -> list[Doc]:
    """Gold Docs with one pair each; of two labels, one holds everywhere and one in a half."""
    register_extensions()
    docs = []
    for i, word in enumerate(("for", "and", "no", "with")):
        doc = nlp.make_doc(f"aspirin {word} fever")
        doc.set_ents([Span(doc, 0, 1, "treatment"), Span(doc, 2, 3, "problem")])
        extents = [[ent.start_char, ent.end_char, ent.label_] for ent in doc.ents]
        doc._.relations = [
            {"label": label, "head": extents[0], "tail": extents[1]}
            for label in (["TrAP", "TrIP"] if i % 2 else ["TrAP"])
        ]
        docs.append(doc)
    return docs


@pytest.mark.parametrize("finds_entities", [True, False])
def test_thresholds_of_relations(
    finds_entities: bool, hash_encoder: dict[str, object], tmp_path: Path
) -> None:
    """Random weights, whose confidences are far from 0.5: on entities found, and on given ones."""
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler") if finds_entities else None
    head = {"@architectures": "spacy-bertlstm.RelationClassifier.v1", "tok2vec": hash_encoder}
    config = {"model": head, "candidates": {"@misc": "spacy-bertlstm.WindowPairs.v1", "window": 3}}
    relations = nlp.add_pipe("bertlstm_relations", name="relations", config=config)
    golds = make_related(nlp)
    nlp.initialize(lambda: [Example(gold.copy(), gold) for gold in golds])
    relations.model.get_ref("output").get_param("b")[:] = -5.0
    if ruler is not None:
        patterns = [("treatment", "aspirin"), ("problem", "fever")]
        ruler.add_patterns([{"label": label, "pattern": word} for label, word in patterns])
    nlp.to_disk(tmp_path / "model")
    write_docs(golds, tmp_path / "dev.spacy")

    figures, out = tmp_path / "figures.json", tmp_path / "out"
    result = run(tmp_path / "model", tmp_path / "dev.spacy", out, "--json", figures)
    assert result.exit_code == 0, result.output
    report = json.loads(figures.read_text(encoding="utf-8"))
    assert set(report) == {"relations"}
    (found,) = report["relations"].values()
    thresholds = spacy.load(out).get_pipe("relations").thresholds
    assert list(found["thresholds"]) == ["TrAP", "TrIP"]
    for label, values in found["thresholds"].items():
        assert values == pytest.approx([0.5, thresholds[label]])
    assert all(0 < value < 0.5 for value in thresholds.values())
    before, after = found["dev"]
    assert before == 0.0 and after > 0.7
    assert f"dev: F1 of relations 0.00% -> {after:.2%}" in result.stdout

    # The figure is what the pipeline scores in use.
    calibrated = spacy.load(out)
    examples = []
    for gold in golds:
        doc = calibrated.make_doc(gold.text)
        give_spans(gold, doc)
        examples.append(Example(doc, gold))
    assert calibrated.evaluate(examples)["rel_micro_f"] == pytest.approx(after)

    for gold in golds:
        gold._.relations = []
    write_docs(golds, tmp_path / "none.spacy")
    refused = run(tmp_path / "model", tmp_path / "none.spacy", tmp_path / "new")
    assert_refused(refused, "BL363", "none.spacy", "'relations'")
