"""Facts → what Kubernetes would say: container statuses, phase, conditions; and the exit code of initsup.

Everything here is derived when asked for and never stored. Sources: pkg/kubelet/kubelet_pods.go (getPhase,
convertToAPIContainerStatuses), pkg/kubelet/status/generate.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from initsup.core.facts import ContainerFacts, Exit, Exited, Facts, Running, Starting, Stopping, Waiting
from initsup.core.plan import Member, Plan
from initsup.core.restart import REMOVED, REMOVED_MESSAGE, SEEN_AS_ENDED, failed, may_restart
from initsup.core.startup import is_alive
from initsup.spec.status import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    PodCondition,
    PodIP,
    PodStatus,
)
from initsup.spec.units import format_duration

EPOCH = "1970-01-01T00:00:00Z"
DEADLINE_EXIT = 124
"""Exit code of initsup when activeDeadlineSeconds ended the pod, as timeout(1) has it."""

Clock = Callable[[float], str]
"""Turns monotonic seconds into an RFC 3339 time."""

_NOT_SEEN = ContainerState()


class Where(msgspec.Struct, frozen=True):
    """What the status tells of the host: its address, and the QoS class that the pod's resources give."""

    ip: str = ""
    qos_class: str = ""


def report(plan: Plan, facts: Facts, now: float, clock: Clock, where: Where = Where()) -> PodStatus:  # noqa: B008
    """The status of the pod at `now`."""
    inits = tuple(_container(plan, facts, m, now, clock) for m in plan.inits)
    mains = tuple(_container(plan, facts, m, now, clock) for m in plan.mains)
    inner = _phase(plan, facts, inits, mains)
    phase, reason, message = _published(facts, inner)
    return PodStatus(
        phase=phase,
        reason=reason,
        message=message,
        conditions=_conditions(plan, facts, inner, clock),
        host_ip=where.ip,
        host_ips=(HostIP(ip=where.ip),) if where.ip else (),
        pod_ip=where.ip,
        pod_ips=(PodIP(ip=where.ip),) if where.ip else (),
        start_time=clock(facts.began_at),
        init_container_statuses=inits,
        container_statuses=tuple(sorted(mains, key=lambda status: status.name)),
        qos_class=where.qos_class,
    )


def exit_code(plan: Plan, facts: Facts) -> tuple[int, str]:
    """The exit code of `initsup run` for a finished pod, and a line that says why."""
    stop = facts.stop
    if stop is None or facts.deleted is not None:
        return 0, "stopped on request"
    if stop.why == "deadline":
        return DEADLINE_EXIT, f"activeDeadlineSeconds of {plan.pod.spec.active_deadline_seconds} has passed"
    bad = [(end, m) for m, end in _ends(plan, facts) if end.code != 0 and _counts(m, facts)]
    if stop.why == "evicted":
        return 137, f"evicted: {stop.message}"
    if not bad:
        return 0, "every container has succeeded"
    end, member = min(bad, key=lambda pair: pair[0].finished_at)
    kind = "init container" if member.kind == "init" else "container"
    return end.code, f"{kind} {member.name} ended with {end.code} ({end.reason})"


def _ends(plan: Plan, facts: Facts) -> Iterable[tuple[Member, Exit]]:
    for member in plan.members.values():
        state = facts.containers[member.name].state
        if isinstance(state, Exited):
            yield member, state.exit


def _counts(member: Member, facts: Facts) -> bool:
    """Whether the end of this container decides about success: sidecars never, init containers only when final."""
    if member.kind == "init":
        return facts.stop is not None and facts.stop.why == "failed"
    return member.kind == "main"


# -- one container --------------------------------------------------------------------------------------------------


def _container(plan: Plan, facts: Facts, member: Member, now: float, clock: Clock) -> ContainerStatus:
    container = facts.containers[member.name]
    state, last, attempt = _shown(plan, facts, member, container, now, clock)
    return ContainerStatus(
        name=member.name,
        state=state,
        last_state=last,
        ready=container.ready,
        started=container.started if member.kind != "init" else state.running is not None,
        restart_count=max(attempt, 0),
        image=member.spec.image,
        container_id=_id(plan, member, attempt) if attempt >= 0 and not container.removed else "",
    )


