import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from thinc.api import Model

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.evaluation.relations import report_relations
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.pipeline.relations import BertLstmRelations
from spacy_bertlstm.records import Concept, Document, Relation
from spacy_bertlstm.tokens.build import build_doc, read_doc, relation_keys
from spacy_bertlstm.tokens.corpus import cut_doc, give_spans
from spacy_bertlstm.tokens.extensions import register_extensions

MakeNlp = Callable[..., Language]

# Entities as (word, type), relations as (label, head, tail) by places of entities.
NOTES: list[tuple[str, list[tuple[str, str]], list[tuple[str, int, int]]]] = [
    (
        "Aspirin relieved pain . CT showed fever .",
        [("Aspirin", "treatment"), ("pain", "problem"), ("CT", "test"), ("fever", "problem")],
        [("TrIP", 0, 1), ("TrAP", 0, 1), ("TeRP", 2, 3)],
    ),
    (
        "Pain caused by fever . Aspirin given .",
        [("Pain", "problem"), ("fever", "problem"), ("Aspirin", "treatment")],
        [("PIP", 1, 0)],
    ),
    (
        "Fever causing nausea . No CT .",
        [("Fever", "problem"), ("nausea", "problem"), ("CT", "test")],
        [("PIP", 0, 1)],
    ),
    ("CT for pain .", [("CT", "test"), ("pain", "problem")], []),
    ("No fever .", [("fever", "problem")], []),
    ("Nothing new .", [], []),
]
LABELS = ("PIP", "TeRP", "TrAP", "TrIP")


def make_gold(nlp: Language, note: tuple) -> Doc:
    text, entities, relations = note
    register_extensions()
    doc = nlp.get_pipe("sentencizer")(nlp.make_doc(text))
    spans = [
        doc.char_span(text.index(word), text.index(word) + len(word), label=label)
        for word, label in entities
    ]
    doc.set_ents(spans, default="outside")
    extents = [[span.start_char, span.end_char, span.label_] for span in spans]
    doc._.relations = [
        {"label": label, "head": extents[head], "tail": extents[tail]}
        for label, head, tail in relations
    ]
    return doc


def make_given(nlp: Language, gold: Doc) -> Doc:
    """A Doc with the entities alone."""
    doc = nlp.make_doc(gold.text)
    give_spans(gold, doc)
    return doc


def make_examples(nlp: Language) -> list[Example]:
    golds = [make_gold(nlp, note) for note in NOTES]
    return [Example(nlp.get_pipe("sentencizer")(make_given(nlp, gold)), gold) for gold in golds]


@pytest.fixture
def make_nlp(hash_encoder: dict[str, object]) -> MakeNlp:
    """Build a pipeline that relates the entities given."""

    def build(**config: object) -> Language:
        spacy.util.fix_random_seed(0)
        nlp = spacy.blank("en")
        nlp.add_pipe("sentencizer")
        model = {
            "@architectures": "spacy-bertlstm.RelationClassifier.v1",
            "tok2vec": hash_encoder,
            "hidden_width": 16,
        }
        nlp.add_pipe("bertlstm_relations", name="relations", config={"model": model, **config})
        return nlp

    return build


def train(nlp: Language, examples: list[Example], steps: int = 80) -> float:
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.02
    losses: dict[str, float] = {}
    for _ in range(steps):
        losses = {}
        nlp.update(examples, sgd=optimizer, losses=losses)
    return losses["relations"]


@pytest.fixture
def trained(make_nlp: MakeNlp) -> tuple[Language, list[Doc]]:
    nlp = make_nlp()
    assert train(nlp, make_examples(nlp)) < 0.05
    return nlp, [make_gold(nlp, note) for note in NOTES]


def examples_of(nlp: Language, golds: list[Doc]) -> list[Example]:
    """What the pipeline finds, beside the gold."""
    docs = nlp.pipe(make_given(nlp, gold) for gold in golds)
    return [Example(doc, gold) for doc, gold in zip(docs, golds, strict=True)]


def found_by(nlp: Language, golds: list[Doc]) -> list[set]:
    return [relation_keys(doc._.relations) for doc in nlp.pipe(make_given(nlp, g) for g in golds)]


