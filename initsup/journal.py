"""What has happened: the events of the core on file, for replay, and the pod's Kubernetes events, counted.

The file begins with a snapshot (pod, settings, facts) and goes on with one core event a line; another snapshot says
anew how things stand, after a change of the manifest for example. When it has grown past `MAX_BYTES` it is put aside,
where it takes the place of the one before, and a new one starts with the facts of that moment. Secrets and ConfigMaps
are not in it. `Replay` folds it back into facts and Kubernetes events, which is how the state of a run that was
killed can still be told; `api.history` makes a time line of it.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

import msgspec

from initsup.core.apply import apply
from initsup.core.events import Event
from initsup.core.facts import Facts
from initsup.core.narrate import Notice, narrate
from initsup.core.plan import Plan, plan
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Pod
from initsup.spec.settings import SupervisorConfiguration

MAX_BYTES = 4 * 2**20
AGAIN = 10.0
"""Seconds after which a file that could not be written is begun anew."""
BEFORE = ".1"
"""What the name of the file that was put aside ends with."""
_SNAPSHOT = b'{"type":"Snapshot"'
MAX_NOTICES = 4096
"""Different events that are kept (client-go's cache holds as many)."""


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """How things stand: the first line of a journal. `wall` is the wall time of monotonic zero."""

    pod: Pod
    settings: SupervisorConfiguration
    facts: Facts
    wall: float


class Journal:
    """Appends events to a file, many at a time.

    A file that cannot be written makes it `degraded`, nothing worse: it is tried again from time to time.
    """

    def __init__(self, path: str, asked: Plan, wall: float) -> None:
        self.degraded = ""
        self._path = path
        self.plan = asked
        self._wall = wall
        self._encoder = msgspec.json.Encoder()
        self._pending: list[bytes] = []
        self._size = 0
        self._fd = -1
        self._again_at = 0.0

    def begin(self, facts: Facts) -> None:
        """Say (anew) how things stand. A file that is there goes on, as long as no event is missing in it."""
        if self._fd < 0:
            self._fd, self._size = _file_of_this_run(self._path)
        if self._fd < 0 or self.degraded:
            self._begin_file(facts)
            return
        self._pending.append(self._snapshot(facts))
        self.flush(facts)

    def _begin_file(self, facts: Facts) -> None:
        line = self._snapshot(facts) + b"\n"
        try:
            fd = _new_file(self._path, line)
        except OSError as problem:
            self._fail(problem)
            return
        self.degraded = ""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size = fd, len(line)
        self._pending.clear()

    def _snapshot(self, facts: Facts) -> bytes:
        asked = self.plan.asked
        return self._encoder.encode(Snapshot(pod=asked.pod, settings=asked.settings, facts=facts, wall=self._wall))

    def add(self, event: Event) -> None:
        """Take an event; it is on file after the next `flush`."""
        self._pending.append(self._encoder.encode(event))

    def flush(self, facts: Facts) -> None:
        """Write what has been added; `facts` are those after the last event."""
        if not self._pending:
            return
        data = b"\n".join(self._pending) + b"\n"
        self._pending.clear()
        if self.degraded:  # events are missing, so that only a new start helps
            if time.monotonic() >= self._again_at:
                self._begin_file(facts)
            return
        try:
            _write(self._fd, data)
        except OSError as problem:
            self._fail(problem)
            return
        self._size += len(data)
        if self._size > MAX_BYTES:
            _put_aside(self._path)
            self._begin_file(facts)

    def _fail(self, problem: OSError) -> None:
        """Leave the file as it was before, without a torn line."""
        self.degraded = f"cannot write the journal {self._path}: {problem.strerror}"
        self._again_at = time.monotonic() + AGAIN
        if self._fd >= 0:
            try:
                os.ftruncate(self._fd, self._size)
            except OSError:
                return

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _new_file(path: str, data: bytes) -> int:
    """Have a file with this in it, all at once; its descriptor. Raises OSError; then the one before is untouched."""
    fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _write(fd, data)
        os.rename(path + ".new", path)
    except OSError:
        os.close(fd)
        os.unlink(path + ".new")
        raise
    return fd


def _file_of_this_run(path: str) -> tuple[int, int]:
    """The file that the program which this one replaces has written, and its size; -1 when there is none to go on with.

    (A new run finds none: its state directory is cleared before.)
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except OSError:
        return -1, 0
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) == b"\n":
        return fd, size
    os.close(fd)
    return -1, 0


def _put_aside(path: str) -> None:
    """Keep the file under another name, too, until a new one has its own."""
    try:
        if os.path.lexists(path + BEFORE):
            os.unlink(path + BEFORE)
        os.link(path, path + BEFORE)
    except OSError:  # then the beginning of the time line is lost, nothing else
        return


def _write(fd: int, data: bytes) -> None:
    """All of it. Raises OSError; a part may have been written then."""
    done = os.write(fd, data)
    while done < len(data):  # the disk is getting full: the next one says so
        done += os.write(fd, data[done:])


class Replay:
    """What a journal tells: the facts at its end, and the events since it was begun.

    `wall` is the wall time of monotonic zero. A torn last line, as a kill leaves it, is not counted. Raises OSError,
    and msgspec.DecodeError for a file that is no journal.
    """

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")[:-1]
            written = os.fstat(file.fileno()).st_mtime
        try:
            self._fold(lines, written)
        except (UnicodeDecodeError, LookupError) as problem:  # a damaged disk: it tells of what is not in its pod
            raise msgspec.DecodeError(f"{type(problem).__name__}: {problem}") from None

    def _fold(self, lines: list[bytes], written: float) -> None:
        newest = max((at for at, line in enumerate(lines) if line.startswith(_SNAPSHOT)), default=0)
        told = msgspec.json.decode(lines[newest] if lines else b"", type=Snapshot)
        self.plan, self.facts, self.wall = planned(told), told.facts, told.wall
        self.at = written - self.wall
        """When it was written to for the last time (monotonic)."""
        self.notices = Notices()
        for line in lines[:newest]:
            try:
                self._take(read_entry(line))
            except (msgspec.DecodeError, LookupError):
                continue  # written by another version, before it was replaced by this one
        for line in lines[newest:]:
            self._take(read_entry(line))

    def _take(self, entry: Snapshot | Event) -> None:
        if isinstance(entry, Snapshot):
            self.plan, self.facts = planned(entry), entry.facts
        else:
            self.add(entry)

    def add(self, event: Event) -> None:
        """Take one more event in."""
        for notice in narrate(self.plan, self.facts, event):
            self.notices.add(notice, event.at + self.wall)
        self.facts = apply(self.plan, self.facts, event)

    def clock(self, at: float) -> str:
        """A monotonic time as RFC 3339."""
        return stamp(at + self.wall)


def planned(told: Snapshot) -> Plan:
    """The plan that a snapshot was made of, without the data of Secrets and ConfigMaps."""
    return plan(Manifest(pod=told.pod, settings=told.settings))


def read_entry(line: bytes) -> Snapshot | Event:
    """One line of a journal. Raises msgspec.DecodeError."""
    try:
        return _decoder().decode(line)
    except UnicodeDecodeError as problem:
        raise msgspec.DecodeError(str(problem)) from None


@cache
def _decoder() -> msgspec.json.Decoder[Snapshot | Event]:
    """Made when somebody reads: it takes as long as all of this module, and a first container does not wait for it."""
    return msgspec.json.Decoder(Snapshot | Event)


class Kept(msgspec.Struct, gc=False):
    """One Kubernetes event: how often it has happened, first and last (wall seconds)."""

    notice: Notice
    number: int
    count: int
    first: float
    last: float


class KeptNotices(msgspec.Struct, frozen=True):
    """All notices as they are handed over; `number` is the last one's."""

    number: int
    kept: tuple[Kept, ...]


class Notices:
    """The pod's Kubernetes events. The same again is counted, not repeated (client-go tools/record/events_cache.go)."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Notice, Kept] = OrderedDict()
        self._number = 0

    def add(self, notice: Notice, wall: float) -> Kept:
        """Count one occurrence at this wall time."""
        kept = self._kept.get(notice)
        if kept is None:
            self._number += 1
            kept = self._kept[notice] = Kept(notice, self._number, 1, wall, wall)
            if len(self._kept) > MAX_NOTICES:
                self._kept.popitem(last=False)
        else:
            kept.count += 1
            kept.last = wall
            self._kept.move_to_end(notice)
        return kept

    def __iter__(self) -> Iterator[Notice]:
        return iter(self._kept)

    def get(self, notice: Notice) -> Kept | None:
        """How often a notice was given, and when; None when it is not kept any more."""
        return self._kept.get(notice)

    def handed_over(self) -> KeptNotices:
        """What a successor needs to know."""
        return KeptNotices(self._number, tuple(self._kept.values()))

    def resume(self, kept: KeptNotices) -> None:
        """Go on with what was handed over."""
        self._number = kept.number
        self._kept = OrderedDict((one.notice, one) for one in kept.kept)

    def as_list(self, pod: Pod, host: str) -> dict[str, Any]:
        """An EventList in the order of time."""
        items = sorted(self._kept.values(), key=lambda kept: (kept.last, kept.number))
        return {
            "apiVersion": "v1",
            "kind": "EventList",
            "metadata": {"resourceVersion": str(self._number)},
            "items": [as_event(kept, pod, host) for kept in items],
        }


def as_event(kept: Kept, pod: Pod, host: str) -> dict[str, Any]:
    """A core/v1 Event."""
    meta, notice = pod.metadata, kept.notice
    first = stamp(kept.first)
    last = first if kept.last == kept.first else stamp(kept.last)
    subject = {
        "kind": "Pod",
        "namespace": meta.namespace or "default",
        "name": meta.name,
        "uid": meta.uid,
        "apiVersion": "v1",
    }
    if notice.field_path:
        subject["fieldPath"] = notice.field_path
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta.name}.{kept.number:016x}",
            "namespace": meta.namespace or "default",
            "creationTimestamp": first,
        },
        "involvedObject": subject,
        "reason": notice.reason,
        "message": notice.message,
        "source": {"component": "initsup", "host": host},
        "firstTimestamp": first,
        "lastTimestamp": last,
        "count": kept.count,
        "type": notice.type,
        "eventTime": None,
        "reportingComponent": "initsup",
        "reportingInstance": host,
    }


def stamp(wall: float) -> str:
    """Wall seconds as RFC 3339, whole seconds, UTC, as Kubernetes prints times."""
    return _stamp(int(wall))


@lru_cache(4096)  # much happens in the same second, and is asked for again
def _stamp(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
