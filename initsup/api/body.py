"""Request bodies: JSON, YAML, and the protobuf that kubectl sends since 1.32.

Of protobuf only the fields are read that a route here looks at (k8s.io/api/*/generated.proto have the numbers).
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from initsup.api.exchange import Request
from initsup.api.failure import Failure, bad_request
from initsup.errors import InvalidManifest
from initsup.load import yaml_form
from initsup.load.yaml_form import MOST_DEPTH

YAML = ("application/yaml", "application/apply-patch+yaml")
PROTOBUF = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"

_Fields = dict[int, tuple[str, Any]]
_META: _Fields = {
    1: ("name", str),
    2: ("generateName", str),
    3: ("namespace", str),
    5: ("uid", str),
    6: ("resourceVersion", str),
    11: ("labels", (str,)),
    12: ("annotations", (str,)),
}
_PRECONDITIONS: _Fields = {1: ("uid", str), 2: ("resourceVersion", str)}
_DELETE: _Fields = {
    1: ("gracePeriodSeconds", int),
    2: ("preconditions", _PRECONDITIONS),
    3: ("orphanDependents", bool),
    4: ("propagationPolicy", str),
    5: ("dryRun", [str]),
}
_ACCESS: _Fields = {
    1: ("namespace", str),
    2: ("verb", str),
    3: ("group", str),
    4: ("version", str),
    5: ("resource", str),
    6: ("subresource", str),
    7: ("name", str),
}
_PATH: _Fields = {1: ("path", str), 2: ("verb", str)}
_REVIEW: _Fields = {1: ("resourceAttributes", _ACCESS), 2: ("nonResourceAttributes", _PATH)}
_KINDS: dict[str, _Fields] = {
    "ConfigMap": {
        1: ("metadata", _META),
        2: ("data", (str,)),
        3: ("binaryData", (bytes,)),
        4: ("immutable", bool),
    },
    "Secret": {
        1: ("metadata", _META),
        2: ("data", (bytes,)),
        3: ("type", str),
        4: ("stringData", (str,)),
        5: ("immutable", bool),
    },
    "DeleteOptions": _DELETE,
    "Eviction": {1: ("metadata", _META), 2: ("deleteOptions", _DELETE)},
    "SelfSubjectAccessReview": {1: ("metadata", _META), 2: ("spec", _REVIEW)},
    "SelfSubjectRulesReview": {1: ("metadata", _META), 2: ("spec", {1: ("namespace", str)})},
    "SelfSubjectReview": {1: ("metadata", _META)},
}
_ANY: _Fields = {1: ("metadata", _META)}
_ENVELOPE: _Fields = {1: ("typeMeta", {1: ("apiVersion", str), 2: ("kind", str)}), 2: ("raw", bytes)}


def decoded(request: Request) -> Any:
    """The body as builtins; {} when there is none. Raises Failure."""
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if not request.body:
        return {}
    if kind == PROTOBUF:
        return _protobuf(request.body)
    if kind in YAML and not request.body.lstrip().startswith(b"{"):
        return _yaml(request.body)
    if kind not in ("", "*/*", *YAML) and "json" not in kind:
        known = f"application/json, {YAML[0]}, {PROTOBUF}"
        raise Failure(415, f"the body of the request was in an unknown format - accepted media types include: {known}")
    try:
        tree = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise bad_request(f"the body of the request is not JSON: {problem}") from None
    if not isinstance(tree, dict | list):
        raise bad_request("the body of the request must be an object")
    check_depth(tree)
    return tree


def check_depth(tree: Any) -> None:
    """Refuse what is nested so deep that it could exhaust the stack. Raises Failure."""
    level = [tree]
    for _ in range(MOST_DEPTH + 1):
        level = [inner for one in level if isinstance(one, dict | list)
                 for inner in (one.values() if isinstance(one, dict) else one)]  # fmt: skip
        if not level:
            return
    raise bad_request(f"the object is nested more than {MOST_DEPTH} levels deep")


def object_of(request: Request) -> dict[str, Any]:
    """The body, which must be an object. Raises Failure."""
    found = decoded(request)
    if not isinstance(found, dict):
        raise bad_request("the body of the request must be an object")
    part(found, "metadata")
    return found


def part(tree: dict[str, Any], field: str) -> dict[str, Any]:
    """An object within an object; {} when it is not there. Raises Failure."""
    found = tree.get(field)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad_request(f"{field} must be an object")
    return found


def _yaml(data: bytes) -> Any:
    try:
        trees = yaml_form.parse(data.decode())
    except (InvalidManifest, UnicodeDecodeError) as problem:
        raise bad_request(f"the body of the request cannot be read: {problem}") from None
    if len(trees) != 1 or not isinstance(trees[0], dict):
        raise bad_request("the body of the request must be an object")
    return trees[0]


def _protobuf(data: bytes) -> dict[str, Any]:
    if not data.startswith(_MAGIC):
        raise bad_request("the body of the request is not Kubernetes' protobuf")
    try:
        envelope = _message(data[4:], _ENVELOPE)
        kind = envelope.get("typeMeta", {}).get("kind", "")
        tree = _message(envelope.get("raw", b""), _KINDS.get(kind, _ANY))
    except (IndexError, ValueError, UnicodeDecodeError) as problem:
        raise bad_request(f"the body of the request is malformed: {problem}") from None
    return {**envelope.get("typeMeta", {}), **tree}


def _message(data: bytes, fields: _Fields) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value: Any
        if key & 7 == 0:
            value, at = _varint(data, at)
        elif key & 7 == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("a field ends behind its message")
            value, at = data[at : at + size], at + size
        elif key & 7 in (1, 5):
            at += 8 if key & 7 == 1 else 4
            continue
        else:
            raise ValueError(f"wire type {key & 7}")
        if key >> 3 in fields:
            _keep(found, *fields[key >> 3], value)
    return found


def _keep(found: dict[str, Any], name: str, kind: Any, value: Any) -> None:
    if isinstance(kind, dict):
        found[name] = _message(value, kind)
    elif isinstance(kind, tuple):  # a map, to words or to bytes
        entry = _message(value, {1: ("key", str), 2: ("value", kind[0])})
        content = entry.get("value", b"" if kind[0] is bytes else "")
        text = base64.b64encode(content).decode() if kind[0] is bytes else content
        found.setdefault(name, {})[entry.get("key", "")] = text
    elif isinstance(kind, list):
        found.setdefault(name, []).append(value.decode())
    elif kind is int:
        found[name] = value - 2**64 if value >= 2**63 else value
    elif kind is bool:
        found[name] = bool(value)
    elif value != b"":  # what is empty in Go is sent, too, and means nothing
        found[name] = value if kind is bytes else value.decode()


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")
