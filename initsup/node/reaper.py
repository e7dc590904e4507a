"""The only place that waits for children: it hands out the exits of ours, and sweeps orphans that were adopted.

initsup is PID 1 or a child sub-reaper, so every process that its parent left behind becomes its child in the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable

Exited = Callable[[int, int], None]
"""Called with the exit code (128+n for a signal) and the signal (0: it ended by itself)."""


class Reaper:
    """Waits for children when told to (after SIGCHLD), never blocks.

    An exit cannot be lost: until `reap` is called, a child that has ended stays there, so `watch` after `spawn` is in
    time, as long as both happen in the thread that reaps.
    """

    def __init__(self) -> None:
        self.watched: dict[int, Exited] = {}
        """The children that initsup itself has started and not seen the end of."""

    def watch(self, pid: int, exited: Exited) -> None:
        """Call `exited` from `reap` when the child `pid` has ended."""
        self.watched[pid] = exited

    def forget(self, pid: int) -> None:
        """Nobody is interested in this child any longer; it is still reaped."""
        self.watched.pop(pid, None)

    def reap(self) -> int:
        """Collect every child that has ended, and return how many that were."""
        count = 0
        try:
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)) is not None:
                count += 1
                exited = self.watched.pop(ended.si_pid, None)
                if exited is not None:
                    killed = ended.si_code != os.CLD_EXITED
                    exited(ended.si_status + 128 if killed else ended.si_status, ended.si_status if killed else 0)
        except ChildProcessError:  # there is no child at all
            pass
        return count
