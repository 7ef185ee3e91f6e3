"""DocBins: written whole or not at all, read as training examples."""

import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.files import require_no_files, written_to, written_whole
from spacy_bertlstm.tokens.build import lay_span
from spacy_bertlstm.tokens.extensions import copy_span_values, register_extensions
from spacy_bertlstm.tokens.relations import cut_relations
from spacy_bertlstm.tokens.runs import pack_runs

# What spaCy, srsly and zlib raise on bytes that are no DocBin.
_NOT_A_DOCBIN = (ValueError, KeyError, TypeError, IndexError, AttributeError, zlib.error)

_SHARD_DIGITS = 4


def write_docs(docs: Iterable[Doc], path: Path) -> None:
    """Write Docs with their user data to a .spacy file, whole or not at all.

    RAISES: BL109 (not writable).
    """
    with written_whole(path) as part:
        part.write_bytes(_to_bytes(docs))


def _to_bytes(docs: Iterable[Doc]) -> bytes:
    return DocBin(docs=docs, store_user_data=True).to_bytes()


class DocsWriter:
    """Writes DocBins, as they come, to one .spacy file or to a folder of them.

    path (Path): What to name where writing fails.
    place (Path): Where to write.
    shard_size (int | None): Docs a file in a folder; None for one file.
    """

    def __init__(self, path: Path, place: Path, shard_size: int | None) -> None:
        self.path = path
        self.place = place
        self.shard_size = shard_size
        self.shards: list[Path] = []
        self._docs = DocBin(store_user_data=True)

    def add(self, docs: DocBin) -> None:
        """Add Docs, of which not more may come than make the shard full."""
        docs.store_user_data = True  # a pickled DocBin forgets it, though not the data
        self._docs.merge(docs)
        if self.shard_size is not None and len(self._docs) >= self.shard_size:
            self._write_shard()

    def close(self) -> None:
        """Write what has not been written yet."""
        if self.shard_size is None:
            self._write(self.place)
            return
        if len(self._docs) or not self.shards:
            self._write_shard()
        digits = len(str(len(self.shards) - 1))
        if digits > _SHARD_DIGITS:  # readers go by name
            with written_to(self.path):
                for path in self.shards:
                    path.rename(path.with_stem(path.stem.zfill(digits)))

    def _write_shard(self) -> None:
        name = f"{len(self.shards):0{_SHARD_DIGITS}}.spacy"
        self.shards.append(self.place / name)
        self._write(self.shards[-1])

    def _write(self, place: Path) -> None:
        with written_to(self.path):
            place.write_bytes(self._docs.to_bytes())
        self._docs = DocBin(store_user_data=True)


@contextmanager
def open_docs(path: Path, *, shard_size: int | None = None) -> Iterator[DocsWriter]:
    """Write DocBins to a .spacy file or a folder of them, whole or not at all.

    path (Path): A file; or with shard_size a folder, absent or empty.
    shard_size (int | None): How many Docs a file in the folder holds; without it, all stay in
        memory until the block ends.
    RAISES: BL109 (not writable), BL110 (the folder is not empty).
    """
    if shard_size is not None:
        require_no_files(path)
    else:
        with written_to(path):
            if path.is_dir():
                reason = "it is a folder; --shard-size writes one"
                raise BertLstmError("BL109", path=path, reason=reason)
    with written_whole(path) as place:
        if shard_size is not None:
            place.mkdir()
        writer = DocsWriter(path, place, shard_size)
        yield writer
        writer.close()


def read_docs(path: Path, vocab: Vocab | None = None) -> Iterator[Doc]:
    """Read the Docs of a .spacy file, or of the .spacy files in a folder.

    path (Path): The file; or the folder, whose hidden and other files are ignored.
    vocab (Vocab | None): Of the Docs. Without one each file has its own, so that strings do not
        pile up over the files of a folder.
    YIELDS (Doc): File by file, sorted by name.
    RAISES: BL101 (no such file), BL108 (unreadable), BL201 (not a DocBin), BL210 (none in the
        folder).
    WARNS: BL227 (the Docs were written without their user data).
    """
    register_extensions()
    for file in _list_files(path):
        try:
            data = file.read_bytes()
        except OSError as error:
            raise BertLstmError("BL108", path=file, reason=error.strerror) from error
        try:
            docs = DocBin().from_bytes(data)
            if None in docs.user_data:
                warnings.warn(str(BertLstmError("BL227", path=file)), stacklevel=2)
            yield from docs.get_docs(Vocab() if vocab is None else vocab)
        except _NOT_A_DOCBIN as error:
            raise BertLstmError("BL201", path=file, reason=type(error).__name__) from error


def _list_files(path: Path) -> list[Path]:
    try:
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise BertLstmError("BL101", kind="file", path=path)
        found = (file for file in path.iterdir() if file.suffix == ".spacy" and file.is_file())
        files = sorted(file for file in found if not file.name.startswith("."))
    except OSError as error:
        raise BertLstmError("BL108", path=path, reason=error.strerror) from error
    if not files:
        raise BertLstmError("BL210", path=path)
    return files


