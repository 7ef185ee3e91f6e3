"""How sequences of different lengths lie side by side for an LSTM."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spacy_bertlstm.threads import round_rows


@dataclass(frozen=True)
class Stairs:
    """Sequences side by side, the longest first, of which those that have ended drop out.

        sequence 0  a a a a a|a a a     Two treads, of 5 time steps of 3 sequences and of 3 of 1.
        sequence 1  b b b b -|          Their places in order:
        sequence 2  c c c c c|          a b c a b c a b c a b c a - c|a a a

    Padding comes last in a sequence, and there may be sequences that are nothing else.

    treads (list[tuple[int, int]]): Time steps and sequences of each.
    sources (Tensor): Which value stands in a place, any for padding, (n_places,).
    places (Tensor): Where each value stands, (n_values,).
    reverse (Tensor): The place whose value comes here if each sequence is reversed in front of
        its padding, (n_places,); its own inverse.
    """

    treads: list[tuple[int, int]]
    sources: Tensor
    places: Tensor
    reverse: Tensor

    def split(self, X: Tensor) -> list[Tensor]:
        """What stands on each tread, (n_places, ...) to (steps, sequences, ...) each."""
        sizes = [steps * rows for steps, rows in self.treads]
        parts = X.split(sizes)
        return [part.unflatten(0, tread) for part, tread in zip(parts, self.treads, strict=True)]


def make_stairs(
    lengths: Sequence[int], device: torch.device, *, tread_price: int, sizes: Sequence[int] = (1,)
) -> Stairs:
    """Lay sequences out that stand one behind the other.

    lengths (Sequence[int]): Of each sequence; not all are 0.
    tread_price (int): Places of padding that are as dear as one more tread.
    sizes (Sequence[int]): The time steps that a tread may have, from the most down, each a
        multiple of the last; a last one of 1 is any number. Then the numbers of sequences are
        few, too.
    """
    order = sorted((i for i, length in enumerate(lengths) if length), key=lambda i: -lengths[i])
    length = torch.tensor(lengths)[order]
    start = (torch.tensor(lengths).cumsum(0) - torch.tensor(lengths))[order]
    treads = _cut([-(-own // sizes[-1]) for own in length.tolist()], tread_price // sizes[-1])
    if sizes[-1] > 1:
        treads = [
            (steps, round_rows(rows, least=1))
            for blocks, rows in treads
            for steps in _split(blocks * sizes[-1], sizes)
        ]
    rows = torch.cat([torch.full((steps,), rows) for steps, rows in treads])  # (longest,)
    first = rows.cumsum(0) - rows  # the place of a time step's first sequence
    # Of each place:
    step = torch.arange(len(rows)).repeat_interleave(rows)
    place = torch.arange(len(step))
    sequence = place - first[step]
    length = torch.cat([length, length.new_zeros(treads[0][1] - len(length))])
    inside = step < length[sequence]

    n_places = len(place)
    sources = torch.zeros(n_places, dtype=torch.int64)
    sources[place[inside]] = start[sequence[inside]] + step[inside]
    places = torch.empty(sum(lengths), dtype=torch.int64)
    places[sources[place[inside]]] = place[inside]
    reverse = torch.arange(n_places)
    reverse[place[inside]] = (first[length[sequence] - 1 - step] + sequence)[inside]
    tensors = (tensor.to(device) for tensor in (sources, places, reverse))
    return Stairs(treads, *tensors)


def _cut(lengths: Sequence[int], price: int) -> list[tuple[int, int]]:
    """Treads for lengths from the longest down."""
    treads = []
    start, rows, padding = 0, len(lengths), 0
    for left in range(len(lengths) - 1, 0, -1):
        end = lengths[left]
        # What going on costs until the next sequence ends.
        more = (rows - left) * (lengths[left - 1] - end)
        if padding + more > price:
            treads.append((end - start, rows))
            start, rows, padding = end, left, 0
        else:
            padding += more
    return [*treads, (lengths[0] - start, rows)]


def _split(steps: int, sizes: Sequence[int]) -> list[int]:
    """As many of the first size as there is room for, then of the next."""
    parts = []
    for size in sizes:
        parts += [size] * (steps // size)
        steps %= size
    return parts
