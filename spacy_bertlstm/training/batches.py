"""The batches of a training, drawn so that another process can draw them again."""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

from spacy.language import Language
from spacy.training import Example
from spacy.training.loop import create_train_batches

from spacy_bertlstm.training.randomness import PythonState

Corpus = Callable[[Language], Iterable[Example]]
# spaCy's own annotation of a batcher says that it yields Examples.
Batcher = Callable[[Iterable[Example]], Iterable[Any]]


class DigestedCorpus:
    """A corpus that notes what its first whole pass has read.

    digest (str | None): Of the gold Docs with all that rides with them, in their order.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self.digest: str | None = None

    def __call__(self, nlp: Language) -> Iterator[Example]:
        digest = hashlib.sha256()
        for example in self._corpus(nlp):
            if self.digest is None:
                # The strings come in the order of a set; the Doc names them by their hashes.
                digest.update(example.reference.to_bytes(exclude=["strings"]))
            yield example
        self.digest = self.digest or digest.hexdigest()


def draw_batches(
    nlp: Language,
    corpus: Corpus,
    batcher: Batcher,
    max_epochs: int,
    epoch_starts: list[PythonState],
) -> Iterator[tuple[int, list[Example]]]:
    """spaCy's shuffled batches, in a way that can be repeated.

    Order and batches depend on Python's random generator before each epoch, from which the
    training itself may draw too, and on the batcher's schedule of sizes, which runs on from
    epoch to epoch. So to come to a certain batch, all before it are drawn again.

    epoch_starts (list[PythonState]): The states before the epochs that are repeated; that
        before each further epoch is added.
    YIELDS (tuple): The epoch, from 0, and a batch.
    """
    epochs = count(1)

    def batches(examples: Iterable[Example]) -> Iterator[Any]:
        yield from batcher(examples)
        _mark(epoch_starts, next(epochs))

    _mark(epoch_starts, 0)
    yield from create_train_batches(nlp, corpus, batches, max_epochs)


def _mark(epoch_starts: list[PythonState], epoch: int) -> None:
    """Note the state of Python's generator before an epoch, or set the one noted."""
    if epoch < len(epoch_starts):
        random.setstate(epoch_starts[epoch])
    else:
        epoch_starts.append(random.getstate())
