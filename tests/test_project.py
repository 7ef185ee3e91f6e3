"""project.yml and the README say the same, and the project's commands lead to one another."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from spacy.util import dict_to_dot, load_config
from spacy.vocab import Vocab
from weasel.util.config import load_project_config

from spacy_bertlstm.tokens.corpus import read_docs

ROOT = Path(__file__).parent.parent
PROJECT = load_project_config(ROOT)
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = {command["name"]: command for command in PROJECT["commands"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_tells_of_each_command(name: str) -> None:
    assert f"| `{name}` | {COMMANDS[name]['help']} |" in README


@pytest.mark.parametrize("workflow", PROJECT["workflows"])
def test_a_workflow_makes_what_its_steps_need(workflow: str) -> None:
    steps = PROJECT["workflows"][workflow]
    arrow = " &rarr; ".join(f"`{step}`" for step in steps)
    assert f"| `{workflow}` | {arrow} |" in README
    made: set[str] = set()
    for step in steps:
        for dep in COMMANDS[step].get("deps", []):
            assert dep in made or (ROOT / dep).exists() or step == "convert-i2b2", (step, dep)
        made.update(COMMANDS[step].get("outputs", []))


def test_no_wheel_of_a_pipeline_gets_into_dist_before_the_search_for_leaks() -> None:
    script = COMMANDS["package"]["script"]
    (search,) = (i for i, line in enumerate(script) if "bertlstm leaks" in line)
    (build,) = (i for i, line in enumerate(script) if "packages/en_" in line)
    into_dist = [i for i, line in enumerate(script) if line.split()[-1] == "dist"]
    into_dist = [i for i in into_dist if not script[i].startswith("rm ")]
    assert build < search < min(into_dist)
    for part in ("train", "dev", "test"):
        assert f"corpus/{part}.spacy" in script[search]
    assert "training/model-best" not in script[build]


def test_the_demo_alone_states_that_its_notes_are_synthetic() -> None:
    """The statement must not stand on the card of a pipeline that learned other notes."""
    assert "synthetic" not in PROJECT["vars"]["data_statement"].lower()
    assert "Synthetic notes" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_registered_name_is_in_the_readme() -> None:
    table = (ROOT / "setup.cfg").read_text(encoding="utf-8").partition("[options.entry_points]")[2]
    names = re.findall(r"^    (\S+) = spacy_bertlstm", table.partition("\n[")[0], re.MULTILINE)
    assert len(names) >= 9
    assert [name for name in names if f"`{name}`" not in README and name != "bertlstm"] == []


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("train", "clinical.cfg"),
        ("train", "ner.cfg"),
        ("train", "ner_bert.cfg"),
        ("train", "ner_bilstm.cfg"),
        ("train", "ner_shared.cfg"),
        ("train", "assertion.cfg"),
        ("train", "relations_gold.cfg"),
        ("train-sentiment", "sentiment.cfg"),
    ],
)
def test_the_project_trains_each_config_that_the_readme_says(step: str, name: str) -> None:
    (command,) = (line for line in COMMANDS[step]["script"] if "bertlstm train" in line)
    settings = {key for key in re.findall(r" --([\w.]+)", command) if "." in key}
    assert len(settings) >= 5
    assert settings <= set(dict_to_dot(load_config(ROOT / "configs" / name)))


def test_the_readme_is_finished() -> None:
    assert "PLACEHOLDER" not in README and "TODO" not in README


def test_records_of_the_release_never_stand_in_two_parts(tmp_path: Path) -> None:
    """The bundled sample has the release's layout; its training part alone is split in three."""
    sample = ROOT / "corpus" / "sample"
    script = [sys.executable, str(ROOT / "scripts" / "convert_release.py")]
    for release, sizes in (
        (sample, [119, 21, 26]),
        (sample / "concept_assertion_relation_training_data", [98, 21, 21]),
    ):
        for _ in range(2):  # a second run replaces what the first made
            subprocess.run([*script, str(release), str(tmp_path)], check=True, capture_output=True)
        parts = [
            [doc._.record["id"] for doc in read_docs(tmp_path / f"{part}.spacy", Vocab())]
            for part in ("train", "dev", "test")
        ]
        assert [len(part) for part in parts] == sizes
        assert len({record for part in parts for record in part}) == sum(sizes)
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "dev.spacy",
            "test.spacy",
            "train.spacy",
        ]


def test_a_test_part_without_its_training_part_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "corpus" / "sample", tmp_path / "release")
    (tmp_path / "release" / "concept_assertion_relation_training_data").rename(
        tmp_path / "release" / "training"
    )
    script = [sys.executable, str(ROOT / "scripts" / "convert_release.py")]
    done = subprocess.run(
        [*script, str(tmp_path / "release"), str(tmp_path / "out")], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "concept_assertion_relation_training_data" in done.stderr
    assert not (tmp_path / "out").exists()
