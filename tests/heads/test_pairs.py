"""Pairs, the context between them and their distance, against what loops find."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.heads.pairs import (
    N_BUCKETS,
    LegalTypes,
    PairGenerator,
    context_places,
    distance_buckets,
    make_all_pairs,
    make_sentence_pairs,
    make_window_pairs,
)

NLP = spacy.blank("en")
Pairs = set[tuple[int, int]]


def random_entities(rng: numpy.random.Generator, n: int, words: int = 30) -> list[Span]:
    """Spans that may overlap, in text order, in sentences of random length."""
    starts = [i == 0 or bool(rng.random() < 0.2) for i in range(words)]
    doc = Doc(NLP.vocab, words=["w"] * words, sent_starts=starts)
    bounds = sorted((int(rng.integers(words - 4)), int(rng.integers(1, 5))) for _ in range(n))
    return [doc[start : start + length] for start, length in bounds]


def pairs_of(generator: PairGenerator, entities: list[Span]) -> Pairs:
    pairs = generator(entities)
    assert pairs.shape[1:] == (2,) and pairs.dtype.kind == "i"
    found = set(map(tuple, pairs.tolist()))
    assert len(found) == len(pairs)
    return found


def all_pairs(entities: list[Span]) -> list[tuple[int, int]]:
    n = len(entities)
    return [(head, tail) for head in range(n) for tail in range(n) if head != tail]


def between(entities: list[Span], head: int, tail: int) -> int:
    first, second = entities[min(head, tail)], entities[max(head, tail)]
    return second.start - first.end


@pytest.mark.parametrize("n", [0, 1, 2, 3, 9])
def test_generators_give_what_loops_give(n: int, rng: numpy.random.Generator) -> None:
    for _ in range(20):
        entities = random_entities(rng, n)
        pairs = all_pairs(entities)
        assert pairs_of(make_all_pairs(), entities) == set(pairs)
        assert pairs_of(make_sentence_pairs(), entities) == {
            (head, tail) for head, tail in pairs if entities[head][0].sent == entities[tail][0].sent
        }
        for window in (0, 3, 100):
            assert pairs_of(make_window_pairs(window), entities) == {
                pair for pair in pairs if between(entities, *pair) <= window
            }


def test_sentences_that_are_not_there_are_a_coded_error() -> None:
    doc = Doc(NLP.vocab, words=["a", "b", "c"])
    with pytest.raises(BertLstmError, match="BL359"):
        make_sentence_pairs()([doc[:1], doc[1:2]])
    assert not len(make_sentence_pairs()([doc[:1]]))


def test_a_negative_window_is_a_coded_error() -> None:
    with pytest.raises(BertLstmError, match="BL362"):
        make_window_pairs(-1)


@pytest.mark.parametrize("window", [1, 2, 5, 6, 100])
def test_the_context_is_what_lies_between(window: int, rng: numpy.random.Generator) -> None:
    for _ in range(10):
        entities = random_entities(rng, 6)
        spans = numpy.asarray([(entity.start, entity.end) for entity in entities])
        pairs = make_all_pairs()(entities)
        places, lengths = context_places(spans, pairs, window)
        assert len(places) == lengths.sum()
        stops = numpy.cumsum(lengths)
        for (head, tail), length, stop in zip(pairs, lengths, stops, strict=True):
            first, second = entities[min(head, tail)], entities[max(head, tail)]
            whole = list(range(first.end - 1, second.start + 1)) or [first.end - 1]
            if len(whole) > window:
                whole = whole[: (window + 1) // 2] + whole[len(whole) - window // 2 :]
            assert places[stop - length : stop].tolist() == whole


def test_distances_are_signed_and_grow() -> None:
    ends = [1, 2, 4, 8, 20, 60, 200]
    spans = numpy.asarray([(0, 3)] + [(start, start + 2) for start in (1, *[3 + e for e in ends])])
    n = len(spans)
    forward = distance_buckets(spans, numpy.asarray([(0, i) for i in range(1, n)])).tolist()
    assert forward == sorted(set(forward)) and forward[0] == 0
    backward = distance_buckets(spans, numpy.asarray([(i, 0) for i in range(1, n)])).tolist()
    assert [place + N_BUCKETS // 2 for place in forward] == backward
    assert max(backward) == N_BUCKETS - 1


def test_legal_types_know_the_direction() -> None:
    legal = LegalTypes([("TrAP", "treatment", "problem"), ("PIP", "problem", "problem")])
    assert legal.labels == ("TrAP", "PIP")
    types = legal.numbers(["treatment", "problem", "drug"])
    assert types.max() < legal.n_types
    pairs = numpy.asarray([(0, 1), (1, 0), (1, 1), (2, 1), (2, 2)])
    assert legal.allowed(types, pairs).tolist() == [
        [True, False],
        [False, False],
        [False, True],
        [False, False],
        [False, False],
    ]
