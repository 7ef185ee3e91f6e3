"""Seeded damage to small record folders: every annotation line is given back or accounted for."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import spacy
from damage import (
    delete_line,
    duplicate_line,
    empty,
    flip_byte,
    join_lines,
    shuffle_lines,
    to_cr,
    to_crlf,
    to_latin1,
    to_utf16,
    truncate_file,
    truncate_line,
    widen_spaces,
)

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.i2b2 import (
    RecordFiles,
    find_records,
    format_record,
    read_record,
    write_i2b2,
)
from spacy_bertlstm.losses import LossReport
from spacy_bertlstm.records import Document
from spacy_bertlstm.text.tokenizer import make_clinical_tokenizer
from spacy_bertlstm.tokens.build import build_doc

MUTATIONS = 1000
CHUNK = 50
SAMPLE = Path(__file__).parents[2] / "corpus" / "sample"
_SAMPLE_RECORDS = 12

Files = dict[str, bytes]

# --- The undamaged folders --------------------------------------------------------------

NOTES: list[dict[str, str]] = [
    {
        "1.txt": "Admission Date :\n2031-02-03\n\n"
        " He has chest pain  and 40mg aspirin p.o. daily .\n"
        "CT of the head showed no bleed .\n",
        "1.con": 'c="chest pain" 4:3 4:4||t="problem"\n'
        'c="40mg aspirin" 4:6 4:7||t="treatment"\n'
        'c="ct of the head" 5:0 5:3||t="test"\n'
        'c="bleed" 5:6 5:6||t="problem"\n',
        "1.ast": 'c="chest pain" 4:3 4:4||t="problem"||a="present"\n'
        'c="bleed" 5:6 5:6||t="problem"||a="absent"\n',
        "1.rel": 'c="40mg aspirin" 4:6 4:7||r="TrAP"||c="chest pain" 4:3 4:4\n'
        'c="ct of the head" 5:0 5:3||r="TeRP"||c="bleed" 5:6 5:6\n',
    },
    {
        "two.txt": 'The "so called"  rash || hives\r\nwas treated with\r\nLotion X .\r\n',
        "two.con": 'c="the "so called" rash" 1:0 1:3||t="problem"\r\n'
        'c="rash || hives" 1:3 1:5||t="problem"\r\n'
        'c="with lotion x" 2:2 3:1||t="treatment"\r\n'
        'c="lotion ." 3:0 3:0,3:2 3:2||t="treatment"\r\n'
        'c="lotion ." 3:0 3:0,3:2 3:2||t="test"\r\n',
        "two.ast": 'c="the "so called" rash" 1:0 1:3||t="problem"||a="possible"\r\n'
        'c="the "so called" rash" 1:0 1:3||t="problem"||a="conditional"\r\n',
        "two.rel": "",
    },
    {
        "a.txt": "\ufeffNo fever ,  chills or\tNaUSEA .\nb\u2028x\x0by \x85 z .\n",
        "a.con": '\ufeffc="fever" 1:1 1:1||t="problem"\n\nc="chills" 1:3 1:3||t="problem"\n'
        'c="b\u2028x\x0by" 2:0 2:0||t="test"\n',
        "a.ast": 'c="fever" 1:1 1:1||t="problem"||a="absent"\n',
        "b.txt": "Ünïted Tëst of ß\n",
        "b.con": 'c="ünïted  tëst"  1:0  1:1||t="test"\n',
    },
    {
        "txt/3.txt": "He takes heparin for clots\n\n",
        "concept/3.con": 'c="heparin" 1:2 1:2||t="treatment"\nc="clots" 1:4 1:4||t="problem"\n',
        "ast/3.ast": 'c="clots" 1:4 1:4||t="problem"||a="hypothetical"\n',
        "rel/3.rel": 'c="heparin" 1:2 1:2||r="TrIP"||c="clots" 1:4 1:4\n'
        'c="heparin" 1:2 1:2||r="TrCP"||c="clots" 1:4 1:4\n'
        'c="he" 1:0 1:0||r="PIP"||c="clots" 1:4 1:4\n',
    },
]


@cache
def base_folders() -> list[Files]:
    """The notes above, each a folder, and the shortest of the bundled sample's records."""
    folders = [{name: text.encode() for name, text in note.items()} for note in NOTES]
    if SAMPLE.is_dir():
        records = [files for files in find_records(SAMPLE) if files.annotations]
        records.sort(key=lambda files: (files.text.stat().st_size, files.id))
        for files in records[:_SAMPLE_RECORDS]:
            paths = [files.text, *files.annotations.values()]
            folders.append({path.name: path.read_bytes() for path in paths})
    return folders


