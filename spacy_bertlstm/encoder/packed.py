"""BERT without padding: the layers run over word pieces one behind the other.

Only attention sees texts apart. It pads them, in buckets of like length, and is a small part of
the work; matrix products, normalization and activations touch no padding at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

import numpy
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import Linear
from torch.nn.functional import linear, scaled_dot_product_attention

from spacy_bertlstm.encoder.dropout import drop
from spacy_bertlstm.encoder.precision import has_amx
from spacy_bertlstm.threads import round_rows

# Between numbers of rows of a matrix product. A training's batches are of like size, so that
# smaller steps do not make for many kernels (see `round_rows`).
_STEP, _STEP_IN_TRAINING = 64, 32
# Where exponentials are taken of scores as they are: how far their sums are to stay from the
# largest and the smallest number, and the most scores of a head, which grow with a text's square.
_MARGIN = 1e8
_MOST_SCORES = 2**20
# Encoders of BERT's build, which differ in how they count positions.
_BUILT_ALIKE = {"bert", "camembert", "roberta", "xlm-roberta"}


@dataclass(frozen=True)
class Buckets:
    """How texts lie side by side: those of like length in one bucket, padded to its width.

        texts       places
        a a a       a a a       Two buckets, of two texts and a width of 3, and of one and 2.
        b b         b b -       Behind them stands one more place, which is of no bucket.
        c           c -  -

    shapes (list[tuple[int, int]]): (n_texts, width) of each bucket; together all texts, in order.
    counts (list[int]): The pieces of each bucket.
    sources (Tensor): The piece that stands in a place, (n_places + 1,); for padding, and in the
        place behind it all, the number of pieces, as of one more.
    places (Tensor): Where each piece stands, (n_pieces,).
    """

    shapes: list[tuple[int, int]]
    counts: list[int]
    sources: Tensor
    places: Tensor

    @property
    def size(self) -> int:
        """How many pieces they hold, padding included."""
        return len(self.sources) - 1

    @cached_property
    def inside(self) -> list[Tensor]:
        """Which places of each bucket hold a piece, (n_texts, width)."""
        parts = (self.sources[:-1] < len(self.places)).split(
            [n * width for n, width in self.shapes]
        )
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    @cached_property
    def masks(self) -> list[Tensor | None]:
        """Of each bucket, 0 for pieces and minus infinity for padding, (n_texts, 1, width).

        None where it has no padding.
        """
        return [
            None
            if count == inside.numel()
            else torch.zeros_like(inside, dtype=torch.float32).masked_fill_(~inside, -inf)[:, None]
            for inside, count in zip(self.inside, self.counts, strict=True)
        ]

    def spread(self, X: Tensor, *, padding: int = 0) -> Tensor:
        """Pad the texts of a single bucket, (n_pieces,) to (n_texts, width)."""
        (shape,) = self.shapes
        return torch.cat([X, X.new_full((1,), padding)])[self.sources[:-1]].view(shape)

    def gather(self, X: Tensor) -> Tensor:
        """Take a single bucket's padding away, (n_texts, width, ...) to (n_pieces, ...)."""
        return X.flatten(0, 1).index_select(0, self.places)


