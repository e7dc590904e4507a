"""The control socket: one JSON object a line, answered by `api.routes`. Only root and the same user are heard.

`watch` answers again at each change; `exec` runs a command on the descriptors that came with the request, and ends
it when the client goes away. When the program is replaced by another one, its clients go with it and notice nothing:
a request that is not answered by then is answered by the new program.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from initsup import __version__
from initsup.api.door import Door
from initsup.api.routes import Refusal, answer, running_container, tell
from initsup.core.facts import Exited
from initsup.core.narrate import Notice
from initsup.engine import UNTOLD, Command, Engine, Moment
from initsup.errors import InitsupError
from initsup.node.handover import Parcel

if TYPE_CHECKING:
    import anyio
    from anyio.abc import TaskGroup

MAX_REQUEST = 1 << 20
MAX_BACKLOG = 1 << 20
"""Bytes that a client which watches may leave unread before it misses something."""
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


FAREWELL = 1.0
"""Seconds that clients have, once the pod is finished, to take the last answer."""


class KeptClient(msgspec.Struct, frozen=True):
    """A client as it is handed over; see `Client`. `command` is the number of what was started for it, -1: nothing."""

    connection: int
    received: bytes
    fds: tuple[int, ...]
    unsent: bytes
    last: bytes
    command: int


class KeptDesk(msgspec.Struct, frozen=True):
    """The control socket as it is handed over."""

    listener: int
    clients: tuple[KeptClient, ...]


class Client:
    """One connection. `received` is the request as far as it has come in, `fds` came with it.

    `last` is the last answer, `unsent` what the client has not taken of this and those before.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = b""
        self.fds: list[int] = []
        self.unsent = b""
        self.last = b""
        self.command: Command | None = None
        self.kept_command = -1
        self.is_resumed = False
        connection.setblocking(False)

    def handed_over(self, parcel: Parcel) -> KeptClient:
        """What a successor needs to know."""
        return KeptClient(
            connection=parcel.keep(self.connection.fileno()),
            received=self.received,
            fds=tuple(map(parcel.keep, self.fds)),
            unsent=self.unsent,
            last=self.last,
            command=self.command.number if self.command is not None else -1,
        )

    @classmethod
    def resume(cls, kept: KeptClient) -> Client:
        """Go on with what was handed over."""
        client = cls(socket.socket(fileno=kept.connection))
        client.received, client.fds, client.kept_command = kept.received, list(kept.fds), kept.command
        client.unsent, client.last = kept.unsent, kept.last
        client.is_resumed = True
        return client

    def fileno(self) -> int:
        """The connection's descriptor."""
        return self.connection.fileno()

    def close(self) -> None:
        """It has gone, or got what it wanted."""
        for fd in self.fds:
            os.close(fd)
        self.connection.close()

    async def receive(self) -> dict[str, Any] | None:
        """One request line, with the descriptors that came along; None when there is none."""
        import anyio

        while not self.received.endswith(b"\n"):
            await anyio.wait_readable(self.connection)
            if not self.read():
                return None
        try:
            return self.request()
        except msgspec.DecodeError as problem:
            await self.send({"error": f"not a request: {problem}", "code": 1})
            return None

    def request(self) -> dict[str, Any]:
        """What has come, when it is a whole line. Raises msgspec.DecodeError."""
        try:
            return _decode(self.received)
        except (UnicodeDecodeError, RecursionError) as problem:
            raise msgspec.DecodeError(str(problem)) from None

    def read(self) -> bool:
        """Take in what has come of the request; False: no more will. Raises OSError."""
        part, got, _, _ = socket.recv_fds(self.connection, 65536, 3, socket.MSG_CMSG_CLOEXEC)
        self.fds.extend(got)
        self.received += part
        return bool(part) and len(self.received) <= MAX_REQUEST

    async def send(self, message: dict[str, Any]) -> None:
        """Send an answer, if it is another one than the last."""
        self.put(line_of(message))
        await self.flush()

    def put(self, line: bytes) -> None:
        """Have an answer sent by the next `flush`, if it is another one than the last."""
        if line != self.last:
            self.unsent += line
            self.last = line

    async def flush(self) -> None:
        """Send what has not been sent."""
        self.send_some()
        while self.unsent:
            import anyio

            await anyio.wait_writable(self.connection)
            self.send_some()

    def send_some(self) -> None:
        """Send as much of it as the client takes now. Raises OSError."""
        try:
            while self.unsent:
                self.unsent = self.unsent[self.connection.send(self.unsent) :]
        except BlockingIOError:
            return

    async def until_gone(self, scope: anyio.CancelScope) -> None:
        """Cancel when the client goes away."""
        import anyio

        while True:
            await anyio.wait_readable(self.connection)
            if not self.connection.recv(4096):
                scope.cancel()
                return


def line_of(message: dict[str, Any]) -> bytes:
    """An answer as it is sent."""
    return _encode(message) + b"\n"


