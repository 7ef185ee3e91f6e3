import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.cli._util import app as spacy_app
from spacy.language import Language
from spacy.training import Example
from typer.testing import CliRunner, Result

import spacy_bertlstm.cli  # noqa: F401 - registers the command
from spacy_bertlstm.tokens.corpus import make_corpus_reader, read_docs, write_docs


def evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", "evaluate", *map(str, arguments)])


@pytest.fixture
def pipeline(
    tmp_path: Path,
    make_nlp: Callable[..., Language],
    make_examples: Callable[[Language], list[Example]],
) -> Path:
    """A pipeline that has learned a little, on disk."""
    nlp = make_nlp()
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(5):
        nlp.update(examples, sgd=False, annotates=["sentences"])
        for name in ("transformer", "ner"):
            nlp.get_pipe(name).finish_update(optimizer)
        optimizer.step_schedules()
    nlp.to_disk(tmp_path / "model")
    return tmp_path / "model"


def test_the_scores_are_spacys_and_stand_in_their_intervals(
    pipeline: Path, tmp_path: Path, write_corpus: Callable[[Path], Path]
) -> None:
    corpus, output = write_corpus(tmp_path / "dev.spacy"), tmp_path / "out" / "scores.json"
    result = evaluate(pipeline, corpus, "--output", output, "--bootstrap", "200")
    assert result.exit_code == 0, result.output
    scores = json.loads(output.read_text(encoding="utf-8"))
    nlp = spacy.load(pipeline)
    expected = nlp.evaluate(list(make_corpus_reader(corpus)(nlp)))
    for key in ("ents_p", "ents_r", "ents_f"):
        assert scores[key] == pytest.approx(expected[key])
        low, high = scores["intervals"][key]
        assert low <= scores[key] <= high
    assert scores["ents_per_type"].keys() == expected["ents_per_type"].keys()
    last = result.output.splitlines()[-1]
    assert last.startswith("all") and f"{100 * expected['ents_f']:.2f} (" in last
    assert "aspirin" not in result.output + output.read_text(encoding="utf-8")


def test_what_has_no_gold_annotation_does_not_count(
    pipeline: Path, tmp_path: Path, write_corpus: Callable[[Path], Path]
) -> None:
    nlp = spacy.load(pipeline)
    known = list(read_docs(write_corpus(tmp_path / "dev.spacy"), nlp.vocab))
    for doc in known:
        doc.set_ents(list(doc.ents)[:1], missing=[doc[doc.ents[0].end :]], default="outside")
    unknown = [nlp.make_doc(doc.text) for doc in known]
    write_docs([*known, *unknown], tmp_path / "part.spacy")
    output = tmp_path / "scores.json"
    assert evaluate(pipeline, tmp_path / "part.spacy", "--output", output).exit_code == 0
    scores = json.loads(output.read_text(encoding="utf-8"))
    for key in ("ents_p", "ents_r", "ents_f"):
        low, high = scores["intervals"][key]
        assert low <= scores[key] <= high
    table = evaluate(pipeline, tmp_path / "part.spacy").output.splitlines()[-1].split()
    assert table[5] == f"{100 * scores['ents_f']:.2f}"


@pytest.fixture
def classifier(tmp_path: Path, write_categories: Callable[[Path], Path]) -> tuple[Path, Path]:
    """A text categorizer that has learned a little, and what it learned from."""
    corpus = write_categories(tmp_path / "notes.spacy")
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat")
    examples = list(make_corpus_reader(corpus)(nlp))
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(2):
        nlp.update(examples, sgd=optimizer)
    nlp.to_disk(tmp_path / "model")
    return tmp_path / "model", corpus


def test_categories_have_a_table_of_their_own(
    classifier: tuple[Path, Path], tmp_path: Path
) -> None:
    model, corpus = classifier
    output = tmp_path / "scores.json"
    result = evaluate(model, corpus, "--output", output, "--bootstrap", "50")
    assert result.exit_code == 0, result.output
    nlp = spacy.load(model)
    expected = nlp.evaluate(list(make_corpus_reader(corpus)(nlp)))
    scores = json.loads(output.read_text(encoding="utf-8"))
    for mean in ("micro", "macro"):
        for key in ("p", "r", "f"):
            name = f"cats_{mean}_{key}"
            assert scores[name] == pytest.approx(expected[name])
            low, high = scores["intervals"][name]
            assert low <= scores[name] <= high
    assert scores["cats_macro_auc"] == pytest.approx(expected["cats_macro_auc"])
    assert scores["cats_accuracy"] == pytest.approx(expected["cats_micro_f"])
    title, accuracy, head, *rows = result.output.splitlines()
    assert title.startswith("6 Docs") and head.split() == ["P", "R", "F1", "AUC"]
    assert accuracy.startswith(f"accuracy {100 * scores['cats_accuracy']:.2f} (")
    assert [row.split()[0] for row in rows] == [
        "improving", "stable", "worsening", "micro", "macro",
    ]  # fmt: skip
    assert "aspirin" not in result.output + output.read_text(encoding="utf-8")


def test_gold_of_another_kind_is_refused(
    classifier: tuple[Path, Path], tmp_path: Path, write_corpus: Callable[[Path], Path]
) -> None:
    result = evaluate(classifier[0], write_corpus(tmp_path / "entities.spacy"))
    assert result.exit_code == 1
    assert "BL377" in result.output and "textcat" in result.output


def test_a_file_that_is_not_there_is_named(pipeline: Path, tmp_path: Path) -> None:
    result = evaluate(pipeline, tmp_path / "no.spacy")
    assert result.exit_code == 1
    assert "BL101" in result.output and "no.spacy" in result.output


def test_values_of_given_entities_are_scored(
    tiny_bert: Path, tmp_path: Path, write_corpus: Callable[[Path], Path]
) -> None:
    config = spacy.util.load_config(
        Path(__file__).parents[2] / "configs" / "assertion.cfg",
        overrides={
            "paths.encoder": str(tiny_bert),
            "components.assertion.model.tok2vec.hidden_width": 8,
        },
    )
    config["paths"].update(train=None, dev=None)
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    corpus, output = write_corpus(tmp_path / "dev.spacy"), tmp_path / "scores.json"
    nlp.initialize(lambda: make_corpus_reader(corpus)(nlp))
    nlp.to_disk(tmp_path / "model")
    result = evaluate(tmp_path / "model", corpus, "--given", "--output", output)
    assert result.exit_code == 0, result.output
    scores = json.loads(output.read_text(encoding="utf-8"))
    expected = nlp.evaluate(list(make_corpus_reader(corpus, given=True)(nlp)))
    # All 4 problems, 2 of them absent, get one value from weights that are still zero.
    assert scores["assertion_micro_f"] == expected["assertion_micro_f"] == 0.5
    assert figures(result.output, "all") == ["50.00", "50.00", "50.00"]
    assert figures(result.output, "absent") == ["50.00", "100.00", "66.67"]
    assert "learned on gold spans" in result.output
    assert scores["intervals"].keys() >= {"assertion_micro_f", "assertion_macro_f"}
    low, high = scores["intervals"]["assertion_macro_f"]
    assert low <= scores["assertion_macro_f"] == expected["assertion_macro_f"] <= high
    bare = evaluate(tmp_path / "model", corpus)
    assert figures(bare.output, "all") == ["0.00", "0.00", "0.00"]


def figures(output: str, title: str) -> list[str]:
    """The estimates of a row, without their intervals."""
    (row,) = (line for line in output.splitlines() if line.startswith(f"{title} "))
    return re.findall(r"(\d+\.\d\d) \(", row)
