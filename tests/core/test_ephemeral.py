"""Ephemeral containers: they come while the pod runs, once, and the pod does not care (KEP-277)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from initsup.core.actions import Kill, Remove, Start
from initsup.core.apply import apply, begin
from initsup.core.events import Added, RestartAsked, Started, StopAsked, VolumesReady
from initsup.core.facts import ContainerFacts
from initsup.core.narrate import Notice, narrate
from initsup.core.plan import Plan, plan
from initsup.core.report import report
from tests.build import container, decided, died, ephemeral, known, planned, ran, rule, sidecar, unstartable, up
from tests.sim import Life, World, brief, clock

ONE = planned(ephemeral_containers=(ephemeral(),))
WITH_INIT = planned(inits=(container("i"),), ephemeral_containers=(ephemeral(),))
WITH_SIDECAR = planned(inits=(sidecar(),), ephemeral_containers=(ephemeral(),))
ONCE = planned(policy="Never", ephemeral_containers=(ephemeral(),))
AGAIN = planned(
    container("a", restart_policy="Never", restart_policy_rules=(rule("RestartAllContainers", 1),)),
    ephemeral_containers=(ephemeral(),),
)
NOT_THERE = unstartable("e", 1, "CreateContainerConfigError", message="unable to find target container x")


@pytest.mark.parametrize(
    ("plan", "happened", "now", "todo"),
    [
        pytest.param(ONE, [up()], 1, ["start e"], id="starts beside a pod that runs"),
        pytest.param(ONE, [up(), up("e", 1)], 2, [], id="and is left alone then"),
        pytest.param(ONE, [up(), ran("e", 1, 2, code=1)], 3, [], id="is not started again when it has failed"),
        pytest.param(ONE, [up(), unstartable("e", 1)], 99, [], id="nor when it could not be started"),
        pytest.param(ONE, [up(), NOT_THERE], 2, [], id="one that could not be created waits"),
        pytest.param(ONE, [up(), NOT_THERE], 12, ["start e"], id="and is tried again, for its target may have come"),
        pytest.param(
            ONE, [up(), ran("e"), RestartAsked(at=2, container="e")], 3, [], id="a person cannot have it started again"
        ),
        pytest.param(WITH_INIT, [], 1, ["start e", "start i"], id="does not wait for init containers"),
        pytest.param(WITH_INIT, [up("e"), up("i")], 1, [], id="nor do they let main containers start"),
        pytest.param(ONCE, [ran(), up("e")], 2, ["stop completed"], id="does not keep the pod from being completed"),
        pytest.param(ONE, [up(), StopAsked(at=1)], 1, ["kill a"], id="is not started in a pod that ends"),
        pytest.param(ONE, [up(), up("e"), StopAsked(at=1)], 1, ["kill a", "kill e"], id="is ended with the pod"),
        pytest.param(
            WITH_SIDECAR,
            [up("s"), up(), up("e"), StopAsked(at=1), died("a", 2)],
            2,
            ["kill s", "kill e"],
            id="is ended with the pod, sidecars or not",
        ),
    ],
)
def test_what_is_decided(plan: Plan, happened: list[Any], now: float, todo: list[str]) -> None:
    assert [line.rstrip() for line in decided(plan, known(plan, *happened), now)] == todo


def test_the_end_of_one_leaves_the_others_running() -> None:
    world = World(ONE, {"e": Life(lasts=5, code=1)}).run(60)
    assert (world.story("a"), world.story("e")) == (
        ["ContainerCreating", "running"],
        ["ContainerCreating", "running", "Error/1"],
    )
    assert world.phases() == ["Pending", "Running"]
    assert world.times(Kill) == []


def test_the_pod_is_as_ready_with_it_as_without() -> None:
    with_it, without = (World(one).run(60).status.conditions for one in (ONE, planned()))
    assert with_it == without


def test_its_status_has_neither_readiness_nor_restarts() -> None:
    (status,) = World(ONE, {"e": Life(lasts=5, code=3)}).run(60).status.ephemeral_container_statuses
    assert (status.name, brief(status), status.ready, status.started, status.restart_count) == (
        "e", "Error/3", False, None, 0,
    )  # fmt: skip


def test_statuses_are_sorted_by_name() -> None:
    both = planned(ephemeral_containers=(ephemeral("y"), ephemeral("x")))
    assert [one.name for one in World(both).run(1).status.ephemeral_container_statuses] == ["x", "y"]


def test_it_waits_as_the_others_of_its_pod_do() -> None:
    for one, reason in ((WITH_INIT, "PodInitializing"), (ONE, "ContainerCreating")):
        (status,) = report(one, begin(one, 0), 0, clock).ephemeral_container_statuses
        assert brief(status) == reason


def test_it_lives_on_when_all_containers_start_again() -> None:
    world = World(AGAIN, {"a": [Life(lasts=5, code=1), Life()]}).run(60)
    assert world.times(Start, "a") == [0, 5]
    assert world.times(Start, "e") == [0]
    assert world.acts(Remove)
    assert world.story("e") == ["ContainerCreating", "running"]


def test_one_that_comes_later_is_known_from_then_on() -> None:
    before = planned()
    asked = before.asked
    spec = replace(asked.pod.spec, ephemeral_containers=(ephemeral(),))
    after = plan(replace(asked, pod=replace(asked.pod, spec=spec)))
    facts = apply(before, begin(before, 0), VolumesReady(at=0), *up())
    facts = apply(after, facts, Added(at=1, container="e"))
    assert facts.containers["e"] == ContainerFacts()
    assert decided(after, facts, 1) == ["start e"]
    assert apply(after, facts, *up("e", 1), Added(at=2, container="e")).containers["e"].attempt == 0


def test_its_events_name_its_own_list() -> None:
    event = Started(at=1, container="e", attempt=0, pid=1)
    facts = known(ONE, *up("e")[:1])
    path = "spec.ephemeralContainers{e}"
    assert narrate(ONE, facts, event) == (
        Notice("Normal", "Created", "Container created", path),
        Notice("Normal", "Started", "Container started", path),
    )
