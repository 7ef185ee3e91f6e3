"""Docs split into train, dev and test, once or into folds, no group standing in two parts.

Two passes: the first notes what each Doc is about, the second writes. Docs are read one after
another; what is held at a time is the packed form of a source file and of one split.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
from spacy.tokens import Doc, DocBin

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.files import written_to
from spacy_bertlstm.formats.sources import read_text
from spacy_bertlstm.records import Document
from spacy_bertlstm.tokens.corpus import held_categories, is_annotated, read_docs
from spacy_bertlstm.tokens.extensions import get_record

PARTS = ("train", "dev", "test")

# How many exchanges are tried for each group, and how often, when parts are evened out: more
# bring the shares of 1,000 and 10,000 groups no nearer.
_MOST_TRIED = 100
_MOST_ROUNDS = 20

Plan = dict[str, list[int]]


@dataclass(frozen=True)
class Item:
    """What a split needs to know of a Doc.

    record (str | None): The name of its record, None where nothing asked for it.
    digest (bytes): Of its text.
    annotated (bool): Whether it has annotation of entities or categories.
    tokens (int): Its tokens.
    labels (Counter[str]): Its entities by label.
    categories (tuple[str, ...]): Those that it has.
    """

    record: str | None
    digest: bytes
    annotated: bool
    tokens: int
    labels: Counter[str]
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """What the Docs of a source are, and which of them belong together.

    items (list[Item]): One a Doc, in the source's order.
    groups (list[int]): The group of each Doc, counted from 0; -1 for those excluded.
    repeats (int): Docs with the very text of an earlier one; they share its group.
    unknown (list[str]): Ids to exclude that no record has.
    twins (list[str]): Records that stay, though an excluded one has their very text.
    """

    items: list[Item]
    groups: list[int]
    repeats: int
    unknown: list[str]
    twins: list[str]


def find_by_metadata(key: str) -> Callable[[Document], str]:
    """Group records by a key of their metadata.

    RETURNS (Callable): From a record to the name of its group. RAISES: BL220 (no such key).
    """

    def find(record: Document) -> str:
        if key not in record.metadata:
            keys = ", ".join(record.metadata) or "none"
            raise BertLstmError("BL220", record=record.id, key=key, keys=keys)
        return record.metadata[key]

    return find


def find_by_pattern(pattern: str) -> Callable[[Document], str]:
    """Group records by a part of their names.

    pattern (str): A regular expression, searched in the name; its first group names the group.
    RETURNS (Callable): From a record to the name of its group. RAISES: BL222 (not found).
    RAISES: BL221 (no regular expression, or none with a group).
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise BertLstmError("BL221", pattern=pattern, reason=error.msg) from error
    if not expression.groups:
        raise BertLstmError("BL221", pattern=pattern, reason="it has no group in brackets")

    def find(record: Document) -> str:
        match = expression.search(record.id)
        if match is None or match[1] is None:
            raise BertLstmError("BL222", record=record.id, pattern=pattern)
        return match[1]

    return find


def read_ids(path: Path) -> list[str]:
    """Read a file with one record's name a line; empty lines count for nothing.

    RAISES: BL101 (no such file), BL103 (not UTF-8), BL108 (unreadable).
    """
    if not path.is_file():
        raise BertLstmError("BL101", kind="file", path=path)
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def survey_docs(
    docs: Iterable[Doc],
    *,
    path: Path,
    find_group: Callable[[Document], str] | None = None,
    exclude: Collection[str] = (),
) -> Survey:
    """Look at Docs one after another, and find those that belong together.

    docs (Iterable[Doc]): One a record.
    path (Path): Where they come from, for messages.
    find_group (Callable | None): From a record to the name of its group; by default each
        record is its own. Records with one and the same text belong together in any case.
    exclude (Collection[str]): Names of records to leave out.
    RAISES: BL223 (a Doc without a name, where names are needed), or what find_group raises.
    """
    named = find_group is not None or bool(exclude)
    excluded = set(exclude)
    items: list[Item] = []
    keys: list[tuple[object, ...]] = []  # of each Doc that stays
    for doc in docs:
        record = _name_doc(doc, path, len(items) + 1) if named else None
        item = Item(
            record=None if record is None else record.id,
            digest=_digest(doc),
            annotated=is_annotated(doc),
            tokens=len(doc),
            labels=Counter(ent.label_ for ent in doc.ents),
            categories=held_categories(doc),
        )
        if item.record not in excluded:
            of_group = () if find_group is None or record is None else (find_group(record),)
            keys.append((item.digest, *of_group))
        items.append(item)
    left_out = {item.digest for item in items if item.record in excluded}
    kept = [item for item in items if item.record not in excluded]
    numbers = iter(_join(keys))
    known = {item.record for item in items}
    return Survey(
        items=items,
        groups=[-1 if item.record in excluded else next(numbers) for item in items],
        repeats=len(kept) - len({item.digest for item in kept}),
        unknown=[name for name in dict.fromkeys(exclude) if name not in known],
        twins=[item.record for item in kept if item.digest in left_out and item.record],
    )


