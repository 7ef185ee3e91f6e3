"""Encoders without padding give what transformers' own give."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch.nn import Linear
from transformers import (
    AutoModel,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from spacy_bertlstm.encoder import packed
from spacy_bertlstm.encoder.packed import find_layers, make_buckets, run_packed

SMALL = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}
LENGTHS = [[9, 9], [7, 6, 5], [3], [1, 1]]


class Adapter(Linear):
    """A product that does more than its weights tell."""

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return super().forward(X) + 1


def change(encoder: PreTrainedModel, query: Linear) -> PreTrainedModel:
    encoder.encoder.layer[1].attention.self.query = query
    return encoder


def make(name: str) -> PreTrainedModel:
    torch.manual_seed(0)
    made: PreTrainedModel = {
        "bert": lambda: BertModel(BertConfig(**SMALL)),
        "bert-relu": lambda: BertModel(BertConfig(hidden_act="relu", **SMALL)),
        "roberta": lambda: RobertaModel(RobertaConfig(type_vocab_size=1, **SMALL)),
        "xlm-roberta": lambda: XLMRobertaModel(XLMRobertaConfig(type_vocab_size=1, **SMALL)),
        "relative": lambda: BertModel(BertConfig(position_embedding_type="relative_key", **SMALL)),
        "decoder": lambda: BertModel(BertConfig(is_decoder=True, **SMALL)),
        "adapter": lambda: change(BertModel(BertConfig(**SMALL)), Adapter(16, 16)),
        "no-bias": lambda: change(BertModel(BertConfig(**SMALL)), Linear(16, 16, bias=False)),
        "distilbert": lambda: DistilBertModel(DistilBertConfig(dim=16, hidden_dim=24, n_heads=4)),
    }[name]()
    return made.eval()


def run(
    encoder: PreTrainedModel,
    ids: torch.Tensor,
    type_ids: torch.Tensor | None,
    lengths: list[list[int]] = LENGTHS,
) -> torch.Tensor:
    width_step = 4 if lengths is LENGTHS else 1
    buckets = make_buckets(lengths, torch.device("cpu"), width_step=width_step)
    assert (buckets.size > len(ids)) == (lengths is LENGTHS)
    positions = torch.cat([torch.arange(length) for bucket in lengths for length in bucket])
    return run_packed(encoder, find_layers(encoder), ids, type_ids, positions, buckets)[-1]


def run_one_by_one(
    encoder: PreTrainedModel,
    ids: torch.Tensor,
    type_ids: torch.Tensor | None,
    lengths: list[list[int]],
) -> torch.Tensor:
    of_texts = [length for bucket in lengths for length in bucket]
    segments = [None] * len(of_texts) if type_ids is None else type_ids.split(of_texts)
    outputs = [
        encoder(
            input_ids=text[None], token_type_ids=None if segment is None else segment[None]
        ).last_hidden_state[0]
        for text, segment in zip(ids.split(of_texts), segments, strict=True)
    ]
    return torch.cat(outputs)


@pytest.mark.parametrize("name", ["bert", "bert-relu", "roberta", "xlm-roberta"])
@pytest.mark.parametrize("in_training", [False, True])
@pytest.mark.parametrize("lengths", [LENGTHS, [[9, 9], [5], [1]]], ids=["padded", "full"])
def test_vectors_and_gradients_equal_those_of_transformers(
    name: str, lengths: list[list[int]], in_training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In training but for the dropout, which is the encoder's own and left out here."""
    encoder = make(name).double()  # in fp32 what cancels out leaves errors of rounding
    rates = []
    if in_training:
        monkeypatch.setattr(packed, "drop", lambda X, rate: rates.append(rate) or X)
        monkeypatch.setattr(encoder, "training", True)
    n_pieces = sum(map(sum, lengths))
    ids = torch.randint(5, 60, (n_pieces,))
    ids[[1, 2, 6, 14]] = encoder.config.pad_token_id  # where a text has "<pad>" in it
    type_ids = torch.randint(0, 2, (n_pieces,)) if name == "bert" else None
    dY = torch.randn(n_pieces, 16, dtype=torch.float64)
    gradients = []
    outputs = []
    for calculate in (run, run_one_by_one):
        encoder.zero_grad()
        Y = calculate(encoder, ids, type_ids, lengths)
        Y.backward(dY)
        outputs.append(Y.detach())
        gradients.append(
            {
                key: weight.grad.clone()
                for key, weight in encoder.named_parameters()
                if weight.grad is not None
            }
        )
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-5)
    # Of the embeddings, and in each layer of each bucket's attention and of two sums.
    assert rates == in_training * (1 + 2 * (2 + len(lengths))) * [0.1]
    ours, theirs = gradients
    assert ours.keys() == theirs.keys()
    for key, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[key], atol=1e-5, rtol=1e-4, msg=key)


