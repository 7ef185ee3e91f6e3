"""What gold annotation teaches, what it costs, and where labels come from."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy
import pytest
import spacy
import srsly
from spacy.cli.train import train
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from typer.testing import CliRunner

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.heads.crf import CrfScores
from spacy_bertlstm.tags import legal_ends, legal_starts, legal_transitions

ROOT = Path(__file__).parents[2]
MakeNer = Callable[..., Language]

ANY = "?"


def brute_loss(tags: tuple[str, ...], scores: CrfScores, known: list[str]) -> float:
    """Minus the log of the share of the legal paths that agree with what is known."""
    starts, ends, legal = legal_starts(tags), legal_ends(tags), legal_transitions(tags)
    every, agreeing = [], []
    for path in product(range(len(tags)), repeat=len(known)):
        pairs = list(zip(path, path[1:], strict=False))
        if not (starts[path[0]] and ends[path[-1]] and all(legal[pair] for pair in pairs)):
            continue
        total = float(
            scores.starts[path[0]]
            + scores.ends[path[-1]]
            + sum(scores.emissions[0][i, tag] for i, tag in enumerate(path))
            + sum(scores.transitions[pair] for pair in pairs)
        )
        every.append(total)
        if all(gold in (ANY, tags[tag]) for tag, gold in zip(path, known, strict=True)):
            agreeing.append(total)
    return float(numpy.logaddexp.reduce(every) - numpy.logaddexp.reduce(agreeing))


def gold_loss(nlp: Language, example: Example) -> tuple[float, CrfScores]:
    ner = nlp.get_pipe("ner")
    scores = ner.model.predict([example.predicted])
    loss, _ = ner.get_loss([example], scores)
    return loss * len(example.predicted), scores


@pytest.mark.parametrize(
    ("entities", "known"),
    [
        (["O", "B-problem", "L-problem", "O"], "O B-problem L-problem O"),
        (["O", "U-problem", "-", "O"], "O U-problem ? O"),
        (["-", "-", "-", "-"], "? ? ? ?"),
        (["-", "O", "-", "U-problem"], "? O ? U-problem"),
        # A type that is not among the labels is outside of all.
        (["O", "B-drug", "L-drug", "-"], "O O O ?"),
    ],
)
def test_the_loss_sums_over_what_is_not_known(
    make_random_ner: MakeNer, entities: list[str], known: str
) -> None:
    nlp = make_random_ner(("problem",))
    doc = Doc(nlp.vocab, words=["he", "had", "chest", "pain"])
    loss, scores = gold_loss(nlp, Example.from_dict(doc, {"entities": entities}))
    expected = brute_loss(nlp.get_pipe("ner").tags, scores, known.split())
    assert loss == pytest.approx(expected, abs=1e-5)


def test_blocked_gold_tokens_teach_nothing(make_random_ner: MakeNer) -> None:
    """As with spaCy's `ner`, blocking is a rule for decoding, not an annotation."""
    nlp = make_random_ner(("problem",))
    gold = Doc(nlp.vocab, words=["he", "had", "pain"])
    gold.set_ents([Span(gold, 2, 3, label="problem")], blocked=[gold[0:1]], default="outside")
    example = Example(Doc(nlp.vocab, words=["he", "had", "pain"]), gold)
    loss, scores = gold_loss(nlp, example)
    expected = brute_loss(nlp.get_pipe("ner").tags, scores, [ANY, "O", "U-problem"])
    assert loss == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("tokens", "gold", "span", "known"),
    [
        # One gold token is two tokens here: the entity is cut to them.
        (["no", "chest", "pain"], ["no", "chestpain"], (1, 2), "O B-problem L-problem"),
        # Two gold tokens are one token here.
        (["no", "chestpain"], ["no", "chest", "pain"], (1, 3), "O U-problem"),
        # The entity begins inside a token: its tokens are not known.
        (["nochest", "pain", "."], ["no", "chest", "pain", "."], (1, 3), "? ? O"),
        # A token that holds the end of the entity and more is not known, nor the rest of it.
        (["chest", "pain."], ["chest", "pain", "."], (0, 2), "? ?"),
    ],
)
def test_other_gold_tokens(
    make_random_ner: MakeNer, tokens: list[str], gold: list[str], span: tuple[int, int], known: str
) -> None:
    nlp = make_random_ner(("problem",))
    reference = Doc(nlp.vocab, words=gold, spaces=[False] * len(gold))
    reference.set_ents([Span(reference, *span, label="problem")])
    predicted = Doc(nlp.vocab, words=tokens, spaces=[False] * len(tokens))
    loss, scores = gold_loss(nlp, Example(predicted, reference))
    expected = brute_loss(nlp.get_pipe("ner").tags, scores, known.split())
    assert loss == pytest.approx(expected, abs=1e-5)


def test_what_stands_on_the_predicted_doc_does_not_change_the_loss(
    make_random_ner: MakeNer,
) -> None:
    nlp = make_random_ner(("problem",))
    doc = Doc(nlp.vocab, words=["he", "had", "pain"])
    example = Example.from_dict(doc, {"entities": ["O", "O", "U-problem"]})
    loss, _ = gold_loss(nlp, example)
    example.predicted.set_ents([Span(example.predicted, 0, 2, label="problem")])
    assert gold_loss(nlp, example)[0] == loss


