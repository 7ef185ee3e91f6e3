from collections.abc import Callable

import numpy
import pytest
import torch
from spacy.language import Language
from spacy.training import Example
from thinc.api import Maxout

from spacy_bertlstm.training.optimizer import encoder_height, is_encoder_parameter, make_adam
from spacy_bertlstm.training.weights import hash_weights

Arrays = dict[str, numpy.ndarray]


def take_step(optimizer: Callable, weights: Arrays, gradients: Arrays) -> None:
    for name, values in weights.items():
        optimizer((1, name), values, gradients[name].copy())


def rates(optimizer: Callable, names: list[str]) -> dict[str, float]:
    """How far one first step moves each of some parameters: Adam's first step is its rate."""
    weights = {name: numpy.zeros(3, dtype="f") for name in names}
    take_step(optimizer, weights, {name: numpy.ones(3, dtype="f") for name in names})
    optimizer.step_schedules()
    return {name: -float(values[0]) for name, values in weights.items()}


def test_each_part_has_its_rate() -> None:
    optimizer = make_adam(0.5, encoder_scale=0.1, crf_scale=2.0, grad_clip=0.0)
    moved = rates(optimizer, ["weight_ih_l0", "encoder.layer.0.dense.weight", "transitions"])
    assert list(moved.values()) == pytest.approx([0.5, 0.05, 1.0], rel=1e-3)


def test_the_rate_decays_from_layer_to_layer() -> None:
    optimizer = make_adam(1.0, encoder_scale=0.1, layer_decay=0.5, grad_clip=0.0)
    names = [
        "embeddings.word_embeddings.weight",
        "encoder.layer.0.dense.weight",
        "encoder.layer.1.dense.weight",
        "pooler.dense.weight",
        "W",
    ]
    moved = rates(optimizer, names)
    assert list(moved.values()) == pytest.approx([0.025, 0.05, 0.1, 0.1, 1.0], rel=1e-3)


@pytest.mark.parametrize(
    ("name", "height"),
    [
        ("embeddings.LayerNorm.weight", 0),
        ("encoder.rel_embeddings.weight", 0),
        ("encoder.layer.11.output.dense.bias", 12),
        ("transformer.layer.0.ffn.lin1.weight", 1),
        ("layers.2.fc1.weight", 3),
        ("pooler.dense.weight", None),
    ],
)
def test_names_tell_the_height_in_the_encoder(name: str, height: int | None) -> None:
    assert encoder_height(name) == height


def test_it_is_adamw_with_the_norm_of_all_gradients_clipped(rng: numpy.random.Generator) -> None:
    """Five steps move the weights as torch's own do."""
    shapes = {"W": (3, 4), "b": (3,), "transitions": (3, 3)}
    ours = {name: rng.normal(size=shape).astype("f") for name, shape in shapes.items()}
    theirs = {name: torch.tensor(values.copy()) for name, values in ours.items()}
    matrices = [theirs["W"], theirs["transitions"]]
    reference = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": [theirs["b"]], "weight_decay": 0.0}],
        lr=0.05,
        eps=1e-8,
    )
    optimizer = make_adam(0.05, L2=0.1, grad_clip=1.0)
    for size in (0.01, 0.1, 1.0, 10.0, 0.1):
        gradients = {
            name: size * rng.normal(size=shape).astype("f") for name, shape in shapes.items()
        }
        take_step(optimizer, ours, gradients)
        optimizer.step_schedules()
        for name, values in theirs.items():
            values.grad = torch.tensor(gradients[name])
        torch.nn.utils.clip_grad_norm_(theirs.values(), 1.0)
        reference.step()
        for name, values in theirs.items():
            # thinc adds eps before the correction of bias, torch after it.
            numpy.testing.assert_allclose(ours[name], values.numpy(), atol=1e-4)


def test_a_caller_may_scale_the_rate() -> None:
    optimizer = make_adam(0.5)
    weights = numpy.zeros((2, 2), dtype="f")
    optimizer((1, "W"), weights, numpy.ones((2, 2), dtype="f"), lr_scale=0.1)
    optimizer.step_schedules()
    assert weights[0, 0] == pytest.approx(-0.05, rel=1e-3)


def test_gradients_wait_for_the_end_of_the_step_and_are_reset() -> None:
    optimizer = make_adam(0.5)
    weights, gradient = numpy.zeros((2, 2), dtype="f"), numpy.ones((2, 2), dtype="f")
    returned, _ = optimizer((1, "W"), weights, gradient)
    assert returned is weights
    assert not weights.any()
    assert not gradient.any()
    optimizer.step_schedules()
    assert weights.all()


