// What the page shows of the pod, and what can be done to it. Everything it knows comes from the API.

const TOGETHER = 64; // containers whose logs can be shown in one
const CHIPS = 12; // containers that have a button each
const LAST_WORDS = 2000; // milliseconds in which the end of the log and of the time line may still come
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";
const state = {
  pod: null, cells: {}, path: "", over: false,
  containers: new Map(), // name → its status
  events: new Map(), window: "", stop: null, chartTimer: 0, charting: false,
};

function begin() {
  takeToken();
  net.refused = () => {
    leave();
    $("refused").textContent = net.token ? "That is not the token of this pod." : "";
    net.token = "";
    $("page").hidden = true;
    $("door").hidden = false;
    $("token").focus();
  };
  net.lost = () => {
    if (state.pod && isDone()) podIsGone();
    else if (!state.over) $("link").textContent = "No connection, trying again…";
  };
  net.found = () => { $("link").textContent = ""; };
  $("door").addEventListener("submit", (event) => {
    event.preventDefault();
    net.token = $("token").value.trim();
    sessionStorage.setItem(KEY, net.token);
    $("token").value = "";
    enter();
  });
  addEventListener("hashchange", () => { if (location.hash.includes("token=")) { takeToken(); leave(); enter(); } });
  document.addEventListener("visibilitychange", () => { // connections are few: who is not looked at has none
    if (document.hidden) leave();
    else if (net.token && !state.over) enter();
  });
  addEventListener("resize", soon);
  wireLogs();
  wirePage();
  if (net.token) enter();
  else net.refused();
}

/** Go live, with what is known already. */
function enter() {
  if (state.stop) return;
  state.stop = new AbortController();
  const { signal } = state.stop;
  watch("/api/v1/pods", {
    accept: TABLE, query: "includeObject=Object", signal,
    listed: (table) => {
      $("door").hidden = true;
      $("page").hidden = false;
      state.columns = table.columnDefinitions.map((column) => column.name);
      if (table.rows.length) podIs(table.rows[0]);
      else podIsGone();
      if (!state.watched) { state.watched = true; watchEvents(signal); }
    },
    changed: (type, table) => { if (type === "DELETED") podIsGone(); else if (type !== "BOOKMARK") podIs(table.rows[0]); },
  });
  tick(signal, 3000, showMetrics);
  tick(signal, 1000, () => { showFacts(); showAges(); });
  tick(signal, 2500, drawChart);
}

function leave() {
  state.stop?.abort();
  state.stop = null;
  state.watched = false;
  closeLog();
}

async function tick(signal, every, what) {
  while (!signal.aborted) {
    await pause(every, signal);
    if (!signal.aborted && state.pod) await Promise.resolve(what(signal)).catch(() => {});
  }
}

// -- the pod

function podIs(row) {
  const pod = row.object;
  const isNew = state.pod?.metadata.uid !== pod.metadata.uid;
  Object.assign(state, { pod, over: false, path: `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}` });
  state.cells = Object.fromEntries(state.columns.map((name, at) => [name, row.cells[at]]));
  const { status } = pod;
  const all = [status.initContainerStatuses, status.containerStatuses, status.ephemeralContainerStatuses].flatMap((some) => some ?? []);
  const order = [pod.spec.initContainers, pod.spec.containers].flatMap((some) => some ?? []).map((one) => one.name);
  all.sort((a, b) => (order.indexOf(a.name) + 1 || Infinity) - (order.indexOf(b.name) + 1 || Infinity));
  state.containers = new Map(all.map((one) => [one.name, one]));
  $("name").textContent = document.title = pod.metadata.name;
  const text = state.cells.Status;
  $("status").textContent = text;
  $("status").dataset.look = lookOf(text, isReady(pod));
  const trouble = pod.metadata.annotations?.["initsup.dev/degraded"] ?? "";
  $("trouble").textContent = trouble;
  $("trouble").hidden = !trouble;
  for (const id of ["stop", "restart-all"]) $(id).disabled = Boolean(pod.metadata.deletionTimestamp) || isDone();
  if (isNew) {
    rows.clear();
    $("rows").replaceChildren();
    state.window = "";
    showWindows();
  }
  showContainers(isNew);
  showFacts();
  showStates();
  soon();
  noteLog();
}

/** It was deleted, or has ended by itself; initsup goes, too, after its last words. */
function podIsGone() {
  if (state.over) return;
  state.over = true;
  if (!isDone() || state.pod.metadata.deletionTimestamp) {
    $("status").textContent = "Ended";
    $("status").dataset.look = "";
  }
  $("link").textContent = "";
  for (const button of document.querySelectorAll("#stop, #restart-all, button.again")) button.disabled = true;
  for (const row of rows.values()) showUsage(row, null);
  showFacts();
  showStates();
  soon();
  setTimeout(() => { if (state.over) leave(); }, LAST_WORDS);
}

