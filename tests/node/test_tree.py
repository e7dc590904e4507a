"""Nothing that a container started outlives it, and nothing else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from initsup.node import mark, procfs, syscalls
from initsup.node.reaper import Reaper
from initsup.node.spawn import spawn
from initsup.node.tree import Forest, Tree
from tests.node.launching import ENV, children_exits, launch, lines, needs_root, null, reap_until, sh, until

pytestmark = pytest.mark.real


class World:
    """A forest with a reaper, and a directory that all processes of the test have as their working directory."""

    def __init__(self, place: Path, wait: Callable[[], None]) -> None:
        self.place = place
        self.reaper = Reaper()
        self.forest = Forest(self.reaper)
        self.wait = wait
        self.ended: list[int] = []

    def start(self, *argv: str, **fields: Any) -> tuple[Tree, int]:
        tree = self.forest.plant()
        env = ENV | tree.env | {"READY": str(self.place / "ready")}
        pid = spawn(launch(*argv, out=null(), env=env, mark=tree.mark, cwd=str(self.place), **fields))
        tree.join(pid)
        self.reaper.watch(pid, lambda *_: self.ended.append(pid))
        return tree, pid

    def kill(self, *trees: Tree) -> None:
        alive = self.forest.kill(trees)
        while alive:
            self.wait()
            self.reaper.reap()
            alive = self.forest.kill(alive)

    def until_ended(self, pid: int) -> None:
        reap_until(self.reaper, lambda: pid in self.ended, self.wait)

    def until_ready(self, count: int = 1) -> None:
        until(lambda: len(lines(self.place / "ready")) >= count, "processes are ready")

    def until_size(self, tree: Tree, count: int) -> None:
        """A shell that started something in the background may still be there for a moment."""

        def right() -> bool:
            self.reaper.reap()
            return len(tree.pids()) == count

        until(right, f"the tree has {count} processes")

    def living(self) -> set[int]:
        """Processes that have their working directory in ours, whoever their parent is."""
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if Path(os.readlink(f"/proc/{pid}/cwd")) == self.place:
                    found.add(int(pid))
            except OSError:
                continue
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    syscalls.become_subreaper()
    with children_exits() as wait:
        made = World(tmp_path, wait)
        yield made
        for pid in made.living():
            os.kill(pid, signal.SIGKILL)
        reap_until(made.reaper, lambda: not set(procfs.children(os.getpid())) - made.forest._before, wait)
    syscalls._prctl(36, 0)


def python(script: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", script)


READY = "echo >> $READY; exec sleep 1000"
TELL = "open(os.environ['READY'], 'a').write('\\n'); time.sleep(1000)"
DAEMON = f"""
import os, time, signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        CHANGE
        {TELL}
    os._exit(0)
os.wait()
"""
# Twenty lines of processes, each of which starts its successor and ends, and one that starts a line every millisecond.
BOMB = """
import os, time
end = time.monotonic() + 10
open(os.environ['READY'], 'a').write('\\n')
while time.monotonic() < end and os.fork() != 0:
    time.sleep(0.001)
os.setsid()
while time.monotonic() < end:
    if os.fork() != 0:
        os._exit(0)
    time.sleep(0.02)
"""
# Each process starts one other and ends at once: it is never where one last looked.
FUSE = """
import os, time
if os.fork() == 0:
    os.setsid()
    open(os.environ['READY'], 'a').write('\\n')
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if os.fork() != 0:
            os._exit(0)
"""
SUBREAPER = f"""
import ctypes, os, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            {TELL}
        os._exit(0)
