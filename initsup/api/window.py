"""The control socket and the API's sockets as long as there is no event loop.

What can be answered in one go is: then nobody has to import anyio, neither at the first question nor at the thousandth.
Whoever wants more (a watch, exec, kubectl) is left to `api.server` and `api.door`, and the engine is told to go on with
an event loop.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from initsup.api.routes import answer, is_plain
from initsup.api.server import line_of, tell_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from initsup.api.door import Door
    from initsup.api.server import Client, Desk
    from initsup.engine import Engine
    from initsup.node.node import HostNode


class Window:
    """Where clients are served until `close`."""

    def __init__(self, engine: Engine, node: HostNode, door: Door, desk: Desk | None) -> None:
        self._engine = engine
        self._node = node
        self._desk = desk
        self._watched: set[int] = set()
        if desk is not None:
            self._watch(desk.fileno(), self._accept)
        for fd in door.filenos():
            self._watch(fd, self._want_loop)

    def close(self) -> None:
        """Leave clients and sockets to the event loop."""
        for fd in list(self._watched):
            self._unwatch(fd)

    def _watch(self, fd: int, ready: Callable[[], None], *, writing: bool = False) -> None:
        self._watched.add(fd)
        self._node.watch(fd, ready, writing=writing)

    def _unwatch(self, fd: int) -> None:
        self._watched.discard(fd)
        self._node.unwatch(fd)

    def _want_loop(self) -> None:
        self._node.wants_loop = True

    def _accept(self) -> None:
        assert self._desk is not None
        try:
            client = self._desk.accept()
        except OSError:  # out of descriptors: what is done about it is done there
            self._want_loop()
            return
        if client is not None:
            self._hear(client)

    def _hear(self, client: Client) -> None:
        """Take in what the client has sent: most send their question with the connection."""
        try:
            more = client.read()
        except BlockingIOError:
            self._wait(client, self._hear)
            return
        except OSError:
            more = False
        if not more:
            self._drop(client)
        elif client.received.endswith(b"\n"):
            self._answer(client)
        else:
            self._wait(client, self._hear)

    def _answer(self, client: Client) -> None:
        try:
            request = client.request()
        except msgspec.DecodeError:
            request = {}
        if client.fds or not is_plain(request):  # who brings descriptors stays
            self._want_loop()
            return
        try:
            client.put(line_of(answer(self._engine, request)))
        except Exception as problem:
            tell_fault(problem)
            self._drop(client)
            return
        self._unwatch(client.fileno())
        self._send(client)

    def _send(self, client: Client) -> None:
        try:
            client.send_some()
        except OSError:  # it has gone
            client.unsent = b""
        if client.unsent:
            self._wait(client, self._send, writing=True)
        else:
            self._drop(client)

    def _wait(self, client: Client, then: Callable[[Client], None], *, writing: bool = False) -> None:
        if client.fileno() not in self._watched:
            self._watch(client.fileno(), partial(then, client), writing=writing)

    def _drop(self, client: Client) -> None:
        assert self._desk is not None
        self._unwatch(client.fileno())
        self._desk.leave(client)
