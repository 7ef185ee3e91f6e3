from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import spacy
from spacy.language import Language
from thinc.api import Model

from spacy_bertlstm.encoder.transformer import build_transformer_model, count_positions
from spacy_bertlstm.encoder.windows import make_sentence_windows
from spacy_bertlstm.errors import BertLstmError


@pytest.fixture
def model(tiny_bert: Path) -> Model:
    model = build_transformer_model(str(tiny_bert), make_sentence_windows(1000))
    model.initialize()
    return model


def test_windows_that_the_encoder_cannot_take_are_halved(model: Model) -> None:
    """200 tokens in one sentence, 30 word pieces a window: nothing is cut off."""
    nlp = spacy.blank("en")
    doc = nlp("pain " * 100 + "xyz " * 100)
    doc[0].is_sent_start = True
    for token in doc[1:]:
        token.is_sent_start = False
    assert count_positions(model) == 30
    output = model.predict([doc])
    (spans,) = output.spans
    assert [token.i for span in spans for token in span] == list(range(200))
    assert output.wordpieces.input_ids.shape[1] <= 32
    (data,) = output.doc_data
    assert (data.align.lengths > 0).all()


def test_the_stock_model_cuts_such_windows(tiny_bert: Path) -> None:
    """What the test above would find if windows were not halved."""
    stock = spacy.registry.architectures.get("spacy-transformers.TransformerModel.v3")(
        str(tiny_bert), make_sentence_windows(1000), {}, {}, False, {}
    )
    stock.initialize()
    doc = spacy.blank("en")("pain " * 100)
    (data,) = stock.predict([doc]).doc_data
    assert (data.align.lengths == 0).any()


def test_an_encoder_that_cannot_be_loaded_is_a_coded_error(tmp_path: Path) -> None:
    model = build_transformer_model(str(tmp_path / "none"), make_sentence_windows(9))
    with pytest.raises(BertLstmError, match="BL307.*project run encoder"):
        model.initialize()


def test_an_encoder_without_room_is_a_coded_error(model: Model) -> None:
    model.tokenizer.model_max_length = 2
    with pytest.raises(BertLstmError, match="BL306"):
        count_positions(model)


def test_long_tokens_and_long_docs_pass(make_nlp: Callable[..., Language]) -> None:
    nlp = make_nlp()
    nlp.get_pipe("ner").add_label("problem")
    nlp.get_pipe("ner").add_label("test")
    nlp.initialize()
    texts = ["", "x", "pain", "y" * 3000, "pain " * 2000, "no\n\n\npain\n", " \n "]
    for text, doc in zip(texts, nlp.pipe(texts), strict=True):
        assert doc.text == text
        assert doc._.trf_data is None  # cleaned away


def test_a_doc_gives_the_same_alone_and_in_a_batch(make_nlp: Callable[..., Language]) -> None:
    nlp = make_nlp()
    nlp.get_pipe("ner").add_label("problem")
    nlp.initialize()
    texts = ["pain .", "the patient has no fever .\nhe was given aspirin .", "x " * 90, "pain"]

    def scores(batch: list[str]) -> list[numpy.ndarray]:
        docs = [nlp.get_pipe("sentences")(nlp.make_doc(text)) for text in batch]
        transformer = nlp.get_pipe("transformer")
        transformer.set_annotations(docs, transformer.predict(docs))
        return nlp.get_pipe("ner").model.predict(docs).emissions

    for text, together in zip(texts, scores(texts), strict=True):
        (alone,) = scores([text])
        numpy.testing.assert_allclose(alone, together, atol=1e-5)