@pytest.fixture(params=[False, True], ids=["", "amx"])
def amx(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether torch's kernel is taken for the faster one."""
    has_amx: bool = request.param
    monkeypatch.setattr(packed, "has_amx", lambda device: has_amx)
    return has_amx


@pytest.mark.parametrize("name", ["bert", "roberta"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("score", "is_quick"),
    [(0, True), (60, True), (-60, True), (75, False), (-75, False), (600, False), (-600, False)],
)
def test_vectors_in_use_are_those_of_training_without_dropout(
    name: str,
    precision: str,
    score: int,
    is_quick: bool,
    amx: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In use exponentials are taken as they are, unless scores are too large, or too small."""
    encoder = make(name)
    with torch.no_grad():
        for layer in encoder.encoder.layer:
            # Of 4 values, whose product is divided by the root of their number.
            layer.attention.self.query.bias.fill_(score / 2)
            layer.attention.self.key.bias.fill_(1.0)
    taken = []
    exponentiate = packed._attend_by_exponentials

    def note(*args: Any) -> torch.Tensor | None:
        attended = exponentiate(*args)
        taken.append(attended is not None)
        return attended

    monkeypatch.setattr(packed, "_attend_by_exponentials", note)
    ids = torch.randint(5, 60, (sum(map(sum, LENGTHS)),))
    exact = run(encoder, ids, None)
    assert not taken
    with torch.no_grad(), torch.autocast("cpu", enabled=precision == "bf16"):
        in_use = run(encoder, ids, None)
    assert taken == ([] if amx else [is_quick] * 2)
    tolerance = 1e-4 if precision == "fp32" else 0.05
    torch.testing.assert_close(in_use, exact, atol=tolerance, rtol=tolerance)


def test_a_text_whose_scores_would_fill_the_memory_is_left_to_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packed, "has_amx", lambda device: False)
    encoder = make("bert")
    ids = torch.randint(5, 60, (sum(map(sum, LENGTHS)),))
    with torch.no_grad():
        expected = run(encoder, ids, None)
        monkeypatch.setattr(packed, "_MOST_SCORES", 64)  # as of four texts of 4 pieces
        kernel = Mock(wraps=packed.scaled_dot_product_attention)
        monkeypatch.setattr(packed, "scaled_dot_product_attention", kernel)
        torch.testing.assert_close(run(encoder, ids, None), expected, atol=1e-5, rtol=1e-5)
    assert kernel.call_count == 2 * len(LENGTHS)


@pytest.mark.parametrize("name", ["relative", "decoder", "distilbert", "adapter", "no-bias"])
def test_other_builds_are_told_apart(name: str) -> None:
    assert not find_layers(make(name))


def test_code_of_others_is_not_taken_for_berts() -> None:
    class OwnBert(BertModel):
        pass

    assert not find_layers(OwnBert(BertConfig(**SMALL)))


def test_dropout_is_the_encoders_own(tiny_bert: Path) -> None:
    encoder = AutoModel.from_pretrained(tiny_bert, hidden_dropout_prob=0.5)
    ids = torch.randint(5, 60, (sum(map(sum, LENGTHS)),))
    still = run(encoder.eval(), ids, None)
    torch.testing.assert_close(still, run(encoder, ids, None))
    encoder.train()
    encoder.config.hidden_dropout_prob, encoder.config.attention_probs_dropout_prob = 0.0, 0.5
    with torch.no_grad():
        assert not torch.allclose(run(encoder, ids, None), still, atol=1e-3)
    encoder.config.hidden_dropout_prob, encoder.config.attention_probs_dropout_prob = 0.5, 0.1
    assert not torch.allclose(run(encoder, ids, None), still, atol=1e-3)
    encoder.config.hidden_dropout_prob = encoder.config.attention_probs_dropout_prob = 0.0
    torch.testing.assert_close(run(encoder, ids, None), still)
