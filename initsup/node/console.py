"""initsup's own stdout and stderr: the lines of all containers as they come, and what initsup itself has to say.

    text   [web]   a line                 a colour for each container on a terminal (not if NO_COLOR is set)
    json   {"time":"2026-01-02T03:04:05.678901234Z","container":"web","stream":"stdout","message":"a line"}
    raw    a line
    none   nothing

A reader that is slow, or gone, holds up nobody (see `outlet`). What is beyond the bound of what may wait is not shown:
a line then says how much is missing. It is in the log in any case.

A line that comes in parts is put together again as long as no other comes in between; in JSON a part has
`"partial":true`.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from initsup.node.logfile import line_time
from initsup.node.outlet import BOUND, Outlet

if TYPE_CHECKING:
    from initsup.node.kept import KeptConsole

_SILENT = 1.0
"""Seconds of waiting for a reader at the end that need no explanation."""

Form = Literal["auto", "text", "json", "raw", "none"]

_PLAIN = bytes(set(range(32, 127)) - set(b'"\\')) + b"\n"
_WIDTH = 80
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)


class Console:
    """`names` of containers are aligned and coloured in this order. `form` "auto" is text.

    `poll` is the epoll object in which an fd is registered while lines wait for the reader: when it names an fd that is
    `in` the console, call `ready(fd)`.
    """

    def __init__(
        self,
        poll: select.epoll,
        names: Iterable[str] = (),
        form: Form = "auto",
        *,
        stdout: int = 1,
        stderr: int = 2,
        bound: int = BOUND,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._out = Outlet(stdout, poll, bound)
        self._err = self._out if _same(stdout, stderr) else Outlet(stderr, poll, bound)
        self._json = form == "json"
        self._open: tuple[str, str] | None = None  # whose line it is that stdout ends with, without a newline
        self._prefixes = {} if form == "raw" else _prefixes(tuple(names), self._out.is_terminal and _colour(environ))
        self._raw = form == "raw"
        self._none = form == "none"
        self.muted: frozenset[str] = frozenset()
        """Containers of which nothing is shown: those on whose terminal somebody works elsewhere."""
        self._status = ""
        self._drawn = False

    def handed_over(self) -> KeptConsole:
        """What a successor needs to know."""
        from initsup.node.kept import KeptConsole

        err = None if self._err is self._out else self._err.handed_over()
        return KeptConsole(self._out.handed_over(), err, self._open, self._status, self._drawn)

    def resume(self, kept: KeptConsole) -> None:
        """Go on with what was handed over."""
        self._out.resume(kept.out)
        if kept.err is not None and self._err is not self._out:
            self._err.resume(kept.err)
        self._open, self._status, self._drawn = kept.open, kept.status, kept.drawn

    @property
    def wants_lines(self) -> bool:
        """Whether `show` does anything."""
        return not (self._none or self._out.gone)

    @property
    def waiting(self) -> int:
        """How many bytes wait for a reader."""
        return self._out.waiting + (self._err.waiting if self._err is not self._out else 0)

    def show(self, container: str, stream: str, at: bytes, text: bytes, *, whole: bool) -> None:
        """Lines of a container, read at `at` (RFC 3339). `whole`: `text` ends with a newline; else part of one."""
        if self._none or container in self.muted or not self._room(self._out, text):
            return
        if self._json:
            self._out.write(_objects(container, stream, at, text, whole=whole))
            return
        prefix = b"" if self._raw else self._prefix(container)
        shown = text.replace(b"\n", b"\n" + prefix)[: -len(prefix) or None] if whole and prefix else text
        source = (container, stream)
        if self._open != source:
            shown = self._end_line() + prefix + shown
        self._open = None if whole else source
        self._write(self._out, shown)

    def say(self, text: str) -> None:
        """A line of initsup's own, on stderr."""
        if self._room(self._err, b"\n"):
            self._say(self._err, text)

    @property
    def has_status(self) -> bool:
        """Whether there is a terminal that can show a line that is rewritten."""
        return self._err.is_terminal and not (self._json or self._raw or self._none or self._err.gone)

    def status(self, text: str) -> None:
        """Show this below everything else, until another text or "" takes its place."""
        if not self.has_status or (text == self._status and self._drawn):
            return
        self._status = text
        self._write(self._err, b"")

    def __contains__(self, fd: int) -> bool:
        return fd in (self._out.fd, self._err.fd)

    def ready(self, fd: int) -> None:
        """Epoll says that there is room again."""
        outlet = self._out if fd == self._out.fd else self._err
        outlet.ready()
        self._room(outlet, b"")

    def drain(self, patience: float = 5.0) -> None:
        """Have stdout written before a last word on stderr, within `patience` seconds; later it is thrown away.

        What is waited for is said there, unless both are the same.
        """
        self.status("")
        if self._err is self._out:
            return
        self._out.flush(_SILENT)
        if self._out.waiting:
            self.say(f"waits for who reads its stdout, {patience - _SILENT:.0f}s at most")
            self._out.flush(patience - _SILENT)
            if self._out.waiting:
                self.say("nobody reads its stdout: the last lines are in `initsup logs`")
                self._out.close()

    def close(self, patience: float | None = 5.0) -> None:
        """Wait `patience` seconds at most for the readers (None: however long it takes)."""
        self.status("")
        for outlet in {self._out, self._err}:
            outlet.flush(patience)
            if self._room(outlet, b""):
                outlet.write(self._end_line() if outlet is self._out else b"")
            outlet.close()

    def _room(self, outlet: Outlet, text: bytes) -> bool:
        """Whether `text` can be written. Says first, if all else is written, that there was no room for others."""
        if outlet.dropped and not outlet.waiting and not outlet.gone:
            dropped, outlet.dropped = outlet.dropped, 0
            self._say(outlet, f"{dropped} line{'s' * (dropped != 1)} not shown here, see `initsup logs`")
            if outlet.dropped:  # this line, too
                outlet.dropped = dropped
        return outlet.room_for(text)

    def _say(self, outlet: Outlet, text: str) -> None:
        data = text.encode("utf-8", "replace") + b"\n"
        if self._json:
            outlet.write(_objects("", "initsup", line_time(time.time_ns()), data, whole=True))
            return
        self._write(outlet, (self._end_line() if outlet is self._out else b"") + b"initsup: " + data)

    def _write(self, outlet: Outlet, data: bytes) -> None:
        """Write, with the status line taken away before and drawn again behind (unless a line is still open)."""
        if outlet is not self._err or not (self._drawn or self._status):
            outlet.write(data)
            return
        clear = b"\r\x1b[K" if self._drawn else b""
        self._drawn = bool(self._status) and self._open is None and not outlet.waiting
        line = self._status_line() if self._drawn else b""
        outlet.write(clear + data + line)

    def _status_line(self) -> bytes:
        try:
            width = os.get_terminal_size(self._err.fd).columns or _WIDTH  # 0: nobody has told the terminal
        except OSError:
            width = _WIDTH
        return f"\x1b[2m{self._status[: width - 1]}\x1b[0m".encode("utf-8", "replace")

    def _end_line(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        return b"\n"

    def _prefix(self, container: str) -> bytes:
        found = self._prefixes.get(container)
        if found is None:
            found = self._prefixes[container] = f"[{container}] ".encode()
        return found


def _same(fd: int, other: int) -> bool:
    try:
        one, two = os.fstat(fd), os.fstat(other)
    except OSError:
        return False
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)


