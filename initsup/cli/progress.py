"""What `initsup run` says while it goes: which step runs, what ended and when it is tried again, who holds up the end.

Each line comes from comparing facts with those before, so that it cannot disagree with `get`. On a terminal a last
line that is rewritten tells, until the pod is ready and while it ends, what is being waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from initsup.core.facts import ContainerFacts, Exit, Exited, Facts, Running, Stopping
from initsup.core.plan import Member, Plan
from initsup.core.restart import may_restart
from initsup.core.startup import is_alive
from initsup.spec.units import human_duration, signal_name

if TYPE_CHECKING:
    from initsup.core.narrate import Notice
    from initsup.engine import Engine
    from initsup.node.console import Console

SAID = ("FailedMount", "Failed", "FailedPostStartHook", "FailedPreStopHook", "Killing", "DeadlineExceeded", "Evicted")
"""Reasons of events that are printed as they are; the others show in what becomes of the container."""
REDRAW = 1.0
"""Seconds between two drawings of the line that waits, on a terminal only."""
BLOCKED = 5.0
"""Seconds of an end after which it is said, again and again, who is still there."""


class Progress:
    """Says it on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._before: Facts | None = None
        self._trouble: list[str] = []
        self._said_at = 0.0

    def resume(self, engine: Engine) -> None:
        """All up to here was said by the program before this one."""
        self._before = engine.facts
        self._trouble = engine.trouble()
        self._said_at = engine.now()

    def happened(self, engine: Engine, notices: list[Notice]) -> None:
        """Say what is new."""
        plan, facts, before = engine.plan, engine.facts, self._before
        if before is None:
            self._say(_order(plan))
        if facts.stop is not None:
            self._ending(facts, before)
        for notice in notices:
            if notice.reason in SAID and not notice.message.startswith("Stopping container"):
                self._say(f"{_subject(notice)}{notice.message.rstrip()}")
        for name, container in facts.containers.items():
            old = (before and before.containers.get(name)) or ContainerFacts()
            if old is not container:
                for line in _changes(plan, facts, plan.members[name], old, container):
                    self._say(line)
        ready = facts.conditions["Ready"]
        if ready.status and (before is None or not before.conditions["Ready"].status):
            self._say(f"pod {plan.pod.metadata.name} is ready after {human_duration(ready.since - facts.began_at)}")
        self._complain(engine)
        self._before = facts
        if self._console.has_status:
            self._console.status(self._waits_for(engine) if self._draws(facts) else "")

    def look_at(self, engine: Engine) -> float | None:
        """On a terminal once a second while something is waited for; else only during a long end."""
        facts, now = engine.facts, engine.now()
        if facts.finished:
            return None
        wishes = []
        if facts.stop is not None:
            due = max(facts.stop.at, self._said_at) + BLOCKED
            if now >= due:
                self._said_at = now
                self._say(f"still running: {', '.join(_who(engine.plan, facts, now))}")
                due = now + BLOCKED
            wishes.append(due)
        if self._console.has_status and self._draws(facts):
            self._console.status(self._waits_for(engine))
            wishes.append(now + REDRAW)
        return min(wishes, default=None)

    def _say(self, line: str) -> None:
        self._console.say(line)

    def _ending(self, facts: Facts, before: Facts | None) -> None:
        stop, known = facts.stop, before.stop if before is not None else None
        assert stop is not None
        if known is None:
            self._said_at = stop.at
        if stop.force and (known is None or not known.force):
            self._say("ending the pod at once")
        elif known is None and stop.why == "deleted":
            self._say(f"ending the pod gracefully, within {human_duration(stop.grace)}")

    def _complain(self, engine: Engine) -> None:
        for line in engine.trouble():
            if line not in self._trouble:
                self._trouble.append(line)
                self._say(f"degraded: {line}")

    def _draws(self, facts: Facts) -> bool:
        return not facts.finished and (facts.stop is not None or not facts.conditions["Ready"].status)

    def _waits_for(self, engine: Engine) -> str:
        who = _who(engine.plan, engine.facts, engine.now())
        return "waiting: " + ", ".join(who[:3]) + (f" and {len(who) - 3} more" if len(who) > 3 else "")


