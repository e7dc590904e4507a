"""The Kubernetes API for one pod: request in, answer out. Knows no transport; the paths are the API server's."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from initsup.api import catalog, channels
from initsup.api.exchange import Answer, Request, Stream, Upgrade, Wire, reply
from initsup.api.failure import bad_request, no_route, not_allowed, not_found
from initsup.api.guard import wants_page
from initsup.api.listing import listed
from initsup.api.negotiate import list_reply, one_reply
from initsup.api.selectors import Selection
from initsup.api.store import Store
from initsup.api.watching import Watch
from initsup.engine import Engine

if TYPE_CHECKING:
    from initsup.api.dashboard import Dashboard

LATELY = 5.0
"""Seconds after a request in which its client may come again."""


class Target(msgspec.Struct, frozen=True):
    """What a path names."""

    group: str
    version: str
    namespace: str
    resource: str
    name: str
    sub: str


class Cluster:
    """One pod, and what a client would expect around it."""

    def __init__(self, engine: Engine, state_dir: str) -> None:
        self.store = Store(engine)
        self._engine = engine
        self._state_dir = state_dir
        self._asked_at = 0.0

    def was_asked_lately(self) -> bool:
        """Whether a client may be about to ask again."""
        return time.monotonic() - self._asked_at < LATELY

    async def answer(self, request: Request) -> Answer:
        """Answer one request. Raises Failure when it cannot be met."""
        self._asked_at = time.monotonic()
        words = [word for word in request.path.split("/") if word]
        if words[:1] == ["api"] and words[1:2] in ([], ["v1"]):
            return await self._group("", words[1:], request)
        if words[:1] == ["apis"]:
            return await self._groups(words[1:], request)
        if words[:1] == ["dashboard"]:
            return await self._dashboard.answer(words[1:], request)
        return await self._other(words, request)

    @cached_property
    def _dashboard(self) -> Dashboard:
        from initsup.api.dashboard import Dashboard

        return Dashboard(self.store, self._state_dir)

    # -- beside the resources ---------------------------------------------------------------------------------------

    async def _other(self, words: list[str], request: Request) -> Answer:
        route = _OTHERS.get(words[0] if words else "")
        if route is None:
            raise no_route()
        if request.method not in ("GET", "HEAD"):
            raise not_allowed()
        return await route(self, words[1:], request)

    async def _version(self, words: list[str], request: Request) -> Answer:
        if words:
            raise no_route()
        return catalog.version()

    async def _openapi(self, words: list[str], request: Request) -> Answer:
        from initsup.api.openapi import answer

        return answer(words, request)

    async def _metrics(self, words: list[str], request: Request) -> Answer:
        from initsup.api.metrics import answer

        return await answer(self._engine, self._state_dir, request)

    async def _health(self, words: list[str], request: Request) -> Answer:
        from initsup.api.health import answer

        return answer(self._engine, request)

    async def _page(self, words: list[str], request: Request) -> Answer:
        if wants_page(request.path, request.headers):
            from initsup.api.dashboard import page

            return page()
        paths = sorted({"/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v3", "/readyz",
                        "/version", *(f"/apis/{group}" for group, _ in catalog.RESOURCES if group)})  # fmt: skip
        return reply({"paths": paths})

    # -- discovery --------------------------------------------------------------------------------------------------

    async def _groups(self, words: list[str], request: Request) -> Answer:
        if not words:
            _only_get(request)
            return catalog.groups(request)
        if len(words) == 1:
            _only_get(request)
            return catalog.group(words[0])
        return await self._group(words[0], words[1:], request)

    async def _group(self, group: str, words: list[str], request: Request) -> Answer:
        if not words:
            _only_get(request)
            return catalog.core(request)
        version, *rest = words
        if not rest:
            _only_get(request)
            return catalog.resources(group, version)
        if (group, version) not in catalog.RESOURCES:
            raise no_route()
        return await self._resource(_target(group, version, rest), request)

    # -- resources --------------------------------------------------------------------------------------------------

    async def _resource(self, target: Target, request: Request) -> Answer:
        special = _SPECIAL.get(target.group)
        if special is not None:
            from importlib import import_module

            module, _, name = special.partition(":")
            route: Callable[..., Awaitable[Answer]] = getattr(import_module(module), name)
            return await route(self.store, target, request)
        if request.method not in ("GET", "HEAD"):
            from initsup.api.changing import check_options

            check_options(request)
        if target.sub:
            return await self._sub(target, request)
        if request.method in ("GET", "HEAD"):
            return self._read(target, request)
        if target.resource in ("configmaps", "secrets"):
            return self._configure(target, request)
        if target.resource != "pods":
            raise not_allowed()
        return await self._write(target, request)

    def _read(self, target: Target, request: Request) -> Answer:
        store, resource = self.store, target.resource
        if target.name and not request.flag("watch"):
            return one_reply(request, resource, self._found(target))
        selection = Selection(
            resource,
            request.first("labelSelector"),
            request.first("fieldSelector"),
            target.namespace,
            target.name,
        )
        if request.flag("watch"):
            return Stream(Watch(store, resource, selection, request).lines())
        found = listed(store, resource, selection, request)
        return list_reply(request, resource, found.objects, found.meta)

    def _configure(self, target: Target, request: Request) -> Answer:
        from initsup.api import configs

        if request.method == "POST" and target.namespace and not target.name:
            return configs.create(self.store, target.resource, target.namespace, request)
        if not target.name or request.method not in ("DELETE", "PATCH", "PUT"):
            raise not_allowed()
        if (new := self._creation(target, request)) is not None:
            return configs.create(self.store, target.resource, target.namespace, new, applied=True)
        self._found(target)
        if request.method == "DELETE":
            return configs.delete(self.store, target.resource, target.name, request)
        return configs.update(self.store, target.resource, target.name, request)

    async def _write(self, target: Target, request: Request) -> Answer:
        from initsup.api import pods

        if request.method == "POST" and not target.name:
            return pods.create(self.store, request, target.namespace)
        if request.method == "DELETE" and not target.name:
            return await self._delete_all(target, request)
        if not target.name or request.method not in ("DELETE", "PATCH", "PUT"):
            raise not_allowed()
        if (new := self._creation(target, request)) is not None:
            return pods.create(self.store, new, target.namespace)
        self._found(target)
        if request.method == "DELETE":
            return await pods.delete(self.store, target.name, request)
        return pods.update(self.store, target.name, request)

    async def _delete_all(self, target: Target, request: Request) -> Answer:
        from initsup.api import pods

        labels, fields = request.first("labelSelector"), request.first("fieldSelector")
        selection = Selection("pods", labels, fields, target.namespace)
        found = [one for one in self.store.all("pods") if selection(one)]
        for one in found:
            await pods.delete(self.store, one["metadata"]["name"], request)
        return list_reply(request, "pods", found, {"resourceVersion": str(self.store.version)})

    async def _sub(self, target: Target, request: Request) -> Answer:
        found = catalog.find("", target.resource)
        if found is None or target.sub not in {sub.name for sub in found.subs}:
            raise no_route()
        self._found(target)
        route = _SUBS[target.sub]
        return await route(self, target, request)

    def _creation(self, target: Target, request: Request) -> Request | None:
        """What to do instead of an apply when there is no such object."""
        from initsup.api.changing import applies, creation

        if not applies(request) or self._known(target) is not None:
            return None
        return creation(target.name, request)

    def _known(self, target: Target) -> dict[str, Any] | None:
        found = self.store.get(target.resource, target.name)
        if found is None or (target.namespace and found["metadata"].get("namespace") != target.namespace):
            return None
        return found

    def _found(self, target: Target) -> dict[str, Any]:
        found = self._known(target)
        if found is None:
            raise not_found(target.resource, target.name)
        return found

    # -- subresources of the pod ------------------------------------------------------------------------------------

    async def _log(self, target: Target, request: Request) -> Answer:
        from initsup.api import podlog

        _only_get(request)
        return await podlog.answer(self.store, self._state_dir, request)

    async def _status(self, target: Target, request: Request) -> Answer:
        _only_get(request)
        return one_reply(request, "pods", self._found(target))

    async def _exec(self, target: Target, request: Request) -> Answer:
        from initsup.api import remote

        _only_streams(request)
        asked = remote.wanted(self._engine, request, command=True)
        return self._staying(
            channels.upgrade(request, asked, lambda session: remote.run_command(self._engine, asked, session))
        )

    async def _attach(self, target: Target, request: Request) -> Answer:
        from initsup.api import remote

        _only_streams(request)
        asked = remote.wanted(self._engine, request, command=False)
        return self._staying(
            channels.upgrade(request, asked, lambda session: remote.attach(self._engine, asked, session))
        )

    def _staying(self, session: Upgrade) -> Upgrade:
        """A session that ends with its container, and of which the client is to hear how."""

        async def talk(wire: Wire) -> None:
            with self.store.staying():
                await session.talk(wire)

        return msgspec.structs.replace(session, talk=talk)

    async def _forward(self, target: Target, request: Request) -> Answer:
        from initsup.api import forward

        _only_streams(request)
        return forward.upgrade(request)

    async def _evict(self, target: Target, request: Request) -> Answer:
        from initsup.api import pods

        if request.method != "POST":
            raise not_allowed()
        await pods.delete(self.store, *pods.evict(self.store, target.name, request))
        return reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)

    async def _debug(self, target: Target, request: Request) -> Answer:
        if request.method in ("GET", "HEAD"):
            return one_reply(request, "pods", self._found(target))
        if request.method not in ("PATCH", "PUT"):
            raise not_allowed()
        from initsup.api import ephemeral

        return ephemeral.update(self.store, target.name, request)


_SubRoute = Callable[[Cluster, Target, Request], Awaitable[Answer]]
_SUBS: dict[str, _SubRoute] = {
    "log": Cluster._log,
    "status": Cluster._status,
    "exec": Cluster._exec,
    "attach": Cluster._attach,
    "portforward": Cluster._forward,
    "eviction": Cluster._evict,
    "ephemeralcontainers": Cluster._debug,
}
_OTHERS: dict[str, Callable[[Cluster, list[str], Request], Awaitable[Answer]]] = {
    "": Cluster._page,
    "version": Cluster._version,
    "openapi": Cluster._openapi,
    "metrics": Cluster._metrics,
    "healthz": Cluster._health,
    "livez": Cluster._health,
    "readyz": Cluster._health,
}
_SPECIAL = {
    "authentication.k8s.io": "initsup.api.access:answer",
    "authorization.k8s.io": "initsup.api.access:answer",
    "coordination.k8s.io": "initsup.api.leases:answer",
    "events.k8s.io": "initsup.api.new_events:answer",
    "metrics.k8s.io": "initsup.api.usage:answer",
}
"""Groups that have a module of their own."""


def _target(group: str, version: str, words: list[str]) -> Target:
    """What the words after the version name. Raises Failure."""
    scope = ""
    if words[0] == "namespaces" and len(words) > 2:
        scope, words = words[1], words[2:]
    if len(words) > 3:
        raise no_route()
    resource, name, sub = [*words, "", ""][:3]
    found = catalog.find(group, resource)
    if found is None or (scope and not found.namespaced) or (name and found.namespaced and not scope):
        raise no_route()
    return Target(group, version, scope, resource, name, sub)


def _only_get(request: Request) -> None:
    if request.method not in ("GET", "HEAD"):
        raise not_allowed()


def _only_streams(request: Request) -> None:
    if request.method not in ("GET", "POST"):
        raise not_allowed()
    if not request.header("upgrade"):
        raise bad_request("Upgrade request required")
