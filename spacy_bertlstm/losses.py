"""What a conversion read, kept, changed and lost: every annotation is accounted for."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeVar

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.files import written_whole

_LABEL = re.compile(r"[A-Za-z_0-9-]{0,30}")
_MOST_KEPT = 10  # losses that stay in memory
_MOST_COUNTED = 1000  # reasons, or labels, that are counted apart


def _plain(label: str) -> str:
    # Where a line is damaged, a note's text may stand in the place of a label.
    return label if _LABEL.fullmatch(label) else f"of {len(label)} characters"


def shown(label: str) -> str:
    """A label in quotes as messages may show it, or its length where it looks like none."""
    return f"'{label}'" if _LABEL.fullmatch(label) else _plain(label)


@dataclass(frozen=True)
class Finding:
    """One annotation that was lost or is not where one would look for it.

    path (str): The file.
    line (int): Its line, from 1; 0 where the whole file is meant.
    reason (str): Why, without quoting the note.
    lost (bool): False where the annotation is kept and only worth a word.
    """

    path: str
    line: int
    reason: str
    lost: bool

    @property
    def place(self) -> str:
        return f"{self.path}, line {self.line}" if self.line else self.path


@dataclass
class LossReport:
    """What became of the annotations of one or several records.

    read (Counter): Annotation lines met, by kind ("concept", "assertion", "relation").
    kept (Counter): Annotations that reached a record, by kind.
    findings (list[Finding]): Everything lost or worth a word, in reading order.
    unmapped (Counter): What a map has no place for, by (kind, label).
    """

    read: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)

    def lose(self, path: str, line: int, reason: str) -> None:
        self.findings.append(Finding(path, line, reason, lost=True))

    def note(self, path: str, line: int, reason: str) -> None:
        self.findings.append(Finding(path, line, reason, lost=False))

    def drop(self, kind: str, *labels: str) -> None:
        """Count an annotation that a map has no place for."""
        self.unmapped[kind, " ".join(map(_plain, labels)).strip()] += 1

    @property
    def lost(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.lost]

    def add(self, other: LossReport) -> None:
        """Take in what another report says."""
        self.read.update(other.read)
        self.kept.update(other.kept)
        self.findings += other.findings
        self.unmapped.update(other.unmapped)

    def take(self) -> LossReport:
        """What was reported since the last time, which is forgotten here."""
        taken = LossReport(self.read, self.kept, self.findings, self.unmapped)
        self.read, self.kept, self.findings, self.unmapped = Counter(), Counter(), [], Counter()
        return taken


@dataclass(frozen=True)
class Quarantined:
    """Files that could not be read, while the others were converted.

    path (str): The file.
    code (str): Of the error.
    message (str): The error.
    records (int): How many records were read from it before.
    """

    path: str
    code: str
    message: str
    records: int


class Account:
    """The reports of a long conversion, added up in bounded memory.

    read, kept, unmapped (Counter): As in LossReport; of many labels, the first that came.
    notes (Counter[str]): What is kept and worth a word, by reason.
    lost (int): Annotations lost.
    first_lost (list[Finding]): The first few of them.
    quarantined (list[Quarantined]): Files that could not be read.
    """

    def __init__(self, findings: TextIO | None = None) -> None:
        """findings (TextIO | None): Where to keep all findings, open for reading too."""
        self.read: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()
        self.unmapped: Counter[tuple[str, str]] = Counter()
        self.notes: Counter[str] = Counter()
        self.lost = 0
        self.first_lost: list[Finding] = []
        self.quarantined: list[Quarantined] = []
        self._findings = findings

    def add(self, report: LossReport) -> None:
        """Add what a report says."""
        self.read.update(report.read)
        self.kept.update(report.kept)
        for (kind, label), number in report.unmapped.items():
            _count(self.unmapped, (kind, label), number, other=(kind, "other labels"))
        for finding in report.findings:
            if not finding.lost:
                _count(self.notes, finding.reason, 1, other="other reasons")
            else:
                self.lost += 1
                if len(self.first_lost) < _MOST_KEPT:
                    self.first_lost.append(finding)
            if self._findings is not None:
                self._findings.write(json.dumps(asdict(finding)) + "\n")

    def quarantine(self, path: Path, error: BertLstmError, *, records: int) -> None:
        """Add a file that cannot be read."""
        self.quarantined.append(Quarantined(str(path), error.code, str(error), records))

    def require_no_loss(self) -> None:
        """Raise BL106, naming the first loss, if anything was lost."""
        if self.lost:
            first = self.first_lost[0]
            raise BertLstmError(
                "BL106",
                lost=self.lost,
                read=self.read.total(),
                place=first.place,
                reason=first.reason,
            )

    def to_dict(self) -> dict[str, Any]:
        """The report but for the findings."""
        unmapped: dict[str, dict[str, int]] = {}
        for (kind, label), number in self.unmapped.items():
            unmapped.setdefault(kind, {})[label] = number
        return {
            "read": dict(self.read),
            "kept": dict(self.kept),
            "lost": self.lost,
            "unmapped": unmapped,
            "quarantined": [asdict(part) for part in self.quarantined],
        }

    def write_to(self, file: TextIO) -> None:
        """Write the report as JSON, a finding a line, with the findings kept so far."""
        head = json.dumps(self.to_dict(), indent=2).removesuffix("\n}")
        file.write(head + ',\n  "findings": [')
        if self._findings is not None:
            self._findings.seek(0)
            for number, line in enumerate(self._findings):
                file.write((",\n    " if number else "\n    ") + line.rstrip("\n"))
        file.write("\n  ]\n}\n")


Key = TypeVar("Key", bound=Hashable)


def _count(counter: Counter[Key], key: Key, number: int, *, other: Key) -> None:
    # Damaged files may hold as many labels as lines.
    known = key in counter or len(counter) < _MOST_COUNTED
    counter[key if known else other] += number


@contextmanager
def open_account(path: Path | None) -> Iterator[Account]:
    """Keep the account of a conversion; the report is written when the block ends well.

    path (Path | None): The JSON file to write, if any.
    RAISES: BL109 (not writable).
    """
    if path is None:
        yield Account()
        return
    with (
        written_whole(path) as place,
        place.with_name("findings").open("w+", encoding="utf-8") as findings,
    ):
        account = Account(findings)
        yield account
        with place.open("w", encoding="utf-8") as file:
            account.write_to(file)
