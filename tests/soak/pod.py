"""The pod that is soaked: containers that count, crash, are probed, or just stay, and what they write."""

from __future__ import annotations

import sys
from pathlib import Path

from initsup.node.logread import Reader

WRITER = """
import os, sys, time
me = f"{os.getpid()}-{time.time_ns()}"  # a pid alone may come again
mine = open(f"{sys.argv[1]}/written/{me}", "w")
print("I am", me, flush=True)
for number in range(1, 10**9):
    sys.stdout.write(f"{number} {'x' * (number % 97)}\\n")
    if number % 25 == 0:
        sys.stdout.flush()
        mine.seek(0)
        mine.write(str(number))
        mine.flush()
        time.sleep(0.2)
"""
"""Numbers its lines, and notes beside the log which it has certainly written."""

POD = """
terminationGracePeriodSeconds = 3
[[initContainers]]
name = "first"
command = ["true"]
[[initContainers]]
name = "side"
restartPolicy = "Always"
command = ["sh", "-c", "setsid sleep 1000 & trap 'exit 0' TERM; while :; do sleep 0.5; done"]
startupProbe = {{ exec.command = ["true"], periodSeconds = 1 }}
[[containers]]
name = "count"
command = ["{python}", "-S", "{home}/writer.py", "{home}"]
[[containers]]
name = "also"
command = ["{python}", "-S", "{home}/writer.py", "{home}"]
[[containers]]
name = "crash"
command = ["sh", "-c", "echo crashes; sleep 0.7; exit 3"]
[[containers]]
name = "probed"
command = ["sh", "-c", "setsid sleep 1000 & exec sleep 1000"]
livenessProbe = {{ exec.command = ["sh", "-c", "sleep 0.1; test ! -e {home}/sick"], periodSeconds = 1, failureThreshold = 1 }}
readinessProbe = {{ exec.command = ["true"], periodSeconds = 1 }}
lifecycle.postStart.exec.command = ["sleep", "0.2"]
lifecycle.preStop.exec.command = ["sleep", "0.2"]
[[containers]]
name = "stays"
command = ["sleep", "100000"]
stdin = true
[supervisor]
containerLogMaxSize = "64Ki"
containerLogMaxFiles = 100000
crashLoopBackOff = {{ initialPeriod = "200ms", maxPeriod = "2s" }}
console.format = "none"
"""  # noqa: E501 - a table of TOML stays in one line
COUNTING = ("count", "also")
STAYING = ("side", "count", "also", "probed", "stays")


def write(home: Path) -> Path:
    """Make everything that the pod needs; its file."""
    (home / "written").mkdir()
    (home / "writer.py").write_text(WRITER)
    (home / "pod.toml").write_text(POD.format(home=home, python=sys.executable))
    return home / "pod.toml"


def check_log(home: Path, state: Path, container: str, attempt: int) -> int:
    """See that an attempt which has ended has lost no line of its log; how many there are."""
    reader = Reader(str(state / "logs" / container), attempt)
    text = b""
    while piece := reader.more():
        text += piece
    reader.close()
    first, *lines = text.decode().split("\n")
    if not first:
        return 0  # killed before it wrote anything
    last = lines.pop()
    for number, line in enumerate(lines, 1):
        assert line == f"{number} {'x' * (number % 97)}", f"{container} {attempt}: line {number} is {line!r}"
    noted = (home / "written" / first.removeprefix("I am ")).read_text()
    assert len(lines) >= int(noted or 0), f"{container} {attempt}: {noted} lines were written, {len(lines)} are there"
    assert f"{len(lines) + 1} {'x' * 97}".startswith(last), f"{container} {attempt}: it ends with {last!r}"
    return len(lines)