# --- The damage -------------------------------------------------------------------------

_MARKS = [
    '"', '""', "||", "|", '"||t="', '" 1:0 1:0||t="test', ",", ":", " ", "  ", "\t", "\r", "\n",
    "\r\n", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u2028", "\u2029", "\u200b", "\ufeff",
    "\u0301", "😀", "١", "İ", "ß", "c=", "-", "0", "9" * 5000, "{}", "%s", "\x1b[31m",
]  # fmt: skip
_LABELS = [
    "problem", "test", "treatment", "Problem", "drug", "", "present", "absent", "possible",
    "hypothetical", "maybe", "TrAP", "TrIP", "PIP", "TeRP", "trap", "ADE-Drug", " problem",
]  # fmt: skip


def _name(rng: random.Random, files: Files, suffixes: str = "txt con ast rel") -> str | None:
    names = [name for name in sorted(files) if name.rpartition(".")[2] in suffixes.split()]
    return rng.choice(names) if names else None


def _edit(change: Callable[[random.Random, bytes], bytes], suffixes: str = "txt con ast rel"):
    """A mutation of one file's bytes, drawn among those with the given suffixes."""

    def mutate(rng: random.Random, files: Files) -> None:
        name = _name(rng, files, suffixes)
        if name is not None:
            files[name] = change(rng, files[name])

    mutate.__name__ = change.__name__
    return mutate


def random_position(rng: random.Random, data: bytes) -> bytes:
    places = list(re.finditer(rb"\d+:\d+", data))
    if not places:
        return data
    place = rng.choice(places)
    numbers = f"{rng.randrange(8)}:{rng.randrange(9)}".encode()
    return data[: place.start()] + numbers + data[place.end() :]


def further_fragment(rng: random.Random, data: bytes) -> bytes:
    places = list(re.finditer(rb"\d+:\d+(?=\|\|)", data))
    if not places:
        return data
    place = rng.choice(places)
    numbers = ",{}:{} {}:{}".format(*(rng.randrange(6) for _ in range(4))).encode()
    return data[: place.end()] + numbers + data[place.end() :]


def change_label(rng: random.Random, data: bytes) -> bytes:
    places = list(re.finditer(rb'(?<=\|\|[tar]=")[^"]*', data))
    if not places:
        return data
    place = rng.choice(places)
    return data[: place.start()] + rng.choice(_LABELS).encode() + data[place.end() :]


def insert_mark(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_MARKS).encode() + data[place:]


def change_case(rng: random.Random, data: bytes) -> bytes:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    return rng.choice([str.upper, str.lower, str.title])(text).encode()


def change_quoted_case(rng: random.Random, data: bytes) -> bytes:
    return re.sub(rb'c="([^"]*)"', lambda match: b'c="' + match[1].upper() + b'"', data)