def test_overfits_scores_and_reloads(trained: tuple[Language, list[Doc]], tmp_path: Path) -> None:
    """Two labels on one pair, and a direction that the words alone tell, among them."""
    nlp, golds = trained
    expected = [relation_keys(gold._.relations) for gold in golds]
    assert found_by(nlp, golds) == expected
    scores = nlp.evaluate([Example(make_given(nlp, gold), gold) for gold in golds])
    assert scores["rel_micro_f"] == scores["rel_macro_f"] == 1.0
    assert set(scores["rel_per_type"]) == set(LABELS)
    assert scores["rel_unreachable"] == 0

    relations = nlp.get_pipe("relations")
    relations.thresholds = {"PIP": 0.25}
    nlp.to_disk(tmp_path / "model")
    for again in (
        spacy.load(tmp_path / "model"),
        spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes()),
        pickle.loads(pickle.dumps(nlp)),
    ):
        assert found_by(again, golds) == expected
        other = again.get_pipe("relations")
        assert other.labels == LABELS
        assert other.label_data == relations.label_data
        assert other.thresholds == {"PIP": 0.25, "TeRP": 0.5, "TrAP": 0.5, "TrIP": 0.5}


def test_found_relations_are_plain_and_sorted(trained: tuple[Language, list[Doc]]) -> None:
    nlp, golds = trained
    doc = nlp(make_given(nlp, golds[0]))
    assert [(r["label"], r["head"], r["tail"]) for r in doc._.relations] == [
        ("TrAP", [0, 7, "treatment"], [17, 21, "problem"]),
        ("TrIP", [0, 7, "treatment"], [17, 21, "problem"]),
        ("TeRP", [24, 26, "test"], [34, 39, "problem"]),
    ]
    assert all(0.5 <= relation["confidence"] <= 1 for relation in doc._.relations)
    record = read_doc(doc, "1")
    assert [(r.label, r.arguments) for r in record.relations] == [
        ("TrAP", ("T1", "T2")),
        ("TrIP", ("T1", "T2")),
        ("TeRP", ("T3", "T4")),
    ]


def test_found_relations_survive(trained: tuple[Language, list[Doc]]) -> None:
    nlp, golds = trained
    expected = found_by(nlp, golds)
    docs = list(nlp.pipe(make_given(nlp, gold) for gold in golds))
    stored = DocBin(docs=docs, store_user_data=True).to_bytes()
    for others in (
        DocBin().from_bytes(stored).get_docs(nlp.vocab),
        [Doc(nlp.vocab).from_bytes(doc.to_bytes()) for doc in docs],
        pickle.loads(pickle.dumps(docs)),
        nlp.pipe((make_given(nlp, gold) for gold in golds), n_process=2, batch_size=2),
    ):
        assert [relation_keys(doc._.relations) for doc in others] == expected


def test_alone_and_in_a_batch(trained: tuple[Language, list[Doc]]) -> None:
    nlp, golds = trained
    relations = nlp.get_pipe("relations")
    docs = [nlp.get_pipe("sentencizer")(make_given(nlp, gold)) for gold in golds]
    together = relations.decode(docs).probabilities
    for doc, probabilities in zip(docs, together, strict=True):
        (alone,) = relations.decode([doc]).probabilities
        numpy.testing.assert_allclose(alone, probabilities, atol=1e-5)
    assert not any(doc._.relations for doc in docs)


def test_relations_of_other_labels_are_kept(trained: tuple[Language, list[Doc]]) -> None:
    """Those of another component; its own are found anew."""
    nlp, golds = trained
    doc = nlp(make_given(nlp, golds[0]))
    found = doc._.relations
    other = {"label": "near", "head": [0, 7, "treatment"], "tail": [17, 21, "problem"]}
    doc._.relations = [other, found[0]]
    assert nlp.get_pipe("relations")(doc)._.relations == [other, *found]
    doc._.relations = ["near"]
    with pytest.raises(BertLstmError, match="BL208"):
        nlp.get_pipe("relations")(doc)


