"""spaCy's text categorizers over our encoder: they learn, reload, and read notes to their end."""

from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from conftest import NOTES, ROOT
from spacy.language import Language
from spacy.training import Example

EXCLUSIVE = {
    "components.textcat.factory": "textcat",
    "components.textcat.scorer": {"@scorers": "spacy.textcat_scorer.v2"},
    "components.textcat.threshold": 0.0,
    "components.textcat.model.exclusive_classes": True,
}


@pytest.fixture
def make_textcat(tiny_bert: Path) -> Callable[..., Language]:
    """Build the pipeline of a config, small."""

    def build(name: str, **overrides: object) -> Language:
        small = {
            "paths.encoder": str(tiny_bert),
            "components.textcat.model.tok2vec.hidden_width": 8,
            "components.textcat.model.tok2vec.dropout": 0.0,
            "components.textcat.model.tok2vec.precision": "fp32",
            "components.transformer.model.get_spans.window": 8,
            "components.transformer.model.precision": "fp32",
            "training.optimizer.learn_rate.warmup_steps": 1,
            "training.optimizer.learn_rate.initial_rate": 0.02,
        }
        config = spacy.util.load_config(ROOT / "configs" / name, overrides=small | overrides)
        config["paths"].update(train=None, dev=None)
        return spacy.util.load_model_from_config(config, auto_fill=True)

    return build


def train(nlp: Language, notes: list[tuple[str, str]], steps: int) -> None:
    # So few steps do not learn from just any first weights.
    spacy.util.fix_random_seed(0)
    labels = {label for _, label in notes}
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {one: one == label for one in labels}})
        for text, label in notes
    ]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(steps):
        nlp.update(examples, sgd=False, annotates=["sentences"])
        for name in ("transformer", "textcat"):
            nlp.get_pipe(name).finish_update(optimizer)
        optimizer.step_schedules()


def best(nlp: Language, text: str) -> str:
    cats = nlp(text).cats
    return max(cats, key=cats.__getitem__)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [("textcat.cfg", {}), ("textcat.cfg", EXCLUSIVE), ("sentiment.cfg", {})],
    ids=["multilabel", "exclusive", "sentiment"],
)
def test_a_tiny_set_is_learned_and_kept(
    name: str,
    overrides: dict[str, object],
    make_textcat: Callable[..., Language],
    tmp_path: Path,
) -> None:
    nlp = make_textcat(name, **overrides)
    train(nlp, NOTES, 60)
    assert [best(nlp, text) for text, _ in NOTES] == [label for _, label in NOTES]
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    texts = [text for text, _ in NOTES]
    for text, doc in zip(texts, again.pipe(texts, batch_size=len(texts)), strict=True):
        assert doc.cats == pytest.approx(nlp(text).cats, abs=1e-5)  # alone as in a batch
        total = sum(doc.cats.values())
        assert total == pytest.approx(1.0) or name == "textcat.cfg" and not overrides


def test_what_stands_at_the_end_of_a_long_note_counts(
    make_textcat: Callable[..., Language],
) -> None:
    nlp = make_textcat("sentiment.cfg")
    long = "The patient was given x of the day. " * 80
    assert len(nlp.make_doc(long)) > 512
    train(nlp, [(long + "No pain.", "improving"), (long + "Fever fever.", "worsening")], 40)
    assert best(nlp, long + "No pain.") == "improving"
    assert best(nlp, long + "Fever fever.") == "worsening"
