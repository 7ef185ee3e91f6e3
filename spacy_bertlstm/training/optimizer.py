"""AdamW over all parameters at once: a rate for each part, and one gradient norm for all.

Sources: Kingma, Ba, "Adam", ICLR 2015; Loshchilov, Hutter, "Decoupled weight decay
regularization", ICLR 2019; layer-wise decay: Howard, Ruder, ACL 2018.
"""

import re
from collections import defaultdict
from collections.abc import Generator, Iterable
from typing import Any

import numpy
import torch
from thinc.api import Optimizer, get_array_module, xp2torch
from thinc.types import FloatsXd
from torch import Tensor
from torch.optim.adamw import adamw

KeyT = tuple[int, str]

# Of crf_transitions: the scores of the first tag, of the last, and of each transition.
_CRF_PARAMETERS = {"starts", "ends", "transitions"}
# "encoder.layer.3.attention.self.query.weight", "layers.3.fc1.weight"
_LAYER = re.compile(r"(?:^|\.)layers?\.(\d+)\.")
_EMBEDDINGS = re.compile(r"embeddings?\.")


class PartwiseAdam(Optimizer):
    """AdamW that gathers the gradients of a step and applies them together.

    thinc hands over one parameter after the other, so that a norm over all of them is not
    known before the last. `step_schedules` ends a step, as `spacy train` calls it after each.
    A loop around `nlp.update(sgd=...)` must call it too, or the learning rate stays at the
    schedule's first, which may be zero. Where it does not, gradients wait for those of the
    next update, as the encoder's do in spaCy anyway, and the last are lost.

    encoder_scale (float): What the rate is multiplied by for the encoder.
    crf_scale (float): The same for the scores of tags following each other.
    layer_decay (float): What the rate is multiplied by from each encoder layer to the one below.
    """

    __slots__ = ["encoder_scale", "crf_scale", "layer_decay", "_pending", "_last_step", "_zeros"]

    def __init__(
        self,
        learn_rate: Any,
        *,
        encoder_scale: float,
        crf_scale: float,
        layer_decay: float,
        **settings: Any,
    ) -> None:
        # Averages would cover thinc's parameters only, and tear head and encoder apart.
        super().__init__(learn_rate, use_averages=False, **settings)
        self.encoder_scale = encoder_scale
        self.crf_scale = crf_scale
        self.layer_decay = layer_decay
        # Weights, gradient, and the caller's scale of the rate.
        self._pending: dict[KeyT, tuple[Any, Any, float]] = {}
        self._last_step: set[KeyT] | None = None
        # Where the rows of sparse gradients are put in a step, and taken away again.
        self._zeros: dict[KeyT, Tensor] = {}

    def __call__(
        self, key: KeyT, weights: FloatsXd, gradient: FloatsXd, *, lr_scale: float = 1.0
    ) -> tuple[FloatsXd, FloatsXd]:
        if not gradient.size:
            return weights, gradient
        self.take(key, weights, gradient.copy(), lr_scale=lr_scale)
        gradient *= 0
        return weights, gradient

    def take(
        self, key: KeyT, weights: FloatsXd, gradient: FloatsXd | Tensor, *, lr_scale: float = 1.0
    ) -> None:
        """Gather a gradient that its owner lets go of.

        gradient (FloatsXd | Tensor): A tensor may be sparse in its first dimension, of some rows;
            the weights in the others change as much as by a gradient of zero.
        """
        if key in self._pending:
            self._last_step = set(self._pending)
            self._apply()
        self._pending[key] = (weights, gradient, lr_scale)
        if self._pending.keys() == self._last_step:
            self._apply()

    def step_schedules(self) -> None:
        """Apply the gathered gradients, then go on to the next learning rate."""
        self._apply()
        super().step_schedules()

    def _apply(self) -> None:
        """Change the weights where they are: their owners hold the same arrays."""
        tensors = {
            key: (_as_tensor(weights), _as_tensor(gradient))
            for key, (weights, gradient, _) in self._pending.items()
        }
        scales = self._rate_scales([name for _, name in self._pending])
        divisor = self._clip_divisor([gradient for _, gradient in tensors.values()])
        alike = defaultdict(list)
        for key, (weights, gradient) in tensors.items():
            # A parameter that nothing uses is left alone, by the decay too.
            if key not in self.mom1 and not _stored(gradient).any():
                continue
            # Normalization weights and biases are vectors, save thinc's Maxout's: its pieces have
            # a bias each.
            decay = self.L2 if weights.ndim > 1 and key[1] != "b" else 0.0
            alike[self._pending[key][2] * scales[key[1]], decay, weights.device].append(key)
        for (scale, decay, _), keys in alike.items():
            self._step(keys, tensors, divisor, rate=self.learn_rate * scale, decay=decay)
        self._pending.clear()

    def _step(
        self,
        keys: list[KeyT],
        tensors: dict[KeyT, tuple[Tensor, Tensor]],
        divisor: float,
        *,
        rate: float,
        decay: float,
    ) -> None:
        """Take a step of torch's fused AdamW, which goes over the weights once.

        divisor (float): Of the gradients.
        """
        for key in keys:
            self.nr_update[key] += 1
            for moments in (self.mom1, self.mom2):
                if key not in moments:
                    weights = self._pending[key][0]
                    moments[key] = get_array_module(weights).zeros_like(weights)
        all_weights = [tensors[key][0] for key in keys]
        sparse = {key: tensors[key][1] for key in keys if tensors[key][1].is_sparse}
        for key, gradient in sparse.items():
            if key not in self._zeros:
                self._zeros[key] = torch.zeros_like(tensors[key][0])
            self._zeros[key].index_copy_(0, gradient.indices()[0], gradient.values())
        adamw(
            all_weights,
            [self._zeros[key] if key in sparse else tensors[key][1] for key in keys],
            [_as_tensor(self.mom1[key]) for key in keys],
            [_as_tensor(self.mom2[key]) for key in keys],
            [],
            # The step counts itself up.
            [
                torch.tensor(self.nr_update[key] - 1.0, device=weights.device)
                for key, weights in zip(keys, all_weights, strict=True)
            ],
            grad_scale=torch.tensor(divisor, device=all_weights[0].device),
            fused=True,
            amsgrad=False,
            maximize=False,
            lr=rate,
            weight_decay=decay,
            beta1=self.b1,
            beta2=self.b2,
            eps=self.eps,
        )
        for key, gradient in sparse.items():
            self._zeros[key].index_fill_(0, gradient.indices()[0], 0)

    def _clip_divisor(self, gradients: list[Tensor]) -> float:
        if not self.grad_clip:
            return 1.0
        norms = [torch.linalg.vector_norm(_stored(gradient)) for gradient in gradients]
        # One number leaves the GPU, not one a parameter.
        norm = float(torch.stack(norms).double().norm()) if norms else 0.0
        return max(1.0, norm / self.grad_clip)

    def _rate_scales(self, names: Iterable[str]) -> dict[str, float]:
        """What the learning rate is multiplied by for parameters of some names."""
        heights = {name: encoder_height(name) for name in names if is_encoder_parameter(name)}
        top = max((height for height in heights.values() if height is not None), default=0)
        scales = {}
        for name in names:
            if name in heights:
                height = heights[name]
                below_top = 0 if height is None else top - height
                scales[name] = self.encoder_scale * self.layer_decay**below_top
            else:
                scales[name] = self.crf_scale if name in _CRF_PARAMETERS else 1.0
        return scales


