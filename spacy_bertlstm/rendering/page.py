"""Docs as one HTML page that needs nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from spacy.tokens import Doc

from spacy_bertlstm.files import written_whole
from spacy_bertlstm.rendering.rows import Row, Rows, doc_to_rows

# Hues that stay apart in light and dark; from the eleventh type on they come again.
_HUES = (350, 212, 140, 38, 276, 178, 92, 312, 18, 240)

# How assertions are shown, where not by their own words; what is simply there has no tag.
_ASSERTIONS = {
    "absent": "⊘ absent",
    "associated_with_someone_else": "someone else",
    "possible": "? possible",
    "present": "",
}

_ENDS = ("head", "tail")


@dataclass(frozen=True)
class _Entity:
    """What is marked: an entity, or the end of a relation that is none.

    id (str): Unique on the page.
    row (Row): Of the table of entities; of an end that is none, its place and label alone.
    hue (int): Of its type.
    """

    id: str
    row: Row
    hue: int

    @property
    def start(self) -> int:
        return self.row["start"]

    @property
    def end(self) -> int:
        return self.row["end"]

    @property
    def text(self) -> str:
        """The covered text in one line."""
        return " ".join(self.row["text"].split())

    @property
    def tag(self) -> str:
        """What stands behind it."""
        assertion = _assertion_tag(self.row.get("assertion"))
        return f"{self.row['label']} · {assertion}" if assertion else self.row["label"]

    @property
    def tip(self) -> str:
        """What hovering over it tells."""
        row = self.row
        facts = [row["label"] + _percent(row.get("confidence"))]
        if row.get("assertion"):
            facts.append(_words(row["assertion"]) + _percent(row.get("assertion_confidence")))
        if row.get("kb_id"):
            facts.append(row["kb_id"])
        return ", ".join(facts)


class _Tie(NamedTuple):
    """A relation between what is marked."""

    label: str
    head: _Entity
    tail: _Entity
    confidence: str


class _Fact(NamedTuple):
    """A relation between vocabulary ids, which have no place in the text."""

    label: str
    head: str
    tail: str
    confidence: str


class _Note(NamedTuple):
    """A Doc as the template takes it.

    lines (list[Markup]): Of the text, with their ends.
    """

    id: str
    name: str
    lines: list[Markup]
    entities: int
    ties: list[_Tie]
    facts: list[_Fact]

    @property
    def relations(self) -> int:
        return len(self.ties) + len(self.facts)


class Counts(NamedTuple):
    """What a page shows."""

    docs: int
    entities: int
    relations: int


def write_page(
    docs: Iterable[Doc], path: Path, *, title: str, model: Mapping[str, Any] | None = None
) -> Counts:
    """Write Docs to an HTML page, whole or not at all.

    docs (Iterable[Doc]): Gold or predicted; see `doc_to_rows` for what is shown of them.
    title (str): Of the page.
    model (Mapping | None): `nlp.meta` of the pipeline that read the Docs.
    RETURNS (Counts): What was written.
    RAISES: BL109 (not writable), BL208 (broken annotations).
    """
    texts, tables = [], []
    types: Counter[str] = Counter()
    assertions: Counter[str] = Counter()
    for doc in docs:
        rows = doc_to_rows(doc)
        texts.append(doc.text)
        tables.append(rows)
        types.update(row["label"] for row in rows.entities)
        # Types of ends that are no entities count for nothing, but have a colour.
        labels = (row[f"{end}_label"] for row in rows.relations for end in _ENDS)
        types.update({label: 0 for label in labels if label is not None})
        assertions.update(row["assertion"] for row in rows.entities if row["assertion"])
    hues = dict(zip(sorted(types), cycle(_HUES), strict=False))
    notes = [
        _make_note(f"d{number}", text, rows, hues)
        for number, (text, rows) in enumerate(zip(texts, tables, strict=True), start=1)
    ]
    counts = Counts(len(notes), types.total(), sum(note.relations for note in notes))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html").stream(
        title=title,
        model=model,
        notes=notes,
        counts=counts,
        types=[(label, hue, types[label]) for label, hue in hues.items()],
        assertions=[
            (value, _assertion_tag(value) or _words(value), count)
            for value, count in sorted(assertions.items())
        ],
    )
    with written_whole(path) as place:
        page.dump(str(place), encoding="utf-8")
    return counts


def _make_note(note_id: str, text: str, rows: Rows, hues: Mapping[str, int]) -> _Note:
    entities: list[_Entity] = []
    places: dict[tuple[int, int, str], _Entity] = {}

    def add(row: Row) -> _Entity:
        entities.append(_Entity(f"{note_id}e{len(entities) + 1}", row, hues[row["label"]]))
        # Several that differ in their assertion alone are one end of relations.
        return places.setdefault((row["start"], row["end"], row["label"]), entities[-1])

    for row in rows.entities:
        add(row)
    ties, facts = [], []
    for row in rows.relations:
        confidence = _percent(row["confidence"])
        if row["head_start"] is None:
            ids = row["head_kb_id"], row["tail_kb_id"]
            facts.append(_Fact(row["label"], *ids, confidence))
            continue
        ends = (
            {key: row[f"{end}_{key}"] for key in ("start", "end", "text", "label")} for end in _ENDS
        )
        head, tail = (
            places.get((end["start"], end["end"], end["label"])) or add(end) for end in ends
        )
        ties.append(_Tie(row["label"], head, tail, confidence))
    lines = list(_mark_up(text, entities))
    name = rows.record or f"Doc {note_id[1:]}"
    return _Note(note_id, name, lines, len(rows.entities), ties, facts)


def _mark_up(text: str, entities: Sequence[_Entity]) -> Iterator[Markup]:
    """Mark entities in a text, nested where they overlap.

    Elements cannot cross: of two entities that do, the second is marked in two pieces, as is one
    that goes over the end of a line.

    YIELDS (Markup): Each line with its end. Without the tags of the markup it is the text.
    """
    waiting = sorted(entities, key=lambda entity: (entity.start, -entity.end), reverse=True)
    line_starts = {place for place, before in enumerate(text, start=1) if before == "\n"}
    bounds = {bound for entity in entities for bound in (entity.start, entity.end)}
    marked: list[_Entity] = []
    parts: list[Markup] = []
    for here, there in pairwise(sorted({0, len(text), *bounds, *line_starts})):
        covering = [entity for entity in marked if entity.end > here]
        while waiting and waiting[-1].start == here:
            covering.append(waiting.pop())
        kept = 0 if here in line_starts else _common_start(marked, covering)
        parts.extend(_close(entity, here) for entity in reversed(marked[kept:]))
        if here in line_starts:
            yield Markup().join(parts)
            parts = []
        parts.extend(_open(entity, here) for entity in covering[kept:])
        # As a reference, since a reader of HTML takes a bare one for the end of a line.
        parts.append(escape(text[here:there]).replace("\r", Markup("&#13;")))
        marked = covering
    parts.extend(_close(entity, len(text)) for entity in reversed(marked))
    yield Markup().join(parts)


def _common_start(some: Sequence[_Entity], others: Sequence[_Entity]) -> int:
    pairs = enumerate(zip(some, others, strict=False))
    return next((i for i, (a, b) in pairs if a is not b), min(len(some), len(others)))


def _open(entity: _Entity, here: int) -> Markup:
    return Markup(
        '<mark{} data-entity="{}" data-assertion="{}" style="--hue:{}" title="{}">'
    ).format(
        Markup(' id="{}"').format(entity.id) if here == entity.start else "",
        entity.id,
        entity.row.get("assertion") or "",
        entity.hue,
        entity.tip,
    )


def _close(entity: _Entity, here: int) -> Markup:
    tag = Markup('<i data-tag="{}"></i>').format(entity.tag) if here == entity.end else ""
    return Markup("{}</mark>").format(tag)


def _assertion_tag(value: str | None) -> str:
    return _ASSERTIONS.get(value, _words(value)) if value else ""


def _words(value: str) -> str:
    return value.replace("_", " ")


def _percent(confidence: float | None) -> str:
    return "" if confidence is None else f" {confidence:.1%}"
