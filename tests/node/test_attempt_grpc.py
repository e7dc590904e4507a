from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio
import h2.config
import h2.connection
import h2.events
import pytest

from initsup.node.attempt import Outcome, probe
from initsup.node.grpc_attempt import Unhealthy, check
from initsup.spec.probe import GRPCAction, Probe
from tests.node.attempt_world import (
    Conversation,
    LocalRunner,
    Scripted,
    free_port,
    open_files,
    response,
    saying,
    serving,
    silence,
    target,
)

pytestmark = pytest.mark.anyio

Answer = Callable[[h2.connection.H2Connection, int, bytes], None]


class Health:
    """A gRPC server that gives this answer to every call; `calls` is what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.calls: list[tuple[dict[str, str], bytes]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        protocol.initiate_connection()
        headers: dict[str, str] = {}
        body = b""
        while data := await reader.read(65536):
            for event in protocol.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = {str(name): str(value) for name, value in event.headers or ()}
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data or b""
                elif isinstance(event, h2.events.StreamEnded):
                    self.calls.append((headers, body))
                    self._answer(protocol, event.stream_id or 0, body)
            writer.write(protocol.data_to_send())
            await writer.drain()


def saying_status(number: int | None, code: str = "0", message: str = "") -> Answer:
    """An answer with this health status, or without any message, and this gRPC code."""

    def answer(protocol: h2.connection.H2Connection, stream: int, _: bytes) -> None:
        trailers = [("grpc-status", code)] + ([("grpc-message", message)] if message else [])
        head = [(":status", "200"), ("content-type", "application/grpc")]
        if number is None:
            protocol.send_headers(stream, head + trailers, end_stream=True)
            return
        protocol.send_headers(stream, head)
        status = bytes((8, number)) if number else b""
        protocol.send_data(stream, b"\0" + len(status).to_bytes(4, "big") + status)
        protocol.send_headers(stream, trailers, end_stream=True)

    return answer


def of_http(status: str) -> Answer:
    """An answer from a server that speaks HTTP/2, but not gRPC."""

    def answer(protocol: h2.connection.H2Connection, stream: int, _: bytes) -> None:
        protocol.send_headers(stream, [(":status", status), ("content-type", "text/plain")], end_stream=True)

    return answer


def nothing(protocol: h2.connection.H2Connection, stream: int, body: bytes) -> None:
    """No answer."""


async def ask(port: int, service: str = "") -> Outcome:
    return await probe(LocalRunner(), target(), Probe(grpc=GRPCAction(port=port, service=service)))


UNIMPLEMENTED = "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
FAILED = "error: health rpc probe failed: rpc error: code = "


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(saying_status(1), Outcome("success", "service healthy"), id="SERVING"),
        pytest.param(
            saying_status(2), Outcome("failure", 'service unhealthy (responded with "NOT_SERVING")'), id="NOT_SERVING"
        ),
        pytest.param(
            saying_status(3),
            Outcome("failure", 'service unhealthy (responded with "SERVICE_UNKNOWN")'),
            id="SERVICE_UNKNOWN",
        ),
        pytest.param(
            saying_status(0), Outcome("failure", 'service unhealthy (responded with "UNKNOWN")'), id="an empty message"
        ),
        pytest.param(saying_status(9), Outcome("failure", 'service unhealthy (responded with "9")'), id="a new status"),
        pytest.param(
            saying_status(None, "5", "unknown service%3A x"),
            Outcome("failure", FAILED + "NotFound desc = unknown service: x"),
            id="NOT_FOUND, for a service that nobody knows",
        ),
        pytest.param(
            saying_status(None, "12", "unknown service grpc.health.v1.Health"),
            Outcome("failure", UNIMPLEMENTED + "unknown service grpc.health.v1.Health"),
            id="UNIMPLEMENTED",
        ),
        pytest.param(
            saying_status(None, "4"),
            Outcome("failure", "timeout: health rpc did not complete within 1s"),
            id="DEADLINE_EXCEEDED, from the server",
        ),
        pytest.param(
            saying_status(None, "99"), Outcome("failure", FAILED + "Code(99) desc = "), id="a code that is none"
        ),
        pytest.param(
            of_http("404"),
            Outcome(
                "failure",
                UNIMPLEMENTED + "unexpected HTTP status code received from server: 404; "
                'transport: received unexpected content-type "text/plain"',
            ),
            id="a web server",
        ),
        pytest.param(
            of_http("503"),
            Outcome(
                "failure",
                FAILED + "Unavailable desc = unexpected HTTP status code received from server: 503; "
                'transport: received unexpected content-type "text/plain"',
            ),
            id="a web server with a problem",
        ),
        pytest.param(
            lambda protocol, stream, _: protocol.reset_stream(stream, 8),
            Outcome("failure", FAILED + "Unavailable desc = stream terminated by RST_STREAM with error code: 8"),
            id="a stream that is reset",
        ),
        pytest.param(
            lambda protocol, stream, _: protocol.close_connection(),
            Outcome("failure", FAILED + "Unavailable desc = error reading from server: EOF"),
            id="a server that says good-bye",
        ),
    ],
)
async def test_what_an_answer_means(answer: Answer, outcome: Outcome) -> None:
    before = open_files()
    async with serving(Health(answer)) as port:
        assert await ask(port) == outcome
    assert open_files() <= before + 1


@pytest.mark.parametrize(
    ("service", "message"),
    [
        pytest.param("", b"", id="the whole server"),
        pytest.param("liveness", b"\x0a\x08liveness", id="a service"),
        pytest.param("x" * 200, b"\x0a\xc8\x01" + b"x" * 200, id="a long name"),
    ],
)
async def test_the_call_as_a_server_sees_it(service: str, message: bytes) -> None:
    server = Health(saying_status(1))
    async with serving(server) as port:
        assert (await ask(port, service)).outcome == "success"
    headers, body = server.calls[0]
    assert body == b"\0" + len(message).to_bytes(4, "big") + message
    assert headers == {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": f"127.0.0.1:{port}",
        "content-type": "application/grpc",
        "user-agent": "kube-probe/1.36",
        "te": "trailers",
        "grpc-timeout": "1000m",
    }


async def failing(port: int, timeout: float) -> str:
    with pytest.raises(Unhealthy) as caught:
        await check("127.0.0.1", port, "", timeout, "x")
    return str(caught.value)


async def test_an_answer_that_does_not_come() -> None:
    async with serving(Health(nothing)) as port:
        assert await failing(port, 0.1) == "timeout: health rpc did not complete within 100ms"


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(silence, id="a server that says nothing"),
        pytest.param(saying(b"220 smtp ready\r\n"), id="one that speaks something else"),
        pytest.param(Scripted(response(400)), id="one that speaks HTTP/1.1"),
        pytest.param(Scripted(b""), id="one that hangs up"),
    ],
)
async def test_a_connection_that_does_not_come_about(talk: Conversation) -> None:
    async with serving(talk) as port:
        text = await failing(port, 0.1)
    assert text == f'timeout: failed to connect service "127.0.0.1:{port}" within 100ms: context deadline exceeded'


async def test_nobody_listens() -> None:
    port = free_port()
    text = f'timeout: failed to connect service "127.0.0.1:{port}" within 1s: context deadline exceeded'
    assert await ask(port) == Outcome("failure", text)


async def test_a_server_that_comes_late_is_found_within_the_time_out() -> None:
    asked = 0
    health = Health(saying_status(1))

    async def second_time(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            await health(reader, writer)

    async with serving(second_time) as port:
        await check("127.0.0.1", port, "", 5, "x")
    assert asked == 2


async def test_cancelling_closes_the_socket() -> None:
    before = open_files()
    async with serving(Health(nothing)) as port:
        with anyio.move_on_after(0.05):
            await check("127.0.0.1", port, "", 10, "x")
    assert open_files() <= before + 1
