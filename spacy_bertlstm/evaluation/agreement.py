"""How far two annotators agree, from their records of the same texts.

Concepts: pairwise F1 (Hripcsak, Rothschild, "Agreement, the F-Measure, and Reliability in
Information Retrieval", 2005), which needs no count of what neither marked. Tokens, attributes
and relations: also Cohen's kappa (Cohen, "A Coefficient of Agreement for Nominal Scales", 1960).
No figure changes where the annotators change places, or the annotations their order.

- A concept is its type and its fragments: one that is marked twice counts once, one without a
  type not at all. Exact: both agree in these. Overlap: the most pairs of one type whose
  extents, from first start to last end, share a character, each concept in one pair at most.
- A token is what white space separates, cut wherever either annotator begins or ends a
  fragment: so each lies in a concept or outside, whoever marked it, and no tokenizer's choices
  enter. Its category is the set of types over it, without B and I: extents are F1's matter.
- An attribute is looked at on concepts that both marked exactly, of the types on which someone
  gave it; that it is not given is a category too. An event's attribute is its trigger's.
- A relation is looked at where both marked all it ties: concepts exactly, or vocabulary ids
  anywhere in the record. Kappa is over all ordered pairs of such concepts whose types a relation
  of that label ties; of ids, and of what is said to be equivalent, over unordered ones. An
  event's argument is a relation from its trigger, named for the role. Attributes of relations
  are not looked at.
- Categories of a whole text are looked at where both annotators chose.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.records import Document, Fragments, Relation

Mark = tuple[str, Fragments]  # the type and the fragments of a concept
End = tuple[str, Fragments | str]  # what a relation ties: a mark, or ("", vocabulary id)
Category = frozenset[str]
Pairs = Counter[tuple[Category, Category]]  # how often A has the one and B the other
Ends = tuple[bool, tuple[End, ...]]  # whether they have an order, and what is tied
Types = tuple[bool, tuple[str, ...]]  # the same with types only

_NO: Category = frozenset()
_NEITHER = (_NO, _NO)
_TOKEN = re.compile(r"\S+")


@dataclass(frozen=True)
class Disagreement:
    """What one annotator has and the other has not, or has otherwise.

    record (str): The record's name.
    kind (str): "type" (one extent, two types), "extent" (one type, extents that overlap),
        "concept" (one annotator's alone), "attribute", "relation" or "category".
    name (str): Of the attribute.
    a, b (str): The labels or values, "" for none.
    places_a, places_b (tuple[Fragments | str, ...]): Of the concept, or of all that a relation
        ties, which may be vocabulary ids; empty where the annotator has no such concept, and for
        the categories of a text.
    """

    record: str
    kind: str
    name: str
    a: str
    b: str
    places_a: tuple[Fragments | str, ...]
    places_b: tuple[Fragments | str, ...]


@dataclass
class Comparison:
    """Two annotations of one record, counted.

    record (str): The record's name.
    concepts (dict[str, tuple[int, int, int, int]]): By type: of A, of B, of both exactly, and
        pairs that overlap.
    tokens (Pairs): Tokens.
    common (Counter[str]): Concepts that both marked, by type; under "" vocabulary ids.
    attributes (dict[tuple[str, str], Pairs]): Values, by the attribute's name and the concept's
        type; without those that neither gave.
    relations (dict[Types, Pairs]): Labels, by the types of what is tied; without what neither
        tied.
    out_of_reach (tuple[int, int]): Relations of A, and of B, that tie what the other lacks.
    categories (Pairs): Those of the text; none unless both chose.
    disagreements (list[Disagreement]): Of concepts in the order of the text, then others.
    """

    record: str
    concepts: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    tokens: Pairs = field(default_factory=Counter)
    common: Counter[str] = field(default_factory=Counter)
    attributes: dict[tuple[str, str], Pairs] = field(default_factory=dict)
    relations: dict[Types, Pairs] = field(default_factory=dict)
    out_of_reach: tuple[int, int] = (0, 0)
    categories: Pairs = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)


def compare_records(a: Document, b: Document) -> Comparison:
    """Compare two annotations of one record.

    a, b (Document): Of one text.
    RAISES: BL622 (two texts).
    """
    if a.text != b.text:
        same = (left == right for left, right in zip(a.text, b.text, strict=False))
        shorter = min(len(a.text), len(b.text))
        offset = next((i for i, equal in enumerate(same) if not equal), shorter)
        raise BertLstmError("BL622", record=a.id, offset=offset)
    found = Comparison(a.id)
    of_a, of_b = _Marks(a), _Marks(b)
    common = of_a.concepts & of_b.concepts
    ids = of_a.kb_ids & of_b.kb_ids
    found.common = Counter(label for label, _ in common) + Counter({"": len(ids)})
    _compare_concepts(of_a.concepts, of_b.concepts, found)
    found.tokens = _compare_tokens(a.text, of_a.concepts, of_b.concepts)
    _compare_attributes(of_a, of_b, common, found)
    _compare_relations(of_a, of_b, {*common, *(("", kb_id) for kb_id in ids)}, found)
    _compare_categories(a, b, found)
    return found


class _Marks:
    """The annotations of a record without their ids.

    by_id (dict[str, Mark]): Of concepts with a type, and of events their triggers'.
    """

    def __init__(self, record: Document) -> None:
        self.record = record
        self.by_id: dict[str, Mark] = {
            concept.id: (concept.label, tuple(sorted(concept.fragments)))
            for concept in record.concepts
            if concept.label
        }
        self.concepts = set(self.by_id.values())
        self.kb_ids = {kb_id for concept in record.concepts for kb_id in concept.kb_ids}
        triggers = {event.id: self.by_id.get(event.trigger) for event in record.events}
        self.by_id |= {event: mark for event, mark in triggers.items() if mark is not None}

    def attributes(self) -> dict[tuple[str, Mark], Category]:
        """The values of each attribute of each concept."""
        values: dict[tuple[str, Mark], Category] = defaultdict(frozenset)
        for assertion in self.record.assertions:
            mark = self.by_id.get(assertion.target)
            if mark is not None:
                values[assertion.name, mark] |= {assertion.value or "yes"}
        return values

    def relations(self, common: Collection[End]) -> tuple[dict[Ends, Category], int]:
        """The labels of all that is tied within `common`, and how many relations reach out."""
        arguments = [
            Relation(role, (event.id, target))
            for event in self.record.events
            for role, target in event.arguments
        ]
        labels: dict[Ends, Category] = defaultdict(frozenset)
        beyond = 0
        for relation in (*self.record.relations, *arguments):
            ends: list[End | None]
            if relation.level == "concept":
                ends = [("", kb_id) for kb_id in relation.arguments]
            else:
                ends = [self.by_id.get(argument) for argument in relation.ends]
            within = [end for end in ends if end is not None and end in common]
            ordered = relation.level == "mention"
            if len(within) == len(ends):
                key = tuple(within if ordered else sorted(within))
                labels[ordered, key] |= {relation.label}
            else:
                beyond += 1
        return labels, beyond


def _compare_concepts(a: set[Mark], b: set[Mark], found: Comparison) -> None:
    for label in sorted({label for label, _ in a | b}):
        of_a, of_b = (sorted(mark for mark in marks if mark[0] == label) for marks in (a, b))
        pairs = pair_overlaps([_extent(mark) for mark in of_a], [_extent(mark) for mark in of_b])
        both = len(set(of_a) & set(of_b))
        found.concepts[label] = (len(of_a), len(of_b), both, len(pairs))
    found.disagreements += _list_concepts(found.record, a - b, b - a)


def _extent(mark: Mark) -> tuple[int, int]:
    """From the first start to the last end; an empty concept is as long as a character."""
    _, fragments = mark
    start = fragments[0][0]
    return start, max(start + 1, *(end for _, end in fragments))


def pair_overlaps(
    a: Sequence[tuple[int, int]], b: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Pair extents that share a character, as many as can be, each in one pair at most.

    a, b (Sequence[tuple[int, int]]): (start, end), the end exclusive and past the start.
    RETURNS (list[tuple[int, int]]): The places in `a` and `b` of each pair.
    """
    sides = (a, b)
    # Each ends before what starts there begins.
    events = sorted(
        (extent[1 - is_start], is_start, side, i)
        for side, extents in enumerate(sides)
        for i, extent in enumerate(extents)
        for is_start in (0, 1)
    )
    waiting: tuple[list[tuple[int, int]], ...] = ([], [])
    paired: tuple[set[int], ...] = (set(), set())
    pairs = []
    for position, is_start, side, i in events:
        if is_start:
            heapq.heappush(waiting[side], (sides[side][i][1], i))
            continue
        if i in paired[side]:
            continue
        # All that still wait overlap this one, which ends first. The first of them to end is
        # the one that the fewest others can pair with: the others overlap all that it does.
        others = waiting[1 - side]
        while others and (others[0][1] in paired[1 - side] or others[0][0] < position):
            heapq.heappop(others)
        if others:
            other = heapq.heappop(others)[1]
            paired[side].add(i)
            paired[1 - side].add(other)
            pairs.append((i, other) if side == 0 else (other, i))
    return pairs


def _list_concepts(record: str, a: set[Mark], b: set[Mark]) -> list[Disagreement]:
    """What only one annotator marked: first one extent with two types, then one type over
    extents that overlap, then the rest."""
    pairs: list[tuple[Mark | None, Mark | None, str]] = []
    types_b: dict[Fragments, list[str]] = defaultdict(list)
    for label, fragments in sorted(b, reverse=True):
        types_b[fragments].append(label)
    for label, fragments in sorted(a):
        if types_b[fragments]:
            other = types_b[fragments].pop()
            pairs.append(((label, fragments), (other, fragments), "type"))
    a = a - {mark for mark, _, _ in pairs if mark is not None}
    b = b - {mark for _, mark, _ in pairs if mark is not None}
    for label in sorted({label for label, _ in a} & {label for label, _ in b}):
        of_a, of_b = (sorted(mark for mark in marks if mark[0] == label) for marks in (a, b))
        for i, j in pair_overlaps([_extent(mark) for mark in of_a], [_extent(m) for m in of_b]):
            pairs.append((of_a[i], of_b[j], "extent"))
            a.remove(of_a[i])
            b.remove(of_b[j])
    pairs += [(mark, None, "concept") for mark in a]
    pairs += [(None, mark, "concept") for mark in b]
    disagreements = [
        Disagreement(
            record,
            kind,
            "",
            "" if of_a is None else of_a[0],
            "" if of_b is None else of_b[0],
            () if of_a is None else (of_a[1],),
            () if of_b is None else (of_b[1],),
        )
        for of_a, of_b, kind in pairs
    ]
    return sorted(disagreements, key=lambda one: (one.places_a or one.places_b, one.a, one.b))


def _compare_tokens(text: str, a: set[Mark], b: set[Mark]) -> Pairs:
    """Count tokens by their categories: between two bounds all tokens have the same."""
    changes: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
    for side, marks in enumerate((a, b)):
        for label, fragments in marks:
            for start, end in fragments:
                changes[start].append((side, label, 1))
                changes[end].append((side, label, -1))
    pairs: Pairs = Counter()
    covering: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    begin = 0
    for end in (*sorted(changes), len(text)):
        category = (frozenset(+covering[0]), frozenset(+covering[1]))
        pairs[category] += sum(1 for _ in _TOKEN.finditer(text, begin, end))
        for side, label, step in changes.get(end, ()):
            covering[side][label] += step
        begin = end
    return +pairs


def _compare_attributes(a: _Marks, b: _Marks, common: set[Mark], found: Comparison) -> None:
    values_a, values_b = a.attributes(), b.attributes()
    for name, mark in sorted({*values_a, *values_b}):
        if mark not in common:
            continue
        label, fragments = mark
        pair = (values_a.get((name, mark), _NO), values_b.get((name, mark), _NO))
        found.attributes.setdefault((name, label), Counter())[pair] += 1
        if pair[0] != pair[1]:
            found.disagreements.append(
                Disagreement(
                    found.record,
                    "attribute",
                    name,
                    _show(pair[0]),
                    _show(pair[1]),
                    (fragments,),
                    (fragments,),
                )
            )


def _compare_relations(a: _Marks, b: _Marks, common: set[End], found: Comparison) -> None:
    labels_a, beyond_a = a.relations(common)
    labels_b, beyond_b = b.relations(common)
    found.out_of_reach = (beyond_a, beyond_b)
    for key in sorted({*labels_a, *labels_b}):
        ordered, ends = key
        types = ordered, tuple(label for label, _ in ends)
        pair = (labels_a.get(key, _NO), labels_b.get(key, _NO))
        found.relations.setdefault(types, Counter())[pair] += 1
        if pair[0] != pair[1]:
            places = tuple(place for _, place in ends)
            found.disagreements.append(
                Disagreement(
                    found.record, "relation", "", _show(pair[0]), _show(pair[1]), places, places
                )
            )


def _compare_categories(a: Document, b: Document, found: Comparison) -> None:
    if not a.choices or not b.choices:
        return
    pair = (frozenset(a.categories), frozenset(b.categories))
    found.categories[pair] += 1
    if pair[0] != pair[1]:
        found.disagreements.append(
            Disagreement(found.record, "category", "", _show(pair[0]), _show(pair[1]), (), ())
        )


def _show(category: Category) -> str:
    return "+".join(sorted(category))


@dataclass(frozen=True)
class Figure:
    """An estimate; None where it is undefined.

    low, high (float | None): The bounds of its interval, where one was asked for.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    """What is known of one type, attribute or label: counts and figures by name."""

    counts: Mapping[str, int]
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Agreement:
    """How far two annotators agree.

    records (int): That both annotated.
    tokens (int): In these.
    concepts (dict[str, Row]): By type, with all types under "".
    attributes (dict[str, Row]): By name.
    relations (dict[str, Row]): By label, with all labels under "".
    categories (dict[str, Row]): By category, with all categories under "".
    out_of_reach (tuple[int, int]): Relations of A, and of B, that tie what the other lacks.
    disagreements (list[Disagreement]): By record.
    """

    records: int
    tokens: int
    concepts: dict[str, Row]
    attributes: dict[str, Row]
    relations: dict[str, Row]
    categories: dict[str, Row]
    out_of_reach: tuple[int, int]
    disagreements: list[Disagreement]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarize(
    comparisons: Sequence[Comparison], *, samples: int = 0, level: float = 0.95, seed: int = 0
) -> Agreement:
    """Sum up comparisons.

    comparisons (Sequence[Comparison]): Of `compare_records`, one a record, at least one.
    samples (int): How often as many records are drawn, with replacement, for the percentile
        intervals; 0 for none. Samples in which a figure is undefined count for nothing.
    level (float): The share of samples inside an interval.
    seed (int): Of the draws.
    """
    estimate = _Estimator(len(comparisons), samples, level, seed)
    return Agreement(
        records=len(comparisons),
        tokens=sum(found.tokens.total() for found in comparisons),
        concepts=_sum_concepts(comparisons, estimate),
        attributes=_sum_attributes(comparisons, estimate),
        relations=_sum_relations(comparisons, estimate),
        categories=_sum_categories(comparisons, estimate),
        out_of_reach=(
            sum(found.out_of_reach[0] for found in comparisons),
            sum(found.out_of_reach[1] for found in comparisons),
        ),
        disagreements=[one for found in comparisons for one in found.disagreements],
    )


def cohens_kappa(pairs: Mapping[tuple[Any, Any], int]) -> float | None:
    """Cohen's kappa of two raters.

    pairs (Mapping): How often the first gave the one category and the second the other.
    RETURNS (float | None): None where it is undefined: nothing was rated, or both gave one and
        the same category throughout, so that chance alone makes them agree.
    """
    return _Estimator(1, 0, 0.95, 0).kappa([pairs]).value


class _Estimator:
    """Figures of counts that stand in one row a record."""

    def __init__(self, n_records: int, samples: int, level: float, seed: int) -> None:
        # How often each record is drawn in each sample, (samples, n_records)
        rng = numpy.random.default_rng(seed)
        draws = rng.multinomial(n_records, [1 / n_records] * n_records, size=samples)
        self.draws = draws.astype("float64")
        self.tails = [(1 - level) / 2, (1 + level) / 2]

    def f1(self, counts: Iterable[tuple[int, int, int]]) -> Figure:
        """Of what A, B and both have."""

        def f1(sums: numpy.ndarray) -> numpy.ndarray:
            a, b, both = sums.T
            return 2 * both / (a + b)

        return self._figure(numpy.asarray(list(counts), dtype="float64"), f1)

    def kappa(self, tallies: Sequence[Mapping[tuple[Any, Any], int]]) -> Figure:
        """Cohen's, of how often A has the one category and B the other."""
        columns: dict[Hashable, int] = {}
        for tally in tallies:
            for pair in tally:
                for category in pair:
                    columns.setdefault(category, len(columns))
        width = len(columns)
        # All, and those that agree; then of A and of B by category, (n_records, 2 + 2 * width)
        table = numpy.zeros((len(tallies), 2 + 2 * width))
        for row, tally in zip(table, tallies, strict=True):
            for (a, b), count in tally.items():
                row[0] += count
                row[1] += count * (a == b)
                row[2 + columns[a]] += count
                row[2 + width + columns[b]] += count

        def kappa(sums: numpy.ndarray) -> numpy.ndarray:
            total, agreed = sums[:, 0], sums[:, 1]
            chance = (sums[:, 2 : 2 + width] * sums[:, 2 + width :]).sum(axis=1)
            return (total * agreed - chance) / (total * total - chance)

        return self._figure(table, kappa)

    def _figure(
        self, table: numpy.ndarray, statistic: Callable[[numpy.ndarray], numpy.ndarray]
    ) -> Figure:
        with numpy.errstate(divide="ignore", invalid="ignore"):
            value = statistic(table.sum(axis=0)[None])[0]
            if not numpy.isfinite(value):
                return Figure(None)
            if not len(self.draws):
                return Figure(float(value))
            values = statistic(self.draws @ table)
        values = values[numpy.isfinite(values)]
        if not len(values):
            return Figure(float(value))
        low, high = numpy.quantile(values, self.tails)
        return Figure(float(value), float(low), float(high))


def _sum_concepts(comparisons: Sequence[Comparison], estimate: _Estimator) -> dict[str, Row]:
    rows = {}
    for label in (*sorted({label for found in comparisons for label in found.concepts}), ""):
        # Of A, of B, of both and those that overlap, (n_records, 4)
        counts = [
            tuple(
                sum(n)
                for n in zip(
                    (0, 0, 0, 0),
                    *(row for name, row in found.concepts.items() if label in ("", name)),
                    strict=True,
                )
            )
            for found in comparisons
        ]
        a, b, both, overlapping = map(sum, zip(*counts, strict=True))
        rows[label] = Row(
            {"a": a, "b": b, "exact": both, "overlap": overlapping},
            {
                "f_exact": estimate.f1((a, b, both) for a, b, both, _ in counts),
                "f_overlap": estimate.f1((a, b, pairs) for a, b, _, pairs in counts),
                "token_kappa": estimate.kappa([_of(label, found.tokens) for found in comparisons]),
            },
        )
    return rows


def _sum_attributes(comparisons: Sequence[Comparison], estimate: _Estimator) -> dict[str, Row]:
    types: dict[str, set[str]] = defaultdict(set)
    for found in comparisons:
        for name, label in found.attributes:
            types[name].add(label)
    rows = {}
    for name in sorted(types):
        tallies: list[Pairs] = []
        for found in comparisons:
            tally: Pairs = Counter()
            for label in sorted(types[name]):
                given = found.attributes.get((name, label), Counter())
                tally.update(given)
                tally[_NEITHER] += found.common[label] - given.total()
            tallies.append(tally)
        total = [(a, b, n) for tally in tallies for (a, b), n in tally.items()]
        counts = {
            "a": sum(n for a, _, n in total if a),
            "b": sum(n for _, b, n in total if b),
            "concepts": sum(n for _, _, n in total),
            "equal": sum(n for a, b, n in total if a == b),
        }
        rows[name] = Row(counts, {"kappa": estimate.kappa(tallies)})
    return rows


def _sum_relations(comparisons: Sequence[Comparison], estimate: _Estimator) -> dict[str, Row]:
    tied: dict[str, set[Types]] = defaultdict(set)  # types by label, all under ""
    for found in comparisons:
        for types, pairs in found.relations.items():
            tied[""].add(types)
            for label in {label for a, b in pairs for label in a | b}:
                tied[label].add(types)
    rows = {}
    for label in (*sorted(tied)[1:], "") if tied else ():
        counts = []
        tallies = []
        for found in comparisons:
            ties: Pairs = Counter()
            tally: Pairs = Counter()
            for types in sorted(tied[label]):
                pairs = found.relations.get(types, Counter())
                ties.update(pairs)
                if len(types[1]) == 2:
                    tally.update(pairs)
                    # A relation from a concept to itself is no candidate.
                    tally[_NEITHER] += max(0, _count_candidates(found, types) - pairs.total())
            counts.append(_count_labels(ties, label))
            tallies.append(_of(label, tally))
        a, b, both = map(sum, zip(*counts, strict=True))
        candidates = sum(tally.total() for tally in tallies)
        rows[label] = Row(
            {"a": a, "b": b, "both": both, "pairs": candidates},
            {"f": estimate.f1(counts), "kappa": estimate.kappa(tallies)},
        )
    return rows


def _sum_categories(comparisons: Sequence[Comparison], estimate: _Estimator) -> dict[str, Row]:
    pairs = [pair for found in comparisons for pair in found.categories]
    labels = sorted({label for a, b in pairs for label in a | b})
    rows = {}
    for label in (*labels, "") if pairs else ():
        counts = [_count_labels(found.categories, label) for found in comparisons]
        a, b, both = map(sum, zip(*counts, strict=True))
        kappa = estimate.kappa([_of(label, found.categories) for found in comparisons])
        rows[label] = Row(
            {"a": a, "b": b, "both": both, "texts": len(pairs)},
            {"f": estimate.f1(counts), "kappa": kappa},
        )
    return rows


def _count_candidates(found: Comparison, types: Types) -> int:
    """How many pairs of what both marked could be tied."""
    ordered, (first, second) = types
    if first != second:
        return found.common[first] * found.common[second]
    pairs = found.common[first] * (found.common[first] - 1)
    return pairs if ordered else pairs // 2


def _count_labels(pairs: Pairs, label: str) -> tuple[int, int, int]:
    """How often A, B and both have a label, or any where it is ""."""
    rows = [
        (n * len(a), n * len(b), n * len(a & b))
        for (of_a, of_b), n in pairs.items()
        for a, b in [(of_a & {label}, of_b & {label}) if label else (of_a, of_b)]
    ]
    a, b, both = (sum(row[i] for row in rows) for i in range(3))
    return a, b, both


def _of(label: str, pairs: Pairs) -> Counter[tuple[Any, Any]]:
    """The same with two categories, with the label or without; as they are where it is ""."""
    told: Counter[tuple[Any, Any]] = Counter()
    for (a, b), n in pairs.items():
        told[(label in a, label in b) if label else (a, b)] += n
    return told
