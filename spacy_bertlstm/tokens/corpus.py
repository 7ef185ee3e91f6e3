"""DocBins: written whole or not at all, read as training examples."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.files import written_whole
from spacy_bertlstm.tokens.extensions import register_extensions
from spacy_bertlstm.tokens.runs import pack_runs

# What spaCy, srsly and zlib raise on bytes that are no DocBin.
_NOT_A_DOCBIN = (ValueError, KeyError, TypeError, IndexError, AttributeError, zlib.error)


def write_docs(docs: Iterable[Doc], path: Path) -> None:
    """Write Docs with their user data to a .spacy file, whole or not at all.

    RAISES: BL109 (not writable).
    """
    with written_whole(path) as part:
        part.write_bytes(_to_bytes(docs))


def _to_bytes(docs: Iterable[Doc]) -> bytes:
    return DocBin(docs=docs, store_user_data=True).to_bytes()


def read_docs(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Read the Docs of a .spacy file.

    RAISES: BL101 (no such file), BL108 (unreadable), BL201 (not a DocBin).
    """
    register_extensions()
    if not path.is_file():
        raise BertLstmError("BL101", kind="file", path=path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BertLstmError("BL108", path=path, reason=error.strerror) from error
    try:
        yield from DocBin().from_bytes(data).get_docs(vocab)
    except _NOT_A_DOCBIN as error:
        raise BertLstmError("BL201", path=path, reason=type(error).__name__) from error


@dataclass(frozen=True)
class Counts:
    """What Docs hold.

    docs (int): Docs.
    unannotated (int): Docs without entity annotation.
    tokens (int): Tokens.
    labels (Mapping[str, int]): Entities by label.
    """

    docs: int
    unannotated: int
    tokens: int
    labels: Mapping[str, int]


def count_docs(docs: Iterable[Doc]) -> Counts:
    """Count Docs, their tokens, and their entities by label."""
    n_docs = unannotated = n_tokens = 0
    labels: Counter[str] = Counter()
    for doc in docs:
        n_docs += 1
        unannotated += not doc.has_annotation("ENT_IOB")
        n_tokens += len(doc)
        labels.update(ent.label_ for ent in doc.ents)
    return Counts(n_docs, unannotated, n_tokens, labels)


def make_corpus_reader(
    path: str | Path | None, max_words: int = 0
) -> Callable[[Language], Iterator[Example]]:
    """The training and evaluation examples of a .spacy file.

    path (str | Path | None): The file; None until a training names it.
    max_words (int): Cut records into runs of whole sentences of at most so many tokens, so
        that one batch mixes many records; a longer sentence stays whole. 0 keeps records.
    RETURNS (Callable): From a pipeline to its examples; nothing is left out.
    RAISES: BL501; when read, BL101, BL201, BL202 and BL502 (no path).
    """
    if max_words < 0:
        raise BertLstmError("BL501", max_words=max_words)

    def read_examples(nlp: Language) -> Iterator[Example]:
        if path is None:
            raise BertLstmError("BL502")
        has_entities = False
        for doc in read_docs(Path(path), nlp.vocab):
            has_entities = has_entities or bool(doc.ents)
            for part in cut_doc(doc, max_words):
                yield Example(nlp.tokenizer(part.text), part)
        if not has_entities:
            raise BertLstmError("BL202", path=path)

    return read_examples


def cut_doc(doc: Doc, max_words: int) -> list[Doc]:
    """Cut a Doc into runs of whole sentences.

    doc (Doc): An entity over two sentences keeps them together; without sentence starts
        each token counts as a sentence.
    max_words (int): The most tokens a run may have, if its sentences allow; 0 for no limit.
    RETURNS (list[Doc]): The runs in order, every token in one of them.
    """
    if not max_words or len(doc) <= max_words:
        return [doc]
    known = doc.has_annotation("SENT_START")
    starts = [
        token.i
        for token in doc
        if (token.is_sent_start or not known) and token.i and token.ent_iob_ != "I"
    ]
    return [doc[begin:end].as_doc() for begin, end in pack_runs([*starts, len(doc)], max_words)]
