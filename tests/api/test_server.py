"""The control socket: odd requests, clients that watch, and what becomes of them when the program is replaced."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest

from initsup.api.door import Door
from initsup.api.server import MAX_BACKLOG, Client, Desk, KeptClient, _is_fault
from initsup.api.sockets import bind_unix
from initsup.core.events import RestartAsked, StopAsked
from initsup.core.report import Where
from initsup.engine import Engine, Moment
from initsup.journal import Journal
from initsup.node.handover import Parcel
from tests.build import container, planned
from tests.fake_node import FakeNode, Habit
from tests.sim import distinct
from tests.stories.driver import Story, cli

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def go_on(client: Client) -> Client:
    """The client as the next program finds it: its descriptors stay open, while those of this one are closed."""
    parcel = Parcel()
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(client.handed_over(parcel)), type=KeptClient)
    copies = {fd: os.dup(fd) for fd in parcel.descriptors}
    fds = tuple(copies[fd] for fd in kept.fds)
    client.close()
    return Client.resume(msgspec.structs.replace(kept, connection=copies[kept.connection], fds=fds))


def line_of(connection: socket.socket) -> dict[str, Any]:
    with connection.makefile("rb") as stream:
        answer: dict[str, Any] = msgspec.json.decode(stream.readline())
        return answer


async def test_a_slow_client_gets_the_rest_of_its_answer() -> None:
    ours, theirs = socket.socketpair()
    answer = {"text": "x" * 4_000_000}
    client = Client(ours)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.send, answer)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert 0 < len(client.unsent) < 4_000_000
    client = go_on(client)
    with theirs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.flush)
            assert await anyio.to_thread.run_sync(line_of, theirs) == answer
    client.close()


async def test_a_request_that_has_come_in_halfway_is_understood() -> None:
    ours, theirs = socket.socketpair()
    reader, writer = os.pipe()
    client = Client(ours)
    with theirs:
        socket.send_fds(theirs, [b'{"verb": '], [writer])
        os.close(writer)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.receive)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        client = go_on(client)
        theirs.sendall(b'"get"}\n')
        assert await client.receive() == {"verb": "get"}
        os.write(client.fds[0], b"through")
        assert os.read(reader, 10) == b"through"
    os.close(reader)
    client.close()


async def test_an_answer_that_was_given_is_not_given_again() -> None:
    ours, theirs = socket.socketpair()
    client = Client(ours)
    await client.send({"same": 1})
    client = go_on(client)
    await client.send({"same": 1})
    await client.send({"another": 2})
    client.close()
    with theirs:
        assert theirs.recv(100) == b'{"same":1}\n{"another":2}\n'


def sip(connection: socket.socket, most: int) -> bytes:
    """Read until the other side has closed, but no more than this."""
    data = b""
    while len(data) < most and (piece := connection.recv(65536)):
        data += piece
    return data


class Counting(Engine):
    """Counts how often the pod is made out, of which what does not work is a part."""

    count = 0

    def trouble(self) -> list[str]:
        self.count += 1
        return super().trouble()


class Office:
    """An engine with one container, and its desk."""

    def __init__(self, path: Path) -> None:
        plan = planned(container("a"))
        self.node = FakeNode({"a": Habit()}, Engine.now)
        self.engine = Counting(plan, self.node, Journal(str(path / "journal"), plan, 0.0), Where)
        self._address = str(path / "control.sock")
        self._listener = bind_unix(str(path), "control.sock")
        self._door = Door(self.engine, str(path))
        self._clients: list[socket.socket] = []
        self.desk = Desk(self.engine, self._door, self._listener)

    def watcher(self) -> socket.socket:
        """A client that watches the pod."""
        client = socket.socket(socket.AF_UNIX)
        self._clients.append(client)
        client.connect(self._address)
        client.sendall(b'{"verb": "get", "watch": true}\n')
        return client

    def close(self) -> None:
        for one in (*self._clients, self._listener, self._door, self.node, self.engine.journal):
            one.close()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    one = Office(tmp_path)
    yield one
    one.close()


async def test_a_client_that_watches_and_does_not_read_costs_little_and_gets_the_last_word(office: Office) -> None:
    engine, node, over = office.engine, office.node, anyio.Event()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(office.desk.serve, over)
            lazy = office.watcher()
            while not engine.observers:
                await anyio.lowlevel.checkpoint()
            tasks.start_soon(engine.run)
            for number in range(2 * MAX_BACKLOG // len(msgspec.json.encode(engine.pod()))):
                node.post(RestartAsked(at=engine.now(), container="a"))
                while engine.facts.containers["a"].attempt < number:
                    await engine.change()
            node.post(StopAsked(at=engine.now()))
            data = await anyio.to_thread.run_sync(sip, lazy, 4 * MAX_BACKLOG)
            over.set()
    assert len(data) < 2 * MAX_BACKLOG
    assert msgspec.json.decode(data.splitlines()[-1])["status"]["containerStatuses"][0]["state"]["terminated"]


class Passes:
    """Notes how things stand in each pass of an engine."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []

    def happened(self, engine: Engine, notices: object) -> None:
        self.moments.append(engine.moment())

    def look_at(self, engine: Engine) -> float | None:
        return None