def _colour(environ: Mapping[str, str]) -> bool:
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"  # https://no-color.org


def _prefixes(names: tuple[str, ...], colour: bool) -> dict[str, bytes]:
    width = max(map(len, names), default=0)
    found = {}
    for index, name in enumerate(names):
        label = f"[{name}]"
        if colour:
            label = f"\x1b[{_COLOURS[index % len(_COLOURS)]}m{label}\x1b[0m"
        found[name] = (label + " " * (width - len(name) + 1)).encode()
    return found


def _objects(container: str, stream: str, at: bytes, text: bytes, *, whole: bool) -> bytes:
    """One JSON object a line."""
    begin = b'{"time":"%b","container":"%b","stream":"%b","message":' % (at, container.encode(), stream.encode())
    if not whole:
        return begin + _quoted(text) + b',"partial":true}\n'
    if not text.translate(None, _PLAIN):  # nothing to escape: one pass over all lines, five times as fast
        return b"".join([begin, b'"', text[:-1].replace(b"\n", b'"}\n' + begin + b'"'), b'"}\n'])
    return b"".join([begin + _quoted(line) + b"}\n" for line in text[:-1].split(b"\n")])


def _quoted(text: bytes) -> bytes:
    return msgspec.json.encode(text.decode("utf-8", "replace"))
