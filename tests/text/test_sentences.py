import pickle
import time
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertlstm.text.sentences import ClinicalSentenceSplitter, find_sentence_starts
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer


def make_nlp(**config: bool) -> Language:
    nlp = spacy.blank("en")
    nlp.tokenizer = make_clinical_tokenizer()(nlp)
    nlp.add_pipe("bertlstm_sentences", config=config)
    return nlp


NLP = make_nlp()

# "‖" stands where a sentence starts, the first one left out.
CASES = [
    # terminal marks
    "She has pain. ‖She has fever! ‖Why? ‖Unknown.",
    "Stable.  ‖Go home.",
    "Stable.\n‖Go home.",
    "Was well (see below). ‖Then not.",
    'Said "fine." ‖Then left.',
    "It is low. ‖(It was high.) ‖So be it.",
    "Well. ‖[**Name**] came.",
    "Well. ‖**NAME[AAA] came.",
    "Seen by day. ‖5 days later home.",
    "Was seen... ‖Then left.",
    "Was seen ... and left.",
    "Fever of 38.5 and 39. ‖Cough.",
    "Na 3.5 K 4.5",
    "the dose. then more",
    "r/o pneumonia ? embolus",
    "fever.The patient",
    # abbreviations
    "Seen by Dr. Roe and Mr. Doe. ‖Left.",
    "DR. ROE SAW MRS. DOE. ‖SHE LEFT.",
    "Has severe MR. ‖Valves are thick.",
    "Right vs. Left",
    "Took 5 mg p.o. q.d. with food",
    "Took 5 mg p.o. q.d. ‖He slept.",
    "Took 5 mg p.o. b.i.d. Lasix",
    "Marker No. 5 of it",
    "Smoking: No. ‖Alcohol: none.",
    "See Fig. 2 and p. 3",
    "approx. 5 days, e.g. Monday, i.e. Tuesday",
    "J. A. Roe came",
    "Low vitamin D. ‖The dose rose.",
    "At St. Mary",
    "Was 0.5 U/L. ‖Fever came.",
    "Gave 2 L. ‖Fever came.",
    "John Roe Jr. ‖He left.",
    "In Jan. Fever came",
    "Roe et al. Lancet",
    # lines
    "one\n‖two",
    "one\r\n‖two",
    "one\n\n‖two",
    "one \n \t\n‖two",
    "\n\n one\n ‖two",
    "MEDICATIONS:\n‖aspirin",
    "1. Aspirin\n‖2. Lasix\n‖3) Iron\n‖- Zinc\n‖* Tin\n‖#1 Lead\n‖#2. Gold",
    "A. Patient well",
    "the patient was seen in the clinic with a long\nhistory of pain",
    "the patient was seen in the clinic with a long-\nstanding pain",
    "the patient was seen in the clinic and was\n80 mg",
    "the patient was seen in the clinic by her own Dr.\nRoe, and left",
    "the patient was seen in the clinic with a long.\n‖history of pain",
    "the patient was seen in the clinic and reports:\n‖history of pain",
    "the patient was seen in the clinic with a long\n‖- history of pain",
    "the patient was seen in the clinic with a long\n‖1. history of pain",
    "the patient was seen in the clinic with a long\n\n‖history of pain",
    "the patient was seen in the clinic with a pain\n‖History of pain",
    "short line\n‖goes on",
    # The first line had room for the next word: it was ended on purpose.
    "the patient was seen in the clinic with pain\n‖pain was lasting and sharp and worse at night "
    "than by day",
    # pre-tokenized
    "She has pain .\n‖she has 2 mg q.d. .\n‖No fever .",
    "She saw Dr . Roe . ‖Then left .",
    "Well ( today . ) ‖Then left .",
    "",
    " ",
    "\n",
    ".",
    ". . .",
]


@pytest.mark.parametrize("marked", CASES)
def test_sentence_starts(marked: str) -> None:
    text = marked.replace("‖", "")
    expected, offset = [], 0
    for piece in marked.split("‖")[:-1]:
        offset += len(piece)
        expected.append(offset)
    assert find_sentence_starts(text)[1:] == expected
    doc = NLP(text)
    assert [token.idx for token in doc if token.is_sent_start] == ([0] if len(doc) else []) + (
        expected
    )
    assert "".join(sent.text_with_ws for sent in doc.sents) == text


