from collections.abc import Callable

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from spacy_bertlstm.encoder.bilstm import TorchLstm, TrainedLayer, run_layer
from spacy_bertlstm.encoder.lstm_layout import LstmLayout, make_lstm_layout


def run_torchs(
    X: torch.Tensor, layout: LstmLayout, in_parallel: bool, *weights: torch.Tensor
) -> torch.Tensor:
    return run_layer(X, layout, in_parallel, (TorchLstm(weights[:4]), TorchLstm(weights[4:])))


@pytest.mark.parametrize("run", [TrainedLayer.apply, run_torchs])
@pytest.mark.parametrize("sizes", [(1,), (16, 4)])
@pytest.mark.parametrize("price", [0, 20, 1000])
@pytest.mark.parametrize("lengths", [[5], [70, 3, 9, 9, 1], [1, 1, 2, 30, 40]])
def test_outputs_and_gradients_equal_torchs(
    lengths: list[int], price: int, sizes: tuple[int, ...], run: Callable[..., torch.Tensor]
) -> None:
    """Those of training on a CPU, and those that a GPU trains with."""
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(6, 4, bidirectional=True)
    weights = [weight for _, weight in lstm.named_parameters()]
    X = torch.randn(sum(lengths), 6, requires_grad=True)
    dY = torch.randn(sum(lengths), 8)

    packed = pack_sequence(list(X.split(lengths)), enforce_sorted=False)
    expected = torch.cat(unpack_sequence(lstm(packed)[0]))
    layout = make_lstm_layout(lengths, X.device, segment_price=price, sizes=sizes)
    in_parallel = run is not run_torchs and len(lengths) > 1
    Y = run(X[layout.sources], layout, in_parallel, *weights)[layout.places]
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
    layout = make_lstm_layout(lengths, torch.device("cpu"), segment_price=0, sizes=(64, 16))
    X = torch.randn(len(layout.sources), 6).bfloat16().requires_grad_()
    first, second = (
        torch.autograd.grad(
            TrainedLayer.apply(X, layout, in_parallel, *weights).sum(), [X, *weights]
        )
        for in_parallel in (False, True)
    )
    assert all(map(torch.equal, first, second))
