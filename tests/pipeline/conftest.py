"""A component by itself, on spaCy's smallest encoder and with random weights."""

from collections.abc import Callable

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example


@pytest.fixture
def make_random_ner(
    rng: numpy.random.Generator, hash_encoder: dict[str, object]
) -> Callable[..., Language]:
    """Build a pipeline of one `bertlstm_ner` named "ner", whose scores are all over the place."""

    def build(
        labels: tuple[str, ...] = ("problem", "test"), head: str = "CrfTagger", **config: object
    ) -> Language:
        nlp = spacy.blank("en")
        model = {"@architectures": f"spacy-bertlstm.{head}.v1", "tok2vec": hash_encoder}
        ner = nlp.add_pipe("bertlstm_ner", name="ner", config={"model": model, **config})
        for label in labels:
            ner.add_label(label)
        example = Example(nlp.make_doc("no pain"), Doc(nlp.vocab, words=["no", "pain"]))
        nlp.initialize(lambda: [example])
        for ref in ("output", "transitions"):
            layer = ner.model.get_ref(ref)
            for name in layer.param_names:
                shape = layer.get_param(name).shape
                layer.set_param(name, rng.normal(0, 1.5, size=shape).astype("f"))
        return nlp

    return build
