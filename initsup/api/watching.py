"""Watches: what is there, and then each change, a line of JSON each (apiserver/pkg/endpoints/handlers/watch.go).

A client that reads slowly holds only its place in the store's history; when that has gone by, it is told to begin
anew (410).
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

import anyio

from initsup.api.exchange import Request, encode
from initsup.api.failure import Failure
from initsup.api.listing import check_options
from initsup.api.negotiate import KINDS, Form, form
from initsup.api.selectors import Selection
from initsup.api.store import Change, Store


class Watch:
    """One client's watch of a resource. Raises Failure when the request makes no sense."""

    def __init__(self, store: Store, resource: str, selection: Selection, request: Request,
                 shown: Form | None = None) -> None:  # fmt: skip
        self._store = store
        self._resource = resource
        self._selection = selection
        self._form = shown or form(request)
        self._first = True
        check_options(request)
        self._timeout = request.number("timeoutSeconds") or None
        store.refresh()
        self._bookmarks = request.flag("allowWatchBookmarks")
        self._initial = request.flag("sendInitialEvents")
        version = request.number("resourceVersion") or 0
        store.check(version)
        self._replay = self._initial if "sendInitialEvents" in request.query else not version
        self._version = store.version if self._replay or not version else version

    async def lines(self) -> AsyncIterator[bytes]:
        """The lines, until the client has had enough, its time is up, or the pod is gone."""
        deadline = math.inf if self._timeout is None else anyio.current_time() + self._timeout
        with self._store.watching(self._is_behind) as seat:
            if self._replay:
                async with self._store.turn:
                    begin = self._beginning()
                if begin:
                    yield begin
            else:
                self._store.refresh()  # what has happened since we were asked was nobody's business
            while True:
                if self._is_behind():
                    try:
                        news = self._news()
                    except Failure as problem:
                        yield _line("ERROR", problem.status())
                        return
                    if news:
                        yield news
                elif self._store.closed:
                    return
                else:
                    with anyio.CancelScope(deadline=deadline) as patience:
                        await seat.news()
                    if patience.cancelled_caught:
                        if self._bookmarks:
                            yield self._bookmark()
                        return

    def _is_behind(self) -> bool:
        return self._store.is_news(self._resource, self._version)

    def _beginning(self) -> bytes:
        """What is there now; at the end a bookmark, if that was asked for."""
        found = [one for one in self._store.all(self._resource) if self._selection(one)]
        self._version = self._store.version
        lines = [self._event("ADDED", one) for one in found]
        if self._initial and self._bookmarks:
            lines.append(self._bookmark({"k8s.io/initial-events-end": "true"}))
        return b"".join(lines)

    def _bookmark(self, annotations: dict[str, str] | None = None) -> bytes:
        """From where a later watch may go on."""
        meta: dict[str, Any] = {"resourceVersion": str(self._version), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        kind = KINDS.get(self._resource, "")
        mark: dict[str, Any] = {"kind": kind, "apiVersion": "v1", "metadata": meta}
        return _line("BOOKMARK", mark if self._form.shape == "table" else self._form.one(self._resource, mark))

    def _news(self) -> bytes:
        changes = self._store.since(self._resource, self._version)
        self._version = changes[-1].version
        return b"".join(map(self._told, changes))

    def _told(self, change: Change) -> bytes:
        kind = change.kind(self._selection(change.before), self._selection(change.after))
        if not kind:
            return b""
        one = change.after or change.before
        assert one is not None
        key = (kind, type(self._form), self._form.shape, self._form.include, self._first)
        if key not in change.shown:
            change.shown = {**change.shown, key: self._event(kind, one)}
        self._first = False
        return change.shown[key]

    def _event(self, kind: str, one: dict[str, Any]) -> bytes:
        line = _line(kind, self._form.event(self._resource, one, self._first))
        self._first = False
        return line


def _line(kind: str, one: dict[str, Any]) -> bytes:
    return encode({"type": kind, "object": one}) + b"\n"
