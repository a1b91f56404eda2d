// Draws the page. Names come from a trace: they only become text.
"use strict";

const find = (id) => document.getElementById(id);
const number = (value) => (value === null ? "-" : value.toLocaleString("en-US"));

/** The data: base64, gzip, JSON. */
async function unpacked() {
  const text = atob(find("data").textContent);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const data = await unpacked();
const text = (at) => data.texts[at];
const ios = decodedIos(data.ios);
const bios = decodedBios(data.bios);
const atOfIo = new Map(ios.id.map((id, at) => [id, at]));
const atOfBio = new Map(bios.id.map((id, at) => [id, at]));
const ways = new Map(data.ways.map((way) => [way.io, way]));

/** Numbers out of their differences. */
function summed(differences) {
  let sum = 0;
  return differences.map((difference) => (sum += difference));
}

/** I/Os with the times that their columns stand for. */
function decodedIos(columns) {
  const device = columns.spans.map((spans) => spans.reduce((sum, value, at) => sum + (at % 2 ? value : 0), 0));
  const elapsed = columns.guest.map((guest, at) => (guest === null ? null : guest + device[at]));
  let [end, bio] = [0, 0];
  const from = columns.gap.map((gap, at) => {
    const begin = end + gap;
    end = begin + (elapsed[at] ?? 0);
    return begin;
  });
  const pairs = columns.spans.map((spans) => spans.flatMap((value, at) => (at % 2 ? [] : [[value, spans[at + 1]]])));
  const numbers = columns.bios.map((list) => list.map((difference) => (bio += difference)));
  return { ...columns, id: summed(columns.id), from, elapsed, device, spans: pairs, bios: numbers };
}

/** Bios, each with its stages. */
function decodedBios(columns) {
  const [id, io] = [summed(columns.id), summed(columns.io)];
  const places = new Map(ios.id.map((number, at) => [number, at]));
  const from = columns.since.map((since, at) => since + (ios.from[places.get(io[at])] ?? 0));
  const next = columns.lengths.map(() => 0);
  const stages = columns.way.map((way) => columns.ways[way].map((stage) => [stage, columns.lengths[stage][next[stage]++]]));
  return { ...columns, id, io, from, sector: summed(columns.sector), stages };
}

function add(parent, tag, content = null, classes = "") {
  const element = document.createElement(tag);
  if (content !== null) element.textContent = content;
  if (classes) element.className = classes;
  return parent.appendChild(element);
}

function clear(element) {
  while (element.firstChild) element.removeChild(element.firstChild);
}

/** A time in its unit, behind a tilde if times are approximate. */
function time(value) {
  if (value === null) return "-";
  if (!data.is_virtual) return `${number(value)} i`;
  return (data.is_approximate ? "~" : "") + inUnit(value);
}

/** Nanoseconds in a unit that fits. */
function inUnit(value) {
  if (value < 1e6) return `${(value / 1e3).toFixed(1)} µs`;
  if (value < 1e9) return `${(value / 1e6).toFixed(2)} ms`;
  return `${(value / 1e9).toFixed(3)} s`;
}

const hue = (at) => (at * 67 + 205) % 360;
const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = (at) => (at === null ? (dark.matches ? "#555" : "#bbb") : `hsl(${hue(at)} 50% ${dark.matches ? 38 : 70}%)`);
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A canvas of a height, cleared; its context and width in CSS pixels. */
function canvas(id, height) {
  const element = find(id);
  const ratio = devicePixelRatio || 1;
  element.style.height = `${height}px`;
  const width = element.clientWidth;
  element.width = Math.max(1, width * ratio);
  element.height = Math.max(1, height * ratio);
  const to = element.getContext("2d");
  to.setTransform(ratio, 0, 0, ratio, 0, 0);
  to.font = "11px ui-monospace, monospace";
  to.textBaseline = "middle";
  return [to, width];
}

/** A bar with as much of a text as fits. */
function bar(to, x, y, width, height, fill, label = "") {
  to.fillStyle = fill;
  to.fillRect(x, y, Math.max(width, 0.6), height);
  const letters = Math.floor((width - 4) / 6.7);
  if (letters < 3 || !label) return;
  to.fillStyle = style("--ink");
  to.fillText(label.length > letters ? `${label.slice(0, letters - 1)}…` : label, x + 2, y + height / 2);
}

// --- head, views, addresses ------------------------------------------------------------------------------------

const VIEWS = [["stack", "Layers"], ["timeline", "Timeline"], ["maps", "Over time"], ["ios", "I/Os"], ["io", "One I/O"], ["tables", "Tables"]];
let chosen = ways.size > 0 ? data.ways[0].io : (ios.id[0] ?? null);

for (const line of data.head) add(find("head"), "div", line);
const left = data.left_out;
if (left[0] + left[1] > 0) add(find("head"), "div", `left out (--limit): ${number(left[0])} I/Os, ${number(left[1])} bios`, "alarm");
add(find("head"), "div", `Anomalies: ${data.anomalies.length === 0 ? "none" : data.anomalies.join("; ")}`, data.anomalies.length ? "alarm" : "note");
VIEWS.forEach(([view, title], at) => {
  const link = add(find("views"), "a", `${at + 1} ${title}`);
  link.href = `#view=${view}`;
  link.dataset.view = view;
});

const DRAW = { stack: drawStack, timeline: drawTimeline, maps: drawMap, ios: drawIos, io: drawIo, tables: drawTable };

function address() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const io = Number(parts.get("io"));
  if (atOfIo.has(io)) {
    chosen = io;
    return "io";
  }
  const bio = atOfBio.get(Number(parts.get("bio")));
  if (bio !== undefined && atOfIo.has(bios.io[bio])) {
    chosen = bios.io[bio];
    return "io";
  }
  const view = parts.get("view");
  return view in DRAW ? view : "stack";
}

