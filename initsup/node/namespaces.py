"""Mount namespaces: made, filled and held open by descriptors, while initsup itself stays where it is.

As root the calling thread goes there and back, which takes 50 µs. Without root a child does the work in a user
namespace: nobody who has entered one can come back.

The work that is handed over may only change mounts and files, not Python objects: it may run in another process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NoReturn, Protocol

import msgspec

from initsup.node import syscalls
from initsup.node.failures import CannotCreate, CannotMount
from initsup.node.handover import Parcel

Work = Callable[[], None]

_OWN = "/proc/thread-self/ns"  # /proc/self would be the main thread's


class Namespaces(msgspec.Struct, frozen=True):
    """Descriptors of namespaces, kept as long as somebody may still want to enter them.

    `fds` are to be entered in that order (setns(2)), the last is the mount namespace, and `inode` its number, by which
    the processes in it are known (/proc/PID/ns/mnt). The first `borrowed` of them belong to the namespaces that these
    are copies of. `directory` is a descriptor (O_PATH) of a directory in there, or -1, and `uts` one of the UTS
    namespace in which the host has a name of its own, or -1.
    """

    fds: tuple[int, ...]
    inode: int
    directory: int = -1
    borrowed: int = 0
    uts: int = -1

    def handed_over(self, parcel: Parcel) -> Namespaces:
        """The same, to be kept open for a successor."""
        for fd in (*self.fds, self.directory, self.uts):
            parcel.keep(fd)
        return self

    def close(self) -> None:
        """Let go: what is mounted in there disappears with the last process."""
        for fd in (*self.fds[self.borrowed :], self.directory, self.uts):
            if fd != -1:
                os.close(fd)


class Maker(Protocol):
    """A way to make namespaces and to work in them."""

    def make(self, base: Namespaces | None, work: Work, directory: str = "", host_name: str = "") -> Namespaces:
        """A new mount namespace, a copy of `base` (None: initsup's own), after `work` was done in it.

        With `host_name`, also a UTS namespace of that name, if that can be had. Raises OSError where the mounts are
        not permitted, and what `work` raises.
        """

    def within(self, base: Namespaces, work: Work, directory: str = "") -> int:
        """Do `work` in a namespace that is there; a descriptor (O_PATH) of a directory in it after that, or -1."""


class Excursion:
    """For root: the calling thread enters the namespace, and comes back whatever happens."""

    def __init__(self) -> None:
        self._home = os.open(f"{_OWN}/mnt", os.O_RDONLY | os.O_CLOEXEC)
        before = _identity("/")
        root, here = (os.open(path, os.O_PATH | os.O_CLOEXEC) for path in ("/", "."))
        try:
            self._go(None, lambda: None)
            if _identity("/") != before:
                # setns has put us at the root of the namespace, above the directory we had been locked into.
                os.fchdir(root)
                os.chroot(".")
                os.fchdir(here)
                raise OSError(0, "initsup runs in a chroot, which a mount namespace would lead out of")
        except OSError:
            os.close(self._home)
            raise
        finally:
            os.close(root)
            os.close(here)

    def make(self, base: Namespaces | None, work: Work, directory: str = "", host_name: str = "") -> Namespaces:
        """See Maker."""
        made: list[int] = []

        def fill() -> None:
            syscalls.unshare(syscalls.CLONE_NEWNS)
            work()
            made.append(os.open(f"{_OWN}/mnt", os.O_RDONLY | os.O_CLOEXEC))

        place = self._go(base, fill, directory)
        uts = _named(host_name) if host_name else -1
        return Namespaces(fds=(made[0],), inode=os.fstat(made[0]).st_ino, directory=place, uts=uts)

    def within(self, base: Namespaces, work: Work, directory: str = "") -> int:
        """See Maker."""
        return self._go(base, work, directory)

    def _go(self, base: Namespaces | None, work: Work, directory: str = "") -> int:
        here = os.open(".", os.O_PATH | os.O_CLOEXEC)
        try:
            if base is not None:
                syscalls.enter(base.fds[-1], syscalls.CLONE_NEWNS)
            work()
            return os.open(directory, os.O_PATH | os.O_CLOEXEC) if directory else -1
        finally:
            syscalls.enter(self._home, syscalls.CLONE_NEWNS)
            os.fchdir(here)
            os.close(here)


class Delegation:
    """For others: a child enters a user namespace, in which it may mount, and in it a mount namespace.

    Only the own uid and gid exist in there, so all processes of the pod run as the user who started initsup.
    """

    def make(self, base: Namespaces | None, work: Work, directory: str = "", host_name: str = "") -> Namespaces:
        """See Maker."""

        def fill() -> None:
            if base is None:
                _new_user_namespace()
                if host_name:
                    syscalls.unshare(syscalls.CLONE_NEWUTS)
                    syscalls.set_host_name(host_name)
            else:
                _enter(base)
                syscalls.unshare(syscalls.CLONE_NEWNS)
            work()

        child = _Child(fill)
        try:
            user = child.namespace("user") if base is None else base.fds[0]
            mount = child.namespace("mnt")
            place = child.directory(directory)
            uts = child.namespace("uts") if host_name else -1
            return Namespaces((user, mount), os.fstat(mount).st_ino, place, 0 if base is None else 1, uts)
        finally:
            child.end()

    def within(self, base: Namespaces, work: Work, directory: str = "") -> int:
        """See Maker."""

        def enter() -> None:
            _enter(base)
            work()

        child = _Child(enter)
        try:
            return child.directory(directory)
        finally:
            child.end()


def _named(host_name: str) -> int:
    """A UTS namespace of that name, -1 where there can be none. The calling thread goes there and back."""
    home = os.open(f"{_OWN}/uts", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(syscalls.CLONE_NEWUTS)
    except OSError:
        os.close(home)
        return -1
    try:
        syscalls.set_host_name(host_name)
        return os.open(f"{_OWN}/uts", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        syscalls.setns(home, syscalls.CLONE_NEWUTS)
        os.close(home)


def _enter(base: Namespaces) -> None:
    for fd in base.fds:
        syscalls.setns(fd)


def _new_user_namespace() -> None:
    """user_namespaces(7): the own ids stay what they are; groups cannot be changed any more."""
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        os.write(fd, text.encode())
        os.close(fd)


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


# -- the child -------------------------------------------------------------------------------------------------------


class _Child:
    """Does some work, tells how it went, and lives on until `end` so that its namespaces can be opened.

    The constructor returns when the work is done, and raises what it raised.
    """

    def __init__(self, work: Work) -> None:
        told, tell = os.pipe()
        wait, self._let_go = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._let_go)
            _work_and_tell(work, tell, wait)
        os.close(tell)
        os.close(wait)
        with open(told, "rb") as report:
            answer = report.read()
        if answer:
            self.end()
            _raise(answer)

    def namespace(self, kind: str) -> int:
        """A descriptor of one of its namespaces, `user`, `mnt` or `uts`."""
        return os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)

    def directory(self, path: str) -> int:
        """A descriptor (O_PATH) of a directory as the child sees it; -1 for none."""
        return os.open(f"/proc/{self.pid}/root{path}", os.O_PATH | os.O_CLOEXEC) if path else -1

    def end(self) -> None:
        """Let it go, and reap it: nothing else has, as nobody else was given a turn."""
        os.close(self._let_go)
        os.waitpid(self.pid, 0)


def _work_and_tell(work: Work, tell: int, wait: int) -> NoReturn:
    """The child's life. Nothing is reported when all went well."""
    report: list[object] = []
    try:
        work()
    except CannotMount as error:
        report = ["CannotMount", error.volume, error.message]
    except CannotCreate as error:
        report = ["CannotCreate", error.reason, error.message]
    except OSError as error:
        report = ["OSError", error.errno, error.strerror, error.filename]
    except BaseException as error:
        report = ["RuntimeError", repr(error)]
    try:
        os.write(tell, msgspec.json.encode(report) if report else b"")
        os.close(tell)
        os.read(wait, 1)
    finally:
        os._exit(0)


def _raise(answer: bytes) -> NoReturn:
    kind, *arguments = msgspec.json.decode(answer)
    kinds = {"CannotMount": CannotMount, "CannotCreate": CannotCreate, "OSError": OSError}
    raise kinds.get(kind, RuntimeError)(*arguments)
