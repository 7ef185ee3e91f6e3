"""Folders that are replaced whole or not at all, even by a process that is killed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spacy_bertlstm.errors import BertLstmError


@contextmanager
def written_to(path: Path) -> Iterator[None]:
    """Name the place where writing fails.

    RAISES: BL109.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BertLstmError("BL109", path=path, reason=reason) from error


@contextmanager
def replaced_whole(folder: Path) -> Iterator[Path]:
    """Give a place to write to, which becomes `folder` when the block ends well.

    A kill leaves the old folder or the new one, and under hidden names what `tidy` clears away.

    folder (Path): Absent, or from before.
    YIELDS (Path): A free name beside it.
    RAISES: BL109 (not writable).
    """
    part, old = _part(folder), _old(folder)
    with written_to(folder):
        tidy(folder)
        yield part
        for path in [*part.rglob("*"), part]:
            sync(path)
        if folder.exists():
            folder.replace(old)
        part.replace(folder)
        sync(folder.parent)
        _remove(old)


def tidy(folder: Path) -> None:
    """Clear away what a killed `replaced_whole` left; where it had moved the old folder, put
    that back.

    folder (Path): The one that was to be replaced.
    """
    part, old = _part(folder), _old(folder)
    _remove(part)
    if old.exists() and not folder.exists():
        old.replace(folder)
    _remove(old)


def sync(path: Path) -> None:
    """Wait until a file, or the list of a folder's files, is on the disk."""
    if os.name == "nt":  # which syncs only what is open for writing
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _part(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.part")


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")
