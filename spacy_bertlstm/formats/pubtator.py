"""PubTator: a file of abstracts, with mentions and relations between concept ids, and back.

A document is a title line, an abstract line, and its annotations:

    id|t|title
    id|a|abstract
    id<TAB>start<TAB>end<TAB>mention<TAB>type<TAB>concept ids[<TAB>parts]
    id<TAB>type<TAB>concept id<TAB>concept id[<TAB>novelty]

Its text is the title, one character and the abstract: a line break, or a space where a mention
reaches over it. Record names are the ids; where one comes again in a file, a number follows it.
What has no place in a record of its own rides as an assertion: "ids" (the concept column, where
it is not its ids joined by "|"), "parts" (the mentions in a composite one), "novelty" and
"column" (any further one). A file without any annotation is text that nobody annotated.

Source: the files of BC5CDR, NCBI Disease and BioRED as they were released.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.lines import RecordsFile, find_files, read_lines
from spacy_bertlstm.formats.sources import (
    LostError,
    Source,
    accounted,
    lose_categories,
    require_file_name,
    require_unicode,
)
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Assertion, Concept, Document, Relation

DEFAULT_FILE = "documents.pubtator"  # of records that no PubTator file held

_KEY = r"[^|\t\r\n\ufeff]{1,200}"
_PASSAGE = re.compile(rf"({_KEY})\|([ta])\|")
_NUMBER = re.compile(r"[0-9]{1,9}")
# An id of tmVar, such as "p|SUB|V|600|E", "|DEL|46|S" or "c.76A", holds "|" and "+" itself.
_VARIANT = re.compile(r"[cgmnpr]?\||[cgmnpr]\.")
_MENTION_COLUMNS = ("ids", "parts", "column")
_RELATION_COLUMNS = ("novelty", "column")
_NOVELTY = ("Novel", "No")


def split_ids(column: str) -> tuple[str, ...]:
    """The concept ids of a column: "," ends one, and but for variants "|" and "+" do."""
    ids = []
    for part in column.split(","):
        part = part.strip()
        pieces = [part] if _VARIANT.match(part) else re.split(r"[|+]", part)
        ids += [piece.strip() for piece in pieces]
    return tuple(piece for piece in ids if piece)


def join_ids(ids: Iterable[str]) -> str:
    """The column of concept ids, joined by "|", or by "," where one of them is a variant."""
    ids = tuple(ids)
    return ("," if any(_VARIANT.match(piece) for piece in ids) else "|").join(ids)


def find_pubtator(root: Path, *, require_annotations: bool = False) -> list[RecordsFile]:
    """Find PubTator files; see `find_files`."""
    return find_files(root, [".pubtator"], require_annotations=require_annotations)


def read_pubtator(file: RecordsFile, report: LossReport) -> Iterator[Document]:
    """Read the documents of a file one after another; what cannot be kept goes to the report.

    file (RecordsFile): From `find_pubtator`.
    report (LossReport): Filled with what was read, kept, noted and lost.
    YIELDS (Document): Each as soon as its last line is read.
    RAISES: BL103 (not UTF-8), BL108 (unreadable), BL111 (a file name that is not Unicode),
        BL140 (no document in it), BL142 (annotations are required, and there are none).
    """
    require_unicode(file.name)
    annotated = any(_is_annotation(line) for _, line in read_lines(file.path))
    if file.require_annotations and not annotated:
        raise BertLstmError("BL142", path=file.path)
    names = _Names()
    block: _Block | None = None
    apart = True  # whether a blank line, or nothing, stands before
    for number, ended in read_lines(file.path):
        line = ended.removesuffix("\n").removesuffix("\r")
        if not line.strip():
            apart = True
            continue
        source = Source(file.path, file.root, number)
        passage = _PASSAGE.match(line)
        if passage is not None:
            key, kind = passage.groups()
            if block is None or not block.takes(key, kind):
                if block is not None:
                    yield _read_block(block, file, report, annotated=annotated)
                if not apart:
                    _note(report, source, "begins a document without a blank line before it; kept")
                block = _Block(key, names.distinct(key), source)
                if block.name != key:
                    _note(report, source, "its id is an earlier document's; named with a number")
            elif apart:
                _note(report, source, "stands apart from its title; kept")
            if "\r" in line:
                report.read["line"] += 1
                reason = "holds a carriage return, as if its lines ended so; its text is kept"
                report.lose(str(file.path), number, reason)
            block.passages[kind] = line[passage.end() :]
            block.crlf = block.crlf or ended.endswith("\r\n")
        elif block is None:
            report.read["line"] += 1
            report.lose(str(file.path), number, "stands before any document")
        else:
            if apart:
                _note(report, source, "stands apart from its document; kept there")
            block.lines.append((source, line))
        apart = False
    if block is None:
        raise BertLstmError("BL140", path=file.path, format="PubTator", form="id|t|title")
    yield _read_block(block, file, report, annotated=annotated)


def _is_annotation(line: str) -> bool:
    return "\t" in line and _PASSAGE.match(line) is None


def _note(report: LossReport, source: Source, reason: str) -> None:
    report.note(str(source.path), source.line, reason)


class _Names:
    """Names for documents whose ids may come more than once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._copies: Counter[str] = Counter()

    def distinct(self, key: str) -> str:
        name = key
        while name in self._taken:
            self._copies[key] += 1
            name = f"{key}-{self._copies[key] + 1}"
        self._taken.add(name)
        return name