def test_nothing_to_relate(trained: tuple[Language, list[Doc]]) -> None:
    nlp, golds = trained
    empty = nlp.make_doc("")
    docs = [empty, make_given(nlp, golds[5]), make_given(nlp, golds[4])]
    assert [doc._.relations for doc in nlp.pipe(docs)] == [[], [], []]
    relations = nlp.get_pipe("relations")
    assert relations.update([Example(empty, empty.copy())]) == {"relations": 0.0}
    assert relations.decode([]).relations(relations.thresholds) == []
    bare = [example for example in make_examples(nlp) if not example.reference._.relations][1:]
    assert len(bare) == 2
    assert nlp.update(bare)["relations"] == 0.0
    mixed = nlp.update([Example(empty, empty.copy()), *make_examples(nlp)])
    assert numpy.isfinite(mixed["relations"])


def test_without_pairs_a_shared_encoder_still_gets_its_gradient(
    trained: tuple[Language, list[Doc]], monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp, _ = trained
    tok2vec = nlp.get_pipe("relations").model.get_ref("tok2vec")
    gradients: list[Any] = []
    forward = tok2vec._func

    def note(model: Model, docs: list[Doc], is_train: bool) -> tuple:
        Y, backprop = forward(model, docs, is_train)
        return Y, lambda dY: (gradients.extend(dY), backprop(dY))[1]

    monkeypatch.setattr(tok2vec, "_func", note)
    nlp.get_pipe("relations").update(make_examples(nlp)[4:])
    assert [len(array) for array in gradients] == [3, 3]
    assert not any(array.any() for array in gradients)


def test_what_is_illegal_is_never_found(make_nlp: MakeNlp) -> None:
    nlp = make_nlp(schema="i2b2-2010", candidates={"@misc": "spacy-bertlstm.AllPairs.v1"})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    relations = nlp.get_pipe("relations")
    assert len(relations.labels) == 8
    relations.model.get_ref("output").get_param("b")[:] = 100.0  # all is found that can be
    legal = {(label, *types) for label, *types in relations.label_data}
    for example in examples:
        doc = relations(example.predicted)
        found = {(r["label"], r["head"][2], r["tail"][2]) for r in doc._.relations}
        pairs = [(a, b) for a in doc.ents for b in doc.ents if a.start != b.start]
        assert found <= legal
        assert len(doc._.relations) == sum(
            types == [a.label_, b.label_] for a, b in pairs for _, *types in relations.label_data
        )
        proposal = relations.propose(list(doc.ents))
        assert proposal.legal.any(axis=1).all()


def test_labels_without_a_direction(make_nlp: MakeNlp, tmp_path: Path) -> None:
    nlp = make_nlp(undirected=["PIP"])
    examples = make_examples(nlp)
    assert train(nlp, examples) < 0.05
    golds = [make_gold(nlp, note) for note in NOTES]
    found = found_by(nlp, golds)
    assert found[1] == {("PIP", (0, 4, "problem"), (15, 20, "problem"))}
    assert relation_keys(golds[1]._.relations) == {("PIP", (15, 20, "problem"), (0, 4, "problem"))}
    assert found[0] == relation_keys(golds[0]._.relations)
    scores = nlp.evaluate(make_examples(nlp))
    assert scores["rel_micro_f"] == 1.0 and scores["rel_unreachable"] == 0
    (report,) = report_relations(nlp, examples_of(nlp, golds), samples=10, seed=0)
    assert report.scores["rel_micro_f"].estimate == 1.0

    nlp.to_disk(tmp_path / "model")
    assert found_by(spacy.load(tmp_path / "model"), golds) == found


def test_a_direction_that_does_not_count_is_judged_both_ways(make_nlp: MakeNlp) -> None:
    nlp = make_nlp(undirected=["PIP"])
    nlp.initialize(lambda: make_examples(nlp))
    relations = nlp.get_pipe("relations")
    doc = nlp.get_pipe("sentencizer")(make_given(nlp, make_gold(nlp, NOTES[1])))
    decoding = relations.decode([doc])
    (proposal,), (probabilities,) = decoding.proposals, decoding.probabilities
    scores = relations.model.predict(([doc], [proposal.candidates]))
    column = relations.labels.index("PIP")
    places = {unit: i for i, unit in enumerate(map(tuple, proposal.units.tolist()))}
    there, back = places[0, 1], places[1, 0]
    each = 1 / (1 + numpy.exp(-scores[[there, back], column].astype("float64")))
    assert probabilities[there, column] == pytest.approx(each.mean())
    assert probabilities[back, column] == 0.0


def test_entities_of_other_types_relate_to_nothing(trained: tuple[Language, list[Doc]]) -> None:
    nlp, golds = trained
    doc = make_given(nlp, golds[0])
    doc.ents = [Span(doc, ent.start, ent.end, "drug") for ent in doc.ents]
    assert nlp(doc)._.relations == []


def test_thresholds(trained: tuple[Language, list[Doc]]) -> None:
    nlp, golds = trained
    relations = nlp.get_pipe("relations")
    doc = nlp.get_pipe("sentencizer")(make_given(nlp, golds[0]))
    decoding = relations.decode([doc])
    (all_,) = decoding.relations(dict.fromkeys(LABELS, 1e-12))
    confidences = {(r["label"], r["head"][0], r["tail"][0]): r["confidence"] for r in all_}
    assert len(confidences) == 3
    value = confidences["TrIP", 0, 17]
    relations.thresholds = {"TrIP": value}
    assert "TrIP" in {r["label"] for r in relations(doc)._.relations}
    relations.thresholds = {"TrIP": min(1.0, value * (1 + 1e-9))}
    assert {r["label"] for r in relations(doc)._.relations} == {"TrAP", "TeRP"}
    for wrong in (0.0, -1, 1.5, "0.5", float("nan")):
        with pytest.raises(BertLstmError, match="BL358"):
            relations.thresholds = {"TrIP": wrong}
    with pytest.raises(BertLstmError, match="BL360"):
        relations.thresholds = {"X": 0.5}


def test_some_negatives_are_left_out_by_the_seed(make_nlp: MakeNlp) -> None:
    def kept(rate: float) -> list[set]:
        nlp = make_nlp(negative_rate=rate, candidates={"@misc": "spacy-bertlstm.AllPairs.v1"})
        examples = make_examples(nlp)
        nlp.initialize(lambda: examples)
        relations = nlp.get_pipe("relations")
        spacy.util.fix_random_seed(7)
        found = []
        for example in examples * 20:
            proposal = relations._sample(example, relations.propose(relations._learned(example)))
            targets = relations._targets(example, proposal)
            # No relation is ever left out.
            assert targets.sum() == len(example.reference._.relations)
            assert len(proposal.candidates.pairs) == len(proposal.units) == len(proposal.legal)
            found.append({tuple(unit) for unit in proposal.units.tolist()})
        return found

    whole, none, half = kept(1.0), kept(0.0), kept(0.5)
    positives, negatives = sum(map(len, none)), sum(map(len, whole)) - sum(map(len, none))
    assert positives == 4 * 20
    assert 0.35 < (sum(map(len, half)) - positives) / negatives < 0.65
    assert half == kept(0.5)
    assert half[: len(NOTES)] != half[len(NOTES) : 2 * len(NOTES)]
    assert all(some <= all_ for some, all_ in zip(half, whole, strict=True))


def test_the_loss_and_its_gradient_are_weighted(make_nlp: MakeNlp) -> None:
    nlp = make_nlp(loss_weight=0.25)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    relations = nlp.get_pipe("relations")
    proposals = [relations.propose(relations._learned(example)) for example in examples]
    n_pairs = sum(len(proposal.candidates.pairs) for proposal in proposals)
    scores = numpy.zeros((n_pairs, len(relations.labels)), dtype="float32")
    weighted = relations.get_loss(examples, (proposals, scores))
    relations.loss_weight = 1.0
    loss, gradient = relations.get_loss(examples, (proposals, scores))
    assert loss > 0.5 and gradient.any()
    assert weighted[0] == pytest.approx(loss / 4)
    numpy.testing.assert_allclose(weighted[1], gradient / 4, rtol=1e-6)


def test_spans_of_a_group_may_overlap(make_nlp: MakeNlp) -> None:
    nlp = make_nlp(spans="concepts", train_on="predicted")
    golds = [make_gold(nlp, note) for note in NOTES[:2]]
    for gold in golds:
        whole = Span(gold, gold[:3].start, gold[:3].end, "problem")
        gold.spans["concepts"] = [*gold.ents, whole, whole]
        gold.set_ents([], default="outside")
    extent = [0, len(golds[0][:3].text), "problem"]
    inner = golds[0]._.relations[0]["tail"]
    golds[0]._.relations = [*golds[0]._.relations, {"label": "PIP", "head": inner, "tail": extent}]
    examples = [Example(nlp.get_pipe("sentencizer")(make_given(nlp, gold)), gold) for gold in golds]
    train(nlp, examples)
    assert found_by(nlp, golds) == [relation_keys(gold._.relations) for gold in golds]


def test_predicted_entities_teach_what_they_can(make_nlp: MakeNlp) -> None:
    nlp = make_nlp(train_on="predicted")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    relations = nlp.get_pipe("relations")
    example = examples[0]
    example.predicted.ents = list(example.predicted.ents)[1:]
    assert len(relations._learned(example)) == 3
    scores = relations.score([example])
    assert scores["rel_unreachable"] == 2  # Aspirin was not found
    assert scores["rel_micro_r"] == 0.0
    (report,) = report_relations(nlp, [example], samples=10, seed=0)
    assert "learned on predicted entities; 2 gold relations were never proposed" in report.title
    unknown = Example(example.predicted, nlp.make_doc(example.predicted.text))
    assert relations._learned(unknown) == []


def test_relations_over_sentences_are_unreachable_by_sentences(make_nlp: MakeNlp) -> None:
    nlp = make_nlp()
    examples = make_examples(nlp)
    reference = examples[0].reference
    far = {"label": "TrAP", "head": [0, 7, "treatment"], "tail": [34, 39, "problem"]}
    reference._.relations = [*reference._.relations, far]
    nlp.initialize(lambda: examples)
    relations = nlp.get_pipe("relations")
    assert relations.score(examples)["rel_unreachable"] == 1
    relations.thresholds = dict.fromkeys(LABELS, 1e-12)
    scores = relations.score([Example(relations(eg.predicted), eg.reference) for eg in examples])
    assert scores["rel_micro_r"] == pytest.approx(5 / 6)


def test_relations_that_no_doc_can_hold_are_unreachable(make_nlp: MakeNlp) -> None:
    nlp = make_nlp()
    nlp.initialize(lambda: make_examples(nlp))
    concepts = (
        Concept("T1", "treatment", ((0, 7),)),
        Concept("T2", "problem", ((8, 11), (16, 20))),
    )
    relations = (Relation("TrAP", ("T1", "T2")),)
    record = Document("1", "Aspirin leg and back pain", concepts, relations=relations)
    gold = build_doc(record, nlp.tokenizer, LossReport())
    scores = nlp.get_pipe("relations").score([Example(make_given(nlp, gold), gold)])
    assert (scores["rel_unreachable"], scores["rel_micro_r"]) == (1, 0.0)


def test_what_is_undirected_is_reached_in_either_direction(make_nlp: MakeNlp) -> None:
    """The schema has TrAP from treatment to problem, and here the problem sorts first."""
    nlp = make_nlp(schema="i2b2-2010", undirected=["TrAP"])
    note = (
        "Pain after Aspirin .",
        [("Pain", "problem"), ("Aspirin", "treatment")],
        [("TrAP", 1, 0)],
    )
    gold = make_gold(nlp, note)
    examples = [Example(nlp.get_pipe("sentencizer")(make_given(nlp, gold)), gold)]
    nlp.initialize(lambda: examples)
    relations = nlp.get_pipe("relations")
    assert relations.score(examples)["rel_unreachable"] == 0
    relations.thresholds = {"TrAP": 1e-12}
    (found,) = (
        item for item in relations(examples[0].predicted)._.relations if item["label"] == "TrAP"
    )
    assert (found["head"], found["tail"]) == ([0, 4, "problem"], [11, 18, "treatment"])


def test_a_large_doc_is_scored_in_bounded_chunks(make_nlp: MakeNlp) -> None:
    """500 entities under all pairs: 249,500 of them, no more than max_pairs at once."""
    nlp = make_nlp(candidates={"@misc": "spacy-bertlstm.AllPairs.v1"})
    examples = make_examples(nlp)
    nlp.initialize(
        lambda: examples,
    )
    relations = nlp.get_pipe("relations")
    seen = []
    scorer = relations.model.get_ref("scorer")
    forward = scorer._func

    def note(model: Model, X: tuple, is_train: bool) -> tuple:
        seen.append(len(X[1].pairs))
        return forward(model, X, is_train)

    scorer._func = note
    doc = Doc(nlp.vocab, words=["fever", "and"] * 500)
    doc.ents = [Span(doc, i, i + 1, "problem") for i in range(0, 1000, 2)]
    assert len(relations.decode([doc]).probabilities[0]) == sum(seen) == 249_500
    assert max(seen) == relations.model.attrs["max_pairs"] == 2048


@pytest.mark.parametrize(
    "config, code",
    [
        ({"train_on": "both"}, "BL357.*train_on.*gold, predicted"),
        ({"level": "document"}, "BL357.*level"),
        ({"level": "concept", "aggregate": "mean"}, "BL357.*aggregate.*max, noisy_or"),
        ({"threshold": 0.0}, "BL358.*threshold"),
        ({"negative_rate": 1.5}, "BL358.*negative_rate"),
        ({"loss_weight": -1.0}, "BL650.*loss_weight"),
    ],
)
def test_settings_that_cannot_be_are_coded_errors(
    config: dict[str, object], code: str, make_nlp: MakeNlp
) -> None:
    with pytest.raises(BertLstmError, match=code):
        make_nlp(**config)


def test_labels(make_nlp: MakeNlp) -> None:
    nlp = make_nlp()
    relations = nlp.get_pipe("relations")
    bare = [Example(nlp.make_doc("no pain"), nlp.make_doc("no pain"))]
    with pytest.raises(BertLstmError, match=r"BL355.*ner\.cfg.*initialize\.components\.relations"):
        nlp.initialize(lambda: bare)
    for wrong in (["PIP", "problem", ""], ["PIP", 7, "problem"]):
        with pytest.raises(BertLstmError, match="BL361"):
            relations.add_label(*wrong)
    for labels in (["PIP"], [["PIP", "problem"]]):
        with pytest.raises(BertLstmError, match="BL361"):
            relations.initialize(lambda: bare, labels=labels)
    relations.initialize(lambda: bare, labels=[["PIP", "problem", "problem"]])
    assert relations.labels == ("PIP",)
    assert relations.add_label("PIP", "problem", "problem") == 0
    with pytest.raises(BertLstmError, match="BL303"):
        relations.add_label("PIP", "test", "problem")
    with pytest.raises(BertLstmError, match="BL310"):
        relations.rehearse(bare)


def test_another_number_of_labels_in_the_config_is_a_coded_error(make_nlp: MakeNlp) -> None:
    nlp = make_nlp()
    relations = nlp.get_pipe("relations")
    relations.model.get_ref("output").set_dim("nO", 7)
    examples = make_examples(nlp)
    with pytest.raises(BertLstmError, match="BL356.*nO = 7.*4 labels"):
        nlp.initialize(lambda: examples)


def test_scores_that_are_not_finite_are_a_coded_error(
    trained: tuple[Language, list[Doc]],
) -> None:
    nlp, golds = trained
    nlp.get_pipe("relations").model.get_ref("output").get_param("b")[:] = numpy.nan
    with pytest.raises(BertLstmError, match="BL304"):
        nlp(make_given(nlp, golds[0]))
    with pytest.raises(BertLstmError, match="BL304"):
        nlp.update(make_examples(nlp))


# Words with the ids of their concepts; relations between ids.
ABSTRACTS = [
    (
        "Drugone was given . After drugone , rash was seen . Others had fever .",
        [("Drugone", "D1"), ("drugone", "D1"), ("rash", "P1"), ("fever", "P2")],
        [("D1", "P1")],
    ),
    (
        "Drugtwo and drugone . Fever from drugtwo . No rash .",
        [("Drugtwo", "D2"), ("drugone", "D1"), ("Fever", "P2"), ("drugtwo", "D2"), ("rash", "P1")],
        [("D2", "P2")],
    ),
    (
        "Drugs caused nausea . Swelling and cough had no cause .",
        [("Drugs", "D1|D2"), ("nausea", "P3"), ("Swelling", "-1"), ("cough", "")],
        [("D1", "P3"), ("D2", "P3")],
    ),
]


def make_abstract(nlp: Language, abstract: tuple) -> Doc:
    text, mentions, relations = abstract
    concepts = tuple(
        Concept(
            f"T{number}",
            "Chemical" if word.lower().startswith("drug") else "Disease",
            ((text.index(word), text.index(word) + len(word)),),
            kb_ids=tuple(filter(None, ids.split("|"))),
        )
        for number, (word, ids) in enumerate(mentions)
    )
    ties = tuple(Relation("CID", ends, level="concept") for ends in relations)
    record = Document(text[:7], text, concepts=concepts, relations=ties)
    return build_doc(record, nlp.tokenizer, LossReport())


@pytest.mark.parametrize("aggregate", ["max", "noisy_or"])
def test_concepts_of_a_whole_doc(aggregate: str, make_nlp: MakeNlp) -> None:
    nlp = make_nlp(level="concept", aggregate=aggregate)
    golds = [make_abstract(nlp, abstract) for abstract in ABSTRACTS]
    train(nlp, [Example(make_given(nlp, gold), gold) for gold in golds])
    relations = nlp.get_pipe("relations")
    assert relations.label_data == [["CID", "Chemical", "Disease"]]
    docs = list(nlp.pipe(make_given(nlp, gold) for gold in golds))
    for doc, (_, _, expected) in zip(docs, ABSTRACTS, strict=True):
        found = doc._.concept_relations
        assert [(r["head"], r["tail"]) for r in found] == expected
        assert {r["label"] for r in found} == {"CID"}
        assert not doc._.relations
    scores = nlp.evaluate([Example(make_given(nlp, gold), gold) for gold in golds])
    assert scores["rel_micro_f"] == 1.0 and scores["rel_unreachable"] == 0
    stored = DocBin(docs=docs, store_user_data=True).to_bytes()
    again = list(DocBin().from_bytes(stored).get_docs(nlp.vocab))
    assert [len(doc._.concept_relations) for doc in again] == [1, 1, 2]


def test_a_concept_is_judged_by_all_its_mentions(make_nlp: MakeNlp) -> None:
    nlp = make_nlp(level="concept", aggregate="noisy_or")
    golds = [make_abstract(nlp, abstract) for abstract in ABSTRACTS]
    nlp.initialize(lambda: [Example(make_given(nlp, gold), gold) for gold in golds])
    relations = nlp.get_pipe("relations")
    given = make_given(nlp, golds[0])
    decoding = relations.decode([given])
    (proposal,), (probabilities,) = decoding.proposals, decoding.probabilities
    assert [(proposal.ends[a], proposal.ends[b]) for a, b in proposal.units.tolist()] == [
        ("D1", "P1"),
        ("D1", "P2"),
    ]
    scores = relations.model.predict(([given], [proposal.candidates]))
    of_pairs = 1 / (1 + numpy.exp(-scores[:, 0].astype("float64")))
    spans = list(given.ents)
    for unit, tail in enumerate(("rash", "fever")):
        mine = [spans[b].text == tail for _, b in proposal.candidates.pairs.tolist()]
        assert sum(mine) == 2
        assert probabilities[unit, 0] == pytest.approx(1 - numpy.prod(1 - of_pairs[mine]))


def test_concepts_without_a_gold_record_teach_nothing(make_nlp: MakeNlp) -> None:
    nlp = make_nlp(level="concept")
    golds = [make_abstract(nlp, abstract) for abstract in ABSTRACTS]
    nlp.initialize(lambda: [Example(make_given(nlp, gold), gold) for gold in golds])
    bare = make_given(nlp, golds[0])
    assert nlp.update([Example(make_given(nlp, golds[0]), bare)])["relations"] == 0.0


def test_records_that_were_cut_have_no_relations_of_concepts(make_nlp: MakeNlp) -> None:
    nlp = make_nlp(level="concept")
    golds = [make_abstract(nlp, abstract) for abstract in ABSTRACTS]
    for gold in golds:
        nlp.get_pipe("sentencizer")(gold)
    parts = [part for gold in golds for part in cut_doc(gold, 6)]
    assert len(parts) > len(golds)
    with pytest.raises(BertLstmError, match="BL364"):
        nlp.initialize(lambda: [Example(make_given(nlp, part), part) for part in parts])


def test_the_component_pairs_concepts_over_sentences_by_default(make_nlp: MakeNlp) -> None:
    relations = make_nlp(level="concept").get_pipe("relations")
    assert isinstance(relations, BertLstmRelations)
    doc = Doc(relations.vocab, words=["a", "b", "c"])
    assert len(relations.candidates([doc[:1], doc[1:2], doc[2:3]])) == 6
