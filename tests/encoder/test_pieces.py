"""Each token gets exactly the word pieces that cover its characters, whatever the tokenizer."""

from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy_transformers.align import get_alignment_via_offset_mapping
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from spacy_bertlstm.encoder.pieces import Pieces, cut_pieces
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer

NLP = spacy.blank("en")
TOKENIZE = make_clinical_tokenizer()(NLP)
LIMIT = 12

TEXTS = [
    "The patient has chest pain.",
    "  He was given 40mg p.o.  aspirin\n\ndaily,   5 µg.\n",
    "é e\u0301 cafe\u0301s ≥3 😀😀 心臓 ㍿x ﬁn ½",
    "soft\u00adhyphen \u200b\u200b zero\u200bwidth \u0007 bell",
    "tab\tand\u00a0hard\u2003space \r\n",
    " \n \n",
    "",
    "x",
    "µ" * 40,
    "pain " * 30,
]


@pytest.fixture(scope="module")
def tokenizer(encoder: Path) -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(encoder)


def cut_every(length: int) -> Callable[[Doc], list[Span]]:
    return lambda doc: [doc[i : i + length] for i in range(0, len(doc), length)]


def expected_pieces(tokenizer: PreTrainedTokenizerFast, window: Span) -> list[list[int]]:
    """Character by character, for the tokens of one window, from the tokenizer's offsets."""
    encoded = tokenizer(
        window.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    expected: list[list[int]] = [[] for _ in window]
    for piece, (begin, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
        covered = set(range(begin, end))
        written = {i for i in covered if not window.text[i].isspace()}
        for token, pieces in zip(window, expected, strict=True):
            start = token.idx - window.start_char
            if (written or covered) & set(range(start, start + len(token))):
                pieces.append(piece)
    return expected


def aligned_pieces(pieces: Pieces) -> list[list[int]]:
    return [
        [int(pieces.ids[i]) for i in pieces.align[token].data.ravel()]
        for token in range(len(pieces.align.lengths))
    ]


def check(tokenizer: PreTrainedTokenizerFast, texts: list[str], window: int) -> None:
    docs = [TOKENIZE(text) for text in texts]
    windows = [cut_every(window)(doc) for doc in docs]
    if not any(windows):
        return
    pieces = cut_pieces(tokenizer, docs, windows, LIMIT)
    assert max(pieces.lengths) <= LIMIT
    assert sum(pieces.lengths) == len(pieces.ids) == len(pieces.strings)
    flat = [span for spans in windows for span in spans]
    expected = [row for span in flat for row in expected_pieces(tokenizer, span)]
    assert aligned_pieces(pieces) == expected


@pytest.mark.parametrize("window", [1, 2, 5, 100])
def test_alignment_equals_characters(tokenizer: PreTrainedTokenizerFast, window: int) -> None:
    check(tokenizer, TEXTS, window)


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(
        st.text("ab. µé\u0301≥😀心㍿ﬁ\n\t\u00ad\u200b40<>/s[]", max_size=30), max_size=4
    ),
    window=st.integers(1, 8),
)
def test_alignment_equals_characters_of_any_text(
    tokenizer: PreTrainedTokenizerFast, texts: list[str], window: int
) -> None:
    check(tokenizer, texts, window)


def test_words_of_letters_never_lack_pieces(tokenizer: PreTrainedTokenizerFast) -> None:
    doc = TOKENIZE("Patient given 40mg p.o. aspirin, µg ≥ 5 心臓\n\nfever")
    pieces = cut_pieces(tokenizer, [doc], [[doc[:]]], 32)
    for token, length in zip(doc, pieces.align.lengths, strict=True):
        assert length or token.is_space, token.text


def test_a_token_of_many_pieces_keeps_them_all(tokenizer: PreTrainedTokenizerFast) -> None:
    """3,000 characters and at least as many pieces, in runs of 10 beside two special ones."""
    doc = Doc(NLP.vocab, words=["pain", "p." * 1500, "pain"])
    windows = [[doc[:1], doc[1:2], doc[2:]]]
    pieces = cut_pieces(tokenizer, [doc], windows, LIMIT)
    assert pieces.align.lengths[1] >= 1500
    assert len(set(pieces.align[1].data.ravel().tolist())) == pieces.align.lengths[1]
    assert aligned_pieces(pieces) == [
        row for span in windows[0] for row in expected_pieces(tokenizer, span)
    ]


def test_windows_may_overlap(tokenizer: PreTrainedTokenizerFast) -> None:
    doc = TOKENIZE("chest pain daily")
    pieces = cut_pieces(tokenizer, [doc], [[doc[:2], doc[1:]]], 32)
    once = cut_pieces(tokenizer, [doc], [[doc[:]]], 32)
    assert pieces.align.lengths[1] == 2 * once.align.lengths[1]
    assert pieces.align.lengths[0] == once.align.lengths[0]


def test_pieces_of_docs_stand_in_their_order(tokenizer: PreTrainedTokenizerFast) -> None:
    docs = [TOKENIZE(text) for text in TEXTS]
    pieces = cut_pieces(tokenizer, docs, [cut_every(3)(doc) for doc in docs], LIMIT)
    token = 0
    for doc, of_doc in zip(docs, pieces.of_docs, strict=True):
        rows = pieces.align[token : token + len(doc)].dataXd
        assert ((rows >= of_doc.start) & (rows < of_doc.stop)).all()
        token += len(doc)
    assert pieces.of_docs[-1].stop == len(pieces.ids)


def test_the_stock_alignment_gives_a_words_first_piece_to_the_word_before(
    untrimmed_tokenizer: PreTrainedTokenizerFast,
) -> None:
    """Why the alignment is our own."""
    doc = TOKENIZE("chest pain")
    offsets = untrimmed_tokenizer(doc.text, return_offsets_mapping=True)["offset_mapping"]
    stock = get_alignment_via_offset_mapping([doc[:]], numpy.array([offsets]))
    ours = cut_pieces(untrimmed_tokenizer, [doc], [[doc[:]]], 32).align
    assert set(stock[0].data.ravel()) & set(stock[1].data.ravel())
    assert not set(ours[0].data.ravel()) & set(ours[1].data.ravel())
