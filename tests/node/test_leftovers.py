"""What an initsup that was killed has left is known by its number, and ended; nothing else is."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from initsup.node import leftovers, sentinel
from initsup.node.leftovers import LOWEST, RLIMIT_LOCKS

pytestmark = pytest.mark.real

INFINITE = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
SUPERVISOR = """
import os, subprocess, sys
from initsup.node import leftovers, sentinel
number = leftovers.claim()
watch = sentinel.start(number, sys.executable)
null = subprocess.DEVNULL
subprocess.Popen(["sh", "-c", sys.argv[1]], stdin=null, stdout=null, close_fds=False)
os.close(int(sys.argv[2]))
print(number, watch.pid, flush=True)
sys.stdin.read(1)
watch.dismiss()
"""


class Supervisor:
    """A stand-in for initsup: takes a number, starts the sentinel, then a shell. `gone` waits until all have ended."""

    def __init__(self, script: str) -> None:
        self.ended, held = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, script, str(held)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(held,), text=True,
        )  # fmt: skip
        os.close(held)
        assert self.process.stdout is not None
        self.number, self.sentinel = map(int, self.process.stdout.readline().split())

    def gone(self, timeout: float = 10) -> bool:
        """Whether nobody holds the pipe any longer that everything below inherits."""
        return bool(select.select([self.ended], [], [], timeout)[0])

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        leftovers.end(self.number)
        os.close(self.ended)


@pytest.fixture
def supervisor() -> Iterator[type]:
    if resource.getrlimit(RLIMIT_LOCKS) != INFINITE:
        pytest.skip("the limit on file locks is set already")
    made: list[Supervisor] = []

    def start(script: str) -> Supervisor:
        made.append(Supervisor(script))
        return made[-1]

    yield start  # type: ignore[misc]
    for one in made:
        one.close()


ESCAPES = [
    pytest.param("sleep 1000", id="a child"),
    pytest.param("setsid sh -c 'sleep 1000 & sleep 1000 &' & sleep 1000", id="a session of its own, double forked"),
    pytest.param("env -i sleep 1000", id="without an environment"),
    pytest.param("trap '' TERM INT HUP; sleep 1000", id="deaf"),
    pytest.param("kill -STOP $$", id="stopped"),
    pytest.param("while :; do (sleep 1000 & ) ; sleep 0.01; done", id="that starts others all the time"),
]


@pytest.mark.parametrize("script", ESCAPES)
def test_all_that_a_killed_supervisor_has_left_ends_at_once(supervisor, script: str) -> None:  # type: ignore[no-untyped-def]
    one = supervisor(script)
    one.process.kill()
    assert one.gone()


def test_who_says_good_bye_leaves_everything_as_it_is(supervisor) -> None:  # type: ignore[no-untyped-def]
    one = supervisor("sleep 1000")
    one.process.communicate("x")
    assert one.process.returncode == 0
    assert not one.gone(timeout=0.2)
    assert leftovers.end(one.number) >= 1  # the shell, and its child if it has one
    assert one.gone()


def test_others_are_not_touched(supervisor) -> None:  # type: ignore[no-untyped-def]
    one, other = supervisor("sleep 1000"), supervisor("sleep 1000")
    one.process.kill()
    assert one.gone()
    assert not other.gone(timeout=0)
    assert other.process.poll() is None


def test_the_sentinel_takes_no_signal_and_holds_nothing(supervisor) -> None:  # type: ignore[no-untyped-def]
    one = supervisor("sleep 1000")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1):
        os.kill(one.sentinel, number)
    assert os.getsid(one.sentinel) == one.sentinel
    with open(f"/proc/{one.sentinel}/environ") as environ:
        assert "PATH" not in environ.read()
    one.process.kill()
    assert one.gone()


def test_nobody_is_found_by_an_unknown_number() -> None:
    assert leftovers.end(LOWEST | 12345) == 0


@pytest.mark.parametrize(
    ("environ", "parent", "needed"),
    [
        pytest.param({}, 4711, True, id="in a shell"),
        pytest.param({}, 1, True, id="below PID 1, which need not be systemd"),
        pytest.param({"INVOCATION_ID": "1"}, 4711, True, id="in a shell that systemd started"),
        pytest.param({"INVOCATION_ID": "1"}, 1, False, id="not below a systemd that names no main process"),
        pytest.param({"SYSTEMD_EXEC_PID": "1"}, 4711, True, id="below the main process of a unit"),
        pytest.param({"SYSTEMD_EXEC_PID": "me"}, 4711, False, id="not as the main process of a unit"),
    ],
)
def test_where_a_sentinel_is_needed(
    environ: dict[str, str], parent: int, needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getppid", lambda: parent)
    found = {name: str(os.getpid()) if text == "me" else text for name, text in environ.items()}
    assert sentinel.is_needed(found) is needed