def add_bom(rng: random.Random, data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data


def indent_lines(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"\n", b"\n ")


def swap_files(rng: random.Random, files: Files) -> None:
    if len(files) > 1:
        one, two = rng.sample(sorted(files), 2)
        files[one], files[two] = files[two], files[one]


def remove_file(rng: random.Random, files: Files) -> None:
    if len(files) > 1:
        del files[rng.choice(sorted(files))]


def rename_file(rng: random.Random, files: Files) -> None:
    name = rng.choice(sorted(files))
    stem, _, suffix = name.rpartition(".")
    new = rng.choice(
        [f"{stem}.{suffix.upper()}", f"{stem}x.{suffix}", f"sub/{name}", f"{stem}.{suffix}.bak"]
    )
    files[new] = files.pop(name)


def copy_file(rng: random.Random, files: Files) -> None:
    name = rng.choice(sorted(files))
    stem, _, suffix = name.rpartition(".")
    target = rng.choice([f"{stem}.{rng.choice(['con', 'ast', 'rel'])}", f"sub/{stem}.{suffix}"])
    files[target] = files[name]


_ANNOTATED = "con ast rel"
MUTATORS: list[Callable[[random.Random, Files], None]] = [
    _edit(flip_byte),
    _edit(flip_byte, _ANNOTATED),
    _edit(delete_line),
    _edit(delete_line, "txt"),
    _edit(duplicate_line),
    _edit(truncate_line),
    _edit(truncate_file),
    _edit(shuffle_lines),
    _edit(join_lines),
    _edit(random_position, _ANNOTATED),
    _edit(random_position, _ANNOTATED),
    _edit(further_fragment, _ANNOTATED),
    _edit(change_label, _ANNOTATED),
    _edit(change_label, "ast rel"),
    _edit(insert_mark),
    _edit(insert_mark, _ANNOTATED),
    _edit(insert_mark, "txt"),
    _edit(change_case),
    _edit(change_quoted_case, _ANNOTATED),
    _edit(to_crlf),
    _edit(to_cr),
    _edit(to_latin1),
    _edit(to_utf16),
    _edit(add_bom),
    _edit(widen_spaces),
    _edit(indent_lines, "txt"),
    _edit(empty),
    swap_files,
    remove_file,
    rename_file,
    copy_file,
]


def damaged(seed: int) -> tuple[Files, list[str]]:
    """A folder's files after one to three mutations, and the names of these."""
    rng = random.Random(seed)
    folders = base_folders()
    # Half of the seeds take the notes above, whatever the sample holds.
    bases = folders[: len(NOTES)] if rng.random() < 0.5 else folders
    files = dict(rng.choice(bases))
    mutators = rng.choices(MUTATORS, k=rng.choice([1, 1, 2, 3]))
    for mutate in mutators:
        mutate(rng, files)
    return files, [mutate.__name__ for mutate in mutators]


# --- What must hold of it ---------------------------------------------------------------

_EXTENT = r'c="(.*)"\s+(\d[\d:,\s]*)'
_FORMS = {
    ".con": re.compile(rf'{_EXTENT}\|\|(t="[^"]*")'),
    ".ast": re.compile(rf'{_EXTENT}\|\|(t="[^"]*"\|\|a="[^"]*")'),
    ".rel": re.compile(rf'{_EXTENT}\|\|(r="[^"]*")\|\|{_EXTENT}'),
}
_REPEATED = "repeats an earlier line; kept once"

Key = tuple[object, ...]


def line_key(line: str, suffix: str, *, quoted: bool = True) -> Key | None:
    """A line but for letter case and spacing; None where it is no annotation line."""
    match = _FORMS[suffix].fullmatch(line.strip())
    if match is None:
        return None
    texts = [match[1], match[4]] if suffix == ".rel" else [match[1]]
    ranges = [match[2], match[5]] if suffix == ".rel" else [match[2]]
    words = tuple(tuple(text.casefold().split()) for text in texts)
    return (match[3], *map(_numbers, ranges), words if quoted else ())


def _numbers(ranges: str) -> tuple[tuple[str, ...], ...]:
    digits = "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in ranges)
    return tuple(
        tuple(number.lstrip("0") or "0" for number in re.findall(r"\d+", part))
        for part in digits.split(",")
    )


def written_keys(content: str, suffix: str, *, quoted: bool) -> set[Key | None]:
    lines = content.split("\n")
    return {line_key(line, suffix, quoted=quoted) for line in lines if line.strip()}


def unaccounted(files: RecordFiles, record: Document, report: LossReport) -> list[str]:
    """The annotation lines neither given back nor reported, and those made up."""
    contents = format_record(record, LossReport())
    faults = []
    for suffix, path in files.annotations.items():
        content = contents.get(suffix, "")
        exact = written_keys(content, suffix, quoted=True)
        loose = written_keys(content, suffix, quoted=False)
        sources = set()
        lines = path.read_bytes().decode().removeprefix("\ufeff").split("\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            found = [f for f in report.findings if (f.path, f.line) == (str(path), number)]
            sources.add(line_key(line, suffix, quoted=False))
            lost = any(finding.lost for finding in found)
            given_back = line_key(line, suffix) in exact
            kept = line_key(line, suffix, quoted=False) in loose
            # A line noted as kept is indeed given back, if with another quoted text.
            if not (lost or given_back or (found and kept)):
                faults.append(f"{path.name}, line {number}: neither given back nor reported")
        if loose - sources:
            faults.append(f"{path.name}: {len(loose - sources)} lines made up")
    return faults


def misplaced(record: Document, tokenizer: Callable[[str], spacy.tokens.Doc]) -> list[str]:
    """What is wrong with the Doc of a record."""
    report = LossReport()
    doc = build_doc(record, tokenizer, report, line_sentences=True)
    faults = [] if doc.text == record.text else ["the Doc has another text"]
    entities = {entity.id_ for entity in doc.ents}
    noted = {(finding.path, finding.line) for finding in report.findings}
    for concept in record.concepts:
        name, _, line = concept.source.rpartition(":")
        if concept.label and concept.id not in entities and (name, int(line)) not in noted:
            faults.append(f"{concept.source}: neither in doc.ents nor noted")
    return faults


def rewritten(record: Document, folder: Path) -> list[str]:
    """What changes when a record is written and read again."""
    folder.mkdir()
    write_i2b2([record], folder, LossReport())
    (files,) = find_records(folder)
    again = read_record(files, LossReport())
    first, second = (
        (
            # A second byte order mark would be taken for the first.
            document.text.lstrip("\ufeff"),
            document.annotated,
            {(c.label, c.fragments) for c in document.concepts},
            len(document.assertions),
            len(document.relations),
        )
        for document in (record, again)
    )
    return [] if first == second or record.text[:1] == "\ufeff" else ["reads differently again"]


def faults_of(seed: int, folder: Path, tokenizer: Callable[[str], spacy.tokens.Doc]) -> list[str]:
    files, _ = damaged(seed)
    for name, data in files.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    faults = []
    try:
        for record_files in find_records(folder / "in"):
            report = LossReport()
            record = read_record(record_files, report)
            text = record_files.text.read_bytes().decode().removeprefix("\ufeff")
            if not format_record(record, LossReport())[".txt"] == record.text == text:
                faults.append(f"{record_files.text.name}: another text")
            faults += unaccounted(record_files, record, report)
            faults += misplaced(record, tokenizer)
            faults += rewritten(record, folder / f"out-{len(list(folder.iterdir()))}")
            if report.read.total() - report.kept.total() != len(report.lost):
                faults.append("the counts of the report disagree with its findings")
    except BertLstmError as error:
        assert re.match(r"\[BL\d{3}\] ", str(error))
    except Exception as error:  # any other is a failure, to be named with its seed
        faults.append(f"{type(error).__name__}: {error}"[:200])
    return faults


@pytest.fixture(scope="module")
def tokenizer() -> Callable[[str], spacy.tokens.Doc]:
    return make_clinical_tokenizer()(spacy.blank("en"))


@pytest.mark.parametrize("first", range(0, MUTATIONS, CHUNK))
def test_damage_is_refused_or_accounted_for(
    first: int, tmp_path: Path, tokenizer: Callable[[str], spacy.tokens.Doc]
) -> None:
    failures = []
    for seed in range(first, first + CHUNK):
        folder = tmp_path / str(seed)
        folder.mkdir()
        faults = faults_of(seed, folder, tokenizer)
        failures += [f"seed {seed} {damaged(seed)[1]}: {fault}" for fault in faults]
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("index", range(len(NOTES)))
def test_the_undamaged_notes_lose_nothing(
    index: int, tmp_path: Path, tokenizer: Callable[[str], spacy.tokens.Doc]
) -> None:
    for name, text in NOTES[index].items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    for files in find_records(tmp_path):
        report = LossReport()
        record = read_record(files, report)
        assert report.lost == []
        assert unaccounted(files, record, report) == []
        assert misplaced(record, tokenizer) == []


def test_the_seeds_reach_every_mutation_and_most_folders_are_readable(tmp_path: Path) -> None:
    names = [name for seed in range(MUTATIONS) for name in damaged(seed)[1]]
    assert set(names) == {mutate.__name__ for mutate in MUTATORS}
    readable = 0
    for seed in range(0, MUTATIONS, 10):
        for name, data in damaged(seed)[0].items():
            path = tmp_path / str(seed) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        try:
            readable += len(find_records(tmp_path / str(seed))) > 0
        except BertLstmError:
            continue
    assert readable > 50
