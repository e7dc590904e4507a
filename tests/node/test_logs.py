"""What containers write gets into their logs, and nothing is lost on the way."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initsup.node.logs import LINE_LIMIT
from tests.node.piping import Piping

TIME = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z "

text = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b"\n", b"\r\n", b"\r", b"\r\r\n", b"\n\n"]),
        st.integers(LINE_LIMIT - 3, LINE_LIMIT + 3).map(lambda size: b"x" * size),
        st.integers(1, 3 * LINE_LIMIT // 2).map(lambda size: "é".encode() * size),
    ),
    max_size=12,
)


@pytest.fixture
def piping(tmp_path: Path) -> Iterator[Piping]:
    made = Piping(tmp_path)
    yield made
    made.close()


def tags(piping: Piping) -> list[tuple[bytes, bytes]]:
    """Streams with tags, and contents."""
    *lines, rest = piping.files()["0.log"].split(b"\n")
    assert rest == b""
    assert all(re.match(TIME, line) for line in lines)
    return [(line[31:39], line[40:]) for line in lines]


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        pytest.param(
            b"a\nb\n", [(b"stdout F", b"a"), (b"stdout F", b"b")], id="each line has a time, a stream and a tag"
        ),
        pytest.param(b"a\n\n", [(b"stdout F", b"a"), (b"stdout F", b"")], id="an empty line is a line"),
        pytest.param(
            b"a\r\nb\rc\r\n", [(b"stdout F", b"a"), (b"stdout F", b"b\rc")], id="CR LF loses its CR, CR alone stays"
        ),
        pytest.param(
            b"a\nend", [(b"stdout F", b"a"), (b"stdout P", b"end")], id="a last line without newline is partial"
        ),
        pytest.param(b"\xff\0\n", [(b"stdout F", b"\xff\0")], id="bytes stay what they are"),
        pytest.param(b"x" * LINE_LIMIT + b"\n", [(b"stdout F", b"x" * LINE_LIMIT)], id="16 KiB are one line"),
        pytest.param(
            b"x" * (LINE_LIMIT + 1) + b"\na\n",
            [(b"stdout P", b"x" * LINE_LIMIT), (b"stdout F", b"x"), (b"stdout F", b"a")],
            id="a longer line is in parts",
        ),
        pytest.param(
            "é".encode() * LINE_LIMIT + b"\n",
            [(b"stdout P", "é".encode() * (LINE_LIMIT // 2)), (b"stdout F", "é".encode() * (LINE_LIMIT // 2))],
            id="an even cut",
        ),
        pytest.param(
            b"x" + "é".encode() * (LINE_LIMIT // 2) + b"\n",
            [(b"stdout P", b"x" + "é".encode() * (LINE_LIMIT // 2 - 1)), (b"stdout F", "é".encode())],
            id="a part does not end inside a character",
        ),
    ],
)
def test_form(piping: Piping, written: bytes, lines: list[tuple[bytes, bytes]]) -> None:
    piping.write(written)
    piping.end()
    assert tags(piping) == lines


def test_the_streams_of_a_container_share_a_file(piping: Piping) -> None:
    piping.write(b"half ")
    piping.write(b"error\n", stream="stderr")
    piping.write(b"a line\n")
    piping.end()
    assert tags(piping) == [(b"stderr F", b"error"), (b"stdout F", b"half a line")]


def test_lines_are_in_the_file_as_soon_as_they_are_read(piping: Piping) -> None:
    piping.write(b"a\nb")
    assert tags(piping) == [(b"stdout F", b"a")]


def test_a_silent_container_has_no_file(piping: Piping) -> None:
    os.close(piping.pump.pipe("web", 0, "stdout"))
    piping.turn()
    piping.pump.finish("web")
    assert piping.files() == {}
    assert piping.read() == b""


def test_a_pipe_is_closed_when_all_writers_have_closed_it(piping: Piping) -> None:
    writer = piping.pump.pipe("web", 0, "stdout")
    before = len(os.listdir("/proc/self/fd"))
    os.write(writer, b"bye")
    os.close(writer)
    piping.turn()
    assert tags(piping) == [(b"stdout P", b"bye")]
    piping.pump.finish("web")
    assert len(os.listdir("/proc/self/fd")) == before - 2


def test_finish_takes_what_is_left_though_somebody_holds_the_pipe(piping: Piping) -> None:
    writer = piping.pump.pipe("web", 0, "stdout")
    os.write(writer, b"x\n" * 30000)
    piping.pump.finish("web")
    assert piping.read() == b"x\n" * 30000
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"late\n")
    os.close(writer)


def test_a_terminal_is_read_like_a_pipe(piping: Piping) -> None:
    master, slave = os.openpty()
    piping.pump.attach(master, "web", 0, "stdout")
    os.write(slave, b"on a terminal\n")
    os.close(slave)
    piping.turn()
    assert tags(piping) == [(b"stdout F", b"on a terminal")]
    assert master not in piping.pump


def test_no_newline_needs_little_memory(piping: Piping) -> None:
    import tracemalloc

    writer = piping.pump.pipe("web", 0, "stdout")
    block = bytes(65536)
    tracemalloc.start()
    for _ in range(256):
        os.write(writer, block)
        piping.turn()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    os.close(writer)
    assert peak < 2 * 2**20
    piping.pump.finish("web")
    assert piping.read() == block * 256


def test_a_busy_pipe_is_made_larger(piping: Piping) -> None:
    import fcntl

    writer = piping.pump.pipe("web", 0, "stdout")
    assert fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) == 65536
    os.write(writer, bytes(60000))
    piping.turn()
    assert fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) == 262144
    os.close(writer)


def test_the_end_that_containers_get_blocks_and_is_not_inherited_by_others(piping: Piping) -> None:
    writer = piping.pump.pipe("web", 0, "stdout")
    assert os.get_blocking(writer)
    assert not os.get_inheritable(writer)
    os.close(writer)


@settings(max_examples=60, deadline=None)
@given(
    pieces=text, cuts=st.lists(st.integers(0, 40000), max_size=6), errors=st.lists(st.binary(max_size=20), max_size=6)
)
def test_what_was_written_is_what_is_read(pieces: list[bytes], cuts: list[int], errors: list[bytes]) -> None:
    data = b"".join(pieces)
    at = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    with tempfile.TemporaryDirectory() as directory:
        piping = Piping(Path(directory), max_size=50_000, max_files=1000)
        for begin, end in pairwise(at):
            piping.write(data[begin:end])
            if errors:
                piping.write(errors[begin % len(errors)], stream="stderr")
        piping.end()
        assert piping.read(stream="stdout") == data.replace(b"\r\n", b"\n")
        piping.close()


# -- several attempts -----------------------------------------------------------------------------------------------


def test_each_attempt_has_its_file_and_the_newest_are_kept(tmp_path: Path) -> None:
    piping = Piping(tmp_path, max_files=3)
    for attempt in range(6):
        piping.write(b"attempt %d\n" % attempt, attempt=attempt)
        piping.end()
    assert [*piping.files()] == ["3.log", "4.log", "5.log"]
    assert piping.read(attempt=4) == b"attempt 4\n"
    piping.close()


def test_one_file_of_the_attempt_before_is_kept_whatever_the_limit(tmp_path: Path) -> None:
    piping = Piping(tmp_path, max_files=2, max_size=100)
    for attempt in range(3):
        for _ in range(6):
            piping.write(b"attempt %d\n" % attempt, attempt=attempt)
        piping.end()
    names = [*piping.files()]
    assert [name.split(".")[0] for name in names] == ["1", "2", "2"]
    assert piping.read(attempt=1)
    piping.close()


def test_a_new_attempt_ends_the_one_before(piping: Piping) -> None:
    piping.write(b"first")
    piping.write(b"second\n", attempt=1)
    assert piping.read(attempt=0) == b"first"
    assert piping.read(attempt=1) == b"second\n"


# -- a log that cannot be written -----------------------------------------------------------------------------------


def test_lines_that_cannot_be_written_are_counted_and_told(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    piping = Piping(tmp_path, degraded=lambda *what: told.append(what))
    piping.logs.mkdir()
    (piping.logs / "web").write_text("not a directory")
    piping.write(b"1\n")
    for _ in range(12):
        piping.write(b"2\n3\n")
    assert told == [("web", f"{what} of its log lost: {os.strerror(errno.ENOTDIR)}") for what in ("1 line", "11 lines")]
    (piping.logs / "web").unlink()
    piping.write(b"4\n")
    piping.end()
    assert piping.read() == b"4\n"
    assert told[2:] == [("web", "25 lines of its log lost")]
    piping.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_does_not_stop_the_container_nor_the_console(tmp_path: Path) -> None:
    piping = Piping(tmp_path, "raw")
    (piping.logs / "web").mkdir(parents=True)
    (piping.logs / "web" / "0.log").symlink_to("/dev/full")
    piping.write(b"a\nb\n")
    assert piping.shown == b"a\nb\n"
    assert piping.said == b"initsup: web: 2 lines of its log lost: No space left on device\n"
    piping.close()


def test_half_a_line_is_not_left_behind(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for a disk that fills up in the middle of a write."""
    import resource

    piping = Piping(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (120, limits[1]))
        piping.write(b"one\ntwo\nthree\n")
        piping.write(b"four\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    piping.write(b"five\n")
    assert tags(piping) == [(b"stdout F", b"one"), (b"stdout F", b"two"), (b"stdout F", b"five")]
    assert piping.said == b"initsup: web: 1 line of its log lost: File too large\n"
    piping.end()
    assert piping.said.splitlines()[1:] == [b"initsup: web: 2 lines of its log lost"]
    piping.close()
