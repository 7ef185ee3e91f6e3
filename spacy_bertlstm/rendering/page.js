"use strict";
// Draws the relations above each row of a line, as the browser has wrapped it. A relation within
// a row is an arc; one between rows is a stem with its number above each of its ends.
const LEVEL = 15; // pixels from an arc to the next one above it
const ABOVE = 20; // of a row, above its base line, where nothing is drawn
const root = document.documentElement;
addEventListener("error", event => { root.dataset.error = event.message; });

const ties = [...document.querySelectorAll("li[data-head]")].map(item => ({
  item,
  label: item.dataset.label,
  tip: item.innerText.replace(/\s+/g, " "),
  number: [...item.parentNode.children].indexOf(item) + 1,
  ends: [item.dataset.head, item.dataset.tail].map(id => ({ mark: document.getElementById(id) })),
}));

const pen = document.createElement("canvas").getContext("2d");
pen.font = "600 10px system-ui, sans-serif";

function draw() {
  document.querySelectorAll("svg.arcs, i.room").forEach(old => old.remove());
  for (const tie of ties) tie.drawn = [];
  for (const tie of ties) tie.ends.forEach(measure);
  const rows = collect();
  rows.forEach(place);
  rows.forEach(makeRoom);
  // What stands above a row has moved it.
  for (const tie of ties) for (const end of tie.ends) end.top = firstPiece(end).top - end.line.getBoundingClientRect().top;
  rows.forEach(drawRow);
  root.dataset.drawn = ties.filter(tie => tie.drawn.length).length;
}

function firstPiece(end) {
  return [...end.mark.getClientRects()].find(piece => piece.width > 1);
}

// Where an end's mark begins; all rows have one height as long as nothing is drawn.
function measure(end) {
  const line = end.mark.closest(".line");
  const box = line.getBoundingClientRect();
  const piece = firstPiece(end);
  const height = parseFloat(getComputedStyle(line).lineHeight);
  const row = Math.floor((piece.top + piece.height / 2 - box.top) / height);
  Object.assign(end, { line, row, left: piece.left - box.left, width: piece.width });
}

// The shapes of each row: an arc has two ends there, a stem one.
function collect() {
  const rows = new Map();
  for (const tie of ties) {
    const [head, tail] = tie.ends;
    const together = head.line === tail.line && head.row === tail.row;
    for (const ends of together ? [[head, tail]] : [[head], [tail]]) {
      if (!rows.has(ends[0].line)) rows.set(ends[0].line, []);
      (rows.get(ends[0].line)[ends[0].row] ??= []).push(makeShape(tie, ends));
    }
  }
  return [...rows.values()].flatMap(row => Object.values(row));
}

function makeShape(tie, ends) {
  const [head, tail] = tie.ends;
  let text = tie.label;
  if (ends.length === 1) {
    const down = head.mark.compareDocumentPosition(tail.mark) & Node.DOCUMENT_POSITION_FOLLOWING;
    text += ` ${(ends[0] === head) === Boolean(down) ? "↓" : "↑"}${tie.number}`;
  }
  return { tie, ends, text, width: pen.measureText(text).width + 8 };
}

// Gives every shape its stems, side by side on their marks, and the lowest level that is free.
function place(shapes) {
  const across = shapes[0].ends[0].line.clientWidth;
  const stems = new Map();
  for (const shape of shapes) {
    shape.stems = shape.ends.map((end, i) => {
      const middle = end.left + end.width / 2;
      const other = shape.ends[1 - i];
      const toRight = other ? other.left > end.left : middle + shape.width < across;
      const stem = { end, toRight, to: other ? other.left + other.width / 2 : middle };
      if (!stems.has(end.mark)) stems.set(end.mark, []);
      stems.get(end.mark).push(stem);
      return stem;
    });
  }
  // In this order no stem crosses the arc of another one of its mark.
  for (const onMark of stems.values()) {
    onMark.sort((a, b) => a.toRight - b.toRight || b.to - a.to);
    onMark.forEach((stem, i) => { stem.x = stem.end.left + stem.end.width * (i + 1) / (onMark.length + 1); });
  }
  for (const shape of shapes) {
    const xs = shape.stems.map(stem => stem.x);
    const [low, high] = [Math.min(...xs), Math.max(...xs)];
    shape.reach = high - low;
    const middle = xs.length === 2 ? (low + high) / 2 : low + (shape.stems[0].toRight ? 1 : -1) * (shape.width / 2 + 4);
    shape.middle = Math.max(shape.width / 2, Math.min(middle, across - shape.width / 2));
    shape.left = Math.min(low, shape.middle - shape.width / 2);
    shape.right = Math.max(high, shape.middle + shape.width / 2);
  }
  shapes.sort((a, b) => a.reach - b.reach || b.left - a.left);
  shapes.forEach((shape, i) => {
    const beside = shapes.slice(0, i).filter(other => other.left < shape.right + 3 && shape.left < other.right + 3);
    shape.level = 0;
    while (beside.some(other => other.level === shape.level)) shape.level += 1;
  });
}

