"""The types of what is served, as OpenAPI 3.0 has them."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from initsup.api.catalog import RESOURCES
from initsup.api.patch import MERGE_KEYS

REF = "#/components/schemas/{name}"
GVK = "x-kubernetes-group-version-kind"
_CORE = "io.k8s.api.core.v1."


def name_of(group: str, version: str, kind: str) -> str:
    """The name of a kind's schema."""
    return f"io.k8s.api.{group.partition('.')[0] or 'core'}.{version}.{kind}"


def ref(name: str) -> dict[str, str]:
    """A reference to a schema."""
    return {"$ref": REF.format(name=name)}


@cache
def schemas() -> dict[str, Any]:
    """Name → schema; what we have no type of is an object of which no more is said."""
    found = _of_types()
    found["Status"] = _open("What a request that cannot be met is answered with.", "", "v1", "Status")
    found["Patch"] = {"description": "A patch, in the form that the content type tells.", "type": "object"}
    for (group, version), resources in RESOURCES.items():
        for one in resources:
            name = name_of(group, version, one.kind)
            plain = found.setdefault(name, _open(f"A {one.kind}.", group, version, one.kind))
            plain.setdefault(GVK, [{"group": group, "version": version, "kind": one.kind}])
            if "list" in one.verbs:
                found[f"{name}List"] = _list_of(name, group, version, one.kind)
            for sub in one.subs:
                kind = name_of(sub.group, sub.version, sub.kind)
                found.setdefault(kind, _open(f"A {sub.kind}.", sub.group, sub.version, sub.kind))
    return found


def _of_types() -> dict[str, Any]:
    from initsup.load.support import table
    from initsup.spec.manifest import ConfigMap, Secret
    from initsup.spec.status import Event, LivePod

    _, components = msgspec.json.schema_components([LivePod, ConfigMap, Secret, Event], ref_template=REF)
    known = table()
    schemas: dict[str, Any] = {}
    for name, one in components.items():
        support = known.get("Pod" if name == "LivePod" else name, {})
        for field, schema in one.get("properties", {}).items():
            meaning = ""
            if field in support:
                note = support[field]
                meaning = note.meaning
                if note.effect != "same":
                    meaning += f" ({note.effect.capitalize()} here: {note.note}.)"
            one["properties"][field] = {**_plain(schema, meaning), **_merged_by(field, schema)}
        schemas[_name(name)] = _object(one)
    return schemas


def _merged_by(field: str, schema: dict[str, Any]) -> dict[str, str]:
    """How clients are to change a list: without this they send all of it again."""
    if field not in MERGE_KEYS or schema.get("type") != "array" or schema.get("items", {}).get("type") == "string":
        return {}
    strategy = "merge,retainKeys" if field == "volumes" else "merge"
    return {"x-kubernetes-patch-merge-key": MERGE_KEYS[field][0], "x-kubernetes-patch-strategy": strategy}


def _name(name: str) -> str:
    return _CORE + ("Pod" if name == "LivePod" else name)


def _open(text: str, group: str, version: str, kind: str) -> dict[str, Any]:
    anything = {"type": "object"}
    fields = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": ref(f"{_CORE}ObjectMeta")}
    return {
        "description": text,
        "type": "object",
        "properties": {**fields, "spec": anything, "status": anything},
        GVK: [{"group": group, "version": version, "kind": kind}],
    }


def _list_of(name: str, group: str, version: str, kind: str) -> dict[str, Any]:
    fields = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    return {
        "description": f"Several of {kind}.",
        "type": "object",
        "properties": {**fields, "items": {"type": "array", "items": ref(name)}},
        "required": ["items"],
        GVK: [{"group": group, "version": version, "kind": f"{kind}List"}],
    }


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
        target = ref(_name(schema["$ref"].rpartition("/")[2]))
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
