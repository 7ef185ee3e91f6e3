import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_bertlstm.encoder.windows import make_sentence_windows, split_to_fit
from spacy_bertlstm.errors import BertLstmError

NLP = spacy.blank("en")


def doc_of(lengths: list[int]) -> Doc:
    """A Doc of sentences with so many tokens each."""
    starts = [i == 0 for length in lengths for i in range(length)]
    return Doc(NLP.vocab, words=["w"] * sum(lengths), sent_starts=starts)


@pytest.mark.parametrize(
    ("sentences", "window", "expected"),
    [
        ([3, 3, 3], 6, [6, 3]),
        ([3, 4, 3], 6, [3, 4, 3]),
        ([10], 4, [10]),
        ([2, 10, 2], 4, [2, 10, 2]),
        ([1, 1, 1, 1, 1], 2, [2, 2, 1]),
        ([4], 4, [4]),
    ],
)
def test_windows_hold_whole_sentences(
    sentences: list[int], window: int, expected: list[int]
) -> None:
    doc = doc_of(sentences)
    (windows,) = make_sentence_windows(window)([doc])
    assert [len(span) for span in windows] == expected
    assert [token.i for span in windows for token in span] == list(range(len(doc)))


def test_docs_without_sentences_and_empty_docs() -> None:
    plain = Doc(NLP.vocab, words=["w"] * 7)
    assert not plain.has_annotation("SENT_START")
    windows = make_sentence_windows(3)([plain, Doc(NLP.vocab)])
    assert [[len(span) for span in spans] for spans in windows] == [[3, 3, 1], []]


def test_a_window_below_one_is_a_coded_error() -> None:
    with pytest.raises(BertLstmError, match="BL305"):
        make_sentence_windows(0)


@pytest.mark.parametrize("length", [1, 2, 5, 64, 100])
def test_spans_are_split_until_they_fit(length: int) -> None:
    doc = doc_of([length])

    def fits(span: Span) -> bool:
        return len(span) <= 5

    spans = split_to_fit([doc[:]], fits)
    assert [token.i for span in spans for token in span] == list(range(length))
    assert all(fits(span) for span in spans)


def test_a_single_token_is_never_split() -> None:
    doc = doc_of([3])
    assert [len(span) for span in split_to_fit([doc[:]], lambda span: False)] == [1, 1, 1]
