from __future__ import annotations

import errno
import os

import pytest

from initsup.node.go_text import errno_text, join_host_port, quote, said, shown


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        pytest.param("plain", '"plain"', id="plain text only gets its quotes"),
        pytest.param('say "hi" \\', r'"say \"hi\" \\"', id="quotes and backslashes are escaped"),
        pytest.param("a\n\t\r\a\b\f\v", r'"a\n\t\r\a\b\f\v"', id="control characters with a name use it"),
        pytest.param("\x00\x1b\x7f", r'"\x00\x1b\x7f"', id="other control characters use their number"),
        pytest.param("grün ☃", '"grün ☃"', id="printable letters of any script stay"),
        pytest.param("\u0085\u200b", r'"\u0085\u200b"', id="unprintable ones use four digits"),
        pytest.param("\U000e0001", r'"\U000e0001"', id="or eight"),
        pytest.param(b"a\xffb", r'"a\xffb"', id="bytes that are not UTF-8 use two digits"),
        pytest.param("gr\u00fcn".encode(), '"grün"', id="bytes that are UTF-8 are text"),
    ],
)
def test_quote_is_go_percent_q(text: str | bytes, quoted: str) -> None:
    assert quote(text) == quoted


@pytest.mark.parametrize(
    ("host", "joined"),
    [
        pytest.param("127.0.0.1", "127.0.0.1:80", id="IPv4"),
        pytest.param("::1", "[::1]:80", id="IPv6 gets brackets"),
        pytest.param("example.org", "example.org:80", id="name"),
    ],
)
def test_join_host_port(host: str, joined: str) -> None:
    assert join_host_port(host, 80) == joined


def test_errors_have_the_names_that_go_gives_them() -> None:
    assert errno_text(errno.ECONNREFUSED) == "connection refused"
    assert errno_text(errno.ENOENT) == "no such file or directory"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/A"), "no such file or directory",
                     id="the system's words"),
        pytest.param(OSError(errno.EBUSY, "the pod in /Run has a link there"), "the pod in /Run has a link there",
                     id="words of ours, with a path"),
        pytest.param(OSError("No number"), "No number", id="no number"),
    ],
)  # fmt: skip
def test_what_an_error_says(error: OSError, text: str) -> None:
    assert said(error) == text


def test_shown_output_is_cut_and_always_text() -> None:
    assert shown(b"abc\xff", 10) == "abc\ufffd"
    assert shown(b"x" * 100, 10) == "x" * 10
