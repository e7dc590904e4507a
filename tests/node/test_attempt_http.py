from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import anyio
import pytest

from initsup.node.attempt import Outcome, probe
from initsup.node.http_attempt import BodyError, HTTPError, get
from initsup.node.http_request import request
from initsup.spec.probe import HTTPGetAction, HTTPHeader, Probe
from tests.node.attempt_world import (
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


async def ask(port: int | str, **fields: object) -> Outcome:
    action = HTTPGetAction(port=port, **fields)  # type: ignore[arg-type]
    return await probe(LocalRunner(), target(), Probe(http_get=action))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(response(200), Outcome("success", "ok\n"), id="200 is success"),
        pytest.param(response(299), Outcome("success", "ok\n"), id="so is every 2xx"),
        pytest.param(response(204, b""), Outcome("success"), id="an empty body"),
        pytest.param(response(404), Outcome("failure", "HTTP probe failed with statuscode: 404"), id="404 not"),
        pytest.param(response(500), Outcome("failure", "HTTP probe failed with statuscode: 500"), id="500 is failure"),
        pytest.param(b"HTTP/1.1 103 Hints\r\n\r\n" + response(200), Outcome("success", "ok\n"), id="103 is no end"),
        pytest.param(CHUNKED, Outcome("success", "ok"), id="a chunked body"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nold", Outcome("success", "old"), id="HTTP/1.0, the body up to the end"),
        pytest.param(b"HTTP/1.1 200 OK\n\nbare", Outcome("success", "bare"), id="lines without a carriage return"),
        pytest.param(response(200, b"x" * 50000), Outcome("success", "x" * 10240), id="10 KiB of the body are enough"),
        pytest.param(
            response(302, b"moved"), Outcome("warning", "Probe terminated redirects, Response body: moved"),
            id="a redirect without Location is a success with a warning",
        ),
        pytest.param(
            response(304, b""), Outcome("warning", "Probe terminated redirects, Response body: "), id="so is 304"
        ),
        pytest.param(
            response(302, b"there", Location="http://other.invalid/"),
            Outcome("warning", "Probe terminated redirects, Response body: there"),
            id="so is a redirect to another host, which is not followed",
        ),
    ],
)  # fmt: skip
async def test_what_a_response_means(answer: bytes, outcome: Outcome) -> None:
    before = open_files()
    async with serving(Scripted(answer)) as port:
        assert await ask(port) == outcome
    assert open_files() <= before + 1  # the server's end may still be closing


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        pytest.param(b"", "EOF", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", "unexpected EOF", id="half a head"),
        pytest.param(
            b"220 smtp\r\n",
            'net/http: HTTP/1.x transport connection broken: malformed HTTP response "220 smtp"',
            id="another protocol",
        ),
        pytest.param(
            b"\x15\x03\x01\x00\x02\x02\n",
            r'net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03\x01\x00\x02\x02"',
            id="TLS",
        ),
    ],
)
async def test_no_response_is_a_failure(answer: bytes, text: str) -> None:
    async with serving(Scripted(answer)) as port:
        assert await ask(port) == Outcome("failure", f'Get "http://127.0.0.1:{port}/": {text}')


async def test_a_server_that_talks_first_is_known_at_once() -> None:
    async with serving(saying(b"220 smtp ready\r\n")) as port:
        with anyio.fail_after(0.5):
            outcome = await ask(port)
    assert outcome.outcome == "failure"
    assert outcome.output.endswith('malformed HTTP response "220 smtp ready"')


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", id="too short"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\no", id="a chunk that ends"),
    ],
)
async def test_a_body_that_breaks_off_is_an_error_after_three_tries(answer: bytes) -> None:
    server = Scripted(answer)
    async with serving(server) as port:
        assert await ask(port) == Outcome("error", "unexpected EOF")
    assert len(server.requests) == 3


async def test_a_body_that_makes_no_sense_is_an_error() -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nwhat\r\n")) as port:
        assert await ask(port) == Outcome("error", "malformed chunked encoding")


async def test_nobody_listens() -> None:
    port = free_port()
    text = f'Get "http://127.0.0.1:{port}/x?y": dial tcp 127.0.0.1:{port}: connect: connection refused'
    assert await ask(port, path="/x?y") == Outcome("failure", text)


