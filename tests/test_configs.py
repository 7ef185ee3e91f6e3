"""Every shipped config trains through `spacy train`: each parameter gets a gradient and changes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
import spacy
from spacy.cli.train import train
from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.training import Example
from spacy.util import load_config
from spacy_transformers.layers import TransformerListener
from thinc.api import Config, Model
from torch import Tensor

from spacy_bertlstm.heads.crf import CrfScores
from spacy_bertlstm.pipeline.ner import BertLstmNer
from spacy_bertlstm.training.optimizer import PartwiseAdam

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.cfg"))
NAMES = [
    "assertion.cfg",
    "clinical.cfg",
    "ner.cfg",
    "ner_bert.cfg",
    "ner_bilstm.cfg",
    "ner_shared.cfg",
    "paper.cfg",
    "relations_gold.cfg",
    "sentiment.cfg",
    "textcat.cfg",
]
each_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
Key = tuple[int, str]

# BERT's pooler stands above the sentence, and no head asks for it.
UNUSED = ("pooler.dense.weight", "pooler.dense.bias")
# Components that others listen to.
SHARED = ("transformer", "tok2vec")


def test_there_are_configs() -> None:
    assert [path.name for path in CONFIGS] == NAMES


def missing_keys(filled: Mapping[str, Any], given: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in filled.items():
        if key not in given:
            yield path + key
        elif isinstance(value, Mapping):
            yield from missing_keys(value, given[key], f"{path}{key}.")


@each_config
def test_a_config_is_complete_and_commented(path: Path) -> None:
    """Nothing is left to spaCy's defaults, so that the file says all there is."""
    config = load_config(path)
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    assert list(missing_keys(nlp.config, config, "")) == ["pretraining"]
    assert path.read_text(encoding="utf-8").count("\n#") >= 4


@pytest.fixture
def make_small(tiny_bert: Path) -> Callable[[Config], dict[str, Any]]:
    """Overrides that make a config small, whatever its layers."""
    values = {
        "hidden_width": 8,
        "dropout": 0.0,
        "width": 16,
        "rows": [50, 50, 50, 50],
        "window": 8,
        "encoder": str(tiny_bert),
        "max_words": 8,
        "max_steps": 4,
        "eval_frequency": 2,
    }

    def overrides(config: Config) -> dict[str, Any]:
        return dict(replaced(config, values, ""))

    return overrides


def replaced(section: Mapping[str, Any], values: dict[str, Any], path: str) -> Iterator[tuple]:
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from replaced(value, values, f"{path}{key}.")
        elif key in values and (key, value) != ("max_words", 0):  # whole notes
            yield path + key, values[key]
        elif key == "size" and value >= 640:
            yield path + key, 20


def parameters(nlp: Language) -> dict[Key, numpy.ndarray]:
    """The trainable parameters of a pipeline, torch's included, as the optimizer is told of them.

    A BERT's pooler, which nothing uses, is left out.
    """
    found: dict[Key, numpy.ndarray] = {}
    for _, pipe in nlp.pipeline:
        if not getattr(pipe, "is_trainable", False):
            continue
        for node in pipe.model.walk():
            found.update({(node.id, name): node.get_param(name) for name in node.param_names})
            for shim in node.shims:
                for name, values in shim._model.named_parameters():
                    if name not in UNUSED:
                        found[shim.id, name] = values.detach().numpy()
    return found


