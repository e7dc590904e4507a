"""Whole lives of pods, hours of them, second by second."""

from __future__ import annotations

import time

import pytest

from initsup.core.actions import Hook, Signal, Start
from initsup.core.events import StopAsked
from tests.build import container, hooks, planned, probe, rule, sidecar
from tests.sim import HookRun, Life, World


def terms(world: World) -> dict[str, list[tuple[float, int]]]:
    """The signals that each container got, and when."""
    found: dict[str, list[tuple[float, int]]] = {}
    for at, action in world.actions:
        if isinstance(action, Signal):
            found.setdefault(action.container, []).append((round(at, 3), action.signal))
    return found


def test_a_crash_loop() -> None:
    world = World(planned(), {"a": Life(lasts=1, code=1)}).run(1000)
    assert world.times(Start) == [0, 1, 12, 33, 74, 155, 316, 617, 918]
    assert world.story("a")[:9] == [
        "ContainerCreating",
        "running",
        "Error/1",
        "running",
        "Error/1",
        "CrashLoopBackOff",
        "running",
        "Error/1",
        "CrashLoopBackOff",
    ]
    assert world.phases() == ["Pending", "Running"]


def test_a_day_of_a_crash_loop_takes_no_time() -> None:
    began = time.process_time()
    world = World(planned(), {"a": Life(lasts=1, code=1)}).run(86400)
    took = time.process_time() - began
    assert world.of("a").restart_count == 291
    assert len(world.times(Start)) == 292
    assert took < 2


@pytest.mark.parametrize(
    ("life", "starts"),
    [
        pytest.param(Life(lasts=0.0, code=42), [0, 1, 2, 3], id="one that ends at once, once a second"),
        pytest.param(Life(lasts=0.4, code=42), [0, 1, 2, 3], id="one that ends soon, counted from its start"),
        pytest.param(Life(lasts=1.5, code=42), [0, 1.5, 3], id="one that has run for a second, at once"),
    ],
)
def test_all_containers_that_restart_again_and_again(life: Life, starts: list[float]) -> None:
    ends = container("a", restart_policy="Never", restart_policy_rules=(rule("RestartAllContainers", 42),))
    world = World(planned(ends, container("b")), {"a": life}).run(3.4)
    assert world.times(Start, "a") == world.times(Start, "b") == starts


SHUTDOWN = planned(
    container("a", lifecycle=hooks(pre_stop=True)),
    inits=(sidecar("s1", lifecycle=hooks(pre_stop=True)), sidecar("s2")),
)


@pytest.mark.parametrize(
    ("code", "phase"), [pytest.param(0, "Succeeded", id="success"), pytest.param(3, "Failed", id="failure")]
)
def test_deletion_with_hooks_and_sidecars(code: int, phase: str) -> None:
    lives = {
        "a": Life(on_stop=(5, code), pre_stop=HookRun(takes=4)),
        "s1": Life(on_stop=(1, 9), pre_stop=HookRun(takes=1)),
        "s2": Life(on_stop=(1, 9)),
    }
    world = World(SHUTDOWN, lives, StopAsked(at=100)).run()
    assert world.times(Hook) == [100, 100]
    assert terms(world) == {"a": [(104, 15)], "s2": [(109, 15)], "s1": [(110, 15)]}
    assert world.now == 111
    assert world.status.phase == phase


def test_deletion_of_a_main_container_that_takes_all_the_grace() -> None:
    lives = {
        "a": Life(on_stop=None, pre_stop=HookRun(takes=4)),
        "s1": Life(on_stop=None),
        "s2": Life(on_stop=None),
    }
    world = World(SHUTDOWN, lives, StopAsked(at=100)).run()
    assert terms(world) == {
        "a": [(104, 15), (130, 9)],
        "s1": [(130, 15), (132, 9)],
        "s2": [(130, 15), (132, 9)],
    }
    assert world.now == 132
    assert world.status.phase == "Failed"


def test_start_of_init_container_sidecar_init_container_and_main_container() -> None:
    checked = sidecar(startup_probe=probe(period_seconds=2))
    plan = planned(inits=(container("i"), checked, container("j")))
    lives = {
        "i": Life(lasts=3),
        "s": Life(probes={"startup": lambda t: "success" if t >= 5 else "failure"}),
        "j": Life(lasts=2),
    }
    world = World(plan, lives).run(60)
    assert [world.times(Start, name) for name in ("i", "s", "j", "a")] == [[0], [3], [9], [11]]
    assert world.phases() == ["Pending", "Running"]