def _name_doc(doc: Doc, path: Path, index: int) -> Document:
    """The record of a Doc, or one with its name alone."""
    record = get_record(doc)
    if record is None:
        name = doc.user_data.get("id")
        if not isinstance(name, str):
            raise BertLstmError("BL223", path=path, index=index)
        record = Document(name, doc.text)
    return record


def _digest(doc: Doc) -> bytes:
    return blake2b(doc.text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _join(keys: Sequence[Sequence[object]]) -> list[int]:
    """Number the groups of items, where one shared key, in its place, ties two together."""
    parents = list(range(len(keys)))

    def root(i: int) -> int:
        while parents[i] != i:
            parents[i] = parents[parents[i]]
            i = parents[i]
        return i

    first: dict[tuple[int, object], int] = {}
    for i, of_item in enumerate(keys):
        for key in enumerate(of_item):
            parents[root(i)] = root(first.setdefault(key, i))
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(i), len(numbers)) for i in range(len(keys))]


def plan_split(
    survey: Survey,
    ratio: tuple[float, float, float],
    *,
    path: Path,
    folds: int = 0,
    seed: int = 0,
    stratify: bool = True,
) -> Plan:
    """Decide which Doc goes where.

    survey (Survey): From `survey_docs`.
    ratio (tuple[float, float, float]): The shares of train, dev and test.
    path (Path): Where the Docs come from, for messages.
    folds (int): So many splits, each group being in the test part of exactly one; train and
        dev share what is left, and the share of test in the ratio counts for nothing.
    seed (int): Of all that is left to chance.
    stratify (bool): Give each part its share of each label and category, as near as whole
        groups allow; else of records only.
    RETURNS (Plan): The Docs' numbers in the source, ascending, under "train", or "fold-0/train";
        without the parts whose share is 0.
    RAISES: BL205 (a part would be empty), BL206 (not a ratio).
    """
    shares = dict(zip(PARTS, ratio, strict=True))
    total = sum(ratio[:2] if folds else ratio)
    if not all(share >= 0 for share in ratio) or not 0 < total < math.inf:
        raise BertLstmError("BL206", ratio=_show(ratio))
    groups = _count_groups(survey, stratify=stratify)

    def allot(chosen: Sequence[int], shares: Mapping[str, float], seed: int) -> dict[int, str]:
        """The part of each chosen group; every part has a group."""
        names = [name for name, share in shares.items() if share]
        parts = allot_groups(
            [groups[group] for group in chosen], [shares[name] for name in names], seed=seed
        )
        if len(set(parts)) < len(names):
            into = f"into {folds} folds, {_show(ratio)}" if folds else _show(ratio)
            docs = sum(group >= 0 for group in survey.groups)
            raise BertLstmError("BL205", path=path, docs=docs, groups=len(groups), ratio=into)
        return {group: names[part] for group, part in zip(chosen, parts, strict=True)}

    every = range(len(groups))
    if not folds:
        return _number_docs(survey, allot(every, shares, seed))
    tests = allot(every, {f"fold-{fold}": 1 for fold in range(folds)}, seed)
    plan: Plan = {}
    for fold in range(folds):
        name = f"fold-{fold}"
        rest = [group for group in every if tests[group] != name]
        parts = allot(rest, {part: shares[part] for part in PARTS[:2]}, seed + fold)
        parts |= {group: "test" for group in every if tests[group] == name}
        docs = _number_docs(survey, parts)
        plan |= {f"{name}/{part}": numbers for part, numbers in docs.items()}
    return plan


