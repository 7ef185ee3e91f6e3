"""Checks of the synthetic sentiment sample."""

import csv
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATOR = ROOT / "corpus" / "make_sentiment.py"
SAMPLE = ROOT / "corpus" / "sample_sentiment"
PARTS = ("train", "dev", "test")


def generate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    command = [sys.executable, str(GENERATOR), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def rows(part: str) -> list[dict[str, str]]:
    with (SAMPLE / f"{part}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sentences(part: str) -> set[str]:
    """The sentences of a part without what fills their slots, as far as a test can tell."""
    text = " ".join(row["text"] for row in rows(part))
    return {re.sub(r"\W+", " ", one).lower().strip() for one in re.split(r"(?<=[.?!])\W+", text)}


@pytest.mark.parametrize("hash_seed", ["1", "77"])
def test_the_generator_recreates_the_folder(tmp_path: Path, hash_seed: str) -> None:
    assert generate("--check").returncode == 0
    assert generate("--out", str(tmp_path), hash_seed=hash_seed).returncode == 0
    for path in SAMPLE.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    (tmp_path / "dev.csv").write_text("", encoding="utf-8")
    done = generate("--out", str(tmp_path), "--check")
    assert done.returncode == 1 and "dev.csv" in done.stdout


@pytest.mark.parametrize(("part", "size"), [("train", 80), ("dev", 20), ("test", 30)])
def test_the_courses_are_even_and_some_notes_quote(part: str, size: int) -> None:
    notes = rows(part)
    courses = Counter(row["course"] for row in notes)
    assert courses == dict.fromkeys(("improving", "stable", "worsening"), size)
    assert len({row["text"] for row in notes}) == len({row["id"] for row in notes}) == 3 * size
    quotes = Counter(row["quote_sentiment"] for row in notes)
    assert set(quotes) == {"", "positive", "neutral", "negative"}
    assert all(('"' in row["text"]) == bool(row["quote_sentiment"]) for row in notes)


def test_no_sentence_of_train_stands_in_dev_or_test() -> None:
    """Openings, fillers, findings and quotes: all are written anew for each part."""
    assert len(sentences("train")) > 100
    for part in ("dev", "test"):
        assert not sentences("train") & sentences(part)
