"""initsup beside tini and dumb-init (Debian's packages of these names), as PID 1 in the same cases.

    python -m tests.bench.pid1 [--orphans N] [words of a case …]

Prints a row for each case: pass, fail, or n.a. where it is not made for that. What is not passed is explained below.
Then what it costs: memory, and the end of N (20,000) orphans at once.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from initsup.node.syscalls import become_subreaper
from tests.stories.inits import INITS, SUPERVISOR, Init, Trial, World, outcome, version
from tests.stories.pid1_cases import CASES, GONE, ORPHANS, only_the_program, states

WIDTH = 72


class Cost(msgspec.Struct, frozen=True):
    """Seconds on the wall and of the init's CPU until the last zombie is gone; KiB of its own (USS) at rest."""

    wall: float
    cpu: float
    memory: int


def compare(words: list[str]) -> int:
    """Print the table; how many cases initsup has failed."""
    print(f"{'':{WIDTH}}" + "".join(f"{init.name:>10}" for init in INITS))
    notes, failed = [], 0
    for name, case in CASES.items():
        if words and not all(word in name for word in words):
            continue
        row = ""
        for init in INITS:
            with tempfile.TemporaryDirectory(prefix="initsup-") as home:
                result, why = outcome(init, name, case, Path(home))
            row += f"{result:>10}"
            failed += init is SUPERVISOR and result == "fail"
            if result != "pass":
                notes.append(f"{name}: {init.name}: {result}: {why.splitlines()[0]}")
        print(f"{name:{WIDTH}}{row}", flush=True)
    print("\n" + "\n".join(notes))
    return failed


def cost(init: Init, count: int) -> Cost:
    """Measure the end of so many orphans at once."""
    with tempfile.TemporaryDirectory(prefix="initsup-") as home:
        world = World(init, Path(home))
        try:
            trial = world.run(["sh", "-c", ORPHANS, "sh", str(count)])
            trial.says("all there", 400)
            return _released(trial)
        finally:
            world.close()


def _released(trial: Trial) -> Cost:
    memory = trial.init.memory_full_info().uss // 1024
    before = sum(trial.init.cpu_times()[:2])
    (trial.output.parent / "go").touch()
    began = time.monotonic()
    trial.says("released", 120)
    trial.until(lambda: only_the_program(trial), "the last orphan is gone", 120)
    took = time.monotonic() - began
    assert not set(states(trial)) & set(GONE)
    return Cost(took, sum(trial.init.cpu_times()[:2]) - before, memory)


def main() -> int:
    """The table, then the costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--orphans", type=int, default=20_000)
    parser.add_argument("words", nargs="*", help="only the cases with these words")
    arguments = parser.parse_args()
    become_subreaper()  # so that what an init leaves behind is seen
    missing = [init.name for init in INITS[1:] if not shutil.which(init.name)]
    if missing:
        print(f"not installed: {', '.join(missing)}", file=sys.stderr)
        return 2
    print(", ".join(version(init) for init in INITS))
    failed = compare(arguments.words)
    if arguments.orphans and not arguments.words:
        print(f"\n{'':{WIDTH}}" + "".join(f"{init.name:>10}" for init in INITS))
        costs = [cost(init, arguments.orphans) for init in INITS]
        for label, values in {
            f"until {arguments.orphans:,} orphans are gone, s": [f"{one.wall:.2f}" for one in costs],
            "  CPU of the init in that time, s": [f"{one.cpu:.2f}" for one in costs],
            "memory of its own, KiB": [str(one.memory) for one in costs],
        }.items():
            print(f"{label:{WIDTH}}" + "".join(f"{value:>10}" for value in values))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
