"""What containers write, as it comes and over their restarts: lines of several ones in the order of time.

The log of a pod in the Kubernetes API is that of one instance. This is for whoever looks at the whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from initsup.api.exchange import Request, Stream
from initsup.api.failure import bad_request
from initsup.api.podlog import TEXT
from initsup.api.store import Store
from initsup.core.facts import ContainerFacts, Exited, Facts, Starting, Waiting
from initsup.node.logfile import utc
from initsup.node.logread import Reader

TAIL = 1000
"""Lines of each container that it begins with, unless the client wants less."""
LONGEST = 65536
"""Bytes of a line without an end after which it is given out as one."""
MOST = 64
"""Containers that may be followed at a time; each is an open file."""


def answer(store: Store, state_dir: str, request: Request) -> Stream:
    """Follow the containers that are named, or all. A line is `CONTAINER ATTEMPT TIME TEXT`. Raises Failure."""
    engine = store.engine
    names = request.query.get("container") or list(engine.plan.members)
    for name in names:
        if name not in engine.plan.members:
            raise bad_request(f"container {name[:100]} is not valid for pod {engine.plan.pod.metadata.name}")
    if len(names) > MOST:
        raise bad_request(f"at most {MOST} containers can be followed at a time")
    tail = request.number("tailLines")
    try:
        since = utc(request.first("sinceTime")) if request.first("sinceTime") else ""
    except ValueError:
        raise bad_request("sinceTime must be a time as of RFC 3339") from None
    tail = TAIL if tail is None else min(max(tail, 0), TAIL)
    sources = [_Source(f"{state_dir}/logs/{name}", name, tail, since) for name in dict.fromkeys(names)]
    return Stream(_follow(store, sources), TEXT)


async def _follow(store: Store, sources: list[_Source]) -> AsyncIterator[bytes]:
    engine = store.engine
    facts, is_fresh = engine.facts, False

    def written(*_: object) -> None:
        nonlocal is_fresh
        is_fresh = True
        store.audience.stir()

    for source in sources:
        engine.node.listen(source.name, written)
    try:
        with store.looking(lambda: is_fresh or engine.facts is not facts) as seat:
            while True:
                facts, is_fresh = engine.facts, False  # before the logs are read: what comes later is news
                async with store.turn:
                    lines = _more(facts, sources)
                if lines:
                    yield b"".join(lines)
                elif facts.finished:
                    return
                else:
                    await seat.news()
    finally:
        for source in sources:
            engine.node.unlisten(source.name, written)
            source.close()


def _more(facts: Facts, sources: list[_Source]) -> list[bytes]:
    there = [(source, facts.containers[source.name]) for source in sources if source.name in facts.containers]
    return sorted((line for source, container in there for line in source.more(container)), key=_time)


def _time(line: bytes) -> bytes:
    return line.split(b" ", 3)[2]


class _Source:
    """One container: the log of its newest instance, and then of each that follows."""

    def __init__(self, directory: str, name: str, tail: int, since: str) -> None:
        self.name = name
        self._directory = directory
        self._tail: int | None = None if since else tail
        self._since = since
        self._attempt = -1
        self._reader: Reader | None = None
        self._rest = b""

    def more(self, container: ContainerFacts) -> list[bytes]:
        """The next whole lines; none when there are none now."""
        newest = container.attempt - isinstance(container.state, Starting)  # which may still turn out to be none
        while True:
            if self._reader is None and not self._open(newest):
                return []
            assert self._reader is not None
            if block := self._reader.more():
                *lines, self._rest = (self._rest + block).split(b"\n")
                if len(self._rest) > LONGEST:
                    lines.append(self._rest)
                    self._rest = b" ".join([*self._rest.split(b" ", 3)[:3], b""])
                if lines:
                    return [line + b"\n" for line in lines]
                continue
            if self._attempt == newest and not isinstance(container.state, Exited | Waiting):
                return []
            self.close()  # it has ended, and all that it wrote is read
            if self._rest:
                last, self._rest = self._rest, b""
                return [last + b"\n"]

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _open(self, newest: int) -> bool:
        """Go to the next instance, if there is one."""
        attempt = newest if self._attempt < 0 else self._attempt + 1
        if not 0 <= attempt <= newest:
            return False
        self._reader = Reader(
            self._directory,
            attempt,
            tail=self._tail,
            since=self._since,
            timestamps=True,
            prefix=f"{self.name} {attempt} ".encode(),
            follow=True,
        )
        self._attempt, self._tail, self._since = attempt, None, ""
        return True
