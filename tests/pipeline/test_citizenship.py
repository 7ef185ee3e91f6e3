"""What spaCy lets a user do with a pipeline of listeners: each works, or is a coded error."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import spacy
from spacy.cli.train import train
from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from spacy.training import Example
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers import TransformerListener
from thinc.api import Config, Model

from spacy_bertlstm.encoder.transformer import TransformerModel
from spacy_bertlstm.encoder.upstream import require_upstream
from spacy_bertlstm.encoder.windows import SentenceWindows
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.training.optimizer import make_adam

CONFIG = Path(__file__).parents[2] / "configs" / "ner.cfg"
TEXTS = ["The patient has chest pain.", "", "He was given aspirin 81 mg daily for fever.\nNo pain."]
OWN = ("hybrid", "bert")
SHARED = ("shared", "shared by spaCy's own tok2vec")
KINDS = (*OWN, *SHARED)
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "*"}

# Where the listener to the transformer stands in each kind.
TRANSFORMER_LISTENERS = {
    "hybrid": ("ner", "model.tok2vec.tok2vec"),
    "bert": ("ner", "model.tok2vec"),
    "shared": ("tok2vec", "model.tok2vec"),
    "shared by spaCy's own tok2vec": ("tok2vec", "model.tok2vec"),
}


def make_config(kind: str, encoder: Path) -> Config:
    """configs/ner.cfg, small; without the BiLSTM, or with one for two heads."""
    config = spacy.util.load_config(CONFIG, overrides={"paths.encoder": str(encoder)})
    components = config["components"]
    components["transformer"]["model"]["get_spans"]["window"] = 8
    ner = components["ner"]["model"]
    ner["tok2vec"].update(hidden_width=8, dropout=0.0, join_input=True)
    if kind == "bert":
        ner["tok2vec"] = ner["tok2vec"]["tok2vec"]
    elif kind != "hybrid":
        factory = "bertlstm_tok2vec" if kind == "shared" else "tok2vec"
        components["tok2vec"] = {"factory": factory, "model": ner["tok2vec"]}
        ner["tok2vec"] = LISTENER
        # The other head is spaCy's own.
        components["stock"] = {"factory": "ner", "model": {**_STOCK_MODEL, "tok2vec": LISTENER}}
        config["nlp"]["pipeline"] = [
            *("sentences", "transformer", "tok2vec", "stock", "ner", "cleaner")
        ]
    config["paths"].update(train=None, dev=None)
    return config


_STOCK_MODEL = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "ner",
    "extra_state_tokens": False,
    "hidden_width": 16,
    "maxout_pieces": 2,
    "use_upper": False,
    "nO": None,
}


def update(nlp: Language, examples: list[Example], steps: int) -> dict[str, float]:
    optimizer = make_adam(0.02, encoder_scale=0.1)
    losses: dict[str, float] = {}
    for _ in range(steps):
        losses = {}
        nlp.update(examples, sgd=False, losses=losses, annotates=["sentences"])
        for _, pipe in nlp.pipeline:
            if hasattr(pipe, "finish_update"):
                pipe.finish_update(optimizer)
        optimizer.step_schedules()
    return losses


def gold(nlp: Language) -> list[Example]:
    entities = [[(16, 26, "problem")], [], [(13, 20, "treatment"), (37, 42, "problem")]]
    return [
        Example.from_dict(nlp.make_doc(text), {"entities": ents})
        for text, ents in zip(TEXTS, entities, strict=True)
        if text
    ]


@pytest.fixture(scope="module", params=KINDS)
def folder(
    request: pytest.FixtureRequest, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A trained pipeline on disk."""
    spacy.util.fix_random_seed(0)
    nlp = spacy.util.load_model_from_config(make_config(request.param, tiny_bert), auto_fill=True)
    examples = gold(nlp)
    nlp.initialize(lambda: examples)
    assert update(nlp, examples, steps=40)["ner"] < 0.1
    path = tmp_path_factory.mktemp("model") / request.param
    nlp.to_disk(path)
    return path


