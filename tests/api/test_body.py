"""Request bodies."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.api.body import PROTOBUF, decoded
from initsup.api.exchange import Request
from initsup.api.failure import Failure


def field(number: int, value: bytes | int) -> bytes:
    """One protobuf field."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def envelope(kind: str, raw: bytes, version: str = "v1") -> bytes:
    return b"k8s\0" + field(1, field(1, version.encode()) + field(2, kind.encode())) + field(2, raw)


def asked(body: bytes, kind: str = PROTOBUF) -> Any:
    return decoded(Request(method="POST", path="/", headers={"content-type": kind}, body=body))


ATTRIBUTES = field(2, b"get") + field(3, b"") + field(5, b"pods")


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        pytest.param(
            envelope("SelfSubjectAccessReview", field(2, field(1, ATTRIBUTES))),
            {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}},
            id="may I",
        ),
        pytest.param(
            envelope("DeleteOptions", field(1, 7) + field(5, b"All") + field(2, field(1, b"u"))),
            {"gracePeriodSeconds": 7, "dryRun": ["All"], "preconditions": {"uid": "u"}},
            id="how to delete",
        ),
        pytest.param(
            envelope("DeleteOptions", field(1, 2**64 - 1)), {"gracePeriodSeconds": -1}, id="numbers may be negative"
        ),
        pytest.param(
            envelope("Namespace", field(1, field(1, b"other")) + field(2, b"x")),
            {"metadata": {"name": "other"}},
            id="of another kind its name",
        ),
        pytest.param(
            envelope(
                "ConfigMap",
                field(1, field(1, b"settings") + field(11, field(1, b"app") + field(2, b"web")))
                + field(2, field(1, b"a") + field(2, b"1"))
                + field(2, field(1, b"empty"))
                + field(3, field(1, b"raw") + field(2, b"\0\xff")),
            ),
            {
                "metadata": {"name": "settings", "labels": {"app": "web"}},
                "data": {"a": "1", "empty": ""},
                "binaryData": {"raw": "AP8="},
            },
            id="a ConfigMap",
        ),
        pytest.param(
            envelope("Secret", field(2, field(1, b"word") + field(2, b"s3cret")) + field(3, b"Opaque") + field(5, 1)),
            {"data": {"word": "czNjcmV0"}, "type": "Opaque", "immutable": True},
            id="a Secret",
        ),
    ],
)
def test_protobuf(body: bytes, tree: dict[str, Any]) -> None:
    found = asked(body)
    assert {key: value for key, value in found.items() if key not in ("apiVersion", "kind")} == tree


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"k8s", id="too short"),
        pytest.param(b"{}", id="JSON"),
        pytest.param(b"k8s\0\x0a\xff", id="a field that ends nowhere"),
        pytest.param(b"k8s\0" + b"\xff" * 20, id="a number that is too long"),
        pytest.param(b"k8s\0\x0b", id="an unknown wire type"),
        pytest.param(envelope("DeleteOptions", field(4, b"\xff")), id="no UTF-8"),
    ],
)
def test_malformed_protobuf_is_refused(body: bytes) -> None:
    with pytest.raises(Failure) as refused:
        asked(body)
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        pytest.param(b"{", "application/json", 400, id="broken JSON"),
        pytest.param(b"7", "application/json", 400, id="no object"),
        pytest.param(b'{"a": "\xff"}', "application/json", 400, id="no UTF-8"),
        pytest.param(b"[" * 100000, "application/json", 400, id="far too deep"),
        pytest.param(b"[" * 201 + b"{}" + b"]" * 201, "application/json", 400, id="too deep"),
        pytest.param(b"a: 1", "text/yaml", 415, id="another type"),
    ],
)
def test_what_is_no_json_is_refused(body: bytes, kind: str, code: int) -> None:
    with pytest.raises(Failure) as refused:
        asked(body, kind)
    assert refused.value.code == code


def test_a_body_without_a_type_is_json() -> None:
    assert asked(b'{"a": 1}', "") == {"a": 1}


def test_nothing_is_an_empty_object() -> None:
    assert asked(b"", "") == {}


@pytest.mark.parametrize("kind", ["application/yaml", "application/apply-patch+yaml"])
def test_yaml_is_read_as_files_are(kind: str) -> None:
    assert asked(b"a: 2020-01-01\n1: yes", kind) == {"a": "2020-01-01", "1": True}
    assert asked(b' {"a": 1}', kind) == {"a": 1}


BOMB = b"a: &a [x,x]\n" + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in b"bcdefg")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"a: [", id="half of it"),
        pytest.param(b"a: " + b"[" * 5000, id="far too deep"),
        pytest.param(b"a: &a [*a]", id="what holds itself"),
        pytest.param(BOMB, id="a few lines that stand for a million"),
        pytest.param(b"~: a", id="a key that is no word"),
        pytest.param(b"a: !!binary aGk=", id="no value of JSON"),
        pytest.param(b"a: .nan", id="no number of JSON"),
        pytest.param(b"a: \xff", id="no UTF-8"),
        pytest.param(b"- a", id="a list"),
        pytest.param(b"a: 1\n---\nb: 1", id="two objects"),
        pytest.param(b"# nothing", id="none"),
    ],
)
def test_odd_yaml_is_refused(body: bytes) -> None:
    with pytest.raises(Failure) as refused:
        asked(body, "application/apply-patch+yaml")
    assert refused.value.code == 400
