"""The laws for a night: random pods with random histories until so many events have been simulated.

Another seed is taken each time and printed first: with it the same histories come again. Each history is checked as
`test_laws` does, and goes once more through a real journal: what `Replay` tells of the file must be the facts that
there were. The first one that breaks a law is printed as the simplest that does.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time

from hypothesis import HealthCheck, Phase, given, seed, settings

from initsup.core.apply import apply, begin
from initsup.journal import Journal, Replay
from tests.core.laws import is_plausible, survives
from tests.core.test_laws import replay, worlds
from tests.sim import World

EVENTS = 10_000_000
HISTORIES = 500
"""In one batch; between two of them is told how far it is."""


def through_a_journal(world: World, path: str) -> None:
    """Write the history as the engine does, and read it again."""
    journal = Journal(path, world.plan, 0.0)
    facts = begin(world.plan, 0)
    journal.begin(facts)
    for index, event in enumerate(world.events):
        journal.add(event)
        facts = apply(world.plan, facts, event)
        if index % 7 == 6:
            journal.flush(facts)
    journal.flush(facts)
    journal.close()
    assert not journal.degraded, journal.degraded
    assert Replay(path).facts == world.facts == facts


def main(events: int, first: int) -> None:
    """Go on until so many events have been seen."""
    seen = histories = batch = 0
    began = time.monotonic()

    def look(world: World) -> None:
        nonlocal seen, histories
        world.run(400)
        replay(world)
        survives(world.plan, world.facts, world.events, 0)
        is_plausible([shown.status for shown in world.shown])
        through_a_journal(world, path)
        os.unlink(path)  # a journal that is there would be gone on with
        seen += len(world.events)
        histories += 1

    how = settings(
        max_examples=HISTORIES, database=None, deadline=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    print(f"seed {first}: {events:,} events", flush=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as directory:
        path = os.path.join(directory, "journal")
        while seen < events:
            seed(first + batch)(how(given(worlds())(look)))()
            batch += 1
            gc.collect()
            print(f"{seen:>12,} events in {histories:,} histories, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.core.nightly", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("events", nargs="?", type=int, default=EVENTS, help="how many (default: %(default)s)")
    parser.add_argument("seed", nargs="?", type=int, default=int.from_bytes(os.urandom(4), "big"))
    arguments = parser.parse_args()
    main(arguments.events, arguments.seed)
