"""Rows of the termination message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from initsup.node import termination
from tests.node.world import need_root


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"DONE", "DONE", id="a word"),
        pytest.param(b"a\nb\n", "a\nb\n", id="lines, as they are"),
        pytest.param(b"x" + b"y" * 4096, "y" * 4096, id="the last 4096 bytes"),
        pytest.param(b"\xff", "\ufffd", id="no UTF-8"),
    ],
)
def test_the_file(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "log").write_bytes(content)
    assert [termination.take(str(tmp_path / "log"), "/dev/termination-log") for _ in range(2)] == [expected, ""]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert termination.take(None, "/x") == ""
    assert termination.take(str(tmp_path / "none"), "/x") == ""
    for name in ("link", "."):
        assert termination.take(str(tmp_path / name), "/x").startswith("Error on reading termination log /x: ")


def test_every_instance_finds_it_empty_and_open_to_all(tmp_path: Path) -> None:
    need_root()
    path = tmp_path / "log"
    umask = os.umask(0o077)
    try:
        termination.renew(str(path))
        number = path.stat().st_ino
        path.write_text("last words")
        path.chmod(0o400)
        termination.renew(str(path))
    finally:
        os.umask(umask)
    assert (path.read_text(), path.stat().st_mode & 0o777, path.stat().st_ino) == ("", 0o666, number)


@pytest.mark.parametrize(
    ("policy", "code", "message", "expected"),
    [
        pytest.param("FallbackToLogsOnError", 1, "", True, id="failed, and said nothing"),
        pytest.param("FallbackToLogsOnError", 1, "x", False, id="failed, but said why"),
        pytest.param("FallbackToLogsOnError", 0, "", False, id="did not fail"),
        pytest.param("File", 1, "", False, id="the file only"),
    ],
)
def test_when_the_log_stands_in(policy: str, code: int, message: str, expected: bool) -> None:
    assert termination.wants_log(policy, code, message) is expected
