"""What an initsup that was killed has left running: how it is known, and how it is ended.

A process that is killed can do nothing more, and what it had started goes on. So everything below initsup carries a
number of that very initsup: the hard half of the limit on file locks (RLIMIT_LOCKS), which is inherited through fork
and exec, means nothing to any kernel since 2.4.25 (getrlimit(2)) and can be lowered by anybody. `initsup.node.mark`
uses the soft half. What is left is ended by the sentinel (`initsup.node.sentinel`), and by the next start in the same
state directory.

An initsup that runs in a container of another one takes no number: with its container all of it ends.

This file is also a program, which the sentinel becomes: it imports nothing but the standard library.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time

RLIMIT_LOCKS = 10
"""Not in the resource module, as the kernel pays it no attention (getrlimit(2))."""

LOWEST = 1 << 62
"""Hard limits from here on, and below 2^63, are numbers of an initsup; soft ones below are marks."""

PATIENCE = 10.0
"""Seconds that `end` takes at most: what has not gone by then waits for a device, and goes when that answers."""
_PAUSE = 0.005


def claim(*, resumed: bool = False) -> int:
    """Give this process, and all that it starts, a number of its own; 0 when it cannot be had or is not needed.

    `resumed`: initsup has been replaced by exec, so it is the one from before.
    """
    soft, hard = resource.getrlimit(RLIMIT_LOCKS)
    if resumed:
        return hard if soft == hard >= LOWEST else 0
    if hard != resource.RLIM_INFINITY or soft != hard:
        return 0
    number = LOWEST | int.from_bytes(os.urandom(8), "big") >> 2
    try:
        resource.setrlimit(RLIMIT_LOCKS, (number, number))
    except (OSError, ValueError):
        return 0
    return number if resource.getrlimit(RLIMIT_LOCKS) == (number, number) else 0


def end(number: int, patience: float = PATIENCE) -> int:
    """SIGKILL to every process that carries the number but this one, until none is left; how many there were."""
    hit: set[tuple[int, bytes]] = set()
    deadline = time.monotonic() + patience
    while True:
        left = living(number)
        for pid, started in left - hit:
            _kill(pid, number, started)
        hit |= left
        if not left or time.monotonic() > deadline:
            return len(hit)
        time.sleep(_PAUSE)


def living(number: int) -> set[tuple[int, bytes]]:
    """Every process that carries the number but this one: its pid, and when it was started."""
    return {(pid, started) for pid in _carriers(number) if (started := _started(pid))}


def _carriers(number: int) -> list[int]:
    me = os.getpid()
    return [pid for name in os.listdir("/proc") if name.isdigit() and (pid := int(name)) != me and _of(pid) == number]


def _of(pid: int) -> int:
    """The number that a process carries; 0 when it is gone."""
    try:
        return resource.prlimit(pid, RLIMIT_LOCKS)[1]
    except PermissionError:  # another user's process, but this file is for everyone
        pass
    except (OSError, ValueError):
        return 0
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            hard = file.read().partition(b"Max file locks")[2].split(None, 2)[1]
    except (OSError, IndexError):
        return 0
    return int(hard) if hard.isdigit() else 0


def _started(pid: int) -> bytes:
    """When a process was started, in clock ticks: with the pid it tells it from all others. Empty: it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return b""
    return b"" if fields[0] in (b"Z", b"X") else fields[19]


def _kill(pid: int, number: int, started: bytes) -> None:
    """SIGKILL, unless the pid is another process's by now."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:  # it has ended, or the kernel is older than Linux 5.3
        fd = -1
    try:
        if _started(pid) != started or _of(pid) != number:
            return
        if fd >= 0:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except OSError:  # it has ended, or it is another user's
        return
    finally:
        if fd >= 0:
            os.close(fd)


if __name__ == "__main__":
    # `read` comes first where there is no shell that could wait for the last word of initsup.
    if "read" not in sys.argv or not os.read(0, 1):
        end(int(sys.argv[-1]))
