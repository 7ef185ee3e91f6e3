"""What the component makes of scores, against the enumeration of every path."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.heads.crf import CrfScores
from spacy_bertlstm.pipeline.ner import BertLstmNer
from spacy_bertlstm.tags import decode_tags, legal_ends, legal_starts, legal_transitions
from spacy_bertlstm.tokens.extensions import register_extensions

MakeNer = Callable[..., Language]
Found = tuple[int, int, str]
HEADS = ["CrfTagger", "SoftmaxTagger"]


def legal_paths(tags: tuple[str, ...], length: int) -> Iterator[tuple[int, ...]]:
    starts, ends, legal = legal_starts(tags), legal_ends(tags), legal_transitions(tags)
    for path in product(range(len(tags)), repeat=length):
        if (
            starts[path[0]]
            and ends[path[-1]]
            and all(legal[pair] for pair in zip(path, path[1:], strict=False))
        ):
            yield path


def spans_of(tags: tuple[str, ...], path: tuple[int, ...]) -> list[Found]:
    return decode_tags([tags[i] for i in path])


def score(scores: CrfScores, path: tuple[int, ...]) -> float:
    pairs = zip(path, path[1:], strict=False)
    return float(
        scores.starts[path[0]]
        + scores.ends[path[-1]]
        + sum(scores.emissions[0][i, tag].astype("d") for i, tag in enumerate(path))
        + sum(scores.transitions[pair].astype("d") for pair in pairs)
    )


def keeps(ner: BertLstmNer, doc: Doc, found: list[Found]) -> bool:
    """Whether a path's spans go with what stands on the Doc, as spaCy documents it."""
    preset = [(ent.start, ent.end, ent.label_) for ent in doc.ents]
    known = [span for span in preset if span[2] in ner.labels]
    closed = {
        i for start, end, label in preset if label not in ner.labels for i in range(start, end)
    }
    closed |= {token.i for token in doc if token.ent_iob == 3 and not token.ent_type}
    free = [span for span in found if span not in known]
    return (
        all(span in found for span in known)
        and not any(i in closed for start, end, _ in found for i in range(start, end))
        and not any(doc[start].is_space or doc[end - 1].is_space for start, end, _ in free)
    )


def brute(
    ner: BertLstmNer, doc: Doc, temperature: float = 1.0
) -> tuple[list[Found], dict[Found, float]]:
    """The best path's spans, and the probability of each of them."""
    scores = ner.model.predict([doc])
    paths = [
        path
        for path in legal_paths(ner.tags, len(doc))
        if keeps(ner, doc, spans_of(ner.tags, path))
    ]
    totals = numpy.asarray([score(scores, path) for path in paths])
    best = spans_of(ner.tags, paths[int(totals.argmax())])
    shares = numpy.exp((totals - totals.max()) / temperature)
    shares /= shares.sum()
    probabilities = {
        span: float(
            sum(
                share
                for path, share in zip(paths, shares, strict=True)
                if span in spans_of(ner.tags, path)
            )
        )
        for span in best
    }
    return best, probabilities


def random_doc(nlp: Language, rng: numpy.random.Generator, length: int, *, preset: bool) -> Doc:
    words = rng.choice(["pain", "no", "fever", "\n", "x", " ", "mg"], size=length).tolist()
    doc = Doc(nlp.vocab, words=words)
    if not preset:
        return doc
    entities, blocked, outside = [], [], []
    i = 0
    while i < length:
        end = min(length, i + int(rng.integers(1, 3)))
        span = Span(doc, i, end, label=str(rng.choice(["problem", "other"])))
        kind = rng.integers(6)
        if kind < 4:
            (entities, blocked, outside, [])[kind].append(span)
        i = end
    doc.set_ents(entities, blocked=blocked, outside=outside, default="missing")
    return doc


def as_triples(doc: Doc) -> list[Found]:
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("preset", [False, True])
def test_entities_and_confidences_equal_enumeration(
    make_random_ner: MakeNer, rng: numpy.random.Generator, head: str, preset: bool
) -> None:
    nlp = make_random_ner(("problem",), head)
    ner = nlp.get_pipe("ner")
    met = 0
    for length in (1, 2, 3, 4, 5) * 8:
        doc = random_doc(nlp, rng, length, preset=preset)
        ner.temperature = float(rng.choice([0.5, 1.0, 2.0]))
        before = {(ent.start, ent.end, ent.label_) for ent in doc.ents}
        blocked = [t.i for t in doc if t.ent_iob == 3 and not t.ent_type]
        best, probabilities = brute(ner, doc, ner.temperature)
        ner(doc)
        assert as_triples(doc) == sorted(before | set(best))
        for ent in doc.ents:
            span = (ent.start, ent.end, ent.label_)
            if span in before:
                assert ent._.confidence is None
            else:
                assert ent._.confidence == pytest.approx(probabilities[span], abs=1e-6)
                met += 1
        assert [t.i for t in doc if t.ent_iob == 3 and not t.ent_type] == blocked
        assert all(t.ent_iob for t in doc), "nothing is left missing"
    assert met > 10


