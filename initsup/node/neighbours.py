"""Other pods of this host that want something at the same path.

Who mounts something on the host's own file system holds a shared lock on what is there (`mount_points`), who has links
an exclusive one on the volumes directory that they lead to (`links`). Locks are flock(2)'s: they end with their
process, so that a pod that was killed is in nobody's way.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager


class InUse(OSError):
    """Another pod has mounted something there, or has its containers' termination messages there."""


def hold(volumes: str) -> int:
    """Let others know that the links to this volumes directory are in use; a descriptor to be kept. Raises OSError."""
    fd = os.open(volumes, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def owner(path: str, own: str = "") -> str:
    """The state directory of a pod that lives and has a link at `path`, or above it; empty: there is none.

    `own` is the volumes directory of who asks.
    """
    while path != "/":
        if os.path.islink(path):
            for state in _states(os.readlink(path)):
                if f"{state}/volumes" != own and _is_held(f"{state}/volumes"):
                    return state
        path = os.path.dirname(path)
    return ""


def _states(target: str) -> Iterator[str]:
    """The state directories that a link into a volume may be of: one can be below another directory of that name."""
    at = target.find("/volumes/")
    while at != -1:
        yield target[:at]
        at = target.find("/volumes/", at + 1)


def is_locked(path: str) -> bool:
    """Whether somebody else holds an exclusive lock on what is at `path`. Raises OSError when it cannot be opened."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _is_held(volumes: str) -> bool:
    try:
        return is_locked(f"{volumes}/.")  # a directory, and no pipe that somebody has put there
    except PermissionError:  # another user's: it cannot be told
        return True
    except OSError:
        return False


@contextmanager
def unmounted(path: str) -> Iterator[None]:
    """As long as `path` is moved away: another pod must not have mounted anything there, its containers would lose it.

    Raises OSError.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # a link, or nothing for us to read
        fd = -1
    try:
        if fd != -1:
            _lock_alone(fd)
        yield
    finally:
        if fd != -1:
            os.close(fd)


def _lock_alone(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InUse(errno.EBUSY, "another pod has mounted something there") from None
    except OSError:  # a file system without locks
        pass
