"""What this machine is, as far as pods may ask (fieldRef, resourceFieldRef). All is found out when first asked for.

"Node allocatable" here is what the machine has, bounded by the cgroups that initsup itself runs in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"


class Machine:
    """The node of the pod. A value given to the constructor is taken as it is, others are found out."""

    __slots__ = ("_cpu", "_ips", "_memory", "_name", "_storage")

    def __init__(
        self,
        name: str | None = None,
        ips: tuple[str, ...] | None = None,
        cpu: int | None = None,
        memory: int | None = None,
        storage: int | None = None,
    ) -> None:
        self._name = name
        self._ips = ips
        self._cpu = cpu
        self._memory = memory
        self._storage = storage

    @property
    def name(self) -> str:
        """The host name: spec.nodeName."""
        if self._name is None:
            self._name = os.uname().nodename
        return self._name

    @property
    def ips(self) -> tuple[str, ...]:
        """The addresses from which the machine reaches others, IPv4 first: status.hostIPs, and podIPs as well, as the
        network is shared. 127.0.0.1 where there is no route to anywhere.
        """
        if self._ips is None:
            self._ips = _own_addresses() or (LOOPBACK,)
        return self._ips

    @property
    def cpu(self) -> int:
        """Thousandths of CPUs that initsup may run on."""
        if self._cpu is None:
            quota = min(_cpu_quotas(), default=1 << 62)
            self._cpu = min(quota, 1000 * len(os.sched_getaffinity(0)))
        return self._cpu

    @property
    def memory(self) -> int:
        """Bytes of memory that initsup may use."""
        if self._memory is None:
            physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            self._memory = min(_memory_limits(), default=physical)
            self._memory = min(self._memory, physical)
        return self._memory

    @property
    def storage(self) -> int:
        """Bytes that the root file system can hold: ephemeral-storage."""
        if self._storage is None:
            root = os.statvfs("/")
            self._storage = root.f_blocks * root.f_frsize
        return self._storage


def _own_addresses() -> tuple[str, ...]:
    """The source addresses of the default routes. Connecting a datagram socket asks the routing table, nobody else."""
    import socket

    found = []
    # Addresses that are reserved for documentation (RFC 5737, RFC 3849): only a default route leads there.
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                found.append(str(probe.getsockname()[0]))
        except OSError:
            continue
    return tuple(found)


def _cpu_quotas() -> Iterator[int]:
    """CPU quotas of the cgroups around this process, in thousandths (both cgroup versions)."""
    for directory in _cgroups("cpu"):
        limits = _numbers(directory, "cpu.max") or (
            *_numbers(directory, "cpu.cfs_quota_us"),
            *_numbers(directory, "cpu.cfs_period_us"),
        )
        quota, period = limits if len(limits) == 2 else (0, 0)
        if quota > 0 and period > 0:
            yield quota * 1000 // period


def _memory_limits() -> Iterator[int]:
    """Memory limits of the cgroups around this process, in bytes (both cgroup versions)."""
    for directory in _cgroups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            yield from _numbers(directory, name)


def _cgroups(controller: str) -> list[str]:
    """The directories of the cgroup that has `controller` for this process, and of those around it."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as lines:
            entries = [line.rstrip("\n").split(":", 2) for line in lines]
    except OSError:
        return []
    found = []
    for _, controllers, path in entries:
        if controllers and controller not in controllers.split(","):
            continue
        base = "/sys/fs/cgroup" + (f"/{controllers}" if controllers else "")
        while path != "/":
            found.append(base + path)
            path = os.path.dirname(path)
        found.append(base)
    return found


def _numbers(directory: str, name: str) -> tuple[int, ...]:
    """The numbers in a cgroup's file; empty when it is not there or says `max`."""
    try:
        with open(f"{directory}/{name}", encoding="utf-8") as file:
            words = file.read().split()
    except OSError:
        return ()
    return tuple(int(word) for word in words) if "max" not in words else ()