@pytest.mark.parametrize("head", HEADS)
def test_a_batch_gives_what_single_docs_give(
    make_random_ner: MakeNer, rng: numpy.random.Generator, head: str
) -> None:
    nlp = make_random_ner(head=head)
    docs = [random_doc(nlp, rng, length, preset=True) for length in (7, 0, 30, 1, 2, 30)]
    copies = [doc.copy() for doc in docs]
    for doc, alone in zip(nlp.get_pipe("ner").pipe(docs), copies, strict=True):
        nlp.get_pipe("ner")(alone)
        assert as_triples(doc) == as_triples(alone)
        for one, other in zip(doc.ents, alone.ents, strict=True):
            assert one._.confidence == pytest.approx(other._.confidence, abs=1e-6)


def test_predict_leaves_docs_as_they_are(
    make_random_ner: MakeNer, rng: numpy.random.Generator
) -> None:
    nlp = make_random_ner(score_loss=True)
    doc = random_doc(nlp, rng, 12, preset=True)
    before = doc.to_bytes()
    (prediction,) = nlp.get_pipe("ner").predict([doc])
    assert prediction.entities
    assert doc.to_bytes() == before


# --- as spaCy's own ner -----------------------------------------------------------------


@pytest.fixture(params=["ner", "bertlstm_ner"])
def either(request: pytest.FixtureRequest, make_random_ner: MakeNer) -> Language:
    """A pipeline of spaCy's component or of ours; what follows must hold for both."""
    if request.param == "bertlstm_ner":
        return make_random_ner(("problem", "test"))
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("ner")
    for label in ("problem", "test"):
        ner.add_label(label)
    nlp.initialize()
    return nlp


WORDS = ["This", "is", "chest", "pain", "and", "fever", "again"]


@pytest.mark.parametrize(
    "preset",
    [
        [(0, 1, "problem")],
        [(2, 4, "test")],
        [(2, 4, "thing"), (4, 5, "problem")],
        [(0, 7, "thing")],
        [(0, 3, "problem"), (3, 7, "problem")],
        [(6, 7, "unknown")],
    ],
)
def test_entities_that_stand_there_stay(either: Language, preset: list[Found]) -> None:
    doc = Doc(either.vocab, words=WORDS)
    spans = [Span(doc, *span, kb_id="K1", span_id="I1") for span in preset]
    doc.set_ents(spans, default="missing")
    either.get_pipe("ner")(doc)
    assert set(preset) <= set(as_triples(doc))
    for span in preset:
        (ent,) = (ent for ent in doc.ents if (ent.start, ent.end, ent.label_) == span)
        assert (ent.kb_id_, ent.id_) == ("K1", "I1")
    assert all(token.ent_iob for token in doc)


@pytest.mark.parametrize("blocked", [(0, 7), (2, 5), (0, 1), (6, 7)])
def test_blocked_tokens_stay_blocked(either: Language, blocked: tuple[int, int]) -> None:
    doc = Doc(either.vocab, words=WORDS)
    start, end = blocked
    doc.set_ents([], blocked=[doc[start:end]], default="missing")
    either.get_pipe("ner")(doc)
    assert all(token.ent_iob_ == "B" and not token.ent_type_ for token in doc[start:end])
    assert not any(ent.start < end and start < ent.end for ent in doc.ents)
    assert all(token.ent_iob for token in doc)


def test_a_ruler_before_it_marks_what_stays(make_random_ner: MakeNer) -> None:
    nlp = make_random_ner()
    ruler = nlp.add_pipe("entity_ruler", before="ner")
    ruler.add_patterns([{"label": "THING", "pattern": "This", "id": "it"}])
    doc = nlp("This is chest pain")
    assert (doc.ents[0].text, doc.ents[0].label_, doc.ents[0].ent_id_) == ("This", "THING", "it")
    assert doc.ents[0]._.confidence is None


def test_outside_is_no_constraint(make_random_ner: MakeNer) -> None:
    """As with spaCy's: a second component finds what the first one left outside."""
    nlp = make_random_ner()
    nlp.get_pipe("ner").model.get_ref("output").get_param("b")[0] = -100.0
    doc = Doc(nlp.vocab, words=WORDS)
    doc.set_ents([], default="outside")
    nlp.get_pipe("ner")(doc)
    assert sum(len(ent) for ent in doc.ents) == len(doc)


def test_a_second_run_changes_nothing(make_random_ner: MakeNer) -> None:
    nlp = make_random_ner()
    nlp.get_pipe("ner").model.get_ref("output").get_param("b")[0] = -100.0
    doc = nlp("This is chest pain and fever")
    found = [(ent.text, ent.label_, ent._.confidence) for ent in doc.ents]
    nlp.get_pipe("ner")(doc)
    assert [(ent.text, ent.label_, ent._.confidence) for ent in doc.ents] == found


