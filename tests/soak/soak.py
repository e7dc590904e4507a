"""The soak itself: act, look, and add up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from initsup.core.facts import Exited
from tests.soak import pod
from tests.soak.books import Books
from tests.soak.chaos import Chaos
from tests.soak.gauges import Gauge, check, check_processes, gauge
from tests.stories.driver import Story, until

WARM = 0.2
"""The part of the time after which memory is looked at for the first time."""
LOOKS = 4
"""How often it is looked at afterwards, in a quiet moment."""


def soak(home: Path, seconds: float, seed: int, say: Callable[[str], None] = lambda _: None) -> list[tuple[str, int]]:
    """Do it; what was done and seen, with how often. Raises AssertionError when something is not as it must be."""
    story = Story(home, pod.write(home))
    books = Books(story.state / "journal.jsonl")
    try:
        return _soak(story, books, home, seconds, seed, say)
    except BaseException:
        say(f"what initsup said is in {story.output}:\n{story.said()[-3000:]}")
        raise
    finally:
        books.close()
        story.close()


def _soak(
    story: Story, books: Books, home: Path, seconds: float, seed: int, say: Callable[[str], None]
) -> list[tuple[str, int]]:
    story.until_ready()
    chaos = Chaos(story, seed)
    chaos.drop()  # from now on all of the API is loaded
    gauges: list[Gauge] = []
    began = time.monotonic()
    due = [seconds * (WARM + (1 - WARM) * part / LOOKS) for part in range(LOOKS + 1)]
    while due:
        assert story.process.poll() is None, "initsup has ended"
        chaos.act()
        books.check()
        if time.monotonic() - began > due[0]:
            due.pop(0)
            gauges.append(_quiet(story, books, chaos, gauges[0] if gauges else None))
            say(f"{time.monotonic() - began:6.0f} s  {gauges[-1]}  {books.counts['events']} events")
    check(gauges[0], gauges[-1])
    assert story.ask("delete").returncode == 0
    assert story.ended() == 0, story.said()
    books.closed()
    assert not story.strays()
    assert "Traceback" not in story.said()
    assert "degraded" not in story.said()
    return _account(story, home, books, chaos)


def _quiet(story: Story, books: Books, chaos: Chaos, first: Gauge | None) -> Gauge:
    """Let all settle, and look. What a reexec has unloaded is loaded again, so that it is always the same."""
    chaos.calm()
    chaos.drop()
    story.ask("top")

    def settled() -> bool:
        books.check()
        assert books.facts is not None
        states = books.facts.containers
        return isinstance(states["crash"].state, Exited) and all(states[name].ready for name in pod.STAYING)

    until(settled, "all containers are ready again, but for the one that crashes", 60, story.process)
    check_processes(story, books)
    return gauge(story, first)


def _account(story: Story, home: Path, books: Books, chaos: Chaos) -> list[tuple[str, int]]:
    """Check every log, and add up."""
    attempts = [one for one in sorted(books.attempts) if one[0] in pod.COUNTING]
    lines = sum(pod.check_log(home, story.state, *one) for one in attempts)
    logs = [("logs that are whole", len(attempts)), ("numbered lines in them, none lost", lines)]
    return [*sorted(chaos.counts.items()), *sorted(books.counts.items()), *logs]
