"""What formats share whose files hold many records: the files, their lines, the account."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.formats.sources import visible_files


@dataclass(frozen=True)
class RecordsFile:
    """One file of many records.

    path (Path): The file.
    root (Path): The folder that was searched, which the sources of annotations leave out.
    require_annotations (bool): Whether reading it fails where it holds text only.
    """

    path: Path
    root: Path
    require_annotations: bool = False

    @property
    def name(self) -> str:
        """The file below the folder that was searched."""
        return self.path.relative_to(self.root).as_posix()


def find_files(
    root: Path,
    suffixes: Collection[str],
    *,
    plain: bool = True,
    require_annotations: bool = False,
) -> list[RecordsFile]:
    """Find the files of a format.

    root (Path): A file, whatever its name, or a folder.
    suffixes (Collection[str]): Those that only the format has, lower case. A file counts that
        has one of them anywhere ("a.PubTator.txt").
    plain (bool): Whether, where no file of a folder does, its .txt files count, so that a
        README.txt beside others does not.
    require_annotations (bool): See `RecordsFile`.
    RETURNS (list[RecordsFile]): Sorted by path.
    RAISES: BL101 (neither file nor folder), BL102 (no file of the format).
    """
    if root.is_file():
        return [RecordsFile(root, root.parent, require_annotations)]
    if not root.is_dir():
        raise BertLstmError("BL101", kind="file or folder", path=root)
    folders: dict[Path, list[Path]] = {}
    for path in visible_files(root):
        folders.setdefault(path.parent, []).append(path)
    found = []
    for paths in folders.values():
        named = [path for path in paths if _suffixes(path) & set(suffixes)]
        others = [path for path in paths if plain and path.suffix.lower() == ".txt"]
        found += named or others
    if not found:
        known = [*suffixes, ".txt"] if plain else suffixes
        raise BertLstmError("BL102", path=root, suffixes=" or ".join(known))
    return [RecordsFile(path, root, require_annotations) for path in sorted(found)]


def _suffixes(path: Path) -> set[str]:
    return {suffix.lower() for suffix in path.suffixes}


def read_lines(path: Path, *, joined: bool = True) -> Iterator[tuple[int, str]]:
    """Read a file line by line, one in memory at a time.

    joined (bool): Whether a byte order mark is left out at the start of any line, as joined
        files have some inside, or only at the start of the first.
    YIELDS (tuple[int, str]): Numbers from 1, and lines with their ends; LF alone ends one.
    RAISES: BL103 (not UTF-8), BL108 (unreadable).
    """
    offset = 0
    try:
        with path.open("rb") as file:
            for number, data in enumerate(file, start=1):
                try:
                    line = data.decode("utf-8")
                except UnicodeDecodeError as error:
                    place = offset + error.start
                    raise BertLstmError("BL103", path=path, line=number, offset=place) from None
                yield number, line.removeprefix("\ufeff") if joined or number == 1 else line
                offset += len(data)
    except OSError as error:
        raise BertLstmError("BL108", path=path, reason=error.strerror) from error
