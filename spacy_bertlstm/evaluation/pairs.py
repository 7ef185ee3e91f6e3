"""Two folders of annotation files, paired by name, as the official scorers see them.

No text is needed: an annotation is labels and places, a place positions in the format's own
count, such as (line, token) or (character,).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.evaluation.rows import Row
from spacy_bertlstm.formats.sources import visible_files
from spacy_bertlstm.losses import LossReport

Position = tuple[int, ...]
# Of each piece the start and the end, the end exclusive.
Extent = tuple[tuple[Position, Position], ...]


@dataclass(frozen=True, order=True)
class Annotation:
    """What one line of an annotation file says.

    extents (tuple[Extent, ...]): Where it is; a relation has one for each argument.
    labels (tuple[str, ...]): Its own label, and those of its arguments where the format's
        lines name them.
    """

    extents: tuple[Extent, ...]
    labels: tuple[str, ...]

    @property
    def label(self) -> str:
        return self.labels[0]


@dataclass(frozen=True)
class Pair:
    """One document: what stands in its reference file and in its system file.

    name (str): The files' name, without suffix.
    reference (Sequence[Annotation] | None): In the file's order; None where there is no file.
    system (Sequence[Annotation] | None): The same.
    """

    name: str
    reference: Sequence[Annotation] | None
    system: Sequence[Annotation] | None


@dataclass(frozen=True)
class Task:
    """How the folders of one task are read, scored and reported.

    suffix (str): Of its files.
    read (Callable): From a file and a LossReport to its annotations; keyword official.
    score (Callable): From pairs to rows; keyword official.
    report (Callable): From pairs and rows to the official program's layout.
    unpaired (bool): Whether a system file without a reference file counts.
    """

    suffix: str
    read: Callable[..., list[Annotation]]
    score: Callable[..., list[Row]]
    report: Callable[[Sequence[Pair], Sequence[Row]], str]
    unpaired: bool


def read_pairs(
    task: Task,
    reference: Path,
    systems: Sequence[Path],
    report: LossReport,
    *,
    official: bool = False,
) -> list[list[Pair]]:
    """Read a reference folder and those of the systems, and pair their files by name.

    task (Task): Whose files to read.
    reference (Path): A folder with the task's files in it or below it.
    systems (Sequence[Path]): The same of each system.
    report (LossReport): Filled with the lines and files that do not count.
    official (bool): Read as the published program does.
    RETURNS (list[list[Pair]]): For each system the same documents, sorted by name.
    RAISES: BL101, BL102, BL103, BL105, BL108, BL601 (no name in common).
    """
    # The published i2b2 program takes a system without files for one that finds nothing.
    lone = official and task.unpaired
    reference_files = _find_files(reference, task.suffix)
    system_files = [_find_files(folder, task.suffix, required=not lone) for folder in systems]
    for folder, files in zip(systems, system_files, strict=True):
        if not lone and not reference_files.keys() & files.keys():
            raise BertLstmError("BL601", reference=reference, system=folder, suffix=task.suffix)
    found: set[str] = set().union(*system_files)
    names = set(reference_files)
    if task.unpaired:
        names |= found
    elif official:
        names &= found
    for files in (reference_files, *system_files):
        for name in sorted(files.keys() - names):
            report.note(str(files[name]), 0, "no file of this name to pair it with; left out")
    for folder, files in zip(systems, system_files, strict=True):
        for name in sorted((names & reference_files.keys()) - files.keys()):
            report.note(str(folder / name) + task.suffix, 0, "no such file; nothing found")

    def read(files: dict[str, Path]) -> dict[str, list[Annotation] | None]:
        return {
            name: task.read(files[name], report, official=official) if name in files else None
            for name in sorted(names)
        }

    gold = read(reference_files)
    return [
        [Pair(name, gold[name], annotations) for name, annotations in read(files).items()]
        for files in system_files
    ]


def _find_files(root: Path, suffix: str, *, required: bool = True) -> dict[str, Path]:
    """The files with a suffix in a folder or below it, by their names without it."""
    if not root.is_dir():
        raise BertLstmError("BL101", kind="folder", path=root)
    found: dict[str, Path] = {}
    for path in visible_files(root):
        if path.suffix.lower() == suffix:
            if path.stem in found:
                raise BertLstmError("BL105", path=path, record=path.stem, other=found[path.stem])
            found[path.stem] = path
    if required and not found:
        raise BertLstmError("BL102", path=root, suffixes=suffix)
    return found
