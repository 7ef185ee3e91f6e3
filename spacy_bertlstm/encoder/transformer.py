"""The transformer model: Docs to vectors of word pieces, nothing truncated, memory bounded."""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError
from spacy.tokens import Doc, Span
from spacy.util import SimpleFrozenDict
from spacy_transformers.data_classes import FullTransformerBatch, HFObjects, TransformerData
from spacy_transformers.layers import split_trf_batch, trfs2arrays
from spacy_transformers.layers.transformer_model import set_pytorch_transformer
from thinc.api import Model, chain, get_array_module, get_torch_default_device, torch2xp, xp2torch
from thinc.types import Floats2d, Floats3d, Ragged
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import ModelOutput

from spacy_bertlstm.encoder.budget import BudgetShim, budgeted_encoder, start_mix
from spacy_bertlstm.encoder.pieces import Pieces, cut_pieces, tokenize
from spacy_bertlstm.encoder.precision import Precision, read_precision
from spacy_bertlstm.encoder.windows import SpanGetter, split_to_fit
from spacy_bertlstm.errors import BertLstmError, first_line
from spacy_bertlstm.threads import require_own_threads

_NOTHING: Mapping[str, Any] = SimpleFrozenDict()
# The longest run, for encoders that name no limit of their own or a higher one.
_MOST_PIECES = 8192

# What transformers raises on a folder that is none, lacks files, or holds broken ones.
_NOT_LOADABLE = (OSError, ValueError, ImportError, RuntimeError, SafetensorError)


def build_transformer_model(
    name: str,
    get_spans: SpanGetter,
    tokenizer_config: Mapping[str, Any] = _NOTHING,
    transformer_config: Mapping[str, Any] = _NOTHING,
    mixed_precision: bool = False,
    grad_scaler_config: Mapping[str, Any] = _NOTHING,
    max_pieces: int = 8192,
    precision: str = "fp32",
    mix_layers: bool = False,
) -> Model[list[Doc], FullTransformerBatch]:
    """A transformer for spaCy's `transformer` component that leaves no text out.

    Windows that the encoder cannot take are halved; the memory that it needs depends on
    `max_pieces` and not on the length of a note, and the output does not depend on
    `max_pieces`. The other arguments are those of spacy-transformers.TransformerModel.v3,
    whose place it takes; of the encoder's outputs it gives hidden states alone.

    name (str): The folder of a Hugging Face model, or its name on the hub.
    get_spans (SpanGetter): Windows of each Doc, which together hold every token.
    max_pieces (int): The most word pieces, padding included, that the encoder works on at
        once; a single window of more goes through alone. Training on a batch of more computes
        the encoder's activations twice.
    precision (str): Of the matrix products: "auto" (the fastest that the hardware has), "fp32",
        "bf16", "fp16" (of a GPU), for which `mixed_precision` is another name, or "int8" (in
        use, of a CPU).
    mix_layers (bool): Whether the output is a mix of the hidden states behind the embeddings and
        behind each layer, by shares that are learned, in the place of the last ones.
    RETURNS (Model[list[Doc], FullTransformerBatch]): Loads its weights at initialization.
    RAISES: BL325 (no such precision), BL327 (`max_pieces` below 1); at initialization BL306 (an
        encoder that takes hardly any word pieces), BL307 (not loadable), BL321 (its tokenizer gives
        no offsets); when run BL326 (weights of another `mix_layers`).
    """
    require_own_threads()
    if max_pieces < 1:
        raise BertLstmError("BL327", max_pieces=max_pieces)
    shim = BudgetShim(
        HFObjects(None, None, None, dict(tokenizer_config), dict(transformer_config)),
        max_pieces=max_pieces,
        precision=Precision.fp16 if mixed_precision else read_precision(precision),
        grad_scaler_config=dict(grad_scaler_config),
    )
    attrs = {
        "get_spans": get_spans,
        "name": name,
        "set_transformer": set_pytorch_transformer,
        "has_transformer": False,
        "replace_listener": replace_listener,
        "replace_listener_cfg": replace_listener_config,
    }
    return TransformerModel(budgeted_encoder(shim, mix_layers=mix_layers), attrs)


