"""What a container may use: cgroups for those that ask for it in `resources`, of version 2 or 1.

A container without limits and requests gets no cgroup, unless the pod has a limit on pids: entering one needs the slow
way to start a process and, now and then, tens of milliseconds for the kernel to move it. The numbers are those of
kubelet, see `initsup.core.qos`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import msgspec

from initsup.core import qos
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container, PodSpec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one cgroup; None: leave it at the kernel's default."""

    memory: int | None = None
    """Bytes; swap is not given on top."""
    cpu_quota: int | None = None
    """Microseconds of CPU time per `qos.CPU_PERIOD`."""
    cpu_shares: int | None = None
    """Relative to others, 1024 for one CPU."""
    pids: int | None = None


def limits_of(needs: qos.Needs, pids: int | None = None, *, weighed: bool = False) -> Limits | None:
    """The cgroup values for what a container or a pod asks for; None: nothing.

    What asks for no CPU weighs next to nothing beside others of its pod that do (`weighed`), as with kubelet. Else it
    has the kernel's default: it would come to a halt whenever the host is busy.

    `pids` (the settings' podPidsLimit) is for all of the pod, and so for each container, too: it must be in a cgroup
    below the pod's to be counted.
    """
    if not needs:
        return Limits(pids=pids) if pids is not None else None
    return Limits(
        memory=needs.memory_limit or None,
        cpu_quota=qos.cpu_quota(needs.cpu_limit) if needs.cpu_limit else None,
        cpu_shares=qos.cpu_shares(cpu) if (cpu := needs.cpu_request or needs.cpu_limit) or weighed else None,
        pids=pids,
    )


def promised(limits: Limits) -> tuple[str, ...]:
    """The controllers without which a limit would not hold; shares are no promise."""
    wanted = {"memory": limits.memory, "cpu": limits.cpu_quota, "pids": limits.pids}
    return tuple(name for name, value in wanted.items() if value is not None)


def pids_of(asked: Manifest) -> int | None:
    """The settings' podPidsLimit; None: there is none."""
    return asked.settings.pod_pids_limit if asked.settings.pod_pids_limit > 0 else None


def unenforced(asked: Manifest, missing: Callable[[], Mapping[str, str]]) -> list[str]:
    """Limits of a manifest that do not hold here, each with the reason.

    `missing` gives the controllers that are not there, and why; it is called where that matters only.
    """
    spec = asked.pod.spec
    members = (*spec.init_containers, *spec.containers)
    wanted = [("podPidsLimit", "pids")] if pids_of(asked) is not None else []
    for one in members:
        limits = limits_of(qos.container_needs(spec, one))
        names = promised(limits) if limits is not None else ()
        wanted += [(f"{one.name}: its {name} limit", name) for name in names]
    reasons = missing() if wanted else {}
    lines = [f"{what} is not enforced here: {reasons[name]}" for what, name in wanted if name in reasons]
    for one in members:
        others = sorted(set(one.resources.limits) - {"cpu", "memory"})
        lines += [f"{one.name}: its {name} limit is not enforced here: it is not counted" for name in others]
    return lines


def oom_score(spec: PodSpec, container: Container) -> int | None:
    """oom_score_adj of a container. None: its pod asks for no resources, so it stays at initsup's own.

    Kubernetes makes these (BestEffort) the first to die, 1000, to protect other pods; here there is none.
    """
    if qos.qos_class(spec) == "BestEffort":
        return None
    capacity = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return qos.oom_score_adj(spec, container, capacity)
