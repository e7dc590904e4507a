"""The verbs against a real `initsup run`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.sample import Object

pytestmark = pytest.mark.real
INITSUP = [sys.executable, "-m", "initsup"]

POD = """\
metadata = {name = "live", labels = {a = "b"}}
terminationGracePeriodSeconds = 5

[[initContainers]]
name = "setup"
command = ["sh", "-c", "exit 0"]

[[containers]]
name = "app"
command = ["sh", "-c", '''
trap 'echo hung up' HUP
trap 'exit 0' TERM
echo started
while :; do sleep 0.05; done
''']
env = {GREETING = "hello"}

[[containers]]
name = "crash"
command = ["sh", "-c", "exit 3"]
"""


class Live:
    """One run, and verbs on it."""

    def __init__(self, home: Path) -> None:
        self.state = home / "s"
        (home / "live.toml").write_text(POD)
        words = ["run", str(home / "live.toml"), "--state-dir", str(self.state)]
        self.log = home / "run.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*INITSUP, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def words(self, verb: str, *rest: str) -> list[str]:
        return [*INITSUP, verb, "--state-dir", str(self.state), *rest]

    def ask(self, verb: str, *rest: str, code: int = 0) -> str:
        """Run a verb to its end, which must be with `code`; what it printed."""
        done = subprocess.run(
            self.words(verb, *rest), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == code, f"{done.stderr}\n{self.log.read_text()}"
        return done.stdout if code == 0 else done.stderr

    def wait(self, what: str) -> None:
        self.ask("wait", f"--for={what}", "--timeout=20s")

    @property
    def pod(self) -> Object:
        found: Object = json.loads(self.ask("get", "-o", "json"))
        return found

    def app(self, path: str) -> str:
        return self.ask("get", "-o", f'jsonpath={{.status.containerStatuses[?(@.name=="app")]{path}}}')


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """A pod with a container that runs and one that waits in its back-off."""
    run = Live(tmp_path)
    try:
        run.wait('jsonpath={.status.containerStatuses[?(@.name=="crash")].state.waiting.reason}=CrashLoopBackOff')
        yield run
    finally:
        if run.process.poll() is None:
            run.process.kill()
        run.process.wait()


def test_looking_at_it(live: Live) -> None:
    header, row = live.ask("get").splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert row.split()[:4] == ["live", "1/2", "CrashLoopBackOff", "1"]
    events = json.loads(live.ask("events", "-o", "json"))["items"]
    assert "BackOff" in {event["reason"] for event in events}
    text = live.ask("describe")
    assert "    Waits Because:  back-off 10s restarting failed container=crash pod=live_default(" in text
    assert "    Next Try:       in " in text
    assert "GREETING:  hello" in text
    assert live.ask("logs", "app") == "started\n"


def test_commands_in_it(live: Live) -> None:
    assert live.ask("exec", "-c", "app", "--", "sh", "-c", "echo $GREETING") == "hello\n"
    assert live.ask("exec", "-c", "app", "--", "sh", "-c", "exit 7", code=7) == ""
    assert 'container "crash" is not running' in live.ask("exec", "-c", "crash", "--", "true", code=1)
    done = subprocess.run(
        live.words("exec", "-i", "-c", "app", "--", "cat"), input=b"a\0b", capture_output=True, check=True
    )
    assert done.stdout == b"a\0b"


def test_a_shell_on_a_terminal(live: Live) -> None:
    """The shell has a terminal of its own with job control, and Ctrl-C goes to what it runs."""
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        live.words("exec", "-it", "-c", "app", "--", "sh", "-i"), stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, env={**os.environ, "ENV": "", "PS1": "$ "},
    )  # fmt: skip
    os.close(theirs)
    seen = b""

    def until(text: bytes) -> None:
        nonlocal seen
        while text not in seen:
            seen += os.read(ours, 1000)
        seen = seen.partition(text)[2]

    until(b"# " if os.geteuid() == 0 else b"$ ")
    os.write(ours, b"sh -c 'echo $((40 + 1)); exec sleep 60'\r")
    until(b"41")
    os.write(ours, b"\3")
    os.write(ours, b"echo $((40 + 2)); exit 5\r")
    until(b"42")
    assert shell.wait(20) == 5
    os.close(ours)


def test_a_signal(live: Live) -> None:
    live.ask("signal", "-c", "app", "HUP")
    with subprocess.Popen(live.words("logs", "-f", "app"), stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert [follower.stdout.readline() for _ in range(2)] == ["started\n", "hung up\n"]
        follower.kill()


def test_a_restart(live: Live) -> None:
    assert live.app(".restartCount") == "0"
    assert live.ask("restart", "app") == 'container "app" restarted\n'
    live.wait('jsonpath={.status.containerStatuses[?(@.name=="app")].restartCount}=1')
    assert live.app(".lastState.terminated.exitCode") == "0"
    assert "container nope is not valid for pod live" in live.ask("restart", "nope", code=1)


def test_its_end(live: Live) -> None:
    with subprocess.Popen(live.words("get", "-w", "--no-headers"), stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        rows = [watch.stdout.readline()]
        assert live.ask("delete") == 'pod "live" deleted\n'
        rows += watch.stdout.readlines()
    assert live.process.wait(10) == 0
    statuses = [row.split()[2] for row in rows]
    assert statuses[0] == "CrashLoopBackOff"
    assert statuses[-1] == "Error"
    assert live.pod["status"]["phase"] == "Failed"
    assert live.ask("get").splitlines()[1].split()[2] == "Error"
    assert live.ask("wait", "--for=delete") == "pod/live condition met\n"
    live.ask("delete")
    assert "Killing" in live.ask("events")
