"""i2b2/VA 2010: .txt, .con, .ast and .rel files to records and back.

One sentence a line; lines count from 1, tokens of a line from 0, ends are inclusive.
Source: the annotation guidelines and files of the 2010 i2b2/VA challenge.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Assertion, Concept, Document, Fragments, Relation
from spacy_bertlstm.schemas import I2B2_2010

# The licensed release keeps each kind in a folder of its own, and the test texts apart
# from their reference annotations.
FOLDERS = {".txt": "txt", ".con": "concept", ".ast": "ast", ".rel": "rel"}
_KIND_FOLDERS = {"txt", "concept", "concepts", "ast", "rel"}
_TEST_TEXTS = "test_data"
_TEST_REFERENCE = "reference_standard_for_test_data"

_RANGE = r"\d+:\d+[ \t]+\d+:\d+"
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
_KIND = {".con": "concept", ".ast": "assertion", ".rel": "relation"}


@dataclass(frozen=True)
class RecordFiles:
    """The files of one record.

    id (str): The record's name.
    text (Path): Its .txt file.
    annotations (dict[str, Path]): Its .con, .ast and .rel files, by suffix.
    """

    id: str
    text: Path
    annotations: dict[str, Path]


def find_records(root: Path, *, require_annotations: bool = False) -> list[RecordFiles]:
    """Pair the files below a folder into records.

    root (Path): The root of the licensed release, any part of it, or one flat folder.
    require_annotations (bool): Whether a record with text only is an error.
    RETURNS (list[RecordFiles]): Sorted by path.
    RAISES: BL101, BL102, BL104, BL105, BL107.
    """
    if not root.is_dir():
        raise BertLstmError("BL101", path=root)
    paths = sorted(path for path in root.rglob("*") if not path.name.startswith("."))
    texts_apart = root.parent / _TEST_TEXTS
    if root.name == _TEST_REFERENCE and texts_apart.is_dir():
        paths += sorted(texts_apart.glob("*.txt"))

    groups: dict[Path, dict[str, dict[str, Path]]] = {}
    for path in paths:
        suffix = path.suffix.lower()
        if suffix in FOLDERS and path.is_file():
            files = groups.setdefault(_group(path), {}).setdefault(path.stem, {})
            if suffix in files:
                raise BertLstmError("BL105", path=path, record=path.stem, other=files[suffix])
            files[suffix] = path
    if not groups:
        raise BertLstmError("BL102", path=root, suffixes=".txt")

    stems = [stem for records in groups.values() for stem in records]
    found = []
    for group, records in sorted(groups.items()):
        has_concepts = any(".con" in files for files in records.values())
        for stem, files in sorted(records.items()):
            annotations = {suffix: path for suffix, path in files.items() if suffix != ".txt"}
            if ".txt" not in files:
                first = next(iter(annotations.values()))
                raise BertLstmError("BL104", path=first, expected=f"{stem}.txt")
            if has_concepts and ".con" not in files:
                raise BertLstmError("BL104", path=files[".txt"], expected=f"{stem}.con")
            if require_annotations and not annotations:
                raise BertLstmError("BL107", path=files[".txt"])
            record = stem if stems.count(stem) == 1 else f"{group.name}/{stem}"
            found.append(RecordFiles(record, files[".txt"], annotations))
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
    RAISES: BL103 (not UTF-8), BL108 (unreadable).
    """
    text = _read_text(files.text)
    reader = _RecordReader(text, report)
    for suffix in (".con", ".ast", ".rel"):  # assertions and relations point to concepts
        if suffix in files.annotations:
            reader.read(files.annotations[suffix], suffix)
    return Document(
        id=files.id,
        text=text,
        concepts=tuple(reader.concepts.values()),
        assertions=tuple(reader.assertions),
        relations=tuple(reader.relations),
        annotated=bool(files.annotations),
        metadata={"format": "i2b2", "files": " ".join(sorted(files.annotations))},
    )


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BertLstmError("BL108", path=path, reason=error.strerror) from error
    try:
        # Not read_text: its universal newlines would turn CRLF into LF.
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BertLstmError("BL103", path=path, line=line, offset=error.start) from None


class _LostError(Exception):
    """Why one annotation line cannot be kept."""


