"""The control socket: one JSON object a line, answered by `api.routes`. Only root and the same user are heard.

`watch` answers again after each change; `exec` runs a command on the descriptors that came with the request, and ends
it when the client goes away.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup

from initsup.api.door import Door
from initsup.api.routes import Refusal, answer, running_container
from initsup.engine import Engine
from initsup.errors import InitsupError

MAX_REQUEST = 1 << 20
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


FAREWELL = 1.0
"""Seconds that clients have, once the pod is finished, to take the last answer."""


async def serve(engine: Engine, listener: socket.socket, door: Door, over: anyio.Event) -> None:
    """Answer clients until `over`; those who wait for a change then get the last word."""
    async with anyio.create_task_group() as clients:
        async with anyio.create_task_group() as entry:
            entry.start_soon(_accept, engine, listener, door, clients)
            await over.wait()
            entry.cancel_scope.cancel()
        clients.cancel_scope.deadline = anyio.current_time() + FAREWELL


async def _accept(engine: Engine, listener: socket.socket, door: Door, clients: TaskGroup) -> None:
    while True:
        await anyio.wait_readable(listener)
        if engine.facts.finished:
            return
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            continue
        except OSError as problem:  # out of descriptors: the client waits in the queue until one is free
            engine.lacks(f"cannot accept clients: {problem.strerror}")
            await engine.change()
            continue
        connection.setblocking(False)
        clients.start_soon(_client, engine, door, connection)


def _may(connection: socket.socket) -> bool:
    _, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid in (0, os.geteuid())


async def _client(engine: Engine, door: Door, connection: socket.socket) -> None:
    fds: list[int] = []
    try:
        if not _may(connection):
            return
        request = await _receive(connection, fds)
        if request is None:
            return
        if request.get("verb") == "exec":
            await _exec(engine, connection, request, fds)
        elif request.get("verb") == "kubeconfig":
            await _send(connection, _kubeconfig(door))
        elif request.get("watch"):
            await _watch(engine, connection, request)
        else:
            await _send(connection, answer(engine, request))
    except OSError:
        return  # the client has gone
    finally:
        for fd in fds:
            os.close(fd)
        connection.close()


def _kubeconfig(door: Door) -> dict[str, Any]:
    """The path of the kubeconfig, with which kubectl can come from now on."""
    try:
        return {"path": door.kubeconfig()}
    except InitsupError as problem:
        return {"error": str(problem), "code": problem.exit_code}


async def _receive(connection: socket.socket, fds: list[int]) -> dict[str, Any] | None:
    """One request line, with the descriptors that came along; None when there is none."""
    data = b""
    while not data.endswith(b"\n"):
        await anyio.wait_readable(connection)
        part, got, _, _ = socket.recv_fds(connection, 65536, 3, socket.MSG_CMSG_CLOEXEC)
        fds.extend(got)
        data += part
        if not part or len(data) > MAX_REQUEST:
            return None
    try:
        return _decode(data)
    except msgspec.DecodeError as problem:
        await _send(connection, {"error": f"not a request: {problem}", "code": 1})
        return None


async def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    data = memoryview(_encode(message) + b"\n")
    while data:
        try:
            data = data[connection.send(data) :]
        except BlockingIOError:
            await anyio.wait_writable(connection)


async def _watch(engine: Engine, connection: socket.socket, request: dict[str, Any]) -> None:
    """The answer now, and again whenever it has become another one. A slow client misses what lies between."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_gone, connection, tasks.cancel_scope)
        before: dict[str, Any] | None = None
        while True:
            message = answer(engine, request)
            if message != before:
                await _send(connection, message)
                before = message
            if engine.facts.finished:
                tasks.cancel_scope.cancel()
                return
            await engine.change()


async def _until_gone(connection: socket.socket, scope: anyio.CancelScope) -> None:
    while True:
        await anyio.wait_readable(connection)
        if not connection.recv(4096):
            scope.cancel()
            return


async def _exec(engine: Engine, connection: socket.socket, request: dict[str, Any], fds: list[int]) -> None:
    try:
        name, attempt, _ = running_container(engine, request)
        argv = request.get("argv")
        if not argv or len(fds) != 3:
            raise Refusal("exec needs a command and three descriptors")
        ended = anyio.Event()
        codes: list[int] = []

        def on_exit(code: int) -> None:
            codes.append(code)
            ended.set()

        command = engine.node.execute(name, attempt, tuple(argv), tuple(fds), bool(request.get("tty")), on_exit)
    except (Refusal, OSError) as problem:
        await _send(connection, {"error": str(problem), "code": 126 if isinstance(problem, OSError) else 1})
        return
    while fds:
        os.close(fds.pop())
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_gone, connection, tasks.cancel_scope)
            await ended.wait()
            tasks.cancel_scope.cancel()
    finally:
        command.kill()
    if codes:
        await _send(connection, {"code": codes[0]})