@pytest.fixture
def nlp(folder: Path) -> Language:
    return spacy.load(folder)


def entities(nlp: Language) -> list[list[tuple[str, str]]]:
    found = [[(ent.text, ent.label_) for ent in doc.ents] for doc in nlp.pipe(TEXTS)]
    assert found[0] == [("chest pain", "problem")]
    return found


def nodes(model: Model, kind: type) -> list[Any]:
    return [node for node in model.walk() if isinstance(node, kind)]


def encoder_weights(model: TransformerModel) -> dict[str, numpy.ndarray]:
    parameters = model.transformer.named_parameters()
    return {name: weight.detach().numpy().copy() for name, weight in parameters}


def changed(before: dict[str, numpy.ndarray], after: dict[str, numpy.ndarray]) -> set[str]:
    return {name for name in before if not numpy.array_equal(before[name], after[name])}


def test_alone_and_in_a_batch(nlp: Language) -> None:
    nlp.remove_pipe("cleaner")
    together = list(nlp.pipe(TEXTS))
    for text, doc in zip(TEXTS, together, strict=True):
        alone = nlp(text)
        assert [ent.text for ent in alone.ents] == [ent.text for ent in doc.ents]
        numpy.testing.assert_allclose(alone.tensor, doc.tensor, atol=1e-5)


def test_replaced_transformer_listeners(nlp: Language, folder: Path, tmp_path: Path) -> None:
    expected = entities(nlp)
    owner, path = TRANSFORMER_LISTENERS[folder.name]
    nlp.replace_listeners("transformer", owner, [path])
    nlp.remove_pipe("transformer")
    assert entities(nlp) == expected
    nlp.to_disk(tmp_path / "replaced")
    for again in (
        spacy.load(tmp_path / "replaced"),
        spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes()),
        pickle.loads(pickle.dumps(nlp)),
    ):
        assert entities(again) == expected
        (model,) = nodes(again.get_pipe(owner).model, TransformerModel)
        assert model.attrs["get_spans"] == SentenceWindows(8)
        assert not nodes(again.get_pipe(owner).model, TransformerListener)


def test_a_replaced_transformer_is_trained(nlp: Language, folder: Path) -> None:
    owner, path = TRANSFORMER_LISTENERS[folder.name]
    shared = encoder_weights(nlp.get_pipe("transformer").model)
    nlp.replace_listeners("transformer", owner, [path])
    (own,) = nodes(nlp.get_pipe(owner).model, TransformerModel)
    before = encoder_weights(own)
    assert not changed(shared, before)
    update(nlp, gold(nlp), steps=1)
    assert len(changed(before, encoder_weights(own))) > 20
    assert not changed(shared, encoder_weights(nlp.get_pipe("transformer").model))


@pytest.mark.parametrize("folder", SHARED, indirect=True)
def test_replaced_listeners_of_a_shared_bilstm(nlp: Language, tmp_path: Path) -> None:
    expected = entities(nlp)
    nlp.replace_listeners("tok2vec", "ner", ["model.tok2vec"])
    assert entities(nlp) == expected
    nlp.to_disk(tmp_path / "replaced")
    again = spacy.load(tmp_path / "replaced")
    for other in (again, pickle.loads(pickle.dumps(again))):
        assert entities(other) == expected
        listeners = nodes(other.get_pipe("ner").model, TransformerListener)
        assert len(listeners) == 1
        assert set(listeners) <= set(other.get_pipe("transformer").listeners)
    weights = encoder_weights(again.get_pipe("transformer").model)
    update(again, gold(again), steps=1)
    assert changed(weights, encoder_weights(again.get_pipe("transformer").model))


def test_a_batch_of_empty_docs_teaches_nothing(nlp: Language, folder: Path) -> None:
    if folder.name == "shared by spaCy's own tok2vec":
        pytest.skip("spaCy's own misses vectors")
    empty = nlp.make_doc("")
    with nlp.select_pipes(disable=["stock"] if "stock" in nlp.pipe_names else []):
        losses = nlp.update([Example(empty, empty.copy())] * 2)
    assert losses["ner"] == 0.0


