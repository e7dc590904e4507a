"""The phase of the pod: what follows from its containers, and what of that may be published.

Sources: pkg/kubelet/kubelet_pods.go (getPhase), pkg/kubelet/status/status_manager.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from initsup.core.facts import ContainerFacts, Facts, Waiting
from initsup.core.plan import Member, Plan
from initsup.core.restart import REMOVED, may_restart
from initsup.core.shutdown import is_down

if TYPE_CHECKING:  # the status is asked for after the first container has started
    from initsup.spec.status import ContainerStateTerminated, ContainerStatus

LOST_MESSAGE = "initsup was killed or has crashed, and nothing is known of the pod since"


def phase(plan: Plan, facts: Facts, inits: tuple[ContainerStatus, ...], mains: tuple[ContainerStatus, ...]) -> str:
    """The phase that follows from the containers (kubelet_pods.go, getPhase)."""
    shown = [facts.containers[m.name].before or facts.containers[m.name] for m in plan.mains]
    initialized = any(not isinstance(container.state, Waiting) for container in shown)
    early = _phase_of_inits(plan, inits, initialized)
    if early:
        return early
    ends = [status.state.terminated or status.last_state.terminated for status in mains if status.state.running is None]
    if None in ends:
        return "Pending"
    if len(ends) < len(mains) or any(_is_running(m, s) for m, s in zip(plan.inits, inits, strict=True)):
        return "Running"
    if facts.stop is None and any(_restartable(m, end) for m, end in zip(plan.mains, ends, strict=True)):
        return "Running"
    succeeded = all(s.state.terminated is not None and s.state.terminated.exit_code == 0 for s in mains)
    return "Succeeded" if succeeded else "Failed"


def _is_running(member: Member, status: ContainerStatus) -> bool:
    return member.kind == "sidecar" and status.state.running is not None


def _phase_of_inits(plan: Plan, inits: tuple[ContainerStatus, ...], initialized: bool) -> str:
    pending = False
    for member, status in zip(plan.inits, inits, strict=True):
        end = status.state.terminated or (status.last_state.terminated if status.state.waiting is not None else None)
        if member.kind == "sidecar":  # whose `started` kubelet fills in after it has computed the phase
            pending = pending or (end is None and not initialized)
        elif end is None:
            pending = True
        elif end.exit_code != 0 and not _restartable(member, end):
            return "Failed"
    return "Pending" if pending else ""


def _restartable(member: Member, end: ContainerStateTerminated | None) -> bool:
    return end is not None and (end.reason == REMOVED or may_restart(member, end.exit_code))


def published(plan: Plan, facts: Facts, so_far: str) -> tuple[str, str, str]:
    """Phase, reason and message that may be published: a final phase only when nothing can run any more."""
    if not is_down(facts):
        if so_far in ("Succeeded", "Failed"):  # the one before stays for now
            so_far = "Running" if any(_has_run(facts.containers[m.name]) for m in plan.mains) else "Pending"
        return so_far, "", ""
    stop = facts.stop
    assert stop is not None
    if stop.why == "deadline":
        return "Failed", "DeadlineExceeded", stop.message
    if stop.why == "evicted":
        return "Failed", "Evicted", stop.message
    if stop.why == "lost":  # as a pod whose node is gone (node_lifecycle_controller.go and podgc/gc_controller.go)
        return "Failed", "NodeLost", LOST_MESSAGE
    return (so_far if so_far in ("Succeeded", "Failed") else "Failed"), "", ""


def _has_run(container: ContainerFacts) -> bool:
    container = container.before or container
    return not isinstance(container.state, Waiting) and container.error is None
