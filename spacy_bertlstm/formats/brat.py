"""brat standoff: .txt files with .ann (or .a1 and .a2) files beside them, to records and back.

Offsets count the characters of the decoded text, those of line ends included. A byte order
mark counts too, as brat itself counts it, unless the texts that the annotations state fit
better without it. Source: the documentation and the server of brat 1.3.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.sources import (
    LostError,
    Source,
    lose_categories,
    name_records,
    read_text,
    require_file_name,
    require_known,
    require_unicode,
    visible_files,
    write_files,
)
from spacy_bertlstm.losses import LossReport, shown
from spacy_bertlstm.records import (
    Assertion,
    Concept,
    Document,
    Event,
    Fragments,
    Normalization,
    Note,
    Relation,
)
from spacy_bertlstm.schemas import Schema

ANNOTATIONS = (".ann", ".a1", ".a2")
_MARK = "\ufeff"

Item = Concept | Event | Relation | Assertion | Normalization | Note
AnyItem = TypeVar("AnyItem", bound=Item)

# By the first character of a line; "M" is an older letter for "A".
_KIND = {
    "T": "concept",
    "E": "event",
    "R": "relation",
    "*": "equivalence",
    "A": "attribute",
    "M": "attribute",
    "N": "normalization",
    "#": "note",
}
_SHAPE = {
    "T": "T1<tab>Type start end;start end<tab>text",
    "E": "E1<tab>Type:T1 Role:T2",
    "R": "R1<tab>Type Arg1:T1 Arg2:T2",
    "*": "*<tab>Type T1 T2",
    "A": "A1<tab>Name T1 value",
    "M": "M1<tab>Name T1 value",
    "N": "N1<tab>Reference T1 vocabulary:id<tab>text",
}
# What annotations of other letters may point to.
_TARGETS = "TER"

_ID = re.compile(r"[TERAMN#][^\s:]+")
_REFERENCE = re.compile(r"[^\s:]+")
# Nine digits are more than any offset has, and fewer than int() refuses.
_EXTENT = re.compile(r"([^ \t]+) +([0-9]{1,9} +[0-9]{1,9}(?: *; *[0-9]{1,9} +[0-9]{1,9})*) *")
# Where a line is damaged, a note's text may stand in the place of an id.
_PLAIN_ID = re.compile(r"[TERAMN#][0-9]{1,9}")
# Two annotations that lost the line break between them.
_RUN_TOGETHER = re.compile(r"(?:[TERAMN#][0-9]+|\*)\t")
# Where a vocabulary has no name, in the place of the name.
_NO_NAME = "KB"
# Lines of the source keep their order; new ones follow.
_LAST = 10**9
_PLACE = re.compile(r"(\.ann|\.a1|\.a2):([0-9]{1,9})$", re.IGNORECASE)


@dataclass(frozen=True)
class RecordFiles:
    """The files of one record.

    id (str): The record's name.
    files (dict[str, Path]): By suffix: .txt, .ann, .a1, .a2.
    root (Path): The folder that was searched, which the sources of annotations leave out.
    fault (BertLstmError | None): Why the record cannot be read, raised when it is.
    """

    id: str
    files: dict[str, Path]
    root: Path
    fault: BertLstmError | None = None

    @property
    def path(self) -> Path:
        return next(iter(self.files.values()))


def find_records(root: Path, *, require_annotations: bool = False) -> list[RecordFiles]:
    """Pair the .txt and .ann files below a folder into records.

    root (Path): The folder.
    require_annotations (bool): Whether a record with text only is a fault.
    RETURNS (list[RecordFiles]): Sorted by path; those that cannot be read carry a fault:
        BL104 (no text), BL105 (two files of one name), BL107, BL111 (no usable name).
    RAISES: BL101, BL102.
    """
    if not root.is_dir():
        raise BertLstmError("BL101", kind="folder", path=root)
    groups: dict[Path, dict[str, dict[str, Path]]] = {}
    faults: dict[tuple[Path, str], BertLstmError] = {}
    for path in visible_files(root):
        suffix = path.suffix.lower()
        if suffix != ".txt" and suffix not in ANNOTATIONS:
            continue
        files = groups.setdefault(path.parent, {}).setdefault(path.stem, {})
        if suffix in files:
            fault = BertLstmError("BL105", path=path, record=path.stem, other=files[suffix])
            faults.setdefault((path.parent, path.stem), fault)
        files.setdefault(suffix, path)
    if not groups:
        raise BertLstmError("BL102", path=root, suffixes=".txt")

    names = name_records(groups, root)
    return [
        RecordFiles(
            names[group, stem],
            dict(sorted(files.items(), key=lambda item: item[0] != ".txt")),
            root,
            _name_fault(stem, group)
            or faults.get((group, stem))
            or _fault(stem, files, require_annotations),
        )
        for group, records in sorted(groups.items())
        for stem, files in sorted(records.items())
    ]


def _name_fault(stem: str, folder: Path) -> BertLstmError | None:
    try:
        require_file_name(stem)
        require_unicode(str(folder))
    except BertLstmError as error:
        return error
    return None


def _fault(stem: str, files: dict[str, Path], require_annotations: bool) -> BertLstmError | None:
    if ".txt" not in files:
        first = next(iter(files.values()))
        return BertLstmError("BL104", path=first, expected=f"{stem}.txt")
    if require_annotations and len(files) == 1:
        return BertLstmError("BL107", path=files[".txt"])
    return None


def read_records(
    files: RecordFiles, report: LossReport, *, schema: Schema | None = None
) -> Iterator[Document]:
    """As `read_record`, for the table of formats."""
    yield read_record(files, report, schema=schema)


def read_record(
    files: RecordFiles, report: LossReport, *, schema: Schema | None = None
) -> Document:
    """Read one record; what cannot be kept goes to the report.

    files (RecordFiles): From `find_records`.
    report (LossReport): Filled with what was read, kept, noted and lost.
    schema (Schema | None): The types that concepts and relations may have; None for any.
    RETURNS (Document): With the annotations' own ids.
    RAISES: The record's fault, BL103 (not UTF-8), BL108 (unreadable).
    """
    if files.fault is not None:
        raise files.fault
    text = read_text(files.files[".txt"], keep_mark=True)
    paths = [files.files[suffix] for suffix in ANNOTATIONS if suffix in files.files]
    lines = [
        (Source(path, files.root, number), line.rstrip("\r"))
        for path in paths
        for number, line in enumerate(read_text(path).split("\n"), start=1)
        if line.strip()
    ]
    metadata = {"format": "brat", "files": " ".join(sorted(set(files.files) - {".txt"}))}
    if text.startswith(_MARK) and not _counts_mark(text, (line for _, line in lines)):
        text = text.removeprefix(_MARK)
        metadata["mark"] = "before the text"
    reader = _RecordReader(text, schema, report)
    items = reader.read(lines)
    kb_ids: dict[str, list[str]] = {}
    for normalization in _of(Normalization, items):
        kb_ids.setdefault(normalization.target, []).append(normalization.kb_id)
    return Document(
        id=files.id,
        text=text,
        concepts=tuple(
            replace(concept, kb_ids=tuple(kb_ids.get(concept.id, ())))
            for concept in _of(Concept, items)
        ),
        assertions=tuple(_of(Assertion, items)),
        relations=tuple(_of(Relation, items)),
        events=tuple(_of(Event, items)),
        annotated=bool(paths),
        metadata=metadata,
        normalizations=tuple(_of(Normalization, items)),
        notes=tuple(_of(Note, items)),
    )


def _of(kind: type[AnyItem], items: Iterable[Item]) -> Iterator[AnyItem]:
    return (item for item in items if isinstance(item, kind))


def _counts_mark(text: str, lines: Iterable[str]) -> bool:
    """Whether offsets count a text's byte order mark: so they do unless more fit without."""
    fitting = 0
    for line in lines:
        if line.startswith("T"):
            fitting += _fits(line, text) - _fits(line, text.removeprefix(_MARK))
    return fitting >= 0


