"""Whether a container may start again, and when: policies, exit-code rules, the crash-loop back-off."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.core.actions import Refuse, Start
from initsup.core.events import Redefined, RestartAsked
from initsup.core.facts import BackOff, ContainerFacts, Exit, Exited, Waiting
from initsup.core.plan import Plan
from initsup.core.restart import (
    counted_from,
    failed,
    is_over,
    may_restart,
    next_back_off,
    refused_until,
    rule_action,
    trigger,
)
from initsup.spec.pod import Container, ContainerRestartRule
from initsup.spec.settings import CrashLoopBackOff
from tests.build import container, died, killed, known, planned, probe, ran, rule, sidecar, up
from tests.sim import Life, World

NO_CODES = ContainerRestartRule(action="RestartAllContainers")
RULES = (rule("Restart", 42), rule("RestartAllContainers", 43, 42), rule("Restart", 0, 1, 2, operator="NotIn"))


@pytest.mark.parametrize(
    ("rules", "code", "action"),
    [
        pytest.param((), 1, "", id="no rules"),
        pytest.param(RULES, 42, "Restart", id="the first match wins"),
        pytest.param(RULES, 43, "RestartAllContainers", id="In: a later rule"),
        pytest.param(RULES, 7, "Restart", id="NotIn: a code that is not listed"),
        pytest.param(RULES, 1, "", id="NotIn: a code that is listed"),
        pytest.param((rule("Restart", 0),), 0, "Restart", id="exit code 0 may be listed"),
        pytest.param((rule("Restart"),), 1, "", id="In without codes matches nothing"),
        pytest.param((rule("Restart", operator="NotIn"),), 1, "Restart", id="NotIn without codes matches everything"),
        pytest.param((NO_CODES, rule("Restart", 1)), 1, "Restart", id="a rule without exitCodes matches nothing"),
    ],
)
def test_rules(rules: Any, code: int, action: str) -> None:
    member = planned(container(restart_policy="Never", restart_policy_rules=rules)).members["a"]
    assert rule_action(member, code) == action


def main(policy: str | None = None, *rules: ContainerRestartRule, pod: str = "Always") -> Plan:
    return planned(container(restart_policy=policy, restart_policy_rules=rules), policy=pod)


@pytest.mark.parametrize(
    ("plan", "success", "failure"),
    [
        pytest.param(main(), True, True, id="Always: after success and failure"),
        pytest.param(main(pod="OnFailure"), False, True, id="OnFailure: after failure only"),
        pytest.param(main(pod="Never"), False, False, id="Never: not"),
        pytest.param(main("Never"), False, False, id="a container's Never in an Always pod"),
        pytest.param(main("OnFailure", pod="Never"), False, True, id="a container's OnFailure in a Never pod"),
        pytest.param(main("Always", pod="Never"), True, True, id="a container's Always in a Never pod"),
        pytest.param(main("Never", rule("Restart", 1)), False, True, id="a rule that matches wins over Never"),
        pytest.param(main("Never", rule("Restart", 0)), True, False, id="also for exit code 0"),
        pytest.param(main("Never", rule("Restart", 2)), False, False, id="one that does not match leaves the policy"),
        pytest.param(main("Never", rule("RestartAllContainers", 1)), False, True, id="RestartAllContainers, too"),
        pytest.param(
            planned(container("m"), inits=(sidecar("a"),), policy="Never"), True, True, id="a sidecar always does"
        ),
        pytest.param(
            planned(container("m"), inits=(container("a"),), policy="OnFailure"),
            False,
            True,
            id="an init container follows its policy",
        ),
    ],
)
def test_whether_it_may_start_again(plan: Plan, success: bool, failure: bool) -> None:
    member = plan.members["a"]
    assert (may_restart(member, 0), may_restart(member, 1)) == (success, failure)


@pytest.mark.parametrize(
    ("plan", "happened", "over"),
    [
        pytest.param(main(pod="Never"), [], False, id="not before it ran"),
        pytest.param(main(pod="Never"), [up()], False, id="not while it runs"),
        pytest.param(main(pod="Never"), [ran()], True, id="when it has ended and may not start again"),
        pytest.param(main(pod="Never"), [ran(), RestartAsked(at=1, container="a")], False, id="unless a person asks"),
        pytest.param(main(), [ran()], False, id="not when it may start again"),
        pytest.param(
            main(pod="Never"), [up(), killed(restart=True), died(at=1)], False, id="not when a probe wants it again"
        ),
    ],
)
def test_whether_it_has_ended_for_good(plan: Plan, happened: list[Any], over: bool) -> None:
    assert is_over(plan.members["a"], known(plan, *happened).containers["a"]) is over


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        pytest.param(Exit(0, "Completed", 1), False, id="success"),
        pytest.param(Exit(1, "Error", 1), True, id="failure"),
        pytest.param(Exit(0, "OOMKilled", 1), True, id="an OOM kill of a child, with exit code 0"),
        pytest.param(Exit(137, "OOMKilled", 1), True, id="an OOM kill"),
    ],
)
def test_whether_an_init_container_has_failed(end: Exit, expected: bool) -> None:
    assert failed(end) is expected


RESTARTS_ALL: dict[str, Any] = {"restart_policy": "Never", "restart_policy_rules": (rule("RestartAllContainers", 42),)}


@pytest.mark.parametrize(
    ("mains", "inits", "happened", "expected"),
    [
        pytest.param([container("a", **RESTARTS_ALL)], (), [ran(code=42)], "a", id="a main container's exit"),
        pytest.param([container("a", **RESTARTS_ALL)], (), [ran(code=41)], "", id="not another exit"),
        pytest.param([container("a", **RESTARTS_ALL)], (), [up()], "", id="not while it runs"),
        pytest.param(
            [container()], (container("i", **RESTARTS_ALL),), [ran("i", code=42)], "i", id="an init container"
        ),
        pytest.param(
            [container()],
            (sidecar("s", restart_policy_rules=(rule("RestartAllContainers", 42),)),),
            [ran("s", code=42)],
            "s",
            id="a sidecar",
        ),
        pytest.param(
            [container("a", **RESTARTS_ALL), container("b", **RESTARTS_ALL)],
            (),
            [ran("b", code=42), ran("a", code=42)],
            "a",
            id="the first one in the spec",
        ),
        pytest.param(
            [container("a", restart_policy_rules=(rule("Restart", 42),))], (), [ran(code=42)], "", id="not Restart"
        ),
    ],
)
def test_who_restarts_all(mains: list[Container], inits: Any, happened: list[Any], expected: str) -> None:
    plan = planned(*mains, inits=inits)
    assert trigger(plan, known(plan, *happened)) == expected


# -- the numbers of the back-off --------------------------------------------------------------------------------------


def ended(at: float, entry: BackOff | None = None, last: float | None = None, **fields: Any) -> ContainerFacts:
    """A container that ended at `at`, and before that at `last`."""
    retry = fields.pop("retry", False)
    before = None if last is None else Exit(1, fields.pop("before", "Error"), last)
    state = Exited(Exit(1, "Error", at), retry=retry)
    return ContainerFacts(state=state, attempt=1, last=before, back_off=entry, **fields)


@pytest.mark.parametrize(
    ("container", "until"),
    [
        pytest.param(ContainerFacts(), 0, id="the first start is free"),
        pytest.param(ended(100), 0, id="the first restart comes at once"),
        pytest.param(ended(100, BackOff(10, used_at=50)), 110, id="then the delay counts from the end"),
        pytest.param(ended(700, BackOff(300, used_at=100)), 1000, id="600 s after the last start it still counts"),
        pytest.param(ended(700.5, BackOff(300, used_at=100)), 0, id="after more than 600 s it is forgotten"),
        pytest.param(ended(100, BackOff(10, used_at=50), asked="me"), 0, id="a person need not wait"),
        pytest.param(ended(100, None, last=95, retry=True), 0, id="killed to start again: the first time at once"),
        pytest.param(ended(100, BackOff(10, 50), retry=True), 0, id="killed to start again: with no run before it"),
        pytest.param(
            ended(100, BackOff(10, 50), last=90, retry=True),
            0,
            id="killed to start again: at once when the run before ended long enough ago",
        ),
        pytest.param(
            ended(100, BackOff(10, 50), last=91, retry=True),
            110,
            id="killed to start again: else the whole delay from its own end",
        ),
        pytest.param(
            ended(100, BackOff(10, 50), last=99, before="RestartingAllContainers", retry=True),
            0,
            id="killed to start again: a removed run does not count",
        ),
        pytest.param(
            ContainerFacts(state=Waiting(), last=Exit(137, "RestartingAllContainers", 100), back_off=BackOff(10, 90)),
            0,
            id="after RestartAllContainers it starts at once",
        ),
    ],
)
def test_until_when_it_is_refused(container: ContainerFacts, until: float) -> None:
    assert refused_until(container) == until


@pytest.mark.parametrize(
    ("container", "limits", "entry"),
    [
        pytest.param(ContainerFacts(), (10, 300), None, id="the first start leaves no entry"),
        pytest.param(ended(90), (10, 300), BackOff(10, 100), id="the first restart: the initial period"),
        pytest.param(ended(90, BackOff(10, 50)), (10, 300), BackOff(20, 100), id="doubled"),
        pytest.param(ended(90, BackOff(160, 50)), (10, 300), BackOff(300, 100), id="up to the maximum"),
        pytest.param(ended(90, BackOff(300, 50)), (10, 300), BackOff(300, 100), id="and no further"),
        pytest.param(ended(90), (10, 5), BackOff(5, 100), id="a maximum below the initial period wins"),
        pytest.param(ended(90), (1, 300), BackOff(1, 100), id="the initial period is a setting"),
        pytest.param(ended(701, BackOff(80, 100)), (10, 300), BackOff(10, 100), id="a long run starts over"),
        pytest.param(ended(700, BackOff(80, 100)), (10, 300), BackOff(160, 100), id="600 s are not long enough"),
        pytest.param(ended(90, BackOff(80, 50), asked="me"), (10, 300), BackOff(80, 50), id="a person leaves it alone"),
    ],
)
def test_the_entry_after_a_start(container: ContainerFacts, limits: tuple[float, float], entry: BackOff | None) -> None:
    assert next_back_off(container, 100, CrashLoopBackOff(initial_period=limits[0], max_period=limits[1])) == entry


def test_what_the_back_off_is_counted_from() -> None:
    assert counted_from(ContainerFacts()) is None
    assert counted_from(ended(100, last=90)) == Exit(1, "Error", 100)
    assert counted_from(ended(100, last=90, retry=True)) == Exit(1, "Error", 90)


# -- over time --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "life", "starts"),
    [
        pytest.param(planned(), Life(lasts=1, code=1), [0, 1, 12, 33, 74, 155, 316, 617, 918, 1219], id="runs of 1 s"),
        pytest.param(planned(), Life(lasts=1), [0, 1, 12, 33, 74, 155, 316, 617, 918, 1219], id="success counts, too"),
        pytest.param(planned(), Life(lasts=30, code=1), [0, 30, 70, 120, 190, 300, 490, 820, 1150], id="runs of 30 s"),
        pytest.param(planned(), Life(lasts=601, code=1), [0, 601, 1202], id="runs of more than 600 s: no back-off"),
        pytest.param(planned(), Life(lasts=600, code=1), [0, 600, 1210], id="runs of 600 s"),
        pytest.param(planned(initial=2, most=5), Life(lasts=1, code=1), [0, 1, 4, 9, 15, 21], id="other periods"),
        pytest.param(
            planned(), Life(refuses=("RunContainerError", "no")), [0, 0, 10, 30, 70, 150, 310], id="failed starts"
        ),
        pytest.param(
            planned(), Life(refuses=("CreateContainerConfigError", "no")), [0, 10, 20, 30, 40, 50], id="no start: 10 s"
        ),
        pytest.param(planned(policy="OnFailure"), Life(lasts=1), [0], id="OnFailure: success is not repeated"),
        pytest.param(planned(policy="Never"), Life(lasts=1, code=1), [0], id="Never: nothing is repeated"),
    ],
)
def test_when_it_starts(plan: Plan, life: Life, starts: list[float]) -> None:
    assert World(plan, {"a": life}).run(starts[-1] + 1).times(Start) == starts


def test_one_long_run_resets_the_series() -> None:
    lives = [Life(lasts=1, code=1)] * 3 + [Life(lasts=700, code=1)] + [Life(lasts=1, code=1)]
    world = World(planned(), {"a": lives}).run(830)
    assert world.times(Start) == [0, 1, 12, 33, 733, 744, 765, 806]


def test_one_container_s_back_off_holds_up_no_other() -> None:
    plan = planned(container("a"), container("b"))
    world = World(plan, {"a": Life(lasts=1, code=1), "b": Life(lasts=5, code=1)}).run(80)
    assert world.times(Start, "a") == [0, 1, 12, 33, 74]
    assert world.times(Start, "b") == [0, 5, 20, 45]


@pytest.mark.parametrize("kind", ["liveness", "startup"])
def test_kills_of_short_runs_come_into_the_back_off(kind: str) -> None:
    """Killed after 5 s each time: three starts at once, then delays that count from the end."""
    asked = {f"{kind}_probe": probe(period_seconds=1, failure_threshold=5)}
    if kind == "liveness":
        asked["liveness_probe"] = probe(period_seconds=5, failure_threshold=1)
    world = World(planned(container(**asked)), {"a": Life(probes={kind: lambda t: "failure"})}).run(140)
    assert world.times(Start) == [0, 5, 10, 25, 50, 95]
    assert world.times(Refuse) == [15, 30, 55, 100]
    assert [refused.delay for refused in world.acts(Refuse)] == [10, 20, 40, 80]


def test_kills_of_longer_runs_escape_the_back_off() -> None:
    life = Life(probes={"liveness": lambda t: "failure"})
    world = World(planned(container(liveness_probe=probe(period_seconds=60, failure_threshold=1))), {"a": life}).run(
        400
    )
    assert world.times(Start) == [0, 60, 120, 180, 240, 300]
    assert world.times(Refuse) == [360]


def test_a_refusal_is_said_once() -> None:
    world = World(planned(container(), container("b")), {"a": Life(lasts=1, code=1), "b": Life(lasts=3)}).run(11)
    assert world.times(Refuse, "a") == [2]


def test_a_person_does_not_wait_for_the_back_off() -> None:
    world = World(planned(), {"a": Life(lasts=1, code=1)}, RestartAsked(at=5, container="a")).run(30)
    assert world.times(Start) == [0, 1, 5, 16]


@pytest.mark.parametrize(
    ("plan", "life", "starts"),
    [
        pytest.param(planned(), Life(lasts=1, code=1), [0, 1, 5, 16, 37], id="the back-off begins anew"),
        pytest.param(planned(), Life(), [0, 5], id="one that runs is started again"),
        pytest.param(planned(policy="Never"), Life(), [0, 5], id="whatever its policy"),
        pytest.param(planned(), Life(starts_in=6), [0, 6], id="also one that is just starting"),
        pytest.param(
            planned(container(), container("b"), policy="Never"), Life(lasts=1), [0], id="not when it is over"
        ),
        pytest.param(
            planned(),
            Life(refuses=("CreateContainerConfigError", "no")),
            [0, 5, 15],
            id="a failed creation is tried again",
        ),
    ],
)
def test_when_one_starts_whose_definition_has_changed(plan: Plan, life: Life, starts: list[float]) -> None:
    world = World(plan, {"a": life, "b": Life(lasts=30)}, Redefined(at=5, container="a")).run(starts[-1] + 1)
    assert world.times(Start, "a") == starts


def test_a_changed_definition_leaves_an_init_container_alone() -> None:
    plan = planned(inits=(container("i"), sidecar("s")))
    asks = [Redefined(at=at, container=name) for at in (1, 8) for name in ("i", "s")]
    world = World(plan, {"i": Life(lasts=5)}, *asks).run(20)
    assert world.times(Start, "i") == [0]
    assert world.times(Start, "s") == [5, 8]
    assert world.times(Start, "a") == [5]


def test_a_changed_definition_whose_last_run_has_failed_comes_into_the_back_off() -> None:
    """It counts as a restart: the run before the one that is ended for it has failed."""
    lives = (Life(lasts=1, code=1), Life(), Life(lasts=1, code=1))
    world = World(planned(), {"a": lives}, Redefined(at=5, container="a")).run(20)
    assert world.times(Start) == [0, 1, 5, 16]
