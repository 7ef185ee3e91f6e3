"""Tiny encoders of every kind of tokenizer, built on disk."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from thinc.api import Model
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    DebertaV2Config,
    DebertaV2TokenizerFast,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaTokenizerFast,
)

from spacy_bertlstm.encoder.transformer import build_transformer_model
from spacy_bertlstm.encoder.windows import make_sentence_windows

with warnings.catch_warnings():
    # It is written in TorchScript, of which torch warns.
    warnings.simplefilter("ignore", DeprecationWarning)
    from transformers import DebertaV2Model

_CORPUS = [
    "The patient has chest pain.",
    "He was given 40mg p.o. aspirin daily for fever.",
    "5 µg, é and ≥ 3",
] * 3
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
_SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def byte_bpe(*, trim_offsets: bool, add_prefix_space: bool) -> Tokenizer:
    """As RoBERTa's: bytes, a space belongs to the word behind it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=trim_offsets, add_prefix_space=add_prefix_space
    )
    return tokenizer


def unigram(pre_tokenizer: pre_tokenizers.PreTokenizer) -> Tokenizer:
    """As SentencePiece's: NFKC, runs of spaces become one, a mark before each word."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.UnigramTrainer(
        vocab_size=80, special_tokens=_SPECIAL, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def write_roberta(folder: Path, *, trim_offsets: bool, add_prefix_space: bool) -> None:
    backend = byte_bpe(trim_offsets=trim_offsets, add_prefix_space=add_prefix_space)
    tokenizer = RobertaTokenizerFast(
        tokenizer_object=backend,
        add_prefix_space=add_prefix_space,
        trim_offsets=trim_offsets,
        model_max_length=32,
    )
    tokenizer.save_pretrained(folder)
    # Positions are counted from behind the padding index, which is 1.
    config = RobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=34, type_vocab_size=1, **_SMALL
    )
    RobertaModel(config).save_pretrained(folder)


def write_xlm_roberta(folder: Path) -> None:
    backend = unigram(
        pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
        )
    )
    tokenizer = XLMRobertaTokenizerFast(tokenizer_object=backend, model_max_length=32)
    tokenizer.save_pretrained(folder)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=34, type_vocab_size=1, **_SMALL
    )
    XLMRobertaModel(config).save_pretrained(folder)


def write_deberta(folder: Path) -> None:
    backend = unigram(pre_tokenizers.Metaspace(prepend_scheme="always"))
    tokenizer = DebertaV2TokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=32,
    )
    tokenizer.save_pretrained(folder)
    config = DebertaV2Config(
        vocab_size=len(tokenizer),
        max_position_embeddings=32,
        type_vocab_size=0,
        relative_attention=True,
        position_biased_input=False,
        pos_att_type=["p2c", "c2p"],
        pad_token_id=1,
        **_SMALL,
    )
    DebertaV2Model(config).save_pretrained(folder)


WRITERS: dict[str, Callable[[Path], None]] = {
    "roberta": lambda folder: write_roberta(folder, trim_offsets=True, add_prefix_space=False),
    "roberta_untrimmed": lambda folder: write_roberta(
        folder, trim_offsets=False, add_prefix_space=True
    ),
    "xlm_roberta": write_xlm_roberta,
    "deberta": write_deberta,
}


@pytest.fixture(scope="session", params=["bert", *WRITERS])
def encoder(
    request: pytest.FixtureRequest, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of an encoder that takes 32 word pieces, one of each kind."""
    if request.param == "bert":
        return tiny_bert
    folder = tmp_path_factory.mktemp(request.param)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        WRITERS[request.param](folder)
    return folder


@pytest.fixture(scope="session")
def untrimmed_tokenizer() -> PreTrainedTokenizerFast:
    """Counts the space before a word to the word's first piece."""
    return PreTrainedTokenizerFast(
        tokenizer_object=byte_bpe(trim_offsets=False, add_prefix_space=True)
    )


@pytest.fixture
def make_model(tiny_bert: Path) -> Callable[[str], Model]:
    """A transformer that has loaded its weights, by the precision of its products."""

    def make(precision: str) -> Model:
        model = build_transformer_model(
            str(tiny_bert), make_sentence_windows(6), precision=precision
        )
        model.initialize()
        return model

    return make
