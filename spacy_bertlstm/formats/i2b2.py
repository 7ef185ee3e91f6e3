"""i2b2/VA 2010: .txt, .con, .ast and .rel files to records and back.

One sentence a line; lines count from 1, tokens of a line from 0, ends are inclusive.
Source: the annotation guidelines and files of the 2010 i2b2/VA challenge.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.sources import (
    LostError,
    Source,
    accounted,
    lose_categories,
    name_records,
    read_text,
    require_file_name,
    require_known,
    require_unicode,
    visible_files,
    write_files,
)
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Assertion, Concept, Document, Fragments, Relation
from spacy_bertlstm.schemas import I2B2_2010

# The licensed release keeps each kind in a folder of its own, and the test texts apart
# from their reference annotations.
FOLDERS = {".txt": "txt", ".con": "concept", ".ast": "ast", ".rel": "rel"}
_KIND_FOLDERS = {"txt", "concept", "concepts", "ast", "rel"}
_TEST_TEXTS = "test_data"
_TEST_REFERENCE = "reference_standard_for_test_data"

# Nine digits are more than any line or token number has, and fewer than int() refuses.
_POSITION = r"\d{1,9}:\d{1,9}"
_RANGE = rf"{_POSITION}[ \t]+{_POSITION}"
_EXTENT = rf'c="(.*)"[ \t]+({_RANGE}(?:[ \t]*,[ \t]*{_RANGE})*)'
_LINE = {
    ".con": re.compile(rf'{_EXTENT}\|\|t="([^"]*)"'),
    ".ast": re.compile(rf'{_EXTENT}\|\|t="([^"]*)"\|\|a="([^"]*)"'),
    ".rel": re.compile(rf'{_EXTENT}\|\|r="([^"]*)"\|\|{_EXTENT}'),
}
_SHAPE = {
    ".con": 'c="..." L:T L:T||t="..."',
    ".ast": 'c="..." L:T L:T||t="..."||a="..."',
    ".rel": 'c="..." L:T L:T||r="..."||c="..." L:T L:T',
}
# Two annotations that lost the line break between them; greedy patterns would read them as one.
_RUN_TOGETHER = re.compile(rf'"[ \t]+{_RANGE}\|\|')
_KIND = {".con": "concept", ".ast": "assertion", ".rel": "relation"}


@dataclass(frozen=True)
class RecordFiles:
    """The files of one record.

    id (str): The record's name.
    text (Path): Its .txt file.
    annotations (dict[str, Path]): Its .con, .ast and .rel files, by suffix.
    root (Path): The folder that was searched, which the sources of annotations leave out.
    fault (BertLstmError | None): Why they cannot be read.
    """

    id: str
    text: Path
    annotations: dict[str, Path]
    root: Path
    fault: BertLstmError | None = None

    @property
    def path(self) -> Path:
        return self.text


def find_records(root: Path, *, require_annotations: bool = False) -> list[RecordFiles]:
    """Pair the files below a folder into records.

    root (Path): The root of the licensed release, any part of it, or one flat folder.
    require_annotations (bool): Whether a record with text only is an error.
    RETURNS (list[RecordFiles]): Sorted by path; those that cannot be read carry the fault:
        BL104 (a file is missing), BL105 (two files of one name), BL107, BL111.
    RAISES: BL101, BL102.
    """
    if not root.is_dir():
        raise BertLstmError("BL101", kind="folder", path=root)
    if not root.name:  # such as "."
        root = root.resolve()
    paths = visible_files(root)
    texts_apart = root.parent / _TEST_TEXTS
    if root.name == _TEST_REFERENCE and texts_apart.is_dir():
        paths += [path for path in visible_files(texts_apart) if path.suffix.lower() == ".txt"]

    groups: dict[Path, dict[str, dict[str, Path]]] = {}
    faults: dict[tuple[Path, str], BertLstmError] = {}
    for path in paths:
        suffix = path.suffix.lower()
        if suffix in FOLDERS:
            group = _group(path)
            files = groups.setdefault(group, {}).setdefault(path.stem, {})
            try:
                if suffix in files:
                    raise BertLstmError("BL105", path=path, record=path.stem, other=files[suffix])
                require_file_name(path.stem)
                require_unicode(str(path))
            except BertLstmError as error:
                faults.setdefault((group, path.stem), error)
            files.setdefault(suffix, path)
    if not groups:
        raise BertLstmError("BL102", path=root, suffixes=".txt")

    names = name_records(groups, root)
    found = []
    for group, records in sorted(groups.items()):
        has_concepts = any(".con" in files for files in records.values())
        for stem, files in sorted(records.items()):
            annotations = {suffix: path for suffix, path in files.items() if suffix != ".txt"}
            path = files.get(".txt") or next(iter(annotations.values()))
            fault = faults.get((group, stem))
            if fault is None and ".txt" not in files:
                fault = BertLstmError("BL104", path=path, expected=f"{stem}.txt")
            elif fault is None and has_concepts and ".con" not in files:
                fault = BertLstmError("BL104", path=path, expected=f"{stem}.con")
            elif fault is None and require_annotations and not annotations:
                fault = BertLstmError("BL107", path=path)
            found.append(RecordFiles(names[group, stem], path, annotations, root, fault))
    return found


def _group(path: Path) -> Path:
    """The folder that a file's whole record belongs to, whatever folder its kind has."""
    folder = path.parent
    if folder.name in _KIND_FOLDERS:
        folder = folder.parent
    if folder.name == _TEST_REFERENCE:
        folder = folder.parent / _TEST_TEXTS
    return folder


