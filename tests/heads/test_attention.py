"""Attention over bags of shared rows, against thinc's over copies of them."""

import numpy
import torch
from thinc.api import NumpyOps, ParametricAttention_v2, chain, reduce_sum
from thinc.types import Ragged

from spacy_bertlstm.heads.attention import bag_attention

PLACES = numpy.asarray([0, 1, 2, 4, 2, 3, 4, 0, 0], dtype="int32")
LENGTHS = numpy.asarray([3, 1, 4, 1], dtype="int32")


def test_it_is_thincs_attention_over_copies(rng: numpy.random.Generator) -> None:
    rows = rng.normal(size=(6, 7)).astype("f")
    weights = rng.normal(size=(4, 7)).astype("f")
    model = bag_attention(7)
    model.initialize()
    attention = ParametricAttention_v2(nO=7)
    attention.initialize()
    attention.set_param("Q", model.get_param("Q").copy())
    Y, backprop = model.begin_update((rows, Ragged(PLACES, LENGTHS)))
    copies = chain(attention, reduce_sum())
    wanted, backprop_copies = copies.begin_update(Ragged(rows[PLACES], LENGTHS))
    numpy.testing.assert_allclose(Y, wanted, atol=1e-6)
    gradient = numpy.zeros_like(rows)
    NumpyOps().scatter_add(gradient, PLACES, backprop_copies(weights).dataXd)
    numpy.testing.assert_allclose(backprop(weights), gradient, atol=1e-6)
    numpy.testing.assert_allclose(model.get_grad("Q"), attention.get_grad("Q"), atol=1e-6)


def test_a_callers_autocast_changes_nothing(rng: numpy.random.Generator) -> None:
    rows = rng.normal(size=(6, 7)).astype("f")
    model = bag_attention(7)
    model.initialize()
    bags = rows, Ragged(PLACES, LENGTHS)
    Y, backprop = model.begin_update(bags)
    gradient = backprop(Y)
    with torch.autocast("cpu"):
        found, backprop = model.begin_update(bags)
        numpy.testing.assert_array_equal(backprop(found), gradient)
    numpy.testing.assert_array_equal(found, Y)


def test_scores_of_any_size_make_weights(rng: numpy.random.Generator) -> None:
    """A bag whose scores are far below those of another is not lost to rounding."""
    model = bag_attention(2)
    model.initialize()
    model.set_param("Q", numpy.asarray([1.0, 0.0], dtype="f"))
    rows = numpy.asarray([[500.0, 1.0], [-500.0, 2.0], [-500.0, 4.0]], dtype="f")
    bags = Ragged(numpy.asarray([0, 1, 1, 2], dtype="int32"), numpy.asarray([2, 2], dtype="int32"))
    numpy.testing.assert_allclose(model.predict((rows, bags)), [[500.0, 1.0], [-500.0, 3.0]])
