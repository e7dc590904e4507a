"""What the resources of a pod come to: its QoS class and the numbers that go into cgroups.

Sources: component-helpers/resource, apis/core/v1/helper/qos, pkg/kubelet/cm/helpers_linux.go,
pkg/kubelet/qos/policy.go, opencontainers/cgroups utils.go. CPU is in thousandths, memory in bytes; 0 means "not set"
throughout, as in Kubernetes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import msgspec

from initsup.spec.pod import Container, PodSpec, Quantities, ResourceRequirements
from initsup.spec.units import milli_value, value

QosClass = Literal["Guaranteed", "Burstable", "BestEffort"]

MIN_SHARES, MAX_SHARES = 2, 262144
CPU_PERIOD = 100_000
"""Microseconds (CFS period)."""


class Needs(msgspec.Struct, frozen=True):
    """CPU (thousandths) and memory (bytes) that something is promised and may use at most; 0: not set."""

    cpu_request: int = 0
    cpu_limit: int = 0
    memory_request: int = 0
    memory_limit: int = 0

    def __bool__(self) -> bool:
        return self != Needs()


def own_needs(resources: ResourceRequirements) -> Needs:
    """What is written there, with the API server's default: a limit without a request is the request, too."""
    return Needs(
        cpu_request=_cpu(resources.requests if "cpu" in resources.requests else resources.limits),
        cpu_limit=_cpu(resources.limits),
        memory_request=_memory(resources.requests if "memory" in resources.requests else resources.limits),
        memory_limit=_memory(resources.limits),
    )


def container_needs(spec: PodSpec, container: Container) -> Needs:
    """What one container gets: where it has no limit of its own, the pod's (spec.resources) holds."""
    own = own_needs(container.resources)
    if spec.resources is None:
        return own
    pod = own_needs(spec.resources)
    return msgspec.structs.replace(
        own, cpu_limit=own.cpu_limit or pod.cpu_limit, memory_limit=own.memory_limit or pod.memory_limit
    )


def pod_needs(spec: PodSpec) -> Needs:
    """What the whole pod gets, with its overhead (`PodRequests`, `PodLimits`, `ResourceConfigForPod`)."""
    needs, cpu, memory = _without_overhead(spec), _cpu(spec.overhead), _memory(spec.overhead)
    return Needs(
        cpu_request=needs.cpu_request + cpu,
        cpu_limit=needs.cpu_limit and needs.cpu_limit + cpu,
        memory_request=needs.memory_request + memory,
        memory_limit=needs.memory_limit and needs.memory_limit + memory,
    )


def qos_class(spec: PodSpec) -> QosClass:
    """The pod's class (`ComputePodQOS`): main and init containers count, or spec.resources alone when it is there."""
    all_containers = (*spec.containers, *spec.init_containers)
    parts = [_without_overhead(spec)] if spec.resources else [own_needs(one.resources) for one in all_containers]
    if not any(parts):
        return "BestEffort"
    limited = all(one.cpu_limit and one.memory_limit for one in parts)
    cpu_equal = sum(one.cpu_request for one in parts) == sum(one.cpu_limit for one in parts)
    memory_equal = sum(one.memory_request for one in parts) == sum(one.memory_limit for one in parts)
    return "Guaranteed" if limited and cpu_equal and memory_equal else "Burstable"


def oom_score_adj(spec: PodSpec, container: Container, capacity: int) -> int:
    """How gladly the kernel kills this container when memory is short, -1000 to 1000 (`GetContainerOOMScoreAdjust`).

    `capacity` is the memory of the machine in bytes.
    """
    quality = qos_class(spec)
    if quality == "Guaranteed" or spec.priority_class_name == "system-node-critical":
        return -997
    if quality == "BestEffort":
        return 1000
    spare = _unassigned_memory(spec)
    score = 1000 - 1000 * (own_needs(container.resources).memory_request + spare) // capacity
    if container.restart_policy == "Always" and container in spec.init_containers:
        least = min(own_needs(one.resources).memory_request for one in spec.containers)
        score = min(score, 1000 - 1000 * (least + spare) // capacity)
    return max(3, min(999, score))


def cpu_shares(milli: int) -> int:
    """cpu.shares of cgroup v1 for a CPU request in thousandths (`MilliCPUToShares`)."""
    return max(MIN_SHARES, min(MAX_SHARES, milli * 1024 // 1000))


def cpu_weight(shares: int) -> int:
    """cpu.weight of cgroup v2 for shares of v1: 1 CPU is 100, the default (`ConvertCPUSharesToCgroupV2Value`)."""
    if shares <= MIN_SHARES:
        return 1
    if shares >= MAX_SHARES:
        return 10000
    exponent = math.log2(shares)
    return math.ceil(10 ** ((exponent * exponent + 125 * exponent) / 612 - 7 / 34))


def cpu_quota(milli: int) -> int:
    """Microseconds of CPU per `CPU_PERIOD` for a limit in thousandths; at least 1000 (`MilliCPUToQuota`)."""
    return max(1000, milli * CPU_PERIOD // 1000)


# -- parts -----------------------------------------------------------------------------------------------------------


def _without_overhead(spec: PodSpec) -> Needs:
    """spec.resources with its defaults, where there is none: all that runs together.

    The default of a request is what the containers ask for, then the limit. A limit only follows from the containers
    when every one has it.
    """
    pod = own_needs(spec.resources) if spec.resources else Needs()
    asked = spec.resources.requests if spec.resources else {}

    def request(name: str, of_pod: int, of: Callable[[Needs], int]) -> int:
        return of_pod if name in asked else _together(spec, of) or of_pod

    def limit(of_pod: int, of: Callable[[Needs], int]) -> int:
        every = all(of(own_needs(one.resources)) for one in (*spec.containers, *spec.init_containers))
        return of_pod or (_together(spec, of) if every else 0)

    return Needs(
        cpu_request=request("cpu", pod.cpu_request, lambda one: one.cpu_request),
        cpu_limit=limit(pod.cpu_limit, lambda one: one.cpu_limit),
        memory_request=request("memory", pod.memory_request, lambda one: one.memory_request),
        memory_limit=limit(pod.memory_limit, lambda one: one.memory_limit),
    )


def _together(spec: PodSpec, of: Callable[[Needs], int]) -> int:
    """The most that is due at one time: mains and sidecars, or an init container and the sidecars before it."""
    most = sidecars = 0
    for container in spec.init_containers:
        own = of(own_needs(container.resources))
        most = max(most, sidecars + own)
        if container.restart_policy == "Always":
            sidecars += own
    return max(most, sidecars + sum(of(own_needs(one.resources)) for one in spec.containers))


def _unassigned_memory(spec: PodSpec) -> int:
    """Each container's share of the memory that is requested for the pod but for no container, in bytes."""
    if spec.resources is None:
        return 0
    left = _without_overhead(spec).memory_request - _together(spec, lambda one: one.memory_request)
    lasting = len(spec.containers) + sum(one.restart_policy == "Always" for one in spec.init_containers)
    return max(0, left) // lasting if lasting else 0


def _cpu(quantities: Quantities) -> int:
    return milli_value(quantities["cpu"]) if "cpu" in quantities else 0


def _memory(quantities: Quantities) -> int:
    return value(quantities["memory"]) if "memory" in quantities else 0
