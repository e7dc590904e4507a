"""The paths of what is served, from the catalog, as OpenAPI 3.0 has them."""

from __future__ import annotations

from typing import Any

from initsup.api.catalog import RESOURCES, Resource, Sub
from initsup.api.openapi_schemas import GVK, name_of, ref

_TEXT, _NUMBER, _TRUTH = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_LIST: dict[str, Any] = {
    "labelSelector": _TEXT,
    "fieldSelector": _TEXT,
    "limit": _NUMBER,
    "resourceVersion": _TEXT,
    "resourceVersionMatch": _TEXT,
    "timeoutSeconds": _NUMBER,
    "watch": _TRUTH,
    "allowWatchBookmarks": _TRUTH,
    "sendInitialEvents": _TRUTH,
}
_STREAMS = {"container": _TEXT, "stdin": _TRUTH, "stdout": _TRUTH, "stderr": _TRUTH, "tty": _TRUTH}
_WRITE: dict[str, Any] = {"dryRun": _TEXT, "fieldManager": _TEXT, "fieldValidation": _TEXT}
_DELETE: dict[str, Any] = {"dryRun": _TEXT, "gracePeriodSeconds": _NUMBER, "propagationPolicy": _TEXT}
_SUBS: dict[str, dict[str, Any]] = {
    "attach": _STREAMS,
    "exec": {**_STREAMS, "command": _TEXT},
    "portforward": {"ports": _NUMBER},
    "log": {
        "container": _TEXT,
        "follow": _TRUTH,
        "previous": _TRUTH,
        "timestamps": _TRUTH,
        "sinceSeconds": _NUMBER,
        "sinceTime": _TEXT,
        "tailLines": _NUMBER,
        "limitBytes": _NUMBER,
        "stream": _TEXT,
    },
}
"""What the GET of a subresource takes."""
_METHODS = {"get": "get", "list": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete"}
_ACTIONS = {"create": "post", "update": "put"}
_PATCHES = ("merge-patch+json", "strategic-merge-patch+json", "json-patch+json", "apply-patch+yaml")


def paths(group: str, version: str) -> dict[str, Any]:
    """Path → its operations, of one group in one version."""
    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
    found: dict[str, Any] = {}
    for one in RESOURCES[group, version]:
        spaces = [f"{base}/namespaces/{{namespace}}", *([base] if "list" in one.verbs else [])]
        for place in spaces if one.namespaced else [base]:
            if verbs := {"list", "create"} & set(one.verbs) if place is spaces[0] or not one.namespaced else {"list"}:
                found[f"{place}/{one.name}"] = _item(place, group, version, one, sorted(verbs))
        place = f"{spaces[0] if one.namespaced else base}/{one.name}/{{name}}"
        if verbs := {"get", "update", "patch", "delete"} & set(one.verbs):
            found[place] = _item(place, group, version, one, sorted(verbs))
        for sub in one.subs:
            found[f"{place}/{sub.name}"] = _item(f"{place}/{sub.name}", group, version, one, sub.verbs, sub)
    return found


def beside() -> dict[str, Any]:
    """The paths that belong to no group."""
    names = ("/version", "/api", "/apis", "/healthz", "/livez", "/readyz", "/metrics")
    return {name: {"get": {"operationId": f"get{name[1:].capitalize()}", "responses": _responses()}} for name in names}


def _item(
    place: str, group: str, version: str, one: Resource, verbs: list[str] | tuple[str, ...], sub: Sub | None = None
) -> dict[str, Any]:
    """What can be done at one path."""
    named = [word[1:-1] for word in place.split("/") if word.startswith("{")]
    item: dict[str, Any] = {"parameters": [_parameter(name, _TEXT, "path") for name in named]}
    for verb in verbs:
        item[_METHODS[verb]] = _operation(place, group, version, one, verb, sub)
    return item


def _operation(place: str, group: str, version: str, one: Resource, verb: str, sub: Sub | None) -> dict[str, Any]:
    kind = (sub.group, sub.version, sub.kind) if sub is not None else (group, version, one.kind)
    query = {"list": _LIST, "delete": _DELETE}.get(verb, {} if verb == "get" else _WRITE)
    if sub is not None and verb in ("get", "create") and sub.name in _SUBS:
        query = _SUBS[sub.name]
    scope = "Namespaced" if "{namespace}" in place else "All" if one.namespaced else ""
    found: dict[str, Any] = {
        "operationId": f"{verb}{(group.partition('.')[0] or 'core').capitalize()}{version.capitalize()}{scope}"
        f"{one.kind}{sub.name.capitalize() if sub is not None else ''}",
        "parameters": [_parameter(name, schema, "query") for name, schema in query.items()],
        "responses": _responses(name_of(*kind) + ("List" if verb == "list" else "")),
        "x-kubernetes-action": _ACTIONS.get(verb, verb),
        GVK: dict(zip(("group", "version", "kind"), kind, strict=True)),
    }
    if verb in ("create", "update") and (sub is None or sub.name not in _SUBS):
        found["requestBody"] = {"content": {"application/json": {"schema": ref(name_of(*kind))}}, "required": True}
    elif verb == "patch":
        content = {f"application/{form}": {"schema": ref("Patch")} for form in _PATCHES}
        found["requestBody"] = {"content": content, "required": True}
    return found


def _parameter(name: str, schema: dict[str, Any], place: str) -> dict[str, Any]:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "schema": schema, **required}


def _responses(name: str = "") -> dict[str, Any]:
    content = {"content": {"application/json": {"schema": ref(name)}}} if name else {}
    return {
        "200": {"description": "OK", **content},
        "default": {"description": "It cannot be.", "content": {"application/json": {"schema": ref("Status")}}},
    }
