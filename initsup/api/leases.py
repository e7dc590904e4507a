"""The one lease there is: by it clients see that the node lives (coordination.k8s.io)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from initsup.api.exchange import Answer, Request
from initsup.api.failure import not_allowed, not_found
from initsup.api.negotiate import list_reply, one_reply

if TYPE_CHECKING:
    from initsup.api.cluster import Target
    from initsup.api.store import Store

NAMESPACE = "kube-node-lease"


async def answer(store: Store, target: Target, request: Request) -> Answer:
    """Get or list. Raises Failure."""
    if request.method not in ("GET", "HEAD") or request.flag("watch"):
        raise not_allowed()
    host = store.engine.host
    here = target.namespace in ("", NAMESPACE)
    if target.name:
        if not here or target.name != host:
            raise not_found("leases", target.name)
        return one_reply(request, "leases", _lease(store))
    found = [_lease(store)] if here else []
    return list_reply(request, "leases", found, {"resourceVersion": str(store.version)})


def _lease(store: Store) -> dict[str, Any]:
    engine = store.engine
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": engine.host,
            "namespace": NAMESPACE,
            "uid": f"{engine.plan.pod.metadata.uid}-lease",
            "creationTimestamp": engine.clock(engine.created),
            "resourceVersion": str(store.version),
        },
        "spec": {
            "holderIdentity": engine.host,
            "leaseDurationSeconds": 40,
            "renewTime": engine.clock(engine.now()).replace("Z", ".000000Z"),
        },
    }
