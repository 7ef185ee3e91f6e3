import pytest
import torch

from spacy_bertlstm.encoder.stairs import make_stairs

LENGTHS = [3, 0, 8, 4, 8, 1, 70]
CPU = torch.device("cpu")


@pytest.mark.parametrize("sizes", [(1,), (4,), (64, 16), (8, 4, 2)])
@pytest.mark.parametrize("price", [0, 2, 10, 1000])
@pytest.mark.parametrize("lengths", [LENGTHS, [1], [64], [2, 2], [5] * 17])
def test_every_value_has_a_place_and_comes_back(
    lengths: list[int], price: int, sizes: tuple[int, ...]
) -> None:
    stairs = make_stairs(lengths, CPU, tread_price=price, sizes=sizes)
    values = torch.arange(sum(lengths))
    in_stairs = values[stairs.sources]
    assert torch.equal(in_stairs[stairs.places], values)
    assert torch.equal(stairs.reverse[stairs.reverse], torch.arange(len(in_stairs)))
    reversed_values = in_stairs[stairs.reverse][stairs.places]
    start = 0
    for length in lengths:
        own = slice(start, start + length)
        start += length
        assert torch.equal(reversed_values[own], values[own].flip(0))


@pytest.mark.parametrize("sizes", [(1,), (16, 4)])
def test_places_follow_a_sequence_step_by_step(sizes: tuple[int, ...]) -> None:
    stairs = make_stairs(LENGTHS, CPU, tread_price=2, sizes=sizes)
    places = torch.arange(len(stairs.sources))
    steps = [step for tread in stairs.split(places) for step in tread]
    start = 0
    for length in LENGTHS:
        own = stairs.places[start : start + length].tolist()
        start += length
        rows = {step.tolist().index(place) for step, place in zip(steps, own, strict=False)}
        assert len(rows) == bool(length)  # always in the same row


def test_treads_end_where_that_saves_more_than_one_costs() -> None:
    def treads(price: int) -> list[tuple[int, int]]:
        return make_stairs([3, 0, 8, 4, 8, 1], CPU, tread_price=price).treads

    assert treads(0) == [(1, 5), (2, 4), (1, 3), (4, 2)]
    assert treads(2) == [(3, 5), (1, 3), (4, 2)]
    assert treads(1000) == [(8, 5)]


def test_treads_of_few_shapes() -> None:
    lengths = [150, 149, *range(1, 30)]
    stairs = make_stairs(lengths, CPU, tread_price=0, sizes=(64, 16))
    # 31 sequences have 32 rows, since above 16 the numbers are even ones.
    assert stairs.treads == [(16, 32), (16, 15), (64, 2), (64, 2)]


def test_treads_without_padding_hold_all_values() -> None:
    stairs = make_stairs(LENGTHS, CPU, tread_price=0)
    assert len(stairs.sources) == sum(LENGTHS)
    X = torch.rand(sum(LENGTHS), 3)
    treads = stairs.split(X)
    assert [tread.shape[:2] for tread in treads] == stairs.treads
    assert torch.equal(torch.cat([tread.flatten(0, 1) for tread in treads]), X)
