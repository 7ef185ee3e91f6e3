"""How sequences of different lengths lie side by side for an LSTM."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from spacy_bertlstm.threads import round_rows


@dataclass(frozen=True)
class LstmLayout:
    """Sequences side by side, the longest first, of which those that have ended drop out.

        sequence 0  a a a a a|a a a     Two segments, of 5 time steps of 3 sequences and of 3 of 1.
        sequence 1  b b b b -|          Their places in order:
        sequence 2  c c c c c|          a b c a b c a b c a b c a - c|a a a

    As torch's PackedSequence, but for a whole segment of time steps at once, which may hold
    padding: behind a sequence's values, or as a sequence of nothing else.

    segments (list[tuple[int, int]]): Time steps and sequences of each.
    sources (Tensor): Which value stands in a place, any for padding, (n_places,).
    places (Tensor): Where each value stands, (n_values,).
    reverse (Tensor): The place whose value comes here if each sequence is reversed in front of
        its padding, (n_places,); its own inverse.
    """

    segments: list[tuple[int, int]]
    sources: Tensor
    places: Tensor
    reverse: Tensor

    def split(self, X: Tensor) -> list[Tensor]:
        """What stands in each segment, (n_places, ...) to (steps, sequences, ...) each."""
        sizes = [steps * rows for steps, rows in self.segments]
        parts = X.split(sizes)
        return [
            part.unflatten(0, segment) for part, segment in zip(parts, self.segments, strict=True)
        ]


def make_lstm_layout(
    lengths: Sequence[int], device: torch.device, *, segment_price: int, sizes: Sequence[int] = (1,)
) -> LstmLayout:
    """Lay sequences out that stand one behind the other.

    lengths (Sequence[int]): Of each sequence; not all are 0.
    segment_price (int): Places of padding that cost as much as one more segment.
    sizes (Sequence[int]): The time steps that a segment may have, from the most down, each a
        multiple of the last; a last one of 1 is any number. Then the numbers of sequences are
        few, too.
    """
    order = sorted((i for i, length in enumerate(lengths) if length), key=lambda i: -lengths[i])
    length = numpy.asarray(lengths)[order]
    start = (numpy.cumsum(lengths) - lengths)[order]
    segments = _cut([-(-own // sizes[-1]) for own in length.tolist()], segment_price // sizes[-1])
    if sizes[-1] > 1:
        segments = [
            (steps, round_rows(rows, least=1))
            for blocks, rows in segments
            for steps in _split(blocks * sizes[-1], sizes)
        ]
    rows = numpy.concatenate([numpy.full(*segment) for segment in segments])  # (longest,)
    first = rows.cumsum() - rows  # the place of a time step's first sequence
    # Of each place:
    step = numpy.arange(len(rows)).repeat(rows)
    place = numpy.arange(len(step))
    sequence = place - first[step]
    length = numpy.pad(length, (0, segments[0][1] - len(length)))
    inside = step < length[sequence]

    own = place[inside]  # of values
    step, sequence = step[inside], sequence[inside]
    sources = numpy.zeros_like(place)
    sources[own] = start[sequence] + step
    places = numpy.empty_like(own)
    places[sources[own]] = own
    reverse = place.copy()
    reverse[own] = first[length[sequence] - 1 - step] + sequence
    tensors = (torch.from_numpy(array).to(device) for array in (sources, places, reverse))
    return LstmLayout(segments, *tensors)


def _cut(lengths: Sequence[int], price: int) -> list[tuple[int, int]]:
    """Segments for lengths from the longest down."""
    segments = []
    start, rows, padding = 0, len(lengths), 0
    for left in range(len(lengths) - 1, 0, -1):
        end = lengths[left]
        # What going on costs until the next sequence ends.
        more = (rows - left) * (lengths[left - 1] - end)
        if padding + more > price:
            segments.append((end - start, rows))
            start, rows, padding = end, left, 0
        else:
            padding += more
    return [*segments, (lengths[0] - start, rows)]


def _split(steps: int, sizes: Sequence[int]) -> list[int]:
    """As many of the first size as there is room for, then of the next."""
    parts = []
    for size in sizes:
        parts += [size] * (steps // size)
        steps %= size
    return parts
