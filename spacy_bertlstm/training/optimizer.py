"""Adam with one learning rate for the encoder and one for everything above it."""

from collections.abc import Generator, Iterable
from typing import Any

from thinc.api import Optimizer
from thinc.types import FloatsXd


class EncoderRateAdam(Optimizer):
    """Adam whose rate is scaled for the parameters of a Hugging Face encoder.

    These carry torch's dotted names ("encoder.layer.0.attention.self.query.weight");
    thinc's parameters and the BiLSTM's have no dot in theirs.

    encoder_scale (float): What the learning rate is multiplied by for the encoder.
    """

    __slots__ = ["encoder_scale"]

    def __init__(self, learn_rate: Any, *, encoder_scale: float, **settings: Any) -> None:
        super().__init__(learn_rate, use_averages=False, **settings)
        self.encoder_scale = encoder_scale

    def __call__(
        self,
        key: tuple[int, str],
        weights: FloatsXd,
        gradient: FloatsXd,
        *,
        lr_scale: float = 1.0,
    ) -> tuple[FloatsXd, FloatsXd]:
        if is_encoder_parameter(key[1]):
            lr_scale *= self.encoder_scale
        return super().__call__(key, weights, gradient, lr_scale=lr_scale)


def is_encoder_parameter(name: str) -> bool:
    """Whether a parameter's name is that of a Hugging Face module's."""
    return "." in name


def make_adam(
    learn_rate: float | Iterable[float] | Generator[float, None, None] = 1e-3,
    encoder_scale: float = 0.02,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    L2: float = 0.0,
    L2_is_weight_decay: bool = True,
    grad_clip: float = 1.0,
) -> Optimizer:
    """Adam with a rate per part, and without averages, which thinc keeps for a part only.

    learn_rate (float | Iterable[float]): Of the BiLSTM and the heads; a schedule may give it.
    encoder_scale (float): The encoder's share of it; the paper's 2e-5 and 1e-3 are 0.02.
    beta1, beta2, eps (float): Adam's own.
    L2 (float): Weight decay, by default decoupled.
    L2_is_weight_decay (bool): Whether the decay is decoupled (AdamW).
    grad_clip (float): The largest norm of one parameter's gradient.
    """
    return EncoderRateAdam(
        learn_rate,
        encoder_scale=encoder_scale,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        L2=L2,
        L2_is_weight_decay=L2_is_weight_decay,
        grad_clip=grad_clip,
    )
