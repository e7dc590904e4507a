"""Facts → what Kubernetes would say of the pod, its container statuses above all; and the exit code of initsup.

Everything here is derived when asked for and never stored. Source: pkg/kubelet/kubelet_pods.go
(convertToAPIContainerStatuses). The phase is in `core.phase`, the conditions are in `core.conditions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from initsup.core.conditions import Clock, conditions
from initsup.core.facts import UNSEEN, UNSEEN_MESSAGE, ContainerFacts, Exit, Exited, Facts, Running, Stopping, User
from initsup.core.phase import phase, published
from initsup.core.plan import Member, Plan
from initsup.core.restart import REMOVED, REMOVED_MESSAGE, SEEN_AS_ENDED, failed, may_restart
from initsup.core.shutdown import is_down
from initsup.spec.base import to_dict
from initsup.spec.status import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    ContainerUser,
    HostIP,
    LinuxContainerUser,
    PodIP,
    PodStatus,
    VolumeMountStatus,
)
from initsup.spec.units import format_duration
from initsup.spec.volume import VolumeMount

EPOCH = "1970-01-01T00:00:00Z"
DEADLINE_EXIT = 124
"""Exit code of initsup when activeDeadlineSeconds ended the pod, as timeout(1) has it."""

_NOT_SEEN = ContainerState()
_UNSEEN_END = ContainerState(terminated=ContainerStateTerminated(exit_code=137, reason=UNSEEN, message=UNSEEN_MESSAGE))


class Where(msgspec.Struct, frozen=True):
    """What the status tells of the host: its addresses, and the QoS class that the pod's resources give."""

    ips: tuple[str, ...] = ()
    qos_class: str = ""

    @property
    def ip(self) -> str:
        """The address where there is room for one; "" where none is known."""
        return self.ips[0] if self.ips else ""


def report(plan: Plan, facts: Facts, now: float, clock: Clock, where: Where = Where()) -> PodStatus:  # noqa: B008
    """The status of the pod at `now`."""
    inits = tuple(_container(plan, facts, m, now, clock) for m in plan.inits)
    mains = tuple(_container(plan, facts, m, now, clock) for m in plan.mains)
    so_far = phase(plan, facts, inits, mains)
    inner = "Failed" if facts.stop is not None and facts.stop.why in ("deadline", "evicted", "lost") else so_far
    shown, reason, message = published(plan, facts, so_far)
    added = tuple(_container(plan, facts, m, now, clock) for m in plan.ephemerals)
    if is_down(facts):
        inits, mains = _written_off(plan, inits, mains)
    return PodStatus(
        observed_generation=facts.generation,
        phase=shown,
        reason=reason,
        message=message,
        conditions=conditions(plan, facts, inner, clock),
        host_ip=where.ip,
        host_ips=tuple(HostIP(ip=ip) for ip in where.ips),
        pod_ip=where.ip,
        pod_ips=tuple(PodIP(ip=ip) for ip in where.ips),
        start_time=clock(facts.began_at),
        init_container_statuses=inits,
        container_statuses=tuple(sorted(mains, key=lambda status: status.name)),
        ephemeral_container_statuses=tuple(sorted(added, key=lambda status: status.name)),
        qos_class=where.qos_class,
    )


def as_pod(plan: Plan, facts: Facts, now: float, clock: Clock, where: Where, trouble: list[str]) -> dict[str, Any]:
    """The v1 Pod at `now`. `trouble`: what does not work as it should, which an annotation tells."""
    pod = to_dict(plan.pod, defaults=True)
    meta = pod["metadata"]
    meta.setdefault("namespace", "default")
    meta["creationTimestamp"] = clock(facts.began_at)
    meta["generation"] = facts.generation
    if facts.deleted is not None:
        meta["deletionTimestamp"] = clock(facts.deleted.at + facts.deleted.grace)
        meta["deletionGracePeriodSeconds"] = int(facts.deleted.grace)
    pod["status"] = to_dict(report(plan, facts, now, clock, where), defaults=True)
    if trouble:
        meta.setdefault("annotations", {})["initsup.dev/degraded"] = "; ".join(trouble)
    return pod


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
    container = container.before or container
    state, last, attempt = _shown(plan, facts, member, container, now, clock)
    exists = attempt >= 0 and not container.removed
    user = container.user if exists else None
    return ContainerStatus(
        name=member.name,
        state=state,
        last_state=last,
        ready=container.ready and (member.kind == "init" or state.running is not None),
        started=container.started if member.kind != "ephemeral" else None,
        restart_count=max(attempt, 0),
        image=member.spec.image,
        container_id=_id(plan, member, attempt) if exists else "",
        volume_mounts=tuple(_mounted(mount) for mount in member.spec.volume_mounts),
        resources=member.spec.resources if exists else None,
        allocated_resources=member.spec.resources.requests if exists else {},
        user=ContainerUser(linux=_linux(user)) if user is not None else None,
    )


