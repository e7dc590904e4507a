"""GET …/pods/NAME/log: what a container has written (pkg/registry/core/pod/rest/log.go, pkg/kubelet)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import msgspec

from initsup.api.exchange import Answer, Reply, Request, Stream
from initsup.api.failure import Failure, bad_request, invalid
from initsup.api.remote import container_of
from initsup.api.store import Store
from initsup.core.facts import Running, Stopping
from initsup.engine import Engine
from initsup.errors import InitsupError
from initsup.node.instances import attempt_of
from initsup.node.logfile import line_time, utc
from initsup.node.logread import Reader

TEXT = "text/plain"


class _Options(msgspec.Struct, frozen=True):
    container: str
    follow: bool
    previous: bool
    timestamps: bool
    tail: int | None
    since: str
    limit: int | None
    stream: str


async def answer(store: Store, state_dir: str, request: Request) -> Answer:
    """The log, or one that goes on. Raises Failure."""
    engine = store.engine
    asked = _options(engine, request)
    try:
        attempt = attempt_of(engine.pod(), asked.container, previous=asked.previous)
    except InitsupError as problem:
        raise bad_request(str(problem)) from None
    reader = Reader(
        f"{state_dir}/logs/{asked.container}",
        attempt,
        tail=asked.tail,
        since=asked.since,
        timestamps=asked.timestamps,
        limit=asked.limit,
        stream=asked.stream,
        follow=asked.follow,
    )
    if asked.follow or request.method == "HEAD":  # of which nothing is read: what was opened would stay open
        return Stream(_followed(store, asked.container, attempt, reader), TEXT)
    first = reader.more()
    if reader.done or not first:
        reader.close()
        return Reply(first, 200, TEXT)
    return Stream(_rest(first, reader), TEXT)


async def _rest(first: bytes, reader: Reader) -> AsyncIterator[bytes]:
    try:
        piece = first
        while piece:
            yield piece
            piece = reader.more()
    finally:
        reader.close()


async def _followed(store: Store, container: str, attempt: int, reader: Reader) -> AsyncIterator[bytes]:
    engine, is_fresh = store.engine, False

    def written(_: str, __: bytes) -> None:
        nonlocal is_fresh
        is_fresh = True
        store.audience.stir()

    engine.node.listen(container, written)
    try:
        with store.looking(lambda: is_fresh or not _runs(engine, container, attempt)) as seat:
            while not reader.done:
                runs = _runs(engine, container, attempt)  # before the log is read: all it will ever hold is then there
                is_fresh = False
                async with store.turn:
                    piece = reader.more()
                if piece:
                    yield piece
                elif reader.done or not runs:
                    return
                else:
                    await seat.news()
    finally:
        engine.node.unlisten(container, written)
        reader.close()


def _runs(engine: Engine, container: str, attempt: int) -> bool:
    facts = engine.facts.containers[container]
    return facts.attempt == attempt and isinstance(facts.state, Running | Stopping)


# -- what is asked for ----------------------------------------------------------------------------------------------


def _options(engine: Engine, request: Request) -> _Options:
    tail, limit = request.number("tailLines"), request.number("limitBytes")
    seconds, at = request.number("sinceSeconds"), request.first("sinceTime")
    problems = []
    if tail is not None and tail < 0:
        problems.append(("tailLines", f"Invalid value: {tail}: must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        problems.append(("limitBytes", f"Invalid value: {limit}: must be greater than 0"))
    if seconds is not None and at:
        problems.append(("", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif seconds is not None and seconds < 1:
        problems.append(("sinceSeconds", f"Invalid value: {seconds}: must be greater than 0"))
    if problems:
        name = engine.plan.pod.metadata.name
        raise invalid("PodLogOptions", name, *((field, "FieldValueInvalid", text) for field, text in problems))
    return _Options(
        container=container_of(engine, request),
        follow=request.flag("follow"),
        previous=request.flag("previous"),
        timestamps=request.flag("timestamps"),
        tail=tail,
        since=_since(seconds, at),
        limit=limit,
        stream=_stream(request.first("stream")),
    )


def _since(seconds: int | None, at: str) -> str:
    if seconds is not None:
        return line_time(max(time.time_ns() - seconds * 1_000_000_000, 0)).decode()
    try:
        return utc(at) if at else ""
    except ValueError:
        raise bad_request(f"invalid value {at[:50]!r} for sinceTime: RFC 3339 is expected") from None


def _stream(name: str) -> str:
    if name not in ("", "All", "Stdout", "Stderr"):
        raise Failure(422, f'stream: Unsupported value: "{name}": supported values: "All", "Stdout", "Stderr"')
    return "" if name == "All" else name.lower()
