"""A head that scores which relations hold between two entities, each for itself.

A pair is one hidden layer: the parts of head and tail, of what is between them and of their
distance, each a linear map to the same width, are summed. So what is expensive is done once an
entity or a token, and a pair costs little more than a sum.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy
from spacy.ml.extract_spans import extract_spans
from spacy.tokens import Doc
from thinc.api import (
    Dropout,
    Embed,
    Linear,
    Model,
    Ops,
    chain,
    concatenate,
    reduce_first,
    reduce_last,
    reduce_mean,
)
from thinc.types import Floats2d, Ints1d, Ragged

from spacy_bertlstm.heads.attention import bag_attention
from spacy_bertlstm.heads.pairs import (
    N_BUCKETS,
    Candidates,
    context_places,
    distance_buckets,
    require_least,
)

# Docs, and what is to be scored in each.
RelationInput = tuple[list[Doc], list[Candidates]]


@dataclass(frozen=True)
class Parts:
    """What the hidden layer of a pair is summed up from, or the gradient of that.

    heads, tails (Floats2d): One row an entity of the batch.
    tokens (Floats2d): One row a token of the batch.
    """

    heads: Floats2d
    tails: Floats2d
    tokens: Floats2d


@dataclass(frozen=True)
class Layout:
    """Where the entities of a whole batch stand, and which are paired.

    spans (numpy.ndarray): (start, end) in tokens of the batch.
    pairs (numpy.ndarray): (n_pairs, 2), places of entities of the batch.
    """

    spans: numpy.ndarray
    pairs: numpy.ndarray


def build_relation_classifier(
    tok2vec: Model[list[Doc], list[Floats2d]],
    hidden_width: int = 128,
    type_width: int = 16,
    window: int = 32,
    max_pairs: int = 2048,
    nO: int | None = None,
) -> Model[RelationInput, Floats2d]:
    """Score the pairs of entities of a batch: one logit a label, each label for itself.

    An entity is the first, last and mean vector of its tokens and an embedding of its type; a
    pair has an attention over the tokens between and an embedding of the signed distance too.

    tok2vec (Model[list[Doc], list[Floats2d]]): The encoder.
    hidden_width (int): Of the hidden layer.
    type_width (int): Of the embeddings of types.
    window (int): The most tokens between two entities that are read.
    max_pairs (int): The most pairs scored at once in prediction, which bounds its memory; in
        training all pairs of a batch are, at about 5 KB each.
    nO (int | None): The number of labels; left open, the component sets it.
    RETURNS (Model[tuple[list[Doc], list[Candidates]], Floats2d]): One row a pair.
    RAISES: BL362 where a number is not positive.
    """
    require_least(
        "RelationClassifier",
        1,
        hidden_width=hidden_width,
        type_width=type_width,
        window=window,
        max_pairs=max_pairs,
    )
    output: Model[Floats2d, Floats2d] = Linear(nO=nO, nI=hidden_width)
    scorer: Model[tuple[Parts, Layout], Floats2d] = Model(
        "pair_scorer",
        forward_pairs,
        layers=[
            bag_attention(hidden_width),
            Embed(nO=hidden_width, nV=N_BUCKETS),
            chain(Dropout(), output),
        ],
        attrs={"window": window},
    )
    layers: dict[str, Model[Any, Any]] = {
        "tok2vec": tok2vec,
        "mentions": chain(
            extract_spans(), concatenate(reduce_first(), reduce_last(), reduce_mean())
        ),
        "types": Embed(nO=type_width),
        "head": Linear(nO=hidden_width),
        "tail": Linear(nO=hidden_width),
        "tokens": Linear(nO=hidden_width),
        "scorer": scorer,
    }
    return Model(
        "relation_classifier",
        forward,
        init=init,
        layers=list(layers.values()),
        refs={**layers, "output": output},
        attrs={"max_pairs": max_pairs},
    )


def forward(
    model: Model[RelationInput, Floats2d], X: RelationInput, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Any]]:
    docs, candidates = X
    ops = model.ops
    vectors, backprop_vectors = model.get_ref("tok2vec")(docs, is_train)
    layout = _lay_out(candidates, [len(array) for array in vectors])
    if not len(layout.pairs):
        # What is shared learns from all its heads, or waits for this one.
        def backprop_zeros(dY: Floats2d) -> Any:
            return backprop_vectors([ops.alloc2f(*array.shape) for array in vectors])

        return ops.alloc2f(0, model.get_ref("output").get_dim("nO")), backprop_zeros

    parts, backprop_parts = _project(model, vectors, candidates, is_train)
    scorer = model.get_ref("scorer")
    if not is_train:
        step = model.attrs["max_pairs"]
        chunks = [
            scorer.predict((parts, Layout(layout.spans, layout.pairs[i : i + step])))
            for i in range(0, len(layout.pairs), step)
        ]
        return ops.xp.concatenate(chunks), lambda dY: None
    Y, backprop_scorer = scorer((parts, layout), is_train)

    def backprop(dY: Floats2d) -> Any:
        return backprop_vectors(backprop_parts(backprop_scorer(dY)))

    return Y, backprop


def _lay_out(candidates: list[Candidates], lengths: list[int]) -> Layout:
    """Number the tokens and entities of a batch through."""
    first_tokens = numpy.cumsum([0, *lengths])
    first_entities = numpy.cumsum([0, *(len(found.spans) for found in candidates)])
    spans = [found.spans + i for found, i in zip(candidates, first_tokens, strict=False)]
    pairs = [found.pairs + i for found, i in zip(candidates, first_entities, strict=False)]
    return Layout(numpy.concatenate(spans), numpy.concatenate(pairs))


def _project(
    model: Model[RelationInput, Floats2d],
    vectors: list[Floats2d],
    candidates: list[Candidates],
    is_train: bool,
) -> tuple[Parts, Callable[[Parts], list[Floats2d]]]:
    """What each entity and each token brings to the pairs that it is in."""
    ops = model.ops
    lengths = [len(array) for array in vectors]
    X = Ragged(ops.flatten(vectors), _ints(ops, lengths))
    extents: Any = numpy.concatenate([found.spans for found in candidates])
    spans = Ragged(ops.asarray2i(extents), _ints(ops, [len(found.spans) for found in candidates]))
    numbers = _ints(ops, numpy.concatenate([found.types for found in candidates]))
    mentions, backprop_mentions = model.get_ref("mentions")((X, spans), is_train)
    types, backprop_types = model.get_ref("types")(numbers, is_train)
    entities = ops.xp.concatenate([mentions, types], axis=1)  # (n_entities, 3 * width + type_width)
    heads, backprop_heads = model.get_ref("head")(entities, is_train)
    tails, backprop_tails = model.get_ref("tail")(entities, is_train)
    tokens, backprop_tokens = model.get_ref("tokens")(X.dataXd, is_train)

    def backprop(d_parts: Parts) -> list[Floats2d]:
        d_entities = backprop_heads(d_parts.heads) + backprop_tails(d_parts.tails)
        d_mentions, d_types = ops.xp.split(d_entities, [mentions.shape[1]], axis=1)
        backprop_types(d_types)
        # The reducers' backward passes want rows that lie one behind the other.
        d_X, _ = backprop_mentions(ops.xp.ascontiguousarray(d_mentions))
        dX = d_X.dataXd + backprop_tokens(d_parts.tokens)
        return cast(list[Floats2d], ops.unflatten(dX, X.lengths))

    return Parts(heads, tails, tokens), backprop


def forward_pairs(
    model: Model[tuple[Parts, Layout], Floats2d], X: tuple[Parts, Layout], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Parts]]:
    parts, layout = X
    ops = model.ops
    context, distance, output = model.layers
    places, lengths = context_places(layout.spans, layout.pairs, model.attrs["window"])
    bags = Ragged(_ints(ops, places), _ints(ops, lengths))
    contexts, backprop_context = context((parts.tokens, bags), is_train)
    heads, tails = (_ints(ops, values) for values in layout.pairs.T)
    buckets = _ints(ops, distance_buckets(layout.spans, layout.pairs))
    distances, backprop_distance = distance(buckets, is_train)
    hidden = ops.relu(parts.heads[heads] + parts.tails[tails] + contexts + distances)
    Y, backprop_output = output(hidden, is_train)

    def scattered(rows: Floats2d, places: Ints1d, d_rows: Floats2d) -> Floats2d:
        gradient = ops.alloc2f(*rows.shape)
        ops.scatter_add(gradient, places, d_rows)
        return gradient

    def backprop(dY: Floats2d) -> Parts:
        d_hidden = ops.backprop_relu(backprop_output(dY), hidden)
        backprop_distance(d_hidden)
        return Parts(
            scattered(parts.heads, heads, d_hidden),
            scattered(parts.tails, tails, d_hidden),
            backprop_context(d_hidden),
        )

    return Y, backprop


def _ints(ops: Ops, values: Any) -> Ints1d:
    return ops.asarray1i(values)


def init(
    model: Model[RelationInput, Floats2d], X: RelationInput | None = None, Y: Floats2d | None = None
) -> None:
    docs = None if X is None else X[0]
    tok2vec = model.get_ref("tok2vec")
    tok2vec.initialize(X=docs)
    if docs is not None:
        width = max(array.shape[1] for array in tok2vec.predict(docs))
        model.get_ref("tokens").set_dim("nI", width)
        for ref in ("head", "tail"):
            model.get_ref(ref).set_dim("nI", 3 * width + model.get_ref("types").get_dim("nO"))
    for ref in ("types", "head", "tail", "tokens"):
        model.get_ref(ref).initialize()
    for layer in model.get_ref("scorer").layers:
        layer.initialize()
