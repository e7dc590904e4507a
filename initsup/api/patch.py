"""The three ways in which clients change an object: merge patch, JSON patch, strategic merge patch.

Sources: RFC 7386, RFC 6902, apimachinery/pkg/util/strategicpatch. Objects that are given are never changed.
"""

from __future__ import annotations

import copy
from typing import Any

import msgspec

from initsup.api.failure import Failure, bad_request
from initsup.spec.units import whole_number

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = ("application/apply-patch+yaml", "application/apply-patch+json")

MERGE_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "resourceClaims": ("name",),
    "ports": ("containerPort", "port"),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
}
"""The lists that are merged by a key of their items (patchMergeKey tags of core/v1); others are replaced."""
MAX_COPIED = 3 * 2**20
"""Bytes that a JSON patch may copy, as many as a body may have."""
_SETS = frozenset(("finalizers",))
"""Lists of plain values that are merged."""


def patched(one: dict[str, Any], kind: str, body: Any) -> dict[str, Any]:
    """The object after a patch of this content type. Raises Failure."""
    if kind == JSON_PATCH:
        return _json_patched(one, body)
    if kind not in (MERGE, STRATEGIC, *APPLY):
        known = f"{JSON_PATCH}, {MERGE}, {STRATEGIC}, {APPLY[0]}"
        raise Failure(415, f"the body of the request was in an unknown format - accepted media types include: {known}")
    if not isinstance(body, dict):
        raise bad_request("a patch must be an object")
    result = merged(one, body) if kind == MERGE else strategic(one, body)
    assert isinstance(result, dict)
    return result


