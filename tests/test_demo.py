"""What `make demo` leaves; tests/corpus compares it with a lexicon."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
METRICS = ROOT / "metrics" / "test.json"


@pytest.fixture(scope="module")
def metrics() -> dict:
    return json.loads(METRICS.read_text(encoding="utf-8"))


@pytest.mark.demo
def test_the_demos_f1_is_neither_poor_nor_perfect(metrics: dict) -> None:
    assert 0.75 <= metrics["ents_f"] <= 0.97
    assert set(metrics["ents_per_type"]) == {"problem", "test", "treatment"}


@pytest.mark.demo
def test_the_metrics_quote_no_note() -> None:
    keys = set(re.findall(r'"(\w+)":', METRICS.read_text(encoding="utf-8")))
    assert "ents_f" in keys
    assert not {key for key in keys if key.endswith("text")}
