"""An attach session whose streams are pipes that a client on this host has handed over."""

from __future__ import annotations

import os
import socket
from collections import deque
from typing import Any

import anyio

from initsup.api.channels import RESIZE, STDERR, STDIN, STDOUT
from initsup.api.remote import write_all

PIECE = 65536


class OverPipes:
    """`channels.Channels` over three pipes. Over the connection the client tells, a line each, the sizes of its
    terminal; it has gone when it closes that.
    """

    def __init__(self, connection: socket.socket, fds: list[int], stdin: bool) -> None:
        self._connection = connection
        self._fds = fds
        self._stdin = stdin
        self._found: deque[tuple[int, bytes] | None] = deque()
        for fd in fds:
            os.set_blocking(fd, False)

    async def receive(self) -> tuple[int, bytes] | None:
        """The next input; None when the client has gone."""
        while not self._found:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._told, tasks.cancel_scope)
                if self._stdin:
                    tasks.start_soon(self._input, tasks.cancel_scope)
        return self._found.popleft()  # both may have come at once

    async def send(self, channel: int, data: bytes) -> None:
        """Write output. Raises OSError when nobody reads it."""
        if channel in (STDOUT, STDERR) and not await write_all(self._fds[channel], data):
            raise BrokenPipeError

    async def finish(self, status: dict[str, Any]) -> None:
        """How it ended is told over the connection."""

    async def _input(self, scope: anyio.CancelScope) -> None:
        while True:
            await anyio.wait_readable(self._fds[STDIN])
            try:
                data = os.read(self._fds[STDIN], PIECE)
            except BlockingIOError:
                continue
            self._stdin = bool(data)
            self._found.append((STDIN, data))
            scope.cancel()
            return

    async def _told(self, scope: anyio.CancelScope) -> None:
        while True:
            await anyio.wait_readable(self._connection)
            try:
                data = self._connection.recv(PIECE)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            self._found.append((RESIZE, data.splitlines()[-1]) if data else None)
            scope.cancel()
            return