// An empty box, as high as the row has to be, that moves the row and no word of it.
function makeRoom(shapes) {
  const height = ABOVE + 8 + LEVEL * (1 + Math.max(...shapes.map(shape => shape.level)));
  const room = document.createElement("i");
  room.className = "room";
  room.style.cssText = `font-size: 0; line-height: ${height}px; vertical-align: ${height / 2}px`;
  shapes[0].ends[0].mark.prepend(room);
}

function make(name, parent, attributes = {}) {
  const element = document.createElementNS(document.querySelector("svg").namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return parent.appendChild(element);
}

function drawRow(shapes) {
  const line = shapes[0].ends[0].line;
  const svg = line.querySelector("svg") ?? make("svg", line, { class: "arcs", "aria-hidden": "true" });
  const top = Math.min(...shapes.flatMap(shape => shape.ends.map(end => end.top)));
  const paths = make("g", svg); // below all labels
  for (const shape of shapes) {
    const [head, tail] = shape.tie.ends;
    const y = top - 11 - LEVEL * shape.level;
    const lines = make("g", paths);
    for (const { x, end } of shape.stems) {
      const turn = Math.sign(shape.middle - x) * Math.min(5, Math.abs(shape.middle - x));
      const foot = end.top - (end === tail ? 4 : 0);
      make("path", lines, { d: `M${x} ${foot}V${y + 5}Q${x} ${y} ${x + turn} ${y}H${shape.middle}` });
      if (end === tail) make("path", lines, { class: "tip", d: `M${x} ${end.top}l-3.5 -6h7z` });
    }
    const words = make("g", svg);
    make("title", words).textContent = shape.tie.tip;
    let parent = words;
    if (shape.ends.length === 1) parent = make("a", words, { href: `#${(shape.ends[0] === head ? tail : head).mark.id}` });
    make("text", parent, { x: shape.middle, y }).textContent = shape.text;
    for (const group of [lines, words]) group.tie = shape.tie;
    shape.tie.drawn.push(lines, words);
  }
}

// Lights up the relations of what is pointed at, with their ends.
function light(event) {
  document.querySelectorAll(".lit").forEach(lit => lit.classList.remove("lit"));
  const id = event.target.closest("mark")?.dataset.entity;
  const item = event.target.closest("li[data-head]");
  const drawn = event.target.closest("svg.arcs g");
  for (const tie of ties) {
    if (tie.item !== item && drawn?.tie !== tie && !tie.ends.some(end => end.mark.id === id)) continue;
    for (const part of [tie.item, ...tie.drawn]) part.classList.add("lit");
    for (const { mark } of tie.ends) {
      document.querySelectorAll(`[data-entity="${mark.id}"]`).forEach(piece => piece.classList.add("lit"));
    }
    if (!item) tie.item.parentNode.parentNode.scrollTop = tie.item.offsetTop - 60;
  }
}

draw();
let width = root.clientWidth;
addEventListener("resize", () => { if (root.clientWidth !== width) { width = root.clientWidth; draw(); } });
addEventListener("beforeprint", () => { root.classList.add("paper"); draw(); });
addEventListener("afterprint", () => { root.classList.remove("paper"); draw(); });
document.addEventListener("pointerover", light);
document.addEventListener("focusin", light);
