import numpy
import pytest
from spacy.tokens import Doc, Span
from spacy.training.iob_utils import doc_to_biluo_tags
from spacy.vocab import Vocab

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tags import (
    SCHEMES,
    decode_scheme,
    decode_tags,
    detect_scheme,
    encode_scheme,
    legal_ends,
    legal_starts,
    legal_transitions,
    make_tags,
    read_tag,
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


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        ("O", ("O", "")),
        ("B-a", ("B", "a")),
        ("E-a-b", ("L", "a-b")),
        ("S-a", ("U", "a")),
        ("I", ("I", "")),
        ("", None),
        ("B-", None),
        ("X-a", None),
        ("O-a", None),
        ("b-a", None),
        ("B-a b", None),
    ],
)
def test_tags_of_any_scheme(tag: str, parts: tuple[str, str] | None) -> None:
    assert read_tag(tag) == parts


# Two spans of one label side by side, one of another label, one at the end.
SPANS = [(0, 2, "x"), (2, 3, "x"), (3, 6, "y"), (7, 8, "x")]


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("BIO", "B-x I-x B-x B-y I-y I-y O B-x"),
        ("IOB1", "I-x I-x B-x I-y I-y I-y O I-x"),
        ("BILUO", "B-x L-x U-x B-y I-y L-y O U-x"),
        ("BIOES", "B-x E-x S-x B-y I-y E-y O S-x"),
    ],
)
def test_schemes(scheme: str, tags: str) -> None:
    assert encode_scheme(SPANS, 8, scheme) == tags.split()
    assert decode_scheme(tags.split(), scheme) == (SPANS, [])
    assert detect_scheme([[], tags.split()]) == scheme


def test_random_spans_survive_every_scheme() -> None:
    rng = numpy.random.default_rng(0)
    for _ in range(300):
        cuts = sorted({0, 12, *rng.integers(0, 12, size=5).tolist()})
        spans = [
            (start, end, str(rng.choice(["x", "y", ""])))
            for start, end in zip(cuts, cuts[1:], strict=False)
            if rng.random() < 0.7
        ]
        for scheme in SCHEMES:
            tags = encode_scheme(spans, 12, scheme)
            assert decode_scheme(tags, scheme) == (spans, []), (scheme, tags)


def test_legal_tags_are_read_as_the_strict_reader_does() -> None:
    rng = numpy.random.default_rng(1)
    for _ in range(2000):
        tags = [str(tag) for tag in rng.choice(TAGS, size=4)]
        steps = zip(tags, tags[1:], strict=False)
        transitions = legal_transitions(TAGS)
        legal = (
            legal_starts(tags)[0]
            and legal_ends(tags)[-1]
            and all(transitions[TAGS.index(a), TAGS.index(b)] for a, b in steps)
        )
        spans, mended = decode_scheme(tags, "BILUO")
        assert (not mended) == legal, tags
        if legal:
            assert spans == decode_tags(tags)


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("O O", "BIO"),
        ("I-x B-x", "IOB1"),
        ("O I-x I-x", "IOB1"),
        ("I-x O B-x", "BIO"),
        ("B-x I-y", "BIO"),
        ("B I", "BIO"),
        ("I I B", "IOB1"),
        ("B-x L-x S-x", "BILUO"),
    ],
)
def test_which_scheme_tags_are_of(tags: str, scheme: str) -> None:
    assert detect_scheme([tags.split()]) == scheme


@pytest.mark.parametrize(
    ("tags", "scheme", "spans", "mended"),
    [
        ("O I-x", "BIO", [(1, 2, "x")], [1]),
        ("B-x I-y", "BIO", [(0, 1, "x"), (1, 2, "y")], [1]),
        ("O B-x", "IOB1", [(1, 2, "x")], [1]),
        ("B-x O", "BILUO", [(0, 1, "x")], [0]),
        ("L-x B-x", "BILUO", [(0, 1, "x"), (1, 2, "x")], [0, 1]),
        ("B-x U-x", "BILUO", [(0, 1, "x"), (1, 2, "x")], [0]),
        ("I-x I-x", "BILUO", [(0, 2, "x")], [0, 1]),
    ],
)
def test_tags_against_their_scheme(
    tags: str, scheme: str, spans: list[tuple[int, int, str]], mended: list[int]
) -> None:
    assert decode_scheme(tags.split(), scheme) == (spans, mended)
