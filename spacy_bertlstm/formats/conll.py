"""CoNLL: a token and its tag on each line, a blank line after a sentence, and back.

The first column is the token, the last its tag; a line with a tab is split at tabs, any other
at spaces. A line whose token is -DOCSTART- begins a document. A line that begins with "#" and
ends in no tag is a comment. Text is rebuilt: tokens joined by a space, sentences by a line
break. A document without any tag is text that nobody annotated; "B" alone is a span without a
type. Schemes, and what is made of tags that contradict theirs: see `tags.detect_scheme` and
`tags.decode_scheme`. Records are named as their files, with a number where a file holds many.

The columns between, the -DOCSTART- line, the scheme and the separator ride in the metadata.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, repeat
from pathlib import Path

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.lines import RecordsFile, find_files, read_lines
from spacy_bertlstm.formats.sources import (
    LostError,
    Source,
    accounted,
    lose_categories,
    name_records,
    require_file_name,
    require_unicode,
)
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Concept, Document
from spacy_bertlstm.tags import (
    SCHEMES,
    Span,
    decode_scheme,
    detect_scheme,
    encode_scheme,
    read_tag,
)

DEFAULT_FILE = "documents.conll"  # of records that no CoNLL file held
SUFFIXES = (".conll", ".conll03", ".bio", ".iob", ".iob2", ".biluo", ".bioes", ".tsv")

_DOCSTART = "-DOCSTART-"
_SPACE = " \t\r\n"
# A token of the text that is no line of its own: "-DOCSTART-" is written in two.
_TOKEN = re.compile(r"-DOCSTART(?=-(?:[ \t\r\n]|\Z))|[^ \t\r\n]+")


@dataclass(frozen=True)
class ConllFile(RecordsFile):
    """A file of tokens and tags.

    id (str): The name of its record, or the beginning of the names of many.
    """

    id: str = ""


def find_conll(root: Path, *, require_annotations: bool = False) -> list[ConllFile]:
    """Find CoNLL files, those with one of SUFFIXES; see `find_files`."""
    files = find_files(root, SUFFIXES, require_annotations=require_annotations)
    stems = Counter((file.path.parent, file.path.stem) for file in files)
    groups: dict[Path, dict[str, RecordsFile]] = {}
    for file in files:
        folder, path = file.path.parent, file.path
        name = path.stem if stems[folder, path.stem] == 1 else path.name
        groups.setdefault(folder, {})[name] = file
    names = name_records(groups, root if root.is_dir() else root.parent)
    return [
        ConllFile(file.path, file.root, file.require_annotations, names[folder, name])
        for folder, named in groups.items()
        for name, file in named.items()
    ]


def read_conll(file: ConllFile, report: LossReport) -> Iterator[Document]:
    """Read the documents of a file one after another; what cannot be kept goes to the report.

    file (ConllFile): From `find_conll`. It is read twice: the scheme shows in the whole only.
    report (LossReport): Filled with what was read, kept, noted and lost.
    YIELDS (Document): Each as soon as its last line is read.
    RAISES: BL103 (not UTF-8), BL108 (unreadable), BL111 (a file name that is not Unicode),
        BL140 (no document in it), BL142 (annotations are required, and there are none).
    """
    require_unicode(file.name)
    scheme, annotated = _survey(file.path)
    if not annotated:
        raise BertLstmError("BL140", path=file.path, format="CoNLL", form="token<TAB>tag")
    if file.require_annotations and not any(annotated):
        raise BertLstmError("BL142", path=file.path)
    count = 0
    builder: _Builder | None = None
    for number, kind, line in _lines(file.path):
        if kind == "start" or (kind == "token" and builder is None):
            if builder is not None:
                yield builder.finish()
            name = f"{file.id}-{count + 1}" if len(annotated) > 1 else file.id
            builder = _Builder(file, name, scheme, report, annotated=annotated[count])
            count += 1
        if kind == "comment":
            report.note(str(file.path), number, "a comment; not kept")
        elif builder is not None:
            builder.add(number, kind, line)
    if builder is not None:
        yield builder.finish()


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """The number, the kind ("token", "blank", "start" or "comment") and the text of each line."""
    for number, ended in read_lines(path):
        line = ended.rstrip(_SPACE)
        if not line:
            yield number, "blank", line
        elif line == _DOCSTART or line.startswith((f"{_DOCSTART} ", f"{_DOCSTART}\t")):
            yield number, "start", line
        elif line.startswith("#") and _tag(_columns(line)) is None:
            yield number, "comment", line
        else:
            yield number, "token", line


def _columns(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else [part for part in line.split(" ") if part]


def _tag(columns: list[str]) -> str | None:
    return columns[-1] if len(columns) > 1 and read_tag(columns[-1]) is not None else None


def _survey(path: Path) -> tuple[str, list[bool]]:
    """The scheme of a file, and whether each of its documents has tags."""
    annotated: list[bool] = []

    def sentences() -> Iterator[list[str]]:
        tags: list[str] = []
        for _, kind, line in _lines(path):
            if kind == "token":
                tag = _tag(_columns(line))
                if not annotated:
                    annotated.append(False)
                annotated[-1] = annotated[-1] or tag is not None
                tags.append(tag or "O")
            elif kind != "comment":
                yield tags
                tags = []
                if kind == "start":
                    annotated.append(False)
        yield tags

    scheme = detect_scheme(sentences())
    return scheme, annotated


class _Builder:
    """Rebuilds the text of one document."""

    def __init__(
        self, file: ConllFile, name: str, scheme: str, report: LossReport, *, annotated: bool
    ) -> None:
        self.file = file
        self.name = name
        self.scheme = scheme
        self.report = report
        self.annotated = annotated
        self.metadata = {"format": "conll", "file": file.name, "scheme": scheme, "separator": " "}
        self.sentences: list[str] = []
        self.length = 0  # of the sentences, each with its line break
        self.concepts: list[Concept] = []
        self.further: list[str] = []  # the columns between token and tag, by token
        self._tokens: list[tuple[int, str, str]] = []  # lines, tokens and tags of a sentence

    def add(self, number: int, kind: str, line: str) -> None:
        if kind == "token":
            self._add_token(number, line)
        elif kind == "start":
            self.metadata["docstart"] = line
        else:
            self._end_sentence()

    def _add_token(self, number: int, line: str) -> None:
        columns = _columns(line)
        token, tag = columns[0], _tag(columns)
        lost = None
        if not token.strip(_SPACE):
            lost = "has no token"
        elif tag is None and (self.annotated or len(columns) > 1):
            lost = "has no tag in its last column; its token is kept"
        if lost is not None:
            self.report.read["line"] += 1
            self.report.lose(str(self.file.path), number, lost)
        if token.strip(_SPACE):
            self._tokens.append((number, token, tag or "O"))
            self.further.append("\t".join(columns[1:-1]))
            if "\t" in line:
                self.metadata["separator"] = "\t"

    def _end_sentence(self) -> None:
        if not self._tokens:
            return
        numbers, tokens, tags = zip(*self._tokens, strict=True)
        self._tokens = []
        starts = list(accumulate((len(token) + 1 for token in tokens), initial=self.length))
        self.length = starts[-1]
        self.sentences.append(" ".join(tokens))
        spans, mended = decode_scheme(tags, self.scheme)
        for first, end, label in spans:
            with accounted(self.report, "concept", str(self.file.path), numbers[first]):
                if not "".join(tokens[first:end]).strip():
                    raise LostError("covers no text")
                if not label:
                    reason = "names no type: kept in the record, not in doc.ents"
                    self.report.note(str(self.file.path), numbers[first], reason)
                source = Source(self.file.path, self.file.root, numbers[first])
                extent = (starts[first], starts[end] - 1)
                name = f"T{len(self.concepts) + 1}"
                self.concepts.append(Concept(name, label, (extent,), source=str(source)))
        for place in mended:
            reason = f"a tag that {self.scheme} does not allow there; mended"
            self.report.note(str(self.file.path), numbers[place], reason)

    def finish(self) -> Document:
        self._end_sentence()
        if any(self.further):
            self.metadata["columns"] = "\n".join(self.further)
        return Document(
            id=self.name,
            text="\n".join(self.sentences),
            concepts=tuple(self.concepts),
            annotated=self.annotated,
            metadata=self.metadata,
        )


def format_document(document: Document, report: LossReport) -> str:
    """The sentences of a record, without a -DOCSTART- line.

    document (Document): The record. Its tokens are what white space separates, and split where
        an entity begins or ends; its sentences are its lines, but for a line break inside an
        entity. Spacing is not CoNLL's to keep.
    report (LossReport): Filled with what CoNLL cannot express; of entities that overlap the
        longest is written.
    RETURNS (str): One column for a record that nobody annotated.
    """
    lose_categories(document, report, "CoNLL")
    return _DocumentWriter(document, report).content()


def _is_own(document: Document) -> bool:
    return document.metadata.get("format") == "conll"


def _separator(document: Document) -> str:
    return " " if _is_own(document) and document.metadata.get("separator") == " " else "\t"


class _DocumentWriter:
    def __init__(self, document: Document, report: LossReport) -> None:
        self.document = document
        self.text = document.text
        self.report = report
        self.place = f"record {document.id}"
        self.taken: list[tuple[int, int, str]] = []  # extents and labels, none overlapping
        self._covered = bytearray(len(self.text))  # 1 at their characters
        extents = [(*self._trimmed(concept), concept) for concept in document.concepts]
        for start, end, concept in sorted(extents, key=lambda e: (e[0] - e[1], e[0])):
            with accounted(report, "concept", self.place):
                self._take(start, end, concept)
        self.taken.sort()
        others = {
            "assertion": (document.assertions, "an attribute, for which CoNLL has no column"),
            "relation": (document.relations, "a relation, for which CoNLL has no line"),
            "event": (document.events, "an event, for which CoNLL has no line"),
            "normalization": (
                document.normalizations,
                "an identifier, for which CoNLL has no column",
            ),
            "note": (document.notes, "a comment, for which CoNLL has no line"),
        }
        for kind, (items, reason) in others.items():
            for _ in items:
                with accounted(report, kind, self.place):
                    raise LostError(reason)
        told = {(tie.target, tie.kb_id) for tie in document.normalizations}
        if any((c.id, kb_id) not in told for c in document.concepts for kb_id in c.kb_ids):
            report.lose(self.place, 0, "its concept ids, for which CoNLL has no column")

    def _trimmed(self, concept: Concept) -> tuple[int, int]:
        covered = self.text[concept.start : concept.end]
        start = concept.end - len(covered.lstrip(_SPACE))
        return start, max(start, concept.start + len(covered.rstrip(_SPACE)))

    def _take(self, start: int, end: int, concept: Concept) -> None:
        if len(concept.fragments) != 1:
            raise LostError("is discontinuous, for which CoNLL has no tags")
        if read_tag(f"B-{concept.label}") is None and concept.label:
            raise LostError("is of a type that holds white space")
        if not self.text[start:end].strip():
            raise LostError(f"{concept.start} to {concept.end} covers no text")
        # One that was taken before is as long, or longer, so it covers an end of this.
        if self._covered[start] or self._covered[end - 1]:
            raise LostError("overlaps one that is as long, or longer")
        self._covered[start:end] = b"\1" * (end - start)
        self.taken.append((start, end, concept.label))

    def content(self) -> str:
        sentences = list(self._sentences())
        separator = _separator(self.document)
        further = self._further(sum(len(tokens) for tokens, _ in sentences))
        own = self.document.metadata.get("scheme", "") if _is_own(self.document) else ""
        scheme = own if own in SCHEMES else "BIO"
        lines = []
        for tokens, spans in sentences:
            tags = encode_scheme(spans, len(tokens), scheme)
            for token, tag in zip(tokens, tags, strict=True):
                columns = [token, *next(further)]
                if self.document.annotated:
                    columns.append(tag)
                lines.append(separator.join(columns))
            lines.append("")
        return "".join(f"{line}\n" for line in lines)

    def _further(self, count: int) -> Iterator[list[str]]:
        """The columns between token and tag, for each token."""
        stated = self.document.metadata.get("columns") if _is_own(self.document) else None
        if stated is not None:
            by_token = [columns.split("\t") if columns else [] for columns in stated.split("\n")]
            if len(by_token) == count:
                return iter(by_token)
            reason = "its columns between token and tag, which its tokens no longer fit"
            self.report.lose(self.place, 0, reason)
        return repeat([])

    def _sentences(self) -> Iterator[tuple[list[str], list[Span]]]:
        """The tokens of each sentence, and its spans counted in them."""
        tokens: list[str] = []
        spans: list[Span] = []
        split = joined = False
        ahead = iter([*self.taken, (len(self.text), len(self.text), "")])
        begin, finish, label = next(ahead)
        last = 0
        for start, end in self._pieces():
            while finish <= start:
                begin, finish, label = next(ahead)
            split = split or start == last > 0
            if "\n" in self.text[last:start]:
                if begin < start:
                    joined = True
                elif tokens:
                    yield tokens, spans
                    tokens, spans = [], []
            if begin == start:
                spans.append((len(tokens), len(tokens) + 1, label))
            elif begin < start:
                spans[-1] = (spans[-1][0], len(tokens) + 1, label)
            tokens.append(self.text[start:end])
            last = end
        if tokens:
            yield tokens, spans
        if split:
            self.report.note(self.place, 0, "tokens are split where an entity begins or ends")
        if joined:
            self.report.note(self.place, 0, "a line break inside an entity ends no sentence")

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """The extents of tokens, none of which an entity's boundary lies in."""
        edges = [edge for start, end, _ in self.taken for edge in (start, end)]
        cuts = iter([*edges, len(self.text)])
        cut = next(cuts)
        for match in _TOKEN.finditer(self.text):
            start, end = match.span()
            while cut < end:
                if cut > start:
                    yield start, cut
                    start = cut
                cut = next(cuts)
            yield start, end


def write_conll(documents: Iterable[Document], folder: Path, report: LossReport) -> int:
    """Write records below an existing folder: each to a file named as the one that held it.

    documents (Iterable[Document]): Those that no CoNLL file held go to one of their own.
    RETURNS (int): The number of records written.
    RAISES: BL111 (the file's name is none), OSError.
    """
    count = 0
    written: set[str] = set()
    for document in documents:
        own = _is_own(document)
        name = document.metadata.get("file", "") if own else DEFAULT_FILE
        require_file_name(name)
        start = document.metadata.get("docstart", "") if own else ""
        if re.fullmatch(rf"{_DOCSTART}(?:[ \t][^\r\n]*)?", start) is None:
            apart = not own or name in written or not document.text.strip()
            start = _DOCSTART if apart else ""
        written.add(name)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not held open: a corpus may have more files than a process may open.
        with path.open("ab") as file:
            content = format_document(document, report)
            file.write((f"{start}\n\n{content}" if start else content).encode("utf-8"))
        count += 1
    return count
