// Draws the flame graph and the timelines, and sorts the tables. Names come from a trace: they only become text.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en-US");
const signed = (value) => (value < 0 ? "-" : "+") + number(Math.abs(value));
const ROW = 18;
const LETTER = 6.7;

/** Appends an element of the same language as its parent. */
function add(parent, tag, attributes = {}, text = null) {
  const element = document.createElementNS(parent.namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== null) element.textContent = text;
  return parent.appendChild(element);
}

function clear(element) {
  while (element.firstChild) element.removeChild(element.firstChild);
}

/** As much of a text as there is room for. */
function fitting(text, room) {
  const letters = Math.floor((room - 6) / LETTER);
  if (letters < 3) return "";
  return text.length <= letters ? text : text.slice(0, letters - 1) + "…";
}

/** A stage by its short name and, if that is another, the long one. */
const stageName = ([short, long]) => (short === long ? short : `${short} ${long}`);

function options(select, texts) {
  texts.forEach((text, at) => add(select, "option", { value: at }, text));
}

// --- the flame graph -----------------------------------------------------------------------------------------

/** The nodes of a class below one that stands for all of it. */
function whole({ syscall, pairs, nodes }) {
  const sum = (side) => nodes.reduce((all, node) => all + node.own[side], 0);
  const root = {
    parent: null,
    function: `${syscall}: all contexts`,
    change: null,
    calls: { a: pairs, b: pairs },
    own: { a: 0, b: 0 },
    total: { a: sum("a"), b: sum("b") },
  };
  const below = (node) => ({ ...node, parent: node.parent === null ? 0 : node.parent + 1 });
  return [root, ...nodes.map(below)];
}

/** Widths in instructions; children stand after their parents. */
function widths(nodes, side) {
  const own = (node) => (side === "max" ? Math.max(node.own.a, node.own.b) : node.own[side]);
  const all = nodes.map(own);
  for (let at = nodes.length - 1; at > 0; at -= 1) all[nodes[at].parent] += all[at];
  return all;
}

/** Where the nodes are, with one of them as wide as the graph: x and width from 0 to 1. */
function layout(nodes, wide, focus) {
  const around = [];
  for (let at = nodes[focus].parent; at !== null; at = nodes[at].parent) around.unshift(at);
  const spots = around.map((at, depth) => ({ at, x: 0, width: 1, depth, around: true }));
  const inside = new Map([[focus, { at: focus, x: 0, width: 1, depth: around.length, next: 0 }]]);
  for (let at = focus + 1; at < nodes.length; at += 1) {
    const parent = inside.get(nodes[at].parent);
    if (parent === undefined) continue;
    const width = wide[focus] > 0 ? wide[at] / wide[focus] : 0;
    inside.set(at, { at, x: parent.next, width, depth: parent.depth + 1, next: parent.next });
    parent.next += width;
  }
  return [...spots, ...inside.values()];
}

const kind = (change) => (change !== null && typeof change === "object" ? Object.keys(change)[0] : change);
const MARKS = { new: "+ ", inserted: "+ ", gone: "− ", removed: "− ", moved: "⇄ ", renamed: "≈ " };

/** How a node differs, in words. */
function change(node) {
  switch (kind(node.change)) {
    case "new": return "\nonly in B";
    case "gone": return "\nonly in A";
    case "inserted": return `\nonly in B, around ${node.change.inserted.inner.join(", ")}`;
    case "removed": return `\nonly in A, around ${node.change.removed.inner.join(", ")}`;
    case "moved": return `\nmoved; in A below ${node.change.moved.from.at(-1) ?? "the top"}`;
    case "renamed": return `\nrenamed, was ${node.change.renamed.from}`;
    default: return "";
  }
}

function hover(node) {
  const line = (name, { a, b }) => `\n${name}: A ${number(a)}, B ${number(b)}, ${signed(b - a)}`;
  const costs = line("own", node.own) + line("total", node.total) + line("calls", node.calls);
  return node.function + change(node) + costs;
}