def build_transformer_tok2vec(
    transformer: Model[list[Doc], FullTransformerBatch],
    pooling: Model[Ragged, Floats2d],
    grad_factor: float = 1.0,
) -> Model[list[Doc], list[Floats2d]]:
    """A transformer of a component's own, where else a listener stands.

    `nlp.replace_listeners` puts it into the config.

    transformer (Model[list[Doc], FullTransformerBatch]): Usually
        spacy-bertlstm.TransformerModel.v1.
    pooling (Model[Ragged, Floats2d]): From the vectors of a token's word pieces to its own.
    grad_factor (float): What the gradient is multiplied by on its way to the transformer.
    """
    # The layers stand as they do where replace_listener has put a transformer.
    return chain(replace_listener(transformer), trfs2arrays(pooling, grad_factor))


class TransformerModel(Model[list[Doc], FullTransformerBatch]):
    """A model with the surface of spacy-transformers' TransformerModel.

    encoder (Model[Pieces, Tensor]): Holds the Hugging Face encoder and its tokenizer.
    attrs (dict): What spaCy's `transformer` component and `nlp.replace_listeners` look for.
    """

    def __init__(self, encoder: Model[Pieces, Tensor], attrs: dict[str, Any]) -> None:
        super().__init__(
            "transformer", forward, init=init, layers=[encoder], dims={"nO": None}, attrs=attrs
        )

    @property
    def shim(self) -> BudgetShim:
        return cast(BudgetShim, self.layers[0].shims[0])

    @property
    def tokenizer(self) -> Any:
        return self.shim._hfmodel.tokenizer

    @property
    def transformer(self) -> Any:
        return self.shim._hfmodel.transformer

    def _copy(self, seen: dict[int, Any] | None = None) -> "TransformerModel":
        # thinc's own gives a plain Model.
        copied = TransformerModel(self.layers[0]._copy(seen), copy.deepcopy(self.attrs))
        if self.has_dim("nO"):
            copied.set_dim("nO", self.get_dim("nO"))
        return copied


class PackedBatch(FullTransformerBatch):
    """A batch without padding: all its word pieces in one row, and each Doc's in one."""

    def unsplit_by_doc(self, arrays: list[list[Floats3d]]) -> FullTransformerBatch:
        """Join the gradients of Docs, (1, n_pieces, width) each."""
        xp = get_array_module(arrays[0][0])
        gradient = xp2torch(xp.concatenate([array for (array,) in arrays], axis=1))
        return PackedBatch(
            spans=self.spans,
            wordpieces=self.wordpieces,
            model_output=ModelOutput(last_hidden_state=gradient),
            align=self.align,
        )


def forward(
    model: TransformerModel, docs: Sequence[Doc], is_train: bool
) -> tuple[FullTransformerBatch, Callable[[FullTransformerBatch], Sequence[Doc]]]:
    limit = count_positions(model)
    windows = _cut_windows(model, docs, limit)
    if not any(windows):
        return FullTransformerBatch.empty(len(docs)), lambda d_output: docs
    special = model.tokenizer.num_special_tokens_to_add()
    pieces = cut_pieces(model.tokenizer, docs, windows, limit + special)
    Y, backprop_encoder = model.layers[0](pieces, is_train)  # (n_pieces, width)

    def backprop(d_output: FullTransformerBatch) -> Sequence[Doc]:
        # (1, n_pieces, width) -> (n_pieces, width)
        backprop_encoder(d_output.model_output["last_hidden_state"][0])
        return docs

    output = PackedBatch(
        spans=windows,
        wordpieces=pieces.select(slice(None)),
        model_output=ModelOutput(last_hidden_state=Y[None]),
        align=pieces.align,
        cached_doc_data=_split_by_doc(docs, pieces, cast(Floats2d, torch2xp(Y))),
    )
    return output, backprop