def make_buckets(
    lengths: Sequence[Sequence[int]], device: torch.device, *, width_step: int = 1
) -> Buckets:
    """Lay texts out that stand one behind the other.

    lengths (Sequence[Sequence[int]]): Pieces of each text of each bucket.
    width_step (int): Buckets are as wide as a multiple of this.
    """
    shapes = [(len(bucket), -(-max(bucket) // width_step) * width_step) for bucket in lengths]
    # Of each text:
    length = numpy.concatenate([numpy.asarray(bucket) for bucket in lengths])
    width = numpy.concatenate([numpy.full(*shape) for shape in shapes])
    padding = width - length
    piece = numpy.arange(length.sum())
    places = piece + numpy.repeat(padding.cumsum() - padding, length)
    sources = numpy.full(width.sum() + 1, len(piece))
    sources[places] = piece
    counts = [sum(bucket) for bucket in lengths]
    return Buckets(
        shapes, counts, torch.from_numpy(sources).to(device), torch.from_numpy(places).to(device)
    )


def find_layers(encoder: Any) -> list["Layer"]:
    """An encoder's layers; none where `run_packed` does not calculate what it would.

    encoder (PreTrainedModel): One of transformers' own.
    """
    config = encoder.config
    if (
        not type(encoder).__module__.startswith("transformers.")
        or config.model_type not in _BUILT_ALIKE
        or getattr(config, "position_embedding_type", "absolute") != "absolute"
        or getattr(config, "is_decoder", False)
        or getattr(config, "pruned_heads", None)
    ):
        return []
    layers = [Layer(layer) for layer in encoder.encoder.layer]
    # What stands in a product's place, such as an adapter, has more than weights and a bias.
    alike = all(
        type(product) is Linear and product.bias is not None
        for layer in layers
        for product in layer.products
    )
    return layers if alike else []


class Layer:
    """The matrix products of one of an encoder's layers, as the encoder itself does them.

    layer (BertLayer): Of transformers, or one of the same build.
    """

    def __init__(self, layer: Any) -> None:
        block = layer.attention
        self.query, self.key, self.value = block.self.query, block.self.key, block.self.value
        self.attention_output = block.output.dense
        self.expansion, self.contraction = layer.intermediate.dense, layer.output.dense
        self.activate = layer.intermediate.intermediate_act_fn
        self.attention_norm, self.output_norm = block.output.LayerNorm, layer.output.LayerNorm

    @property
    def products(self) -> list[Linear]:
        """All of them."""
        return [
            self.query,
            self.key,
            self.value,
            self.attention_output,
            self.expansion,
            self.contraction,
        ]

    @property
    def parts(self) -> list[Any]:
        """All that it calculates with."""
        return [*self.products, self.activate, self.attention_norm, self.output_norm]

    def project(self, X: Tensor) -> Tensor:
        """Queries, keys and values side by side, (n_pieces, 3 * width)."""
        parts = self.query, self.key, self.value
        weights = torch.cat([part.weight for part in parts])
        return linear(X, weights, torch.cat([part.bias for part in parts]))

    def project_attention(self, Y: Tensor) -> Tensor:
        """What the heads have attended to, of all heads together."""
        projected: Tensor = self.attention_output(Y)
        return projected

    def feed_forward(self, X: Tensor) -> Tensor:
        """Each piece for itself."""
        Y: Tensor = self.contraction(self.activate(self.expansion(X)))
        return Y

    def add(self, Y: Tensor, X: Tensor) -> Tensor:
        """Add to what a product has given, which may be used up, what went past it."""
        return Y + X


def run_packed(
    encoder: Any,
    layers: Sequence[Layer],
    ids: Tensor,
    type_ids: Tensor | None,
    positions: Tensor,
    buckets: Buckets,
) -> list[Tensor]:
    """The hidden states of word pieces, in training with the encoder's own dropout.

    encoder (PreTrainedModel): One for which `find_layers` gives any.
    layers (Sequence[Layer]): Of `find_layers`.
    ids, type_ids, positions (Tensor): Of each piece: its number, its segment, and its place in
        its text, special pieces counted, from 0; (n_pieces,).
    buckets (Buckets): Of all texts.
    RETURNS (list[Tensor]): Behind the embeddings and behind each layer, (n_pieces, width) each.
    """
    config = encoder.config
    rate, attention_rate = 0.0, 0.0
    if encoder.training:
        rate, attention_rate = config.hidden_dropout_prob, config.attention_probs_dropout_prob
    embeddings = encoder.embeddings
    padding = embeddings.position_embeddings.padding_idx
    if padding is not None:
        positions = _count_from(padding, ids, positions)
    X = embeddings.word_embeddings(ids) + embeddings.position_embeddings(positions)
    segments = embeddings.token_type_embeddings
    X = X + (segments.weight[0] if type_ids is None else segments(type_ids))
    X = drop(embeddings.LayerNorm(X), rate)  # (n_pieces, width)
    n_pieces = len(X)
    # Padding is one of these, which nothing comes back to.
    n_rows = n_pieces + 1
    if X.device.type == "cpu" and (torch.is_autocast_enabled("cpu") or not encoder.training):
        n_rows = count_rows(n_pieces, trains=torch.is_grad_enabled())
    # Copies of a row, since zeros cannot be normalized where an encoder's epsilon is 0, as it is
    # when spacy-transformers has stored one of 1e-12.
    X = torch.cat([X, X[:1].detach().expand(n_rows - n_pieces, -1)])
    behind = buckets.places.new_full((n_rows - n_pieces,), buckets.size)
    places = torch.cat([buckets.places, behind])
    states = [X]
    for layer in layers:
        X = states[-1]
        projected = layer.project(X)
        if not torch.is_grad_enabled():
            projected[n_pieces:] = 0  # as the values of padding
        attended = _attend(buckets, projected, places, config.num_attention_heads, attention_rate)
        X = layer.attention_norm(layer.add(drop(layer.project_attention(attended), rate), X))
        states.append(layer.output_norm(layer.add(drop(layer.feed_forward(X), rate), X)))
    return [X[:n_pieces] for X in states]


def _count_from(padding: int, ids: Tensor, positions: Tensor) -> Tensor:
    """Positions as RoBERTa and its kin have them: from behind an id, whose own pieces have it.

    ids, positions (Tensor): As of `run_packed`.
    """
    counted = (ids != padding).long()  # not so where a text has "<pad>" in it
    before = counted.cumsum(0) - counted
    first = torch.arange(len(ids), device=ids.device) - positions
    return (before - before[first] + 1) * counted + padding


def count_rows(n_pieces: int, *, trains: bool) -> int:
    """How many rows the matrix products of so many pieces have on a CPU, padding included."""
    return round_rows(n_pieces + 1, least=_STEP_IN_TRAINING if trains else _STEP)


class Rearrangement(torch.autograd.Function):
    """Takes rows from where they stand, and brings their gradients back by the inverse.

    Torch's own way back adds up the gradients of whatever was taken, many times as slowly. Here a
    row that is taken never or many times must have no gradient: the rows behind the pieces are
    dropped in the end, and nothing attends to padding, nor asks what it attends to.
    """

    @staticmethod
    def forward(ctx: Any, X: Tensor, taken: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return X.index_select(0, taken)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dY: Tensor) -> tuple[Tensor, None, None]:
        (inverse,) = ctx.saved_tensors
        return dY.index_select(0, inverse), None, None


def _attend(buckets: Buckets, projected: Tensor, places: Tensor, heads: int, rate: float) -> Tensor:
    """Attention within each text, (n_rows, 3 * hidden) to (n_rows, hidden); any behind the texts.

    projected (Tensor): Queries, keys and values side by side; without a gradient, those behind
        the texts are zeros.
    places (Tensor): Where each piece stands, and for rows behind the pieces the place behind all
        buckets, (n_rows,).
    rate (float): Of dropout.
    """
    device = projected.device.type
    # With AMX torch's kernel is the faster one in bf16, and equal in fp32.
    if device == "cpu" and not has_amx(device) and not torch.is_grad_enabled() and not rate:
        quickly_attended = _attend_by_exponentials(buckets, projected, places, heads)
        if quickly_attended is not None:
            return quickly_attended
    laid_out = Rearrangement.apply(projected, buckets.sources, places)
    sizes = [n_texts * width for n_texts, width in buckets.shapes]
    # Split, not sliced: the gradient of a slice is as large as what it was cut from.
    *own, behind = laid_out.split([*sizes, 1])
    attended = [
        # (n_texts * width, 3 * hidden) -> (3, n_texts, heads, width, head_size)
        _attend_in_bucket(X.view(*shape, 3, heads, -1).permute(2, 0, 3, 1, 4), mask, rate)
        for X, shape, mask in zip(own, buckets.shapes, buckets.masks, strict=True)
    ]
    # (n_texts, heads, width, head_size) -> (n_texts * width, hidden)
    rows = [Y.transpose(1, 2).flatten(2).flatten(0, 1) for Y in attended]
    rows.append(behind.new_zeros(1, projected.shape[1] // 3))
    return Rearrangement.apply(torch.cat(rows), places, buckets.sources)


def _attend_in_bucket(projected: Tensor, mask: Tensor | None, rate: float) -> Tensor:
    """Attention within the texts of a bucket.

    projected (Tensor): Queries, keys and values, (3, n_texts, heads, width, head_size).
    mask (Tensor | None): As of Buckets.
    rate (float): Of dropout.
    RETURNS (Tensor): (n_texts, heads, width, head_size).
    """
    if projected.device.type == "cpu" and torch.is_grad_enabled():
        return _attend_by_scores(projected, mask, rate)
    Q, K, V = projected.unbind(0)
    if mask is not None:
        mask = mask[:, None].to(Q.dtype)
    return scaled_dot_product_attention(Q, K, V, attn_mask=mask, dropout_p=rate)


def _attend_by_scores(projected: Tensor, mask: Tensor | None, rate: float) -> Tensor:
    """As `_attend_in_bucket`, with all scores at once, which in training takes less time.

    Torch's kernel for a CPU has no dropout, and what torch has in its place is slower.
    """
    _, n_texts, heads, width, head_size = projected.shape
    with torch.autocast("cpu", enabled=False):
        Q, K, V = projected.reshape(3, n_texts * heads, width, head_size).unbind(0)
        mask = (
            Q.new_zeros(1, 1, 1) if mask is None else mask.to(Q.dtype).repeat_interleave(heads, 0)
        )
        scores = torch.baddbmm(mask, Q, K.transpose(1, 2), alpha=head_size**-0.5)
        return (drop(scores.softmax(-1), rate) @ V).view(n_texts, heads, width, head_size)


def _attend_by_exponentials(
    buckets: Buckets, projected: Tensor, places: Tensor, heads: int
) -> Tensor | None:
    """As `_attend`, in use on a CPU; without AMX in half the time of torch's kernel in bf16.

    Softmax takes the largest score of a row from all, and divides their exponentials by their sum.
    Here exponentials are those of the scores as they are, their sums come with the product, of a
    column of ones behind the values, and what is divided is the product.

    RETURNS (Tensor | None): None where the sum of any text is too large or too small for that, or
        its scores would be too many.
    """
    if any(n_texts * width**2 > _MOST_SCORES for n_texts, width in buckets.shapes):
        return None
    head_size = projected.shape[1] // (3 * heads)
    laid_out = projected.index_select(0, buckets.sources)
    # Of the row behind the buckets the sum stays 1, for nothing to be divided by zero.
    weighted = laid_out.new_ones(len(laid_out), heads, head_size + 1)
    sizes = [n_texts * width for n_texts, width in buckets.shapes]
    *own, _ = laid_out.split([*sizes, 1])
    *results, _ = weighted.split([*sizes, 1])
    nothing = laid_out.new_zeros(1, 1, 1)
    for X, result, inside in zip(own, results, buckets.inside, strict=True):
        n_texts, width = inside.shape
        # (n_texts * width, 3 * hidden) -> (3, n_texts, heads, width, head_size)
        X = X.view(n_texts, width, 3, heads, head_size).permute(2, 0, 3, 1, 4)
        Q, K = X[:2].reshape(2, n_texts * heads, width, head_size)
        ones = inside[:, None, :, None].to(X.dtype).expand(-1, heads, -1, -1)
        V = torch.cat([X[2], ones], -1).flatten(0, 1)
        scores = torch.baddbmm(nothing, Q, K.transpose(1, 2), beta=0, alpha=head_size**-0.5)
        Y = (scores.exp_() @ V).view(n_texts, heads, width, head_size + 1)
        result.view(n_texts, width, heads, head_size + 1).copy_(Y.transpose(1, 2))
    values, sums = weighted.index_select(0, places).split([head_size, 1], -1)
    least, most = map(float, sums.aminmax())
    numbers = torch.finfo(sums.dtype)
    if not (least > numbers.tiny * _MARGIN and most < numbers.max / _MARGIN):  # or none at all
        return None
    return (values / sums).flatten(1)
