"""initsup is killed (SIGKILL) at fifty moments of its life: nothing that it has started is left after a second, and the
next start in the same place is clean.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from initsup.api import client
from initsup.errors import InitsupError
from tests.stories.driver import INITSUP, SCALE, descendants, end_all_but, is_sentinel, until

pytestmark = pytest.mark.real

SEED = 5
MOMENTS = 50
AT_ONCE = 4
SOON = 1.0
"""Seconds in which all must be gone."""
ONE_BY_ONE = threading.Lock()
"""msgspec looks at types when they are first used, which two threads must not do at a time."""

POD = """
terminationGracePeriodSeconds = 1
[[initContainers]]
name = "prepare"
command = ["sh", "-c", "touch {home}/prepares; setsid sh -c 'sleep 1000 & sleep 1000 &'; exec sleep 0.2"]
[[initContainers]]
name = "deaf"
restartPolicy = "Always"
command = ["sh", "-c", "trap '' TERM INT HUP; sleep 1000; sleep 1000"]
[[containers]]
name = "stopped"
command = ["sh", "-c", "cd /; env -i setsid sleep 1000 & kill -STOP $$$$"]
[[containers]]
name = "forks"
command = ["sh", "-c", "while :; do (sleep 30 &); sleep 0.1; done"]
[[containers]]
name = "web"
command = ["sh", "-c", "trap '' TERM; setsid sleep 1000 & while :; do sleep 0.1; done"]
volumeMounts = [{{ name = "v", mountPath = "{home}/v" }}]
lifecycle.postStart.exec.command = ["sh", "-c", "setsid sleep 1000 & sleep 0.1"]
lifecycle.preStop.exec.command = ["sh", "-c", "setsid sleep 1000 & sleep 0.3"]
readinessProbe.periodSeconds = 1
readinessProbe.exec.command = ["sh", "-c", "touch {home}/probes; setsid sleep 1000 & sleep 0.1"]
[[volumes]]
name = "v"
emptyDir = {{}}
"""
AGAIN = """
restartPolicy = "Never"
[[containers]]
name = "c"
command = ["sh", "-c", "ls -A {home}/v; echo again"]
volumeMounts = [{{ name = "v", mountPath = "{home}/v" }}]
[[volumes]]
name = "v"
emptyDir = {{}}
"""


class Moment(NamedTuple):
    """`delay` seconds after `sign`, a file, is there ("": after the start) and signal `number` was sent (0: none)."""

    what: str
    sign: str
    number: int
    delay: float


def moments() -> list[Moment]:
    chance = random.Random(SEED)
    kinds = [("start", "", 0, 0.4), ("init", "prepares", 0, 0.5), ("run", "probes", 0, 1.2),
             ("stop", "probes", signal.SIGTERM, 1.6), ("reexec", "probes", signal.SIGUSR2, 1.0)]  # fmt: skip
    return [Moment(*kind[:3], chance.uniform(0, kind[3])) for kind in kinds for _ in range(MOMENTS // len(kinds))]


def left(home: Path, number: str) -> list[str]:
    """What still lives of a run: by what it carries, by where it is, or by what it was told."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError, IndexError):
            words = process.cmdline()
            place = f"/proc/{process.pid}"
            locks = Path(place, "limits").read_text().partition("Max file locks")[2].split(None, 2)[1]
            here = os.readlink(f"{place}/cwd").startswith(str(home)) or str(home) in " ".join(words)
            if (here or (number and locks == number)) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {process.status()} {' '.join(words)[:60]}")
    return found


class Run:
    """One run in a directory of its own, and another one in the same place."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self.home, self.state = home, home / "state"
        self.number = ""
        (home / "pod.toml").write_text(POD.format(home=home))
        self.process = self._start("pod.toml")

    def _start(self, file: str) -> subprocess.Popen[bytes]:
        words = [*INITSUP, "run", file, "--state-dir", str(self.state)]
        with (self.home / f"{file}.log").open("wb") as output:
            return subprocess.Popen(
                words, cwd=self.home, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    def kill(self, moment: Moment) -> None:
        if moment.sign:
            until((self.home / moment.sign).exists, moment.sign, process=self.process)
        if moment.number:
            self.process.send_signal(moment.number)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(moment.delay)
        with suppress(FileNotFoundError):
            self.number = (self.state / "lock").read_text().strip()
        self.process.kill()
        self.process.wait()

    def again(self) -> str:
        """Run something else in the same place; what initsup says."""
        (self.home / "again.toml").write_text(AGAIN.format(home=self.home))
        code = self._start("again.toml").wait(30 * SCALE)
        said = (self.home / "again.toml.log").read_text()
        assert code == 0, said
        return said


def outcome(place: Path, moment: Moment) -> str:
    """What is wrong after a kill at this moment; "": nothing."""
    run = Run(place)
    try:
        run.kill(moment)
        until(lambda: not left(run.home, run.number), f"all is gone: {left(run.home, run.number)}", SOON)
        with suppress(InitsupError), ONE_BY_ONE:  # killed before there was anything to be told
            assert client.get_pod(str(run.state))["metadata"]["annotations"]["initsup.dev/degraded"]
        said = run.again()
        assert not run.number or "was killed" in said, said
        assert "degraded" not in said, said
        assert (run.state / "logs/c/0.log").read_text().endswith(" stdout F again\n")
        assert (run.state / "logs/c/0.log").read_text().count("\n") == 1, "something was in the volume"
        assert json.loads((run.state / "pod.json").read_text())["status"]["phase"] == "Succeeded"
        assert str(run.home) not in Path("/proc/self/mountinfo").read_text()
        assert not os.path.lexists(run.home / "v")
        assert not left(run.home, run.number)
    except AssertionError as problem:
        return f"killed {moment.delay:.3f} s after {moment.what}: {problem}"
    return ""


@pytest.fixture
def reaped() -> Iterator[None]:
    """Whatever a run leaves is killed after the test, and what was adopted is reaped."""
    before = descendants()
    yield
    end_all_but(before)


def test_killed_at_any_moment_it_leaves_nothing_and_starts_again(home: Path, reaped: None) -> None:
    with ThreadPoolExecutor(AT_ONCE) as several:
        places = (home / str(number) for number in range(MOMENTS))
        problems = list(several.map(outcome, places, moments()))
    assert not list(filter(None, problems)), "\n\n".join(filter(None, problems))


def test_what_is_left_would_be_seen(home: Path, reaped: None) -> None:
    """Without its sentinel a killed initsup leaves all that has run: the test above could fail."""
    run = Run(home / "0")
    until((run.home / "probes").exists, "all run", process=run.process)
    (sentinel,) = filter(is_sentinel, psutil.Process(run.process.pid).children())
    sentinel.kill()
    run.kill(Moment("run", "", 0, 0.0))
    found = left(run.home, run.number)
    assert sum("sleep 1000" in one for one in found) >= 6, found
    assert "processes that it had left are ended now" in run.again()
    assert not left(run.home, run.number)
