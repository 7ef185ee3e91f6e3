from collections.abc import Callable

import numpy
import pytest
from spacy.language import Language
from spacy.training import Example

from spacy_bertlstm.training.optimizer import is_encoder_parameter, make_adam


def test_the_encoder_takes_smaller_steps() -> None:
    optimizer = make_adam(0.5, encoder_scale=0.1)
    steps = {}
    for name in ("weight_ih_l0", "encoder.layer.0.output.dense.weight"):
        weights, _ = optimizer((1, name), numpy.zeros(3, dtype="f"), numpy.ones(3, dtype="f"))
        steps[name] = -weights[0]
    assert steps["weight_ih_l0"] == pytest.approx(0.5, rel=1e-3)
    assert steps["encoder.layer.0.output.dense.weight"] == pytest.approx(0.05, rel=1e-3)


def test_the_rate_follows_a_schedule() -> None:
    optimizer = make_adam(iter([0.0, 0.5]))
    assert optimizer.learn_rate == 0.0
    optimizer.step_schedules()
    assert optimizer.learn_rate == 0.5
    assert optimizer.averages is None


def test_names_tell_the_parts_of_a_pipeline(
    make_nlp: Callable[..., Language], make_examples: Callable[[Language], list[Example]]
) -> None:
    """Each parameter of the transformer, and no other, has an encoder's name."""
    nlp = make_nlp()
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=False, annotates=["sentences"])
    names: dict[str, list[str]] = {}

    def note(key: tuple[int, str], weights: numpy.ndarray, gradient: numpy.ndarray) -> tuple:
        names[part].append(key[1])
        return weights, gradient

    for part in ("transformer", "ner"):
        names[part] = []
        nlp.get_pipe(part).finish_update(note)
    assert len(names["transformer"]) > 20
    assert all(is_encoder_parameter(name) for name in names["transformer"])
    assert len(names["ner"]) == 16 + 2 + 3  # BiLSTM, linear layer, succession of tags
    assert not any(is_encoder_parameter(name) for name in names["ner"])