def _shown(
    plan: Plan, facts: Facts, member: Member, container: ContainerFacts, now: float, clock: Clock
) -> tuple[ContainerState, ContainerState, int]:
    """The state, the last state, and the attempt that a container shows.

    An instance whose postStart hook is not through has not started yet for the eyes of others, and one whose hook has
    failed never did.
    """
    state, attempt = container.state, container.attempt
    last = _terminated(plan, member, container.last, attempt - 1, clock)
    unseen = (isinstance(state, Running) and state.hook != "done") or (
        isinstance(state, Stopping) and container.error is not None and container.error.reason == "PostStartHookError"
    )
    if isinstance(state, Running | Stopping) and not unseen:
        return ContainerState(running=ContainerStateRunning(started_at=clock(state.since))), last, attempt
    if isinstance(state, Exited):
        ended = _terminated(plan, member, state.exit, attempt, clock)
        waiting = _waiting_again(plan, facts, member, container, state.exit, now)
        return (waiting, ended, attempt) if waiting is not None else (ended, last, attempt)
    if isinstance(state, Waiting):
        return _waiting(plan, facts, container), last, attempt + 1 if container.removed else attempt
    before = attempt - 1 if isinstance(state, Starting) or unseen else attempt
    if container.error is not None or container.last is None or container.last.reason == REMOVED:
        return _waiting(plan, facts, container), last, attempt if last is not _NOT_SEEN else before
    return last, _NOT_SEEN, before


def _waiting(plan: Plan, facts: Facts, container: ContainerFacts) -> ContainerState:
    if container.error is not None:
        return ContainerState(
            waiting=ContainerStateWaiting(reason=container.error.reason, message=container.error.message)
        )
    if container.removed and facts.restarting == "removed":
        return ContainerState(waiting=ContainerStateWaiting(reason=REMOVED, message=REMOVED_MESSAGE))
    return ContainerState(
        waiting=ContainerStateWaiting(reason="PodInitializing" if plan.inits else "ContainerCreating")
    )


def _waiting_again(
    plan: Plan, facts: Facts, member: Member, container: ContainerFacts, end: Exit, now: float
) -> ContainerState | None:
    """The waiting state of a container that has ended and will be started again; None: its end is shown."""
    if facts.stop is not None or not may_restart(member, end.code):
        return None
    if member.kind != "main" and not failed(end):
        return None  # kubelet looks no further at init containers that ended with 0, sidecars included
    refused = container.refused
    if refused is not None and now >= end.finished_at + SEEN_AS_ENDED:
        delay = format_duration(refused.delay)
        message = f"back-off {delay} restarting failed container={member.name} pod={plan.full_name}"
        return ContainerState(waiting=ContainerStateWaiting(reason="CrashLoopBackOff", message=message))
    if container.error is not None:
        error = container.error
        return ContainerState(waiting=ContainerStateWaiting(reason=error.reason, message=error.message))
    return None


def _terminated(plan: Plan, member: Member, end: Exit | None, attempt: int, clock: Clock) -> ContainerState:
    if end is None:
        return _NOT_SEEN
    message = end.message
    if message:
        limit = 12288 // (len(plan.members) or 1)  # status_manager.go, normalizeStatus
        message = message.encode("utf-8", "surrogateescape")[:limit].decode("utf-8", "ignore")
    removed = end.reason == REMOVED
    return ContainerState(
        terminated=ContainerStateTerminated(
            exit_code=end.code,
            reason=end.reason,
            message=message,
            started_at=None if removed else EPOCH if end.started_at is None else clock(end.started_at),
            finished_at=None if removed else clock(end.finished_at),
            container_id="" if removed else _id(plan, member, attempt),
        )
    )


def _id(plan: Plan, member: Member, attempt: int) -> str:
    return f"initsup://{plan.pod.metadata.uid}/{member.name}/{attempt}"


# -- phase ----------------------------------------------------------------------------------------------------------


def _phase(plan: Plan, facts: Facts, inits: tuple[ContainerStatus, ...], mains: tuple[ContainerStatus, ...]) -> str:
    """The phase before it is decided whether it may be published (kubelet_pods.go, getPhase)."""
    if facts.stop is not None and facts.stop.why in ("deadline", "evicted"):
        return "Failed"
    initialized = any(not isinstance(facts.containers[m.name].state, Waiting) for m in plan.mains)
    early = _phase_of_inits(plan, inits, initialized)
    if early:
        return early
    running = waiting = stopped = succeeded = final = 0
    for member, status in zip(plan.mains, mains, strict=True):
        end = status.state.terminated
        if status.state.running is not None:
            running += 1
        elif end is not None:
            stopped += 1
            succeeded += end.exit_code == 0
            final += not _restartable(member, end)
        elif status.last_state.terminated is not None:
            stopped += 1
            final += not _restartable(member, status.last_state.terminated)
        else:
            waiting += 1
    sidecars = sum(s.state.running is not None for m, s in zip(plan.inits, inits, strict=True) if m.kind == "sidecar")
    if waiting:
        return "Pending"
    if running + sidecars > 0:
        return "Running"
    is_terminal = facts.stop is not None
    if not is_terminal and stopped != final:
        return "Running"
    return "Succeeded" if stopped == succeeded else "Failed"


