"""Ephemeral containers: added to a pod that runs, to look into it (KEP-277, pkg/registry/core/pod/storage)."""

from __future__ import annotations

from typing import Any

from initsup.api.exchange import Reply, Request
from initsup.api.failure import invalid
from initsup.api.negotiate import one_reply
from initsup.api.pods import check_same, read_pod, result_of
from initsup.api.store import Store
from initsup.load.check_ephemeral import added

Object = dict[str, Any]


def update(store: Store, name: str, request: Request) -> Reply:
    """PATCH and PUT of the subresource: only the list of ephemeral containers counts. Raises Failure."""
    before = store.get("pods", name)
    assert before is not None
    after = result_of(before, request)
    check_same(before, after)
    spec = {**before["spec"], "ephemeralContainers": after["spec"].get("ephemeralContainers") or []}
    containers = read_pod({**before, "spec": spec}, request).spec.ephemeral_containers
    new, problems = added(store.engine.plan.asked, containers)
    if problems:
        raise invalid("Pod", name, *((one.path, "FieldValueInvalid", one.message) for one in problems))
    if request.first("dryRun"):
        return one_reply(request, "pods", {**before, "spec": spec})
    if new:
        store.engine.add(*new)
    return one_reply(request, "pods", store.get("pods", name) or before)
