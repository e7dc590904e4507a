"""What containers write: from their pipes into log files in the CRI form, and on to the console.

    2026-01-02T03:04:05.678901234Z stdout F a line
    2026-01-02T03:04:05.678901234Z stderr P the first 16 KiB of a longer line, or a last one without its newline

The form is the container runtimes' (containerd, internal/cri/io/logger.go): a line that ends in CR LF loses both, one
longer than 16 KiB is written in parts. Here no part cuts a UTF-8 character. All lines of a chunk get the time at which
it was read.

A chunk is stamped in one pass (`bytes.replace`) and written with one `writev`, without a copy in between; a Python loop
over the lines would cost four times as much. Reads begin at 64 KiB, the size of a new pipe. Whoever fills half of his
pipe gets one of 256 KiB and is read in such chunks: more does not stay in the processor's cache.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from initsup.node.console import Console
from initsup.node.handover import Parcel
from initsup.node.logfile import LogFile, line_time

if TYPE_CHECKING:
    from initsup.node.kept import KeptOutput

LINE_LIMIT = 16384
SMALL_CHUNK = 65536
LARGE_CHUNK = 262144
_LARGEST_BLOCK = 2**20
LEFT_OVER = 4 * 2**20
"""The most that `Pump.finish` reads from a pipe: it holds less, unless a process that got away goes on writing."""


def fits(data: bytes, held: int) -> bool:
    """Whether no line of `data`, the first of which has `held` bytes already, is longer than `LINE_LIMIT`."""
    begin = -held
    while len(data) - begin > LINE_LIMIT:
        end = data.rfind(b"\n", max(begin, 0), begin + LINE_LIMIT + 1)
        if end < 0:
            return False
        begin = end + 1
    return True


def parts(text: bytes) -> tuple[list[tuple[bytes, bool]], bytes]:
    """Cut `text` into blocks of whole lines (True) and parts of long lines (False); and what is left for later."""
    found = []
    begin = 0
    while len(text) - begin > LINE_LIMIT:
        end = text.rfind(b"\n", begin, begin + LINE_LIMIT + 1) + 1
        whole = end > begin
        if not whole:
            end = begin + LINE_LIMIT
            while end > begin + LINE_LIMIT - 3 and text[end] & 0xC0 == 0x80:
                end -= 1
        found.append((text[begin:end], whole))
        begin = end
    end = text.rfind(b"\n", begin) + 1
    if end:
        found.append((text[begin:end], True))
    return found, text[max(begin, end) :]


class _Output:
    """What one attempt of a container writes: one file, and a pipe for each of its streams."""

    __slots__ = ("container", "fds", "file", "told")

    def __init__(self, container: str, file: LogFile) -> None:
        self.container = container
        self.file = file
        self.fds: list[int] = []
        self.told = 0  # lost lines


class _Stream:
    """One pipe. `held` is the line that has not ended yet, at most `LINE_LIMIT` bytes; `chunk` is how much to read."""

    __slots__ = ("chunk", "grown", "held", "name", "output")

    def __init__(self, output: _Output, name: str) -> None:
        self.output = output
        self.name = name
        self.held = b""
        self.chunk = SMALL_CHUNK
        self.grown = False


class Pump:
    """All output of all containers.

    `directory` holds the logs (`CONTAINER/ATTEMPT.log`), `poll` is the epoll object that pipes are registered with:
    when it names an fd that is `in` the pump, call `ready(fd)`. A file takes `max_size` bytes, a container has
    `max_files` of them (containerLogMaxSize, containerLogMaxFiles). `degraded(container, message)` is called when lines
    cannot be written to a log; the container and its pipes go on.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        poll: select.epoll,
        console: Console,
        *,
        max_size: int = 10 * 2**20,
        max_files: int = 5,
        degraded: Callable[[str, str], None] | None = None,
    ) -> None:
        self._directory = os.fspath(directory)
        self._poll = poll
        self._console = console
        self._limits = (max_size, max_files)
        self._degraded = degraded or (lambda container, message: console.say(f"{container}: {message}"))
        self._streams: dict[int, _Stream] = {}
        self._outputs: dict[str, _Output] = {}
        self.listeners: dict[str, list[Callable[[str, bytes], None]]] = {}
        """Who gets what a container writes as well, after it was stored: the stream's name, and the bytes."""

    def __contains__(self, fd: int) -> bool:
        return fd in self._streams

    def handed_over(self, parcel: Parcel) -> tuple[KeptOutput, ...]:
        """What a successor needs to know. What has not been read stays in the pipes."""
        from initsup.node.kept import KeptOutput, KeptStream

        found = []
        for output in self._outputs.values():
            streams = ((parcel.keep(fd), self._streams[fd]) for fd in output.fds)
            kept = tuple(KeptStream(fd, one.name, one.held, one.chunk, one.grown) for fd, one in streams)
            found.append(KeptOutput(output.container, output.file.handed_over(), output.told, kept))
        return tuple(found)

    def resume(self, kept: tuple[KeptOutput, ...]) -> None:
        """Go on with what was handed over."""
        for one in kept:
            output = self._output(one.container, one.file.attempt)
            output.file.resume(one.file)
            output.told = one.told
            for stream in one.streams:
                self.attach(stream.fd, one.container, one.file.attempt, stream.name)
                made = self._streams[stream.fd]
                made.held, made.chunk, made.grown = stream.held, stream.chunk, stream.grown

    def pipe(self, container: str, attempt: int, stream: str) -> int:
        """A new pipe for "stdout" or "stderr": the end to write to, which the caller closes after the fork."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        self.attach(reader, container, attempt, stream)
        return writer

    def attach(self, fd: int, container: str, attempt: int, stream: str) -> None:
        """Read from `fd` (also: the master of a terminal) until it ends; the pump closes it."""
        os.set_blocking(fd, False)
        output = self._output(container, attempt)
        output.fds.append(fd)
        self._streams[fd] = _Stream(output, stream)
        self._poll.register(fd, select.EPOLLIN)

    def _output(self, container: str, attempt: int) -> _Output:
        output = self._outputs.get(container)
        if output is None or output.file.attempt != attempt:
            self.finish(container)
            file = LogFile(f"{self._directory}/{container}", attempt, *self._limits)
            output = self._outputs[container] = _Output(container, file)
        return output

    def ready(self, fd: int) -> None:
        """Take one chunk, so that all get their turn; close at the end."""
        stream = self._streams.get(fd)
        if stream is not None and self._read(fd, stream) < 0:
            self._close(fd, stream)

    def finish(self, container: str) -> None:
        """The main process and all it has left are gone: take what is still in the pipes, and close everything."""
        output = self._outputs.pop(container, None)
        if output is None:
            return
        for fd in tuple(output.fds):
            stream = self._streams[fd]
            left = LEFT_OVER
            while left > 0 and (count := self._read(fd, stream)) > 0:
                left -= count
            self._close(fd, stream)
        output.file.close()
        self._tell(output, at_end=True)

    def close(self) -> None:
        """Finish all."""
        for container in tuple(self._outputs):
            self.finish(container)

    def last_lines(self, container: str, attempt: int, max_lines: int = 80, max_bytes: int = 2048) -> str:
        """The end of a log, both streams, for terminationMessagePolicy FallbackToLogsOnError."""
        from initsup.node.logread import last_lines

        return last_lines(f"{self._directory}/{container}", attempt, max_lines, max_bytes)

    def _read(self, fd: int, stream: _Stream) -> int:
        """One chunk: how many bytes, 0 when there is nothing now, -1 at the end."""
        try:
            data = os.read(fd, stream.chunk)
        except BlockingIOError:
            return 0
        except OSError:  # EIO: the last process with this terminal is gone
            return -1
        if not data:
            return -1
        count = len(data)
        self._take(stream, data)
        if self.listeners:
            for listener in tuple(self.listeners.get(stream.output.container, ())):
                listener(stream.name, data)
        if not stream.grown and count > SMALL_CHUNK // 2:
            stream.grown = True
            _enlarge(fd)
        stream.chunk = LARGE_CHUNK if count > SMALL_CHUNK // 2 else SMALL_CHUNK
        return count

    def _take(self, stream: _Stream, data: bytes) -> None:
        held = stream.held
        if held.endswith(b"\r") and data.startswith(b"\n"):
            held = held[:-1]
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        if not fits(data, len(held)):
            blocks, stream.held = parts(held + data)
            self._write_blocks(stream, blocks)
            return
        end = data.rfind(b"\n") + 1
        if not end:
            stream.held = held + data
            return
        stream.held = data[end:]
        at = line_time(time.time_ns())
        mark = b"%b %b F " % (at, stream.name.encode())
        marked = data.replace(b"\n", b"\n" + mark)
        # The last mark has no line yet, but for the one that is held.
        body = memoryview(marked)[: len(marked) - len(mark) - len(stream.held)]
        self._store(stream.output, [mark, held, body])
        if self._console.wants_lines:
            self._console.show(stream.output.container, stream.name, at, held + data[:end], whole=True)

    def _write_blocks(self, stream: _Stream, blocks: list[tuple[bytes, bool]]) -> None:
        """The general case: there are parts of long lines."""
        at = line_time(time.time_ns())
        full, part = (b"%b %b %b " % (at, stream.name.encode(), tag) for tag in (b"F", b"P"))
        pieces = []
        for text, whole in blocks:
            if whole:
                pieces += [full, text[:-1].replace(b"\n", b"\n" + full), b"\n"]
            else:
                pieces += [part, text, b"\n"]
        self._store(stream.output, [b"".join(pieces)])
        if self._console.wants_lines:
            for text, whole in blocks:
                self._console.show(stream.output.container, stream.name, at, text, whole=whole)

    def _store(self, output: _Output, pieces: list[bytes | memoryview]) -> None:
        output.file.write(pieces)
        if output.file.error is not None:
            self._tell(output)

    def _tell(self, output: _Output, *, at_end: bool = False) -> None:
        """Say how many lines are lost: at the first, then each time they are ten times as many, and at the end."""
        lost, error = output.file.lost, output.file.error
        if lost > output.told and (at_end or lost >= 10 * output.told):
            output.told = lost
            why = f": {error.strerror}" if error is not None else ""
            self._degraded(output.container, f"{lost} line{'s' * (lost != 1)} of its log lost{why}")

    def _close(self, fd: int, stream: _Stream) -> None:
        if stream.held:
            self._write_blocks(stream, [(stream.held, False)])
        self._poll.unregister(fd)
        del self._streams[fd]
        stream.output.fds.remove(fd)
        os.close(fd)


def _enlarge(fd: int) -> None:
    import fcntl

    try:
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, LARGE_CHUNK)
    except OSError:
        pass  # no pipe, or beyond what this user may have (pipe(7), pipe-user-pages-soft)
    # Else glibc would give the memory of each chunk back, to be faulted in again for the next (half of the speed). Its
    # thresholds follow the largest block that was ever freed (mallopt(3), M_MMAP_THRESHOLD); nothing is touched here.
    bytes(_LARGEST_BLOCK)
