"""The table of formats: what can be read and written, and by which functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from spacy_bertlstm.formats import brat, conll, i2b2, pubtator, tables
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Document
from spacy_bertlstm.schemas import N2C2_2018


class Unit(Protocol):
    """Files that are read together: those of one record, or one file of many records."""

    @property
    def path(self) -> Path:
        """The file to name where the unit cannot be read."""

    @property
    def root(self) -> Path:
        """The folder that the sources of annotations are below."""


@dataclass(frozen=True)
class Format:
    """How a format is read and written.

    find (Callable): From a file or folder to its units, sorted; keyword require_annotations,
        and those of read_options.
        What is wrong with one unit is for `read` to raise, so that the others can be read.
    read (Callable): From a unit and a report to its records, one after another.
    write (Callable): Records, a folder to write below, and a report; gives how many.
    line_sentences (bool): Whether each line of a text is a sentence.
    read_options (frozenset[str]): Further keywords of `find` that are options of `convert`.
    write_options (frozenset[str]): Further keywords of `write` that are options of `export`.
    """

    find: Callable[..., Sequence[Unit]]
    read: Callable[[Any, LossReport], Iterator[Document]]
    write: Callable[..., int]
    line_sentences: bool = False
    read_options: frozenset[str] = frozenset()
    write_options: frozenset[str] = frozenset()


def _table_format(kind: tables.Kind) -> Format:
    return Format(
        partial(tables.find_tables, kind=kind),
        partial(tables.read_table, kind=kind),
        partial(tables.write_tables, kind=kind),
        read_options=frozenset(
            {"text_column", "label_column", "id_column", "label_separator", "labels"}
        ),
    )


FORMATS = {
    "brat": Format(brat.find_records, brat.read_records, brat.write_brat),
    "conll": Format(conll.find_conll, conll.read_conll, conll.write_conll, line_sentences=True),
    "csv": _table_format(tables.CSV),
    "i2b2": Format(
        i2b2.find_records,
        i2b2.read_records,
        i2b2.write_i2b2,
        line_sentences=True,
        write_options=frozenset({"widen"}),
    ),
    "jsonl": _table_format(tables.JSONL),
    "n2c2-2018": Format(
        brat.find_records,
        partial(brat.read_records, schema=N2C2_2018),
        partial(brat.write_brat, schema=N2C2_2018),
    ),
    "pubtator": Format(pubtator.find_pubtator, pubtator.read_pubtator, pubtator.write_pubtator),
}
