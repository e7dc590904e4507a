"""What is shown of the facts: container statuses, phase, conditions, columns, and the exit code of initsup."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from initsup.core.actions import Finish, Refuse, Remove, RestartAll, Stop
from initsup.core.apply import begin
from initsup.core.columns import summary
from initsup.core.decide import DEADLINE_MESSAGE
from initsup.core.events import Began, Changed, Evicted, Lost, Redefined, RestartAsked, StopAsked
from initsup.core.facts import User
from initsup.core.phase import LOST_MESSAGE
from initsup.core.plan import Plan
from initsup.core.plan import plan as index
from initsup.core.report import Where, as_pod, exit_code, report
from initsup.spec.base import to_dict
from initsup.spec.manifest import Manifest
from initsup.spec.pod import ObjectMeta, Pod, ResourceRequirements
from initsup.spec.status import ContainerStateTerminated, ContainerStatus, ContainerUser, LinuxContainerUser, PodStatus
from initsup.spec.volume import VolumeMount
from tests.build import (
    container,
    died,
    gates,
    hook_begun,
    hooked,
    hooks,
    killed,
    known,
    no_volume,
    planned,
    probe,
    probed,
    ran,
    rule,
    sidecar,
    unstartable,
    up,
)
from tests.sim import brief, clock, containers

Happened = list[Any]


def refused(name: str, at: float = 2.0, attempt: int = 1) -> Began:
    return Began(at=at, action=Refuse(container=name, attempt=attempt, delay=10, until=at + 10))


def looping(name: str = "a", code: int = 1) -> tuple[Any, ...]:
    """A container that ended at 1 and 2 and is refused until 12."""
    return (*ran(name, 0, 1, code), *ran(name, 1, 2, code, attempt=1), refused(name))


def shown(plan: Plan, *happened: Any, now: float = 3.0) -> PodStatus:
    return report(plan, known(plan, *happened), now, clock)


def of(plan: Plan, *happened: Any, now: float = 3.0, name: str = "a") -> ContainerStatus:
    return next(one for one in containers(shown(plan, *happened, now=now)) if one.name == name)


COMPLETED = Began(at=2, action=Stop(why="completed", grace=30))
FAILED = Began(at=2, action=Stop(why="failed", grace=30))
DEADLINE = Began(at=2, action=Stop(why="deadline", grace=30, message=DEADLINE_MESSAGE))
DELETED = StopAsked(at=2)
LOST = Lost(at=5)

ONE = planned()
TWO = planned(container("a"), container("b"))
NEVER = planned(policy="Never")
TWO_NEVER = planned(container("a"), container("b"), policy="Never")
TWO_ON_FAILURE = planned(container("a"), container("b"), policy="OnFailure")
READY = planned(container(readiness_probe=probe(failure_threshold=1)))
INITS = planned(inits=(container("i"), container("j")))
INITS_NEVER = planned(inits=(container("i"), container("j")), policy="Never")
INIT = planned(inits=(container("i"),))
INIT_NEVER = planned(inits=(container("i"),), policy="Never")
SIDE = planned(inits=(sidecar(),))
SIDE_NEVER = planned(inits=(sidecar(),), policy="Never")
SIDE_PROBED = planned(inits=(sidecar(startup_probe=probe(period_seconds=1)),))
HOOKED = planned(container(lifecycle=hooks(post_start=True)))


# -- the test vectors of the columns ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "happened", "phase", "ready", "text"),
    [
        pytest.param(ONE, [], "Pending", "0/1", "ContainerCreating", id="not started"),
        pytest.param(READY, [up()], "Running", "0/1", "Running", id="running, not ready"),
        pytest.param(ONE, [ran("a", 1, 2.5, 1)], "Running", "0/1", "Error", id="ended, restart to come"),
        pytest.param(ONE, [looping()], "Running", "0/1", "CrashLoopBackOff", id="back-off after a failure"),
        pytest.param(ONE, [looping(code=0)], "Running", "0/1", "CrashLoopBackOff", id="back-off after success"),
        pytest.param(TWO, [up(), looping("b")], "Running", "1/2", "CrashLoopBackOff", id="ready, back-off"),
        pytest.param(TWO, [up(), up("b")[0]], "Pending", "1/2", "ContainerCreating", id="ready, never ran"),
        pytest.param(ONE, [unstartable()], "Running", "0/1", "RunContainerError", id="could not be run"),
        pytest.param(TWO_NEVER, [ran(), up("b")], "Running", "1/2", "NotReady", id="success, ready"),
        pytest.param(TWO_NEVER, [ran(code=1), up("b")], "Running", "1/2", "Error", id="failure, ready"),
        pytest.param(TWO_NEVER, [ran(), ran("b", code=3), COMPLETED], "Failed", "0/2", "Error", id="success, failure"),
        pytest.param(TWO_NEVER, [ran(), ran("b"), COMPLETED], "Succeeded", "0/2", "Completed", id="success, success"),
        pytest.param(TWO_ON_FAILURE, [ran(), ran("b", code=3)], "Running", "0/2", "Error", id="OnFailure: to come"),
        pytest.param(
            TWO_ON_FAILURE, [ran(), looping("b")], "Running", "0/2", "Completed", id="OnFailure: the first name wins"
        ),
        pytest.param(INITS, [up("i")], "Pending", "0/1", "Init:0/2", id="first init container"),
        pytest.param(INITS, [ran("i")], "Pending", "0/1", "Init:1/2", id="second init container"),
        pytest.param(INIT, [ran("i", code=1)], "Pending", "0/1", "Init:Error", id="init container failed"),
        pytest.param(INIT, [looping("i")], "Pending", "0/1", "Init:CrashLoopBackOff", id="init container's back-off"),
        pytest.param(INIT_NEVER, [ran("i", code=1), FAILED], "Failed", "0/1", "Init:Error", id="Never: it failed"),
        pytest.param(INIT, [ran("i")], "Pending", "0/1", "PodInitializing", id="init containers are through"),
        pytest.param(SIDE_PROBED, [up("s")], "Pending", "0/2", "Init:0/1", id="sidecar not started"),
        pytest.param(SIDE, [up("s")], "Pending", "1/2", "PodInitializing", id="sidecar started"),
        pytest.param(SIDE, [up("s"), up()], "Running", "2/2", "Running", id="sidecar and main container"),
        pytest.param(SIDE, [up("a"), looping("s")], "Running", "1/2", "Init:CrashLoopBackOff", id="sidecar's back-off"),
        pytest.param(SIDE_NEVER, [up("s"), ran()], "Running", "1/2", "Completed", id="sidecar outlives the main one"),
        pytest.param(
            SIDE_NEVER,
            [up("s"), ran(), COMPLETED, killed("s", 2), died("s", 3, 137)],
            "Succeeded",
            "0/2",
            "Completed",
            id="a sidecar's failure does not count",
        ),
        pytest.param(ONE, [up(), DELETED], "Running", "1/1", "Terminating", id="deleted"),
        pytest.param(INIT, [up("i"), DELETED], "Pending", "0/1", "Terminating", id="deleted while initializing"),
        pytest.param(
            NEVER, [ran(), COMPLETED, StopAsked(at=3)], "Succeeded", "0/1", "Completed", id="deleted when done"
        ),
        pytest.param(
            ONE,
            [unstartable(reason="CreateContainerConfigError")],
            "Pending",
            "0/1",
            "CreateContainerConfigError",
            id="could not be created",
        ),
        pytest.param(ONE, [up(), DEADLINE, died(at=3)], "Failed", "0/1", "Completed", id="deadline"),
        pytest.param(NEVER, [(*up(), died(oom=True)), COMPLETED], "Succeeded", "0/1", "OOMKilled", id="child killed"),
        pytest.param(
            HOOKED,
            [up(), hook_begun(), hooked(at=1, ok=False), killed(at=1), died(at=1)],
            "Running",
            "0/1",
            "PostStartHookError",
            id="failed hook",
        ),
    ],
)
def test_columns(plan: Plan, happened: Happened, phase: str, ready: str, text: str) -> None:
    facts = known(plan, *happened)
    status = report(plan, facts, 3, clock)
    meta = {"name": "p"} | ({"deletionTimestamp": "T"} if facts.deleted else {})
    found = summary({"metadata": meta, "spec": to_dict(plan.pod.spec, defaults=True), "status": json(status)})
    assert (status.phase, f"{found.ready}/{found.total}", found.status) == (phase, ready, text)


def json(status: PodStatus) -> dict[str, Any]:
    """The status with times that can be read."""
    tree = to_dict(status, defaults=True)
    for one in (*tree.get("initContainerStatuses", ()), *tree.get("containerStatuses", ())):
        for state in (one.get("state", {}), one.get("lastState", {})):
            for fields in state.values():
                fields.update({key: "2026-01-01T00:00:00Z" for key in ("startedAt", "finishedAt") if key in fields})
    return tree


# -- one container ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "happened", "now", "text", "last", "count"),
    [
        pytest.param(ONE, [], 0, "ContainerCreating", "", 0, id="not started"),
        pytest.param(INIT, [], 0, "PodInitializing", "", 0, id="not started, with init containers"),
        pytest.param(ONE, [up()[0]], 0, "ContainerCreating", "", 0, id="just starting"),
        pytest.param(ONE, [up()], 0, "running", "", 0, id="running"),
        pytest.param(ONE, [up(), killed()], 0, "running", "", 0, id="being ended"),
        pytest.param(ONE, [ran(code=1)], 1, "Error/1", "", 0, id="ended"),
        pytest.param(ONE, [ran(code=1), up(at=1, attempt=1)[0]], 1, "Error/1", "", 0, id="just starting again"),
        pytest.param(ONE, [ran(code=1), up(at=1, attempt=1)], 1, "running", "Error/1", 1, id="running again"),
        pytest.param(ONE, [looping()], 2.9, "Error/1", "Error/1", 1, id="its end is seen for a second"),
        pytest.param(ONE, [looping()], 3, "CrashLoopBackOff", "Error/1", 1, id="then its back-off"),
        pytest.param(
            ONE, [looping(), up(at=12, attempt=2)[0]], 12, "CrashLoopBackOff", "Error/1", 1, id="until it runs"
        ),
        pytest.param(ONE, [looping(), up(at=12, attempt=2)], 12, "running", "Error/1", 2, id="then it runs"),
        pytest.param(ONE, [looping(), StopAsked(at=3)], 3, "Error/1", "Error/1", 1, id="deleted: it has just ended"),
        pytest.param(
            ONE, [up(), killed(restart=True), died(at=1, code=7)], 1, "running", "", 0, id="killed to start again"
        ),
        pytest.param(
            ONE,
            [up(), killed(restart=True), died(at=1, code=7), up(at=1, attempt=1)],
            1,
            "running",
            "Error/7",
            1,
            id="started again",
        ),
        pytest.param(
            ONE,
            [up(), killed(restart=True), died(at=1, code=7), refused("a", 1, 0)],
            1,
            "CrashLoopBackOff",
            "Error/7",
            0,
            id="killed to start again, and refused: its end is not seen",
        ),
        pytest.param(
            ONE,
            [up(), killed(restart=True), died(at=1, code=7), StopAsked(at=1)],
            1,
            "Error/7",
            "",
            0,
            id="killed to start again in a pod that ends",
        ),
        pytest.param(
            planned(policy="OnFailure"),
            [up(), killed(restart=True), died(at=1), refused("a", 1, 0)],
            1,
            "Completed/0",
            "",
            0,
            id="refused with exit code 0 under OnFailure: it has ended",
        ),
        pytest.param(ONE, [unstartable()], 0, "RunContainerError", "StartError/128", 0, id="could not be run"),
        pytest.param(
            ONE,
            [unstartable(), unstartable(attempt=1), refused("a", 0)],
            1,
            "CrashLoopBackOff",
            "StartError/128",
            1,
            id="could not be run, back-off",
        ),
        pytest.param(NEVER, [unstartable()], 0, "StartError/128", "", 0, id="could not be run, nor will be"),
        pytest.param(
            ONE,
            [unstartable(reason="CreateContainerError")],
            0,
            "CreateContainerError",
            "",
            0,
            id="could not be created",
        ),
        pytest.param(
            ONE,
            [ran(code=1), unstartable(at=1, attempt=1, reason="CreateContainerError")],
            1,
            "CreateContainerError",
            "Error/1",
            0,
            id="could not be created again",
        ),
        pytest.param(
            NEVER,
            [
                ran(code=1),
                RestartAsked(at=1, container="a"),
                unstartable(at=1, attempt=1, reason="CreateContainerError"),
            ],
            1,
            "Error/1",
            "",
            0,
            id="not created again under Never: its end",
        ),
        pytest.param(HOOKED, [up(), hook_begun()], 0, "ContainerCreating", "", 0, id="under its postStart hook"),
        pytest.param(HOOKED, [up(), hook_begun(), hooked(at=1)], 1, "running", "", 0, id="when it is through"),
        pytest.param(
            HOOKED, [up(), hook_begun(), hooked(at=1, ok=False)], 1, "ContainerCreating", "", 0, id="when it has failed"
        ),
        pytest.param(
            HOOKED,
            [up(), hook_begun(), hooked(at=1, ok=False), killed(at=1)],
            1,
            "ContainerCreating",
            "",
            0,
            id="while it is ended for that",
        ),
        pytest.param(
            HOOKED,
            [up(), hook_begun(), hooked(at=1, ok=False), killed(at=1), died(at=1)],
            1,
            "PostStartHookError",
            "Completed/0",
            0,
            id="when it has ended",
        ),
        pytest.param(
            HOOKED,
            [up(), hook_begun(), hooked(at=1, ok=False), killed(at=1), died(at=1), up(at=1, attempt=1)],
            1,
            "PostStartHookError",
            "Completed/0",
            0,
            id="under the next postStart hook",
        ),
        pytest.param(
            planned(container(lifecycle=hooks(post_start=True)), policy="Never"),
            [up(), hook_begun(), hooked(at=1, ok=False), killed(at=1), died(at=1)],
            1,
            "Completed/0",
            "",
            0,
            id="failed hook under Never: its own end",
        ),
    ],
)
def test_state(plan: Plan, happened: Happened, now: float, text: str, last: str, count: int) -> None:
    one = of(plan, *happened, now=now)
    before = one.last_state.terminated
    was = f"{before.reason}/{before.exit_code}" if before else ""
    assert (brief(one), was, one.restart_count) == (text, last, count)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        pytest.param(1, "CrashLoopBackOff", id="a failed one: its back-off"),
        pytest.param(0, "Completed/0", id="one that ended with 0: its end"),
    ],
)
@pytest.mark.parametrize("name", ["i", "s"])
def test_back_off_of_init_containers(name: str, code: int, text: str) -> None:
    plan = planned(inits=(sidecar("s"), container("i")))
    assert brief(of(plan, up("s" if name == "i" else "i"), looping(name, code), name=name)) == text


ALL = planned(
    container("a", restart_policy="Never", restart_policy_rules=(rule("RestartAllContainers", 42),)),
    inits=(container("i"),),
)
REMOVED: Happened = [
    ran("i"),
    (*up("a", 1), died("a", 2, 42)),
    Began(at=2, action=RestartAll(trigger="a")),
    Began(at=2, action=Remove()),
]


def test_a_removed_container() -> None:
    one = of(ALL, *REMOVED)
    text = "The container is removed because RestartAllContainers in place"
    assert one.state.waiting is not None
    assert (one.state.waiting.reason, one.state.waiting.message) == ("RestartingAllContainers", text)
    assert one.last_state.terminated == ContainerStateTerminated(
        exit_code=137, reason="RestartingAllContainers", message=text
    )
    assert (one.restart_count, one.container_id) == (1, "")


def test_a_removed_container_waits_for_its_turn() -> None:
    one = of(ALL, *REMOVED, up("i", 3, attempt=1))
    assert (brief(one), one.restart_count) == ("PodInitializing", 1)


def test_a_removed_container_that_runs_again() -> None:
    one = of(ALL, *REMOVED, ran("i", 3, 4, attempt=1), up("a", 4, attempt=1))
    assert (brief(one), one.restart_count) == ("running", 1)
    assert one.last_state.terminated is not None
    assert one.last_state.terminated.reason == "RestartingAllContainers"


def test_times_and_ids() -> None:
    one = of(ONE, ran("a", 1, 2.5, 3), up("a", 4, attempt=1))
    assert one.container_id == "initsup://u/a/1"
    assert one.state.running is not None
    assert one.state.running.started_at == "T+4"
    assert one.last_state.terminated == ContainerStateTerminated(
        exit_code=3, reason="Error", started_at="T+1", finished_at="T+2.5", container_id="initsup://u/a/0"
    )


def test_times_and_ids_of_one_that_ended_twice() -> None:
    one = of(ONE, ran(code=3), ran("a", 1, 2, 4, attempt=1), now=2)
    assert one.state.terminated is not None
    assert one.last_state.terminated is not None
    assert (one.container_id, one.state.terminated.container_id) == ("initsup://u/a/1", "initsup://u/a/1")
    assert one.last_state.terminated.container_id == "initsup://u/a/0"


def test_one_that_could_not_be_run_started_in_1970() -> None:
    ended = of(ONE, unstartable(at=2)).last_state.terminated
    assert ended is not None
    assert (ended.started_at, ended.finished_at, ended.message) == ("1970-01-01T00:00:00Z", "T+2", "no")


def test_one_that_never_ran_has_no_id() -> None:
    assert of(ONE).container_id == ""
    assert of(ONE, up()).container_id == "initsup://u/a/0"
    assert of(planned(container(image="nginx"))).image == "nginx"


def test_mounts_are_shown_as_they_are_made() -> None:
    mounts = (
        VolumeMount(name="v", mount_path="/rw"),
        VolumeMount(name="v", mount_path="/ro", read_only=True),
        VolumeMount(name="v", mount_path="/no", read_only=True, recursive_read_only="Disabled"),
        VolumeMount(name="v", mount_path="/may", read_only=True, recursive_read_only="IfPossible"),
        VolumeMount(name="v", mount_path="/must", read_only=True, recursive_read_only="Enabled"),
    )
    plan = planned(container(volume_mounts=mounts))
    for happened in ((), up()):
        shown = [(one.name, one.mount_path, one.recursive_read_only) for one in of(plan, happened).volume_mounts]
        assert shown == [
            ("v", "/rw", None), ("v", "/ro", "Disabled"), ("v", "/no", "Disabled"), ("v", "/may", "Enabled"),
            ("v", "/must", "Enabled"),
        ]  # fmt: skip
    assert [one.read_only for one in of(plan).volume_mounts] == [False, True, True, True, True]


def test_resources_are_shown_once_there_is_a_container() -> None:
    needs = ResourceRequirements(limits={"memory": "32Mi", "cpu": "1"}, requests={"memory": "16Mi"})
    plan = planned(container(resources=needs), container("b"))
    assert (of(plan).resources, of(plan).allocated_resources) == (None, {})
    for happened in (up(), ran()):
        one = of(plan, happened)
        assert (one.resources, one.allocated_resources) == (needs, {"memory": "16Mi"})
    assert to_dict(of(plan, up("b"), name="b"), defaults=True)["resources"] == {}
    assert of(ALL, *REMOVED).resources is None


def test_the_back_off_in_words() -> None:
    waiting = of(ONE, looping()).state.waiting
    assert waiting is not None
    assert waiting.message == "back-off 10s restarting failed container=a pod=p_default(u)"


def test_errors_in_words() -> None:
    waiting = of(ONE, unstartable(message="because")).state.waiting
    assert waiting is not None
    assert waiting.message == "because"
    waiting = of(ONE, unstartable(reason="CreateContainerError", message="because")).state.waiting
    assert waiting is not None
    assert waiting.message == "because"


@pytest.mark.parametrize(
    ("mains", "message", "length"),
    [
        pytest.param("a", "x" * 4096, 4096, id="one container: all of it"),
        pytest.param("abcd", "x" * 4096, 3072, id="12 KiB are shared by all containers of the pod"),
        pytest.param("abcd", "é" * 2000, 1536, id="bytes count, and no character is cut"),
        pytest.param("abcdefg", "é" * 2000, 877, id="half a character is left out"),
        pytest.param("a", "x" * 20000, 12288, id="one container: 12 KiB at most"),
    ],
)
def test_termination_messages_are_cut(mains: str, message: str, length: int) -> None:
    plan = planned(*(container(name) for name in mains), policy="Never")
    ended = of(plan, (*up(), died(at=1, message=message))).state.terminated
    assert ended is not None
    assert ended.message == message[:length]


def test_a_termination_message_that_is_no_text() -> None:
    ended = of(NEVER, (*up(), died(at=1, message="a\udcffb"))).state.terminated
    assert ended is not None
    assert ended.message == "ab"


def test_the_order_of_statuses() -> None:
    status = shown(planned(container("b"), container("a"), inits=(container("z"), container("y"))))
    assert [one.name for one in status.container_statuses] == ["a", "b"]
    assert [one.name for one in status.init_container_statuses] == ["z", "y"]


def test_flags_are_those_of_the_facts() -> None:
    one = of(READY, up())
    assert (one.started, one.ready) == (True, False)
    one = of(READY, up(), probed(kind="readiness"))
    assert (one.started, one.ready) == (True, True)
    one = of(TWO, up(), up("b"), DELETED, died(at=3))
    assert (one.started, one.ready) == (False, False)


@pytest.mark.parametrize(
    ("happened", "flags"),
    [
        pytest.param([], (False, False), id="not started"),
        pytest.param([up("i")], (True, False), id="running: started, not ready"),
        pytest.param([ran("i")], (False, True), id="succeeded: ready, not started"),
        pytest.param([ran("i", code=1)], (False, False), id="failed: neither"),
        pytest.param(REMOVED, (False, True), id="removed: as it was"),
        pytest.param([*REMOVED, up("i", 3, attempt=1)], (True, False), id="running again"),
    ],
)
def test_flags_of_an_init_container(happened: Happened, flags: tuple[bool, bool]) -> None:
    one = of(ALL, *happened, name="i")
    assert (one.started, one.ready) == flags


# -- phase ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "happened", "phase"),
    [
        pytest.param(NEVER, [ran()], "Running", id="a final phase waits until the pod ends"),
        pytest.param(NEVER, [ran(), COMPLETED], "Succeeded", id="then it comes"),
        pytest.param(NEVER, [ran(code=1), COMPLETED], "Failed", id="a failure"),
        pytest.param(NEVER, [unstartable()], "Pending", id="one that could not be run under Never stays Pending"),
        pytest.param(NEVER, [unstartable(), COMPLETED], "Failed", id="and then fails"),
        pytest.param(INIT_NEVER, [ran("i", code=1)], "Pending", id="an init container that failed: Pending"),
        pytest.param(INIT_NEVER, [ran("i", code=1), FAILED], "Failed", id="and then Failed"),
        pytest.param(
            planned(inits=(sidecar(), container("i")), policy="Never"),
            [up("s"), ran("i", code=1), FAILED],
            "Pending",
            id="but not before the sidecars are gone",
        ),
        pytest.param(SIDE_NEVER, [up("s"), ran(), COMPLETED], "Running", id="a sidecar that lives: Running"),
        pytest.param(SIDE_NEVER, [up("s"), ran(), COMPLETED, died("s", 2)], "Succeeded", id="when it is gone: the end"),
        pytest.param(
            SIDE_NEVER, [up(), looping("s"), died(at=2), COMPLETED], "Succeeded", id="a sidecar in its back-off"
        ),
        pytest.param(ONE, [ran()], "Running", id="Always: success is not the end"),
        pytest.param(ONE, [up(), DELETED, died(at=3)], "Succeeded", id="deleted: success"),
        pytest.param(ONE, [up(), DELETED, died(at=3, code=143)], "Failed", id="deleted: failure"),
        pytest.param(TWO, [up(), up("b"), DELETED, died(at=3)], "Running", id="deleted: not before all are gone"),
        pytest.param(TWO, [ran(), up("b"), DELETED, died("b", 3, 1)], "Failed", id="deleted: one failure is enough"),
        pytest.param(ONE, [DELETED], "Failed", id="deleted before it was started"),
        pytest.param(INIT, [up("i"), DELETED], "Pending", id="deleted while it initializes"),
        pytest.param(INIT, [up("i"), DELETED, died("i", 3)], "Failed", id="it fails then"),
        pytest.param(ONE, [looping(), DELETED], "Failed", id="deleted in the back-off"),
        pytest.param(ONE, [up(), DEADLINE], "Running", id="the deadline: not before it is gone"),
        pytest.param(INIT, [up("i"), DEADLINE], "Pending", id="the deadline while it initializes"),
        pytest.param(ONE, [up(), DEADLINE, died(at=3)], "Failed", id="the deadline fails it, exit code 0 or not"),
        pytest.param(ONE, [up(), Evicted(at=2, message="full"), died(at=3)], "Failed", id="so does an eviction"),
        pytest.param(ONE, [up(), LOST], "Failed", id="so does the loss of the supervisor"),
        pytest.param(ONE, [LOST], "Failed", id="also before anything was started"),
        pytest.param(ONE, [up(), DELETED, LOST], "Failed", id="also in the middle of a deletion"),
        pytest.param(NEVER, [ran(), COMPLETED, LOST], "Succeeded", id="but not of a pod that was over"),
        pytest.param(ALL, REMOVED, "Running", id="all removed: still Running"),
        pytest.param(ALL, [*REMOVED, up("i", 3, attempt=1)], "Pending", id="initializing again: Pending"),
        pytest.param(ALL, [*REMOVED, ran("i", 3, 4, attempt=1)], "Running", id="initialized again: Running"),
        pytest.param(
            planned(inits=(sidecar(),)),
            [up("s"), up()[0]],
            "Pending",
            id="a main container that is starting counts as waiting",
        ),
        pytest.param(SIDE, [up("s"), up(), died("s", 1)], "Running", id="a sidecar that has ended does not matter"),
        pytest.param(SIDE, [up("s"), died("s", 1)], "Pending", id="a sidecar that has ended before"),
        pytest.param(SIDE, [up()], "Running", id="a sidecar that was never started beside a main container"),
        pytest.param(TWO, [looping(), looping("b")], "Running", id="two in their back-off"),
        pytest.param(TWO, [looping()], "Pending", id="one in its back-off, one not started"),
        pytest.param(
            planned(container("a", restart_policy="Always"), container("b"), policy="Never"),
            [looping(), ran("b")],
            "Running",
            id="one in its back-off, one that has ended for good",
        ),
        pytest.param(TWO_NEVER, [unstartable(), ran("b"), COMPLETED], "Failed", id="one of two could not be run"),
        pytest.param(
            TWO, [looping(code=0), looping("b", 0), DELETED], "Succeeded", id="deleted: their last ends count"
        ),
        pytest.param(
            planned(container("a"), container("b", restart_policy_rules=(rule("Restart", 0),), restart_policy="Never")),
            [up("b"), died("b", 1), up()],
            "Running",
            id="one that ended beside one that runs",
        ),
        pytest.param(
            planned(inits=(sidecar("s"), sidecar("t"))), [ran("s"), up("t")], "Pending", id="one of two sidecars is up"
        ),
        pytest.param(
            NEVER, [up(), died(at=1, oom=True), COMPLETED], "Succeeded", id="a child that was killed for memory, and 0"
        ),
        pytest.param(
            planned(container(lifecycle=hooks(post_start=True)), policy="Never"),
            [up(), hook_begun(), hooked(at=1, ok=False), killed(at=1), died(at=2), COMPLETED],
            "Succeeded",
            id="a failed postStart hook, and 0",
        ),
        pytest.param(
            planned(container("a"), container("b", restart_policy="Always"), policy="Never"),
            [ran(), ran("b")],
            "Running",
            id="one that may start again keeps it Running",
        ),
    ],
)
def test_phase(plan: Plan, happened: Happened, phase: str) -> None:
    assert shown(plan, *happened).phase == phase


@pytest.mark.parametrize(
    ("happened", "reason", "message"),
    [
        pytest.param([up()], "", "", id="none while it runs"),
        pytest.param([up(), DEADLINE], "", "", id="none before it is gone"),
        pytest.param([up(), DEADLINE, died(at=3)], "DeadlineExceeded", DEADLINE_MESSAGE, id="the deadline"),
        pytest.param([up(), Evicted(at=2, message="full"), died(at=3)], "Evicted", "full", id="an eviction"),
        pytest.param([up(), DELETED, died(at=3)], "", "", id="none after a deletion"),
        pytest.param([up(), LOST], "NodeLost", LOST_MESSAGE, id="the loss of the supervisor"),
        pytest.param([up(), DELETED, LOST], "NodeLost", LOST_MESSAGE, id="that in the middle of a deletion"),
    ],
)
def test_reason_of_the_pod(happened: Happened, reason: str, message: str) -> None:
    status = shown(ONE, *happened)
    assert (status.reason, status.message) == (reason, message)


# -- the end of a pod -------------------------------------------------------------------------------------------------

UNSEEN = "ContainerStatusUnknown/137"
NOT_YET = "PodInitializing PodInitializing"


@pytest.mark.parametrize(
    ("plan", "happened", "texts"),
    [
        pytest.param(
            SIDE_NEVER, [up(), looping("s"), died(at=2), COMPLETED], f"{UNSEEN} Completed/0", id="a sidecar's back-off"
        ),
        pytest.param(
            planned(inits=(sidecar("s"), sidecar("t")), policy="Never"),
            [up("t"), up(), looping("s"), died(at=2), COMPLETED],
            "CrashLoopBackOff running Completed/0",
            id="not before all is gone",
        ),
        pytest.param(ONE, [looping(), DEADLINE], UNSEEN, id="the back-off at the deadline"),
        pytest.param(ONE, [looping(), DELETED], "Error/1", id="but not after a deletion"),
        pytest.param(ONE, [DELETED], UNSEEN, id="one that was never started"),
        pytest.param(INITS, [up("i"), DELETED, died("i", 3, 1)], f"Error/1 {NOT_YET}", id="not initialized"),
        pytest.param(INITS, [DELETED], f"{UNSEEN} {NOT_YET}", id="the first init container in any case"),
        pytest.param(
            INITS, [ran("i"), up("j"), DEADLINE, died("j", 3)], f"Completed/0 Completed/0 {UNSEEN}", id="initialized"
        ),
        pytest.param(
            INITS, [ran("i"), looping("j"), DEADLINE], f"Completed/0 {UNSEEN} PodInitializing", id="the second one"
        ),
        pytest.param(INITS, [looping("i"), DEADLINE], f"{UNSEEN} {NOT_YET}", id="not those after it"),
        pytest.param(
            planned(container("a"), container("b"), inits=(sidecar(),)),
            [up("s"), up(), DELETED, died(at=3), died("s", 3)],
            f"Completed/0 Completed/0 {UNSEEN}",
            id="one main container has run",
        ),
        pytest.param(
            SIDE, [up("s"), DELETED, died("s", 3)], "Completed/0 PodInitializing", id="only the sidecar has run"
        ),
        pytest.param(SIDE, [up("s"), up(), LOST], f"{UNSEEN} {UNSEEN}", id="all that ran when the supervisor was lost"),
        pytest.param(ONE, [up(), killed(), LOST], UNSEEN, id="what was being ended then"),
        pytest.param(
            ONE,
            [up(), killed(restart=True), died(at=3, code=143), LOST],
            "Error/143",
            id="but not what had ended and was to start again at once",
        ),
        pytest.param(ONE, [looping(), LOST], UNSEEN, id="a back-off then"),
        pytest.param(HOOKED, [up(), hook_begun(), LOST], UNSEEN, id="a postStart hook then"),
    ],
)
def test_what_was_not_seen_to_end(plan: Plan, happened: Happened, texts: str) -> None:
    assert " ".join(brief(one) for one in containers(shown(plan, *happened))) == texts


def test_how_an_unseen_end_is_shown() -> None:
    one = of(ONE, looping(), DEADLINE)
    assert one.state.terminated == ContainerStateTerminated(
        exit_code=137,
        reason="ContainerStatusUnknown",
        message="The container could not be located when the pod was terminated",
    )
    assert one.last_state.terminated is not None
    assert one.last_state.terminated.exit_code == 1


def test_of_an_instance_whose_supervisor_was_lost_is_known_what_it_was_and_when_it_began() -> None:
    assert of(ONE, up(at=3), LOST).state.terminated == ContainerStateTerminated(
        exit_code=137,
        reason="ContainerStatusUnknown",
        message="The container could not be located when the pod was terminated",
        started_at="T+3",
        container_id="initsup://u/a/0",
    )
    assert of(ONE, up(at=3)[0], LOST).state.terminated == ContainerStateTerminated(
        exit_code=137,
        reason="ContainerStatusUnknown",
        message="The container could not be located when the pod was terminated",
        container_id="initsup://u/a/0",
    )


# -- conditions -------------------------------------------------------------------------------------------------------


def condition(plan: Plan, kind: str, *happened: Any) -> str:
    """A condition in words: `False ContainersNotReady: containers with unready status: [a]`."""
    (found,) = [one for one in shown(plan, *happened).conditions if one.type == kind]
    return f"{found.status} {found.reason}{': ' if found.message else ''}{found.message}".strip()


UNREADY = "False ContainersNotReady: containers with unready status"
INCOMPLETE = "False ContainersNotInitialized: containers with incomplete status"
GATED = planned(readiness_gates=gates("x/a", "x/b"))


@pytest.mark.parametrize(
    ("plan", "happened", "text"),
    [
        pytest.param(ONE, [], f"{UNREADY}: [a]", id="not started"),
        pytest.param(ONE, [up()], "True", id="all are ready"),
        pytest.param(TWO, [up("b")], f"{UNREADY}: [a]", id="one is not"),
        pytest.param(
            planned(container("b"), container("a"), inits=(sidecar(),)),
            [],
            f"{UNREADY}: [s b a]",
            id="sidecars first, in the order of the spec",
        ),
        pytest.param(INITS, [], f"{UNREADY}: [a]", id="init containers do not count"),
        pytest.param(NEVER, [ran()], "False PodCompleted", id="completed"),
        pytest.param(NEVER, [ran(code=1)], "False PodFailed", id="failed"),
        pytest.param(TWO_NEVER, [ran(code=1), up("b")], f"{UNREADY}: [a]", id="not while another runs"),
        pytest.param(INIT_NEVER, [ran("i", code=1)], "False PodFailed", id="an init container failed"),
        pytest.param(ONE, [up(), DEADLINE], "False PodFailed", id="the deadline, at once"),
        pytest.param(ONE, [up(), Evicted(at=2, message="")], "False PodFailed", id="an eviction, at once"),
        pytest.param(ONE, [up(), LOST], "False PodFailed", id="the loss of the supervisor"),
        pytest.param(NEVER, [ran(), LOST], "False PodFailed", id="also when all had succeeded by then"),
        pytest.param(ONE, [up(), DELETED], "True", id="a deletion alone changes nothing"),
        pytest.param(TWO, [up(), up("b"), DELETED, died(at=3)], "True", id="nor does the first end after it"),
        pytest.param(TWO, [ran(), up("b"), DELETED], f"{UNREADY}: [a]", id="an end before it counts"),
        pytest.param(TWO, [up(), up("b"), DELETED, died(at=3), died("b", 3)], "False PodCompleted", id="the last end"),
        pytest.param(SIDE_NEVER, [up("s"), ran(), COMPLETED], f"{UNREADY}: [a]", id="while sidecars end"),
        pytest.param(
            planned(inits=(sidecar("s"), sidecar("t")), policy="Never"),
            [up("s"), up("t"), ran(), COMPLETED, died("t", 3)],
            f"{UNREADY}: [a]",
            id="whichever of them has ended",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["Ready", "ContainersReady"])
def test_ready(kind: str, plan: Plan, happened: Happened, text: str) -> None:
    assert condition(plan, kind, *happened) == text


def test_readiness_gates() -> None:
    missing = 'corresponding condition of pod readiness gate "{}" does not exist.'
    assert condition(GATED, "ContainersReady", up()) == "True"
    assert condition(GATED, "Ready", up()) == (
        f"False ReadinessGatesNotReady: {missing.format('x/a')}, {missing.format('x/b')}"
    )
    assert condition(GATED, "Ready") == f"{UNREADY}: [a]"


@pytest.mark.parametrize(
    ("plan", "happened", "text"),
    [
        pytest.param(ONE, [], "True", id="without init containers: from the first"),
        pytest.param(INITS, [], f"{INCOMPLETE}: [i j]", id="not before them"),
        pytest.param(INITS, [ran("i"), up("j")], f"{INCOMPLETE}: [j]", id="not while one runs"),
        pytest.param(INITS, [ran("i"), ran("j")], "True", id="when all have succeeded"),
        pytest.param(SIDE_PROBED, [up("s")], f"{INCOMPLETE}: [s]", id="a sidecar that has not started"),
        pytest.param(SIDE, [up("s")], "True", id="a sidecar that has"),
        pytest.param(
            planned(inits=(sidecar(readiness_probe=probe()),)), [up("s")], "True", id="a sidecar need not be ready"
        ),
        pytest.param(SIDE, [up("s"), died("s", 1)], f"{INCOMPLETE}: [s]", id="a sidecar that is down"),
        pytest.param(SIDE, [up("s"), up(), died("s", 1)], "True", id="not when a main container runs"),
        pytest.param(SIDE, [up("s"), ran(), died("s", 1)], "True", id="or has ended"),
        pytest.param(INIT_NEVER, [ran("i"), ran()], "True PodCompleted", id="completed"),
        pytest.param(INIT_NEVER, [ran("i"), ran(code=1)], "True", id="failed later"),
        pytest.param(INIT_NEVER, [ran("i", code=1)], f"{INCOMPLETE}: [i]", id="failed"),
        pytest.param(INIT_NEVER, [up("i"), DEADLINE, died("i", 3)], "True", id="its end with 0 at the deadline"),
        pytest.param(NEVER, [ran()], "True PodCompleted", id="completed without init containers"),
        pytest.param(ALL, [*REMOVED, up("i", 3, attempt=1)], "True", id="it stays through RestartAllContainers"),
    ],
)
def test_initialized(plan: Plan, happened: Happened, text: str) -> None:
    assert condition(plan, "Initialized", *happened) == text


@pytest.mark.parametrize(
    ("happened", "text"),
    [
        pytest.param([], "True", id="volumes are there"),
        pytest.param([no_volume(1)], "False", id="they are not"),
        pytest.param([up(), DELETED], "True", id="while it ends"),
        pytest.param([up(), DELETED, died(at=3)], "False", id="at the end"),
    ],
)
def test_ready_to_start_containers(happened: Happened, text: str) -> None:
    assert condition(ONE, "PodReadyToStartContainers", *happened) == text


@pytest.mark.parametrize(
    ("happened", "text"),
    [
        pytest.param([], "False", id="not yet"),
        pytest.param(
            REMOVED[:-1],
            "True RestartAllContainersStarted: container exited with restart policy rule",
            id="being ended",
        ),
        pytest.param(REMOVED, "False", id="removed"),
        pytest.param([ran("i"), ran()], "False PodCompleted", id="completed"),
        pytest.param([ran("i"), ran(code=1)], "False PodFailed", id="failed"),
    ],
)
def test_all_containers_restarting(happened: Happened, text: str) -> None:
    assert condition(ALL, "AllContainersRestarting", *happened) == text


def test_the_order_of_conditions() -> None:
    kinds = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
    assert [one.type for one in shown(ONE, up()).conditions] == kinds
    assert [one.type for one in shown(ALL, up("i")).conditions] == [*kinds, "AllContainersRestarting"]


def test_when_a_condition_has_changed() -> None:
    times = {one.type: one.last_transition_time for one in shown(ONE, up(at=2)).conditions}
    assert times["Ready"] == "T+2"
    assert times["PodScheduled"] == "T+0"


CHANGED = Changed(at=1)


@pytest.mark.parametrize(
    ("happened", "generation"),
    [
        pytest.param([], 1, id="from the start"),
        pytest.param([up(), died(at=1), up(at=2, attempt=1)], 1, id="whatever happens"),
        pytest.param([CHANGED], 2, id="the specification has changed"),
        pytest.param([CHANGED, Redefined(at=1, container="a"), CHANGED], 3, id="it has changed again"),
        pytest.param([Redefined(at=1, container="a")], 1, id="only the meaning of an image has changed"),
        pytest.param([up(), DELETED], 2, id="it was deleted"),
        pytest.param([up(), DELETED, StopAsked(at=3, grace=1)], 2, id="less time is given for that"),
        pytest.param([up(), DEADLINE], 1, id="it ends for another reason"),
        pytest.param([up(), DEADLINE, StopAsked(at=3)], 2, id="and is deleted then"),
    ],
)
def test_generation(happened: Happened, generation: int) -> None:
    plan = index(Manifest(pod=Pod(metadata=ObjectMeta(name="p", generation=7), spec=ONE.pod.spec)))
    pod = as_pod(plan, known(plan, *happened), 3, clock, Where(), [])
    assert pod["metadata"]["generation"] == pod["status"]["observedGeneration"] == generation
    assert {one["observedGeneration"] for one in pod["status"]["conditions"]} == {generation}


def test_one_condition_has_no_generation() -> None:
    generations = {one.type: one.observed_generation for one in shown(ALL, CHANGED).conditions}
    assert generations.pop("AllContainersRestarting") == 0
    assert set(generations.values()) == {2}


ROOT, OTHER = User(uid=0, gid=0, groups=(0,)), User(uid=1000, gid=3000, groups=(3000, 4000))


def up_as(user: User | None, at: float = 0.0, attempt: int = 0) -> tuple[Any, ...]:
    """An instance was started, as this user."""
    began, started = up(at=at, attempt=attempt)
    return began, replace(started, user=user)


def unstartable_as(user: User, at: float, attempt: int, **fields: str) -> tuple[Any, ...]:
    """An instance could not be started, which would have been this user's."""
    began, failed = unstartable(at=at, attempt=attempt, **fields)
    return began, replace(failed, user=user)