def _fits(line: str, text: str) -> bool:
    try:
        item = parse_line(line, text)
    except LostError:
        return False
    return isinstance(item, Concept) and item.quoted is None


class _RecordReader:
    def __init__(self, text: str, schema: Schema | None, report: LossReport) -> None:
        self.text = text
        self.schema = schema
        self.report = report
        self.items: list[Item] = []
        self.places: list[int] = []  # for each item, the index of its line
        self.by_id: dict[str, int] = {}  # the place of the item
        self.repeats: list[tuple[int, int]] = []  # the index of a line, the place of its item
        # The index of a line, the reason, and whether the line is lost.
        self.findings: list[tuple[int, str, bool]] = []

    def read(self, lines: Sequence[tuple[Source, str]]) -> list[Item]:
        """What lines say, but for what has to be lost, which goes to the report."""
        kinds = [_KIND.get(line[0], "unknown") for _, line in lines]
        lost_ids = set()
        for index, (source, line) in enumerate(lines):
            try:
                item = replace(parse_line(line, self.text), source=str(source))
                self._add(item, index)
            except LostError as loss:
                self.findings.append((index, str(loss), True))
                lost_ids.add(line.partition("\t")[0])
        broken = unresolved(self.items, lost_ids)
        kept = []
        for place, (item, index) in enumerate(zip(self.items, self.places, strict=True)):
            if place not in broken:
                self._check_arguments(item, index)
                kept.append(item)
            elif isinstance(item, Note):
                self._note(index, f"{broken[place]}; kept as a comment on the whole record")
                kept.append(Note(lines[index][1], source=item.source))
            else:
                self.findings.append((index, broken[place], True))
        for index, place in self.repeats:
            reason = broken.get(place, "repeats an earlier line; kept once")
            self.findings.append((index, reason, place in broken))
        self.report.read.update(kinds)
        lost = {index for index, _, is_lost in self.findings if is_lost}
        self.report.kept.update(kind for index, kind in enumerate(kinds) if index not in lost)
        for index, reason, is_lost in sorted(self.findings):
            tell = self.report.lose if is_lost else self.report.note
            source = lines[index][0]
            tell(str(source.path), source.line, reason)
        return kept

    def _add(self, item: Item, index: int) -> None:
        _require_in_schema(item, self.schema)
        place = self.by_id.get(item.id) if item.id else None
        if place is not None and isinstance(item, Note):
            self._note(index, "a comment with the id of an earlier line; kept")
        elif place is not None:
            if replace(item, source="") != replace(self.items[place], source=""):
                raise LostError(f"{_shown(item.id)} is the id of an earlier line")
            self.repeats.append((index, place))
            return
        if isinstance(item, Concept):
            self._check_text(item, index)
        if isinstance(item, Note) and _RUN_TOGETHER.search(item.text, 0 if item.target else 1):
            self._note(index, "a comment that may hold a second annotation; kept as it is")
        if item.id:
            self.by_id.setdefault(item.id, len(self.items))
        self.items.append(item)
        self.places.append(index)

    def _check_text(self, concept: Concept, index: int) -> None:
        """Note where the text that a line states is not the one at its offsets."""
        stated = _stated(self.text, concept.fragments)
        quoted = stated if concept.quoted is None else concept.quoted
        if "".join(quoted.split()) != "".join(stated.split()):
            self._note(index, "its text is not what stands at its offsets; the offsets count")
        elif concept.quoted is not None or self.text[concept.fragments[-1][1] - 1] == "\r":
            # No line states the carriage return of a line break that it ends in.
            self._note(index, "its text has other spaces than the text at its offsets")

    def _check_arguments(self, item: Item, index: int) -> None:
        """Note where a relation joins other types than its schema says."""
        if self.schema is None or not isinstance(item, Relation) or item.level != "mention":
            return
        joined = [self.items[self.by_id[argument]] for argument in item.ends]
        types = tuple(map(_label, joined))
        legal = self.schema.relations[item.label]
        if types != legal:
            have = " and ".join(map(shown, types))
            reason = f"{item.label} takes {' and '.join(legal)}, not {have}; kept"
            self._note(index, reason)

    def _note(self, index: int, reason: str) -> None:
        self.findings.append((index, reason, False))


