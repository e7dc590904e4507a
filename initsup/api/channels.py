"""The streams of an exec or attach session, over either of the two protocols that clients speak.

Sources: apimachinery/pkg/util/remotecommand/constants.go, kubelet/pkg/cri/streaming/remotecommand (websocket.go,
httpstream.go).
"""

from __future__ import annotations

from typing import Any, Protocol

import anyio

from initsup.api.exchange import Request, Upgrade, Wire, encode
from initsup.api.failure import bad_request

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
SPDY = "SPDY/3.1"
_WEBSOCKET = (
    "v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io",
)  # fmt: skip
_STREAMS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io")
PATIENCE = 30.0
"""Seconds in which a client must open its streams (streamCreationTimeout)."""

SUCCESS: dict[str, Any] = {"metadata": {}, "status": "Success"}


class Wants(Protocol):
    """Which streams a session has."""

    @property
    def stdin(self) -> bool:
        """The client sends input."""

    @property
    def stdout(self) -> bool:
        """It takes output."""

    @property
    def stderr(self) -> bool:
        """It takes errors apart from output."""

    @property
    def tty(self) -> bool:
        """It is a terminal."""


class Channels(Protocol):
    """A session's streams."""

    async def receive(self) -> tuple[int, bytes] | None:
        """What the client sends, and on which channel; (STDIN, b"") is the end of input, None: it has gone."""

    async def send(self, channel: int, data: bytes) -> None:
        """Send output. Raises OSError when the client has gone."""

    async def finish(self, status: dict[str, Any]) -> None:
        """Send how it ended, and close."""


class _OverWebSocket:
    def __init__(self, wire: Wire, protocol: str) -> None:
        from initsup.api.websocket import WebSocket

        self._socket = WebSocket(wire)
        self._protocol = protocol

    async def receive(self) -> tuple[int, bytes] | None:
        while True:
            message = await self._socket.receive()
            if message is None:
                return None
            if not message:
                continue
            if message[0] == CLOSE:
                if self._protocol.startswith("v5") and message[1:] == bytes((STDIN,)):
                    return STDIN, b""
                continue
            if len(message) > 1:  # an empty one says only that the channel is there
                return message[0], message[1:]

    async def send(self, channel: int, data: bytes) -> None:
        await self._socket.send(bytes((channel,)) + data)

    async def finish(self, status: dict[str, Any]) -> None:
        if self._protocol[:2] in ("v4", "v5"):
            await self.send(ERROR, encode(status))
        elif status["status"] != "Success":
            await self.send(ERROR, str(status.get("message", "")).encode())
        await self._socket.finish()


class _OverSpdy:
    def __init__(self, wire: Wire, protocol: str) -> None:
        from initsup.api.spdy import Session, Stream

        self._session = Session(wire)
        self._protocol = protocol
        self._streams: dict[str, Stream] = {}
        self._send, self._receive = anyio.create_memory_object_stream[tuple[int, bytes] | None](0)

    async def opened(self, wanted: set[str]) -> None:
        """Go on when the client has opened the streams; to be followed by `run`.

        Raises TimeoutError, and OSError when it has gone.
        """
        self._accepting = self._session.streams()
        with anyio.fail_after(PATIENCE):
            while not wanted <= set(self._streams):
                stream = await anext(self._accepting, None)
                if stream is None:
                    raise ConnectionResetError("the client has gone before it opened its streams")
                self._streams[stream.headers.get("streamtype", "")] = stream

    async def run(self) -> None:
        """Carry what the client sends to `receive`, until cancelled."""
        async with anyio.create_task_group() as tasks:
            if "stdin" in self._streams:
                tasks.start_soon(self._forward, "stdin", STDIN)
            if "resize" in self._streams:
                tasks.start_soon(self._forward, "resize", RESIZE)
            async for _ in self._accepting:
                pass
            await self._send.send(None)
            tasks.cancel_scope.cancel()

    async def _forward(self, name: str, channel: int) -> None:
        while data := await self._streams[name].receive():
            await self._send.send((channel, data))
        if channel == STDIN:
            await self._send.send((STDIN, b""))

    async def receive(self) -> tuple[int, bytes] | None:
        return await self._receive.receive()

    async def send(self, channel: int, data: bytes) -> None:
        stream = self._streams.get("stdout" if channel == STDOUT else "stderr")
        if stream is not None:
            await stream.send(data)

    async def finish(self, status: dict[str, Any]) -> None:
        error = self._streams["error"]
        if self._protocol[:2] in ("v4", "v5"):
            await error.send(encode(status))
        elif status["status"] != "Success":
            await error.send(str(status.get("message", "")).encode())
        for stream in self._streams.values():
            await stream.close()
        await anyio.sleep(0.1)  # the client closes the connection when it has read all


class Talk(Protocol):
    """What goes on in a session."""

    async def __call__(self, channels: Channels) -> dict[str, Any]:
        """Talk until it is over; the Status that tells how it went."""


def upgrade(request: Request, wants: Wants, talk: Talk) -> Upgrade:
    """Become a session in the best protocol that both sides speak. Raises Failure when there is none."""
    from initsup.api.websocket import handshake, is_asked, offered

    if is_asked(request):
        protocol = _choose(offered(request), _WEBSOCKET)

        async def over_websocket(wire: Wire) -> None:
            channels = _OverWebSocket(wire, protocol)
            await channels.finish(await talk(channels))

        return Upgrade("websocket", handshake(request, protocol), over_websocket)
    if request.header("upgrade").lower() != SPDY.lower():
        raise bad_request("Upgrade request required")
    spoken = [word.strip() for word in request.header("x-stream-protocol-version").split(",") if word.strip()]
    chosen = _choose(spoken, _STREAMS)

    async def over_spdy(wire: Wire) -> None:
        channels = _OverSpdy(wire, chosen)
        await channels.opened(_needed(wants))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(channels.run)
            await channels.finish(await talk(channels))
            tasks.cancel_scope.cancel()

    return Upgrade(SPDY, (("X-Stream-Protocol-Version", chosen),) if chosen else (), over_spdy)


def _choose(spoken: list[str], known: tuple[str, ...]) -> str:
    """The first that the client names and we know; "" when it names none."""
    for word in spoken:
        if word in known:
            return word
    if spoken:
        raise bad_request(f"none of the subprotocols is spoken here: {', '.join(spoken)[:200]}")
    return ""


def _needed(wants: Wants) -> set[str]:
    names = {"error"}
    for name, wanted in (("stdin", wants.stdin), ("stdout", wants.stdout), ("stderr", wants.stderr and not wants.tty)):
        if wanted:
            names.add(name)
    return names | ({"resize"} if wants.tty else set())
