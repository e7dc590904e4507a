"""Commands run inside a container, for probes and hooks: output kept up to 10 KiB, everything they started killed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

import anyio
import msgspec

LIMIT = 10 * 1024
"""Bytes kept of each output stream (pkg/probe/exec `maxReadLength`); the rest is read and thrown away."""

_PIPE_READS = 16
"""How often an output pipe is read at the end: 16 × 64 KiB is the largest pipe an unprivileged process can have."""

_scratch = memoryview(bytearray(65536))


class CannotRun(Exception):
    """The command could not be started; the message is what the runtime would say, such as
    `exec: "foo": executable file not found in $PATH`.
    """


class Running(Protocol):
    """A command that was started."""

    def kill(self) -> None:
        """SIGKILL to the command and everything it ever started; gone when this returns, as far as the kernel allows.

        Called exactly once, also after the command has ended by itself (then only leftovers are meant).
        """


class Runner(Protocol):
    """Starts commands in one container, bound to it: its environment, directory, identity, namespaces and limits."""

    def run(self, argv: tuple[str, ...], stdout: int, stderr: int, ended: Callable[[int], None]) -> Running:
        """Start `argv` in a session of its own, stdin from /dev/null, writing to the two descriptors.

        The descriptors stay the caller's. `ended` is called once, from the event loop's thread, with the exit code
        (128+n for a signal); also after `kill`, then nobody listens any more. Raises CannotRun.
        """
        ...


class Ran(msgspec.Struct, frozen=True):
    """How a command ended. `code` is None when it was killed at its time-out."""

    code: int | None
    stdout: bytes
    stderr: bytes


async def execute(runner: Runner, argv: tuple[str, ...], timeout: float | None) -> Ran:
    """Run a command to its end, or to its time-out (seconds; None: for ever). Raises CannotRun.

    Nothing that it started is left when this returns, raises or is cancelled.
    """
    code: int | None = None
    done = anyio.Event()

    def ended(status: int) -> None:
        nonlocal code
        code = status
        done.set()

    with _Pipe() as stdout, _Pipe() as stderr:
        running = runner.run(argv, stdout.write_end, stderr.write_end, ended)
        try:
            stdout.listen()
            stderr.listen()
            with anyio.move_on_after(timeout):
                await done.wait()
        finally:
            running.kill()
        return Ran(code, stdout.rest(), stderr.rest())


class _Pipe:
    """One output stream. It is read as it comes, so that a flood blocks nobody, one buffer per turn of the event loop."""

    def __init__(self) -> None:
        try:
            self.read_end, self.write_end = os.pipe()
        except OSError as error:
            raise CannotRun(f"pipe: {os.strerror(error.errno or 0).lower()}") from None
        os.set_blocking(self.read_end, False)
        self._kept = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None

    def listen(self) -> None:
        """Give the write end away and read from now on."""
        self._close_write_end()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.read_end, self._pump)

    def rest(self) -> bytes:
        """What was kept, with what is still in the pipe."""
        for _ in range(_PIPE_READS):
            if not self._pump():
                break
        return bytes(self._kept)

    def _pump(self) -> bool:
        """Read one buffer; whether there may be more."""
        try:
            count = os.readv(self.read_end, (_scratch,))
        except BlockingIOError:
            return False
        if (room := LIMIT - len(self._kept)) > 0:
            self._kept += _scratch[: min(count, room)]
        if not count:
            self._stop_listening()
        return count > 0

    def _stop_listening(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self.read_end)
            self._loop = None

    def _close_write_end(self) -> None:
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def __enter__(self) -> _Pipe:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop_listening()
        self._close_write_end()
        os.close(self.read_end)
