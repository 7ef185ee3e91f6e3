"""What all formats share: the files of records, their names, and why a line is lost."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.losses import LossReport, shown
from spacy_bertlstm.records import Document


def visible_files(root: Path) -> list[Path]:
    """All files below a folder that neither are hidden nor stand in a hidden folder, sorted."""
    paths = (path for path in root.rglob("*") if path.is_file())
    return sorted(
        path
        for path in paths
        if not any(part.startswith(".") for part in path.relative_to(root).parts)
    )


def name_records(
    groups: Mapping[Path, Mapping[str, object]], root: Path
) -> dict[tuple[Path, str], str]:
    """Name each record for its files, with as many folders as tell it from others.

    groups (Mapping[Path, Mapping[str, object]]): For each folder, what stands in it by the
        records' stems.
    root (Path): The folder that was searched.
    RETURNS (dict[tuple[Path, str], str]): By folder and stem: "12", "beth/12" or the whole path.
    """
    candidates = {}
    for group, records in groups.items():
        folders = [part for part in Path(os.path.relpath(group, root)).parts if part != ".."]
        for stem in records:
            whole = PurePosixPath(*folders, stem)
            candidates[group, stem] = (stem, "/".join(whole.parts[-2:]), str(whole))
    counts = Counter(name for names in candidates.values() for name in set(names))
    return {
        key: next((name for name in names if counts[name] == 1), names[-1])
        for key, names in candidates.items()
    }


def require_file_name(record: str) -> None:
    """Raise BL111 unless a record's name can be written as a path below a folder."""
    require_unicode(record)
    name = PurePosixPath(record)
    usable = name.name and not name.is_absolute() and ".." not in name.parts
    if not usable or "\0" in record:
        raise BertLstmError("BL111", record=ascii(record))


def require_unicode(name: str) -> None:
    """Raise BL111 for a file name in another encoding than the system's."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise BertLstmError("BL111", record=ascii(name)) from None


def read_text(path: Path, *, keep_mark: bool = False) -> str:
    """A file's text, line ends as they are.

    keep_mark (bool): Whether a byte order mark stays its first character.
    RAISES: BL103 (not UTF-8), BL108 (unreadable).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BertLstmError("BL108", path=path, reason=error.strerror) from error
    try:
        # Not read_text: its universal newlines would turn CRLF into LF.
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BertLstmError("BL103", path=path, line=line, offset=error.start) from None
    return text if keep_mark else text.removeprefix("\ufeff")


class LostError(Exception):
    """Why one annotation cannot be kept; never leaves a reader or writer."""


@contextmanager
def accounted(report: LossReport, kind: str, path: str, line: int = 0) -> Iterator[None]:
    """Count an annotation as read, and as kept unless the block says why it is lost."""
    report.read[kind] += 1
    try:
        yield
    except LostError as loss:
        report.lose(path, line, str(loss))
    else:
        report.kept[kind] += 1


def lose_categories(document: Document, report: LossReport, format: str) -> None:
    """Name the categories of a record as lost, where a format has no place for them."""
    for _ in document.categories:
        with accounted(report, "category", f"record {document.id}"):
            raise LostError(f"a category of the whole text, for which {format} has no place")


@dataclass(frozen=True)
class Source:
    """The place of an annotation.

    root (Path): The folder that was searched, which the source of an annotation leaves out.
    """

    path: Path
    root: Path
    line: int

    def __str__(self) -> str:
        return f"{_below(self.path, self.root)}:{self.line}"


@lru_cache(maxsize=8)  # a file has many annotations
def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def require_known(kind: str, label: str, known: Iterable[str]) -> None:
    """Raise LostError unless a label is one of those that a format knows."""
    if label in known:
        return
    raise LostError(f"unknown {kind} {shown(label)} (known: {', '.join(known)})")


def write_files(
    documents: Iterable[Document],
    folder: Path,
    format_record: Callable[[Document], Mapping[str, str]],
    *,
    subfolders: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Write the files of records below an existing folder, named for the records.

    format_record (Callable): From a record to the contents of its files, by suffix.
    subfolders (Mapping[str, str]): Where files of a suffix stand, if not beside the others.
    RETURNS (int): The number of records written.
    RAISES: BL111 (a name that is no file name), BL112 (two records of one name), OSError.
    """
    written: set[PurePosixPath] = set()
    for document in documents:
        require_file_name(document.id)
        name = PurePosixPath(document.id)
        if name in written:
            raise BertLstmError("BL112", record=document.id)
        written.add(name)
        for suffix, content in format_record(document).items():
            path = folder / name.parent / subfolders.get(suffix, "") / f"{name.name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode("utf-8"))
    return len(written)
