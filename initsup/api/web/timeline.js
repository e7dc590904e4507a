// The time line: rows of boxes and pins, laid out by the server; here they are put in their places and told.

const SVG = "http://www.w3.org/2000/svg";
const WINDOWS = [["Start-up", "start=true"], ["1 min", "last=60"], ["10 min", "last=600"], ["1 h", "last=3600"], ["All", ""]];
const LEGEND = {
  starting: ["i", "starting"], running: ["i", "running, not ready"], ready: ["i", "ready"], stopping: ["i", "being stopped"],
  "back-off": ["i", "waits for its back-off"], failing: ["i", "cannot be started"], done: ["u", "succeeded"],
  failed: ["u", "failed"], ended: ["u", "ended by our signal"], probe: ["u", "probe failed"], hook: ["u", "hook failed"],
  asked: ["u", "asked for"],
};
const rows = new Map(); // name → the elements of its row
const SAMPLES = 40;
const MANY = 18; // rows that fit into the page; more of them scroll by themselves

const $ = (id) => document.getElementById(id);

/** An element with these properties and children; text is text, never markup. */
function el(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function clock(wall, form) {
  return new Date(wall * 1000).toLocaleTimeString([], { hourCycle: "h23", hour: "2-digit", minute: "2-digit", ...form });
}

const exactly = (wall) => clock(wall, { second: "2-digit", fractionalSecondDigits: 1 });

function tickText(chart, wall) {
  if (chart.step >= 86400) return new Date(wall * 1000).toLocaleDateString([], { day: "numeric", month: "short" });
  return clock(wall, chart.step < 60 ? { second: "2-digit", ...(chart.step < 1 ? { fractionalSecondDigits: 1 } : {}) } : {});
}

function percent(fraction) {
  return `${(fraction * 100).toFixed(3)}%`;
}

/** Show a chart. `pick` is called with the name of a container whose log is wanted, `again` with one to restart. */
function showChart(chart, { pick, again }) {
  $("chart").classList.toggle("many", chart.rows.length > MANY);
  const longest = Math.max(...chart.rows.slice(1).map((row) => row.name.length));
  $("chart").style.setProperty("--name", `${Math.min(Math.max(longest * 8.5 + 58, 120), 290)}px`);
  showTicks(chart);
  const used = new Set();
  for (const [number, row] of chart.rows.entries()) {
    const key = `${number}/${row.name}`;
    if (!rows.has(key)) rows.set(key, newRow(row, pick, again));
    const shown = rows.get(key);
    if (shown.item.parentNode !== $("rows")) $("rows").append(shown.item);
    paint(shown, row);
    row.boxes.forEach((box) => used.add(box.look));
    row.pins.forEach((pin) => used.add(pin.sign));
  }
  const known = Object.keys(LEGEND).filter((key) => used.has(key));
  if ($("legend").dataset.known !== known.join()) {
    $("legend").dataset.known = known.join();
    $("legend").replaceChildren(...known.map((key) => el("li", {}, el(LEGEND[key][0], { className: key }), LEGEND[key][1])));
  }
}

/** Labels where there is room for them: inside, and none over another. */
function showTicks(chart) {
  const room = $("axis").clientWidth;
  const wide = 7.2 * tickText(chart, chart.since).length;
  let free = 0;
  const labels = [];
  for (const tick of chart.ticks) {
    const middle = tick.at * room;
    if (middle - wide / 2 < free || middle + wide / 2 > room) continue;
    free = middle + wide / 2 + 10;
    const label = el("span", { textContent: tickText(chart, tick.wall) });
    label.style.left = percent(tick.at);
    labels.push(label);
  }
  $("axis").replaceChildren(...labels);
  $("grid").replaceChildren(...chart.ticks.map((tick) => {
    const line = el("i");
    line.style.left = percent(tick.at);
    return line;
  }));
}

function newRow(row, pick, again) {
  const isPod = row.kind === "pod";
  const kind = { pod: "", init: "init", sidecar: "sidecar" }[row.kind] ?? (row.kind === "main" ? "" : row.kind);
  const name = isPod ? el("b", { textContent: "Pod" })
    : el("button", { textContent: row.name, title: `Show the log of ${row.name}`, onclick: () => pick(row.name) });
  const lane = el("div", { className: "lane", tabIndex: 0 });
  lane.setAttribute("role", "img");
  const state = el("div", { className: "state" });
  const used = el("div", { className: "used" });
  const button = el("button", { className: "again", title: `Restart ${row.name}`, onclick: () => again(row.name) }, arrow());
  button.setAttribute("aria-label", `Restart ${row.name}`);
  button.hidden = isPod;
  const item = el("li", { className: "row" }, el("div", { className: "who" }, name, el("small", { textContent: kind })), lane, state, used,
    isPod ? el("span", { className: "again" }) : button);
  item.dataset.kind = row.kind;
  const shown = { item, lane, state, used, button, samples: [], told: [], at: -1, key: "" };
  lane.addEventListener("keydown", (event) => walk(shown, event));
  lane.addEventListener("blur", () => point(shown, -1));
  return shown;
}

function arrow() {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 16 16");
  picture.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3");
  picture.append(path);
  return picture;
}

function paint(shown, row) {
  const key = JSON.stringify([row.boxes, row.pins]);
  if (key === shown.key) return;
  shown.key = key;
  const parts = [];
  for (const box of row.boxes) {
    const part = el("i", { className: box.look });
    part.style.left = percent(box.at);
    part.style.width = percent(box.width);
    parts.push({ part, at: box.since, text: `${box.text}\n${exactly(box.since)} – ${exactly(box.until)}` });
  }
  for (const pin of row.pins) {
    const part = el("u", { className: pin.sign });
    part.style.left = percent(pin.at);
    const text = pin.count > 1 ? `${pin.text} (×${pin.count})` : pin.text;
    parts.push({ part, at: pin.wall, text: `${text}\n${exactly(pin.wall)}` });
  }
  parts.forEach((one) => { one.part.tip = one.text; });
  shown.lane.replaceChildren(...parts.map((one) => one.part));
  shown.told = parts.sort((a, b) => a.at - b.at);
  const newest = shown.told.at(-1);
  const counts = row.pins.filter((pin) => pin.sign === "failed" || pin.sign === "probe");
  const failures = counts.reduce((sum, pin) => sum + pin.count, 0);
  shown.lane.setAttribute("aria-label", `${row.kind === "pod" ? "Pod" : row.name}: ${newest ? newest.text : "nothing yet"}, `
    + `${row.restarts} restarts, ${failures} failures shown. Arrow keys go through it.`);
  if (shown.at >= 0 && document.activeElement === shown.lane) point(shown, Math.min(shown.at, parts.length - 1));
}

/** Go through what a lane shows by the arrow keys. */
function walk(shown, event) {
  const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
  if (event.key === "Escape") point(shown, -1);
  if (step === undefined || !shown.told.length) return;
  event.preventDefault();
  const from = shown.at < 0 && step === -1 ? shown.told.length : shown.at;
  point(shown, Math.max(0, Math.min(shown.told.length - 1, from + step)));
}

function point(shown, at) {
  shown.told.forEach(({ part }) => part.classList.remove("now"));
  shown.at = at;
  if (at < 0) { $("tip").hidden = true; return; }
  const { part, text } = shown.told[at];
  part.classList.add("now");
  const place = part.getBoundingClientRect();
  showTip(text, place.left + place.width / 2, place.top);
}

function showTip(text, x, y) {
  const tip = $("tip");
  tip.textContent = text;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(6, Math.min(innerWidth - width - 6, x - width / 2))}px`;
  tip.style.top = `${y - height - 10 < 6 ? y + 26 : y - height - 10}px`;
}

document.addEventListener("pointermove", (event) => {
  const text = event.target.tip;
  if (text) showTip(text, event.clientX, event.target.getBoundingClientRect().top);
  else if (!$("tip").hidden && document.activeElement?.className !== "lane") $("tip").hidden = true;
});

/** Show the state of a container, or of the pod, beside its lane. */
function showState(row, look, words, more = "", restarts = 0) {
  const told = `${words}${more ? `, ${more}` : ""}${restarts ? `, ${restarts} ${restarts === 1 ? "restart" : "restarts"}` : ""}`;
  if (row.state.title === told && row.state.dataset.look === look) return;
  row.state.dataset.look = look;
  row.state.title = told;
  row.state.replaceChildren(el("strong", { textContent: words }), more ? el("em", { textContent: ` ${more}` }) : "",
    restarts ? el("em", { textContent: ` ×${restarts}` }) : "");
}

/** Show what a container uses (cores, bytes; null: it does not run), and draw how its CPU went. */
function showUsage(row, cpu, memory) {
  if (cpu === null) {
    row.samples = [];
    row.used.replaceChildren();
    return;
  }
  row.samples = [...row.samples, cpu].slice(-SAMPLES);
  const most = Math.max(...row.samples, 0.02);
  const line = document.createElementNS(SVG, "polyline");
  const step = 44 / Math.max(row.samples.length - 1, 1);
  line.setAttribute("points", row.samples.map((one, at) => `${at * step},${17 - 15 * one / most}`).join(" "));
  const picture = document.createElementNS(SVG, "svg");
  picture.style.visibility = row.samples.length > 3 ? "" : "hidden";
  picture.setAttribute("viewBox", "0 0 44 18");
  picture.setAttribute("aria-hidden", "true");
  picture.append(line);
  row.used.replaceChildren(picture, el("span", { textContent: `${Math.round(cpu * 1000)}m  ${mebibytes(memory)}`, title: "CPU in thousandths of a core, memory" }));
}

function mebibytes(bytes) {
  const size = bytes / 2 ** 20;
  return size >= 1024 ? `${(size / 1024).toFixed(1)} Gi` : `${size >= 10 ? Math.round(size) : size.toFixed(1)} Mi`;
}
