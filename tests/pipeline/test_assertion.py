import pickle
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tokens.extensions import register_extensions, register_span_attribute
from spacy_bertlstm.training.optimizer import make_adam

CONFIG = Path(__file__).parents[2] / "configs" / "assertion.cfg"
Build = Callable[..., Language]

# Text, and (start, end, label, value).
NOTES = [
    ("The patient has chest pain.", [(16, 26, "problem", "present")]),
    ("No fever. He has pain.", [(3, 8, "problem", "absent"), (17, 21, "problem", "present")]),
    ("", []),
    (
        "No pain was given aspirin.",
        [(3, 7, "problem", "absent"), (18, 25, "treatment", None)],
    ),
    ("He was given aspirin for pain and fever of the x.", [(25, 29, "problem", "possible")]),
    ("The x ray was given.", [(4, 9, "test", None)]),
]


def mark(doc: Doc, spans: list[tuple[int, int, str, str | None]]) -> Doc:
    register_extensions()
    doc.ents = [doc.char_span(start, end, label) for start, end, label, _ in spans]
    for entity, (*_, value) in zip(doc.ents, spans, strict=True):
        if value is not None:
            entity._.assertion = value
    return doc


def make_examples(nlp: Language, *, given: bool = False) -> list[Example]:
    examples = []
    for text, spans in NOTES:
        predicted = nlp.make_doc(text)
        if given:
            mark(predicted, [(*span[:3], None) for span in spans])
        examples.append(Example(predicted, mark(nlp.make_doc(text), spans)))
    return examples


def give(nlp: Language) -> list[Doc]:
    return [example.predicted for example in make_examples(nlp, given=True)]


def assertions(doc: Doc) -> list[tuple[str, str | None]]:
    return [(entity.text, entity._.assertion) for entity in doc.ents]


def gold_assertions(nlp: Language) -> list[list[tuple[str, str | None]]]:
    return [assertions(example.reference) for example in make_examples(nlp)]


def confidences(docs: list[Doc]) -> list[float]:
    return [
        entity._.assertion_confidence
        for doc in docs
        for entity in doc.ents
        if entity._.assertion is not None
    ]


def update(nlp: Language, examples: list[Example], steps: int) -> dict[str, float]:
    """As `spacy train` does: gradients of a shared encoder are whole only after the update."""
    optimizer = make_adam(0.01, encoder_scale=0.1)
    losses: dict[str, float] = {}
    annotates = [name for name in ("sentences", "rules") if nlp.has_pipe(name)]
    for _ in range(steps):
        losses = {}
        nlp.update(examples, sgd=False, losses=losses, annotates=annotates)
        for _, pipe in nlp.pipeline:
            if hasattr(pipe, "finish_update"):
                pipe.finish_update(optimizer)
        optimizer.step_schedules()
    return losses


def load_small(encoder: Path, **overrides: object) -> Language:
    """The pipeline of configs/assertion.cfg, small."""
    small = {
        "paths.encoder": str(encoder),
        "components.assertion.model.tok2vec.hidden_width": 8,
        "components.assertion.model.tok2vec.dropout": 0.0,
        "components.assertion.model.tok2vec.precision": "fp32",
        "components.assertion.model.hidden_width": 16,
        "components.transformer.model.get_spans.window": 8,
        "components.transformer.model.precision": "fp32",
        **overrides,
    }
    config = spacy.util.load_config(CONFIG, overrides=small)
    config["paths"].update(train=None, dev=None)
    return spacy.util.load_model_from_config(config, auto_fill=True)


@pytest.fixture(scope="module")
def folder(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline on disk that has learned the notes by heart."""
    spacy.util.fix_random_seed(0)
    nlp = load_small(tiny_bert)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    assert update(nlp, examples, steps=60)["assertion"] < 0.05
    path = tmp_path_factory.mktemp("model")
    nlp.to_disk(path)
    return path


@pytest.fixture
def nlp(folder: Path) -> Language:
    return spacy.load(folder)


@pytest.fixture
def build(hash_encoder: dict[str, object]) -> Build:
    """Build a pipeline of one component, on spaCy's smallest encoder, initialized."""

    def make(examples: list[Example] | None = None, **settings: object) -> Language:
        nlp = spacy.blank("en")
        model = {
            "@architectures": "spacy-bertlstm.SpanClassifier.v1",
            "hidden_width": 8,
            "tok2vec": hash_encoder,
        }
        nlp.add_pipe("bertlstm_assertion", name="assertion", config={"model": model, **settings})
        found = make_examples(nlp) if examples is None else examples
        nlp.initialize(lambda: found)
        return nlp

    return make


# --- learning, and what comes out ---------------------------------------------------------


def test_overfits_scores_and_reloads(nlp: Language) -> None:
    scores = nlp.evaluate(make_examples(nlp, given=True))
    assert scores["assertion_micro_f"] == scores["assertion_macro_f"] == 1.0
    assert list(scores["assertion_per_type"]) == ["absent", "possible", "present"]
    expected = gold_assertions(nlp)
    again = spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())
    for reloaded in (nlp, again, pickle.loads(pickle.dumps(nlp))):
        assert reloaded.get_pipe("assertion").labels == ("absent", "possible", "present")
        assert [assertions(doc) for doc in reloaded.pipe(give(reloaded))] == expected


