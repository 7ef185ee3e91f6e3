"""The page in a headless Chromium: its script runs, and what it draws is where it belongs.

Without a browser these tests are skipped, unless BERTLSTM_CHROMIUM names the one to use.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from spacy.tokens import Doc

from spacy_bertlstm.rendering.page import write_page

WANTED = os.environ.get("BERTLSTM_CHROMIUM")
CHROMIUM = WANTED or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: install it, or name it in BERTLSTM_CHROMIUM"
)

# Stands before everything else on the page under test.
WATCH = """<script>
window.seen = { errors: [], violations: [] };
addEventListener("error", event => seen.errors.push(event.message));
addEventListener("securitypolicyviolation", event => seen.violations.push(event.blockedURI));
</script>"""

# Stands behind everything else: what is on the page, in pixels.
PROBE = """<script>
const all = selector => [...document.querySelectorAll(selector)];
const box = rect => [rect.left, rect.top, rect.right, rect.bottom];
function probe() {
  const words = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentNode;
    if (!parent.closest(".line") || parent.closest("svg")) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    words.push(...[...range.getClientRects()].filter(rect => rect.width > 1).map(box));
  }
  const marks = all("mark[id]").flatMap(mark =>
    [...mark.getClientRects()].map(rect => ({ id: mark.id, rect })));
  const feet = all("svg.arcs path:not(.tip)").map(path => {
    const corner = path.ownerSVGElement.getBoundingClientRect(), foot = path.getPointAtLength(0);
    const [x, y] = [corner.left + foot.x, corner.top + foot.y + 7];
    return marks.findLast(({ rect }) =>
      rect.left <= x && x <= rect.right && rect.top <= y && y <= rect.bottom)?.id ?? null;
  });
  const notes = all(".text").map(note => {
    const copy = note.cloneNode(true);
    copy.querySelectorAll("svg").forEach(svg => svg.remove());
    return copy.textContent;
  });
  return {
    notes, words, feet,
    drawn: document.documentElement.dataset.drawn,
    tips: all("svg.arcs path.tip").length,
    labels: all("svg.arcs text").map(text =>
      ({ text: text.textContent, box: box(text.getBoundingClientRect()) })),
    text: box(document.querySelector(".text").getBoundingClientRect()),
  };
}
function point(element) {
  element.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
  return [...new Set(all("mark.lit").map(mark => mark.dataset.entity))];
}
addEventListener("load", () => setTimeout(() => {
  const result = { screen: probe(), lit: all("li[data-head]").map(point) };
  result.none = point(document.body);
  dispatchEvent(new Event("beforeprint"));
  result.paper = probe();
  result.asked = performance.getEntriesByType("resource").map(entry => entry.name);
  document.documentElement.dataset.probe = JSON.stringify({ ...result, ...seen });
}, 100));
</script>"""


def look(path: Path, *docs: Doc, width: int = 1200, extra: str = "") -> dict[str, Any]:
    """What a browser window of a width makes of the page of some Docs."""
    write_page(docs, path, title="notes")
    page = path.read_text(encoding="utf-8").replace("<meta charset", f"{WATCH}<meta charset", 1)
    path.write_text(page.replace("</body>", f"{extra}{PROBE}</body>"), encoding="utf-8", newline="")
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        f"--user-data-dir={path.parent / 'profile'}",
        f"--window-size={width},4000",
        "--virtual-time-budget=5000",
        "--dump-dom",
        path.as_uri(),
    ]
    dom = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (found,) = re.findall(r'data-probe="([^"]*)"', dom)
    return json.loads(html.unescape(found))


@pytest.fixture
def long_note(make_doc: Callable[..., Doc]) -> Doc:
    """Many relations: side by side, nested, crossing, from one end, and from row to row."""
    text, entities = "", []
    for number in range(16):
        text += f"Aspirin helped the chest pain of day {number}, though not the bad headache; "
        text += "\n\n" if number % 4 == 3 else ""
        entities += [
            ("Aspirin", "treatment"),
            ("chest pain", "problem"),
            ("bad headache", "problem"),
        ]
    relations = [("TrAP", 3 * i, 3 * i + 1) for i in range(16)]
    relations += [("TrNAP", 3 * i, 3 * i + 2) for i in range(16)]
    relations += [("PIP", 3 * i + 2, 3 * i + 4) for i in range(15)]
    return make_doc("long", text, entities, relations)


def overlap(a: list[float], b: list[float]) -> bool:
    return a[0] < b[2] - 1 and b[0] < a[2] - 1 and a[1] < b[3] - 1 and b[1] < a[3] - 1


def assert_readable(probe: dict[str, Any], relations: int) -> None:
    assert probe["drawn"] == str(relations)
    assert probe["tips"] == relations, "each relation has one arrow"
    assert None not in probe["feet"], "a stem stands on no entity"
    boxes = [label["box"] for label in probe["labels"]]
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2)), "labels lie on labels"
    assert not any(overlap(a, b) for a in boxes for b in probe["words"]), "labels lie on words"
    edges = probe["text"]
    assert all(edges[0] - 1 <= box[0] and box[2] <= edges[2] + 1 for box in boxes)


def test_a_note(note: Doc, tmp_path: Path) -> None:
    found = look(tmp_path / "a.html", note)
    assert found["errors"] == found["violations"] == found["asked"] == []
    assert_readable(found["screen"], 2)
    assert found["screen"]["notes"] == [note.text]
    # One arc, and two ends of a relation from line to line.
    labels = sorted(label["text"] for label in found["screen"]["labels"])
    assert labels == ["PIP ↑2", "PIP ↓2", "TrAP"]
    assert sorted(found["screen"]["feet"]) == ["d1e1", "d1e2", "d1e4", "d1e5"]
    assert found["lit"] == [["d1e2", "d1e4"], ["d1e1", "d1e5"]] and found["none"] == []


@pytest.mark.parametrize("width", [480, 800, 1200])
def test_a_long_note(width: int, long_note: Doc, note: Doc, tmp_path: Path) -> None:
    found = look(tmp_path / "a.html", long_note, note, width=width)
    assert found["errors"] == found["violations"] == []
    relations = len(long_note._.relations) + len(note._.relations)
    assert_readable(found["screen"], relations)
    assert_readable(found["paper"], relations)
    assert found["screen"]["notes"] == found["paper"]["notes"] == [long_note.text, note.text]
    assert any(re.search("[↑↓]", label["text"]) for label in found["screen"]["labels"])
    assert sum(label["text"] == "TrAP" for label in found["paper"]["labels"]) > 8


def test_overlapping_entities(make_doc: Callable[..., Doc], tmp_path: Path) -> None:
    doc = make_doc(
        "a",
        "Severe acute kidney injury with\nmetabolic acidosis.",
        [("acute kidney injury", "problem"), ("metabolic acidosis", "problem")],
        [("PIP", 0, 1), ("PIP", 0, 0)],
        [("Severe acute", "severity"), ("kidney", "site"), ("injury with\nmetabolic", "event")],
    )
    found = look(tmp_path / "a.html", doc)
    assert found["errors"] == []
    assert found["screen"]["notes"] == [doc.text]
    assert_readable(found["screen"], 2)
    assert found["lit"] == [["d1e2", "d1e5"], ["d1e2"]]


def test_what_must_not_be_is_seen(note: Doc, tmp_path: Path) -> None:
    """The tests above could not fail otherwise; and the page lets nothing in."""
    elsewhere = "https://nowhere.invalid/x.png"
    broken = f'<img src="{elsewhere}"><script>nowhere()</script>'
    found = look(tmp_path / "a.html", note, extra=broken)
    assert found["violations"] == found["asked"] == [elsewhere]
    assert ["nowhere" in error for error in found["errors"]] == [True]
