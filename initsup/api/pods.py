"""What clients do to the pod: delete, patch, replace, create (pkg/registry/core/pod, pkg/apis/core/validation)."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec

from initsup.api.body import object_of, part
from initsup.api.changing import asked, check_preconditions, not_valid, read, words
from initsup.api.exchange import INT64, JSON, Reply, Request, reply
from initsup.api.failure import bad_request, exists, forbidden, invalid
from initsup.api.negotiate import one_reply
from initsup.api.store import Store
from initsup.core.change import FORBIDDEN, compare
from initsup.core.events import StopAsked
from initsup.load import names
from initsup.load.check import check_pod
from initsup.load.default import with_defaults
from initsup.spec.pod import Pod, PodSpec

Object = dict[str, Any]

DEGRADED = "initsup.dev/degraded"


async def delete(store: Store, name: str, request: Request) -> Reply:
    """End the pod: its grace or the client's, 0 kills at once. Raises Failure."""
    options = object_of(request)
    grace = options.get("gracePeriodSeconds", request.number("gracePeriodSeconds"))
    if grace is not None and (isinstance(grace, bool) or not isinstance(grace, int) or grace not in INT64):
        raise bad_request("gracePeriodSeconds must be a whole number")
    before = store.get("pods", name)
    assert before is not None
    check_preconditions("pods", before, options)
    if options.get("dryRun") or request.first("dryRun"):
        return one_reply(request, "pods", before)
    engine = store.engine
    kill = grace == 0
    engine.node.post(StopAsked(at=engine.now(), grace=None if grace is None or kill else float(grace), kill=kill,
                               by="delete"))  # fmt: skip
    with anyio.move_on_after(1.0):
        while engine.facts.deleted is None:
            await engine.change()
    return one_reply(request, "pods", store.get("pods", name) or before)


def update(store: Store, name: str, request: Request) -> Reply:
    """PATCH and PUT. Raises Failure for what may not change on a pod that runs."""
    before = store.get("pods", name)
    assert before is not None
    managers = store.managers("pods", name)
    change = asked("pods", before, request, managers)
    result = _changed(store, before, change.after, request)
    if not request.first("dryRun"):
        change.done(managers)
    return result


def create(store: Store, request: Request, namespace: str) -> Reply:
    """POST: the pod that runs is the only one there can be. Raises Failure, always but for its own dry run."""
    wanted = object_of(request)
    meta = part(wanted, "metadata")
    name = str(meta.get("name") or meta.get("generateName") or "")
    if wanted.get("kind") not in (None, "Pod"):
        raise bad_request(f"Object 'Kind' must be Pod, not {wanted.get('kind')}")
    read(Pod, wanted, request)
    for broken in names.subdomain(name if meta.get("name") else name.rstrip("-")):
        raise invalid("Pod", name, ("metadata.name", "FieldValueInvalid", f'Invalid value: "{name}": {broken}'))
    if meta.get("namespace") not in (None, "", namespace):
        raise bad_request("the namespace of the object does not match the namespace of the request")
    if store.get("pods", name) is not None:
        raise exists("pods", name)
    own = store.engine.plan.pod.metadata.name
    raise forbidden("pods", name, f'initsup runs one pod, and that is "{own}"')


def evict(store: Store, name: str, request: Request) -> tuple[str, Request]:
    """An Eviction is a delete with its own options. Raises Failure."""
    wanted = object_of(request)
    if part(wanted, "metadata").get("name") not in (None, "", name):
        raise bad_request("name in URL does not match name in Eviction object")
    options = part(wanted, "deleteOptions")
    if wanted.get("dryRun"):
        options["dryRun"] = wanted["dryRun"]
    return name, msgspec.structs.replace(request, body=msgspec.json.encode(options), headers={"content-type": JSON})


# -- changing -------------------------------------------------------------------------------------------------------


def _changed(store: Store, before: Object, after: Object, request: Request) -> Reply:
    name, new = before["metadata"]["name"], after["metadata"]
    labels, annotations = (words("Pod", name, new, field) for field in ("labels", "annotations"))
    annotations.pop(DEGRADED, None)
    engine = store.engine
    meta = msgspec.structs.replace(engine.plan.pod.metadata, labels=labels, annotations=annotations)
    spec = _spec(store, before, after, request)
    pod = msgspec.structs.replace(engine.plan.pod, metadata=meta, spec=spec)
    manifest = msgspec.structs.replace(engine.plan.asked, pod=pod)
    _check_change(name, compare(engine.plan.asked, manifest).forbidden)
    if problems := check_pod(manifest, runs=True):
        raise not_valid("Pod", name, problems)
    if request.first("dryRun"):
        shown = {**before["metadata"], "labels": labels, "annotations": annotations}
        return reply({**before, "metadata": shown, "spec": after.get("spec", {})})
    engine.take_over(manifest)
    return one_reply(request, "pods", store.get("pods", name) or after)


def _check_change(name: str, forbidden: tuple[str, ...]) -> None:
    if forbidden:
        told = "\n".join((FORBIDDEN.removeprefix("spec: "), *forbidden))
        raise invalid("Pod", name, ("spec", "FieldValueForbidden", told))


def _spec(store: Store, before: Object, after: Object, request: Request) -> PodSpec:
    """The spec that is asked for. What clients see beyond the file, such as the node's name, is not part of it."""
    own = store.engine.plan.pod.spec
    wanted = read(Pod, after, request)  # whatever has changed: what is unknown is told
    if _bare(before["spec"]) == _bare(after.get("spec")):
        return own
    fresh = _complete(wanted, store)
    shown = _complete(read(Pod, before, request), store)
    same = {field: getattr(own, field) for field in own.__struct_fields__
            if getattr(fresh, field) == getattr(shown, field)}  # fmt: skip
    return msgspec.structs.replace(fresh, **same)


def _complete(pod: Pod, store: Store) -> PodSpec:
    """With defaults where nothing is said: a PUT says no more than a file."""
    return with_defaults(msgspec.structs.replace(store.engine.plan.asked, pod=pod)).pod.spec


def _bare(tree: Any) -> Any:
    """Without what is empty, and so says nothing."""
    if isinstance(tree, dict):
        found = {key: _bare(value) for key, value in tree.items()}
        return {key: value for key, value in found.items() if value not in (None, "", {}, [], 0, False)}
    return [_bare(item) for item in tree] if isinstance(tree, list) else tree
