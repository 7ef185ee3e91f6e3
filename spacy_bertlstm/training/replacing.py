"""Files and folders that are replaced whole or not at all, even by a process that is killed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spacy_bertlstm.files import written_to


@contextmanager
def replaced_whole(path: Path) -> Iterator[Path]:
    """Give a place to write to, which becomes `path` when the block ends well.

    A kill leaves the old one or the new one, and under hidden names what `tidy` clears away.

    path (Path): A file or a folder, absent or from before.
    YIELDS (Path): A free name beside it.
    RAISES: BL109 (not writable).
    """
    part, old = _hidden(path)
    with written_to(path):
        tidy(path)
        yield part
        for written in [*part.rglob("*"), part]:
            _sync(written)
        if path.is_dir():  # which, unlike a file, cannot be replaced in one step
            path.replace(old)
        part.replace(path)
        _sync(path.parent)
        _remove(old)


def tidy(path: Path) -> None:
    """Clear away what a killed `replaced_whole` left; put back a folder that it had moved."""
    part, old = _hidden(path)
    _remove(part)
    if old.exists() and not path.exists():
        old.replace(path)
    _remove(old)


def _hidden(path: Path) -> tuple[Path, Path]:
    """Where the new one grows, and where an old folder waits."""
    return path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.old")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file, or the list of a folder's files, is on the disk."""
    if os.name == "nt":  # which syncs only what is open for writing
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
