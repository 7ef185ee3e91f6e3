"""Files and folders that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

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
def written_whole(path: Path) -> Iterator[Path]:
    """Give a place to write to, which becomes `path` when the block ends well.

    path (Path): A file, or a folder that is absent or empty; its parents are made, to stay
        only where the block ends well, and a symbolic link is followed.
    YIELDS (Path): A free name in a temporary folder beside it, which is removed at any end.
    RAISES: BL109 (not writable, or a device, a pipe and the like).
    """
    path = path.resolve()
    with written_to(path):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise BertLstmError("BL109", path=path, reason="neither a file nor a folder")
        missing = [parent for parent in path.parents if not parent.exists()]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=path.parent, prefix=".part-") as folder:
                place = Path(folder) / "new"
                yield place
                place.replace(path)
        except BaseException:
            for parent in missing:
                with suppress(OSError):  # never made, or in use by now
                    parent.rmdir()
            raise


def require_no_files(folder: Path) -> None:
    """Make sure that a folder is absent or empty.

    RAISES: BL109 (cannot be looked at), BL110 (it is neither).
    """
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise BertLstmError("BL109", path=folder, reason=error.strerror) from error
    if taken:
        raise BertLstmError("BL110", path=folder)