def test_alone_and_in_a_batch(nlp: Language) -> None:
    together = list(nlp.pipe(give(nlp)))
    alone = [nlp(doc) for doc in give(nlp)]
    assert [assertions(doc) for doc in alone] == [assertions(doc) for doc in together]
    assert len(confidences(alone)) == 5
    assert confidences(alone) == pytest.approx(confidences(together), abs=1e-5)
    assert all(0.8 < value <= 1 for value in confidences(alone))


def test_two_processes_give_what_one_gives(nlp: Language) -> None:
    docs = list(nlp.pipe(give(nlp), n_process=2, batch_size=2))
    assert [assertions(doc) for doc in docs] == gold_assertions(nlp)
    assert len(confidences(docs)) == 5


def test_what_was_found_survives_a_docbin(nlp: Language) -> None:
    docs = list(nlp.pipe(give(nlp)))
    data = DocBin(docs=docs, store_user_data=True).to_bytes()
    again = list(DocBin().from_bytes(data).get_docs(spacy.blank("en").vocab))
    assert [assertions(doc) for doc in again] == gold_assertions(nlp)
    assert confidences(again) == confidences(docs)


def test_predicting_leaves_docs_as_they_are(nlp: Language) -> None:
    doc = next(nlp.pipe(give(nlp)))
    for entity in doc.ents:
        entity._.assertion = None
    nlp.get_pipe("transformer").set_annotations([doc], nlp.get_pipe("transformer").predict([doc]))
    before = dict(doc.user_data)
    ((verdict,),) = nlp.get_pipe("assertion").predict([doc])
    assert (verdict.span.text, verdict.value) == ("chest pain", "present")
    assert doc.user_data == before


def test_a_pipeline_loaded_without_its_transformer(folder: Path) -> None:
    nlp = spacy.load(folder, exclude=["transformer"])
    assert not nlp("").ents and not nlp("No pain.").ents  # nothing to judge
    with pytest.raises(BertLstmError, match="BL322.*'transformer'"):
        nlp(give(nlp)[0])


def test_replaced_listeners(nlp: Language, tmp_path: Path) -> None:
    nlp.replace_listeners("transformer", "assertion", ["model.tok2vec.tok2vec"])
    nlp.remove_pipe("transformer")
    nlp.to_disk(tmp_path / "replaced")
    again = spacy.load(tmp_path / "replaced")
    assert [assertions(doc) for doc in again.pipe(give(again))] == gold_assertions(again)


def test_without_a_transformer_there_is_nothing_to_initialize_on() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("bertlstm_assertion")
    with pytest.raises(BertLstmError, match="BL322.*'bertlstm_assertion'"):
        nlp.initialize(lambda: make_examples(nlp))


def test_rehearsal_is_a_coded_error(nlp: Language) -> None:
    with pytest.raises(BertLstmError, match="BL310"):
        nlp.get_pipe("assertion").rehearse([])


# --- which spans are read, and what is set on them ----------------------------------------


def test_only_the_types_that_are_asked_for(build: Build) -> None:
    nlp = build(types=["problem"])
    given = give(nlp)[3]
    found = assertions(nlp(given))
    assert found[0][1] in nlp.get_pipe("assertion").labels
    assert found[1] == ("aspirin", None)
    assert build().get_pipe("assertion").predict([give(nlp)[5]])[0][0].span.text == "x ray"


