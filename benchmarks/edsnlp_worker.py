"""What benchmarks/speed.py measures of edsnlp, in an environment of edsnlp's own."""

from collections.abc import Callable
from typing import Any

import edsnlp
import edsnlp.pipes as eds
import torch
from serving import Prepare, serve
from transformers import AutoModelForTokenClassification


def load(device: str, model: str, precision: str) -> Prepare:
    """`eds.transformer` and `eds.ner_crf` as they come: windows and CRF.

    device (str): "cpu" or "cuda".
    model (str): The folder of a token-classification model with the labels of O and, for each
        type in turn, of B, I, L and U.
    precision (str): "bf16", by autocast, or "fp32" for a processor without instructions for that.
    """
    classifier = AutoModelForTokenClassification.from_pretrained(model)
    tags = classifier.config.id2label
    labels = [tags[number] for number in range(1, len(tags), 4)]
    nlp = edsnlp.blank("eds")
    nlp.add_pipe(
        eds.ner_crf(
            embedding=eds.transformer(model=model),
            labels=labels,
            span_setter={"ents": True},
            mode="joint",
        ),
        name="ner",
    )
    # It has a CRF for each type, over O, I, B, L and U.
    order = [row for at in range(1, len(tags), 4) for row in (0, at + 1, at, at + 2, at + 3)]
    linear = nlp.pipes.ner.linear
    with torch.no_grad():
        linear.weight.copy_(classifier.classifier.weight[order])
        linear.bias.copy_(classifier.classifier.bias[order])

    def prepare(texts: list[str]) -> Callable[[], dict[str, Any]]:
        def run() -> dict[str, Any]:
            # Texts of like length together: each batch is padded to its longest.
            order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
            found: list[list[tuple[int, int, str]]] = [[] for _ in texts]
            docs = nlp.pipe([texts[i] for i in order]).set_processing(
                backend="simple",
                device=device,
                autocast=torch.bfloat16 if precision == "bf16" else False,
            )
            for i, doc in zip(order, docs, strict=True):
                found[i] = [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]
            return {"entities": found}

        return run

    return prepare


if __name__ == "__main__":
    serve(load)
