"""The unit of systemd/ in a booted Debian, from its installation as README.md says it to the power-off.

    python -m tests.system [--image DIR]

Needs root, mmdebstrap and systemd-nspawn, and takes minutes: to be run by hand or at night. `--image` is where the
image is kept for the next time; it is made when it is not there. Prints a line for each step, and ends with 1 when one
fails.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.stories.driver import until
from tests.system.guest import CHECKOUT, Guest, make_image, missing

UNIT = "initsup@pod"
STATE = "--state-dir /run/initsup/pod"
POD = """
terminationGracePeriodSeconds = 20
[[initContainers]]
name = "first"
command = ["sh", "-c", "until test -e /go; do sleep 0.1; done"]
[[containers]]
name = "main"
image = "main:1"
args = ["setsid sleep 1000 & trap 'echo bye; exit 0' TERM; echo $VERSION; while :; do sleep 0.1; done"]
readinessProbe = { exec = { command = ["test", "-e", "/well"] }, periodSeconds = 1 }
[supervisor.images.main]
command = ["sh", "-c"]
env = { VERSION = "version 1" }
"""
QUICK = "[Service]\nTimeoutStartSec=4s\nTimeoutStopSec=4s\nWatchdogSec=4s\nRestartSec=1s\n"
"""Shorter times than the unit's own, so that what happens after them need not be waited for."""


class Failed(Exception):
    """A step has not gone as it should."""


def expect(condition: object, evidence: object) -> None:
    if not condition:
        raise Failed(str(evidence))


def install(guest: Guest) -> str:
    """README's own commands, word by word."""
    readme = (CHECKOUT / "README.md").read_text()
    section = readme.partition("## As a systemd service")[2]
    guest.sh("cd /src\n" + re.findall(r"```sh\n(.*?)```", section, flags=re.S)[0])
    active, status, kind = guest.show("initsup@sidecar", "ActiveState", "StatusText", "Type")
    expect((active, status, kind) == ("active", "Running", "notify"), (active, status, kind))
    row = guest.sh("initsup get --no-headers --state-dir /run/initsup/sidecar")
    expect(row.split()[1:3] == ["2/2", "Running"], row)
    guest.sh("systemctl disable --now initsup@sidecar")
    return f"{guest.sh('initsup --version')}: {row}"


def ready_when_the_pod_is(guest: Guest) -> str:
    """The start waits for init containers and readiness, longer than TimeoutStartSec allows in one go."""
    guest.sh(f"mkdir -p /etc/systemd/system/{UNIT}.service.d")
    write(guest, f"/etc/systemd/system/{UNIT}.service.d/quick.conf", QUICK)
    write(guest, "/etc/initsup/pod.toml", POD)
    guest.sh(f"systemctl daemon-reload; systemctl start --no-block {UNIT}")
    until(lambda: guest.show(UNIT, "StatusText") == ["Init:0/1"], "STATUS Init:0/1")
    began = time.monotonic()
    while time.monotonic() - began < 8:
        expect(guest.show(UNIT, "ActiveState") == ["activating"], "did not wait for the init container")
        time.sleep(0.5)
    guest.sh("touch /go")
    until(lambda: guest.show(UNIT, "StatusText") == ["Running"], "STATUS Running")
    expect(guest.show(UNIT, "ActiveState") == ["activating"], "active before the pod is Ready")
    guest.sh("touch /well")
    until(lambda: guest.show(UNIT, "ActiveState") == ["active"], "active")
    return "activating for 8 s (Init:0/1) with TimeoutStartSec=4s, then Running and activating, active when Ready"


def own_cgroup(guest: Guest) -> str:
    """What initsup starts is in the unit's cgroup, so that systemd knows and ends it."""
    inside = guest.sh(f"systemctl status {UNIT} --no-pager --lines=0")
    expect("sleep 1000" in inside, inside)
    return "a daemon of a container is in the unit's cgroup"


def reload(guest: Guest) -> str:
    before = guest.show(UNIT, "MainPID")
    write(guest, "/etc/initsup/pod.toml", POD.replace("version 1", "version 2"))
    guest.sh(f"systemctl reload {UNIT}")
    until(lambda: "version 2" in guest.sh(f"initsup logs -c main {STATE}"), "the changed container runs")
    until(lambda: guest.show(UNIT, "StatusText") == ["Running"], "STATUS Running")
    expect(guest.show(UNIT, "MainPID", "ActiveState") == [*before, "active"], "initsup has been restarted")
    return f"pid {before[0]} stays, the changed container was restarted"


def replaced(guest: Guest) -> str:
    """`initsup reexec`: the same process, and systemd does not notice."""
    before = guest.show(UNIT, "MainPID", "NRestarts", "ActiveState")
    said = guest.sh(f"initsup reexec {STATE}")
    time.sleep(6)  # longer than the watchdog waits
    expect(guest.show(UNIT, "MainPID", "NRestarts", "ActiveState") == before, "systemd has noticed")
    return said


