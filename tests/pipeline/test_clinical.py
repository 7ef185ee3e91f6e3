"""Entities, assertion status and relations on one encoder: configs/clinical.cfg, small."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.cli.train import train
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.shipping.prune import prune_pipeline
from spacy_bertlstm.tokens.corpus import make_corpus_reader, read_docs, write_docs

CONFIG = Path(__file__).parents[2] / "configs" / "clinical.cfg"
TEXTS = [
    "The patient has chest pain.",
    "",
    "No pain.",
    "He was given aspirin 81 mg daily for fever.",
]


@pytest.fixture(scope="module")
def trained(
    tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory, write_corpus: Callable[[Path], Path]
) -> tuple[Path, Path]:
    """A pipeline that knows its few notes by heart, and these."""
    folder = tmp_path_factory.mktemp("clinical")
    corpus = write_corpus(folder / "corpus.spacy")
    train(CONFIG, folder / "out", overrides=make_small(tiny_bert, corpus))
    return folder / "out" / "model-last", corpus


def make_small(encoder: Path, corpus: Path) -> dict[str, Any]:
    overrides = {
        "paths.encoder": str(encoder),
        "paths.train": str(corpus),
        "paths.dev": str(corpus),
        "components.transformer.model.precision": "fp32",
        "components.tok2vec.model.precision": "fp32",
        "components.tok2vec.model.hidden_width": 16,
        "components.tok2vec.model.dropout": 0.0,
        "training.dropout": 0.0,
        "training.max_steps": 120,
        "training.eval_frequency": 40,
        "training.optimizer.encoder_scale": 1.0,
        "training.optimizer.learn_rate.initial_rate": 0.01,
        "training.optimizer.learn_rate.total_steps": 120,
        "training.optimizer.learn_rate.warmup_steps": 5,
    }
    for head in ("ner", "assertion", "relations"):
        overrides[f"components.{head}.model.tok2vec.width"] = 32
    return overrides


def annotations(doc: Doc) -> tuple:
    entities = [(ent.text, ent.label_, ent._.assertion) for ent in doc.ents]
    return entities, [(r["label"], r["head"], r["tail"]) for r in doc._.relations]


def test_it_learns_all_three_end_to_end(trained: tuple[Path, Path]) -> None:
    model, corpus = trained
    nlp = spacy.load(model)
    scores = nlp.evaluate(list(make_corpus_reader(corpus)(nlp)))
    assert scores["ents_f"] == scores["assertion_micro_f"] == scores["rel_micro_f"] == 1.0
    entities, relations = annotations(nlp("He was given aspirin 81 mg daily for fever."))
    # A treatment has no assertion.
    assert [entity[:2] for entity in entities] == [("aspirin", "treatment"), ("fever", "problem")]
    assert [assertion is None for *_, assertion in entities] == [True, False]
    assert relations == [("TrAP", [13, 20, "treatment"], [37, 42, "problem"])]


def test_a_batch_and_two_processes_give_what_single_notes_give(trained: tuple[Path, Path]) -> None:
    nlp = spacy.load(trained[0])
    alone = [annotations(nlp(text)) for text in TEXTS]
    assert any(relations for _, relations in alone)
    assert [annotations(doc) for doc in nlp.pipe(TEXTS)] == alone
    assert [annotations(doc) for doc in nlp.pipe(TEXTS, n_process=2, batch_size=2)] == alone


def test_a_pruned_pipeline_says_the_same_and_knows_its_labels_alone(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    prune_pipeline(trained[0], tmp_path / "pruned", texts=TEXTS)
    nlp, pruned = spacy.load(trained[0]), spacy.load(tmp_path / "pruned")
    assert {"aspirin", "fever"} <= set(nlp.vocab.strings)
    heads = ("ner", "assertion", "relations")
    labels = {label for head in heads for label in nlp.get_pipe(head).labels}
    assert set(pruned.vocab.strings) == labels
    assert annotations(pruned(TEXTS[-1])) == annotations(nlp(TEXTS[-1]))


def test_without_the_transformer_nothing_is_made_up(trained: tuple[Path, Path]) -> None:
    nlp = spacy.load(trained[0], exclude=["transformer"])
    with pytest.raises(ValueError, match="BL32"):
        nlp("No pain.")


def test_notes_without_relations_train_the_other_heads(
    tiny_bert: Path, tmp_path: Path, write_corpus: Callable[[Path], Path]
) -> None:
    docs = list(read_docs(write_corpus(tmp_path / "whole.spacy"), Vocab()))
    for doc in docs:
        doc._.relations = []
    write_docs(docs, tmp_path / "corpus.spacy")
    overrides = make_small(tiny_bert, tmp_path / "corpus.spacy") | {"training.max_steps": 2}
    with pytest.raises(BertLstmError, match=r"BL355.*nlp\.pipeline"):
        train(CONFIG, tmp_path / "out", overrides=overrides)
    pipeline = ["sentences", "transformer", "tok2vec", "ner", "assertion", "cleaner"]
    train(CONFIG, tmp_path / "out", overrides=overrides | {"nlp.pipeline": pipeline})
    assert spacy.load(tmp_path / "out" / "model-last").pipe_names == pipeline