@given(st.text() | st.text("aA1. ?!\n\r\t()\"'-#:,q"))
def test_starts_are_visible_and_ascending(text: str) -> None:
    starts = find_sentence_starts(text)
    assert starts == sorted(set(starts))
    assert all(not text[start].isspace() for start in starts)
    doc = NLP(text)
    assert "".join(sent.text_with_ws for sent in doc.sents) == text
    assert all(token.is_sent_start is not None for token in doc)


def test_blank_tokens_belong_to_the_sentence_before() -> None:
    doc = NLP("\n one.\n\n two. Three")
    assert [[token.text for token in sent] for sent in doc.sents] == [
        ["\n ", "one", ".", "\n\n "],
        ["two", "."],
        ["Three"],
    ]


def test_start_inside_a_token_is_none() -> None:
    doc = Doc(NLP.vocab, words=["one", "two. Three", "four"])
    assert [token.is_sent_start for token in ClinicalSentenceSplitter()(doc)] == [
        True,
        False,
        False,
    ]


def test_works_on_other_tokenization() -> None:
    text = "Seen by Dr. Roe. Took 5 mg q.d. He left."
    doc = Doc(NLP.vocab, words=text.split())
    assert [sent.text for sent in ClinicalSentenceSplitter()(doc).sents] == [
        "Seen by Dr. Roe.",
        "Took 5 mg q.d.",
        "He left.",
    ]


@pytest.mark.parametrize("overwrite", [False, True])
def test_overwrite(overwrite: bool) -> None:
    doc = NLP.make_doc("one two. Three four.")
    doc[1].is_sent_start = True
    doc[3].is_sent_start = False
    ClinicalSentenceSplitter(overwrite=overwrite)(doc)
    assert [token.i for token in doc if token.is_sent_start] == ([0, 3] if overwrite else [0, 1])


def test_pipe_gives_what_single_docs_give() -> None:
    texts = [marked.replace("‖", "") for marked in CASES]
    for piped, text in zip(NLP.pipe(texts, batch_size=7), texts, strict=True):
        single = NLP(text)
        assert [t.is_sent_start for t in piped] == [t.is_sent_start for t in single]


def test_predict_leaves_the_doc_alone() -> None:
    doc = NLP.make_doc("One. Two.")
    component = ClinicalSentenceSplitter()
    (starts,) = component.predict([doc])
    assert starts.tolist() == [True, False, True, False]
    assert not doc.has_annotation("SENT_START")
    component.set_annotations([doc], [starts])
    assert len(list(doc.sents)) == 2


def test_score() -> None:
    gold = NLP("One. Two.")
    example = Example(NLP.make_doc(gold.text), gold)
    scores = NLP.evaluate([example])
    assert scores["sents_f"] == 1.0
    assert NLP.get_pipe("bertlstm_sentences").scorer is not None


def test_serialization(tmp_path: Path) -> None:
    component = ClinicalSentenceSplitter(overwrite=True)
    assert ClinicalSentenceSplitter().from_bytes(component.to_bytes()).overwrite
    component.to_disk(tmp_path / "component")
    assert ClinicalSentenceSplitter().from_disk(tmp_path / "component").overwrite
    nlp = make_nlp(overwrite=True)
    nlp.to_disk(tmp_path / "nlp")
    loaded = make_nlp().from_disk(tmp_path / "nlp")
    assert loaded.get_pipe("bertlstm_sentences").overwrite
    assert nlp.config["components"]["bertlstm_sentences"]["overwrite"]
    assert pickle.loads(pickle.dumps(component)).overwrite


@pytest.mark.parametrize(
    "unit",
    [".", ". ", ".)", ". (", ". ((", "a. ", "A. ", "a. B", "1. ", '." ', "Dr. A", "a\n", " ", "("]
    + ["a " * 30 + "\n", "#1. A\n", ". - "],
)
def test_time_is_linear(unit: str) -> None:
    size = 100_000
    texts = [(unit * size)[:size], "A. " + " " * size + unit * 1000, "A. " + unit * 1000]
    begin = time.perf_counter()
    for text in texts:
        find_sentence_starts(text)
    # A quadratic pattern takes minutes.
    assert time.perf_counter() - begin < 5