class _Block:
    """The lines of one document."""

    def __init__(self, key: str, name: str, source: Source) -> None:
        self.key = key
        self.name = name
        self.source = source
        self.passages: dict[str, str] = {}
        self.lines: list[tuple[Source, str]] = []
        self.crlf = False

    def takes(self, key: str, kind: str) -> bool:
        """Whether a passage is this document's, and not the next one's."""
        return key == self.key and kind == "a" and "a" not in self.passages


def _read_block(
    block: _Block, file: RecordsFile, report: LossReport, *, annotated: bool
) -> Document:
    title, abstract = block.passages.get("t"), block.passages.get("a")
    metadata = {"format": "pubtator", "file": file.name, "document": block.key}
    if block.crlf:
        metadata["newline"] = "\r\n"
    if title is None:
        _note(report, block.source, "has no title line; offsets count from its abstract")
    if abstract is None:
        _note(report, block.source, "has no abstract line; kept")
    else:
        metadata["abstract"] = str(0 if title is None else len(title) + 1)
    passages = [passage for passage in (title, abstract) if passage is not None]
    lines = [(source, line.split("\t")) for source, line in block.lines]
    text = "\n".join(passages)
    if len(passages) == 2 and _reaches_over(len(passages[0]), len(text), lines):
        text = " ".join(passages)
    reader = _BlockReader(block.key, text, report)
    reader.read(lines)
    return Document(
        id=block.name,
        text=text,
        concepts=tuple(reader.concepts),
        assertions=tuple(reader.assertions),
        relations=tuple(reader.relations),
        annotated=annotated,
        metadata=metadata,
    )


def _reaches_over(place: int, length: int, lines: Iterable[tuple[Source, list[str]]]) -> bool:
    """Whether a mention holds the character at a place."""
    extents = (_offsets(columns) for _, columns in lines if _is_mention(columns))
    return any(start <= place < end <= length for start, end in filter(None, extents))


def _is_mention(columns: list[str]) -> bool:
    # No relation type begins with a digit, and an offset that is damaged may still.
    return len(columns) > 1 and columns[1][:1] in set("0123456789")


def _offsets(columns: list[str]) -> tuple[int, int] | None:
    if len(columns) < 3 or not all(map(_NUMBER.fullmatch, columns[1:3])):
        return None
    return int(columns[1]), int(columns[2])


