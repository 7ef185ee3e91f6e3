"""BERT without padding: the layers run over word pieces one behind the other.

Only attention sees texts apart. It pads them, in groups of like length, and is a small part of
the work; matrix products, normalization and activations touch no padding at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear
from torch.nn.functional import pad, scaled_dot_product_attention

from spacy_bertlstm.encoder.dropout import drop
from spacy_bertlstm.threads import round_rows

# Tables of attention are as wide as a multiple of this, for the reason that `round_rows` gives.
_WIDTHS = 16
# Encoders of BERT's build, which differ in how they count positions.
_BUILT_ALIKE = {"bert", "camembert", "roberta", "xlm-roberta"}


@dataclass(frozen=True)
class Group:
    """Texts of like length that attend together, padded to the longest.

    size (int): Of how many pieces they are.
    shape (tuple[int, int]): (n_texts, longest).
    places (Tensor | None): Where the pieces stand in the padded table, (n_pieces,); None where
        it has no padding.
    mask (Tensor | None): 0 for pieces and minus infinity for padding, (n_texts, 1, 1, longest).
    """

    size: int
    shape: tuple[int, int]
    places: Tensor | None
    mask: Tensor | None

    def spread(self, X: Tensor, *, padding: float = 0) -> Tensor:
        """Pad the texts, (n_pieces, ...) to (n_texts, longest, ...)."""
        n_texts, longest = self.shape
        if self.places is not None:
            padded = X.new_full((n_texts * longest, *X.shape[1:]), padding)
            X = padded.index_put((self.places,), X)
        return X.view(n_texts, longest, *X.shape[1:])

    def gather(self, X: Tensor) -> Tensor:
        """Take the padding away, (n_texts, longest, ...) to (n_pieces, ...)."""
        X = X.flatten(0, 1)
        return X if self.places is None else X[self.places]


def make_group(lengths: Sequence[int], device: torch.device) -> Group:
    """Lay texts out that stand one behind the other.

    lengths (Sequence[int]): Pieces of each text.
    """
    size, shape = sum(lengths), (len(lengths), max(lengths))
    if min(lengths) == shape[1]:
        return Group(size, shape, None, None)
    inside = torch.arange(shape[1]) < torch.tensor(lengths)[:, None]  # (n_texts, longest)
    mask = torch.zeros(inside.shape).masked_fill(~inside, float("-inf"))
    places = inside.view(-1).nonzero()[:, 0]
    return Group(size, shape, places.to(device), mask[:, None, None].to(device))


def can_pack(encoder: Any) -> bool:
    """Whether `run_packed` calculates what an encoder would.

    encoder (PreTrainedModel): One of transformers' own.
    """
    config = encoder.config
    return (
        type(encoder).__module__.startswith("transformers.")
        and config.model_type in _BUILT_ALIKE
        and getattr(config, "position_embedding_type", "absolute") == "absolute"
        and not getattr(config, "is_decoder", False)
        and not getattr(config, "pruned_heads", None)
    )


class Layer:
    """The matrix products of one of an encoder's layers, as the encoder itself does them.

    layer (BertLayer): Of transformers, or one of the same build.
    """

    def __init__(self, layer: Any) -> None:
        block = layer.attention
        self.query, self.key, self.value = block.self.query, block.self.key, block.self.value
        self.mixture = block.output.dense
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
            self.mixture,
            self.expansion,
            self.contraction,
        ]

    def project(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, (n_pieces, width) each."""
        device = X.device.type
        if torch.is_autocast_enabled(device):
            X = X.to(torch.get_autocast_dtype(device))  # once for the three of them
        return self.query(X), self.key(X), self.value(X)

    def mix(self, Y: Tensor) -> Tensor:
        """What the heads have attended to, of all heads together."""
        mixed: Tensor = self.mixture(Y)
        return mixed

    def feed_forward(self, X: Tensor) -> Tensor:
        """Each piece for itself."""
        Y: Tensor = self.contraction(self.activate(self.expansion(X)))
        return Y