function show() {
  const view = address();
  for (const [name] of VIEWS) find(`view-${name}`).classList.toggle("shown", name === view);
  for (const link of find("views").children) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  DRAW[view]();
}

const open = (io) => { location.hash = `io=${io}`; };

// --- layers and the flame graph --------------------------------------------------------------------------------

const layerRows = new Map(data.tables.find((table) => table.by === "layer").rows.map((row) => [text(row[0]), row]));
let flame = { layer: null, focus: null };

/** Where the layers are: down to the device on the left, back up on the right. Column, row. */
const BACK = ["kernel", "sched", "softirq", "irq"];
const ROW = 68;
const EDGES = 30;

function places(shown) {
  const down = shown.filter((name) => !BACK.includes(name));
  const back = shown.filter((name) => BACK.includes(name)).sort((a, b) => BACK.indexOf(a) - BACK.indexOf(b));
  const rows = Math.max(down.length, back.length);
  const at = new Map(down.map((name, row) => [name, [0, row]]));
  back.forEach((name, row) => at.set(name, [1, rows - back.length + row]));
  at.set("device", [0.5, rows]);
  return [at, rows + 1];
}

function svg(parent, tag, attributes, content = null) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (content !== null) element.textContent = content;
  return parent.appendChild(element);
}

function layerBox(stack, name, layer, [column, row], lines, share) {
  const box = add(stack, "button", null, "layer");
  box.type = "button";
  box.style.left = `${column * 64}%`;
  box.style.top = `${row * ROW}px`;
  if (layer !== null) box.style.borderLeftColor = colour(layer);
  add(box, "strong", name);
  if (share !== null) add(box, "span", null, "bar").style.width = `${share}%`;
  add(box, "small", lines);
  return box;
}

function drawStack() {
  const stack = find("stack");
  clear(stack);
  const whole = Math.max(1, data.instructions);
  const shown = data.layers.filter((name) => layerRows.has(name));
  const [at, rows] = places(shown);
  stack.style.height = `${rows * ROW}px`;
  const width = stack.clientWidth;
  const lines = svg(stack, "svg", { width, height: rows * ROW });
  for (const name of shown) {
    const layer = data.layers.indexOf(name);
    const row = layerRows.get(name);
    const share = (100 * row[2]) / whole;
    const own = `${number(row[1])} calls, ${number(row[2])} i (${share.toFixed(1)}%)`;
    const box = layerBox(stack, name, layer, at.get(name), own, share);
    const out = data.edges.filter(([from]) => from === layer).map(([, to, count]) => `calls ${data.layers[to]} ${number(count)}×`);
    const into = data.edges.filter(([from, to]) => from === null && to === layer).map(([, , count]) => `begins a context ${number(count)}×`);
    box.title = [...into, ...out].join("\n");
    box.addEventListener("click", () => { flame = { layer, focus: null }; drawFlame(); });
  }
  const devices = data.tables.find((table) => table.by === "device");
  const [count, busy] = devices.rows.reduce((sum, row) => [sum[0] + row[1], sum[1] + row[2]], [0, 0]);
  layerBox(stack, "device", null, at.get("device"), `${number(count)} bios, ${devices.instructions ? number(busy) : time(busy)}`, null)
    .addEventListener("click", () => { location.hash = "view=tables"; });
  drawEdges(lines, width, at);
  drawFlame();
}

