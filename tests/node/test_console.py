"""initsup's own stdout: what it looks like, and that nobody who reads it slowly, or not at all, holds anything up."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import socket
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from initsup.node.console import Console
from tests.node.piping import Piping

AT = b"2026-01-02T03:04:05.678901234Z"


class Screen:
    """A console on a descriptor; `show` and `say` as the pump and initsup do."""

    def __init__(self, fd: int, form: Any = "raw", stderr: int | None = None, **options: Any) -> None:
        self.poll = select.epoll()
        self.console = Console(
            self.poll, ["web", "sidecar"], form, stdout=fd, stderr=fd if stderr is None else stderr, **options
        )

    def show(self, text: bytes, container: str = "web", stream: str = "stdout") -> None:
        whole, newline, part = text.rpartition(b"\n")
        if newline:
            self.console.show(container, stream, AT, whole + newline, whole=True)
        if part:
            self.console.show(container, stream, AT, part, whole=False)

    def turn(self) -> None:
        while events := self.poll.poll(0):
            for fd, _ in events:
                assert fd in self.console
                self.console.ready(fd)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """(to read from, to write to); both are closed at the end, if they are not yet."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    own = os.readlink(f"/proc/self/fd/{reader}")
    yield reader, writer
    for fd in (reader, writer):
        try:
            is_own = os.readlink(f"/proc/self/fd/{fd}") == own  # the number may be something else's by now
        except FileNotFoundError:
            continue
        if is_own:
            os.close(fd)


def read(fd: int, screen: Screen | None = None) -> bytes:
    """All there is, and all that then comes."""
    found = b""
    while True:
        try:
            data = os.read(fd, 1 << 20)
        except BlockingIOError:
            if screen is None or not screen.console.waiting:
                return found
            data = b""
        if not data and screen is None:
            return found
        found += data
        if screen is not None:
            screen.turn()


def file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)


# -- forms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        pytest.param("text", b"[web]     a\n[web]     b\n[sidecar] c\n", id="text: aligned"),
        pytest.param("auto", b"[web]     a\n[web]     b\n[sidecar] c\n", id="auto: text, and no colours in a file"),
        pytest.param("raw", b"a\nb\nc\n", id="raw: as it is"),
        pytest.param("none", b"", id="none"),
    ],
)
def test_forms(tmp_path: Path, form: str, shown: bytes) -> None:
    screen = Screen(file(tmp_path / "out"), form)
    screen.show(b"a\nb\n")
    screen.show(b"c\n", "sidecar", "stderr")
    assert (tmp_path / "out").read_bytes() == shown
    assert screen.console.wants_lines == (form != "none")


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        pytest.param(b"a\nb\n", ["a", "b"], id="plain lines"),
        pytest.param(b'say "x\\n"\n\tb\n', ['say "x\\n"', "\tb"], id="lines to be escaped"),
        pytest.param("é\U0001f600\n".encode(), ["é\U0001f600"], id="not ASCII"),
        pytest.param(b"\xff\0\x7f\n", ["\ufffd\0\x7f"], id="not text"),
        pytest.param(b"\n\n", ["", ""], id="empty lines"),
    ],
)
def test_json(tmp_path: Path, text: bytes, messages: list[str]) -> None:
    screen = Screen(file(tmp_path / "out"), "json")
    screen.show(text, stream="stderr")
    found = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    common = {"time": AT.decode(), "container": "web", "stream": "stderr"}
    assert found == [{**common, "message": message} for message in messages]


def test_json_parts(tmp_path: Path) -> None:
    screen = Screen(file(tmp_path / "out"), "json")
    screen.show(b"half a ")
    screen.show(b"line\n")
    found = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [(one["message"], one.get("partial")) for one in found] == [("half a ", True), ("line", None)]


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        pytest.param([("web", b"half a "), ("web", b"line\n")], b"[web]     half a line\n", id="put together"),
        pytest.param(
            [("web", b"half a "), ("sidecar", b"other\n"), ("web", b"line\n")],
            b"[web]     half a \n[sidecar] other\n[web]     line\n",
            id="broken by another's line",
        ),
        pytest.param([("web", b"end"), ("", b"bye")], b"[web]     end\ninitsup: bye\n", id="broken by initsup's own"),
        pytest.param([("web", b"end")], b"[web]     end\n", id="ended at the end"),
        pytest.param([("new", b"a\n")], b"[new] a\n", id="a container that was not announced"),
    ],
)
def test_parts_of_lines(tmp_path: Path, pieces: list[tuple[str, bytes]], shown: bytes) -> None:
    screen = Screen(file(tmp_path / "out"), "text")
    for container, text in pieces:
        if container:
            screen.show(text, container)
        else:
            screen.console.say(text.decode())
    screen.console.close()
    assert (tmp_path / "out").read_bytes() == shown


