"""Categories are scored as spaCy's scorer scores them, and the figures stand in their intervals."""

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.scorer import Scorer
from spacy.training import Example

from spacy_bertlstm.evaluation.bootstrap import Interval
from spacy_bertlstm.evaluation.categories import _auc, report_categories

LABELS = ("better", "same", "worse")


def make_examples(nlp: Language, rng: numpy.random.Generator, *, exclusive: bool) -> list[Example]:
    examples = []
    for number in range(40):
        predicted, reference = nlp.make_doc("Note."), nlp.make_doc("Note.")
        # Few different scores, so that there are ties.
        scores = rng.integers(1, 5, size=3) / 5
        gold = numpy.eye(3)[rng.integers(3)] if exclusive else rng.integers(2, size=3)
        if exclusive:
            scores = scores + 0.4 * gold
            scores = scores / scores.sum()
        predicted.cats = dict(zip(LABELS, scores.tolist(), strict=True))
        if number % 8:
            reference.cats = dict(zip(LABELS, gold.astype(float).tolist(), strict=True))
        if number % 5 == 0 and not exclusive:
            reference.cats.pop("same", None)
        examples.append(Example(predicted, reference))
    return examples


@pytest.fixture(params=[True, False], ids=["exclusive", "multilabel"])
def exclusive(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture
def nlp(exclusive: bool) -> Language:
    nlp = spacy.blank("en")
    pipe = nlp.add_pipe("textcat" if exclusive else "textcat_multilabel")
    for label in LABELS:
        pipe.add_label(label)
    return nlp


def test_the_figures_are_spacys(
    nlp: Language, exclusive: bool, rng: numpy.random.Generator
) -> None:
    examples = make_examples(nlp, rng, exclusive=exclusive)
    (report,) = report_categories(nlp, examples, samples=200, seed=0)
    assert report is not None
    judged = [example for example in examples if example.reference.cats]
    expected = Scorer.score_cats(
        judged,
        "cats",
        labels=LABELS,
        multi_label=not exclusive,
        threshold=nlp.pipeline[0][1].cfg["threshold"],
    )
    for label, row in expected["cats_f_per_type"].items():
        for key, column in zip("prf", ("P", "R", "F1"), strict=True):
            assert report.rows[label][column].estimate == pytest.approx(row[key])
        auc = expected["cats_auc_per_type"][label]
        assert report.rows[label]["AUC"].estimate == pytest.approx(auc)
    for key, interval in report.scores.items():
        assert interval.low <= interval.estimate <= interval.high
        assert interval.low < interval.high
        if key != "cats_accuracy":
            assert interval.estimate == pytest.approx(expected[key])
    if exclusive:
        assert report.figures["accuracy"].estimate == pytest.approx(expected["cats_micro_f"])
    assert report.title.startswith(f"{len(judged)} Docs")


def test_accuracy_wants_all_labels_of_a_text(nlp: Language, exclusive: bool) -> None:
    examples = []
    for scores in ((0.6, 0.3, 0.1), (0.6, 0.7, 0.1)):
        predicted, reference = nlp.make_doc("Note."), nlp.make_doc("Note.")
        predicted.cats = dict(zip(LABELS, scores, strict=True))
        reference.cats = {"better": 1.0, "same": 0.0, "worse": 0.0}
        examples.append(Example(predicted, reference))
    (report,) = report_categories(nlp, examples, samples=10, seed=0)
    assert report is not None
    assert report.figures["accuracy"].estimate == 0.5
    assert report.rows["worse"]["F1"] == Interval(0.0, 0.0, 0.0)


def test_docs_without_categories_give_no_report(nlp: Language) -> None:
    doc = nlp.make_doc("Note.")
    assert report_categories(nlp, [Example(doc, doc.copy())], samples=10, seed=0) == []


def test_auc_counts_pairs(rng: numpy.random.Generator) -> None:
    scores, gold = rng.integers(4, size=12) / 4, rng.integers(2, size=12).astype(float)
    gold[3] = numpy.nan
    draws = rng.integers(3, size=(5, 12))
    for row, found in zip(draws, _auc(draws, scores, gold), strict=True):
        having = [(s, n) for s, g, n in zip(scores, gold, row, strict=True) if g == 1]
        lacking = [(s, n) for s, g, n in zip(scores, gold, row, strict=True) if g == 0]
        pairs = [(m * n, (s > t) + (s == t) / 2) for s, m in having for t, n in lacking]
        assert found == pytest.approx(sum(n * x for n, x in pairs) / sum(n for n, _ in pairs))
