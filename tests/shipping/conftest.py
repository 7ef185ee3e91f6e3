"""A small trained pipeline whose notes name a patient and a hospital."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.training import Example

from spacy_bertlstm.records import Document
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.corpus import write_docs
from spacy_bertlstm.tokens.extensions import register_extensions, set_record

NAME = "Zbigniewska"
NUMBER = "MRN-7741903"
HOSPITAL = "szpital-bielany"
HEADER = f"Mrs {NAME} , {NUMBER} , Łódź .\n"


@pytest.fixture
def notes(tmp_path: Path, make_examples: Callable[[Language], list[Example]]) -> Path:
    """A .spacy file with the patient's name, number and town in each note."""
    register_extensions()
    nlp = spacy.blank("en")
    nlp.tokenizer = make_clinical_tokenizer()(nlp)
    docs = []
    for i, example in enumerate(make_examples(nlp)):
        doc = nlp.make_doc(HEADER + example.reference.text)
        shift = len(HEADER)
        doc.ents = [
            doc.char_span(ent.start_char + shift, ent.end_char + shift, label=ent.label_)
            for ent in example.reference.ents
        ]
        set_record(doc, Document(id=f"kowalczyk-{i}", text=doc.text))
        docs.append(doc)
    path = tmp_path / HOSPITAL / "train.spacy"
    write_docs(docs, path)
    return path


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the one training leaves its pipeline."""
    return tmp_path_factory.mktemp("once")


@pytest.fixture
def trained(
    tmp_path: Path,
    once: Path,
    notes: Path,
    tiny_bert: Path,
    make_nlp: Callable[..., Language],
    make_examples: Callable[[Language], list[Example]],
) -> Path:
    """A trained pipeline as `spacy train` writes it, which has seen the notes."""
    if not (once / "model").exists():
        spacy.util.fix_random_seed(0)
        nlp = make_nlp()
        examples = make_examples(nlp)
        optimizer = nlp.initialize(lambda: examples)
        nlp.update(examples, sgd=optimizer, annotates=["sentences"])
        nlp(HEADER)
        nlp.config["paths"].update(train=str(notes), dev=str(notes), encoder=str(tiny_bert))
        nlp.config["initialize"]["vocab_data"] = str(notes.parent / "words.jsonl")
        nlp.to_disk(once / "model")
    shutil.copytree(once / "model", tmp_path / "model")
    return tmp_path / "model"