def _order(plan: Plan) -> str:
    """`pod app: wait-for-db → run-migrations → app`."""
    steps = [m.name + (" (sidecar)" if m.kind == "sidecar" else "") for m in plan.inits]
    mains = [m.name for m in plan.mains]
    steps.append(", ".join(mains) if len(mains) <= 5 else f"{len(mains)} containers")
    return f"pod {plan.pod.metadata.name}: {' → '.join(steps)}"


def _subject(notice: Notice) -> str:
    name = notice.field_path.partition("{")[2].rstrip("}")
    return f"{name}: " if name and name not in notice.message.split() else ""


def _changes(plan: Plan, facts: Facts, member: Member, old: ContainerFacts, new: ContainerFacts) -> list[str]:
    """What has become of a container."""
    lines = []
    if _has_run(new) and (new.attempt > old.attempt or not _has_run(old)):
        lines.append(f"{member.name}: started{_step(plan, member)}{_again(new)}")
    if isinstance(new.state, Exited) and new.state.exit is not _exit(old):
        lines.append(f"{member.name}: {_ended(new.state.exit)}{_then(facts, member, new)}")
    elif new.refused is not None and old.refused is None and isinstance(new.state, Exited):
        lines.append(f"{member.name}: starts again in {human_duration(new.refused.delay)}")
    return lines


def _has_run(container: ContainerFacts) -> bool:
    """Whether the newest instance has been started: it may still wait for its image, or have come to nothing."""
    state = container.state
    return isinstance(state, Running | Stopping) or (isinstance(state, Exited) and state.exit.started_at is not None)


def _exit(container: ContainerFacts) -> Exit | None:
    return container.state.exit if isinstance(container.state, Exited) else None


def _step(plan: Plan, member: Member) -> str:
    if member.kind == "main":
        return ""
    if member.kind == "ephemeral":
        return " (ephemeral)"
    return f" (init {plan.inits.index(member) + 1}/{len(plan.inits)})"


def _again(container: ContainerFacts) -> str:
    return f", restart {container.attempt}" if container.attempt > 0 else ""


def _ended(end: Exit) -> str:
    ran = f" after {human_duration(end.finished_at - end.started_at)}" if end.started_at is not None else ""
    if end.reason == "Completed":
        return f"completed{ran}"
    if end.reason == "StartError":
        return "could not be started"
    how = f"{end.code}" if end.code <= 128 else f"{end.code} ({signal_name(end.code - 128)})"
    oom = ", out of memory" if end.reason == "OOMKilled" else ""
    return f"ended with {how}{oom}{ran}"


def _then(facts: Facts, member: Member, container: ContainerFacts) -> str:
    state, refused = container.state, container.refused
    assert isinstance(state, Exited)
    if facts.stop is not None or (member.kind == "init" and container.ready):
        return ""
    if refused is not None:
        return f", starts again in {human_duration(refused.delay)}"
    return ", starts again" if may_restart(member, state.exit.code) else ""


def _who(plan: Plan, facts: Facts, now: float) -> list[str]:
    """Who is waited for, each with how long: `run-migrations runs for 3s`, `app starts again in 8s`."""
    found = []
    for member in plan.members.values() if facts.stop is not None else (*plan.inits, *plan.mains):
        container = facts.containers[member.name]
        state = container.state
        if facts.stop is not None:
            if isinstance(state, Stopping):
                left = max(state.deadline - now, 0.0)
                found.append(f"{member.name} (pid {state.pid}, {human_duration(left)} of its grace left)")
            elif is_alive(container):
                found.append(member.name)
        elif isinstance(state, Running) and not container.ready:
            what = "runs" if member.kind == "init" else "is not ready"
            found.append(f"{member.name} {what} for {human_duration(now - state.since)}")
        elif isinstance(state, Exited) and container.refused is not None:
            found.append(f"{member.name} starts again in {human_duration(max(container.refused.until - now, 0.0))}")
        elif container.error is not None:
            found.append(f"{member.name}: {container.error.message}")
    if not found and facts.volumes.message:
        found.append(f"volumes: {facts.volumes.message}")
    return found or ["the first container"]
