"""Learning: `apply(plan, facts, *events) -> facts` is the only way facts change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from initsup.core import actions, events
from initsup.core.conditions import truths
from initsup.core.facts import (
    UNSEEN,
    UNSEEN_MESSAGE,
    Condition,
    ContainerFacts,
    Exit,
    Exited,
    Facts,
    Refused,
    Running,
    StartError,
    Starting,
    Stop,
    Stopping,
    Volumes,
    Waiting,
)
from initsup.core.plan import Member, Plan
from initsup.core.probing import begun, folded, is_ready, is_started, schedule
from initsup.core.restart import REMOVED, REMOVED_MESSAGE, next_back_off
from initsup.core.shutdown import SIGKILL, is_down
from initsup.core.startup import is_alive

VOLUME_RETRY = (0.5, 122.0)
"""Seconds before a failed volume is tried again: first, and at most (volume/util/nestedpendingoperations)."""


def begin(plan: Plan, at: float) -> Facts:
    """The facts of a pod that has been accepted at this moment."""
    facts = Facts(began_at=at, containers={name: ContainerFacts() for name in plan.members})
    return _stamp_conditions(plan, facts, at)


def apply(plan: Plan, facts: Facts, *happened: events.Event) -> Facts:
    """The facts after these events, in order. Events that are out of date change nothing."""
    if not happened:
        return facts
    facts = draft(facts)
    for event in happened:
        facts = learn(plan, facts, event)
    return facts


def draft(facts: Facts) -> Facts:
    """The same facts, whose `containers` are a copy that `learn` may change: one copy for all events that come at once.
    It would cost more than the event itself where there are a thousand containers.
    """
    return replace(facts, containers=dict(facts.containers))


def learn(plan: Plan, facts: Facts, event: events.Event) -> Facts:
    """The facts after one more event. What it is given must be a `draft`, which is of no use afterwards."""
    name = getattr(event.action if isinstance(event, events.Began) else event, "container", "")
    before, old = facts, facts.containers.get(name)
    facts = _RULES[type(event)](plan, facts, event)
    return _restamped(plan, before, old, facts, name, event.at)


# -- what each event means ------------------------------------------------------------------------------------------


def _began(plan: Plan, facts: Facts, event: events.Began) -> Facts:
    return _BEGUN[type(event.action)](plan, facts, event.action, event.at)


def _volumes_ready(plan: Plan, facts: Facts, event: events.VolumesReady) -> Facts:
    return replace(facts, volumes=Volumes(state="ready"))


def _volume_failed(plan: Plan, facts: Facts, event: events.VolumeFailed) -> Facts:
    if facts.volumes.state == "ready":
        return facts  # it could not be written anew, and keeps what it has
    least, most = VOLUME_RETRY
    delay = min(max(facts.volumes.delay * 2, least), most)
    return replace(
        facts, volumes=Volumes(state="failed", retry_at=event.at + delay, delay=delay, message=event.message)
    )


def _started(plan: Plan, facts: Facts, event: events.Started) -> Facts:
    member, container = _at(plan, facts, event)
    if container is None or not isinstance(container.state, Starting):
        return facts
    redefined = container.state.redefined
    state = Running(event.pid, event.at, hook="due" if member.post_start else "done", redefined=redefined)
    probes = schedule(member, container, event.at) if member.probes else {}
    container = replace(container, state=state, probes=probes, user=event.user)
    return _put(facts, member, container) if member.post_start else _seen(facts, member, container)


def _start_failed(plan: Plan, facts: Facts, event: events.StartFailed) -> Facts:
    member, container = _at(plan, facts, event)
    if container is None or not isinstance(container.state, Starting):
        return facts
    error = StartError(reason=event.reason, message=event.message, at=event.at)
    if event.reason == "RunContainerError":
        end = Exit(code=128, reason="StartError", message=event.message, finished_at=event.at)
        return _seen(facts, member, replace(container, state=Exited(end), error=error, user=event.user))
    before = container.before
    assert before is not None  # a Starting container has it
    return _seen(
        facts,
        member,
        replace(
            before,
            state=replace(before.state, retry=False) if isinstance(before.state, Exited) else before.state,
            error=error,
            refused=None,
            back_off=container.back_off,
            asked=container.asked or before.asked,
        ),
    )


def _died(plan: Plan, facts: Facts, event: events.Died) -> Facts:
    member, container = _at(plan, facts, event)
    if container is None or not isinstance(container.state, Running | Stopping):
        return facts
    state = container.state
    reason = "OOMKilled" if event.oom else "Completed" if event.code == 0 else "Error"
    end = Exit(
        code=event.code,
        reason=reason,
        message=event.message,
        started_at=state.since,
        finished_at=event.at,
        pid=state.pid,
    )
    retry = isinstance(state, Stopping) and state.restart
    probes = {kind: replace(probe, since=None) for kind, probe in container.probes.items()}
    return _seen(facts, member, replace(container, state=Exited(end, retry=retry), probes=probes))


def _probed(plan: Plan, facts: Facts, event: events.Probed) -> Facts:
    member, container = _at(plan, facts, event)
    if container is None or not isinstance(container.state, Running | Stopping):
        return facts
    probes = dict(container.probes)
    for kind, spec in member.probes:
        if kind == event.probe:
            probes[kind] = folded(kind, spec, probes[kind], event.outcome, event.at, container.state.since)
    if event.probe == "startup" and probes["startup"].result and not container.started:
        for kind, spec in member.probes:  # the gate opens: readiness is asked at once, liveness on its next tick
            if kind != "startup":
                due = event.at if kind == "readiness" else event.at + spec.period_seconds
                probes[kind] = replace(probes[kind], due=max(due, container.state.since + spec.initial_delay_seconds))
    return _put(facts, member, replace(container, probes=probes))


def _hooked(plan: Plan, facts: Facts, event: events.Hooked) -> Facts:
    member, container = _at(plan, facts, event)
    if container is None:
        return facts
    state = container.state
    error = StartError(reason="PostStartHookError", message=event.message, at=event.at)
    if event.hook == "preStop":
        if isinstance(state, Stopping) and state.hook == "running":
            return _put(facts, member, replace(container, state=replace(state, hook="done")))
        return facts
    if isinstance(state, Running) and state.hook == "running":
        if event.ok:
            probes = schedule(member, container, event.at) if member.probes else {}
            return _seen(facts, member, replace(container, state=replace(state, hook="done"), probes=probes))
        return _put(facts, member, replace(container, state=replace(state, hook="failed"), error=error))
    if isinstance(state, Exited) and not event.ok:  # it ended under the hook
        return _put(facts, member, replace(container, error=error))
    return facts


def _signalled(plan: Plan, facts: Facts, event: events.Signalled) -> Facts:
    return facts  # Began(Signal) has said it already


def _stop_asked(plan: Plan, facts: Facts, event: events.StopAsked) -> Facts:
    grace = 0.0 if event.kill else max(plan.grace if event.grace is None else event.grace, 1.0)
    asked = Stop(at=event.at, deadline=event.at + grace, why="deleted", grace=grace, force=event.kill)
    if facts.deleted is not None:  # a second request can only shorten
        grace = min(facts.deleted.grace, grace)
        deadline = min(facts.deleted.deadline, asked.deadline)
        asked = replace(facts.deleted, deadline=deadline, grace=grace, force=facts.deleted.force or event.kill)
    else:  # apiserver/pkg/registry/rest/delete.go, BeforeDelete
        facts = replace(facts, generation=facts.generation + 1)
    facts = replace(facts, deleted=asked)
    if facts.stop is None:
        return _stopping(plan, facts, asked)
    return _stopping(
        plan,
        facts,
        replace(
            facts.stop,
            deadline=min(facts.stop.deadline, asked.deadline),
            grace=min(facts.stop.grace, grace),
            force=facts.stop.force or event.kill,
        ),
    )


def _evicted(plan: Plan, facts: Facts, event: events.Evicted) -> Facts:
    if facts.stop is not None:
        return facts
    stop = Stop(at=event.at, deadline=event.at + 1.0, why="evicted", grace=1.0, message=event.message)
    return _stopping(plan, facts, stop)


def _lost(plan: Plan, facts: Facts, event: events.Lost) -> Facts:
    """What lived is gone, nobody saw how, and nothing starts again. A pod that was over stays as it was."""
    if not is_down(facts):
        facts = _stopping(plan, facts, Stop(at=event.at, deadline=event.at, why="lost", grace=0.0))
    for name, container in facts.containers.items():
        if is_alive(container):
            since = container.state.since if isinstance(container.state, Running | Stopping) else None
            end = Exit(128 + SIGKILL, UNSEEN, event.at, message=UNSEEN_MESSAGE, started_at=since)
            facts = _put(facts, plan.members[name], replace(container, state=Exited(end), before=None))
    return replace(facts, finished=True)


def _restart_asked(plan: Plan, facts: Facts, event: events.RestartAsked) -> Facts:
    member = plan.members.get(event.container)
    if member is None or member.kind == "ephemeral" or facts.stop is not None:
        return facts
    container = facts.containers[member.name]
    return _put(facts, member, replace(container, asked=event.by or "was asked to restart", refused=None, error=None))


def _redefined(plan: Plan, facts: Facts, event: events.Redefined) -> Facts:
    """The back-off is kept by name and image (kuberuntime/helpers.go, GetBackoffKey). No init container is ended."""
    member = plan.members.get(event.container)
    if member is None or facts.stop is not None:
        return facts
    container = replace(facts.containers[member.name], back_off=None, refused=None, error=None)
    if isinstance(container.state, Starting | Running) and member.kind != "init":
        container = replace(container, state=replace(container.state, redefined=True))
    return _put(facts, member, container)


def _added(plan: Plan, facts: Facts, event: events.Added) -> Facts:
    if event.container in facts.containers:
        return facts
    return replace(facts, containers={**facts.containers, event.container: ContainerFacts()})


def _changed(plan: Plan, facts: Facts, event: events.Changed) -> Facts:
    return replace(facts, generation=facts.generation + 1)  # pkg/registry/core/pod/strategy.go, updatePodGeneration


def _looked(plan: Plan, facts: Facts, event: events.Looked) -> Facts:
    return facts


# -- what each action means once it has begun -----------------------------------------------------------------------


def _begun_prepare(plan: Plan, facts: Facts, action: actions.Prepare, at: float) -> Facts:
    return replace(facts, volumes=replace(facts.volumes, state="preparing"))


def _begun_start(plan: Plan, facts: Facts, action: actions.Start, at: float) -> Facts:
    member, container = plan.members[action.container], facts.containers[action.container]
    before = container.state
    container = replace(
        container,
        state=Starting(at),
        attempt=action.attempt,
        last=before.exit if isinstance(before, Exited) else container.last,
        back_off=next_back_off(container, at, plan.asked.settings.crash_loop_back_off),
        error=None,
        refused=None,
        asked="",
        removed=False,
        before=container,
    )
    return _put(facts, member, container)


def _begun_probe(plan: Plan, facts: Facts, action: actions.Probe, at: float) -> Facts:
    member, container = plan.members[action.container], facts.containers[action.container]
    probes = dict(container.probes)
    for kind, spec in member.probes:
        if kind == action.probe:
            probes[kind] = begun(spec, probes[kind], at)
    return _put(facts, member, replace(container, probes=probes))


def _begun_hook(plan: Plan, facts: Facts, action: actions.Hook, at: float) -> Facts:
    member, container = plan.members[action.container], facts.containers[action.container]
    assert isinstance(container.state, Running | Stopping)
    return _put(facts, member, replace(container, state=replace(container.state, hook="running")))


def _begun_signal(plan: Plan, facts: Facts, action: actions.Signal, at: float) -> Facts:
    member, container = plan.members[action.container], facts.containers[action.container]
    state = container.state
    if not isinstance(state, Stopping):
        return facts
    state = replace(state, killed_at=at) if action.signal == SIGKILL else replace(state, term_at=at)
    return _put(facts, member, replace(container, state=state))


def _begun_kill(plan: Plan, facts: Facts, action: actions.Kill, at: float) -> Facts:
    member, container = plan.members[action.container], facts.containers[action.container]
    state = container.state
    if not isinstance(state, Running):
        return facts
    hook = member.pre_stop and not action.skip_hook and action.deadline > at
    stopping = Stopping(
        pid=state.pid,
        since=state.since,
        asked_at=at,
        deadline=action.deadline,
        message=action.message,
        restart=action.restart,
        ordered=action.ordered,
        hook="due" if hook else "none",
    )
    return _put(facts, member, replace(container, state=stopping))


def _begun_stop(plan: Plan, facts: Facts, action: actions.Stop, at: float) -> Facts:
    stop = Stop(at=at, deadline=at + action.grace, why=action.why, grace=action.grace, message=action.message)
    return _stopping(plan, facts, stop)


def _begun_refuse(plan: Plan, facts: Facts, action: actions.Refuse, at: float) -> Facts:
    member, container = plan.members[action.container], facts.containers[action.container]
    state = container.state
    refused = Refused(delay=action.delay, until=action.until, at=at)
    if isinstance(state, Exited) and state.retry:
        state, refused = replace(state, retry=False), replace(refused, unseen_end=True)
    return _put(facts, member, replace(container, state=state, refused=refused))


def _begun_restart_all(plan: Plan, facts: Facts, action: actions.RestartAll, at: float) -> Facts:
    return replace(facts, restarting="ending")


def _begun_remove(plan: Plan, facts: Facts, action: actions.Remove, at: float) -> Facts:
    end = Exit(code=137, reason=REMOVED, message=REMOVED_MESSAGE, finished_at=at, started_at=at)
    containers = {
        name: container
        if container.attempt < 0 or plan.members[name].kind == "ephemeral"
        else replace(
            container,
            state=Waiting(),
            last=end,
            error=None,
            refused=None,
            removed=True,
            started=False,
            ready=container.ready and plan.members[name].kind == "init",  # kubelet leaves this one as it was
        )
        for name, container in facts.containers.items()
    }
    return replace(facts, containers=containers, restarting="removed")


def _begun_finish(plan: Plan, facts: Facts, action: actions.Finish, at: float) -> Facts:
    return replace(facts, finished=True)


# -- pieces ---------------------------------------------------------------------------------------------------------


def _at(plan: Plan, facts: Facts, event: Any) -> tuple[Member, ContainerFacts | None]:
    """The container an event is about; None when the event belongs to another attempt."""
    member, container = plan.members[event.container], facts.containers[event.container]
    return member, container if container.attempt == event.attempt else None


def _seen(facts: Facts, member: Member, container: ContainerFacts) -> Facts:
    """Facts in which this container shows its newest state. The first one to do so ends a RestartAllContainers."""
    if facts.restarting == "removed":
        containers = {name: replace(one, ready=False) for name, one in facts.containers.items()}
        facts = replace(facts, containers=containers, restarting="")
    return _put(facts, member, replace(container, before=None) if container.before is not None else container)


def _put(facts: Facts, member: Member, container: ContainerFacts) -> Facts:
    """Facts with this container, whose flags follow from its state. They are the same, being a draft."""
    started = is_started(container)
    if started != container.started:
        container = replace(container, started=started)
    ready = is_ready(member, container)
    if facts.stop is not None and isinstance(container.state, Exited) and member.kind != "init":
        ready = container.ready  # the pod's conditions stay as they are until its last container has ended
    if ready != container.ready:
        container = replace(container, ready=ready)
    facts.containers[member.name] = container
    return facts


def _stopping(plan: Plan, facts: Facts, stop: Stop) -> Facts:
    """The pod ends: instances that were being ended already must be gone by its deadline, too; nothing starts again."""
    facts = replace(facts, stop=stop, restarting="")
    for name, container in facts.containers.items():
        state = container.state
        if isinstance(state, Stopping):
            state = replace(state, deadline=min(state.deadline, stop.deadline), restart=False)
        elif isinstance(state, Exited) and state.retry:
            state = replace(state, retry=False)
        if state is not container.state:
            facts = _put(facts, plan.members[name], replace(container, state=state))
    return facts


def _restamped(plan: Plan, before: Facts, old: ContainerFacts | None, after: Facts, name: str, at: float) -> Facts:
    """Facts with their conditions. Most events are about one container, which was `old`, and change no condition: that
    is told by that container alone, however many there are.
    """
    whole = after.stop is before.stop and after.restarting == before.restarting and after.volumes is before.volumes
    if not whole or old is None:
        return _stamp_conditions(plan, after, at)
    new = after.containers[name]
    if old.ready != new.ready:
        return _stamp_conditions(plan, after, at)
    goes_on = type(old.state) is type(new.state) or isinstance(new.state, Stopping)  # which was running before
    if goes_on and old.started == new.started:
        return after
    return _stamp_conditions(plan, after, at, before.conditions["ContainersReady"].status)


def _stamp_conditions(plan: Plan, facts: Facts, at: float, are_ready: bool | None = None) -> Facts:
    """Remember since when each pod condition holds. `are_ready`: see `truths`."""
    changed = {
        name: Condition(status, at)
        for name, status in truths(plan, facts, are_ready).items()
        if name not in facts.conditions or facts.conditions[name].status != status
    }
    return replace(facts, conditions={**facts.conditions, **changed}) if changed else facts


_RULES: dict[type, Callable[[Plan, Facts, Any], Facts]] = {
    events.Began: _began,
    events.VolumesReady: _volumes_ready,
    events.VolumeFailed: _volume_failed,
    events.Started: _started,
    events.StartFailed: _start_failed,
    events.Died: _died,
    events.Probed: _probed,
    events.Hooked: _hooked,
    events.Signalled: _signalled,
    events.StopAsked: _stop_asked,
    events.Evicted: _evicted,
    events.Lost: _lost,
    events.RestartAsked: _restart_asked,
    events.Redefined: _redefined,
    events.Added: _added,
    events.Changed: _changed,
    events.Looked: _looked,
}

_BEGUN: dict[type, Callable[[Plan, Facts, Any, float], Facts]] = {
    actions.Prepare: _begun_prepare,
    actions.Start: _begun_start,
    actions.Probe: _begun_probe,
    actions.Hook: _begun_hook,
    actions.Signal: _begun_signal,
    actions.Kill: _begun_kill,
    actions.Stop: _begun_stop,
    actions.Refuse: _begun_refuse,
    actions.RestartAll: _begun_restart_all,
    actions.Remove: _begun_remove,
    actions.Finish: _begun_finish,
}
