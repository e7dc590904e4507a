"""What events and begun actions mean: the only way facts change."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from initsup.core.actions import Finish, Prepare, Refuse, Remove, RestartAll, Stop
from initsup.core.apply import apply, begin
from initsup.core.events import (
    Began,
    Died,
    Event,
    Evicted,
    Hooked,
    Looked,
    Lost,
    Probed,
    Redefined,
    RestartAsked,
    Signalled,
    Started,
    StartFailed,
    StopAsked,
    VolumeFailed,
    VolumesReady,
)
from initsup.core.facts import (
    UNSEEN,
    UNSEEN_MESSAGE,
    BackOff,
    Condition,
    ContainerFacts,
    Exit,
    Exited,
    Facts,
    Refused,
    Running,
    StartError,
    Starting,
    Stopping,
    Volumes,
    Waiting,
)
from initsup.core.plan import Plan
from tests.build import (
    container,
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

ONE = planned()
HOOKED = planned(container(lifecycle=hooks(post_start=True, pre_stop=True)))
LIVE = planned(container(liveness_probe=probe()))
SEEN_END = Exited(Exit(code=0, reason="Completed", started_at=0, finished_at=1, pid=1))
UNSEEN_END = Exited(Exit(code=137, reason=UNSEEN, message=UNSEEN_MESSAGE, started_at=0, finished_at=9))
UNSEEN_START = Exited(Exit(code=137, reason=UNSEEN, message=UNSEEN_MESSAGE, finished_at=9))


def one(plan: Plan, *happened: Any) -> ContainerFacts:
    return known(plan, *happened).containers["a"]


def test_the_beginning() -> None:
    facts = begin(planned(inits=(container("i"),)), 7)
    assert facts.began_at == 7
    assert facts.containers == {"i": ContainerFacts(), "a": ContainerFacts()}
    assert facts.volumes == Volumes()
    assert {name: (known.status, known.since) for name, known in facts.conditions.items()} == {
        "PodReadyToStartContainers": (False, 7),
        "Initialized": (False, 7),
        "Ready": (False, 7),
        "ContainersReady": (False, 7),
        "PodScheduled": (True, 7),
    }


def test_nothing_has_happened() -> None:
    facts = begin(ONE, 0)
    assert apply(ONE, facts) is facts


def test_who_holds_facts_sees_no_change_in_them() -> None:
    held = [begin(ONE, 0)]
    for event in (*up(at=1), StopAsked(at=2)):
        held.append(apply(ONE, held[-1], event))
    frozen = msgspec.json.encode(held)
    assert apply(ONE, held[0], *up(at=1), StopAsked(at=2)) == held[-1]
    assert msgspec.json.encode(held) == frozen


# -- one instance -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "happened", "state"),
    [
        pytest.param(ONE, [], Waiting(), id="it waits"),
        pytest.param(ONE, [up(at=3)[0]], Starting(3), id="a start has begun"),
        pytest.param(ONE, [up(at=3)], Running(pid=1, since=3), id="it was started"),
        pytest.param(HOOKED, [up(at=3)], Running(pid=1, since=3, hook="due"), id="its postStart hook is due"),
        pytest.param(HOOKED, [up(), hook_begun()], Running(pid=1, since=0, hook="running"), id="the hook runs"),
        pytest.param(HOOKED, [up(), hook_begun(), hooked(at=1)], Running(pid=1, since=0), id="it is through"),
        pytest.param(
            HOOKED, [up(), hook_begun(), hooked(at=1, ok=False)], Running(pid=1, since=0, hook="failed"), id="it failed"
        ),
        pytest.param(
            ONE,
            [(*up(at=3), died(at=5, code=4, message="bye"))],
            Exited(Exit(4, "Error", 5, "bye", 3, 1)),
            id="it failed by itself",
        ),
        pytest.param(ONE, [ran()], Exited(Exit(0, "Completed", 1, "", 0, 1)), id="it succeeded"),
        pytest.param(
            ONE, [(*up(), died(at=1, oom=True))], Exited(Exit(0, "OOMKilled", 1, "", 0, 1)), id="killed for memory"
        ),
        pytest.param(
            ONE,
            [unstartable(at=3)],
            Exited(Exit(128, "StartError", 3, "no")),
            id="it could not be run: 128, never started",
        ),
        pytest.param(ONE, [unstartable(reason="CreateContainerError")], Waiting(), id="it could not be created"),
        pytest.param(
            ONE,
            [ran(), unstartable(at=2, attempt=1, reason="CreateContainerConfigError")],
            Exited(Exit(0, "Completed", 1, "", 0, 1)),
            id="it could not be created again",
        ),
        pytest.param(
            ONE,
            [up(), killed(at=4, deadline=9, restart=True, ordered=True)],
            Stopping(1, 0, asked_at=4, deadline=9, message="", restart=True, ordered=True),
            id="it is being ended",
        ),
        pytest.param(HOOKED, [up(), killed(at=4)], Stopping(1, 0, 4, 30, "", hook="due"), id="its preStop hook is due"),
        pytest.param(HOOKED, [up(), killed(at=4, deadline=4)], Stopping(1, 0, 4, 4, ""), id="no grace, no hook"),
        pytest.param(HOOKED, [up(), killed(skip_hook=True)], Stopping(1, 0, 0, 30, ""), id="the hook is skipped"),
        pytest.param(
            HOOKED,
            [up(), killed(), hook_begun(hook="preStop")],
            Stopping(1, 0, 0, 30, "", hook="running"),
            id="the preStop hook runs",
        ),
        pytest.param(
            HOOKED,
            [up(), killed(), hook_begun(hook="preStop"), hooked(at=1, hook="preStop", ok=False)],
            Stopping(1, 0, 0, 30, "", hook="done"),
            id="it is through, well or not",
        ),
        pytest.param(ONE, [up(), killed(), signalled(at=4)], Stopping(1, 0, 0, 30, "", term_at=4), id="a stop signal"),
        pytest.param(
            ONE,
            [up(), killed(), signalled(at=4), signalled(at=6, number=9)],
            Stopping(1, 0, 0, 30, "", term_at=4, killed_at=6),
            id="SIGKILL",
        ),
        pytest.param(ONE, [up(), signalled(at=4)], Running(1, 0), id="a signal for one that runs means nothing"),
        pytest.param(
            ONE,
            [up(), killed(restart=True), died(at=2)],
            Exited(Exit(0, "Completed", 2, "", 0, 1), retry=True),
            id="ended in order to start again",
        ),
        pytest.param(ONE, [up(), killed(), died(at=2)], Exited(Exit(0, "Completed", 2, "", 0, 1)), id="ended for good"),
        pytest.param(
            ONE,
            [up(), killed(restart=True), died(at=2), StopAsked(at=2)],
            Exited(Exit(0, "Completed", 2, "", 0, 1)),
            id="not started again in a pod that ends",
        ),
        pytest.param(
            ONE, [up(), Signalled(at=1, container="a", attempt=0, signal=9)], Running(1, 0), id="a signal was sent"
        ),
    ],
)
def test_state(plan: Plan, happened: list[Any], state: Any) -> None:
    assert one(plan, *happened).state == state


def test_attempts_are_counted_from_0() -> None:
    assert one(ONE).attempt == -1
    assert one(ONE, up()).attempt == 0
    assert one(ONE, ran(), up(at=1, attempt=1)).attempt == 1


def test_an_attempt_that_made_no_instance_is_taken_back() -> None:
    assert one(ONE, unstartable(reason="CreateContainerError")).attempt == -1
    assert one(ONE, unstartable(reason="RunContainerError")).attempt == 0


@pytest.mark.parametrize(
    ("plan", "happened", "last"),
    [
        pytest.param(ONE, [ran()], None, id="there was none"),
        pytest.param(ONE, [ran(code=3), up(at=1, attempt=1)], 3, id="the run before"),
        pytest.param(ONE, [ran(code=3), ran("a", 1, 2, 4, attempt=1)], 3, id="also when this one has ended"),
        pytest.param(
            ONE, [ran(code=3), ran("a", 1, 2, 4, attempt=1), up(at=3, attempt=2)], 4, id="only the newest is kept"
        ),
        pytest.param(
            ONE,
            [ran(code=3), ran("a", 1, 2, 4, attempt=1), unstartable(at=3, attempt=2, reason="CreateContainerError")],
            3,
            id="one that was not created leaves it",
        ),
    ],
)
def test_the_run_before(plan: Plan, happened: list[Any], last: int | None) -> None:
    found = one(plan, *happened).last
    assert (found and found.code) == last


@pytest.mark.parametrize(
    ("plan", "happened", "error"),
    [
        pytest.param(ONE, [unstartable(at=3)], StartError("RunContainerError", "no", 3), id="it could not be run"),
        pytest.param(
            ONE,
            [unstartable(at=3, reason="CreateContainerError")],
            StartError("CreateContainerError", "no", 3),
            id="it could not be created",
        ),
        pytest.param(
            HOOKED,
            [up(), hook_begun(), hooked(at=3, ok=False)],
            StartError("PostStartHookError", "it says no", 3),
            id="its postStart hook failed",
        ),
        pytest.param(
            HOOKED,
            [up(), hook_begun(), died(at=2), hooked(at=3, ok=False)],
            StartError("PostStartHookError", "it says no", 3),
            id="also when it had ended under the hook",
        ),
        pytest.param(
            HOOKED, [up(), hook_begun(), died(at=2), hooked(at=3)], None, id="a hook that succeeds after the end"
        ),
        pytest.param(ONE, [unstartable(), up(at=1, attempt=1)], None, id="a start that succeeds clears it"),
        pytest.param(ONE, [unstartable(), RestartAsked(at=1, container="a")], None, id="a person clears it"),
        pytest.param(
            HOOKED,
            [up(), killed(), hook_begun(hook="preStop"), hooked(at=3, hook="preStop", ok=False)],
            None,
            id="a preStop hook that fails is no error",
        ),
    ],
)
def test_why_the_last_start_failed(plan: Plan, happened: list[Any], error: StartError | None) -> None:
    assert one(plan, *happened).error == error


def test_the_back_off_is_kept_by_starts() -> None:
    assert one(ONE, up()).back_off is None
    assert one(ONE, ran(code=1), up(at=1, attempt=1)).back_off == BackOff(10, 1)
    assert one(ONE, ran(code=1), unstartable(at=1, attempt=1, reason="CreateContainerError")).back_off == BackOff(10, 1)


REFUSAL = Began(at=2, action=Refuse(container="a", attempt=1, delay=10, until=12))
CRASHED = (ran(code=1), ran("a", 1, 2, 1, attempt=1))


@pytest.mark.parametrize(
    ("happened", "refused"),
    [
        pytest.param([REFUSAL], Refused(10, 12, 2), id="said"),
        pytest.param([REFUSAL, up(at=12, attempt=2)], None, id="a start clears it"),
        pytest.param([REFUSAL, RestartAsked(at=3, container="a")], None, id="a person clears it"),
        pytest.param([REFUSAL, Redefined(at=3, container="a")], None, id="a new definition clears it"),
        pytest.param(
            [REFUSAL, unstartable(at=12, attempt=2, reason="CreateContainerError")],
            None,
            id="so does a failed creation",
        ),
    ],
)
def test_refusals(happened: list[Any], refused: Refused | None) -> None:
    assert one(ONE, *CRASHED, *happened).refused == refused


def test_a_refusal_of_one_that_was_killed_to_start_again() -> None:
    facts = one(ONE, up(), killed(restart=True), died(at=2), REFUSAL)
    assert facts.refused == Refused(10, 12, 2, unseen_end=True)
    assert facts.state == Exited(Exit(0, "Completed", 2, "", 0, 1))
    assert (facts.started, facts.ready) == (False, False)


def test_a_new_instance_has_new_probes() -> None:
    facts = one(LIVE, up(), probe_begun(at=10), died(at=11), up(at=20, attempt=1))
    assert (facts.probes["liveness"].due, facts.probes["liveness"].since) == (30, None)


def test_an_attempt_of_a_probe_ends_with_its_instance() -> None:
    assert one(LIVE, up(), probe_begun(at=10)).probes["liveness"].since == 10
    assert one(LIVE, up(), probe_begun(at=10), died(at=11)).probes["liveness"].since is None


def test_what_was_shown_stays_until_the_instance_is_seen() -> None:
    assert one(ONE, up()[0]).before == ContainerFacts()
    assert one(ONE, up()).before is None
    assert one(HOOKED, up(), hook_begun()).before == ContainerFacts()
    assert one(HOOKED, up(), hook_begun(), hooked(at=1)).before is None
    assert one(HOOKED, up(), hook_begun(), died(at=1)).before is None
    assert one(HOOKED, up(), hook_begun(), hooked(at=1, ok=False), killed(at=1)).before == ContainerFacts()


def test_who_asked_for_a_restart() -> None:
    assert one(ONE, up(), RestartAsked(at=1, container="a", by="me")).asked == "me"
    assert one(ONE, up(), RestartAsked(at=1, container="a")).asked == "was asked to restart"
    assert one(ONE, ran(), RestartAsked(at=1, container="a"), up(at=1, attempt=1)).asked == ""


def test_a_restart_that_was_asked_for_is_not_forgotten_when_a_start_fails() -> None:
    ask, failed = (
        RestartAsked(at=1, container="a", by="me"),
        unstartable(at=1, attempt=1, reason="CreateContainerError"),
    )
    assert one(ONE, ran(), ask, failed).asked == "me"
    assert one(ONE, ran(), failed[0], ask, failed[1]).asked == "me"


def test_one_that_was_killed_to_start_again_and_cannot_be_created_has_ended() -> None:
    facts = one(
        ONE, up(), killed(restart=True), died(at=1), unstartable(at=1, attempt=1, reason="CreateContainerError")
    )
    assert facts.state == Exited(Exit(0, "Completed", 1, "", 0, 1))
    assert not facts.started


# -- out of date ------------------------------------------------------------------------------------------------------

LATE: list[Event] = [
    Started(at=9, container="a", attempt=0, pid=9),
    StartFailed(at=9, container="a", attempt=0, reason="RunContainerError", message="late"),
    Died(at=9, container="a", attempt=0, code=9),
    Probed(at=9, container="a", attempt=0, probe="liveness", outcome="failure"),
    Hooked(at=9, container="a", attempt=0, hook="postStart", ok=False),
    Hooked(at=9, container="a", attempt=0, hook="preStop", ok=False),
    Signalled(at=9, container="a", attempt=0, signal=9),
]


@pytest.mark.parametrize("late", LATE, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize(
    "now",
    [
        pytest.param([up(at=2, attempt=1)[0]], id="starting"),
        pytest.param([up(at=2, attempt=1)], id="running"),
        pytest.param([up(at=2, attempt=1), hook_begun(at=2, attempt=1)], id="hook"),
        pytest.param([up(at=2, attempt=1), killed(at=3, attempt=1)], id="stopping"),
        pytest.param([ran("a", 2, 3, 1, attempt=1)], id="exited"),
    ],
)
def test_a_late_event_of_an_old_attempt_changes_nothing(late: Event, now: list[Any]) -> None:
    plan = planned(
        container(lifecycle=hooks(post_start=True, pre_stop=True), liveness_probe=probe(failure_threshold=1))
    )
    facts = known(plan, ran(code=1), *now)
    assert apply(plan, facts, late) == facts


@pytest.mark.parametrize(
    ("happened", "event"),
    [
        pytest.param([up()], Started(at=9, container="a", attempt=0, pid=9), id="started twice"),
        pytest.param(
            [up()],
            StartFailed(at=9, container="a", attempt=0, reason="RunContainerError", message=""),
            id="started and failed",
        ),
        pytest.param([ran()], Died(at=9, container="a", attempt=0, code=9), id="died twice"),
        pytest.param([up()[0]], Died(at=9, container="a", attempt=0, code=9), id="died before it was started"),
        pytest.param([ran()], probed(at=9)[1], id="a probe after the end"),
        pytest.param([up()[0]], probed(at=9)[1], id="a probe before the start"),
        pytest.param([up(), killed()], hooked(at=9, hook="preStop"), id="a preStop hook that did not run"),
        pytest.param([up()], hooked(at=9, hook="preStop"), id="a preStop hook of one that is not being ended"),
        pytest.param([up()], hooked(at=9, ok=False), id="a postStart hook that did not run"),
        pytest.param([up(), StopAsked(at=1)], RestartAsked(at=2, container="a"), id="a restart in a pod that ends"),
        pytest.param([up()], RestartAsked(at=2, container="nobody"), id="a restart of nobody"),
        pytest.param([up(), StopAsked(at=1)], Redefined(at=2, container="a"), id="a definition in a pod that ends"),
        pytest.param([up()], Redefined(at=2, container="nobody"), id="a definition of nobody"),
        pytest.param([up()], Looked(at=2), id="a look"),
    ],
)
def test_what_cannot_be_changes_nothing(happened: list[Any], event: Event) -> None:
    facts = known(LIVE, *happened)
    assert apply(LIVE, facts, event) == facts


# -- the pod ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "delays"),
    [pytest.param(11, [0.5, 1, 2, 4, 8, 16, 32, 64, 122, 122, 122], id="doubled from 0.5 s to 122 s")],
)
def test_retries_of_volumes(failures: int, delays: list[float]) -> None:
    facts = begin(ONE, 0)
    seen = []
    for number in range(failures):
        facts = apply(ONE, facts, VolumeFailed(at=1000 * number, volume="v", message="no"))
        seen.append(facts.volumes.retry_at - 1000 * number)
    assert seen == delays
    assert facts.volumes.message == "no"
    assert apply(ONE, facts, VolumesReady(at=1e5)).volumes == Volumes(state="ready")


def test_a_volume_that_cannot_be_written_anew_keeps_what_it_has() -> None:
    facts = known(ONE, VolumesReady(at=1))
    assert apply(ONE, facts, VolumeFailed(at=2, volume="v", message="no")) == facts


def test_volumes_are_being_made() -> None:
    facts = known(ONE, no_volume(1), Began(at=2, action=Prepare()))
    assert facts.volumes == Volumes(state="preparing", retry_at=1.5, delay=0.5, message="no")


def test_finished() -> None:
    assert known(ONE, Began(at=0, action=Finish())).finished


RESTARTS = planned(
    container("a", restart_policy="Never", restart_policy_rules=(rule("RestartAllContainers", 42),)),
    inits=(container("i"), sidecar(), container("j")),
)


def removed(*more: Any) -> Facts:
    return known(
        RESTARTS,
        ran("i"),
        up("s", 1),
        ran("j", 1, 2),
        (*up("a", 2), died("a", 3, 42)),
        Began(at=3, action=RestartAll(trigger="a")),
        died("s", 4),
        *more,
    )


def test_restart_all_ends_then_forgets_then_starts_over() -> None:
    remove = Began(at=4, action=Remove())
    assert removed().restarting == "ending"
    assert removed(remove).restarting == "removed"
    assert removed(remove, up("i", 5, attempt=1)[0]).restarting == "removed"
    assert removed(remove, up("i", 5, attempt=1)).restarting == ""
    assert removed(StopAsked(at=4)).restarting == ""


def test_a_removed_container_keeps_its_count_and_nothing_else() -> None:
    facts = removed(Began(at=4, action=Remove()))
    gone = Exit(137, "RestartingAllContainers", 4, "The container is removed because RestartAllContainers in place", 4)
    for name in "isja":
        bare = ContainerFacts(attempt=0, last=gone, removed=True, ready=name in "ij")
        assert facts.containers[name] == bare


def test_one_that_was_ended_to_be_removed_is_no_longer_started_or_ready() -> None:
    ended = [up("a"), killed("a", restart=True), died("a", 3), Began(at=3, action=RestartAll(trigger="b"))]
    before, after = known(ONE, *ended), known(ONE, *ended, Began(at=4, action=Remove()))
    assert (before.containers["a"].started, before.containers["a"].ready) == (True, True)  # it is to start again
    assert (after.containers["a"].started, after.containers["a"].ready) == (False, False)


def test_readiness_of_removed_init_containers_stays_until_one_is_back() -> None:
    facts = removed(Began(at=4, action=Remove()))
    assert [name for name in "isja" if facts.containers[name].ready] == ["i", "j"]
    facts = removed(Began(at=4, action=Remove()), up("i", 5, attempt=1))
    assert [facts.containers[name].ready for name in "isja"] == [False] * 4


def test_errors_and_refusals_do_not_outlive_a_removal() -> None:
    facts = known(
        RESTARTS,
        unstartable("i"),
        Began(at=0, action=Refuse(container="i", attempt=0, delay=10, until=10)),
        Began(at=3, action=RestartAll(trigger="a")),
        Began(at=3, action=Remove()),
    ).containers["i"]
    assert (facts.error, facts.refused, facts.started, facts.ready) == (None, None, False, False)


def test_one_that_was_never_started_is_not_removed() -> None:
    facts = known(RESTARTS, ran("i"), Began(at=3, action=RestartAll(trigger="a")), Began(at=3, action=Remove()))
    assert facts.containers["a"] == ContainerFacts()
    assert facts.containers["i"].removed


def test_a_removed_container_that_cannot_be_created_stays_removed() -> None:
    facts = removed(
        Began(at=4, action=Remove()), unstartable("i", 5, reason="CreateContainerError", attempt=1)
    ).containers["i"]
    assert (facts.removed, facts.attempt, facts.state) == (True, 0, Waiting())


@pytest.mark.parametrize(
    ("happened", "state"),
    [
        pytest.param([], Waiting(), id="one that was never started"),
        pytest.param([up()[0]], UNSEEN_START, id="one that was being started"),
        pytest.param([up()], UNSEEN_END, id="one that ran"),
        pytest.param([up(), killed()], UNSEEN_END, id="one that was being ended"),
        pytest.param([ran()], SEEN_END, id="one that had ended, as it had"),
        pytest.param([up(), killed(restart=True), died(at=1)], SEEN_END, id="also when it was to start again at once"),
    ],
)
def test_what_becomes_of_an_instance_whose_supervisor_is_lost(happened: list[Any], state: Any) -> None:
    facts = known(ONE, *happened, Lost(at=9))
    assert facts.containers["a"].state == state
    assert facts.containers["a"].before is None
    assert not facts.containers["a"].started
    assert facts.finished
    assert facts.stop is not None
    assert (facts.stop.why, facts.stop.at) == ("lost", 9)


def test_a_pod_that_was_over_is_not_lost() -> None:
    facts = known(planned(policy="Never"), ran(), Began(at=2, action=Stop(why="completed", grace=30)), Lost(at=9))
    assert facts.stop is not None
    assert facts.stop.why == "completed"
    assert facts.finished


def test_an_init_container_that_succeeds_while_its_pod_ends_is_ready() -> None:
    facts = known(planned(inits=(container("i"),)), up("i"), StopAsked(at=1), died("i", 2))
    assert facts.containers["i"].ready


def test_ready_of_one_that_ends_with_its_pod_stays_for_the_conditions() -> None:
    plan = planned(container("a"), container("b"))
    facts = known(plan, up("a"), up("b"), StopAsked(at=1), died("a", 2))
    assert facts.containers["a"].ready
    assert facts.conditions["Ready"] == Condition(True, 0)


# -- conditions -------------------------------------------------------------------------------------------------------


def test_a_condition_remembers_since_when_it_holds() -> None:
    plan = planned(container(readiness_probe=probe(failure_threshold=1)))
    facts = known(plan, up(at=1), probed(at=2, kind="readiness"), Looked(at=3), at=0)
    assert facts.conditions["Ready"] == Condition(True, 2)
    facts = apply(plan, facts, *probed(at=5, kind="readiness"), *probed(at=6, kind="readiness", outcome="failure"))
    assert facts.conditions["Ready"] == Condition(False, 6)
    assert facts.conditions["PodScheduled"] == Condition(True, 0)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        pytest.param(Began(at=3, action=Stop(why="deadline", grace=5, message="late")), "deadline", id="the deadline"),
        pytest.param(Evicted(at=3, message="late"), "evicted", id="an eviction"),
    ],
)
def test_why_the_pod_ends(event: Event, why: str) -> None:
    facts = known(ONE, up(), event)
    assert facts.stop is not None
    assert (facts.stop.why, facts.stop.at, facts.stop.message) == (why, 3, "late")
    assert facts.deleted is None
    assert facts.conditions["Ready"] == Condition(False, 3)
