"""Choosing: `decide(plan, facts, now) -> Decision` is the only place that does.

The rules, in order of precedence:

 1. A finished pod is left alone.
 2. The pod must end when its deadline has passed, when an init container has failed for good, or when every main
    container has ended for good.
 3. A pod that ends: nothing starts, every instance is ended (hook, signal, SIGKILL, in order), then it is finished.
 4. An instance that is being ended for a reason of its own goes on with that.
 5. Volumes come before any start; a failure is tried again later.
 6. An exit that matches a RestartAllContainers rule: every instance is ended, then all are forgotten.
 7. An instance is ended when its liveness or startup probe or its postStart hook has failed, or a person wants that.
 8. A started container's postStart hook runs.
 9. Init containers start one by one, sidecars stay, then the main containers start; each when its back-off lets it.
    An ephemeral container starts as soon as it has been added, once.
10. Probes that are due are carried out.

Every action carries its reason, and `wake_at` is recomputed on each pass: a lost timer cannot be expressed.
"""

from __future__ import annotations

from initsup.core.actions import (
    Action,
    Decision,
    Finish,
    Hook,
    Kill,
    Prepare,
    Probe,
    Refuse,
    Remove,
    RestartAll,
    Signal,
    Start,
    Stop,
)
from initsup.core.facts import ContainerFacts, Exited, Facts, Running, Stopping
from initsup.core.plan import Member, Plan
from initsup.core.probing import may_probe
from initsup.core.restart import CONFIG_RETRY, SEEN_AS_ENDED, may_restart_all_at, refused_until, trigger
from initsup.core.shutdown import SIGKILL, SIGTERM, kill_grace, next_step
from initsup.core.startup import Startup, all_over, ephemerals, is_alive, startup
from initsup.spec.units import signal_number

DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


def decide(plan: Plan, facts: Facts, now: float) -> Decision:
    """What to do now, and when to look again."""
    if facts.finished:
        return Decision()
    todo = _Todo()
    if facts.stop is not None:
        _end(plan, facts, now, todo)
        return todo.decision()
    due = startup(plan, facts)
    ending = _reason_to_end(plan, facts, due, now, todo)
    if ending is not None:
        return Decision(actions=(ending,))
    for member in plan.members.values():
        if isinstance(facts.containers[member.name].state, Stopping):
            _go_on_killing(plan, facts, member, now, todo)
    if not _volumes_are_there(facts, now, todo):
        return todo.decision()
    if _restarts_all(plan, facts, now, todo):
        return todo.decision()
    for member in plan.members.values():
        _look_after(plan, facts, member, now, todo)
    if not todo.actions:  # what has been decided may change who is next
        _start(facts, (*ephemerals(plan, facts), *due.start), now, todo)
    return todo.decision()


class _Todo:
    """A decision in the making."""

    __slots__ = ("actions", "wake_at")

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.wake_at: float | None = None

    def wake(self, at: float | None) -> None:
        if at is not None and (self.wake_at is None or at < self.wake_at):
            self.wake_at = at

    def wakes_before(self, at: float, now: float) -> bool:
        """Whether a time that is still to come needs no wake-up, because there is one before."""
        return now < at and self.wake_at is not None and self.wake_at <= at

    def decision(self) -> Decision:
        return Decision(actions=tuple(self.actions), wake_at=self.wake_at)


# -- 2, 3, 4: ending ------------------------------------------------------------------------------------------------


def _reason_to_end(plan: Plan, facts: Facts, due: Startup, now: float, todo: _Todo) -> Stop | None:
    limit = plan.pod.spec.active_deadline_seconds
    if limit is not None:
        if now >= facts.began_at + limit:
            reason = f"activeDeadlineSeconds of {limit} has passed"
            return Stop(why="deadline", grace=plan.grace, message=DEADLINE_MESSAGE, reason=reason)
        todo.wake(facts.began_at + limit)
    if facts.restarting or trigger(plan, facts):
        return None
    if due.failed:
        return Stop(why="failed", grace=plan.grace, reason=f"init container {due.failed} has failed for good")
    if all_over(plan, facts):
        return Stop(why="completed", grace=plan.grace, reason="every container has ended and none is restarted")
    return None


