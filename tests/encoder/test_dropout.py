import pytest
import torch

from spacy_bertlstm.encoder.dropout import drop


@pytest.mark.parametrize("rate", [0.002, 0.1, 0.3, 0.5, 0.998, 0.9999])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_share_is_dropped_and_the_sum_stays(rate: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    Y = drop(torch.ones(1000, 801, dtype=dtype), rate)
    assert Y.dtype == dtype
    assert float((Y == 0).float().mean()) == pytest.approx(rate, abs=0.004)
    assert float(Y.float().mean()) == pytest.approx(1.0, abs=0.01 if rate < 0.9 else 0.06)
    # Each of the eight bytes of a draw is as good as the others.
    shares = (Y.flatten()[: 8 * (Y.numel() // 8)].view(-1, 8) == 0).float().mean(dim=0)
    assert shares.tolist() == pytest.approx([rate] * 8, abs=0.01)


def test_gradients_pass_where_values_do() -> None:
    X = torch.ones(50, 3, requires_grad=True)
    Y = drop(X, 0.5)
    Y.sum().backward()
    assert torch.equal(X.grad, Y.detach())
    assert {0.0, 2.0} == set(Y.flatten().tolist())


def test_it_follows_the_seed_and_no_rate_is_no_change() -> None:
    X = torch.ones(7, 9)
    torch.manual_seed(1)
    first, other = drop(X, 0.3), drop(X, 0.3)
    torch.manual_seed(1)
    assert torch.equal(first, drop(X, 0.3))
    assert not torch.equal(first, other)
    assert drop(X, 0.0) is X
    assert drop(torch.ones(0, 3), 0.3).shape == (0, 3)
