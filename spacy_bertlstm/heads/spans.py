"""A head that reads each span with what stands around it, and tells its labels' probabilities."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy
from spacy.tokens import Doc
from thinc.api import (
    LayerNorm,
    Linear,
    Maxout,
    Model,
    Ops,
    Softmax_v2,
    chain,
    concatenate,
    reduce_first,
    reduce_last,
    reduce_mean,
)
from thinc.types import Floats2d, Ints1d, Ragged
from thinc.util import to_numpy

from spacy_bertlstm.errors import BertLstmError

# How a token around a span is marked: of no span, of the span itself, of another.
_OWN, _OTHER = 1, 2

# (start, end) in tokens, (n_spans, 2), so many a Doc as the lengths say.
DocSpans = tuple[list[Doc], Ragged]


class SpanTokens(NamedTuple):
    """The vectors of a batch, and which of them each span has to do with.

    vectors (Floats2d): Of all tokens of the batch, (n_tokens, width).
    inside (Ints1d): The rows of each span's own tokens, span after span, (n_inside,).
    n_inside (Ints1d): How many each has, (n_spans,).
    around (Ints1d): The rows of its surroundings, its own among them, (n_around,).
    n_around (Ints1d): How many each has, (n_spans,).
    marks (Ints1d): Of each row in `around`: of no span, the span's own, another's.
    """

    vectors: Floats2d
    inside: Ints1d
    n_inside: Ints1d
    around: Ints1d
    n_around: Ints1d
    marks: Ints1d


def build_span_classifier(
    tok2vec: Model[list[Doc], list[Floats2d]],
    hidden_width: int = 128,
    context: int = 32,
    span_marks: bool = True,
    nO: int | None = None,
) -> Model[DocSpans, Floats2d]:
    """A classifier of spans: their first, last and mean vector, and attention around them.

    The span asks, and the words of its sentence answer, itself included. One hidden layer reads
    both; `training.dropout` reaches it.

    tok2vec (Model[list[Doc], list[Floats2d]]): The encoder.
    hidden_width (int): Of the attention and of the hidden layer.
    context (int): The most tokens of the sentence, on each side of a span, that can be asked;
        where sentences are not known, so many of the Doc.
    span_marks (bool): Whether the attention is told which words belong to the span, and which
        to other spans of the Doc.
    nO (int | None): The number of labels; left open, the component sets it.
    RETURNS (Model[tuple[list[Doc], Ragged], Floats2d]): From Docs and their spans, none of them
        empty, to probabilities, (n_spans, nO).
    RAISES: BL345 (no such sizes).
    """
    if hidden_width < 1 or context < 0:
        raise BertLstmError("BL345", hidden_width=hidden_width, context=context)
    attention = span_attention(hidden_width, span_marks)
    hidden: Model[Floats2d, Floats2d] = Maxout(nO=hidden_width, normalize=True, dropout=0.0)
    output: Model[Floats2d, Floats2d] = Softmax_v2(nO=nO)
    head: Model[SpanTokens, Floats2d] = chain(
        concatenate(span_summary(), attention), hidden, output
    )
    return Model(
        "span_classifier",
        forward,
        init=init,
        layers=[tok2vec, head],
        refs={"tok2vec": tok2vec, "head": head, "attention": attention, "output": output},
        attrs={"context": context},
    )


def forward(
    model: Model[DocSpans, Floats2d], X: DocSpans, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], DocSpans]]:
    docs, spans = X
    vectors, backprop_tok2vec = model.get_ref("tok2vec")(docs, is_train)
    if not len(spans.data):
        Y = model.ops.alloc2f(0, model.get_ref("output").get_dim("nO"))

        def backprop_nothing(dY: Floats2d) -> DocSpans:
            # An encoder that others listen to as well counts on hearing from each.
            backprop_tok2vec([model.ops.xp.zeros_like(values) for values in vectors])
            return X

        return Y, backprop_nothing
    tokens = find_tokens(model.ops, X, vectors, model.attrs["context"])
    Y, backprop_head = model.get_ref("head")(tokens, is_train)

    def backprop(dY: Floats2d) -> DocSpans:
        lengths = model.ops.asarray1i([len(values) for values in vectors])
        backprop_tok2vec(model.ops.unflatten(backprop_head(dY), lengths))
        return X

    return Y, backprop


def init(model: Model[DocSpans, Floats2d], X: DocSpans | None = None, Y: Any = None) -> None:
    tok2vec, head = model.layers
    if X is None:
        tok2vec.initialize()
        head.initialize()
        return
    tok2vec.initialize(X=X[0])
    head.initialize(X=find_tokens(model.ops, X, tok2vec.predict(X[0]), model.attrs["context"]))


def find_tokens(ops: Ops, X: DocSpans, vectors: list[Floats2d], context: int) -> SpanTokens:
    """Say which tokens each span has to do with.

    X (tuple[list[Doc], Ragged]): Docs and their spans, one at least.
    vectors (list[Floats2d]): Of the tokens of each Doc.
    context (int): The most tokens around a span on each side.
    """
    docs, spans = X
    edges = to_numpy(spans.dataXd)
    n_spans = to_numpy(spans.lengths)
    regions = numpy.concatenate(
        [
            _around(doc, own, context)
            for doc, own in zip(docs, numpy.split(edges, n_spans.cumsum()[:-1]), strict=True)
        ]
    )
    n_tokens = numpy.asarray([len(doc) for doc in docs])
    offsets = numpy.repeat(n_tokens.cumsum() - n_tokens, n_spans)[:, None]
    edges, regions = edges + offsets, regions + offsets
    inside, around = _rows(edges), _rows(regions)
    starts, ends = numpy.repeat(edges, regions[:, 1] - regions[:, 0], axis=0).T
    covered = numpy.zeros(n_tokens.sum(), dtype=bool)
    covered[inside] = True
    marks = numpy.where(covered[around], _OTHER, 0)
    marks[(starts <= around) & (around < ends)] = _OWN
    # A Doc without tokens may come without a width.
    filled = [values for values in vectors if len(values)]
    numbers = (inside, edges[:, 1] - edges[:, 0], around, regions[:, 1] - regions[:, 0], marks)
    return SpanTokens(
        cast(Floats2d, ops.xp.concatenate(filled)),
        *(cast(Ints1d, ops.xp.asarray(values, dtype="int32")) for values in numbers),
    )


def _around(doc: Doc, spans: numpy.ndarray, context: int) -> numpy.ndarray:
    """The sentence of each span, or the sentences that it is over, cut to the context."""
    starts, ends = spans.T
    begins = numpy.flatnonzero(doc.to_array("SENT_START") == 1)
    bounds = numpy.unique([0, *begins, len(doc)])
    left = bounds[numpy.searchsorted(bounds, starts, side="right") - 1]
    right = bounds[numpy.searchsorted(bounds, ends)]
    return numpy.stack(
        [numpy.maximum(left, starts - context), numpy.minimum(right, ends + context)], axis=1
    )


def _rows(ranges: numpy.ndarray) -> numpy.ndarray:
    """The numbers of each (start, end) range, one range after the other."""
    starts, ends = ranges.T
    lengths = ends - starts
    return numpy.arange(lengths.sum()) + numpy.repeat(starts - lengths.cumsum() + lengths, lengths)


def span_summary() -> Model[SpanTokens, Floats2d]:
    """The first, last and mean vector of each span, (n_spans, 3 * width)."""
    return chain(span_rows(), concatenate(reduce_first(), reduce_last(), reduce_mean()))


def span_rows() -> Model[SpanTokens, Ragged]:
    """The vectors of each span's own tokens, (n_inside, width)."""
    return Model("span_rows", forward_rows)


