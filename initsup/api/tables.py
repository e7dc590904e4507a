"""Objects as `kubectl get` prints them: the server fills every cell (pkg/printers/internalversion/printers.go)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from initsup.core.columns import NONE, UNKNOWN, age, epoch, row
from initsup.spec.units import human_duration

Object = dict[str, Any]
Cells = list[Any]


def _pod(pod: Object, now: float) -> Cells:
    return list(row(pod, now))


def _event(event: Object, now: float) -> Cells:
    subject = event.get("involvedObject") or {}
    source = event.get("source") or {}
    target = f"{subject.get('kind', '').lower()}/{subject.get('name', '')}"
    return [
        age(event.get("lastTimestamp") or event.get("firstTimestamp"), now),
        event.get("type"),
        event.get("reason"),
        target,
        (event.get("message") or "").strip(),
        subject.get("fieldPath") or "",
        ", ".join(filter(None, (source.get("component"), source.get("host")))),
        age(event.get("firstTimestamp"), now),
        event.get("count") or 1,
        event["metadata"]["name"],
    ]


def _node(node: Object, now: float) -> Cells:
    status, info = node["status"], node["status"]["nodeInfo"]
    addresses = {one["type"]: one["address"] for one in status["addresses"]}
    ready = [c["status"] == "True" for c in status["conditions"] if c["type"] == "Ready"]
    return [
        node["metadata"]["name"],
        "Ready" if ready == [True] else "NotReady",
        NONE,
        age(node["metadata"].get("creationTimestamp"), now),
        info["kubeletVersion"],
        addresses.get("InternalIP") or NONE,
        NONE,
        info["osImage"] or UNKNOWN,
        info["kernelVersion"],
        info["containerRuntimeVersion"],
    ]


def _config_map(one: Object, now: float) -> Cells:
    count = len(one.get("data") or {}) + len(one.get("binaryData") or {})
    return [one["metadata"]["name"], count, age(one["metadata"].get("creationTimestamp"), now)]


def _secret(one: Object, now: float) -> Cells:
    meta = one["metadata"]
    return [meta["name"], one.get("type"), len(one.get("data") or {}), age(meta.get("creationTimestamp"), now)]


def _namespace(one: Object, now: float) -> Cells:
    return [one["metadata"]["name"], one["status"]["phase"], age(one["metadata"].get("creationTimestamp"), now)]


def _lease(one: Object, now: float) -> Cells:
    meta = one["metadata"]
    return [meta["name"], one["spec"]["holderIdentity"], age(meta.get("creationTimestamp"), now)]


def _metrics(one: Object, now: float) -> Cells:
    """What metrics-server prints (pkg/api/table.go): of a pod the sum of its containers."""
    used = [part["usage"] for part in one.get("containers", (one,))]
    cpu = sum(int(part["cpu"].removesuffix("n")) for part in used)
    memory = sum(int(part["memory"].removesuffix("Ki")) for part in used)
    return [one["metadata"]["name"], f"{cpu}n", f"{memory}Ki", one["window"]]


def _other(one: Object, now: float) -> Cells:
    stamp = one["metadata"].get("creationTimestamp")
    return [one["metadata"]["name"], human_duration(now - epoch(stamp)) if stamp else UNKNOWN]


_TABLES: dict[str, tuple[str, str, Callable[[Object, float], Cells]]] = {
    "pods": ("Name Ready Status Restarts Age", "IP Node Nominated_Node Readiness_Gates", _pod),
    "events": ("Last_Seen Type Reason Object Message", "Subobject Source First_Seen Count Name", _event),
    "nodes": (
        "Name Status Roles Age Version",
        "Internal-IP External-IP OS-Image Kernel-Version Container-Runtime",
        _node,
    ),
    "configmaps": ("Name Data Age", "", _config_map),
    "secrets": ("Name Type Data Age", "", _secret),
    "namespaces": ("Name Status Age", "", _namespace),
    "leases": ("Name Holder Age", "", _lease),
    "pods.metrics.k8s.io": ("Name cpu memory Window", "", _metrics),
    "nodes.metrics.k8s.io": ("Name cpu memory Window", "", _metrics),
}
"""Resource → the columns, those of `-o wide`, and the cells of an object."""


def columns(resource: str) -> list[Object]:
    """The column definitions of a resource's table."""
    names, wide, _ = _TABLES.get(resource, ("Name Age", "", _other))
    return [_column(name, 0) for name in names.split()] + [_column(name, 1) for name in wide.split()]


def _column(name: str, priority: int) -> Object:
    shown = name.replace("_", " ")
    return {
        "name": shown,
        "type": "integer" if name in ("Data", "Count") else "string",
        "format": "name" if name == "Name" else "",
        "description": shown,
        "priority": priority,
    }


def table(resource: str, objects: list[Object], include: str, meta: Object, *, defined: bool = True) -> Object:
    """A meta.k8s.io/v1 Table. `include` is None, Metadata (default) or Object; `defined`: with column definitions."""
    cells = _TABLES.get(resource, ("", "", _other))[2]
    now = time.time()
    rows = []
    for one in objects:
        line: Object = {"cells": cells(one, now)}
        if include == "Object":
            line["object"] = one
        elif include != "None":
            line["object"] = metadata_only(one)
        rows.append(line)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": columns(resource) if defined else None,
        "rows": rows,
    }


def metadata_only(one: Object) -> Object:
    """A meta.k8s.io/v1 PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": one["metadata"]}
