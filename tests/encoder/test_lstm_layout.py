import pytest
import torch

from spacy_bertlstm.encoder.lstm_layout import make_lstm_layout

LENGTHS = [3, 0, 8, 4, 8, 1, 70]
CPU = torch.device("cpu")


@pytest.mark.parametrize("sizes", [(1,), (4,), (64, 16), (8, 4, 2)])
@pytest.mark.parametrize("price", [0, 2, 10, 1000])
@pytest.mark.parametrize("lengths", [LENGTHS, [1], [64], [2, 2], [5] * 17])
def test_every_value_has_a_place_and_comes_back(
    lengths: list[int], price: int, sizes: tuple[int, ...]
) -> None:
    layout = make_lstm_layout(lengths, CPU, segment_price=price, sizes=sizes)
    values = torch.arange(sum(lengths))
    laid_out = values[layout.sources]
    assert torch.equal(laid_out[layout.places], values)
    assert torch.equal(layout.reverse[layout.reverse], torch.arange(len(laid_out)))
    reversed_values = laid_out[layout.reverse][layout.places]
    start = 0
    for length in lengths:
        own = slice(start, start + length)
        start += length
        assert torch.equal(reversed_values[own], values[own].flip(0))


@pytest.mark.parametrize("sizes", [(1,), (16, 4)])
def test_places_follow_a_sequence_step_by_step(sizes: tuple[int, ...]) -> None:
    layout = make_lstm_layout(LENGTHS, CPU, segment_price=2, sizes=sizes)
    places = torch.arange(len(layout.sources))
    steps = [step for segment in layout.split(places) for step in segment]
    start = 0
    for length in LENGTHS:
        own = layout.places[start : start + length].tolist()
        start += length
        rows = {step.tolist().index(place) for step, place in zip(steps, own, strict=False)}
        assert len(rows) == bool(length)  # always in the same row


def test_segments_end_where_that_saves_more_than_one_costs() -> None:
    def segments(price: int) -> list[tuple[int, int]]:
        return make_lstm_layout([3, 0, 8, 4, 8, 1], CPU, segment_price=price).segments

    assert segments(0) == [(1, 5), (2, 4), (1, 3), (4, 2)]
    assert segments(2) == [(3, 5), (1, 3), (4, 2)]
    assert segments(1000) == [(8, 5)]


def test_segments_of_few_shapes() -> None:
    lengths = [150, 149, *range(1, 30)]
    layout = make_lstm_layout(lengths, CPU, segment_price=0, sizes=(64, 16))
    # 31 sequences have 32 rows, since above 16 the numbers are even ones.
    assert layout.segments == [(16, 32), (16, 15), (64, 2), (64, 2)]


def test_segments_without_padding_hold_all_values() -> None:
    layout = make_lstm_layout(LENGTHS, CPU, segment_price=0)
    assert len(layout.sources) == sum(LENGTHS)
    X = torch.rand(sum(LENGTHS), 3)
    segments = layout.split(X)
    assert [segment.shape[:2] for segment in segments] == layout.segments
    assert torch.equal(torch.cat([segment.flatten(0, 1) for segment in segments]), X)
