"""The page as it is written; what a browser makes of it is in test_browser.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_bertlstm.errors import BertLstmError
from spacy_bertlstm.rendering.page import Counts, write_page
from spacy_bertlstm.tokens.extensions import register_extensions


class Page(HTMLParser):
    """The texts and marks of a page, whose elements have to nest."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []  # of the notes
        self.pieces: dict[str, str] = {}  # the text of each entity's marks, joined
        self.tags: list[tuple[str, str]] = []  # (entity, what stands behind it)
        self.marks: list[dict[str, str]] = []
        self.items: list[dict[str, str]] = []  # of relations
        self.links: list[str] = []
        self.all_text = ""
        self.source = path.read_bytes().decode("utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list) -> None:
        values = dict(attributes)
        if tag == "div" and values.get("class", "").split()[:1] == ["text"]:
            self.texts.append("")
        if tag == "mark" and "data-entity" in values:
            self.marks.append(values)
            self.pieces.setdefault(values["data-entity"], "")
        if tag == "i":
            self.tags.append((self.open[-1][1]["data-entity"], values["data-tag"]))
        if tag == "li" and "data-head" in values:
            self.items.append(values)
        if tag == "a":
            self.links.append(values["href"])
        if tag not in ("meta", "br", "!doctype"):
            self.open.append((tag, values))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        self.all_text += data
        if any(values.get("class") == "line" for _, values in self.open):
            self.texts[-1] += data
        for tag, values in self.open:
            if tag == "mark" and "data-entity" in values:
                self.pieces[values["data-entity"]] += data


def render(path: Path, *docs: Doc, **options: object) -> Page:
    write_page(docs, path, title="notes & more", **options)
    return Page(path)


def test_text_marks_and_relations(note: Doc, tmp_path: Path) -> None:
    counts = write_page([note], tmp_path / "a.html", title="t")
    assert counts == Counts(docs=1, entities=5, relations=2)
    page = Page(tmp_path / "a.html")
    assert page.texts == [note.text]
    assert list(page.pieces.values()) == [
        "fever",
        "Aspirin",
        "old> chest",
        "chest pain",
        "headache",
    ]
    assert dict(page.tags) == {
        "d1e1": "problem · ⊘ absent",
        "d1e2": "treatment",
        "d1e3": "site",
        "d1e4": "problem",
        "d1e5": "problem · ? possible",
    }
    tips = {mark["data-entity"]: mark["title"] for mark in page.marks}
    assert tips["d1e1"] == "problem 75.0%, absent 50.0%"
    assert tips["d1e2"] == "treatment 87.5%"
    assert [(item["data-label"], item["data-head"], item["data-tail"]) for item in page.items] == [
        ("TrAP", "d1e2", "d1e4"),
        ("PIP", "d1e1", "d1e5"),
    ]
    assert "87.5%" in page.all_text


def test_every_link_leads_to_something_on_the_page(note: Doc, tmp_path: Path) -> None:
    page = render(tmp_path / "a.html", note, note)
    ids = re.findall(r' id="([^"]+)"', page.source)
    assert len(set(ids)) == len(ids)
    assert len(page.links) == 2 + 8 + 1
    assert {link.removeprefix("#") for link in page.links} <= set(ids)


def test_nothing_on_the_page_is_elsewhere(note: Doc, tmp_path: Path) -> None:
    source = render(tmp_path / "a.html", note).source
    assert re.search(r"https?:|//\w|\bsrc=|<link|@import|url\(|fetch\(", source) is None
    assert "default-src 'none'" in source


def test_what_looks_like_html_is_text(make_doc: Callable[..., Doc], tmp_path: Path) -> None:
    odd = '</div><script>alert("x")</script>'
    doc = make_doc(odd, f"Pain {odd} & &amp; 'x'", [("Pain", odd)], [(odd, 0, 0)])
    doc.ents[0]._.assertion = odd
    page = render(tmp_path / "a.html", doc)
    assert page.texts == [doc.text]
    assert page.source.count("<script>") == 1
    assert page.items[0]["data-label"] == odd
    assert page.tags == [("d1e1", f"{odd} · {odd}")]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_overlapping_entities_keep_their_text(data: st.DataObject, tmp_path: Path) -> None:
    words = data.draw(
        st.lists(st.sampled_from(["a", "<b>", "\n", "\r\n", "&c"]), min_size=1, max_size=12)
    )
    doc = Doc(spacy.blank("en").vocab, words=words)
    places = st.integers(0, len(doc))
    pairs = st.tuples(places, places).filter(lambda pair: pair[0] < pair[1])
    extents = data.draw(st.lists(pairs, unique=True, max_size=6))
    spans = [Span(doc, *extent, label="problem") for extent in extents]
    doc.spans["concepts"] = spans
    page = render(tmp_path / "a.html", doc)
    assert page.texts == [doc.text]
    assert sorted(page.pieces.values()) == sorted(span.text for span in spans)
    assert len(page.tags) == len({mark["id"] for mark in page.marks if "id" in mark}) == len(spans)


def test_an_end_that_is_no_entity_is_marked(make_doc: Callable[..., Doc], tmp_path: Path) -> None:
    doc = make_doc("a", "Aspirin for pain.", [("Aspirin", "treatment"), ("pain", "problem")])
    doc._.relations = [{"label": "TrAP", "head": [0, 7, "treatment"], "tail": [12, 16, "symptom"]}]
    page = render(tmp_path / "a.html", doc)
    assert page.pieces["d1e3"] == "pain"
    assert page.items[0]["data-tail"] == "d1e3"
    assert "2 entities" in page.all_text


def test_each_assertion_of_an_extent_is_marked(tmp_path: Path) -> None:
    register_extensions()
    doc = spacy.blank("en")("No pain.")
    doc.spans["found"] = [Span(doc, 1, 2, "problem", span_id=name) for name in ("a", "b")]
    for span, value in zip(doc.spans["found"], ("absent", "conditional"), strict=True):
        span._.assertion = value
    pain = [3, 7, "problem"]
    doc._.relations = [{"label": "PIP", "head": pain, "tail": pain}]
    page = render(tmp_path / "a.html", doc)
    assert page.texts == [doc.text]
    assert sorted(mark["data-assertion"] for mark in page.marks) == ["absent", "conditional"]
    assert page.items[0]["data-head"] == page.items[0]["data-tail"] == "d1e1"
    assert "2 entities" in page.all_text


def test_relations_of_vocabulary_ids_are_listed(note: Doc, tmp_path: Path) -> None:
    note._.concept_relations = [{"label": "CID", "head": "D1<b>", "tail": "D2", "confidence": 0.5}]
    page = render(tmp_path / "a.html", note)
    assert "3 relations" in page.all_text
    assert "CID 50.0%D1<b> → D2" in page.all_text
    assert len(page.items) == 2
    note._.relations = []
    page = render(tmp_path / "a.html", note)
    assert page.items == [] and "CID 50.0%" in page.all_text


def test_one_type_has_one_colour_on_all_notes(make_doc: Callable[..., Doc], tmp_path: Path) -> None:
    first = make_doc("a", "No pain.", [("pain", "problem")])
    second = make_doc("b", "Aspirin for pain.", [("Aspirin", "treatment"), ("pain", "problem")])
    page = render(tmp_path / "a.html", first, second)
    pain, aspirin, more_pain = (mark["style"] for mark in page.marks)
    assert pain == more_pain != aspirin


def test_index_names_and_model(note: Doc, make_doc: Callable[..., Doc], tmp_path: Path) -> None:
    nameless = make_doc(None, "", [])
    meta = {"lang": "en", "name": "clinical", "version": "1.2.3"}
    page = render(tmp_path / "a.html", note, nameless, model=meta)
    assert "notes & more" in page.all_text
    assert "2 documents, 5 entities, 2 relations, read by en_clinical 1.2.3" in page.all_text
    assert page.links[:2] == ["#d1", "#d2"]
    assert "Doc 2" in page.all_text
    assert "read by" not in render(tmp_path / "b.html", note).all_text


def test_an_old_page_stays_where_a_new_one_breaks_off(note: Doc, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("old", encoding="utf-8")
    broken = spacy.blank("en")("No pain.")
    broken._.relations = ["PIP"]
    with pytest.raises(BertLstmError, match="BL208"):
        write_page([note, broken], path, title="t")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
