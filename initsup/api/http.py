"""HTTP/1.1 over any byte stream, by h11: requests in, answers out. Knows nothing of what is asked."""

from __future__ import annotations

import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, unquote

import anyio
import h11
from anyio.abc import ByteStream

from initsup.api.exchange import Answer, Reply, Request, Stream, Upgrade, refusal, warned
from initsup.api.failure import Failure, bad_request, internal
from initsup.api.guard import admit
from initsup.spec.units import whole_number

MAX_HEADER = 65536
MAX_BODY = 3 * 2**20
FIRST = 10.0
"""Seconds in which a request's head must be there, once it has begun."""
IDLE = 90.0
"""Seconds that a connection may stay open between two requests."""
BODY = 30.0
"""Seconds in which a request's body must be there."""
STUCK = 60.0
"""Seconds in which a client must take a whole answer."""
_READ = 65536
_MIGHT_SWITCH: Any = h11.MIGHT_SWITCH_PROTOCOL  # type: ignore[attr-defined]

Route = Callable[[Request], Awaitable[Answer]]
_GONE = (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError)


class _Wire:
    """The connection after an upgrade."""

    def __init__(self, stream: ByteStream, early: bytes) -> None:
        self._stream = stream
        self._early = early
        self._lock = anyio.Lock()

    async def receive(self) -> bytes:
        """The next bytes, b"" at the end."""
        if self._early:
            early, self._early = self._early, b""
            return early
        try:
            return await self._stream.receive(_READ)
        except _GONE:
            return b""

    async def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError when the client has gone."""
        async with self._lock:
            try:
                await self._stream.send(data)
            except (anyio.ClosedResourceError, anyio.BrokenResourceError) as problem:
                raise ConnectionResetError(str(problem)) from None


class Connection:
    """One client. `token`: what it must know, None when it is trusted; `user`: who it is then."""

    def __init__(self, stream: ByteStream, route: Route, token: str | None, user: str) -> None:
        self._stream = stream
        self._route = route
        self._token = token
        self._user = user
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER)
        self._wants_body = True  # not for HEAD

    async def serve(self) -> None:
        """Answer requests until the client or an answer ends the connection."""
        try:
            while await self._exchange():
                self._h11.start_next_cycle()
        except (*_GONE, TimeoutError):
            pass  # the client has gone, or takes too long

    async def _exchange(self) -> bool:
        """One request and its answer; whether there may be another."""
        self._wants_body = True
        try:
            request = await self._request()
        except h11.RemoteProtocolError as problem:
            if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                await self._write(refusal(Failure(problem.error_status_hint, str(problem), "BadRequest")))
            return False
        except Failure as problem:
            await self._write(refusal(problem))
            return False
        if request is None:
            return False
        answer = await self._answer(request)
        if isinstance(answer, Upgrade):
            await self._upgrade(answer)
            return False
        if isinstance(answer, Stream):
            await self._write_stream(answer)
            return False
        await self._write(warned(answer, request))
        return self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self._route(request)
        except Failure as problem:
            return refusal(problem)
        except Exception as problem:  # a fault of ours: the client is told, and the pod goes on
            traceback.print_exc()
            return refusal(internal(repr(problem)))

    # -- reading ----------------------------------------------------------------------------------------------------

    async def _request(self) -> Request | None:
        head = await self._head()
        if head is None:
            return None
        self._wants_body = head.method != b"HEAD"
        headers: dict[str, str] = {}
        for name, value in head.headers:
            key, words = name.decode("latin-1"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {words}" if key in headers else words
        path, query = _target(head.target)
        admit(path, headers, self._token)
        if (whole_number(headers.get("content-length", "")) or 0) > MAX_BODY:
            raise Failure(413, f"Request entity too large: limit is {MAX_BODY}")
        if self._h11.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        with anyio.fail_after(BODY):
            body = await self._body()
        return Request(
            method=head.method.decode("latin-1"), path=path, query=query, headers=headers, body=body, user=self._user
        )

    async def _head(self) -> h11.Request | None:
        """The first lines of the next request; a client may wait with it, but then must not dawdle."""
        event = self._h11.next_event()
        if event is h11.NEED_DATA:
            with anyio.fail_after(IDLE if self._h11.trailing_data[0] == b"" else FIRST):
                await self._receive()
            with anyio.fail_after(FIRST):
                event = await self._next()
        return event if isinstance(event, h11.Request) else None

    async def _body(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while isinstance(event := await self._next(), h11.Data):
            size += len(event.data)
            if size > MAX_BODY:
                raise Failure(413, f"Request entity too large: limit is {MAX_BODY}")
            parts.append(bytes(event.data))
        return b"".join(parts)

    async def _next(self) -> Any:
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            await self._receive()
        return event

    async def _receive(self) -> None:
        try:
            data = await self._stream.receive(_READ)
        except anyio.EndOfStream:
            data = b""
        self._h11.receive_data(data)

    # -- writing ----------------------------------------------------------------------------------------------------

    async def _send(self, *events: Any) -> None:
        data = b"".join(self._h11.send(event) or b"" for event in events)
        if data:
            await self._stream.send(data)

    async def _write(self, answer: Reply) -> None:
        headers = [
            *_common(answer.content_type),
            ("Content-Length", str(len(answer.body))),
            *answer.headers,
        ]
        if self._h11.their_state is not h11.DONE:
            headers.append(("Connection", "close"))
        events = [h11.Response(status_code=answer.code, headers=headers)]
        with anyio.fail_after(STUCK):
            await self._send(*events, *([h11.Data(data=answer.body)] if self._wants_body else []), h11.EndOfMessage())

    async def _write_stream(self, answer: Stream) -> None:
        """Send pieces as they come; the client may leave at any time, also while there are none."""
        headers = [*_common(answer.content_type), ("Transfer-Encoding", "chunked"), ("Connection", "close")]
        await self._send(h11.Response(status_code=200, headers=headers))
        if not self._wants_body:
            await self._send(h11.EndOfMessage())
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._until_gone, tasks.cancel_scope)
            try:
                await self._pump(answer.pieces)
                await self._send(h11.EndOfMessage())
            except Exception as problem:  # the head is out: the client sees an answer that breaks off
                if fault := _fault(problem):
                    traceback.print_exception(fault)
            tasks.cancel_scope.cancel()

    async def _pump(self, pieces: AsyncIterator[bytes]) -> None:
        try:
            async for piece in pieces:
                await self._send(h11.Data(data=piece))
        finally:
            with anyio.CancelScope(shield=True):
                await pieces.aclose()  # type: ignore[attr-defined]

    async def _until_gone(self, scope: anyio.CancelScope) -> None:
        try:
            while await self._stream.receive(_READ):
                pass
        except _GONE:
            pass
        scope.cancel()

    async def _upgrade(self, answer: Upgrade) -> None:
        if self._h11.their_state is not _MIGHT_SWITCH:
            await self._write(refusal(bad_request("Upgrade request required")))
            return
        headers = [("Connection", "Upgrade"), ("Upgrade", answer.protocol), *answer.headers]
        await self._send(h11.InformationalResponse(status_code=101, headers=headers))
        try:
            await answer.talk(_Wire(self._stream, self._h11.trailing_data[0]))
        except Exception as problem:  # nobody is there who could be told
            if fault := _fault(problem):
                traceback.print_exception(fault)


def _fault(problem: Exception) -> Exception | None:
    """What of this is not a client that has gone."""
    expected = (*_GONE, TimeoutError)
    if isinstance(problem, ExceptionGroup):
        rest: Exception | None = problem.split(expected)[1]
        return rest
    return None if isinstance(problem, expected) else problem


def _common(content_type: str) -> list[tuple[str, str]]:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    return [
        ("Date", date),
        ("Content-Type", content_type),
        ("Cache-Control", "no-cache, private"),
        ("X-Content-Type-Options", "nosniff"),
    ]


def _target(target: bytes) -> tuple[str, dict[str, list[str]]]:
    """Path and query of a request's target. Raises Failure."""
    path, _, query = target.decode("latin-1").partition("?")
    if not path.startswith("/"):
        raise bad_request("the path must begin with a slash")
    try:
        return unquote(path, errors="strict"), parse_qs(query, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        raise bad_request("the path or the query is malformed") from None