# --- confidences ------------------------------------------------------------------------


def confidences(doc: Doc) -> list[float]:
    return [ent._.confidence for ent in doc.ents]


TEXTS = ["This is chest pain and fever again .", "no pain", "", "fever and fever\n \nx"]


def test_temperature_changes_confidences_alone(make_random_ner: MakeNer, tmp_path) -> None:
    nlp = make_random_ner()
    ner = nlp.get_pipe("ner")
    cold = list(nlp.pipe(TEXTS))
    ner.temperature = 10.0
    warm = list(nlp.pipe(TEXTS))
    assert [as_triples(doc) for doc in warm] == [as_triples(doc) for doc in cold]
    assert sum(map(len, map(confidences, cold))) > 2
    assert sum(sum(confidences(doc)) for doc in warm) < sum(sum(confidences(doc)) for doc in cold)
    nlp.to_disk(tmp_path / "model")
    for again in (
        spacy.load(tmp_path / "model"),
        spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes()),
    ):
        assert again.get_pipe("ner").temperature == 10.0
        assert [confidences(doc) for doc in again.pipe(TEXTS)] == [
            pytest.approx(confidences(doc), abs=1e-6) for doc in warm
        ]


@pytest.mark.parametrize(
    "temperature", [0.0, -1.0, 1e-7, 1e7, float("nan"), float("inf"), None, "1.0"]
)
def test_a_bad_temperature_is_a_coded_error(make_random_ner: MakeNer, temperature: Any) -> None:
    ner = make_random_ner().get_pipe("ner")
    with pytest.raises(BertLstmError, match="BL311"):
        ner.temperature = temperature
    assert ner.temperature == 1.0


def test_confidences_travel(make_random_ner: MakeNer) -> None:
    """From other processes, and through DocBin."""
    nlp = make_random_ner()
    docs = list(nlp.pipe(TEXTS))
    expected = [confidences(doc) for doc in docs]
    assert any(expected) and all(value is not None for values in expected for value in values)
    there = list(nlp.pipe(TEXTS, n_process=2, batch_size=1))
    assert [confidences(doc) for doc in there] == [pytest.approx(e, abs=1e-6) for e in expected]
    stored = DocBin(docs=docs, store_user_data=True).to_bytes()
    again = list(DocBin().from_bytes(stored).get_docs(nlp.vocab))
    assert [confidences(doc) for doc in again] == expected


def test_a_component_that_did_not_pass_its_factory(make_random_ner: MakeNer) -> None:
    """In a process that unpickles it, nobody has registered the attribute."""
    nlp = make_random_ner()
    Span.remove_extension("confidence")
    try:
        assert all(value is not None for value in confidences(nlp(TEXTS[0])))
    finally:
        register_extensions()


# --- the softmax head -------------------------------------------------------------------


def test_the_softmax_head_learns_each_token_for_itself(make_random_ner: MakeNer) -> None:
    nlp = make_random_ner(head="SoftmaxTagger")
    ner = nlp.get_pipe("ner")
    gold = Doc(nlp.vocab, words=["no", "chest", "pain"])
    gold.set_ents([Span(gold, 1, 3, label="problem")], missing=[gold[0:1]])
    example = Example(Doc(nlp.vocab, words=["no", "chest", "pain"]), gold)
    scores, backprop = ner.model.begin_update([example.predicted])
    assert not scores.transitions.any() and not scores.starts.any() and not scores.ends.any()
    loss, gradient = ner.get_loss([example], scores)
    shares = numpy.exp(scores.emissions[0].astype("d"))
    shares /= shares.sum(axis=1, keepdims=True)
    b, last = ner.tags.index("B-problem"), ner.tags.index("L-problem")
    # Nothing is known of the first token, so it costs nothing.
    assert loss == pytest.approx(-(numpy.log(shares[1, b]) + numpy.log(shares[2, last])) / 3)
    numpy.testing.assert_allclose(gradient.emissions[0][0], 0, atol=1e-7)
    backprop(gradient)
    assert ner.model.get_ref("output").has_grad("W")
    assert not ner.model.get_ref("transitions").param_names


def test_the_softmax_head_overfits_and_reloads(make_random_ner: MakeNer, tmp_path) -> None:
    nlp = make_random_ner(head="SoftmaxTagger")
    doc = nlp.make_doc("He has chest pain and an x ray .")
    example = Example.from_dict(doc, {"entities": [(7, 17, "problem"), (25, 30, "test")]})
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.05
    for _ in range(60):
        losses = nlp.update([example], sgd=optimizer)
    assert losses["ner"] < 0.05
    nlp.to_disk(tmp_path / "model")
    found = spacy.load(tmp_path / "model")(doc.text)
    assert [(ent.text, ent.label_) for ent in found.ents] == [
        ("chest pain", "problem"),
        ("x ray", "test"),
    ]
    assert min(confidences(found)) > 0.8