class _BlockReader:
    def __init__(self, key: str, text: str, report: LossReport) -> None:
        self.key = key
        self.text = text
        self.report = report
        self.concepts: list[Concept] = []
        self.assertions: list[Assertion] = []
        self.relations: list[Relation] = []
        self.known: set[str] = set()  # concept ids of mentions, alone and as their columns
        self.seen: set[tuple[str, ...]] = set()

    def read(self, lines: list[tuple[Source, list[str]]]) -> None:
        mentions = [(source, columns) for source, columns in lines if _is_mention(columns)]
        others = [(source, columns) for source, columns in lines if not _is_mention(columns)]
        for source, columns in mentions + others:  # relations point to ids of mentions
            kind = "concept" if _is_mention(columns) else "relation"
            if len(columns) == 1:
                kind = "line"
            with accounted(self.report, kind, str(source.path), source.line):
                if kind == "line":
                    raise LostError("neither a passage nor an annotation")
                if any("\r" in column for column in columns):
                    raise LostError("holds a carriage return, as if its lines ended so")
                if columns[0] != self.key:
                    raise LostError("names another document than the one it stands under")
                keep = self._keep_mention if kind == "concept" else self._keep_relation
                keep(columns, source)
                if tuple(columns) in self.seen:
                    self._note(source, "repeats an earlier line; both kept")
                self.seen.add(tuple(columns))

    def _keep_mention(self, columns: list[str], source: Source) -> None:
        offsets = _offsets(columns)
        if offsets is None:
            raise LostError("its offsets are no numbers")
        if len(columns) < 5 or not columns[4]:
            raise LostError("has no type")
        start, end = offsets
        if end > len(self.text):
            raise LostError(f"{start} to {end} is past the text's {len(self.text)} characters")
        covered = self.text[start:end]
        if not covered.strip():
            raise LostError(f"{start} to {end} covers no text")
        stated, label, column = columns[3], columns[4], "".join(columns[5:6])
        if stated != covered:
            self._note(source, "its stated text is not what stands at its offsets; these count")
        if len(columns) == 5:
            self._note(source, "has no concept column; kept, and written with an empty one")
        if len(columns) > 7:
            self._note(source, "has more columns than seven; kept")
        ids = split_ids(column)
        concept = Concept(
            f"T{len(self.concepts) + 1}",
            label,
            ((start, end),),
            quoted=stated if stated != covered else None,
            kb_ids=ids,
            source=str(source),
        )
        self.concepts.append(concept)
        self.known.update((column, *ids))
        if column != join_ids(ids):
            self._add_column(concept.id, column, "ids", source)
        for place, value in enumerate(columns[6:]):
            self._add_column(concept.id, value, "column" if place else "parts", source)

    def _keep_relation(self, columns: list[str], source: Source) -> None:
        if len(columns) < 4 or not columns[1][:1].isalpha() or not all(columns[2:4]):
            raise LostError("neither a mention nor a relation between two concept ids")
        if len(columns) > 5 and _NUMBER.fullmatch(columns[2]):
            raise LostError("its offsets are no numbers")
        arguments = (columns[2], columns[3])
        if not self.known.issuperset(arguments):
            self._note(source, "names a concept id that no mention here has; kept")
        relation = Relation(
            columns[1],
            arguments,
            level="concept",
            id=f"R{len(self.relations) + 1}",
            source=str(source),
        )
        self.relations.append(relation)
        for place, value in enumerate(columns[4:]):
            novelty = not place and value in _NOVELTY
            if not novelty:
                self._note(source, "has a column that is no novelty; kept")
            self._add_column(relation.id, value, "novelty" if novelty else "column", source)

    def _add_column(self, target: str, value: str, name: str, source: Source) -> None:
        self.assertions.append(Assertion(target, value, name, source=str(source)))

    def _note(self, source: Source, reason: str) -> None:
        _note(self.report, source, reason)


def format_document(document: Document, report: LossReport) -> str:
    """The lines of a record, with a blank one after them.

    document (Document): The record. The title of one that no PubTator file held is its first
        line; PubTator's passages are lines, so further line breaks become spaces.
    report (LossReport): Filled with what PubTator cannot express.
    RAISES: BL141 (its name cannot be an id).
    """
    own = _is_own(document)
    key = document.metadata.get("document", "") if own else document.id
    if re.fullmatch(_KEY, key) is None:
        raise BertLstmError("BL141", record=ascii(document.id))
    lose_categories(document, report, "PubTator")
    writer = _DocumentWriter(document, key, report)
    end = "\r\n" if own and document.metadata.get("newline") == "\r\n" else "\n"
    return "".join(f"{line}{end}" for line in [*writer.lines, ""])


def _is_own(document: Document) -> bool:
    return document.metadata.get("format") == "pubtator"


