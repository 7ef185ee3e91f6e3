import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.pipeline.ner import _align_gold_tags
from spacy_bertlstm.training.optimizer import make_adam

# Its lexemes know which of them are whitespace.
VOCAB = spacy.blank("en").vocab
MakeNlp = Callable[..., Language]
MakeExamples = Callable[[Language], list[Example]]


def train(nlp: Language, examples: list[Example], steps: int) -> dict[str, float]:
    optimizer = make_adam(0.02, encoder_scale=0.1)
    nlp.initialize(lambda: examples, sgd=optimizer)
    losses: dict[str, float] = {}
    for _ in range(steps):
        losses = {}
        # As `spacy train` does: gradients of the shared encoder are whole only after update.
        nlp.update(examples, sgd=False, losses=losses, annotates=["sentences"])
        for _, pipe in nlp.pipeline:
            if hasattr(pipe, "finish_update"):
                pipe.finish_update(optimizer)
    return losses


@pytest.fixture
def trained(make_nlp: MakeNlp, make_examples: MakeExamples) -> tuple[Language, list[Example]]:
    spacy.util.fix_random_seed(0)
    nlp = make_nlp()
    examples = make_examples(nlp)
    losses = train(nlp, examples, steps=60)
    assert losses["ner"] < 0.01
    return nlp, examples


def entities(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.label_) for ent in doc.ents]


def test_overfits_scores_and_reloads(
    trained: tuple[Language, list[Example]], tmp_path: Path
) -> None:
    nlp, examples = trained
    scores = nlp.evaluate(
        [Example(nlp.make_doc(eg.reference.text), eg.reference) for eg in examples]
    )
    assert scores["ents_f"] == 1.0
    assert set(scores["ents_per_type"]) == {"problem", "test", "treatment"}

    texts = [eg.reference.text for eg in examples]
    expected = [entities(eg.reference) for eg in examples]
    assert [entities(nlp(text)) for text in texts] == expected
    assert [entities(doc) for doc in nlp.pipe(texts, batch_size=2)] == expected

    nlp.to_disk(tmp_path / "model")
    for reloaded in (
        spacy.load(tmp_path / "model"),
        spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes()),
    ):
        assert reloaded.get_pipe("ner").labels == ("problem", "test", "treatment")
        assert [entities(doc) for doc in reloaded.pipe(texts)] == expected


def test_tokens_without_gold_annotation_teach_nothing(
    make_nlp: MakeNlp, make_examples: MakeExamples
) -> None:
    nlp = make_nlp()
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    unknown = Doc(nlp.vocab, words=["no", "pain"])
    assert not unknown.has_annotation("ENT_IOB")
    example = Example(nlp.make_doc("no pain"), unknown)
    nlp.get_pipe("sentences")(example.predicted)
    transformer = nlp.get_pipe("transformer")
    transformer.set_annotations([example.predicted], transformer.predict([example.predicted]))
    ner = nlp.get_pipe("ner")
    loss, gradient = ner.get_loss([example], ner.model.predict([example.predicted]))
    assert loss == pytest.approx(0.0, abs=1e-6)
    assert numpy.abs(gradient.emissions[0]).max() < 1e-6


def test_empty_docs(trained: tuple[Language, list[Example]]) -> None:
    nlp, examples = trained
    assert [len(doc.ents) for doc in nlp.pipe(["", "No pain.", ""])] == [0, 1, 0]
    empty = Example(nlp.make_doc(""), nlp.make_doc(""))
    losses = nlp.update([empty, examples[0]], annotates=["sentences"])
    assert numpy.isfinite(losses["ner"])
    assert nlp.get_pipe("ner").update([empty]) == {"ner": 0.0}


def test_no_labels_is_a_coded_error(make_nlp: MakeNlp) -> None:
    nlp = make_nlp()
    bare = [Example(nlp.make_doc("no pain"), nlp.make_doc("no pain"))]
    with pytest.raises(BertLstmError, match=r"BL301.*initialize\.components\.ner"):
        nlp.initialize(lambda: bare)


@pytest.mark.parametrize("label", ["", 7])
def test_a_bad_label_is_a_coded_error(make_nlp: MakeNlp, label: object) -> None:
    with pytest.raises(BertLstmError, match="BL302"):
        make_nlp().get_pipe("ner").add_label(label)


def test_labels_after_initialization(trained: tuple[Language, list[Example]]) -> None:
    ner = trained[0].get_pipe("ner")
    assert ner.add_label("problem") == 0
    with pytest.raises(BertLstmError, match="BL303"):
        ner.add_label("drug")