async def _no_reexec() -> str:
    return "this initsup cannot be replaced"


class Desk:
    """Where clients of the control socket are served."""

    def __init__(self, engine: Engine, door: Door, listener: socket.socket, kept: KeptDesk | None = None) -> None:
        self.reexec: Callable[[], Awaitable[str]] = _no_reexec
        """Replaces the program, and says why not if it could not."""
        self._engine = engine
        self._door = door
        self._listener = listener
        self._watches = _Watches()
        self._clients = {Client.resume(one) for one in kept.clients} if kept is not None else set()

    def handed_over(self, parcel: Parcel) -> KeptDesk:
        """What a successor needs to know."""
        self._watches.tell()  # what has happened here is not known there
        listener = parcel.keep(self._listener.fileno())
        return KeptDesk(listener, tuple(client.handed_over(parcel) for client in self._clients))

    def fileno(self) -> int:
        """The listening socket's descriptor."""
        return self._listener.fileno()

    def accept(self) -> Client | None:
        """The next client; None: there is none, or one who may not come in. Raises OSError."""
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return None
        if not _may(connection):
            connection.close()
            return None
        client = Client(connection)
        self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """It has gone, or got what it wanted."""
        self._clients.discard(client)
        client.close()

    def close(self) -> None:
        """Let nobody in any more, and leave those who are there."""
        self._listener.close()
        for client in list(self._clients):
            self.leave(client)

    async def serve(self, over: anyio.Event) -> None:
        """Answer clients until `over`; those who wait for a change then get the last word."""
        import anyio

        async with anyio.create_task_group() as clients:
            for client in self._clients:
                clients.start_soon(self._serve, client)
            async with anyio.create_task_group() as entry:
                entry.start_soon(self._accept, clients)
                await over.wait()
                entry.cancel_scope.cancel()
            clients.cancel_scope.deadline = anyio.current_time() + FAREWELL

    async def _accept(self, clients: TaskGroup) -> None:
        import anyio

        while True:
            await anyio.wait_readable(self._listener)
            if self._engine.facts.finished:
                return
            try:
                client = self.accept()
            except OSError as problem:  # out of descriptors: the client waits in the queue until one is free
                self._engine.lacks(f"cannot accept clients: {problem.strerror}")
                await self._engine.change()
                continue
            if client is not None:
                clients.start_soon(self._serve, client)

    async def _serve(self, client: Client) -> None:
        try:
            await self._answer(client)
        except Exception as problem:
            tell_fault(problem)
        finally:
            self.leave(client)

    async def _answer(self, client: Client) -> None:
        answered = bool(client.unsent)  # by the program before this one
        await client.flush()
        request = await client.receive()
        if request is None or (answered and not request.get("watch")):
            return
        engine, verb = self._engine, request.get("verb")
        if verb == "exec":
            await _exec(engine, client, request)
        elif verb == "attach":
            await _attach(engine, client, request)
        elif verb == "debug":
            await _debug(engine, client, request)
        elif verb == "kubeconfig":
            await client.send(_kubeconfig(self._door))
        elif verb == "top":
            await client.send(await _top(engine))
        elif verb == "reexec":
            await self._reexec(client)
        elif request.get("watch"):
            await self._watches.serve(engine, client, request)
        else:
            await client.send(answer(engine, request))

    async def _reexec(self, client: Client) -> None:
        """Answered by the new program, as that has found the client here."""
        if client.is_resumed:
            await client.send({"version": __version__, "pid": os.getpid()})
        else:
            await client.send({"error": await self.reexec(), "code": 1})


def tell_fault(problem: Exception) -> None:
    """What went wrong with a client, if it is a fault of ours: it costs that one client, not the pod."""
    if _is_fault(problem):
        import traceback

        traceback.print_exception(problem)


def _is_fault(problem: Exception) -> bool:
    """Whether there is more to it than a client that has gone."""
    if isinstance(problem, ExceptionGroup):
        return problem.split(OSError)[1] is not None
    return not isinstance(problem, OSError)


def _may(connection: socket.socket) -> bool:
    _, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid in (0, os.geteuid())


async def _top(engine: Engine) -> dict[str, Any]:
    """CPU (cores) and memory (bytes) of each running container."""
    from initsup.api.usage import usage

    used, _ = await usage(engine)
    containers = {name: {"cpu": one.cpu, "memory": one.memory} for name, one in used.items()}
    return {"pod": engine.plan.pod.metadata.name, "containers": containers}


def _kubeconfig(door: Door) -> dict[str, Any]:
    """The path of the kubeconfig, with which kubectl can come from now on."""
    try:
        return {"path": door.kubeconfig()}
    except InitsupError as problem:
        return {"error": str(problem), "code": problem.exit_code}