/** The calls between layers as arrows, the most frequent ones; the way to the device and back. */
function drawEdges(lines, width, at) {
  const marker = svg(svg(lines, "defs", {}), "marker", { id: "tip", viewBox: "0 0 6 6", refX: 6, refY: 3, markerWidth: 6, markerHeight: 6, orient: "auto" });
  svg(marker, "path", { d: "M0 0 6 3 0 6z", class: "tip" });
  const most = data.edges.filter(([from]) => from !== null).sort((a, b) => b[2] - a[2]).slice(0, EDGES);
  const named = most.map(([from, to, count]) => [data.layers[from], data.layers[to], count]);
  if (at.has("driver")) named.push(["driver", "device", null]);
  if (at.has("irq")) named.push(["device", "irq", null]);
  for (const [from, to, count] of named) {
    const [[column, row], [other, below]] = [at.get(from), at.get(to)];
    const y = (place, shift) => place * ROW + 24 + shift;
    const side = (place) => (place === 0 ? width * 0.32 : place === 1 ? width * 0.64 : width * 0.48);
    const [x1, x2, y1, y2] = [side(column), side(other), y(row, 6), y(below, -6)];
    const bulge = column === other ? (column === 0 ? 1 : -1) * (22 + 26 * Math.abs(row - below)) : (x2 - x1) / 2;
    const from0 = column === 0.5 ? width * 0.64 : x1;
    const to0 = other === 0.5 ? width * 0.32 + 2 : x2;
    const path = `M${from0} ${y1}C${x1 + bulge} ${y1} ${x2 + (column === other ? bulge : -bulge)} ${y2} ${to0} ${y2}`;
    const wide = count === null ? 2 : 0.6 + Math.log10(count + 1) * 0.6;
    const line = svg(lines, "path", { d: path, class: "edge", "stroke-width": wide, "marker-end": "url(#tip)" });
    svg(line, "title", {}, count === null ? `${from} to ${to}` : `${from} calls ${to} ${number(count)}×`);
    if (count === null) continue;
    // There and back are apart from each other.
    const middle = [(x1 + x2) / 2 + (column === other ? bulge * 0.75 : 0), (y1 + y2) / 2 + (below < row ? -7 : 7)];
    svg(lines, "text", { x: middle[0], y: middle[1], class: "count", "text-anchor": "middle" }, number(count));
  }
}

/** The tree of a layer: the calls into it from others, those of one function as one. */
function flameTree() {
  const root = { name: flame.layer === null ? "all contexts" : data.layers[flame.layer], layer: flame.layer, own: 0, total: 0, inner: new Map(), parent: null };
  const at = [];
  data.calls.forEach((call, index) => {
    const above = call.parent === null ? null : at[call.parent];
    let parent = above;
    if (flame.layer === null) parent ??= root;
    else if (!parent && call.layer === flame.layer) parent = root;
    if (!parent) { at[index] = null; return; }
    let node = parent.inner.get(call.name);
    if (!node) {
      node = { name: text(call.name), layer: call.layer, own: 0, total: 0, inner: new Map(), parent };
      parent.inner.set(call.name, node);
    }
    node.own += call.own;
    for (let up = node; up; up = up.parent) up.total += call.own;
    at[index] = node;
  });
  return root;
}

let flameSpots = [];
function drawFlame() {
  const root = flameTree();
  find("flame-title").textContent = `Flame graph of ${root.name}: ${number(root.total)} instructions`;
  const focus = flame.focus ? flame.focus.reduce((node, name) => [...node.inner.values()].find((inner) => inner.name === name) ?? node, root) : root;
  const spots = [];
  const visit = (node, x, width, depth, path) => {
    spots.push({ node, x, width, depth, path });
    let next = x;
    for (const inner of [...node.inner.values()].sort((a, b) => b.total - a.total)) {
      const share = node.total ? (width * inner.total) / node.total : 0;
      if (share > 0.0005) visit(inner, next, share, depth + 1, [...path, inner.name]);
      next += share;
    }
  };
  visit(focus, 0, 1, 0, flame.focus ?? []);
  const depth = Math.max(...spots.map((spot) => spot.depth)) + 1;
  const [to, width] = canvas("flame", depth * 18);
  flameSpots = spots.map((spot) => ({ ...spot, left: spot.x * width, across: spot.width * width, top: spot.depth * 18 }));
  for (const spot of flameSpots) {
    bar(to, spot.left, spot.top, spot.across - 0.6, 17, colour(spot.node.layer), `${spot.node.name} ${number(spot.node.total)}`);
  }
}

