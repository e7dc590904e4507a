"""A time line laid out over a stretch of time: every place a fraction of its width, ready to be painted by anybody."""

from __future__ import annotations

import msgspec

from initsup.core.timeline import Lane, Look, Mark, Sign, Span, Timeline
from initsup.spec.units import human_duration

LEAST = 1.0
"""Seconds that are drawn at least."""
TICKS = 7
"""Ticks that there are at most."""
NEAR = 0.012
"""Marks of one sign that are nearer than this fraction of the width become one."""
_STEPS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60.0 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600.0 * hours for hours in (1, 2, 3, 6, 12, 24, 48, 168, 720)),
)


class Box(msgspec.Struct, frozen=True):
    """A span: where it begins, how wide it is, and from when to when it was (wall seconds)."""

    at: float
    width: float
    look: Look
    text: str
    since: float
    until: float


class Pin(msgspec.Struct, frozen=True):
    """A mark, or several that are near: the newest one's time and text, and how many there are."""

    at: float
    sign: Sign
    text: str
    wall: float
    count: int = 1


class Row(msgspec.Struct, frozen=True):
    """One lane."""

    name: str
    kind: str
    restarts: int
    boxes: tuple[Box, ...]
    pins: tuple[Pin, ...]


class Tick(msgspec.Struct, frozen=True):
    """A round time of the clock."""

    at: float
    wall: float


class Chart(msgspec.Struct, frozen=True):
    """The rows, the pod's first, from `since` to `until` (wall seconds). Ticks are `step` seconds apart.

    `began` is when the pod was begun; `over` says that it has ended.
    """

    since: float
    until: float
    began: float
    over: bool
    step: float
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]


class Window(msgspec.Struct, frozen=True):
    """Which part is wanted: the first or the last seconds, the start up to when the pod was ready, or all of it."""

    first: float | None = None
    last: float | None = None
    start: bool = False


def chart(
    timeline: Timeline,
    end: float,
    zero: float,
    window: Window = Window(),  # noqa: B008
    near: float = NEAR,
) -> Chart:
    """Lay a time line out. `end` is where it ends (monotonic), `zero` the wall time of monotonic zero; see `NEAR`."""
    since, until = _stretch(timeline, end, window)
    place = _Place(since, until, zero, near)
    step = next((step for step in _STEPS if (until - since) / step <= TICKS), _STEPS[-1])
    return Chart(
        since=since + zero,
        until=until + zero,
        began=timeline.began_at + zero,
        over=timeline.facts.finished,
        step=step,
        ticks=place.ticks(step),
        rows=tuple(place.row(lane, end) for lane in timeline.lanes.values()),
    )


def _stretch(timeline: Timeline, end: float, window: Window) -> tuple[float, float]:
    since, until = timeline.began_at, end
    if window.start and timeline.ready_at is not None:
        until = min(until, timeline.ready_at + (timeline.ready_at - since) * 0.25)
    if window.first is not None:
        until = min(until, since + window.first)
    if window.last is not None:
        since = max(since, until - window.last)
    return since, max(until, since + LEAST)


class _Place:
    """Where a time is in the stretch."""

    def __init__(self, since: float, until: float, zero: float, near: float) -> None:
        self._since, self._until, self._zero, self._near = since, until, zero, near

    def _at(self, at: float) -> float:
        return round((at - self._since) / (self._until - self._since), 5)

    def ticks(self, step: float) -> tuple[Tick, ...]:
        first = -int(-(self._since + self._zero) // step)
        last = int((self._until + self._zero) // step)
        return tuple(Tick(self._at(number * step - self._zero), number * step) for number in range(first, last + 1))

    def row(self, lane: Lane, end: float) -> Row:
        boxes = [box for span in lane.spans if (box := self._box(span, end)) is not None]
        return Row(lane.name, lane.kind, lane.restarts, tuple(boxes), tuple(self._pins(lane)))

    def _box(self, span: Span, end: float) -> Box | None:
        until = span.until if span.until is not None else max(end, span.since)
        left, right = max(span.since, self._since), min(until, self._until)
        if right < left:
            return None
        text = f"{span.look}: {span.text}" if span.text and span.text != span.look else span.look
        if span.look == "back-off" and span.text:
            text = span.text
        lasted = f"{text} · {lasting(until - span.since)}"
        at = self._at(left)
        return Box(at, round(self._at(right) - at, 5), span.look, lasted, span.since + self._zero, until + self._zero)

    def _pins(self, lane: Lane) -> list[Pin]:
        """The marks, those that would hide one another taken together."""
        newest: dict[Sign, int] = {}
        pins: list[Pin] = []
        for mark in lane.marks:
            if not self._since <= mark.at <= self._until:
                continue
            pin = self._pin(mark)
            near = newest.get(mark.sign)
            if near is not None and pin.at - pins[near].at < self._near:
                pins[near] = msgspec.structs.replace(pin, at=pins[near].at, count=pins[near].count + 1)
            else:
                newest[mark.sign] = len(pins)
                pins.append(pin)
        return pins

    def _pin(self, mark: Mark) -> Pin:
        return Pin(self._at(mark.at), mark.sign, mark.text.strip(), mark.at + self._zero)


def lasting(seconds: float) -> str:
    """A duration in a word or two, with a digit more where it is short: `0.34s`, `5.2s`, `2m10s`."""
    if seconds < 10:
        return f"{seconds:.2g}s" if seconds >= 0.01 else "0s"
    return human_duration(seconds)
