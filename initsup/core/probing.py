"""Which probe is due, and what an outcome means.

Sources: pkg/kubelet/prober/worker.go, prober_manager.go; KEP-950 (startup probes).

Kubelet's workers tick from before the container starts, so a first liveness probe comes up to one period after the
start. Here each instance has its own schedule: readiness and startup probes come as soon as the initial delay has
passed (kubelet triggers readiness by hand then, too), a liveness probe not before one period. A startup probe that
fails within its first period says nothing yet: the budget stays initialDelay + failureThreshold * period.
"""

from __future__ import annotations

import math

from initsup.core.facts import ContainerFacts, Exited, ProbeFacts, ProbeKind, Running, Stopping
from initsup.core.plan import Member
from initsup.core.restart import failed
from initsup.spec.probe import Probe


def schedule(member: Member, container: ContainerFacts, started_at: float) -> dict[str, ProbeFacts]:
    """The probes of a new instance: results are gone, streaks stay (they belong to the worker)."""
    fresh: dict[str, ProbeFacts] = {}
    for kind, probe in member.probes:
        delay = float(probe.initial_delay_seconds)
        if kind == "liveness":
            delay = max(delay, float(probe.period_seconds))
        old = container.probes.get(kind)
        fresh[kind] = ProbeFacts(due=started_at + delay, last=old.last if old else None, run=old.run if old else 0)
    return fresh


def begun(probe: Probe, facts: ProbeFacts, now: float) -> ProbeFacts:
    """An attempt begins now; the next one is due on the schedule's next tick, so that it never drifts."""
    period = float(probe.period_seconds)
    ticks = math.floor((now - facts.due) / period) + 1
    return ProbeFacts(
        due=facts.due + max(ticks, 1) * period, since=now, result=facts.result, last=facts.last, run=facts.run
    )


def folded(kind: ProbeKind, probe: Probe, facts: ProbeFacts, outcome: str, at: float, since: float) -> ProbeFacts:
    """An attempt has ended. `since`: the start of the instance."""
    idle = ProbeFacts(due=facts.due, result=facts.result, last=facts.last, run=facts.run, hold=facts.hold)
    if outcome == "error" or is_early(kind, probe, outcome, at, since):
        return idle
    ok = outcome != "failure"
    run = facts.run + 1 if facts.last is ok else 1
    if run < (probe.success_threshold if ok else probe.failure_threshold):
        return ProbeFacts(due=facts.due, result=facts.result, last=ok, run=run)
    hold = kind == "startup" or (kind == "liveness" and not ok)
    return ProbeFacts(due=facts.due, result=ok, last=ok, run=0 if hold else run, hold=hold)


def is_early(kind: ProbeKind, probe: Probe, outcome: str, at: float, since: float) -> bool:
    """Whether this is a startup probe that failed before its first period was over."""
    return kind == "startup" and outcome == "failure" and at - since < probe.period_seconds


def is_started(container: ContainerFacts) -> bool:
    """The `started` of the status: runs, its postStart hook is through, its startup probe has succeeded.

    An instance that is killed in order to start again stays so until the next one is seen.
    """
    state = container.state
    if container.before is not None or isinstance(state, Stopping) or (isinstance(state, Exited) and state.retry):
        return container.started
    if not isinstance(state, Running) or state.hook != "done":
        return False
    startup = container.probes.get("startup")
    return startup is None or startup.result is True


def is_ready(member: Member, container: ContainerFacts) -> bool:
    """The `ready` of the status: started, and its readiness probe says so; of an init container: ended with success.

    An ephemeral container is never ready: nobody waits for it.
    """
    if container.before is not None:
        return container.ready
    if member.kind == "ephemeral":
        return False
    if member.kind == "init":
        return isinstance(container.state, Exited) and not failed(container.state.exit)
    readiness = container.probes.get("readiness")
    return container.started and (readiness is None or readiness.result is True)


def may_probe(kind: ProbeKind, container: ContainerFacts, pod_ends: bool) -> bool:
    """Whether this kind of probe runs in this state: startup until started, the others from then on.

    While the pod ends, or this container is killed, only readiness is still asked.
    """
    if isinstance(container.state, Stopping):
        return kind == "readiness" and container.started
    if not isinstance(container.state, Running) or container.state.hook != "done":
        return False
    if pod_ends and kind != "readiness":
        return False
    return container.started != (kind == "startup")
