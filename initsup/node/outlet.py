"""Writing to a descriptor that others share (initsup's own stdout and stderr), without ever waiting for its reader.

O_NONBLOCK belongs to the open file description, which the user's shell has, too, and which outlives us: it is not
touched. Instead, depending on what the descriptor is:

- a file or /dev/null takes everything at once;
- a pipe or a socket is written with RWF_NOWAIT (pwritev2(2); pipes: Linux 6.4). Older kernels: when poll(2) says that
  there is room, no more than PIPE_BUF, which then does not wait;
- a terminal is opened a second time, without waiting, by its name. Where that cannot be had: as with old pipes, but
  little at a time, since a terminal does not tell how much room it has.

What cannot be written now is kept, up to a bound, until epoll says that there is room.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from initsup.node.kept import KeptOutlet

BOUND = 8 * 2**20
_AT_ONCE = 65536
_PIPE_BUF = 4096
_TERMINAL_BIT = 256
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ESPIPE)
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.EBADF)
_CURRENT = -1  # position for pwritev2: the descriptor's own, if it has one


class Outlet:
    """`fd` is written to for the owner; `bound` is how many bytes may wait, in memory.

    `dropped` counts lines that there was no room for, in memory or on a full disk: the owner resets it when it has said
    so. Nothing raises; when the other side is gone (EPIPE, a terminal that was closed) everything is thrown away and
    `gone` is true.
    """

    def __init__(self, fd: int, poll: select.epoll, bound: int = BOUND) -> None:
        self._poll = poll
        self._bound = bound
        self._waiting = bytearray()
        self._own = -1
        self.fd = fd
        self.dropped = 0
        self.gone = False
        self.is_terminal = False
        self._put: Callable[[memoryview], int] = self._discard
        self._choose()

    @property
    def waiting(self) -> int:
        """How many bytes wait for the reader."""
        return len(self._waiting)

    def handed_over(self) -> KeptOutlet:
        """What a successor needs to know."""
        from initsup.node.kept import KeptOutlet

        return KeptOutlet(bytes(self._waiting), self.dropped, self.gone)

    def resume(self, kept: KeptOutlet) -> None:
        """Go on with what was handed over, before anything else is written."""
        self.dropped, self.gone = kept.dropped, self.gone or kept.gone
        if kept.waiting and not self.gone:
            self.write(kept.waiting)

    def room_for(self, data: bytes) -> bool:
        """Whether `write` should be given this; if not, its lines are counted as dropped.

        Once lines were dropped, more are until all that waits is written: one gap instead of many.
        """
        if self.gone:
            return False
        if not self._waiting or (not self.dropped and len(self._waiting) + len(data) <= self._bound):
            return True
        self.dropped += data.count(b"\n")
        return False

    def write(self, data: bytes) -> None:
        """Write it now, or as soon as the reader has made room."""
        if self._waiting:
            self._waiting += data
            return
        done = self._push(memoryview(data))
        if done < len(data) and not self.gone:
            self._waiting += memoryview(data)[done:]
            self._poll.register(self.fd, select.EPOLLOUT)

    def ready(self) -> None:
        """There is room again, says epoll."""
        for _ in range(8):  # then let others have their turn
            with memoryview(self._waiting) as view:
                size = min(len(view), _AT_ONCE)
                done = self._push(view[:size])
            del self._waiting[:done]
            if done < size or not self._waiting:
                break
        if self.gone:
            self._waiting.clear()
        if not self._waiting:
            self._poll.unregister(self.fd)

    def flush(self, patience: float | None) -> None:
        """Wait until all is written, `patience` seconds at most (None: however long it takes)."""
        deadline = None if patience is None else time.monotonic() + patience
        room = select.poll()
        room.register(self.fd, select.POLLOUT)
        while self._waiting:
            left = None if deadline is None else deadline - time.monotonic()
            if (left is not None and left <= 0) or not room.poll(None if left is None else left * 1000):
                break
            self.ready()

    def close(self) -> None:
        """Throw away what still waits. The descriptor stays open: it is not ours."""
        if self._waiting:
            self._poll.unregister(self.fd)
            self._waiting.clear()
        if self._own >= 0:
            os.close(self._own)
            self._own = -1
        self._put = self._discard

    # -- the ways to write ------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        try:
            mode = os.fstat(self.fd).st_mode
            self.is_terminal = os.isatty(self.fd)
        except OSError:
            self.gone = True
            return
        if self.is_terminal:
            self._own = _open_again(self.fd)
            self._put = self._put_little if self._own < 0 else self._put_own
        elif stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            self._put = self._put_now
        else:
            self._put = self._put_all

    def _push(self, data: memoryview) -> int:
        """Write what can be written; how much that was."""
        done = 0
        try:
            while done < len(data):
                done += self._put(data[done:])
        except BlockingIOError:
            pass
        except OSError as error:
            self.gone = self.is_terminal or error.errno in _GONE
            self.dropped += 0 if self.gone else bytes(data[done:]).count(b"\n")
            done = len(data)
        return done

    def _put_all(self, data: memoryview) -> int:
        return os.write(self.fd, data)

    def _put_own(self, data: memoryview) -> int:
        return os.write(self._own, data)

    def _put_now(self, data: memoryview) -> int:
        try:
            return os.pwritev(self.fd, [data], _CURRENT, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
        self._put = self._put_little
        return self._put_little(data)

    def _put_little(self, data: memoryview) -> int:
        room = select.poll()
        room.register(self.fd, select.POLLOUT)
        if not room.poll(0):
            raise BlockingIOError
        return os.write(self.fd, data[: _TERMINAL_BIT if self.is_terminal else _PIPE_BUF])

    def _discard(self, data: memoryview) -> int:
        return len(data)


def _open_again(fd: int) -> int:
    """The same terminal by an open file description of our own; -1 if that cannot be."""
    try:
        own = os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return -1
    if os.isatty(own) and os.fstat(own).st_rdev == os.fstat(fd).st_rdev:
        return own
    os.close(own)
    return -1
