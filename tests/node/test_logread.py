"""Reading logs: options, rotation, following."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initsup.node.logfile import LogFile
from initsup.node.logread import Reader, last_lines
from tests.node.piping import read_all

T1, T2, T3 = (f"2026-01-02T03:04:0{n}.000000001Z" for n in (1, 2, 3))
LOG = f"""{T1} stdout F one
{T2} stderr F oops
{T2} stdout P lo
{T2} stdout P ng 
{T3} stdout F line
{T3} stderr P unended
""".encode()  # noqa: W291


def write(directory: Path, *texts: bytes, attempt: int = 0) -> str:
    """All files of an attempt, oldest first."""
    for number, text in enumerate(texts[:-1]):
        (directory / f"{attempt}.log.2026010{number + 1}-000000").write_bytes(text)
    (directory / f"{attempt}.log").write_bytes(texts[-1])
    return str(directory)


def numbered(first: int, last: int) -> bytes:
    return b"".join(b"%b stdout F %d\n" % (T1.encode(), n) for n in range(first, last + 1))


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        pytest.param({}, "one\noops\nlong line\nunended", id="parts are joined, a last line stays without newline"),
        pytest.param({"tail": 2}, "line\nunended", id="a part counts as a line"),
        pytest.param({"tail": 0}, "", id="no line"),
        pytest.param({"tail": 100}, "one\noops\nlong line\nunended", id="more lines than there are"),
        pytest.param({"since": T2}, "oops\nlong line\nunended", id="since is inclusive"),
        pytest.param({"since": T3, "tail": 3}, "line\nunended", id="since is looked at after tail"),
        pytest.param({"since": "2027"}, "", id="nothing that new"),
        pytest.param({"timestamps": True, "tail": 4}, f"{T2} long line\n{T3} unended", id="one time for a joined line"),
        pytest.param(
            {"timestamps": True, "tail": 6}, f"{T1} one\n{T2} oops\n{T2} long line\n{T3} unended", id="all times"
        ),
        pytest.param({"prefix": b"> "}, "> one\n> oops\n> long line\n> unended", id="a prefix for each line"),
        pytest.param({"limit": 6}, "one\noo", id="the limit cuts inside a line"),
        pytest.param({"limit": 5, "timestamps": True}, "2026-", id="the limit counts times"),
        pytest.param({"stream": "stderr"}, "oops\nunended", id="one stream"),
        pytest.param({"stream": "stdout"}, "one\nlong line\n", id="the other stream"),
    ],
)
def test_options(tmp_path: Path, options: dict[str, Any], shown: str) -> None:
    assert read_all(Reader(write(tmp_path, LOG), 0, **options)) == shown.encode()


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        pytest.param({}, b"1\n2\n3\n", id="plain"),
        pytest.param({"timestamps": True}, f"{T1} 1\n{T1} 2\n{T1} 3\n".encode(), id="times"),
        pytest.param({"prefix": b"> "}, b"> 1\n> 2\n> 3\n", id="prefix"),
        pytest.param({"prefix": b"> ", "timestamps": True, "tail": 1}, f"> {T1} 3\n".encode(), id="prefix and time"),
    ],
)
def test_a_log_without_parts(tmp_path: Path, options: dict[str, Any], shown: bytes) -> None:
    assert read_all(Reader(write(tmp_path, numbered(1, 3)), 0, **options)) == shown


def test_lines_of_two_streams_do_not_run_into_each_other(tmp_path: Path) -> None:
    log = f"{T1} stdout P out\n{T1} stderr F err\n{T1} stdout F put\n".encode()
    assert read_all(Reader(write(tmp_path, log), 0)) == b"out\nerr\nput\n"


@pytest.mark.parametrize("tail", [None, 0, 1, 2, 3, 4, 5, 6, 9, 10, 11])
def test_rotated_files_are_read_as_one(tmp_path: Path, tail: int | None) -> None:
    directory = write(tmp_path, numbered(1, 3), numbered(4, 4), numbered(5, 10))
    write(tmp_path, b"other\n", attempt=1)
    first = 1 if tail is None else max(11 - tail, 1)
    assert read_all(Reader(directory, 0, tail=tail)) == b"".join(b"%d\n" % n for n in range(first, 11))


def test_tail_of_a_large_log(tmp_path: Path) -> None:
    assert read_all(Reader(write(tmp_path, numbered(1, 20000)), 0, tail=15000)).split(b"\n")[:2] == [b"5001", b"5002"]


def test_no_log_no_lines(tmp_path: Path) -> None:
    reader = Reader(str(tmp_path / "missing"), 0, tail=5)
    assert reader.more() == b""
    assert reader.done


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    assert read_all(Reader(write(tmp_path, numbered(1, 2) + b"2026-01-02T03"), 0)) == b"1\n2\n"


def test_without_follow_what_is_added_later_is_not_read(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path), 0, 100, 100)
    file.write([numbered(1, 3)])
    reader = Reader(str(tmp_path), 0)
    file.write([numbered(4, 30)])
    file.close()
    assert read_all(reader) == b"1\n2\n3\n"
    assert reader.done


def test_follow_waits_for_the_first_line(tmp_path: Path) -> None:
    reader = Reader(str(tmp_path / "web"), 0, follow=True, tail=10)
    assert reader.more() == b""
    file = LogFile(str(tmp_path / "web"), 0, 1000, 5)
    file.write([numbered(1, 1)])
    assert reader.more() == b"1\n"
    assert not reader.done
    file.close()
    reader.close()


def test_follow_begins_at_the_tail(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path), 0, 10_000, 5)
    file.write([numbered(1, 5)])
    reader = Reader(str(tmp_path), 0, follow=True, tail=0)
    assert reader.more() == b""
    file.write([numbered(6, 6)])
    assert read_all(reader) == b"6\n"
    file.close()


def test_follow_goes_on_after_files_were_removed_under_it(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path), 0, 100, 2)
    file.write([numbered(1, 1)])
    reader = Reader(str(tmp_path), 0, follow=True)
    assert reader.more() == b"1\n"
    for n in range(2, 50):
        file.write([numbered(n, n)])
    file.close()
    assert read_all(reader).split(b"\n")[-2] == b"49"


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.integers(0, 7), max_size=40), max_size=st.integers(50, 400), tail=st.none() | st.just(1000))
def test_follow_misses_nothing(steps: list[int], max_size: int, tail: int | None) -> None:
    """0: read once; n: n more lines are written."""
    with tempfile.TemporaryDirectory() as name:
        file = LogFile(name, 0, max_size, 1000)
        reader = Reader(name, 0, follow=True, tail=tail)
        count, found = 0, b""
        for step in steps:
            if step:
                file.write([numbered(count + 1, count + step)])
                count += step
            else:
                found += reader.more()
        found += read_all(reader)
        file.close()
        assert found == b"".join(b"%d\n" % n for n in range(1, count + 1))


@pytest.mark.parametrize(
    ("log", "text"),
    [
        pytest.param(numbered(1, 100), "".join(f"{n}\n" for n in range(21, 101)), id="80 lines"),
        pytest.param(
            b"%b stdout F %b\n" % (T1.encode(), b"x" * 3000), "x" * 2047 + "\n", id="of which the last 2048 bytes"
        ),
        pytest.param(LOG, "one\noops\nlong line\nunended", id="both streams, without times"),
        pytest.param(b"", "", id="nothing"),
    ],
)
def test_last_lines(tmp_path: Path, log: bytes, text: str) -> None:
    assert last_lines(write(tmp_path, log), 0, 80, 2048) == text
