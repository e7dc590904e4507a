"""Ephemeral containers: added to a pod that runs, to look into it (KEP-277, pkg/registry/core/pod/storage)."""

from __future__ import annotations

from typing import Any

from initsup.api.changing import asked, not_valid, read
from initsup.api.exchange import Reply, Request
from initsup.api.negotiate import one_reply
from initsup.api.store import Store
from initsup.load.check_ephemeral import added
from initsup.spec.pod import Pod

Object = dict[str, Any]


def update(store: Store, name: str, request: Request) -> Reply:
    """PATCH and PUT of the subresource: only the list of ephemeral containers counts. Raises Failure."""
    before = store.get("pods", name)
    assert before is not None
    after = asked("pods", before, request, store.managers("pods", name)).after
    spec = {**before["spec"], "ephemeralContainers": (after.get("spec") or {}).get("ephemeralContainers") or []}
    containers = read(Pod, {**before, "spec": spec}, request).spec.ephemeral_containers
    new, problems = added(store.engine.plan.asked, containers)
    if problems:
        raise not_valid("Pod", name, problems)
    if request.first("dryRun"):
        return one_reply(request, "pods", {**before, "spec": spec})
    if new:
        store.engine.add(*new)
    return one_reply(request, "pods", store.get("pods", name) or before)
