"""The transformer model: spacy-transformers' own, with windows that are never truncated."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError
from spacy.tokens import Doc, Span
from spacy.util import SimpleFrozenDict
from spacy_transformers.data_classes import FullTransformerBatch
from spacy_transformers.layers import TransformerModel
from spacy_transformers.layers.transformer_model import init as load_pretrained
from thinc.api import Model

from spacy_bertlstm.encoder.windows import SpanGetter, split_to_fit
from spacy_bertlstm.errors import BertLstmError

_NOTHING: Mapping[str, Any] = SimpleFrozenDict()

# What transformers raises on a folder that is none, lacks files, or holds broken ones.
_NOT_LOADABLE = (OSError, ValueError, ImportError, RuntimeError, SafetensorError)


def build_transformer_model(
    name: str,
    get_spans: SpanGetter,
    tokenizer_config: Mapping[str, Any] = _NOTHING,
    transformer_config: Mapping[str, Any] = _NOTHING,
    mixed_precision: bool = False,
    grad_scaler_config: Mapping[str, Any] = _NOTHING,
) -> Model[list[Doc], FullTransformerBatch]:
    """A transformer that halves the windows it cannot take instead of truncating them.

    The arguments are those of spacy-transformers.TransformerModel.v3, whose place it takes
    in the `transformer` factory.

    name (str): The folder of a Hugging Face model, or its name on the hub.
    get_spans (SpanGetter): Windows of each Doc.
    RETURNS (Model[list[Doc], FullTransformerBatch]): Loads its weights at initialization.
    RAISES: BL306 (an encoder that takes hardly any word pieces), BL307 (not loadable).
    """
    model = TransformerModel(
        name,
        get_spans,
        dict(tokenizer_config),
        dict(transformer_config),
        mixed_precision,
        dict(grad_scaler_config),
    )
    model.attrs["get_spans"] = FittingWindows(get_spans, model)
    model.init = init
    return model


@dataclass(frozen=True)
class FittingWindows:
    """Halves the windows of a span getter that a transformer cannot take.

    get_spans (SpanGetter): Windows of each Doc.
    model (TransformerModel): Whose tokenizer counts the word pieces.
    """

    get_spans: SpanGetter
    model: TransformerModel

    def __call__(self, docs: Iterable[Doc]) -> list[list[Span]]:
        limit = count_positions(self.model)
        return [
            split_to_fit(spans, lambda span: _fits(self.model.tokenizer, span.text, limit))
            for spans in self.get_spans(docs)
        ]


def init(model: TransformerModel, X: Any = None, Y: Any = None) -> None:
    try:
        load_pretrained(model, X=X, Y=Y)
    except _NOT_LOADABLE as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise BertLstmError("BL307", name=model.attrs["name"], reason=reason) from error


def count_positions(model: TransformerModel) -> int:
    """How many word pieces of text an initialized encoder takes at once.

    model (TransformerModel): With tokenizer and weights loaded.
    RETURNS (int): Special word pieces not counted.
    RAISES: BL306.
    """
    limit: int = model.tokenizer.model_max_length
    positions = getattr(model.transformer.config, "max_position_embeddings", None) or limit
    # RoBERTa and its kin count positions from behind the padding index.
    table = getattr(getattr(model.transformer, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    if padding is not None:
        positions -= padding + 1
    special: int = model.tokenizer.num_special_tokens_to_add()
    limit = min(limit, positions)
    if limit - special < 1:
        raise BertLstmError("BL306", limit=limit, special=special)
    return limit - special


def _fits(tokenizer: Any, text: str, limit: int) -> bool:
    # A word piece covers at least one byte, so most windows need no counting.
    if len(text.encode("utf-8")) < limit:
        return True
    return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) <= limit