def _phase_of_inits(plan: Plan, inits: tuple[ContainerStatus, ...], initialized: bool) -> str:
    pending = False
    for member, status in zip(plan.inits, inits, strict=True):
        end = status.state.terminated or (status.last_state.terminated if status.state.waiting is not None else None)
        if member.kind == "sidecar":
            if status.state.running is not None:
                pending = pending or (not status.started and not initialized)
            elif end is None:
                pending = pending or not initialized
        elif end is None:
            pending = True
        elif end.exit_code != 0 and not _restartable(member, end):
            return "Failed"
    return "Pending" if pending else ""


def _restartable(member: Member, end: ContainerStateTerminated) -> bool:
    return end.reason == REMOVED or may_restart(member, end.exit_code)


def _published(facts: Facts, inner: str) -> tuple[str, str, str]:
    """Phase, reason and message that may be published: a final phase only when nothing can run any more."""
    stop = facts.stop
    over = stop is not None and not any(is_alive(c) for c in facts.containers.values())
    if not over:
        ran = any(c.attempt >= 0 and c.error is None for c in facts.containers.values())
        return (inner if inner in ("Pending", "Running") else "Running" if ran else "Pending"), "", ""
    assert stop is not None
    if stop.why == "deadline":
        return "Failed", "DeadlineExceeded", stop.message
    if stop.why == "evicted":
        return "Failed", "Evicted", stop.message
    return (inner if inner in ("Succeeded", "Failed") else "Failed"), "", ""


# -- conditions -----------------------------------------------------------------------------------------------------


def truths(plan: Plan, facts: Facts) -> dict[str, bool]:
    """Which pod conditions hold."""
    over = facts.stop is not None and not any(is_alive(c) for c in facts.containers.values())
    ended = facts.stop is not None and facts.stop.why in ("deadline", "evicted", "completed", "failed")
    ready = not over and not ended and all(facts.containers[m.name].ready for m in _that_count(plan))
    gates = not plan.pod.spec.readiness_gates
    result = {
        "PodReadyToStartContainers": facts.volumes.state == "ready" and not over,
        "Initialized": not plan.inits or _is_initialized(plan, facts),
        "Ready": ready and gates,
        "ContainersReady": ready,
        "PodScheduled": True,
    }
    if plan.restarts_all:
        result["AllContainersRestarting"] = facts.restarting == "ending"
    return result


def _that_count(plan: Plan) -> tuple[Member, ...]:
    """The containers that make a pod ready: sidecars and main containers."""
    return (*(m for m in plan.inits if m.kind == "sidecar"), *plan.mains)


def _is_initialized(plan: Plan, facts: Facts) -> bool:
    if any(isinstance(facts.containers[m.name].state, Running | Stopping | Exited) for m in plan.mains):
        return True
    before = facts.conditions.get("Initialized")
    return (before is not None and before.status and plan.restarts_all) or not _incomplete(plan, facts)


def _incomplete(plan: Plan, facts: Facts) -> list[str]:
    """Init containers that are not through (a sidecar: not started)."""
    return [
        m.name
        for m in plan.inits
        if not (facts.containers[m.name].started if m.kind == "sidecar" else facts.containers[m.name].ready)
    ]


def _conditions(plan: Plan, facts: Facts, inner: str, clock: Clock) -> tuple[PodCondition, ...]:
    texts = {kind: _why_not(plan, facts, kind, inner) for kind in facts.conditions}
    return tuple(
        PodCondition(
            type=kind,
            status="True" if known.status else "False",
            last_transition_time=clock(known.since),
            reason=texts[kind][0],
            message=texts[kind][1],
        )
        for kind, known in facts.conditions.items()
    )


def _why_not(plan: Plan, facts: Facts, kind: str, inner: str) -> tuple[str, str]:
    """Reason and message of a condition."""
    holds = facts.conditions[kind].status
    final = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(inner, "")
    if kind == "Initialized":
        if inner == "Succeeded":
            return "PodCompleted", ""
        if not holds:
            return (
                "ContainersNotInitialized",
                f"containers with incomplete status: [{' '.join(_incomplete(plan, facts))}]",
            )
    elif kind == "AllContainersRestarting":
        if holds:
            return "RestartAllContainersStarted", "container exited with restart policy rule"
        return final, ""
    elif kind in ("Ready", "ContainersReady") and not holds:
        if final:
            return final, ""
        unready = [m.name for m in _that_count(plan) if not facts.containers[m.name].ready]
        if unready:
            return "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
        gates = [
            f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.'
            for gate in plan.pod.spec.readiness_gates
        ]
        return "ReadinessGatesNotReady", ", ".join(gates)
    return "", ""
