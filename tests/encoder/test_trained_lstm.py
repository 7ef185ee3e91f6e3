import pytest
import torch
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from spacy_bertlstm.encoder.bilstm import run_layer
from spacy_bertlstm.encoder.stairs import make_stairs
from spacy_bertlstm.encoder.trained_lstm import TrainedLayer


@pytest.mark.parametrize("price", [None, 0, 20, 1000])
@pytest.mark.parametrize("lengths", [[5], [70, 3, 9, 9, 1], [1, 1, 2, 30, 40]])
def test_outputs_and_gradients_equal_torchs(lengths: list[int], price: int | None) -> None:
    """Those of the layer for training on a CPU, and without it those that a GPU trains with."""
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(6, 4, bidirectional=True)
    weights = [weight for _, weight in lstm.named_parameters()]
    X = torch.randn(sum(lengths), 6, requires_grad=True)
    dY = torch.randn(sum(lengths), 8)

    packed = pack_sequence(list(X.split(lengths)), enforce_sorted=False)
    expected = torch.cat(unpack_sequence(lstm(packed)[0]))
    stairs = make_stairs(lengths, X.device, tread_price=price or 0)
    own_X = X[stairs.sources]
    if price is None:
        Y = TrainedLayer.apply(own_X, stairs, *weights)
    else:
        Y = run_layer(own_X, stairs, weights, apart=False)
    Y = Y[stairs.places]
    torch.testing.assert_close(Y, expected, atol=1e-6, rtol=1e-5)

    found = torch.autograd.grad(Y, [X, *weights], dY)
    right = torch.autograd.grad(expected, [X, *weights], dY)
    for gradient, right_gradient in zip(found, right, strict=True):
        torch.testing.assert_close(gradient, right_gradient, atol=1e-5, rtol=1e-5)


def test_gradients_repeat_to_the_bit() -> None:
    torch.manual_seed(0)
    lengths = [70, 3, 9]
    weights = [weight for _, weight in torch.nn.LSTM(6, 4, bidirectional=True).named_parameters()]
    weights = [weight.detach().bfloat16().requires_grad_() for weight in weights]
    stairs = make_stairs(lengths, torch.device("cpu"), tread_price=0)
    X = torch.randn(len(stairs.sources), 6).bfloat16().requires_grad_()
    first, second = (
        torch.autograd.grad(TrainedLayer.apply(X, stairs, *weights).sum(), [X, *weights])
        for _ in range(2)
    )
    assert all(map(torch.equal, first, second))
