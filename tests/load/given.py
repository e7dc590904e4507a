"""Pods to check, and rows that say what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

FIRST = "spec.containers[0]"
ONE_ACTION = {"exec": {"command": ["true"]}}


def pod(*containers: dict[str, Any], metadata: Any = None, **spec: Any) -> dict[str, Any]:
    """A pod; without containers it has one that is valid."""
    listed = list(containers) or [{"name": "c", "command": ["true"]}]
    meta = {"name": "p", **(metadata or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": listed, **spec}}


def c(name: str = "c", **fields: Any) -> dict[str, Any]:
    """A container that is valid but for some fields."""
    return {"name": name, "command": ["true"], **fields}


def mounting(source: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A pod whose container mounts its only volume."""
    return pod(c(volumeMounts=[{"name": "v", "mountPath": "/v", **fields}]), volumes=[{"name": "v", **source}])


def row(rule: str, given: dict[str, Any], *said: str) -> object:
    """A pod, and everything that has to be said about it."""
    return pytest.param(given, list(said), id=rule)