class _RecordReader:
    def __init__(self, text: str, report: LossReport) -> None:
        self.text = text
        self.report = report
        self.tokens = TokenTable(text)
        self.concepts: dict[tuple[Fragments, str], Concept] = {}
        self.assertions: list[Assertion] = []
        self.relations: list[Relation] = []

    def read(self, path: Path, suffix: str) -> None:
        keep = {
            ".con": self._keep_concept,
            ".ast": self._keep_assertion,
            ".rel": self._keep_relation,
        }[suffix]
        for number, line in enumerate(_read_text(path).split("\n"), start=1):
            if not line.strip():
                continue
            self.report.read[_KIND[suffix]] += 1
            match = _LINE[suffix].fullmatch(line.strip())
            try:
                if match is None:
                    raise _LostError(f"not of the form {_SHAPE[suffix]}")
                keep(match.groups(), path, number)
            except _LostError as loss:
                self.report.lose(str(path), number, str(loss))
            else:
                self.report.kept[_KIND[suffix]] += 1

    def _keep_concept(self, parts: tuple[str, ...], path: Path, number: int) -> None:
        quoted, ranges, label = parts
        if label not in I2B2_2010.concepts:
            raise _LostError(f"unknown type '{label}' (known: {', '.join(I2B2_2010.concepts)})")
        fragments = self._fragments(ranges)
        if (fragments, label) in self.concepts:
            self.report.note(str(path), number, "repeats an earlier line; kept once")
        else:
            self._add_concept(fragments, label, quoted, path, number)

    def _keep_assertion(self, parts: tuple[str, ...], path: Path, number: int) -> None:
        quoted, ranges, label, value = parts
        if value not in I2B2_2010.assertions:
            raise _LostError(f"unknown value '{value}' (known: {', '.join(I2B2_2010.assertions)})")
        if label not in I2B2_2010.concepts:
            raise _LostError(f"unknown type '{label}' (known: {', '.join(I2B2_2010.concepts)})")
        fragments = self._fragments(ranges)
        concept = self.concepts.get((fragments, label))
        if concept is None:
            concept = self._add_concept(fragments, label, quoted, path, number)
            self.report.note(str(path), number, "names a concept that the .con file lacks; kept")
        assertion = Assertion(concept.id, value, source=f"{path.name}:{number}")
        same = [old.value for old in self.assertions if old.target == concept.id]
        if value in same:
            self.report.note(str(path), number, "repeats an earlier line; kept once")
            return
        if same:
            self.report.note(str(path), number, "a second value for one concept; both kept")
        self.assertions.append(assertion)

    def _keep_relation(self, parts: tuple[str, ...], path: Path, number: int) -> None:
        quoted1, ranges1, label, quoted2, ranges2 = parts
        if label not in I2B2_2010.relations:
            raise _LostError(f"unknown type '{label}' (known: {', '.join(I2B2_2010.relations)})")
        types = I2B2_2010.relations[label]
        extents = [(quoted1, self._fragments(ranges1)), (quoted2, self._fragments(ranges2))]
        arguments = []
        for (quoted, fragments), wanted in zip(extents, types, strict=True):
            concept = self._concept_at(fragments, wanted)
            if concept is None:
                concept = self._add_concept(fragments, "", quoted, path, number)
                self.report.note(
                    str(path), number, "names a concept that the .con file lacks; kept"
                )
            elif concept.label and concept.label != wanted:
                self.report.note(
                    str(path), number, f"{label} takes {' and '.join(types)}, "
                    f"not a {concept.label} here; kept"
                )  # fmt: skip
            arguments.append(concept.id)
        known = {(old.label, old.arguments) for old in self.relations}
        if (label, tuple(arguments)) in known:
            self.report.note(str(path), number, "repeats an earlier line; kept once")
            return
        self.relations.append(Relation(label, tuple(arguments), source=f"{path.name}:{number}"))

    def _concept_at(self, fragments: Fragments, wanted: str) -> Concept | None:
        """The concept of an extent: of the wanted type if there is one, else of any."""
        labels = (wanted, *I2B2_2010.concepts, "")
        keys = ((fragments, label) for label in labels)
        return next((self.concepts[key] for key in keys if key in self.concepts), None)

    def _add_concept(
        self, fragments: Fragments, label: str, quoted: str, path: Path, number: int
    ) -> Concept:
        concept = Concept(
            id=f"T{len(self.concepts) + 1}",
            label=label,
            fragments=fragments,
            quoted=quoted if self._differs(quoted, fragments) else "",
            source=f"{path.name}:{number}",
        )
        if concept.quoted:
            self.report.note(
                str(path), number, "its quoted text is not what stands at its offsets; kept"
            )
        self.concepts[fragments, label] = concept
        return concept

    def _differs(self, quoted: str, fragments: Fragments) -> bool:
        covered = " ".join(self.text[start:end] for start, end in fragments)
        return quoted.casefold().split() != covered.casefold().split()

    def _fragments(self, ranges: str) -> Fragments:
        return tuple(self._fragment(part) for part in ranges.split(","))

    def _fragment(self, part: str) -> tuple[int, int]:
        first, last = part.split()
        start = self._token(first)[0]
        end = self._token(last)[1]
        if end < start:
            raise _LostError(f"{first} {last} ends before it starts")
        if not self.text[start:end].strip():
            raise _LostError(f"{first} {last} covers no text")
        return start, end

    def _token(self, position: str) -> tuple[int, int]:
        line, token = (int(number) for number in position.split(":"))
        if not 1 <= line <= len(self.tokens.lines):
            raise _LostError(f"{position} is past the text's {len(self.tokens.lines)} lines")
        tokens = self.tokens.lines[line - 1]
        if token >= len(tokens):
            raise _LostError(f"{position} is past the line's {len(tokens)} tokens")
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

    def position(self, start: int, end: int, *, widen: bool = False) -> str | None:
        """The "L:T L:T" of a stretch of characters.

        start, end (int): Character offsets, the end exclusive.
        widen (bool): Whether to grow to whole tokens where a boundary falls inside one.
        RETURNS (str | None): None where a boundary is not a token's.
        """
        first = bisect_left(self._starts, start)
        last = bisect_left(self._ends, end)
        if self._starts[first : first + 1] != [start] or self._ends[last : last + 1] != [end]:
            if not widen:
                return None
            first = bisect_right(self._ends, start)
            last = bisect_left(self._starts, end) - 1
            if last < first:  # nothing but space
                return None
        return f"{self._positions[first]} {self._positions[last]}"


