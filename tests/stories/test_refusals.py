"""The system refuses initsup what it needs: single calls, a disk that does not answer, a clock that jumps."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.stories.driver import SCALE, Story, need, private

pytestmark = pytest.mark.real

POD = """
terminationGracePeriodSeconds = 2
[[containers]]
name = "main"
command = ["sh", "-c", "setsid sleep 1000 & trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"]
volumeMounts = [{{ name = "v", mountPath = "{home}/v" }}]
readinessProbe = {{ exec.command = ["true"], periodSeconds = 1 }}
[[containers]]
name = "other"
command = ["sh", "-c", "while :; do echo line; sleep 0.1; done"]
[[volumes]]
name = "v"
emptyDir = {{ sizeLimit = "1Mi" }}
[supervisor.crashLoopBackOff]
initialPeriod = "500ms"
maxPeriod = "500ms"
"""

COUNTS = """
[[containers]]
name = "main"
command = ["sh", "-c", '''
    i=0
    while [ ! -e {home}/over ]; do i=$((i+1)); echo $i; sleep 0.001; done
    echo $i > {home}/last
    exec sleep 1000
''']
[supervisor]
containerLogMaxSize = "32Mi"
"""

REFUSES = """
import errno, os, runpy, sys
def refuse(name, code, times):
    call, left = getattr(os, name), [int(times)]
    def refused(*arguments, **options):
        if not left[0]:
            return call(*arguments, **options)
        left[0] -= 1
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))
    setattr(os, name, refused)
refuse(*sys.argv[1:4])
sys.argv = ["initsup", *sys.argv[7:]]
runpy.run_module("initsup", run_name="__main__", alter_sys=True)
"""
"""Runs `PYTHON -m initsup …` in a process in which a function of `os` fails so many times (-1: always)."""

Start = Callable[..., Story]


@pytest.fixture
def pod(home: Path, run: Start) -> Start:
    def start(toml: str = POD, **arguments: object) -> Story:
        (home / "pod.toml").write_text(toml.format(home=home))
        return run(home / "pod.toml", **arguments)

    return start


@pytest.mark.parametrize(
    ("function", "error", "times", "said", "code"),
    [
        pytest.param("pidfd_open", "ENOSYS", -1, "", 0, id="a kernel without pidfds"),
        pytest.param("posix_spawn", "EAGAIN", 4, "resource temporarily unavailable", 0, id="no process to be had"),
        pytest.param("posix_spawn", "ENOMEM", 4, "cannot allocate memory", 0, id="no memory for a process"),
        pytest.param("writev", "EIO", 3, "nput/output error", 1, id="a disk that fails under the logs"),
        pytest.param("rename", "EIO", 1, "Input/output error", 1, id="a disk that fails under the journal"),
        pytest.param("kill", "EPERM", 2, "", 0, id="a signal that may not be sent"),
        pytest.param("setxattr", "ENOTSUP", -1, "", 0, id="a file system without attributes"),
        pytest.param("ftruncate", "EIO", -1, "", 0, id="a lock that cannot be written"),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="tried as root only: others have their containers started elsewhere")
def test_a_call_that_is_refused_is_got_over_and_told(
    pod: Start, function: str, error: str, times: int, said: str, code: int
) -> None:
    story = pod(wrapper=[sys.executable, "-c", REFUSES, function, error, str(times)])
    story.until(lambda: "[main]  up" in story.said(), "it runs after all")
    story.until_ready()
    story.until(lambda: said in story.said() + story.ask("describe").stdout, f"it says {said!r}")
    story.signal()
    assert story.ended() == code, story.said()
    assert not re.search(r"(\w+): started.*\n.*\1: could not be started", story.said())
    assert "Traceback" not in story.said()
    assert not story.strays()


def test_a_disk_that_does_not_answer_for_a_while_loses_nothing(home: Path, pod: Start) -> None:
    """All that has to be written waits for it, and so does initsup; then it goes on where it was."""
    need("fsfreeze")
    (home / "disk").mkdir()
    image = shlex.quote(str(home / "image"))
    slow = f'truncate -s 64M {image} && mkfs.ext4 -qF {image} && mount -o loop {image} {home}/disk && exec "$@"'
    wrapper = [*private("--mount"), "sh", "-c", slow, "sh"]
    tried = subprocess.run([*wrapper, "fsfreeze", "--help"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no disk can be made here: {tried.stderr.strip()}")
    story = pod(COUNTS, wrapper=wrapper, state=home / "disk/state", options=("--console=none",))

    def inside(*words: str) -> str:
        command = ["nsenter", f"--mount=/proc/{story.supervisor.pid}/ns/mnt", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    log = f"{home}/disk/state/logs/main/0.log"

    def lines() -> list[str]:
        return [line.rpartition(" ")[2] for line in inside("sh", "-c", f"cat {log} || :").splitlines()]

    story.until(lines, "it has begun to write")
    inside("fsfreeze", "--freeze", f"{home}/disk")
    try:
        story.until(lambda: story.supervisor.status() == psutil.STATUS_DISK_SLEEP, "initsup waits for the disk")
        (home / "over").touch()
    finally:
        inside("fsfreeze", "--unfreeze", f"{home}/disk")
    story.until((home / "last").exists, "the container is through")
    last = (home / "last").read_text().strip()
    story.until(lambda: lines()[-1:] == [last], "its last line is in the log")
    assert lines() == [str(number) for number in range(1, int(last) + 1)]
    story.signal()
    assert story.ended() == 0, story.said()
    assert "degraded" not in story.said()


JUMPS = {"a day forth": "+1d", "a day back": "-1d"}


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_a_jump_of_the_wall_clock_moves_stamps_and_nothing_else(home: Path, pod: Start, jump: str) -> None:
    library = next(Path("/usr/lib").rglob("libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is not installed")
    (home / "now").write_text("+0")
    fake = {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(home / "now"), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    crash = '[[containers]]\nname = "crash"\ncommand = ["sh", "-c", "exit 1"]\n'
    story = pod(POD.replace("[[volumes]]", f"{crash}[[volumes]]"), env=fake)
    story.until(lambda: story.container("crash").get("restartCount", 0) >= 2, "it crashes again and again")
    used, count = story.supervisor.cpu_times(), story.container("crash")["restartCount"]
    (home / "now").write_text(jump)
    began = time.monotonic()
    story.until(lambda: story.container("crash")["restartCount"] >= count + 4, "it goes on crashing")
    took = time.monotonic() - began
    assert took >= 1.5, "the back-off was not kept"
    assert took <= 30 * SCALE
    now = story.supervisor.cpu_times()
    assert now.user + now.system - used.user - used.system < 0.5 * took, "it spins"
    stamps = [line.split("T")[0] for line in (story.state / "logs/other/0.log").read_text().splitlines()]
    assert len(set(stamps)) == 2
    ready = {one["type"]: one["status"] for one in (story.get() or {})["status"]["conditions"]}
    assert story.container("main")["ready"]
    assert ready["Initialized"] == "True"
    story.signal()
    assert story.ended() == 0, story.said()
    assert not story.strays()
