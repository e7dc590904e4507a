"""port-forward: TCP connections to the pod's ports, over either of the two protocols that clients speak.

kubectl speaks SPDY with a pair of streams for each connection, since 1.31 inside a WebSocket; other clients have a pair
of WebSocket channels for each port. Source: kubelet/pkg/cri/streaming/portforward.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import anyio
from anyio.abc import ByteStream

from initsup.api.channels import SPDY
from initsup.api.exchange import Request, Upgrade, Wire
from initsup.api.failure import bad_request
from initsup.spec.units import whole_number

if TYPE_CHECKING:
    from initsup.api.spdy import Session, Stream
    from initsup.api.websocket import WebSocket

TUNNEL = "SPDY/3.1+portforward.k8s.io"
PROTOCOL = "portforward.k8s.io"
_CHANNELS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")
PATIENCE = 30.0
PIECE = 65536
_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


def upgrade(request: Request) -> Upgrade:
    """Begin to forward. Raises Failure for a request that makes no sense."""
    from initsup.api.websocket import handshake, is_asked, offered

    if is_asked(request):
        spoken = offered(request)
        if TUNNEL in spoken:
            return Upgrade("websocket", handshake(request, TUNNEL), _tunnel)
        protocol = _CHANNELS[0] if _CHANNELS[0] in spoken else ""
        if spoken and not protocol:
            raise bad_request(f"none of the subprotocols is spoken here: {', '.join(spoken)[:200]}")
        ports = _ports(request)
        return Upgrade("websocket", handshake(request, protocol), lambda wire: _over_channels(wire, ports))
    if request.header("upgrade").lower() != SPDY.lower():
        raise bad_request("Upgrade request required")
    return Upgrade(SPDY, (("X-Stream-Protocol-Version", PROTOCOL),), _over_spdy)


def _ports(request: Request) -> list[int]:
    words = [word for part in request.query.get("ports", ()) for word in part.split(",")]
    if not words:
        raise bad_request("at least one port must be named")
    ports = [whole_number(word) or 0 for word in words]
    if not all(0 < port < 65536 for port in ports):
        raise bad_request(f"invalid ports: {', '.join(words)[:200]}")
    return ports


async def dial(port: int) -> ByteStream:
    """Connect to a port of the pod, which is one of this host. Raises OSError."""
    try:
        return await anyio.connect_tcp("127.0.0.1", port)
    except OSError as first:
        try:
            return await anyio.connect_tcp("::1", port)
        except OSError:
            raise first from None


def _refused(port: int, problem: OSError) -> str:
    cause = problem.__cause__ if isinstance(problem.__cause__, OSError) else problem
    return f"failed to connect to localhost:{port} inside the pod: {cause.strerror or cause}"


# -- SPDY -----------------------------------------------------------------------------------------------------------


class _Tunnel:
    """The bytes of a SPDY session as WebSocket messages."""

    def __init__(self, wire: Wire) -> None:
        from initsup.api.websocket import WebSocket

        self.socket = WebSocket(wire)
        self._lock = anyio.Lock()

    async def receive(self) -> bytes:
        while (message := await self.socket.receive()) == b"":
            continue
        return message or b""

    async def send(self, data: bytes) -> None:
        async with self._lock:
            await self.socket.send(data)


async def _tunnel(wire: Wire) -> None:
    tunnel = _Tunnel(wire)
    await _over_spdy(tunnel)
    await tunnel.socket.close()


async def _over_spdy(wire: Wire) -> None:
    from initsup.api.spdy import Malformed, Session

    session = Session(wire)
    waiting: dict[str, Stream] = {}
    async with anyio.create_task_group() as tasks:
        try:
            async for stream in session.streams():
                request = stream.headers.get("requestid", stream.headers.get("port", ""))
                other = waiting.pop(request, None)
                if other is None:
                    waiting[request] = stream
                    continue
                pair = (stream, other) if stream.headers.get("streamtype") == "error" else (other, stream)
                tasks.start_soon(_connection, session, *pair)
        except (Malformed, *_GONE):
            pass
        tasks.cancel_scope.cancel()


async def _connection(session: Session, error: Stream, data: Stream) -> None:
    port = whole_number(data.headers.get("port", "")) or 0
    try:
        try:
            remote = await dial(port)
        except OSError as problem:
            await error.send(_refused(port, problem).encode())
        else:
            async with remote:
                await _join(remote, data)
        await data.close()
        await error.close()
    except OSError:
        pass  # the client has gone
    finally:
        session.forget(error, data)


async def _join(remote: ByteStream, data: Stream) -> None:
    """Carry bytes both ways until the server has said all; a client may end its half before."""

    async def upwards() -> None:
        try:
            while piece := await data.receive():
                await remote.send(piece)
            await remote.send_eof()
        except _GONE:
            return

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(upwards)
        try:
            while True:
                await data.send(await remote.receive(PIECE))
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            tasks.cancel_scope.cancel()


# -- channels -------------------------------------------------------------------------------------------------------


async def _over_channels(wire: Wire, ports: list[int]) -> None:
    """Channel 2i carries the data of port i, 2i+1 its errors; each begins with the port's number."""
    from initsup.api.websocket import WebSocket

    socket = WebSocket(wire)
    lock = anyio.Lock()

    async def send(channel: int, data: bytes) -> None:
        async with lock:
            await socket.send(bytes((channel,)) + data)

    remotes: dict[int, ByteStream] = {}

    async def downwards(channel: int) -> None:
        try:
            while True:
                await send(channel, await remotes[channel].receive(PIECE))
        except _GONE:
            return

    async with anyio.create_task_group() as tasks:
        try:
            for index, port in enumerate(ports):
                for channel in (2 * index, 2 * index + 1):
                    await send(channel, struct.pack("<H", port))
            for index, port in enumerate(ports):
                try:
                    remotes[2 * index] = await dial(port)
                except OSError as problem:
                    await send(2 * index + 1, _refused(port, problem).encode())
            async with anyio.create_task_group() as answers:
                for channel in remotes:
                    answers.start_soon(downwards, channel)
                answers.start_soon(_upwards, socket, remotes, tasks.cancel_scope)
        except _GONE:
            tasks.cancel_scope.cancel()
    for remote in remotes.values():
        await anyio.aclose_forcefully(remote)


async def _upwards(socket: WebSocket, remotes: dict[int, ByteStream], session: anyio.CancelScope) -> None:
    while (message := await socket.receive()) is not None:
        remote = remotes.get(message[0]) if message else None
        if remote is not None and len(message) > 1:
            try:
                await remote.send(message[1:])
            except _GONE:
                break
    session.cancel()