def _linux(user: User) -> LinuxContainerUser:
    return LinuxContainerUser(uid=user.uid, gid=user.gid, supplemental_groups=user.groups)


def _mounted(mount: VolumeMount) -> VolumeMountStatus:
    recursive = ("Enabled" if mount.is_recursive else "Disabled") if mount.read_only else None
    return VolumeMountStatus(
        name=mount.name, mount_path=mount.mount_path, read_only=mount.read_only, recursive_read_only=recursive
    )


def _shown(
    plan: Plan, facts: Facts, member: Member, container: ContainerFacts, now: float, clock: Clock
) -> tuple[ContainerState, ContainerState, int]:
    """The state, the last state, and the attempt that a container shows.

    One that was killed in order to start again in the same breath is not seen to have ended.
    """
    state, attempt = container.state, container.attempt
    last = _terminated(plan, member, container.last, attempt - 1, clock)
    if isinstance(state, Running | Stopping):
        return _running(state.since, clock), last, attempt
    if isinstance(state, Exited):
        if state.retry:
            assert state.exit.started_at is not None  # it ran
            return _running(state.exit.started_at, clock), last, attempt
        ended = _terminated(plan, member, state.exit, attempt, clock)
        waiting = _waiting_again(plan, facts, member, container, state.exit, now)
        return (waiting, ended, attempt) if waiting is not None else (ended, last, attempt)
    return _waiting(plan, facts, container), last, attempt + 1 if container.removed else attempt


def _running(since: float, clock: Clock) -> ContainerState:
    return ContainerState(running=ContainerStateRunning(started_at=clock(since)))


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
    if facts.deleted is not None or not may_restart(member, end.code):
        return None
    if member.kind != "main" and not failed(end):
        return None  # kubelet looks no further at init containers that ended with 0, sidecars included
    refused = container.refused
    if refused is not None and (refused.unseen_end or now >= end.finished_at + SEEN_AS_ENDED or facts.stop is not None):
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
        limit = 12288 // len(plan.members)  # status_manager.go, normalizeStatus
        message = message.encode("utf-8", "surrogateescape")[:limit].decode("utf-8", "ignore")
    removed, unseen = end.reason == REMOVED, end.reason in (REMOVED, UNSEEN)
    never = None if unseen else EPOCH
    return ContainerState(
        terminated=ContainerStateTerminated(
            exit_code=end.code,
            reason=end.reason,
            message=message,
            started_at=never if removed or end.started_at is None else clock(end.started_at),
            finished_at=None if unseen else clock(end.finished_at),
            container_id="" if removed else _id(plan, member, attempt),
        )
    )


def _id(plan: Plan, member: Member, attempt: int) -> str:
    return f"initsup://{plan.pod.metadata.uid}/{member.name}/{attempt}"


def _written_off(
    plan: Plan, inits: tuple[ContainerStatus, ...], mains: tuple[ContainerStatus, ...]
) -> tuple[tuple[ContainerStatus, ...], tuple[ContainerStatus, ...]]:
    """The statuses of a pod that is over: what waits for a start has ended unseen (status_manager.go, TerminatePod).

    Left as they are: init containers after the last one that was ever started (but the first is never left), and main
    containers of a pod that was never initialized.
    """
    ran = [index for index, one in enumerate(inits) if _was_started(one)]
    reached = max(ran, default=0) + 1
    last = inits[-1].state.terminated or inits[-1].last_state.terminated if inits else None
    initialized = (
        not inits
        or any(_was_started(one) for one in mains)
        or (plan.inits[-1].kind == "init" and last is not None and last.exit_code == 0)
    )
    return (
        (*(_ended_unseen(one) for one in inits[:reached]), *inits[reached:]),
        tuple(_ended_unseen(one) for one in mains) if initialized else mains,
    )


def _was_started(status: ContainerStatus) -> bool:
    return status.state.waiting is None or status.last_state.terminated is not None


def _ended_unseen(status: ContainerStatus) -> ContainerStatus:
    return status if status.state.terminated is not None else replace(status, state=_UNSEEN_END)
