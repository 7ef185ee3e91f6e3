"""The default encoder itself: its file, its 512 word pieces, and equal vectors in any batch."""

import runpy
from pathlib import Path

import numpy
import pytest
import spacy
from spacy.tokens import Doc
from thinc.api import Model

from spacy_bertlstm.encoder.transformer import build_transformer_model, count_positions
from spacy_bertlstm.encoder.windows import make_sentence_windows
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer

ROOT = Path(__file__).parents[2]
ENCODER = ROOT / "assets" / "all-MiniLM-L6-v2"
TOKENIZER = make_clinical_tokenizer()(spacy.blank("en"))

pytestmark = pytest.mark.encoder


@pytest.fixture(scope="module")
def model() -> Model:
    model = build_transformer_model(str(ENCODER), make_sentence_windows(96))
    model.initialize()
    return model


def one_sentence(text: str) -> Doc:
    doc = TOKENIZER(text)
    for token in doc:
        token.is_sent_start = token.i == 0
    return doc


def token_vectors(model: Model, docs: list[Doc]) -> list[numpy.ndarray]:
    """The mean of each token's word pieces, one (length, 384) array a Doc."""
    vectors = []
    for data in model.predict(docs).doc_data:
        pieces = data.model_output.last_hidden_state.reshape(-1, 384)
        starts = numpy.cumsum(data.align.lengths) - data.align.lengths
        vectors.append(
            numpy.stack(
                [
                    pieces[data.align.data.ravel()[start : start + length]].mean(axis=0)
                    for start, length in zip(starts, data.align.lengths, strict=True)
                ]
            )
        )
    return vectors


def test_the_weights_are_the_published_ones() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "fetch_encoder.py"))
    assert script["is_sound"](ENCODER / "model.safetensors")


def test_a_sentence_over_512_word_pieces_loses_no_token(model: Model) -> None:
    doc = one_sentence("hypercholesterolemia and esophagogastroduodenoscopy " * 100)
    assert count_positions(model) == 510
    assert len(model.tokenizer(doc.text, verbose=False)["input_ids"]) > 1024
    (data,) = model.predict([doc]).doc_data
    assert (data.align.lengths > 0).all()


def test_a_doc_gives_the_same_alone_and_in_a_batch(model: Model) -> None:
    texts = ["No fever .", "Chest pain , treated with aspirin 81 mg p.o. q.d. " * 30, "HTN"]
    docs = [one_sentence(text.strip()) for text in texts]
    for doc, together in zip(docs, token_vectors(model, docs), strict=True):
        (alone,) = token_vectors(model, [doc])
        numpy.testing.assert_allclose(alone, together, atol=1e-5)
