"""Rows to CSV, JSON Lines and Parquet files, in a stream."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.files import written_to, written_whole
from spacy_bertlstm.rendering.rows import Row

Write = Callable[[Iterable[Row]], None]

# Rows of a row group: what Parquet keeps in memory.
_GROUP = 10_000


@contextmanager
def open_table(path: Path, columns: Mapping[str, type]) -> Iterator[Write]:
    """Write rows to a table, whole or not at all.

    path (Path): Its suffix chooses the format: .csv, .jsonl or .parquet.
    columns (Mapping[str, type]): Their order, and the type of their values.
    YIELDS (Write): Takes the rows, as often as there are some.
    RAISES: BL109 (not writable), BL641 (another suffix), BL642 (no pyarrow).
    """
    open_format = _FORMATS.get(path.suffix.lower())
    if open_format is None:
        raise BertLstmError("BL641", path=path, suffixes=", ".join(_FORMATS))
    if open_format is _open_parquet:
        _require_pyarrow(path)
    with written_to(path):
        if path.is_dir():  # found at the end otherwise, when another table may be written
            raise BertLstmError("BL109", path=path, reason="it is a folder")
    with written_whole(path) as place, open_format(place, columns) as write:
        yield write


def _require_pyarrow(path: Path) -> None:
    try:
        import pyarrow.parquet  # noqa: F401 - it is heavy, and an extra
    except ImportError as error:
        raise BertLstmError("BL642", path=path, reason=type(error).__name__) from error


@contextmanager
def _open_csv(place: Path, columns: Mapping[str, type]) -> Iterator[Write]:
    with place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        yield writer.writerows


@contextmanager
def _open_jsonl(place: Path, columns: Mapping[str, type]) -> Iterator[Write]:
    with place.open("w", encoding="utf-8", newline="\n") as file:

        def write(rows: Iterable[Row]) -> None:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

        yield write


@contextmanager
def _open_parquet(place: Path, columns: Mapping[str, type]) -> Iterator[Write]:
    import pyarrow
    from pyarrow import parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    waiting: list[Row] = []
    with parquet.ParquetWriter(place, schema) as writer:

        def flush() -> None:
            writer.write_table(pyarrow.Table.from_pylist(waiting, schema))
            waiting.clear()

        def write(rows: Iterable[Row]) -> None:
            waiting.extend(rows)
            if len(waiting) >= _GROUP:
                flush()

        yield write
        flush()


_FORMATS: dict[str, Callable[[Path, Mapping[str, type]], AbstractContextManager[Write]]] = {
    ".csv": _open_csv,
    ".jsonl": _open_jsonl,
    ".parquet": _open_parquet,
}