def _cut_windows(model: TransformerModel, docs: Sequence[Doc], limit: int) -> list[list[Span]]:
    """Windows of each Doc, halved where the encoder cannot take them."""
    return [
        split_to_fit(spans, lambda span: _fits(model.tokenizer, span.text, limit))
        for spans in model.attrs["get_spans"](docs)
    ]


def _fits(tokenizer: Any, text: str, limit: int) -> bool:
    # A word piece covers at least one byte, all but always, so most windows need no counting.
    if len(text.encode("utf-8")) < limit:
        return True
    encoded = tokenize(tokenizer, [text], add_special_tokens=False, verbose=False)
    return len(encoded["input_ids"][0]) <= limit


def _split_by_doc(docs: Sequence[Doc], pieces: Pieces, Y: Floats2d) -> list[TransformerData]:
    width = Y.shape[1]
    data = []
    token = 0
    for doc, of_doc in zip(docs, pieces.of_docs, strict=True):
        # spacy-transformers wants no output for a Doc without tokens.
        if not len(doc):
            data.append(TransformerData.empty())
            continue
        align = pieces.align[token : token + len(doc)]
        data.append(
            TransformerData(
                wordpieces=pieces.select(of_doc),
                model_output=ModelOutput(last_hidden_state=Y[of_doc].reshape((1, -1, width))),
                align=Ragged(align.dataXd - of_doc.start, align.lengths),
            )
        )
        token += len(doc)
    return data


def init(model: TransformerModel, X: Any = None, Y: Any = None) -> None:
    if model.attrs["has_transformer"]:
        return
    name = str(model.attrs["name"])
    unloaded = model.shim._hfmodel
    try:
        loaded = load_encoder(
            name, unloaded._init_tokenizer_config, unloaded._init_transformer_config
        )
    except _NOT_LOADABLE as error:
        raise BertLstmError("BL307", name=name, reason=first_line(error)) from error
    if not loaded.tokenizer.is_fast:
        raise BertLstmError("BL321", name=name)
    model.attrs["set_transformer"](model, loaded)
    count_positions(model)
    start_mix(model.layers[0])


def load_encoder(
    name: str, tokenizer_config: Mapping[str, Any], transformer_config: Mapping[str, Any]
) -> HFObjects:
    """Load an encoder and its tokenizer, as spacy-transformers' shim keeps them.

    name (str): The folder of a Hugging Face model, or its name on the hub.
    """
    tokenizer = AutoTokenizer.from_pretrained(name, **tokenizer_config)
    vocabulary = None
    if hasattr(tokenizer, "vocab_file"):
        # The shim stores this file's bytes. A folder that has tokenizer.json may lack it.
        path = tokenizer.vocab_file
        vocabulary = Path(path).read_bytes() if path else b""
    config = AutoConfig.from_pretrained(name, **transformer_config)
    transformer = AutoModel.from_pretrained(name, config=config)
    transformer.to(get_torch_default_device())
    return HFObjects(tokenizer, transformer, vocabulary)


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
    limit = min(limit, positions, _MOST_PIECES)
    if limit - special < 1:
        raise BertLstmError("BL306", limit=limit, special=special)
    return limit - special


def replace_listener(
    model: Model[list[Doc], FullTransformerBatch],
) -> Model[list[Doc], list[TransformerData]]:
    """Make of a transformer what stands where a listener stood."""
    return chain(model, split_trf_batch())


def replace_listener_config(transformer: dict[str, Any], tok2vec: dict[str, Any]) -> dict[str, Any]:
    """Write the config of what stands where a listener stood.

    transformer (dict): The transformer's model.
    tok2vec (dict): The component's tok2vec: the listener, or what stands above it.
    """
    while "TransformerListener" not in tok2vec["@architectures"]:
        tok2vec = tok2vec["tok2vec"]
    return {
        "@architectures": "spacy-bertlstm.TransformerTok2Vec.v1",
        "transformer": transformer,
        "pooling": tok2vec["pooling"],
        "grad_factor": tok2vec["grad_factor"],
    }
