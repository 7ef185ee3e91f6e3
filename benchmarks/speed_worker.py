"""What benchmarks/speed.py measures in the environment of this package, a process for each row."""

import json
import sys
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy
import spacy
import torch
from ner import entities
from serving import Prepare, serve
from spacy.language import Language
from spacy.util import minibatch
from torch.nn import Linear

from spacy_bertlstm.encoder.budget import find_width_step, group_runs, share_runs
from spacy_bertlstm.encoder.packed import count_rows, make_buckets
from spacy_bertlstm.encoder.pieces import Pieces, cut_pieces
from spacy_bertlstm.encoder.prepared import Product, has_prepared_products
from spacy_bertlstm.encoder.transformer import count_positions

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
ROWS_AT_ONCE = {"cpu": 1024, "cuda": 8192}  # of the matrix products
NOTES_A_ZONE = 256  # notes whose strings are let go of together


def load_on(device: str, model: str, settings: str = "{}") -> Language:
    """A pipeline whose weights are on a device."""
    if device == "cuda":
        spacy.require_gpu(torch.cuda.current_device())
    return spacy.load(model, config=json.loads(settings))


def load_pipeline(device: str, model: str, settings: str) -> Prepare:
    """A spaCy pipeline, from raw texts to Docs with entities."""
    nlp = load_on(device, model, settings)

    def prepare(texts: list[str]) -> Callable[[], dict[str, Any]]:
        # No Doc is kept: what it holds on to is the pipeline's affair, not the caller's.
        return lambda: {"entities": [entities(doc) for doc in nlp.pipe(texts)]}

    return prepare


def load_stream(device: str, model: str, settings: str) -> Prepare:
    """A spaCy pipeline through which notes stream without end, whose strings are let go of."""
    nlp = load_on(device, model, settings)

    def prepare(texts: list[str]) -> Callable[[], dict[str, Any]]:
        def run() -> dict[str, Any]:
            found = 0
            for batch in minibatch(texts, NOTES_A_ZONE):
                with nlp.memory_zone():
                    found += sum(len(doc.ents) for doc in nlp.pipe(batch))
            return {"found": found}

        return run

    return prepare


def load_bare(device: str, model: str, precision: str) -> Prepare:
    """The Hugging Face encoder of a pipeline alone, on the pipeline's word pieces, unpadded."""
    nlp = load_on(device, model)
    transformer = nlp.get_pipe("transformer").model
    encoder = transformer.transformer.eval()

    def prepare(texts: list[str]) -> Callable[[], dict[str, Any]]:
        pieces = cut(nlp, texts)
        runs = numpy.split(pieces.ids, numpy.cumsum(pieces.lengths)[:-1])
        # Runs of one length together, so that nothing is padded.
        batches: list[torch.Tensor] = []
        for length in numpy.unique(pieces.lengths).tolist():
            same = torch.from_numpy(numpy.stack([run for run in runs if len(run) == length]))
            batches += same.to(device).split(max(1, transformer.shim.max_pieces // length))

        def run() -> dict[str, Any]:
            dtype = DTYPES[precision]
            with torch.no_grad(), torch.autocast(device, dtype, enabled=precision != "fp32"):
                for ids in batches:
                    encoder(input_ids=ids)
            return {}

        return run

    return prepare


def load_products(device: str, model: str, precision: str) -> Prepare:
    """Products of matrices of the encoder's shapes alone, as many as its arithmetic amounts to.

    On a CPU they are oneDNN's with weights laid out once, which are faster than torch's own.
    """
    nlp = load_on(device, model)
    transformer = nlp.get_pipe("transformer").model
    config = transformer.transformer.config
    width, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    shapes = [*[(width, width)] * 4, (width, inner), (inner, width)] * layers
    dtype = DTYPES[precision]
    linears = [Linear(*shape, device=device, dtype=dtype) for shape in shapes]
    prepares = has_prepared_products(device, dtype)
    products = [Product([linear], dtype) if prepares else linear for linear in linears]
    most = ROWS_AT_ONCE[device]
    inputs = {n: torch.randn(most, n, device=device, dtype=dtype) for n in (width, inner)}
    flops_a_row = 2 * sum(linear.weight.numel() for linear in linears)

    def prepare(texts: list[str]) -> Callable[[], dict[str, Any]]:
        lengths = cut(nlp, texts).lengths
        # Attention: of all pieces of a run with each other, twice.
        flops = flops_a_row * int(lengths.sum()) + 4 * width * layers * int((lengths**2).sum())
        padding = measure_padding(lengths.tolist(), transformer.shim.max_pieces, device)
        full, rest = divmod(round(flops / flops_a_row), most)

        def run() -> dict[str, Any]:
            with torch.no_grad():
                for rows in chain([most] * full, [rest] if rest else []):
                    for (n, _), multiply in zip(shapes, products, strict=True):
                        multiply(inputs[n][:rows])
            return {"flops": flops, "padding": padding}

        return run

    return prepare


def measure_padding(lengths: list[int], max_pieces: int, device: str) -> dict[str, float]:
    """What shares of the rows of our products and of the places of attention are padding.

    lengths (list[int]): Pieces of each run.
    max_pieces (int): Of a sub-batch.
    device (str): "cpu", or "cuda", where products have no rows for the sake of their number.
    """
    settings: Any = {"device": device, "packs": True}
    sides = share_runs(lengths, max_pieces, **settings)
    batches = [
        [[lengths[i] for i in bucket] for bucket in buckets]
        for side in sides
        for buckets in group_runs(lengths, max_pieces // len(sides), side, **settings)
    ]
    rows = sum(lengths)
    if device == "cpu":
        rows = sum(count_rows(sum(map(sum, buckets)), trains=False) for buckets in batches)
    step = find_width_step(**settings)
    places = sum(
        make_buckets(buckets, torch.device("cpu"), width_step=step).size for buckets in batches
    )
    return {
        "rows of products": 1 - sum(lengths) / rows,
        "places of attention": 1 - sum(lengths) / places,
    }


def cut(nlp: Language, texts: list[str]) -> Pieces:
    """The word pieces of texts as the pipeline's transformer cuts them."""
    transformer = nlp.get_pipe("transformer").model
    with nlp.select_pipes(enable="sentences"):
        docs = list(nlp.pipe(texts))
    tokenizer = transformer.tokenizer
    limit = count_positions(transformer) + tokenizer.num_special_tokens_to_add()
    return cut_pieces(tokenizer, docs, transformer.attrs["get_spans"](docs), limit)


KINDS: dict[str, Callable[[str, str, str], Prepare]] = {
    "pipeline": load_pipeline,
    "stream": load_stream,
    "bare": load_bare,
    "products": load_products,
}


if __name__ == "__main__":
    serve(
        lambda device, kind, model, setting: KINDS[kind](device, model, setting),
        # A stream is to be as large as its process, not as the texts behind and before it.
        kept=1 if "stream" in sys.argv else 4,
    )
