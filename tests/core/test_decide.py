"""The rules of `decide`, by number."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.core.actions import Prepare, Refuse, Remove, RestartAll, Signal, Start, Stop
from initsup.core.apply import begin
from initsup.core.decide import DEADLINE_MESSAGE, decide, stop_signal
from initsup.core.events import Began, Evicted, Redefined, RestartAsked, StopAsked
from initsup.core.plan import Plan
from tests.build import (
    container,
    decided,
    died,
    hook_begun,
    hooked,
    hooks,
    killed,
    known,
    no_volume,
    planned,
    probe,
    probe_begun,
    probed,
    ran,
    rule,
    sidecar,
    signalled,
    unstartable,
    up,
)
from tests.sim import Life, World

ONE = planned()
NEVER = planned(policy="Never")
PAIR = planned(container("a"), container("b"))
INIT = planned(inits=(container("i"),))
SIDE = planned(inits=(sidecar(),), policy="Never")
TIMED = planned(active_deadline_seconds=5)
HOOKS = planned(container(lifecycle=hooks(post_start=True, pre_stop=True)), container("b"))
LIVE = planned(container(liveness_probe=probe(period_seconds=2, failure_threshold=1)))
BOTH = planned(container(liveness_probe=probe(period_seconds=2), readiness_probe=probe(period_seconds=3)))
RESTARTER = container("a", restart_policy="Never", restart_policy_rules=(rule("RestartAllContainers", 42),))
RESTARTER_B = container("b", restart_policy="Never", restart_policy_rules=(rule("RestartAllContainers", 42),))
ALL = planned(
    RESTARTER,
    container("b", lifecycle=hooks(pre_stop=True)),
    inits=(container("i"),),
)
ALL_RUN = [ran("i"), up("a", 1), up("b", 1)]
RESTARTING = Began(at=2, action=RestartAll(trigger="a"))
COMPLETED = Began(at=2, action=Stop(why="completed", grace=30))


@pytest.mark.parametrize(
    ("plan", "happened", "now", "actions"),
    [
        # 2: why a pod ends
        pytest.param(TIMED, [up()], 4.9, [], id="2: not before the deadline"),
        pytest.param(TIMED, [up()], 5, ["stop deadline"], id="2: at the deadline"),
        pytest.param(TIMED, [], 5, ["stop deadline"], id="2: even when nothing has been started"),
        pytest.param(NEVER, [ran()], 1, ["stop completed"], id="2: all main containers have ended for good"),
        pytest.param(NEVER, [ran(code=1)], 1, ["stop completed"], id="2: also when they have failed"),
        pytest.param(NEVER, [unstartable()], 1, ["stop completed"], id="2: also when they could not be started"),
        pytest.param(NEVER, [ran(), RestartAsked(at=1, container="a")], 1, ["start a"], id="2: unless a person asks"),
        pytest.param(
            planned(inits=(container("i"),), policy="Never"),
            [ran("i", code=1)],
            1,
            ["stop failed"],
            id="2: an init container has failed for good",
        ),
        pytest.param(SIDE, [up("s"), ran()], 1, ["stop completed"], id="2: a sidecar that runs does not keep it alive"),
        pytest.param(
            SIDE, [up("s"), ran(), died("s", 1)], 1, ["stop completed"], id="2: nor is one that has ended started again"
        ),
        # 3: a pod that ends
        pytest.param(NEVER, [ran(), COMPLETED], 2, ["finish"], id="3: finished when nothing lives"),
        pytest.param(PAIR, [up(), up("b"), StopAsked(at=2)], 2, ["kill a", "kill b"], id="3: all are ended together"),
        pytest.param(PAIR, [up(), ran("b"), StopAsked(at=2)], 2, ["kill a"], id="3: those that run"),
        pytest.param(PAIR, [StopAsked(at=2)], 2, ["finish"], id="3: nothing starts any more"),
        pytest.param(
            SIDE,
            [up("s"), up(), StopAsked(at=2), died("s", 3)],
            3,
            ["kill a"],
            id="3: not even a sidecar that ended",
        ),
        pytest.param(ONE, [up(), StopAsked(at=2), killed(at=2)], 2, ["signal a 15"], id="3: then the stop signal"),
        pytest.param(ONE, [up(), StopAsked(at=2), killed(at=2), signalled(at=2)], 2, [], id="3: then it waits"),
        pytest.param(HOOKS, [up(), StopAsked(at=2), killed(at=2)], 2, ["hook a preStop"], id="3: a preStop hook first"),
        pytest.param(SIDE, [up("s"), up(), COMPLETED], 2, ["kill s", "kill a"], id="3: sidecars are told at once, too"),
        pytest.param(
            SIDE,
            [up("s"), up(), COMPLETED, killed("s", 2, ordered=True), killed("a", 2)],
            2,
            ["signal a 15"],
            id="3: but their stop signal waits",
        ),
        pytest.param(
            BOTH,
            [up(), probed(kind="readiness"), StopAsked(at=2)],
            2,
            ["kill a"],
            id="3: liveness is not asked any more",
        ),
        pytest.param(
            BOTH,
            [up(), probed(kind="readiness"), StopAsked(at=2), killed(at=2), signalled(at=2)],
            3,
            ["probe a readiness"],
            id="3: but readiness is",
        ),
        # 4: one that is being ended for a reason of its own
        pytest.param(PAIR, [up(), up("b"), killed(restart=True)], 0, ["signal a 15"], id="4: it goes on"),
        pytest.param(
            ONE, [up(), killed(restart=True), signalled(at=0)], 30, ["signal a 9"], id="4: SIGKILL at its end"
        ),
        # 5: volumes
        pytest.param(ONE, [no_volume(0)], 0.4, [], id="5: a failure is waited out"),
        pytest.param(ONE, [no_volume(0)], 0.5, ["prepare"], id="5: then tried again"),
        pytest.param(ONE, [Began(at=0, action=Prepare())], 9, [], id="5: nothing starts before"),
        # 6: all containers at once
        pytest.param(ALL, [*ALL_RUN, died("a", 2, 42)], 2, ["restartall a"], id="6: an exit that matches"),
        pytest.param(ALL, [*ALL_RUN, died("a", 2, 41)], 2, [], id="6: not another"),
        pytest.param(
            planned(container("b", readiness_probe=probe()), RESTARTER),
            [up("b"), up(), died("a", 2, 42)],
            2,
            ["restartall a"],
            id="6: which comes before all else",
        ),
        pytest.param(ALL, [*ALL_RUN, died("a", 2, 42), RESTARTING], 2, ["kill b"], id="6: the others are ended"),
        pytest.param(
            ALL,
            [*ALL_RUN, died("a", 2, 42), RESTARTING, killed("b", 2, 2, skip_hook=True)],
            2,
            ["signal b 15"],
            id="6: without their hook",
        ),
        pytest.param(
            ALL,
            [*ALL_RUN, died("a", 2, 42), RESTARTING, killed("b", 2, 2, skip_hook=True), signalled("b", 2)],
            4,
            ["signal b 9"],
            id="6: with 2 s",
        ),
        pytest.param(
            ALL, [*ALL_RUN, died("a", 2, 42), RESTARTING, died("b", 2)], 2, ["remove"], id="6: all gone: forgotten"
        ),
        pytest.param(
            ALL,
            [*ALL_RUN, died("a", 2, 42), RESTARTING, died("b", 2), Began(at=2, action=Remove())],
            2,
            ["start i"],
            id="6: and the first init container starts",
        ),
        pytest.param(ALL, [*ALL_RUN, died("a", 2, 42), StopAsked(at=2)], 2, ["kill b"], id="6: not in a pod that ends"),
        # 7: why one instance is ended
        pytest.param(LIVE, [up(), probed(at=2, outcome="failure")], 2, ["kill a"], id="7: its liveness probe failed"),
        pytest.param(LIVE, [up(), probed(at=2)], 2, [], id="7: not when it succeeded"),
        pytest.param(ONE, [up(), RestartAsked(at=2, container="a")], 2, ["kill a"], id="7: a person wants that"),
        pytest.param(
            HOOKS, [up(), hook_begun(), hooked(at=2, ok=False)], 2, ["kill a"], id="7: its postStart hook failed"
        ),
        # 8: the postStart hook
        pytest.param(HOOKS, [up()], 0, ["hook a postStart"], id="8: right after the start"),
        pytest.param(HOOKS, [up(), hook_begun()], 0, [], id="8: once"),
        # 9: starting
        pytest.param(ONE, [], 0, ["start a"], id="9: a container starts"),
        pytest.param(ONE, [up()], 0, [], id="9: once"),
        pytest.param(INIT, [], 0, ["start i"], id="9: init containers first"),
        pytest.param(PAIR, [], 0, ["start a", "start b"], id="9: main containers together"),
        pytest.param(HOOKS, [], 0, ["start a"], id="9: a postStart hook holds up the next"),
        pytest.param(HOOKS, [up(), hook_begun(), hooked(at=1)], 1, ["start b"], id="9: until it is through"),
        pytest.param(
            planned(inits=(sidecar(), container("i"), sidecar("t"))),
            [up("s"), ran("i", code=1), died("s", 2)],
            2,
            ["start s", "start i"],
            id="9: a sidecar and an init container together",
        ),
        pytest.param(ONE, [ran(code=1)], 1, ["start a"], id="9: the first restart comes at once"),
        pytest.param(
            PAIR,
            [up("b"), ran(code=1), ran("a", 1, 2, 1, attempt=1)],
            2,
            ["refuse a 10"],
            id="9: the second in its back-off",
        ),
        pytest.param(
            PAIR, [ran(code=1), ran("a", 1, 2, 1, attempt=1)], 2, ["refuse a 10", "start b"], id="9: others do not wait"
        ),
        pytest.param(
            planned(inits=(sidecar("s"), container("i"))),
            [up("s"), up("i"), died("s", 1), *ran("s", 1, 2, attempt=1), died("i", 2, 1)],
            2,
            ["refuse s 10", "start i"],
            id="9: not even an init container",
        ),
        pytest.param(ONE, [ran(code=1), ran("a", 1, 2, 1, attempt=1)], 12, ["start a"], id="9: to the second"),
        pytest.param(ONE, [unstartable(reason="CreateContainerConfigError")], 9.9, [], id="9: not created: waits 10 s"),
        pytest.param(
            ONE, [unstartable(reason="CreateContainerConfigError")], 10, ["start a"], id="9: then it is tried again"
        ),
        pytest.param(ONE, [unstartable(reason="CreateContainerError")], 9.9, [], id="9: for whatever reason"),
        pytest.param(
            ONE,
            [ran(code=1), unstartable(at=5, attempt=1, reason="CreateContainerError")],
            6,
            [],
            id="9: which is no crash, also after one",
        ),
        pytest.param(ONE, [unstartable()], 0, ["start a"], id="9: one that could not be run has its back-off instead"),
        # 10: probes
        pytest.param(BOTH, [up()], 0, ["probe a readiness"], id="10: what is due"),
        pytest.param(
            BOTH,
            [up(), probed(kind="readiness")],
            3,
            ["probe a liveness", "probe a readiness"],
            id="10: all that is due",
        ),
        pytest.param(BOTH, [up(), probe_begun(kind="readiness")], 1, [], id="10: not what is being carried out"),
        pytest.param(
            LIVE,
            [up(), probed(at=2, outcome="failure"), killed(at=2, restart=True), signalled(at=2)],
            9,
            [],
            id="10: nothing of one that is ended",
        ),
    ],
)
def test_what_is_done(plan: Plan, happened: list[Any], now: float, actions: list[str]) -> None:
    assert decided(plan, known(plan, *happened), now) == actions


def test_1_a_finished_pod_is_left_alone() -> None:
    world = World(NEVER, {"a": Life(lasts=1)}).run()
    assert decide(NEVER, world.facts, 1e6) == decide(NEVER, world.facts, 1)
    assert decide(NEVER, world.facts, 1e6).wake_at is None


def test_5_volumes_come_first() -> None:
    assert decided(ONE, begin(ONE, 0), 0) == ["prepare"]


@pytest.mark.parametrize(
    ("plan", "happened", "now", "wake_at"),
    [
        pytest.param(ONE, [up()], 1, None, id="nothing to wait for but events"),
        pytest.param(TIMED, [up()], 1, 5, id="the pod's deadline"),
        pytest.param(ONE, [no_volume(0)], 0.1, 0.5, id="the next try of a volume"),
        pytest.param(
            TIMED,
            [no_volume(0)],
            0.1,
            0.5,
            id="the next try, and the deadline behind it",
        ),
        pytest.param(ONE, [unstartable(reason="CreateContainerError")], 1, 10, id="the next try of a creation"),
        pytest.param(ONE, [up(), StopAsked(at=2), killed(at=2, deadline=32), signalled(at=2)], 3, 32, id="SIGKILL"),
        pytest.param(BOTH, [up(), probed(kind="readiness")], 0, 2, id="the next probe"),
        pytest.param(BOTH, [up(), probed(kind="readiness"), probed(at=2)], 2, 3, id="the one that is due first"),
        pytest.param(
            HOOKS,
            [up(), StopAsked(at=2), killed(at=2, deadline=32), hook_begun(at=2, hook="preStop")],
            3,
            32,
            id="a hook",
        ),
    ],
)
def test_when_it_looks_again(plan: Plan, happened: list[Any], now: float, wake_at: float | None) -> None:
    decision = decide(plan, known(plan, *happened), now)
    assert (decision.actions, decision.wake_at) == ((), wake_at)


def test_a_refused_container_is_looked_at_when_its_end_has_been_seen_and_when_it_may_start() -> None:
    crashed = [ran(code=1), ran("a", 1, 2, 1, attempt=1)]
    refusal = Refuse(container="a", attempt=1, delay=10, until=12)
    facts = known(ONE, *crashed, Began(at=2, action=refusal))
    assert decide(ONE, facts, 2).wake_at == 3
    assert decide(ONE, facts, 3).wake_at == 12
    assert decided(ONE, facts, 12) == ["start a"]


def test_a_back_off_that_has_changed_is_said_again() -> None:
    facts = known(ONE, ran(code=1), ran("a", 1, 2, 1, attempt=1))
    told = known(
        ONE,
        ran(code=1),
        ran("a", 1, 2, 1, attempt=1),
        Began(at=2, action=Refuse(container="a", attempt=1, delay=10, until=11)),
    )
    assert decided(ONE, facts, 2) == decided(ONE, told, 2) == ["refuse a 10"]


# -- what the actions carry -------------------------------------------------------------------------------------------


def only(plan: Plan, now: float, *happened: Any) -> Any:
    (action,) = decide(plan, known(plan, *happened), now).actions
    return action


@pytest.mark.parametrize(
    ("plan", "happened", "now", "fields"),
    [
        pytest.param(
            ONE,
            [up(), StopAsked(at=2, grace=7)],
            2,
            {"deadline": 9, "message": "Stopping container a", "ordered": False, "skip_hook": False, "restart": False},
            id="the pod ends",
        ),
        pytest.param(ONE, [up(), StopAsked(at=2, kill=True)], 2, {"deadline": 2, "skip_hook": True}, id="by force"),
        pytest.param(
            planned(container("m"), inits=(sidecar("a"),)),
            [up(), StopAsked(at=2)],
            2,
            {"deadline": 32, "ordered": True},
            id="a sidecar waits for its turn",
        ),
        pytest.param(
            LIVE,
            [up(), probed(at=2, outcome="failure")],
            2,
            {"deadline": 32, "message": "Container a failed liveness probe, will be restarted", "restart": True},
            id="a failed liveness probe",
        ),
        pytest.param(
            planned(container(liveness_probe=probe(failure_threshold=1)), policy="Never"),
            [up(), probed(at=10, outcome="failure")],
            10,
            {"message": "Container a failed liveness probe", "restart": False},
            id="a failed liveness probe under Never",
        ),
        pytest.param(
            planned(container(startup_probe=probe(failure_threshold=1)), termination_grace_period_seconds=4),
            [up(), probed(at=10, kind="startup", outcome="failure")],
            10,
            {"deadline": 14, "message": "Container a failed startup probe, will be restarted", "restart": True},
            id="a failed startup probe",
        ),
        pytest.param(
            planned(container("m"), inits=(sidecar("a", liveness_probe=probe(failure_threshold=1)),)),
            [up(), probed(at=10, outcome="failure")],
            10,
            {"message": "Init container a failed liveness probe", "restart": True},
            id="a sidecar's failed liveness probe",
        ),
        pytest.param(
            planned(container("m"), inits=(sidecar("a", startup_probe=probe(failure_threshold=1)),)),
            [up(), probed(at=10, kind="startup", outcome="failure")],
            10,
            {"message": "Init container a failed startup probe", "restart": True},
            id="a sidecar's failed startup probe",
        ),
        pytest.param(
            planned(container("m"), inits=(sidecar("a"),)),
            [up(), Redefined(at=2, container="a")],
            2,
            {"message": "Init container a definition changed", "restart": True},
            id="a sidecar's changed definition",
        ),
        pytest.param(
            HOOKS,
            [up(), hook_begun(), hooked(at=2, ok=False)],
            2,
            {"deadline": 32, "message": "FailedPostStartHook", "restart": False, "skip_hook": False},
            id="a failed postStart hook",
        ),
        pytest.param(
            ONE,
            [up(), Redefined(at=2, container="a")],
            2,
            {
                "deadline": 32,
                "message": "Container a definition changed, will be restarted",
                "restart": True,
                "reason": "definition changed",
            },
            id="a changed definition",
        ),
        pytest.param(
            ALL,
            [*ALL_RUN, died("a", 2, 42), RESTARTING],
            2,
            {
                "container": "b",
                "deadline": 2,
                "message": "killing",
                "skip_hook": True,
                "restart": True,
                "ordered": False,
            },
            id="all containers start again",
        ),
    ],
)
def test_kills(plan: Plan, happened: list[Any], now: float, fields: dict[str, Any]) -> None:
    kill = only(plan, now, *happened)
    assert {name: getattr(kill, name) for name in fields} == fields
    assert kill.attempt == 0
    assert kill.reason


@pytest.mark.parametrize(
    ("plan", "happened", "now", "stop"),
    [
        pytest.param(
            planned(active_deadline_seconds=5, termination_grace_period_seconds=3),
            [up()],
            6,
            Stop(why="deadline", grace=3, message=DEADLINE_MESSAGE, reason="activeDeadlineSeconds of 5 has passed"),
            id="the deadline",
        ),
        pytest.param(
            planned(inits=(container("i"),), policy="Never", termination_grace_period_seconds=3),
            [ran("i", code=1)],
            1,
            Stop(why="failed", grace=3, reason="init container i has failed for good"),
            id="an init container",
        ),
        pytest.param(
            planned(policy="Never", termination_grace_period_seconds=3),
            [ran()],
            1,
            Stop(why="completed", grace=3, reason="every container has ended and none is restarted"),
            id="the main containers",
        ),
    ],
)
def test_stops(plan: Plan, happened: list[Any], now: float, stop: Stop) -> None:
    assert only(plan, now, *happened) == stop


def test_the_deadline_counts_from_the_beginning_of_the_pod() -> None:
    facts = known(TIMED, up(at=103), at=100)
    assert decide(TIMED, facts, 104.9).wake_at == 105
    assert decided(TIMED, facts, 105) == ["stop deadline"]


def test_starts_carry_the_next_attempt() -> None:
    assert only(ONE, 0) == Start(container="a", attempt=0, reason="it is its turn")
    assert only(ONE, 1, ran(code=3)) == Start(container="a", attempt=1, reason="it ended with 3")


def test_the_refusal_says_how_long() -> None:
    refusal = only(ONE, 2, ran(code=1), ran("a", 1, 2, 1, attempt=1))
    assert refusal == Refuse(container="a", attempt=1, delay=10, until=12, reason="back-off of 10 s since its last end")


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        pytest.param(None, 15, id="SIGTERM by default"),
        pytest.param(hooks(pre_stop=True), 15, id="also beside a hook"),
        pytest.param(hooks(stop_signal="SIGQUIT"), 3, id="another one by name"),
        pytest.param(hooks(stop_signal="SIGRTMIN+3"), 37, id="a real-time signal"),
    ],
)
def test_the_stop_signal(asked: Any, number: int) -> None:
    assert stop_signal(planned(container(lifecycle=asked)).members["a"]) == number


@pytest.mark.parametrize(
    ("happened", "now", "last"),
    [
        pytest.param([killed(restart=True)], 2, False, id="4: it is restarted"),
        pytest.param([StopAsked(at=2), killed(at=2)], 2, True, id="3: the stop signal of a pod that ends"),
        pytest.param([killed(restart=True), StopAsked(at=2)], 2, True, id="3: of one that was being restarted, too"),
        pytest.param([StopAsked(at=2), killed(at=2), signalled(at=2)], 99, True, id="3: and its SIGKILL"),
    ],
)
def test_a_signal_says_whether_the_container_starts_again(happened: list[Any], now: float, last: bool) -> None:
    (action,) = decide(ONE, known(ONE, up(), *happened), now).actions
    assert isinstance(action, Signal)
    assert action.last == last


def test_every_action_has_a_reason() -> None:
    hooked_and_probed = container(
        lifecycle=hooks(post_start=True, pre_stop=True), liveness_probe=probe(period_seconds=1)
    )
    plan = planned(hooked_and_probed, RESTARTER_B, inits=(container("i"), sidecar()))
    script = {
        "i": (Life(lasts=1, code=1), Life(lasts=1)),
        "s": Life(lasts=2),
        "a": Life(on_stop=None),
        "b": (Life(lasts=9, code=42), Life()),
    }
    world = World(plan, script, Evicted(at=30, message="full")).run()
    kinds = {type(action).__name__ for _, action in world.actions}
    assert kinds == {
        "Prepare",
        "Start",
        "Refuse",
        "Hook",
        "Probe",
        "RestartAll",
        "Remove",
        "Kill",
        "Signal",
        "Finish",
    }
    assert {action.signal for action in world.acts(Signal)} == {15, 9}
    assert [action for _, action in world.actions if not action.reason] == []
