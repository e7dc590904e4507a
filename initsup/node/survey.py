"""What this place can give to a pod and what not, and why: `initsup check --here`. It is tried out, not guessed."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import msgspec

from initsup.node import ground, leftovers, memory_place, sentinel

if TYPE_CHECKING:
    from initsup.node.space import Way

Answer = Literal["yes", "partly", "no"]

_SECCOMP = {"1": "strict", "2": "a filter"}
_WAYS = {
    "mount": "private mounts: seen by one container only",
    "user": "private mounts in a user namespace: all containers run as the user who starts initsup",
    "link": "symlinks at the mount paths, which every process sees",
}


class Finding(msgspec.Struct, frozen=True):
    """One line. `fatal`: no pod can run here."""

    what: str
    answer: Answer
    text: str
    fatal: bool = False


def survey(places: list[str]) -> Iterator[Finding]:
    """All findings. `places` are the usual places for state directories, in order."""
    first = _ground()
    yield first
    if first.fatal:
        return
    yield _state(places)
    yield _role()
    yield _user()
    yield _volumes(places)
    yield _secrets()
    yield from _limits()
    yield _trees()
    yield _sentinel()
    yield _confinement()


def _ground() -> Finding:
    why = ground.lacking()
    return Finding("run pods", "no" if why else "yes", why or "/proc and /dev/null are there", fatal=bool(why))


def _state(places: list[str]) -> Finding:
    usable = [place for place in places if not ground.closed(f"{place}/NAME")]
    if not usable:
        why = f"none of {', '.join(places)} can be made: give --state-dir"
        return Finding("state directory", "no", why, fatal=True)
    skipped = places[: places.index(usable[0])]
    why = f", as {' and '.join(skipped)} cannot be made" if skipped else ""
    return Finding("state directory", "yes", f"{usable[0]}/NAME{why}")


def _role() -> Finding:
    if os.getpid() == 1:
        return Finding("adopt orphans", "yes", "as PID 1: with it all processes of this PID namespace end")
    try:
        from initsup.node.syscalls import become_subreaper

        become_subreaper()
    except OSError as problem:
        return Finding("adopt orphans", "no", f"sub-reapers are not permitted: {problem.strerror}")
    return Finding("adopt orphans", "yes", "as sub-reaper")


def _user() -> Finding:
    from initsup.node.identity import CAPABILITIES
    from initsup.node.syscalls import capabilities

    if os.geteuid() != 0:
        return Finding("run as other users", "no", f"this is user {os.geteuid()}, and so are all containers")
    permitted = capabilities()[1]
    missing = [name for number, name in enumerate(CAPABILITIES) if not permitted >> number & 1]
    if "SETUID" in missing or "SETGID" in missing:
        return Finding("run as other users", "no", f"root without {_few(missing)}")
    text = f"root without {_few(missing)}" if missing else "root with all capabilities"
    return Finding("run as other users", "yes", text)


def _few(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _volumes(places: list[str]) -> Finding:
    try:
        way, refusal = way_of_volumes(places)
    except OSError as problem:
        return Finding("volumes", "no", str(problem))
    why = f" (mounts: {refusal})" if refusal else ""
    return Finding("volumes", "partly" if way == "link" else "yes", _WAYS[way] + why)


def way_of_volumes(places: list[str], mode: str = "auto") -> tuple[Way, str]:
    """How volumes get to containers here, and why mounts are not permitted (empty: they are). Raises OSError."""
    from initsup.node.space import Space

    base = next((os.path.dirname(place) for place in places if not ground.closed(place)), None)
    with tempfile.TemporaryDirectory(dir=base) as directory:
        space = Space(directory, mode, {})
        space.close()
        return space.way, space.refusal


def _secrets() -> Finding:
    what, place = "memory for secrets", memory_place.usable()
    if place is not None:
        return Finding(what, "yes", f"a tmpfs of the pod's own, else {place}")
    return Finding(what, "partly", "only where tmpfs can be mounted, else they are files on disk")


def _limits() -> Iterator[Finding]:
    from initsup.node.hierarchies import find_hierarchies

    found, missing = find_hierarchies()
    for one in found:
        text = f"cgroups of version {one.version} below {one.base}"
        yield Finding(f"limit {', '.join(one.controllers)}", "yes", text)
    reasons: dict[str, list[str]] = {}
    for name, why in missing.items():
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        yield Finding(f"limit {', '.join(names)}", "no", why)
    yield _order_of_kills()


def _order_of_kills() -> Finding:
    """oom_score_adj of Guaranteed pods is -997 (proc(5): to lower it needs CAP_SYS_RESOURCE)."""
    from initsup.node.identity import may

    what = "order out-of-memory kills"
    if may("SYS_RESOURCE"):
        return Finding(what, "yes", "with kubelet's oom_score_adj for pods that ask for resources")
    return Finding(what, "partly", "nothing is protected more than initsup itself, which lacks SYS_RESOURCE")


def _trees() -> Finding:
    from initsup.node import procfs
    from initsup.node.mark import Marks

    if not procfs.is_ours():
        return Finding("end whole trees", "partly", "/proc is another PID namespace's: only PID 1's end reaches all")
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as problem:
        return Finding("end whole trees", "partly", f"pids may be used again meanwhile: pidfd_open: {problem.strerror}")
    if not Marks().works:
        return Finding("end whole trees", "yes", "by a mark in the environment, as limits cannot be set")
    return Finding("end whole trees", "yes", "by a mark that survives setsid, double forks and a cleared environment")


def _sentinel() -> Finding:
    what = "outlive SIGKILL"
    if os.getpid() == 1:
        return Finding(what, "yes", "the kernel ends what is left")
    if not sentinel.is_needed(dict(os.environ)):
        return Finding(what, "yes", "systemd ends what is left")
    soft, hard = resource.getrlimit(leftovers.RLIMIT_LOCKS)
    if (soft, hard) != (resource.RLIM_INFINITY, resource.RLIM_INFINITY):
        if hard >= leftovers.LOWEST:
            return Finding(what, "yes", "the initsup around this one ends what is left")
        return Finding(what, "no", "the limit on file locks (ulimit -x) is set already")
    if not sys.executable:
        return Finding(what, "no", "the interpreter cannot be found again")
    return Finding(what, "yes", "a sentinel ends what is left")


def _confinement() -> Finding:
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    found = []
    if mode := _SECCOMP.get(status.get("Seccomp", "0").strip()):
        found.append(f"seccomp ({mode})")
    if status.get("NoNewPrivs", "0").strip() == "1":
        found.append("no_new_privs, so setuid programs give nothing")
    if os.statvfs("/").f_flag & os.ST_RDONLY:
        found.append("a read-only root file system")
    text = ", ".join(found) or "no seccomp filter, no no_new_privs, no read-only root file system"
    return Finding("free of confinement", "partly" if found else "yes", text)