def _show(ratio: Iterable[float]) -> str:
    return " ".join(f"{share:g}" for share in ratio)


def _count_groups(survey: Survey, *, stratify: bool) -> list[Counter[str | None]]:
    """What each group brings: records, under None, entities by label, and categories."""
    groups: dict[int, Counter[str | None]] = defaultdict(Counter)
    for item, group in zip(survey.items, survey.groups, strict=True):
        if group >= 0:
            groups[group][None] += 1
            if stratify:
                groups[group].update(item.labels)
                # A blank keeps them apart from the labels of entities.
                groups[group].update(f"category {label}" for label in item.categories)
    return [groups[number] for number in sorted(groups)]


def _number_docs(survey: Survey, parts: Mapping[int, str]) -> Plan:
    """The Docs of each part, train first."""
    docs: Plan = {name: [] for name in PARTS if name in parts.values()}
    for number, group in enumerate(survey.groups):
        if group >= 0:
            docs[parts[group]].append(number)
    return docs


def allot_groups(
    groups: Sequence[Mapping[str | None, int]], shares: Sequence[float], *, seed: int
) -> list[int]:
    """Give each group to a part, so that the parts' shares of everything are near those wanted.

    Iterative stratification (Sechidis, Tsoumakas, Vlahavas, "On the Stratification of
    Multi-label Data", 2011), with counts in the place of yes and no: the label that the fewest
    groups have goes first, each group to the part that wants the most of it. Groups then move
    or change places for as long as that brings the shares nearer, by the sum of squares.

    groups (Sequence[Mapping[str | None, int]]): What each group brings, by label; under None
        its records, of which every group has some.
    shares (Sequence[float]): The parts' shares, none 0.
    seed (int): Of the order of groups, and of the choice where parts want the same.
    RETURNS (list[int]): The part of each group; a part may get none.
    """
    if not groups:
        return []
    rng = numpy.random.default_rng(seed)
    labels = sorted({label for group in groups for label in group if label is not None})
    # (n_groups, n_labels + 1)
    counts = numpy.asarray([[group.get(key, 0) for key in (*labels, None)] for group in groups])
    parts = numpy.full(len(groups), -1)
    # What each part still wants, (n_parts, n_labels + 1)
    wanted = numpy.outer(numpy.asarray(shares) / sum(shares), counts.sum(axis=0))
    order = rng.permutation(len(groups))
    while (parts < 0).any():
        waiting = order[parts[order] < 0]
        carriers = (counts[waiting] > 0).sum(axis=0)
        # Every group has records, so that some column is carried; the first of the rarest.
        column = int(numpy.where(carriers > 0, carriers, len(groups) + 1).argmin())
        for group in waiting[counts[waiting, column] > 0]:
            parts[group] = part = _most_wanting(wanted[:, [column, -1]], rng)
            wanted[part] -= counts[group]
    _even_out(parts, counts, numpy.asarray(shares) / sum(shares), rng)
    return [int(part) for part in parts]


def _most_wanting(wanted: numpy.ndarray, rng: numpy.random.Generator) -> int:
    """The part with the greatest want, ties broken by the next column, then by chance."""
    parts = numpy.arange(len(wanted))
    for column in wanted.T:
        # Rounding makes no difference of equal wants.
        parts = parts[column[parts] >= column[parts].max() - 1e-9]
    return int(rng.choice(parts))


def _even_out(
    parts: numpy.ndarray, counts: numpy.ndarray, shares: numpy.ndarray, rng: numpy.random.Generator
) -> None:
    """Move groups, or let two change places, for as long as the shares come nearer."""
    n_groups, n_parts = len(counts), len(shares)
    # A group that moves changes places with nothing: one empty group a part.
    weights = numpy.vstack([counts / counts.sum(axis=0), numpy.zeros((n_parts, counts.shape[1]))])
    places = numpy.concatenate([parts, numpy.arange(n_parts)])
    excess = numpy.stack([weights[places == part].sum(axis=0) for part in range(n_parts)])
    excess -= shares[:, None]
    nothing = numpy.arange(n_groups, n_groups + n_parts)
    for _ in range(_MOST_ROUNDS):
        changed = False
        for group in range(n_groups):
            others = numpy.arange(n_groups)
            if n_groups > _MOST_TRIED:
                others = rng.integers(n_groups, size=_MOST_TRIED)
            others = numpy.concatenate([others, nothing])
            own = places[group]
            others = others[places[others] != own]
            if not len(others):  # one part
                return
            gain = weights[others] - weights[group]
            gap = excess[own] - excess[places[others]]
            # By how much the sum of squares grows; rounded, so that machines agree on ties.
            change = numpy.round((gain * (gap + gain)).sum(axis=1), 12)
            best = int(change.argmin())
            if change[best] >= 0:
                continue
            other = others[best]
            excess[own] += gain[best]
            excess[places[other]] -= gain[best]
            places[group] = places[other]
            if other < n_groups:
                places[other] = own
            changed = True
        if not changed:
            break
    parts[:] = places[:n_groups]


