"""The pairings against slow ones that look at every pair, and at every pairing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from spacy_bertlstm.evaluation.matching import (
    Neighbours,
    overlap,
    pair_equal,
    pair_first,
    pair_most,
)
from spacy_bertlstm.evaluation.pairs import Annotation

Spans = list[Annotation]


def span(*pieces: tuple[int, int], label: str = "x") -> Annotation:
    return Annotation((tuple(((start,), (end,)) for start, end in pieces),), (label,))


pieces = st.tuples(st.integers(0, 12), st.integers(0, 4)).map(lambda p: (p[0], p[0] + p[1]))
spans = st.builds(
    lambda parts, label: span(*sorted(parts), label=label),
    st.lists(pieces, min_size=1, max_size=2),
    st.sampled_from("xy"),
)
lists = st.lists(spans, max_size=6)


def meets(first: Annotation, second: Annotation) -> bool:
    """Overlap, from its definition: some pieces cut into each other."""
    return any(a[0] < b[1] and b[0] < a[1] for a in first.extents[0] for b in second.extents[0])


def most(reference: Sequence[Annotation], system: Sequence[Annotation]) -> int:
    """The size of the largest pairing, by trying all."""
    if not reference:
        return 0
    first, rest = reference[0], reference[1:]
    best = most(rest, system)
    for j, found in enumerate(system):
        if meets(first, found):
            best = max(best, 1 + most(rest, [*system[:j], *system[j + 1 :]]))
    return best


@given(spans, spans)
@example(span((0, 1), (0, 2)), span((1, 1)))
def test_overlap_by_definition(first: Annotation, second: Annotation) -> None:
    assert overlap(first, second) == meets(first, second) == overlap(second, first)


@given(lists, spans)
def test_neighbours_are_all_that_touch(system: Spans, annotation: Annotation) -> None:
    expected = [j for j, found in enumerate(system) if meets(annotation, found)]
    neighbours = Neighbours(system, overlap)
    assert list(neighbours.of(annotation)) == expected
    assert list(neighbours.of(annotation, {0}, {1})) == [j for j in expected if j > 1]


@given(lists, lists)
def test_first_come_first_served(reference: Spans, system: Spans) -> None:
    expected: dict[int, int] = {}
    for i, annotation in enumerate(reference):
        for j, found in enumerate(system):
            if j not in expected.values() and meets(annotation, found):
                expected[i] = j
                break
    assert pair_first(reference, system, overlap) == expected


@given(lists, lists)
def test_equal_ones_pair_as_often_as_they_come(reference: Spans, system: Spans) -> None:
    pairs = pair_equal(reference, system, lambda found: found)
    common = Counter(reference) & Counter(system)
    assert Counter(reference[i] for i in pairs) == common
    assert Counter(system[j] for j in pairs.values()) == common
    assert len(set(pairs.values())) == len(pairs)


@given(lists, lists)
def test_a_second_key_pairs_what_the_first_left(reference: Spans, system: Spans) -> None:
    pairs = pair_equal(reference, system, lambda found: found, lambda found: found.extents)
    whole = pair_equal(reference, system, lambda found: found)
    assert whole.items() <= pairs.items()
    extents = [Counter(found.extents for found in side) for side in (reference, system)]
    assert len(pairs) == (extents[0] & extents[1]).total()


@settings(deadline=None)
@given(lists, lists)
def test_no_pairing_is_larger(reference: Spans, system: Spans) -> None:
    started = pair_equal(reference, system, lambda found: found)
    pairs = pair_most(reference, system, overlap, started)
    assert len(set(pairs.values())) == len(pairs)
    assert started.keys() <= pairs.keys()
    for i, j in pairs.items():
        assert meets(reference[i], system[j]) or reference[i] == system[j]
    # An empty span meets nothing, itself neither; equal ones are paired all the same.
    if all(start < end for found in (*reference, *system) for start, end in found.extents[0]):
        assert len(pairs) == most(reference, system)


def test_a_pairing_may_have_to_be_undone() -> None:
    reference = [span((0, 4)), span((0, 2))]
    system = [span((1, 2)), span((3, 4))]
    assert pair_first(reference, system, overlap) == {0: 0}
    assert pair_most(reference, system, overlap, {}) == {0: 1, 1: 0}


def test_a_long_document_takes_no_square() -> None:
    """Of 20,000 spans side by side, each is compared with its neighbours only."""
    compared = 0

    def counting(first: Annotation, second: Annotation) -> bool:
        nonlocal compared
        compared += 1
        return overlap(first, second)

    side = [span((4 * i, 4 * i + 3)) for i in range(20_000)]
    moved = [span((4 * i + 1, 4 * i + 5)) for i in range(20_000)]
    assert len(pair_first(side, moved, counting)) == 20_000
    assert len(pair_most(side, moved, counting, {})) == 20_000
    assert compared < 10 * 20_000
