"""A chart as a picture: SVG that stands alone, in the light and in the dark, and a page of HTML around it."""

from __future__ import annotations

import re
import time
from html import escape

from initsup.core.chart import Box, Chart, Pin, Row
from initsup.spec.units import human_duration

WIDTH = 1000
INSTANT = 0.05
"""Seconds; how a container looked for less than this is not worth a line."""
_LEFT, _RIGHT, _TOP, _ROW, _BAR = 160, 24, 84, 36, 14
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LOOKS = (
    ("starting", "starting"),
    ("running", "running, not ready"),
    ("ready", "ready"),
    ("stopping", "being stopped"),
    ("back-off", "waits for its back-off"),
    ("failing", "cannot be started"),
)
"""How a container can look, and what that means."""
SIGNS = (
    ("done", "succeeded"),
    ("failed", "failed"),
    ("ended", "ended by a signal of ours"),
    ("probe", "probe failed"),
    ("hook", "hook failed"),
    ("asked", "asked for"),
)
"""What a mark can say."""
_STYLE = """\
svg{--paper:#fbfaf7;--ink:#22262b;--soft:#6b7076;--line:#e3e0d8;--track:#f0ede6;--ready:#2f8a68;--running:#9ccbb5;
--starting:#e3c374;--stopping:#9aa1b2;--wait:#d98b5f;--bad:#c03d35;--ask:#3f6fb5;color-scheme:light dark}
@media(prefers-color-scheme:dark){svg{--paper:#15171b;--ink:#e8e6e1;--soft:#9a9fa7;--line:#2c3037;--track:#1f2329;
--ready:#4fb58d;--running:#2f6b55;--starting:#b8923a;--stopping:#6d7486;--wait:#c9784b;--bad:#e5675d;--ask:#7fa8e6}}
text{font:13px system-ui,sans-serif;fill:var(--ink)}.soft,.tick{fill:var(--soft)}.tick,.soft{font-size:12px}
.title{font-size:20px;font-weight:600}.name{font-weight:500}.rule{stroke:var(--line)}.paper{fill:var(--paper)}
.track{fill:var(--track)}.starting{fill:var(--starting)}.running{fill:var(--running)}.ready{fill:var(--ready)}
.stopping{fill:var(--stopping)}.back-off{fill:url(#hatch)}.failing{fill:var(--bad)}.hatch{stroke:var(--wait)}
.pin{stroke:var(--paper);stroke-width:1.5}.pin.done{stroke:var(--ready);stroke-width:3;fill:var(--paper)}.pin.failed{fill:var(--bad)}
.pin.ended{fill:var(--stopping)}.pin.probe,.pin.hook{fill:var(--wait)}.pin.asked{fill:var(--ask)}
"""
_SHAPES = {
    "done": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "ended": "M-4.5-4.5h9v9h-9z",
    "failed": "M-5-2.5L-2.5-5 0-2.5 2.5-5 5-2.5 2.5 0 5 2.5 2.5 5 0 2.5-2.5 5-5 2.5-2.5 0z",
    "probe": "M0-5.5L5.5 4.5h-11z",
    "hook": "M0-5.5L5.5 4.5h-11z",
    "asked": "M0-6L6 0 0 6-6 0z",
}
"""A shape for each sign, so that none is told by its colour alone."""


def svg(chart: Chart, *, width: int = WIDTH) -> str:
    """The chart as one SVG document of this many pixels."""
    height = _TOP + _ROW * len(chart.rows) + 52
    name = chart.rows[0].name
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label="{_text(f"Time line of pod {name}")}"><style>{_STYLE}</style>',
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<path class="hatch" d="M0 0v6" stroke-width="5"/></pattern></defs>',
        f'<rect class="paper" width="{width}" height="{height}"/>',
        f'<text class="title" x="24" y="38">{_text(name)}</text>',
        f'<text class="soft" x="{width - _RIGHT}" y="38" text-anchor="end">{_text(headline(chart))}</text>',
        *_ticks(chart, width, height),
        *(part for at, row in enumerate(chart.rows) for part in _row(row, _TOP + at * _ROW, width)),
        *_legend(chart, height - 22),
    ]
    return "\n".join([*parts, "</svg>\n"])