const spotAt = (spots, event) => spots.find((spot) => event.offsetX >= spot.left && event.offsetX < spot.left + spot.across && event.offsetY >= spot.top && event.offsetY < spot.top + 17);
find("flame").addEventListener("click", (event) => {
  const spot = spotAt(flameSpots, event);
  if (!spot) return;
  flame.focus = spot.depth === 0 ? (spot.path.length ? spot.path.slice(0, -1) : null) : spot.path;
  drawFlame();
});
find("flame").addEventListener("mousemove", (event) => {
  const spot = spotAt(flameSpots, event);
  find("flame").title = spot ? `${spot.node.name}: own ${number(spot.node.own)}, total ${number(spot.node.total)} instructions` : "";
});

// --- zoom: the same for all that is over time ------------------------------------------------------------------

/** Zooms and moves a range with wheel, drag and keys. */
function zoomable(id, range, redraw, click) {
  const element = find(id);
  let drag = null;
  const zoom = (factor, share) => {
    const middle = range.from + (range.to - range.from) * share;
    range.from = Math.max(range.first, middle - (middle - range.from) * factor);
    range.to = Math.min(range.last, middle + (range.to - middle) * factor);
    if (range.to - range.from < 10) range.to = range.from + 10;
    redraw();
  };
  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.3 : 1 / 1.3, event.offsetX / element.clientWidth);
  }, { passive: false });
  element.addEventListener("pointerdown", (event) => { drag = { x: event.offsetX, from: range.from, to: range.to, moved: false }; });
  element.addEventListener("pointermove", (event) => {
    if (!drag || Math.abs(event.offsetX - drag.x) < 3) return;
    drag.moved = true;
    const by = ((drag.x - event.offsetX) / element.clientWidth) * (drag.to - drag.from);
    const shift = Math.min(Math.max(by, range.first - drag.from), range.last - drag.to);
    range.from = drag.from + shift;
    range.to = drag.to + shift;
    redraw();
  });
  element.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) click(event);
    drag = null;
  });
  return zoom;
}

/** Times below what is drawn from x on. */
function axis(to, x, width, y, range) {
  to.fillStyle = style("--faint");
  for (let part = 0; part < 5; part += 1) {
    const at = x + ((width - x) * part) / 5;
    to.fillRect(at, y - 9, 1, 4);
    to.fillText(time(range.from + ((range.to - range.from) * part) / 5), at + 2, y);
  }
}

// --- timeline --------------------------------------------------------------------------------------------------

const ends = ios.id.map((_, at) => ios.from[at] + (ios.elapsed[at] ?? 0));
const bioEnds = bios.id.map((_, at) => bios.stages[at].reduce((sum, stage) => sum + stage[1], bios.from[at]));
const last = Math.max(1, ends.reduce((most, end) => Math.max(most, end), 0), bioEnds.reduce((most, end) => Math.max(most, end), 0));
const range = { first: 0, last: last * 1.01, from: 0, to: last * 1.01 };
const lanes = lanesOf();
let laneSpots = [];

/** A lane for each task and as many for each device as bios are in flight. */
function lanesOf() {
  const tasks = new Map();
  ios.id.forEach((_, at) => {
    const name = text(ios.task[at]);
    if (!tasks.has(name)) tasks.set(name, { name, ios: [], bios: [] });
    tasks.get(name).ios.push(at);
  });
  const devices = new Map();
  const order = bios.id.map((_, at) => at).sort((a, b) => bios.from[a] - bios.from[b]);
  for (const at of order) {
    const name = text(bios.device[at]);
    if (!devices.has(name)) devices.set(name, []);
    const all = devices.get(name);
    let lane = all.find((one) => one.end <= bios.from[at]);
    if (!lane) {
      if (all.length >= 64) continue;
      lane = { name: all.length ? "" : name, ios: [], bios: [], end: 0 };
      all.push(lane);
    }
    lane.bios.push(at);
    lane.end = bioEnds[at];
  }
  return [...tasks.values(), ...[...devices.values()].flat()];
}

const words = (at) => `#${ios.id[at]} ${text(ios.call[at])} ${text(ios.task[at])} ${text(ios.file[at])}`;
const matches = (at, search) => search === "" || words(at).toLowerCase().includes(search);

