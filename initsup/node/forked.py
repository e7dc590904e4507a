"""The slow way to start a process: fork, and let the child make itself what it shall be, step by step.

The child reports a step that fails through a pipe that exec closes: its name, the error number and the text. Steps
are prepared in the parent, so that the child imports nothing and touches as little memory as it can.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from initsup.node import syscalls
from initsup.node.failures import SpawnError
from initsup.node.go_text import errno_text
from initsup.node.identity import steps as identity_steps
from initsup.node.leftovers import RLIMIT_LOCKS
from initsup.node.masks import mask
from initsup.node.program import explain, go_to, locate
from initsup.node.spawn import Launch

Step = tuple[str, Callable[[], object]]

_SIGNALS = tuple(int(one) for one in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


def spawn_forked(launch: Launch) -> int:
    """Start it and return its pid. Raises SpawnError; then the child is gone, and waited for."""
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    steps = _steps(launch, [number for number, handler in handlers.items() if handler == signal.SIG_IGN])
    report, reporter = os.pipe2(os.O_CLOEXEC)
    # What has a handler waits until exec has taken that away: it would wake up the parent, as both share a pipe.
    handled = [number for number, handler in handlers.items() if callable(handler)]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, handled)
    try:
        with _birthplace(launch):
            # A thread that waits for the GIL would leave it broken in a child that os.fork has not mended.
            pid = syscalls.fork() if threading.active_count() == 1 else os.fork()
            if pid == 0:
                _become(launch, steps, reporter)
        os.close(reporter)  # and no more until the child has exec'ed: all that is touched here is copied
        failure = os.read(report, 65536)
    except OSError as error:
        os.close(reporter)
        raise SpawnError("fork", error.errno or 0, f"fork: {errno_text(error.errno or 0)}") from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(report)
    if not failure:
        return pid
    os.waitid(os.P_PID, pid, os.WEXITED)
    stage, number, message = failure.decode(errors="surrogateescape").split("\0", 2)
    raise SpawnError(stage, int(number), message)


@contextmanager
def _birthplace(launch: Launch) -> Iterator[None]:
    """Have children born in the PID namespace that the launch wants. Raises OSError."""
    if not launch.own_processes and not launch.beside:
        yield
        return
    home = os.open("/proc/thread-self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if launch.beside:
            _enter(f"/proc/{launch.beside}/ns/pid", syscalls.CLONE_NEWPID)
        else:
            syscalls.unshare(syscalls.CLONE_NEWPID)
        yield
    finally:
        syscalls.setns(home, syscalls.CLONE_NEWPID)
        os.close(home)


def _enter(path: str, kind: int) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(fd, kind)
    finally:
        os.close(fd)


def _become(launch: Launch, steps: list[Step], reporter: int) -> NoReturn:
    """The child's whole life before exec."""
    stage = ""
    try:
        for stage, act in steps:  # noqa: B007
            act()
    except SpawnError as error:
        _say(reporter, error.stage, error.errno, error.message)
    except OSError as error:
        number = error.errno or 0
        _say(reporter, stage, number, f"{stage}: {errno_text(number)}")
    except BaseException as error:
        _say(reporter, stage, 0, f"{stage}: {error}")
    finally:
        os._exit(127)


def _say(reporter: int, stage: str, number: int, message: str) -> None:
    os.write(reporter, f"{stage}\0{number}\0{message}".encode(errors="surrogateescape"))


def _steps(launch: Launch, ignored: list[int]) -> list[Step]:
    """What the child does, in order. The host's files first, then the container's view, then who it is."""
    parent = os.getpid()
    identity = identity_steps(launch.identity) if launch.identity else []
    directories = [launch.cwd]
    steps: list[Step] = [("cgroup", lambda: _enter_cgroups(launch.cgroups))]
    if launch.oom_score_adj is not None:
        steps.append(("oom_score_adj", lambda: _set_oom_score(launch.oom_score_adj)))
    if launch.session:
        steps.append(("setsid", os.setsid))
    steps += [
        ("setns", lambda: _enter_view(launch)),
        ("dup2", lambda: _take_streams(launch)),
        ("mark", lambda: _put_mark(launch.mark)),
        ("umask", lambda: os.umask(launch.umask)),
        # As root first, who may make the directory; what only the user may enter comes after (runc does the same).
        ("chdir", lambda: _go_if_allowed(directories)),
        *identity,
        ("chdir", lambda: _go_to_all(directories)),
        ("parent_death_signal", lambda: _set_parent_death_signal(launch.parent_death_signal, parent)),
        ("signals", lambda: _reset_signals(ignored)),
        ("exec", lambda: _exec(launch)),
    ]
    return steps


def _enter_cgroups(cgroups: tuple[str, ...]) -> None:
    for path in cgroups:
        _write(path, b"0")


def _set_oom_score(score: int | None) -> None:
    try:
        _write("/proc/self/oom_score_adj", b"%d" % (score or 0))
    except PermissionError:
        return


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    os.write(fd, data)
    os.close(fd)


def _enter_view(launch: Launch) -> None:
    if launch.user_namespace is not None:
        syscalls.setns(launch.user_namespace, syscalls.CLONE_NEWUSER)
    if launch.uts_namespace is not None:
        syscalls.setns(launch.uts_namespace, syscalls.CLONE_NEWUTS)
    if launch.beside and not launch.own_processes:
        _enter(f"/proc/{launch.beside}/ns/mnt", syscalls.CLONE_NEWNS)
    elif launch.mount_namespace is not None:
        syscalls.setns(launch.mount_namespace, syscalls.CLONE_NEWNS)
    if launch.own_processes:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("proc", "/proc", "proc", flags=syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
        if launch.masked:
            mask()
    if launch.root is not None:
        os.chroot(launch.root)
        os.chdir("/")


def _take_streams(launch: Launch) -> None:
    for number, fd in enumerate((launch.stdin, launch.stdout, launch.stderr)):
        if fd == number:
            os.set_inheritable(fd, True)
        else:
            os.dup2(fd, number)
    if launch.terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _put_mark(mark: int) -> None:
    if mark:
        resource.setrlimit(RLIMIT_LOCKS, (mark, resource.getrlimit(RLIMIT_LOCKS)[1]))


def _go_if_allowed(directories: list[str]) -> None:
    """Go to the one in the list and take it out; leave it there if that is forbidden."""
    try:
        go_to(directories[0])
        directories.clear()
    except SpawnError as error:
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise


def _go_to_all(directories: list[str]) -> None:
    for directory in directories:
        go_to(directory)


def _set_parent_death_signal(number: int, parent: int) -> None:
    if number:
        syscalls.set_parent_death_signal(number)
        if os.getppid() != parent:
            os.kill(os.getpid(), number)


def _reset_signals(ignored: list[int]) -> None:
    """Handlers go with exec by themselves, but what is ignored would stay so."""
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _exec(launch: Launch) -> None:
    path = locate(launch.argv[0] if launch.argv else "", launch.env.get("PATH", os.defpath))
    try:
        os.execve(path, launch.argv, launch.env)
    except OSError as error:
        raise explain(path, error.errno or 0) from None
