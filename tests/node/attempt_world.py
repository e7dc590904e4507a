"""A world for attempts: commands that really run, and small servers on loopback that say what a test wants."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from initsup.node.attempt import Target
from initsup.node.failures import CannotRun
from initsup.spec.pod import Container, ContainerPort, EnvVar

POD = "web_default(POD-UID)"


def shell(script: str) -> tuple[str, ...]:
    return "/bin/sh", "-c", script


STUBBORN = {
    "hangs": shell("sleep 1000"),
    "floods": ("yes",),
    "floods both": shell("yes & yes >&2"),
    "ignores SIGTERM": shell("trap '' TERM INT HUP; while :; do sleep 1; done"),
    "forks away": shell("setsid sh -c 'setsid sleep 1000 & setsid sleep 1000' & sleep 1000"),
    "forks away with its output": shell("setsid yes & sleep 1000"),
    "is stopped": shell("kill -STOP $$"),
}
"""Commands that do not end by themselves, by what they do."""


def target(**fields: object) -> Target:
    """A container `main` with a named port."""
    ports = (ContainerPort(name="web", container_port=8080),)
    return Target(container=Container(name="main", ports=ports, **fields), pod=POD)  # type: ignore[arg-type]


def env(**values: str) -> tuple[EnvVar, ...]:
    return tuple(EnvVar(name=name, value=value) for name, value in values.items())


class Command:
    """A started command. Whatever it starts is found by a variable in its environment."""

    def __init__(self, argv: tuple[str, ...], stdout: int, stderr: int, ended: Callable[[int], None]) -> None:
        self._mark = f"ATTEMPT={secrets.token_hex(8)}"
        self._ended = ended
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ]
        name, _, value = self._mark.partition("=")
        environment = {name: value, "PATH": os.environ["PATH"]}
        try:
            self._pid = os.posix_spawnp(argv[0], argv, environment, file_actions=actions, setsid=True)
        except OSError as error:
            raise CannotRun(f'exec: "{argv[0]}": {os.strerror(error.errno or 0).lower()}') from None
        self._pidfd = os.pidfd_open(self._pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    def kill(self) -> None:
        while found := self.alive():
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self._reap()

    def alive(self) -> list[int]:
        """Every process that the command ever started and that runs still."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    if self._mark.encode() in Path("/proc", name, "environ").read_bytes().split(b"\0"):
                        found.append(int(name))
                except OSError:
                    pass
        return found

    def _reap(self) -> None:
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
            code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            self._ended(code if code >= 0 else 128 - code)


class LocalRunner:
    """Runs commands on this host."""

    def __init__(self) -> None:
        self.started: list[Command] = []

    def run(self, argv: tuple[str, ...], stdout: int, stderr: int, ended: Callable[[int], None]) -> Command:
        command = Command(argv, stdout, stderr, ended)
        self.started.append(command)
        return command

    def survivors(self) -> list[int]:
        return [pid for command in self.started for pid in command.alive()]


Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(talk: Conversation, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on 127.0.0.1 that has this conversation with each client; yields its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Scripted:
    """An HTTP server whose answers are given in order (the last one for ever); `requests` is what it was asked."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        writer.write(answer)
        await writer.drain()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Listen until the other side has gone."""
    while await reader.read(65536):
        pass


def saying(data: bytes) -> Conversation:
    """Say this at once, then listen until the other side has gone."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        await silence(reader, writer)

    return talk


def response(status: int = 200, body: bytes = b"ok\n", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def certificate(directory: Path) -> ssl.SSLContext:
    """The server side of TLS with a certificate that nobody trusts; skips the test where openssl is missing."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl")
    key, cert = directory / "key", directory / "cert"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=nobody"]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