def test_initsups_own_lines_go_to_stderr(tmp_path: Path) -> None:
    screen = Screen(file(tmp_path / "out"), "text", stderr=file(tmp_path / "err"))
    screen.show(b"unended")
    screen.console.say("ready")
    screen.show(b" line\n")
    assert (tmp_path / "out").read_bytes() == b"[web]     unended line\n"
    assert (tmp_path / "err").read_bytes() == b"initsup: ready\n"


def test_initsups_own_lines_are_json_among_json(tmp_path: Path) -> None:
    screen = Screen(file(tmp_path / "out"), "json")
    screen.console.say("ready")
    found = json.loads((tmp_path / "out").read_text())
    assert (found["container"], found["stream"], found["message"]) == ("", "initsup", "ready")


# -- readers that are slow, or gone ---------------------------------------------------------------------------------


def test_a_slow_reader_gets_everything(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    screen = Screen(writer)
    lines = [b"%d\n" % n for n in range(100_000)]
    for line in lines:
        screen.show(line)
    assert screen.console.waiting > 0
    assert read(reader, screen) == b"".join(lines)
    assert screen.console.waiting == 0


def test_nothing_is_registered_while_nothing_waits(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    screen = Screen(writer)
    screen.show(b"a\n")
    assert screen.poll.poll(0) == []
    with pytest.raises(FileNotFoundError):
        screen.poll.unregister(writer)
    assert read(reader) == b"a\n"


def test_beyond_the_bound_lines_are_counted(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    screen = Screen(writer, bound=1000)
    screen.show(b"x" * 70_000 + b"\n")
    for n in range(200):
        screen.show(b"line %04d\n" % n)
    shown = read(reader, screen).split(b"\n")
    screen.show(b"later\n")
    shown += read(reader, screen).split(b"\n")
    missing = 200 - sum(line.startswith(b"line") for line in shown)
    assert missing > 0
    assert b"initsup: %d lines not shown here, see `initsup logs`" % missing in shown
    assert shown[-2] == b"later"


@pytest.mark.parametrize("form", ["text", "json", "raw"])
def test_a_reader_that_is_gone_is_forgotten(pipe: tuple[int, int], form: str) -> None:
    reader, writer = pipe
    screen = Screen(writer, form)
    screen.show(b"x\n" * 100_000)
    os.close(reader)
    screen.turn()
    screen.show(b"more\n")
    screen.console.say("more")
    assert screen.console.waiting == 0
    assert not screen.console.wants_lines
    screen.console.close(None)


def test_a_closed_stdout_is_no_matter(pipe: tuple[int, int]) -> None:
    _, writer = pipe
    os.close(writer)
    screen = Screen(writer)
    screen.show(b"a\n")
    screen.console.say("b")
    screen.console.close()


def test_closing_waits_for_the_reader_but_not_for_ever(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    screen = Screen(writer)
    screen.show(b"x\n" * 50_000)
    screen.console.close(0.01)
    assert len(read(reader)) == 65536


WAITS = b"initsup: waits for who reads its stdout, 0s at most\n"


def test_who_reads_nothing_is_waited_for_and_told_on_stderr(
    pipe: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("initsup.node.console._SILENT", 0.01)
    screen = Screen(pipe[1], stderr=file(tmp_path / "err"))
    screen.show(b"x\n" * 50_000)
    screen.console.drain(0.02)
    screen.console.say("the end")
    screen.console.close(None)
    given_up = b"initsup: nobody reads its stdout: the last lines are in `initsup logs`\n"
    assert (tmp_path / "err").read_bytes() == WAITS + given_up + b"initsup: the end\n"
    assert len(read(pipe[0])) == 65536


def test_who_has_read_all_is_not_waited_for(pipe: tuple[int, int], tmp_path: Path) -> None:
    screen = Screen(pipe[1], stderr=file(tmp_path / "err"))
    screen.show(b"x\n")
    screen.console.drain()
    screen.console.close()
    assert (tmp_path / "err").read_bytes() == b""


def test_the_descriptor_that_others_share_is_left_as_it_is(pipe: tuple[int, int]) -> None:
    _, writer = pipe
    screen = Screen(writer)
    screen.show(b"x\n" * 100_000)
    assert os.get_blocking(writer)
    screen.console.close(0)
    assert os.get_blocking(writer)


def test_kernels_without_nowait_on_pipes(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "pwritev", refuse)
    reader, writer = pipe
    screen = Screen(writer)
    screen.show(b"x\n" * 100_000)
    assert screen.console.waiting > 0
    assert read(reader, screen) == b"x\n" * 100_000


def test_a_socket_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        screen = Screen(ours.fileno())
        for _ in range(20):
            screen.show(b"x\n" * 50_000)
        assert screen.console.waiting > 0
        assert read(theirs.fileno(), screen) == b"x\n" * 1_000_000


def test_a_full_disk_is_told_when_there_is_room_again(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for it."""
    import resource

    screen = Screen(file(tmp_path / "out"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4, limits[1]))
        screen.show(b"a\nb\nc\n")
        screen.show(b"d\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    screen.show(b"e\n")
    assert (tmp_path / "out").read_text() == "a\nb\ninitsup: 2 lines not shown here, see `initsup logs`\ne\n"


# -- terminals ------------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """(the side of the terminal emulator, our side)"""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    yield master, slave
    os.close(master)
    os.close(slave)


def test_a_terminal_that_stands_still_holds_up_nothing(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    screen = Screen(slave, environ={"NO_COLOR": "1"})
    lines = [b"%d\n" % n for n in range(50_000)]
    for line in lines:
        screen.show(line)
    assert screen.console.waiting > 0
    assert not fcntl.fcntl(slave, fcntl.F_GETFL) & os.O_NONBLOCK
    assert read(master, screen) == b"".join(lines)
    screen.console.close()


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        pytest.param({}, True, id="a terminal has colours"),
        pytest.param({"NO_COLOR": ""}, True, id="an empty NO_COLOR says nothing"),
        pytest.param({"NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param({"TERM": "dumb"}, False, id="a dumb terminal"),
    ],
)
def test_colours(terminal: tuple[int, int], environ: dict[str, str], coloured: bool) -> None:
    master, slave = terminal
    screen = Screen(slave, "auto", environ=environ)
    screen.show(b"a\n")
    screen.show(b"b\n", "sidecar")
    shown = b"\x1b[36m[web]\x1b[0m     a\n\x1b[33m[sidecar]\x1b[0m b\n" if coloured else b"[web]     a\n[sidecar] b\n"
    found = b""
    while len(found) < len(shown):  # a terminal hands out a line at a time
        found += os.read(master, 1000)
    assert found == shown
    screen.console.close()


@pytest.mark.parametrize("form", ["text", "json", "raw"])
def test_what_is_muted_is_not_shown(tmp_path: Path, form: str) -> None:
    screen = Screen(file(tmp_path / "out"), form)
    screen.console.muted = frozenset(["web"])
    screen.show(b"\x1b[2Ja\n")
    assert (tmp_path / "out").read_bytes() == b""
    screen.console.muted = frozenset(["sidecar"])
    screen.show(b"b\n")
    assert b"b" in (tmp_path / "out").read_bytes()


# -- together with the pump -----------------------------------------------------------------------------------------


def test_what_containers_write_is_shown(tmp_path: Path) -> None:
    piping = Piping(tmp_path, "text")
    piping.write(b"one\ntw")
    piping.write(b"o\n" + b"x" * 20000 + b"\nun")
    piping.end()
    piping.console.close()
    assert piping.shown == b"".join(b"[web]     %b\n" % line for line in (b"one", b"two", b"x" * 20000, b"un"))
    piping.close()
