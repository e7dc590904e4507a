"""What is to be started now: init containers one by one, sidecars that stay, then the main containers.

Source: pkg/kubelet/kuberuntime/kuberuntime_container.go (computeInitContainerActions), kuberuntime_manager.go
(computePodActions). The walk from the last init container to the first finds the frontier: the last one that has ever
had an instance. Regular init containers before it are done; sidecars before it are kept running.
"""

from __future__ import annotations

import msgspec

from initsup.core.facts import ContainerFacts, Exited, Facts, Running, Starting, Stopping, Waiting
from initsup.core.plan import Member, Plan
from initsup.core.restart import failed, is_over, may_restart


class Startup(msgspec.Struct, frozen=True):
    """Who should be started, in this order; `failed` names a regular init container that ended the pod by failing."""

    start: tuple[Member, ...] = ()
    initialized: bool = False
    failed: str = ""


def is_alive(container: ContainerFacts) -> bool:
    """Whether an instance exists that has not ended."""
    return isinstance(container.state, Starting | Running | Stopping)


def startup(plan: Plan, facts: Facts) -> Startup:
    """Who should be started, back-off aside."""
    inits = _inits(plan, facts)
    if not inits.initialized or inits.failed:
        return inits
    return Startup(start=inits.start + _mains(plan, facts), initialized=True)


def _inits(plan: Plan, facts: Facts) -> Startup:
    passed = initialized = not plan.inits or any(is_alive(facts.containers[m.name]) for m in plan.mains)
    start: list[Member] = []
    seen = False
    for index in range(len(plan.inits) - 1, -1, -1):
        member = plan.inits[index]
        container = facts.containers[member.name]
        following = plan.inits[index + 1 : index + 2]
        if isinstance(container.state, Waiting):
            if passed and member.kind == "sidecar":
                start.append(member)
            continue
        seen = True
        if member.kind == "sidecar":
            if isinstance(container.state, Exited):
                start.append(member)
            elif _is_up(container) and not passed:
                start.extend(following)
                initialized = initialized or not following
        elif not passed and isinstance(container.state, Exited):
            if not failed(container.state.exit) and not container.asked:
                start.extend(following)
                initialized = initialized or not following
            elif container.asked or may_restart(member, container.state.exit.code):
                start.append(member)
            else:
                return Startup(failed=member.name)
        passed = True
    if not seen and not initialized:
        start.append(plan.inits[0])
    return Startup(start=tuple(reversed(start)), initialized=initialized)


def _is_up(sidecar: ContainerFacts) -> bool:
    """Whether this sidecar lets the next container start."""
    return sidecar.started and sidecar.before is None and isinstance(sidecar.state, Running)


def _mains(plan: Plan, facts: Facts) -> tuple[Member, ...]:
    """Main containers that should run and do not. A postStart hook that runs holds up those after it, as in kubelet."""
    start = []
    for member in plan.mains:
        container = facts.containers[member.name]
        state = container.state
        if isinstance(state, Running) and state.hook in ("done", "failed"):
            continue
        if isinstance(state, Starting | Running):
            break
        if isinstance(state, Waiting) or (isinstance(state, Exited) and not is_over(member, container)):
            start.append(member)
    return tuple(start)


def ephemerals(plan: Plan, facts: Facts) -> tuple[Member, ...]:
    """Ephemeral containers to start: each once, initialized or not (kuberuntime_manager.go, computePodActions)."""
    return tuple(m for m in plan.ephemerals if isinstance(facts.containers[m.name].state, Waiting))


def all_over(plan: Plan, facts: Facts) -> bool:
    """Whether every main container has ended for good."""
    return all(is_over(m, facts.containers[m.name]) for m in plan.mains)
