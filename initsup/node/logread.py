"""Reading logs back: what `kubectl logs` shows (staging/src/k8s.io/cri-client/pkg/logs), over all files of an attempt.

Nothing here waits: `Reader.more()` gives what there is, and whoever follows a log asks again later. Unlike kubelet's
this reader goes through rotated files, too, and does not run lines of two streams into each other.
"""

from __future__ import annotations

import os

from initsup.node.logfile import log_files

_BLOCK = 262144
_TRIES = 100  # rotation hardly happens twice while the directory is looked at
_TIME = len(b"2026-01-02T03:04:05.678901234Z ")
_HEAD = len(b"2026-01-02T03:04:05.678901234Z stdout F ")

_Known = tuple[int, str, int]
"""A file: its inode, the path that it had, its size."""


class Reader:
    """One attempt's log, from where the options say to its end, or for as long as it grows.

    `directory` is the container's. `tail`: only the last lines of the files (a part of a long line counts as one); None
    is all. `since`: nothing older than this RFC 3339 time with nine digits, in UTC; this is looked at after `tail`.
    `timestamps`: each line begins with its time. `limit`: bytes of output, None is no limit. `stream`: "stdout" or
    "stderr" only. `prefix` is put before each line. `follow`: go on with what is written after this object was made.
    """

    def __init__(
        self,
        directory: str,
        attempt: int,
        *,
        tail: int | None = None,
        since: str = "",
        timestamps: bool = False,
        limit: int | None = None,
        stream: str = "",
        prefix: bytes = b"",
        follow: bool = False,
    ) -> None:
        self._since = since.encode()
        self._timestamps = timestamps
        self._left = limit
        self._stream = stream.encode()
        self._prefix = prefix
        self._unended = b""  # the stream whose line has not ended yet
        self._files = _Files(directory, attempt, follow=follow)
        if tail is not None:
            self._files.seek(tail)
        self.done = False
        """Nothing will come any more: the limit is reached, or, without `follow`, the end."""

    def more(self) -> bytes:
        """The next piece of output; b"" when there is nothing (now)."""
        while not self.done:
            block = self._files.lines()
            if not block:
                self.done = not self._files.follow
                break
            shown = self._shown(block)
            if self._left is not None:
                shown = shown[: self._left]
                self._left -= len(shown)
                self.done = not self._left
            if shown:
                return shown
        return b""

    def close(self) -> None:
        """Let go of the file."""
        self._files.close()

    def _shown(self, block: bytes) -> bytes:
        lines = block.split(b"\n")
        lines.pop()
        if self._since or self._stream or self._unended or b"out P " in block or b"err P " in block:
            return b"".join(self._pieces(lines))
        prefix = self._prefix
        if self._timestamps:
            lines = [prefix + line[:_TIME] + line[_HEAD:] for line in lines]
        else:
            lines = [prefix + line[_HEAD:] for line in lines] if prefix else [line[_HEAD:] for line in lines]
        lines.append(b"")
        return b"\n".join(lines)

    def _pieces(self, lines: list[bytes]) -> list[bytes]:
        """The general case: lines are left out, or are in parts."""
        out = []
        for line in lines:
            stream = line[_TIME : _TIME + 6]
            if line[: _TIME - 1] < self._since or (self._stream and stream != self._stream):
                continue
            if self._unended not in (b"", stream):
                out.append(b"\n")
                self._unended = b""
            if not self._unended:
                out.append(self._prefix + (line[:_TIME] if self._timestamps else b""))
            out.append(line[_HEAD:])
            if line[_HEAD - 2 : _HEAD - 1] == b"P":
                self._unended = stream
            else:
                self._unended = b""
                out.append(b"\n")
        return out


