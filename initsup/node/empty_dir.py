"""emptyDir: which file system one is made of, and how much is in it (pkg/volume/emptydir).

Where mounts are permitted:

- `""`: a tmpfs, of `sizeLimit` (else of the kernel's default, half the memory). If `sizeLimit` is more than half the
  memory: a directory on the disk of the state directory, watched.
- `Memory`: a tmpfs that is not swapped, of the least of `sizeLimit`, the pod's memory limit and the machine's memory.
- `HugePages`, `HugePages-2Mi`: hugetlbfs.

Elsewhere: a directory of the state directory, or for `Memory` one in a tmpfs that is there already, both watched.
"""

from __future__ import annotations

import os
from typing import Literal

import msgspec

from initsup.core.qos import pod_needs
from initsup.node import syscalls
from initsup.node.machine import Machine
from initsup.node.space import Way, mount_tmpfs
from initsup.spec.pod import PodSpec
from initsup.spec.units import value
from initsup.spec.volume import EmptyDirVolumeSource

MODE = 0o777


class Medium(msgspec.Struct, frozen=True):
    """What an emptyDir is made of.

    `kind`: a mount of `tmpfs` or `hugetlbfs` with `options`, a directory in `memory`, or one on `disk`. `limit` are the
    bytes to watch, None: there is nothing to watch.
    """

    kind: Literal["tmpfs", "hugetlbfs", "memory", "disk"]
    options: str = ""
    swap: bool = True
    limit: int | None = None


class BadMedium(ValueError):
    """There is no such medium, or not here."""


def medium(source: EmptyDirVolumeSource, spec: PodSpec, machine: Machine, way: Way) -> Medium:
    """What to make of an emptyDir. Raises BadMedium."""
    limit = value(source.size_limit) if source.size_limit else 0
    watched = limit or None
    if source.medium.startswith("HugePages"):
        if way == "link":
            raise BadMedium("huge pages must be mounted, and mounts are not permitted here")
        return Medium("hugetlbfs", _options(spec, limit, f"pagesize={_page_size(source.medium, spec)}"))
    if source.medium == "Memory":
        size = min(bound for bound in (limit, pod_needs(spec).memory_limit, machine.memory) if bound > 0)
        return Medium("memory", limit=watched) if way == "link" else Medium("tmpfs", _options(spec, size), swap=False)
    if source.medium:
        raise BadMedium(f'unknown storage medium "{source.medium}"')
    if way == "link" or limit > machine.memory // 2:
        return Medium("disk", limit=watched)
    return Medium("tmpfs", _options(spec, limit))


def directory_mode(spec: PodSpec) -> int:
    """0777, and with fsGroup the bit that lets new files belong to it."""
    return MODE if spec.security_context.fs_group is None else MODE | 0o2000


def _options(spec: PodSpec, size: int, *more: str) -> str:
    options = [f"mode={directory_mode(spec):o}", *more]
    if (group := spec.security_context.fs_group) is not None:
        options.append(f"gid={group}")
    if size:
        options.append(f"size={size}")
    return ",".join(options)


def _page_size(name: str, spec: PodSpec) -> int:
    """Bytes of a page: `HugePages-2Mi`, or for `HugePages` the one size that the pod's containers have limits for."""
    if name.startswith("HugePages-"):
        try:
            return value(name.removeprefix("HugePages-"))
        except ValueError:
            raise BadMedium(f'unknown storage medium "{name}"') from None
    containers = (*spec.init_containers, *spec.containers)
    sizes = {key for one in containers for key in one.resources.limits if key.startswith("hugepages-")}
    if len(sizes) != 1:
        raise BadMedium("medium HugePages needs limits for exactly one page size, such as hugepages-2Mi")
    return value(sizes.pop().removeprefix("hugepages-"))


def mount_medium(made: Medium, target: str, disk: str) -> None:
    """Mount it at `target`; `disk` is the directory for that kind. Raises OSError."""
    match made.kind:
        case "tmpfs":
            mount_tmpfs(target, made.options, swap=made.swap)
        case "hugetlbfs":
            syscalls.mount("hugetlbfs", target, "hugetlbfs", data=made.options)
        case _:
            syscalls.mount(disk, target, flags=syscalls.MS_BIND)


def usage(directory: str) -> int:
    """Bytes on the disk that a directory takes, with all below it, as du counts."""
    total = 0
    seen: set[tuple[int, int]] = set()
    waiting = [directory]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    is_directory = entry.is_dir(follow_symlinks=False)
                    if not is_directory and status.st_nlink > 1:
                        if (status.st_dev, status.st_ino) in seen:
                            continue
                        seen.add((status.st_dev, status.st_ino))
                    total += status.st_blocks * 512
                    if is_directory:
                        waiting.append(entry.path)
        except OSError:  # gone meanwhile
            continue
    return total
