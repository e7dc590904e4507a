"""One `initsup run` as a real process, asked through initsup's own command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

T = TypeVar("T")

INITSUP = (sys.executable, "-m", "initsup")
SCALE = float(os.environ.get("INITSUP_TIMEOUT_SCALE", "1"))
TICK = 0.05


def cli(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """One initsup command to its end."""
    return subprocess.run(
        [*INITSUP, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout * SCALE
    )


def need(program: str, *places: str) -> str:
    """The path of a program; the test is skipped where there is none. `places` are further glob patterns."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    for pattern in places:
        found = found or next((str(path) for path in sorted(Path("/").glob(pattern), reverse=True)), None)
    if not found:
        pytest.skip(f"{program} is not installed")
    return found


def private(*options: str) -> list[str]:
    """`unshare` with these options, as root or in a user namespace; the test is skipped where neither works."""
    unshare = [need("unshare"), *(() if os.geteuid() == 0 else ("--user", "--map-root-user")), *options]
    tried = subprocess.run([*unshare, "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"{' '.join(unshare)} is not permitted here: {tried.stderr.strip()}")
    return unshare


NOBODY = 12345
"""A uid without an entry in passwd."""


def as_nobody(home: Path) -> list[str]:
    """As root, become a user without passwd entry, home or runtime directory, who may write to `home`.

    The test is skipped where that user cannot run initsup.
    """
    wrapper = [need("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    wrapper += ["env", "-u", "HOME", "-u", "XDG_RUNTIME_DIR"]
    if subprocess.run([*wrapper, *INITSUP, "--version"], capture_output=True).returncode:
        pytest.skip("a plain user may not read this checkout, or not run its Python")
    home.chmod(0o777)
    return wrapper


def until(
    ask: Callable[[], T | None], what: str, timeout: float = 30, process: subprocess.Popen[Any] | None = None
) -> T:
    """Ask again and again until there is a true answer; fails at the deadline, or when `process` has ended."""
    deadline = time.monotonic() + timeout * SCALE
    while True:
        over = process is not None and process.poll() is not None
        if answer := ask():
            return answer
        assert not over, f"initsup ended ({process and process.returncode}) before: {what}"
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(TICK)


def descendants(process: psutil.Process | None = None) -> set[psutil.Process]:
    """Every living process below one; below this one if none is given, which adopts orphans (see conftest.py)."""
    found = set()
    for child in (process or psutil.Process()).children(recursive=True):
        try:
            if child.status() != psutil.STATUS_ZOMBIE:
                found.add(child)
        except psutil.NoSuchProcess:  # gone meanwhile
            continue
    return found


def is_sentinel(process: psutil.Process) -> bool:
    """Whether it is the one that waits beside initsup."""
    return "initsup-sentinel" in process.cmdline()


def end_all_but(before: set[psutil.Process]) -> None:
    """Kill everything below this process that was not there before, and reap what was adopted."""
    while strays := descendants() - before:  # who forks faster than it is looked at is found again
        for stray in strays:
            with suppress(psutil.NoSuchProcess):
                stray.kill()
    for child in set(psutil.Process().children()) - before:
        child.wait()


class Story:
    """One `initsup run FILE…` with a state directory of its own, or with that of an earlier one.

    `wrapper` comes before the command (unshare, setpriv); `forks` says that the wrapper runs it as a child.
    """

    def __init__(
        self,
        home: Path,
        *files: Path | str,
        options: Sequence[str] = (),
        wrapper: Sequence[str] = (),
        forks: bool = False,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        state: Path | None = None,
    ) -> None:
        self.state = state or home / "state"
        self.output = home / "output.log"
        self.forks = forks
        self.before = descendants()
        self.watcher: subprocess.Popen[bytes] | None = None
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*wrapper, *INITSUP, "run", *map(str, files), "--state-dir", str(self.state), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd or home,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def supervisor(self) -> psutil.Process:
        """The process of initsup itself."""
        process = psutil.Process(self.process.pid)
        return until(lambda: next(iter(process.children()), None), "initsup started") if self.forks else process

    def sentinel(self) -> psutil.Process:
        """The one beside it."""
        return self.until(lambda: next(filter(is_sentinel, self.supervisor.children()), None), "the sentinel is there")

    def said(self) -> str:
        """Everything that initsup has written so far."""
        return self.output.read_text(errors="replace")

    def programs(self) -> list[str]:
        """The names of all processes below initsup."""
        return [child.name() for child in descendants(self.supervisor)]

    # asking

    def ask(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return cli(verb, *arguments, "--state-dir", str(self.state))

    def exec(self, container: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a container."""
        return cli("exec", "--state-dir", str(self.state), "-c", container, "--", *command)

    def get(self) -> dict[str, Any] | None:
        """The Pod object, None as long as there is no answer."""
        done = self.ask("get", "-o", "json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def container(self, name: str) -> dict[str, Any]:
        """The status of a container, {} where there is none."""
        status = (self.get() or {}).get("status", {})
        every = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
        return next((one for one in every if one["name"] == name), {})

    def logs(self, container: str, *options: str) -> str:
        return self.ask("logs", "-c", container, *options).stdout

    def row(self) -> list[str]:
        """The table's row: NAME READY STATUS RESTARTS … AGE."""
        lines = self.ask("get").stdout.splitlines()
        return lines[1].split() if len(lines) > 1 else []

    def watch(self) -> None:
        """Record every row that `get -w` prints from now on, see `seen`."""
        self.until(lambda: (self.state / "control.sock").exists(), "the control socket is there")
        with (self.state.parent / "watch.log").open("wb") as output:
            self.watcher = subprocess.Popen(
                [*INITSUP, "get", "-w", "--state-dir", str(self.state)], stdin=subprocess.DEVNULL, stdout=output
            )

    def seen(self) -> list[str]:
        """The STATUS column of the recorded rows, without repetitions."""
        rows = [line.split() for line in (self.state.parent / "watch.log").read_text().splitlines()]
        column = [row[2] for row in rows if len(row) > 2 and row[0] != "NAME"]
        return [status for before, status in zip([None, *column], column, strict=False) if status != before]

    # waiting

    def until(self, ask: Callable[[], T | None], what: str, timeout: float = 30) -> T:
        try:
            return until(ask, what, timeout, self.process)
        except AssertionError as problem:
            pod = self.ask("get", "-o", "yaml").stdout
            raise AssertionError(f"{problem}\n{pod}\ninitsup said:\n{self.said()[-4000:]}") from None

    def until_status(self, status: str, timeout: float = 30) -> None:
        self.until(lambda: status in self.row()[2:3], f"STATUS {status}", timeout)

    def until_ready(self, timeout: float = 30) -> dict[str, Any]:
        def ready() -> dict[str, Any] | None:
            pod = self.get()
            conditions = pod["status"].get("conditions", []) if pod else []
            return pod if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions) else None

        return self.until(ready, "the pod is Ready", timeout)

    # ending

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.supervisor.send_signal(number)

    def ended(self, timeout: float = 40) -> int:
        """Wait for the end; the exit code."""
        try:
            return self.process.wait(timeout * SCALE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"initsup has not ended within {timeout} s; it said:\n{self.said()[-4000:]}") from None

    def strays(self) -> set[psutil.Process]:
        """What still lives of everything that was started since this story began."""
        ours = {psutil.Process(self.watcher.pid)} if self.watcher and self.watcher.poll() is None else set()
        return descendants() - self.before - ours

    def close(self) -> None:
        """Kill whatever is left, and reap what was adopted."""
        for one in (self.watcher, self.process):
            if one is not None and one.poll() is None:
                one.kill()
                one.wait()
        end_all_but(self.before)