const isDone = () => /Succeeded|Failed/.test(state.pod?.status.phase);
const isReady = (pod) => pod.status.conditions?.some((one) => one.type === "Ready" && one.status === "True");

function lookOf(text, ready) {
  if (/Error|BackOff|Failed|OOM|DeadlineExceeded|Evicted/.test(text)) return "bad";
  if (/Running/.test(text)) return ready ? "ready" : "wait";
  return /Completed|Succeeded/.test(text) ? "ready" : "wait";
}

function showFacts() {
  const { cells, pod } = state;
  if (!pod) return;
  const facts = [["Ready", cells.Ready], ["Restarts", String(cells.Restarts).split(" ")[0]], ["Age", ago(pod.metadata.creationTimestamp)]];
  if (state.total && !state.over) facts.push(["CPU", `${Math.round(state.total.cpu * 1000)}m`], ["Memory", mebibytes(state.total.memory)]);
  facts.push(["Host", pod.spec.nodeName]);
  const list = $("facts");
  while (list.childElementCount > facts.length) list.lastElementChild.remove();
  facts.forEach(([name, value], at) => {
    const shown = list.children[at] ?? list.appendChild(el("div", {}, el("dt"), el("dd")));
    shown.firstElementChild.textContent = name;
    if (shown.lastElementChild.textContent !== value) shown.lastElementChild.textContent = value;
  });
}

function showContainers(isNew) {
  const names = [...state.containers.keys()];
  if (isNew || (log.container !== ALL && !state.containers.has(log.container))) {
    const wanted = state.pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
    openLog(wanted ?? (names.length <= TOGETHER ? ALL : state.pod.spec.containers[0].name));
  }
  const list = $("containers");
  if (list.dataset.names !== names.join()) {
    if (list.dataset.names && !isNew && log.container === ALL) closeLog(); // to go on with one more container
    list.dataset.names = names.join();
    const choices = [...(names.length <= TOGETHER ? [ALL] : []), ...names];
    if (names.length <= CHIPS) list.replaceChildren(...choices.map(chip));
    else list.replaceChildren(chooser(choices));
  }
  followLog();
  showPicked();
}

const titleOf = (name) => (name === ALL ? "All" : name);

function chip(name) {
  const button = el("button", { textContent: titleOf(name), title: titleOf(name), onclick: () => pick(name) });
  button.dataset.name = name;
  return button;
}

function chooser(names) {
  const list = el("select", { onchange: () => pick(list.value) }, ...names.map((name) => el("option", { value: name, textContent: titleOf(name) })));
  list.setAttribute("aria-label", "Container");
  return list;
}

function pick(name) {
  if (name !== log.container) openLog(name);
  showPicked();
}

function showPicked() {
  for (const one of $("containers").children) {
    if (one.tagName === "SELECT") one.value = log.container;
    else one.setAttribute("aria-pressed", String(one.dataset.name === log.container));
  }
}

// -- the time line

function showWindows() {
  $("windows").replaceChildren(...WINDOWS.map(([name, query]) => {
    const button = el("button", { textContent: name, onclick: () => { state.window = query; showWindows(); drawChart(); } });
    button.setAttribute("aria-pressed", String(state.window === query));
    return button;
  }));
}

/** Draw it anew in a moment: changes come in bursts, and so do sizes. */
function soon() {
  state.chartTimer ||= setTimeout(() => { state.chartTimer = 0; drawChart(); }, 120);
}

async function drawChart() {
  if (state.charting || !state.stop || !state.pod) return;
  state.charting = true;
  try {
    const chart = await (await ask(`/dashboard/timeline?${state.window}&width=${$("axis").clientWidth}`, { signal: state.stop.signal })).json();
    showChart(chart, { pick, again: (name) => restart(name) });
    showStates();
  } catch (problem) {
    if (problem instanceof Refused) console.warn(problem.message);
  } finally {
    state.charting = false;
  }
}

function showStates() {
  for (const row of rows.values()) {
    const name = row.button.hidden ? "" : row.item.querySelector(".who button").textContent;
    if (!name) {
      const [ready, total] = String(state.cells.Ready).split("/");
      showState(row, $("status").dataset.look, state.over ? $("status").textContent : `${ready} of ${total} ready`);
      continue;
    }
    const status = state.containers.get(name);
    if (status) showState(row, ...containerState(row.item.dataset.kind, status));
    row.button.disabled = state.over || $("stop").disabled || !status || (once(row.item.dataset.kind) && !status.state?.running) || row.item.dataset.kind === "ephemeral";
  }
}

/** Whether containers of this kind run once, and nobody asks whether they are ready. */
const once = (kind) => kind !== "main" && kind !== "sidecar";