function drawTimeline() {
  const height = 18;
  const [to, width] = canvas("timeline", lanes.length * height + 22);
  const across = width - 130;
  const x = (at) => 130 + ((at - range.from) / (range.to - range.from)) * across;
  const search = find("search").value.trim().toLowerCase();
  const [guest, device] = [style("--guest"), style("--device")];
  laneSpots = [];
  find("range").textContent = `${time(range.from)} to ${time(range.to)}`;
  lanes.forEach((lane, row) => {
    const top = row * height + 1;
    to.fillStyle = style("--ink");
    to.fillText(lane.name.slice(0, 18), 4, top + 8);
    for (const at of lane.ios) {
      if (ends[at] < range.from || ios.from[at] > range.to) continue;
      to.globalAlpha = matches(at, search) ? 1 : 0.12;
      const begin = Math.max(130, x(ios.from[at]));
      const end = Math.min(width, x(ends[at]));
      const label = `${text(ios.call[at])} #${ios.id[at]}`;
      bar(to, begin, top, end - begin, height - 3, guest);
      for (const [since, length] of ios.spans[at]) {
        const from = Math.max(130, x(ios.from[at] + since));
        bar(to, from, top, Math.min(width, x(ios.from[at] + since + length)) - from, height - 3, device);
      }
      if (end - begin > 40) { to.fillStyle = style("--ink"); to.fillText(label.slice(0, Math.floor((end - begin) / 6.7)), begin + 2, top + 8); }
      laneSpots.push({ io: ios.id[at], left: begin, across: Math.max(3, end - begin), top, tip: `${words(at)}\nelapsed ${time(ios.elapsed[at])}, device ${time(ios.device[at])}` });
    }
    for (const at of lane.bios) {
      if (bioEnds[at] < range.from || bios.from[at] > range.to) continue;
      const io = atOfIo.get(bios.io[at]);
      to.globalAlpha = search === "" || (io !== undefined && matches(io, search)) ? 1 : 0.12;
      let from = bios.from[at];
      const parts = [];
      for (const [stage, length] of bios.stages[at]) {
        const begin = Math.max(130, x(from));
        bar(to, begin, top + 3, Math.min(width, x(from + length)) - begin, height - 8, colour(stage));
        parts.push(`${data.stages[stage][0]} ${time(length)}`);
        from += length;
      }
      const begin = Math.max(130, x(bios.from[at]));
      laneSpots.push({ io: bios.io[at], left: begin, across: Math.max(3, x(from) - begin), top, tip: `bio #${bios.id[at]} ${text(bios.op[at])} sector ${bios.sector[at]}, ${bios.bytes[at]} bytes\n${parts.join(", ")}` });
    }
    to.globalAlpha = 1;
  });
  axis(to, 130, width, lanes.length * height + 12, range);
  const used = new Set(bios.stages.flatMap((stages) => stages.map((stage) => stage[0])));
  legend("legend", [...used].sort((a, b) => a - b).map((stage) => [colour(stage), `${data.stages[stage][0]}: ${data.stages[stage][1]}`]), "time up to ");
}

function legend(id, rows, before = "") {
  const place = find(id);
  clear(place);
  for (const [fill, name] of rows) {
    add(place, "span", null, "swatch").style.background = fill;
    place.append(` ${before}${name}  `);
  }
}

const zoomTimeline = zoomable("timeline", range, drawTimeline, (event) => {
  const spot = spotAt(laneSpots, event);
  if (spot && atOfIo.has(spot.io)) open(spot.io);
});
find("timeline").addEventListener("mousemove", (event) => { find("timeline").title = spotAt(laneSpots, event)?.tip ?? ""; });
find("search").addEventListener("input", drawTimeline);
find("whole").addEventListener("click", () => { Object.assign(range, { from: range.first, to: range.last }); drawTimeline(); });

// --- over time -------------------------------------------------------------------------------------------------

