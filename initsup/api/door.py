"""Where HTTP clients come in: STATE/api.sock always, and TLS on TCP when asked for.

This module imports next to nothing. Until somebody connects there is only a listening socket; then the API is imported,
one module after the other with the loop's turn between them, while the client waits in the kernel's queue.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Any

import anyio

from initsup.errors import InitsupError

if TYPE_CHECKING:
    from anyio.abc import ByteStream, TaskGroup

    from initsup.api.cluster import Cluster
    from initsup.engine import Engine

SOCKET = "api.sock"
KUBECONFIG = "kubeconfig"
MAX_CLIENTS = 256
"""Connections at a time, over all ways in; more wait in the kernel's queue."""
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
    "initsup.api.store",
    "initsup.api.watching",
    "initsup.api.http",
    "initsup.api.cluster",
)


class Door:
    """All ways in to one pod's API."""

    def __init__(self, engine: Engine, state_dir: str) -> None:
        self._engine = engine
        self._state_dir = state_dir
        self._tasks: TaskGroup | None = None
        self._tcp: list[tuple[socket.socket, _Secret]] = []
        self._cluster: Cluster | None = None
        self._loading = anyio.Lock()
        self._room = anyio.Semaphore(MAX_CLIENTS)

    async def serve(self, over: anyio.Event) -> None:
        """Let clients in until `over`; then those who are there get the last word."""
        try:
            listener = bind_unix(self._state_dir, SOCKET)
        except OSError as problem:
            self._engine.lacks(f"cannot listen in {self._state_dir}: {problem.strerror}")
            await over.wait()
            return
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self._accept, listener, None)
            for tcp, secret in self._tcp:
                tasks.start_soon(self._accept, tcp, secret)
            await over.wait()
            await self._close(tasks)
        for one in (listener, *(tcp for tcp, _ in self._tcp)):
            one.close()

    def open_tcp(self, address: str) -> str:
        """Listen at HOST:PORT (port 0: any), write the kubeconfig and return its path. Raises InitsupError."""
        tcp = _bind_tcp(address)
        secret = _Secret(tcp)
        path = os.path.join(self._state_dir, KUBECONFIG)
        secret.write_kubeconfig(path, self._engine)
        self._tcp.append((tcp, secret))
        if self._tasks is not None:
            self._tasks.start_soon(self._accept, tcp, secret)
        return path

    def kubeconfig(self) -> str:
        """The path of the kubeconfig; listens on a port of the loopback interface if nothing listens yet."""
        if not self._tcp:
            return self.open_tcp("127.0.0.1:0")
        return os.path.join(self._state_dir, KUBECONFIG)

    async def _close(self, tasks: TaskGroup) -> None:
        if self._cluster is not None:
            self._cluster.store.close()
            await anyio.sleep(0)
            with anyio.move_on_after(FAREWELL):  # kubectl asks once more after it has seen the end
                await anyio.sleep(FAREWELL if self._cluster.was_asked_lately() else 0)
        tasks.cancel_scope.cancel()

    async def _accept(self, listener: socket.socket, secret: _Secret | None) -> None:
        while True:
            await self._room.acquire()
            try:
                await anyio.wait_readable(listener)
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                self._room.release()
                continue
            except OSError as problem:  # out of descriptors: the client waits in the queue until one is free
                self._room.release()
                self._engine.lacks(f"cannot accept clients: {problem.strerror}")
                await self._engine.change()
                continue
            except BaseException:
                self._room.release()
                raise
            assert self._tasks is not None
            self._tasks.start_soon(self._client, connection, secret)

    async def _client(self, connection: socket.socket, secret: _Secret | None) -> None:
        try:
            if secret is None and not _may(connection):
                connection.close()
                return
            cluster = await self._load()
            stream = await self._stream(connection, secret)
            if stream is None:
                return
            from initsup.api.http import Connection

            token = None if secret is None else secret.token
            try:
                await Connection(stream, cluster.answer, token, "initsup:owner").serve()
            finally:
                with anyio.move_on_after(1.0, shield=True):
                    await stream.aclose()
        except OSError:
            return
        finally:
            self._room.release()

    async def _stream(self, connection: socket.socket, secret: _Secret | None) -> ByteStream | None:
        """The connection as a stream; None when there can be none."""
        if secret is None:
            return await anyio.abc.UNIXSocketStream.from_socket(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = await anyio.abc.SocketStream.from_socket(connection)
        from ssl import SSLError

        from anyio.streams.tls import TLSStream

        try:
            with anyio.fail_after(HANDSHAKE):
                return await TLSStream.wrap(
                    stream, server_side=True, ssl_context=secret.context(), standard_compatible=False
                )
        except (SSLError, OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await anyio.aclose_forcefully(stream)
            return None

    async def _load(self) -> Cluster:
        """Import the API and look at the pod, at the first client."""
        async with self._loading:
            if self._cluster is None:
                from importlib import import_module

                for name in _MODULES:
                    import_module(name)
                    await anyio.sleep(0)
                from initsup.api.cluster import Cluster

                self._cluster = Cluster(self._engine, self._state_dir)
                assert self._tasks is not None
                self._tasks.start_soon(self._cluster.store.follow)
        return self._cluster


class _Secret:
    """What a client on TCP must know, and what it can know us by."""

    def __init__(self, tcp: socket.socket) -> None:
        from secrets import token_urlsafe

        from initsup.api.certificate import certificate

        host, port = tcp.getsockname()[:2]
        wild = host in ("0.0.0.0", "::")
        self.token = token_urlsafe(32)
        self._server = f"https://{'127.0.0.1' if wild else f'[{host}]' if ':' in host else host}:{port}"
        self._certificate, self._key = certificate(_own_addresses() if wild else (host,))
        self._context: Any = None

    def context(self) -> Any:
        """The TLS context, made at the first client."""
        if self._context is None:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            with open(os.memfd_create("key", os.MFD_CLOEXEC), "wb") as file:  # ssl(3) reads files only
                file.write(self._certificate + self._key)
                file.flush()
                context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
            self._context = context
        return self._context

    def write_kubeconfig(self, path: str, engine: Engine) -> None:
        """Write the kubeconfig, for this user's eyes only. Raises InitsupError."""
        import base64
        import json

        name = engine.plan.pod.metadata.name
        authority = base64.b64encode(self._certificate).decode()
        namespace = engine.plan.pod.metadata.namespace or "default"
        tree = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [
                {"name": name, "cluster": {"server": self._server, "certificate-authority-data": authority}}
            ],
            "users": [{"name": name, "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        }
        try:
            descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(tree, file, indent=1)
            os.rename(path + ".new", path)
        except OSError as problem:
            raise InitsupError(f"cannot write {path}: {problem.strerror}") from None


def bind_unix(state_dir: str, name: str) -> socket.socket:
    """Bind and listen. It is bound through the directory's descriptor: a path may be longer than sun_path.

    Raises OSError when the place does not allow it.
    """
    path = os.path.join(state_dir, name)
    if os.path.lexists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    directory = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mask = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{name}")
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
        os.close(directory)
    listener.listen(128)
    return listener


def _bind_tcp(address: str) -> socket.socket:
    """Raises InitsupError."""
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    host = "127.0.0.1" if host == "localhost" else host
    if not colon or not port.isdecimal() or int(port) > 65535 or not host:
        raise InitsupError(f"cannot listen at {address!r}: an address and a port are needed, such as 127.0.0.1:6443")
    tcp = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        tcp.bind((host, int(port)))
        tcp.listen(128)
    except OSError as problem:
        tcp.close()
        raise InitsupError(f"cannot listen at {address}: {problem.strerror or problem}") from None
    return tcp


def _own_addresses() -> tuple[str, ...]:
    from initsup.node.machine import Machine

    return tuple(dict.fromkeys(("127.0.0.1", "::1", *Machine().ips)))


def _may(connection: socket.socket) -> bool:
    """Root and our own user."""
    _, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid in (0, os.geteuid())