def test_spans_of_a_group_even_of_one_extent(build: Build) -> None:
    register_extensions()
    examples = []
    for text, value in (("no pain", "absent"), ("had pain", "present")):
        docs = [spacy.blank("en").make_doc(text) for _ in range(2)]
        for doc in docs:
            doc.spans["found"] = [
                Span(doc, 1, 2, "problem", span_id="T1"),
                Span(doc, 1, 2, "symptom"),
            ]
        docs[1].spans["found"][0]._.assertion = value
        docs[1].spans["found"][1]._.assertion = value
        examples.append(Example(*docs))
    nlp = build(examples, spans="found")
    update(nlp, examples, steps=60)
    scores = nlp.evaluate(examples)
    assert scores["assertion_micro_f"] == 1.0
    doc = nlp(examples[0].predicted.copy())
    first, second = doc.spans["found"]
    assert [first._.assertion, second._.assertion] == ["absent", "absent"]
    assert not nlp("no pain").spans
    second._.assertion = "ruled"
    doc.spans["found"].append(Span(doc, 1, 1, "empty"))
    again = nlp(doc)
    assert [span._.assertion for span in again.spans["found"]] == ["absent", "ruled", None]


@pytest.mark.parametrize("overwrite", [False, True])
def test_values_that_stand_there(build: Build, overwrite: bool) -> None:
    nlp = build(overwrite=overwrite)
    doc = give(nlp)[1]
    doc.ents[0]._.assertion = "ruled"
    (first, second) = nlp(doc).ents
    assert (first._.assertion == "ruled") is not overwrite
    assert (first._.assertion_confidence is None) is not overwrite
    assert second._.assertion_confidence is not None


def test_another_attribute(build: Build) -> None:
    register_span_attribute("polarity")
    nlp = spacy.blank("en")
    examples = make_examples(nlp)
    for example in examples:
        for entity in example.reference.ents:
            entity._.polarity = "NEG" if example.reference.text.startswith("No") else "POS"
    nlp = build(examples, attribute="polarity")
    assert nlp.get_pipe("assertion").labels == ("NEG", "POS")
    doc = nlp(give(nlp)[0])
    assert doc.ents[0]._.polarity in ("NEG", "POS")
    assert 0.5 <= doc.ents[0]._.polarity_confidence <= 1
    assert doc.ents[0]._.assertion is None
    given = [Example(doc, eg.reference) for doc, eg in zip(give(nlp), examples, strict=True)]
    assert "polarity_micro_f" in nlp.evaluate(given)


# --- what is learned from -----------------------------------------------------------------


def test_a_span_without_a_gold_value_teaches_nothing(build: Build) -> None:
    nlp = build()
    pipe = nlp.get_pipe("assertion")
    examples = make_examples(nlp)
    spans = [[span for span, _ in pipe._read_gold(example)] for example in examples]
    assert sum(map(len, spans)) == 7
    scores = pipe.model.predict(pipe._join([eg.predicted for eg in examples], spans))
    loss, gradient = pipe.get_loss(examples, scores)
    values = [value for *_, marked in NOTES for *_, value in marked]
    taught = gradient.any(axis=1).tolist()
    assert taught == [value is not None for value in values]
    gold = [pipe.labels.index(value) for value in values if value is not None]
    known = scores[taught]
    assert loss == pytest.approx(-numpy.log(known[range(5), gold]).mean(), rel=1e-5)
    target = numpy.eye(3)[gold]
    numpy.testing.assert_allclose(gradient[taught], (known - target) / 5, atol=1e-6)


def test_the_loss_and_its_gradient_are_weighted(build: Build) -> None:
    pipe = build(loss_weight=0.25, balance=0.5).get_pipe("assertion")
    examples = make_examples(spacy.blank("en"))
    scores = numpy.full((7, 3), 1 / 3, dtype="float32")
    weighted = pipe.get_loss(examples, scores)
    pipe.loss_weight = 1.0
    loss, gradient = pipe.get_loss(examples, scores)
    assert loss > 1
    assert weighted[0] == pytest.approx(loss / 4)
    numpy.testing.assert_allclose(weighted[1], gradient / 4, rtol=1e-6)


def test_a_value_that_is_no_label_teaches_nothing(build: Build) -> None:
    nlp = spacy.blank("en").from_config(build().config)
    nlp.config["initialize"]["components"]["assertion"] = {"labels": ["absent", "present"]}
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    pipe = nlp.get_pipe("assertion")
    assert pipe.labels == pipe.label_data == ("absent", "present")
    assert pipe.update([examples[4]]) == {"assertion": 0.0}
    assert pipe.update([examples[0]])["assertion"] > 0


