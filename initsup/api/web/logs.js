// One container's log: followed over restarts and lost connections, searched, and never more of it than fits.

const MOST = 5000; // lines that are kept
const TAIL = 1000; // lines that an instance's log begins with
const AHEAD = 2000; // lines that may wait to be shown; the stream is not read on before there are less
const ANSI = /[\u001b\u009b](?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-_])/g;

const log = {
  container: "", previous: false, follow: true, needle: "", at: null,
  attempt: -1, // the instance that is shown, and
  last: "", // the time of its last line
  ended: false, stop: null, waiting: [], dropped: 0, frame: 0, room: null,
};

/** Show the log of a container from here on. */
function openLog(container) {
  log.container = container;
  restartLog();
}

function restartLog() {
  closeLog();
  Object.assign(log, { attempt: -1, last: "", ended: false, waiting: [], dropped: 0, at: null });
  $("lines").replaceChildren();
  note("");
  count();
  followLog();
}

function closeLog() {
  log.stop?.abort();
  log.stop = null;
}

/** Go on where it was: at the start, and when the page is seen again. */
function followLog() {
  if (!log.container || log.stop) return;
  log.stop = new AbortController();
  const { signal } = log.stop;
  persist(signal, (alive) => readLog(signal, alive));
}

/** Read one instance's log to its end; true when there is nothing more to come from it for now. */
async function readLog(signal, alive) {
  const status = state.containers.get(log.container);
  if (!status) return false;
  const attempt = log.previous ? -2 : status.restartCount;
  if (attempt !== log.attempt) {
    if (log.attempt >= 0) cut(`instance ${attempt}`);
    Object.assign(log, { attempt, last: "", ended: false });
  }
  const options = new URLSearchParams({ container: log.container, timestamps: "true" });
  if (log.previous) options.set("previous", "true");
  else options.set("follow", "true");
  if (log.last) options.set("sinceTime", log.last);
  else options.set("tailLines", TAIL);
  let answer;
  try {
    answer = await ask(`${state.path}/log?${options}`, { accept: "*/*", signal });
  } catch (problem) {
    if (problem.code !== 400) throw problem;
    note(problem.message); // it has not been started yet, or has no instance before
    closeLog();
    return true;
  }
  alive();
  note("");
  for await (const lines of linesOf(answer)) {
    if (signal.aborted) return true;
    take(lines);
    while (log.waiting.length > AHEAD && !signal.aborted) await new Promise((resolve) => { log.room = resolve; });
  }
  log.ended = true;
  closeLog();
  await null;
  logMayGoOn();
  return true;
}

/** The pod has changed: there may be a new instance, or the first one. */
function logMayGoOn() {
  const status = state.containers.get(log.container);
  if (log.stop || log.previous || !status || document.hidden) return;
  if (status.restartCount !== log.attempt || !log.ended) {
    if (status.state?.waiting && status.restartCount === Math.max(log.attempt, 0)) return;
    followLog();
  } else {
    const end = status.state?.terminated ?? status.lastState?.terminated;
    note(end ? `This instance ended with exit code ${end.exitCode}.` : "This instance has ended.");
  }
}

function take(lines) {
  for (const line of lines) {
    const at = line.indexOf(" ");
    const time = at > 0 ? line.slice(0, at) : "";
    if (!time || (log.last && time <= log.last)) continue; // it was there before the connection was lost
    log.waiting.push({ time, text: line.slice(at + 1).replace(ANSI, "") });
  }
  const newest = log.waiting.at(-1);
  if (newest?.time) log.last = newest.time;
  if (log.waiting.length > MOST) log.waiting.splice(0, log.waiting.length - MOST);
  log.frame ||= requestAnimationFrame(showWaiting);
}

function cut(words) {
  log.waiting.push({ cut: words });
  log.frame ||= requestAnimationFrame(showWaiting);
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

function lineOf({ time, text, cut: words }) {
  if (words) return el("li", { className: "cut", textContent: words });
  const line = el("li", {}, el("time", { textContent: time.slice(11, 23), dateTime: time }), el("span"));
  line.text = text;
  mark(line);
  return line;
}

/** Show where a line matches what is searched for; a line that does not may be hidden. */
function mark(line) {
  if (line.text === undefined) { line.hidden = log.needle !== "" && pressed("only"); return; }
  const span = line.lastElementChild;
  const places = matches(line.text);
  line.found = places.length > 0;
  line.hidden = log.needle !== "" && !line.found && pressed("only");
  if (!places.length) { span.textContent = line.text; return; }
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

function count() {
  const found = log.needle ? [...$("lines").children].filter((line) => line.found).length : 0;
  $("found").textContent = log.needle ? `${found} ${found === 1 ? "line" : "lines"}` : "";
}

/** Go to the next line that matches, or the one before. */
function jump(step) {
  const found = [...$("lines").children].filter((line) => line.found);
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

const note = (words) => { $("log-note").textContent = words; };
const pressed = (id) => $(id).getAttribute("aria-pressed") === "true";
const press = (id, on) => $(id).setAttribute("aria-pressed", String(on));

function wireLogs() {
  let timer = 0;
  $("search").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 80); });
  $("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); clearTimeout(timer); if ($("search").value.toLowerCase() !== log.needle) search(); jump(event.shiftKey ? -1 : 1); }
  });
  $("only").addEventListener("click", () => { press("only", !pressed("only")); search(); });
  $("times").addEventListener("click", () => { press("times", !pressed("times")); $("lines").classList.toggle("timed", pressed("times")); });
  $("previous").addEventListener("click", () => { log.previous = !log.previous; press("previous", log.previous); restartLog(); });
  $("follow").addEventListener("click", () => setFollow(!log.follow));
  const stay = () => { if (log.follow) setFollow(false); };
  $("lines").addEventListener("wheel", (event) => { if (event.deltaY < 0) stay(); }, { passive: true });
  $("lines").addEventListener("touchmove", stay, { passive: true });
  $("lines").addEventListener("keydown", (event) => { if (["ArrowUp", "PageUp", "Home"].includes(event.key)) stay(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) { event.preventDefault(); $("search").focus(); }
  });
}
