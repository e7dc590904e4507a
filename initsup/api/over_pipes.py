"""An attach session whose streams are pipes that a client on this host has handed over."""

from __future__ import annotations

import os
import socket
from typing import Any

import anyio

from initsup.api.channels import STDERR, STDIN, STDOUT
from initsup.api.remote import write_all

PIECE = 65536


class OverPipes:
    """`channels.Channels` over three pipes; the client has gone when it closes the connection."""

    def __init__(self, connection: socket.socket, fds: list[int], stdin: bool) -> None:
        self._connection = connection
        self._fds = fds
        self._stdin = stdin
        for fd in fds:
            os.set_blocking(fd, False)

    async def receive(self) -> tuple[int, bytes] | None:
        """The next input; None when the client has gone."""
        found: list[tuple[int, bytes] | None] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._gone, found, tasks.cancel_scope)
            if self._stdin:
                tasks.start_soon(self._input, found, tasks.cancel_scope)
        return found[0]

    async def send(self, channel: int, data: bytes) -> None:
        """Write output. Raises OSError when nobody reads it."""
        if channel in (STDOUT, STDERR) and not await write_all(self._fds[channel], data):
            raise BrokenPipeError

    async def finish(self, status: dict[str, Any]) -> None:
        """How it ended is told over the connection."""

    async def _input(self, found: list[tuple[int, bytes] | None], scope: anyio.CancelScope) -> None:
        while True:
            await anyio.wait_readable(self._fds[STDIN])
            try:
                data = os.read(self._fds[STDIN], PIECE)
            except BlockingIOError:
                continue
            self._stdin = bool(data)
            found.append((STDIN, data))
            scope.cancel()
            return

    async def _gone(self, found: list[tuple[int, bytes] | None], scope: anyio.CancelScope) -> None:
        while True:
            await anyio.wait_readable(self._connection)
            try:
                if self._connection.recv(PIECE):
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass
            found.append(None)
            scope.cancel()
            return
