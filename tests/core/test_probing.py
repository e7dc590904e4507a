"""Probes: when each is due, what an outcome means, and what follows for `started` and `ready`."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.core.actions import Kill, Probe, Start
from initsup.core.events import StopAsked
from initsup.core.facts import ContainerFacts, ProbeFacts, Running
from initsup.core.plan import Plan
from initsup.core.probing import begun, folded, is_early, may_probe, schedule
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
    probed,
    ran,
    rule,
    sidecar,
    signalled,
    up,
)
from tests.sim import HookRun, Life, World

# -- the schedule -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "due"),
    [
        pytest.param("readiness", {}, 100, id="readiness: at once"),
        pytest.param("startup", {}, 100, id="startup: at once"),
        pytest.param("liveness", {}, 110, id="liveness: after one period"),
        pytest.param("readiness", {"initial_delay_seconds": 4}, 104, id="readiness: after the initial delay"),
        pytest.param("startup", {"initial_delay_seconds": 4}, 104, id="startup: after the initial delay"),
        pytest.param("liveness", {"initial_delay_seconds": 4}, 110, id="liveness: not before one period"),
        pytest.param("liveness", {"initial_delay_seconds": 40}, 140, id="liveness: not before the initial delay"),
    ],
)
def test_first_attempt_of_an_instance(kind: str, fields: dict[str, int], due: float) -> None:
    member = planned(container(**{f"{kind}_probe": probe(**fields)})).members["a"]
    assert schedule(member, ContainerFacts(), 100) == {kind: ProbeFacts(due=due)}


def test_a_new_instance_keeps_the_streak_and_nothing_else() -> None:
    member = planned(container(liveness_probe=probe(), readiness_probe=probe())).members["a"]
    old = ProbeFacts(due=1, since=2, result=False, last=False, run=2, hold=True)
    fresh = schedule(member, ContainerFacts(probes={"liveness": old}), 100)
    assert fresh == {"liveness": ProbeFacts(due=110, last=False, run=2), "readiness": ProbeFacts(due=100)}


@pytest.mark.parametrize(
    ("now", "due"),
    [
        pytest.param(100, 110, id="the next tick is a period later"),
        pytest.param(103, 110, id="a late attempt does not shift the ticks"),
        pytest.param(110, 120, id="on a tick: the next one"),
        pytest.param(135, 140, id="missed ticks are left out"),
        pytest.param(90, 110, id="an early one does not repeat its tick"),
    ],
)
def test_ticks_do_not_drift(now: float, due: float) -> None:
    facts = ProbeFacts(due=100, result=True, last=True, run=3)
    assert begun(probe(), facts, now) == ProbeFacts(due=due, since=now, result=True, last=True, run=3)


# -- an outcome -------------------------------------------------------------------------------------------------------

FRESH = ProbeFacts(due=5, since=4)


@pytest.mark.parametrize(
    ("kind", "fields", "before", "outcome", "after"),
    [
        pytest.param("readiness", {}, FRESH, "success", ProbeFacts(5, result=True, last=True, run=1), id="success"),
        pytest.param(
            "readiness", {}, FRESH, "warning", ProbeFacts(5, result=True, last=True, run=1), id="a warning is a success"
        ),
        pytest.param(
            "readiness", {}, FRESH, "failure", ProbeFacts(5, last=False, run=1), id="a failure below the threshold"
        ),
        pytest.param("readiness", {}, FRESH, "error", ProbeFacts(5), id="an error says nothing"),
        pytest.param(
            "startup", {}, ProbeFacts(5, hold=True), "error", ProbeFacts(5, hold=True), id="nor does it release a hold"
        ),
        pytest.param(
            "readiness",
            {},
            ProbeFacts(5, result=True, last=False, run=2),
            "error",
            ProbeFacts(5, result=True, last=False, run=2),
            id="an error does not break a streak",
        ),
        pytest.param(
            "readiness",
            {},
            ProbeFacts(5, result=True, last=False, run=1),
            "failure",
            ProbeFacts(5, result=True, last=False, run=2),
            id="the result stays below the threshold",
        ),
        pytest.param(
            "readiness",
            {},
            ProbeFacts(5, result=True, last=False, run=2),
            "failure",
            ProbeFacts(5, result=False, last=False, run=3),
            id="the third failure in a row counts",
        ),
        pytest.param(
            "readiness",
            {},
            ProbeFacts(5, result=False, last=False, run=3),
            "failure",
            ProbeFacts(5, result=False, last=False, run=4),
            id="further ones change nothing",
        ),
        pytest.param(
            "readiness",
            {},
            ProbeFacts(5, result=True, last=False, run=2),
            "success",
            ProbeFacts(5, result=True, last=True, run=1),
            id="a success breaks a streak of failures",
        ),
        pytest.param(
            "readiness",
            {"success_threshold": 2},
            ProbeFacts(5, result=False, last=False, run=3),
            "success",
            ProbeFacts(5, result=False, last=True, run=1),
            id="the first success of two",
        ),
        pytest.param(
            "readiness",
            {"success_threshold": 2},
            ProbeFacts(5, result=False, last=True, run=1),
            "success",
            ProbeFacts(5, result=True, last=True, run=2),
            id="the second success of two",
        ),
        pytest.param(
            "liveness",
            {"failure_threshold": 1},
            FRESH,
            "failure",
            ProbeFacts(5, result=False, last=False, hold=True),
            id="liveness: a failure holds it, and forgets the streak",
        ),
        pytest.param(
            "liveness",
            {},
            FRESH,
            "success",
            ProbeFacts(5, result=True, last=True, run=1),
            id="liveness: a success",
        ),
        pytest.param(
            "startup",
            {},
            FRESH,
            "success",
            ProbeFacts(5, result=True, last=True, hold=True),
            id="startup: a success holds it",
        ),
        pytest.param(
            "startup",
            {"failure_threshold": 1},
            FRESH,
            "failure",
            ProbeFacts(5, result=False, last=False, hold=True),
            id="startup: a failure holds it",
        ),
        pytest.param(
            "readiness",
            {"failure_threshold": 1},
            FRESH,
            "failure",
            ProbeFacts(5, result=False, last=False, run=1),
            id="readiness is never held",
        ),
    ],
)
def test_what_an_outcome_means(kind: Any, fields: Any, before: ProbeFacts, outcome: str, after: ProbeFacts) -> None:
    assert folded(kind, probe(**fields), before, outcome, at=100, since=0) == after


@pytest.mark.parametrize(
    ("kind", "outcome", "at", "early"),
    [
        pytest.param("startup", "failure", 9.9, True, id="a startup probe that fails in its first period"),
        pytest.param("startup", "failure", 10, False, id="not after it"),
        pytest.param("startup", "success", 1, False, id="not one that succeeds"),
        pytest.param("liveness", "failure", 1, False, id="not another probe"),
    ],
)
def test_early_failures(kind: Any, outcome: str, at: float, early: bool) -> None:
    assert is_early(kind, probe(), outcome, at + 100, 100) is early


def test_an_early_failure_says_nothing() -> None:
    assert folded("startup", probe(failure_threshold=1), FRESH, "failure", at=9, since=0) == ProbeFacts(5)


# -- started and ready ------------------------------------------------------------------------------------------------

PLAIN = planned()
READY = planned(container(readiness_probe=probe(failure_threshold=1)))
STARTUP = planned(container(startup_probe=probe(period_seconds=1, failure_threshold=1)))
HOOKED = planned(container(lifecycle=hooks(post_start=True)))
LIVE = planned(container(liveness_probe=probe(failure_threshold=1)))
INIT = planned(container("m"), inits=(container("a"),))


@pytest.mark.parametrize(
    ("plan", "happened", "flags"),
    [
        pytest.param(PLAIN, [], "", id="nothing before the start"),
        pytest.param(PLAIN, [up()], "started ready", id="without probes: as soon as it runs"),
        pytest.param(PLAIN, [ran()], "", id="nothing after the end"),
        pytest.param(PLAIN, [up(), killed()], "started ready", id="still while it is being ended"),
        pytest.param(PLAIN, [up(), killed(), died(at=1)], "", id="not after that"),
        pytest.param(
            PLAIN, [up(), killed(restart=True), died(at=1)], "started ready", id="killed to start again: it stays"
        ),
        pytest.param(READY, [up()], "started", id="a readiness probe must succeed first"),
        pytest.param(READY, [up(), probed(kind="readiness")], "started ready", id="when it has"),
        pytest.param(READY, [up(), probed(kind="readiness", outcome="warning")], "started ready", id="with a warning"),
        pytest.param(
            READY,
            [up(), probed(kind="readiness"), probed(kind="readiness", outcome="failure")],
            "started",
            id="unready",
        ),
        pytest.param(
            READY,
            [up(), probed(kind="readiness"), killed(), probed(kind="readiness", outcome="failure")],
            "started",
            id="unready while it is being ended",
        ),
        pytest.param(LIVE, [up()], "started ready", id="a liveness probe is not waited for"),
        pytest.param(LIVE, [up(), probed(at=10, outcome="failure")], "started ready", id="nor does it change them"),
        pytest.param(STARTUP, [up()], "", id="a startup probe must succeed first"),
        pytest.param(STARTUP, [up(), probed(at=1, kind="startup")], "started ready", id="when it has"),
        pytest.param(STARTUP, [up(), probed(at=1, kind="startup", outcome="failure")], "", id="when it fails"),
        pytest.param(HOOKED, [up()], "", id="the postStart hook must be through"),
        pytest.param(HOOKED, [up(), hook_begun()], "", id="it runs"),
        pytest.param(HOOKED, [up(), hook_begun(), hooked(at=1)], "started ready", id="it is through"),
        pytest.param(HOOKED, [up(), hook_begun(), hooked(at=1, ok=False)], "", id="it has failed"),
        pytest.param(INIT, [up()], "started", id="an init container is started but never ready while it runs"),
        pytest.param(INIT, [ran()], "ready", id="it is ready when it has succeeded"),
        pytest.param(INIT, [ran(code=1)], "", id="not when it has failed"),
        pytest.param(INIT, [(*up(), died(oom=True))], "", id="not when it was killed for memory"),
    ],
)
def test_flags(plan: Plan, happened: list[Any], flags: str) -> None:
    one = known(plan, *happened).containers["a"]
    assert " ".join(flag for flag in ("started", "ready") if getattr(one, flag)) == flags


@pytest.mark.parametrize(
    ("facts", "ends", "kinds"),
    [
        pytest.param(ContainerFacts(), False, "", id="none before the start"),
        pytest.param(ContainerFacts(Running(1, 0)), False, "startup", id="startup until it has started"),
        pytest.param(ContainerFacts(Running(1, 0), started=True), False, "liveness readiness", id="then the others"),
        pytest.param(ContainerFacts(Running(1, 0, hook="running")), False, "", id="none while the postStart hook runs"),
        pytest.param(ContainerFacts(Running(1, 0, hook="failed")), False, "", id="none after it has failed"),
        pytest.param(ContainerFacts(Running(1, 0), started=True), True, "readiness", id="the pod ends: readiness"),
        pytest.param(ContainerFacts(Running(1, 0)), True, "", id="the pod ends: not before it has started"),
    ],
)
def test_which_probes_are_asked(facts: ContainerFacts, ends: bool, kinds: str) -> None:
    asked: tuple[Any, ...] = ("startup", "liveness", "readiness")
    assert " ".join(kind for kind in asked if may_probe(kind, facts, ends)) == kinds


@pytest.mark.parametrize(
    ("happened", "kinds"),
    [
        pytest.param([up(), killed()], "readiness", id="being ended: only readiness"),
        pytest.param([up(), killed(), signalled(at=1)], "readiness", id="until it is gone"),
        pytest.param([ran()], "", id="none after the end"),
    ],
)
def test_which_probes_are_asked_of_one_that_is_ended(happened: list[Any], kinds: str) -> None:
    facts = known(PLAIN, *happened).containers["a"]
    asked: tuple[Any, ...] = ("startup", "liveness", "readiness")
    assert " ".join(kind for kind in asked if may_probe(kind, facts, False)) == kinds


# -- over time --------------------------------------------------------------------------------------------------------


def failing(**kinds: Any) -> Life:
    return Life(probes={kind: answer if callable(answer) else lambda t: "failure" for kind, answer in kinds.items()})


def one(kind: str, life: Life, until: float, *asks: Any, **fields: Any) -> World:
    return World(planned(container(**{f"{kind}_probe": probe(**fields)})), {"a": life}, *asks).run(until)


@pytest.mark.parametrize(
    ("fields", "killed_at"),
    [
        pytest.param({}, 30, id="defaults: three failures, 10 s apart"),
        pytest.param({"period_seconds": 1, "failure_threshold": 1}, 1, id="one failure after one period"),
        pytest.param({"period_seconds": 2, "failure_threshold": 2}, 4, id="two failures"),
        pytest.param({"period_seconds": 2, "initial_delay_seconds": 9}, 13, id="an initial delay"),
    ],
)
def test_when_liveness_kills(fields: dict[str, int], killed_at: float) -> None:
    assert one("liveness", failing(liveness=True), killed_at, **fields).times(Kill) == [killed_at]


@pytest.mark.parametrize(
    ("fields", "killed_at"),
    [
        pytest.param({"period_seconds": 1, "failure_threshold": 5}, 5, id="the budget is threshold times period"),
        pytest.param(
            {"period_seconds": 2, "failure_threshold": 2, "initial_delay_seconds": 5}, 7, id="after an initial delay"
        ),
        pytest.param({"failure_threshold": 1}, 10, id="a failure in the first period says nothing"),
    ],
)
def test_when_startup_kills(fields: dict[str, int], killed_at: float) -> None:
    assert one("startup", failing(startup=True), killed_at, **fields).times(Kill) == [killed_at]


def test_a_slow_probe_does_not_shift_the_ticks() -> None:
    life = Life(probe_takes=0.7)
    assert one("readiness", life, 6, period_seconds=2).times(Probe) == [0, 2, 4, 6]


def test_a_probe_slower_than_its_period_leaves_ticks_out() -> None:
    life = Life(probe_takes=2.5)
    assert one("readiness", life, 9, period_seconds=1).times(Probe) == [0, 2.5, 5, 7.5]


def test_no_two_attempts_of_one_probe_at_a_time() -> None:
    world = one("liveness", Life(probe_takes=25), 60, period_seconds=10)
    assert world.times(Probe) == [10, 35, 60]


def test_started_opens_the_gate_for_the_others() -> None:
    """Readiness is asked at once, liveness on its next tick."""
    checks = {f"{kind}_probe": probe(period_seconds=3) for kind in ("startup", "liveness", "readiness")}
    life = Life(probes={"startup": lambda t: "success" if t >= 5 else "failure"})
    world = World(planned(container(**checks)), {"a": life}).run(12)
    assert world.times(Probe, probe="startup") == [0, 3, 6]
    assert world.times(Probe, probe="readiness") == [6, 9, 12]
    assert world.times(Probe, probe="liveness") == [9, 12]


def test_the_gate_does_not_open_before_an_initial_delay() -> None:
    later = probe(period_seconds=3, initial_delay_seconds=20)
    plan = planned(container(startup_probe=probe(), liveness_probe=later, readiness_probe=later))
    world = World(plan).run(21)
    assert world.times(Probe, probe="readiness") == [20]
    assert world.times(Probe, probe="liveness") == [20]


def test_the_post_start_hook_comes_before_the_first_probe() -> None:
    checked = container(readiness_probe=probe(), liveness_probe=probe(), lifecycle=hooks(post_start=True))
    world = World(planned(checked), {"a": Life(post_start=HookRun(takes=7))}).run(17)
    assert world.times(Probe, probe="readiness") == [7, 17]
    assert world.times(Probe, probe="liveness") == [17]


def test_a_failed_liveness_probe_is_not_asked_again_before_the_next_instance() -> None:
    world = one("liveness", Life(on_stop=(25, 1), probes=failing(liveness=True).probes), 50, failure_threshold=1)
    assert world.times(Probe) == [10, 45]
    assert world.times(Start) == [0, 35]


def test_a_streak_of_failures_outlives_its_instance() -> None:
    """Two failures, then the container ends by itself: one more kills the next instance."""
    world = one("liveness", Life(lasts=25, probes=failing(liveness=True).probes), 36)
    assert world.times(Probe) == [10, 20, 35]
    assert world.times(Kill) == [35]


def test_startup_is_probed_anew_for_each_instance() -> None:
    world = one("startup", Life(lasts=5), 6, period_seconds=1)
    assert world.times(Probe) == [0, 5]


@pytest.mark.parametrize(
    ("policy", "grace", "starts"),
    [
        pytest.param("Always", 30, [0, 1], id="Always: it starts again"),
        pytest.param("OnFailure", 30, [0, 1], id="OnFailure: whatever its exit code"),
        pytest.param("Never", 30, [0], id="Never: it does not"),
    ],
)
def test_after_a_failed_liveness_probe(policy: str, grace: int, starts: list[float]) -> None:
    checked = container(liveness_probe=probe(period_seconds=1, failure_threshold=1))
    life = Life(on_stop=(0, 0), probes={"liveness": lambda t: "failure"})
    world = World(planned(checked, policy=policy), {"a": life}).run(1.5)
    assert world.times(Start) == starts
    assert world.acts(Kill)[0].deadline == 1 + grace


def test_never_with_a_rule_for_the_exit_code_starts_again_by_the_rule() -> None:
    checked = container(
        restart_policy="Never",
        restart_policy_rules=(rule("Restart", 9),),
        liveness_probe=probe(period_seconds=1, failure_threshold=1),
    )
    life = Life(on_stop=(0, 9), probes={"liveness": lambda t: "failure"})
    world = World(planned(checked, policy="Never"), {"a": life}).run(1.5)
    assert world.times(Start) == [0, 1]
    assert not world.acts(Kill)[0].restart


@pytest.mark.parametrize("kind", ["liveness", "startup"])
def test_a_probe_may_bring_its_own_grace_period(kind: str) -> None:
    fields = {"period_seconds": 1, "failure_threshold": 1, "termination_grace_period_seconds": 7}
    (kill,) = one(kind, Life(on_stop=None, probes=failing(**{kind: True}).probes), 5, **fields).acts(Kill)
    assert kill.deadline == 8


def test_readiness_goes_on_while_the_pod_ends_the_others_do_not() -> None:
    checks = {f"{kind}_probe": probe(period_seconds=2) for kind in ("liveness", "readiness")}
    world = World(planned(container(**checks)), {"a": Life(on_stop=(6, 0))}, StopAsked(at=5)).run()
    assert world.times(Probe, probe="readiness") == [0, 2, 4, 6, 8, 10]
    assert world.times(Probe, probe="liveness") == [2, 4]


def test_a_sidecar_is_probed_like_a_main_container() -> None:
    checked = sidecar(liveness_probe=probe(period_seconds=1, failure_threshold=1))
    world = World(planned(inits=(checked,)), {"s": failing(liveness=True)}).run(1.5)
    assert world.times(Start, "s") == [0, 1]


def test_an_init_container_is_not_probed() -> None:
    plan = planned(inits=(container("i", liveness_probe=probe(period_seconds=1)),))
    assert World(plan, {"i": Life(lasts=5)}).run(6).times(Probe) == []
