"""A pod and its events as initsup shows them, with times that lie some seconds before now."""

from __future__ import annotations

import time
from typing import Any

Object = dict[str, Any]


def stamp(seconds_ago: float, now: float | None = None) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((time.time() if now is None else now) - seconds_ago))


def pod(
    phase: str = "Running",
    ready: bool = True,
    restarts: int = 0,
    name: str = "web",
    now: float | None = None,
    **meta: Any,
) -> Object:
    """A pod of one container, `app`, made two days ago."""
    state = {"running": {"startedAt": stamp(90, now)}}
    if phase in ("Succeeded", "Failed"):
        code = 0 if phase == "Succeeded" else 3
        state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}  # type: ignore[dict-item]
    made = stamp(2 * 86400 + 60, now)
    status = {"name": "app", "ready": ready, "started": True, "restartCount": restarts, "state": state, "lastState": {}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": "u", "creationTimestamp": made, **meta},
        "spec": {"containers": [{"name": "app", "image": "host", "command": ["sleep", "9"]}], "nodeName": "here"},
        "status": {
            "phase": phase,
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [status],
        },
    }  # fmt: skip


def event(
    reason: str, message: str, seconds_ago: float = 60, count: int = 1, kind: str = "Normal", container: str = "app",
    now: float | None = None,
) -> Object:  # fmt: skip
    """An event of a container, or of the pod when `container` is empty; it first came a minute before it last came."""
    involved = {"kind": "Pod", "name": "web", "namespace": "default"}
    return {
        "metadata": {"name": f"web.{reason.lower()}", "namespace": "default"},
        "involvedObject": involved | ({"fieldPath": f"spec.containers{{{container}}}"} if container else {}),
        "reason": reason,
        "message": message,
        "source": {"component": "initsup", "host": "here"},
        "firstTimestamp": stamp(seconds_ago + (60 if count > 1 else 0), now),
        "lastTimestamp": stamp(seconds_ago, now),
        "count": count,
        "type": kind,
    }


def events(*items: Object) -> Object:
    return {"apiVersion": "v1", "kind": "EventList", "metadata": {"resourceVersion": ""}, "items": list(items)}
