"""What initsup has started, each with all that it starts in turn, until nothing of that is left.

Whatever a process leaves when it ends is killed, as all of it is when the process is to be killed; in either case again
and again, each time that children were reaped.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from initsup.node.failures import SpawnError
from initsup.node.reaper import Reaper
from initsup.node.spawn import Launch, spawn
from initsup.node.tree import Forest, KeptForest, Tree

if TYPE_CHECKING:
    from initsup.node.kept import KeptProcess

OnExit = Callable[[int], None]


class Ending:
    """Takes the exit code of a command until somebody wants to know."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.wanted: OnExit | None = None

    def __call__(self, code: int) -> None:
        self.code = code
        if self.wanted is not None:
            self.wanted(code)


class Process:
    """Something that was started. `on_exit` gets the exit code when it and all it has left are gone.

    `code` is its exit code, if it has ended already and only others of its tree live.
    """

    def __init__(self, all_: Processes, tree: Tree, pid: int, on_exit: OnExit, code: int | None = None) -> None:
        self.pid = pid
        self.tree = tree
        self._all = all_
        self._on_exit: OnExit | None = on_exit
        self._code = code
        self.number = all_.enter(self)
        tree.join(pid)
        if code is None:
            all_.reaper.watch(pid, self._exited)

    def handed_over(self, doomed: bool) -> KeptProcess:
        """What a successor needs to know."""
        from initsup.node.kept import KeptProcess

        return KeptProcess(number=self.number, pid=self.pid, code=self._code, doomed=doomed)

    @property
    def ended(self) -> bool:
        """Whether all is over, and told."""
        return self._on_exit is None

    def signal(self, number: int) -> None:
        """Send a signal to the process itself. One that has ended gets none."""
        if self._code is None:
            try:
                os.kill(self.pid, number)
            except OSError:
                return  # it has become another user's

    def kill(self) -> None:
        """SIGKILL to the process and all it ever started."""
        self._all.doom(self)

    def _exited(self, code: int, _signal: int) -> None:
        self._code = code
        self._all.expect_end(self)

    def is_over(self, *, nothing_left: bool) -> bool:
        """Whether all is over, which is told once. `nothing_left`: of its tree."""
        if self._on_exit is None:
            return True
        if not nothing_left or self._code is None:
            return False
        self.tree.close()
        self._all.leave(self)
        on_exit, self._on_exit = self._on_exit, None
        on_exit(self._code)
        return True


class Processes:
    """All that were started and are not over yet."""

    def __init__(self, reaper: Reaper) -> None:
        _become_reaper()
        self.reaper = reaper
        self._forest = Forest(reaper)
        self._living: dict[int, Process] = {}
        self._numbers = itertools.count()
        # In the order in which they are to be ended; a list would be searched through for each of a thousand ends.
        self._doomed: dict[Process, None] = {}

    def close(self) -> None:
        """Nothing more is started or ended."""
        self._forest.close()

    def start(self, launch: Launch, on_exit: OnExit) -> Process:
        """Start something, in a tree of its own. Raises SpawnError."""
        tree = self._forest.plant()
        try:
            pid = spawn(replace(launch, env=launch.env | tree.env, mark=tree.mark))
        except SpawnError:
            tree.close()
            raise
        return Process(self, tree, pid, on_exit)

    def handed_over(self) -> tuple[tuple[KeptProcess, ...], KeptForest]:
        """What a successor needs to know."""
        processes = list(self._living.values())
        forest = self._forest.handed_over([process.tree for process in processes])
        return tuple(process.handed_over(process in self._doomed) for process in processes), forest

    def resume(
        self, kept: tuple[KeptProcess, ...], forest: KeptForest, on_exits: Mapping[int, OnExit]
    ) -> dict[int, Process]:
        """Go on with what was handed over: the processes by their old numbers, as `on_exits` are."""
        found = {}
        for one, tree in zip(kept, self._forest.resume(forest), strict=True):
            on_exit = on_exits.get(one.number, _nobody_waits)
            found[one.number] = Process(self, tree, one.pid, on_exit, one.code)
        return found

    def enter(self, process: Process) -> int:
        """Know a process that was started; its number."""
        number = next(self._numbers)
        self._living[number] = process
        return number

    def leave(self, process: Process) -> None:
        """Forget one that is over."""
        del self._living[process.number]

    def doom(self, process: Process) -> None:
        """Kill all of a process's tree, now and after every `sweep` until nothing is left."""
        is_known = process.number in self._living and process not in self._doomed
        if is_known and not process.is_over(nothing_left=process.tree.kill()):
            self._doomed[process] = None

    def expect_end(self, process: Process) -> None:
        """The process itself has ended: the next `sweep` kills what it has left."""
        self._doomed[process] = None

    def sweep(self) -> None:
        """To be called when children have been reaped. A thousand ends at once are one look at who is left."""
        if self._doomed:
            doomed, self._doomed = self._doomed, {}
            left = set(self._forest.kill([process.tree for process in doomed]))
            self._doomed |= dict.fromkeys(one for one in doomed if not one.is_over(nothing_left=one.tree not in left))

    def end_strays(self) -> bool:
        """Kill what got away from its container; whether nothing is left. If not, again after children were reaped."""
        return self._forest.kill_strays()


def _nobody_waits(code: int) -> None:
    """The end of what was started for a client or a probe that is no more."""


def _become_reaper() -> None:
    if os.getpid() != 1:
        from initsup.node.syscalls import become_subreaper

        become_subreaper()
