"""Word pieces: what a tokenizer makes of windows, and which of them cover each token."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import numpy
from spacy.attrs import IDX, IS_SPACE, LENGTH
from spacy.tokens import Doc, Span
from spacy_transformers.data_classes import WordpieceBatch
from thinc.types import Floats2d, Ints1d, Ints2d, Ragged

from spacy_bertlstm.threads import Turns

_TOKENIZING = Turns()


@dataclass(frozen=True)
class Pieces:
    """The word pieces of a batch, one window behind the other, special ones included.

    strings (list[str]): What each stands for, (n_pieces,).
    ids (numpy.ndarray): Their numbers in the tokenizer's vocabulary, (n_pieces,).
    type_ids (numpy.ndarray | None): The segment of each, for encoders that want it, (n_pieces,).
    lengths (numpy.ndarray): Pieces of each run through the encoder, (n_runs,). A window is one run,
        unless it has more pieces than the encoder takes.
    of_docs (list[slice]): The pieces of each Doc.
    align (Ragged): For each token of the batch the pieces that cover its characters.
    """

    strings: list[str]
    ids: numpy.ndarray
    type_ids: numpy.ndarray | None
    lengths: numpy.ndarray
    of_docs: list[slice]
    align: Ragged

    def select(self, which: slice) -> WordpieceBatch:
        """Give some of them as spacy-transformers has them, all in one row."""
        ids = self.ids[None, which]
        type_ids = None if self.type_ids is None else self.type_ids[None, which]
        return WordpieceBatch(
            strings=[self.strings[which]],
            input_ids=cast(Ints2d, ids),
            attention_mask=cast(Floats2d, numpy.ones(ids.shape, dtype="f")),
            lengths=[ids.shape[1]],
            token_type_ids=cast(Ints2d | None, type_ids),
        )


def tokenize(tokenizer: Any, texts: list[str], **settings: Any) -> Any:
    """Call a tokenizer, which cannot change its settings while it works for another thread.

    Its settings are those from before again afterwards: they are stored with a pipeline.

    tokenizer (PreTrainedTokenizerFast): Of a pipeline, which Python threads may share.
    texts (list[str]): To be cut.
    RETURNS (BatchEncoding): What the tokenizer gives.
    """
    backend = tokenizer.backend_tokenizer
    with _TOKENIZING:
        truncation, padding = backend.truncation, backend.padding
        try:
            return tokenizer(texts, **settings)
        finally:
            if truncation is None:
                backend.no_truncation()
            else:
                backend.enable_truncation(**truncation)
            if padding is None:
                backend.no_padding()
            else:
                backend.enable_padding(**padding)


def cut_pieces(
    tokenizer: Any, docs: Sequence[Doc], windows: list[list[Span]], limit: int
) -> Pieces:
    """Cut the text of windows into word pieces, and align these with the tokens.

    A window of more pieces than the encoder takes, such as a single token of 3,000 characters,
    is encoded in several runs, none of whose pieces is lost.

    tokenizer (PreTrainedTokenizerFast): Its offsets point to the characters of the text.
    docs (Sequence[Doc]): The batch.
    windows (list[list[Span]]): Of each Doc, at least one in all.
    limit (int): The most pieces of a run, special ones included.
    """
    encoded = tokenize(
        tokenizer,
        [span.text for spans in windows for span in spans],
        truncation=True,
        max_length=limit,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_attention_mask=False,
    )
    lengths = numpy.array([len(ids) for ids in encoded["input_ids"]])
    # From runs to windows and on to Docs.
    window = numpy.array(encoded["overflow_to_sample_mapping"])
    doc_of_window = numpy.repeat(numpy.arange(len(docs)), [len(spans) for spans in windows])
    counts = numpy.bincount(doc_of_window[window], weights=lengths, minlength=len(docs))
    stops = numpy.cumsum(counts.astype(int)).tolist()

    # Where the text of each window begins, with the Docs' characters counted through.
    first_char = _first_chars(docs)
    begins = [
        begin + span.start_char
        for begin, spans in zip(first_char, windows, strict=True)
        for span in spans
    ]
    offsets = _join(encoded["offset_mapping"]).reshape(-1, 2)  # (n_pieces, 2)
    inside = offsets[:, 1] > offsets[:, 0]  # not so special pieces, which stand for no text
    offsets = offsets + numpy.repeat(numpy.array(begins)[window], lengths)[:, None]
    return Pieces(
        strings=[piece for encoding in encoded.encodings for piece in encoding.tokens],
        ids=_join(encoded["input_ids"]),
        type_ids=_join(encoded["token_type_ids"]) if "token_type_ids" in encoded else None,
        lengths=lengths,
        of_docs=[slice(a, b) for a, b in zip([0, *stops], stops, strict=False)],
        align=_align(docs, first_char, offsets, inside),
    )


def _first_chars(docs: Sequence[Doc]) -> list[int]:
    """Where each Doc's text begins if all stood one behind the other, a space between them."""
    begins = [0]
    for doc in docs:
        length = doc[-1].idx + len(doc[-1].text_with_ws) if len(doc) else 0
        begins.append(begins[-1] + length + 1)
    return begins[:-1]


def _join(rows: list[list]) -> numpy.ndarray:
    return numpy.array(list(chain.from_iterable(rows)), dtype="int64")


def _align(
    docs: Sequence[Doc],
    first_char: list[int],
    offsets: numpy.ndarray,
    inside: numpy.ndarray,
) -> Ragged:
    """For each token the pieces that share a character with it.

    A piece that takes the space before a word with it belongs to the word alone; whether a
    tokenizer counts that space to the piece is its own affair.

    offsets (numpy.ndarray): The characters of each piece, (n_pieces, 2).
    inside (numpy.ndarray): Whether it stands for text at all, (n_pieces,).
    """
    table = [doc.to_array([IDX, LENGTH, IS_SPACE]).astype("int64") for doc in docs]
    tokens = numpy.concatenate([t + [[c, 0, 0]] for t, c in zip(table, first_char, strict=True)])
    starts, ends = tokens[:, 0], tokens[:, 0] + tokens[:, 1]
    is_space = tokens[:, 2].astype(bool)

    # Pieces are spread over the tokens that end behind their begin and start before their end.
    first = numpy.searchsorted(ends, offsets[:, 0], side="right")
    last = numpy.searchsorted(starts, offsets[:, 1], side="left")
    counts = numpy.where(inside, last - first, 0)
    piece = numpy.repeat(numpy.arange(len(offsets)), counts)
    nth = numpy.arange(len(piece)) - numpy.repeat(numpy.cumsum(counts) - counts, counts)
    token = first[piece] + nth

    in_word = numpy.zeros(len(offsets), dtype=bool)
    in_word[piece[~is_space[token]]] = True
    keep = ~(is_space[token] & in_word[piece])
    piece, token = piece[keep], token[keep]
    by_token = numpy.argsort(token, kind="stable")
    return Ragged(
        cast(Ints1d, piece[by_token].astype("i")),
        cast(Ints1d, numpy.bincount(token, minlength=len(tokens)).astype("i")),
    )
