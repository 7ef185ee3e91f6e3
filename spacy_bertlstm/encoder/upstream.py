"""Whether the vectors that a component listens to are there: spaCy would give it zeros."""

from collections.abc import Iterable

from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from spacy_transformers.layers import TransformerListener
from thinc.api import Model

from spacy_bertlstm.errors import BertLstmError


def require_upstream(model: Model, docs: Iterable[Doc], name: str) -> None:
    """Raise where a listener of a model would have to make vectors up.

    model (Model): Of a component that is about to be initialized or to predict.
    docs (Iterable[Doc]): What it is to predict on; none at initialization.
    name (str): The component's name.
    RAISES: BL322 (no vectors), BL323 (vectors of another width).
    """
    docs = [doc for doc in docs if len(doc)]
    for node in model.walk():
        if isinstance(node, TransformerListener):
            listened = "transformer"
            widths = [_transformer_width(doc) for doc in docs]
        elif isinstance(node, Tok2VecListener):
            listened = "tok2vec"
            widths = [doc.tensor.shape[1] if doc.tensor.size else None for doc in docs]
        else:
            continue
        upstream = listened if node.upstream_name == "*" else node.upstream_name
        if not node.has_dim("nO") or None in widths:
            raise BertLstmError("BL322", name=name, upstream=upstream)
        for width in widths:
            if width != node.get_dim("nO"):
                raise BertLstmError(
                    "BL323",
                    name=name,
                    upstream=upstream,
                    width=width,
                    expected=node.get_dim("nO"),
                )


def _transformer_width(doc: Doc) -> int | None:
    data = doc._.trf_data if Doc.has_extension("trf_data") else None
    return None if data is None else data.width
