"""exec and attach: a command of the client's, or a container's own streams, over a session's channels."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
from typing import Any

import anyio
import msgspec

from initsup.api.channels import RESIZE, STDERR, STDIN, STDOUT, SUCCESS, Channels
from initsup.api.exchange import Request
from initsup.api.failure import Failure, bad_request, internal
from initsup.core.facts import Running, Starting, Stopping, Waiting
from initsup.engine import Engine

PIECE = 65536


class Wanted(msgspec.Struct, frozen=True):
    """What a session is to be (core/v1 PodExecOptions, PodAttachOptions)."""

    container: str
    attempt: int
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool
    command: tuple[str, ...] = ()


def wanted(engine: Engine, request: Request, *, command: bool) -> Wanted:
    """Read a request for exec (`command`) or attach. Raises Failure."""
    name = container_of(engine, request)
    stdin, stdout, stderr, tty = (request.flag(flag) for flag in ("stdin", "stdout", "stderr", "tty"))
    words = tuple(request.query.get("command", ()))
    if command and not words:
        raise bad_request("you must specify at least one command for the container")
    if not (stdin or stdout or stderr):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    facts = engine.facts.containers[name]
    if not isinstance(facts.state, Running | Stopping):
        raise Failure(404, f'container not found ("{name}"): it is not running', "NotFound")
    return Wanted(name, facts.attempt, stdin, stdout, stderr and not tty, tty, words)


def container_of(engine: Engine, request: Request) -> str:
    """The container that a request means; one must be named when there are several. Raises Failure."""
    pod, name = engine.plan.pod.metadata.name, request.first("container")
    if not name and len(engine.plan.mains) == 1:
        return engine.plan.mains[0].name
    if not name:
        names = " ".join(member.name for member in engine.plan.mains)
        inits = " ".join(member.name for member in engine.plan.inits)
        more = f" or one of the init containers: [{inits}]" if inits else ""
        raise bad_request(f"a container name must be specified for pod {pod}, choose one of: [{names}]{more}")
    if name not in engine.plan.members:
        raise bad_request(f"container {name} is not valid for pod {pod}")
    return name


# -- exec -----------------------------------------------------------------------------------------------------------


async def run_command(engine: Engine, asked: Wanted, channels: Channels) -> dict[str, Any]:
    """Run the command on the channels; how it ended."""
    ours, theirs = _terminal() if asked.tty else _pipes(asked)
    ended = anyio.Event()
    codes: list[int] = []

    def on_exit(code: int) -> None:
        codes.append(code)
        ended.set()

    try:
        try:
            command = engine.node.execute(asked.container, asked.attempt, asked.command, theirs, asked.tty, on_exit)
        except OSError as problem:
            return _not_done("executing command in", problem)
        finally:
            for fd in {*theirs}:
                os.close(fd)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_client, ours, asked.tty, channels, tasks.cancel_scope)
                await _output(ours, asked, channels)
                await ended.wait()
                tasks.cancel_scope.cancel()
        finally:
            command.kill()
    finally:
        for fd in {fd for fd in ours if fd >= 0}:
            os.close(fd)
    return _exit_status(codes[0]) if codes else SUCCESS


def _terminal() -> tuple[list[int], tuple[int, int, int]]:
    master, slave = os.openpty()
    os.set_blocking(master, False)
    return [master, master, -1], (slave, slave, slave)


def _pipes(asked: Wanted) -> tuple[list[int], tuple[int, int, int]]:
    """Our ends (-1: none) and those of the command, for input, output and errors."""
    ours, theirs = [-1, -1, -1], [-1, -1, -1]
    for stream, open_ in enumerate((asked.stdin, asked.stdout, asked.stderr)):
        if not open_:
            theirs[stream] = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            continue
        reader, writer = os.pipe2(os.O_CLOEXEC)
        ours[stream], theirs[stream] = (writer, reader) if stream == STDIN else (reader, writer)
        os.set_blocking(ours[stream], False)
    return ours, (theirs[0], theirs[1], theirs[2])


async def _output(ours: list[int], asked: Wanted, channels: Channels) -> None:
    """Carry output to the client until there is none left."""
    async with anyio.create_task_group() as tasks:
        for channel in (STDOUT, STDERR):
            if ours[channel] >= 0 and (channel == STDERR or asked.stdout or asked.tty):
                tasks.start_soon(_copy, ours[channel], channel, channels)


async def _copy(fd: int, channel: int, channels: Channels) -> None:
    while data := await _read(fd):
        await channels.send(channel, data)


async def _read(fd: int) -> bytes:
    while True:
        try:
            return os.read(fd, PIECE)
        except BlockingIOError:
            await anyio.wait_readable(fd)
        except OSError as problem:
            if problem.errno == errno.EIO:  # the terminal has no holder left
                return b""
            raise


async def _client(ours: list[int], tty: bool, channels: Channels, session: anyio.CancelScope) -> None:
    """Carry input to the command until the client leaves, which ends the session."""
    while (message := await channels.receive()) is not None:
        channel, data = message
        if channel == RESIZE:
            resize(ours[STDOUT], data)
        elif channel == STDIN and ours[STDIN] >= 0:
            if tty:
                await write_all(ours[STDIN], data or b"\4")
            elif not data or not await write_all(ours[STDIN], data):
                os.close(ours[STDIN])
                ours[STDIN] = -1
    session.cancel()


async def write_all(fd: int, data: bytes) -> bool:
    """Write to a descriptor that does not block; False when nobody reads there any more."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            await anyio.wait_writable(fd)
        except OSError:
            return False
    return True


