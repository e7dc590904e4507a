"""CPU and memory of the containers now: metrics.k8s.io, and `initsup top`.

CPU is the mean since the last look, which the first time is a moment before. Memory is the working set: what a
container's processes have for themselves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from initsup.api.exchange import Answer, Request
from initsup.api.failure import not_allowed, not_found
from initsup.api.negotiate import list_reply, one_reply
from initsup.api.selectors import Selection
from initsup.engine import Engine

if TYPE_CHECKING:
    from initsup.api.cluster import Target
    from initsup.api.store import Store

FIRST_WINDOW = 0.1
"""Seconds between the two looks when there was none before."""


class Usage(msgspec.Struct, frozen=True):
    """CPU in cores, memory in bytes."""

    cpu: float
    memory: int


class _Look(msgspec.Struct, frozen=True):
    at: float
    seconds: dict[str, dict[int, tuple[float, float]]]
    """CPU seconds by container and process, the main one first: its own, and of children it has waited for."""
    memory: dict[str, int]


_last: dict[int, _Look] = {}


async def usage(engine: Engine) -> tuple[dict[str, Usage], float]:
    """Each running container's usage, and over how many seconds that was."""
    before = _last.get(id(engine))
    if before is None or time.monotonic() - before.at > 60.0:
        before = _look(engine)
        await anyio.sleep(FIRST_WINDOW)
    now = _look(engine)
    if now.at - before.at >= FIRST_WINDOW:
        _last[id(engine)] = now
    window = max(now.at - before.at, 0.001)
    return {
        name: Usage(used(before.seconds.get(name, {}), now.seconds[name]) / window, now.memory[name])
        for name in now.seconds
    }, window


def used(earlier: Mapping[int, tuple[float, float]], later: Mapping[int, tuple[float, float]]) -> float:
    """CPU seconds between two looks at the processes of a container (`_Look.seconds`), as a cgroup counts them.

    What a process that has ended had used by the first look is counted again by who waited for it, and taken off there.
    """
    if next(iter(earlier), 0) not in later:  # another instance
        earlier = {}
    own = sum(max(now - earlier.get(pid, (0.0, 0.0))[0], 0.0) for pid, (now, _) in later.items())
    waited = sum(max(now - earlier.get(pid, (0.0, 0.0))[1], 0.0) for pid, (_, now) in later.items())
    known = sum(sum(seconds) for pid, seconds in earlier.items() if pid not in later)
    return own + max(waited - known, 0.0)


def _look(engine: Engine) -> _Look:
    import psutil

    seconds: dict[str, dict[int, tuple[float, float]]] = {}
    memory: dict[str, int] = {}
    for name in engine.plan.members:
        pids = engine.node.processes(name)
        if not pids:
            continue
        seconds[name], memory[name] = {}, 0
        for pid in pids:
            try:
                process = psutil.Process(pid)
                with process.oneshot():
                    times, size = process.cpu_times(), process.memory_info()
            except psutil.Error:
                continue
            seconds[name][pid] = times.user + times.system, times.children_user + times.children_system
            memory[name] += size.rss - getattr(size, "shared", 0)
    return _Look(time.monotonic(), seconds, memory)


async def answer(store: Store, target: Target, request: Request) -> Answer:
    """PodMetrics and NodeMetrics. Raises Failure."""
    if request.method not in ("GET", "HEAD") or target.sub or request.flag("watch"):
        raise not_allowed()
    if target.resource == "nodes":
        return _answer(store, target, request, "NodeMetrics", [await _node(store.engine)])
    return _answer(store, target, request, "PodMetrics", [await _pod(store.engine)] if store.all("pods") else [])


def _answer(store: Store, target: Target, request: Request, kind: str, found: list[dict[str, Any]]) -> Answer:
    name = target.name
    labels, fields = request.first("labelSelector"), request.first("fieldSelector")
    selection = Selection(target.resource, labels, fields, target.namespace, name)
    chosen = [one for one in found if selection(one)]
    items = [{"kind": kind, "apiVersion": "metrics.k8s.io/v1beta1", **one} for one in chosen]
    resource = f"{target.resource}.metrics.k8s.io"
    if not name:
        return list_reply(request, resource, items, {"resourceVersion": str(store.version)})
    if not items:
        raise not_found(resource, name)
    return one_reply(request, resource, items[0])


async def _pod(engine: Engine) -> dict[str, Any]:
    used, window = await usage(engine)
    meta = engine.pod()["metadata"]
    return {
        "metadata": {key: meta[key] for key in ("name", "namespace", "labels", "creationTimestamp") if key in meta},
        "timestamp": engine.clock(engine.now()),
        "window": f"{window:.3f}s",
        "containers": [{"name": name, "usage": quantities(one.cpu, one.memory)} for name, one in used.items()],
    }


async def _node(engine: Engine) -> dict[str, Any]:
    import psutil

    before = psutil.cpu_times()
    await anyio.sleep(FIRST_WINDOW)
    after = psutil.cpu_times()
    passed = sum(after[:8]) - sum(before[:8])  # what guests have used is part of user and nice
    idle = after.idle - before.idle + getattr(after, "iowait", 0.0) - getattr(before, "iowait", 0.0)
    busy = max(1.0 - idle / passed, 0.0) * (psutil.cpu_count() or 1) if passed > 0 else 0.0
    memory = psutil.virtual_memory()
    return {
        "metadata": {"name": engine.host, "creationTimestamp": engine.clock(engine.created)},
        "timestamp": engine.clock(engine.now()),
        "window": f"{FIRST_WINDOW}s",
        "usage": quantities(busy, memory.total - memory.available),
    }


def quantities(cpu: float, memory: int) -> dict[str, str]:
    """As metrics-server writes them."""
    return {"cpu": f"{round(cpu * 1e9)}n", "memory": f"{memory // 1024}Ki"}
