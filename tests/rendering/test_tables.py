from __future__ import annotations

import builtins
import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from spacy.tokens import Doc

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.rendering.rows import ENTITY_COLUMNS, RELATION_COLUMNS, doc_to_rows
from spacy_bertlstm.rendering.tables import open_table

try:
    from pyarrow import parquet
except ImportError:
    parquet = None

needs_pyarrow = pytest.mark.skipif(parquet is None, reason="no pyarrow: install the extra 'tables'")


@pytest.fixture
def odd(make_doc: Callable[..., Doc]) -> Doc:
    """A note whose entity has what CSV has to quote."""
    text = 'Takes "aspirin",\nplain; höher.'
    return make_doc("a,b", text, [('"aspirin",\nplain', "treatment"), ("höher", "test")])


def write(path: Path, docs: list[Doc]) -> list[dict]:
    rows = []
    with open_table(path, ENTITY_COLUMNS) as write_rows:
        for doc in docs:
            rows += doc_to_rows(doc).entities
            write_rows(doc_to_rows(doc).entities)
    return rows


def test_csv(note: Doc, odd: Doc, tmp_path: Path) -> None:
    rows = write(tmp_path / "a.csv", [note, odd])
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == list(ENTITY_COLUMNS)
    expected = [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    assert found == expected and len(found) == 7


def test_jsonl(note: Doc, odd: Doc, tmp_path: Path) -> None:
    rows = write(tmp_path / "a.JSONL", [note, odd])
    lines = (tmp_path / "a.JSONL").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert any("höher" in line for line in lines)


@needs_pyarrow
@pytest.mark.parametrize("group", [1, 10_000])
def test_parquet(
    group: int, note: Doc, odd: Doc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spacy_bertlstm.rendering.tables._GROUP", group)
    rows = write(tmp_path / "a.parquet", [note, odd])
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.to_pylist() == rows
    types = {"record": "string", "start": "int64", "confidence": "double", "kb_id": "string"}
    assert {name: str(table.schema.field(name).type) for name in types} == types


@needs_pyarrow
def test_an_empty_table_has_its_columns(tmp_path: Path) -> None:
    with open_table(tmp_path / "a.parquet", RELATION_COLUMNS):
        pass
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.column_names == list(RELATION_COLUMNS) and table.num_rows == 0


@pytest.mark.parametrize("suffix", ["csv", "jsonl", pytest.param("parquet", marks=needs_pyarrow)])
def test_an_old_table_stays_where_a_new_one_breaks_off(
    suffix: str, note: Doc, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(KeyError), open_table(path, ENTITY_COLUMNS) as write_rows:
        write_rows(doc_to_rows(note).entities)
        raise KeyError
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.xlsx", "a", "csv"])
def test_another_kind_of_table_is_refused(name: str, tmp_path: Path) -> None:
    with (
        pytest.raises(BertLstmError, match=r"BL641.*\.csv, \.jsonl, \.parquet"),
        open_table(tmp_path / name, ENTITY_COLUMNS),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports = builtins.__import__

    def without(name: str, *arguments: object, **options: object) -> object:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name)
        return imports(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        pytest.raises(BertLstmError, match="BL642.*'tables'"),
        open_table(tmp_path / "a.parquet", ENTITY_COLUMNS),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
