"""The control socket while there is no event loop."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from initsup.api.door import Door
from initsup.api.files import SOCKET
from initsup.api.server import Desk
from initsup.api.sockets import bind_unix
from initsup.api.window import Window
from initsup.core.facts import Running
from initsup.engine import Engine
from initsup.journal import Journal
from initsup.node.node import HostNode
from tests.build import container, planned


class Place:
    """A pod with one container, and its window."""

    def __init__(self, path: Path) -> None:
        runs = msgspec.structs.replace(container("a"), command=("sleep", "1000"))
        plan = planned(runs, policy="Always")
        self.path = str(path)
        self.node = HostNode(plan, self.path)
        self.engine = Engine(plan, self.node, Journal(f"{path}/journal", plan, 0.0), self.node.where)
        self.engine.step()
        door = Door(self.engine, self.path)
        self.desk = Desk(self.engine, door, bind_unix(self.path, SOCKET))
        self.window = Window(self.engine, self.node, door, self.desk)
        self.close_door = door.close

    @property
    def pid(self) -> int:
        state = self.engine.facts.containers["a"].state
        assert isinstance(state, Running)
        return state.pid

    def ask(self, *parts: bytes) -> dict[str, Any]:
        """What is answered to a question that comes in these parts, one in each pass."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{self.path}/{SOCKET}")
            for part in parts:
                client.sendall(part)
                self.pass_by()
            with client.makefile("rb") as stream:
                found: dict[str, Any] = msgspec.json.decode(stream.readline())
                return found

    def pass_by(self) -> None:
        self.engine._go_on(None, in_time=self.node.wait(10))

    def close(self) -> None:
        self.window.close()
        self.close_door()
        self.desk.close()
        self.node.close()
        self.engine.journal.close()


@pytest.fixture
def place(tmp_path: Path, kept_signals: None) -> Iterator[Place]:
    one = Place(tmp_path)
    yield one
    one.close()


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((b'{"verb":"processes"}\n',), id="that comes with the connection"),
        pytest.param((b'{"verb":', b'"processes"}\n'), id="that comes in parts"),
        pytest.param((b"", b'{"verb":"processes"}\n'), id="that comes later"),
    ],
)
def test_a_question_is_answered_without_an_event_loop(place: Place, parts: tuple[bytes, ...]) -> None:
    assert place.ask(*parts) == {"a": {"pid": place.pid, "attempt": 0, "ready": True}}
    assert not place.node.wants_loop


def test_who_asks_when_a_container_has_ended_is_told_so_before_it_is_started_again(place: Place) -> None:
    before = place.pid
    os.kill(before, 9)
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert place.ask(b'{"verb":"processes"}\n') == {}
    assert place.pid != before
