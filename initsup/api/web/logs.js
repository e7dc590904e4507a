// Logs, of one container or of all: followed over restarts and lost connections, searched, and never more than fits.

const MOST = 5000; // lines that are kept
const WIDEST = 20000; // characters of a line that are shown
const AHEAD = 2000; // lines that may wait to be shown; the stream is not read on before there are less
const LATE = 5000; // milliseconds by which lines of two containers may come in another order than they were written
const ALL = ""; // instead of a container's name
const ANSI = /[\u001b\u009b](?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-_])/g;

const log = {
  container: null, follow: true, needle: "", at: null, stop: null,
  known: new Map(), // container → { attempt, last: the time of its last line, same: how many lines have that time }
  skip: new Map(), // the same, as it was when the connection was lost: what comes again up to there is not shown again
  waiting: [], frame: 0, room: null,
};

/** Show the log of a container, or of all, from here on. */
function openLog(container) {
  log.container = container;
  closeLog();
  Object.assign(log, { known: new Map(), skip: new Map(), waiting: [], at: null });
  $("lines").replaceChildren();
  $("lines").classList.toggle("named", container === ALL);
  $("previous").disabled = container === ALL;
  if (container === ALL) press("previous", false);
  noteLog();
  count();
  followLog();
}

function closeLog() {
  log.stop?.abort();
  log.stop = null;
}

/** Go on where it was: at the start, and when the page is seen again. */
function followLog() {
  if (log.container === null || log.stop) return;
  log.stop = new AbortController();
  const { signal } = log.stop;
  persist(signal, (alive) => (pressed("previous") ? readPrevious(signal) : readOn(signal, alive)));
}

/** What is written now, and was lately. */
async function readOn(signal, alive) {
  const options = new URLSearchParams(log.container === ALL ? {} : { container: log.container });
  log.skip = new Map([...log.known].map(([name, one]) => [name, { ...one }]));
  const newest = [...log.known.values()].reduce((last, one) => (one.last > last ? one.last : last), "");
  if (newest) options.set("sinceTime", new Date(Date.parse(newest) - LATE).toISOString());
  else options.set("tailLines", log.container === ALL ? 200 : 1000);
  const answer = await ask(`/dashboard/log?${options}`, { accept: "*/*", signal });
  alive();
  await takeAll(answer, signal, (line) => {
    const [name, attempt, time] = line.split(" ", 3);
    return { name, attempt: Number(attempt), time, text: line.slice(name.length + attempt.length + time.length + 3) };
  });
  throw new TypeError("the stream has ended");
}

/** The instance before the one that runs; nothing is added to that any more. */
async function readPrevious(signal) {
  const options = new URLSearchParams({ container: log.container, previous: "true", timestamps: "true", tailLines: MOST });
  try {
    const answer = await ask(`${state.path}/log?${options}`, { accept: "*/*", signal });
    await takeAll(answer, signal, (line) => {
      const [time] = line.split(" ", 1);
      return { name: log.container, attempt: 0, time, text: line.slice(time.length + 1) };
    });
  } catch (problem) {
    if (problem.code !== 400) throw problem;
    $("log-note").textContent = problem.message; // there is none
  }
  return true;
}

async function takeAll(answer, signal, parse) {
  for await (const lines of linesOf(answer)) {
    if (signal.aborted) return;
    take(lines.filter(Boolean).map(parse));
    while (log.waiting.length > AHEAD && !signal.aborted) await new Promise((resolve) => { log.room = resolve; });
  }
}

function take(lines) {
  for (const line of lines) {
    if (wasShown(line)) continue;
    const known = log.known.get(line.name);
    if (known && line.attempt > known.attempt) log.waiting.push({ cut: `${line.name}: restarted, instance ${line.attempt}` });
    log.known.set(line.name, { attempt: line.attempt, last: line.time, same: known?.last === line.time ? known.same + 1 : 1 });
    log.waiting.push({ ...line, text: shown(line.text) });
  }
  if (log.waiting.length > MOST) log.waiting.splice(0, log.waiting.length - MOST);
  if (log.waiting.length) log.frame ||= requestAnimationFrame(showWaiting);
}

function shown(text) {
  const plain = text.replace(ANSI, "");
  return plain.length > WIDEST ? `${plain.slice(0, WIDEST)} … (${plain.length - WIDEST} more characters)` : plain;
}

function wasShown({ name, time }) {
  const skip = log.skip.get(name);
  if (!skip) return false;
  if (time < skip.last) return true;
  if (time === skip.last && skip.same > 0) {
    skip.same--;
    return true;
  }
  log.skip.delete(name);
  return false;
}

