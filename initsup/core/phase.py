"""The phase of the pod: what follows from its containers, and what of that may be published.

Sources: pkg/kubelet/kubelet_pods.go (getPhase), pkg/kubelet/status/status_manager.go.
"""

from __future__ import annotations

from initsup.core.facts import ContainerFacts, Facts, Waiting
from initsup.core.plan import Member, Plan
from initsup.core.restart import REMOVED, may_restart
from initsup.core.shutdown import is_down
from initsup.spec.status import ContainerStateTerminated, ContainerStatus


def phase(plan: Plan, facts: Facts, inits: tuple[ContainerStatus, ...], mains: tuple[ContainerStatus, ...]) -> str:
    """The phase that follows from the containers (kubelet_pods.go, getPhase)."""
    shown = [facts.containers[m.name].before or facts.containers[m.name] for m in plan.mains]
    initialized = any(not isinstance(container.state, Waiting) for container in shown)
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
                pending = pending or not initialized  # kubelet computes the phase before it fills in `started`
            elif end is None:
                pending = pending or not initialized
        elif end is None:
            pending = True
        elif end.exit_code != 0 and not _restartable(member, end):
            return "Failed"
    return "Pending" if pending else ""


def _restartable(member: Member, end: ContainerStateTerminated) -> bool:
    return end.reason == REMOVED or may_restart(member, end.exit_code)


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
    return (so_far if so_far in ("Succeeded", "Failed") else "Failed"), "", ""


def _has_run(container: ContainerFacts) -> bool:
    container = container.before or container
    return not isinstance(container.state, Waiting) and container.error is None
