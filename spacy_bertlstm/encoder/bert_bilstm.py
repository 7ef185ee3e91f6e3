"""BertBiLSTM: a stacked BiLSTM over a transformer's token vectors, or over any others."""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from spacy.util import replace_model_node
from spacy_transformers.layers import TransformerListener
from thinc.api import Model, chain
from thinc.types import Floats2d

from spacy_bertlstm.encoder.bilstm import first_width, stacked_bilstm
from spacy_bertlstm.encoder.precision import Precision, read_precision
from spacy_bertlstm.errors import BertLstmError

# An LSTM's gradients are too small for fp16, and its steps too small for int8 to pay.
_PRECISIONS = (Precision.auto, Precision.fp32, Precision.bf16)

Vectors = list[Floats2d]


def build_bert_bilstm(
    tok2vec: Model[list[Doc], list[Floats2d]],
    hidden_width: int = 256,
    depth: int = 2,
    dropout: float = 0.3,
    join_input: bool = False,
    precision: str = "fp32",
) -> Model[list[Doc], list[Floats2d]]:
    """A BiLSTM that runs over each whole Doc, on top of any model of token vectors.

    tok2vec (Model[list[Doc], list[Floats2d]]): Usually a
        spacy-transformers.TransformerListener.v1; for a BiLSTM without a transformer, for
        example spacy.MultiHashEmbed.v2.
    hidden_width (int): LSTM units each way.
    depth (int): LSTM layers.
    dropout (float): Between the LSTM's layers and on its output, in training.
        `training.dropout` reaches neither: it is set here alone.
    join_input (bool): Whether the vectors that the LSTM reads are put behind its own.
    precision (str): In which the LSTM multiplies: "auto" (bf16 where the hardware has it), "fp32"
        or "bf16". Its weights are fp32.
    RETURNS (Model[list[Doc], list[Floats2d]]): One vector of 2 * hidden_width a token, and
        of the input's width more where this is joined.
    RAISES: BL324 (a BiLSTM without layers or units), BL325 (no such precision).
    """
    if hidden_width < 1 or depth < 1:
        raise BertLstmError("BL324", hidden_width=hidden_width, depth=depth)
    bilstm = stacked_bilstm(
        hidden_width, depth, dropout, read_precision(precision, known=_PRECISIONS)
    )
    model: Model[list[Doc], list[Floats2d]] = chain(
        tok2vec, with_input(bilstm) if join_input else bilstm
    )
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("bilstm", bilstm)
    model.attrs["replace_listener"] = relisten
    return model


def with_input(layer: Model[Vectors, Vectors]) -> Model[Vectors, Vectors]:
    """Put a layer's input behind its output, vector by vector.

    layer (Model[list[Floats2d], list[Floats2d]]): Knows the width of its output.
    """
    return Model(f"with_input({layer.name})", forward, init=init, layers=[layer], dims={"nO": None})


def forward(
    model: Model[Vectors, Vectors], Xs: Vectors, is_train: bool
) -> tuple[Vectors, Callable[[Vectors], Vectors]]:
    layer = model.layers[0]
    width = layer.get_dim("nO")
    Ys, backprop_layer = layer(Xs, is_train)

    def join(Y: Floats2d, X: Floats2d) -> Floats2d:
        # A Doc without tokens may come without a width.
        if not len(X):
            return model.ops.alloc2f(0, model.get_dim("nO"))
        return model.ops.xp.concatenate([Y, X], axis=1)

    def backprop(dYs: Vectors) -> Vectors:
        dXs = backprop_layer([dY[:, :width] for dY in dYs])
        return [dX + dY[:, width:] if len(dY) else dX for dX, dY in zip(dXs, dYs, strict=True)]

    return [join(Y, X) for Y, X in zip(Ys, Xs, strict=True)], backprop


def init(model: Model[Vectors, Vectors], X: Vectors | None = None, Y: Any = None) -> None:
    layer = model.layers[0]
    layer.initialize(X=X)
    if X is not None:
        model.set_dim("nO", layer.get_dim("nO") + first_width(X))


def relisten(
    copied: Model[list[Doc], Vectors], listener: Model, tok2vec: Any
) -> Model[list[Doc], Vectors]:
    """Give a copy of a shared BiLSTM, which `nlp.replace_listeners` made, its own listeners.

    thinc copies a listener to a plain Model, which no transformer would find.

    copied (Model): The copy.
    listener (Model): What it is to replace.
    tok2vec (Tok2Vec): The component with the original.
    """
    for old, new in zip(list(tok2vec.model.walk()), list(copied.walk()), strict=True):
        if isinstance(old, TransformerListener):
            own = TransformerListener(old.upstream_name)
            if old.has_dim("nO"):
                own.set_dim("nO", old.get_dim("nO"))
            replace_model_node(copied, new, own)
    return copied
