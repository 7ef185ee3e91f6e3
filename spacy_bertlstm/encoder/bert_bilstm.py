"""BertBiLSTM: a stacked BiLSTM over a transformer's token vectors."""

from spacy.tokens import Doc
from thinc.api import Model, chain
from thinc.types import Floats2d

from spacy_bertlstm.encoder.bilstm import stacked_bilstm


def build_bert_bilstm(
    tok2vec: Model[list[Doc], list[Floats2d]],
    hidden_width: int = 256,
    depth: int = 2,
    dropout: float = 0.3,
) -> Model[list[Doc], list[Floats2d]]:
    """A BiLSTM that runs over each whole Doc, on top of any model of token vectors.

    tok2vec (Model[list[Doc], list[Floats2d]]): Usually a
        spacy-transformers.TransformerListener.v1.
    hidden_width (int): LSTM units each way.
    depth (int): LSTM layers.
    dropout (float): Between the LSTM's layers and on its output, in training.
        `training.dropout` reaches neither: it is set here alone.
    RETURNS (Model[list[Doc], list[Floats2d]]): One vector of 2 * hidden_width a token.
    """
    bilstm = stacked_bilstm(hidden_width, depth, dropout)
    model: Model[list[Doc], list[Floats2d]] = chain(tok2vec, bilstm)
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("bilstm", bilstm)
    return model
