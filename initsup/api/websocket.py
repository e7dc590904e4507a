"""WebSocket after the handshake, by wsproto; and the handshake's answer (RFC 6455)."""

from __future__ import annotations

import base64
import hashlib

import anyio
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from initsup.api.exchange import Request, Wire
from initsup.api.failure import bad_request

MAX_MESSAGE = 32 * 2**20
PIECE = 262144
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


def is_asked(request: Request) -> bool:
    """Whether the request wants to become a WebSocket."""
    return request.header("upgrade").lower() == "websocket"


def offered(request: Request) -> list[str]:
    """The subprotocols that the client speaks."""
    return [word.strip() for word in request.header("sec-websocket-protocol").split(",") if word.strip()]


def handshake(request: Request, protocol: str) -> tuple[tuple[str, str], ...]:
    """The headers of the answer. Raises Failure for a malformed request."""
    key = request.header("sec-websocket-key")
    try:
        nonce = base64.b64decode(key, validate=True)
    except ValueError:
        nonce = b""
    if request.method != "GET" or len(nonce) != 16 or request.header("sec-websocket-version") != "13":
        raise bad_request("malformed WebSocket handshake")
    digest = hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()
    answer = (("Sec-WebSocket-Accept", base64.b64encode(digest).decode()),)
    return (*answer, ("Sec-WebSocket-Protocol", protocol)) if protocol else answer


class WebSocket:
    """Messages over a connection. We never ping: a client that is blocked by its own reader could not answer."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._frames = Connection(ConnectionType.SERVER)
        self._events = self._frames.events()
        self._message = bytearray()
        self._closing = anyio.Lock()

    async def receive(self) -> bytes | None:
        """The next message, text as UTF-8; None when the client has gone, or sent what is no WebSocket."""
        while True:
            for event in self._events:
                if isinstance(event, BytesMessage | TextMessage):
                    data = event.data
                    self._message += data.encode() if isinstance(data, str) else data
                    if len(self._message) > MAX_MESSAGE:
                        await self.close(1009)
                        return None
                    if event.message_finished:
                        message, self._message = bytes(self._message), bytearray()
                        return message
                elif isinstance(event, Ping):
                    await self._wire.send(self._frames.send(event.response()))
                elif isinstance(event, CloseConnection):
                    await self.close(1000)
                    return None
            data = await self._wire.receive()
            if not data:
                return None
            try:
                self._frames.receive_data(data)
                self._events = self._frames.events()
            except (RemoteProtocolError, LocalProtocolError):
                await self.close(1002)
                return None

    async def send(self, data: bytes) -> None:
        """Send a binary message. Raises OSError when the client has gone."""
        try:
            frame = self._frames.send(BytesMessage(data))
        except LocalProtocolError:
            raise ConnectionResetError("the client has closed the connection") from None
        await self._wire.send(frame)

    async def close(self, code: int = 1000) -> None:
        """Say goodbye."""
        if self._frames.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            try:
                await self._wire.send(self._frames.send(CloseConnection(code)))
            except (OSError, LocalProtocolError):
                return

    async def finish(self) -> None:
        """Say goodbye, and wait a moment for the client to do so, so that it gets all that was sent."""
        await self.close()
        with anyio.move_on_after(5.0):
            while await self._wire.receive():
                pass
