"""A pump with pipes that a test writes to by hand, and what is in the log then."""

from __future__ import annotations

import os
import select
from pathlib import Path
from typing import Any

from initsup.node.console import Console
from initsup.node.logread import Reader
from initsup.node.logs import Pump


class Piping:
    """`pump` and `console` on an epoll object of their own; `shown` is what went to stdout, `said` to stderr."""

    def __init__(self, directory: Path, form: Any = "none", **options: Any) -> None:
        self.logs = directory / "logs"
        self.poll = select.epoll()
        self._out, self._err = (
            os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_APPEND) for name in ("out", "err")
        )
        self.console = Console(self.poll, ["web", "sidecar"], form, stdout=self._out, stderr=self._err, environ={})
        self.pump = Pump(self.logs, self.poll, self.console, **options)
        self.writers: dict[tuple[str, int, str], int] = {}

    def write(self, data: bytes, container: str = "web", attempt: int = 0, stream: str = "stdout") -> None:
        """As the container does; all of it is taken before this returns."""
        key = (container, attempt, stream)
        if key not in self.writers:
            self.writers[key] = self.pump.pipe(*key)
        for begin in range(0, len(data), 65536):
            os.write(self.writers[key], data[begin : begin + 65536])
            self.turn()

    def end(self, container: str = "web") -> None:
        """The container is gone, and all that it started."""
        for key in [key for key in self.writers if key[0] == container]:
            os.close(self.writers.pop(key))
        self.pump.finish(container)

    def turn(self) -> None:
        """What the node does until there is nothing to do."""
        while events := self.poll.poll(0):
            for fd, _ in events:
                if fd in self.pump:
                    self.pump.ready(fd)
                elif fd in self.console:
                    self.console.ready(fd)

    def close(self) -> None:
        for container in {key[0] for key in self.writers}:
            self.end(container)
        self.pump.close()
        self.console.close()
        self.poll.close()
        os.close(self._out)
        os.close(self._err)

    @property
    def shown(self) -> bytes:
        return os.pread(self._out, 1 << 24, 0)

    @property
    def said(self) -> bytes:
        return os.pread(self._err, 1 << 24, 0)

    def files(self, container: str = "web") -> dict[str, bytes]:
        found = self.logs / container
        return {path.name: path.read_bytes() for path in sorted(found.iterdir())} if found.exists() else {}

    def read(self, container: str = "web", attempt: int = 0, **options: Any) -> bytes:
        return read_all(Reader(str(self.logs / container), attempt, **options))


def read_all(reader: Reader) -> bytes:
    """All there is now."""
    found = b""
    while data := reader.more():
        found += data
    reader.close()
    return found