def write_parts(plan: Plan, folder: Path, *, source: Path, survey: Survey) -> None:
    """Write the parts of a split, all of them or none; those of an older one are replaced.

    The source is read once for a split, and once for each fold, so that the packed Docs of only
    one split are held.

    plan (Plan): From `plan_split`.
    folder (Path): Made if it is not there.
    source (Path): The file that was split.
    survey (Survey): Of the source.
    RAISES: BL109 (not writable); BL209 where a part would overwrite the source, or where a
        part of an older split, which shares records with the new ones, would stay; BL226
        (the source has changed since the survey).
    """
    files = {name: Path(f"{name}.spacy") for name in plan}
    _require_place(files.values(), folder, source)
    splits: dict[Path, list[str]] = defaultdict(list)
    for name, file in files.items():
        splits[file.parent].append(name)
    with _placed_together(folder, files.values()) as staging:
        for names in splits.values():
            bins = {name: DocBin(store_user_data=True) for name in names}
            parts = {number: bins[name] for name in names for number in plan[name]}
            for number, doc in enumerate(_read_again(source, survey)):
                if number in parts:
                    parts[number].add(doc)
            for name, packed in bins.items():
                with written_to(folder / files[name]):
                    (staging / files[name]).write_bytes(packed.to_bytes())


def _read_again(source: Path, survey: Survey) -> Iterator[Doc]:
    digests = (item.digest for item in survey.items)
    for doc in read_docs(source):
        if _digest(doc) != next(digests, b""):
            raise BertLstmError("BL226", path=source)
        yield doc
    if next(digests, b""):
        raise BertLstmError("BL226", path=source)


def _require_place(files: Collection[Path], folder: Path, source: Path) -> None:
    with written_to(folder):
        if source.is_dir() and folder.resolve().is_relative_to(source.resolve()):
            raise BertLstmError("BL209", path=source)
        for split in (folder, *sorted(folder.glob("fold-*"))):
            for part in PARTS:
                path = split / f"{part}.spacy"
                old = path.exists() and path.relative_to(folder) not in files
                if old or (path.exists() and path.samefile(source)):
                    raise BertLstmError("BL209", path=path)
    for file in files:
        if (folder / file).exists() and not (folder / file).is_file():
            raise BertLstmError("BL109", path=folder / file, reason="it is not a file")


@contextmanager
def _placed_together(folder: Path, files: Collection[Path]) -> Iterator[Path]:
    """Give a folder to write files to, which all move to their places when the block ends well.

    folder (Path): Made if it is not there.
    files (Collection[Path]): Below it, and so below the folder that is given. Where one cannot
        be moved, those moved before are taken back, and what they replaced is put back.
    RAISES: BL109 (not writable).
    """
    target = folder.resolve()
    with written_to(folder), ExitStack() as stack:
        # On the same file system, and neither left behind nor in the way.
        beside = next(path for path in (target, *target.parents) if path.exists())
        staging = Path(stack.enter_context(TemporaryDirectory(dir=beside, prefix=".part-")))
        for parent in {(staging / file).parent for file in files}:
            parent.mkdir(exist_ok=True)
        yield staging
        with ExitStack() as undo:
            for file in files:
                place = (target / file).resolve()
                for parent in (target, place.parent):
                    if not parent.exists():
                        parent.mkdir(parents=True)
                        undo.callback(parent.rmdir)
                if place.exists():
                    old = staging / file.with_suffix(".old")
                    place.replace(old)
                    undo.callback(old.replace, place)
                (staging / file).replace(place)
                undo.callback(place.unlink)
            undo.pop_all()