@each_config
def test_a_config_trains(
    path: Path,
    tmp_path: Path,
    make_small: Callable[[Config], dict[str, Any]],
    write_corpus: Callable[[Path], Path],
    write_categories: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipelines: list[Language] = []
    before: dict[Key, numpy.ndarray] = {}
    reached: set[Key] = set()
    initialize, take = Language.initialize, PartwiseAdam.take

    def note_parameters(nlp: Language, *args: Any, **options: Any) -> Any:
        optimizer = initialize(nlp, *args, **options)
        pipelines.append(nlp)
        before.update({key: values.copy() for key, values in parameters(nlp).items()})
        return optimizer

    def note_gradient(
        self: PartwiseAdam, key: Key, weights: Any, gradient: Any, **options: Any
    ) -> None:
        if (gradient.to_dense() if isinstance(gradient, Tensor) else gradient).any():
            reached.add(key)
        take(self, key, weights, gradient, **options)

    monkeypatch.setattr(Language, "initialize", note_parameters)
    monkeypatch.setattr(PartwiseAdam, "take", note_gradient)
    config = load_config(path)
    classifies = "textcat" in config["components"]
    corpus = (write_categories if classifies else write_corpus)(tmp_path / "corpus.spacy")
    overrides = make_small(config)
    overrides.update({"paths.train": str(corpus), "paths.dev": str(corpus)})
    train(path, tmp_path / "out", overrides=overrides)
    shown = [key for key, weight in config["training"]["score_weights"].items() if weight]
    output = capsys.readouterr().out
    # The table of spaCy's logger cuts long names.
    assert shown and all(key.upper()[:7] in output for key in shown)

    (nlp,) = pipelines
    after = parameters(nlp)
    assert before.keys() == after.keys()
    assert [key for key in after if key not in reached] == []
    assert [key for key in after if numpy.array_equal(after[key], before[key])] == []
    doc = spacy.load(tmp_path / "out" / "model-best")("No pain.")
    # What the pipeline leaves on a Doc suits the rest of spaCy's API.
    assert doc[0:2].as_doc().text == "No pain"
    assert doc.vector is not None


@each_config
def test_a_config_works_with_spacy_transformers_own_model(
    path: Path,
    tmp_path: Path,
    make_small: Callable[[Config], dict[str, Any]],
    write_corpus: Callable[[Path], Path],
    write_categories: Callable[[Path], Path],
) -> None:
    """Who prefers the stock model changes one section."""
    config = load_config(path)
    if "transformer" not in config["components"]:
        pytest.skip("no transformer in it")
    model = config["components"]["transformer"]["model"]
    model["@architectures"] = "spacy-transformers.TransformerModel.v3"
    for setting in ("precision", "max_pieces", "mix_layers"):
        del model[setting]
    config.to_disk(tmp_path / "stock.cfg")
    classifies = "textcat" in config["components"]
    corpus = (write_categories if classifies else write_corpus)(tmp_path / "corpus.spacy")
    overrides = make_small(config)
    overrides.update({"paths.train": str(corpus), "paths.dev": str(corpus)})
    train(tmp_path / "stock.cfg", tmp_path / "out", overrides=overrides)
    nlp = spacy.load(tmp_path / "out" / "model-last")
    assert type(nlp.get_pipe("transformer").model).__module__.startswith("spacy_transformers.")
    assert nlp("No pain.").text == "No pain."


def build(path: Path, make_small: Callable[[Config], dict[str, Any]], heads: int = 1) -> Language:
    """A config's pipeline, small, with further heads like its own if wanted."""
    config = load_config(path, overrides=make_small(load_config(path)))
    for number in range(1, heads):
        name = f"ner{number}"
        config["components"][name] = config["components"]["ner"].copy()
        pipeline = config["nlp"]["pipeline"]
        config["nlp"]["pipeline"] = [
            other for pipe in pipeline for other in ([pipe, name] if pipe == "ner" else [pipe])
        ]
    return spacy.util.load_model_from_config(config, auto_fill=True)


@each_config
def test_a_configs_listeners_are_wired(
    path: Path, make_small: Callable[[Config], dict[str, Any]]
) -> None:
    nlp = build(path, make_small)
    shared = [nlp.get_pipe(name) for name in SHARED if nlp.has_pipe(name)]
    listening = {
        id(node)
        for _, pipe in nlp.pipeline
        if isinstance(getattr(pipe, "model", None), Model)
        for node in pipe.model.walk()
        if isinstance(node, TransformerListener | Tok2VecListener)
    }
    assert {id(listener) for pipe in shared for listener in pipe.listeners} == listening
    # Each listens to one, save the first of those that are listened to.
    listeners = [pipe for _, pipe in nlp.pipeline if getattr(pipe, "is_trainable", False)]
    assert len(listening) == (len(listeners) - 1 if shared else 0)


@pytest.mark.parametrize("head", ["ner", "ner1"])
@pytest.mark.parametrize("name", ["ner.cfg", "ner_shared.cfg"])
def test_each_head_alone_teaches_what_is_shared(
    name: str,
    head: str,
    make_small: Callable[[Config], dict[str, Any]],
    make_examples: Callable[[Language], list[Example]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The gradient of one head arrives when the other has none."""
    (path,) = (path for path in CONFIGS if path.name == name)
    nlp = build(path, make_small, heads=2)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    get_loss = BertLstmNer.get_loss

    def loss_of_one_head(self: BertLstmNer, *args: Any) -> tuple[float, CrfScores]:
        loss, gradient = get_loss(self, *args)
        if self.name == head:
            return loss, gradient
        return 0.0, replace(
            gradient,
            emissions=[0 * values for values in gradient.emissions],
            starts=0 * gradient.starts,
            ends=0 * gradient.ends,
            transitions=0 * gradient.transitions,
        )

    monkeypatch.setattr(BertLstmNer, "get_loss", loss_of_one_head)
    nlp.update(examples, sgd=False, annotates=["sentences"])
    reached: set[Key] = set()

    def note(key: Key, weights: Any, gradient: Any) -> Any:
        if gradient.any():
            reached.add(key)
        return weights, gradient

    for _, pipe in nlp.pipeline:
        if getattr(pipe, "is_trainable", False):
            pipe.finish_update(note)
    other = nlp.get_pipe("ner1" if head == "ner" else "ner")
    idle = {(node.id, name) for node in other.model.walk() for name in node.param_names}
    assert reached == parameters(nlp).keys() - idle
