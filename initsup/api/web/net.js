// The token, and how the API is asked: once, and as a stream that goes on. Knows nothing of what is shown.

const KEY = "initsup.token";
const FIRST_WAIT = 500, LONGEST_WAIT = 8000; // milliseconds between two tries
const net = { token: "", refused: () => {}, lost: () => {}, found: () => {} };

class Refused extends Error {
  constructor(code, message) { super(message); this.code = code; }
}

/** Take the token out of the address, where it would be seen and bookmarked; the server never gets to see that part. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  net.token = sessionStorage.getItem(KEY) || "";
}

/** Ask once. Throws Refused with what the server says, or a TypeError when nobody is there. */
async function ask(path, { method = "GET", accept = "application/json", body, signal } = {}) {
  const headers = { Authorization: `Bearer ${net.token}`, Accept: accept };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, {
    method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
  });
  if (answer.ok) return answer;
  const status = await answer.json().catch(() => ({}));
  if (answer.status === 401) {
    sessionStorage.removeItem(KEY);
    net.refused();
  }
  throw new Refused(answer.status, status.message || `${answer.status} ${answer.statusText}`);
}

/** The lines of an answer that goes on. Nothing is read ahead of the one who takes them. */
async function* linesOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      yield lines;
    }
    if (rest) yield [rest];
  } finally {
    reader.cancel().catch(() => {});
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/** Call `once` again and again until it says that it is enough (true), with longer and longer pauses while it fails. */
async function persist(signal, once) {
  let wait = FIRST_WAIT;
  while (!signal.aborted) {
    try {
      if (await once(() => { wait = FIRST_WAIT; })) return;
    } catch (problem) {
      if (signal.aborted || problem.code === 401) return;
      if (!(problem instanceof Refused)) net.lost();
      else if (problem.code !== 410) console.warn(problem.message);
    }
    await pause(wait, signal);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}

/** List and then watch a resource for as long as the signal lets it, beginning anew whenever the server wants that. */
function watch(path, { accept, query = "", signal, listed, changed }) {
  return persist(signal, async (alive) => {
    const list = await (await ask(`${path}?${query}`, { accept, signal })).json();
    net.found();
    alive();
    listed(list);
    const from = `watch=true&allowWatchBookmarks=true&resourceVersion=${list.metadata.resourceVersion}`;
    const answer = await ask(`${path}?${query}&${from}`, { accept, signal });
    for await (const lines of linesOf(answer)) {
      for (const line of lines) {
        if (!line) continue;
        const { type, object } = JSON.parse(line);
        if (type === "ERROR") throw new Refused(object.code, object.message); // 410: what we knew is too old
        alive();
        changed(type, object);
      }
    }
    throw new TypeError("the stream has ended");
  });
}
