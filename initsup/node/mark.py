"""The mark that everything a container starts carries: a number in a resource limit that means nothing.

The limit on file locks (RLIMIT_LOCKS) is inherited through fork and exec, whatever a process does to its session, its
parents, its environment or its descriptors; nothing sets it, and no kernel since 2.4.25 looks at it (getrlimit(2)).
So a number in its soft half tells to which container an orphan belongs, for any user, at 1 µs per start.

An initsup that runs in a container of another one numbers its own containers in the bits below, so that the outer one
still sees its own number: three levels of a million containers each. Where the limit cannot be set, a variable in the
environment has to do.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable

from initsup.node.leftovers import LOWEST, RLIMIT_LOCKS

VARIABLE = "INITSUP_MARK"

_BITS = 20
_SHIFTS = (42, 22, 2)


class Marks:
    """The numbers that are in use at this level."""

    def __init__(self) -> None:
        soft, hard = resource.getrlimit(RLIMIT_LOCKS)
        self._base = 0 if soft == resource.RLIM_INFINITY or soft >= LOWEST else soft
        free = [shift for shift in _SHIFTS if self._base & ((1 << shift + _BITS) - 1) == 0]
        self._shift = free[0] if free else _SHIFTS[-1]
        self.works = bool(free) and _can_set(self._base | 1 << self._shift, soft, hard)
        """Whether the limit can be used; else marks only go into the environment."""
        self._used: set[int] = set()
        self.last = 0
        """The number that was given out last."""

    def take(self) -> int:
        """A mark that nothing else has."""
        number = self.last % ((1 << _BITS) - 1) + 1
        while number in self._used:
            number = number % ((1 << _BITS) - 1) + 1
        self.last = number
        self._used.add(number)
        return self._base | number << self._shift

    def resume(self, marks: Iterable[int], last: int) -> None:
        """These are in use, and `last` was the last number given out, before an exec of initsup."""
        self._used.update((mark - self._base) >> self._shift for mark in marks)
        self.last = last

    def give_back(self, mark: int) -> None:
        """Nothing carries this mark any longer."""
        self._used.discard((mark - self._base) >> self._shift)

    def of(self, pid: int) -> int:
        """The mark of this level that a process carries; a number that was never taken if it carries none."""
        try:
            return _of_limit(pid) >> self._shift << self._shift if self.works else _of_environment(pid)
        except (OSError, ValueError):  # it is gone
            return 0


def _can_set(value: int, soft: int, hard: int) -> bool:
    try:
        resource.setrlimit(RLIMIT_LOCKS, (value, hard))
        kept = resource.getrlimit(RLIMIT_LOCKS)[0] == value
        resource.setrlimit(RLIMIT_LOCKS, (soft, hard))
    except (OSError, ValueError):
        return False
    return kept


def _of_limit(pid: int) -> int:
    try:
        return resource.prlimit(pid, RLIMIT_LOCKS)[0]
    except PermissionError:  # another user's process, but this file is for everyone
        with open(f"/proc/{pid}/limits", "rb") as file:
            soft = file.read().partition(b"Max file locks")[2].split(None, 1)[0]
        return int(soft) if soft.isdigit() else resource.RLIM_INFINITY


def _of_environment(pid: int) -> int:
    for _ in range(100):
        with open(f"/proc/{pid}/environ", "rb") as environ, open(f"/proc/{pid}/cmdline", "rb") as cmdline:
            variables = b"\0" + environ.read()
            if len(variables) > 1 or cmdline.read():
                break
        os.sched_yield()  # it is in the middle of an exec, when both are empty
    return int(variables.partition(b"\0%s=" % VARIABLE.encode())[2].partition(b"\0")[0] or b"0")