def _end(plan: Plan, facts: Facts, now: float, todo: _Todo) -> None:
    assert facts.stop is not None
    alive = [m for m in plan.members.values() if is_alive(facts.containers[m.name])]
    if not alive:
        todo.actions.append(Finish(reason=f"nothing is left running ({facts.stop.why})"))
    for member in alive:
        container = facts.containers[member.name]
        if isinstance(container.state, Running):
            todo.actions.append(
                Kill(
                    container=member.name,
                    attempt=container.attempt,
                    deadline=facts.stop.deadline,
                    message=f"Stopping container {member.name}",
                    ordered=member.kind == "sidecar",
                    skip_hook=facts.stop.force,
                    reason=f"the pod ends: {facts.stop.why}",
                )
            )
        elif isinstance(container.state, Stopping):
            _go_on_killing(plan, facts, member, now, todo)
        _probe(facts, member, now, todo)


def _go_on_killing(plan: Plan, facts: Facts, member: Member, now: float, todo: _Todo) -> None:
    step = next_step(plan, facts, member, now)
    todo.wake(step.at)
    container = facts.containers[member.name]
    name, attempt, last = member.name, container.attempt, facts.stop is not None
    if step.step == "hook":
        todo.actions.append(Hook(container=name, attempt=attempt, hook="preStop", reason="before the stop signal"))
    elif step.step == "signal":
        number = stop_signal(member)
        todo.actions.append(Signal(container=name, attempt=attempt, signal=number, last=last, reason="stop signal"))
    elif step.step == "kill":
        reason = "its grace period is over"
        todo.actions.append(Signal(container=name, attempt=attempt, signal=SIGKILL, last=last, reason=reason))


def stop_signal(member: Member) -> int:
    """The number of the signal that asks this container to end: `lifecycle.stopSignal`, else SIGTERM."""
    hooks = member.spec.lifecycle
    return signal_number(hooks.stop_signal) if hooks is not None and hooks.stop_signal else SIGTERM


# -- 5: volumes -----------------------------------------------------------------------------------------------------


def _volumes_are_there(facts: Facts, now: float, todo: _Todo) -> bool:
    volumes = facts.volumes
    if volumes.state == "failed" and now < volumes.retry_at:
        todo.wake(volumes.retry_at)
    elif volumes.state in ("due", "failed"):
        todo.actions.append(Prepare(reason="the pod's volumes come before its containers"))
    return volumes.state == "ready"


# -- 6: all containers at once --------------------------------------------------------------------------------------


def _restarts_all(plan: Plan, facts: Facts, now: float, todo: _Todo) -> bool:
    if facts.restarting == "removed":
        return False
    name = trigger(plan, facts)
    if not facts.restarting and not name:
        return False
    if not facts.restarting:
        if now < (at := may_restart_all_at(facts, name)):
            todo.wake(at)
        else:
            reason = f"the exit of {name} matches a RestartAllContainers rule"
            todo.actions.append(RestartAll(trigger=name, reason=reason))
        return True
    alive = [m for m in (*plan.inits, *plan.mains) if is_alive(facts.containers[m.name])]
    if not alive:
        todo.actions.append(Remove(reason="all containers start again"))
    for member in alive:
        container = facts.containers[member.name]
        if isinstance(container.state, Running):
            todo.actions.append(
                Kill(
                    container=member.name,
                    attempt=container.attempt,
                    deadline=now,
                    message="killing",
                    restart=True,
                    skip_hook=True,
                    reason="all containers start again",
                )
            )
    return True


# -- 7, 8, 10: an instance that runs --------------------------------------------------------------------------------


