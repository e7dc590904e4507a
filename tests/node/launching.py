"""Starting real processes in tests, and waiting for them without polling."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from initsup.node.reaper import Reaper
from initsup.node.spawn import Launch, spawn

ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def launch(*argv: str, out: int, **fields: Any) -> Launch:
    """A Launch with nothing on stdin, and both outputs to `out`."""
    return Launch(argv=argv, stdout=out, stderr=out, **{"env": ENV, "stdin": null(), **fields})


def null() -> int:
    if not _null:
        _null.append(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC))
    return _null[0]


_null: list[int] = []


def output_of(*argv: str, **fields: Any) -> str:
    """Run it to its end; its output, which must come with exit code 0."""
    code, text = result_of(*argv, **fields)
    assert code == 0, text
    return text


def result_of(*argv: str, **fields: Any) -> tuple[int, str]:
    """Run it to its end; its wait status as a code (minus the signal, if any), and its output."""
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        pid = spawn(launch(*argv, out=write, **fields))
    finally:
        os.close(write)
        with open(read, "rb") as pipe:
            text = pipe.read().decode()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text


def sh(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script)


@contextmanager
def children_exits() -> Iterator[Callable[[], None]]:
    """Inside, the yielded function returns when a child has ended since the last call, or after 10 s."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    old_fd = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    old_handler = signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait() -> None:
        assert select.select([read], [], [], 10)[0], "no child has ended for 10 s"
        os.read(read, 65536)

    try:
        yield wait
    finally:
        signal.signal(signal.SIGCHLD, old_handler)
        signal.set_wakeup_fd(old_fd)
        os.close(read)
        os.close(write)


def reap_until(reaper: Reaper, done: Callable[[], bool], wait: Callable[[], None]) -> None:
    """Reap after each exit until `done`."""
    reaper.reap()
    while not done():
        wait()
        reaper.reap()


def until(condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
    """For what no event tells us about, such as a file that a process writes."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        select.select([], [], [], 0.002)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
