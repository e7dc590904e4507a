"""What systemd is told, and how little that costs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from initsup.cli.unit import EACH, Unit
from initsup.core.events import Looked, StopAsked
from initsup.core.report import Where
from initsup.engine import Engine
from initsup.journal import Journal
from tests.build import container, planned
from tests.fake_node import FakeNode, Habit

MORE_TIME = "EXTEND_TIMEOUT_USEC=60000000"


class Counting(Engine):
    """An engine that counts how often the whole pod was asked for, and whose time stands still."""

    asked = 0
    time = 0.0

    def pod(self) -> dict[str, Any]:
        self.asked += 1
        return super().pod()

    def now(self) -> float:  # type: ignore[override]
        return self.time


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Counting]:
    plan = planned(container("a"))
    node = FakeNode({"a": Habit(stubborn=True)}, lambda: 0.0)
    engine = Counting(plan, node, Journal(str(tmp_path / "journal"), plan, 0.0), Where)
    yield engine
    node.close()
    engine.journal.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as end:
        end.bind(str(tmp_path / "notify"))
        yield end


def heard(systemd: socket.socket) -> list[str]:
    lines = []
    while True:
        try:
            lines += systemd.recv(65536).decode().splitlines()
        except BlockingIOError:
            return lines


def test_the_status_is_told_at_most_once_a_second(engine: Counting, systemd: socket.socket, tmp_path: Path) -> None:
    unit = Unit({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    engine.observers.append(unit)
    engine.step()
    engine.time = EACH
    unit.look_at(engine)
    assert heard(systemd) == ["READY=1", "STATUS=Running"]
    asked = engine.asked
    for _ in range(100):
        engine.happened(Looked(at=engine.now()))
        engine.step()
        due = unit.look_at(engine)
    assert engine.asked <= asked + 1
    assert due == 2 * EACH
    engine.time = 2 * EACH
    assert unit.look_at(engine) is None
    assert engine.asked <= asked + 2


def test_what_ends_or_is_ready_says_so_at_once(engine: Counting, systemd: socket.socket, tmp_path: Path) -> None:
    """And it is given the time to end, however lately it was given time to start."""
    unit = Unit({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    unit.look_at(engine)
    assert heard(systemd) == ["STATUS=ContainerCreating", MORE_TIME]
    engine.observers.append(unit)
    engine.step()
    assert heard(systemd) == ["READY=1", "STATUS=Running"]
    engine.happened(StopAsked(at=0.0, by="test"))
    engine.step()
    assert heard(systemd) == ["STOPPING=1", "STATUS=Terminating"]
    unit.look_at(engine)
    assert heard(systemd) == [MORE_TIME]
