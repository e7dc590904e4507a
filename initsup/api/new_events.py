"""The pod's events in the form of events.k8s.io/v1, which some clients prefer to that of core/v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from initsup.api.exchange import Answer, Request, Stream, reply
from initsup.api.failure import not_allowed, not_found
from initsup.api.listing import listed
from initsup.api.negotiate import Form, form
from initsup.api.selectors import Selection
from initsup.api.watching import Watch

if TYPE_CHECKING:
    from initsup.api.cluster import Target
    from initsup.api.store import Store

_RENAMED = {
    "involvedObject": "regarding",
    "message": "note",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "source": "deprecatedSource",
    "reportingComponent": "reportingController",
}


class _NewForm(Form):
    """Gives whole objects in the new form; tables are the same in both."""

    def list(self, resource: str, objects: list[dict[str, Any]], meta: dict[str, Any]) -> dict[str, Any]:
        tree = super().list(resource, objects, meta)
        if self.shape == "object":
            items = [renamed(one) for one in objects]
            tree |= {"apiVersion": "events.k8s.io/v1", "items": items}
        return tree

    def one(self, resource: str, found: dict[str, Any]) -> dict[str, Any]:
        tree = super().one(resource, found)
        return renamed(found) if self.shape == "object" else tree


async def answer(store: Store, target: Target, request: Request) -> Answer:
    """Get, list or watch. Raises Failure."""
    if request.method not in ("GET", "HEAD"):
        raise not_allowed()
    wanted = form(request)
    shown = _NewForm(wanted.shape, wanted.include)
    if target.name and not request.flag("watch"):
        found = store.get("events", target.name)
        if found is None or found["metadata"].get("namespace") != target.namespace:
            raise not_found("events.events.k8s.io", target.name)
        return reply(shown.one("events", found))
    fields = request.first("fieldSelector").replace("regarding.", "involvedObject.")
    selection = Selection("events", request.first("labelSelector"), fields, target.namespace, target.name)
    if request.flag("watch"):
        return Stream(Watch(store, "events", selection, request, shown).lines())
    found_all = listed(store, "events", selection, request)
    return reply(shown.list("events", found_all.objects, found_all.meta))


def renamed(event: dict[str, Any]) -> dict[str, Any]:
    """A core/v1 Event as an events.k8s.io/v1 one."""
    tree = {_RENAMED.get(key, key): value for key, value in event.items()}
    tree |= {"apiVersion": "events.k8s.io/v1", "action": event.get("action") or event.get("reason")}
    if first := event.get("firstTimestamp"):  # clients insist on a time, where the API server has none
        tree["eventTime"] = event.get("eventTime") or first.replace("Z", ".000000Z")
    return tree