def read_record(files: RecordFiles, report: LossReport) -> Document:
    """Read one record; what cannot be kept goes to the report.

    files (RecordFiles): From `find_records`.
    report (LossReport): Filled with what was read, kept, noted and lost.
    RETURNS (Document): With one Concept for each distinct extent and type.
    RAISES: BL103 (not UTF-8), BL108 (unreadable), or the fault that the files have.
    """
    if files.fault is not None:
        raise files.fault
    text = read_text(files.text)
    reader = _RecordReader(text, files.root, report)
    for suffix in (".con", ".ast", ".rel"):  # assertions and relations point to concepts
        if suffix in files.annotations:
            reader.read(files.annotations[suffix], suffix)
    return Document(
        id=files.id,
        text=text,
        concepts=tuple(reader.concepts.values()),
        assertions=tuple(reader.assertions.values()),
        relations=tuple(reader.relations.values()),
        annotated=bool(files.annotations),
        metadata={"format": "i2b2", "files": " ".join(sorted(files.annotations))},
    )


class _RecordReader:
    def __init__(self, text: str, root: Path, report: LossReport) -> None:
        self.text = text
        self.root = root
        self.report = report
        self.tokens = TokenTable(text)
        self.concepts: dict[tuple[Fragments, str], Concept] = {}
        # By the target and the value, and by the type and the arguments.
        self.assertions: dict[tuple[str, str], Assertion] = {}
        self.relations: dict[tuple[str, tuple[str, ...]], Relation] = {}
        self.asserted: set[str] = set()

    def read(self, path: Path, suffix: str) -> None:
        keep = {
            ".con": self._keep_concept,
            ".ast": self._keep_assertion,
            ".rel": self._keep_relation,
        }[suffix]
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if not line.strip():
                continue
            self.report.read[_KIND[suffix]] += 1
            match = _LINE[suffix].fullmatch(line.strip())
            try:
                if match is None:
                    raise LostError(f"not of the form {_SHAPE[suffix]}")
                keep(match.groups(), Source(path, self.root, number))
            except LostError as loss:
                self.report.lose(str(path), number, str(loss))
            else:
                self.report.kept[_KIND[suffix]] += 1

    def _keep_concept(self, parts: tuple[str, ...], source: Source) -> None:
        quoted, ranges, label = parts
        require_known("type", label, I2B2_2010.concepts)
        fragments = self._fragments(ranges)
        differs = self._check_quoted(quoted, fragments, source)
        if (fragments, label) in self.concepts:
            self._note(source, "repeats an earlier line; kept once")
        else:
            self._add_concept(fragments, label, source, quoted=quoted if differs else None)

    def _keep_assertion(self, parts: tuple[str, ...], source: Source) -> None:
        quoted, ranges, label, value = parts
        require_known("value", value, I2B2_2010.assertions)
        require_known("type", label, I2B2_2010.concepts)
        fragments = self._fragments(ranges)
        self._check_quoted(quoted, fragments, source)
        concept = self.concepts.get((fragments, label))
        if concept is None:
            concept = self._add_concept(fragments, label, source)
            self._note(source, "names a concept that the .con file lacks; kept")
        if (concept.id, value) in self.assertions:
            self._note(source, "repeats an earlier line; kept once")
            return
        if concept.id in self.asserted:
            self._note(source, "a second value for one concept; both kept")
        self.asserted.add(concept.id)
        self.assertions[concept.id, value] = Assertion(concept.id, value, source=str(source))

    def _keep_relation(self, parts: tuple[str, ...], source: Source) -> None:
        quoted1, ranges1, label, quoted2, ranges2 = parts
        require_known("type", label, I2B2_2010.relations)
        types = I2B2_2010.relations[label]
        extents = [(quoted1, self._fragments(ranges1)), (quoted2, self._fragments(ranges2))]
        arguments = []
        for (quoted, fragments), wanted in zip(extents, types, strict=True):
            self._check_quoted(quoted, fragments, source)
            concept = self._concept_at(fragments, wanted)
            if concept is None:
                concept = self._add_concept(fragments, "", source)
                self._note(source, "names a concept that the .con file lacks; kept")
            elif concept.label not in ("", wanted):
                needed = " and ".join(types)
                self._note(source, f"{label} takes {needed}, not a {concept.label} here; kept")
            arguments.append(concept.id)
        key = (label, tuple(arguments))
        if key in self.relations:
            self._note(source, "repeats an earlier line; kept once")
        else:
            self.relations[key] = Relation(*key, source=str(source))

    def _concept_at(self, fragments: Fragments, wanted: str) -> Concept | None:
        """The concept of an extent: of the wanted type if there is one, else of any."""
        labels = (wanted, *I2B2_2010.concepts, "")
        keys = ((fragments, label) for label in labels)
        return next((self.concepts[key] for key in keys if key in self.concepts), None)

    def _add_concept(
        self, fragments: Fragments, label: str, source: Source, *, quoted: str | None = None
    ) -> Concept:
        concept = Concept(
            f"T{len(self.concepts) + 1}", label, fragments, quoted, source=str(source)
        )
        self.concepts[fragments, label] = concept
        return concept

    def _check_quoted(self, quoted: str, fragments: Fragments, source: Source) -> bool:
        """Whether the quoted text is another than the covered one, which is worth a word."""
        covered = " ".join(self.text[start:end] for start, end in fragments)
        if quoted.casefold().split() == covered.casefold().split():
            return False
        if _RUN_TOGETHER.search(quoted):
            raise LostError("two annotations in one line")
        self._note(source, "its quoted text is not what stands at its offsets; the offsets count")
        return True

    def _note(self, source: Source, reason: str) -> None:
        self.report.note(str(source.path), source.line, reason)

    def _fragments(self, ranges: str) -> Fragments:
        return tuple(self._fragment(part) for part in ranges.split(","))

    def _fragment(self, part: str) -> tuple[int, int]:
        first, last = part.split()
        start = self._token(first)[0]
        end = self._token(last)[1]
        if end < start:
            raise LostError(f"{first} {last} ends before it starts")
        if not self.text[start:end].strip():
            raise LostError(f"{first} {last} covers no text")
        return start, end

    def _token(self, position: str) -> tuple[int, int]:
        line, token = (int(number) for number in position.split(":"))
        if not 1 <= line <= len(self.tokens.lines):
            raise LostError(f"{position} is past the text's {len(self.tokens.lines)} lines")
        tokens = self.tokens.lines[line - 1]
        if token >= len(tokens):
            raise LostError(f"{position} is past the line's {len(tokens)} tokens")
        return tokens[token]


