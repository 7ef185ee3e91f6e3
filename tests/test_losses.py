"""The account of a long conversion: bounded in memory, whole in its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.losses import Account, LossReport, open_account


def report_of(number: int) -> LossReport:
    report = LossReport()
    for line in range(number):
        report.read["concept"] += 1
        report.lose(f"{line}.con", line, f"lost for reason {line}")
        report.note(f"{line}.con", line, f"noted for reason {line}")
        report.drop("concept", f"label{line}")
    return report


def test_an_account_counts_all_and_keeps_a_few(tmp_path: Path) -> None:
    with open_account(tmp_path / "report.json") as account:
        for _ in range(3):
            account.add(report_of(2000))
        assert account.lost == 6000 and account.read["concept"] == 6000
        assert len(account.first_lost) == 10
        assert len(account.notes) <= 1001 and account.notes.total() == 6000
        assert len(account.unmapped) <= 1001 and account.unmapped.total() == 6000
        assert account.unmapped["concept", "other labels"] == 3000
    data = json.loads((tmp_path / "report.json").read_text())
    assert data["lost"] == 6000 and len(data["findings"]) == 12000
    assert data["findings"][1] == {
        "path": "0.con", "line": 0, "reason": "noted for reason 0", "lost": False,
    }  # fmt: skip
    assert sum(data["unmapped"]["concept"].values()) == 6000
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        open_account(tmp_path / "new" / "report.json") as account,
    ):
        account.add(report_of(5))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_empty_report_is_json(tmp_path: Path) -> None:
    with open_account(tmp_path / "report.json"):
        pass
    assert json.loads((tmp_path / "report.json").read_text()) == {
        "read": {}, "kept": {}, "lost": 0, "unmapped": {}, "quarantined": [], "findings": [],
    }  # fmt: skip


def test_what_is_taken_is_not_there_any_more() -> None:
    report = report_of(2)
    taken = report.take()
    assert taken == report_of(2)
    assert report == LossReport()
    report.read["concept"] += 1
    assert taken == report_of(2)


def test_an_account_without_losses_requires_nothing() -> None:
    account = Account()
    account.require_no_loss()
    account.add(report_of(1))
    with pytest.raises(BertLstmError, match="BL106"):
        account.require_no_loss()