def _label(item: Item) -> str:
    return item.label if isinstance(item, Concept | Event | Relation) else ""


def _require_in_schema(item: Item, schema: Schema | None) -> None:
    if schema is not None and isinstance(item, Concept):
        require_known("type", item.label, schema.concepts)
    elif schema is not None and isinstance(item, Relation) and item.level == "mention":
        require_known("type", item.label, schema.relations)


def _shown(reference: str) -> str:
    return reference if _PLAIN_ID.fullmatch(reference) else "an annotation"


def unresolved(items: Sequence[Item], lost: Container[str]) -> dict[int, str]:
    """Find what points to something that is not there.

    items (Sequence[Item]): With ids, whose first character says what they are.
    lost (Container[str]): Ids that were lost before.
    RETURNS (dict[int, str]): By its place among the items, why an item cannot stand: it
        points nowhere, to an item that cannot stand, or round in a circle.
    """
    by_id: dict[str, int] = {}
    for place, item in enumerate(items):
        if item.id:
            by_id.setdefault(item.id, place)
    reasons: dict[int, str] = {}
    waiting: list[int] = []  # for each item, on how many others it waits
    dependents: dict[int, list[int]] = {}
    for place, item in enumerate(items):
        targets = set()
        for reference, letters in _references(item):
            target = by_id.get(reference)
            if target is None:
                missing = "lost" if reference in lost else "not there"
                reasons.setdefault(place, f"points to {_shown(reference)}, which is {missing}")
            elif reference[0] not in letters:
                wanted = " or ".join(letters)
                reasons.setdefault(place, f"points to {_shown(reference)}, where {wanted} may be")
            else:
                targets.add(target)
        waiting.append(len(targets))
        for target in targets:
            dependents.setdefault(target, []).append(place)
    ready = [place for place, count in enumerate(waiting) if not count and place not in reasons]
    standing = set()
    while ready:
        target = ready.pop()
        standing.add(target)
        for place in dependents.get(target, ()):
            waiting[place] -= 1
            if not waiting[place] and place not in reasons:
                ready.append(place)
    spreading = list(reasons)
    while spreading:
        target = spreading.pop()
        for place in dependents.get(target, ()):
            if place not in reasons:
                reasons[place] = f"points to {_shown(items[target].id)}, which is lost"
                spreading.append(place)
    for place in range(len(items)):
        if place not in standing:
            reasons.setdefault(place, "points, over others, to itself or to one that does")
    return reasons


