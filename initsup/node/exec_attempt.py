"""Commands run inside a container, for probes and hooks: output kept up to 10 KiB, everything they started killed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

import anyio
import msgspec

from initsup.node.failures import CannotRun

LIMIT = 10 * 1024
"""Bytes kept of each output stream (pkg/probe/exec `maxReadLength`); the rest is read and thrown away."""

_LARGEST_PIPE = 1024 * 1024
"""Bytes, for an unprivileged process (pipe(7), /proc/sys/fs/pipe-max-size)."""

PAUSE = 0.005
"""Seconds between two looks at a stream of which enough is kept: 200 MB/s for 4 % of a CPU instead of all of it."""

_scratch = memoryview(bytearray(_LARGEST_PIPE))


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
            status = code  # now: killing it may be seen as its end
        finally:
            running.kill()
        return Ran(status, stdout.rest(), stderr.rest())


class _Pipe:
    """One output stream. It is read as it comes, and a flood is thrown away in large pieces at a bounded rate."""

    def __init__(self) -> None:
        try:
            self.read_end, self.write_end = os.pipe()
        except OSError as error:
            raise CannotRun(f"pipe: {os.strerror(error.errno or 0).lower()}") from None
        os.set_blocking(self.read_end, False)
        self._kept = bytearray()
        self._pause: asyncio.TimerHandle | None = None
        self._ended = False

    def listen(self) -> None:
        """Give the write end away and read from now on."""
        os.close(self.write_end)
        self.write_end = -1
        self._resume()

    def rest(self) -> bytes:
        """What was kept, with what is still in the pipe."""
        if not self._ended:
            self._read()
        return bytes(self._kept)

    def _pump(self) -> None:
        self._read()
        if self._ended:
            self._stop()
        elif len(self._kept) == LIMIT:
            self._stop()
            self._pause = asyncio.get_running_loop().call_later(PAUSE, self._resume)

    def _read(self) -> None:
        """Read all that is in the pipe, and keep what there is room for."""
        try:
            count = os.readv(self.read_end, (_scratch,))
        except BlockingIOError:
            return
        self._ended = not count
        if (room := LIMIT - len(self._kept)) > 0:
            self._kept += _scratch[: min(count, room)]
            if count >= room:
                self._widen()

    def _widen(self) -> None:
        """Let the writer go on while nobody looks."""
        import fcntl

        try:
            fcntl.fcntl(self.read_end, fcntl.F_SETPIPE_SZ, _LARGEST_PIPE)
        except OSError:
            pass  # the user has too many such pipes: it goes slower

    def _resume(self) -> None:
        self._pause = None
        asyncio.get_running_loop().add_reader(self.read_end, self._pump)

    def _stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self.read_end)
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def __enter__(self) -> _Pipe:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop()
        if self.write_end >= 0:
            os.close(self.write_end)
        os.close(self.read_end)