/** The class of a node, and how strong its colour is: by the root, that small differences are seen too. */
function colour(node, most) {
  const difference = node.own.b - node.own.a;
  if (difference === 0) return ["same", 0];
  const weight = 15 + 85 * Math.sqrt(Math.abs(difference) / most);
  return [difference > 0 ? "more" : "less", weight.toFixed(1)];
}

function drawFlame(state) {
  const svg = find("flame");
  const nodes = state.nodes;
  const most = Math.max(1, ...nodes.map((node) => Math.abs(node.own.b - node.own.a)));
  const spots = layout(nodes, widths(nodes, find("width").value), state.focus);
  const across = Math.max(300, svg.clientWidth);
  const seen = spots.filter((spot) => spot.width * across >= 0.5);
  clear(svg);
  svg.setAttribute("height", (Math.max(...seen.map((spot) => spot.depth)) + 1) * ROW + 2);
  for (const spot of seen) {
    const node = nodes[spot.at];
    const [tone, weight] = colour(node, most);
    const other = matches(node.function) ? "" : "other";
    const names = [tone, kind(node.change) ?? "", spot.around ? "around" : "", other].filter((name) => name !== "");
    const group = add(svg, "g", { class: names.join(" "), "data-at": spot.at, style: `--weight: ${weight}%` });
    const [x, y, width] = [spot.x * across, spot.depth * ROW + 1, spot.width * across];
    add(group, "rect", { x, y, width, height: ROW - 1 });
    const label = fitting((MARKS[kind(node.change)] ?? "") + node.function, width);
    if (label !== "") add(group, "text", { x: x + 3, y: y + ROW - 6 }, label);
    add(group, "title", {}, hover(node));
  }
  const hidden = spots.length - seen.length;
  find("flame-note").textContent = hidden > 0 ? `${number(hidden)} functions too narrow to draw` : "";
  find("whole").disabled = state.focus === 0;
}

function startFlame() {
  const state = { nodes: [], focus: 0 };
  const draw = () => drawFlame(state);
  const choose = () => {
    [state.nodes, state.focus] = [whole(data.classes[find("class").value]), 0];
    draw();
  };
  const zoom = (at) => {
    state.focus = at;
    draw();
  };
  options(find("class"), data.classes.map((flame) => `${flame.syscall} (${number(flame.pairs)} pairs)`));
  find("class").addEventListener("change", choose);
  find("width").addEventListener("change", draw);
  find("whole").addEventListener("click", () => zoom(0));
  find("flame").addEventListener("click", (event) => {
    const group = event.target.closest("g");
    if (group !== null) zoom(Number(group.dataset.at));
  });
  window.addEventListener("resize", draw);
  find("search").addEventListener("input", draw);
  choose();
}

// --- the timelines -------------------------------------------------------------------------------------------

/** Bios of one side that are drawn. */
const BIOS = 24;
const hue = (stage) => Math.round((data.stages.findIndex(([short]) => short === stage) * 360) / data.stages.length);

/** First and last moment of both sides. */
function extent({ a, b }) {
  const moments = [a, b].flatMap(({ length, bios }) =>
    [0, length ?? 0, ...bios.flatMap((bio) => bio.stages.map(([, at]) => at))]);
  const [from, to] = moments.reduce(([low, high], at) => [Math.min(low, at), Math.max(high, at)], [0, 1]);
  return { from, to };
}

/** A round step of which there are about eight. */
function step({ from, to }) {
  const rough = (to - from) / 8;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  return [1, 2, 5, 10].map((times) => times * power).find((round) => round >= rough) ?? power * 10;
}

function drawAxis(svg, scale, span, y) {
  const every = step(span);
  for (let at = Math.ceil(span.from / every) * every; at <= span.to; at += every) {
    add(svg, "line", { class: "axis", x1: scale(at), x2: scale(at), y1: 0, y2: y });
    add(svg, "text", { x: scale(at) + 2, y: y + 12 }, number(at));
  }
}

