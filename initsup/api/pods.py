"""What clients do to the pod: delete, patch, replace, create (pkg/registry/core/pod, pkg/apis/core/validation)."""

from __future__ import annotations

import re
from typing import Any

import anyio
import msgspec

from initsup.api import patch
from initsup.api.body import decoded
from initsup.api.exchange import JSON, Reply, Request, reply
from initsup.api.failure import bad_request, conflict, exists, forbidden, invalid
from initsup.api.negotiate import one_reply
from initsup.api.store import Store
from initsup.core.change import FORBIDDEN, compare
from initsup.core.events import StopAsked
from initsup.load.check import check_pod
from initsup.spec.pod import Pod, PodSpec

Object = dict[str, Any]

DEGRADED = "initsup.dev/degraded"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


async def delete(store: Store, name: str, request: Request) -> Reply:
    """End the pod: its grace or the client's, 0 kills at once. Raises Failure."""
    options = _object(request)
    grace = options.get("gracePeriodSeconds", request.number("gracePeriodSeconds"))
    if grace is not None and (isinstance(grace, bool) or not isinstance(grace, int)):
        raise bad_request("gracePeriodSeconds must be a whole number")
    before = store.get("pods", name)
    assert before is not None
    _check_preconditions(before, options.get("preconditions") or {})
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


def _check_preconditions(pod: Object, wanted: Any) -> None:
    meta = pod["metadata"]
    for field, words in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(field) not in (None, "", meta[field]):
            why = f"Precondition failed: {words} in precondition: {wanted[field]}, in object meta: {meta[field]}"
            raise conflict("pods", meta["name"], why)


def update(store: Store, name: str, request: Request) -> Reply:
    """PATCH and PUT. Raises Failure for what may not change on a pod that runs."""
    before = store.get("pods", name)
    assert before is not None
    return _changed(store, before, result_of(before, request), request)


def result_of(before: Object, request: Request) -> Object:
    """The object that a PUT or a PATCH asks for. Raises Failure."""
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if request.method == "PUT":
        return _object(request)
    return patch.patched(before, kind or JSON, decoded(request, yaml=kind in patch.APPLY))


def create(store: Store, request: Request, namespace: str) -> Reply:
    """POST: the pod that runs is the only one there can be. Raises Failure, always but for its own dry run."""
    wanted = _object(request)
    meta = wanted.get("metadata") or {}
    name = str(meta.get("name") or meta.get("generateName") or "")
    if wanted.get("kind") not in (None, "Pod"):
        raise bad_request(f"Object 'Kind' must be Pod, not {wanted.get('kind')}")
    read_pod(wanted, request)
    if not _NAME.fullmatch(name.rstrip("-") if meta.get("generateName") else name) or len(name) > 253:
        message = f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric ' \
            "characters, '-' or '.', and must start and end with an alphanumeric character"  # fmt: skip
        raise invalid("Pod", name, ("metadata.name", "FieldValueInvalid", message))
    if meta.get("namespace") not in (None, "", namespace):
        raise bad_request("the namespace of the object does not match the namespace of the request")
    if store.get("pods", name) is not None:
        raise exists("pods", name)
    own = store.engine.plan.pod.metadata.name
    raise forbidden("pods", name, f'initsup runs one pod, and that is "{own}"')


def _object(request: Request) -> Object:
    """The body, which must be an object. Raises Failure."""
    found = decoded(request)
    if not isinstance(found, dict) or not isinstance(found.get("metadata") or {}, dict):
        raise bad_request("the body of the request must be an object")
    return found


def evict(store: Store, name: str, request: Request) -> tuple[str, Request]:
    """An Eviction is a delete with its own options. Raises Failure."""
    wanted = _object(request)
    options = wanted.get("deleteOptions") or {}
    if wanted.get("dryRun"):
        options["dryRun"] = wanted["dryRun"]
    return name, msgspec.structs.replace(request, body=msgspec.json.encode(options), headers={"content-type": JSON})


# -- changing -------------------------------------------------------------------------------------------------------


def check_same(before: Object, after: Object) -> None:
    """An object is changed by one who means this one, as it is now. Raises Failure."""
    meta, new = before["metadata"], after.get("metadata")
    name = meta["name"]
    if not isinstance(new, dict) or not isinstance(after.get("spec"), dict):
        raise bad_request("the object must have metadata and a spec")
    for field in ("name", "namespace"):
        if new.get(field) not in (None, "", meta.get(field)):
            raise bad_request(f"the {field} of the object ({new[field]}) does not match the {field} on the URL")
    if new.get("uid") not in (None, "", meta["uid"]):
        raise conflict("pods", name, f"Precondition failed: UID in precondition: {new['uid']}, in object meta: "
                                     f"{meta['uid']}")  # fmt: skip
    if new.get("resourceVersion") not in (None, "", meta["resourceVersion"]):
        why = "the object has been modified; please apply your changes to the latest version and try again"
        raise conflict("pods", name, why)


