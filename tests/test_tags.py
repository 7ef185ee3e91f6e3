import numpy
import pytest
from spacy.tokens import Doc, Span
from spacy.training.iob_utils import doc_to_biluo_tags
from spacy.vocab import Vocab

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tags import (
    decode_tags,
    legal_ends,
    legal_starts,
    legal_transitions,
    make_tags,
    span_tags,
    split_tag,
)

TAGS = make_tags(["problem", "test"])


def test_tag_set() -> None:
    assert make_tags(["x"]) == ("O", "B-x", "I-x", "L-x", "U-x")
    assert len(TAGS) == 9


@pytest.mark.parametrize(
    ("spans", "length", "tags"),
    [
        ([], 2, ["O", "O"]),
        ([(0, 1, "test")], 1, ["U-test"]),
        ([(0, 2, "test")], 2, ["B-test", "L-test"]),
        ([(1, 4, "problem"), (4, 5, "test")], 5, "O B-problem I-problem L-problem U-test".split()),
    ],
)
def test_spans_of_tags(spans: list, length: int, tags: list[str]) -> None:
    assert len(tags) == length
    assert decode_tags(tags) == spans
    for start, end, label in spans:
        assert span_tags(end - start, label) == tags[start:end]


def spans_to_tags(spans: list[tuple[int, int, str]], length: int) -> list[str]:
    """spaCy's own tags, which gold Docs are read with."""
    doc = Doc(Vocab(), words=["w"] * length)
    doc.set_ents([Span(doc, *span) for span in spans], default="outside")
    return doc_to_biluo_tags(doc)


def test_random_legal_sequences_survive_the_way_there_and_back() -> None:
    rng = numpy.random.default_rng(0)
    legal, starts, ends = legal_transitions(TAGS), legal_starts(TAGS), legal_ends(TAGS)
    seen = 0
    while seen < 200:
        path = [rng.choice(numpy.flatnonzero(starts))]
        while len(path) < 6:
            path.append(rng.choice(numpy.flatnonzero(legal[path[-1]])))
        if ends[path[-1]]:
            tags = [TAGS[i] for i in path]
            assert spans_to_tags(decode_tags(tags), len(tags)) == tags
            seen += 1


@pytest.mark.parametrize(
    ("before", "after", "legal"),
    [
        ("O", "I-test", False),
        ("O", "L-test", False),
        ("O", "B-test", True),
        ("B-test", "O", False),
        ("B-test", "L-test", True),
        ("B-test", "L-problem", False),
        ("I-test", "I-test", True),
        ("I-test", "U-test", False),
        ("L-test", "B-problem", True),
        ("U-test", "U-test", True),
        ("U-test", "I-test", False),
    ],
)
def test_legal_transitions(before: str, after: str, legal: bool) -> None:
    assert legal_transitions(TAGS)[TAGS.index(before), TAGS.index(after)] == legal


@pytest.mark.parametrize("tag", ["", "X-test", "B", "B-", "b-test", "Btest"])
def test_a_bad_tag_is_a_coded_error(tag: str) -> None:
    with pytest.raises(BertLstmError, match="BL401"):
        split_tag(tag)
