"""A request and its answer, whatever carries them: what routes take and give."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import msgspec

from initsup.api.failure import Failure, bad_request

JSON = "application/json"
INT64 = range(-(2**63), 2**63)
"""What Kubernetes takes as a number."""


MAX_WARNINGS = 4096
"""Characters of warnings with one answer, as many as an API server has."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request. Header names are in lower case; `user` is who asks, `warnings` what is found on the way that
    the client should know.
    """

    method: str
    path: str
    query: dict[str, list[str]] = {}
    headers: dict[str, str] = {}
    body: bytes = b""
    user: str = ""
    warnings: list[str] = []

    def first(self, name: str, default: str = "") -> str:
        """A query parameter that is given once."""
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        """Whether it is given and not false or 0, as in `?watch` (apimachinery/pkg/runtime/conversion.go)."""
        return name in self.query and self.first(name).lower() not in ("false", "0")

    def number(self, name: str) -> int | None:
        """A whole number that an int64 of Kubernetes can hold; None when it is not given. Raises Failure."""
        text = self.first(name)
        if not text:
            return None
        try:
            number = int(text)
        except ValueError:
            number = INT64.stop
        if number not in INT64:
            raise bad_request(f'invalid value "{text}" for {name}: a number is expected')
        return number

    def header(self, name: str) -> str:
        """A header, "" when it is not there."""
        return self.headers.get(name, "")


class Reply(msgspec.Struct, frozen=True):
    """An answer that is known in whole."""

    body: bytes = b""
    code: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class Stream(msgspec.Struct, frozen=True):
    """An answer that comes piece by piece; no piece is empty."""

    pieces: AsyncIterator[bytes]
    content_type: str = JSON


class Wire(Protocol):
    """The bytes of a connection that speaks HTTP no more."""

    async def receive(self) -> bytes:
        """The next bytes, b"" at the end."""

    async def send(self, data: bytes) -> None:
        """Send all of it. May be called by several tasks."""


class Upgrade(msgspec.Struct, frozen=True):
    """The connection speaks another protocol from now on: `talk` does, until it returns."""

    protocol: str
    headers: tuple[tuple[str, str], ...]
    talk: Callable[[Wire], Awaitable[None]]


Answer = Reply | Stream | Upgrade


def encode(tree: Any) -> bytes:
    """JSON."""
    return msgspec.json.encode(tree)


def reply(tree: Any, code: int = 200, content_type: str = JSON, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """An answer in JSON."""
    return Reply(encode(tree) + b"\n", code, content_type, headers)


def text(words: str, code: int = 200) -> Reply:
    """An answer in plain text."""
    return Reply(words.encode(), code, "text/plain; charset=utf-8")


def warned(answer: Reply, request: Request) -> Reply:
    """The answer with the warnings that came up, as kubectl prints them (RFC 7234, 5.5)."""
    headers, size = list(answer.headers), 0
    for told in request.warnings:
        plain = "".join(one if " " <= one <= "~" else "?" for one in told)
        size += len(plain)
        if size <= MAX_WARNINGS:
            quoted = plain.replace("\\", "\\\\").replace('"', '\\"')
            headers.append(("Warning", f'299 - "{quoted}"'))
    return msgspec.structs.replace(answer, headers=tuple(headers))


def refusal(problem: Failure) -> Reply:
    """The answer to a request that cannot be met."""
    headers = (("Retry-After", "1"),) if problem.code == 429 else ()
    return reply(problem.status(), problem.code, headers=headers)