time.sleep(1000)
"""

LEFT = [
    pytest.param(sh(f"({READY}) & sleep 0.05"), 1, id="child in the background"),
    pytest.param(sh(f"(setsid sh -c '{READY}' &)"), 1, id="orphan with a session of its own"),
    pytest.param(python(DAEMON.replace("CHANGE", "pass")), 1, id="daemon by double fork"),
    pytest.param(
        python(DAEMON.replace("CHANGE", "os.closerange(0, 100)")), 1, id="daemon that has closed all descriptors"
    ),
    pytest.param(sh(f"(env -i READY=$READY setsid sh -c '{READY}' &)"), 1, id="daemon with an environment of its own"),
    pytest.param(
        python(
            DAEMON.replace("CHANGE", "[signal.signal(n, signal.SIG_IGN) for n in range(1, 32) if n not in (9, 19)]")
        ),
        1,
        id="daemon that ignores every signal",
    ),
    pytest.param(sh(f"(setsid sh -c 'sh -c \"{READY}\" & {READY}' &)"), 2, id="tree below an orphan"),
    pytest.param(sh(f"ulimit -S -w unlimited; ({READY}) & sleep 0.05"), 1, id="mark thrown away, but not the session"),
]


@pytest.mark.parametrize(("argv", "count"), LEFT)
def test_leftovers_end_after_the_main_process(world: World, argv: tuple[str, ...], count: int) -> None:
    tree, pid = world.start(*argv)
    other, stays = world.start("/bin/sleep", "1000")
    world.until_ended(pid)
    world.until_ready(count)
    world.until_size(tree, count)
    world.kill(tree)
    assert world.living() == {stays}
    assert other.pids() == [stays]


STUBBORN = [
    pytest.param(sh(f"trap '' TERM INT HUP; {READY}"), 1, id="alone"),
    pytest.param(sh(f"(setsid sh -c '{READY}' &); {READY}"), 2, id="with an orphan"),
    pytest.param(sh(f"(ulimit -S -w unlimited; env -i READY=$READY setsid sh -c '{READY}' & {READY}) & {READY}"), 3,
        id="child with its own session, mark and environment"),
    pytest.param(python(SUBREAPER), 2, id="a sub-reaper with orphans"),
    pytest.param(python(BOMB), 40, id="fork bomb"),
    pytest.param(python(FUSE), 1, id="a chain of forks, always on the run"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "count"), STUBBORN)
def test_kill_ends_everything(world: World, argv: tuple[str, ...], count: int) -> None:
    tree, _ = world.start(*argv)
    world.until_ready(1 if count == 40 else count)
    if count == 40:
        until(lambda: len(tree.pids()) >= count, "the bomb has gone off")
    world.kill(tree)
    assert world.living() == set()


def test_stopped_processes_end(world: World) -> None:
    tree, pid = world.start(*sh(f"(setsid sh -c '{READY}' &); {READY}"))
    world.until_ready(2)
    for one in tree.pids():
        os.kill(one, signal.SIGSTOP)
    world.kill(tree)
    assert world.living() == set()
    assert pid in world.ended


@needs_root
def test_orphan_of_another_user_is_recognised(world: World) -> None:
    world.place.chmod(0o777)
    other = "os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)"
    script = DAEMON.replace("CHANGE", other).replace("os.environ['READY']", "'ready'")
    ready = world.place / "ready"
    ready.touch()
    ready.chmod(0o666)
    tree, pid = world.start(*python(script))
    world.until_ended(pid)
    world.until_ready()
    world.until_size(tree, 1)
    world.kill(tree)
    assert world.living() == set()


def test_many_trees_at_once(world: World) -> None:
    trees = [world.start(*sh(f"(setsid sh -c '{READY}' &); {READY}"))[0] for _ in range(10)]
    spared = trees.pop()
    world.until_ready(20)
    world.kill(*trees)
    world.until_size(spared, 2)
    assert world.living() == set(spared.pids())


def test_stray_without_any_sign_ends_with_the_pod(world: World) -> None:
    tree, pid = world.start(*sh(f"(ulimit -S -w unlimited; env -i READY=$READY setsid sh -c '{READY}' &)"))
    world.until_ended(pid)
    world.until_ready()
    world.kill(tree)
    while not world.forest.kill_strays():
        world.wait()
        world.reaper.reap()
    assert world.living() == set()


def test_children_from_before_are_nobodys(world: World) -> None:
    before = spawn(launch("/bin/sleep", "1000", out=null(), cwd=str(world.place)))
    forest = Forest(world.reaper)
    assert forest.kill_strays()
    assert world.living() == {before}


def test_nothing_left_is_seen_at_once(world: World) -> None:
    tree, pid = world.start("/bin/true")
    world.until_ended(pid)
    assert tree.pids() == []
    assert tree.kill()
    tree.close()


def test_own_children_are_told_again_and_again(world: World) -> None:
    own = procfs.OwnChildren()
    before = [int(one) for one in own.text()]
    assert before == procfs.children(os.getpid())
    pids = [spawn(launch("/bin/sleep", "1000", out=null(), cwd=str(world.place))) for _ in range(3)]
    assert [int(one) for one in own.text()] == [*before, *pids]
    own.close()
    assert [int(one) for one in own.text()] == [*before, *pids]


NO_MARKS = """
import os, resource
resource.setrlimit(10, (0, 0))
from initsup.node import syscalls
from initsup.node.reaper import Reaper
from initsup.node.spawn import Launch, spawn
from initsup.node.tree import Forest

