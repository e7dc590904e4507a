"""What a pod has been through, as rows: the periods in which a container looked the same, and the moments that count.

Folded from the events of a run, so that what is drawn of it cannot disagree with its status. `core.chart` lays the
rows out; nothing here knows how they are painted.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

import msgspec

from initsup.core import actions, events
from initsup.core.apply import apply
from initsup.core.events import Event
from initsup.core.facts import ContainerFacts, Exit, Exited, Facts, Running, Starting, Stopping, Waiting
from initsup.core.narrate import narrate
from initsup.core.plan import Member, Plan
from initsup.spec.units import format_duration, signal_name

Look = Literal["starting", "running", "ready", "stopping", "back-off", "failing"]
"""`running`: an init container at work, or another one that is not ready; `failing`: it cannot be started."""
Sign = Literal["done", "ended", "failed", "probe", "hook", "asked"]
"""`ended`: by our signal, so its code says nothing; `asked`: somebody wanted a restart, or the end."""

POD = ""
"""The name of the pod's own lane."""
KEPT = 512
"""Spans and marks that a lane keeps, the newest of each."""

_SIGNS: dict[str, Sign] = {
    "Unhealthy": "probe",
    "FailedPostStartHook": "hook",
    "FailedPreStopHook": "hook",
    "Failed": "failed",
    "FailedMount": "failed",
    "Evicted": "failed",
    "NodeNotReady": "failed",
}
"""Reasons of notices that are moments of their own; the others show in how the container looks."""


class Span(msgspec.Struct, frozen=True):
    """A period (monotonic seconds; None: it goes on) in which a container looked the same, and a word on why."""

    look: Look
    since: float
    until: float | None = None
    text: str = ""


class Mark(msgspec.Struct, frozen=True):
    """A moment that counts."""

    at: float
    sign: Sign
    text: str


class Lane(msgspec.Struct):
    """One container, or the pod itself. `kind` is its `Member`'s, or "pod"."""

    name: str
    kind: str
    restarts: int = 0
    spans: deque[Span] = msgspec.field(default_factory=lambda: deque(maxlen=KEPT))
    marks: deque[Mark] = msgspec.field(default_factory=lambda: deque(maxlen=KEPT))


class Timeline:
    """One run: `add` its events in their order. Begins with facts that may know of a past already."""

    def __init__(self, plan: Plan, facts: Facts) -> None:
        self.plan = plan
        self.facts = facts
        self.began_at = self.until = facts.began_at
        """When the newest event was."""
        self.ready_at: float | None = None
        """When the pod was ready for the first time that is known."""
        self.lanes = _lanes(plan)
        for name, lane in self.lanes.items():
            if name == POD:
                _open(lane, *_look_of_pod(facts), _since(facts))
            else:
                _recall(lane, plan.members[name], facts, facts.containers[name])
        self._notice_ready()

    def go_on(self, plan: Plan, facts: Facts) -> None:
        """The same run, told anew how things stand: its manifest may have changed."""
        self.plan, self.facts = plan, facts
        self.lanes = {name: self.lanes.get(name, lane) for name, lane in _lanes(plan).items()}

    def add(self, event: Event) -> None:
        """Take in what has happened."""
        before = self.facts
        for name, mark in _marks(self.plan, before, event):
            self.lanes[name].marks.append(mark)
        self.facts = facts = apply(self.plan, before, event)
        self.until = event.at
        ending = (before.stop is None) != (facts.stop is None)
        for name, container in facts.containers.items():
            if name not in self.lanes:  # it was added: the plan that has it, too, is told next
                continue
            if ending or container is not before.containers.get(name):
                lane = self.lanes[name]
                lane.restarts = max(container.attempt, 0)
                _turn(lane, *_look(self.plan.members[name], facts, container), event.at)
        _turn(self.lanes[POD], *_look_of_pod(facts), event.at)
        self._notice_ready()

    def _notice_ready(self) -> None:
        ready = self.facts.conditions.get("Ready")
        if self.ready_at is None and ready is not None and ready.status:
            self.ready_at = ready.since


def _lanes(plan: Plan) -> dict[str, Lane]:
    """A lane for each, in the order of life."""
    containers = {name: Lane(name, member.kind) for name, member in plan.members.items()}
    return {POD: Lane(plan.pod.metadata.name, "pod"), **containers}


# -- how things look ------------------------------------------------------------------------------------------------


