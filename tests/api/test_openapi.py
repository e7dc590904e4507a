"""The schema of what is served: complete, and closed in itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from initsup.api.catalog import RESOURCES
from initsup.api.exchange import Reply, Request
from initsup.api.openapi import PROTOBUF, answer, document, old_document
from initsup.api.openapi_protobuf import encoded

METHODS = {"get": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete"}
DOCUMENTS = [pytest.param(*one, id="/".join(filter(None, one))) for one in RESOURCES]


def asked(*words: str, **headers: str) -> Reply:
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    found = answer(list(words), Request(method="GET", path="/", headers=given))
    assert isinstance(found, Reply)
    return found


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("$ref"), str):
            yield tree["$ref"]
        for inner in tree.values():
            yield from references(inner)
    elif isinstance(tree, list):
        for inner in tree:
            yield from references(inner)


@pytest.mark.parametrize(("group", "version"), DOCUMENTS)
def test_what_is_referred_to_is_there(group: str, version: str) -> None:
    tree = json.loads(document(group, version))
    known = {f"#/components/schemas/{name}" for name in tree["components"]["schemas"]}
    assert set(references(tree)) <= known


def test_the_older_form_is_closed_as_well() -> None:
    tree = json.loads(old_document())
    assert set(references(tree)) <= {f"#/definitions/{name}" for name in tree["definitions"]}
    assert '"content":' not in old_document().decode()


@pytest.mark.parametrize(("group", "version"), DOCUMENTS)
def test_every_verb_that_is_told_has_its_operation(group: str, version: str) -> None:
    paths = json.loads(document(group, version))["paths"]
    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
    for one in RESOURCES[group, version]:
        place = f"{base}/namespaces/{{namespace}}/{one.name}" if one.namespaced else f"{base}/{one.name}"
        for verb in one.verbs:
            if verb not in ("list", "watch"):
                path = place if verb == "create" else f"{place}/{{name}}"
                assert METHODS[verb] in paths[path]
        if "list" in one.verbs:
            assert {parameter["name"] for parameter in paths[place]["get"]["parameters"]} >= {"watch", "labelSelector"}
        for sub in one.subs:
            assert {METHODS[verb] for verb in sub.verbs} <= set(paths[f"{place}/{{name}}/{sub.name}"])


def test_operations_have_names_of_their_own() -> None:
    paths = json.loads(old_document())["paths"]
    names = [one["operationId"] for item in paths.values() for name, one in item.items() if name != "parameters"]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("kind", "field", "key"),
    [
        pytest.param("PodSpec", "containers", "name", id="containers"),
        pytest.param("PodSpec", "volumes", "name", id="volumes"),
        pytest.param("Container", "env", "name", id="variables"),
        pytest.param("Container", "ports", "containerPort", id="ports"),
        pytest.param("Container", "volumeMounts", "mountPath", id="mounts"),
    ],
)
def test_clients_are_told_how_lists_are_merged(kind: str, field: str, key: str) -> None:
    schemas = json.loads(document("", "v1"))["components"]["schemas"]
    found = schemas[f"io.k8s.api.core.v1.{kind}"]["properties"][field]
    assert found["x-kubernetes-patch-merge-key"] == key
    assert found["x-kubernetes-patch-strategy"].startswith("merge")


def test_each_document_can_be_found_from_the_first() -> None:
    places = json.loads(asked("v3").body)["paths"]
    assert set(places) == {f"apis/{group}/{version}" if group else f"api/{version}" for group, version in RESOURCES}
    for place, one in places.items():
        assert one["serverRelativeURL"].startswith(f"/openapi/v3/{place}?hash=")


def test_a_client_that_has_it_gets_no_more() -> None:
    first = asked("v3", "api", "v1")
    tag = dict(first.headers)["ETag"]
    assert asked("v3", "api", "v1", if_none_match=tag).code == 304


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message, which are numbers or bytes here."""

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 0x80:
                return value

    at = 0
    while at < len(data):
        key = number()
        if key & 7 == 0:
            yield key >> 3, number()
            continue
        assert key & 7 == 2
        size = number()
        yield key >> 3, data[at : at + size]
        at += size


def test_protobuf_says_the_same_as_json() -> None:
    """Field numbers of google/gnostic, openapiv2/OpenAPIv2.proto."""
    tree = json.loads(old_document())
    whole = dict(fields(encoded()))
    assert whole[1] == b"2.0"
    definitions = {dict(fields(one))[1].decode(): dict(fields(one))[2] for _, one in fields(whole[9])}
    assert set(definitions) == set(tree["definitions"])
    spec = dict(fields(definitions["io.k8s.api.core.v1.PodSpec"]))
    properties = {dict(fields(one))[1].decode(): dict(fields(one))[2] for _, one in fields(spec[25])}
    assert set(properties) == set(tree["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"])
    policy = dict(fields(properties["restartPolicy"]))
    assert policy[4].decode() == "Whether containers that end are started again: Always, OnFailure, Never."
    assert dict(fields(policy[22])) == {1: b"string"}
    paths = {dict(fields(one))[1].decode() for number, one in fields(whole[8]) if number == 2}
    assert paths == set(tree["paths"])


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        pytest.param("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", PROTOBUF, id="kubectl's old name"),
        pytest.param(PROTOBUF, PROTOBUF, id="its new name"),
        pytest.param("application/json", "application/json", id="JSON"),
        pytest.param("", "application/json", id="whatever"),
    ],
)
def test_the_form_that_is_asked_for(accept: str, kind: str) -> None:
    assert asked("v2", accept=accept).content_type == kind
