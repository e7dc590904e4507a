"""The file in which a container leaves its last words: terminationMessagePath (kuberuntime_container.go)."""

from __future__ import annotations

import os
import stat

from initsup.node.go_text import said

MAX_BYTES = 4096
_MODE = 0o666


def renew(path: str) -> None:
    """Make the file empty and open to every user, as each instance of the container must find it. Raises OSError.

    It stays the same file, since a mount of it shows the file and not its name.
    """
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        pass
    else:
        if there.st_mode == stat.S_IFREG | _MODE and not there.st_size:  # as the one before has mostly left it
            return
    _open_to_all(path, os.O_CREAT | os.O_TRUNC)


def open_to_all(path: str) -> None:
    """Open a file that is there to every user, and leave what is in it. Raises OSError."""
    _open_to_all(path, 0)


def _open_to_all(path: str, flags: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags, _MODE)
    try:
        os.fchmod(fd, _MODE)
    finally:
        os.close(fd)


def take(path: str | None, shown: str) -> str:
    """The last 4096 bytes of the file, which is empty then; "" when there is no file.

    `shown` is its path for the container, for errors, which are messages, too.
    """
    if path is None:
        return ""
    try:
        there = os.lstat(path)
        if stat.S_ISREG(there.st_mode) and there.st_size == 0:  # as mostly
            return ""
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return _failed(shown, error)
    try:
        end = os.fstat(fd).st_size
        message = os.pread(fd, MAX_BYTES, max(end - MAX_BYTES, 0)).decode(errors="replace")
        if end:
            os.ftruncate(fd, 0)
        return message
    except OSError as error:
        return _failed(shown, error)
    finally:
        os.close(fd)


def wants_log(policy: str, code: int, message: str) -> bool:
    """Whether the end of the log is to stand in for the message (FallbackToLogsOnError)."""
    return policy == "FallbackToLogsOnError" and code != 0 and not message


def _failed(shown: str, error: OSError) -> str:
    return f"Error on reading termination log {shown}: {said(error)}"