def test_scores_that_are_not_finite_are_a_coded_error(
    trained: tuple[Language, list[Example]],
) -> None:
    nlp, examples = trained
    ner = nlp.get_pipe("ner")
    ner.model.get_ref("output").set_param(
        "b", numpy.full_like(ner.model.get_ref("output").get_param("b"), numpy.nan)
    )
    with pytest.raises(BertLstmError, match="BL304"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        nlp.update(examples, annotates=["sentences"])
    with pytest.raises(BertLstmError, match="BL304"):
        nlp(examples[0].reference.text)


def test_scores_near_those_of_what_cannot_be_are_a_coded_error(
    trained: tuple[Language, list[Example]],
) -> None:
    nlp, examples = trained
    output = nlp.get_pipe("ner").model.get_ref("output")
    for factor in (1e12, 1e-12):
        output.set_param("W", output.get_param("W") * numpy.float32(factor))
        output.set_param("b", output.get_param("b") * numpy.float32(factor))
        if factor > 1:
            with pytest.raises(BertLstmError, match="BL304"):
                nlp(examples[0].reference.text)
    nlp(examples[0].reference.text)


def test_two_processes_give_what_one_gives(trained: tuple[Language, list[Example]]) -> None:
    nlp, examples = trained
    texts = [eg.reference.text for eg in examples]
    docs = nlp.pipe(texts, n_process=2, batch_size=2)
    assert [entities(doc) for doc in docs] == [entities(eg.reference) for eg in examples]


def test_pickling(trained: tuple[Language, list[Example]]) -> None:
    """What processes that are not forked need: nlp.pipe(n_process=2) on macOS and Windows."""
    nlp, examples = trained
    again = pickle.loads(pickle.dumps(nlp))
    assert [entities(again(eg.reference.text)) for eg in examples] == [
        entities(eg.reference) for eg in examples
    ]


def test_no_entity_begins_or_ends_with_space(trained: tuple[Language, list[Example]]) -> None:
    nlp, _ = trained
    bias = nlp.get_pipe("ner").model.get_ref("output").get_param("b")
    bias[0] = -100.0  # O is all but excluded
    for text in (" ", "\n\n", "No pain .\n\n", " \n fever \n \n pain\n"):
        doc = nlp(text)
        assert all(ent.text == ent.text.strip() for ent in doc.ents), repr(text)
        assert bool(doc.ents) is bool(text.strip())


def test_an_entity_of_no_wanted_type_is_outside(
    make_nlp: MakeNlp, make_examples: MakeExamples
) -> None:
    nlp = make_nlp()
    examples = make_examples(nlp)
    nlp.config["initialize"]["components"]["ner"] = {"labels": ["problem"]}
    nlp.initialize(lambda: examples)
    ner = nlp.get_pipe("ner")
    assert ner.labels == ("problem",)
    (aspirin,) = (eg for eg in examples if eg.reference.text == "She was given aspirin.")
    allowed = ner._tags_of_gold(aspirin)
    assert allowed.sum() == len(aspirin.predicted)
    assert allowed[:, 0].all()


@given(data=st.data())
def test_gold_tags_of_the_same_tokens_are_those_that_spacy_aligns(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.sampled_from(["a", "Bb", "\n", " ", "12", "İ", "\u00a0"])))
    gold = Doc(VOCAB, words=words)
    found: dict[str, list[Span]] = {"A": [], "missing": [], "blocked": [], "": []}
    end = 0
    while end < len(words):
        start, end = end, min(len(words), end + data.draw(st.integers(1, 3)))
        kind = data.draw(st.sampled_from(sorted(found)))
        span = Span(gold, start, end, label="A")
        if kind != "A" or not (span[0].is_space or span[-1].is_space):
            found[kind].append(span)
    if data.draw(st.booleans()):
        gold.set_ents(
            found["A"],
            missing=found["missing"],
            blocked=found["blocked"],
            default=data.draw(st.sampled_from(["outside", "missing"])),
        )
    spaces = [data.draw(st.booleans()) for _ in words]
    example = Example(Doc(VOCAB, words=words, spaces=spaces), gold)
    assert _align_gold_tags(example) == example.get_aligned_ner()


def test_another_number_of_tags_in_the_config_is_a_coded_error(
    make_nlp: MakeNlp, make_examples: MakeExamples
) -> None:
    nlp = make_nlp(**{"components.ner.model.nO": 5})
    examples = make_examples(nlp)
    with pytest.raises(BertLstmError, match="BL308.*13 tags"):
        nlp.initialize(lambda: examples)
    make_nlp(**{"components.ner.model.nO": 13}).initialize(lambda: examples)