/** A bio's stages, each from when it was reached to the next. */
function drawBio(svg, scale, { bio, what, stages }, y) {
  stages.forEach(([name, at], index) => {
    const [next, until] = stages[index + 1] ?? [null, at];
    const x = scale(at);
    if (next === null) {
      add(svg, "line", { class: "end", x1: x, x2: x, y1: y, y2: y + ROW - 3 });
    } else {
      const place = { x, y, width: Math.max(0.5, scale(until) - x), height: ROW - 3 };
      const bar = add(svg, "rect", { ...place, class: "stage", style: `--hue: ${hue(name)}` });
      const time = `${name} at ${number(at)}, ${next} at ${number(until)}: ${number(until - at)} instructions`;
      add(bar, "title", {}, `bio #${bio}, ${what}\n${time}`);
    }
    if (scale(until) - x >= 4 + name.length * LETTER) add(svg, "text", { x: x + 2, y: y + ROW - 7 }, name);
  });
}

/** One side: the call and its bios; returns where the next begins. */
function drawSide(svg, scale, letter, { length, bios }, y) {
  const text = length === null ? "the call did not return" : `call: ${number(length)}`;
  const end = scale(length ?? 0);
  add(svg, "text", { class: "label", x: 2, y: y + ROW - 6 }, letter);
  add(svg, "rect", { class: "call", x: scale(0), y, width: Math.max(1, end - scale(0)), height: ROW - 3 });
  add(svg, "text", { x: scale(0) + 3, y: y + ROW - 6 }, text);
  const shown = bios.slice(0, BIOS);
  shown.forEach((bio, at) => drawBio(svg, scale, bio, y + (at + 1) * ROW));
  const after = y + (shown.length + 1) * ROW;
  if (shown.length === bios.length) return after + ROW / 2;
  add(svg, "text", { x: scale(0) + 3, y: after + ROW - 6 }, `and ${number(bios.length - shown.length)} more bios`);
  return after + ROW * 1.5;
}

function drawTimelines() {
  const svg = find("timeline");
  const { timelines } = data.pairs[find("pair").value];
  const across = Math.max(300, svg.clientWidth);
  const span = extent(timelines);
  const scale = (at) => 20 + ((at - span.from) / (span.to - span.from)) * (across - 90);
  const rows = (side) => (Math.min(side.bios.length, BIOS) + (side.bios.length > BIOS ? 2.5 : 1.5)) * ROW;
  const bottom = rows(timelines.a) + rows(timelines.b);
  clear(svg);
  svg.setAttribute("height", bottom + ROW);
  drawAxis(svg, scale, span, bottom);
  drawSide(svg, scale, "B", timelines.b, drawSide(svg, scale, "A", timelines.a, 0));
  listStages(timelines);
}

/** The same as numbers: the n-th bio of A beside the n-th of B. */
function listStages({ a, b }) {
  const [head, body] = [find("stages").tHead, find("stages").tBodies[0]];
  [head, body, find("legend")].forEach(clear);
  const names = add(head, "tr");
  ["bio", "stage", "A", "B", "B - A"].forEach((name, at) => add(names, "th", at > 1 ? { class: "number" } : {}, name));
  const row = (bio, stage, x, y) => {
    const line = add(body, "tr");
    [bio, stage].forEach((text) => add(line, "td", {}, text));
    const both = x !== undefined && y !== undefined ? signed(y - x) : "";
    [x, y].forEach((value) => add(line, "td", { class: "number" }, value === undefined ? "" : number(value)));
    add(line, "td", { class: "number" }, both);
  };
  const used = new Set();
  for (let at = 0; at < Math.min(BIOS, Math.max(a.bios.length, b.bios.length)); at += 1) {
    const [ours, theirs] = [a, b].map((side) => new Map(side.bios[at]?.stages ?? []));
    const title = [a, b].map((side) => (side.bios[at] ? `#${side.bios[at].bio}` : "none")).join(" = ");
    for (const stage of data.stages.filter(([name]) => ours.has(name) || theirs.has(name))) {
      row(title, stageName(stage), ours.get(stage[0]), theirs.get(stage[0]));
      used.add(stage[0]);
    }
  }
  row("", "return of the call", a.length ?? undefined, b.length ?? undefined);
  for (const stage of data.stages.filter(([name]) => used.has(name))) {
    add(find("legend"), "span", { class: "swatch stage", style: `--hue: ${hue(stage[0])}` });
    add(find("legend"), "span", {}, ` ${stageName(stage)}  `);
  }
}

