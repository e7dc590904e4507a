"""What `kubectl get pod` prints about a pod: READY, STATUS, RESTARTS and the other columns.

Works on the v1 Pod as builtins, as it comes out of JSON, and imports next to nothing: the command line uses it without
loading the data model. The rules are pkg/printers/internalversion/printers.go (printPod) and pkg/util/duration.
"""

from typing import Any, NamedTuple

from initsup.spec.units import human_duration

NONE, UNKNOWN = "<none>", "<unknown>"


class Row(NamedTuple):
    """The columns of one pod, as text; the last four are those of `-o wide`."""

    name: str
    ready: str
    status: str
    restarts: str
    age: str
    ip: str
    node: str
    nominated: str
    gates: str


class Summary(NamedTuple):
    """A pod in a few words: `status` is the STATUS column, `ready` of `total` counts main containers and sidecars,
    `last_restart` is when the last run before the newest restart ended (Unix seconds, 0: never).
    """

    status: str
    ready: int
    total: int
    restarts: int
    last_restart: float


def row(pod: dict[str, Any], now: float) -> Row:
    """The columns of a pod; `now` is wall time in Unix seconds."""
    short = summary(pod)
    meta, spec, status = (pod.get(part) or {} for part in ("metadata", "spec", "status"))
    restarts = str(short.restarts)
    if short.restarts and short.last_restart > 0:
        restarts += f" ({human_duration(now - short.last_restart)} ago)"
    return Row(
        name=meta.get("name") or "",
        ready=f"{short.ready}/{short.total}",
        status=short.status,
        restarts=restarts,
        age=age(meta.get("creationTimestamp"), now),
        ip=status.get("podIP") or NONE,
        node=spec.get("nodeName") or NONE,
        nominated=status.get("nominatedNodeName") or NONE,
        gates=_gates(spec, _conditions(status)),
    )


def status_text(pod: dict[str, Any]) -> str:
    """The STATUS column alone: `Running`, `Init:1/2`, `CrashLoopBackOff`, `Terminating`, …"""
    return summary(pod).status


def summary(pod: dict[str, Any]) -> Summary:
    """Status, counts of ready containers and of restarts. While the pod initializes, restarts are those of its init
    containers; afterwards those of its main containers and sidecars.
    """
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    conditions = _conditions(status)
    inits = spec.get("initContainers") or ()
    sidecars = {c.get("name") for c in inits if c.get("restartPolicy") == "Always"}
    text = status.get("reason") or status.get("phase") or ""
    if conditions.get("PodScheduled", {}).get("reason") == "SchedulingGated":
        text = "SchedulingGated"

    pending, counted, ready = _inits(status.get("initContainerStatuses") or (), sidecars, len(inits))
    text = pending or text
    if not pending or conditions.get("Initialized", {}).get("status") == "True":
        mains = status.get("containerStatuses") or ()
        counted = [c for c in counted if c.get("name") in sidecars] + list(mains)
        text, ready_mains = _mains(mains, text, conditions.get("Ready", {}).get("status") == "True")
        ready += ready_mains
    return Summary(
        status=_deletion(pod, status) or text,
        ready=ready,
        total=len(spec.get("containers") or ()) + len(sidecars),
        restarts=sum(c.get("restartCount") or 0 for c in counted),
        last_restart=max([_ended_before(c) for c in counted], default=0.0),
    )


def age(timestamp: str | None, now: float) -> str:
    """How long ago an RFC 3339 time was, coarsely: `12s`, `5m3s`, `<unknown>` when there is no time."""
    return human_duration(now - epoch(timestamp)) if timestamp else UNKNOWN


def epoch(timestamp: str) -> float:
    """Unix seconds of an RFC 3339 time such as `2026-01-02T03:04:05Z` or `…05.123456+01:00`. Raises ValueError."""
    year, month, day = int(timestamp[0:4]), int(timestamp[5:7]), int(timestamp[8:10])
    clock = timestamp[11:].rstrip("Zz")
    at = max(clock.find("+"), clock.find("-"))
    clock, offset = (clock[:at], clock[at:]) if at >= 0 else (clock, "+00:00")
    seconds = int(clock[0:2]) * 3600 + int(clock[3:5]) * 60 + float(clock[6:])
    shift = int(offset[1:3]) * 3600 + int(offset[4:6]) * 60
    # Years that begin in March put the leap day at their end: the days before a month then follow one formula.
    year -= month < 3
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 719469
    return days * 86400 + seconds - (shift if offset[0] == "+" else -shift)


# -- the rules -------------------------------------------------------------------------------------------------------


def _inits(statuses: Any, sidecars: set[Any], total: int) -> tuple[str, list[Any], int]:
    """What the first init container that is not through says ("" when all are), the statuses up to and including it,
    and how many ready sidecars come before it.
    """
    seen: list[Any] = []
    ready = 0
    for index, one in enumerate(statuses):
        seen.append(one)
        ended = _state(one, "terminated")
        if ended is not None and not ended.get("exitCode"):
            continue
        if one.get("name") in sidecars and one.get("started"):
            ready += bool(one.get("ready"))
            continue
        if ended is not None:
            return "Init:" + _ending(ended), seen, ready
        reason = (_state(one, "waiting") or {}).get("reason") or "PodInitializing"
        return "Init:" + (reason if reason != "PodInitializing" else f"{index}/{total}"), seen, ready
    return "", seen, ready


def _mains(statuses: Any, text: str, pod_is_ready: bool) -> tuple[str, int]:
    """STATUS after the main containers have had their say, and how many are ready; the first in order wins."""
    error, ready = "", 0
    for one in reversed(statuses):
        ended = _state(one, "terminated")
        if reason := (_state(one, "waiting") or {}).get("reason"):
            text = reason
        elif ended is not None:
            text = _ending(ended)
            error = text if ended.get("exitCode") else error
        elif one.get("ready") and _state(one, "running") is not None:
            ready += 1
    if text == "Completed":
        if ready and pod_is_ready:
            text = "Running"
        elif error:
            text = error
        elif ready:
            text = "NotReady"
    return text, ready


def _deletion(pod: dict[str, Any], status: dict[str, Any]) -> str:
    """STATUS of a pod that is being deleted; "" when it is not, or when it has ended already."""
    if not (pod.get("metadata") or {}).get("deletionTimestamp"):
        return ""
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return "" if status.get("phase") in ("Succeeded", "Failed") else "Terminating"


def _ending(ended: dict[str, Any]) -> str:
    """How a container ended, in a word."""
    if reason := ended.get("reason"):
        return str(reason)
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode') or 0}"


def _state(status: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """One of the three states of a container status; None when it is in another."""
    found: dict[str, Any] | None = (status.get("state") or {}).get(kind)
    return found


def _ended_before(status: dict[str, Any]) -> float:
    """When the previous run of a container ended; 0 when there was none or it is not known."""
    last = (status.get("lastState") or {}).get("terminated") or {}
    return epoch(last["finishedAt"]) if last.get("finishedAt") else 0.0


def _conditions(status: dict[str, Any]) -> dict[str, Any]:
    return {c.get("type", ""): c for c in status.get("conditions") or ()}


def _gates(spec: dict[str, Any], conditions: dict[str, Any]) -> str:
    gates = [gate.get("conditionType") for gate in spec.get("readinessGates") or ()]
    met = sum(conditions.get(gate, {}).get("status") == "True" for gate in gates)
    return f"{met}/{len(gates)}" if gates else NONE