def test_balance_makes_up_for_rareness(build: Build) -> None:
    # absent 2, possible 1, present 2
    weights = {
        balance: build(balance=balance).get_pipe("assertion").cfg["weights"]
        for balance in (0.0, 0.5, 1.0)
    }
    assert weights[0.0] == [1.0, 1.0, 1.0]
    assert weights[1.0] == pytest.approx([5 / 6, 5 / 3, 5 / 6])
    for found in weights.values():
        assert 2 * found[0] + found[1] + 2 * found[2] == pytest.approx(5)
    assert weights[0.5][1] / weights[0.5][0] == pytest.approx(2**0.5)
    nlp = build(balance=1.0)
    pipe, example = nlp.get_pipe("assertion"), make_examples(nlp)[4]
    scores = pipe.model.predict(pipe._join([example.predicted], [[example.predicted[5:6]]]))
    loss, _ = pipe.get_loss([example], scores)
    assert loss == pytest.approx(-5 / 3 * numpy.log(scores[0, 1]), rel=1e-5)


def test_spans_of_other_tokens_are_laid_by_characters(build: Build) -> None:
    nlp = build()
    gold = Doc(nlp.vocab, words=["no", "chest", "pain"], spaces=[True, False, False])
    mark(gold, [(3, 12, "problem", "absent")])
    ((span, value),) = nlp.get_pipe("assertion")._read_gold(Example(nlp.make_doc(gold.text), gold))
    assert (span.text, value) == ("chestpain", "absent")
    mark(gold, [(8, 12, "problem", "absent")])  # inside a token
    assert not nlp.get_pipe("assertion")._read_gold(Example(nlp.make_doc(gold.text), gold))


def test_training_on_predicted_spans(build: Build) -> None:
    register_extensions()
    nlp = build(train_on="predicted")
    pipe = nlp.get_pipe("assertion")
    predicted, gold = (Doc(nlp.vocab, words=["no", "pain", ",", "no", "fever"]) for _ in range(2))
    gold.spans["x"] = []
    mark(gold, [(3, 7, "problem", "absent"), (13, 18, "problem", "present")])
    example = Example(predicted, gold)

    def read() -> list[tuple[str, str | None]]:
        return [(span.text, value) for span, value in pipe._read_gold(example)]

    assert read() == []
    assert pipe.update([example]) == {"assertion": 0.0}
    predicted.ents = [
        Span(predicted, 0, 2, "problem"),  # other bounds
        Span(predicted, 4, 5, "problem", span_id="rule"),
    ]
    assert read() == [("no pain", None), ("fever", "present")]
    predicted.ents = [Span(predicted, 1, 2, "symptom")]
    assert read() == [("pain", None)]
    assert pipe.update([example]) == {"assertion": 0.0}


def test_gold_spans_of_one_extent_are_told_apart_by_their_ids(build: Build) -> None:
    nlp = build(train_on="predicted")
    nlp.get_pipe("assertion").spans = "x"
    predicted, gold = (Doc(nlp.vocab, words=["no", "pain"]) for _ in range(2))
    gold.spans["x"] = [Span(gold, 1, 2, "problem", span_id=name) for name in ("T1", "T2")]
    for span, value in zip(gold.spans["x"], ("absent", "present"), strict=True):
        span._.assertion = value
    names = ("T2", "T1", "T9", "")
    predicted.spans["x"] = [Span(predicted, 1, 2, "problem", span_id=name) for name in names]

    def read() -> list[str | None]:
        found = nlp.get_pipe("assertion")._read_gold(Example(predicted, gold))
        return [value for _, value in found]

    assert read() == ["present", "absent", None, None]
    gold.spans["x"][1]._.assertion = "absent"
    assert read() == ["absent"] * 4


def test_joint_training_on_what_an_annotating_component_finds(
    hash_encoder: dict[str, object],
) -> None:
    nlp = spacy.blank("en")
    rules = nlp.add_pipe("entity_ruler", name="rules")
    model = {"@architectures": "spacy-bertlstm.SpanClassifier.v1", "tok2vec": hash_encoder}
    nlp.add_pipe(
        "bertlstm_assertion", name="assertion", config={"model": model, "train_on": "predicted"}
    )
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    rules.add_patterns([{"label": "problem", "pattern": word} for word in ("pain", "fever")])
    first = update(nlp, examples, steps=1)["assertion"]
    assert update(nlp, examples, steps=30)["assertion"] < first / 4
    assert assertions(nlp("No fever. He has pain.")) == [("fever", "absent"), ("pain", "present")]


# --- what is not there --------------------------------------------------------------------