def _references(item: Item) -> list[tuple[str, str]]:
    """What an item points to, each with the letters of what that may be."""
    match item:
        case Event():
            return [(item.trigger, "T"), *((target, "TE") for _, target in item.arguments)]
        case Relation():
            return [(argument, _TARGETS) for argument in item.arguments]
        case Assertion() | Normalization():
            return [(item.target, _TARGETS)]
        case Note(target=target) if target:
            return [(target, "".join(_KIND))]
        case _:
            return []


def parse_line(line: str, text: str) -> Item:
    """Read one line of an .ann file.

    line (str): Not blank, without its end.
    text (str): What its offsets count in.
    RETURNS (Item): Without source; a line of a comment that is about no annotation is the
        comment's text.
    RAISES: LostError.
    """
    letter = line[0]
    if letter not in _KIND:
        raise LostError("unknown kind of line")
    name, *fields = line.split("\t", 2)
    item: Item | None = None
    if letter == "#":
        return _parse_note(name, fields) or Note(line)
    if fields and (name == "*" if letter == "*" else _ID.fullmatch(name)):
        data = fields[0].strip(" ")
        tail = fields[1] if len(fields) == 2 else None
        if letter in "TN":
            item = _PARSE_WITH_TEXT[letter](name, data, tail, text)
        elif not (tail or "").strip():
            item = _PARSE[letter](name, data)
    if item is None:
        raise LostError(f"not of the form {_SHAPE[letter]}")
    return item


