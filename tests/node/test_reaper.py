"""Exits reach whom they are meant for, and no zombie stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from initsup.node.reaper import Reaper
from initsup.node.spawn import spawn
from tests.node.launching import children_exits, launch, null, reap_until, sh

pytestmark = pytest.mark.real

EXITS = [
    pytest.param("exit 0", (0, 0), id="ended well"),
    pytest.param("exit 3", (3, 0), id="exit code"),
    pytest.param("exit 137", (137, 0), id="a code above 128 is no signal"),
    pytest.param("kill -TERM $$", (128 + 15, 15), id="killed by a signal"),
    pytest.param("ulimit -c 0; kill -SEGV $$", (128 + 11, 11), id="crashed"),
    pytest.param("kill -KILL $$", (128 + 9, 9), id="killed hard"),
]


@pytest.mark.parametrize(("script", "expected"), EXITS)
def test_exit(script: str, expected: tuple[int, int]) -> None:
    reaper, seen = Reaper(), []
    with children_exits() as wait:
        reaper.watch(spawn(launch(*sh(script), out=null())), lambda *exit_: seen.append(exit_))
        reap_until(reaper, lambda: bool(seen), wait)
    assert seen == [expected]
    assert reaper.watched == {}


def test_exit_before_anyone_watches_is_not_lost() -> None:
    reaper, seen = Reaper(), []
    pid = spawn(launch("/bin/true", out=null()))
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    reaper.watch(pid, lambda *exit_: seen.append(exit_))
    assert reaper.reap() == 1
    assert seen == [(0, 0)]


def test_nothing_to_reap() -> None:
    reaper = Reaper()
    assert reaper.reap() == 0
    pid = spawn(launch("/bin/sleep", "1000", out=null()))
    assert reaper.reap() == 0
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    reaper.watch(pid, pytest.fail)
    reaper.forget(pid)
    assert reaper.reap() == 1


ORPHANS = 20_000
MAKER = f"""
import os
for _ in range({ORPHANS // 100}):
    if os.fork() == 0:
        for _ in range(100):
            if os.fork() == 0:
                os._exit(0)
        os._exit(0)
os._exit(7)
"""
PID_1 = f"""
import os, select, signal, sys, time
from initsup.node.reaper import Reaper
from initsup.node.spawn import Launch, spawn

read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
signal.set_wakeup_fd(write, warn_on_full_buffer=False)
signal.signal(signal.SIGCHLD, lambda *_: None)
reaper, exits = Reaper(), []
begin, spent = time.monotonic(), time.process_time()
argv = (sys.executable, "-I", "-S", "-c", {MAKER!r})
reaper.watch(spawn(Launch(argv=argv, env={{}}, stdin=0, stdout=1, stderr=2)), lambda *exit_: exits.append(exit_))
total = 0
while total < {ORPHANS + ORPHANS // 100 + 1}:
    assert select.select([read], [], [], 30)[0]
    os.read(read, 65536)
    total += reaper.reap()
zombies = [p for p in os.listdir("/proc") if p.isdigit() and p != "1"]
print(total, exits, zombies, f"{{time.monotonic() - begin:.2f}} s, cpu {{time.process_time() - spent:.2f}} s")
"""


def test_twenty_thousand_orphans(checkout: Path) -> None:
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "--pid", "--fork", "--mount-proc", "true"], check=False).returncode:
        pytest.skip("no PID namespace can be made here")
    command = [unshare, "--pid", "--fork", "--mount-proc", sys.executable, "-c", PID_1]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=checkout, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{ORPHANS + ORPHANS // 100 + 1} [(7, 0)] []")
    print(done.stdout)
