"""Streams of records to Docs: the same Docs in the same order, however they are built."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import spacy_bertlstm.tokens.stream
from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Concept, Document
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.corpus import DocsWriter, open_docs, read_docs
from spacy_bertlstm.tokens.extensions import get_record
from spacy_bertlstm.tokens.stream import Built, Job, open_builder


def jobs(number: int) -> Iterator[Job]:
    """Records of different lengths, each with a nested concept, and reports without record."""
    for index in range(number):
        text = f"note{index} said pain . " * (1 + index % 3)
        concepts = (
            Concept("T1", "problem", ((0, len(f"note{index}")),), source=f"{index}.con:1"),
            Concept("T2", "test", ((0, len(f"note{index} said")),), source=f"{index}.con:2"),
        )
        report = LossReport()
        report.read["concept"] += 2
        report.note(f"{index}.con", 0, "read")
        yield Job(Document(str(index), text, concepts), report, Path("in"))
        yield Job(None, LossReport(), Path("in"))


def built(number: int, **options: int) -> list[Built]:
    with open_builder(make_clinical_tokenizer, **options) as build:
        return list(build(jobs(number)))


def total(parts: list[Built]) -> LossReport:
    report = LossReport()
    for part in parts:
        report.add(part.report)
    return report


def test_docs_come_in_order_with_what_was_found(tmp_path: Path) -> None:
    parts = built(100)
    assert len(parts) > 1
    with open_docs(tmp_path / "x.spacy") as writer:
        for part in parts:
            writer.add(part.docs)
    docs = list(read_docs(tmp_path / "x.spacy"))
    records = [record for record in map(get_record, docs) if record]
    assert [record.id for record in records] == [str(index) for index in range(100)]
    assert sum(part.tokens for part in parts) == sum(map(len, docs))
    assert sum(part.entities for part in parts) == sum(len(doc.ents) for doc in docs) == 100
    report = total(parts)
    assert report.read["concept"] == 200
    assert [finding.path for finding in report.findings] == [
        path for index in range(100) for path in (f"{index}.con", f"in/{index}.con")
    ]


def test_several_processes_give_what_one_gives(tmp_path: Path) -> None:
    for n_process in (1, 2):
        parts = built(150, n_process=n_process, shard_size=40)
        assert total(parts) == total(built(150))
        with open_docs(tmp_path / str(n_process), shard_size=40) as writer:
            for part in parts:
                writer.add(part.docs)
    names = ["0000.spacy", "0001.spacy", "0002.spacy", "0003.spacy"]
    for folder in ("1", "2"):
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == names
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    assert [len(list(read_docs(tmp_path / "1" / name))) for name in names] == [40, 40, 40, 30]


@pytest.mark.parametrize("shard_size", [1, 7, 32, 33, 64])
def test_no_batch_goes_over_the_end_of_a_shard(shard_size: int) -> None:
    ends, done = set(), 0
    for part in built(100, shard_size=shard_size):
        done += len(part.docs)
        ends.add(done)
    assert set(range(shard_size, 101, shard_size)) <= ends


def test_a_batch_of_long_notes_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacy_bertlstm.tokens.stream, "_BATCH_CHARACTERS", 30)
    assert max(len(part.docs) for part in built(20)) <= 2


def test_reading_is_not_far_ahead_of_building() -> None:
    started = 0

    def counted() -> Iterator[Job]:
        nonlocal started
        for job in jobs(2000):
            started += job.record is not None
            yield job

    with open_builder(make_clinical_tokenizer, n_process=2) as build:
        next(build(counted()))
    assert started < 500


def test_the_vocab_is_made_anew_before_it_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [part.docs.to_bytes() for part in built(200)]
    base = len(spacy_bertlstm.tokens.stream._nlp(make_clinical_tokenizer).vocab.strings)
    monkeypatch.setattr(spacy_bertlstm.tokens.stream, "_MOST_STRINGS", 500)
    spacy_bertlstm.tokens.stream._nlp.cache_clear()
    sizes = []
    with open_builder(make_clinical_tokenizer) as build:
        for part, data in zip(build(jobs(200)), expected, strict=True):
            assert part.docs.to_bytes() == data
            sizes.append(
                len(spacy_bertlstm.tokens.stream._nlp(make_clinical_tokenizer).vocab.strings)
            )
    assert base > 500 and max(sizes) < base
    spacy_bertlstm.tokens.stream._nlp.cache_clear()


def test_a_worker_that_dies_is_a_coded_error() -> None:
    with (
        pytest.raises(BertLstmError, match="BL211"),
        open_builder(partial(os._exit, 1), n_process=2) as build,
    ):
        list(build(jobs(3)))


def test_more_shards_than_digits_are_still_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spacy_bertlstm.tokens.corpus._SHARD_DIGITS", 1)
    with open_docs(tmp_path / "out", shard_size=1) as writer:
        for part in built(12, shard_size=1):
            writer.add(part.docs)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"{index:02}.spacy" for index in range(12)]
    records = [record for record in map(get_record, read_docs(tmp_path / "out")) if record]
    assert [record.id for record in records] == [str(index) for index in range(12)]


@pytest.mark.parametrize(
    "error, shard_size, n_process",
    [
        (KeyboardInterrupt, None, 1),
        (MemoryError, 5, 1),
        (KeyboardInterrupt, 5, 2),
        (BertLstmError("BL502"), None, 2),
    ],
)
def test_nothing_is_left_of_a_failure(
    error: type[BaseException], shard_size: int | None, n_process: int, tmp_path: Path
) -> None:
    options = {"n_process": n_process, "shard_size": shard_size}

    def interrupted(writer: DocsWriter) -> None:
        with open_builder(make_clinical_tokenizer, **options) as build:
            for number, part in enumerate(build(jobs(100))):
                writer.add(part.docs)
                if number == 1:
                    raise error

    with (
        pytest.raises((KeyboardInterrupt, MemoryError, BertLstmError)),
        open_docs(tmp_path / "new" / "out", shard_size=shard_size) as writer,
    ):
        interrupted(writer)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shard_size", [None, 5])
def test_no_docs_make_an_empty_file(shard_size: int | None, tmp_path: Path) -> None:
    with open_docs(tmp_path / "out", shard_size=shard_size):
        pass
    assert list(read_docs(tmp_path / "out")) == []
