"""BILUO tags: which may follow which, and the spans that they mark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy

from spacy_bertlstm.errors import BertLstmError

Bools1d = numpy.ndarray
Bools2d = numpy.ndarray
Span = tuple[int, int, str]


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