class _Files:
    """The files of one attempt as one file that may still grow, by whole lines.

    Without `follow` it ends where it ended when this object was made.
    """

    def __init__(self, directory: str, attempt: int, *, follow: bool) -> None:
        self.follow = follow
        self._directory = directory
        self._attempt = attempt
        self._fd = -1
        self._inode = 0
        self._at = 0
        self._complete = False  # a newer file was seen: nothing will be added to this one
        self._known = self._snapshot()
        self._last = (0, 0)  # inode and size of the newest file, if not to be followed
        if self._known and not follow:
            inode, _, size = self._known[-1]
            self._last = (inode, size)

    def lines(self) -> bytes:
        """The next whole lines; b"" at the end."""
        while True:
            size = self._last[1] - self._at if self._inode == self._last[0] else _BLOCK
            data = os.pread(self._fd, min(size, _BLOCK), self._at) if self._fd >= 0 else b""
            whole = data.rfind(b"\n") + 1
            if whole or len(data) == _BLOCK:  # a block without a newline: not a log of ours
                self._at += whole or _BLOCK
                return data[:whole]
            # What is not a whole line is still being written: it will be read again.
            if not self._advance():
                return b""

    def seek(self, tail: int) -> None:
        """Go to where `tail` lines are left."""
        for _ in range(_TRIES):
            if self._try_to_seek(tail):
                break
            self._known = self._snapshot()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _try_to_seek(self, tail: int) -> bool:
        for inode, path, _ in reversed(self._known):
            fd = _open(inode, path)
            if fd < 0:
                return False
            size = self._last[1] if inode == self._last[0] else os.fstat(fd).st_size
            at, tail = _from_end(fd, size, tail)
            if at >= 0:
                self._enter(fd, inode, at)
                break
            os.close(fd)
        return True

    def _advance(self) -> bool:
        """Whether there may be more: go to the next file, once this one was read when it was known to be complete."""
        following = self._following()
        if following is None:
            return False
        if self._fd >= 0 and not self._complete:
            self._complete = True
            return True
        inode, path, _ = following
        fd = _open(inode, path)
        if fd < 0:
            self._known = []
        else:
            self._enter(fd, inode, 0)
        return True

    def _following(self) -> _Known | None:
        """The file after this one. The last of those that are known may have been rotated since: then look again."""
        if not self.follow and self._inode == self._last[0]:
            return None
        index = self._index()
        if self.follow and 0 < index == len(self._known) and self._is_in_use():
            return None
        if index >= len(self._known) - 1:
            self._known = self._snapshot()
            index = self._index()
        if not self.follow and all(inode != self._last[0] for inode, *_ in self._known):
            return None
        return self._known[index] if index < len(self._known) else None

    def _is_in_use(self) -> bool:
        """Whether the newest file that is known still has its name, so that there can be none after it."""
        inode, path, _ = self._known[-1]
        try:
            return os.stat(path).st_ino == inode
        except FileNotFoundError:
            return False

    def _index(self) -> int:
        return next((index + 1 for index, (inode, *_) in enumerate(self._known) if inode == self._inode), 0)

    def _enter(self, fd: int, inode: int, at: int) -> None:
        self.close()
        self._fd, self._inode, self._at, self._complete = fd, inode, at, False

    def _snapshot(self) -> list[_Known]:
        """All files, oldest first, as they were at one moment: the writer may rotate meanwhile."""
        for _ in range(_TRIES):
            paths = self._paths()
            try:
                found = [_known(path) for path in paths]
            except FileNotFoundError:
                continue
            if paths == self._paths():
                return found
        return []

    def _paths(self) -> list[str]:
        names = [name for attempt, *_, name in log_files(self._directory) if attempt == self._attempt]
        return [f"{self._directory}/{name}" for name in names]


def last_lines(directory: str, attempt: int, max_lines: int, max_bytes: int) -> str:
    """The last `max_lines` lines, of which the last `max_bytes` (kuberuntime, readLastStringFromContainerLogs)."""
    reader = Reader(directory, attempt, tail=max_lines)
    text = b""
    while more := reader.more():
        text = (text + more)[-max_bytes:]
    reader.close()
    return text.decode("utf-8", "replace")


def _known(path: str) -> _Known:
    found = os.stat(path)
    return found.st_ino, path, found.st_size


def _open(inode: int, path: str) -> int:
    """Open the file that was there when the directory was read; -1 if that has another name now, or is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    if os.fstat(fd).st_ino == inode:
        return fd
    os.close(fd)
    return -1


def _from_end(fd: int, end: int, count: int) -> tuple[int, int]:
    """Where the last `count` lines before `end` begin; or -1, and how many lines more there should be."""
    newlines = count + 1
    while end:
        begin = max(end - _BLOCK, 0)
        data = os.pread(fd, end - begin, begin)
        found = data.count(b"\n")
        if found >= newlines:
            at = len(data)
            for _ in range(newlines):
                at = data.rfind(b"\n", 0, at)
            return begin + at + 1, 0
        newlines -= found
        end = begin
    return -1, newlines - 1
