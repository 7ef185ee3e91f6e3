"""What benchmarks/speed.py measures of Hugging Face's own pipeline, which needs no spaCy."""

from collections.abc import Callable
from typing import Any

import torch
from serving import Prepare, serve
from transformers import pipeline

BATCH_SIZE = 8
STRIDE = 32  # word pieces that two windows of a long text share


def load(device: str, model: str, dtype: str) -> Prepare:
    """A token-classification pipeline on whole texts, which it cuts by its own stride."""
    classify = pipeline(
        "token-classification",
        model,
        torch_dtype=getattr(torch, dtype),
        aggregation_strategy="simple",
        stride=STRIDE,
        batch_size=BATCH_SIZE,
        device=device,
    )

    def prepare(texts: list[str]) -> Callable[[], dict[str, Any]]:
        def run() -> dict[str, Any]:
            found = [
                [(group["start"], group["end"], group["entity_group"]) for group in groups]
                for groups in classify(texts)
            ]
            return {"entities": found}

        return run

    return prepare


if __name__ == "__main__":
    serve(load)