async def test_a_connection_that_is_reset() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async def unread(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.transport.abort()

    async with serving(reset) as port:
        assert (await ask(port)).outcome == "failure"
    async with serving(unread) as port:
        outcome = await ask(port)
    assert outcome.outcome == "failure"
    assert f'Get "http://127.0.0.1:{port}/": ' in outcome.output


async def test_time_is_up_before_the_head() -> None:
    async with serving(silence) as port:
        with pytest.raises(HTTPError) as caught:
            await get(request(HTTPGetAction(), port, "127.0.0.1", "x"), 0.05)
    text = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    assert str(caught.value) == f'Get "http://127.0.0.1:{port}/": {text}'


async def test_time_is_up_within_the_body() -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\nendless")) as port:
        with pytest.raises(BodyError) as caught:
            await get(request(HTTPGetAction(), port, "127.0.0.1", "x"), 0.05)
    assert str(caught.value) == "context deadline exceeded (Client.Timeout or context cancellation while reading body)"


async def test_the_time_out_of_a_probe_is_a_failure() -> None:
    async with serving(silence) as port:
        outcome = await ask(port)
    assert outcome.outcome == "failure"
    assert "Client.Timeout exceeded while awaiting headers" in outcome.output


@pytest.mark.parametrize(
    ("answers", "outcome", "asked"),
    [
        pytest.param(
            [response(302, Location="/b"), response(200)], Outcome("success", "ok\n"), ["/", "/b"], id="one is followed"
        ),
        pytest.param(
            [response(301, Location="/b"), response(500)],
            Outcome("failure", "HTTP probe failed with statuscode: 500"),
            ["/", "/b"],
            id="the last response counts",
        ),
        pytest.param(
            [response(302, Location="/loop")],
            Outcome("failure", 'Get "/loop": stopped after 10 redirects'),
            ["/"] + 9 * ["/loop"],
            id="ten requests are the most",
        ),
        pytest.param(
            [response(307, Location="ftp://127.0.0.1/x")],
            Outcome("failure", 'Get "ftp://127.0.0.1/x": unsupported protocol scheme "ftp"'),
            ["/"],
            id="only to HTTP",
        ),
    ],
)
async def test_redirects_within_the_host(answers: list[bytes], outcome: Outcome, asked: list[str]) -> None:
    server = Scripted(*answers)
    async with serving(server) as port:
        assert await ask(port) == outcome
    assert [line.split()[1] for line in server.requests] == asked


async def test_a_redirect_to_another_port_of_the_host_is_followed() -> None:
    last = Scripted(response(200, b"there"))
    async with serving(last) as port, serving(Scripted(response(308, Location=f"http://127.0.0.1:{port}/"))) as first:
        assert await ask(first) == Outcome("success", "there")


async def test_the_request_as_a_server_sees_it() -> None:
    server = Scripted(response())
    async with serving(server) as port:
        await ask(port, path="/echo?msg=hi", http_headers=(HTTPHeader(name="X-Muffins", value="muffins"),))
    lines = server.requests[0].split("\r\n")
    assert lines[:3] == ["GET /echo?msg=hi HTTP/1.1", f"Host: 127.0.0.1:{port}", "User-Agent: kube-probe/1.36"]
    assert {"Accept: */*", "X-Muffins: muffins", "Connection: close"} < set(lines)


@pytest.mark.parametrize(
    ("port", "output"),
    [
        pytest.param("nope", 'strconv.Atoi: parsing "nope": invalid syntax', id="no such name"),
        pytest.param(0, "invalid port number: 0", id="zero"),
        pytest.param("70000", "invalid port number: 70000", id="a number in a string that is too large"),
    ],
)
async def test_a_port_that_is_none_is_an_error(port: int | str, output: str) -> None:
    assert await ask(port) == Outcome("error", output)


async def test_a_port_may_be_given_by_name_or_as_a_string() -> None:
    named = await ask("web")
    assert "127.0.0.1:8080" in named.output  # whoever listens there: the name was understood
    async with serving(Scripted(response())) as port:
        assert await ask(str(port)) == Outcome("success", "ok\n")


async def test_a_host_name() -> None:
    async with serving(Scripted(response())) as port:
        assert await ask(port, host="localhost") == Outcome("success", "ok\n")


async def test_a_host_name_that_nobody_knows() -> None:
    outcome = await ask(80, host="nobody..invalid")
    text = 'Get "http://nobody..invalid:80/": dial tcp: lookup nobody..invalid: no such host'
    assert outcome == Outcome("failure", text)


async def test_https_does_not_look_at_the_certificate(server_tls: ssl.SSLContext) -> None:
    server = Scripted(response(302, Location="/b"), response(200, b"x" * 30000))
    async with serving(server, server_tls) as port:
        assert await ask(port, scheme="HTTPS") == Outcome("success", "x" * 10240)
    assert server.requests[0].startswith("GET / HTTP/1.1\r\n")


async def test_https_to_a_plain_server() -> None:
    async with serving(saying(response(400))) as port:
        outcome = await ask(port, scheme="HTTPS")
    text = f'Get "https://127.0.0.1:{port}/": http: server gave HTTP response to HTTPS client'
    assert outcome == Outcome("failure", text)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        pytest.param(b"\x15\x03\x03\x00\x02\x02\x28", "remote error: tls: handshake failure", id="an alert"),
        pytest.param(
            b"220 smtp ready\r\n", "tls: first record does not look like a TLS handshake", id="another protocol"
        ),
    ],
)
async def test_https_that_breaks(said: bytes, text: str) -> None:
    async with serving(saying(said)) as port:
        outcome = await ask(port, scheme="HTTPS")
    assert outcome.outcome == "failure"
    assert outcome.output.startswith(f'Get "https://127.0.0.1:{port}/": {text}')


async def test_https_and_the_peer_hangs_up() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)

    async with serving(hang_up) as port:
        assert await ask(port, scheme="HTTPS") == Outcome("failure", f'Get "https://127.0.0.1:{port}/": EOF')


async def test_https_and_silence() -> None:
    async with serving(silence) as port:
        with pytest.raises(HTTPError):
            await get(request(HTTPGetAction(scheme="HTTPS"), port, "127.0.0.1", "x"), 0.05)


async def test_cancelling_closes_the_socket() -> None:
    connected, gone = asyncio.Event(), asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await silence(reader, writer)
        gone.set()

    before = open_files()
    async with serving(listen) as port, anyio.create_task_group() as group:
        group.start_soon(ask, port)
        await connected.wait()
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True), anyio.fail_after(5):
            await gone.wait()
    assert open_files() <= before + 1


async def test_no_thread_is_started(server_tls: ssl.SSLContext) -> None:
    threads = len(list(Path("/proc/self/task").iterdir()))
    async with serving(Scripted(response())) as port:
        await ask(port)
        await ask(port, host="localhost")
    async with serving(Scripted(response()), server_tls) as port:
        await ask(port, scheme="HTTPS")
    assert len(list(Path("/proc/self/task").iterdir())) == threads