@pytest.mark.parametrize(
    ("plan", "happened", "user"),
    [
        pytest.param(ONE, [], None, id="never started"),
        pytest.param(ONE, [up_as(ROOT)], ROOT, id="runs"),
        pytest.param(ONE, [up_as(OTHER)], OTHER, id="runs as another"),
        pytest.param(ONE, [up_as(None)], None, id="nobody has said as whom"),
        pytest.param(ONE, [up_as(OTHER), died(at=1)], OTHER, id="has ended"),
        pytest.param(ONE, [up_as(OTHER), died(at=1, code=1), refused("a", 1.5)], OTHER, id="waits for its back-off"),
        pytest.param(ONE, [up_as(OTHER), died(at=1), up_as(ROOT, 2, 1)], ROOT, id="runs again, as another"),
        pytest.param(ONE, [up_as(OTHER), died(at=1), up_as(ROOT, 2, 1)[0]], OTHER, id="is about to run as another"),
        pytest.param(ONE, [unstartable_as(ROOT, 0, 0)], ROOT, id="could not be run"),
        pytest.param(ONE, [up_as(OTHER), died(at=1), unstartable_as(ROOT, 2, 1)], ROOT, id="could not be run again"),
        pytest.param(
            ONE,
            [up_as(OTHER), died(at=1), unstartable_as(ROOT, 2, 1, reason="CreateContainerError")],
            OTHER,
            id="could not be created again",
        ),
        pytest.param(HOOKED, [up_as(ROOT)], None, id="its postStart hook is not through"),
        pytest.param(
            ALL, [ran("i"), up_as(ROOT, 1), died(at=2, code=42), *REMOVED[2:]], None, id="was removed to start again"
        ),
    ],
)
def test_the_user_of_a_container(plan: Plan, happened: Happened, user: User | None) -> None:
    linux = LinuxContainerUser(uid=user.uid, gid=user.gid, supplemental_groups=user.groups) if user else None
    assert of(plan, *happened).user == (ContainerUser(linux=linux) if linux else None)