@pytest.mark.parametrize("leave", ["exclude", "disable"])
def test_a_pipeline_loaded_without_its_transformer(folder: Path, leave: str) -> None:
    nlp = spacy.load(folder, **{leave: ["transformer"]})
    if folder.name == "shared by spaCy's own tok2vec":
        # spaCy's component computes with zeros; `bertlstm_tok2vec` is there for this.
        assert nlp(TEXTS[0]).has_annotation("ENT_IOB")
        return
    assert list(nlp("")) == []
    for call in (nlp, lambda text: list(nlp.pipe([text]))):
        with pytest.raises(BertLstmError, match="BL322.*'transformer'"):
            call(TEXTS[0])


@pytest.mark.parametrize("folder", SHARED, indirect=True)
def test_a_pipeline_loaded_without_its_tok2vec(folder: Path) -> None:
    with pytest.raises(BertLstmError, match="BL322.*'ner'.*'tok2vec'"):
        spacy.load(folder, exclude=["tok2vec", "stock"])(TEXTS[0])


def test_a_transformer_disabled_for_a_while(nlp: Language, folder: Path) -> None:
    expected = entities(nlp)
    if folder.name != "shared by spaCy's own tok2vec":
        with (
            nlp.select_pipes(disable=["transformer"]),
            pytest.raises(BertLstmError, match="BL322"),
        ):
            nlp(TEXTS[0])
    assert entities(nlp) == expected


def test_sourcing_the_whole(nlp: Language, folder: Path) -> None:
    expected = entities(nlp)
    other = spacy.blank("en")
    other.tokenizer = nlp.tokenizer
    for name in nlp.pipe_names:
        other.add_pipe(name, source=nlp)
    assert entities(other) == expected
    other.to_bytes()


def test_sourcing_a_head_alone(nlp: Language, folder: Path) -> None:
    other = spacy.blank("en")
    other.add_pipe("ner", source=nlp)
    with pytest.raises(BertLstmError, match="BL322"):
        other(TEXTS[0])


@pytest.mark.parametrize("folder", OWN, indirect=True)
def test_sourcing_a_head_that_has_its_own_transformer(nlp: Language, folder: Path) -> None:
    owner, path = TRANSFORMER_LISTENERS[folder.name]
    expected = entities(nlp)
    nlp.replace_listeners("transformer", owner, [path])
    other = spacy.blank("en")
    other.tokenizer = nlp.tokenizer
    for name in ("sentences", "ner"):
        other.add_pipe(name, source=nlp)
    assert entities(other) == expected


def test_two_processes(nlp: Language) -> None:
    expected = entities(nlp)
    docs = list(nlp.pipe(TEXTS, n_process=2, batch_size=1))
    assert [[(ent.text, ent.label_) for ent in doc.ents] for doc in docs] == expected


def test_a_frozen_transformer(
    folder: Path, tiny_bert: Path, tmp_path: Path, write_corpus: Callable[[Path], Path]
) -> None:
    """Sourced and annotating: the encoder stays, everything above it learns."""
    config = make_config(folder.name, tiny_bert)
    config["components"]["transformer"] = {"source": str(folder)}
    result, weights = run_train(config, tmp_path, write_corpus, frozen=["transformer"])
    encoder = encoder_weights(spacy.load(folder).get_pipe("transformer").model)
    assert not changed(encoder, encoder_weights(result.get_pipe("transformer").model))
    assert_learned(result, weights)


