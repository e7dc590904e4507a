"""The events that are told, in kubelet's words."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.core.actions import Finish, Kill, Prepare, Refuse, Remove, RestartAll, Start, Stop
from initsup.core.decide import DEADLINE_MESSAGE
from initsup.core.events import (
    Began,
    Event,
    Evicted,
    Hooked,
    Looked,
    Lost,
    Redefined,
    RestartAsked,
    Started,
    StartFailed,
    StopAsked,
    VolumeFailed,
    VolumesReady,
)
from initsup.core.narrate import Notice, narrate
from initsup.core.phase import LOST_MESSAGE
from initsup.core.plan import Plan
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
    sidecar,
    up,
)

PATH = "spec.containers{a}"
PLAN = planned(
    container(
        lifecycle=hooks(post_start=True, pre_stop=True),
        startup_probe=probe(period_seconds=5),
        liveness_probe=probe(),
        readiness_probe=probe(),
    ),
    inits=(container("i"), sidecar()),
)
BACK_OFF = Notice("Warning", "BackOff", "Back-off restarting failed container a in pod p_default(u)", PATH)
CREATED = Notice("Normal", "Created", "Container created", PATH)


def told(event: Event, *before: Any, plan: Plan = PLAN) -> tuple[Notice, ...]:
    return narrate(plan, known(plan, *before), event)


def began(action: Any) -> Began:
    return Began(at=3, action=action)


def refusing(reason: Any) -> StartFailed:
    return StartFailed(at=1, container="a", attempt=0, reason=reason, message="no")


def outcome(kind: Any, what: Any, at: float = 9) -> Event:
    return probed(at=at, kind=kind, outcome=what)[1]


@pytest.mark.parametrize(
    ("before", "event", "notices"),
    [
        pytest.param(
            [up()[0]], up()[1], [CREATED, Notice("Normal", "Started", "Container started", PATH)], id="started"
        ),
        pytest.param(
            [up()[0]],
            refusing("RunContainerError"),
            [CREATED, Notice("Warning", "Failed", "Error: no", PATH)],
            id="created, but not started",
        ),
        pytest.param(
            [up()[0]],
            refusing("CreateContainerConfigError"),
            [Notice("Warning", "Failed", "Error: no", PATH)],
            id="not created",
        ),
        pytest.param(
            [],
            VolumeFailed(at=1, volume="v", message="no such thing"),
            [Notice("Warning", "FailedMount", 'MountVolume.SetUp failed for volume "v" : no such thing')],
            id="a volume that cannot be made",
        ),
        pytest.param(
            [],
            VolumeFailed(at=1, volume="v", message="no", others=(("w", "never"),)),
            [
                Notice("Warning", "FailedMount", 'MountVolume.SetUp failed for volume "v" : no'),
                Notice("Warning", "FailedMount", 'MountVolume.SetUp failed for volume "w" : never'),
            ],
            id="volumes that cannot be made",
        ),
        pytest.param([up()], Evicted(at=1, message="full"), [Notice("Warning", "Evicted", "full")], id="an eviction"),
        pytest.param([StopAsked(at=1)], Evicted(at=2, message="full"), [], id="not of a pod that ends"),
        pytest.param([up()], Lost(at=1), [Notice("Warning", "NodeNotReady", LOST_MESSAGE)], id="the supervisor's loss"),
        pytest.param([StopAsked(at=1)], Lost(at=9), [], id="not when the pod was over"),
        pytest.param(
            [up(), hook_begun()],
            hooked(at=1, ok=False),
            [Notice("Warning", "FailedPostStartHook", "PostStartHook failed: it says no", PATH)],
            id="a postStart hook that fails",
        ),
        pytest.param(
            [up(), killed(), hook_begun(hook="preStop")],
            hooked(at=1, hook="preStop", ok=False),
            [Notice("Warning", "FailedPreStopHook", "PreStopHook failed: it says no", PATH)],
            id="a preStop hook that fails",
        ),
        pytest.param([up(), hook_begun()], hooked(at=1), [], id="not a hook that succeeds"),
        pytest.param(
            [up(), hook_begun()],
            Hooked(at=1, container="a", attempt=0, hook="postStart", ok=True, message="it spoke HTTP"),
            [Notice("Warning", "LifecycleHTTPFallback", "it spoke HTTP")],
            id="but that it had to be asked in plain HTTP",
        ),
        pytest.param(
            [up()],
            outcome("liveness", "failure"),
            [Notice("Warning", "Unhealthy", "Liveness probe failed: out", PATH)],
            id="a liveness probe that fails, threshold or not",
        ),
        pytest.param(
            [up()],
            outcome("readiness", "failure"),
            [Notice("Warning", "Unhealthy", "Readiness probe failed: out", PATH)],
            id="a readiness probe that fails",
        ),
        pytest.param(
            [up()],
            outcome("startup", "failure"),
            [Notice("Warning", "Unhealthy", "Startup probe failed: out", PATH)],
            id="a startup probe that fails",
        ),
        pytest.param([up()], outcome("startup", "failure", at=4.9), [], id="not in its first period"),
        pytest.param(
            [up()],
            outcome("liveness", "error"),
            [Notice("Warning", "Unhealthy", "Liveness probe errored and resulted in unknown state: out", PATH)],
            id="a probe that cannot be carried out",
        ),
        pytest.param(
            [up()],
            outcome("readiness", "warning"),
            [Notice("Warning", "ProbeWarning", "Readiness probe warning: out", PATH)],
            id="a probe that succeeds with a warning",
        ),
        pytest.param([up()], outcome("readiness", "success"), [], id="not a probe that succeeds"),
        pytest.param(
            [up(), killed()],
            outcome("readiness", "failure"),
            [Notice("Warning", "Unhealthy", "Readiness probe failed: out", PATH)],
            id="a probe of one that is being ended",
        ),
        pytest.param([ran()], outcome("readiness", "failure"), [], id="not a probe of one that has ended"),
        pytest.param(
            [up()],
            began(Kill(container="a", attempt=0, deadline=9, message="Stopping container a")),
            [Notice("Normal", "Killing", "Stopping container a", PATH)],
            id="one is being ended",
        ),
        pytest.param(
            [],
            began(Kill(container="s", attempt=0, deadline=9, message="killing")),
            [Notice("Normal", "Killing", "killing", "spec.initContainers{s}")],
            id="a sidecar is being ended",
        ),
        pytest.param(
            [ran(code=1)],
            began(Refuse(container="a", attempt=0, delay=10, until=13)),
            [BACK_OFF],
            id="a start is refused",
        ),
        pytest.param(
            [up()],
            began(Stop(why="deadline", grace=1, message=DEADLINE_MESSAGE)),
            [Notice("Normal", "DeadlineExceeded", DEADLINE_MESSAGE)],
            id="the deadline",
        ),
        pytest.param([ran()], began(Stop(why="completed", grace=1)), [], id="not that all is done"),
        pytest.param([], began(Prepare()), [], id="not the making of volumes"),
        pytest.param([], began(Start(container="a", attempt=0)), [], id="not the beginning of the first start"),
        pytest.param(
            [ran(code=1)],
            began(Start(container="a", attempt=1)),
            [BACK_OFF],
            id="the start after a failure, with which the back-off begins",
        ),
        pytest.param([ran()], began(Start(container="a", attempt=1)), [], id="not the start after a success"),
        pytest.param(
            [ran(code=1), RestartAsked(at=1, container="a")],
            began(Start(container="a", attempt=1)),
            [],
            id="not one that a person asked for",
        ),
        pytest.param(
            [ran(code=1), ran("a", 1, 2, 1, attempt=1), began(Refuse(container="a", attempt=1, delay=10, until=13))],
            began(Start(container="a", attempt=2)),
            [],
            id="not one that had to wait: that was told",
        ),
        pytest.param(
            [up(), killed(restart=True), died(at=1, code=1)],
            began(Start(container="a", attempt=1)),
            [],
            id="not one that was killed to start again",
        ),
        pytest.param([], began(RestartAll(trigger="a")), [], id="not RestartAllContainers"),
        pytest.param([], began(Remove()), [], id="not the removal"),
        pytest.param([], began(Finish()), [], id="not the end"),
        pytest.param([], VolumesReady(at=1), [], id="not volumes that are there"),
        pytest.param([up()], died(at=1, code=1), [], id="not an end"),
        pytest.param([up()], StopAsked(at=1), [], id="not a request to end"),
        pytest.param([up()], RestartAsked(at=1, container="a"), [], id="not a request to restart"),
        pytest.param([up()], Redefined(at=1, container="a"), [], id="not a new definition"),
        pytest.param([up()], Looked(at=1), [], id="not a look"),
    ],
)
def test_what_is_told(before: list[Any], event: Event, notices: list[Notice]) -> None:
    assert list(told(event, *before)) == notices


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(Started(at=9, container="a", attempt=0, pid=1), id="a start"),
        pytest.param(refusing("RunContainerError"), id="a failed start"),
        pytest.param(outcome("liveness", "failure"), id="a probe"),
        pytest.param(hooked(at=9, ok=False), id="a hook"),
    ],
)
def test_nothing_is_told_of_an_old_attempt(late: Event) -> None:
    assert told(late, ran(), up(at=1, attempt=1)) == ()
