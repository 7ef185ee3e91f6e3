"""The model card says what the run was, and quotes no note."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from spacy.cli._util import app as spacy_app
from spacy.cli.package import package
from spacy.vocab import Vocab
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.shipping.card import Facts, read_scores, write_card
from spacy_bertlstm.shipping.prune import prune_pipeline
from spacy_bertlstm.tokens.corpus import Counts, count_docs, read_docs

from .conftest import HOSPITAL, NAME

SCORES = {
    "token_acc": 1.0,
    "ents_p": 0.5,
    "ents_r": 0.25,
    "ents_f": 1 / 3,
    "ents_per_type": {
        "test": {"p": 1.0, "r": 0.5, "f": 2 / 3},
        "problem": {"p": 0.1, "r": 0.2, "f": 0.1333},
    },
    "rel_micro_p": 0.4,
    "rel_micro_r": 0.6,
    "rel_micro_f": 0.48,
    "rel_per_type": {"PIP": {"p": 0.4, "r": 0.6, "f": 0.48}},
    "spans_sc_per_type": None,
}


@pytest.fixture
def facts() -> Facts:
    return Facts(
        name="clinical_x",
        version="1.2.3",
        statement="Synthetic notes, made for this test.",
        licence="MIT",
        encoder="assets/encoders/MiniLM",
        encoder_licence="Apache-2.0",
        data={
            "train": Counts(
                docs=1160,
                unannotated=0,
                tokens=1234567,
                labels={"problem": 1000, "test": 5},
                assertions={"absent": 300, "present": 700},
                relations={"PIP": 20},
            ),
            "test": Counts(3, 0, 40, {"problem": 2}, {"absent": 1}),
        },
        scores=SCORES,
    )


@pytest.fixture
def pruned(trained: Path, tmp_path: Path) -> Path:
    prune_pipeline(trained, tmp_path / "pruned")
    return tmp_path / "pruned"


def rows(card: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in card.splitlines()
        if line.startswith("|")
    ]


def test_the_card_says_what_the_run_was(pruned: Path, facts: Facts) -> None:
    write_card(pruned, facts)
    card = (pruned / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# en_clinical_x 1.2.3\n")
    for title in ("Data", "Intended use", "Scores", "Training", "Limits", "Privacy"):
        assert f"\n## {title}\n" in card
    assert facts.statement in card
    assert "Out of scope:" in card
    table = rows(card)
    assert ["", "train", "test"] in table
    assert ["documents", "1,160", "3"] in table
    assert ["tokens", "1,234,567", "40"] in table
    assert ["`test`", "5", "0"] in table
    assert ["assertion `absent`", "300", "1"] in table
    assert ["relation `PIP`", "20", "0"] in table
    assert "\n- ner: `problem`, `test`, `treatment`\n" in card
    assert ["`test`", "100.0", "50.0", "66.7"] in table
    assert ["all `ents`", "50.0", "25.0", "33.3"] in table
    assert ["all `rel`", "40.0", "60.0", "48.0"] in table
    assert ["Encoder", "MiniLM, Apache-2.0"] in table
    assert ["Seed", "0"] in table
    assert ["Batches, at most", "1000"] in table
    assert any(row[0] == "torch" and row[1].startswith("2.") for row in table)
    assert not any("token_acc" in cell or "spans_sc" in cell for row in table for cell in row)


def test_the_card_shows_intervals(pruned: Path, facts: Facts) -> None:
    intervals = {"ents_f": [0.3, 0.361], "rel_micro_p": [0.35, 0.45]}
    write_card(pruned, replace(facts, scores={**facts.scores, "intervals": intervals}))
    table = rows((pruned / "README.md").read_text(encoding="utf-8"))
    assert ["all `ents`", "50.0", "25.0", "33.3 (30.0 to 36.1)"] in table
    assert ["all `rel`", "40.0 (35.0 to 45.0)", "60.0", "48.0"] in table


# spaCy leaves the files that it writes to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_spacy_packages_the_card_and_the_meta(pruned: Path, facts: Facts, tmp_path: Path) -> None:
    write_card(pruned, facts)
    (tmp_path / "packages").mkdir()
    package(pruned, tmp_path / "packages", create_sdist=False)
    folder = tmp_path / "packages" / "en_clinical_x-1.2.3"
    card = (pruned / "README.md").read_text(encoding="utf-8")
    assert (folder / "README.md").read_text(encoding="utf-8") == card
    inside = folder / "en_clinical_x" / "en_clinical_x-1.2.3"
    assert (inside / "README.md").read_text(encoding="utf-8") == card
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    assert meta["license"] == "MIT"
    assert meta["sources"] == [{"name": "MiniLM", "license": "Apache-2.0"}]
    assert meta["labels"]["ner"] == ["problem", "test", "treatment"]


def test_the_command_counts_and_quotes_nothing(pruned: Path, notes: Path, tmp_path: Path) -> None:
    scores = {**SCORES, "intervals": {"ents_f": [0.1, 0.9]}}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    result = run_card(pruned, notes, tmp_path)
    assert result.exit_code == 0, result.output
    card = (pruned / "README.md").read_text(encoding="utf-8")
    counts = count_docs(read_docs(notes, Vocab()))
    assert counts.docs == 6 and counts.tokens > 60
    assert ["tokens", f"{counts.tokens}"] in rows(card)
    assert "(10.0 to 90.0)" in card
    assert NAME not in card and HOSPITAL not in card and str(tmp_path) not in card


def run_card(pipeline: Path, notes: Path, folder: Path, **changed: str) -> Result:
    options = {
        "scores": folder / "scores.json",
        "name": "x",
        "version": "0.1.0",
        "statement": "Synthetic.",
        "licence": "MIT",
        "encoder": f"/mnt/{HOSPITAL}/MiniLM",
        "encoder-licence": "Apache-2.0",
        **changed,
    }
    arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
    return CliRunner().invoke(
        spacy_app, ["bertlstm", "card", str(pipeline), str(notes), *arguments]
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        "\x00",
        '{"ents_per_type": {"x": {"p": 1}}}',
        '{"ents_per_type": {"x": {"p": 1, "r": "1", "f": 1}}}',
        '{"ents_per_type": {"x": {"p": 1, "r": 1, "f": NaN}}}',
        '{"ents_per_type": {"x": []}}',
        '{"ents_per_type": ["x"]}',
        '{"intervals": {"ents_f": ["0.1", "0.2"]}}',
        '{"intervals": {"ents_f": [0.1]}}',
        '{"intervals": {"ents_f": 0.1}}',
        '{"intervals": []}',
    ],
)
def test_scores_that_are_none_are_a_coded_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text(content)
    with pytest.raises(BertLstmError, match="BL334"):
        read_scores(tmp_path / "scores.json")


def test_broken_scores_leave_no_card(pruned: Path, notes: Path, tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"ents_per_type": {"x": {"p": 1}}}')
    result = run_card(pruned, notes, tmp_path)
    assert result.exit_code == 1
    assert "[BL334]" in result.stderr and "spacy bertlstm evaluate" in result.stderr
    assert not (pruned / "README.md").exists()


def test_other_scores_by_type_stay_off_the_card(pruned: Path, notes: Path, tmp_path: Path) -> None:
    """Such as areas under curves, which spaCy gives for each category."""
    others = {"cats_auc_per_type": {"PAIN": 0.5, "REST": None}}
    (tmp_path / "scores.json").write_text(json.dumps({**SCORES, **others}))
    assert run_card(pruned, notes, tmp_path).exit_code == 0
    assert "cats" not in (pruned / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "option, value",
    [
        ("name", "a b/../c"),
        ("name", "clinical-ner"),
        ("name", "Clinical"),
        ("name", "a__b"),
        ("name", "en_clinical"),
        ("name", ""),
        ("version", "not a version"),
        ("version", "1.0-alpha"),
        ("version", ""),
    ],
)
def test_what_no_package_can_be_called_is_refused(
    option: str, value: str, pruned: Path, notes: Path, tmp_path: Path
) -> None:
    (tmp_path / "scores.json").write_text(json.dumps(SCORES))
    meta = (pruned / "meta.json").read_bytes()
    result = run_card(pruned, notes, tmp_path, **{option: value})
    assert result.exit_code == 1
    assert f"[BL335] {option} '{value}'" in result.stderr
    assert (pruned / "meta.json").read_bytes() == meta
    assert not (pruned / "README.md").exists()


def test_scores_that_are_not_there_are_a_coded_error(pruned: Path, notes: Path) -> None:
    result = run_card(pruned, notes, notes.parent)
    assert result.exit_code == 1
    assert "[BL101]" in result.stderr
    assert not (pruned / "README.md").exists()


def test_a_folder_that_is_no_pipeline_is_a_coded_error(tmp_path: Path, facts: Facts) -> None:
    with pytest.raises(BertLstmError, match="BL330"):
        write_card(tmp_path, facts)
