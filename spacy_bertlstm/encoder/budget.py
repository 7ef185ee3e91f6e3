"""The encoder under a budget of memory: so many padded word pieces at once, or one window."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy
import torch
from spacy_transformers.data_classes import HFObjects
from spacy_transformers.layers.hf_shim import HFShim
from thinc.api import Model, Optimizer, Shim, get_torch_default_device, torch2xp, xp2torch
from thinc.types import Floats1d
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from spacy_bertlstm.encoder.int8 import can_quantize, has_int8, quantize_layers
from spacy_bertlstm.encoder.packed import Buckets, Layer, find_layers, make_buckets, run_packed
from spacy_bertlstm.encoder.pieces import Pieces
from spacy_bertlstm.encoder.precision import Precision, autocast_dtype, has_amx
from spacy_bertlstm.encoder.prepared import PreparedLayer, WeightCache, has_prepared_products
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.threads import call_both, require_own_threads, torch_threads

# In training batches of 640 words, of case reports, padding falls from 34 % of the pieces to 7 %.
_CLOSENESS = 0.8
# On a CPU, where a bucket's scores of attention are calculated at once, it is as wide as a multiple
# of this: oneDNN's products have a kernel for each shape, which takes milliseconds to make. With
# AMX it is the width of a tile, since torch's kernel takes half as long again for parts of one.
_WIDTH_STEP, _AMX_WIDTH_STEP = 8, 16
# The most scores of such a bucket of several texts, one for each two places of a text: those of
# all heads are to stay near the cache.
_MOST_SCORES = 2**16
# The least word pieces that two sides share, and the most of them that one may have.
_LEAST_SHARED, _MOST_OF_A_SIDE = 256, 0.6
# Texts and word pieces that tell the range of the encoder's values.
_SAMPLE_TEXTS, _SAMPLE_LENGTH = 40, 120

# The layers of encoders, made ready for products on a CPU. They are not the shim's, which thinc
# copies: these cannot be.
_PREPARED: WeakKeyDictionary[torch.nn.Module, WeightCache[Sequence[Layer]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class SubBatch:
    """Runs that go through the encoder together.

    rows (Tensor): Where their pieces stand in the batch, (n_pieces,).
    ids, positions (Tensor): The number of each piece, and its place in its run, (n_pieces,).
    type_ids (Tensor | None): Their segments, for an encoder that wants them, (n_pieces,).
    buckets (Buckets): How runs of like length lie side by side.
    """

    rows: Tensor
    ids: Tensor
    type_ids: Tensor | None
    positions: Tensor
    buckets: Buckets


class BudgetShim(HFShim):
    """The holder of a Hugging Face encoder, which runs it on sub-batches of what comes.

    hf_model (HFObjects): The encoder and its tokenizer.
    max_pieces (int): The most padded word pieces that it is run on at once; a run of more goes
        through alone.
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
            # Elsewhere fp16 is "auto", whose gradients need no scaling.
            mixed_precision=precision is Precision.fp16
            and get_torch_default_device().type == "cuda",
            grad_scaler_config=grad_scaler_config,
        )
        self.max_pieces = max_pieces
        self.precision = precision

    def copy(self) -> "BudgetShim":
        """As thinc's own, with an id of its own, by which an optimizer keeps moments."""
        copied = cast(BudgetShim, super().copy())
        with Shim.global_id_lock:
            Shim.global_id += 1
            copied.id = Shim.global_id
        return copied

    def find_layers(self) -> list[Layer]:
        """The encoder's layers, if it runs without padding, else none."""
        return find_layers(self._model)

    @property
    def pad_id(self) -> int:
        """The id of the piece that fills up shorter runs."""
        return self._hfmodel.tokenizer.pad_token_id or 0

    def encode(
        self,
        sides: Sequence[Sequence[SubBatch]],
        layers: Sequence[Layer],
        layer_mix: Tensor | None,
    ) -> list[Tensor]:
        """Give the vectors of the pieces of each sub-batch, (n_pieces, width).

        sides (Sequence[Sequence[SubBatch]]): One, or two that run at a time, each on half of the
            CPU's cores.
        layers (Sequence[Layer]): Its own ones; none where it runs with padding.
        layer_mix (Tensor | None): Scores of the embeddings and of each layer, by whose softmax
            they are mixed, (n_layers + 1,); None for the last layer alone.
        RETURNS (list[Tensor]): Those of the first side, then those of the second.
        """
        # `run_packed` reads the root module's flag alone; eval() of all would take long each time.
        if self._model.training or not layers:
            self._model.eval()
        with torch.no_grad():
            with self._autocast():
                layers = self._prepare(layers)

            def run(batches: Sequence[SubBatch]) -> list[Tensor]:
                with self._autocast():  # of this thread alone
                    return [self._run(batch, layers, layer_mix) for batch in batches]

            # It stays in eval mode: other Python threads may be running it.
            if len(sides) == 1:
                return run(sides[0])
            with torch_threads(torch.get_num_threads() // 2):
                first, second = (partial(run, batches) for batches in sides)
                return list(chain(*call_both(first, second, in_parallel=True)))

    def begin_encode(
        self, batches: Sequence[SubBatch], layers: Sequence[Layer], layer_mix: Tensor | None
    ) -> tuple[list[Tensor], Callable[[Sequence[Tensor]], None]]:
        """As `encode`, in training, with a callback that adds up gradients, also of `layer_mix`.

        Where several sub-batches hold more pieces than one may, the activations inside the
        encoder are let go and computed again, with the same dropout, when the callback comes to
        their sub-batch.
        """
        self._model.train()
        _PREPARED.pop(self._model, None)  # of weights that are to change
        fits = len(batches) == 1 or sum(batch.buckets.size for batch in batches) <= self.max_pieces
        with torch.enable_grad(), self._autocast():
            if fits:
                # Of the embeddings of BERT's build; other encoders may have others.
                with _sparse_gradient(self._model.embeddings.word_embeddings if layers else None):
                    outputs = [self._run(batch, layers, layer_mix) for batch in batches]
            else:
                outputs = [self._run_again_later(batch, layers, layer_mix) for batch in batches]

        def backprop(gradients: Sequence[Tensor]) -> None:
            self._model.train()  # again, where a component has been in use meanwhile
            scaled = self._grad_scaler.scale(list(gradients), inplace=True)
            for output, gradient in zip(outputs, scaled, strict=True):
                if output.requires_grad:  # not that of weights which are all frozen
                    torch.autograd.backward(output, gradient)
            # The encoder's own are scaled until `finish_update`: those of a next batch may come.
            if (
                layer_mix is not None
                and layer_mix.grad is not None
                and self._grad_scaler.unscale([layer_mix.grad])
            ):
                layer_mix.grad = None  # some gradient is not finite

        return [output.detach() for output in outputs], backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        """As thinc does, but let go of gradients where the optimizer can take them over.

        The embeddings' is the largest array of a step, and each pass over it takes its time.
        """
        gradients = [weights.grad for weights in self._model.parameters()]
        self._grad_scaler.unscale([gradient for gradient in gradients if gradient is not None])
        take = getattr(optimizer, "take", None)
        if take is None:
            for weights in self._model.parameters():
                if weights.grad is not None and weights.grad.is_sparse:
                    weights.grad = weights.grad.to_dense()
            super().finish_update(optimizer)
            return
        for name, weights in self._model.named_parameters():
            if weights.grad is not None and not self._grad_scaler.found_inf:
                take((self.id, name), torch2xp(weights.data), weights.grad)
            weights.grad = None
        self._grad_scaler.update()

    def _prepare(self, layers: Sequence[Layer]) -> Sequence[Layer]:
        """Make them ready, where they have not been since the weights were last changed."""
        prepare = self._preparation() if layers else None
        if prepare is None:
            return layers
        parts = [part for layer in layers for part in layer.parts]
        if self.precision is Precision.int8:  # whose range is that of all that comes before
            weights = list(self._model.parameters())
        else:
            products = [product for layer in layers for product in layer.products]
            weights = [values for product in products for values in (product.weight, product.bias)]
        cache = _PREPARED.setdefault(self._model, WeightCache())
        return cache.get(weights, lambda: prepare(layers), parts)

    def _preparation(self) -> Callable[[Sequence[Layer]], Sequence[Layer]] | None:
        """What makes layers ready for the products that are wanted; None where nothing does."""
        device = self.device.type
        if self.precision is Precision.int8 and has_int8(device) and can_quantize(self._model):
            return self._quantize
        dtype = autocast_dtype(self.precision, device) or torch.float32
        if has_prepared_products(device, dtype):
            return lambda layers: [PreparedLayer(layer, dtype) for layer in layers]
        return None

    def _quantize(self, layers: Sequence[Layer]) -> Sequence[Layer]:
        positions: int = self._model.config.max_position_embeddings
        # A tokenizer may have ids that the encoder has no embeddings for.
        n_ids = self._model.embeddings.word_embeddings.num_embeddings
        sample = sample_vocabulary(self._hfmodel.tokenizer, positions // 2, n_ids=n_ids)
        return quantize_layers(layers, lambda measured: self._run(sample, measured, None))

    def _run(self, batch: SubBatch, layers: Sequence[Layer], layer_mix: Tensor | None) -> Tensor:
        """The vectors of the pieces of a sub-batch, (n_pieces, width)."""
        if layers:
            states = run_packed(
                self._model, layers, batch.ids, batch.type_ids, batch.positions, batch.buckets
            )
            return _mix_states(states, layer_mix)
        buckets = batch.buckets
        inputs = {
            "input_ids": buckets.spread(batch.ids, padding=self.pad_id),
            "attention_mask": buckets.spread(torch.ones_like(batch.ids)),
        }
        if batch.type_ids is not None:
            inputs["token_type_ids"] = buckets.spread(batch.type_ids)
        if layer_mix is None:
            return buckets.gather(self._model(**inputs).last_hidden_state).float()
        states = self._model(**inputs, output_hidden_states=True).hidden_states
        return buckets.gather(_mix_states(states, layer_mix))

    def _run_again_later(
        self, batch: SubBatch, layers: Sequence[Layer], layer_mix: Tensor | None
    ) -> Tensor:
        """As `_run`, whose activations are let go and computed again for the gradients."""

        def run(ids: Tensor) -> Tensor:
            return self._run(replace(batch, ids=ids), layers, layer_mix)

        # By a tensor among the arguments torch knows which device's dropout is to come again.
        return cast(Tensor, checkpoint(run, batch.ids, use_reentrant=False))

    def _autocast(self) -> torch.autocast:
        device = self.device.type
        dtype = autocast_dtype(self.precision, device)
        return torch.autocast(device, dtype=dtype, enabled=dtype is not None)


@contextmanager
def _sparse_gradient(words: torch.nn.Module | None) -> Iterator[None]:
    """Let embeddings have gradients of those pieces alone that are in a batch.

    They are few of a vocabulary, and on a CPU to set the others to zero takes long. For
    optimizers other than this package's, `finish_update` fills such a gradient up.

    words (torch.nn.Module | None): If they are not torch's own on a CPU, nothing is done.
    """
    if not isinstance(words, torch.nn.Embedding) or words.weight.device.type != "cpu":
        yield
        return
    before, words.sparse = words.sparse, True
    try:
        yield
    finally:
        words.sparse = before


def _mix_states(states: Sequence[Tensor], layer_mix: Tensor | None) -> Tensor:
    if layer_mix is None:
        return states[-1].float()
    shares = layer_mix.softmax(0)
    return sum(share * state.float() for share, state in zip(shares, states, strict=True))


def budgeted_encoder(shim: BudgetShim, *, mix_layers: bool) -> Model[Pieces, Tensor]:
    """A layer from word pieces to one vector a piece.

    mix_layers (bool): Whether it learns how much of each of the encoder's layers is in them.
    """
    return Model(
        "hf-pytorch",
        # No attribute, since these are stored with the weights, and the config is to be checked.
        partial(forward, mix_layers=mix_layers),
        shims=[shim],
        dims={"nI": None, "nO": None},
        params={"layer_mix": None} if mix_layers else {},
    )


def start_mix(model: Model[Pieces, Tensor]) -> None:
    """Give each layer of a loaded encoder the same share, where shares are learned."""
    if model.has_param("layer_mix") is None:
        shim = cast(BudgetShim, model.shims[0])
        n_layers: int = shim._model.config.num_hidden_layers
        model.set_param("layer_mix", model.ops.alloc1f(n_layers + 1))


def forward(
    model: Model[Pieces, Tensor], pieces: Pieces, is_train: bool, *, mix_layers: bool
) -> tuple[Tensor, Callable[[Tensor], list]]:
    require_own_threads()
    stored = model.has_param("layer_mix") is True
    if stored is not mix_layers:
        raise BertLstmError("BL326", given=mix_layers, stored=stored)
    shim = cast(BudgetShim, model.shims[0])
    device, layers = shim.device, shim.find_layers()
    packs = bool(layers)
    lengths, most = pieces.lengths.tolist(), shim.max_pieces
    sides = [[*range(len(lengths))]]
    if not is_train:
        sides = share_runs(lengths, most, device=device.type, packs=packs)
    width_step = find_width_step(device=device.type, packs=packs)
    batches_of_sides = [
        [
            _lay_out(pieces, buckets, device, width_step)
            for buckets in group_runs(
                lengths, most // len(sides), side, device=device.type, packs=packs
            )
        ]
        for side in sides
    ]
    batches = [batch for own in batches_of_sides for batch in own]
    if not batches:  # blanks alone, of which the tokenizer makes no pieces
        width: int = shim._model.config.hidden_size
        return torch.zeros(0, width, device=device), lambda dY: []
    layer_mix = xp2torch(model.get_param("layer_mix")) if mix_layers else None
    backprop_batches: Callable[[Sequence[Tensor]], None] | None = None
    if is_train:
        if layer_mix is not None:
            layer_mix.requires_grad_()
        outputs, backprop_batches = shim.begin_encode(batches, layers, layer_mix)
    else:
        outputs = shim.encode(batches_of_sides, layers, layer_mix)
    # From the sub-batches' order back to the given one, (n_pieces, width).
    Y = torch.cat(outputs)[torch.argsort(torch.cat([batch.rows for batch in batches]))]

    def backprop(dY: Tensor) -> list:
        if backprop_batches is not None:
            backprop_batches([dY[batch.rows] for batch in batches])
        if layer_mix is not None and layer_mix.grad is not None:
            model.inc_grad("layer_mix", cast(Floats1d, torch2xp(layer_mix.grad)))
        return []

    return Y, backprop


def find_width_step(*, device: str, packs: bool) -> int:
    """What the widths of buckets are multiples of; the arguments are those of `group_runs`."""
    if not packs or device != "cpu":
        return 1
    return _AMX_WIDTH_STEP if has_amx(device) else _WIDTH_STEP


def share_runs(lengths: Sequence[int], most: int, *, device: str, packs: bool) -> list[list[int]]:
    """Deal runs to two sides that run at the same time, or leave all to one.

    On a CPU, in use, that takes less time than one after the other on all cores: where cores share
    an operation, they wait for each other behind it.

    lengths (Sequence[int]): Pieces of each run.
    most (int): The most pieces that the encoder works on at once, of which each side has half.
    device, packs: As of `group_runs`.
    RETURNS (list[list[int]]): Indices of the runs of each side. There is one side where that is
        on no CPU with an even number of cores for torch, where there is little to share, or where
        few runs hold most of it.
    """
    everything = [[*range(len(lengths))]]
    total, longest = sum(lengths), max(lengths, default=0)
    step = find_width_step(device=device, packs=packs)
    if (
        not packs
        or device != "cpu"
        or torch.get_num_threads() % 2
        or total < _LEAST_SHARED
        or -(-longest // step) * step > most // 2
    ):
        return everything
    sides: list[list[int]] = [[], []]
    loads = [0, 0]
    for i in sorted(everything[0], key=lambda i: -lengths[i]):
        lighter = int(loads[1] < loads[0])
        sides[lighter].append(i)
        loads[lighter] += lengths[i]
    return sides if max(loads) <= _MOST_OF_A_SIDE * total else everything


def group_runs(
    lengths: Sequence[int], most: int, runs: Sequence[int], *, device: str, packs: bool
) -> list[list[list[int]]]:
    """Part runs into sub-batches, and each into buckets that are padded to their widest.

    No sub-batch holds more than so many pieces, padding included, but for a run of more, which
    is one alone.

    lengths (Sequence[int]): Pieces of each run.
    runs (Sequence[int]): The indices of those that are meant.
    device (str): A CPU takes as long for padding as for text, so there the runs of a bucket are
        of like length; a GPU takes longer for more buckets.
    packs (bool): Whether an encoder takes several buckets at once. Then, on a CPU, a bucket holds
        no more runs than the cache has room for their scores.
    RETURNS (list[list[list[int]]]): Indices, the longest first, so that padding is short; none of
        runs without pieces, as blanks are where a tokenizer adds no special ones.
    """
    by_scores = packs and device == "cpu"
    step = find_width_step(device=device, packs=packs)
    closeness = _CLOSENESS if device == "cpu" else 0.0
    batches: list[list[list[int]]] = []
    room = longest = width = 0
    for i in sorted((i for i in runs if lengths[i]), key=lambda i: -lengths[i]):
        bucket = batches[-1][-1] if batches else []
        too_many = by_scores and (len(bucket) + 1) * width**2 > _MOST_SCORES
        if bucket and width <= room and lengths[i] >= closeness * longest and not too_many:
            bucket.append(i)
            room -= width
            continue
        longest = lengths[i]
        width = -(-longest // step) * step
        if not packs or width > room:
            batches.append([])
            room = most
        batches[-1].append([i])
        room -= width
    return batches


def sample_vocabulary(tokenizer: Any, longest: int, *, n_ids: int) -> SubBatch:
    """Texts of word pieces of all kinds, drawn from the vocabulary; always the same.

    tokenizer (PreTrainedTokenizerFast): Puts its special pieces around them.
    longest (int): Pieces of a text, without these.
    n_ids (int): The ids that may be drawn are below it.
    """
    shape = _SAMPLE_TEXTS, min(_SAMPLE_LENGTH, longest)
    draws = numpy.random.default_rng(0).integers(min(len(tokenizer), n_ids), size=shape)
    texts = [tokenizer.build_inputs_with_special_tokens(row) for row in draws.tolist()]
    lengths = [len(text) for text in texts]
    return SubBatch(
        rows=torch.arange(sum(lengths)),
        ids=torch.tensor(texts).view(-1),
        type_ids=None,
        positions=torch.arange(lengths[0]).repeat(len(lengths)),
        buckets=make_buckets([lengths], torch.device("cpu")),
    )


def _lay_out(
    pieces: Pieces, buckets: list[list[int]], device: torch.device, width_step: int
) -> SubBatch:
    runs = numpy.array([i for bucket in buckets for i in bucket])
    lengths = pieces.lengths[runs]
    positions = numpy.arange(lengths.sum()) - numpy.repeat(lengths.cumsum() - lengths, lengths)
    chosen = positions + numpy.repeat((pieces.lengths.cumsum() - pieces.lengths)[runs], lengths)

    def to_tensor(values: numpy.ndarray) -> Tensor:
        return torch.from_numpy(values).to(device)

    return SubBatch(
        rows=to_tensor(chosen),
        ids=to_tensor(pieces.ids[chosen]),
        type_ids=None if pieces.type_ids is None else to_tensor(pieces.type_ids[chosen]),
        positions=to_tensor(positions),
        buckets=make_buckets(
            [pieces.lengths[bucket].tolist() for bucket in buckets], device, width_step=width_step
        ),
    )
