"""Which two entities of a Doc might relate, and what lies between them, by numpy alone.

A pair is directed, (head, tail), and names its entities by their places in text order.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy
from spacy.tokens import Span

from spacy_bertlstm.errors import BertLstmError

# From the entities of a Doc, in text order, to (n_pairs, 2) places, none paired with itself.
PairGenerator = Callable[[Sequence[Span]], numpy.ndarray]

# The most tokens between two entities that share a bucket; -1 where they overlap.
_DISTANCES = (-1, 0, 1, 2, 4, 8, 16, 32, 64)
# Of each side: the tail behind the head, or before it.
N_BUCKETS = 2 * (len(_DISTANCES) + 1)


@dataclass(frozen=True)
class Candidates:
    """What is to be scored in one Doc.

    spans (numpy.ndarray): (start, end) of each entity in tokens, in text order.
    types (numpy.ndarray): The number of its type, one an entity.
    pairs (numpy.ndarray): (n_pairs, 2), the places of head and tail.
    """

    spans: numpy.ndarray
    types: numpy.ndarray
    pairs: numpy.ndarray


def make_sentence_pairs() -> PairGenerator:
    """Pair the entities of a sentence; one over several is of that in which it begins.

    RAISES: when called on two entities at least, BL359 (no sentence starts).
    """
    return pair_in_sentences


def make_window_pairs(window: int = 20) -> PairGenerator:
    """Pair entities with few tokens between them, whatever the sentences.

    window (int): The most tokens between them; entities that overlap have none.
    RAISES: BL362 where it is negative.
    """
    return WindowPairs(window)


def make_all_pairs() -> PairGenerator:
    """Pair each entity of a Doc with each other."""
    return pair_all


def pair_in_sentences(entities: Sequence[Span]) -> numpy.ndarray:
    if len(entities) < 2:
        return pair_all(entities)
    doc = entities[0].doc
    if not doc.has_annotation("SENT_START"):
        raise BertLstmError("BL359")
    sentences = numpy.cumsum(doc.to_array("SENT_START") == 1)
    places = sentences[[entity.start for entity in entities]]
    return _pair_up_to(numpy.searchsorted(places, places, side="right"))


@dataclass(frozen=True)
class WindowPairs:
    """See `make_window_pairs`."""

    window: int

    def __post_init__(self) -> None:
        require_least("WindowPairs", 0, window=self.window)

    def __call__(self, entities: Sequence[Span]) -> numpy.ndarray:
        starts = numpy.asarray([entity.start for entity in entities], dtype="int64")
        ends = numpy.asarray([entity.end for entity in entities], dtype="int64")
        return _pair_up_to(numpy.searchsorted(starts, ends + self.window, side="right"))


def pair_all(entities: Sequence[Span]) -> numpy.ndarray:
    return _pair_up_to(numpy.full(len(entities), len(entities)))


def _pair_up_to(stops: numpy.ndarray) -> numpy.ndarray:
    """Pair each place with those behind it and before its stop, in both directions."""
    places = numpy.arange(len(stops))
    counts = numpy.maximum(stops - places - 1, 0)
    firsts = numpy.repeat(places, counts)
    forward = numpy.stack([firsts, firsts + 1 + count_up(counts)], axis=1)
    return numpy.concatenate([forward, forward[:, ::-1]])


def count_up(counts: numpy.ndarray) -> numpy.ndarray:
    """0, 1, 2 ... up to each of some counts, one after the other."""
    return numpy.arange(counts.sum()) - numpy.repeat(numpy.cumsum(counts) - counts, counts)


def context_places(
    spans: numpy.ndarray, pairs: numpy.ndarray, window: int
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The tokens between two entities, from the last of the one to the first of the other.

    spans (numpy.ndarray): (start, end) of each entity, in text order.
    pairs (numpy.ndarray): (n_pairs, 2).
    window (int): The most tokens of a pair. Of more, those next to the entities:

        first entity ] a b c d e f g h [ second entity      window 6: "entity a b g h second"

    RETURNS (tuple): The places of the tokens, and how many each pair has, at least one.
    """
    lefts = spans[pairs.min(axis=1), 1] - 1
    wanted = numpy.maximum(spans[pairs.max(axis=1), 0] - lefts + 1, 1)
    lengths = numpy.minimum(wanted, window)
    steps = count_up(lengths)
    behind_gap = steps >= numpy.repeat((lengths + 1) // 2, lengths)
    places = numpy.repeat(lefts, lengths) + steps
    return places + behind_gap * numpy.repeat(wanted - lengths, lengths), lengths


def distance_buckets(spans: numpy.ndarray, pairs: numpy.ndarray) -> numpy.ndarray:
    """How far the tail is from the head, and on which side, as a number below N_BUCKETS.

    spans (numpy.ndarray): (start, end) of each entity, in text order.
    pairs (numpy.ndarray): (n_pairs, 2).
    """
    between = spans[pairs.max(axis=1), 0] - spans[pairs.min(axis=1), 1]
    buckets = numpy.searchsorted(_DISTANCES, numpy.maximum(between, -1))
    return buckets + (pairs[:, 1] < pairs[:, 0]) * (N_BUCKETS // 2)


class LegalTypes:
    """Which labels may join which types of entities.

    triples (Iterable[tuple[str, str, str]]): (label, head type, tail type).
    """

    def __init__(self, triples: Iterable[tuple[str, str, str]]) -> None:
        triples = list(triples)
        self.labels = tuple(dict.fromkeys(label for label, _, _ in triples))
        types = dict.fromkeys(kind for _, *kinds in triples for kind in kinds)
        self._types = {kind: i for i, kind in enumerate(types)}
        # The last row and column are of all other types.
        self._table = numpy.zeros((len(types) + 1, len(types) + 1, len(self.labels)), dtype=bool)
        for label, head, tail in triples:
            self._table[self._types[head], self._types[tail], self.labels.index(label)] = True

    @property
    def n_types(self) -> int:
        """How many numbers `numbers` can give, that of unknown types among them."""
        return len(self._table)

    def numbers(self, types: Iterable[str]) -> numpy.ndarray:
        """The numbers of some types."""
        found = [self._types.get(kind, len(self._types)) for kind in types]
        return numpy.asarray(found, dtype="int64")

    def allowed(self, types: numpy.ndarray, pairs: numpy.ndarray) -> numpy.ndarray:
        """Which labels each pair may have, (n_pairs, n_labels).

        types (numpy.ndarray): The number of each entity's type.
        pairs (numpy.ndarray): (n_pairs, 2).
        """
        heads, tails = types[pairs].T
        allowed: numpy.ndarray = self._table[heads, tails]
        return allowed


def require_least(name: str, least: int, **settings: int) -> None:
    """Raise BL362 where a setting is less than it may be."""
    for setting, value in settings.items():
        if value < least:
            raise BertLstmError("BL362", name=name, setting=setting, value=value, least=least)
