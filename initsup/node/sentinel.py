"""The sentinel: a tiny process that outlives initsup, and ends what it has left when it was killed (SIGKILL, OOM).

It is a shell, which takes a sixtieth of the memory of this program, and waits for a last word from initsup in a pipe.
When the pipe ends without one it becomes the program `initsup.node.leftovers`, which needs no fork for that. It is in a
session of its own, takes no signal and holds nothing of initsup's.

None is needed where the kernel or systemd does that anyway: as PID 1 of a namespace, and as the main process of a unit.
"""

from __future__ import annotations

import os
import signal

from initsup.node import leftovers
from initsup.node.handover import Parcel

HANDED_OVER = "INITSUP_SENTINEL"
"""The variable by which a sentinel is kept across an exec of initsup itself: `PID:DESCRIPTOR`."""

_SHELL = "/bin/sh"
_WAIT = 'cd /; read -r word || exec "$@"'


class Sentinel:
    """The running sentinel. `pid` is a child of initsup."""

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self._fd = fd

    def dismiss(self) -> None:
        """Give it the last word: there is nothing left to be ended. Waits until it has gone, if it is a child still."""
        try:
            os.write(self._fd, b"\n")
        except OSError:  # somebody has killed it
            pass
        os.close(self._fd)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass

    def hand_over(self, parcel: Parcel) -> dict[str, str]:
        """Keep it across an exec of initsup; the variables that the new program must get."""
        parcel.keep(self._fd)
        return {HANDED_OVER: f"{self.pid}:{self._fd}"}


def is_needed(environ: dict[str, str]) -> bool:
    """Whether nobody else would end what is left."""
    me = str(os.getpid())
    of_unit = environ.get("SYSTEMD_EXEC_PID") == me or ("INVOCATION_ID" in environ and os.getppid() == 1)
    return me != "1" and not of_unit


def start(number: int, python: str) -> Sentinel | None:
    """Start it, for what carries the number; `python` is the interpreter. None: it cannot be started.

    One that was handed over is taken on.
    """
    if kept := os.environ.pop(HANDED_OVER, ""):
        pid, _, fd = kept.partition(":")
        os.set_inheritable(int(fd), False)
        return Sentinel(int(pid), int(fd))
    source, sink = os.pipe2(os.O_CLOEXEC)
    ending = [python, "-I", "-S", "-B", leftovers.__file__]
    shell = ["sh", "-c", _WAIT, "initsup-sentinel", *ending, str(number)]
    try:
        try:
            return Sentinel(_spawn(_SHELL, shell, source), sink)
        except FileNotFoundError:
            return Sentinel(_spawn(python, [*ending, "read", str(number)], source), sink)
    except OSError:
        os.close(sink)
        return None
    finally:
        os.close(source)


def _spawn(path: str, argv: list[str], source: int) -> int:
    return os.posix_spawn(
        path,
        argv,
        {},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, source, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=signal.valid_signals(),
    )
