"""httpGet: one GET over HTTP/1.1, redirects within the host followed (pkg/probe/http, pkg/kubelet/lifecycle).

Certificates are not verified, proxies are not used, connections are not kept. Texts are those of Go's client.
"""

from __future__ import annotations

import anyio
import h11
import msgspec

from initsup.node.dial import DialError, Wire, dial
from initsup.node.go_text import quote
from initsup.node.http_request import BadRequest, Request, redirected

LIMIT = 10 * 1024
"""Bytes of a response body that are read (pkg/probe/http `maxRespBodyLength`)."""

_MOST_REQUESTS = 10
_MOST_HEADERS = 1024 * 1024
_FOLLOWED = (301, 302, 303, 307, 308)
_NO_HEAD = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
_NO_BODY = "context deadline exceeded (Client.Timeout or context cancellation while reading body)"


class HTTPError(Exception):
    """No response. The message is that of Go's `url.Error`: `Get "http://127.0.0.1:80/": EOF`."""

    def __init__(self, url: str, text: str) -> None:
        super().__init__(f"Get {quote(url)}: {text}"[:LIMIT])


class PlainServer(HTTPError):
    """An HTTPS request was answered in plain HTTP."""


class BodyError(Exception):
    """The response began well, then its body could not be read."""


class Reply(msgspec.Struct, frozen=True):
    """The final response; `body` is at most 10 KiB."""

    status: int
    body: bytes


async def get(asked: Request, timeout: float | None, body_timeout: float | None = None) -> Reply:
    """Do a GET and follow its redirects within `timeout` seconds in all (None: no limit).

    `body_timeout` bounds the reading of the body on its own, for one who has no use for it. Raises HTTPError, and
    BodyError. A redirect to another host is not followed: its 3xx is the reply.
    """
    deadline = float("inf") if timeout is None else anyio.current_time() + timeout
    exchange = _Exchange(asked)
    try:
        with anyio.CancelScope(deadline=deadline) as scope:
            head = await exchange.head()
            requests = 1
            while onward := _onward(exchange.asked, head, asked.host, requests):
                exchange.close()
                exchange = _Exchange(onward)
                head = await exchange.head()
                requests += 1
        if scope.cancelled_caught:
            raise HTTPError(exchange.asked.url, _NO_HEAD)
        if body_timeout is not None:
            deadline = anyio.current_time() + body_timeout
        with anyio.CancelScope(deadline=deadline):
            return Reply(head.status_code, await exchange.body())
        raise BodyError(_NO_BODY)
    finally:
        exchange.close()


def _onward(asked: Request, head: h11.Response, host: str, requests: int) -> Request | None:
    """The next request when `head` is a redirect within the host. Raises HTTPError when there were too many."""
    location = next((value for name, value in head.headers if name == b"location"), b"").decode(errors="replace")
    if head.status_code not in _FOLLOWED or not location:
        return None
    try:
        onward = redirected(asked, location)
    except BadRequest as error:
        raise HTTPError(location, str(error)) from None
    if onward.host != host:
        return None
    if requests == _MOST_REQUESTS:
        raise HTTPError(location, f"stopped after {_MOST_REQUESTS} redirects")
    return onward


class _Exchange:
    """One request and its response, over a connection of its own."""

    def __init__(self, asked: Request) -> None:
        self.asked = asked
        self._wire: Wire | None = None
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEADERS)
        self._heard = b""
        self._ended = False

    def close(self) -> None:
        """Give the connection up."""
        if self._wire is not None:
            self._wire.close()

    async def head(self) -> h11.Response:
        """Connect, ask, and read the head of the response; interim ones (100, 103) are skipped. Raises HTTPError."""
        try:
            await self._connect()
            await self._send()
            while not isinstance(event := await self._event(), h11.Response):
                pass
            return event
        except (DialError, ConnectionError) as error:
            raise HTTPError(self.asked.url, str(error)) from None
        except h11.RemoteProtocolError:
            raise HTTPError(self.asked.url, self._malformed()) from None

    async def body(self) -> bytes:
        """The body, or its first 10 KiB. Raises BodyError."""
        body = bytearray()
        try:
            while len(body) < LIMIT and isinstance(event := await self._event(), h11.Data):
                body += event.data
        except h11.RemoteProtocolError:
            raise BodyError("unexpected EOF" if self._ended else "malformed chunked encoding") from None
        except ConnectionError as error:
            raise BodyError(str(error)) from None
        return bytes(body[:LIMIT])

    async def _connect(self) -> None:
        self._wire = Wire(await dial(self.asked.host, self.asked.port))
        if not self.asked.tls:
            return
        from initsup.node.tls_wire import NotTLS, TLSWire

        try:
            self._wire = wire = TLSWire(self._wire, self.asked.host)
            await wire.handshake()
        except NotTLS:
            raise PlainServer(self.asked.url, "http: server gave HTTP response to HTTPS client") from None

    async def _send(self) -> None:
        assert self._wire is not None
        head = self._protocol.send(self.asked.event) or b""
        await self._wire.send(head + (self._protocol.send(h11.EndOfMessage()) or b""))

    async def _event(self) -> object:
        """The next event of the protocol. Raises h11.RemoteProtocolError, and ConnectionError."""
        assert self._wire is not None
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            data = await self._wire.receive()
            self._ended = not data
            self._heard = self._heard or data
            if b"\n" in self._heard and not self._heard.startswith(b"HTTP/"):
                raise h11.RemoteProtocolError("not HTTP")  # now, not when the peer has said more or the time is out
            self._protocol.receive_data(data)
        return event

    def _malformed(self) -> str:
        """What Go says of a response that is none."""
        if not self._heard:
            return "EOF"
        if self._ended:
            return "unexpected EOF"
        line = self._heard.split(b"\n", 1)[0].removesuffix(b"\r")
        return f"net/http: HTTP/1.x transport connection broken: malformed HTTP response {quote(line)}"
