"""What the servers of containers answer to their probes."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable

from initsup.node import grpc_attempt, http_attempt
from initsup.node.http_request import BadRequest, request
from initsup.spec.probe import HTTPGetAction
from tests.fuzz.api import within
from tests.fuzz.judge import Target


async def _answered(data: bytes, ask: Callable[[int], Awaitable[None]]) -> None:
    """Ask a server that says this to everybody, whatever it is asked."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        await ask(server.sockets[0].getsockname()[1])


def _http(data: bytes) -> None:
    async def ask(port: int) -> None:
        try:
            await http_attempt.get(request(HTTPGetAction(path="/", port=port), port, "127.0.0.1", "x"), 0.5)
        except (http_attempt.HTTPError, http_attempt.BodyError, BadRequest):
            return

    within(lambda: _answered(data, ask))


def _grpc(data: bytes) -> None:
    async def ask(port: int) -> None:
        try:
            await grpc_attempt.check("127.0.0.1", port, "s", 0.05, "x")
        except grpc_attempt.Unhealthy:
            return

    within(lambda: _answered(data, ask))


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    """A frame of HTTP/2 (RFC 9113, 4.1)."""
    return struct.pack(">I", len(body))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + body


_HEALTHY = b"".join((
    _frame(4, 0, 0, b""),
    _frame(4, 1, 0, b""),
    _frame(1, 4, 1, b"\x88\x5f\x10application/grpc"),
    _frame(0, 0, 1, b"\0\0\0\0\2\x08\1"),
    _frame(1, 5, 1, b"\0\x0bgrpc-status\x010"),
))  # fmt: skip

TARGETS = {
    "probe-http": Target(_http, [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:1/x?y#z\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    ]),
    "probe-grpc": Target(_grpc, [_HEALTHY]),
}  # fmt: skip