function drawMap() {
  const what = find("map").value;
  const [to, width] = canvas("heat", 380);
  const [columns, rows, height] = [Math.min(240, Math.floor(width / 5)), 40, 360];
  const column = (at) => Math.min(columns - 1, Math.floor((at / range.last) * columns));
  if (what === "depth") return drawDepth(to, width, height, columns);
  const points = what === "latency"
    ? ios.id.flatMap((_, at) => (ios.elapsed[at] === null ? [] : [[ends[at], Math.log2(ios.elapsed[at] + 1)]]))
    : bios.id.flatMap((_, at) => (bios.bytes[at] ? [[bios.from[at], bios.sector[at]]] : []));
  const values = points.map((point) => point[1]);
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const counts = new Map();
  for (const [at, value] of points) {
    const row = high > low ? Math.min(rows - 1, Math.floor(((value - low) / (high - low)) * rows)) : 0;
    const key = column(at) * rows + row;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const most = [...counts.values()].reduce((a, b) => Math.max(a, b), 1);
  for (const [key, count] of counts) {
    to.globalAlpha = 0.25 + 0.75 * (count / most);
    to.fillStyle = style("--accent");
    to.fillRect(90 + (Math.floor(key / rows) * (width - 90)) / columns, height - ((key % rows) + 1) * (height / rows), (width - 90) / columns, height / rows);
  }
  to.globalAlpha = 1;
  to.fillStyle = style("--faint");
  const label = (value) => (what === "latency" ? time(2 ** value - 1) : number(Math.round(value)));
  if (points.length) [0, 0.5, 1].forEach((share) => to.fillText(label(low + (high - low) * share), 2, Math.min(height - 8, Math.max(8, height * (1 - share)))));
  find("map-note").textContent = points.length ? `stronger: more in the cell, up to ${number(most)}` : "nothing to show";
  axis(to, 90, width, height + 10, { from: 0, to: range.last });
}

function drawDepth(to, width, height, columns) {
  const steps = bios.id.flatMap((_, at) => [[bios.from[at], 1], [bioEnds[at], -1]]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const most = new Array(columns).fill(0);
  let [depth, before] = [0, 0];
  for (const [at, change] of steps) {
    const column = Math.min(columns - 1, Math.floor((at / range.last) * columns));
    for (let fill = before + 1; fill <= column; fill += 1) most[fill] = Math.max(most[fill], depth);
    depth += change;
    most[column] = Math.max(most[column], depth);
    before = column;
  }
  const top = most.reduce((a, b) => Math.max(a, b), 1);
  most.forEach((value, at) => bar(to, 90 + (at * (width - 90)) / columns, height - (value / top) * (height - 10), (width - 90) / columns - 0.5, (value / top) * (height - 10), style("--accent")));
  to.fillStyle = style("--faint");
  to.fillText(number(top), 2, 12);
  find("map-note").textContent = "bios from queue to end, the most in each column";
  axis(to, 90, width, height + 10, { from: 0, to: range.last });
}
find("map").addEventListener("change", drawMap);

// --- tables ----------------------------------------------------------------------------------------------------

function heads(table, names, sort = null, click = null) {
  const row = add(table.tHead, "tr");
  names.forEach(([name, isNumber], at) => {
    const head = add(row, "th", null, isNumber ? "number" : "");
    head.scope = "col";
    if (!click) { head.textContent = name; return; }
    if (sort.by === at) head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    const button = add(head, "button", name);
    button.type = "button";
    button.addEventListener("click", () => click(at));
  });
}

function cells(body, values, names) {
  const row = add(body, "tr");
  values.forEach((value, at) => add(row, "td", value, names[at][1] ? "number" : ""));
  return row;
}

const guestOf = (at) => (ios.elapsed[at] === null ? null : ios.elapsed[at] - ios.device[at]);
const COLUMNS = [
  ["I/O", true, (at) => ios.id[at], String],
  ["call", false, (at) => text(ios.call[at]), String],
  ["task", false, (at) => text(ios.task[at]), String],
  ["file", false, (at) => text(ios.file[at]), String],
  ["bytes", true, (at) => ios.bytes[at], number],
  ["returned", true, (at) => ios.returned[at], number],
  ["begin", true, (at) => ios.from[at], time],
  ["guest", true, guestOf, time],
  ["device", true, (at) => ios.device[at], time],
  ["elapsed", true, (at) => ios.elapsed[at], time],
  ["instructions", true, (at) => ios.instructions[at], number],
  ["bios", true, (at) => ios.bios[at].length, number],
];
const ROWS = 100;
const listing = { by: 7, down: true, page: 0, order: [] };

function ordered() {
  const search = find("filter").value.trim().toLowerCase();
  const [, isNumber, value] = COLUMNS[listing.by];
  const compare = isNumber
    ? (a, b) => (value(a) ?? -Infinity) - (value(b) ?? -Infinity)
    : (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
  listing.order = ios.id.map((_, at) => at).filter((at) => matches(at, search));
  listing.order.sort((a, b) => (listing.down ? -compare(a, b) : compare(a, b)) || ios.id[a] - ios.id[b]);
}

function drawIos() {
  ordered();
  const pages = Math.max(1, Math.ceil(listing.order.length / ROWS));
  listing.page = Math.min(listing.page, pages - 1);
  const table = find("ios");
  clear(table.tHead);
  clear(table.tBodies[0]);
  heads(table, COLUMNS, listing, (at) => {
    listing.down = listing.by === at ? !listing.down : COLUMNS[at][1];
    listing.by = at;
    drawIos();
  });
  for (const at of listing.order.slice(listing.page * ROWS, (listing.page + 1) * ROWS)) {
    const row = cells(table.tBodies[0], COLUMNS.map(([, , value, print]) => print(value(at))), COLUMNS);
    row.addEventListener("click", () => open(ios.id[at]));
  }
  find("page").textContent = `page ${listing.page + 1} of ${pages}, ${number(listing.order.length)} I/Os`;
}
find("filter").addEventListener("input", () => { listing.page = 0; drawIos(); });
find("previous").addEventListener("click", () => { listing.page = Math.max(0, listing.page - 1); drawIos(); });
find("next").addEventListener("click", () => { listing.page += 1; drawIos(); });

data.tables.forEach((table, at) => { add(find("by"), "option", table.by).value = at; });
find("by").addEventListener("change", drawTable);
function drawTable() {
  const { rows, instructions, by } = data.tables[Number(find("by").value || 0)];
  const print = instructions ? number : time;
  const whole = Math.max(1, rows.reduce((sum, row) => sum + row[2], 0));
  const names = [[by, false], ["count", true], ["own", true], ["own %", true], ["total", true]];
  const table = find("table");
  clear(table.tHead);
  clear(table.tBodies[0]);
  heads(table, names);
  for (const [name, count, own, total] of rows) {
    cells(table.tBodies[0], [text(name), number(count), print(own), ((100 * own) / whole).toFixed(2), print(total)], names);
  }
}

// --- one I/O ---------------------------------------------------------------------------------------------------

const wayRange = { first: 0, last: 1, from: 0, to: 1, io: null };
let waySpots = [];

function drawIo() {
  const at = atOfIo.get(chosen);
  if (at === undefined) { find("io-title").textContent = "no I/O"; return; }
  find("io-title").textContent = `I/O #${chosen}: ${text(ios.call[at])} by ${text(ios.task[at])}`;
  const facts = find("io-facts");
  clear(facts);
  add(facts, "div", `file ${text(ios.file[at]) || "-"}, ${number(ios.bytes[at])} bytes, returned ${number(ios.returned[at])}; elapsed ${time(ios.elapsed[at])}: guest ${time(guestOf(at))}, device ${time(ios.device[at])}; ${number(ios.instructions[at])} instructions`);
  for (const id of ios.bios[at]) {
    const bio = atOfBio.get(id);
    if (bio === undefined) continue;
    const stages = bios.stages[bio].map(([stage, length]) => `${data.stages[stage][0]} ${time(length)}`).join(", ");
    add(facts, "div", `bio #${id} ${text(bios.op[bio])} ${text(bios.device[bio])} sector ${bios.sector[bio]} + ${bios.bytes[bio] / 512}: ${stages}`, "note");
  }
  const way = ways.get(chosen);
  if (!way) add(facts, "div", `its calls are not in the page (--paths): iotrace-analyze path TRACE ${chosen}; iotrace-analyze why TRACE ${chosen}`);
  drawWhy(way, at);
  if (wayRange.io !== chosen) {
    const clocks = way ? way.segments.flatMap((segment) => segment.lines.flatMap((line) => [line.from, line.to ?? line.from])) : [0];
    const [first, end] = [clocks.reduce((a, b) => Math.min(a, b)), clocks.reduce((a, b) => Math.max(a, b))];
    Object.assign(wayRange, { first, last: Math.max(end, first + 10), from: first, to: Math.max(end, first + 10), io: chosen });
  }
  drawWay();
}

function drawWhy(way, at) {
  const table = find("why");
  clear(table.tHead);
  clear(table.tBodies[0]);
  const names = [["at", true], ["for", true], ["%", true], ["what", false]];
  if (!way || way.why.length === 0) return;
  heads(table, names);
  for (const { from, to, depth, what } of way.why) {
    const share = ((100 * (to - from)) / Math.max(1, ios.elapsed[at])).toFixed(1);
    cells(table.tBodies[0], [time(from - ios.from[at]), time(to - from), share, "\u00a0\u00a0".repeat(depth) + text(what)], names);
  }
}

function drawWay() {
  const way = ways.get(chosen);
  waySpots = [];
  const tracks = new Map();
  for (const segment of way?.segments ?? []) {
    const name = text(segment.context);
    if (!tracks.has(name)) tracks.set(name, { name, lines: [], depth: 0 });
    const track = tracks.get(name);
    for (const line of segment.lines) {
      track.lines.push(line);
      track.depth = Math.max(track.depth, line.depth);
    }
  }
  const height = 15;
  let top = 0;
  for (const track of tracks.values()) {
    track.top = top;
    top += (track.depth + 1) * height + 22;
  }
  const [to, width] = canvas("way", Math.max(30, top + 20));
  const x = (at) => ((at - wayRange.from) / (wayRange.to - wayRange.from)) * width;
  const places = new Map();
  const layers = new Set();
  for (const track of tracks.values()) {
    to.fillStyle = style("--ink");
    to.fillText(track.name, 4, track.top + 9);
    for (const line of track.lines) {
      const begin = x(line.from);
      const end = x(line.to ?? line.from);
      const y = track.top + 18 + line.depth * height;
      if (line.call !== null) places.set(line.call, y + height / 2);
      if (end < 0 || begin > width) continue;
      const from = Math.max(0, begin);
      bar(to, from, y, Math.min(width, end) - from, height - 1, colour(line.layer), text(line.name));
      if (line.layer !== null) layers.add(line.layer);
      waySpots.push({ line, left: from, across: Math.max(2, Math.min(width, end) - from), top: y });
    }
  }
  to.strokeStyle = to.fillStyle = style("--accent");
  for (const handoff of way?.handoffs ?? []) {
    const [fromY, toY] = [places.get(handoff.from_call), places.get(handoff.to_call)];
    if (fromY === undefined || toY === undefined) continue;
    const [fromX, toX] = [x(handoff.from), x(handoff.to)];
    to.beginPath();
    to.moveTo(fromX, fromY);
    to.lineTo(toX, toY);
    to.stroke();
    to.beginPath();
    to.arc(toX, toY, 2.5, 0, 7);
    to.fill();
    waySpots.push({ handoff, left: toX - 4, across: 8, top: toY - 8 });
  }
  if (way) axis(to, 0, width, top + 8, { from: wayRange.from - wayRange.first, to: wayRange.to - wayRange.first });
  legend("way-legend", [...layers].sort((a, b) => a - b).map((layer) => [colour(layer), data.layers[layer]]));
}

function wayText(event) {
  const spot = [...waySpots].reverse().find((one) => spotAt([one], event));
  if (!spot) return;
  if (spot.handoff) {
    find("way-text").textContent = `hand-off: ${text(spot.handoff.what)}, ${time(spot.handoff.to - spot.handoff.from)} later`;
    return;
  }
  const { line } = spot;
  const lasted = line.to === null ? "" : `, ${time(line.to - line.from)}; own ${number(line.own)}, total ${number(line.total)} instructions`;
  find("way-text").textContent = `${text(line.name)}  ${text(line.place)}\nat ${time(line.from - wayRange.first)}${lasted}\n${text(line.fields)}`;
}
const zoomWay = zoomable("way", wayRange, drawWay, wayText);
find("way").addEventListener("mousemove", wayText);

// --- keys ------------------------------------------------------------------------------------------------------

function step(by) {
  if (listing.order.length === 0) ordered();
  const now = listing.order.indexOf(atOfIo.get(chosen));
  const next = listing.order[Math.min(listing.order.length - 1, Math.max(0, now + by))];
  if (next !== undefined) open(ios.id[next]);
}

document.addEventListener("keydown", (event) => {
  if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement || event.ctrlKey || event.altKey || event.metaKey) return;
  const view = address();
  const zoom = view === "io" ? zoomWay : zoomTimeline;
  const at = "123456".indexOf(event.key);
  if (at >= 0 && event.key !== "") location.hash = VIEWS[at][0] === "io" && chosen !== null ? `io=${chosen}` : `view=${VIEWS[at][0]}`;
  else if (event.key === "j" || event.key === "ArrowDown") step(1);
  else if (event.key === "k" || event.key === "ArrowUp") step(-1);
  else if (event.key === "+" || event.key === "=") zoom(1 / 1.5, 0.5);
  else if (event.key === "-") zoom(1.5, 0.5);
  else if (event.key === "0") zoom(1e12, 0.5);
  else if (event.key === "/") find(view === "ios" ? "filter" : "search").focus();
  else return;
  event.preventDefault();
});

addEventListener("hashchange", show);
addEventListener("resize", show);
dark.addEventListener("change", show);
show();
document.body.dataset.ready = "true";
