from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tokens.corpus import cut_doc, make_corpus_reader

NLP = spacy.blank("en")


def doc_of(lengths: list[int], entities: list[tuple[int, int]] = ()) -> Doc:
    starts = [i == 0 for length in lengths for i in range(length)]
    words = [f"w{i}" for i in range(sum(lengths))]
    doc = Doc(NLP.vocab, words=words, sent_starts=starts)
    doc.ents = [
        doc.char_span(doc[a].idx, doc[b - 1].idx + len(doc[b - 1]), "x") for a, b in entities
    ]
    return doc


@pytest.mark.parametrize(
    ("sentences", "entities", "max_words", "expected"),
    [
        ([2, 2, 2], [], 0, [6]),
        ([2, 2, 2], [], 100, [6]),
        ([2, 2, 2], [], 4, [4, 2]),
        ([2, 9, 2], [], 4, [2, 9, 2]),
        ([2, 2, 2], [(1, 3)], 2, [4, 2]),
        ([3], [], 1, [3]),
    ],
)
def test_records_are_cut_between_sentences_and_nothing_is_left_out(
    sentences: list[int],
    entities: list[tuple[int, int]],
    max_words: int,
    expected: list[int],
) -> None:
    doc = doc_of(sentences, entities)
    parts = cut_doc(doc, max_words)
    assert [len(part) for part in parts] == expected
    assert [token.text for part in parts for token in part] == [token.text for token in doc]
    assert sum(len(part.ents) for part in parts) == len(doc.ents)


def test_missing_annotation_stays_missing_in_the_parts() -> None:
    doc = doc_of([2, 2])
    doc.set_ents([], default="missing")
    assert not any(part.has_annotation("ENT_IOB") for part in cut_doc(doc, 2))
    doc.set_ents([], default="outside")
    assert all(part.has_annotation("ENT_IOB") for part in cut_doc(doc, 2))


def test_reader_gives_the_pipelines_own_tokens(
    tmp_path: Path, write_corpus: Callable[[Path], Path]
) -> None:
    corpus = write_corpus(tmp_path / "corpus.spacy")
    examples = list(make_corpus_reader(str(corpus))(NLP))
    assert len(examples) == 3
    assert all(eg.predicted.text == eg.reference.text for eg in examples)
    assert not any(eg.predicted.ents for eg in examples)
    parts = list(make_corpus_reader(corpus, max_words=8)(NLP))
    assert len(parts) == 6
    assert sum(len(eg.reference.ents) for eg in parts) == 7


def test_a_negative_length_is_a_coded_error(tmp_path: Path) -> None:
    with pytest.raises(BertLstmError, match="BL501"):
        make_corpus_reader(tmp_path, max_words=-1)
