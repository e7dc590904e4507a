"""One attempt's log on disk: `DIRECTORY/ATTEMPT.log`, and beside it the files it was rotated into.

A rotated file is `ATTEMPT.log.YYYYMMDD-HHMMSS` (UTC; kubelet's name for it). A second rotation in the same second, or
after the clock was set back, counts on: `ATTEMPT.log.YYYYMMDD-HHMMSS.1`. Unlike kubelet's they stay uncompressed: the
supervisor has one thread, and it has better things to do; readers then can go through all of them, too.

Rotation happens between two lines, before the file would grow beyond `max_size`, so no file is larger (but for a
single line that is). Of all files of a container, over all its attempts, the newest `max_files` are kept, and at least
one of the attempt before: `max_size` times `max_files + 1` bounds what a container can take of the disk.

Writes are ordinary ones: a disk that stalls, stalls the writer. By default the logs are in memory, under /run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from initsup.node.kept import KeptLogFile

Piece = bytes | memoryview

_NEWEST = "~"  # sorts behind every date


def line_time(nanoseconds: int) -> bytes:
    """`2026-01-02T03:04:05.678901234Z`, of nanoseconds since 1970."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return b"%b.%09dZ" % (_second(seconds), rest)


def utc(text: str) -> str:
    """An RFC 3339 time as it stands in logs: nine digits, UTC. Raises ValueError when it is none."""
    import re
    from datetime import UTC, datetime

    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", text)
    if found is None:
        raise ValueError(f"no RFC 3339 time: {text!r}")
    try:
        moment = datetime.fromisoformat(found[1] + found[3]).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{(found[2] or '')[:9]:0<9}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode()


def log_files(directory: str) -> list[tuple[int, str, int, str]]:
    """All log files in `directory`, oldest first: (attempt, when it was rotated or "~", count in that second, name).

    Other files are passed over; a directory that is not there has none.
    """
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        attempt, log, rest = name.partition(".log")
        when, _, count = rest[1:].partition(".")
        if log and attempt.isdecimal() and (not rest or rest[0] == ".") and (not count or count.isdecimal()):
            found.append((int(attempt), when or _NEWEST, int(count or 0), name))
    found.sort()
    return found


class LogFile:
    """Takes whole lines; is opened at the first. Never raises: lines that cannot be written are counted.

    `lost` is how many lines were lost so far, `error` why the last write failed (None: it did not).
    """

    __slots__ = ("_directory", "_fd", "_kept", "_limits", "_path", "_rotated", "_size", "attempt", "error", "lost")

    def __init__(self, directory: str, attempt: int, max_size: int, max_files: int) -> None:
        self._directory = directory
        self._path = f"{directory}/{attempt}.log"
        self._limits = (max_size, max_files)
        self._fd = -1
        self._size = 0
        self._kept = 0  # how much of the current `write` is in the files, in whole lines
        self._rotated = ("", 0)
        self.attempt = attempt
        self.lost = 0
        self.error: OSError | None = None

    def handed_over(self) -> KeptLogFile:
        """What a successor needs to know."""
        from initsup.node.kept import KeptLogFile

        return KeptLogFile(self.attempt, self.lost, self._rotated)

    def resume(self, kept: KeptLogFile) -> None:
        """Go on with what was handed over."""
        self.lost, self._rotated = kept.lost, kept.rotated

    def write(self, pieces: Sequence[Piece]) -> None:
        """Append the pieces, which are whole lines when put together."""
        total = sum(map(len, pieces))
        self._kept = 0
        try:
            if self._fd < 0:
                self._open()
            if self._size + total <= self._limits[0]:
                self._put(pieces, total)
            else:
                self._put_over_files(b"".join(pieces))
            self.error = None
        except OSError as error:
            self.lost += b"".join(pieces).count(b"\n", self._kept)
            self.error = error

    def close(self) -> None:
        """Let go of the file; a later write would open it again."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            self._fd = os.open(self._path, flags, 0o640)
        except FileNotFoundError:
            os.makedirs(self._directory, 0o755, exist_ok=True)
            self._fd = os.open(self._path, flags, 0o640)
        self._size = os.fstat(self._fd).st_size
        self._prune()

    def _put(self, pieces: Sequence[Piece], total: int) -> None:
        """One system call, if all is well. What a full disk took half of is cut back to its last whole line."""
        done = 0
        try:
            done = os.writev(self._fd, pieces)
            while done < total:
                done += os.write(self._fd, b"".join(pieces)[done:])
        except OSError:
            whole = b"".join(pieces).rfind(b"\n", 0, done) + 1
            self._grew(whole)
            if done > whole:
                os.ftruncate(self._fd, self._size)
            raise
        self._grew(total)

    def _grew(self, count: int) -> None:
        self._size += count
        self._kept += count

    def _put_over_files(self, data: bytes) -> None:
        """The lines that still fit into this file, then the others into the next ones."""
        while self._kept < len(data):
            end = self._fitting(data, self._kept)
            if end > self._kept:
                self._put([memoryview(data)[self._kept : end]], end - self._kept)
            else:
                self._rotate()

    def _fitting(self, data: bytes, begin: int) -> int:
        """Where the lines from `begin` on end that the file can take; `begin` if there are none."""
        room = max(self._limits[0] - self._size, 0)
        if len(data) - begin <= room:
            return len(data)
        end = data.rfind(b"\n", begin, begin + room) + 1
        if not end and not self._size:
            end = data.index(b"\n", begin) + 1  # one line that is longer than a file may be
        return max(end, begin)

    def _rotate(self) -> None:
        when = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        last, count = self._rotated
        self._rotated = (when, 0) if when > last else (last, count + 1)
        when, count = self._rotated
        self.close()
        try:
            os.rename(self._path, f"{self._path}.{when}.{count}" if count else f"{self._path}.{when}")
        except FileNotFoundError:
            pass  # somebody took it away
        self._open()

    def _prune(self) -> None:
        """Remove the oldest files. What cannot be removed is tried again at the next rotation."""
        try:
            files = log_files(self._directory)
            mine = [(when, count) for attempt, when, count, _ in files if attempt == self.attempt and when != _NEWEST]
            self._rotated = max([self._rotated, *mine])
            before = max([file for file in files if file[0] < self.attempt], default=None)
            for file in files[: -self._limits[1]]:
                if file != before:
                    os.unlink(f"{self._directory}/{file[3]}")
        except OSError:
            pass