function showWaiting() {
  log.frame = 0;
  const list = $("lines");
  list.append(...log.waiting.splice(0).map(lineOf));
  const over = list.childElementCount - MOST;
  for (let gone = 0; gone < over; gone++) list.firstElementChild.remove();
  if (log.follow) list.scrollTop = list.scrollHeight;
  count();
  log.room?.();
  log.room = null;
}

function lineOf({ name, time, text, cut }) {
  if (cut) return el("li", { className: "cut", textContent: cut });
  const of = el("b", { textContent: `${name} ` });
  of.dataset.hue = [...state.containers.keys()].indexOf(name) % 6;
  const line = el("li", {}, el("time", { textContent: `${clockOf(time)} `, dateTime: time }), of, el("span"));
  line.text = text;
  mark(line);
  return line;
}

function clockOf(time) {
  return new Date(time).toLocaleTimeString([], { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
}

/** Say what is not in the lines: that nothing will come, or not yet. */
function noteLog() {
  const status = state.containers.get(log.container);
  let words = "";
  if (status && !pressed("previous")) {
    const { waiting, terminated } = status.state ?? {};
    if (terminated) words = `It has ended with exit code ${terminated.exitCode}.`;
    else if (waiting) words = status.restartCount || status.lastState?.terminated ? `It waits to be started again: ${waiting.reason}.` : `It has not been started yet: ${waiting.reason}.`;
  }
  if (!pressed("previous")) $("log-note").textContent = words;
}

// -- searching

/** Show where a line matches what is searched for; a line that does not may be hidden. */
function mark(line) {
  const only = log.needle !== "" && pressed("only");
  if (line.text === undefined) { line.hidden = only; return; }
  const span = line.lastElementChild;
  const places = matches(line.text);
  line.found = places.length > 0;
  line.hidden = only && !line.found;
  let from = 0;
  const parts = [];
  for (const at of places) {
    parts.push(line.text.slice(from, at), el("mark", { textContent: line.text.slice(at, at + log.needle.length) }));
    from = at + log.needle.length;
  }
  span.replaceChildren(...parts, line.text.slice(from));
}

function matches(text) {
  if (!log.needle) return [];
  const places = [];
  const low = text.toLowerCase();
  for (let at = low.indexOf(log.needle); at >= 0; at = low.indexOf(log.needle, at + log.needle.length)) places.push(at);
  return places;
}

function search() {
  log.needle = $("search").value.toLowerCase();
  [...$("lines").children].forEach(mark);
  log.at = null;
  count();
  if (log.follow) $("lines").scrollTop = $("lines").scrollHeight;
}

const foundLines = () => [...$("lines").children].filter((line) => line.found);

function count() {
  const found = log.needle ? foundLines().length : 0;
  $("found").textContent = log.needle ? `${found} ${found === 1 ? "line" : "lines"}` : "";
}

/** Go to the next line that matches, or the one before. */
function jump(step) {
  const found = foundLines();
  if (!found.length) return;
  log.at?.classList.remove("at");
  const from = found.indexOf(log.at);
  log.at = found[from < 0 ? (step > 0 ? 0 : found.length - 1) : (from + step + found.length) % found.length];
  log.at.classList.add("at");
  setFollow(false);
  log.at.scrollIntoView({ block: "center" });
}

function setFollow(on) {
  log.follow = on;
  press("follow", on);
  if (on) $("lines").scrollTop = $("lines").scrollHeight;
}

const pressed = (id) => $(id).getAttribute("aria-pressed") === "true";
const press = (id, on) => $(id).setAttribute("aria-pressed", String(on));

function wireLogs() {
  let timer = 0;
  $("search").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 80); });
  $("search").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    clearTimeout(timer);
    if ($("search").value.toLowerCase() !== log.needle) search();
    jump(event.shiftKey ? -1 : 1);
  });
  $("only").addEventListener("click", () => { press("only", !pressed("only")); search(); });
  $("times").addEventListener("click", () => { press("times", !pressed("times")); $("lines").classList.toggle("timed", pressed("times")); });
  $("previous").addEventListener("click", () => { press("previous", !pressed("previous")); openLog(log.container); });
  $("follow").addEventListener("click", () => setFollow(!log.follow));
  const stay = () => { if (log.follow) setFollow(false); };
  $("lines").addEventListener("wheel", (event) => { if (event.deltaY < 0) stay(); }, { passive: true });
  $("lines").addEventListener("touchmove", stay, { passive: true });
  $("lines").addEventListener("keydown", (event) => { if (["ArrowUp", "PageUp", "Home"].includes(event.key)) stay(); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || /^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    $("search").focus();
  });
}