def test_training_through_spacy_train(
    folder: Path,
    tiny_bert: Path,
    tmp_path: Path,
    write_corpus: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The encoder, the BiLSTM and both heads learn."""
    encoder: dict[str, numpy.ndarray] = {}
    original = Language.initialize

    def initialize(nlp: Language, *args: Any, **options: Any) -> Any:
        optimizer = original(nlp, *args, **options)
        encoder.update(encoder_weights(nlp.get_pipe("transformer").model))
        return optimizer

    monkeypatch.setattr(Language, "initialize", initialize)
    config = make_config(folder.name, tiny_bert)
    result, weights = run_train(config, tmp_path, write_corpus, frozen=[])
    learned = changed(encoder, encoder_weights(result.get_pipe("transformer").model))
    # BERT's pooler is above the word pieces.
    assert learned == {name for name in encoder if not name.startswith("pooler")}
    assert_learned(result, weights)


def run_train(
    config: Config, tmp_path: Path, write_corpus: Callable[[Path], Path], *, frozen: list[str]
) -> tuple[Language, dict[str, numpy.ndarray]]:
    """Train for a few steps; give the pipeline, and the weights above the encoder at first."""
    before: dict[str, numpy.ndarray] = {}
    original = Language.initialize

    def initialize(nlp: Language, *args: Any, **options: Any) -> Any:
        optimizer = original(nlp, *args, **options)
        before.update(weights_above(nlp))
        return optimizer

    corpus = str(write_corpus(tmp_path / "corpus.spacy"))
    config["paths"].update(train=corpus, dev=corpus)
    config["training"].update(
        max_steps=4,
        eval_frequency=4,
        frozen_components=frozen,
        annotating_components=["sentences", *frozen],
    )
    config["training"]["optimizer"]["learn_rate"]["warmup_steps"] = 1
    config.to_disk(tmp_path / "train.cfg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Language, "initialize", initialize)
        train(tmp_path / "train.cfg", tmp_path / "out")
    return spacy.load(tmp_path / "out" / "model-last"), before


def weights_above(nlp: Language) -> dict[str, numpy.ndarray]:
    return {
        f"{component} {number} {node.name} {name}": node.get_param(name).copy()
        for component in nlp.pipe_names
        if component in ("tok2vec", "stock", "ner")
        for number, node in enumerate(nlp.get_pipe(component).model.walk())
        for name in node.param_names
        if node.has_param(name)
    }


def assert_learned(nlp: Language, before: dict[str, numpy.ndarray]) -> None:
    after = weights_above(nlp)
    assert after.keys() == before.keys()
    # spaCy's parser has cells for features that these few sentences do not reach.
    still = set(before) - changed(before, after)
    assert not {name for name in still if not name.startswith("stock")}
    assert len(still) < len(before) / 4


@pytest.mark.parametrize("factory", ["bertlstm_ner", "bertlstm_tok2vec"])
def test_a_component_without_a_transformer_is_a_coded_error(factory: str) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe(factory)
    example = Example.from_dict(nlp.make_doc("no pain"), {"entities": [(3, 7, "problem")]})
    with pytest.raises(BertLstmError, match=f"BL322.*'{factory}'.*replace_listeners"):
        nlp.initialize(lambda: [example])


def test_upstream_vectors_of_another_width_are_a_coded_error(nlp: Language) -> None:
    doc, empty = nlp.make_doc("no pain"), nlp.make_doc("")
    for listener in (TransformerListener("*"), Tok2VecListener("*", 16)):
        listener.set_dim("nO", 16)
        model: Model = Model("head", lambda model, X, is_train: X, layers=[listener])
        with pytest.raises(BertLstmError, match="BL322"):
            require_upstream(model, [empty, doc], "head")
        give(doc, 8)
        with pytest.raises(BertLstmError, match="BL323.*16.*8"):
            require_upstream(model, [empty, doc], "head")
        give(doc, 16)
        require_upstream(model, [empty, doc], "head")
        doc._.trf_data, doc.tensor = None, numpy.zeros(0)


def give(doc: Doc, width: int) -> None:
    doc._.trf_data = TransformerData.zeros(len(doc), width)
    doc.tensor = numpy.zeros((len(doc), width))


def test_a_listener_is_named_by_its_upstream() -> None:
    nlp = spacy.blank("en")
    listener = TransformerListener("my_encoder")
    listener.set_dim("nO", 16)
    with pytest.raises(BertLstmError, match="BL322.*'my_encoder'"):
        require_upstream(listener, [nlp("no pain")], "head")
