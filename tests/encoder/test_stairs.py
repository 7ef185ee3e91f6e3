import pytest
import torch

from spacy_bertlstm.encoder.stairs import make_stairs

LENGTHS = [3, 0, 8, 4, 8, 1, 70]


@pytest.mark.parametrize("price", [0, 2, 10, 1000])
@pytest.mark.parametrize("lengths", [LENGTHS, [1], [64], [2, 2]])
def test_every_value_has_a_place_and_comes_back(lengths: list[int], price: int) -> None:
    stairs = make_stairs(lengths, torch.device("cpu"), tread_price=price)
    values = torch.arange(sum(lengths))
    in_stairs = values[stairs.sources]
    assert torch.equal(in_stairs[stairs.places], values)
    assert torch.equal(stairs.reverse[stairs.reverse], torch.arange(len(in_stairs)))
    reversed_values = in_stairs[stairs.reverse][stairs.places]
    before = in_stairs.clone()
    before[-1] = -1
    before = before[stairs.previous][stairs.places]
    start = 0
    for length in lengths:
        own = slice(start, start + length)
        start += length
        assert torch.equal(reversed_values[own], values[own].flip(0))
        assert before[own].tolist() == [-1, *values[own].tolist()][:length]


def test_treads_end_where_that_saves_more_than_one_costs() -> None:
    def treads(price: int) -> list[tuple[int, int]]:
        return make_stairs([3, 0, 8, 4, 8, 1], torch.device("cpu"), tread_price=price).treads

    assert treads(0) == [(1, 5), (2, 4), (1, 3), (4, 2)]
    assert treads(2) == [(3, 5), (1, 3), (4, 2)]
    assert treads(1000) == [(8, 5)]


def test_treads_without_padding_hold_all_values() -> None:
    stairs = make_stairs(LENGTHS, torch.device("cpu"), tread_price=0)
    assert stairs.size == sum(LENGTHS)
    X = torch.rand(len(stairs.sources), 3)
    treads = stairs.split(X)
    assert [tread.shape[:2] for tread in treads] == stairs.treads
    assert torch.equal(torch.cat([tread.flatten(0, 1) for tread in treads]), X[: stairs.size])
    assert len(X) > stairs.size
