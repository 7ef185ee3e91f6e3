"""What `make demo` leaves; tests/corpus compares it with a lexicon."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from spacy.vocab import Vocab

from spacy_bertlstm.shipping.leaks import find_leaks, find_private_words, find_public_words
from spacy_bertlstm.tokens.corpus import read_docs

ROOT = Path(__file__).parent.parent
METRICS = ROOT / "metrics" / "test.json"
ENCODER = ROOT / "assets" / "all-MiniLM-L6-v2"


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


@pytest.fixture(scope="module")
def wheel() -> Path:
    (path,) = (ROOT / "dist").glob("en_clinical_bertlstm-*.whl")
    return path


@pytest.mark.demo
def test_the_wheel_holds_no_word_that_only_the_training_notes_hold(
    wheel: Path, tmp_path: Path
) -> None:
    public = find_public_words("en", encoder=str(ENCODER))
    docs = list(read_docs(ROOT / "corpus" / "train.spacy", Vocab()))
    private = find_private_words(docs, public)
    assert len(private) > 100
    assert list(find_leaks(wheel, private)) == []

    planted = tmp_path / "planted.whl"
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(planted, "w") as target:
        for member in source.infolist():
            data = source.read(member)
            if member.filename.endswith("transformer/model"):
                data += b"\xab" + max(private, key=len).encode()
            target.writestr(member, data)
    (leak,) = find_leaks(planted, private)
    assert leak.place.endswith("transformer/model")


@pytest.mark.demo
def test_the_wheel_carries_its_card(wheel: Path, metrics: dict) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/README.md"))
        card = archive.read(name).decode()
        (strings,) = (name for name in archive.namelist() if name.endswith("/strings.json"))
        assert len(json.loads(archive.read(strings))) < 20
    assert "Synthetic notes" in card
    assert f"{100 * metrics['ents_f']:.1f}" in card