class _Watches:
    """The clients that watch, as one observer of the engine. A slow one misses what lies between."""

    def __init__(self) -> None:
        self._requests: dict[Client, dict[str, Any]] = {}
        self._moments: list[Moment] = []
        self._late: set[Client] = set()

    def happened(self, engine: Engine, notices: list[Notice]) -> None:
        """Note how things stand: what the answers look like is found out later, for the pod's work goes on now."""
        self._moments.append(engine.moment())
        if len(self._moments) > UNTOLD:
            self.tell()

    def look_at(self, engine: Engine) -> float | None:
        """What the engine does is enough."""
        return None

    def tell(self) -> None:
        """Have the answers sent, made once for all who have asked the same, where these have become other ones."""
        moments, self._moments = self._moments, []
        for moment in moments:
            made: dict[bytes, bytes] = {}
            for client, request in self._requests.items():
                if len(client.unsent) >= MAX_BACKLOG:
                    self._late.add(client)
                    continue
                if client.received not in made:
                    made[client.received] = line_of(tell(moment, request))
                client.put(made[client.received])

    async def serve(self, engine: Engine, client: Client, request: dict[str, Any]) -> None:
        """The answer now, and again whenever it has become another one."""
        import anyio

        if not self._requests:
            engine.observers.append(self)
        self.tell()  # those who are there, of what was before
        self._requests[client] = request
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.until_gone, tasks.cancel_scope)
                await client.send(tell(engine.moment(), request))
                while not engine.facts.finished:
                    self.tell()
                    if client.unsent:
                        await client.flush()
                    elif client in self._late:
                        self._late.remove(client)
                        await client.send(tell(engine.moment(), request))
                    else:
                        await engine.change()
                self.tell()
                await client.send(tell(engine.moment(), request))
                tasks.cancel_scope.cancel()
        finally:
            self._late.discard(client)
            del self._requests[client]
            if not self._requests:
                engine.observers.remove(self)
                self._moments.clear()


async def _exec(engine: Engine, client: Client, request: dict[str, Any]) -> None:
    import anyio

    ended = anyio.Event()

    def on_exit(code: int) -> None:
        client.command = None
        client.put(line_of({"code": code}))
        ended.set()

    try:
        command = _begin(engine, client, request, on_exit)
    except Refusal as problem:
        await client.send({"error": str(problem), "code": 1})
        return
    except OSError as problem:
        await client.send({"error": problem.strerror or str(problem), "code": 126})
        return
    client.command = None if ended.is_set() else command
    while client.fds:
        os.close(client.fds.pop())
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.until_gone, tasks.cancel_scope)
            await ended.wait()
            tasks.cancel_scope.cancel()
    finally:
        command.kill()
    await client.flush()


def _begin(engine: Engine, client: Client, request: dict[str, Any], on_exit: Callable[[int], None]) -> Command:
    """Start the command, or go on with one that the program before this has started. Raises Refusal and OSError."""
    if client.kept_command >= 0:
        return engine.node.rejoin(client.kept_command, on_exit)
    name, attempt, _ = running_container(engine, request)
    argv = request.get("argv")
    if not argv or len(client.fds) != 3:
        raise Refusal("exec needs a command and three descriptors")
    return engine.node.execute(name, attempt, tuple(argv), tuple(client.fds), bool(request.get("tty")), on_exit)


async def _debug(engine: Engine, client: Client, request: dict[str, Any]) -> None:
    """Add an ephemeral container; a client that brings pipes stays with it until it has ended, and gets its code."""
    from initsup.api.over_pipes import OverPipes
    from initsup.api.remote import attach_to_new

    name = str((request.get("container") or {}).get("name"))
    if not (client.is_resumed and name in engine.plan.members):
        added = answer(engine, request)
        if "error" in added or len(client.fds) != 3:
            await client.send(added)
            return
    pipes = OverPipes(client.connection, client.fds, engine.plan.members[name].spec.stdin)
    status = await attach_to_new(engine, name, pipes)
    state = engine.facts.containers[name].state
    if status["status"] != "Success" or not isinstance(state, Exited):
        await client.send({"error": status.get("message", f"container {name} goes on"), "code": 1})
    elif state.exit.reason == "StartError":
        await client.send({"error": state.exit.message, "code": state.exit.code})
    else:
        await client.send({"code": state.exit.code})


async def _attach(engine: Engine, client: Client, request: dict[str, Any]) -> None:
    from initsup.api.over_pipes import OverPipes
    from initsup.api.remote import Wanted, attach

    try:
        name, attempt, _ = running_container(engine, request)
        if len(client.fds) != 3:
            raise Refusal("attach needs three pipes")
    except Refusal as problem:
        await client.send({"error": str(problem), "code": 1})
        return
    tty, stdin = engine.plan.members[name].spec.tty, bool(request.get("stdin"))
    pipes = OverPipes(client.connection, client.fds, stdin)
    status = await attach(engine, Wanted(name, attempt, stdin, True, not tty, tty), pipes)
    await client.send({} if status["status"] == "Success" else {"error": status["message"], "code": 1})