def html(chart: Chart) -> str:
    """The chart as a page: the picture, and in words all that it shows."""
    name = _text(chart.rows[0].name)
    rows = "".join(
        f"<tr><td><time>{moment(at)}</time><td>{_text(who)}<td>{_text(what)}\n" for at, who, what in story(chart)
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}: time line</title>
<style>
:root{{color-scheme:light dark}}body{{margin:0 auto;padding:1rem;max-width:{WIDTH}px;font:15px/1.5 system-ui,sans-serif;
background:#fbfaf7;color:#22262b}}svg{{width:100%;height:auto;min-width:640px}}.picture{{overflow-x:auto}}
table{{border-collapse:collapse;width:100%}}td,th{{padding:.35rem .75rem;text-align:left;vertical-align:top;
border-top:1px solid #8883;overflow-wrap:anywhere}}time{{font-variant-numeric:tabular-nums;white-space:nowrap}}
@media(prefers-color-scheme:dark){{body{{background:#15171b;color:#e8e6e1}}}}
</style>
<main><div class="picture">
{svg(chart)}</div>
<table><caption hidden>What has happened</caption><thead><tr><th>Time<th>Container<th>What</thead>
<tbody>
{rows}</table></main></html>
"""


def headline(chart: Chart) -> str:
    """When it was, and how long it took."""
    lasted = human_duration(chart.until - chart.since)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(chart.since))}, {lasted}"


def moment(wall: float) -> str:
    """A time of the day, with milliseconds."""
    return time.strftime("%H:%M:%S", time.localtime(wall)) + f".{int(wall % 1 * 1000):03}"


def tick(chart: Chart, wall: float) -> str:
    """A tick's label: as exact as its step."""
    form = "%H:%M:%S" if chart.step < 60 else "%H:%M" if chart.step < 86400 else "%d %b"
    return time.strftime(form, time.localtime(wall)) + (f".{int(wall % 1 * 10 + 0.5)}" if chart.step < 1 else "")


def story(chart: Chart) -> list[tuple[float, str, str]]:
    """All that the chart shows, in the order of time: when, who, what."""
    told: list[tuple[float, str, str]] = []
    for row in chart.rows:
        who = "pod" if row.kind == "pod" else row.name
        told += [(box.since, who, box.text) for box in row.boxes if box.until - box.since >= INSTANT]
        told += [(pin.wall, who, many(pin)) for pin in row.pins]
    return sorted(told, key=lambda one: one[0])


def many(pin: Pin) -> str:
    """A mark's text, and for how many it stands."""
    return f"{pin.text} (×{pin.count})" if pin.count > 1 else pin.text


# -- pieces ---------------------------------------------------------------------------------------------------------


def _row(row: Row, top: int, width: int) -> list[str]:
    bar = top + (_ROW - _BAR) // 2
    room = width - _LEFT - _RIGHT
    again = f' <tspan class="soft">×{row.restarts}</tspan>' if row.restarts else ""
    name = "pod" if row.kind == "pod" else row.name if len(row.name) < 19 else row.name[:17] + "…"
    return [
        f'<text class="name" x="24" y="{bar + 11}"><title>{_text(row.name)} ({_text(row.kind)})</title>'
        f"{_text(name)}{again}</text>",
        f'<rect class="track" x="{_LEFT}" y="{bar}" width="{room}" height="{_BAR}" rx="3"/>',
        *(_box(box, bar, room) for box in row.boxes),
        *(_pin(pin, bar + _BAR // 2, room) for pin in row.pins),
    ]


def _box(box: Box, top: int, room: int) -> str:
    wide = max(box.width * room, 1.5)
    return (
        f'<rect class="{box.look}" x="{_LEFT + box.at * room:.1f}" y="{top}" width="{wide:.1f}" height="{_BAR}"'
        f' rx="{min(3, wide / 2):.1f}"><title>{moment(box.since)} {_text(box.text)}</title></rect>'
    )


def _pin(pin: Pin, middle: int, room: int) -> str:
    place = f"translate({_LEFT + pin.at * room:.1f} {middle})"
    return (
        f'<path class="pin {pin.sign}" d="{_SHAPES[pin.sign]}" transform="{place}">'
        f"<title>{moment(pin.wall)} {_text(many(pin))}</title></path>"
    )


def _ticks(chart: Chart, width: int, height: int) -> list[str]:
    parts = []
    for one in chart.ticks:
        x = _LEFT + one.at * (width - _LEFT - _RIGHT)
        parts.append(f'<path class="rule" d="M{x:.1f} {_TOP - 8}V{height - 48}"/>')
        if x < width - _RIGHT - 30:
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{_TOP - 14}" text-anchor="middle">{tick(chart, one.wall)}</text>'
            )
    return parts


def _legend(chart: Chart, y: int) -> list[str]:
    """What is to be seen, in words."""
    looks = {box.look for row in chart.rows for box in row.boxes}
    signs = {pin.sign for row in chart.rows for pin in row.pins}
    used = [(name, words) for name, words in (*LOOKS, *SIGNS) if name in looks | signs]
    parts, x = [], 24.0
    for name, words in used:
        if name in looks:
            parts.append(f'<rect class="{name}" x="{x:.0f}" y="{y - 9}" width="14" height="10" rx="2"/>')
        else:
            place = f"translate({x + 7:.0f} {y - 4})"
            parts.append(f'<path class="pin {name}" d="{_SHAPES[name]}" transform="{place}"/>')
        parts.append(f'<text class="soft" x="{x + 20:.0f}" y="{y}">{words}</text>')
        x += 38 + 6.4 * len(words)
    return parts


def _text(words: str) -> str:
    """Safe to stand in a document: nothing of it is markup, and nothing of it is no XML."""
    return escape(_NO_XML.sub("\ufffd", words), quote=True)
