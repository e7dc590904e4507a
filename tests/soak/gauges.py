"""What a run takes: descriptors, threads, memory, processes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from initsup.core.facts import Running, Stopping
from tests.soak.books import Books
from tests.soak.pod import STAYING
from tests.stories.driver import Story, until

MORE_MEMORY = 8 * 2**20
"""Bytes that initsup may have taken more at the end of a soak than at its beginning: what it keeps of notices is
bounded, and full after a while.
"""


class Gauge(NamedTuple):
    """Of initsup itself while nobody asks anything; `rss` in bytes."""

    descriptors: int
    threads: int
    rss: int


def gauge(story: Story, first: Gauge | None) -> Gauge:
    """What it takes now: after a while no descriptor more than the first time (a probe has some as long as it runs)."""
    process = story.supervisor
    until(lambda: first is None or len(_opened(story)) <= first.descriptors, f"no more descriptors than {first}")
    return Gauge(len(_opened(story)), process.num_threads(), process.memory_info().rss)


def _opened(story: Story) -> list[str]:
    """What is open, but for logs: a container's is opened when it writes for the first time."""
    found = []
    for path in Path(f"/proc/{story.supervisor.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(os.readlink(path))
    return [one for one in found if not one.startswith(f"{story.state}/logs")]


def check(first: Gauge, last: Gauge) -> None:
    """Nothing grows."""
    assert last.threads == first.threads == 1, (first, last)
    assert last.rss <= first.rss + MORE_MEMORY, (first, last)


def check_processes(story: Story, books: Books) -> None:
    """The main processes of the containers that stay live, as the facts say, and nothing waits to be reaped."""

    missing: list[int] = []

    def agrees() -> bool:
        books.check()
        assert books.facts is not None
        states = [books.facts.containers[name].state for name in STAYING]
        missing[:] = {state.pid for state in states if isinstance(state, Running | Stopping)} - {
            one.pid for one in children() if not _is_zombie(one)
        }
        return not missing

    def children() -> list[psutil.Process]:
        return story.supervisor.children()

    try:
        until(agrees, "the processes are those of the facts")
    except AssertionError as problem:
        raise AssertionError(f"{problem}: {missing} should run, {children()} do, {books.facts}") from None
    zombies = [one for one in children() if _is_zombie(one)]
    until(lambda: not any(map(_is_zombie, zombies)), "all is reaped")


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
