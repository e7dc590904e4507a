"""Start a process. There are two ways behind one function.

- The fast way is posix_spawn(3), which shares memory with the child until it has exec'ed: 0.1 ms. What a child must
  have and posix_spawn cannot give is put on for that moment by initsup itself: directory, umask, mark, mount namespace.
- What only the child can do for itself (user, capabilities, cgroup, …) needs a fork: `initsup.node.forked`, 1.2 ms.

A failure up to and including exec is an exception here, never an exit code. No shell has a part in it: a script
without `#!` is an `exec format error`.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
from functools import cache
from typing import NamedTuple

import msgspec

from initsup.node import syscalls
from initsup.node.failures import SpawnError
from initsup.node.go_text import errno_text
from initsup.node.identity import Identity
from initsup.node.leftovers import RLIMIT_LOCKS
from initsup.node.program import explain, go_to, locate

_RESET = tuple(int(one) for one in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What to start and how. The descriptors stay the caller's, who has 0, 1 and 2 open; they are above 2, or
    at their place.

    All other descriptors must close on exec (`seal_descriptors`). All signals get their default action and none is
    blocked. The process leads a session of its own, unless `session` is false.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    stdin: int
    stdout: int
    stderr: int
    cwd: str = "/"
    """Made when it is missing."""
    umask: int = 0o022
    session: bool = True
    mark: int = 0
    """See `initsup.node.mark`; 0: none."""
    mount_namespace: int | None = None
    """Descriptor of the mount namespace to start in."""

    uts_namespace: int | None = None
    """Descriptor of the UTS namespace to start in; only with a mount namespace."""

    # From here on: whatever is set makes it the slow way.
    own_processes: bool = False
    """Start it as PID 1 of a PID namespace of its own, whose processes alone it finds in /proc. As root only, and with
    a mount namespace, of which it gets a copy."""
    masked: bool = False
    """That /proc is to be masked (`initsup.node.masks`)."""
    beside: int = 0
    """The pid of a process that was started with `own_processes`, whose PID and mount namespaces to start in; with
    `own_processes`, its PID namespace only."""
    user_namespace: int | None = None
    """Descriptor of the user namespace to enter before the mount namespace."""
    root: str | None = None
    """Directory in the mount namespace to chroot to; `cwd` and the program are looked up below it."""
    identity: Identity | None = None
    cgroups: tuple[str, ...] = ()
    """Paths of the cgroup.procs files to enter."""
    oom_score_adj: int | None = None
    """Not applied where it would protect more than initsup may (it needs CAP_SYS_RESOURCE)."""
    terminal: bool = False
    """Make `stdin`, a terminal, the controlling one."""
    parent_death_signal: int = 0
    """Sent to the process when initsup dies, 0: nothing."""


def spawn(launch: Launch) -> int:
    """Start it and return its pid, when it has been exec'ed. Raises SpawnError; then no process is left."""
    try:
        if _needs_fork(launch):
            from initsup.node.forked import spawn_forked

            return spawn_forked(launch)
        return _spawn_fast(launch)
    except ValueError as error:  # a NUL byte, or "=" in the name of a variable
        raise SpawnError("exec", errno.EINVAL, f"exec: {error}") from None


def seal_descriptors() -> None:
    """Let no descriptor from whoever started initsup get to containers, other than 0, 1 and 2."""
    for name in os.listdir("/proc/self/fd"):
        if (fd := int(name)) > 2:
            try:
                os.set_inheritable(fd, False)
            except OSError:  # the one that listed the directory
                continue


def _needs_fork(launch: Launch) -> bool:
    return bool(
        launch.identity
        or launch.cgroups
        or launch.root
        or launch.terminal
        or launch.parent_death_signal
        or launch.own_processes
        or launch.beside
        or launch.oom_score_adj is not None
        or launch.user_namespace is not None
    )


def _spawn_fast(launch: Launch) -> int:
    """Be, for one moment, what the child shall look like. Then back again, come what may."""
    here = os.open(".", _PLACE)
    umask = os.umask(launch.umask)
    soft, hard = resource.getrlimit(RLIMIT_LOCKS)
    try:
        if launch.mark:
            resource.setrlimit(RLIMIT_LOCKS, (launch.mark, hard))
        if launch.mount_namespace is None:
            return _exec(launch)
        return _exec_inside(launch, launch.mount_namespace)
    finally:
        resource.setrlimit(RLIMIT_LOCKS, (soft, hard))
        os.umask(umask)
        os.fchdir(here)
        os.close(here)


def _exec_inside(launch: Launch, namespace: int) -> int:
    home = _home()
    _enter(namespace, syscalls.CLONE_NEWNS)
    try:
        if launch.uts_namespace is not None:
            _enter(launch.uts_namespace, syscalls.CLONE_NEWUTS)
        return _exec(launch)
    finally:
        _return(home, with_uts=launch.uts_namespace is not None)


class _Home(NamedTuple):
    """Descriptors of initsup's own namespaces, and of its root."""

    mount: int
    uts: int
    root: int


@cache
def _home() -> _Home:
    """They stay open: initsup never moves."""
    mount, uts = (os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("mnt", "uts"))
    return _Home(mount, uts, os.open("/", _PLACE))


def _enter(namespace: int, kind: int) -> None:
    try:
        syscalls.enter(namespace, kind)
    except OSError as error:
        number = error.errno or 0
        raise SpawnError("setns", number, f"setns: {errno_text(number)}") from None


def _return(home: _Home, *, with_uts: bool) -> None:
    """To initsup's own namespaces, or rather nowhere: it must not go on in a container's."""
    try:
        syscalls.setns(home.mount, syscalls.CLONE_NEWNS)
        if with_uts:
            syscalls.setns(home.uts, syscalls.CLONE_NEWUTS)
        os.fchdir(home.root)
        os.chroot(".")
    except OSError as error:
        raise RuntimeError("cannot return to the mount namespace of initsup") from error


def _exec(launch: Launch) -> int:
    go_to(launch.cwd)
    path = locate(launch.argv[0] if launch.argv else "", launch.env.get("PATH", os.defpath))
    streams = enumerate((launch.stdin, launch.stdout, launch.stderr))
    try:
        return os.posix_spawn(
            path,
            launch.argv,
            launch.env,
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in streams],
            setsid=launch.session,
            setsigmask=(),
            setsigdef=_RESET,
        )
    except OSError as error:
        raise explain(path, error.errno or 0) from None
