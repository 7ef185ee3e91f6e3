"""The encoder under a budget of memory: so many padded word pieces at once, or one window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy
import torch
from spacy_transformers.data_classes import HFObjects
from spacy_transformers.layers.hf_shim import HFShim
from thinc.api import Model
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from spacy_bertlstm.encoder.pieces import Pieces
from spacy_bertlstm.encoder.precision import Precision, autocast_dtype
from spacy_bertlstm.encoder.threads import require_own_threads

# In training batches of 640 words, of case reports, padding falls from 34 % of the pieces to 7 %.
_CLOSENESS = 0.8


@dataclass(frozen=True)
class SubBatch:
    """Runs that go through the encoder together, padded to the longest.

    rows (Tensor): Where their pieces stand in the batch, (n_pieces,).
    inputs (tuple[Tensor, Tensor, Tensor | None]): The ids of the pieces, the mask that tells
        them from padding, and their segments for an encoder that wants them; each
        (n_runs, longest).
    """

    rows: Tensor
    inputs: tuple[Tensor, Tensor, Tensor | None]

    @property
    def size(self) -> int:
        """How many pieces it holds, padding included."""
        return self.inputs[0].numel()


class BudgetShim(HFShim):
    """The holder of a Hugging Face encoder, which runs it on one sub-batch after another.

    hf_model (HFObjects): The encoder and its tokenizer.
    max_pieces (int): The most padded word pieces of a sub-batch of several runs.
    precision (Precision): Of the matrix products; the weights themselves stay as they are.
    grad_scaler_config (dict): As in spacy-transformers; scaling is for fp16 alone.
    """

    def __init__(
        self,
        hf_model: HFObjects,
        *,
        max_pieces: int,
        precision: Precision,
        grad_scaler_config: dict[str, Any],
    ) -> None:
        super().__init__(
            hf_model,
            mixed_precision=precision is Precision.fp16,
            grad_scaler_config=grad_scaler_config,
        )
        self.max_pieces = max_pieces
        self.precision = precision

    @property
    def padding(self) -> int:
        """The number of the piece that fills up shorter runs."""
        return self._hfmodel.tokenizer.pad_token_id or 0

    def encode(self, batches: Sequence[SubBatch]) -> list[Tensor]:
        """Give the vectors of the pieces of each sub-batch, (n_pieces, width)."""
        self._model.eval()
        with torch.no_grad(), self._autocast():
            outputs = [self._run(*batch.inputs) for batch in batches]
        self._model.train()
        return outputs

    def begin_encode(
        self, batches: Sequence[SubBatch]
    ) -> tuple[list[Tensor], Callable[[Sequence[Tensor]], None]]:
        """As `encode`, in training, with a callback that adds up the encoder's gradients.

        Where several sub-batches hold more pieces than one may, the activations inside the
        encoder are let go and computed again, with the same dropout, when the callback comes to
        their sub-batch.
        """
        self._model.train()
        fits = len(batches) == 1 or sum(batch.size for batch in batches) <= self.max_pieces
        with self._autocast():
            if fits:
                outputs = [self._run(*batch.inputs) for batch in batches]
            else:
                outputs = [
                    cast(Tensor, checkpoint(self._run, *batch.inputs, use_reentrant=False))
                    for batch in batches
                ]

        def backprop(gradients: Sequence[Tensor]) -> None:
            scaled = self._grad_scaler.scale(list(gradients), inplace=True)
            for output, gradient in zip(outputs, scaled, strict=True):
                torch.autograd.backward(output, gradient)
            self._grad_scaler.unscale(
                [weight.grad for weight in self._model.parameters() if weight.grad is not None]
            )

        return [output.detach() for output in outputs], backprop

    def _run(self, ids: Tensor, mask: Tensor, type_ids: Tensor | None) -> Tensor:
        inputs = {"input_ids": ids, "attention_mask": mask}
        if type_ids is not None:
            inputs["token_type_ids"] = type_ids
        hidden: Tensor = self._model(**inputs).last_hidden_state
        # (n_runs, longest, width) -> (n_pieces, width)
        return hidden[mask.bool()].float()

    def _autocast(self) -> torch.autocast:
        device = self.device.type
        dtype = autocast_dtype(self.precision, device)
        return torch.autocast(device, dtype=dtype, enabled=dtype is not None)


def budgeted_encoder(shim: BudgetShim) -> Model[Pieces, Tensor]:
    """A layer from word pieces to one vector a piece."""
    return Model("hf-pytorch", forward, shims=[shim], dims={"nI": None, "nO": None})


def forward(
    model: Model[Pieces, Tensor], pieces: Pieces, is_train: bool
) -> tuple[Tensor, Callable[[Tensor], list]]:
    require_own_threads()
    shim = cast(BudgetShim, model.shims[0])
    # A CPU takes as long for padding as for text; a GPU takes longer for more sub-batches.
    closeness = _CLOSENESS if shim.device.type == "cpu" else 0.0
    batches = [
        _pad(pieces, runs, shim.padding, shim.device)
        for runs in group_runs(pieces.lengths.tolist(), shim.max_pieces, closeness=closeness)
    ]
    if is_train:
        outputs, backprop_batches = shim.begin_encode(batches)
    else:
        outputs, backprop_batches = shim.encode(batches), lambda gradients: None
    # From the sub-batches' order back to the given one, (n_pieces, width).
    Y = torch.cat(outputs)[torch.argsort(torch.cat([batch.rows for batch in batches]))]

    def backprop(dY: Tensor) -> list:
        backprop_batches([dY[batch.rows] for batch in batches])
        return []

    return Y, backprop


def group_runs(lengths: Sequence[int], most: int, *, closeness: float = 0.0) -> list[list[int]]:
    """Group runs so that each group, padded to its longest, holds no more than so many pieces.

    A single run of more is a group alone.

    closeness (float): The length of a group's shortest run as a share of its longest, at least.
    RETURNS (list[list[int]]): Indices, the longest first, so that padding is short.
    """
    groups: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        longest = lengths[groups[-1][0]] if groups else 0
        if groups and longest * (len(groups[-1]) + 1) <= most and lengths[i] >= closeness * longest:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _pad(pieces: Pieces, runs: list[int], padding: int, device: torch.device) -> SubBatch:
    ends = numpy.cumsum(pieces.lengths)
    lengths = pieces.lengths[runs]
    rows = numpy.concatenate([numpy.arange(ends[i] - pieces.lengths[i], ends[i]) for i in runs])
    inside = numpy.arange(lengths.max()) < lengths[:, None]  # (n_runs, longest)

    def spread(values: numpy.ndarray, padding: int) -> Tensor:
        padded = numpy.full(inside.shape, padding, dtype="int64")
        padded[inside] = values[rows]
        return torch.from_numpy(padded).to(device)

    mask = torch.from_numpy(inside.astype("int64")).to(device)
    type_ids = None if pieces.type_ids is None else spread(pieces.type_ids, 0)
    return SubBatch(
        rows=torch.from_numpy(rows).to(device),
        inputs=(spread(pieces.ids, padding), mask, type_ids),
    )