def _look_after(plan: Plan, facts: Facts, member: Member, now: float, todo: _Todo) -> None:
    container = facts.containers[member.name]
    state = container.state
    if isinstance(state, Running):
        kill = _reason_to_kill(plan, member, container, now)
        if kill is not None:
            todo.actions.append(kill)
            return
        if state.hook == "due":
            reason = "right after the start"
            todo.actions.append(Hook(container=member.name, attempt=container.attempt, hook="postStart", reason=reason))
    _probe(facts, member, now, todo)


def _reason_to_kill(plan: Plan, member: Member, container: ContainerFacts, now: float) -> Kill | None:
    state = container.state
    assert isinstance(state, Running)
    if state.hook == "failed":
        return _kill(member, container, now + plan.grace, "FailedPostStartHook", "its postStart hook failed", False)
    if why := container.asked or ("definition changed" if state.redefined else ""):
        return _kill(member, container, now + plan.grace, _ending(member, why, True), why, True)
    for kind in ("startup", "liveness"):
        probe = container.probes.get(kind)
        if probe is not None and probe.result is False:
            grace, again = kill_grace(plan, member, kind), member.policy != "Never"
            message = _ending(member, f"failed {kind} probe", again)
            return _kill(member, container, now + grace, message, f"its {kind} probe failed", again)
    return None


def _ending(member: Member, why: str, again: bool) -> str:
    """Kubelet's words for a kill, which are others for a sidecar."""
    if member.kind == "sidecar":
        return f"Init container {member.name} {why}"
    return f"Container {member.name} {why}{', will be restarted' if again else ''}"


def _kill(member: Member, container: ContainerFacts, deadline: float, message: str, reason: str, restart: bool) -> Kill:
    return Kill(
        container=member.name,
        attempt=container.attempt,
        deadline=deadline,
        message=message,
        restart=restart,
        reason=reason,
    )


def _probe(facts: Facts, member: Member, now: float, todo: _Todo) -> None:
    container = facts.containers[member.name]
    for kind, _ in member.probes:
        probe = container.probes.get(kind)
        if probe is None or probe.hold or probe.since is not None or todo.wakes_before(probe.due, now):
            continue
        if not may_probe(kind, container, facts.stop is not None):
            continue
        if now < probe.due:
            todo.wake(probe.due)
        else:
            todo.actions.append(Probe(container=member.name, attempt=container.attempt, probe=kind, reason="it is due"))


# -- 9: starting ----------------------------------------------------------------------------------------------------


def _start(facts: Facts, due: tuple[Member, ...], now: float, todo: _Todo) -> None:
    for member in due:
        container = facts.containers[member.name]
        at = _may_start_at(container)
        if now < at:
            todo.wake(at)
            _refuse(container, member, at, now, todo)
            continue
        todo.actions.append(Start(container=member.name, attempt=container.attempt + 1, reason=_why_start(container)))
        if member.post_start or member.kind == "init":
            return  # the rest waits for it


def _refuse(container: ContainerFacts, member: Member, at: float, now: float, todo: _Todo) -> None:
    entry, state = container.back_off, container.state
    if entry is None or not isinstance(state, Exited) or at != refused_until(container):
        return  # it could not be created, which is no crash
    if container.refused is None or container.refused.until != at:
        reason = f"back-off of {entry.delay:g} s since its last end"
        todo.actions.append(
            Refuse(container=member.name, attempt=container.attempt, delay=entry.delay, until=at, reason=reason)
        )
    elif now < state.exit.finished_at + SEEN_AS_ENDED:
        todo.wake(state.exit.finished_at + SEEN_AS_ENDED)


def _may_start_at(container: ContainerFacts) -> float:
    error, at = container.error, refused_until(container)
    if error is not None and error.reason in ("CreateContainerConfigError", "CreateContainerError"):
        return max(at, error.at + CONFIG_RETRY)
    return at


def _why_start(container: ContainerFacts) -> str:
    if isinstance(container.state, Exited):
        return f"it ended with {container.state.exit.code}"
    return "it is its turn"
