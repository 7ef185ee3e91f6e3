"""BILUO tags: which may follow which, and the spans that they mark; the tags of other schemes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy

from spacy_bertlstm.errors import BertLstmError

Bools1d = numpy.ndarray
Bools2d = numpy.ndarray
Span = tuple[int, int, str]

# BIO is IOB2; BIOES is BILUO by other letters.
SCHEMES = ("BIO", "IOB1", "BILUO", "BIOES")
_LAST_MARKED = ("BILUO", "BIOES")
_ANY_TAG = re.compile(r"O|([BILUES])(?:-(\S+))?")
_AS_BILUO = {"E": "L", "S": "U"}
_AS_BIOES = {"L": "E", "U": "S"}


def make_tags(labels: Iterable[str]) -> tuple[str, ...]:
    """The tag set of some labels: O, then B, I, L and U of each label in turn."""
    return ("O", *(f"{prefix}-{label}" for label in labels for prefix in "BILU"))


def split_tag(tag: str) -> tuple[str, str]:
    """A tag's prefix and label; the label of O is ""."""
    if tag == "O":
        return "O", ""
    prefix, dash, label = tag.partition("-")
    if prefix not in ("B", "I", "L", "U") or not dash or not label:
        raise BertLstmError("BL401", tag=tag)
    return prefix, label


def legal_starts(tags: Sequence[str]) -> Bools1d:
    """Whether each tag may begin a text, shape (n_tags,)."""
    return numpy.asarray([split_tag(tag)[0] in "OBU" for tag in tags], dtype=bool)


def legal_ends(tags: Sequence[str]) -> Bools1d:
    """Whether each tag may end a text, shape (n_tags,)."""
    return numpy.asarray([split_tag(tag)[0] in "OLU" for tag in tags], dtype=bool)


def legal_transitions(tags: Sequence[str]) -> Bools2d:
    """Whether the tag of a column may follow the tag of a row, shape (n_tags, n_tags)."""
    legal = numpy.zeros((len(tags), len(tags)), dtype=bool)
    for i, before in enumerate(tags):
        prefix, label = split_tag(before)
        for j, after in enumerate(tags):
            next_prefix, next_label = split_tag(after)
            if prefix in "BI":
                legal[i, j] = next_prefix in "IL" and next_label == label
            else:
                legal[i, j] = next_prefix in "OBU"
    return legal


def span_tags(length: int, label: str) -> list[str]:
    """The tags of a span of one token or more."""
    if length == 1:
        return [f"U-{label}"]
    return [f"B-{label}", *[f"I-{label}"] * (length - 2), f"L-{label}"]


def decode_tags(tags: Sequence[str]) -> list[Span]:
    """Spans of a legal tag sequence, as (start, end, label) in tokens, end exclusive."""
    spans = []
    start = 0
    for i, tag in enumerate(tags):
        prefix, label = split_tag(tag)
        if prefix in "BU":
            start = i
        if prefix in "LU":
            spans.append((start, i + 1, label))
    return spans


def read_tag(tag: str) -> tuple[str, str] | None:
    """The BILUO prefix and the label of a tag in any scheme; None where it is no tag.

    tag (str): A prefix without a label gives the label "".
    """
    match = _ANY_TAG.fullmatch(tag)
    if match is None:
        return None
    prefix, label = match.groups()
    return _AS_BILUO.get(prefix, prefix) or "O", label or ""


def detect_scheme(sequences: Iterable[Sequence[str]]) -> str:
    """Which of SCHEMES sentences are tagged by.

    sequences (Iterable[Sequence[str]]): The tags of each sentence, every one a tag.
    RETURNS (str): BILUO where an L or U stands, else BIOES where an E or S does. Else IOB1
        where a span begins with I and no B stands but where IOB1 has it, between two spans of
        one label. Else BIO.
    """
    prefixes: set[str] = set()
    for tags in sequences:
        before: str | None = None
        for tag in tags:
            prefix, label = read_tag(tag) or ("O", "")
            if tag[0] in "LUES":
                prefixes.add(tag[0])
            elif prefix in "BI" and label != before:
                prefixes.add(prefix)
            before = label if prefix != "O" else None
    if prefixes & {"L", "U"}:
        return "BILUO"
    if prefixes & {"E", "S"}:
        return "BIOES"
    return "IOB1" if "I" in prefixes and "B" not in prefixes else "BIO"


def decode_scheme(tags: Sequence[str], scheme: str) -> tuple[list[Span], list[int]]:
    """The spans of one sentence's tags, legal or not.

    tags (Sequence[str]): Of any scheme. B and U begin a span, and so do I and L that follow no
        open span of their label; L and U end one, and so does whatever does not go on with it.
    scheme (str): One of SCHEMES, to tell which tags contradict it.
    RETURNS (tuple[list[Span], list[int]]): (start, end, label) in tokens, end exclusive; and
        the places of tags that the scheme does not allow there.
    """
    spans: list[Span] = []
    mended: set[int] = set()
    opened: tuple[int, str] | None = None
    before: str | None = None  # the label of the token before
    for i, tag in enumerate([*tags, "O"]):
        prefix, label = read_tag(tag) or ("O", "")
        if opened is not None and (prefix not in "IL" or label != opened[1]):
            spans.append((opened[0], i, opened[1]))
            if scheme in _LAST_MARKED:
                mended.add(i - 1)
            opened = None
        if prefix != "O" and opened is None:
            begins = "BU" if scheme != "IOB1" else "B" if label == before else "I"
            if prefix not in begins:
                mended.add(i)
            opened = (i, label)
        if prefix in "LU" and opened is not None:
            spans.append((opened[0], i + 1, label))
            opened = None
        before = None if prefix == "O" else label
    return spans, sorted(mended)


def encode_scheme(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """The tags of a sentence.

    spans (Iterable[Span]): Sorted, none overlapping another.
    length (int): Of the sentence, in tokens.
    scheme (str): One of SCHEMES.
    """
    tags = ["O"] * length
    end_before, label_before = 0, ""
    for start, end, label in spans:
        prefixes = [tag[0] for tag in span_tags(end - start, label)]
        if scheme == "BIOES":
            prefixes = [_AS_BIOES.get(prefix, prefix) for prefix in prefixes]
        elif scheme != "BILUO":
            touches = start and start == end_before and label == label_before
            first = "I" if scheme == "IOB1" and not touches else "B"
            prefixes = [first, *"I" * (end - start - 1)]
        tags[start:end] = [f"{prefix}-{label}" if label else prefix for prefix in prefixes]
        end_before, label_before = end, label
    return tags