def _changed(store: Store, before: Object, after: Object, request: Request) -> Reply:
    check_same(before, after)
    name, new = before["metadata"]["name"], after["metadata"]
    labels, annotations = _words(name, new, "labels"), _words(name, new, "annotations")
    annotations.pop(DEGRADED, None)
    engine = store.engine
    meta = msgspec.structs.replace(engine.plan.pod.metadata, labels=labels, annotations=annotations)
    pod = msgspec.structs.replace(engine.plan.pod, metadata=meta, spec=_spec(store, before, after, request))
    asked = msgspec.structs.replace(engine.plan.asked, pod=pod)
    _check_change(name, compare(engine.plan.asked, asked).forbidden)
    if problems := [(one.path, "FieldValueInvalid", one.message) for one in check_pod(asked, runs=True)]:
        raise invalid("Pod", name, *problems)
    if request.first("dryRun"):
        shown = {**before["metadata"], "labels": labels, "annotations": annotations}
        return reply({**before, "metadata": shown, "spec": after["spec"]})
    engine.take_over(asked)
    return one_reply(request, "pods", store.get("pods", name) or after)


def _check_change(name: str, forbidden: tuple[str, ...]) -> None:
    if forbidden:
        told = "\n".join((FORBIDDEN.removeprefix("spec: "), *forbidden))
        raise invalid("Pod", name, ("spec", "FieldValueForbidden", told))


def _spec(store: Store, before: Object, after: Object, request: Request) -> PodSpec:
    """The spec that is asked for. What clients see beyond the file, such as the node's name, is not part of it."""
    own = store.engine.plan.pod.spec
    if _bare(before["spec"]) == _bare(after["spec"]):
        return own
    fresh = read_pod(after, request).spec
    shown = read_pod(before, request).spec
    same = {field: getattr(own, field) for field in own.__struct_fields__
            if getattr(fresh, field) == getattr(shown, field)}  # fmt: skip
    return msgspec.structs.replace(fresh, **same)


def _bare(tree: Any) -> Any:
    """Without what is empty, and so says nothing."""
    if isinstance(tree, dict):
        found = {key: _bare(value) for key, value in tree.items()}
        return {key: value for key, value in found.items() if value not in (None, "", {}, [], 0, False)}
    return [_bare(item) for item in tree] if isinstance(tree, list) else tree


def read_pod(tree: Object, request: Request) -> Pod:
    """Read a pod from JSON. An unknown field is an error when the client asked to be strict. Raises Failure."""
    wanted = msgspec.json.decode(msgspec.json.encode({key: value for key, value in tree.items() if key != "status"}))
    unknown: list[str] = []
    pod: Pod | None = None
    while pod is None:
        try:
            pod = msgspec.convert(wanted, Pod)
        except msgspec.ValidationError as problem:
            path = _unknown(wanted, str(problem))
            if path is None:
                raise bad_request(f'Pod in version "v1" cannot be handled as a Pod: {problem}') from None
            unknown.append(path)
    if unknown and request.first("fieldValidation") == "Strict":
        raise bad_request("strict decoding error: " + ", ".join(f'unknown field "{path}"' for path in unknown))
    return pod


def _unknown(tree: Object, problem: str) -> str | None:
    """Take the unknown field that the problem tells of out of the tree; its path, None when it is another problem."""
    found = re.fullmatch(r"Object contains unknown field `([^`]+)`(?: - at `\$([^`]*)`)?", problem)
    if found is None:
        return None
    at: Any = tree
    steps = re.findall(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]", found[2] or "")
    for name, index in steps:
        if index == "...":
            return None
        at = at[name] if name else at[int(index)]
    del at[found[1]]
    return ".".join(filter(None, (re.sub(r"^\.", "", found[2] or ""), found[1])))


def _words(name: str, meta: Object, field: str) -> dict[str, str]:
    """Labels or annotations. Raises Failure when they are none."""
    found = meta.get(field) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise bad_request(f"metadata.{field} must have words as values")
    for key, value in found.items():
        prefix, _, word = key.rpartition("/")
        if not word or not _LABEL.fullmatch(word) or (prefix and not _NAME.fullmatch(prefix)):
            message = f"Invalid value: \"{key}\": name part must consist of alphanumeric characters, '-', '_' or '.'"
            raise invalid("Pod", name, (f"metadata.{field}", "FieldValueInvalid", message))
        if field == "labels" and not _LABEL.fullmatch(value):
            message = f'Invalid value: "{value}": a valid label must be an empty string or consist of alphanumeric ' \
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character"  # fmt: skip
            raise invalid("Pod", name, ("metadata.labels", "FieldValueInvalid", message))
    return dict(found)
