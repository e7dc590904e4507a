"""The defaults that depend on something (core/v1 `defaults.go`); the others stand on the fields themselves.

An empty string counts as "not set" where a field has a default, and a zero does in a probe, as in Kubernetes.
"""

import os
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container, ObjectMeta, PodSpec, ResourceRequirements
from initsup.spec.probe import HTTPGetAction, Lifecycle, LifecycleHandler, Probe
from initsup.spec.units import format_nanos, nanos
from initsup.spec.volume import EmptyDirVolumeSource, Volume

S = TypeVar("S", bound=Struct)
C = TypeVar("C", bound=Container)

_POD_LEVEL = ("cpu", "memory", "hugepages-")


def with_defaults(manifest: Manifest) -> Manifest:
    """The manifest as Kubernetes would store it: nothing that has a default is left open."""
    pod = manifest.pod
    spec = pod.spec
    spec = _changed(
        spec,
        volumes=tuple(map(_volume, spec.volumes)),
        init_containers=tuple(_container(inner, spec.host_network) for inner in spec.init_containers),
        containers=tuple(_container(inner, spec.host_network) for inner in spec.containers),
        ephemeral_containers=tuple(_container(inner, spec.host_network) for inner in spec.ephemeral_containers),
        restart_policy=spec.restart_policy or "Always",
        termination_grace_period_seconds=_grace(spec.termination_grace_period_seconds),
        dns_policy=spec.dns_policy or "ClusterFirst",
        scheduler_name=spec.scheduler_name or "default-scheduler",
    )
    if spec.resources is not None and spec.resources.limits:
        spec = replace(spec, resources=_pod_resources(spec, spec.resources))
    return replace(manifest, pod=replace(pod, metadata=_metadata(pod.metadata), spec=spec))


def pull_policy(image: str) -> str:
    """What `imagePullPolicy` is when nobody says it."""
    name, digest, _ = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") and not digest and image else "IfNotPresent"


def aggregate_requests(spec: PodSpec) -> dict[str, tuple[int, str]]:
    """What all containers together need at any time: resource → billionths, and a quantity that shows the notation.

    Sum of mains and sidecars, or what some init step needs if that is more (`AggregateContainerRequests`).
    """
    steps: list[dict[str, int]] = []
    notation: dict[str, str] = {}
    sidecars: dict[str, int] = {}
    for container in spec.init_containers:
        step = _sum(sidecars, container.resources.requests, notation)
        steps.append(step)
        if container.restart_policy == "Always":
            sidecars = step
    total = sidecars
    for container in spec.containers:
        total = _sum(total, container.resources.requests, notation)
    return {name: (max(step.get(name, 0) for step in [total, *steps]), notation[name]) for name in notation}


def _sum(so_far: dict[str, int], more: dict[str, str], notation: dict[str, str]) -> dict[str, int]:
    total = dict(so_far)
    for name, quantity in more.items():
        try:
            total[name] = total.get(name, 0) + nanos(quantity)
        except ValueError:
            continue  # said by the check of that container
        notation.setdefault(name, quantity)
    return total


def _changed(obj: S, **fields: Any) -> S:
    """`obj` with some fields set; itself if they are so already."""
    if all(getattr(obj, name) == new for name, new in fields.items()):
        return obj
    return replace(obj, **fields)


def _grace(seconds: int) -> int:
    return seconds if seconds >= 0 else 1


def _metadata(metadata: ObjectMeta) -> ObjectMeta:
    name = metadata.name
    if not name and metadata.generate_name:
        name = metadata.generate_name[:58] + os.urandom(3).hex()[:5]
    return _changed(metadata, name=name, namespace=metadata.namespace or "default", uid=metadata.uid or _uid())


def _uid() -> str:
    """A random UUID (RFC 9562, version 4); the module uuid costs milliseconds that a start does not have."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _volume(volume: Volume) -> Volume:
    """A volume without a source is an emptyDir."""
    if all(getattr(volume, name) is None for name in volume.__struct_fields__ if name != "name"):
        return replace(volume, empty_dir=EmptyDirVolumeSource())
    return volume


def _container(container: C, host_network: bool) -> C:
    resources = container.resources
    missing = {name: limit for name, limit in resources.limits.items() if name not in resources.requests}
    if missing:
        resources = replace(resources, requests={**resources.requests, **missing})
    ports = tuple(
        _changed(
            port,
            protocol=port.protocol or "TCP",
            host_port=port.host_port or (port.container_port if host_network else 0),
        )
        for port in container.ports
    )
    return _changed(
        container,
        resources=resources,
        ports=ports,
        image_pull_policy=container.image_pull_policy or pull_policy(container.image),
        termination_message_path=container.termination_message_path or "/dev/termination-log",
        termination_message_policy=container.termination_message_policy or "File",
        liveness_probe=_probe(container.liveness_probe),
        readiness_probe=_probe(container.readiness_probe),
        startup_probe=_probe(container.startup_probe),
        lifecycle=_lifecycle(container.lifecycle),
    )


def _probe(probe: Probe | None) -> Probe | None:
    if probe is None:
        return None
    return _changed(
        probe,
        http_get=_http_get(probe.http_get),
        period_seconds=probe.period_seconds or 10,
        timeout_seconds=probe.timeout_seconds or 1,
        success_threshold=probe.success_threshold or 1,
        failure_threshold=probe.failure_threshold or 3,
    )


def _lifecycle(lifecycle: Lifecycle | None) -> Lifecycle | None:
    if lifecycle is None:
        return None
    return _changed(lifecycle, post_start=_handler(lifecycle.post_start), pre_stop=_handler(lifecycle.pre_stop))


def _handler(handler: LifecycleHandler | None) -> LifecycleHandler | None:
    return None if handler is None else _changed(handler, http_get=_http_get(handler.http_get))


def _http_get(action: HTTPGetAction | None) -> HTTPGetAction | None:
    return None if action is None else _changed(action, path=action.path or "/", scheme=action.scheme or "HTTP")


def _pod_resources(spec: PodSpec, resources: ResourceRequirements) -> ResourceRequirements:
    """Pod-level requests, from what the containers need, else from the pod-level limits (KEP-2837)."""
    requests = dict(resources.requests)
    for name, (number, notation) in aggregate_requests(spec).items():
        if name not in requests and name.startswith(_POD_LEVEL):
            requests[name] = format_nanos(number, notation)
    for name, limit in resources.limits.items():
        if name.startswith(_POD_LEVEL):
            requests.setdefault(name, limit)
    return replace(resources, requests=requests)
