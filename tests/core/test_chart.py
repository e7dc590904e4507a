"""Where the spans and marks of a time line go."""

from __future__ import annotations

import pytest

from initsup.core.apply import begin
from initsup.core.chart import Chart, Window, chart, lasting
from initsup.core.events import Event, VolumesReady
from initsup.core.timeline import Timeline
from tests.build import container, planned, probe, probed, ran, up

PLAN = planned(container("a", liveness_probe=probe()))


def drawn(
    *happened: tuple[Event, ...], end: float = 100.0, zero: float = 1000.0, window: Window | None = None
) -> Chart:
    made = Timeline(PLAN, begin(PLAN, 0.0))
    for event in (VolumesReady(at=0.0), *(event for some in happened for event in some)):
        made.add(event)
    return chart(made, end, zero, window or Window())


def boxes(drawing: Chart) -> list[tuple[str, float, float]]:
    return [(box.look, box.at, box.width) for box in drawing.rows[1].boxes if box.width]


def test_places_are_fractions_of_the_stretch_and_times_are_those_of_the_clock() -> None:
    drawing = drawn(ran(since=20, until=60))
    assert boxes(drawing) == [("ready", 0.2, 0.4)]
    box = drawing.rows[1].boxes[-1]
    assert (box.since, box.until, box.text) == (1020.0, 1060.0, "ready · 40s")
    assert (drawing.since, drawing.until, drawing.began, drawing.over) == (1000.0, 1100.0, 1000.0, False)


def test_what_goes_on_goes_on_to_the_end() -> None:
    assert boxes(drawn(up(at=25))) == [("ready", 0.25, 0.75)]


@pytest.mark.parametrize(
    ("window", "since", "until", "expected"),
    [
        pytest.param(Window(), 0, 100, [("ready", 0.2, 0.4)], id="all of it"),
        pytest.param(Window(first=40), 0, 40, [("ready", 0.5, 0.5)], id="the first part"),
        pytest.param(Window(last=80), 20, 100, [("ready", 0.0, 0.5)], id="the last part"),
        pytest.param(Window(last=20), 80, 100, [], id="nothing of it is there"),
        pytest.param(Window(last=1000), 0, 100, [("ready", 0.2, 0.4)], id="more than there is"),
        pytest.param(
            Window(start=True), 0, 25, [("ready", 0.8, 0.2)], id="the start, until it was ready and a bit more"
        ),
    ],
)
def test_a_part_of_it(window: Window, since: float, until: float, expected: list[tuple[str, float, float]]) -> None:
    drawing = drawn(ran(since=20, until=60), window=window)
    assert (drawing.since - 1000, drawing.until - 1000) == (since, until)
    assert boxes(drawing) == expected


def test_the_start_of_a_pod_that_never_was_ready_is_all_of_it() -> None:
    assert drawn(window=Window(start=True)).until == 1100


def test_a_moment_is_drawn_as_a_second() -> None:
    assert drawn(end=0.0).until - drawn(end=0.0).since == 1.0


@pytest.mark.parametrize(
    ("end", "step", "count"),
    [
        pytest.param(1, 0.2, 5, id="a second"),
        pytest.param(100, 15, 7, id="minutes"),
        pytest.param(3600, 600, 6, id="an hour"),
        pytest.param(86400, 6 * 3600, 4, id="a day"),
        pytest.param(86400 * 400, 86400 * 30, 13, id="a year has more than there is room for"),
    ],
)
def test_ticks_are_round_times_of_the_clock(end: float, step: float, count: int) -> None:
    drawing = drawn(end=end, zero=1000.0)
    assert drawing.step == step
    assert len(drawing.ticks) == count
    assert all(abs(tick.wall / step - round(tick.wall / step)) < 1e-6 for tick in drawing.ticks)
    assert all(0 <= tick.at <= 1 for tick in drawing.ticks)


def test_marks_that_would_hide_one_another_are_counted() -> None:
    drawing = drawn(up(), *(probed(at=at, outcome="failure") for at in (50, 50.5, 51, 70)))
    assert [(pin.at, pin.sign, pin.count, pin.wall) for pin in drawing.rows[1].pins] == [
        (0.5, "probe", 3, 1051.0), (0.7, "probe", 1, 1070.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(0.001, "0s", id="nothing"),
        pytest.param(0.1234, "0.12s", id="less than a second"),
        pytest.param(5.25, "5.2s", id="seconds"),
        pytest.param(130, "2m10s", id="as kubectl has it"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert lasting(seconds) == expected