def forward_rows(
    model: Model[SpanTokens, Ragged], X: SpanTokens, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Floats2d]]:
    def backprop(dY: Ragged) -> Floats2d:
        dX = model.ops.alloc2f(*X.vectors.shape)
        model.ops.scatter_add(dX, X.inside, cast(Floats2d, dY.data))
        return dX

    return Ragged(X.vectors[X.inside], X.n_inside), backprop


def span_attention(width: int, span_marks: bool) -> Model[SpanTokens, Floats2d]:
    """What each span takes from the tokens around it, by scaled dot products.

    Queries and keys are normalized: without, they grew in training until the BiLSTM below was
    saturated and its gradients exploded.

    width (int): Of queries, keys and values.
    span_marks (bool): Whether a vector for each mark is added to keys and values.
    """
    query: Model[SpanTokens, Floats2d] = chain(
        span_summary(), Linear(nO=width), LayerNorm(nI=width)
    )
    key: Model[Floats2d, Floats2d] = chain(Linear(nO=width), LayerNorm(nI=width))
    read: Model[Floats2d, Floats2d] = concatenate(key, Linear(nO=width))
    return Model(
        "span_attention",
        forward_attention,
        init=init_attention,
        layers=[query, read],
        dims={"nO": width},
        params={"marks": None} if span_marks else {},
    )


def forward_attention(
    model: Model[SpanTokens, Floats2d], X: SpanTokens, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    ops, width = model.ops, model.get_dim("nO")
    scale = width**-0.5
    query, read = model.layers
    rows, lengths = X.around, X.n_around
    queries, backprop_query = query(X, is_train)  # (n_spans, width)
    vectors, backprop_read = read(X.vectors, is_train)  # (n_tokens, 2 * width)
    seen = vectors[rows]  # (n_around, 2 * width)
    if model.has_param("marks"):
        seen = seen + model.get_param("marks")[X.marks]
    keys, values = seen[:, :width], seen[:, width:]
    asked = ops.backprop_reduce_sum(queries, lengths)  # its span's query to each row
    scores = scale * (asked * keys).sum(axis=1, keepdims=True)  # (n_around, 1)
    weights = ops.softmax_sequences(scores, lengths)
    Y = ops.reduce_sum(weights * values, lengths)  # (n_spans, width)

    def backprop(dY: Floats2d) -> Floats2d:
        d_taken = ops.backprop_reduce_sum(dY, lengths)
        d_weights = (d_taken * values).sum(axis=1, keepdims=True)
        d_scores = scale * ops.backprop_softmax_sequences(d_weights, weights, lengths)
        d_seen = ops.xp.hstack([d_scores * asked, weights * d_taken])
        d_vectors = ops.alloc2f(*vectors.shape)
        ops.scatter_add(d_vectors, rows, d_seen)
        if model.has_param("marks"):
            d_marks = ops.alloc2f(*model.get_param("marks").shape)
            ops.scatter_add(d_marks, X.marks, d_seen)
            model.inc_grad("marks", d_marks)
        d_queries = ops.reduce_sum(d_scores * keys, lengths)
        return backprop_read(d_vectors) + backprop_query(d_queries)

    return Y, backprop


def init_attention(
    model: Model[SpanTokens, Floats2d], X: SpanTokens | None = None, Y: Any = None
) -> None:
    query, read = model.layers
    query.initialize(X=X)
    read.initialize(X=None if X is None else X.vectors)
    if "marks" in model.param_names:
        model.set_param("marks", model.ops.alloc2f(3, 2 * model.get_dim("nO")))
