"""Whatever the operating system refuses, the pod gets to a defined state that says so. Nothing crashes or spins."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import msgspec
import pytest

from initsup.core.actions import Hook, Prepare, Probe, Signal, Start
from initsup.core.events import StopAsked
from initsup.core.report import Where, exit_code
from initsup.engine import Engine
from initsup.journal import Journal, Replay
from tests.build import container, hooks, planned, probe
from tests.fake_node import FakeNode, Fault, Habit
from tests.sim import Life, World

QUICK = {"initial": 0.01, "most": 0.01}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[type]:
    made: list[Engine] = []

    def make(plan, habit: Habit, *faults: Fault) -> Engine:  # type: ignore[no-untyped-def]
        node = FakeNode(dict.fromkeys(plan.members, habit), Engine.now, faults)
        made.append(
            Engine(plan, node, Journal(str(tmp_path / "journal"), plan, 0.0), lambda: Where(ips=("192.0.2.1",)))
        )
        return made[-1]

    yield make  # type: ignore[misc]
    for one in made:
        one.node.close()  # type: ignore[attr-defined]
        one.journal.close()


async def run(engine: Engine) -> None:
    with anyio.fail_after(10):
        await engine.run()


def messages(engine: Engine) -> str:
    return "\n".join(item["message"] for item in engine.events()["items"])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "fields"),
    [
        pytest.param(Fault(Prepare), {}, id="volumes that cannot be made are tried again"),
        pytest.param(Fault(Start, times=3), {}, id="a fork that fails is tried again"),
        pytest.param(Fault(Probe, times=3), {"liveness_probe": probe()}, id="a probe without an answer proves nothing"),
    ],
)
async def test_a_fault_that_passes_is_got_over_and_told(engine, fault: Fault, fields) -> None:  # type: ignore[no-untyped-def]
    it = engine(planned(container("a", **fields), policy="OnFailure", **QUICK), Habit(exits=0), fault)
    await run(it)
    assert exit_code(it.plan, it.facts)[0] == 0
    if fault.kind is not Probe:
        assert fault.message in messages(it)


@pytest.mark.anyio
async def test_a_start_that_always_fails_ends_a_pod_that_must_not_restart(engine) -> None:  # type: ignore[no-untyped-def]
    it = engine(planned(container("a"), policy="Never"), Habit(), Fault(Start, "fork: cannot allocate memory", -1))
    await run(it)
    assert it.pod()["status"]["phase"] == "Failed"
    assert "fork: cannot allocate memory" in messages(it)


@pytest.mark.anyio
async def test_a_hook_that_cannot_run_ends_its_container(engine) -> None:  # type: ignore[no-untyped-def]
    plan = planned(container("a", lifecycle=hooks(post_start=True)), policy="Never")
    it = engine(plan, Habit(), Fault(Hook))
    await run(it)
    assert it.pod()["status"]["phase"] == "Failed"
    assert "resource temporarily unavailable" in messages(it)


@pytest.mark.anyio
async def test_a_stop_signal_that_is_lost_is_followed_by_the_kill(engine) -> None:  # type: ignore[no-untyped-def]
    it = engine(planned(container("a")), Habit(), Fault(Signal))
    it.node.post(StopAsked(at=it.now(), grace=1, by="test"))
    await run(it)
    assert exit_code(it.plan, it.facts) == (0, "stopped on request")


@pytest.mark.anyio
@pytest.mark.parametrize("step", [-1e6, 1e6], ids=["back", "forth"])
async def test_a_step_of_the_wall_clock_moves_stamps_only(engine, monkeypatch: pytest.MonkeyPatch, step: float) -> None:  # type: ignore[no-untyped-def]
    it = engine(planned(container("a"), policy="OnFailure", initial=0.3, most=0.3), Habit(exits=1))
    wake_at = it.step()
    before, true = it.clock(it.now()), time.time
    monkeypatch.setattr(time, "time", lambda: true() + step)
    assert it.step() == wake_at
    assert (it.clock(it.now()) > before) is (step > 0)
    it.node.post(StopAsked(at=it.now(), by="test"))
    await run(it)
    assert it.facts.finished


class Unseen(World):
    """Nobody looks at the status meanwhile, which is most of the work."""

    def _show(self) -> None:
        pass


def test_ten_thousand_restarts_cost_no_memory() -> None:
    plan = planned(container("a"), policy="Always", initial=1, most=1)
    world = Unseen(plan, {"a": Life(lasts=0.0, code=1)})
    world.run(until=100)
    early = len(msgspec.json.encode(world.facts))
    world.run(until=12_000)
    assert world.of("a").restart_count > 10_000
    assert len(msgspec.json.encode(world.facts)) < early + 64


def full_disk(journal: Journal) -> None:
    """Let a journal write to /dev/full, which is always full."""
    journal.close()
    journal._fd = os.open("/dev/full", os.O_WRONLY)


@pytest.mark.anyio
async def test_a_journal_on_a_full_disk_degrades_and_heals(engine) -> None:  # type: ignore[no-untyped-def]
    it = engine(planned(container("a")), Habit())
    full_disk(it.journal)
    it.step()
    assert "No space left on device" in it.trouble()[0]
    assert "No space left" in it.pod()["metadata"]["annotations"]["initsup.dev/degraded"]
    it.journal._again_at = 0.0
    it.node.post(StopAsked(at=it.now(), by="test"))
    await run(it)
    assert it.trouble() == []
    assert Replay(it.journal._path).facts == it.facts


def test_a_disk_that_fills_up_in_the_middle_of_a_line_leaves_none_torn(engine, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    it = engine(planned(container("a"), policy="Never"), Habit(exits=0))
    file = tmp_path / "journal"
    size = file.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))
        it.step()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert it.journal.degraded
    assert file.stat().st_size == size
    assert json.loads(file.read_text())
