"""project.yml and the README say the same, and the project's commands lead to one another."""

import re
from pathlib import Path

import pytest
from weasel.util.config import load_project_config

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


def test_every_registered_name_is_in_the_readme() -> None:
    table = (ROOT / "setup.cfg").read_text(encoding="utf-8").partition("[options.entry_points]")[2]
    names = re.findall(r"^    (\S+) = spacy_bertlstm", table.partition("\n[")[0], re.MULTILINE)
    assert len(names) >= 9
    assert [name for name in names if f"`{name}`" not in README and name != "bertlstm"] == []
