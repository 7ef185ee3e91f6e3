"""DocBins: written whole or not at all, read as training examples."""

import math
import os
import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tokens.extensions import register_extensions

# What a converted Doc holds; the record itself rides in the user data.
_ATTRIBUTES = ("ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "ENT_ID", "SENT_START")


def write_docs(docs: Iterable[Doc], path: Path) -> None:
    """Write Docs with their user data to a .spacy file, under a temporary name at first.

    RAISES: BL109 (not writable).
    """
    docbin = DocBin(attrs=_ATTRIBUTES, docs=docs, store_user_data=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(docbin.to_bytes())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BertLstmError("BL109", path=path, reason=error.strerror) from error


def read_docs(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Read the Docs of a .spacy file.

    RAISES: BL101 (no such file), BL201 (not a DocBin).
    """
    register_extensions()
    if not path.is_file():
        raise BertLstmError("BL101", path=path)
    try:
        docbin = DocBin().from_bytes(path.read_bytes())
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise BertLstmError("BL201", path=path, reason=type(error).__name__) from error
    yield from docbin.get_docs(vocab)


def make_corpus_reader(
    path: str | Path, max_words: int = 0
) -> Callable[[Language], Iterator[Example]]:
    """The training and evaluation examples of a .spacy file.

    path (str | Path): The file.
    max_words (int): Cut records into runs of whole sentences of at most so many tokens, so
        that one batch mixes many records; a longer sentence stays whole. 0 keeps records.
    RETURNS (Callable): From a pipeline to its examples; nothing is left out.
    RAISES: BL501; when read, BL101, BL201 and BL202.
    """
    if max_words < 0:
        raise BertLstmError("BL501", max_words=max_words)

    def read_examples(nlp: Language) -> Iterator[Example]:
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

    doc (Doc): With sentence starts; an entity over two sentences keeps them together.
    max_words (int): The most tokens a run may have, if its sentences allow; 0 for no limit.
    RETURNS (list[Doc]): The runs in order, every token in one of them.
    """
    if not max_words or len(doc) <= max_words:
        return [doc]
    starts = [token.i for token in doc if token.is_sent_start and token.i and token.ent_iob_ != "I"]
    runs = []
    begin = end = 0
    for stop in [*starts, len(doc)]:
        if stop - begin > max_words and end > begin:
            runs.append((begin, end))
            begin = end
        end = stop
    runs.append((begin, end))
    return [doc[begin:end].as_doc() for begin, end in runs]


def split_docs(
    docs: Sequence[Doc], ratio: tuple[float, float, float], *, seed: int, path: Path
) -> dict[str, list[Doc]]:
    """Split Docs at random into train, dev and test.

    docs (Sequence[Doc]): One a record.
    ratio (tuple[float, float, float]): The parts' shares of the whole.
    seed (int): Of the shuffling.
    path (Path): Where the Docs came from, for messages.
    RETURNS (dict[str, list[Doc]]): Without the parts whose share is 0.
    RAISES: BL205 (a part would be empty), BL206 (not a ratio).
    """
    if min(ratio) < 0 or not 0 < sum(ratio) < math.inf:
        raise BertLstmError("BL206", ratio=ratio)
    shuffled = list(docs)
    random.Random(seed).shuffle(shuffled)
    parts = {}
    share = 0.0
    for name, part in zip(("train", "dev", "test"), ratio, strict=True):
        begin = round(len(docs) * share / sum(ratio))
        share += part
        end = round(len(docs) * share / sum(ratio))
        if part and begin == end:
            raise BertLstmError("BL205", path=path, docs=len(docs), ratio=ratio)
        if part:
            parts[name] = shuffled[begin:end]
    return parts