def restarted(guest: Guest, signal: str, result: str) -> str:
    """What comes after a signal to initsup alone: everything ends, and it starts anew."""
    until(lambda: guest.show(UNIT, "ActiveState") == ["active"], "active")
    pid, count = guest.show(UNIT, "MainPID", "NRestarts")
    old = set(guest.sh("pgrep -f 'sleep 1000'").split())
    expect(old, "nothing runs")
    guest.sh("rm -f /well")
    began = time.monotonic()
    guest.sh(f"kill -{signal} {pid}")
    until(lambda: guest.show(UNIT, "NRestarts") != [count], "restarted", 60)
    took = time.monotonic() - began
    until(lambda: guest.show(UNIT, "StatusText") == ["Running"], "STATUS Running")
    expect(guest.show(UNIT, "ActiveState") == ["activating"], "active before the pod is Ready again")
    new = set(guest.sh("pgrep -f 'sleep 1000'").split())
    expect(not old & new, f"left: {old & new}")
    journal = guest.sh(f"journalctl -u {UNIT} --no-pager -o cat --since -60s")
    expect(result in journal, journal[-3000:])
    guest.sh("touch /well")
    until(lambda: guest.show(UNIT, "ActiveState") == ["active"], "active")
    return f"restarted after {took:.1f} s as pid {guest.show(UNIT, 'MainPID')[0]}, {len(old)} old processes gone"


def stop(guest: Guest) -> str:
    began = time.monotonic()
    guest.sh(f"systemctl stop {UNIT}")
    took = time.monotonic() - began
    shown = guest.show(UNIT, "ActiveState", "Result", "ExecMainStatus")
    expect(shown == ["inactive", "success", "0"], shown)
    expect(not guest.run("pgrep", "-f", "sleep 1000").stdout, "something still runs")
    expect("bye" in guest.sh(f"initsup logs -c main {STATE}"), "the container was not asked to end")
    row = guest.sh(f"initsup get --no-headers {STATE}")
    return f"inactive after {took:.1f} s, exit code 0, nothing left; still told afterwards: {row}"


def long_grace(guest: Guest) -> str:
    """A container that takes its time may have it, whatever TimeoutStopSec says."""
    write(guest, "/etc/initsup/pod.toml", POD.replace("echo bye;", "sleep 9; echo bye;"))
    guest.sh(f"systemctl start {UNIT}")
    return stop(guest)


def bad_file(guest: Guest) -> str:
    write(guest, "/etc/initsup/pod.toml", POD.replace("command", "comand", 1))
    done = guest.run("systemctl", "start", UNIT)
    expect(done.returncode, "it has started")
    time.sleep(3)
    shown = guest.show(UNIT, "ActiveState", "ExecMainStatus", "NRestarts")
    expect(shown == ["failed", "2", "0"], shown)
    journal = guest.sh(f"journalctl -u {UNIT} --no-pager -o cat -n 20")
    return next(line for line in journal.splitlines() if "comand" in line)


def power_off(guest: Guest) -> str:
    write(guest, "/etc/initsup/pod.toml", POD)
    guest.sh(f"systemctl reset-failed {UNIT}; systemctl start {UNIT}")
    began = time.monotonic()
    guest.run("systemctl", "poweroff")
    code = guest.process.wait(90)
    expect(code == 0, f"systemd-nspawn ended with {code}")
    return f"off after {time.monotonic() - began:.1f} s"


STEPS: list[tuple[str, Callable[[Guest], str]]] = [
    ("installed and started as README.md says", install),
    ("Ready only when the pod is", ready_when_the_pod_is),
    ("everything is in the unit's cgroup", own_cgroup),
    ("reload", reload),
    ("reexec", replaced),
    ("SIGSTOP of initsup: the watchdog restarts it", lambda g: restarted(g, "STOP", "Watchdog timeout")),
    ("SIGKILL of initsup: restarted, leftovers ended", lambda g: restarted(g, "KILL", "status=9/KILL")),
    ("stop", stop),
    ("a grace period longer than TimeoutStopSec", long_grace),
    ("a broken file is not tried again", bad_file),
    ("power-off with a running pod", power_off),
]


def write(guest: Guest, path: str, text: str) -> None:
    guest.run("sh", "-euc", 'printf %s "$1" > "$2"', "sh", text, path, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system", description=__doc__.partition("\n")[0])
    parser.add_argument("--image", type=Path, help="where the image is kept")
    asked = parser.parse_args()
    if why := missing():
        print(f"skipped: {why}")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="initsup-system-", dir="/var/tmp") as room:
        image = asked.image or Path(room, "image")
        make_image(image)
        with Guest(image, Path(room, "guest")) as guest:
            print(guest.sh("systemctl --version | head -1"), flush=True)
            for number, (name, step) in enumerate(STEPS, 1):
                began = time.monotonic()
                try:
                    said, how = step(guest), "ok"
                except (AssertionError, Failed) as problem:
                    said, how, failed = str(problem), "FAILED", failed + 1
                print(f"{number:>2} {how:<6} {time.monotonic() - began:>5.1f} s  {name}\n      {said}", flush=True)
        if failed:
            print(Path(room, "console.log").read_text(errors="replace")[-4000:])
    print(f"{len(STEPS) - failed} of {len(STEPS)} steps passed")
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