def _look(member: Member, facts: Facts, container: ContainerFacts) -> tuple[Look | None, str]:
    """How a container looks, and why; None: there is nothing to see."""
    match container.state:
        case Starting():
            return "starting", ""
        case Stopping(message=message):
            return "stopping", message
        case Running() if member.kind not in ("sidecar", "main"):  # no others are ever asked whether they are ready
            return "running", ""
        case Running(hook=hook) if not container.started:
            return "starting", "postStart hook" if hook != "done" else "startup probe"
        case Running():
            return ("ready", "") if container.ready else ("running", "not ready")
    if facts.stop is not None:
        return None, ""
    if isinstance(container.state, Exited) and container.refused is not None:
        return "back-off", f"back-off {format_duration(container.refused.delay)}"
    if container.error is not None:
        return "failing", f"{container.error.reason}: {container.error.message}"
    return None, ""


def _look_of_pod(facts: Facts) -> tuple[Look | None, str]:
    if facts.finished:
        return None, ""
    if facts.stop is not None:
        return "stopping", facts.stop.message or facts.stop.why
    if facts.conditions["Ready"].status:
        return "ready", ""
    return ("running", "not ready") if facts.conditions["Initialized"].status else ("starting", "initializing")


def _turn(lane: Lane, look: Look | None, text: str, at: float) -> None:
    """From now on a lane looks so."""
    last = lane.spans[-1] if lane.spans else None
    if last is not None and last.until is None:
        if (last.look, last.text) == (look, text):
            return
        lane.spans[-1] = msgspec.structs.replace(last, until=at)
    _open(lane, look, text, at)


def _open(lane: Lane, look: Look | None, text: str, at: float) -> None:
    if look is not None:
        lane.spans.append(Span(look, at, None, text))


# -- what counts ----------------------------------------------------------------------------------------------------


def _marks(plan: Plan, before: Facts, event: Event) -> list[tuple[str, Mark]]:
    """The marks of an event that is about to be applied to `before`, each with its lane."""
    found: list[tuple[str, Mark]] = []
    for notice in narrate(plan, before, event):
        if sign := _SIGNS.get(notice.reason):
            name = notice.field_path.partition("{")[2].removesuffix("}")
            found.append((name or POD, Mark(event.at, sign, notice.message)))
    match event:
        case events.Died(container=name) if before.containers[name].attempt == event.attempt:
            end = Exit(event.code, "OOMKilled" if event.oom else "", event.at)
            found.append((name, _end(end, by_us=isinstance(before.containers[name].state, Stopping))))
        case events.RestartAsked(container=name, by=by) if before.stop is None:
            found.append((name, Mark(event.at, "asked", by or "was asked to restart")))
        case events.StopAsked(by=by) if before.deleted is None:
            found.append((POD, Mark(event.at, "asked", f"asked to end: {by}" if by else "asked to end")))
        case events.Began(action=actions.Stop(why="deadline", message=message)):
            found.append((POD, Mark(event.at, "failed", message)))
    return [(name, mark) for name, mark in found if name == POD or name in plan.members]


def _end(end: Exit, *, by_us: bool) -> Mark:
    signal = f" ({signal_name(end.code - 128)})" if 128 < end.code < 193 else ""
    oom = end.reason == "OOMKilled"
    text = f"ended with {end.code}{' (OOMKilled)' if oom else signal}"
    return Mark(end.finished_at, "failed" if oom else "ended" if by_us else "failed" if end.code else "done", text)


# -- a run whose beginning is not on file any more --------------------------------------------------------------------


def _recall(lane: Lane, member: Member, facts: Facts, container: ContainerFacts) -> None:
    """Put into a lane what its facts still know: the instance before, the newest one, and how it looks now."""
    lane.restarts = max(container.attempt, 0)
    state = container.state
    ends = [container.last, state.exit if isinstance(state, Exited) else None]
    for end in filter(None, ends):
        if end.started_at is not None and end.started_at < end.finished_at:
            lane.spans.append(Span("running", end.started_at, end.finished_at))
        lane.marks.append(_end(end, by_us=False))
    look, text = _look(member, facts, container)
    refused = container.refused
    match state:
        case Running(since=since) | Starting(since=since):
            _open(lane, look, text, since)
        case Stopping(since=since, asked_at=asked_at):
            lane.spans.append(Span("running", since, asked_at))
            _open(lane, look, text, asked_at)
        case Exited(exit=end):
            _open(lane, look, text, refused.at if refused is not None else end.finished_at)
        case Waiting() if container.error is not None:
            _open(lane, look, text, container.error.at)


def _since(facts: Facts) -> float:
    """Since when the pod looks as it does."""
    if facts.stop is not None:
        return facts.stop.at
    held = [facts.conditions[name] for name in ("Ready", "Initialized")]
    return next((one.since for one in held if one.status), facts.began_at)
