"""Lists part by part, lists as they were, and what lists and watches may be asked with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.live import Live, exchange

pytestmark = pytest.mark.real
EVENTS = "/api/v1/namespaces/default/events"
MAPS = "/api/v1/namespaces/default/configmaps"
NEW_EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def names(found: Any) -> list[str]:
    return [one["metadata"]["name"] for one in found["items"]]


@pytest.mark.parametrize("path", [EVENTS, NEW_EVENTS, "/api/v1/events"])
def test_the_parts_of_a_list_are_the_list(live: Live, path: str) -> None:
    code, whole = live.ask(path)
    assert (code, "continue" in whole["metadata"]) == (200, False)
    assert names(whole) == sorted(names(whole))
    _, part = live.ask(f"{path}?limit=3")
    assert part["metadata"]["remainingItemCount"] == len(whole["items"]) - 3
    found = names(part)
    while token := part["metadata"].get("continue"):
        _, part = live.ask(f"{path}?limit=3&continue={token}")
        assert part["metadata"]["resourceVersion"] == whole["metadata"]["resourceVersion"]
        found += names(part)
    assert found == names(whole)


def test_a_table_has_parts_as_well(live: Live) -> None:
    _, part = live.ask(f"{EVENTS}?limit=1", Accept=TABLE)
    assert len(part["rows"]) == 1
    _, rest = live.ask(f"{EVENTS}?continue={part['metadata']['continue']}", Accept=TABLE)
    assert len(rest["rows"]) == part["metadata"]["remainingItemCount"]


def test_how_many_remain_is_not_said_of_a_selection(live: Live) -> None:
    _, part = live.ask(f"{EVENTS}?limit=1&fieldSelector=type%3DNormal")
    assert sorted(part["metadata"]) == ["continue", "resourceVersion"]


def test_a_list_goes_on_as_it_was_when_it_was_begun(live: Live) -> None:
    for name in ("one", "two"):
        assert live.ask(MAPS, "POST", {"metadata": {"name": name}, "data": {"a": "b"}})[0] == 201
    _, part = live.ask(f"{MAPS}?limit=1")
    version = part["metadata"]["resourceVersion"]
    assert live.ask(f"{MAPS}/one", "DELETE")[0] == 200
    two = live.ask(f"{MAPS}/two")[1]
    assert live.ask(f"{MAPS}/two", "PUT", two | {"data": {"a": "c"}})[0] == 200
    assert live.ask(MAPS, "POST", {"metadata": {"name": "three"}})[0] == 201
    _, rest = live.ask(f"{MAPS}?continue={part['metadata']['continue']}")
    assert (names(part) + names(rest), rest["items"][-1]) == (["one", "settings", "two"], two)
    _, then = live.ask(f"{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact")
    assert (names(then), then["metadata"]) == (["one", "settings", "two"], {"resourceVersion": version})
    assert names(live.ask(MAPS)[1]) == ["settings", "three", "two"]


ON_LIST = [
    pytest.param("resourceVersionMatch=Exact", 422, "forbidden unless resourceVersion is provided", id="no version"),
    pytest.param("resourceVersionMatch=Some&resourceVersion=0", 422, 'Unsupported value: "Some"', id="an odd match"),
    pytest.param("resourceVersionMatch=Exact&resourceVersion=0", 422, 'forbidden for resourceVersion "0"', id="any"),
    pytest.param("resourceVersionMatch=Exact&resourceVersion=1", 410, "too old resource version", id="long ago"),
    pytest.param("sendInitialEvents=false", 422, "sendInitialEvents is forbidden for list", id="a watch's"),
    pytest.param("resourceVersionMatch=NotOlderThan&resourceVersion=1&continue=x", 422, "when continue", id="both"),
    pytest.param("continue=eyJydiI6MX0", 400, "continue key is not valid", id="half a token"),
    pytest.param("continue=%C3%A4", 400, "continue key is not valid", id="no token"),
    pytest.param("continue=eyJydiI6MSwic3RhcnQiOlsiYSIsImIiXX0", 410, "too old resource version", id="an old token"),
    pytest.param("continue=eyJydiI6MSwic3RhcnQiOlsiYSIsImIiXX0&resourceVersion=1", 400, "is not allowed when using",
                 id="a token with a version"),
    pytest.param("limit=many", 400, "a number is expected", id="no number"),
]  # fmt: skip
ON_WATCH = [
    pytest.param("sendInitialEvents=1", 422, "sendInitialEvents requires setting", id="half asked"),
    pytest.param("sendInitialEvents=1&resourceVersionMatch=Exact", 422, 'Unsupported value: "Exact"', id="exactly"),
    pytest.param("resourceVersionMatch=NotOlderThan", 422, "unless sendInitialEvents is provided", id="other half"),
]


@pytest.mark.parametrize(("query", "code", "message"), ON_LIST)
def test_what_a_list_may_not_be_asked(live: Live, query: str, code: int, message: str) -> None:
    found, status = live.ask(f"{EVENTS}?{query}")
    assert (found, message in status["message"]) == (code, True), status


@pytest.mark.parametrize(("query", "code", "message"), ON_WATCH)
def test_what_a_watch_may_not_be_asked(live: Live, query: str, code: int, message: str) -> None:
    found, status = live.ask(f"{EVENTS}?watch&{query}")
    assert (found, message in status["message"]) == (code, True), status
    assert status["message"].startswith('ListOptions.meta.k8s.io "" is invalid: ')


def watch(live: Live, query: str, path: str = MAPS) -> list[Any]:
    head = f"GET {path}?watch&timeoutSeconds=1&{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return [json.loads(line) for line in exchange(live.unix(), head.encode())[1].splitlines()]


def test_a_watch_that_is_over_says_from_where_to_go_on(live: Live) -> None:
    version = live.ask(MAPS)[1]["metadata"]["resourceVersion"]
    (mark,) = watch(live, f"allowWatchBookmarks=1&resourceVersion={version}")
    assert (mark["type"], mark["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
    assert int(mark["object"]["metadata"]["resourceVersion"]) >= int(version)
    assert "annotations" not in mark["object"]["metadata"]


def test_a_watch_may_begin_without_what_is_there(live: Live) -> None:
    assert watch(live, "sendInitialEvents=false&resourceVersionMatch=NotOlderThan") == []


def test_a_bookmark_is_of_the_kind_that_is_watched(live: Live) -> None:
    query = "sendInitialEvents=1&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=1"
    *first, mark, _ = watch(live, query, NEW_EVENTS)
    assert {one["object"]["apiVersion"] for one in (*first, mark)} == {"events.k8s.io/v1"}
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
