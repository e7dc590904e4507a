"""What stands around the pod in a cluster, told of this host: namespaces, the node, ConfigMaps and Secrets."""

from __future__ import annotations

import os
from typing import Any

from initsup.engine import Engine
from initsup.spec.base import to_dict

VERSION = "v1.36.0"
"""The level of the Kubernetes API that is spoken here."""


def namespace(engine: Engine) -> str:
    """The pod's namespace."""
    return engine.plan.pod.metadata.namespace or "default"


def namespaces(engine: Engine) -> list[dict[str, Any]]:
    """The pod's own, and the one where clients look for the cluster's services."""
    names = dict.fromkeys((namespace(engine), "default", "kube-system"))
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "creationTimestamp": engine.clock(engine.created),
                "labels": {"kubernetes.io/metadata.name": name},
            },
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }
        for name in names
    ]


def node(engine: Engine) -> dict[str, Any]:
    """The host, as a v1 Node."""
    at = engine.clock(engine.created)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": engine.host,
            "creationTimestamp": at,
            "labels": {
                "kubernetes.io/hostname": engine.host,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": architecture(),
            },
        },
        "spec": {},
        "status": {
            "capacity": capacity(),
            "allocatable": capacity(),
            "conditions": [_condition(kind, at) for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")],
            "addresses": [
                *({"type": "InternalIP", "address": ip} for ip in engine.where.ips),
                {"type": "Hostname", "address": engine.host},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
            "nodeInfo": _node_info(),
            "images": [],
        },
    }


def architecture() -> str:
    """The processor as Go names it."""
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}.get(machine, machine)


def capacity() -> dict[str, str]:
    """What the host has for pods."""
    from initsup.node.machine import Machine

    machine = Machine()
    return {
        "cpu": f"{machine.cpu}m" if machine.cpu % 1000 else str(machine.cpu // 1000),
        "memory": f"{machine.memory // 1024}Ki",
        "ephemeral-storage": f"{machine.storage // 1024}Ki",
        "pods": "1",
    }


def config_maps(engine: Engine) -> list[dict[str, Any]]:
    """The ConfigMaps that came with the pod."""
    return [_held(engine, to_dict(one, defaults=True)) for one in engine.plan.asked.config_maps.values()]


def secrets(engine: Engine) -> list[dict[str, Any]]:
    """The Secrets that came with the pod."""
    return [_held(engine, to_dict(one, defaults=True)) for one in engine.plan.asked.secrets.values()]


def _held(engine: Engine, one: dict[str, Any]) -> dict[str, Any]:
    one["metadata"].setdefault("namespace", namespace(engine))
    one["metadata"].setdefault("creationTimestamp", engine.clock(engine.created))
    return one


def _condition(kind: str, at: str) -> dict[str, Any]:
    good = kind == "Ready"
    return {
        "type": kind,
        "status": "True" if good else "False",
        "reason": "KubeletReady" if good else f"KubeletHasNo{kind}",
        "message": "initsup runs" if good else "initsup does not look at this",
        "lastHeartbeatTime": at,
        "lastTransitionTime": at,
    }


def _node_info() -> dict[str, Any]:
    from initsup import __version__

    system = os.uname()
    return {
        "machineID": _read("/etc/machine-id"),
        "systemUUID": "",
        "bootID": _read("/proc/sys/kernel/random/boot_id"),
        "kernelVersion": system.release,
        "osImage": _os_name(),
        "containerRuntimeVersion": f"initsup://{__version__}",
        "kubeletVersion": f"{VERSION}+initsup.{__version__}",
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": architecture(),
    }


def _os_name() -> str:
    for line in _read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""
