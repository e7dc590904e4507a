"""May it start again, and when: restart policy, exit-code rules, crash-loop back-off.

Sources: pkg/api/v1/pod/util.go (ContainerShouldRestart), pkg/kubelet/kuberuntime/kuberuntime_manager.go (doBackOff),
client-go/util/flowcontrol/backoff.go; KEP-5307, KEP-5532.
"""

from __future__ import annotations

from initsup.core.facts import BackOff, ContainerFacts, Exit, Exited, Facts
from initsup.core.plan import Member, Plan
from initsup.spec.settings import CrashLoopBackOff

REMOVED = "RestartingAllContainers"
REMOVED_MESSAGE = "The container is removed because RestartAllContainers in place"
FACTOR = 2.0
RESET_AFTER = 600.0
"""Seconds of running after which a crash loop counts as over."""
SEEN_AS_ENDED = 1.0
"""Seconds for which an end is shown as such before it is shown as CrashLoopBackOff."""
CONFIG_RETRY = 10.0
"""Seconds until a container that could not be created is tried again (pkg/kubelet/pod_workers.go, backOffPeriod)."""
RESTART_ALL_PERIOD = 1.0
"""Seconds that lie at least between a container's start and the restart of all for its end."""


def rule_action(member: Member, code: int) -> str:
    """The action of the first of the container's restartPolicyRules that matches this exit code, or ""."""
    for rule in member.spec.restart_policy_rules:
        if rule.exit_codes is None:
            continue
        listed = code in rule.exit_codes.values
        if listed == (rule.exit_codes.operator == "In"):
            return rule.action
    return ""


def may_restart(member: Member, code: int) -> bool:
    """Whether a container that ended with this code is started again while its pod is not ending."""
    if member.kind == "sidecar":
        return True
    if rule_action(member, code):
        return True
    return member.policy == "Always" or (member.policy == "OnFailure" and code != 0)


def failed(end: Exit) -> bool:
    """Whether a regular init container that ended so has failed (an OOM kill counts even with exit code 0)."""
    return end.code != 0 or end.reason == "OOMKilled"


def is_over(member: Member, facts: ContainerFacts) -> bool:
    """Whether this container has ended for good: no policy, rule, probe or person wants it started again."""
    state = facts.state
    if not isinstance(state, Exited) or state.retry or facts.asked:
        return False
    return not may_restart(member, state.exit.code)


def trigger(plan: Plan, facts: Facts) -> str:
    """The first container whose end matches a RestartAllContainers rule, or ""."""
    if plan.restarts_all:
        for member in (*plan.inits, *plan.mains):
            state = facts.containers[member.name].state
            if isinstance(state, Exited) and rule_action(member, state.exit.code) == "RestartAllContainers":
                return member.name
    return ""


def may_restart_all_at(facts: Facts, name: str) -> float:
    """When the end of this container, which matches such a rule, may restart all.

    There is no back-off for that, but kubelet looks once a second (pkg/kubelet/pleg, relist period): so those that end
    at once do not go round without a pause.
    """
    state = facts.containers[name].state
    assert isinstance(state, Exited)
    began = state.exit.finished_at if state.exit.started_at is None else state.exit.started_at
    return began + RESTART_ALL_PERIOD


def counted_from(container: ContainerFacts) -> Exit | None:
    """The end of a run from which the back-off of the next start is measured, None: it starts without one.

    For a container that was killed in order to be started again in the same breath this is the run before.
    """
    state, last = container.state, container.last
    if not isinstance(state, Exited) or container.asked:
        return None
    if not state.retry:
        return state.exit
    return None if last is None or last.reason == REMOVED else last


def refused_until(container: ContainerFacts) -> float:
    """When the back-off lets it start (a time in the past: now).

    One that was killed in order to be started again in the same breath, and is refused that, waits from its own end.
    """
    end, entry = counted_from(container), container.back_off
    if end is None or entry is None or end.finished_at - entry.used_at > RESET_AFTER:
        return 0.0
    assert isinstance(container.state, Exited)  # else there is no end to count from
    ended = container.state.exit.finished_at
    return ended + entry.delay if ended - end.finished_at < entry.delay else 0.0


def next_back_off(container: ContainerFacts, now: float, limits: CrashLoopBackOff) -> BackOff | None:
    """The back-off entry after a start at `now`: the initial period, doubled each time up to the maximum."""
    end, entry = counted_from(container), container.back_off
    if end is None:
        return entry
    if entry is None or end.finished_at - entry.used_at > RESET_AFTER:
        return BackOff(delay=min(limits.initial_period, limits.max_period), used_at=now)
    return BackOff(delay=min(entry.delay * FACTOR, limits.max_period), used_at=now)
