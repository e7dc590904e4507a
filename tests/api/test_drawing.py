"""Charts as pictures: whole documents, whatever stands in names and messages."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from initsup.api.drawing import LOOKS, SIGNS, html, story, svg, tick
from initsup.core.apply import begin
from initsup.core.chart import Chart, Window, chart
from initsup.core.events import Event, Hooked, Looked, VolumesReady
from initsup.core.timeline import Timeline
from tests.build import container, hook_begun, hooks, planned, ran, up

EVIL = "</title></svg><script>alert(1)</script>&\"'\x00\x1b\ud800"
SVG = "{http://www.w3.org/2000/svg}"


def drawn(*happened: Event | tuple[Event, ...], end: float = 100.0) -> Chart:
    plan = planned(container("a", lifecycle=hooks(post_start=True)))
    made = Timeline(plan, begin(plan, 0.0))
    flat = [event for one in happened for event in (one if isinstance(one, tuple) else (one,))]
    for event in (VolumesReady(at=0.0), *flat):
        made.add(event)
    return chart(made, end, 1e9, Window())


def failed_hook(message: str) -> tuple[Event, ...]:
    failed = Hooked(at=3, container="a", attempt=0, hook="postStart", ok=False, message=message)
    return (*up(at=1), hook_begun(at=1), failed)


def test_the_picture_has_a_row_for_each_and_a_shape_for_each_mark() -> None:
    root = ElementTree.fromstring(svg(drawn(ran(since=10, until=60, code=1))))
    assert root.get("aria-label") == "Time line of pod p"
    assert len(root.findall(f"{SVG}rect[@class='track']")) == 2
    assert [one.get("class") for one in root.findall(f"{SVG}path[{SVG}title]")] == ["pin failed"]
    titles = [one.text or "" for one in root.iter(f"{SVG}title")]
    assert any(title.endswith("starting: postStart hook · 50s") for title in titles)


@pytest.mark.parametrize("message", [EVIL, "]]>", "\U0001f600 ünï", "a\nb\tc", "\ufffe\uffff"])
def test_what_was_said_is_text_and_nothing_else(message: str) -> None:
    drawing = drawn(failed_hook(message))
    root = ElementTree.fromstring(svg(drawing))  # which takes well-formed documents only
    assert {one.tag.removeprefix(SVG) for one in root.iter()} == {
        "svg", "style", "defs", "pattern", "path", "rect", "text", "title",
    }  # fmt: skip
    page = html(drawing)
    assert "<script" not in page
    assert page.count("</title>") == page.count("<title>")
    page.encode()


def test_the_page_tells_in_words_all_that_the_picture_shows() -> None:
    page = html(drawn(ran(since=10, until=60, code=1)))
    assert page.count("<tr><td>") == len(story(drawn(ran(since=10, until=60, code=1)))) == 3
    assert "<td>a<td>ended with 1\n" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")  # nothing is fetched from anywhere


def test_the_story_is_in_the_order_of_time() -> None:
    times = [at for at, _, _ in story(drawn(ran(since=10, until=60, code=1), Looked(at=70)))]
    assert times == sorted(times)


def test_every_look_and_sign_is_explained() -> None:
    from typing import get_args

    from initsup.core.timeline import Look, Sign

    assert tuple(name for name, _ in LOOKS) == get_args(Look)
    assert {name for name, _ in SIGNS} == set(get_args(Sign))


@pytest.mark.parametrize(
    ("end", "length"),
    [
        pytest.param(1, 10, id="tenths of a second"),
        pytest.param(100, 8, id="seconds"),
        pytest.param(7200, 5, id="minutes"),
        pytest.param(86400 * 9, 6, id="days"),
    ],
)
def test_labels_are_as_exact_as_their_steps(end: float, length: int) -> None:
    drawing = drawn(end=end)
    assert {len(tick(drawing, one.wall)) for one in drawing.ticks} == {length}
