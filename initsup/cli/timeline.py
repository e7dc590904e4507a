"""`initsup timeline`: what a run has been through, drawn along the time; also of one that has ended."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser
    from initsup.core.chart import Chart, Row

FORMS = ("text", "svg", "html", "json")
_NAME = 18
_GLYPHS = {
    "starting": ("\u2591", "."),
    "running": ("\u2592", "="),
    "ready": ("\u2588", "#"),
    "stopping": ("\u2593", "-"),
    "back-off": ("\u2574", "~"),
    "failing": ("\u2573", "!"),
    "done": ("\u2713", "v"),
    "ended": ("\u25a0", "o"),
    "failed": ("\u2717", "x"),
    "probe": ("\u25b2", "^"),
    "hook": ("\u25b2", "^"),
    "asked": ("\u25c6", "*"),
}
"""How a box or a mark is drawn, and how where there are only ASCII characters."""
_COLOURS = {
    "starting": "33", "running": "32", "ready": "32", "stopping": "90", "back-off": "33", "failing": "31",
    "done": "1;32", "ended": "1;90", "failed": "1;31", "probe": "1;33", "hook": "1;33", "asked": "1;34",
}  # fmt: skip


def arguments(parser: Parser) -> None:
    """The options of `timeline`."""
    from initsup.cli.arguments import add_pod

    parser.examples("""
# On the terminal, with what happened
initsup timeline

# Only until the pod was ready, or only the last ten minutes
initsup timeline --start
initsup timeline --last 10m

# A picture for the incident report
initsup timeline -o svg > run.svg
""")
    add_pod(parser)
    parser.add_argument("-o", "--output", metavar="FORM", default="text", help=f"one of {', '.join(FORMS)}")
    parser.add_argument("--first", metavar="DURATION", default="", help="only the first part of the run, such as 30s")
    parser.add_argument("--last", metavar="DURATION", default="", help="only the last part of the run, such as 10m")
    parser.flag("--start", help="only until the pod was ready for the first time")
    parser.flag("--no-events", help="leave out the list of what happened")


def timeline(args: Namespace) -> int:
    """Print the time line of a pod that runs, or of the run before."""
    from initsup.api.history import read
    from initsup.cli.arguments import pod_name, state_dir
    from initsup.cli.output import check_form
    from initsup.core.chart import Window

    check_form(args.output, FORMS)
    window = Window(first=_seconds(args.first), last=_seconds(args.last), start=args.start)
    chart = read(state_dir(args, pod_name(args.words)), window)
    print(_render(chart, args.output, args.no_events), end="")
    return 0


def _seconds(text: str) -> float | None:
    from initsup.errors import UsageError
    from initsup.spec.units import parse_duration

    try:
        return parse_duration(text) if text else None
    except ValueError as problem:
        raise UsageError(str(problem)) from None


def _render(chart: Chart, form: str, bare: bool) -> str:
    if form == "json":
        import msgspec

        return msgspec.json.format(msgspec.json.encode(chart), indent=2).decode() + "\n"
    from initsup.api import drawing

    if form != "text":
        return drawing.svg(chart) if form == "svg" else drawing.html(chart)
    terminal = sys.stdout.isatty()
    width = os.get_terminal_size(sys.stdout.fileno()).columns if terminal else 100
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    return Text(chart, width, colour=terminal and "NO_COLOR" not in os.environ, ascii_only=ascii_only).draw(bare)


class Text:
    """A chart in characters, `width` of them a line."""

    def __init__(self, chart: Chart, width: int, *, colour: bool, ascii_only: bool) -> None:
        self._chart = chart
        self._room = max(width - _NAME - 6, 20)
        self._colour = colour
        self._ascii = ascii_only

    def draw(self, bare: bool) -> str:
        """The rows, a legend, and unless `bare` what happened."""
        from initsup.api.drawing import headline, moment, story

        chart = self._chart
        lines = [f"{chart.rows[0].name}  {headline(chart)}", "", self._axis(), *map(self._row, chart.rows), ""]
        lines.append(self._legend())
        if not bare:
            names = max(3, *(len(row.name) for row in chart.rows if row.kind != "pod"))
            told = [(moment(at), who, what) for at, who, what in story(chart)]
            lines += ["", *(f"{at}  {who:<{names}}  {_line(what)}" for at, who, what in told)]
        return "\n".join(line.rstrip() for line in lines) + "\n"

    def _axis(self) -> str:
        from initsup.api.drawing import tick

        cells = [" "] * self._room
        free = 0
        for one in self._chart.ticks:
            label, at = tick(self._chart, one.wall), int(one.at * (self._room - 1))
            if at >= free and at + len(label) <= self._room:
                cells[at : at + len(label)] = label
                free = at + len(label) + 1
        return " " * (_NAME + 1) + "".join(cells)

    def _row(self, row: Row) -> str:
        cells: list[str] = [""] * self._room
        for box in row.boxes:
            left = self._cell(box.at)
            for at in range(left, max(self._cell(box.at + box.width), left + 1)):
                cells[at] = box.look
        for pin in row.pins:
            cells[self._cell(pin.at)] = pin.sign
        name = "pod" if row.kind == "pod" else row.name
        name = name if len(name) <= _NAME else name[: _NAME - 1] + "~"
        again = f" x{row.restarts}" if row.restarts else ""
        return f"{name:<{_NAME}} " + "".join(map(self._glyph, cells)) + again

    def _cell(self, at: float) -> int:
        return min(int(at * self._room), self._room - 1)

    def _glyph(self, what: str) -> str:
        if not what:
            return " "
        glyph = _GLYPHS[what][self._ascii]
        return f"\033[{_COLOURS[what]}m{glyph}\033[0m" if self._colour else glyph

    def _legend(self) -> str:
        from initsup.api.drawing import LOOKS, SIGNS

        rows = self._chart.rows
        used = {box.look for row in rows for box in row.boxes} | {pin.sign for row in rows for pin in row.pins}
        return "   ".join(f"{self._glyph(key)} {words}" for key, words in (*LOOKS, *SIGNS) if key in used)


def _line(text: str) -> str:
    """On one line, and without what a terminal would act on."""
    return "".join(char if char.isprintable() else " " for char in text.replace("\n", "; "))