def test_three_init_containers_two_of_which_need_several_runs() -> None:
    plan = planned(inits=(container("i"), container("j"), container("k")))
    bad, good = Life(lasts=1, code=1), Life(lasts=1)
    world = World(plan, {"i": (bad, good), "j": (bad, bad, bad, good), "k": good}).run(3600)
    assert world.times(Start, "i") == [0, 1]
    assert world.times(Start, "j") == [2, 3, 14, 35]
    assert world.times(Start, "k") == [36]
    assert world.times(Start, "a") == [37]
    assert world.phases() == ["Pending", "Running"]


def test_a_job_with_a_sidecar() -> None:
    world = World(
        planned(inits=(sidecar(),), policy="OnFailure"),
        {"a": (Life(lasts=5, code=1), Life(lasts=5)), "s": Life(on_stop=(2, 9))},
    ).run()
    assert world.times(Start, "a") == [0, 5]
    assert terms(world) == {"s": [(10, 15)]}
    assert (world.now, world.status.phase) == (12, "Succeeded")


def test_a_sidecar_that_crashes_does_not_disturb_the_main_container() -> None:
    world = World(planned(inits=(sidecar(),)), {"s": Life(lasts=1, code=1)}).run(100)
    assert world.times(Start, "s") == [0, 1, 12, 33, 74]
    assert world.times(Start, "a") == [0]
    assert world.phases() == ["Pending", "Running"]


def test_a_sidecar_in_its_back_off_does_not_hold_up_the_end() -> None:
    lives = {"a": Life(lasts=5), "s": Life(lasts=1, code=1)}
    world = World(planned(inits=(sidecar(),), policy="Never"), lives).run()
    assert (world.now, world.status.phase) == (5, "Succeeded")
    assert world.story("s")[-2:] == ["CrashLoopBackOff", "ContainerStatusUnknown/137"]


def test_a_last_sidecar_that_is_down_does_not_hold_up_the_end() -> None:
    lives = {"a": Life(lasts=2), "s": Life(lasts=2)}
    world = World(planned(inits=(sidecar(),), policy="Never"), lives).run()
    assert (world.now, world.status.phase) == (2, "Succeeded")
    assert world.times(Start, "s") == [0]


def test_restart_all_containers() -> None:
    asked = container("a", restart_policy="Never", restart_policy_rules=(rule("RestartAllContainers", 42),))
    plan = planned(
        asked, container("b", lifecycle=hooks(pre_stop=True)), inits=(container("i"), sidecar()), policy="Never"
    )
    lives = {
        "i": Life(lasts=1),
        "s": Life(on_stop=None),
        "a": (Life(lasts=2, code=42), Life(lasts=4)),
        "b": Life(on_stop=(1, 0), lasts=20),
    }
    world = World(plan, lives).run()
    assert world.times(Start, "i") == [0, 5]
    assert world.times(Start, "s") == [1, 6]
    assert world.times(Start, "a") == [1, 6]
    assert world.times(Start, "b") == [1, 6]
    assert terms(world)["s"] == [(3, 15), (5, 9), (26, 15), (56, 9)]
    assert terms(world)["b"] == [(3, 15)]
    assert world.times(Hook) == []
    assert world.phases() == ["Pending", "Running", "Pending", "Running", "Pending", "Running", "Succeeded"]


def test_a_deadline_in_the_middle_of_a_back_off() -> None:
    world = World(planned(active_deadline_seconds=5), {"a": Life(lasts=1, code=1)}).run()
    assert (world.now, world.status.phase, world.status.reason) == (5, "Failed", "DeadlineExceeded")
    assert world.story("a")[-2:] == ["CrashLoopBackOff", "ContainerStatusUnknown/137"]


def test_flapping_readiness() -> None:
    checked = container(readiness_probe=probe(period_seconds=1, failure_threshold=2, success_threshold=1))
    lives = {"a": Life(probes={"readiness": lambda t: "failure" if 10 <= t < 20 else "success"})}
    world = World(planned(checked), lives).run(40)
    ready = [(shown.at, shown.status.container_statuses[0].ready) for shown in world.shown]
    changes = [pair for index, pair in enumerate(ready) if index == 0 or pair[1] != ready[index - 1][1]]
    assert changes == [(0, False), (0, True), (11, False), (20, True)]