def test_empty_docs_and_docs_without_spans(build: Build) -> None:
    nlp = build()
    pipe = nlp.get_pipe("assertion")
    empty = Example(nlp.make_doc(""), nlp.make_doc(""))
    bare = Example(nlp.make_doc("no news"), nlp.make_doc("no news"))
    assert pipe.update([empty]) == pipe.update([empty, bare]) == {"assertion": 0.0}
    losses = pipe.update([bare, empty, make_examples(nlp)[0], bare])
    assert losses["assertion"] > 0
    docs = list(nlp.pipe([nlp.make_doc(""), nlp.make_doc("no news"), give(nlp)[0]]))
    assert [len(confidences([doc])) for doc in docs] == [0, 0, 1]
    assert list(nlp.pipe([])) == []
    assert nlp.evaluate([empty, bare])["assertion_micro_f"] is None


def test_a_batch_without_a_span_still_answers_its_encoder(tiny_bert: Path) -> None:
    """A shared encoder steps when its last listener has answered, and then has all gradients."""
    nlp = load_small(tiny_bert)
    config = nlp.config["components"]["assertion"]
    settings = {key: value for key, value in config.items() if key != "factory"}
    nlp.add_pipe("bertlstm_assertion", name="other", config={**settings, "types": ["symptom"]})
    examples = make_examples(nlp)
    symptom = mark(nlp.make_doc("pain"), [(0, 4, "symptom", "present")])
    nlp.initialize(lambda: [*examples, Example(nlp.make_doc("pain"), symptom)])
    reached: set[tuple[int, str]] = set()

    def note(key: tuple[int, str], weights: object, gradient: numpy.ndarray) -> tuple:
        if gradient.any():
            reached.add(key)
        return weights, gradient

    # "other", which is last, finds no symptom to learn from.
    for _ in range(2):  # the first step moves the output layer off zero
        optimizer = make_adam(0.01)
        nlp.update(examples, sgd=False, annotates=["sentences"])
        nlp.get_pipe("assertion").finish_update(optimizer)
        optimizer.step_schedules()
        nlp.get_pipe("transformer").finish_update(note)
    assert len(reached) > 20


def test_no_labels_is_a_coded_error(build: Build) -> None:
    nlp = spacy.blank("en")
    bare = [Example(nlp.make_doc("no pain"), mark(nlp.make_doc("no pain"), []))]
    with pytest.raises(BertLstmError, match=r"BL342.*_\.assertion.*ner\.cfg.*components"):
        build(bare)
    with pytest.raises(BertLstmError, match="BL342"):
        build(types=["symptom"])


def test_labels_are_names_given_before_initialization(build: Build) -> None:
    pipe = build().get_pipe("assertion")
    assert pipe.add_label("absent") == 0
    with pytest.raises(BertLstmError, match="BL303"):
        pipe.add_label("conditional")
    for label in ("", 7):
        with pytest.raises(BertLstmError, match="BL302"):
            pipe.add_label(label)


def test_initialization_without_a_span_among_the_first_docs(build: Build) -> None:
    nlp = spacy.blank("en")
    bare = [Example(nlp.make_doc("no news"), nlp.make_doc("no news")) for _ in range(12)]
    assert build([*bare, *make_examples(nlp)]).get_pipe("assertion").labels


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"train_on": "silver"}, "BL343"),
        ({"balance": -1.0}, "BL344"),
        ({"loss_weight": 0.0}, "BL650"),
        ({"attribute": "two words"}, "BL341"),
    ],
)
def test_settings_that_cannot_be_are_coded_errors(
    build: Build, settings: dict[str, object], code: str
) -> None:
    with pytest.raises(BertLstmError, match=code):
        build(**settings)


def test_another_number_of_labels_in_the_config_is_a_coded_error(tiny_bert: Path) -> None:
    nlp = load_small(tiny_bert, **{"components.assertion.model.nO": 5})
    with pytest.raises(BertLstmError, match="BL346.*3 labels"):
        nlp.initialize(lambda: make_examples(nlp))
    nlp = load_small(tiny_bert, **{"components.assertion.model.nO": 3})
    nlp.initialize(lambda: make_examples(nlp))


def test_scores_that_are_not_finite_are_a_coded_error(build: Build) -> None:
    nlp = build()
    bias = nlp.get_pipe("assertion").model.get_ref("output").get_param("b")
    bias[:] = numpy.nan
    with pytest.raises(BertLstmError, match="BL304"):
        nlp.update(make_examples(nlp))
    with pytest.raises(BertLstmError, match="BL304"):
        nlp(give(nlp)[0])
