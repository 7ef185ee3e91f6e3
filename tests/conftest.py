"""What many tests share: a tiny BERT on disk, small Docs, and the configs' overrides."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Span
from spacy.training import Example
from transformers import BertConfig, BertModel, BertTokenizerFast

import spacy_bertlstm
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.build import set_line_sentences
from spacy_bertlstm.tokens.corpus import write_docs
from spacy_bertlstm.tokens.extensions import register_extensions

ROOT = Path(__file__).parent.parent
ENCODER = ROOT / "assets" / "all-MiniLM-L6-v2"
METRICS = ROOT / "metrics" / "test.json"

_WORDS = "the a of for with no was given has patient he she mg daily pain fever aspirin chest x ray"
_PIECES = [chr(code) for code in range(33, 127)] + [f"##{chr(code)}" for code in range(33, 127)]


def pytest_sessionstart() -> None:
    """Where the wheel is to be tested, make sure that it is the wheel which is."""
    if os.environ.get("SPACY_BERTLSTM_INSTALLED"):
        assert "site-packages" in Path(spacy_bertlstm.__file__).parts, spacy_bertlstm.__file__


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("encoder") and not ENCODER.is_dir():
            reason = "no encoder in assets/: run 'python -m spacy project run encoder'"
            item.add_marker(pytest.mark.skip(reason=reason))
        if item.get_closest_marker("demo") and not METRICS.is_file():
            reason = "no metrics/test.json: run 'make demo'"
            item.add_marker(pytest.mark.skip(reason=reason))
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA GPU on this machine"))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 2 layers, 16 wide, for 32 word pieces, with random weights."""
    folder = tmp_path_factory.mktemp("tiny_bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS.split(), *_PIECES]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def hash_encoder() -> dict[str, object]:
    """The config of spaCy's smallest encoder."""
    return {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "width": 8,
        "depth": 1,
        "embed_size": 50,
        "window_size": 1,
        "maxout_pieces": 2,
        "subword_features": False,
        "pretrained_vectors": None,
    }


@pytest.fixture
def ner_config(tiny_bert: Path) -> dict[str, object]:
    """Overrides that make configs/ner.cfg small."""
    return {
        "paths.encoder": str(tiny_bert),
        "components.ner.model.tok2vec.hidden_width": 8,
        "components.ner.model.tok2vec.dropout": 0.0,
        "components.ner.model.tok2vec.precision": "fp32",
        "components.transformer.model.get_spans.window": 8,
        "components.transformer.model.precision": "fp32",
    }


@pytest.fixture
def make_nlp(ner_config: dict[str, object]) -> Callable[..., Language]:
    """Build the pipeline of configs/ner.cfg, small."""

    def build(**overrides: object) -> Language:
        path = ROOT / "configs" / "ner.cfg"
        config = spacy.util.load_config(path, overrides={**ner_config, **overrides})
        config["paths"].update(train=None, dev=None)
        return spacy.util.load_model_from_config(config, auto_fill=True)

    return build


SENTENCES = [
    ("The patient has chest pain.", [(16, 26, "problem")]),
    ("He was given aspirin 81 mg daily for fever.", [(13, 20, "treatment"), (37, 42, "problem")]),
    ("A chest x ray was given.", [(0, 13, "test")]),
    ("No pain.", [(3, 7, "problem")]),
    ("She was given aspirin.", [(14, 21, "treatment")]),
    ("He has no fever.", [(10, 15, "problem")]),
]


@pytest.fixture
def make_examples() -> Callable[[Language], list[Example]]:
    """Gold-standard Examples of a few sentences."""

    def build(nlp: Language) -> list[Example]:
        return [
            Example.from_dict(nlp.make_doc(text), {"entities": entities})
            for text, entities in SENTENCES
        ]

    return build


@pytest.fixture(scope="session")
def write_corpus() -> Callable[[Path], Path]:
    """Write the sentences to a .spacy file, two a Doc, tokenized as in the pipeline.

    Problems are present, or absent behind "no". A treatment is for the problem in its sentence.
    """

    def extent(span: Span) -> list[int | str]:
        return [span.start_char, span.end_char, span.label_]

    def write(path: Path) -> Path:
        register_extensions()
        tokenizer = make_clinical_tokenizer()(spacy.blank("en"))
        docs = []
        for first, second in zip(SENTENCES[::2], SENTENCES[1::2], strict=True):
            doc = tokenizer(f"{first[0]}\n{second[0]}")
            shift = len(first[0]) + 1
            spans = first[1] + [(a + shift, b + shift, label) for a, b, label in second[1]]
            doc.ents = [doc.char_span(a, b, label=label) for a, b, label in spans]
            for ent in doc.ents:
                if ent.label_ == "problem":
                    negated = doc[ent.start - 1].lower_ == "no"
                    ent._.assertion = "absent" if negated else "present"
            set_line_sentences(doc)
            doc._.relations = [
                {"label": "TrAP", "head": extent(head), "tail": extent(tail)}
                for head in doc.ents
                for tail in doc.ents
                if (head.label_, tail.label_) == ("treatment", "problem") and head.sent == tail.sent
            ]
            docs.append(doc)
        write_docs(docs, path)
        return path

    return write


NOTES = [
    ("The patient has no pain. He was given aspirin.", "improving"),
    ("Chest x ray was given daily.", "stable"),
    ("She has fever and chest pain.", "worsening"),
    ("No fever. No pain.", "improving"),
    ("The aspirin was given for the patient.", "stable"),
    ("He has pain, fever of the chest.", "worsening"),
]


@pytest.fixture
def write_categories() -> Callable[[Path], Path]:
    """Write notes to a .spacy file, each of one of three categories."""

    def write(path: Path) -> Path:
        tokenizer = make_clinical_tokenizer()(spacy.blank("en"))
        docs = []
        for text, category in NOTES:
            doc = tokenizer(text)
            doc.cats = {label: float(label == category) for _, label in NOTES}
            docs.append(doc)
        write_docs(docs, path)
        return path

    return write


@pytest.fixture
def rng() -> numpy.random.Generator:
    return numpy.random.default_rng(0)