# -- the rest ---------------------------------------------------------------------------------------------------------


def test_the_pod_as_an_object() -> None:
    pod = as_pod(ONE, known(ONE, up(at=1), at=1), 2, clock, Where(ips=("192.0.2.1",)), [])
    given = {"name": "p", "namespace": "default", "uid": "u"}
    assert pod["metadata"] == {**given, "creationTimestamp": "T+1", "generation": 1}
    assert pod["spec"]["restartPolicy"] == "Always"
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["podIP"] == "192.0.2.1"
    assert pod["status"]["containerStatuses"][0]["state"] == {"running": {"startedAt": "T+1"}}


def test_the_pod_as_an_object_when_it_is_deleted_and_in_trouble() -> None:
    plan = index(Manifest(pod=Pod(metadata=ObjectMeta(name="p", annotations={"a": "b"}), spec=ONE.pod.spec)))
    facts = known(plan, up(), StopAsked(at=2, grace=7))
    meta = as_pod(plan, facts, 3, clock, Where(), ["no disk", "no sentinel"])["metadata"]
    assert meta["namespace"] == "default"
    assert (meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"]) == ("T+9", 7)
    assert meta["annotations"] == {"a": "b", "initsup.dev/degraded": "no disk; no sentinel"}


def test_where_it_runs() -> None:
    where = Where(ips=("10.0.0.1", "2001:db8::1"), qos_class="Burstable")
    status = to_dict(report(ONE, begin(ONE, 5), 5, clock, where), defaults=True)
    assert (status["hostIP"], status["podIP"], status["qosClass"]) == ("10.0.0.1", "10.0.0.1", "Burstable")
    both = [{"ip": "10.0.0.1"}, {"ip": "2001:db8::1"}]
    assert (status["hostIPs"], status["podIPs"]) == (both, both)
    assert status["startTime"] == "T+5"
    bare = report(ONE, begin(ONE, 5), 5, clock)
    assert (bare.host_ips, bare.pod_ips, bare.host_ip) == ((), (), "")


FINISH = Began(at=9, action=Finish())


@pytest.mark.parametrize(
    ("plan", "happened", "code", "text"),
    [
        pytest.param(NEVER, [ran(), COMPLETED], 0, "every container has succeeded", id="success"),
        pytest.param(
            NEVER, [ran(code=3), COMPLETED], 3, "container a ended with 3 (Error)", id="the culprit's own code"
        ),
        pytest.param(NEVER, [ran(code=137), COMPLETED], 137, "container a ended with 137 (Error)", id="a signal"),
        pytest.param(
            TWO_NEVER,
            [ran("a", 0, 5, 3), ran("b", 0, 4, 4), COMPLETED],
            4,
            "container b ended with 4 (Error)",
            id="the first culprit",
        ),
        pytest.param(NEVER, [unstartable(), COMPLETED], 128, "container a ended with 128 (StartError)", id="no start"),
        pytest.param(
            INIT_NEVER, [ran("i", code=5), FAILED], 5, "init container i ended with 5 (Error)", id="an init container"
        ),
        pytest.param(ONE, [up(), DELETED, died(at=3, code=143)], 0, "stopped on request", id="deleted: always 0"),
        pytest.param(
            NEVER, [ran(code=3), COMPLETED, StopAsked(at=3)], 0, "stopped on request", id="deleted on top of an end"
        ),
        pytest.param(
            planned(active_deadline_seconds=5),
            [up(), DEADLINE, died(at=3)],
            124,
            "activeDeadlineSeconds of 5 has passed",
            id="the deadline",
        ),
        pytest.param(ONE, [up(), Evicted(at=2, message="full"), died(at=3)], 137, "evicted: full", id="an eviction"),
        pytest.param(
            SIDE_NEVER,
            [up("s"), ran(), COMPLETED, died("s", 3, 9)],
            0,
            "every container has succeeded",
            id="a sidecar does not count",
        ),
        pytest.param(
            planned(inits=(container("i"),), policy="OnFailure"),
            [ran("i", code=3), ran("i", 1, 2, attempt=1), ran("a", 2, 3), COMPLETED],
            0,
            "every container has succeeded",
            id="nor does a failure that was made good",
        ),
        pytest.param(ONE, [up()], 0, "stopped on request", id="no reason at all"),
    ],
)
def test_exit_code(plan: Plan, happened: Happened, code: int, text: str) -> None:
    assert exit_code(plan, known(plan, *happened, FINISH)) == (code, text)
