"""Where cgroups can be made in this place: version 2, version 1, or a mix of both.

The base is the cgroup that initsup is in, so whatever limits initsup from outside limits its containers, too. Version 2
wants a cgroup that hands out controllers to hold no process itself. So initsup moves to a child (`supervisor`), as
systemd asks of services with Delegate=; where others live beside it, as in a login session, root takes a cgroup at the
top instead.

Sources: cgroups(7), Documentation/admin-guide/cgroup-v2.rst, systemd's CGROUP_DELEGATION.
"""

from __future__ import annotations

import os

import msgspec

CONTROLLERS = ("cpu", "memory", "pids")

_SUPERVISOR = "supervisor"
TOP = "initsup"


class Hierarchy(msgspec.Struct, frozen=True):
    """A directory below which cgroups with these controllers are made."""

    version: int
    base: str
    controllers: tuple[str, ...]
    top: str = ""
    """Where the hierarchy is mounted."""


def find_hierarchies() -> tuple[list[Hierarchy], dict[str, str]]:
    """The hierarchies that can be used, and for each controller that is in none of them why that is so."""
    found: list[Hierarchy] = []
    missing = dict.fromkeys(CONTROLLERS, "no cgroup file system with this controller is mounted")
    for one in _mounted():
        if not os.access(one.base, os.W_OK):
            missing.update(dict.fromkeys(one.controllers, f"{one.base} is not writable"))
        elif one.version == 2 and (problem := _obstacle(one)):
            missing.update(dict.fromkeys(one.controllers, problem))
        else:
            found.append(one)
    return found, {name: why for name, why in missing.items() if not any(name in one.controllers for one in found)}


def make_ready(hierarchy: Hierarchy) -> Hierarchy:
    """Let children of the base have its controllers. Returns the hierarchy with the base to use. Raises OSError."""
    if hierarchy.version == 1 or _enabled(hierarchy.base) >= set(hierarchy.controllers):
        return hierarchy
    if not _alone(hierarchy.base) and hierarchy.base != hierarchy.top:
        base = f"{hierarchy.top}/{TOP}"
        enable(hierarchy.top, hierarchy.controllers)
        os.makedirs(base, exist_ok=True)
        enable(base, hierarchy.controllers)
        return msgspec.structs.replace(hierarchy, base=base)
    if hierarchy.base != hierarchy.top:
        inner = f"{hierarchy.base}/{_SUPERVISOR}"
        os.makedirs(inner, exist_ok=True)
        write(f"{inner}/cgroup.procs", "0")
    enable(hierarchy.base, hierarchy.controllers)
    return hierarchy


def tidy(hierarchy: Hierarchy) -> None:
    """Remove the cgroup at the top, if it was made and no other initsup uses it."""
    if hierarchy.base == f"{hierarchy.top}/{TOP}":
        try:
            os.rmdir(hierarchy.base)
        except OSError:
            return


def enable(directory: str, controllers: tuple[str, ...]) -> None:
    """Let the children of a cgroup of version 2 have these controllers. Raises OSError."""
    if not _enabled(directory) >= set(controllers):
        write(f"{directory}/cgroup.subtree_control", " ".join(f"+{name}" for name in controllers))


def write(path: str, value: str) -> None:
    """Set a value of a cgroup; the error names the file."""
    with open(path, "w") as file:
        file.write(value)


def _mounted() -> list[Hierarchy]:
    """All hierarchies that have one of our controllers, each with the cgroup of initsup as the base."""
    own = _own_cgroups()
    found: list[Hierarchy] = []
    for line in _lines("/proc/self/mountinfo"):
        where, _, what = line.partition(" - ")
        root, top = where.split(" ")[3:5]
        kind, _, options = what.split(" ")
        if kind not in ("cgroup", "cgroup2"):
            continue
        version = 2 if kind == "cgroup2" else 1
        names = _words(f"{top}/cgroup.controllers") if version == 2 else options.split(",")
        controllers = tuple(name for name in CONTROLLERS if name in names)
        if controllers:
            path = own.get("" if version == 2 else controllers[0], "/")
            found.append(Hierarchy(version, _below(top, root, path), controllers, top))
    return found


def _below(top: str, root: str, path: str) -> str:
    """The directory of the cgroup `path` where `root` is mounted at `top`; `top` itself if it is not below that."""
    inner = path.removeprefix(root.rstrip("/")) if path.startswith(root) else ""
    if os.path.basename(inner) == _SUPERVISOR:  # from before an exec of initsup itself
        inner = os.path.dirname(inner)
    directory = top + inner.rstrip("/")
    return directory if os.path.isdir(directory) else top


def _own_cgroups() -> dict[str, str]:
    """Controller (empty: version 2) → the cgroup of this process."""
    found: dict[str, str] = {}
    for line in _lines("/proc/self/cgroup"):
        _, names, path = line.split(":", 2)
        found.update(dict.fromkeys(names.split(","), path))
    return found


def _obstacle(hierarchy: Hierarchy) -> str:
    """Why the controllers of version 2 cannot be handed out below the base; empty: they can."""
    if _enabled(hierarchy.base) >= set(hierarchy.controllers) or hierarchy.base == hierarchy.top:
        return ""
    if lacking := set(hierarchy.controllers) - set(_words(f"{hierarchy.base}/cgroup.controllers")):
        return f"{hierarchy.base} was not given the controller {min(lacking)}"
    if not _alone(hierarchy.base) and not os.access(hierarchy.top, os.W_OK):
        return f"{hierarchy.base} holds other processes than initsup"
    return ""


def _alone(directory: str) -> bool:
    return set(_words(f"{directory}/cgroup.procs")) <= {str(os.getpid())}


def _enabled(directory: str) -> set[str]:
    return set(_words(f"{directory}/cgroup.subtree_control"))


def _words(path: str) -> list[str]:
    return [word for line in _lines(path) for word in line.split()]


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().splitlines()
    except OSError:
        return []