syscalls.become_subreaper()
reaper = Reaper()
forest = Forest(reaper)
tree, other = forest.plant(), forest.plant()
read, write = os.pipe()
for one in (tree, other):
    script = "(setsid sh -c 'echo; exec sleep 1000' &)"
    env = {"PATH": "/bin:/usr/bin", **one.env}
    pid = spawn(Launch(argv=("/bin/sh", "-c", script), env=env, stdin=0, stdout=write, stderr=2, mark=one.mark))
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    os.read(read, 1)
print(tree.mark)
for one in (tree, other):
    while len(one.pids()) != 1:
        reaper.reap()
while forest.kill([tree]):
    reaper.reap()
print(len(tree.pids()), len(other.pids()))
while forest.kill([other]):
    reaper.reap()
"""


def test_where_there_are_no_marks_the_environment_tells(checkout: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_MARKS], cwd=checkout, stdout=subprocess.PIPE, check=True, timeout=20
    )
    assert done.stdout.split() == [b"0", b"0", b"1"]


def test_marks_are_unique_until_given_back() -> None:
    marks = mark.Marks()
    taken = [marks.take() for _ in range(1000)]
    assert len(set(taken)) == 1000
    for one in taken:
        marks.give_back(one)
    assert marks.take() not in taken


def test_inner_initsup_keeps_the_outer_mark(world: World, checkout: Path) -> None:
    """Its containers carry marks of their own, below that of the container in which it runs."""
    script = (
        "import os, time, sys\n"
        f"sys.path.insert(0, {str(checkout)!r}); sys.path[:0] = {sys.path!r}\n"
        "from initsup.node.reaper import Reaper; from initsup.node.tree import Forest; "
        "from initsup.node.spawn import Launch, spawn\n"
        "tree = Forest(Reaper()).plant()\n"
        f"spawn(Launch(argv={sh(f'(setsid sh -c {READY!r} &)')!r}, env=dict(os.environ), stdin=0, stdout=1, stderr=2, "
        "mark=tree.mark, cwd='.'))\n"
    )
    tree, pid = world.start(*python(script))
    world.until_ended(pid)
    world.until_ready()
    world.until_size(tree, 1)
    world.kill(tree)
    assert world.living() == set()


BLIND = """
import os
from initsup.node.reaper import Reaper
from initsup.node.spawn import Launch, spawn
from initsup.node.tree import Forest

assert os.getpid() == 1
reaper = Reaper()
forest = Forest(reaper)
tree = forest.plant()
pid = spawn(Launch(argv=("/bin/sleep", "1000"), env={}, stdin=0, stdout=1, stderr=2, mark=tree.mark))
tree.join(pid)
reaper.watch(pid, lambda *exit_: print(*exit_))
print(forest.sighted, tree.pids() == [pid], forest.kill_strays())
while forest.kill([tree]):
    reaper.reap()
"""


def test_the_proc_of_another_pid_namespace_is_not_believed(checkout: Path) -> None:
    """There, the numbers would be those of other people's processes."""
    command = ["unshare", "--pid", "--fork", sys.executable, "-c", BLIND]
    if os.geteuid() != 0:
        command.insert(1, "--user")
    done = subprocess.run(command, cwd=checkout, capture_output=True, check=False)
    if b"unshare" in done.stderr:
        pytest.skip("no PID namespace can be made here")
    assert (done.stdout, done.stderr) == (b"False True True\n137 9\n", b"")