def run_packed(
    encoder: Any,
    layers: Sequence[Layer],
    ids: Tensor,
    type_ids: Tensor | None,
    positions: Tensor,
    groups: Sequence[Group],
) -> list[Tensor]:
    """The hidden states of word pieces, in training with the encoder's own dropout.

    encoder (PreTrainedModel): One that `can_pack`.
    layers (Sequence[Layer]): Its own.
    ids, type_ids, positions (Tensor): Of each piece: its number, its segment, and its place in
        its text, special pieces counted, from 0; (n_pieces,).
    groups (Sequence[Group]): Together all pieces, in order.
    RETURNS (list[Tensor]): Behind the embeddings and behind each layer, (n_pieces, width) each.
    """
    config = encoder.config
    rate, attention_rate = 0.0, 0.0
    if encoder.training:
        rate, attention_rate = config.hidden_dropout_prob, config.attention_probs_dropout_prob
    embeddings = encoder.embeddings
    padding = embeddings.position_embeddings.padding_idx
    if padding is not None:  # RoBERTa and its kin count from behind it
        positions = positions + padding + 1
    X = embeddings.word_embeddings(ids) + embeddings.position_embeddings(positions)
    segments = embeddings.token_type_embeddings
    X = X + (segments.weight[0] if type_ids is None else segments(type_ids))
    X = drop(embeddings.LayerNorm(X), rate)  # (n_pieces, width)
    n_pieces = len(X)
    if X.device.type == "cpu" and (torch.is_autocast_enabled("cpu") or not encoder.training):
        # Copies of a row, since zeros cannot be normalized where an encoder's epsilon is 0, as
        # it is when spacy-transformers has stored one of 1e-12.
        spare = X[:1].detach().expand(round_rows(n_pieces) - n_pieces, -1)
        X = torch.cat([X, spare])
    states = [X]
    for layer in layers:
        X = states[-1]
        attended = _attend(groups, config.num_attention_heads, layer.project(X), attention_rate)
        X = layer.attention_norm(X + drop(layer.mix(attended), rate))
        states.append(layer.output_norm(X + drop(layer.feed_forward(X), rate)))
    return [X[:n_pieces] for X in states]


def _attend(
    groups: Sequence[Group], heads: int, projected: Sequence[Tensor], rate: float
) -> Tensor:
    """Attention within each text, of the given shape; nothing in the spare rows."""
    sizes = [group.size for group in groups]
    n_rows, width = projected[0].shape
    spare = n_rows - sum(sizes)
    # Split, not sliced: the gradient of a slice is as large as what it was cut from.
    *of_groups, _ = zip(*(X.split([*sizes, spare]) for X in projected), strict=True)
    attended = [
        _attend_in(group, heads, own, rate) for group, own in zip(groups, of_groups, strict=True)
    ]
    return torch.cat([*attended, attended[0].new_zeros(spare, width)])


def _attend_in(group: Group, heads: int, projected: Sequence[Tensor], rate: float) -> Tensor:
    def split(X: Tensor) -> Tensor:
        # (n_texts, longest, width) -> (n_texts, heads, longest, width / heads)
        return group.spread(X).unflatten(2, (heads, -1)).transpose(1, 2)

    Q, K, V = map(split, projected)
    mask = None if group.mask is None else group.mask.to(Q.dtype)
    if rate and Q.device.type == "cpu":
        # On a CPU torch's kernel has no dropout, and what it has in its place is slower.
        Y = _attend_by_table(Q, K, V, mask, rate)
    else:
        Y = scaled_dot_product_attention(Q, K, V, attn_mask=mask, dropout_p=rate)
    return group.gather(Y.transpose(1, 2).flatten(2))


def _attend_by_table(Q: Tensor, K: Tensor, V: Tensor, mask: Tensor | None, rate: float) -> Tensor:
    n_texts, _, longest, width = Q.shape  # (n_texts, heads, longest, width)
    if more := -longest % _WIDTHS:
        Q, K, V = (pad(X, (0, 0, 0, more)) for X in (Q, K, V))
        mask = Q.new_zeros(n_texts, 1, 1, longest) if mask is None else mask
        mask = pad(mask, (0, more), value=float("-inf"))
    # (n_texts, heads, longest + more, longest + more)
    scores = (Q * width**-0.5) @ K.transpose(2, 3)
    if mask is not None:
        scores = scores + mask
    return (drop(scores.softmax(-1), rate) @ V)[:, :, :longest]
