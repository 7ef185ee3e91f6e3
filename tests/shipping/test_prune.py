"""A pruned pipeline predicts what it did, and knows nothing of its notes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import spacy
from click.testing import Result
from spacy.cli._util import app as spacy_app
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Config
from typer.testing import CliRunner

import spacy_bertlstm.cli  # noqa: F401  (mounts the commands)
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.pipeline.ner import BertLstmNer
from spacy_bertlstm.shipping.prune import (
    last_part,
    prune_pipeline,
    require_same_predictions,
    strip_config,
)
from spacy_bertlstm.tokens.corpus import read_docs
from spacy_bertlstm.tokens.extensions import register_extensions

from .conftest import HOSPITAL, NAME

TEXTS = [
    "Walking hurts. Jan Zbigniewska was given aspirin in Krakow.",
    "The mice ran; warfarin was stopped on 12/03/1961.",
    "",
]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spacy_app, ["bertlstm", *map(str, arguments)])


def everything(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_the_words_and_paths_of_training_go_and_the_labels_stay(
    trained: Path, tmp_path: Path
) -> None:
    before = everything(trained)
    assert NAME.encode() in before and HOSPITAL.encode() in before
    pruned = prune_pipeline(trained, tmp_path / "pruned")
    after = everything(tmp_path / "pruned")
    for word in (NAME, "7741903", "Łódź", HOSPITAL, str(tmp_path), str(trained.parent)):
        assert word.encode() not in after, word
    nlp = spacy.load(tmp_path / "pruned")
    assert set(nlp.vocab.strings) == {"problem", "test", "treatment"}
    assert pruned.kept == 3
    assert pruned.dropped > 20


def test_the_encoders_path_goes_from_config_and_weights(
    trained: Path, tmp_path: Path, tiny_bert: Path
) -> None:
    assert str(tiny_bert).encode() in (trained / "transformer" / "model").read_bytes()
    prune_pipeline(trained, tmp_path / "pruned")
    assert str(tiny_bert.parent).encode() not in everything(tmp_path / "pruned")
    assert spacy.load(tmp_path / "pruned").config["paths"] == {
        "train": None,
        "dev": None,
        "encoder": tiny_bert.name,
        "vectors": None,
        "init_tok2vec": None,
    }


def test_a_pruned_pipeline_predicts_the_same(trained: Path, tmp_path: Path, notes: Path) -> None:
    prune_pipeline(trained, tmp_path / "pruned")
    texts = [doc.text for doc in read_docs(notes, Vocab())]
    first, second = spacy.load(trained), spacy.load(tmp_path / "pruned")
    assert any(doc.ents for doc in first.pipe(texts))
    require_same_predictions(first, second, texts, path=tmp_path)


def test_a_pruned_pipeline_prunes_to_itself(trained: Path, tmp_path: Path) -> None:
    prune_pipeline(trained, tmp_path / "once")
    assert prune_pipeline(tmp_path / "once", tmp_path / "twice").dropped == 0
    for name in ("config.cfg", "meta.json", "vocab/strings.json"):
        once, twice = (tmp_path / folder / name for folder in ("once", "twice"))
        assert once.read_text() == twice.read_text()


def test_a_pruned_pipeline_can_be_trained_on(
    trained: Path, tmp_path: Path, make_examples: Callable[[Language], list[Example]]
) -> None:
    prune_pipeline(trained, tmp_path / "pruned")
    nlp = spacy.load(tmp_path / "pruned")
    losses = nlp.update(make_examples(nlp), sgd=nlp.resume_training(), annotates=["sentences"])
    assert losses["ner"] > 0


def test_a_pipeline_that_was_never_trained_can_be_pruned(
    make_nlp: Callable[..., Language], tmp_path: Path, tiny_bert: Path
) -> None:
    make_nlp().to_disk(tmp_path / "model")
    prune_pipeline(tmp_path / "model", tmp_path / "pruned")
    assert str(tiny_bert.parent).encode() not in everything(tmp_path / "pruned")


# --- components of others ----------------------------------------------------------------


def add_ruler(nlp: Language) -> None:
    patterns = [
        {"label": "DRUG", "pattern": "warfarin", "id": "rxnorm-11289"},
        {"label": "DRUG", "pattern": [{"LOWER": "aspirin"}], "id": "rxnorm-1191"},
    ]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)


def add_span_ruler(nlp: Language) -> None:
    patterns = [{"label": "SIGN", "pattern": "hurts", "id": "s1"}]
    nlp.add_pipe("span_ruler").add_patterns(patterns)


def add_attribute_ruler(nlp: Language) -> None:
    nlp.add_pipe("attribute_ruler").add(
        patterns=[[{"LOWER": "mice"}]],
        attrs={"TAG": "NNS", "LEMMA": "mouse", "MORPH": "Number=Plur"},
    )


def add_lemmatizer(nlp: Language) -> None:
    lemmatizer = nlp.add_pipe("lemmatizer", config={"mode": "lookup"})
    table = {"walking": "walk", "hurts": "hurt", "mice": "mouse"}
    lemmatizer.lookups.add_table("lemma_lookup", table)


def add_trained(factory: str, *gold: dict[str, object], **config: object) -> Callable:
    """A component that has learned the annotations of two sentences."""

    def add(nlp: Language) -> None:
        nlp.add_pipe(factory, config=config)
        texts = ["Walking hurts.", "Mice ran."]
        examples = [
            Example.from_dict(nlp.make_doc(text), annotations)
            for text, annotations in zip(texts, gold, strict=True)
        ]
        sgd = nlp.initialize(lambda: examples)
        for _ in range(10):
            nlp.update(examples, sgd=sgd)

    return add


OTHERS: dict[str, Callable[[Language], None]] = {
    "entity_ruler": add_ruler,
    "span_ruler": add_span_ruler,
    "attribute_ruler": add_attribute_ruler,
    "lemmatizer": add_lemmatizer,
    "tagger": add_trained("tagger", {"tags": ["VBG", "VBZ", "."]}, {"tags": ["NNS", "VBD", "."]}),
    "morphologizer": add_trained(
        "morphologizer",
        {"morphs": ["VerbForm=Ger", "", ""]},
        {"morphs": ["Number=Plur", "Tense=Past", ""]},
    ),
    "trainable_lemmatizer": add_trained(
        "trainable_lemmatizer",
        {"lemmas": ["walk", "hurt", "."]},
        {"lemmas": ["mouse", "run", "."]},
        min_tree_freq=1,
    ),
    "textcat": add_trained(
        "textcat", {"cats": {"PAIN": 1, "REST": 0}}, {"cats": {"PAIN": 0, "REST": 1}}
    ),
    "ner": add_trained("ner", {"entities": [(0, 7, "SIGN")]}, {"entities": [(0, 4, "ANIMAL")]}),
    "parser": add_trained(
        "parser",
        {"heads": [1, 1, 1], "deps": ["nsubj", "ROOT", "punct"]},
        {"heads": [1, 1, 1], "deps": ["nsubj", "ROOT", "punct"]},
        min_action_freq=1,
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_components_lose_nothing(name: str, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    OTHERS[name](nlp)
    list(nlp.pipe(TEXTS))
    nlp.to_disk(tmp_path / "model")
    prune_pipeline(tmp_path / "model", tmp_path / "pruned")
    first, second = (spacy.load(tmp_path / folder) for folder in ("model", "pruned"))
    assert NAME in first.vocab.strings
    assert NAME not in second.vocab.strings
    labels = getattr(second.get_pipe(name), "labels", ())
    assert all(label in second.vocab.strings for label in labels if isinstance(label, str))
    require_same_predictions(first, second, TEXTS, path=tmp_path)


def test_words_with_static_vectors_stay(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.vocab.set_vector("fever", numpy.ones(3, dtype="f"))
    nlp(NAME)
    nlp.to_disk(tmp_path / "model")
    prune_pipeline(tmp_path / "model", tmp_path / "pruned")
    strings = spacy.load(tmp_path / "pruned").vocab.strings
    assert "fever" in strings
    assert NAME not in strings


# --- the config --------------------------------------------------------------------------


def test_the_recipe_stays_without_its_places() -> None:
    config = Config().from_str(
        """
        [paths]
        train = "/mnt/bielany/train.spacy"
        encoder = "/mnt/bielany/MiniLM"
        [nlp]
        lang = "en"
        [components]
        [components.x]
        name = ${paths.encoder}
        [corpora]
        [corpora.train]
        @readers = "spacy-bertlstm.Corpus.v1"
        path = ${paths.train}
        max_words = 128
        [corpora.dev]
        @readers = "spacy-bertlstm.Corpus.v1"
        path = "/mnt/bielany/dev.spacy"
        others = ["/mnt/bielany/a", "/mnt/bielany/b"]
        [initialize]
        vocab_data = "/mnt/bielany/words"
        [training]
        dev_corpus = "corpora.dev"
        max_steps = 1000
        [training.logger]
        @loggers = "spacy.WandbLogger.v5"
        project_name = "bielany"
        """,
        interpolate=False,
    )
    original = config.to_str(interpolate=False)
    stripped = strip_config(config)
    assert "bielany" not in stripped.to_str(interpolate=False)
    assert stripped["paths"] == {"train": None, "encoder": "MiniLM"}
    assert stripped["corpora"]["train"] == config["corpora"]["train"]
    assert stripped["corpora"]["dev"]["@readers"] == "spacy-bertlstm.Corpus.v1"
    assert stripped["training"]["max_steps"] == 1000
    assert stripped["training"]["dev_corpus"] == "corpora.dev"
    assert stripped["training"]["logger"]["@loggers"] == "spacy.WandbLogger.v5"
    assert config.to_str(interpolate=False) == original, "the given config is left as it is"


@pytest.mark.parametrize(
    "value, last",
    [
        ("assets/encoders/MiniLM", "MiniLM"),
        ("/mnt/bielany/MiniLM/", "MiniLM"),
        ("C:\\bielany\\MiniLM", "MiniLM"),
        ("../bielany", "bielany"),
        ("bert-base-cased", "bert-base-cased"),
        ("emilyalsentzer/Bio_ClinicalBERT", "emilyalsentzer/Bio_ClinicalBERT"),
        (None, None),
        ({"a": "/mnt"}, None),
    ],
)
def test_last_part(value: object, last: str | None) -> None:
    assert last_part(value) == last


def test_a_folder_that_is_there_is_no_name_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bielany" / "MiniLM").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert last_part("bielany/MiniLM") == "MiniLM"


# --- refusals and the command ------------------------------------------------------------


def test_a_folder_that_is_no_pipeline_is_a_coded_error(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(BertLstmError, match="BL330.*nowhere"):
        prune_pipeline(tmp_path / "nowhere", tmp_path / "out")
    (trained / "config.cfg").unlink()
    with pytest.raises(BertLstmError, match="BL330"):
        prune_pipeline(trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_files_is_not_written_to(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(BertLstmError, match="BL110"):
        prune_pipeline(trained, trained)


def test_other_predictions_are_a_coded_error(tmp_path: Path) -> None:
    nlps = [spacy.blank("en"), spacy.blank("en")]
    for nlp in nlps:
        add_ruler(nlp)
    require_same_predictions(*nlps, TEXTS, path=tmp_path)
    nlps[1].get_pipe("entity_ruler").add_patterns([{"label": "DRUG", "pattern": "mice"}])
    with pytest.raises(BertLstmError, match="BL331.* 1 of 3 Docs.*number 2"):
        require_same_predictions(*nlps, TEXTS, path=tmp_path)


@pytest.mark.parametrize("changed", [None, "assertion", "relation"])
def test_assertions_and_relations_are_compared_too(changed: str | None, tmp_path: Path) -> None:
    def nlp_that_says(assertion: str, label: str) -> Language:
        nlp = spacy.blank("en")
        add_ruler(nlp)

        @Language.component(f"say_{assertion}_{label}")
        def say(doc):
            for ent in doc.ents:
                ent._.assertion = assertion
                place = [ent.start_char, ent.end_char, ent.label_]
                doc._.relations = [{"label": label, "head": place, "tail": place}]
            return doc

        nlp.add_pipe(f"say_{assertion}_{label}")
        return nlp

    register_extensions()
    first = nlp_that_says("present", "TrAP")
    if changed is None:
        require_same_predictions(first, nlp_that_says("present", "TrAP"), TEXTS, path=tmp_path)
        return
    second = nlp_that_says(*(("absent", "TrAP") if changed == "assertion" else ("present", "TrIP")))
    with pytest.raises(BertLstmError, match="BL331.* 2 of 3 Docs"):
        require_same_predictions(first, second, TEXTS, path=tmp_path)


def test_a_string_that_is_lost_is_a_coded_error(tmp_path: Path) -> None:
    """What a component needs and loading it does not add must not pass for the same."""

    def nlp_with_tag(known: bool) -> Language:
        nlp = spacy.blank("en")
        key = Vocab().strings.add("ODDTAG")

        @Language.component(f"tag_{known}")
        def set_tag(doc):
            if known:
                doc.vocab.strings.add("ODDTAG")
            for token in doc:
                token.tag = key
            return doc

        nlp.add_pipe(f"tag_{known}")
        return nlp

    with pytest.raises(BertLstmError, match="BL331.* 2 of 3 Docs"):
        require_same_predictions(nlp_with_tag(True), nlp_with_tag(False), TEXTS, path=tmp_path)


def test_the_command_verifies(trained: Path, tmp_path: Path, notes: Path) -> None:
    result = run("prune", trained, tmp_path / "pruned", "--verify", notes)
    assert result.exit_code == 0, result.output
    assert "3 strings kept" in result.stdout
    assert "The predictions on 6 Docs are the same." in result.stdout
    assert spacy.load(tmp_path / "pruned").pipe_names


def test_a_broken_file_to_verify_on_leaves_nothing(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.spacy").write_bytes(b"x")
    before = sorted(tmp_path.rglob("*"))
    result = run("prune", trained, tmp_path / "pruned", "--verify", tmp_path / "broken.spacy")
    assert result.exit_code == 1
    assert "[BL201]" in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_other_predictions_leave_nothing(
    trained: Path, tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differ(self: BertLstmNer, docs: list[Doc], predictions: object) -> None:
        """Find an entity where the pipeline knows the words of its training."""
        for doc in docs:
            if NAME in self.vocab.strings and seen:
                doc.ents = [Span(doc, 0, 1, label="problem")]
            seen.append(doc)

    seen: list[Doc] = []
    monkeypatch.setattr(BertLstmNer, "set_annotations", differ)
    before = sorted(tmp_path.rglob("*"))
    result = run("prune", trained, tmp_path / "pruned", "--verify", notes)
    assert result.exit_code == 1
    assert "[BL331]" in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_what_stands_wrong_in_a_pipeline_keeps_its_own_code(trained: Path, tmp_path: Path) -> None:
    config = (trained / "config.cfg").read_text()
    (trained / "config.cfg").write_text(config.replace("hidden_width = 8", "hidden_width = 0"))
    with pytest.raises(BertLstmError, match=r"^\[BL324\]"):
        prune_pipeline(trained, tmp_path / "pruned")


def test_the_scores_of_tokens_are_kept_for_training_alone(
    make_nlp: Callable[..., Language],
    make_examples: Callable[[Language], list[Example]],
    tmp_path: Path,
) -> None:
    """configs/paper.cfg stops by the loss on dev."""
    nlp = make_nlp(**{"components.ner.score_loss": True})
    examples = make_examples(nlp)
    nlp.update(examples, sgd=nlp.initialize(lambda: examples), annotates=["sentences"])
    nlp.to_disk(tmp_path / "model")
    texts = [example.reference.text for example in examples]
    prune_pipeline(tmp_path / "model", tmp_path / "pruned", texts=texts)
    whole, pruned = (spacy.load(tmp_path / folder) for folder in ("model", "pruned"))
    assert any(doc.ents for doc in whole.pipe(texts))
    assert all("ner_emissions" in doc.user_data for doc in whole.pipe(texts))
    assert not any("ner_emissions" in doc.user_data for doc in pruned.pipe(texts))
    require_same_predictions(whole, pruned, texts, path=tmp_path)
    assert pruned.config["components"]["ner"]["score_loss"] is False
    assert whole.get_pipe("ner").model.to_bytes() == pruned.get_pipe("ner").model.to_bytes()


def test_the_command_refuses_with_a_message(tmp_path: Path) -> None:
    result = run("prune", tmp_path, tmp_path / "pruned")
    assert result.exit_code == 1
    assert "[BL330]" in result.stderr and "Traceback" not in result.output
