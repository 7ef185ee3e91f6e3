"""Windows of whole sentences for the transformer: every token in exactly one, none too long."""

from collections.abc import Callable, Iterable

from spacy.tokens import Doc, Span

from spacy_bertlstm.errors import BertLstmError

SpanGetter = Callable[[Iterable[Doc]], list[list[Span]]]


def make_sentence_windows(window: int) -> SpanGetter:
    """Windows of as many whole sentences as fit into a number of tokens.

        doc:     | s1 | s2   | s3 |      s4, longer than the window     | s5 |
        windows: [ s1   s2  ] [s3] [              s4                  ] [ s5 ]

    window (int): The most tokens a window holds; a longer sentence is a window alone.
    RETURNS (Callable[[Iterable[Doc]], list[list[Span]]]): A Doc without sentence starts
        is cut every `window` tokens, an empty one has no windows.
    RAISES: BL305.
    """
    if window < 1:
        raise BertLstmError("BL305", window=window)

    def sentence_windows(docs: Iterable[Doc]) -> list[list[Span]]:
        return [_windows(doc, window) for doc in docs]

    return sentence_windows


def _windows(doc: Doc, window: int) -> list[Span]:
    if doc.has_annotation("SENT_START"):
        stops = [sentence.end for sentence in doc.sents]
    else:
        stops = [*range(window, len(doc), window), len(doc)]
    windows = []
    begin = end = 0
    for stop in stops:
        if stop - begin > window and end > begin:
            windows.append(doc[begin:end])
            begin = end
        end = stop
    if end > begin:
        windows.append(doc[begin:end])
    return windows


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
