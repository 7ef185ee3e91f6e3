"""Heads that turn token vectors into scores of tags, with and without scores of their transitions.

Both give `CrfScores`, and both are decoded to the best legal path. Their attribute
`legal_paths_only` says over what the loss is normalized: over the legal paths, as a CRF, or over
all, which without scores of transitions is the cross-entropy of each token by itself.
"""

from collections.abc import Callable
from typing import cast

from spacy.tokens import Doc
from thinc.api import Linear, Model, chain, with_array
from thinc.types import Floats1d, Floats2d

from spacy_bertlstm.heads.crf import CrfScores


def build_crf_tagger(
    tok2vec: Model[list[Doc], list[Floats2d]], nO: int | None = None
) -> Model[list[Doc], CrfScores]:
    """A linear layer that scores tags, and a table that scores their transitions.

    tok2vec (Model[list[Doc], list[Floats2d]]): The encoder.
    nO (int | None): The number of tags; left open, the component sets it from its labels.
    RETURNS (Model[list[Doc], CrfScores]): Takes Docs, one with tokens at least.
    """
    return _build_tagger(tok2vec, crf_transitions(nO), nO, legal_paths_only=True)


def build_softmax_tagger(
    tok2vec: Model[list[Doc], list[Floats2d]], nO: int | None = None
) -> Model[list[Doc], CrfScores]:
    """A linear layer that scores tags, each token's for itself.

    The loss is the cross-entropy a token; where several tags are allowed, of their sum.
    Entities come from the best legal path, and their probability is that of independent
    tokens, shared among the legal paths.

    tok2vec (Model[list[Doc], list[Floats2d]]): The encoder.
    nO (int | None): The number of tags; left open, the component sets it from its labels.
    RETURNS (Model[list[Doc], CrfScores]): Takes Docs, one with tokens at least.
    """
    return _build_tagger(tok2vec, zero_transitions(nO), nO, legal_paths_only=False)


def _build_tagger(
    tok2vec: Model[list[Doc], list[Floats2d]],
    transitions: Model[list[Floats2d], CrfScores],
    nO: int | None,
    *,
    legal_paths_only: bool,
) -> Model[list[Doc], CrfScores]:
    output: Model[Floats2d, Floats2d] = Linear(nO=nO)
    model: Model[list[Doc], CrfScores] = chain(tok2vec, with_array(output), transitions)
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output", output)
    model.set_ref("transitions", transitions)
    model.attrs["legal_paths_only"] = legal_paths_only
    return model


def zero_transitions(nO: int | None = None) -> Model[list[Floats2d], CrfScores]:
    """Score every first tag, last tag and transition zero.

    nO (int | None): The number of tags.
    """
    return Model("zero_transitions", forward_zeros, dims={"nO": nO})


def forward_zeros(
    model: Model[list[Floats2d], CrfScores], emissions: list[Floats2d], is_train: bool
) -> tuple[CrfScores, Callable[[CrfScores], list[Floats2d]]]:
    nO = model.get_dim("nO")
    zeros = model.ops.alloc1f(nO)

    def backprop(d_scores: CrfScores) -> list[Floats2d]:
        return d_scores.emissions

    return CrfScores(emissions, zeros, zeros, model.ops.alloc2f(nO, nO)), backprop


def crf_transitions(nO: int | None = None) -> Model[list[Floats2d], CrfScores]:
    """Join the parameters that score a text's first tag, last tag and each transition.

    nO (int | None): The number of tags.
    """
    return Model(
        "crf_transitions",
        forward,
        init=init,
        dims={"nO": nO},
        params={"starts": None, "ends": None, "transitions": None},
    )


def forward(
    model: Model[list[Floats2d], CrfScores], emissions: list[Floats2d], is_train: bool
) -> tuple[CrfScores, Callable[[CrfScores], list[Floats2d]]]:
    scores = CrfScores(
        emissions,
        cast(Floats1d, model.get_param("starts")),
        cast(Floats1d, model.get_param("ends")),
        cast(Floats2d, model.get_param("transitions")),
    )

    def backprop(d_scores: CrfScores) -> list[Floats2d]:
        model.inc_grad("starts", d_scores.starts)
        model.inc_grad("ends", d_scores.ends)
        model.inc_grad("transitions", d_scores.transitions)
        return d_scores.emissions

    return scores, backprop


def init(
    model: Model[list[Floats2d], CrfScores],
    X: list[Floats2d] | None = None,
    Y: CrfScores | None = None,
) -> None:
    nO = model.get_dim("nO")
    model.set_param("starts", model.ops.alloc1f(nO))
    model.set_param("ends", model.ops.alloc1f(nO))
    model.set_param("transitions", model.ops.alloc2f(nO, nO))
