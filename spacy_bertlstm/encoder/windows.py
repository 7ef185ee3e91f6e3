"""Windows of whole sentences for the transformer: every token in exactly one, none too long."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from spacy.tokens import Doc, Span

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.tokens.runs import pack_runs

SpanGetter = Callable[[Iterable[Doc]], list[list[Span]]]


@dataclass(frozen=True)
class SentenceWindows:
    """Gives windows of as many whole sentences as fit into a number of tokens.

        doc:     | s1 | s2   | s3 |      s4, longer than the window     | s5 |
        windows: [ s1   s2  ] [s3] [              s4                  ] [ s5 ]

    A longer sentence is a window alone; a Doc without sentence starts is cut every `window`
    tokens, an empty one has no windows.

    window (int): The most tokens a window holds.
    """

    window: int

    def __call__(self, docs: Iterable[Doc]) -> list[list[Span]]:
        return [self._cut(doc) for doc in docs]

    def _cut(self, doc: Doc) -> list[Span]:
        if doc.has_annotation("SENT_START"):
            stops = [sentence.end for sentence in doc.sents]
        else:
            stops = [*range(self.window, len(doc), self.window), len(doc)]
        return [doc[begin:end] for begin, end in pack_runs(stops, self.window)]


def make_sentence_windows(window: int) -> SpanGetter:
    """Make `SentenceWindows` for a config.

    RAISES: BL305 (not even one token).
    """
    if window < 1:
        raise BertLstmError("BL305", window=window)
    return SentenceWindows(window)


def split_to_fit(spans: Iterable[Span], fits: Callable[[Span], bool]) -> list[Span]:
    """Halve the spans that the encoder cannot take, until every part fits.

    spans (Iterable[Span]): Windows.
    fits (Callable[[Span], bool]): Whether the encoder takes a span whole.
    RETURNS (list[Span]): The same tokens in the same order; a single token stays whole.
    """
    fitting = []
    for span in spans:
        if len(span) < 2 or fits(span):
            fitting.append(span)
        else:
            middle = len(span) // 2
            fitting += split_to_fit([span[:middle], span[middle:]], fits)
    return fitting
