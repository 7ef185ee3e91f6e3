"""Which annotation of a system stands for which of the reference.

Pairs are {index in the reference: index in the system}, one to one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Container, Hashable, Iterator, Mapping, Sequence
from itertools import accumulate

from spacy_bertlstm.evaluation.pairs import Annotation, Extent, Position

Touches = Callable[[Annotation, Annotation], bool]


def pair_equal(
    reference: Sequence[Annotation],
    system: Sequence[Annotation],
    *keys: Callable[[Annotation], Hashable],
) -> dict[int, int]:
    """Pair what has equal keys, each with the first that is free.

    keys (Callable): The first pairs what it can, the next what is left, and so on.
    """
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for key in keys:
        free: dict[Hashable, deque[int]] = defaultdict(deque)
        for j, annotation in enumerate(system):
            if j not in taken:
                free[key(annotation)].append(j)
        for i, annotation in enumerate(reference):
            if i not in pairs and free.get(key(annotation)):
                pairs[i] = free[key(annotation)].popleft()
                taken.add(pairs[i])
    return pairs


def pair_first(
    reference: Sequence[Annotation], system: Sequence[Annotation], touches: Touches
) -> dict[int, int]:
    """Pair each of the reference with the first of the system that touches it and is free."""
    neighbours = Neighbours(system, touches)
    owners: dict[int, int] = {}
    for i, annotation in enumerate(reference):
        j = next(neighbours.of(annotation, owners), None)
        if j is not None:
            owners[j] = i
    return {i: j for j, i in owners.items()}


def pair_most(
    reference: Sequence[Annotation],
    system: Sequence[Annotation],
    touches: Touches,
    pairs: Mapping[int, int],
) -> dict[int, int]:
    """Pair as many as can be paired at all, by augmenting paths.

    pairs (Mapping[int, int]): To start from; what is paired in them stays paired, though
        perhaps with another.
    """
    neighbours = Neighbours(system, touches)
    pairs = dict(pairs)
    owners = {j: i for i, j in pairs.items()}
    # What a search in vain has reached is on no later path either.
    barren: set[int] = set()
    for root in range(len(reference)):
        if root in pairs:
            continue
        reached: dict[int, int] = {}
        last = None
        queue = deque([root])
        while queue and last is None:
            i = queue.popleft()
            for j in neighbours.of(reference[i], reached, barren):
                reached[j] = i
                if j not in owners:
                    last = j
                    break
                queue.append(owners[j])
        if last is None:
            barren.update(reached)
        while last is not None:
            i = reached[last]
            owners[last] = i
            pairs[i], last = last, pairs.get(i)
    return pairs


class Neighbours:
    """What of a system touches an annotation, found without a look at all of it.

    system (Sequence[Annotation]): One document's.
    touches (Touches): True only where the first extents meet, were each its whole stretch.
    """

    def __init__(self, system: Sequence[Annotation], touches: Touches) -> None:
        self._system = system
        self._touches = touches
        stretches = sorted((*_stretch(found.extents[0]), j) for j, found in enumerate(system))
        self._starts = [start for start, _, _ in stretches]
        # The furthest end so far: before the first that reaches a place, none does.
        self._ends = list(accumulate((end for _, end, _ in stretches), max))
        self._order = [j for _, _, j in stretches]

    def of(self, annotation: Annotation, *without: Container[int]) -> Iterator[int]:
        """Indices in the system's order, less those in any of `without`."""
        start, end = _stretch(annotation.extents[0])
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        for j in sorted(self._order[first:last]):
            if not any(j in taken for taken in without) and self._touches(
                annotation, self._system[j]
            ):
                yield j


def _stretch(extent: Extent) -> tuple[Position, Position]:
    positions = [position for piece in extent for position in piece]
    return min(positions), max(positions)


def overlap(first: Annotation, second: Annotation) -> bool:
    """Whether each extent of one shares a position with the same of the other."""
    return all(map(_meet, first.extents, second.extents))


def _meet(first: Extent, second: Extent) -> bool:
    """Whether two extents, their pieces sorted, share a position."""
    i = j = 0
    while i < len(first) and j < len(second):
        (start, end), (begin, stop) = first[i], second[j]
        if start < stop and begin < end:
            return True
        # Later pieces begin no earlier; the ends alone would not do, as pieces may be empty.
        if end <= begin:
            i += 1
        else:
            j += 1
    return False
