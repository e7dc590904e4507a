from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import anyio
import anyio.lowlevel
import pytest

from initsup.node.attempt import Outcome, probe
from initsup.node.dial import DialError, dial
from initsup.node.lookup import LookupFailed, addresses
from initsup.spec.probe import Probe, TCPSocketAction
from tests.node.attempt_world import LocalRunner, free_port, open_files, saying, serving, target

pytestmark = pytest.mark.anyio


async def ask(port: int | str, host: str = "") -> Outcome:
    return await probe(LocalRunner(), target(), Probe(tcp_socket=TCPSocketAction(port=port, host=host)))


@pytest.mark.parametrize("host", ["", "127.0.0.1", "localhost"])
async def test_a_socket_that_opens_is_success(host: str) -> None:
    async with serving(saying(b"hello")) as port:
        assert await ask(port, host) == Outcome("success")


async def test_the_connection_is_closed_in_an_orderly_way() -> None:
    ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.set_result(await reader.read())

    before = open_files()
    async with serving(listen) as port:
        await ask(port)
        with anyio.fail_after(5):
            assert await ended == b""
    assert open_files() <= before + 1


async def test_nobody_listens() -> None:
    port = free_port()
    assert await ask(port) == Outcome("failure", f"dial tcp 127.0.0.1:{port}: connect: connection refused")


async def test_a_port_that_is_none_is_an_error() -> None:
    assert await ask("nope") == Outcome("error", 'strconv.Atoi: parsing "nope": invalid syntax')


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port whose queue is full, so that a connection never comes about."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_connection_that_does_not_come_about(deaf: int) -> None:
    started = time.monotonic()
    assert await ask(deaf) == Outcome("failure", f"dial tcp 127.0.0.1:{deaf}: i/o timeout")
    assert time.monotonic() - started < 2


async def test_cancelling_gives_the_socket_back(deaf: int) -> None:
    before = open_files()
    with anyio.move_on_after(0.05):
        await dial("127.0.0.1", deaf)
    assert open_files() == before


@pytest.mark.parametrize(
    ("host", "text"),
    [
        pytest.param("nobody..invalid", "dial tcp: lookup nobody..invalid: no such host", id="a name that is none"),
        pytest.param("x" * 300, f"dial tcp: lookup {'x' * 300}: no such host", id="one that is too long"),
        pytest.param("::1", "dial tcp [::1]:1: connect: ", id="IPv6"),
        pytest.param("localhost", "dial tcp 127.0.0.1:1: connect: connection refused", id="of two, the first is told"),
    ],
)
async def test_texts(host: str, text: str) -> None:
    with pytest.raises(DialError) as caught:
        await dial(host, 1)
    assert str(caught.value).startswith(text)


async def test_a_name_is_looked_up_in_a_thread_that_is_shared_and_ends() -> None:
    name = socket.gethostname()
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(resolved, name)
        await anyio.lowlevel.checkpoint()
        lookups = [thread for thread in threading.enumerate() if thread.name == f"lookup {name}"]
        assert len(lookups) <= 1
    for thread in lookups:
        thread.join(5)
        assert not thread.is_alive()


async def resolved(host: str) -> None:
    with contextlib.suppress(LookupFailed):
        assert await addresses(host)


async def test_a_lookup_can_be_cancelled() -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await addresses("somewhere.invalid")
    assert scope.cancelled_caught
