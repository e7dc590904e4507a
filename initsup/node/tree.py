"""Everything that a container ever started, and how to end it.

initsup is a child sub-reaper, so no process leaves its descendants: an orphan becomes its child. A container's
processes are therefore what is below those children of initsup that the container is known by:

- the process that was started for it,
- orphans with its mark (`initsup.node.mark`); else with its session, as one that changed both has never been seen,
- what was once seen below one of these,

plus, where it has a cgroup for its limits, whoever is in there. After a main process has ended, its children are
initsup's already when its exit is reported, so the list of initsup's own children answers whether anything is left:
25 µs for 100 containers, 0.25 ms for 1000. Nothing else in /proc is looked at.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable

import msgspec

from initsup.node import procfs
from initsup.node.mark import VARIABLE, Marks
from initsup.node.reaper import Reaper

_ROUNDS = 50
"""How often one call looks again for what was forked meanwhile. The exits of what it killed lead to the next call."""


class KeptTree(msgspec.Struct, frozen=True):
    """A tree as it is handed over."""

    number: int
    mark: int
    env: dict[str, str]
    launched: tuple[int, ...]
    cgroup: str


class KeptForest(msgspec.Struct, frozen=True):
    """All trees. `seen` are pid, when it was started, and the number of its tree."""

    trees: tuple[KeptTree, ...]
    seen: tuple[tuple[int, int, int], ...]
    out_of_reach: dict[int, int]
    before: tuple[int, ...]
    last_mark: int


class Tree:
    """The processes of one container, hook or probe, known by a `number`.

    They carry it in one of two ways: `mark` goes into the Launch (0: there is none), `env` into its environment.
    """

    def __init__(self, forest: Forest, number: int, mark: int, env: dict[str, str]) -> None:
        self.number = number
        self.mark = mark
        self.env = env
        self.launched: set[int] = set()
        self.cgroup = ""
        """Directory of a cgroup that holds nothing else; empty: there is none."""
        self._forest = forest

    def join(self, pid: int) -> None:
        """Take in a process that was started for the tree, with its mark."""
        self.launched.add(pid)
        self._forest.launched[pid] = self

    def pids(self) -> list[int]:
        """All living processes, the ones started for it first."""
        return list(self._forest.processes([self])[self])

    def kill(self) -> bool:
        """SIGKILL to all of it; whether nothing was left. If not, call again after children were reaped."""
        return not self._forest.kill([self])

    def close(self) -> None:
        """Forget it, when nothing is left."""
        self._forest.remove(self)


class Forest:
    """All trees of the pod."""

    def __init__(self, reaper: Reaper) -> None:
        self._reaper = reaper
        self._marks = Marks()
        self._trees: dict[int, Tree] = {}
        self.launched: dict[int, Tree] = {}
        """The tree of each process that was started for one; of a pid that was used twice, the newer one."""
        self._seen: dict[int, tuple[int, Tree]] = {}
        """Processes seen in a tree that do not carry its mark: pid → when it was started, the tree."""
        self._out_of_reach: dict[int, int] = {}
        """Processes that may not be killed (they became another user's): pid → when it was started."""
        self._me = os.getpid()
        self.sighted = procfs.is_ours()
        """False: /proc is missing or another PID namespace's, so that no more is known than what was started here."""
        self._children = procfs.OwnChildren()
        self._before = frozenset(map(int, self._children.text()) if self.sighted else ())
        """Children from before exec, which belong to whoever started initsup."""

    def close(self) -> None:
        """To be asked no more."""
        self._children.close()

    def plant(self) -> Tree:
        """A new tree, for one start of something."""
        number = self._marks.take()
        tree = Tree(self, number, *((number, {}) if self._marks.works else (0, {VARIABLE: str(number)})))
        self._trees[number] = tree
        return tree

    def handed_over(self, trees: list[Tree]) -> KeptForest:
        """What a successor needs to know of these trees, which are all there are."""
        numbers = {tree: number for number, tree in enumerate(trees)}
        return KeptForest(
            trees=tuple(KeptTree(t.number, t.mark, t.env, tuple(t.launched), t.cgroup) for t in trees),
            seen=tuple((pid, start, numbers[tree]) for pid, (start, tree) in self._seen.items() if tree in numbers),
            out_of_reach=self._out_of_reach,
            before=tuple(self._before),
            last_mark=self._marks.last,
        )

    def resume(self, kept: KeptForest) -> list[Tree]:
        """Have the trees of the program that this one replaces, in the same order."""
        trees = []
        for one in kept.trees:
            tree = Tree(self, one.number, one.mark, one.env)
            tree.cgroup = one.cgroup
            for pid in one.launched:
                tree.join(pid)
            self._trees[one.number] = tree
            trees.append(tree)
        self._marks.resume(self._trees, kept.last_mark)
        self._seen = {pid: (start, trees[number]) for pid, start, number in kept.seen}
        self._out_of_reach = dict(kept.out_of_reach)
        self._before = frozenset(kept.before)
        return trees

    def remove(self, tree: Tree) -> None:
        """Forget a tree of which nothing is left."""
        if self._trees.pop(tree.number, None) is not None:
            self._marks.give_back(tree.number)
        for pid in tree.launched:
            if self.launched.get(pid) is tree:
                del self.launched[pid]
        if self._seen:
            self._seen = {pid: seen for pid, seen in self._seen.items() if seen[1] is not tree}

    def kill(self, trees: Iterable[Tree]) -> list[Tree]:
        """SIGKILL to all processes of the trees. Returns the trees of which there was something left.

        Call it again with these after children were reaped, until none is returned.
        """
        wanted = list(trees)
        hit: set[int] = set()
        for tree in wanted:
            if tree.cgroup:
                _kill_cgroup(tree.cgroup)
        for _ in range(_ROUNDS):
            found = self.processes(wanted)
            fresh = [(pid, above) for members in found.values() for pid, above in members.items() if pid not in hit]
            if not fresh:
                break
            hit.update(pid for pid, above in fresh if self._kill_one(pid, above))
        return [tree for tree in wanted if any(map(self._within_reach, found[tree]))]

    def kill_strays(self) -> bool:
        """SIGKILL to every process below initsup that belongs to no tree; whether there was none.

        For the end of the pod: what changed session, parent and mark before it was ever seen.
        """
        strays = [pid for pid in self._adopted() if self._owner(pid) is None and self._within_reach(pid)]
        for pid in strays:
            self._kill_one(pid, self._me)
        return not strays

    def processes(self, trees: Iterable[Tree]) -> dict[Tree, dict[int, int]]:
        """Of each tree its living processes, each with its parent, in order from the top."""
        found: dict[Tree, dict[int, int]] = {}
        for tree in trees:
            alive = [pid for pid in tree.launched if pid in self._reaper.watched and self.launched[pid] is tree]
            found[tree] = dict.fromkeys(alive, self._me)
            if tree.cgroup:
                found[tree].update(dict.fromkeys(_in_cgroup(tree.cgroup), 0))
        for pid in self._adopted():
            if (owner := self._owner(pid)) in found:
                found[owner][pid] = self._me
        for tree, members in found.items():
            self._walk(tree, members)
        return found

    def _walk(self, tree: Tree, members: dict[int, int]) -> None:
        """Add all that is below the members."""
        todo = list(members) if self.sighted else []
        while todo:
            above = todo.pop()
            for pid in procfs.children(above):
                if pid not in members:
                    members[pid] = above
                    todo.append(pid)
                    if self._trees.get(self._marks.of(pid)) is not tree:
                        self._seen[pid] = (procfs.started(pid), tree)

    def _adopted(self) -> list[int]:
        """The children of initsup that it has not started itself."""
        watched, before = self._reaper.watched, self._before
        listed = self._children.text() if self.sighted else []
        if len(listed) <= len(watched):  # all of which are in the list until they are reaped
            return []
        return [pid for pid in map(int, listed) if pid not in watched and pid not in before]

    def _owner(self, pid: int) -> Tree | None:
        """The tree that a child of initsup belongs to."""
        if tree := self._trees.get(self._marks.of(pid)):
            return tree
        if pid in self._seen and self._seen[pid][0] == procfs.started(pid):
            return self._seen[pid][1]
        return self.launched.get(procfs.session(pid))  # no pid is given out again while it names a session

    def _within_reach(self, pid: int) -> bool:
        return pid not in self._out_of_reach or self._out_of_reach[pid] != procfs.started(pid)

    def _kill_one(self, pid: int, above: int) -> bool:
        """SIGKILL to the child `pid` of `above`, and to no other that has got its number or parent meanwhile.

        False: it has another parent now.
        """
        try:
            if above == self._me:  # its number is taken until it is reaped
                os.kill(pid, signal.SIGKILL)
                return True
            return _kill_if(pid, lambda: above == 0 or procfs.parent(pid) in (0, above, self._me))
        except ProcessLookupError:
            pass
        except PermissionError:
            self._out_of_reach[pid] = procfs.started(pid)
        return True


def _kill_if(pid: int, condition: Callable[[], bool]) -> bool:
    """SIGKILL if the condition holds for the process that has this number now, and not for its successor."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    except OSError:  # before Linux 5.3, or forbidden in this place
        if holds := condition():
            os.kill(pid, signal.SIGKILL)
        return holds
    try:
        if holds := condition():
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        return holds
    finally:
        os.close(fd)


def _kill_cgroup(directory: str) -> None:
    """Kill a cgroup in one go, where the kernel can (cgroup v2 since Linux 5.14)."""
    try:
        with open(f"{directory}/cgroup.kill", "wb", buffering=0) as file:
            file.write(b"1")
    except OSError:
        return


def _in_cgroup(directory: str) -> list[int]:
    try:
        with open(f"{directory}/cgroup.procs", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []
