"""The cgroups of a pod and of its containers, with the values of `limits`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from initsup.core import qos
from initsup.node.failures import SpawnError
from initsup.node.go_text import errno_text
from initsup.node.hierarchies import TOP, Hierarchy, enable, find_hierarchies, make_ready, tidy, write
from initsup.node.limits import Limits

if TYPE_CHECKING:
    from initsup.node.kept import KeptCgroup, KeptCgroups

_TOGETHER: dict[int, dict[str, str]] = {1: {}, 2: {"?memory.oom.group": "1"}}
"""An OOM kill ends all processes of the container (kubelet's singleProcessOOMKill is false), in version 2."""


class Cgroup:
    """The cgroup of one instance of a container, in each hierarchy."""

    def __init__(self, directories: dict[str, int]) -> None:
        self._directories = directories
        self.procs = tuple(f"{directory}/cgroup.procs" for directory in directories)
        """What to enter, for Launch.cgroups."""
        self.directory = next(iter(directories), "")
        """One that holds all processes, for Tree.cgroup; empty: there is none."""

    def handed_over(self) -> KeptCgroup:
        """What a successor needs to know."""
        from initsup.node.kept import KeptCgroup

        return KeptCgroup(self._directories)

    def oom_killed(self) -> bool:
        """Whether the kernel killed anything in there because the memory was used up."""
        for directory, version in self._directories.items():
            count = _value(f"{directory}/{'memory.events' if version == 2 else 'memory.oom_control'}", "oom_kill")
            if count:
                return True
        return False

    def remove(self) -> bool:
        """Remove it when nothing lives in there any longer; whether that could be done."""
        for directory in list(self._directories):
            if _is_gone(directory):
                del self._directories[directory]
        return not self._directories


class Cgroups:
    """The cgroups of one pod. Nothing is touched before the first one is made."""

    def __init__(self, name: str, of_pod: Limits | None = None, hierarchies: list[Hierarchy] | None = None) -> None:
        """`name` becomes the directory of the pod, so it is unique on this machine. `hierarchies`: not the host's."""
        self._name = name
        self._of_pod = of_pod or Limits()
        self._found, self.missing = (hierarchies, {}) if hierarchies is not None else find_hierarchies()
        """`missing`: controllers that cannot be used here, each with the reason."""
        self._pods: dict[str, Hierarchy] = {}
        self._ready = False
        self._left: list[Cgroup] = []

    def handed_over(self) -> KeptCgroups:
        """What a successor needs to know."""
        from initsup.node.kept import KeptCgroups

        left = tuple(one.handed_over() for one in self._left)
        return KeptCgroups(self._found, self.missing, self._pods, self._ready, left)

    def resume(self, kept: KeptCgroups) -> None:
        """Go on with what was handed over."""
        self._found, self.missing = list(kept.found), dict(kept.missing)
        self._pods, self._ready = dict(kept.pods), kept.ready
        self._left = [Cgroup(dict(one.directories)) for one in kept.left]

    def known(self, kept: KeptCgroup) -> Cgroup:
        """The cgroup of an instance that was handed over."""
        return next((one for one in self._left if one.handed_over() == kept), Cgroup(dict(kept.directories)))

    def make(self, name: str, limits: Limits) -> Cgroup:
        """A cgroup with these limits, for one instance of a container. Missing controllers are left out.

        Raises SpawnError when the kernel refuses.
        """
        directories: dict[str, int] = {}
        try:
            self._make_ready()
            for pod, hierarchy in self._pods.items():
                values = _values(limits, hierarchy)
                if values:
                    os.mkdir(f"{pod}/{name}")
                    directories[f"{pod}/{name}"] = hierarchy.version
                    _apply(f"{pod}/{name}", values | _TOGETHER[hierarchy.version])
        except OSError as error:
            Cgroup(directories).remove()
            number = error.errno or 0
            message = f"cannot set up cgroup {error.filename or name}: {errno_text(number)}"
            raise SpawnError("cgroup", number, message) from None
        made = Cgroup(directories)
        self._left.append(made)
        return made

    def close(self) -> bool:
        """Remove all that was made; whether that could be done. For the end of the pod, and it may be repeated."""
        self._left = [one for one in self._left if not one.remove()]
        for pod in list(self._pods):
            if _is_gone(pod):
                tidy(self._pods.pop(pod))
        return not self._pods

    def discard(self, cgroup: Cgroup) -> None:
        """Remove the cgroup of an instance that has ended; if that must wait, `close` does it."""
        if cgroup in self._left and cgroup.remove():
            self._left.remove(cgroup)

    def _make_ready(self) -> None:
        if self._ready:
            return
        for hierarchy in map(make_ready, self._found):
            pod = f"{hierarchy.base}/{self._name}"
            os.makedirs(pod, exist_ok=True)
            self._pods[pod] = hierarchy
            _apply(pod, _values(self._of_pod, hierarchy))
            if hierarchy.version == 2:
                enable(pod, hierarchy.controllers)
        self._ready = True


def remove_left(uid: str) -> None:
    """Remove the cgroups of a pod whose initsup was killed; its processes are gone."""
    for found in find_hierarchies()[0]:
        for base in {found.base, f"{found.top}/{TOP}"}:
            pod = f"{base}/{pod_cgroup(uid)}"
            try:
                inner = [entry.path for entry in os.scandir(pod) if entry.is_dir()]
            except OSError:
                continue
            directories = dict.fromkeys([*inner, pod], found.version)
            Cgroup(directories).remove()
            tidy(found)


def pod_cgroup(uid: str) -> str:
    """The name of a pod's cgroup, which no other pod has."""
    return f"initsup-{uid}"


def _is_gone(directory: str) -> bool:
    """Whether a cgroup could be removed, or has been."""
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def _values(limits: Limits, hierarchy: Hierarchy) -> dict[str, str]:
    """File → value, in the order in which they are written; those that begin with `?` need not exist."""
    two = hierarchy.version == 2
    values: dict[str, str] = {}
    if limits.memory is not None and "memory" in hierarchy.controllers:
        values["memory.max" if two else "memory.limit_in_bytes"] = str(limits.memory)
        if two:
            values["?memory.swap.max"] = "0"
        else:
            values["?memory.memsw.limit_in_bytes"] = str(limits.memory)
    if limits.cpu_shares is not None and "cpu" in hierarchy.controllers:
        shares = limits.cpu_shares
        values["cpu.weight" if two else "cpu.shares"] = str(qos.cpu_weight(shares) if two else shares)
    if limits.cpu_quota is not None and "cpu" in hierarchy.controllers:
        if two:
            values["cpu.max"] = f"{limits.cpu_quota} {qos.CPU_PERIOD}"
        else:
            values |= {"cpu.cfs_period_us": str(qos.CPU_PERIOD), "cpu.cfs_quota_us": str(limits.cpu_quota)}
    if limits.pids is not None and "pids" in hierarchy.controllers:
        values["pids.max"] = str(limits.pids)
    return values


def _apply(directory: str, values: dict[str, str]) -> None:
    for name, value in values.items():
        try:
            write(f"{directory}/{name.removeprefix('?')}", value)
        except OSError:
            if name[0] != "?":
                raise


def _value(path: str, name: str) -> int:
    """The number of `name` in a file of lines such as `oom_kill 3`; 0 when there is none."""
    try:
        with open(path) as file:
            pairs = [line.split() for line in file]
    except OSError:
        return 0
    return next((int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] == name), 0)