@dataclass(frozen=True)
class Counts:
    """What Docs hold.

    docs (int): Docs.
    unannotated (int): Docs without annotation of entities or categories.
    tokens (int): Tokens.
    labels (Mapping[str, int]): Entities by label.
    assertions (Mapping[str, int]): Entities by assertion, those that have one.
    relations (Mapping[str, int]): Relations of mentions by label.
    categories (Mapping[str, int]): Docs by the categories that they have.
    """

    docs: int
    unannotated: int
    tokens: int
    labels: Mapping[str, int] = field(default_factory=dict)
    assertions: Mapping[str, int] = field(default_factory=dict)
    relations: Mapping[str, int] = field(default_factory=dict)
    categories: Mapping[str, int] = field(default_factory=dict)


def count_docs(docs: Iterable[Doc]) -> Counts:
    """Count Docs, their tokens and what was said of them."""
    register_extensions()
    n_docs = unannotated = n_tokens = 0
    labels: Counter[str] = Counter()
    assertions: Counter[str] = Counter()
    relations: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for doc in docs:
        n_docs += 1
        unannotated += not is_annotated(doc)
        n_tokens += len(doc)
        labels.update(ent.label_ for ent in doc.ents)
        assertions.update(ent._.assertion for ent in doc.ents if ent._.assertion is not None)
        relations.update(relation["label"] for relation in doc._.relations)
        categories.update(held_categories(doc))
    return Counts(
        docs=n_docs,
        unannotated=unannotated,
        tokens=n_tokens,
        labels=labels,
        assertions=assertions,
        relations=relations,
        categories=categories,
    )


def is_annotated(doc: Doc) -> bool:
    """Whether somebody looked for entities in a Doc, or chose its categories."""
    return doc.has_annotation("ENT_IOB") or bool(doc.cats)


def held_categories(doc: Doc) -> tuple[str, ...]:
    """The categories that a gold Doc has, of those in `doc.cats`."""
    return tuple(label for label, score in doc.cats.items() if score > 0)


def make_corpus_reader(
    path: str | Path | None, max_words: int = 0, given: bool = False
) -> Callable[[Language], Iterator[Example]]:
    """The training and evaluation examples of a .spacy file or a folder of them.

    path (str | Path | None): The file or folder; None until a training names it.
    max_words (int): Cut records into runs of whole sentences of at most so many tokens, so
        that one batch mixes many records; a longer sentence stays whole. 0 keeps records.
    given (bool): Give the pipeline the gold entities and span groups to work on, without what
        is said of them: for one that finds none by itself.
    RETURNS (Callable): From a pipeline to its examples; nothing is left out without a warning.
    RAISES: BL501; when read, BL101, BL201, BL202 (nothing to learn from), BL210, BL376 (a record
        with categories, which are of the whole, would be cut) and BL502 (no path).
    WARNS: BL503 (relations over a cut).
    """
    if max_words < 0:
        raise BertLstmError("BL501", max_words=max_words)

    def read_examples(nlp: Language) -> Iterator[Example]:
        if path is None:
            raise BertLstmError("BL502")
        annotated, n_cut = False, 0
        for doc in read_docs(Path(path), nlp.vocab):
            annotated = annotated or bool(doc.ents or doc.cats)
            parts = cut_doc(doc, max_words)
            if len(parts) > 1:
                n_cut += len(doc._.relations) - sum(len(part._.relations) for part in parts)
            if doc.cats and len(parts) > 1:
                raise BertLstmError("BL376", path=path, max_words=max_words)
            for part in parts:
                predicted = nlp.tokenizer(part.text)
                if given:
                    give_spans(part, predicted)
                yield Example(predicted, part)
        if not annotated:
            raise BertLstmError("BL202", path=path)
        if n_cut:
            told = BertLstmError("BL503", path=path, count=n_cut, max_words=max_words)
            warnings.warn(str(told), stacklevel=2)

    return read_examples


def give_spans(gold: Doc, doc: Doc) -> None:
    """Copy entities and span groups to another Doc of the same text.

    gold (Doc): Where they stand.
    doc (Doc): Its tokens may be others; spans that are not made of them are left out.
    """

    def lay(spans: Iterable[Span]) -> list[Span]:
        return [laid for span in spans if (laid := lay_span(span, doc)) is not None]

    doc.set_ents(lay(gold.ents))
    for key, group in gold.spans.items():
        doc.spans[key] = lay(group)


def cut_doc(doc: Doc, max_words: int) -> list[Doc]:
    """Cut a Doc into runs of whole sentences.

    doc (Doc): An entity over two sentences keeps them together; without sentence starts
        each token counts as a sentence.
    max_words (int): The most tokens a run may have, if its sentences allow; 0 for no limit.
    RETURNS (list[Doc]): The runs in order, every token in one of them, with the span groups, what
        is said of spans, and the relations, as far as they are in it whole.
    """
    register_extensions()
    if not max_words or len(doc) <= max_words:
        return [doc]
    known = doc.has_annotation("SENT_START")
    starts = [
        token.i
        for token in doc
        if (token.is_sent_start or not known) and token.i and token.ent_iob_ != "I"
    ]
    return [_cut(doc[begin:end]) for begin, end in pack_runs([*starts, len(doc)], max_words)]


def _cut(run: Span) -> Doc:
    part = run.as_doc()
    copy_span_values(run, part)
    part._.relations = cut_relations(run)
    for key, group in run.doc.spans.items():
        part.spans[key] = [
            Span(
                part,
                span.start - run.start,
                span.end - run.start,
                label=span.label,
                kb_id=span.kb_id,
                span_id=span.id,
            )
            for span in group
            if run.start <= span.start and span.end <= run.end
        ]
    return part
