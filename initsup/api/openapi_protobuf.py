"""The OpenAPI 2.0 document in protobuf, the only form that kubectl before 1.29 reads.

The numbers are those of google/gnostic, openapiv2/OpenAPIv2.proto, for the fields that our document has.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from initsup.api.openapi import old_tree


@cache
def encoded() -> bytes:
    """The document."""
    tree = old_tree()
    definitions = b"".join(_named(1, name, _schema(one)) for name, one in tree["definitions"].items())
    items = b"".join(_named(2, path, _path(item)) for path, item in tree["paths"].items())
    info = _text(1, tree["info"]["title"]) + _text(2, tree["info"]["version"])
    return _text(1, tree["swagger"]) + _field(2, info) + _field(8, items) + _field(9, definitions)


def _schema(one: Mapping[str, Any]) -> bytes:
    out = _text(1, one.get("$ref", "")) + _text(2, one.get("format", "")) + _text(4, one.get("description", ""))
    out += b"".join(_text(19, name) for name in one.get("required", ()))
    more = one.get("additionalProperties")
    if isinstance(more, bool):
        out += _field(21, _number(2, more))
    elif more is not None:
        out += _field(21, _field(1, _schema(more)))
    if "type" in one:
        out += _field(22, _text(1, one["type"]))
    if "items" in one:
        out += _field(23, _field(1, _schema(one["items"])))
    out += b"".join(_field(24, _schema(part)) for part in one.get("allOf", ()))
    if properties := one.get("properties"):
        out += _field(25, b"".join(_named(1, name, _schema(part)) for name, part in properties.items()))
    return out + _extensions(31, one)


_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def _path(item: Mapping[str, Any]) -> bytes:
    methods = b"".join(_field(number, _operation(item[name])) for name, number in _METHODS.items() if name in item)
    return methods + b"".join(_field(9, _parameter(one)) for one in item.get("parameters", ()))


def _operation(one: Mapping[str, Any]) -> bytes:
    out = _text(5, one["operationId"])
    out += b"".join(_text(6, form) for form in one.get("produces", ()))
    out += b"".join(_text(7, form) for form in one.get("consumes", ()))
    out += b"".join(_field(8, _parameter(part)) for part in one.get("parameters", ()))
    answers = b"".join(_named(1, code, _field(1, _response(part))) for code, part in one["responses"].items())
    return out + _field(9, answers) + _extensions(13, one)


def _response(one: Mapping[str, Any]) -> bytes:
    schema = _field(2, _field(1, _schema(one["schema"]))) if "schema" in one else b""
    return _text(1, one["description"]) + schema


def _parameter(one: Mapping[str, Any]) -> bytes:
    if one["in"] == "body":
        body = _text(2, one["name"]) + _text(3, "body") + _number(4, True) + _field(5, _schema(one["schema"]))
        return _field(1, _field(1, body))
    in_query = one["in"] == "query"
    plain = _number(1, one["required"]) + _text(2, one["in"]) + _text(4, one["name"])
    plain += _text(6 if in_query else 5, one["type"])
    return _field(1, _field(2, _field(3 if in_query else 4, plain)))


def _extensions(number: int, one: Mapping[str, Any]) -> bytes:
    """What begins with x-; its value is YAML, which JSON is."""
    found = ((name, msgspec.json.encode(value)) for name, value in one.items() if name.startswith("x-"))
    return b"".join(_named(number, name, _field(2, value)) for name, value in found)


def _named(number: int, name: str, value: bytes) -> bytes:
    return _field(number, _text(1, name) + _field(2, value))


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode()) if text else b""


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))
