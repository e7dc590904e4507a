"""Ephemeral containers over the API, as `kubectl debug` adds them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.live import Live

pytestmark = pytest.mark.real
POD = "/api/v1/namespaces/default/pods/live"
DEBUG = f"{POD}/ephemeralcontainers"
STRATEGIC = "application/strategic-merge-patch+json"


def add(live: Live, *containers: dict[str, Any], query: str = "") -> tuple[int, Any]:
    return live.ask(DEBUG + query, "PATCH", {"spec": {"ephemeralContainers": list(containers)}}, Content_Type=STRATEGIC)


def status(live: Live, name: str) -> dict[str, Any]:
    pod = live.ask(POD)[1]
    found = pod["status"].get("ephemeralContainerStatuses") or ()
    return next((one["state"] for one in found if one["name"] == name), {})


def test_one_is_added_beside_those_that_run(live: Live) -> None:
    restarts = [one["restartCount"] for one in live.ask(POD)[1]["status"]["containerStatuses"]]
    command = ["sh", "-c", "echo looked; exit 3"]
    code, pod = add(live, {"name": "one", "image": "busybox", "command": command, "targetContainerName": "app"})
    assert code == 200
    assert [one["name"] for one in pod["spec"]["ephemeralContainers"]] == ["one"]
    live.until(lambda: "terminated" in status(live, "one"))
    assert status(live, "one")["terminated"]["exitCode"] == 3
    assert live.ask(f"{POD}/log?container=one")[1] == "looked\n"
    after = live.ask(POD)[1]["status"]
    assert [one["restartCount"] for one in after["containerStatuses"]] == restarts
    assert {one["status"] for one in after["conditions"]} == {"True"}
    assert after["phase"] == "Running"
    events = live.ask("/api/v1/namespaces/default/events")[1]["items"]
    assert "spec.ephemeralContainers{one}" in {one["involvedObject"].get("fieldPath") for one in events}


def test_the_pod_can_be_changed_with_it(live: Live) -> None:
    add(live, {"name": "two", "command": ["true"]})
    code, _ = live.ask(POD, "PATCH", {"metadata": {"labels": {"a": "b"}}}, Content_Type=STRATEGIC)
    assert code == 200


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        pytest.param(DEBUG, 422, 'existing ephemeral containers "three" may not be removed', id="nor taken away"),
        pytest.param(POD, 422, "pod updates may not change fields other than", id="nor changed as the pod is"),
    ],
)
def test_it_can_neither_be_changed(live: Live, path: str, code: int, message: str) -> None:
    add(live, {"name": "three", "command": ["true"]})
    pod = live.ask(POD)[1]
    del pod["metadata"]["resourceVersion"]
    pod["spec"]["ephemeralContainers"] = []
    found, problem = live.ask(path, "PUT", pod)
    assert found == code
    assert message in problem["message"]


def test_a_dry_run_adds_nothing(live: Live) -> None:
    code, pod = add(live, {"name": "dry", "command": ["true"]}, query="?dryRun=All")
    assert (code, "dry" in json.dumps(pod["spec"])) == (200, True)
    assert "dry" not in json.dumps(live.ask(POD)[1])


def test_what_else_is_sent_along_does_not_count(live: Live) -> None:
    body = {"metadata": {"labels": {"sneaked": "in"}}, "spec": {"terminationGracePeriodSeconds": 99}}
    code, pod = live.ask(DEBUG, "PATCH", body, Content_Type=STRATEGIC)
    assert code == 200
    assert "sneaked" not in pod["metadata"]["labels"]
    assert pod["spec"]["terminationGracePeriodSeconds"] == 2