class TokenTable:
    """The i2b2 tokens of a text, as character offsets.

    Tokens are what runs of spaces separate; a line that starts with a space has an
    empty token 0, as the challenge's own scripts count.

    lines (list[list[tuple[int, int]]]): For each line the (start, end) of its tokens.
    """

    def __init__(self, text: str) -> None:
        self.lines: list[list[tuple[int, int]]] = []
        start = 0
        for line in text.split("\n"):
            self.lines.append(list(_token_offsets(line.removesuffix("\r"), start)))
            start += len(line) + 1
        places = [
            (offsets, f"{number}:{token}")
            for number, tokens in enumerate(self.lines, start=1)
            for token, offsets in enumerate(tokens)
        ]
        # Both strictly increase: a space or a line break lies between any two tokens.
        self._starts = [start for (start, _), _ in places]
        self._ends = [end for (_, end), _ in places]
        self._positions = [position for _, position in places]

    def locate(self, start: int, end: int) -> str | None:
        """The "L:T L:T" of a stretch of characters, None where a boundary is no token's."""
        first = bisect_left(self._starts, start)
        last = bisect_left(self._ends, end)
        if self._starts[first : first + 1] != [start] or self._ends[last : last + 1] != [end]:
            return None
        return f"{self._positions[first]} {self._positions[last]}"

    def widen(self, start: int, end: int) -> tuple[int, int]:
        """Grow a stretch of characters, which must hold more than space, to whole tokens."""
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end) - 1
        return self._starts[first], self._ends[last]


def _token_offsets(line: str, start: int) -> Iterator[tuple[int, int]]:
    token = 0
    for gap in re.finditer(" +", line):
        yield start + token, start + gap.start()
        token = gap.end()
    yield start + token, start + len(line)


def read_records(files: RecordFiles, report: LossReport) -> Iterator[Document]:
    """As `read_record`, for the table of formats."""
    yield read_record(files, report)


def read_i2b2(
    root: Path, report: LossReport, *, require_annotations: bool = False
) -> Iterator[Document]:
    """Read every record below a folder; see `find_records` and `read_record`."""
    for files in find_records(root, require_annotations=require_annotations):
        yield read_record(files, report)


