"""The conditions of the pod: which hold, and why not.

Source: pkg/kubelet/status/generate.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from initsup.core.facts import Exited, Facts, Running, Stopping
from initsup.core.plan import Member, Plan
from initsup.core.shutdown import is_down

if TYPE_CHECKING:
    from initsup.spec.status import PodCondition

Clock = Callable[[float], str]
"""Turns monotonic seconds into an RFC 3339 time."""


def truths(plan: Plan, facts: Facts, are_ready: bool | None = None) -> dict[str, bool]:
    """Which pod conditions hold. `are_ready`: whether all containers are, where that is known already."""
    over = is_down(facts)
    cut_short = facts.stop is not None and facts.stop.why in ("deadline", "evicted")
    ready = not over and not cut_short and (_are_ready(plan, facts) if are_ready is None else are_ready)
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


def _are_ready(plan: Plan, facts: Facts) -> bool:
    """Whether all that count are. From the last to the first, as they start: while one is missing that is soon told."""
    containers = facts.containers
    for member in reversed(plan.mains):
        if not containers[member.name].ready:
            return False
    return all(containers[m.name].ready for m in plan.inits if m.kind == "sidecar")


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


def conditions(plan: Plan, facts: Facts, inner: str, clock: Clock) -> tuple[PodCondition, ...]:
    """The conditions as the status has them, all told anew for each generation (pkg/api/v1/pod/util.go,
    CalculatePodConditionObservedGeneration); of AllContainersRestarting kubelet does not say so.
    """
    from initsup.spec.status import PodCondition  # not before the first container

    texts = {kind: _why_not(plan, facts, kind, inner) for kind in facts.conditions}
    return tuple(
        PodCondition(
            type=kind,
            observed_generation=0 if kind == "AllContainersRestarting" else facts.generation,
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
