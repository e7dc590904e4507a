"""The objects that clients see, each with a resourceVersion, and what has changed since a version.

Made when the first client comes; then it looks at the engine whenever somebody asks, and as long as somebody watches at
each change. Versions begin at the clock's milliseconds, so they do not go backwards when initsup is started again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import anyio
import msgspec

from initsup.api.audience import Audience, Seat
from initsup.api.failure import Failure
from initsup.api.surroundings import config_maps, namespaces, node, secrets
from initsup.core.narrate import Notice
from initsup.engine import UNTOLD, Engine, Moment
from initsup.journal import MAX_NOTICES, as_event

if TYPE_CHECKING:
    from initsup.api.applying import Managers

HISTORY = 1024
"""Changes that are kept for watches."""

Object = dict[str, Any]


class Change(msgspec.Struct):
    """One object became another one; None: it was, or is, not there. `shown` holds encodings that watches share."""

    version: int
    resource: str
    before: Object | None
    after: Object | None
    shown: dict[Any, bytes] = {}

    def kind(self, was: bool, is_now: bool) -> Literal["ADDED", "MODIFIED", "DELETED", ""]:
        """What a watch says of it to which the object belonged before, and does now."""
        if was and is_now:
            return "MODIFIED"
        return "ADDED" if is_now else "DELETED" if was else ""


class Store:
    """All objects, by resource and name."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.version = int(time.time() * 1000)
        self.closed = False
        """The pod is gone and all has been told."""
        self._objects: dict[str, dict[str, Object]] = {}
        self._managers: dict[tuple[str, str], Managers] = {}
        self._plain: dict[tuple[str, str], Object] = {}
        self.turn = anyio.Lock(fast_acquire=True)
        """Who has much to read does so one by one, each in a turn of the loop of its own, so that the pod's own work
        never waits for more than one of them."""
        self.audience = Audience(self._recall)
        """Who is told of what happens from now on."""
        self._history: deque[Change] = deque(maxlen=HISTORY)
        self._forgotten: dict[str, int] = {}
        """By resource: up to which version its changes are not known any more, and the last of those that are."""
        self._newest: dict[str, int] = {}
        self._seen: deque[Moment] = deque()
        self._noticed = dict.fromkeys(engine.notices)
        self._watchers = 0
        self._staying = 0
        self._alone = anyio.Event()
        self._asked: object = None
        for resource in ("pods", "events", "namespaces", "nodes", "configmaps", "secrets", "services"):
            self._objects[resource] = {}
            self._forgotten[resource] = self._newest[resource] = self.version
        for space in namespaces(engine):
            self._put("namespaces", space)
        self._put("nodes", node(engine))
        self.refresh()

    def all(self, resource: str) -> list[Object]:
        """The objects of a resource as they are now."""
        self.refresh()
        return list(self._objects.get(resource, {}).values())

    def at(self, resource: str, version: int) -> list[Object]:
        """The objects of a resource as they were at a version. Raises Failure for one that is out of reach."""
        self.refresh()
        found = dict(self._objects.get(resource, {}))
        for change in reversed(self.since(resource, version)):
            if change.after is not None:
                del found[change.after["metadata"]["name"]]
            if change.before is not None:
                found[change.before["metadata"]["name"]] = change.before
        return list(found.values())

    def get(self, resource: str, name: str) -> Object | None:
        """One object as it is now."""
        self.refresh()
        return self._objects.get(resource, {}).get(name)

    def managers(self, resource: str, name: str) -> Managers:
        """Who has set what in an object."""
        from initsup.api.applying import Managers

        return self._managers.setdefault((resource, name), Managers())

    def since(self, resource: str, version: int) -> list[Change]:
        """The known changes of a resource after a version, oldest first. Raises Failure for one out of reach."""
        forgotten = self._forgotten[resource]
        if version < forgotten:
            raise Failure(410, f"too old resource version: {version} ({forgotten})")
        found = []
        for change in reversed(self._history):
            if change.version <= version:
                break
            if change.resource == resource:
                found.append(change)
        return found[::-1]

    def is_news(self, resource: str, version: int) -> bool:
        """Whether something of this resource has changed after a version, as far as it is known."""
        return self._newest[resource] > version

    def check(self, version: int) -> None:
        """Refuse a version that is still to come. Raises Failure."""
        if version > self.version:
            message = f"Too large resource version: {version}, current: {self.version}"
            raise Failure(504, message, details={"causes": [{"reason": "ResourceVersionTooLarge"}]})

    async def all_told(self) -> None:
        """Wait until those who stay have been told the end."""
        while self._staying:
            await self._alone.wait()

    def happened(self, engine: Engine, notices: list[Notice]) -> None:
        """Keep up with the engine, whose observer this is, as long as somebody watches."""
        self._noticed.update(dict.fromkeys(notices))
        if len(self._noticed) > 2 * MAX_NOTICES:  # nobody has asked for long
            self._noticed = dict.fromkeys(engine.notices)
        if engine.facts.finished:
            self.refresh()
        elif self._watchers:  # what that looks like is found out when it is told, for the pod's work goes on now
            self._seen.append(engine.moment())
            if len(self._seen) > UNTOLD:
                self._put_seen()
        self.audience.stir()

    def look_at(self, engine: Engine) -> float | None:
        """What the engine does is enough."""
        return None

    def close(self) -> None:
        """Tell those who watch that nothing more will come."""
        self.refresh()
        self.closed = True
        self.audience.close()

    @contextmanager
    def watching(self, concerned: Callable[[], bool]) -> Iterator[Seat]:
        """Meanwhile somebody watches objects, of which no state is passed over; see `Audience.seat`."""
        self._watchers += 1
        try:
            with self.looking(concerned) as seat:
                yield seat
        finally:
            self._watchers -= 1

    @contextmanager
    def looking(self, concerned: Callable[[], bool]) -> Iterator[Seat]:
        """Meanwhile somebody follows something, and the end waits for the last of it; see `Audience.seat`."""
        with self.staying(), self.audience.seat(concerned) as seat:
            yield seat

    @contextmanager
    def staying(self) -> Iterator[None]:
        """Meanwhile somebody is told something, and the end waits for the last of it."""
        self._staying += 1
        try:
            yield
        finally:
            self._staying -= 1
            if not self._staying:
                self._alone.set()
                self._alone = anyio.Event()

    def refresh(self) -> None:
        """Look at what has become of the pod and its events."""
        engine = self.engine
        before = self.version
        gone = engine.facts.finished and engine.facts.deleted is not None
        name = engine.plan.pod.metadata.name
        while self._seen:
            self._put_seen()
        if not gone:
            self._put("pods", _pod(engine.moment()))
        elif name in self._objects["pods"]:
            self._remove("pods", name)
        if not gone or before == self.version:
            self._put_events()
        self._put_configs()
        if self.version != before:
            self.audience.stir()

    def _recall(self) -> Iterator[None]:
        """Look at the moments that wait to be told, one after the other; those that come meanwhile wait on."""
        for _ in range(len(self._seen)):
            if self._seen:
                self._put_seen()
                yield
        if not self.engine.facts.finished:
            self._put_events()
            self._put_configs()

    def _put_events(self) -> None:
        """Those that have happened since the last time."""
        engine = self.engine
        noticed, self._noticed = self._noticed, {}
        kept = (one for one in map(engine.notices.get, noticed) if one is not None)
        for one in sorted(kept, key=lambda one: (one.last, one.number)):
            self._put("events", as_event(one, engine.plan.pod, engine.host))
        events = self._objects["events"]
        while len(events) > MAX_NOTICES:
            self._remove("events", next(iter(events)))

    def _put_configs(self) -> None:
        engine = self.engine
        if self._asked is not engine.plan.asked:
            self._asked = engine.plan.asked
            self._put_all("configmaps", config_maps(engine))
            self._put_all("secrets", secrets(engine))

    def _put_seen(self) -> None:
        self._put("pods", _pod(self._seen.popleft()))

    def _put_all(self, resource: str, objects: list[Object]) -> None:
        for name in set(self._objects[resource]) - {one["metadata"]["name"] for one in objects}:
            self._remove(resource, name)
        for one in objects:
            self._put(resource, one)

    def _put(self, resource: str, one: Object) -> None:
        name = one["metadata"]["name"]
        if self._plain.get((resource, name)) == one:
            return
        self._plain[resource, name] = one
        version = self._next()
        meta = {**one["metadata"], "resourceVersion": str(version)}
        meta.setdefault("uid", f"{self.engine.plan.pod.metadata.uid}-{resource}-{name}")
        fresh = {**one, "metadata": meta}
        known = self._objects[resource]
        self._note(Change(version, resource, known.pop(name, None), fresh))
        known[name] = fresh  # at the end: of events the first is the one that has not happened for longest

    def _remove(self, resource: str, name: str) -> None:
        version = self._next()
        before = self._objects[resource].pop(name)
        self._plain.pop((resource, name), None)
        self._managers.pop((resource, name), None)
        last = {**before, "metadata": {**before["metadata"], "resourceVersion": str(version)}}
        self._note(Change(version, resource, last, None))

    def _note(self, change: Change) -> None:
        if len(self._history) == HISTORY:
            self._forgotten[self._history[0].resource] = self._history[0].version
        self._history.append(change)
        self._newest[change.resource] = change.version

    def _next(self) -> int:
        self.version += 1
        return self.version


def _pod(moment: Moment) -> Object:
    """The pod as it was then, with what admission would have put in."""
    pod = moment.pod()
    pod["spec"].setdefault("serviceAccountName", "default")
    return pod
