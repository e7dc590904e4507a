"""How an instance is ended: preStop hook, stop signal, SIGKILL; and in which order in a pod with sidecars.

Sources: pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer), kuberuntime_termination_order.go; KEP-753.
All containers share one deadline. Hooks start at once, also those of sidecars; a sidecar's stop signal waits until all
main containers and all later sidecars are gone, or the deadline has come. Between a stop signal and SIGKILL lie at
least two seconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from initsup.core.facts import Facts, Stopping
from initsup.core.plan import Member, Plan
from initsup.core.startup import is_alive

SIGTERM = 15
SIGKILL = 9
LEAST = 2.0
"""Seconds between the stop signal and SIGKILL at least (kuberuntime_manager.go, minimumGracePeriodInSeconds)."""

Step = Literal["hook", "signal", "kill", "wait"]


class Next(msgspec.Struct, frozen=True, gc=False):
    """The next step of a kill; `at` is when it is due at the latest, None: only an event can bring it on."""

    step: Step
    at: float | None = None


def next_step(plan: Plan, facts: Facts, member: Member, now: float) -> Next:
    """What is to be done now with an instance that is being ended."""
    container = facts.containers[member.name]
    state = container.state
    assert isinstance(state, Stopping)
    if state.killed_at is not None:
        return Next("wait")
    if facts.stop is not None and facts.stop.force:
        return Next("kill")
    if state.hook == "due":
        return Next("hook")
    if state.term_at is not None:
        kill_at = max(state.deadline, state.term_at + LEAST)
        return Next("kill") if now >= kill_at else Next("wait", kill_at)
    if now >= state.deadline or (state.hook != "running" and (not state.ordered or is_turn_of(plan, facts, member))):
        return Next("signal")
    return Next("wait", state.deadline)


def is_down(facts: Facts) -> bool:
    """Whether the pod was to end, and nothing of it is left."""
    if facts.stop is None:
        return False
    # From the last to the first: they mostly end in the order in which they have started.
    return not any(is_alive(container) for container in reversed(facts.containers.values()))


def is_turn_of(plan: Plan, facts: Facts, sidecar: Member) -> bool:
    """Whether all that has to end before this sidecar is gone: main containers, and sidecars that started after it."""
    later = plan.inits[plan.inits.index(sidecar) + 1 :]
    return not any(is_alive(facts.containers[m.name]) for m in plan.mains) and not any(
        m.kind == "sidecar" and is_alive(facts.containers[m.name]) for m in later
    )


def kill_grace(plan: Plan, member: Member, probe: str) -> float:
    """Seconds of grace for a kill of this one container: the failed probe's own value, else the pod's."""
    for kind, spec in member.probes:
        if kind == probe and spec.termination_grace_period_seconds is not None:
            return float(spec.termination_grace_period_seconds)
    return plan.grace
