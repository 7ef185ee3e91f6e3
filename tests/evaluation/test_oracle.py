"""The official reports, over a folder of cases that cannot be part of this repository.

    BERTLSTM_ORACLE=FOLDER python -m pytest tests/evaluation/test_oracle.py

FOLDER holds i2b2-2010/case-*-{con,ast,rel}/{ref,sys}/ and n2c2-2018/case-*/{gold,system}/, and
in each case the report that the official program printed, `official.txt`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spacy_bertlstm.evaluation.pairs import read_pairs
from spacy_bertlstm.evaluation.tasks import get_task
from spacy_bertlstm.losses import LossReport

ORACLE = os.environ.get("BERTLSTM_ORACLE")
CASES = sorted(Path(ORACLE).glob("*/case-*")) if ORACLE else []

pytestmark = pytest.mark.skipif(not ORACLE, reason="BERTLSTM_ORACLE names no folder of cases")


def test_there_are_cases() -> None:
    assert CASES


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_report_is_that_of_the_official_program(case: Path) -> None:
    name = case.parent.name
    kind = case.name.rpartition("-")[2] if name == "i2b2-2010" else None
    reference, system = ("ref", "sys") if kind else ("gold", "system")
    task = get_task(name, kind)
    report = LossReport()
    (pairs,) = read_pairs(task, case / reference, [case / system], report, official=True)
    printed = task.report(pairs, task.score(pairs, official=True))
    assert printed == (case / "official.txt").read_text(encoding="utf-8")