# --- the loss as a score ----------------------------------------------------------------


def test_the_loss_is_a_score(make_random_ner: MakeNer) -> None:
    nlp = make_random_ner(score_loss=True)
    ner = nlp.get_pipe("ner")
    examples = [
        Example.from_dict(nlp.make_doc("he had chest pain"), {"entities": [(7, 17, "problem")]}),
        Example.from_dict(nlp.make_doc(""), {"entities": []}),
        Example.from_dict(nlp.make_doc("no fever"), {"entities": []}),
    ] * 20
    scores = nlp.evaluate(examples)
    expected, _ = ner.get_loss(examples, ner.model.predict([eg.predicted for eg in examples]))
    assert scores["ents_loss"] == pytest.approx(expected, rel=1e-5)
    assert scores["ents_neg_loss"] == -scores["ents_loss"]
    assert "ents_f" in scores
    assert nlp.evaluate(examples[1:2])["ents_loss"] is None


def test_without_the_option_nothing_is_kept(make_random_ner: MakeNer) -> None:
    nlp = make_random_ner()
    example = Example.from_dict(nlp.make_doc("no fever"), {"entities": []})
    assert "ents_loss" not in nlp.evaluate([example])
    assert "ner_emissions" not in nlp("no fever").user_data


def test_docs_that_it_has_not_read_cannot_be_scored(make_random_ner: MakeNer) -> None:
    nlp = make_random_ner(score_loss=True)
    example = Example.from_dict(nlp.make_doc("no fever"), {"entities": []})
    with pytest.raises(BertLstmError, match="BL312"):
        nlp.get_pipe("ner").score([example])


def test_training_can_stop_on_the_loss(
    tmp_path: Path,
    ner_config: dict[str, object],
    write_corpus: Callable[[Path], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the shipped config, whose cleaner lets go of the transformer's output."""
    config = spacy.util.load_config(ROOT / "configs" / "ner.cfg")
    assert "cleaner" in config["nlp"]["pipeline"]
    config["components"]["ner"]["score_loss"] = True
    config["training"]["score_weights"] = {"ents_f": None, "ents_neg_loss": 1.0}
    config.to_disk(tmp_path / "loss.cfg")
    corpus = write_corpus(tmp_path / "corpus.spacy")
    overrides = {
        **ner_config,
        "paths.train": str(corpus),
        "paths.dev": str(corpus),
        "training.max_steps": 6,
        "training.eval_frequency": 2,
        "training.optimizer.learn_rate.warmup_steps": 1,
    }
    train(tmp_path / "loss.cfg", tmp_path / "out", overrides=overrides)
    assert "ENTS_NEG_LOSS" in capsys.readouterr().out
    best = spacy.load(tmp_path / "out" / "model-best")
    last = spacy.load(tmp_path / "out" / "model-last")
    scores = [nlp.meta["performance"]["ents_neg_loss"] for nlp in (best, last)]
    assert scores[1] <= scores[0] < 0
    off = spacy.load(tmp_path / "out" / "model-best", config={"components.ner.score_loss": False})
    assert "ner_emissions" in best("no pain").user_data
    assert "ner_emissions" not in off("no pain").user_data


# --- labels -----------------------------------------------------------------------------


def test_labels_come_from_init_labels(
    tmp_path: Path,
    ner_config: dict[str, object],
    write_corpus: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from spacy.cli._util import app

    corpus = write_corpus(tmp_path / "corpus.spacy")
    overrides = {**ner_config, "paths.train": str(corpus), "paths.dev": str(corpus)}
    given = [part for key, value in overrides.items() for part in (f"--{key}", str(value))]
    folder = tmp_path / "labels"
    result = CliRunner().invoke(
        app, ["init", "labels", str(ROOT / "configs" / "ner.cfg"), str(folder), *given]
    )
    assert result.exit_code == 0, result.output
    assert srsly.read_json(folder / "ner.json") == ["problem", "test", "treatment"]

    # Labels in an order of one's own, and one that the corpus lacks.
    srsly.write_json(folder / "ner.json", ["treatment", "drug", "problem", "test"])
    config = spacy.util.load_config(ROOT / "configs" / "ner.cfg")
    config["initialize"] = {
        "components": {
            "ner": {
                "labels": {"@readers": "spacy.read_labels.v1", "path": str(folder / "ner.json")}
            }
        }
    }
    config.to_disk(tmp_path / "labels.cfg")
    overrides |= {"training.max_steps": 1, "training.eval_frequency": 1}
    train(tmp_path / "labels.cfg", tmp_path / "out", overrides=overrides)
    capsys.readouterr()
    nlp = spacy.load(tmp_path / "out" / "model-last")
    assert nlp.get_pipe("ner").labels == ("treatment", "drug", "problem", "test")
    assert nlp.get_pipe("ner").model.get_ref("output").get_dim("nO") == 17


# --- rehearsal --------------------------------------------------------------------------


def test_rehearsal_is_a_coded_error(
    make_nlp: Callable[..., Language], make_examples: Callable[[Language], list[Example]]
) -> None:
    nlp = make_nlp()
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.resume_training()
    with pytest.raises(BertLstmError, match=r"BL310.*mix of old and new.*exclude=\['ner'\]"):
        nlp.rehearse(examples)
    nlp.rehearse(examples, exclude=["ner"])
