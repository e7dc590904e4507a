"""What a run looks like along the time."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.core.actions import Refuse, Stop
from initsup.core.apply import apply, begin
from initsup.core.events import Added, Began, Evicted, Lost, RestartAsked, StopAsked, VolumeFailed, VolumesReady
from initsup.core.phase import LOST_MESSAGE
from initsup.core.plan import Plan
from initsup.core.timeline import KEPT, POD, Timeline
from tests.build import (
    container,
    died,
    hook_begun,
    hooked,
    hooks,
    killed,
    planned,
    probe,
    probed,
    ran,
    sidecar,
    unstartable,
    up,
)

PLAIN = planned(container("a"))
PROBED = planned(container("a", readiness_probe=probe(), startup_probe=probe()))
INITS = planned(container("a"), inits=(container("i"), sidecar("s")))
HOOKED = planned(container("a", lifecycle=hooks(post_start=True)))


def line(plan: Plan, *happened: Any) -> Timeline:
    flat = [event for one in happened for event in (one if isinstance(one, tuple) else (one,))]
    made = Timeline(plan, begin(plan, 0.0))
    for event in (VolumesReady(at=0.0), *flat):
        made.add(event)
    return made


def spans(made: Timeline, name: str = "a") -> list[str]:
    """Each span in words: `ready 1-5`, `back-off 5- (why)`."""
    told = []
    for span in made.lanes[name].spans:
        until = "" if span.until is None else f"{span.until:g}"
        told.append(f"{span.look} {span.since:g}-{until}" + (f" ({span.text})" if span.text else ""))
    return told


def marks(made: Timeline, name: str = "a") -> list[str]:
    return [f"{mark.sign} {mark.at:g} {mark.text}" for mark in made.lanes[name].marks]


def refused(at: float, delay: float = 10.0) -> Began:
    return Began(at=at, action=Refuse(container="a", attempt=0, delay=delay, until=at + delay))


@pytest.mark.parametrize(
    ("plan", "happened", "expected"),
    [
        pytest.param(PLAIN, (), [], id="what has not been started shows nothing"),
        pytest.param(PLAIN, (up(at=1),), ["starting 1-1", "ready 1-"], id="it is ready when it runs"),
        pytest.param(
            PLAIN, (ran(since=1, until=5),), ["starting 1-1", "ready 1-5"], id="after its end there is nothing"
        ),
        pytest.param(
            PLAIN,
            (ran(since=1, until=5, code=1), refused(5)),
            ["starting 1-1", "ready 1-5", "back-off 5- (back-off 10s)"],
            id="a back-off lasts until the next start",
        ),
        pytest.param(
            PLAIN,
            (ran(until=5, code=1), refused(5), StopAsked(at=7)),
            ["starting 0-0", "ready 0-5", "back-off 5-7 (back-off 10s)"],
            id="or until the pod ends",
        ),
        pytest.param(
            PROBED,
            (up(at=1), probed(at=2, kind="startup"), probed(at=4, kind="readiness")),
            ["starting 1-1", "starting 1-2 (startup probe)", "running 2-4 (not ready)", "ready 4-"],
            id="the startup probe, then the readiness probe",
        ),
        pytest.param(
            HOOKED,
            (up(at=1), hook_begun(at=1), hooked(at=3)),
            ["starting 1-1", "starting 1-3 (postStart hook)", "ready 3-"],
            id="a postStart hook is part of the start",
        ),
        pytest.param(
            PLAIN, (up(at=1), killed(at=3)), ["starting 1-1", "ready 1-3", "stopping 3-"], id="it is being stopped"
        ),
        pytest.param(
            PLAIN,
            (unstartable(at=1, reason="CreateContainerConfigError"),),
            ["starting 1-1", "failing 1- (CreateContainerConfigError: no)"],
            id="it cannot be started",
        ),
    ],
)
def test_a_container_looks_like(plan: Plan, happened: tuple[Any, ...], expected: list[str]) -> None:
    assert spans(line(plan, *happened)) == expected


def test_an_init_container_at_work_is_running_and_never_ready() -> None:
    assert spans(line(INITS, ran("i", 1, 3)), "i") == ["starting 1-1", "running 1-3"]


def test_a_sidecar_is_ready_like_a_main_container() -> None:
    assert spans(line(INITS, ran("i", 1, 3), up("s", 3)), "s") == ["starting 3-3", "ready 3-"]


def test_the_pod_has_a_lane_of_its_own() -> None:
    made = line(INITS, ran("i", 1, 3), up("s", 4), up("a", 5), StopAsked(at=9))
    assert spans(made, POD) == [
        "starting 0-4 (initializing)", "running 4-5 (not ready)", "ready 5-9", "stopping 9- (deleted)",
    ]  # fmt: skip
    assert list(made.lanes) == [POD, "i", "s", "a"]
    assert made.ready_at == 5


@pytest.mark.parametrize(
    ("plan", "happened", "expected"),
    [
        pytest.param(PLAIN, (ran(until=5),), ["done 5 ended with 0"], id="success"),
        pytest.param(PLAIN, (ran(until=5, code=3),), ["failed 5 ended with 3"], id="failure"),
        pytest.param(PLAIN, (ran(until=5, code=139),), ["failed 5 ended with 139 (SIGSEGV)"], id="a signal has a name"),
        pytest.param(
            PLAIN, (up(), died(at=5, code=0, oom=True)), ["failed 5 ended with 0 (OOMKilled)"], id="out of memory"
        ),
        pytest.param(
            PLAIN, (up(), killed(at=4), died(at=5, code=143)), ["ended 5 ended with 143 (SIGTERM)"], id="our own signal"
        ),
        pytest.param(PLAIN, (up(), died(at=5, attempt=7)), [], id="a late end of another attempt"),
        pytest.param(
            PROBED,
            (up(), probed(at=12, kind="startup", outcome="failure")),
            ["probe 12 Startup probe failed: out"],
            id="a probe that fails",
        ),
        pytest.param(
            PROBED,
            (up(), probed(at=2, kind="startup", outcome="failure")),
            [],
            id="but not a startup probe before its first period is over",
        ),
        pytest.param(
            HOOKED,
            (up(), hook_begun(), hooked(at=3, ok=False)),
            ["hook 3 PostStartHook failed: it says no"],
            id="a hook that fails",
        ),
        pytest.param(PLAIN, (unstartable(at=1),), ["failed 1 Error: no"], id="no start"),
        pytest.param(PLAIN, (up(), RestartAsked(at=2, container="a", by="me")), ["asked 2 me"], id="a restart"),
        pytest.param(PLAIN, (StopAsked(at=1), RestartAsked(at=2, container="a")), [], id="but not while the pod ends"),
        pytest.param(PLAIN, (RestartAsked(at=2, container="x"),), [], id="nor of a container that is not there"),
    ],
)
def test_moments_that_count(plan: Plan, happened: tuple[Any, ...], expected: list[str]) -> None:
    assert marks(line(plan, *happened)) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(StopAsked(at=2, by="delete"), "asked 2 asked to end: delete", id="the end is asked for"),
        pytest.param(Evicted(at=2, message="full"), "failed 2 full", id="eviction"),
        pytest.param(Lost(at=2), f"failed 2 {LOST_MESSAGE}", id="the supervisor was killed"),
        pytest.param(
            Began(at=2, action=Stop(why="deadline", grace=1, message="late")), "failed 2 late", id="the deadline"
        ),
        pytest.param(
            VolumeFailed(at=2, volume="v", message="no"),
            'failed 2 MountVolume.SetUp failed for volume "v" : no',
            id="a volume",
        ),
    ],
)
def test_moments_of_the_pod(event: Any, expected: str) -> None:
    assert marks(line(PLAIN, up(), event), POD)[0] == expected


def test_restarts_are_counted() -> None:
    assert line(PLAIN, ran(), up(at=2, attempt=1)).lanes["a"].restarts == 1


def test_a_day_of_crashes_takes_bounded_room() -> None:
    made = Timeline(PLAIN, begin(PLAIN, 0.0))
    for attempt in range(2 * KEPT):
        for event in ran(since=attempt, until=attempt + 0.5, code=1, attempt=attempt):
            made.add(event)
    lane = made.lanes["a"]
    assert (len(lane.spans), len(lane.marks)) == (KEPT, KEPT)
    assert lane.marks[-1].at == 2 * KEPT - 0.5


@pytest.mark.parametrize(
    ("happened", "expected", "told"),
    [
        pytest.param((up(at=3),), ["ready 3-"], [], id="it runs"),
        pytest.param((ran(since=1, until=4),), ["running 1-4"], ["done 4 ended with 0"], id="it has ended"),
        pytest.param(
            (ran(since=1, until=4, code=1), up(at=6, attempt=1)),
            ["running 1-4", "ready 6-"],
            ["failed 4 ended with 1"],
            id="the instance before is known as well",
        ),
        pytest.param(
            (ran(since=1, until=4, code=1), refused(5)),
            ["running 1-4", "back-off 5- (back-off 10s)"],
            ["failed 4 ended with 1"],
            id="it waits for its back-off",
        ),
        pytest.param((up(at=3), killed(at=6)), ["running 3-6", "stopping 6-"], [], id="it is being stopped"),
        pytest.param(
            (unstartable(at=2, reason="CreateContainerError"),),
            ["failing 2- (CreateContainerError: no)"],
            [],
            id="it cannot be started",
        ),
    ],
)
def test_a_line_that_begins_in_the_middle_tells_what_the_facts_know(
    happened: tuple[Any, ...], expected: list[str], told: list[str]
) -> None:
    before = line(PLAIN, *happened)
    made = Timeline(PLAIN, before.facts)
    assert (spans(made), marks(made)) == (expected, told)
    assert made.lanes["a"].restarts == before.lanes["a"].restarts


def test_being_told_anew_how_things_stand_changes_nothing_of_the_past() -> None:
    made = line(PLAIN, up(at=1))
    more = planned(container("a"), container("b"))
    made.add(Added(at=1.5, container="b"))
    made.go_on(more, apply(more, begin(more, 0.0), *up(at=1)))
    for event in (*up("b", at=4), died(at=6)):
        made.add(event)
    assert spans(made) == ["starting 1-1", "ready 1-6"]
    assert spans(made, "b") == ["starting 4-4", "ready 4-"]
