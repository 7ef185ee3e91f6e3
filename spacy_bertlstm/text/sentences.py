"""Rules that split clinical text into sentences.

`find_sentence_starts` reads a text and returns character offsets, so it does not depend on how
the text was tokenized; the component maps them to tokens. Every pattern is linear: none can
start again inside its own match.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy
import srsly
from spacy.attrs import LENGTH, SENT_START, SPACY
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import ensure_path
from thinc.types import Ints2d

# One truth value a token, shape (n_tokens,); spelled out, since spaCy does not load numpy.typing.
Starts: TypeAlias = "numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.bool_]]"
Scorer: TypeAlias = Callable[[Iterable[Example]], dict[str, Any]]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Never the end of a sentence.
_BOUND = _words("dr drs mr mrs ms prof st mt vs cf viz e.g i.e approx al")

# Never the end of a sentence before a figure: "No. 5", "Fig. 2".
_NUMBERED = _words("no nos nr fig figs tab ref refs vol pp p ch sec eq op ext ver ca resp")

# The end of a sentence only where the next word settles it; so are initials ("J. Smith", but
# "vitamin D. The") and dotted abbreviations ("q.d. He").
_SOFT = _words(
    """
    jr sr inc ltd co corp dept univ hosp med pt pts hx fx tx dx sx temp wt ht est max avg
    jan feb mar apr jun jul aug sep sept oct nov dec
    """
)

_STARTERS = _words(
    """
    a after all although an and as at because before both but during for following from given he
    her his however if in initially it later no on our patient she since subsequently that the
    then there therefore these they this those thus to two upon we when while with
    """
)

# A line that ends in one of these goes on in the next.
_CONTINUERS = _words(
    """
    a about an and are at because been between by due for from had has have her his in into is
    of on or than that the their to was were which who with without
    """
)

# Shorter lines are fragments, not prose broken at a margin.
_SHORTEST_WRAPPED_LINE = 40

# How far to look back for a word: a constant, so that lines of any length stay linear.
_WINDOW = 24

_LIST_ITEM = re.compile(r"(?:\(?\d{1,3}[.)]|\(?[A-Za-z][.)]|[-*•·●▪◦#>+]|\#\d+[.:)]?)(?:\s|$)")
_CLOSERS = "\"'”’»)]}"

# Terminal marks, closers, blanks, openers, first character. The blanks stay within the line, line
# breaks are judged first; in pre-tokenized text blanks also stand before closers and after openers.
_BLANK = r"[^\S\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]"
_TERMINAL = re.compile(
    rf"(?<![.?!…])([.?!…]+)(?:{_BLANK}?[\"'”’»)\]}}])*{_BLANK}+(?=\S)"
    rf"(?=(?:[\"'“‘«(\[{{*#•-]{_BLANK}?)*(\S)(\w*))"
)
_WORD_BEFORE = re.compile(rf"(\d|/|){_BLANK}?([^\s()\[\]{{}}\"'“”‘’,;:/-]*){_BLANK}?\Z")
_MARKER_BEFORE = re.compile(rf"(?m)^{_BLANK}*[(#]?(?:\d{{1,3}}|[A-Za-z])\Z")
_OPERATORS = _words("= < > ≤ ≥ ~ ≈ ±")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")


def _continues(previous: str, line: str, width: int) -> bool:
    """Whether a line only goes on with the previous one, both stripped at the right.

    A margin breaks a line where its next word no longer fits. So in a paragraph `width`
    characters wide, a line that had room for the next line's first word was ended on purpose.
    This keeps texts with one sentence a line apart even where sentences start in lower case.
    """
    content = line.lstrip()
    if len(previous) < _SHORTEST_WRAPPED_LINE or _LIST_ITEM.match(content):
        return False
    word = content.split(None, 1)[0]
    if len(previous) + 1 + len(word) <= width:
        return False
    ending = previous.rstrip(_CLOSERS)
    words = ending[-_WINDOW:].lower().split()
    last = words[-1] if words else ""
    if last[-1:] in (".", "?", "!", "…", ":"):
        return last.lstrip("([\"'")[:-1] in _BOUND
    return content[0].islower() or last in _CONTINUERS or previous[-1] == ","


def _line_starts(text: str) -> list[int]:
    """Offsets of the first visible character of each line that starts a sentence."""
    starts = []
    paragraph: list[tuple[int, str]] = []
    offset = 0
    for line in [*text.splitlines(keepends=True), ""]:
        visible = line.rstrip()
        if visible:
            paragraph.append((offset, visible))
        elif paragraph:
            width = max(len(content) for _, content in paragraph)
            previous = ""
            for at, content in paragraph:
                if not _continues(previous, content, width):
                    starts.append(at + len(content) - len(content.lstrip()))
                previous = content
            paragraph = []
        offset += len(line)
    return starts


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    marks, first, rest = match.groups()
    if not (first.isupper() or first.isdigit()):
        return False
    if marks != ".":
        return True
    end = match.start()
    begin = max(0, end - _WINDOW)
    if _MARKER_BEFORE.search(text, begin, end):
        return False
    found = _WORD_BEFORE.search(text, begin, end)
    ahead, word = found.groups() if found else ("", "")
    if first.isdigit() and (word.lower() in _NUMBERED or word in _OPERATORS):
        return False
    is_initial = len(word) == 1 and word.isalpha() and word.isupper() and not ahead
    # "mmol/L." and "5 L." close with a unit, "MR. Valves" with a diagnosis ("MR. SMITH" not).
    if ahead == "/" or (len(word) == 1 and not is_initial):
        return True
    if len(word) > 1 and word.isupper() and word != "DR" and not rest.isupper():
        return True
    if word.lower() in _BOUND:
        return False
    if is_initial or word.lower() in _SOFT or _DOTTED.fullmatch(word):
        return (first + rest).lower() in _STARTERS
    return True


def find_sentence_starts(text: str) -> list[int]:
    """Find where sentences start.

    A blank line always ends a sentence, any other line break does unless the next line plainly
    goes on (see `_continues`); within a line, terminal marks do before a capital or a figure,
    but not after abbreviations and list markers.

    text (str): The raw text; tokens separated by spaces, as in i2b2 files, do as well.
    RETURNS (list[int]): Ascending character offsets, each of a visible character.
    """
    starts = set(_line_starts(text))
    starts.update(match.end() for match in _TERMINAL.finditer(text) if _ends_sentence(text, match))
    return sorted(starts)


@Language.factory(
    "bertlstm_sentences",
    assigns=["token.is_sent_start"],
    default_config={"overwrite": False, "scorer": {"@scorers": "spacy.senter_scorer.v1"}},
    # Rules do not learn: their score is printed by an evaluation, but chooses no checkpoint.
    default_score_weights={"sents_f": None, "sents_p": None, "sents_r": None},
)
def make_sentence_splitter(
    nlp: Language, name: str, overwrite: bool, scorer: Scorer | None
) -> "ClinicalSentenceSplitter":
    return ClinicalSentenceSplitter(name, overwrite=overwrite, scorer=scorer)


class ClinicalSentenceSplitter(Pipe):
    """Set sentence starts by rules made for clinical notes.

    Blank tokens belong to the sentence that they follow, the first token always starts one.
    """

    def __init__(
        self,
        name: str = "bertlstm_sentences",
        *,
        overwrite: bool = False,
        scorer: Scorer | None = None,
    ) -> None:
        """name (str): The component's name in the pipeline.
        overwrite (bool): Replace sentence starts that are already set, and not only add to them.
        scorer (Scorer | None): What `score` calls; the factory gives "spacy.senter_scorer.v1".
        """
        self.name = name
        self.overwrite = overwrite
        self.scorer = scorer

    def __call__(self, doc: Doc) -> Doc:
        self.set_annotations([doc], self.predict([doc]))
        return doc

    def predict(self, docs: Iterable[Doc]) -> list[Starts]:
        """Find the sentence starts of each doc, without changing it."""
        return [self._predict_doc(doc) for doc in docs]

    def _predict_doc(self, doc: Doc) -> Starts:
        is_start = numpy.zeros(len(doc), dtype=bool)
        if not len(doc):
            return is_start
        widths = doc.to_array([LENGTH, SPACY]).sum(axis=1)
        idx = numpy.cumsum(widths) - widths
        # The text's first sentence starts at token 0, blanks before it included.
        offsets = numpy.asarray(find_sentence_starts(doc.text)[1:], dtype=idx.dtype)
        tokens = numpy.minimum(numpy.searchsorted(idx, offsets), len(doc) - 1)
        # A start inside a token, as after merging, is none.
        is_start[tokens[idx[tokens] == offsets]] = True
        is_start[0] = True
        return is_start

    def set_annotations(self, docs: Iterable[Doc], starts: Sequence[Starts]) -> None:
        """Write the sentence starts: 1 or -1 for every token, as spaCy's sentencizer does.

        docs (Iterable[Doc]): The docs to change.
        starts (Sequence[Starts]): The result of `predict`.
        """
        for doc, is_start in zip(docs, starts, strict=True):
            if not len(doc):
                continue
            values = numpy.where(is_start, 1, -1).astype("uint64")
            if not self.overwrite:
                present = doc.to_array([SENT_START]).ravel()
                values = numpy.where(present == 0, values, present)
            doc.from_array([SENT_START], cast(Ints2d, values.reshape(-1, 1)))

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        data: bytes = srsly.msgpack_dumps({"overwrite": self.overwrite})
        return data

    def from_bytes(
        self, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> "ClinicalSentenceSplitter":
        self.overwrite = srsly.msgpack_loads(bytes_data).get("overwrite", self.overwrite)
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        srsly.write_json(ensure_path(path).with_suffix(".json"), {"overwrite": self.overwrite})

    def from_disk(
        self, path: str | Path, *, exclude: Iterable[str] = ()
    ) -> "ClinicalSentenceSplitter":
        config = srsly.read_json(ensure_path(path).with_suffix(".json"))
        self.overwrite = config.get("overwrite", self.overwrite)
        return self