def _parse_concept(name: str, data: str, tail: str | None, text: str) -> Concept | None:
    match = _EXTENT.fullmatch(data)
    if match is None or tail is None:
        return None
    fragments = tuple(_fragment(part, text) for part in match[2].split(";"))
    if tail == _stated(text, fragments):
        return Concept(name, match[1], fragments)
    _require_one(tail)
    return Concept(name, match[1], fragments, quoted=tail)


def _fragment(part: str, text: str) -> tuple[int, int]:
    start, end = (int(number) for number in part.split())
    if start > end:
        raise LostError(f"{start} {end} ends before it starts")
    if start == end:
        raise LostError(f"{start} {end} covers nothing")
    if end > len(text):
        raise LostError(f"{start} {end} is past the text's {len(text)} characters")
    return start, end


def _stated(text: str, fragments: Fragments) -> str:
    """The text of a concept as brat states it."""
    covered = " ".join(text[start:end] for start, end in fragments)
    return covered.replace("\n", " ").rstrip("\r")


def _require_one(tail: str) -> None:
    if _RUN_TOGETHER.search(tail):
        raise LostError("two annotations in one line")


def _parse_normalization(name: str, data: str, tail: str | None, text: str) -> Normalization | None:
    kind, _, rest = data.partition(" ")
    target, _, kb_id = rest.strip(" ").partition(" ")
    vocabulary, _, entry = kb_id.strip(" ").partition(":")
    if not (_REFERENCE.fullmatch(target) and vocabulary and entry):
        return None
    _require_one(tail or "")
    return Normalization(target, f"{vocabulary}:{entry}", tail or "", kind, name)


def _parse_event(name: str, data: str) -> Event | None:
    pairs = _pairs(_words(data))
    if not pairs:
        return None
    (label, trigger), *arguments = pairs
    return Event(name, label, trigger, tuple(arguments))


def _parse_relation(name: str, data: str) -> Relation | None:
    label, *words = _words(data) or [""]
    pairs = _pairs(words)
    if not pairs or len(pairs) < 2:
        return None
    roles, arguments = zip(*pairs, strict=True)
    return Relation(label, arguments, roles, id=name)


def _parse_equivalence(name: str, data: str) -> Relation | None:
    label, *arguments = _words(data) or [""]
    if len(arguments) < 2 or not all(map(_REFERENCE.fullmatch, arguments)):
        return None
    return Relation(label, tuple(arguments), level="equivalence")


def _parse_attribute(name: str, data: str) -> Assertion | None:
    attribute, _, rest = data.partition(" ")
    target, _, value = rest.strip(" ").partition(" ")
    if not _REFERENCE.fullmatch(target):
        return None
    return Assertion(target, value.strip(" "), attribute, name)


def _parse_note(name: str, fields: Sequence[str]) -> Note | None:
    words = _words(fields[0]) if fields else []
    if len(words) != 2 or not _ID.fullmatch(name) or not _REFERENCE.fullmatch(words[1]):
        return None
    return Note("".join(fields[1:]), words[1], words[0], name)


def _words(data: str) -> list[str]:
    return [word for word in data.split(" ") if word]


def _pairs(words: Iterable[str]) -> list[tuple[str, str]]:
    """Words such as "Arg1:T1" as pairs, none where any is otherwise."""
    pairs = [(role, target) for role, _, target in (word.partition(":") for word in words)]
    usable = all(role and _REFERENCE.fullmatch(target) for role, target in pairs)
    return pairs if usable else []


_PARSE_WITH_TEXT: dict[str, Callable[[str, str, str | None, str], Item | None]] = {
    "T": _parse_concept,
    "N": _parse_normalization,
}
_PARSE: dict[str, Callable[[str, str], Item | None]] = {
    "E": _parse_event,
    "R": _parse_relation,
    "*": _parse_equivalence,
    "A": _parse_attribute,
    "M": _parse_attribute,
}