async def test_a_state_is_made_out_once_for_all_who_watch_and_each_of_them_sees_every_one(office: Office) -> None:
    engine, over = office.engine, anyio.Event()
    engine.step()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(office.desk.serve, over)
            clients = [office.watcher() for _ in range(20)]
            while engine.count < len(clients):
                await anyio.lowlevel.checkpoint()
            await anyio.wait_all_tasks_blocked()
            engine.count, passes = 0, Passes()
            engine.observers.append(passes)
            engine.happened(RestartAsked(at=engine.now(), container="a"))
            engine.step()
            assert engine.count == 0  # the pod's work goes first
            await anyio.wait_all_tasks_blocked()
            assert engine.count == len(passes.moments)
            engine.happened(StopAsked(at=engine.now(), kill=True))
            engine.step()
            over.set()
    seen = [
        [states(pod) for pod in map(msgspec.json.decode, sip(client, MAX_BACKLOG).splitlines())] for client in clients
    ]
    assert seen == [seen[0]] * len(clients)
    assert (
        distinct(seen[0])
        == distinct([states(moment.pod()) for moment in passes.moments])
        == ["running 0", "running 1", "terminated 1"]
    )


async def test_who_watches_is_told_by_the_next_program_what_this_one_has_seen_last(office: Office) -> None:
    engine = office.engine
    engine.step()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(office.desk.serve, anyio.Event())
            office.watcher()
            while not engine.observers:
                await anyio.lowlevel.checkpoint()
            await anyio.wait_all_tasks_blocked()
            engine.happened(RestartAsked(at=engine.now(), container="a"))
            engine.step()
            (kept,) = office.desk.handed_over(Parcel()).clients
            tasks.cancel_scope.cancel()
    assert distinct([states(msgspec.json.decode(line)) for line in kept.unsent.splitlines()]) == ["running 1"]


def states(pod: dict[str, Any]) -> str:
    (one,) = pod["status"]["containerStatuses"]
    return f"{next(iter(one['state']))} {one['restartCount']}"


def ask(path: str, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(line + b"\n")
        with connection.makefile("rb") as stream:
            return stream.readline()


NONSENSE = [
    pytest.param(b"7", id="no object"),
    pytest.param(b'{"verb": "\xff"}', id="no text"),
    pytest.param(b'{"verb": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="too deep"),
    pytest.param(b'{"verb": ["get"]}', id="a verb that is a list"),
    pytest.param(b'{"verb": "signal", "container": {}, "signal": 1}', id="a container that is an object"),
    pytest.param(b'{"verb": "exec", "container": [], "argv": 1}', id="a command that is a number"),
    pytest.param(b'{"verb": "apply", "manifest": {"pod": 1}}', id="no manifest"),
    pytest.param(b'{"verb": "delete", "grace": 1%b}' % (b"0" * 400), id="a grace without end"),
]


@pytest.mark.parametrize("line", NONSENSE)
async def test_a_request_that_makes_no_sense_is_refused_and_ends_nothing(
    line: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned(container("a"))
    node = FakeNode({"a": Habit()}, Engine.now)
    engine = Engine(plan, node, Journal(str(tmp_path / "journal"), plan, 0.0), Where)
    engine.step()
    listener, over = bind_unix(str(tmp_path), "s"), anyio.Event()
    door = Door(engine, str(tmp_path))
    desk = Desk(engine, door, listener)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.serve, over)
        with anyio.fail_after(20):
            answer = msgspec.json.decode(await anyio.to_thread.run_sync(ask, str(tmp_path / "s"), line))
            assert answer["error"]
            assert b"metadata" in await anyio.to_thread.run_sync(ask, str(tmp_path / "s"), b'{"verb": "get"}')
        over.set()
    door.close()
    listener.close()
    node.close()
    engine.journal.close()
    assert capsys.readouterr().err == ""


# -- before there is an event loop ------------------------------------------------------------------------------------


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Story]:
    """A pod that needs no event loop by itself."""
    (tmp_path / "quiet.toml").write_text('[[containers]]\nname = "a"\ncommand = ["sleep", "600"]\n')
    story = Story(tmp_path, tmp_path / "quiet.toml")
    try:
        story.until_ready()
        yield story
        story.signal()
        assert story.ended() == 0
        assert "Traceback" not in story.said()
    finally:
        story.close()


@pytest.mark.real
@pytest.mark.parametrize("line", NONSENSE)
def test_the_first_request_may_make_no_sense(line: bytes, quiet: Story) -> None:
    assert msgspec.json.decode(ask(str(quiet.state / "control.sock"), line))["error"]
    assert quiet.get()


@pytest.mark.real
def test_the_first_request_may_bring_pipes(quiet: Story) -> None:
    done = cli("debug", "-i", "--state-dir", str(quiet.state), "--", "sh", "-c", "echo in; exit 3")
    assert (done.returncode, done.stdout) == (3, "in\n")


@pytest.mark.parametrize(
    ("problem", "is_fault"),
    [
        pytest.param(BrokenPipeError(), False, id="a client that has gone"),
        pytest.param(ExceptionGroup("", [BrokenPipeError(), ConnectionResetError()]), False, id="twice at a time"),
        pytest.param(ExceptionGroup("", [BrokenPipeError(), KeyError()]), True, id="and something else"),
        pytest.param(KeyError(), True, id="something else"),
    ],
)
def test_a_client_that_goes_is_no_fault(problem: Exception, is_fault: bool) -> None:
    assert _is_fault(problem) is is_fault