/** How a container is: the look of the words, the words, more of them, and how often it was restarted. */
function containerState(kind, status) {
  const { running, waiting, terminated } = status.state ?? {};
  const restarts = status.restartCount;
  if (state.over && !terminated) return ["", "Ended", "", restarts];
  if (running && once(kind)) return ["wait", "Running", "", restarts];
  if (running) return status.ready ? ["ready", "Ready", "", restarts] : ["wait", "Not ready", "", restarts];
  if (terminated) {
    const { exitCode, reason } = terminated;
    return [exitCode ? "bad" : "", reason || "Ended", exitCode ? `exit ${exitCode}` : "", restarts];
  }
  const reason = waiting?.reason ?? "Waiting";
  const words = { PodInitializing: "Waits", ContainerCreating: "Waits" }[reason] ?? reason;
  return [/Error|BackOff/.test(reason) ? "bad" : "", words, "", restarts];
}

// -- figures

async function showMetrics(signal) {
  if (state.over) return;
  const { name, namespace } = state.pod.metadata;
  const metrics = await (await ask(`/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods/${name}`, { signal })).json();
  const used = new Map(metrics.containers.map((one) => [one.name, [parseFloat(one.usage.cpu) / 1e9, parseFloat(one.usage.memory) * 1024]]));
  state.total = { cpu: 0, memory: 0 };
  for (const [cpu, memory] of used.values()) { state.total.cpu += cpu; state.total.memory += memory; }
  for (const row of rows.values()) {
    if (!row.button.hidden) showUsage(row, ...(used.get(row.item.querySelector(".who button").textContent) ?? [null, null]));
  }
}

// -- events

function watchEvents(signal) {
  const { namespace } = state.pod?.metadata ?? { namespace: "default" };
  watch(`/api/v1/namespaces/${namespace}/events`, {
    signal,
    listed: (list) => { state.events = new Map(list.items.map((one) => [one.metadata.name, one])); showEvents(); },
    changed: (type, one) => {
      if (type === "DELETED") state.events.delete(one.metadata.name);
      else if (type !== "BOOKMARK") state.events.set(one.metadata.name, one);
      showEvents();
    },
  });
}

function showEvents() {
  const only = pressed("warnings");
  const newest = [...state.events.values()].filter((one) => !only || one.type === "Warning")
    .sort((a, b) => b.lastTimestamp.localeCompare(a.lastTimestamp) || b.metadata.name.localeCompare(a.metadata.name)).slice(0, 200);
  $("events").replaceChildren(...newest.map((one) => {
    const of = /\{(.*)\}/.exec(one.involvedObject?.fieldPath ?? "")?.[1] ?? "pod";
    const item = el("li", { className: one.type === "Warning" ? "Warning" : "Normal" },
      el("p", {}, el("strong", { textContent: one.reason }), el("span", { className: "of", textContent: of }), el("time", { dateTime: one.lastTimestamp })),
      el("p", { className: "what", textContent: one.message.trim() }));
    item.count = one.count ?? 1;
    return item;
  }));
  if (!newest.length) $("events").append(el("li", { textContent: only ? "No warnings." : "Nothing yet." }));
  showAges();
}

function showAges() {
  for (const time of document.querySelectorAll("#events time")) {
    const { count } = time.closest("li");
    const words = `${ago(time.dateTime)} ago${count > 1 ? ` · ×${count}` : ""}`;
    if (time.textContent !== words) time.textContent = words;
  }
}

function ago(timestamp) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(timestamp)) / 1000));
  const [day, hour, minute] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (day) return hour ? `${day}d${hour}h` : `${day}d`;
  if (hour) return minute ? `${hour}h${minute}m` : `${hour}h`;
  return minute ? `${minute}m${seconds % 60}s` : `${seconds}s`;
}

// -- what can be done

function wirePage() {
  $("warnings").addEventListener("click", () => { press("warnings", !pressed("warnings")); showEvents(); });
  $("restart-all").addEventListener("click", () => restart(""));
  $("stop").addEventListener("click", async () => {
    const grace = state.pod.spec.terminationGracePeriodSeconds;
    if (!await confirmed(`Stop pod ${state.pod.metadata.name}?`, `Its containers are ended gracefully, within ${grace} s. initsup ends with it.`, "Stop pod")) return;
    await act(() => ask(state.path, { method: "DELETE", body: {} }), "The pod is being stopped");
  });
}

async function restart(name) {
  const what = name ? `container ${name}` : "all containers";
  const text = name ? "It is ended gracefully and started again at once, whatever its restart policy."
    : "Main containers and sidecars are ended gracefully and started again at once. Init containers do not run again.";
  if (!await confirmed(`Restart ${what}?`, text, "Restart")) return;
  await act(() => ask(`/dashboard/restart?${new URLSearchParams(name ? { container: name } : {})}`, { method: "POST" }),
    name ? `${name} is being restarted` : "The containers are being restarted");
}

function confirmed(title, text, yes) {
  const dialog = $("ask");
  $("ask-head").textContent = title;
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

async function act(what, done) {
  try {
    await what();
    toast(done);
  } catch (problem) {
    toast(problem instanceof Refused ? problem.message : "Nobody answers; is the pod still there?");
  }
}

function toast(words) {
  $("toast").textContent = words;
  $("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $("toast").hidden = true; }, 4000);
}

begin();
