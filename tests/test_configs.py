"""Every shipped config trains through `spacy train`: each parameter gets a gradient and changes."""

from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import spacy
from spacy.cli.train import train
from spacy.language import Language
from spacy.util import load_config
from spacy_transformers.layers import TransformerListener
from thinc.api import Model

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.cfg"))


def test_there_are_configs() -> None:
    assert [path.name for path in CONFIGS] == ["ner.cfg"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_config_is_complete_and_commented(path: Path) -> None:
    """Nothing is left to spaCy's defaults, so that the file says all there is."""
    config = load_config(path)
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    missing = []
    for section in ("nlp", "training", "components"):
        filled = nlp.config[section]
        for key in filled:
            if key not in config[section]:
                missing.append(f"{section}.{key}")
    assert not set(missing) - OPTIONAL
    assert path.read_text(encoding="utf-8").count("\n#") >= 5


# What spaCy fills in and hardly anybody changes.
OPTIONAL = {
    "nlp.disabled",
    "nlp.before_creation",
    "nlp.after_creation",
    "nlp.after_pipeline_creation",
    "nlp.vectors",
    "training.accumulate_gradient",
    "training.frozen_components",
    "training.before_to_disk",
    "training.before_update",
}


def parameters(model: Model) -> dict[str, numpy.ndarray]:
    """Copies of a model's parameters, torch's included, by a name that is the same every time."""
    found = {}
    for number, node in enumerate(model.walk()):
        for name in node.param_names:
            if node.has_param(name):
                found[f"{number} {node.name} {name}"] = node.get_param(name).copy()
        for shim in node.shims:
            for name, values in shim._model.named_parameters():
                found[f"{number} {node.name} {name}"] = values.detach().numpy().copy()
    return found


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_config_trains(
    path: Path,
    tmp_path: Path,
    ner_config: dict[str, object],
    write_corpus: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before: dict[str, dict[str, numpy.ndarray]] = {}
    original = Language.initialize

    def initialize(nlp: Language, *args: object, **options: object) -> object:
        optimizer = original(nlp, *args, **options)
        before.update({name: parameters(nlp.get_pipe(name).model) for name in TRAINED})
        return optimizer

    monkeypatch.setattr(Language, "initialize", initialize)
    corpus = write_corpus(tmp_path / "corpus.spacy")
    overrides = {
        **ner_config,
        "paths.train": str(corpus),
        "paths.dev": str(corpus),
        "training.max_steps": 4,
        "training.eval_frequency": 2,
        "training.batcher.size": 20,
        "training.optimizer.learn_rate.warmup_steps": 1,
    }
    train(path, tmp_path / "out", overrides=overrides)
    assert "ENTS_F" in capsys.readouterr().out

    nlp = spacy.load(tmp_path / "out" / "model-last")
    listeners = [
        node for node in nlp.get_pipe("ner").model.walk() if isinstance(node, TransformerListener)
    ]
    assert nlp.get_pipe("transformer").listeners == listeners
    assert listeners
    for component in TRAINED:
        after = parameters(nlp.get_pipe(component).model)
        assert after.keys() == before[component].keys()
        still = [
            name
            for name, values in after.items()
            if numpy.array_equal(values, before[component][name])
        ]
        assert not [name for name in still if not name.endswith(UNUSED)]


TRAINED = ("transformer", "ner")
# BERT's pooler stands above the sentence, and no head asks for it.
UNUSED = ("pooler.dense.weight", "pooler.dense.bias")
