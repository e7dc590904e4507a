"""Who is whose child, from /proc."""

from __future__ import annotations

import os

_PARENT, _SESSION, _STARTED = 1, 3, 19
"""Fields of /proc/PID/stat, counted from the state, which is behind the name."""
_MOST = 65536


def is_ours() -> bool:
    """Whether /proc is there and numbers processes as this process does: not after `unshare --pid` alone."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """The children of a process, in the order in which it got them, adopted ones included; zombies, too."""
    return [int(one) for one in children_text(pid)]


def children_text(pid: int) -> list[bytes]:
    """The same before it is made into numbers, for who only wants to count a thousand of them."""
    found: list[bytes] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += _read(f"/proc/{pid}/task/{task}/children").split()
    except FileNotFoundError:
        # The process or a thread of it is gone, or the kernel was built without CONFIG_PROC_CHILDREN.
        if not os.path.exists("/proc/thread-self/children"):
            return _children_by_scan(pid)
    except ProcessLookupError:
        pass
    return found


class OwnChildren:
    """The children of this process. It is asked after each of their ends, so the list stays open.

    All of them are its first thread's: no other one starts any, and the kernel gives orphans to the first that lives
    (kernel/exit.c, find_new_reaper).
    """

    def __init__(self) -> None:
        try:
            me = os.getpid()
            self._fd = os.open(f"/proc/{me}/task/{me}/children", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # the kernel was built without CONFIG_PROC_CHILDREN
            self._fd = -1

    def text(self) -> list[bytes]:
        """What `children_text` would tell."""
        if self._fd < 0:
            return children_text(os.getpid())
        found = b""
        while part := os.pread(self._fd, _MOST, len(found)):
            found += part
        return found.split()

    def close(self) -> None:
        """To be asked no more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def parent(pid: int) -> int:
    """The parent of a process; 0 when it is gone."""
    return _stat(pid, _PARENT)


def session(pid: int) -> int:
    """The session of a process; 0 when it is gone."""
    return _stat(pid, _SESSION)


def started(pid: int) -> int:
    """When a process was started, in clock ticks: a pid together with this is never seen twice. 0: it is gone."""
    return _stat(pid, _STARTED)


def _stat(pid: int, field: int) -> int:
    try:
        return int(_read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[field])
    except OSError:
        return 0


def _children_by_scan(pid: int) -> list[bytes]:
    return [one.encode() for one in os.listdir("/proc") if one.isdigit() and parent(int(one)) == pid]


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        data = file.readall()
    return data or b""
