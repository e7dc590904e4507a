"""A running initsup, as far as the verbs can tell: the control socket with answers that the test has laid out."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from initsup.api.files import EVENTS, POD, SOCKET
from tests.cli.sample import Object


class FakeInitsup:
    """Answers until closed. `pods` and `event_lists` are what a watch gives, one after the other, before initsup
    "ends"; the last of each is what it leaves behind. `stays` keeps watches open until `end` is called.
    """

    def __init__(self, place: Path, pods: Iterable[Object], event_lists: Iterable[Object] = (), stays: bool = False):
        self.requests: list[Object] = []
        self.answers: dict[str, Object] = {}
        self.execute: Callable[[Object, list[int]], int] = lambda request, fds: 0
        self._place = place
        self._pods, self._events = list(pods), list(event_lists)
        self._over = threading.Event()
        if not stays:
            self._over.set()
        place.mkdir(exist_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(place / SOCKET))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def end(self) -> None:
        """What `initsup run` does at the end: leave the last objects behind, and let watches go."""
        (self._place / POD).write_text(json.dumps(self._pods[-1]))
        if self._events:
            (self._place / EVENTS).write_text(json.dumps(self._events[-1]))
        self._over.set()

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._talk, args=(connection,)))
            self._threads[-1].start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            data, fds, _, _ = socket.recv_fds(connection, 1 << 16, 3)
            if not data:
                return
            request = json.loads(data)
            self.requests.append(request)
            for answer in self._answers(request, fds):
                try:
                    connection.sendall(json.dumps(answer).encode() + b"\n")
                except OSError:
                    return
            for fd in fds:
                os.close(fd)
            if request.get("watch"):
                self._over.wait()
                self.end()

    def _answers(self, request: Object, fds: list[int]) -> list[Any]:
        verb = request["verb"]
        if verb in self.answers:
            return [self.answers[verb]]
        if verb == "exec":
            return [{"code": self.execute(request, fds)}]
        if verb in ("get", "events"):
            known = self._pods if verb == "get" else self._events
            return known if request.get("watch") else known[:1]
        return [{}]
