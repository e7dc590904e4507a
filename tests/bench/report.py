"""Results as a table in Markdown, and as bars in SVG."""

from __future__ import annotations

import math
import os
import platform
import statistics
from html import escape

Results = dict[str, dict[str, list[float]]]
"""Figure → peer → one value for each round."""

_COLUMNS, _GAP = 3, 14
_BAR, _NAMES, _WIDTH = 16, 140, 170
_PANEL = _NAMES + _WIDTH + 50
_LOWER_IS_BETTER_BUT = ("MB/s",)


def machine() -> str:
    """What it ran on, in a line."""
    name = platform.processor() or platform.machine()
    with open("/proc/cpuinfo") as file:
        name = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), name)
    return f"{name}, {os.cpu_count()} cores, Linux {platform.release()}"


def middle(values: list[float]) -> float:
    return statistics.median(values)


def number(value: float) -> str:
    """Three digits that count."""
    if value and abs(value) < 100:
        return f"{value:.{max(2 - math.floor(math.log10(abs(value))), 0)}f}".rstrip("0").rstrip(".") or "0"
    return f"{value:.0f}"


def table(results: Results, peers: list[str], goals: dict[str, float], floor: str) -> str:
    """A row for each figure: the medians, initsup's ratio to the floor of the same run, and its goal."""
    head = ["figure", *peers, f"initsup / {floor}", "goal"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for figure, found in results.items():
        cells = [number(middle(found[peer])) if found.get(peer) else "" for peer in peers]
        ratio = ""
        if found.get("initsup") and found.get(floor) and middle(found[floor]) > 0:
            ratio = number(middle(found["initsup"]) / middle(found[floor]))
        goal = ""
        if figure in goals:
            is_met = bool(found.get("initsup")) and middle(found["initsup"]) <= goals[figure]
            goal = f"≤ {number(goals[figure])} {'met' if is_met else 'not met'}"
        lines.append(f"| {' | '.join([figure, *cells, ratio, goal])} |")
    return "\n".join(lines) + "\n"


def plot(results: Results, peers: list[str]) -> str:
    """A panel for each figure, in columns: a bar for each peer on a logarithmic scale, initsup's in another colour."""
    columns: list[list[str]] = [[] for _ in range(_COLUMNS)]
    tops = [_GAP] * _COLUMNS
    for figure, found in results.items():
        shown = [(peer, middle(found[peer])) for peer in peers if found.get(peer)]
        column = tops.index(min(tops))
        columns[column].append(f'<g transform="translate(0 {tops[column]})">{_panel(figure, shown)}</g>')
        tops[column] += _BAR * (len(shown) + 1) + _GAP
    size = f'width="{_COLUMNS * _PANEL}" height="{max(tops)}"'
    groups = [
        f'<g transform="translate({index * _PANEL} 0)">\n' + "\n".join(panels) + "\n</g>\n"
        for index, panels in enumerate(columns)
    ]
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>\n'  # whatever the page around it has
    style = 'font-family="sans-serif" font-size="11"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{ground}' + "".join(groups) + "</svg>\n"


def _panel(figure: str, shown: list[tuple[str, float]]) -> str:
    least = min((value for _, value in shown if value > 0), default=1.0) / 2
    most = max((value for _, value in shown), default=1.0)
    better = "higher" if figure.endswith(_LOWER_IS_BETTER_BUT) else "lower"
    parts = [f'<text x="{_GAP}" y="12"><tspan font-weight="bold">{escape(figure)}</tspan> ({better} is better)</text>']
    for line, (peer, value) in enumerate(shown, 1):
        span = math.log(max(value, least) / least) / math.log(most / least) if most > least else float(most > 0)
        colour = "#1f77b4" if peer == "initsup" else "#bbbbbb" if peer.startswith("floor") else "#e0a060"
        width = max(span * _WIDTH, 1.0)
        parts.append(f'<text x="{_NAMES - 6}" y="{line * _BAR + 12}" text-anchor="end">{escape(peer)}</text>')
        bar = f'x="{_NAMES}" y="{line * _BAR + 2}" width="{width:.1f}" height="{_BAR - 4}"'
        parts.append(f'<rect {bar} fill="{colour}"/>')
        parts.append(f'<text x="{_NAMES + width + 4:.1f}" y="{line * _BAR + 12}">{number(value)}</text>')
    return "".join(parts)