def format_line(item: Item, text: str) -> str:
    """The line of an item, as brat writes it: the inverse of `parse_line`."""
    match item:
        case Concept():
            extent = ";".join(f"{start} {end}" for start, end in item.fragments)
            stated = _stated(text, item.fragments) if item.quoted is None else item.quoted
            return f"{item.id}\t{item.label} {extent}\t{stated}"
        case Event():
            arguments = " ".join(f"{role}:{target}" for role, target in item.arguments)
            return f"{item.id}\t{item.label}:{item.trigger} {arguments}"
        case Relation(level="equivalence"):
            return f"*\t{item.label} {' '.join(item.arguments)}"
        case Relation():
            pairs = zip(item.roles, item.arguments, strict=True)
            arguments = " ".join(f"{role}:{target}" for role, target in pairs)
            return f"{item.id}\t{item.label} {arguments}\t"
        case Assertion():
            return f"{item.id}\t{item.name} {item.target} {item.value}".rstrip(" ")
        case Normalization():
            return f"{item.id}\t{item.name} {item.target} {item.kb_id}\t{item.text}"
        case Note(target=""):
            return item.text
        case Note():
            return f"{item.id}\t{item.name} {item.target}\t{item.text}"


def format_record(
    document: Document, report: LossReport, *, schema: Schema | None = None
) -> dict[str, str]:
    """The contents of a record's files.

    document (Document): The record; ids that brat would not take get new ones.
    report (LossReport): Filled with what the lines of .ann files cannot express.
    schema (Schema | None): The types that concepts and relations may have; None for any.
    RETURNS (dict[str, str]): By suffix; lines stand where the source had them.
    """
    contents = {".txt": _MARK * (_is_own(document) and "mark" in document.metadata) + document.text}
    lose_categories(document, report, "brat")
    if not document.annotated:
        return contents
    items = _with_ids(document, report)
    reasons: dict[int, str] = {}
    for index, item in enumerate(items):
        try:
            _require_in_schema(item, schema)
            _require_expressible(item, document.text)
        except LostError as loss:
            reasons[index] = str(loss)
    rest = [index for index in range(len(items)) if index not in reasons]
    lost = {items[index].id for index in reasons}
    broken = unresolved([items[index] for index in rest], lost)
    reasons.update((rest[place], reason) for place, reason in broken.items())
    suffixes = _suffixes(document)
    lines: dict[str, list[tuple[int, str]]] = {suffix: [] for suffix in suffixes}
    for index, item in enumerate(items):
        kind = _KIND[_letter(item)]
        report.read[kind] += 1
        if index in reasons:
            report.lose(f"record {document.id}", 0, reasons[index])
            continue
        report.kept[kind] += 1
        match = _PLACE.search(item.source)
        suffix = match[1].lower() if match else ""
        number = int(match[2]) if match and suffix in lines else _LAST
        lines.get(suffix, lines[suffixes[-1]]).append((number, format_line(item, document.text)))
    for suffix, numbered in lines.items():
        numbered.sort(key=lambda pair: pair[0])
        contents[suffix] = "".join(f"{line}\n" for _, line in numbered)
    return contents


def _suffixes(document: Document) -> list[str]:
    """The suffixes of a record's annotation files; new lines go to the last."""
    known = document.metadata.get("files", "").split() if _is_own(document) else []
    return [suffix for suffix in ANNOTATIONS if suffix in known] or [".ann"]


def _is_own(document: Document) -> bool:
    return document.metadata.get("format") == "brat"


def _letter(item: Item) -> str:
    match item:
        case Relation(level="equivalence"):
            return "*"
        case Note():
            return "#"
        case _:
            return item.id[0]


def _require_expressible(item: Item, text: str) -> None:
    if isinstance(item, Note) and not item.target:
        return
    if isinstance(item, Relation) and item.level not in ("mention", "equivalence"):
        raise LostError("joins vocabulary ids, not annotations")
    line = format_line(item, text)
    bare = replace(item, kb_ids=()) if isinstance(item, Concept) else item
    # A label with a blank, say, would be read as something else.
    if "\n" in line or line.endswith("\r") or parse_line(line, text) != replace(bare, source=""):
        raise LostError(f"not of the form {_SHAPE[_letter(item)]}")


