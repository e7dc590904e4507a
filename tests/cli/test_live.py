"""The verbs against a real `initsup run`."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.sample import Object

pytestmark = pytest.mark.real
INITSUP = [sys.executable, "-m", "initsup"]
PROMPT = b"# " if os.geteuid() == 0 else b"$ "

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


SAYS_LINUX = "tail -f /proc/sys/kernel/ostype"
"""Says so and goes on, until Ctrl-C. (A shell that says something may put off Ctrl-C until after what it then runs.)"""


class Terminal:
    """A verb on a terminal, which is ours to type on."""

    def __init__(self, words: list[str], size: tuple[int, int] = (24, 80)) -> None:
        self._ours, theirs = pty.openpty()
        self._seen = b""
        self.resize(*size)
        self.process = subprocess.Popen(
            words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), env={**os.environ, "ENV": "", "PS1": "$ "},
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def until(self, text: bytes) -> None:
        while text not in self._seen:
            assert select.select([self._ours], [], [], 20)[0], self._seen
            self._seen += os.read(self._ours, 1000)
        self._seen = self._seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


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
    with Terminal(live.words("exec", "-it", "-c", "app", "--", "sh", "-i")) as shell:
        shell.until(PROMPT)
        shell.type(f"{SAYS_LINUX}\r")
        shell.until(b"Linux")
        shell.type("\3")
        shell.type("echo $((40 + 2)); exit 5\r")
        shell.until(b"42")
        assert shell.process.wait(20) == 5


def test_a_container_to_look_into_it(live: Live) -> None:
    assert live.ask("debug", "-i", "-c", "one", "--target", "app", "--", "sh", "-c", "echo in; exit 0") == "in\n"
    assert live.ask("debug", "-i", "--env", "A=7", "--", "sh", "-c", "exit $A", code=7).endswith(".\n")
    assert 'Not found: "nope"' in live.ask("debug", "-i", "--target", "nope", code=1)
    assert "waiting to start: unable to find target container crash" in live.ask(
        "debug", "-i", "-c", "late", "--target", "crash", code=1
    )
    assert "no such file or directory" in live.ask("debug", "-i", "--", "/no/such/program", code=128)
    assert live.ask("debug", "-c", "left", "--", "sh", "-c", "echo behind; sleep 60") == ""
    live.wait('jsonpath={.status.ephemeralContainerStatuses[?(@.name=="left")].state.running.startedAt}')
    assert live.ask("logs", "one") == "in\n"
    text = live.ask("describe")
    assert text.index("\nContainers:") < text.index("\nEphemeral Containers:") < text.index("\nConditions:")
    assert live.ask("get").splitlines()[1].split()[1] == "1/2"
    assert "runs once, and is never restarted" in live.ask("restart", "one", code=1)


def test_a_shell_beside_it(live: Live) -> None:
    """Its terminal has our size, and follows it; Ctrl-C goes to what it runs."""
    with Terminal(live.words("debug", "-it", "--target", "app", "--", "sh", "-i"), size=(31, 77)) as shell:
        shell.until(PROMPT)
        shell.type("stty size\r")
        shell.until(b"31 77")
        shell.resize(40, 99)
        shell.type(f"while [ \"$(stty size)\" != '40 99' ]; do :; done; {SAYS_LINUX}\r")
        shell.until(b"Linux")
        shell.type("\3")
        shell.type("exit 5\r")
        assert shell.process.wait(20) == 5


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