def _token_offsets(line: str, start: int) -> Iterator[tuple[int, int]]:
    token = 0
    for gap in re.finditer(" +", line):
        yield start + token, start + gap.start()
        token = gap.end()
    yield start + token, start + len(line)


def read_i2b2(
    root: Path, report: LossReport, *, require_annotations: bool = False
) -> Iterator[Document]:
    """Read every record below a folder; see `find_records` and `read_record`."""
    for files in find_records(root, require_annotations=require_annotations):
        yield read_record(files, report)


def format_record(document: Document, report: LossReport, *, widen: bool = False) -> dict[str, str]:
    """The contents of a record's files.

    document (Document): The record.
    report (LossReport): Filled with what i2b2's lines and tokens cannot express.
    widen (bool): Whether to grow a concept to whole i2b2 tokens where it ends inside one.
    RETURNS (dict[str, str]): By suffix; .con whenever the record is annotated, .ast and
        .rel where there is something to write or the source had such a file.
    """
    contents = {".txt": document.text}
    if not document.annotated:
        return contents
    tokens = TokenTable(document.text)
    extents: dict[str, str] = {}
    lines: dict[str, list[str]] = {".con": [], ".ast": [], ".rel": []}
    for concept in document.concepts:
        report.read["concept"] += 1
        positions = [tokens.position(*fragment, widen=widen) for fragment in concept.fragments]
        if None in positions:
            report.lose(document.id, 0, f"{concept.label} at characters {concept.start} to "
                        f"{concept.end} ends inside an i2b2 token; --widen grows it")  # fmt: skip
            continue
        report.kept["concept"] += 1
        quoted = concept.quoted or " ".join(document.covered_text(concept).lower().split())
        extents[concept.id] = f'c="{quoted}" {",".join(filter(None, positions))}'
        if _stands_in_con(concept):
            lines[".con"].append(f'{extents[concept.id]}||t="{concept.label}"')
    labels = {concept.id: concept.label for concept in document.concepts}
    for assertion in document.assertions:
        report.read["assertion"] += 1
        if assertion.target in extents and assertion.name == "assertion":
            report.kept["assertion"] += 1
            lines[".ast"].append(
                f'{extents[assertion.target]}||t="{labels[assertion.target]}"'
                f'||a="{assertion.value}"'
            )
        else:
            report.lose(document.id, 0, f"{assertion.name} {assertion.value} has no i2b2 concept")
    for relation in document.relations:
        report.read["relation"] += 1
        ends = [extents.get(argument) for argument in relation.arguments]
        if len(ends) == 2 and None not in ends:
            report.kept["relation"] += 1
            lines[".rel"].append(f'{ends[0]}||r="{relation.label}"||{ends[1]}')
        else:
            report.lose(document.id, 0, f"{relation.label} does not join two i2b2 concepts")
    for suffix, rows in lines.items():
        if rows or suffix == ".con" or suffix in document.metadata.get("files", ""):
            contents[suffix] = "".join(f"{row}\n" for row in rows)
    return contents


def _stands_in_con(concept: Concept) -> bool:
    # A concept that only an .ast or .rel line named was never a line of the .con file.
    return not concept.source.rpartition(":")[0].lower().endswith((".ast", ".rel"))


def write_i2b2(
    documents: Iterable[Document], folder: Path, report: LossReport, *, widen: bool = False
) -> int:
    """Write records as txt/, concept/, ast/ and rel/ files below an existing folder.

    RETURNS (int): The number of records written.
    RAISES: BL105 (two records of one name), BL109 (not writable), BL111 (unusable name).
    """
    written: set[str] = set()
    for document in documents:
        name = PurePosixPath(document.id)
        if not name.name or name.is_absolute() or ".." in name.parts or "\0" in document.id:
            raise BertLstmError("BL111", record=document.id)
        if document.id in written:
            raise BertLstmError("BL105", path=folder, record=document.id, other=folder)
        written.add(document.id)
        for suffix, content in format_record(document, report, widen=widen).items():
            path = folder / name.parent / FOLDERS[suffix] / f"{name.name}{suffix}"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode("utf-8"))
            except OSError as error:
                raise BertLstmError("BL109", path=path, reason=error.strerror) from error
    return len(written)
