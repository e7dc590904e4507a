"""/openapi/v3: the schema of what is served, for `kubectl explain`, and for apply, which reads there what may be sent.

Made from our own types when it is first asked for; the words are those of `initsup explain`.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import msgspec

from initsup.api.exchange import Answer, Reply, Request, encode, reply
from initsup.api.failure import no_route

_REF = "#/components/schemas/{name}"
_PREFIX = "io.k8s.api.core.v1."
_GVK = "x-kubernetes-group-version-kind"


def answer(words: list[str], request: Request) -> Answer:
    """/openapi/v3 and /openapi/v3/api/v1. Raises Failure."""
    if words == ["v3"]:
        return reply({"paths": {"api/v1": {"serverRelativeURL": f"/openapi/v3/api/v1?hash={_hash()}"}}})
    if words != ["v3", "api", "v1"]:
        raise no_route()
    tag = f'"{_hash()}"'
    if request.header("if-none-match") == tag:
        return Reply(b"", 304, headers=(("ETag", tag),))
    return Reply(document(), headers=(("ETag", tag), ("Vary", "Accept")))


@cache
def _hash() -> str:
    return hashlib.sha256(document()).hexdigest()[:32].upper()


@cache
def document() -> bytes:
    """The OpenAPI document of /api/v1."""
    from initsup import __version__

    tree = {
        "openapi": "3.0.0",
        "info": {"title": "initsup", "version": __version__},
        "paths": _paths(),
        "components": {"schemas": _schemas()},
    }
    return encode(tree)


def _schemas() -> dict[str, Any]:
    from initsup.load.support import table
    from initsup.spec.manifest import ConfigMap, Secret
    from initsup.spec.status import Event, LivePod

    _, found = msgspec.json.schema_components([LivePod, ConfigMap, Secret, Event], ref_template=_REF)
    known = table()
    schemas: dict[str, Any] = {}
    for name, one in found.items():
        support = known.get("Pod" if name == "LivePod" else name, {})
        for field, schema in one.get("properties", {}).items():
            meaning = ""
            if field in support:
                note = support[field]
                meaning = note.meaning
                if note.effect != "same":
                    meaning += f" ({note.effect.capitalize()} here: {note.note}.)"
            one["properties"][field] = _plain(schema, meaning)
        schemas[_name(name)] = _object(one)
    for kind in ("Pod", "ConfigMap", "Secret", "Event"):
        schemas[_PREFIX + kind][_GVK] = [{"group": "", "version": "v1", "kind": kind}]
    return schemas


def _name(name: str) -> str:
    return _PREFIX + ("Pod" if name == "LivePod" else name)


def _object(one: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {"type": "object", "properties": one.get("properties", {})}
    return {"description": one["description"], **tree} if one.get("description") else tree


def _plain(schema: dict[str, Any], meaning: str = "") -> dict[str, Any]:
    """JSON Schema as OpenAPI 3.0 has it: no null, no empty defaults, references only by themselves."""
    parts = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
    if len(parts) == 1:
        schema = parts[0]
    elif parts:
        kinds = {part.get("type") for part in parts}
        schema = {"type": "string", "format": "int-or-string"} if "integer" in kinds else {"type": "object"}
    if "$ref" in schema:
        target = {"$ref": _REF.format(name=_name(schema["$ref"].rpartition("/")[2]))}
        return {"description": meaning, "allOf": [target]} if meaning else target
    tree: dict[str, Any] = {"description": meaning} if meaning else {}
    kind = schema.get("type", "object")
    tree["type"] = next((one for one in kind if one != "null"), "string") if isinstance(kind, list) else kind
    if tree["type"] == "integer":
        tree["format"] = "int64" if schema.get("maximum", 2**63) > 2**31 else "int32"
    if tree["type"] == "array":
        tree["items"] = _plain(schema.get("items") or {"type": "object"})
    if isinstance(schema.get("additionalProperties"), dict):
        tree["additionalProperties"] = _plain(schema["additionalProperties"])
    if schema.get("format") == "int-or-string":
        tree["format"] = "int-or-string"
    return tree


def _paths() -> dict[str, Any]:
    """What kubectl looks for: which kinds can be written, and that fieldValidation is heeded."""
    names = ("dryRun", "fieldManager", "fieldValidation")
    parameters = [{"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}} for name in names]
    gvk = {"group": "", "version": "v1", "kind": "Pod"}
    ref = {"$ref": _REF.format(name=_PREFIX + "Pod")}
    responses = {"200": {"description": "OK", "content": {"application/json": {"schema": ref}}}}

    def operation(action: str, word: str) -> dict[str, Any]:
        return {
            "operationId": f"{word}CoreV1NamespacedPod",
            "parameters": parameters,
            "responses": responses,
            "x-kubernetes-action": action,
            _GVK: gvk,
        }

    base = "/api/v1/namespaces/{namespace}/pods"
    where = [{"name": "namespace", "in": "path", "required": True, "schema": {"type": "string"}}]
    which = [*where, {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
    return {
        base: {"parameters": where, "get": operation("list", "list"), "post": operation("post", "create")},
        f"{base}/{{name}}": {
            "parameters": which,
            "get": operation("get", "read"),
            "put": operation("put", "replace"),
            "patch": operation("patch", "patch"),
            "delete": operation("delete", "delete"),
        },
    }
