"""Clients that wait for news. All hear of it by one timer, one after the other.

The pod's own work comes first: what happens only starts the timer, if it does not run yet. What has become of the pod,
and whom that concerns, is found out when it has gone off, piece by piece. Each piece and each client has a turn of the
event loop of its own, so that an exit which comes meanwhile is noticed after one of them, whoever else waits.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import anyio

TOGETHER = 0.02
"""Seconds in which news are gathered before clients hear of them, at least."""
EACH = 0.001
"""The same for each client that waits for news: together they take no more than a small part of the processor."""


class Seat:
    """One client's place. `concerned` tells whether there is something that this client does not know."""

    def __init__(self, audience: Audience, concerned: Callable[[], bool]) -> None:
        self._audience = audience
        self._concerned = concerned
        self._called: anyio.Event | None = None

    async def news(self) -> None:
        """Wait until there is news for this client, or the end."""
        if self._audience.over.is_set():
            return
        if self._concerned():  # it has come while the client was busy, and perhaps the others were told
            self._audience.stir()
        self._called = anyio.Event()
        try:
            await self._called.wait()
        finally:
            self._called = None

    def call(self) -> bool:
        """Say so, if the client waits and is concerned; whether it was told."""
        if self._called is None or not self._concerned():
            return False
        self.wake()
        return True

    def wake(self) -> None:
        """Have the client look, if it waits."""
        if self._called is not None:
            self._called.set()


class Audience:
    """All of them."""

    def __init__(self, prepare: Callable[[], Iterable[object]]) -> None:
        """`prepare` does what is to be done before anybody is told, a piece for each turn."""
        self.over = anyio.Event()
        """There will be no more news."""
        self._prepare = prepare
        self._seats: dict[Seat, None] = {}
        self._stirred = anyio.Event()

    @contextmanager
    def seat(self, concerned: Callable[[], bool]) -> Iterator[Seat]:
        """A place for a client as long as it stays."""
        seat = Seat(self, concerned)
        self._seats[seat] = None
        try:
            yield seat
        finally:
            del self._seats[seat]

    def stir(self) -> None:
        """Something has happened that may concern somebody."""
        if self._seats:
            self._stirred.set()

    def close(self) -> None:
        """There will be no more news: nobody waits any longer."""
        self.over.set()
        self._stirred.set()
        for seat in self._seats:
            seat.wake()

    async def serve(self) -> None:
        """Tell them, until the end."""
        while True:
            await self._stirred.wait()
            with anyio.move_on_after(max(TOGETHER, EACH * len(self._seats))):
                await self.over.wait()
                return
            self._stirred = anyio.Event()
            try:
                await self._tell()
            except Exception:  # a fault of ours costs these news, not the pod
                traceback.print_exc()

    async def _tell(self) -> None:
        for _ in self._prepare():
            await anyio.sleep(0)
        for seat in tuple(self._seats):
            if seat.call():
                await anyio.sleep(0)
