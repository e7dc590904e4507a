"""Where HTTP clients come in: STATE/api.sock always, and TLS on TCP when asked for.

This module imports next to nothing. Until somebody connects there is only a listening socket; then the API is imported,
one module after the other with the loop's turn between them, while the client waits in the kernel's queue.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

import msgspec

from initsup.api.files import API_SOCKET, KUBECONFIG
from initsup.api.sockets import bind_tcp, bind_unix
from initsup.node.handover import Parcel

if TYPE_CHECKING:
    import anyio
    from anyio.abc import ByteStream, TaskGroup

    from initsup.api.cluster import Cluster
    from initsup.api.credential import Credential
    from initsup.engine import Engine

MAX_CLIENTS = 256
"""Connections at a time, for each way in; more wait in the kernel's queue."""
FAREWELL = 1.0
"""Seconds that clients have, once the pod is gone, to take the last answer."""
HANDSHAKE = 10.0
"""Seconds for a TLS handshake."""
_MODULES = (
    "h11",
    "initsup.api.exchange",
    "initsup.api.selectors",
    "initsup.api.tables",
    "initsup.api.catalog",
    "initsup.api.audience",
    "initsup.api.store",
    "initsup.api.watching",
    "initsup.api.http",
    "initsup.api.cluster",
)


class KeptPort(msgspec.Struct, frozen=True):
    """A listening TCP socket as it is handed over, and what its clients know."""

    tcp: int
    token: str
    certificate: bytes
    key: bytes


class KeptDoor(msgspec.Struct, frozen=True):
    """All listening sockets as they are handed over; -1: there is none."""

    listener: int
    ports: tuple[KeptPort, ...]