function startTimelines() {
  options(find("pair"), data.pairs.map((pair) => pair.title));
  find("pair").addEventListener("change", drawTimelines);
  window.addEventListener("resize", drawTimelines);
  find("search").addEventListener("input", choosePair);
  drawTimelines();
}

/** Only pairs that match can be chosen; all, if none does. */
function choosePair() {
  const select = find("pair");
  const fits = [...select.options].map((option) => matches(option.textContent));
  const none = !fits.includes(true);
  [...select.options].forEach((option, at) => { option.hidden = !none && !fits[at]; });
  if (!none && !fits[select.selectedIndex]) {
    select.selectedIndex = fits.indexOf(true);
    drawTimelines();
  }
}

// --- the tables ----------------------------------------------------------------------------------------------

/** What a cell is sorted by: of `1 → 2` the last number. */
function key(cell, numeric) {
  const text = cell === undefined ? "" : cell.textContent;
  if (!numeric) return text;
  const found = text.replaceAll(",", "").match(/[+-]?[0-9.]+(?=[^0-9]*$)/);
  return found === null ? -Infinity : Number(found[0]);
}

function sort(table, column, numeric, down) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [key(row.cells[column], numeric), row]);
  const less = (x, y) => (numeric ? x - y || 0 : x.localeCompare(y));
  rows.sort(([x], [y]) => (down ? less(y, x) : less(x, y)));
  rows.forEach(([, row]) => body.appendChild(row));
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const numeric = head.classList.contains("number");
    const text = head.textContent || (numeric ? "%" : "verdict");
    head.textContent = "";
    const button = add(head, "button", { type: "button" }, text);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const down = before === null ? numeric : before === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(table, column, numeric, down);
    });
  });
}

// --- the search ----------------------------------------------------------------------------------------------

/** Whether a text has what is searched for. */
function matches(text) {
  const search = find("search").value.trim().toLowerCase();
  return search === "" || text.toLowerCase().includes(search);
}

/** Rows that do not match are not shown, nor are tables without any that do. */
function searchTables() {
  let found = 0;
  for (const table of document.querySelectorAll("table.sortable")) {
    const rows = [...table.tBodies[0].rows];
    rows.forEach((row) => { row.hidden = !matches(row.textContent); });
    const shown = rows.filter((row) => !row.hidden).length;
    table.closest("section").hidden = shown === 0;
    found += shown;
  }
  find("found").textContent = find("search").value.trim() === "" ? "" : `${number(found)} rows`;
}

find("search").addEventListener("input", searchTables);
document.addEventListener("keydown", (event) => {
  const search = find("search");
  if (event.key === "Escape" && event.target === search) {
    search.value = "";
    search.dispatchEvent(new Event("input"));
    search.blur();
  } else if (event.key === "/" && !(event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement)) {
    search.focus();
  } else return;
  event.preventDefault();
});

/** `#search=fsync` behind the address. */
function fromAddress() {
  const [, text] = location.hash.match(/^#search=(.*)$/) ?? [];
  if (text === undefined) return;
  find("search").value = decodeURIComponent(text);
  find("search").dispatchEvent(new Event("input"));
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
if (data.classes.length > 0) startFlame();
if (data.pairs.length > 0) startTimelines();
addEventListener("hashchange", fromAddress);
fromAddress();
document.body.dataset.ready = "true";