def format_record(document: Document, report: LossReport, *, widen: bool = False) -> dict[str, str]:
    """The contents of a record's files.

    document (Document): The record.
    report (LossReport): Filled with what i2b2's lines, tokens and labels cannot express.
    widen (bool): Whether to grow a concept to whole i2b2 tokens where it ends inside one.
    RETURNS (dict[str, str]): By suffix; .con whenever the record is annotated, .ast and
        .rel where there is something to write or the source had such a file.
    """
    contents = {".txt": document.text}
    lose_categories(document, report, "i2b2")
    if not document.annotated:
        return contents
    writer = _RecordWriter(document, report, widen=widen)
    for suffix, lines in writer.lines.items():
        if lines or suffix == ".con" or suffix in document.metadata.get("files", ""):
            contents[suffix] = "".join(f"{line}\n" for line in lines)
    return contents


class _RecordWriter:
    """Formats a record's annotations; the lines stand in `lines`, by suffix."""

    def __init__(self, document: Document, report: LossReport, *, widen: bool) -> None:
        self.document = document
        self.report = report
        self.tokens = TokenTable(document.text)
        self.lines: dict[str, list[str]] = {".con": [], ".ast": [], ".rel": []}
        self.labels = {concept.id: concept.label for concept in document.concepts}
        self.extents: dict[str, str] = {}
        place = f"record {document.id}"
        for concept in document.concepts:
            with accounted(report, "concept", place):
                self._add_concept(concept, widen)
        for assertion in document.assertions:
            with accounted(report, "assertion", place):
                self._add_assertion(assertion)
        for relation in document.relations:
            with accounted(report, "relation", place):
                self._add_relation(relation)
        for kind, items in (
            ("event", document.events),
            ("normalization", document.normalizations),
            ("note", document.notes),
        ):
            for _ in items:
                with accounted(report, kind, place):
                    raise LostError(f"{kind}: i2b2 has no such line")

    def _add_concept(self, concept: Concept, widen: bool) -> None:
        in_con = _stands_in_con(concept)
        if in_con or concept.label:
            require_known("type", concept.label, I2B2_2010.concepts)
        place = f"{concept.label} at characters {concept.start} to {concept.end}"
        fragments = concept.fragments
        if any(self.tokens.locate(*fragment) is None for fragment in fragments):
            if not self.document.covered_text(concept).strip():
                raise LostError(f"{place} covers no text")
            if not widen:
                raise LostError(f"{place} ends inside an i2b2 token; --widen grows it")
            fragments = tuple(self.tokens.widen(*fragment) for fragment in fragments)
            self.report.note(f"record {self.document.id}", 0, "grown to whole i2b2 tokens")
        covered = " ".join(self.document.text[start:end] for start, end in fragments).lower()
        ranges = ",".join(str(self.tokens.locate(*fragment)) for fragment in fragments)
        self.extents[concept.id] = _extent(covered, ranges)
        if in_con:
            quoted = covered if concept.quoted is None else concept.quoted
            self.lines[".con"].append(f'{_extent(quoted, ranges)}||t="{concept.label}"')

    def _add_assertion(self, assertion: Assertion) -> None:
        if assertion.target not in self.extents or assertion.name != "assertion":
            raise LostError("an attribute that is no assertion of a concept written here")
        require_known("value", assertion.value, I2B2_2010.assertions)
        extent, label = self.extents[assertion.target], self.labels[assertion.target]
        self.lines[".ast"].append(f'{extent}||t="{label}"||a="{assertion.value}"')

    def _add_relation(self, relation: Relation) -> None:
        require_known("type", relation.label, I2B2_2010.relations)
        ends = [self.extents[end] for end in relation.ends if end in self.extents]
        if len(ends) != 2 or len(relation.arguments) != 2:
            raise LostError(f"{relation.label} does not join two concepts written here")
        self.lines[".rel"].append(f'{ends[0]}||r="{relation.label}"||{ends[1]}')


def _extent(quoted: str, ranges: str) -> str:
    return f'c="{" ".join(quoted.split())}" {ranges}'


def _stands_in_con(concept: Concept) -> bool:
    # A concept that only an .ast or .rel line named was never a line of the .con file.
    return not concept.source.rpartition(":")[0].lower().endswith((".ast", ".rel"))


def write_i2b2(
    documents: Iterable[Document], folder: Path, report: LossReport, *, widen: bool = False
) -> int:
    """Write records as txt/, concept/, ast/ and rel/ files below an existing folder.

    RETURNS (int): The number of records written.
    RAISES: BL111 (a name that is no file name), BL112 (two records of one name), OSError.
    """
    return write_files(
        documents,
        folder,
        lambda document: format_record(document, report, widen=widen),
        subfolders=FOLDERS,
    )