def resize(fd: int, data: bytes) -> None:
    """Give a terminal the size that the client tells: {"Width": columns, "Height": rows}."""
    try:
        size = msgspec.json.decode(data)
        packed = struct.pack("HHHH", int(size["Height"]), int(size["Width"]), 0, 0)
        fcntl.ioctl(fd, termios.TIOCSWINSZ, packed)
    except (OSError, ValueError, KeyError, TypeError, struct.error, msgspec.DecodeError):
        return  # no terminal, or no size


def _exit_status(code: int) -> dict[str, Any]:
    if code == 0:
        return SUCCESS
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _not_done(what: str, problem: OSError) -> dict[str, Any]:
    """In kubelet's words (k8s.io/kubelet/pkg/cri/streaming/remotecommand)."""
    return internal(f"error {what} container: {problem.strerror or problem}").status()


# -- attach ---------------------------------------------------------------------------------------------------------

MAX_HELD = 4 * 2**20
"""Bytes of output that wait for a slow client; beyond that the session ends."""


class _Held:
    """Output that waits for the client."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.size = 0
        self.news = anyio.Event()

    def take(self, stream: str, data: bytes) -> None:
        """The container has written this."""
        if self.size <= MAX_HELD:
            self.pieces.append((STDOUT if stream == "stdout" else STDERR, data))
            self.size += len(data)
            self.news.set()


async def attach_to_new(engine: Engine, name: str, channels: Channels) -> dict[str, Any]:
    """Join the streams of a container that is about to be started, from its first byte on, until it ends.

    To be called before it can have been started. One that cannot be created is not waited for.
    """
    held = _Held()
    engine.node.listen(name, held.take)
    try:
        while isinstance((facts := engine.facts.containers[name]).state, Waiting | Starting) and facts.error is None:
            await engine.change()
    finally:
        engine.node.unlisten(name, held.take)
    if isinstance(facts.state, Waiting):
        assert facts.error is not None
        return Failure(500, f"container {name} is waiting to start: {facts.error.message}").status()
    spec = engine.plan.members[name].spec
    asked = Wanted(name, facts.attempt, spec.stdin, True, not spec.tty, spec.tty)
    if isinstance(facts.state, Running | Stopping):
        return await attach(engine, asked, channels, held)
    return await _from_container(engine, asked, held, channels)


async def attach(engine: Engine, asked: Wanted, channels: Channels, held: _Held | None = None) -> dict[str, Any]:
    """Join the container's own streams to the channels until it ends. `held`: what it has written before."""
    held = held or _Held()
    try:
        attachment = engine.node.attach(asked.container, asked.attempt, held.take)
    except OSError as problem:
        return _not_done("attaching to", problem)
    session = anyio.CancelScope()
    status = SUCCESS
    try:
        async with anyio.create_task_group() as tasks:
            session = tasks.cancel_scope
            tasks.start_soon(_to_container, attachment.input if asked.stdin else -1, asked.tty, channels, session)
            tasks.start_soon(_until_ended, engine, asked, held)
            status = await _from_container(engine, asked, held, channels)
            tasks.cancel_scope.cancel()
    finally:
        attachment.close(with_input=asked.stdin)
    return status


async def _from_container(engine: Engine, asked: Wanted, held: _Held, channels: Channels) -> dict[str, Any]:
    while True:
        pieces, held.pieces = held.pieces, []
        for channel, data in pieces:
            if (channel == STDOUT and (asked.stdout or asked.tty)) or (channel == STDERR and asked.stderr):
                await channels.send(channel, data)
        overrun, held.size = held.size > MAX_HELD, sum(len(data) for _, data in held.pieces)
        if overrun:
            return Failure(500, "the output came faster than it was read").status()
        if not held.pieces and not _lives(engine, asked):
            return SUCCESS
        if not held.pieces:
            held.news = anyio.Event()
            await held.news.wait()


async def _until_ended(engine: Engine, asked: Wanted, held: _Held) -> None:
    while _lives(engine, asked):
        await engine.change()
    held.news.set()


async def _to_container(fd: int, tty: bool, channels: Channels, session: anyio.CancelScope) -> None:
    while (message := await channels.receive()) is not None:
        channel, data = message
        if channel == RESIZE and tty and fd >= 0:
            resize(fd, data)
        elif channel == STDIN and fd >= 0 and data and not await write_all(fd, data):
            fd = -1
    session.cancel()


def _lives(engine: Engine, asked: Wanted) -> bool:
    facts = engine.facts.containers[asked.container]
    return facts.attempt == asked.attempt and isinstance(facts.state, Running | Stopping)
