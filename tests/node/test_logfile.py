"""Log files: rotation between lines, names that sort by age, a bound on what they take of the disk."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initsup.node.logfile import LogFile, line_time, log_files

lines = st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"") + b"\n"), min_size=1, max_size=30)


def contents(directory: Path) -> list[bytes]:
    return [(directory / name).read_bytes() for *_, name in log_files(str(directory))]


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        pytest.param(0, b"1970-01-01T00:00:00.000000000Z", id="the epoch"),
        pytest.param(1767323045_678901234, b"2026-01-02T03:04:05.678901234Z", id="all nine digits"),
        pytest.param(1767323045_000000001, b"2026-01-02T03:04:05.000000001Z", id="zeros are kept"),
    ],
)
def test_line_time(nanoseconds: int, text: bytes) -> None:
    assert line_time(nanoseconds) == text


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["2.log", "10.log", "1.log"], ["1.log", "2.log", "10.log"], id="attempts by number"),
        pytest.param(
            ["1.log", "1.log.20260102-000000", "1.log.20260101-000000", "0.log"],
            ["0.log", "1.log.20260101-000000", "1.log.20260102-000000", "1.log"],
            id="rotated files come before the one that is written to",
        ),
        pytest.param(
            ["1.log.20260101-000000.10", "1.log.20260101-000000.9", "1.log.20260101-000000", "1.log.20260101-000001"],
            ["1.log.20260101-000000", "1.log.20260101-000000.9", "1.log.20260101-000000.10", "1.log.20260101-000001"],
            id="several of a second by number",
        ),
        pytest.param(["notes", "x.log", "1.logs", "1.log.20260101-000000.gz"], [], id="other files are passed over"),
    ],
)
def test_order(tmp_path: Path, names: list[str], expected: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert [name for *_, name in log_files(str(tmp_path))] == expected


def test_no_directory_no_files(tmp_path: Path) -> None:
    assert log_files(str(tmp_path / "missing")) == []


@settings(max_examples=100, deadline=None)
@given(chunks=st.lists(lines, max_size=10), max_size=st.integers(1, 300))
def test_rotation_neither_loses_nor_tears_a_line(chunks: list[list[bytes]], max_size: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = LogFile(name, 0, max_size, 1000)
        for chunk in chunks:
            file.write([b"".join(chunk)])
        file.close()
        found = contents(Path(name))
        assert b"".join(found) == b"".join(b"".join(chunk) for chunk in chunks)
        assert all(text.endswith(b"\n") for text in found)
        assert all(len(text) <= max_size or text.count(b"\n") == 1 for text in found)
        assert file.lost == 0


def test_names_are_kubelets(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path), 3, 10, 5)
    for _ in range(3):
        file.write([b"0123456789\n"])
    file.close()
    first, second, newest = (name for *_, name in log_files(str(tmp_path)))
    assert re.fullmatch(r"3\.log\.\d{8}-\d{6}", first)
    assert second.startswith("3.log.")
    assert newest == "3.log"


def test_only_the_newest_files_are_kept(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path), 0, 20, 3)
    for number in range(100):
        file.write([b"line %03d\n" % number])
    file.close()
    assert contents(tmp_path) == [b"line 094\nline 095\n", b"line 096\nline 097\n", b"line 098\nline 099\n"]


def test_names_go_on_after_a_clock_that_was_set_back(tmp_path: Path) -> None:
    (tmp_path / "0.log.29991231-235959").write_text("of the future\n")
    file = LogFile(str(tmp_path), 0, 5, 9)
    file.write([b"older\n"])
    file.write([b"newer\n"])
    file.close()
    assert contents(tmp_path) == [b"of the future\n", b"older\n", b"newer\n"]


def test_an_attempt_that_goes_on_appends(tmp_path: Path) -> None:
    for text in (b"a\n", b"b\n"):
        file = LogFile(str(tmp_path), 0, 100, 5)
        file.write([text])
        file.close()
    assert contents(tmp_path) == [b"a\nb\n"]


def test_files_that_were_taken_away_come_back_at_the_next_rotation(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path / "web"), 0, 5, 5)
    file.write([b"gone\n"])
    (tmp_path / "web" / "0.log").unlink()
    (tmp_path / "web").rmdir()
    file.write([b"there\n"])
    file.close()
    assert contents(tmp_path / "web") == [b"there\n"]
    assert file.lost == 0