class _DocumentWriter:
    """Formats a record; its lines stand in `lines`."""

    def __init__(self, document: Document, key: str, report: LossReport) -> None:
        self.document = document
        self.key = key
        self.report = report
        # Character for character, so that the offsets stay.
        self.text = document.text.translate({ord("\n"): " ", ord("\r"): " "})
        self.columns: dict[str, list[Assertion]] = {}
        targets: dict[str, tuple[str, ...]]
        targets = {concept.id: _MENTION_COLUMNS for concept in document.concepts}
        targets |= {relation.id: _RELATION_COLUMNS for relation in document.relations}
        foreign = []
        for assertion in document.assertions:
            if assertion.name in targets.get(assertion.target, ()):
                self.columns.setdefault(assertion.target, []).append(assertion)
            else:
                foreign.append(assertion)
        self.lines = list(self._passages())
        columns: set[tuple[str, str]] = set()  # mentions that are written, and their ids
        for concept in document.concepts:
            with self._accounted("concept"):
                self.lines.append(self._mention(concept))
                columns.update((concept.id, kb_id) for kb_id in concept.kb_ids)
        for relation in document.relations:
            with self._accounted("relation"):
                self.lines.append(self._relation(relation))
        for _ in foreign:
            with self._accounted("assertion"):
                raise LostError("an attribute, for which PubTator has no column")
        for _ in document.events:
            with self._accounted("event"):
                raise LostError("an event, for which PubTator has no line")
        for tie in document.normalizations:
            with self._accounted("normalization"):
                if (tie.target, tie.kb_id) not in columns:
                    raise LostError("an identifier of what is no mention written here")
                if tie.text:
                    self._note("the name of an identifier has no column; the identifier is kept")
        for _ in document.notes:
            with self._accounted("note"):
                raise LostError("a comment, for which PubTator has no line")

    def _accounted(self, kind: str) -> AbstractContextManager[None]:
        return accounted(self.report, kind, f"record {self.document.id}")

    def _passages(self) -> Iterator[str]:
        start = self._abstract_start()
        title = self.text if start is None else self.text[: max(start - 1, 0)]
        abstract = "" if start is None else self.text[start:]
        breaks = sum(map(self.document.text.count, "\n\r"))
        if start and self.document.text[start - 1 : start] == "\n":
            breaks -= 1  # that between title and abstract, which no line holds
        if breaks:
            self._note("line breaks in its text are written as spaces")
        if start != 0:
            yield f"{self.key}|t|{title}"
        if start is not None:
            yield f"{self.key}|a|{abstract}"

    def _abstract_start(self) -> int | None:
        """Where the abstract begins: 0 where there is no title, None without an abstract."""
        if _is_own(self.document):
            stated = self.document.metadata.get("abstract")
            if stated is None:
                return None
            if _NUMBER.fullmatch(stated) and int(stated) <= len(self.document.text):
                return int(stated)
        line_break = self.document.text.find("\n")
        return (len(self.document.text) if line_break < 0 else line_break) + 1

    def _mention(self, concept: Concept) -> str:
        if len(concept.fragments) != 1:
            raise LostError("is discontinuous, for which PubTator has no line")
        if not concept.label:
            raise LostError("has no type")
        covered = self.text[concept.start : concept.end]
        if not covered.strip():
            raise LostError(f"{concept.start} to {concept.end} covers no text")
        stated = covered
        if concept.quoted is not None and _is_own(self.document):
            stated = concept.quoted
        if "\t" in stated:
            stated = stated.replace("\t", " ")
            self._note("a tab in a mention is written as a space")
        further = self.columns.get(concept.id, [])
        column = join_ids(concept.kb_ids)
        for assertion in further:
            if assertion.name == "ids":
                if split_ids(assertion.value) == concept.kb_ids:
                    column = assertion.value
                else:
                    self._note("a concept column no longer has its ids; written from these")
        if split_ids(column) != concept.kb_ids:
            self._note("concept ids that hold a separator; they will be read as several")
        values = [assertion.value for assertion in further if assertion.name != "ids"]
        extent = [str(concept.start), str(concept.end)]
        return self._line(*extent, stated, concept.label, column, *values)

    def _relation(self, relation: Relation) -> str:
        if relation.level != "concept":
            raise LostError("ties mentions; PubTator ties concept ids")
        if len(relation.arguments) != 2 or not all(relation.arguments) or relation.roles:
            raise LostError("does not tie two concept ids, without roles")
        if not relation.label[:1].isalpha():
            raise LostError("is of a type that does not begin with a letter")
        values = [assertion.value for assertion in self.columns.get(relation.id, [])]
        return self._line(relation.label, *relation.arguments, *values)

    def _line(self, *columns: str) -> str:
        if any(mark in column for column in columns for mark in "\t\n\r"):
            raise LostError("a tab or line break in one of its columns")
        return "\t".join([self.key, *columns])

    def _note(self, reason: str) -> None:
        self.report.note(f"record {self.document.id}", 0, reason)


def write_pubtator(documents: Iterable[Document], folder: Path, report: LossReport) -> int:
    """Write records below an existing folder: each to a file named as the one that held it.

    documents (Iterable[Document]): Those that no PubTator file held go to one of their own.
    RETURNS (int): The number of records written.
    RAISES: BL111 (the file's name is none), BL141 (a record's name cannot be an id), OSError.
    """
    count = 0
    for document in documents:
        name = document.metadata.get("file", "") if _is_own(document) else DEFAULT_FILE
        require_file_name(name)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not held open: a corpus may have more files than a process may open.
        with path.open("ab") as file:
            file.write(format_document(document, report).encode("utf-8"))
        count += 1
    return count