def merged(one: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(one) if isinstance(one, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


# -- strategic ------------------------------------------------------------------------------------------------------


def strategic(one: Any, patch: Any) -> Any:
    """A strategic merge patch of an object. Raises Failure."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"unknown patch type: {directive}")
    result = dict(one) if isinstance(one, dict) else {}
    if isinstance(kept := patch.get("$retainKeys"), list):
        result = {key: value for key, value in result.items() if key in kept}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            if not isinstance(value, list):
                raise bad_request(f"{key} must be a list")
            name = key.partition("/")[2]
            result[name] = [item for item in _list_in(result, name) if item not in value]
        elif key.startswith("$setElementOrder/") or key in ("$patch", "$retainKeys"):
            continue
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, list):
            result[key] = _lists(key, _list_in(result, key), value)
        else:
            result[key] = strategic(result.get(key), value)
    for key, order in patch.items():
        if key.startswith("$setElementOrder/"):
            _order(result, key.partition("/")[2], order)
    return result


def _list_in(tree: dict[str, Any], name: str) -> list[Any]:
    found = tree.get(name)
    return found if isinstance(found, list) else []


def _lists(name: str, old: list[Any], new: list[Any]) -> list[Any]:
    if name in _SETS:
        return old + [item for item in new if item not in old]
    key = merge_key(name, [*old, *new])
    if key is None:
        return copy.deepcopy(new)
    if not all(isinstance(item, dict) for item in new):
        raise bad_request(f"{name} must have objects with the declared merge key: {key}")
    if any(item.get("$patch") == "replace" and key not in item for item in new):
        return [copy.deepcopy(item) for item in new if "$patch" not in item]
    result = list(old)
    places: dict[Any, list[int]] = {}
    for index, other in enumerate(old):
        places.setdefault(_mark_of(other, key), []).append(index)
    gone: set[int] = set()
    for item in new:
        mark = _mark_of(item, key)
        if mark is None:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        found = places.setdefault(mark, [])
        if item.get("$patch") == "delete":
            gone.update(found)
            found.clear()
        elif not found:
            found.append(len(result))
            result.append(strategic({}, item))
        else:
            result[found[0]] = strategic(result[found[0]], item)
    return [other for index, other in enumerate(result) if index not in gone]


def _mark_of(item: Any, key: str | None) -> str | int | None:
    """What tells an item of a list from others; None when nothing does."""
    value = item.get(key) if key and isinstance(item, dict) else item
    return value if isinstance(value, str | int) else None


def merge_key(name: str, items: list[Any]) -> str | None:
    """The field by which the items of a list are told apart; None when the list is one value."""
    keys = MERGE_KEYS.get(name, ())
    return next((key for key in keys if any(isinstance(item, dict) and key in item for item in items)), None)


def _order(result: dict[str, Any], name: str, order: Any) -> None:
    """Items that the client does not know of stay behind the one that they came after."""
    items = result.get(name)
    if not isinstance(items, list) or not isinstance(order, list):
        return
    key = merge_key(name, items)
    wanted = {_mark_of(item, key): index for index, item in reversed(list(enumerate(order)))}
    result[name] = sorted(items, key=lambda item: wanted.get(_mark_of(item, key), len(wanted)))


# -- RFC 6902 -------------------------------------------------------------------------------------------------------


def _json_patched(one: dict[str, Any], operations: Any) -> dict[str, Any]:
    if not isinstance(operations, list) or not all(isinstance(step, dict) for step in operations):
        raise bad_request("a JSON patch must be a list of operations")
    if len(operations) > 10000:
        raise Failure(413, "Request entity too large: the allowed maximum operations in a JSON patch is 10000")
    tree: Any = copy.deepcopy(one)
    copied = 0
    for number, step in enumerate(operations):
        try:
            if step.get("op") == "copy":  # what holds itself doubles each time
                copied += len(msgspec.json.encode(_find(tree, _pointer(step, "from"))))
                if copied > MAX_COPIED:
                    raise Failure(413, f"Request entity too large: the copies of a JSON patch exceed {MAX_COPIED}")
            tree = _step(tree, step)
        except (ValueError, RecursionError) as problem:
            message = f"the server rejected our request due to an error in our request: operation {number}: {problem}"
            raise Failure(422, message, "Invalid") from None
    if not isinstance(tree, dict):
        raise bad_request("a JSON patch must leave an object")
    return tree


def _step(tree: Any, step: dict[str, Any]) -> Any:
    """The tree after one operation. Raises ValueError."""
    kind, path = _given(step, "op"), _pointer(step, "path")
    if kind in ("add", "replace"):
        return _set(tree, path, copy.deepcopy(_given(step, "value")), insert=kind == "add")
    if kind == "remove":
        return _unset(tree, path)
    if kind == "test":
        if _find(tree, path) != _given(step, "value"):
            raise ValueError(f"testing value {step['path']} failed")
        return tree
    if kind in ("move", "copy"):
        source = _pointer(step, "from")
        value = _find(tree, source)
        if kind == "move":
            return _set(_unset(tree, source), path, value, insert=True)
        return _set(tree, path, copy.deepcopy(value), insert=True)
    raise ValueError(f"unknown operation {kind}")


def _given(step: dict[str, Any], field: str) -> Any:
    if field not in step:
        raise ValueError(f"{field} is missing")
    return step[field]


def _pointer(step: dict[str, Any], field: str) -> list[str]:
    text = _given(step, field)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise ValueError(f"{field} must begin with a slash")
    return [word.replace("~1", "/").replace("~0", "~") for word in text.split("/")[1:]]


def _find(tree: Any, path: list[str]) -> Any:
    for word in path:
        tree = tree[_at(tree, word)]
    return tree


def _at(parent: Any, word: str) -> Any:
    """Where this is in an object or a list. Raises ValueError when it is not."""
    if isinstance(parent, list) and (index := whole_number(word)) is not None and index < len(parent):
        return index
    if isinstance(parent, dict) and word in parent:
        return word
    raise ValueError(f"there is no {word}")


def _set(tree: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    parent, last = _find(tree, path[:-1]), path[-1]
    if isinstance(parent, list) and insert and last in ("-", str(len(parent))):
        parent.append(value)
    elif isinstance(parent, list) and insert:
        parent.insert(_at(parent, last), value)
    elif isinstance(parent, dict) and insert:
        parent[last] = value
    else:
        parent[_at(parent, last)] = value
    return tree


def _unset(tree: Any, path: list[str]) -> Any:
    if not path:
        raise ValueError("the whole cannot be removed")
    parent = _find(tree, path[:-1])
    del parent[_at(parent, path[-1])]
    return tree
