"""How instances are ended: hook, stop signal, SIGKILL; deadlines; the order of sidecars."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from initsup.core.actions import Finish, Hook, Kill, Signal, Start, Stop
from initsup.core.events import Began, Evicted, RestartAsked, StopAsked
from initsup.core.facts import Facts
from initsup.core.plan import Plan
from initsup.core.shutdown import is_down, is_turn_of, kill_grace, next_step
from tests.build import (
    container,
    died,
    hook_begun,
    hooked,
    hooks,
    killed,
    known,
    planned,
    probe,
    ran,
    sidecar,
    signalled,
    unstartable,
    up,
)
from tests.sim import HookRun, Life, World

PLAIN = planned()
HOOKED = planned(container(lifecycle=hooks(pre_stop=True)))
SIDE = planned(inits=(sidecar(),))
HOOK = hook_begun(hook="preStop")


@pytest.mark.parametrize(
    ("plan", "happened", "now", "step"),
    [
        pytest.param(PLAIN, [killed()], 0, "signal", id="without a hook the stop signal comes first"),
        pytest.param(HOOKED, [killed()], 0, "hook", id="a preStop hook comes before it"),
        pytest.param(HOOKED, [killed(skip_hook=True)], 0, "signal", id="unless it is skipped"),
        pytest.param(HOOKED, [killed(deadline=0)], 0, "signal", id="or there is no grace at all"),
        pytest.param(HOOKED, [killed(), HOOK], 5, "wait 30", id="the hook is waited for until the deadline"),
        pytest.param(HOOKED, [killed(), HOOK], 30, "signal", id="no longer"),
        pytest.param(
            HOOKED, [killed(), HOOK, hooked(at=5, hook="preStop")], 5, "signal", id="after the hook: the signal"
        ),
        pytest.param(
            HOOKED, [killed(), HOOK, hooked(at=5, hook="preStop", ok=False)], 5, "signal", id="also when it has failed"
        ),
        pytest.param(PLAIN, [killed(), signalled(at=5)], 5, "wait 30", id="after the signal: until the deadline"),
        pytest.param(PLAIN, [killed(), signalled(at=5)], 30, "kill", id="at the deadline: SIGKILL"),
        pytest.param(PLAIN, [killed(), signalled(at=29)], 30, "wait 31", id="but 2 s after the signal at least"),
        pytest.param(PLAIN, [killed(), signalled(at=29)], 31, "kill", id="then SIGKILL"),
        pytest.param(PLAIN, [killed(deadline=0), signalled(at=0)], 1.9, "wait 2", id="2 s also without any grace"),
        pytest.param(PLAIN, [killed(), signalled(), signalled(at=30, number=9)], 99, "wait", id="SIGKILL is sent once"),
        pytest.param(PLAIN, [StopAsked(at=0, kill=True), killed()], 0, "kill", id="by force: SIGKILL at once"),
        pytest.param(
            HOOKED, [StopAsked(at=0), killed(), HOOK, StopAsked(at=1, kill=True)], 1, "kill", id="force cuts a hook"
        ),
        pytest.param(
            SIDE, [up("s"), up(), killed("s", ordered=True)], 5, "wait 30", id="a sidecar waits for the main containers"
        ),
        pytest.param(SIDE, [up("s"), up(), killed("s", ordered=True)], 30, "signal", id="until the deadline"),
        pytest.param(
            SIDE, [up("s"), up(), killed("s", ordered=True), died(at=9)], 9, "signal", id="or until they have ended"
        ),
        pytest.param(SIDE, [up("s"), up(), killed("s")], 5, "signal", id="one that is killed for itself does not wait"),
    ],
)
def test_next_step(plan: Plan, happened: list[Any], now: float, step: str) -> None:
    name = "s" if plan is SIDE else "a"
    first = () if plan is SIDE else up()
    found = next_step(plan, known(plan, first, *happened), plan.members[name], now)
    assert f"{found.step} {'' if found.at is None else f'{found.at:g}'}".strip() == step


ORDER = planned(container("a"), container("b"), inits=(sidecar("s"), container("i"), sidecar("t")))
ALL_UP = [up("s"), ran("i"), up("t", 1), up("a", 1), up("b", 1)]


@pytest.mark.parametrize(
    ("ended", "turns"),
    [
        pytest.param([], "", id="nobody while main containers run"),
        pytest.param(["a"], "", id="not after the first of them"),
        pytest.param(["a", "b"], "t", id="the last sidecar after all main containers"),
        pytest.param(["a", "b", "t"], "s t", id="then the one before"),
        pytest.param(["t"], "", id="a sidecar that has ended already does not change that"),
        pytest.param(["a", "b", "s"], "s t", id="a first one that has ended by itself does not wait"),
    ],
)
def test_order_of_sidecars(ended: list[str], turns: str) -> None:
    facts = known(ORDER, *ALL_UP, *(died(name, 2) for name in ended))
    expected = turns.split()
    if "s" in ended:  # it is not there any more
        expected = [name for name in expected if name != "s"]
    assert [name for name in "st" if name not in ended and is_turn_of(ORDER, facts, ORDER.members[name])] == [
        name for name in expected if name not in ended
    ]


@pytest.mark.parametrize(
    ("kind", "grace"),
    [
        pytest.param("", 40, id="the pod's own"),
        pytest.param("liveness", 3, id="the probe's own"),
        pytest.param("startup", 40, id="the pod's, where the probe has none"),
    ],
)
def test_grace_of_one_kill(kind: str, grace: float) -> None:
    checks = {"liveness_probe": probe(termination_grace_period_seconds=3), "startup_probe": probe()}
    plan = planned(container(**checks), termination_grace_period_seconds=40)
    assert kill_grace(plan, plan.members["a"], kind) == grace


@pytest.mark.parametrize(
    ("happened", "down"),
    [
        pytest.param([], False, id="not when nobody wants it to end"),
        pytest.param([StopAsked(at=0)], True, id="when nothing has been started"),
        pytest.param([up(), StopAsked(at=0)], False, id="not while something runs"),
        pytest.param([ran(), StopAsked(at=1)], True, id="when all has ended"),
    ],
)
def test_whether_it_is_down(happened: list[Any], down: bool) -> None:
    assert is_down(known(PLAIN, *happened)) is down


# -- what is asked, and how long it gets ------------------------------------------------------------------------------


def graces(facts: Facts) -> tuple[float, float, bool]:
    assert facts.stop is not None
    return facts.stop.grace, facts.stop.deadline, facts.stop.force


@pytest.mark.parametrize(
    ("asks", "expected"),
    [
        pytest.param([StopAsked(at=5)], (30, 35, False), id="the pod's own grace period"),
        pytest.param([StopAsked(at=5, grace=8)], (8, 13, False), id="another one"),
        pytest.param([StopAsked(at=5, grace=80)], (80, 85, False), id="also a longer one"),
        pytest.param([StopAsked(at=5, grace=0)], (1, 6, False), id="a second at least"),
        pytest.param([StopAsked(at=5, kill=True)], (0, 5, True), id="by force: none"),
        pytest.param([StopAsked(at=5), StopAsked(at=6, grace=4)], (4, 10, False), id="a second request may shorten it"),
        pytest.param([StopAsked(at=5), StopAsked(at=6, grace=99)], (30, 35, False), id="but not lengthen it"),
        pytest.param([StopAsked(at=5), StopAsked(at=20)], (30, 35, False), id="the same again changes nothing"),
        pytest.param([StopAsked(at=5), StopAsked(at=6, kill=True)], (0, 6, True), id="a second one by force"),
        pytest.param([StopAsked(at=5, kill=True), StopAsked(at=6)], (0, 5, True), id="force cannot be taken back"),
        pytest.param([Evicted(at=5, message="full")], (1, 6, False), id="an eviction gives a second"),
        pytest.param([Evicted(at=5, message="full"), StopAsked(at=5.5)], (1, 6, False), id="a deletion on top of it"),
        pytest.param(
            [StopAsked(at=5), Evicted(at=6, message="full")], (30, 35, False), id="no eviction of a deleted pod"
        ),
        pytest.param(
            [Began(at=5, action=Stop(why="completed", grace=30)), StopAsked(at=6, grace=3)],
            (3, 9, False),
            id="a deletion shortens what has begun",
        ),
        pytest.param(
            [Began(at=5, action=Stop(why="completed", grace=30)), StopAsked(at=6, kill=True)],
            (0, 6, True),
            id="also by force",
        ),
    ],
)
def test_grace_of_the_pod(asks: list[Any], expected: Any) -> None:
    facts = known(PLAIN, up(), *asks)
    assert graces(facts) == expected
    if isinstance(asks[0], StopAsked):
        assert facts.deleted is not None
        assert (facts.deleted.grace, facts.deleted.deadline, facts.deleted.force) == expected


@pytest.mark.parametrize(
    ("ask", "deadline"),
    [
        pytest.param(StopAsked(at=5, grace=8), 13, id="the pod's deadline comes before the kill's"),
        pytest.param(StopAsked(at=5, grace=80), 30, id="a kill's own deadline stays when it comes before"),
        pytest.param(Evicted(at=5, message="full"), 6, id="an eviction"),
        pytest.param(Began(at=5, action=Stop(why="deadline", grace=4)), 9, id="the deadline of the pod"),
    ],
)
def test_a_kill_must_be_done_by_the_pod_s_deadline(ask: Any, deadline: float) -> None:
    state: Any = known(PLAIN, up(), killed(restart=True), ask).containers["a"].state
    assert state.deadline == deadline
    assert state.restart is False


def test_who_deleted_and_why_it_ends_are_two_things() -> None:
    facts = known(PLAIN, up(), Evicted(at=5, message="full"), StopAsked(at=6))
    assert facts.stop is not None
    assert facts.deleted is not None
    assert (facts.stop.why, facts.stop.message, facts.deleted.why, facts.deleted.at) == (
        "evicted",
        "full",
        "deleted",
        6,
    )


# -- over time --------------------------------------------------------------------------------------------------------

STUBBORN = Life(on_stop=None)


def signals(world: World, name: str = "a") -> list[tuple[float, int]]:
    return [(round(at, 3), a.signal) for at, a in world.actions if isinstance(a, Signal) and a.container == name]


@pytest.mark.parametrize(
    ("fields", "life", "ask", "sent", "over"),
    [
        pytest.param({}, Life(on_stop=(3, 0)), StopAsked(at=5), [(5, 15)], 8, id="one that ends when asked to"),
        pytest.param({}, STUBBORN, StopAsked(at=5), [(5, 15), (35, 9)], 35, id="one that ignores the stop signal"),
        pytest.param({}, STUBBORN, StopAsked(at=5, grace=1), [(5, 15), (7, 9)], 7, id="2 s between them at least"),
        pytest.param({}, STUBBORN, StopAsked(at=5, kill=True), [(5, 9)], 5, id="by force"),
        pytest.param({}, STUBBORN, Evicted(at=5, message=""), [(5, 15), (7, 9)], 7, id="evicted"),
        pytest.param(
            {"lifecycle": hooks(stop_signal="SIGUSR1")},
            STUBBORN,
            StopAsked(at=5),
            [(5, 10), (35, 9)],
            35,
            id="stopSignal",
        ),
        pytest.param(
            {"lifecycle": hooks(pre_stop=True)},
            Life(on_stop=None, pre_stop=HookRun(takes=4)),
            StopAsked(at=5),
            [(9, 15), (35, 9)],
            35,
            id="the time of a preStop hook counts",
        ),
        pytest.param(
            {"lifecycle": hooks(pre_stop=True)},
            Life(on_stop=None, pre_stop=HookRun(takes=99)),
            StopAsked(at=5, grace=10),
            [(15, 15), (17, 9)],
            17,
            id="a preStop hook that takes all the grace leaves 2 s",
        ),
        pytest.param(
            {"lifecycle": hooks(pre_stop=True)},
            Life(lasts=7, pre_stop=HookRun(takes=99)),
            StopAsked(at=5),
            [],
            7,
            id="one that ends by itself under its preStop hook",
        ),
        pytest.param(
            {"lifecycle": hooks(pre_stop=True)},
            Life(on_stop=None, pre_stop=HookRun(takes=99)),
            StopAsked(at=5, kill=True),
            [(5, 9)],
            5,
            id="by force: no preStop hook",
        ),
    ],
)
def test_signals(fields: Any, life: Life, ask: Any, sent: list[Any], over: float) -> None:
    world = World(planned(container(**fields)), {"a": life}, ask).run()
    assert signals(world) == sent
    assert world.deaths("a") == [over]
    assert world.times(Finish) == [over]


def test_one_that_ends_by_itself_runs_no_pre_stop_hook() -> None:
    world = World(planned(container(lifecycle=hooks(pre_stop=True)), policy="Never"), {"a": Life(lasts=3)}).run()
    assert world.acts(Hook) == []
    assert world.times(Finish) == [3]


@pytest.mark.parametrize(
    ("fields", "life", "hook_at", "sent"),
    [
        pytest.param(
            {"liveness_probe": probe(period_seconds=1, failure_threshold=1)},
            Life(probes={"liveness": lambda t: "failure"}),
            1,
            (5, 15),
            id="for its liveness probe",
        ),
        pytest.param(
            {"lifecycle": hooks(post_start=True, pre_stop=True)},
            Life(post_start=HookRun(takes=2, ok=False)),
            2,
            (6, 15),
            id="for its postStart hook",
        ),
    ],
)
def test_one_that_is_ended_for_itself_runs_its_pre_stop_hook(
    fields: Any, life: Life, hook_at: float, sent: tuple[float, int]
) -> None:
    plan = planned(container(**{"lifecycle": hooks(pre_stop=True), **fields}), policy="Never")
    world = World(plan, {"a": msgspec.structs.replace(life, pre_stop=HookRun(takes=4))}).run(30)
    assert world.times(Hook, hook="preStop") == [hook_at]
    assert signals(world) == [sent]


def test_a_second_request_shortens_the_first() -> None:
    world = World(PLAIN, {"a": STUBBORN}, StopAsked(at=5), StopAsked(at=10, grace=4)).run()
    assert signals(world) == [(5, 15), (14, 9)]


def test_a_second_request_may_force() -> None:
    world = World(PLAIN, {"a": STUBBORN}, StopAsked(at=5), StopAsked(at=10, kill=True)).run()
    assert signals(world) == [(5, 15), (10, 9)]


def test_each_instance_gets_its_kill_and_its_hook_once() -> None:
    plan = planned(container(lifecycle=hooks(pre_stop=True)), container("b"))
    world = World(plan, {"a": Life(on_stop=(9, 0), pre_stop=HookRun(takes=2))}, StopAsked(at=5), StopAsked(at=6)).run()
    assert [a.container for a in world.acts(Kill)] == ["a", "b"]
    assert world.times(Hook) == [5]
    assert signals(world) == [(7, 15)]


def test_an_instance_that_is_being_killed_goes_on_with_that_when_the_pod_ends() -> None:
    plan = planned(container(liveness_probe=probe(period_seconds=1, failure_threshold=1)))
    life = Life(on_stop=(5, 0), probes={"liveness": lambda t: "failure"})
    world = World(plan, {"a": life}, StopAsked(at=3)).run()
    assert len(world.acts(Kill)) == 1
    assert world.times(Start) == [0]
    assert world.times(Finish) == [6]


def test_nothing_of_its_own_is_started_while_it_ends() -> None:
    plan = planned(container("a"), container("b"), inits=(sidecar(),))
    lives = {"a": Life(on_stop=(9, 1)), "b": Life(lasts=6, code=1), "s": Life(lasts=8)}
    world = World(plan, lives, StopAsked(at=5)).run()
    assert world.times(Start) == [0, 0, 0]


def test_one_that_is_just_starting_is_ended_too() -> None:
    world = World(PLAIN, {"a": Life(starts_in=3, on_stop=(1, 0))}, StopAsked(at=1)).run()
    assert signals(world) == [(3, 15)]
    assert world.times(Finish) == [4]


def test_one_that_cannot_be_started_does_not_hold_up_the_end() -> None:
    world = World(PLAIN, {"a": Life(starts_in=3, refuses=("RunContainerError", "no"))}, StopAsked(at=1)).run()
    assert world.times(Finish) == [3]


def test_without_any_start_it_is_finished_at_once() -> None:
    assert World(planned(inits=(container("i"),)), {"i": Life(starts_in=1)}, StopAsked(at=0.5)).run().now == 1


def test_stop_restart_of_a_person_takes_the_pod_s_grace() -> None:
    plan = planned(termination_grace_period_seconds=6)
    world = World(plan, {"a": STUBBORN}, RestartAsked(at=5, container="a")).run(12)
    assert signals(world) == [(5, 15), (11, 9)]
    assert world.times(Start) == [0, 11]


def test_a_container_that_could_not_be_created_counts_as_gone() -> None:
    assert is_down(known(PLAIN, unstartable(reason="CreateContainerError"), StopAsked(at=1)))