class Door:
    """All ways in to one pod's API. Clients of these do not go along when the program is replaced: they come again."""

    def __init__(
        self, engine: Engine, state_dir: str, tcp: socket.socket | None = None, kept: KeptDoor | None = None
    ) -> None:
        """`tcp` listens already. Raises InitsupError when the kubeconfig cannot be written."""
        self._engine = engine
        self._state_dir = state_dir
        self._tasks: TaskGroup | None = None
        self._tcp: list[tuple[socket.socket, Credential]] = []
        self._cluster: Cluster | None = None
        self._loading: anyio.Lock | None = None
        self._listener: socket.socket | None = None
        if kept is not None:
            self._resume(kept)
        elif tcp is not None:
            self._open(tcp)
        if self._listener is None:
            self._bind()

    def _bind(self) -> None:
        try:
            self._listener = bind_unix(self._state_dir, API_SOCKET)
        except OSError as problem:
            self._engine.lacks(f"cannot listen in {self._state_dir}: {problem.strerror}")

    def filenos(self) -> list[int]:
        """The descriptors of all listening sockets."""
        return [one.fileno() for one in self._listeners()]

    def _listeners(self) -> list[socket.socket]:
        return [*filter(None, [self._listener]), *(tcp for tcp, _ in self._tcp)]

    def handed_over(self, parcel: Parcel) -> KeptDoor:
        """What a successor needs to know."""
        return KeptDoor(
            listener=parcel.keep(self._listener.fileno()) if self._listener is not None else -1,
            ports=tuple(
                KeptPort(parcel.keep(tcp.fileno()), one.token, one.certificate, one.key) for tcp, one in self._tcp
            ),
        )

    def _resume(self, kept: KeptDoor) -> None:
        from initsup.api.credential import Credential

        if kept.listener >= 0:
            self._listener = socket.socket(fileno=kept.listener)
        for port in kept.ports:
            tcp = socket.socket(fileno=port.tcp)
            self._tcp.append((tcp, Credential(tcp, port.token, port.certificate, port.key)))

    async def serve(self, over: anyio.Event) -> None:
        """Let clients in until `over`; then those who are there get the last word."""
        import anyio

        self._loading = anyio.Lock()
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            if self._listener is not None:
                tasks.start_soon(self._accept, self._listener, None)
            for tcp, credential in self._tcp:
                tasks.start_soon(self._accept, tcp, credential)
            await over.wait()
            await self._close(tasks)

    def close(self) -> None:
        """Let nobody in any more."""
        for one in self._listeners():
            one.close()

    def kubeconfig(self) -> str:
        """The path of the kubeconfig; a port of the loopback interface is opened if none is. Raises InitsupError."""
        if not self._tcp:
            self._open(bind_tcp("127.0.0.1:0"))
        return os.path.join(self._state_dir, KUBECONFIG)

    def _open(self, tcp: socket.socket) -> None:
        from initsup.api.credential import Credential

        credential = Credential(tcp)
        credential.write_kubeconfig(os.path.join(self._state_dir, KUBECONFIG), self._engine)
        self._tcp.append((tcp, credential))
        if self._tasks is not None:
            self._tasks.start_soon(self._accept, tcp, credential)

    async def _close(self, tasks: TaskGroup) -> None:
        import anyio

        if self._cluster is not None:
            self._cluster.store.close()
            with anyio.move_on_after(FAREWELL):
                await self._cluster.store.all_told()
            with anyio.move_on_after(FAREWELL):  # kubectl asks once more after it has seen the end
                await anyio.sleep(FAREWELL if self._cluster.was_asked_lately() else 0)
        tasks.cancel_scope.cancel()

    async def _accept(self, listener: socket.socket, credential: Credential | None) -> None:
        import anyio

        room = anyio.Semaphore(MAX_CLIENTS)
        while True:
            await room.acquire()
            try:
                await anyio.wait_readable(listener)
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                room.release()
                continue
            except OSError as problem:  # out of descriptors: the client waits in the queue until one is free
                room.release()
                self._engine.lacks(f"cannot accept clients: {problem.strerror}")
                await self._engine.change()
                continue
            except BaseException:
                room.release()
                raise
            assert self._tasks is not None
            self._tasks.start_soon(self._client, connection, credential, room)

    async def _client(self, connection: socket.socket, credential: Credential | None, room: anyio.Semaphore) -> None:
        import anyio

        try:
            if credential is None and not _may(connection):
                connection.close()
                return
            cluster = await self._load()
            stream = await self._stream(connection, credential)
            if stream is None:
                return
            from initsup.api.http import Connection

            token = None if credential is None else credential.token
            try:
                await Connection(stream, cluster.answer, token, "initsup:owner").serve()
            finally:
                with anyio.move_on_after(1.0, shield=True):
                    await stream.aclose()
        except OSError:
            return
        except Exception:  # a fault of ours costs one client, not the pod
            import traceback

            traceback.print_exc()
        finally:
            room.release()

    async def _stream(self, connection: socket.socket, credential: Credential | None) -> ByteStream | None:
        """The connection as a stream; None when there can be none."""
        import anyio

        if credential is None:
            return await anyio.abc.UNIXSocketStream.from_socket(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = await anyio.abc.SocketStream.from_socket(connection)
        from ssl import SSLError

        from anyio.streams.tls import TLSStream

        try:
            with anyio.fail_after(HANDSHAKE):
                return await TLSStream.wrap(
                    stream, server_side=True, ssl_context=credential.context(), standard_compatible=False
                )
        except (SSLError, OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await anyio.aclose_forcefully(stream)
            return None

    async def _load(self) -> Cluster:
        """Import the API and look at the pod, at the first client."""
        import anyio

        assert self._loading is not None
        async with self._loading:
            if self._cluster is None:
                from importlib import import_module

                for name in _MODULES:
                    import_module(name)
                    await anyio.sleep(0)
                from initsup.api.cluster import Cluster

                self._cluster = Cluster(self._engine, self._state_dir)
                self._engine.observers.append(self._cluster.store)
                assert self._tasks is not None
                self._tasks.start_soon(self._cluster.store.audience.serve)
        return self._cluster


def _may(connection: socket.socket) -> bool:
    """Root and our own user."""
    _, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid in (0, os.geteuid())