def _with_ids(document: Document, report: LossReport) -> list[Item]:
    """A record's items as brat has them: each with an id of its kind, and pointing to those."""
    own = _is_own(document)
    tied = {(tie.target, tie.kb_id) for tie in document.normalizations}
    items: list[Item] = [
        # The text that another format states is not the one that brat would state.
        *(concept if own else replace(concept, quoted=None) for concept in document.concepts),
        *document.events,
        *map(_with_roles, document.relations),
        *document.assertions,
        *document.normalizations,
        *(
            _normalization(concept, kb_id, document, report)
            for concept in document.concepts
            for kb_id in concept.kb_ids
            if (concept.id, kb_id) not in tied
        ),
        *map(_as_line, document.notes),
    ]
    names: dict[str, str] = {}
    known = {item.id for item in items}
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    for index, item in enumerate(items):
        letters = _letters(item)
        name = item.id if letters else ""
        shared = name in taken and not isinstance(item, Note)
        if letters and (shared or name[:1] not in letters or not _ID.fullmatch(name)):
            name = ""
            while not name or name in known or name in taken:
                numbers[letters[0]] += 1
                name = f"{letters[0]}{numbers[letters[0]]}"
        taken.add(name)
        if item.id:
            names.setdefault(item.id, name)
        if item.id != name:
            items[index] = replace(item, id=name)
    return [_pointing(item, names) for item in items]


def _letters(item: Item) -> str:
    """What the id of an item may begin with; "" where it has none."""
    match item:
        case Concept():
            return "T"
        case Event():
            return "E"
        case Relation(level="equivalence") | Note(target=""):
            return ""
        case Relation():
            return "R"
        case Assertion():
            return "AM"
        case Normalization():
            return "N"
        case Note():
            return "#"


def _pointing(item: Item, names: dict[str, str]) -> Item:
    """An item with the new ids of what it points to; those of nothing become one of nothing."""

    def new(reference: str) -> str:
        return names.get(reference, "?")

    match item:
        case Event(trigger=trigger, arguments=arguments):
            pairs = tuple((role, new(target)) for role, target in arguments)
            return replace(item, trigger=new(trigger), arguments=pairs)
        case Relation(level="mention" | "equivalence"):
            return replace(item, arguments=tuple(map(new, item.arguments)))
        case Assertion() | Normalization():
            return replace(item, target=new(item.target))
        case Note(target=target) if target:
            return replace(item, target=new(target))
        case _:
            return item


def _with_roles(relation: Relation) -> Relation:
    if relation.level != "mention" or relation.roles:
        return relation
    count = len(relation.arguments)
    return replace(relation, roles=tuple(f"Arg{number}" for number in range(1, count + 1)))


def _normalization(
    concept: Concept, kb_id: str, document: Document, report: LossReport
) -> Normalization:
    if ":" not in kb_id:
        reason = f"an identifier without the name of its vocabulary; written below '{_NO_NAME}'"
        report.note(f"record {document.id}", 0, reason)
        kb_id = f"{_NO_NAME}:{kb_id}"
    return Normalization(concept.id, kb_id)


def _as_line(note: Note) -> Note:
    """A note that fits on a line of its own."""
    text = note.text.replace("\n", " ").rstrip("\r")
    if note.target:
        return replace(note, text=text, name=note.name or "AnnotatorNotes")
    return replace(note, text=text if text.startswith("#") else f"# {text}")


def write_brat(
    documents: Iterable[Document],
    folder: Path,
    report: LossReport,
    *,
    schema: Schema | None = None,
) -> int:
    """Write records as .txt and .ann files below an existing folder.

    RETURNS (int): The number of records written.
    RAISES: BL111 (a name that is no file name), BL112 (two records of one name), OSError.
    """
    return write_files(
        documents, folder, lambda document: format_record(document, report, schema=schema)
    )
