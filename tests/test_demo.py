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
ENTITIES = {"problem", "test", "treatment"}
ASSERTIONS = {
    "absent",
    "associated_with_someone_else",
    "conditional",
    "hypothetical",
    "possible",
    "present",
}
RELATIONS = {"PIP", "TeCP", "TeRP", "TrAP", "TrCP", "TrIP", "TrNAP", "TrWP"}
ENCODER = ROOT / "assets" / "all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def metrics() -> dict:
    return json.loads(METRICS.read_text(encoding="utf-8"))


@pytest.mark.demo
def test_the_demos_f1_is_neither_poor_nor_perfect(metrics: dict) -> None:
    assert 0.75 <= metrics["ents_f"] <= 0.97
    assert set(metrics["ents_per_type"]) == ENTITIES


@pytest.mark.demo
def test_assertions_and_relations_are_neither_poor_nor_perfect(metrics: dict) -> None:
    """End to end: an entity that was not found is missed here too."""
    assert 0.65 <= metrics["assertion_micro_f"] <= 0.97
    assert 0.5 <= metrics["assertion_macro_f"] <= 0.97
    assert set(metrics["assertion_per_type"]) == ASSERTIONS
    assert 0.4 <= metrics["rel_micro_f"] <= 0.95
    assert set(metrics["rel_per_type"]) == RELATIONS
    for key in ("assertion_micro_f", "assertion_macro_f", "rel_micro_f"):
        low, high = metrics["intervals"][key]
        assert low < metrics[key] < high


@pytest.mark.demo
def test_the_metrics_quote_no_note() -> None:
    text = METRICS.read_text(encoding="utf-8")
    keys = set(re.findall(r'"(\w+)":', text))
    assert "ents_f" in keys
    # Numbers alone: each string is a key.
    assert len(re.findall(r'"[^"]*"', text)) == len(re.findall(r'"(\w+)":', text))
    assert {key for key in keys if key.endswith("_per_type")} == {
        "ents_per_type",
        "assertion_per_type",
        "rel_per_type",
    }


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
        assert set(json.loads(archive.read(strings))) == ENTITIES | ASSERTIONS | RELATIONS
    assert "Synthetic notes" in card
    for key in ("ents_f", "assertion_micro_f", "rel_micro_f"):
        assert f"{100 * metrics[key]:.1f}" in card
    for label in ENTITIES | ASSERTIONS | RELATIONS:
        assert re.search(rf"^\| `{label}` \|", card, re.MULTILINE), label


@pytest.mark.demo
def test_the_wheel_requires_this_package_and_holds_the_joint_pipeline(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = archive.read(name).decode()
        (name,) = (name for name in archive.namelist() if name.endswith("-0.1.0/meta.json"))
        meta = json.loads(archive.read(name))
    assert re.search(r"^Requires-Dist: spacy-bertlstm", metadata, re.MULTILINE)
    heads = {name: set(labels) for name, labels in meta["labels"].items() if labels}
    assert heads == {"ner": ENTITIES, "assertion": ASSERTIONS, "relations": RELATIONS}
    assert meta["components"][-1] == "cleaner"
