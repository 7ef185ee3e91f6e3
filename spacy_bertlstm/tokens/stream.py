"""Streams of records to DocBins: in order, in bounded memory, in one process or in several."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import BaseContext
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_bertlstm.errors import BertLstmError, first_line
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Document
from spacy_bertlstm.tokens.build import build_doc

MakeTokenizer = Callable[[], Callable[[Language], Callable[[str], Doc]]]

_BATCH_DOCS = 32
_BATCH_CHARACTERS = 500_000
# A vocab keeps every string that it has seen. A new one costs an eighth of a second.
_MOST_STRINGS = 50_000


@dataclass(frozen=True)
class Job:
    """A record whose Doc is to be built.

    record (Document | None): None where only the report is to be passed on.
    report (LossReport): What came up when it was read.
    root (Path): The folder that the record's sources are below.
    """

    record: Document | None
    report: LossReport
    root: Path


@dataclass
class Built:
    """The Docs of some jobs, with what was found on the way.

    docs (DocBin): In the order of the jobs.
    report (LossReport): Of reading and of building.
    unannotated (int): Docs of records that nobody annotated.
    tokens (int): Tokens.
    entities (int): Entities in doc.ents.
    """

    docs: DocBin = field(default_factory=lambda: DocBin(store_user_data=True))
    report: LossReport = field(default_factory=LossReport)
    unannotated: int = 0
    tokens: int = 0
    entities: int = 0


@contextmanager
def open_builder(
    make_tokenizer: MakeTokenizer,
    *,
    line_sentences: bool = False,
    n_process: int = 1,
    shard_size: int | None = None,
) -> Iterator[Callable[[Iterable[Job]], Iterator[Built]]]:
    """Build Docs, in worker processes if asked.

    make_tokenizer (MakeTokenizer): Makes the factory of the tokenizer; with several processes
        it must be one that pickles.
    line_sentences (bool): Whether each line is a sentence.
    n_process (int): How many processes build Docs; the result is the same for any number.
    shard_size (int | None): No batch goes over a multiple of so many Docs.
    YIELDS (Callable): From jobs to batches of Docs in the jobs' order.
    RAISES: BL211 where a process dies.
    """
    build = partial(_build, make_tokenizer, line_sentences)

    def in_this_process(jobs: Iterable[Job]) -> Iterator[Built]:
        return map(build, _batches(jobs, shard_size))

    def in_workers(jobs: Iterable[Job]) -> Iterator[Built]:
        pending: deque[Future[Built]] = deque()
        for batch in _batches(jobs, shard_size):
            pending.append(pool.submit(build, batch))
            if len(pending) > 2 * n_process:  # Executor.map would read all jobs at once
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    if n_process == 1:
        yield in_this_process
        return
    pool = ProcessPoolExecutor(
        n_process,
        mp_context=_context(),
        initializer=signal.signal,  # Ctrl-C is for the parent, which ends its workers
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        yield in_workers
    except BrokenProcessPool as error:
        raise BertLstmError("BL211", reason=first_line(error)) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _context() -> BaseContext:
    # Threads, such as torch's, do not survive a fork of this process. A server without any
    # imports the packages once for all workers.
    if "forkserver" not in get_all_start_methods():  # Windows
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _batches(jobs: Iterable[Job], shard_size: int | None) -> Iterator[list[Job]]:
    batch: list[Job] = []
    docs = characters = done = 0
    for job in jobs:
        batch.append(job)
        if job.record is not None:
            docs += 1
            characters += len(job.record.text)
        full = shard_size is not None and done + docs == shard_size
        if full or len(batch) >= _BATCH_DOCS or characters >= _BATCH_CHARACTERS:
            yield batch
            done = 0 if full else done + docs
            batch = []
            docs = characters = 0
    if batch:
        yield batch


def _build(make_tokenizer: MakeTokenizer, line_sentences: bool, jobs: Sequence[Job]) -> Built:
    tokenizer = _tokenizer(make_tokenizer)
    built = Built()
    for job in jobs:
        built.report.add(job.report)
        if job.record is None:
            continue
        doc = build_doc(
            job.record, tokenizer, built.report, line_sentences=line_sentences, root=job.root
        )
        built.docs.add(doc)
        built.unannotated += not job.record.has_annotations
        built.tokens += len(doc)
        built.entities += len(doc.ents)
    return built


def _tokenizer(make_tokenizer: MakeTokenizer) -> Callable[[str], Doc]:
    """The tokenizer of this process, made anew before its strings have become too many."""
    nlp = _nlp(make_tokenizer)
    if len(nlp.vocab.strings) > _MOST_STRINGS:
        _nlp.cache_clear()
        nlp = _nlp(make_tokenizer)
    return nlp.tokenizer


@lru_cache(maxsize=1)
def _nlp(make_tokenizer: MakeTokenizer) -> Language:
    nlp = spacy.blank("en")
    nlp.tokenizer = make_tokenizer()(nlp)
    return nlp
