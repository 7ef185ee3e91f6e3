"""What a conversion read, kept, changed and lost: every annotation is accounted for."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from spacy_bertlstm.errors import BertLstmError


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
    """The account of a conversion.

    read (Counter): Annotation lines met, by kind ("concept", "assertion", "relation").
    kept (Counter): Annotations that reached a record, by kind.
    findings (list[Finding]): Everything lost or worth a word, in reading order.
    """

    read: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def lose(self, path: str, line: int, reason: str) -> None:
        self.findings.append(Finding(path, line, reason, lost=True))

    def note(self, path: str, line: int, reason: str) -> None:
        self.findings.append(Finding(path, line, reason, lost=False))

    @property
    def lost(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.lost]

    def require_no_loss(self) -> None:
        """Raise BL106, naming the first loss, if anything was lost."""
        lost = self.lost
        if lost:
            first = lost[0]
            raise BertLstmError(
                "BL106",
                lost=len(lost),
                read=self.read.total(),
                place=first.place,
                reason=first.reason,
            )

    def to_dict(self) -> dict[str, Any]:
        return {
            "read": dict(self.read),
            "kept": dict(self.kept),
            "lost": len(self.lost),
            "findings": [asdict(finding) for finding in self.findings],
        }
