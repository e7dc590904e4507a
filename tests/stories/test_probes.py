"""A small run of the probes' measurement: its bounds leave room for a machine that does other things, but not more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.probes import measure

pytestmark = pytest.mark.real


def test_probes_keep_their_schedule_and_leave_nothing(home: Path) -> None:
    run = measure("mixed", containers=20, seconds=8, home=home)
    print(run.line())
    assert 0.75 * run.expected <= run.done <= 1.05 * run.expected
    assert abs(run.drift) < 0.1
    assert sorted(run.lateness)[len(run.lateness) // 2] < 0.5
    assert (run.threads, run.left, run.strays) == (1, 0, 0)
    assert run.own < 3.0