def test_without_schedule_steps_a_step_ends_with_the_parameters_of_the_last() -> None:
    """Callers of nlp.update(sgd=optimizer) may not step the schedules."""
    weights = {"W": numpy.zeros((2, 2), dtype="f"), "b": numpy.zeros(2, dtype="f")}
    gradients = {name: numpy.ones_like(values) for name, values in weights.items()}
    optimizer = make_adam(0.5, grad_clip=0.0)
    for steps_taken in (0, 2, 3, 4):
        take_step(optimizer, weights, gradients)
        for values in weights.values():
            assert values.ravel()[0] == pytest.approx(-0.5 * steps_taken, rel=1e-3)


def test_what_no_gradient_reaches_is_left_alone() -> None:
    optimizer = make_adam(0.5, L2=0.1)
    weights = numpy.ones((2, 2), dtype="f")
    optimizer((1, "pooler.dense.weight"), weights, numpy.zeros((2, 2), dtype="f"))
    optimizer.step_schedules()
    assert (weights == 1).all()


def test_biases_do_not_decay() -> None:
    layer = Maxout(nO=2, nI=3, nP=4).initialize()
    layer.set_param("b", numpy.ones((2, 4), dtype="f"))
    before = layer.get_param("W").copy()
    optimizer = make_adam(0.5, L2=0.1, grad_clip=0.0)
    for name in ("W", "b"):
        gradient = numpy.zeros_like(layer.get_param(name))
        gradient[0] = 1.0
        layer.set_grad(name, gradient)
    layer.finish_update(optimizer)
    optimizer.step_schedules()
    numpy.testing.assert_allclose(layer.get_param("W")[1], 0.95 * before[1], rtol=1e-5)
    assert (layer.get_param("b")[1] == 1).all()
    numpy.testing.assert_allclose(layer.get_param("b")[0], 0.5, rtol=1e-5)


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
    assert len(names["ner"]) == 16 + 2 + 3  # BiLSTM, linear layer, scores of transitions
    assert not any(is_encoder_parameter(name) for name in names["ner"])


@pytest.mark.parametrize("part", ["transformer", "ner"])
def test_weights_change_where_the_model_holds_them(
    part: str,
    make_nlp: Callable[..., Language],
    make_examples: Callable[[Language], list[Example]],
) -> None:
    nlp = make_nlp()
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    before = hash_weights(nlp)
    optimizer = make_adam(0.1)
    nlp.update(examples, sgd=False, annotates=["sentences"])
    nlp.get_pipe(part).finish_update(optimizer)
    assert hash_weights(nlp) == before
    optimizer.step_schedules()
    assert hash_weights(nlp) != before


def test_a_gradient_that_is_taken_over_counts_as_one_that_is_called_with() -> None:
    gradient = numpy.asarray([1.0, 2.0, -1.0], dtype="f")
    weights = [numpy.ones(3, dtype="f") for _ in range(2)]
    for values, taken in zip(weights, (False, True), strict=True):
        optimizer = make_adam(0.1)
        for _ in range(3):
            own = gradient.copy()
            if taken:
                optimizer.take((1, "W"), values, own)
            else:
                optimizer((1, "W"), values, own)
                assert not own.any()
            optimizer.step_schedules()
    numpy.testing.assert_array_equal(*weights)
    assert (weights[0] != 1).all()


def test_a_sparse_gradient_counts_as_one_that_is_filled_up(rng: numpy.random.Generator) -> None:
    """Rows that are not in it go on moving by what was in it before, and decay."""
    dense, sparse = (numpy.ones((6, 2), dtype="f") for _ in range(2))
    optimizers = [make_adam(0.1, L2=0.1, grad_clip=0.5) for _ in range(2)]
    for rows in ([1, 4, 4], [0], [], [4, 5]):
        values = torch.tensor(rng.normal(size=(len(rows), 2)).astype("f"))
        places = torch.tensor([rows], dtype=torch.int64)
        gradient = torch.sparse_coo_tensor(places, values, (6, 2), check_invariants=True)
        optimizers[0].take((1, "W"), dense, gradient.to_dense().numpy())
        optimizers[1].take((1, "W"), sparse, gradient)
        for optimizer in optimizers:
            optimizer.step_schedules()
        numpy.testing.assert_allclose(sparse, dense, rtol=1e-6)
    assert (dense != 1).all()