def _as_tensor(array: FloatsXd | Tensor) -> Tensor:
    """The same memory as torch has it; of numpy's, sooner than thinc finds a device for it."""
    if isinstance(array, Tensor):
        return array.coalesce() if array.is_sparse else array
    if isinstance(array, numpy.ndarray):
        return torch.from_numpy(array)
    return xp2torch(array)


def _stored(gradient: Tensor) -> Tensor:
    """What a gradient holds, of a sparse one its rows."""
    return gradient.values() if gradient.is_sparse else gradient


def is_encoder_parameter(name: str) -> bool:
    """Whether a parameter's name is that of a Hugging Face module's.

    These carry torch's dotted names ("encoder.layer.0.attention.self.query.weight"); thinc's
    parameters and the BiLSTM's have no dot in theirs.
    """
    return "." in name


def encoder_height(name: str) -> int | None:
    """How high in its encoder a parameter stands: 0 the embeddings, 1 the first layer.

    name (str): A parameter's, in torch's form.
    RETURNS (int | None): None above all layers.
    """
    layer = _LAYER.search(name)
    if layer:
        return int(layer[1]) + 1
    return 0 if _EMBEDDINGS.search(name) else None


def make_adam(
    learn_rate: float | Iterable[float] | Generator[float, None, None] = 1e-3,
    encoder_scale: float = 0.02,
    crf_scale: float = 1.0,
    layer_decay: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    L2: float = 0.0,
    grad_clip: float = 1.0,
) -> Optimizer:
    """AdamW with a rate per part, clipping by the norm of all gradients, and no averages.

    learn_rate (float | Iterable[float]): Of the BiLSTM and the heads; a schedule may give it.
    encoder_scale (float): The encoder's share of it; the paper's 2e-5 and 1e-3 are 0.02.
    crf_scale (float): The same for the scores of tags following each other.
    layer_decay (float): From each layer of the encoder to the one below; 1.0 is none.
    beta1, beta2, eps (float): Adam's own.
    L2 (float): Decoupled weight decay, not of biases and normalization; 0.0 is plain Adam.
    grad_clip (float): The largest norm of all gradients together; 0.0 is no limit.
    """
    return PartwiseAdam(
        learn_rate,
        encoder_scale=encoder_scale,
        crf_scale=crf_scale,
        layer_decay=layer_decay,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        L2=L2,
        grad_clip=grad_clip,
    )
