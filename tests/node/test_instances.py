"""Which instance `initsup logs` shows."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.errors import InitsupError
from initsup.node.instances import attempt_of, runs

RUNNING = {"running": {"startedAt": "2026-01-02T03:04:05Z"}}
WAITING = {"waiting": {"reason": "PodInitializing"}}


def ended(attempt: int | None) -> dict[str, Any]:
    return {"terminated": {"exitCode": 1, "containerID": "" if attempt is None else f"initsup://u/c/{attempt}"}}


def pod(state: dict[str, Any], last: dict[str, Any], attempt: int = 7) -> dict[str, Any]:
    status = {"name": "c", "state": state, "lastState": last, "containerID": f"initsup://u/c/{attempt}"}
    return {"metadata": {"name": "p"}, "status": {"initContainerStatuses": [], "containerStatuses": [status]}}


@pytest.mark.parametrize(
    ("one", "previous", "attempt"),
    [
        pytest.param(pod(RUNNING, {}), False, 7, id="running: this one"),
        pytest.param(pod(RUNNING, ended(6)), True, 6, id="running, previous: the one before"),
        pytest.param(pod(ended(7), ended(6)), False, 7, id="terminated: this one"),
        pytest.param(pod(ended(7), ended(6)), True, 6, id="terminated, previous: the one before"),
        pytest.param(pod(ended(None), ended(6)), False, 6, id="terminated without an instance: the one before"),
        pytest.param(pod(WAITING, ended(7)), False, 7, id="waiting after a run: that run"),
        pytest.param(pod(WAITING, ended(7)), True, 7, id="waiting after a run, previous: that run, too"),
    ],
)
def test_attempt_of(one: dict[str, Any], previous: bool, attempt: int) -> None:
    assert attempt_of(one, "c", previous=previous) == attempt


@pytest.mark.parametrize(
    ("one", "previous", "message"),
    [
        pytest.param(
            pod(RUNNING, {}),
            True,
            'previous terminated container "c" in pod "p" not found',
            id="there was no run before",
        ),
        pytest.param(
            pod(WAITING, {}), False, 'container "c" in pod "p" is waiting to start: PodInitializing', id="never ran"
        ),
        pytest.param(pod({}, {}), False, 'container "c" in pod "p" is waiting to start - no logs yet', id="no state"),
        pytest.param(
            pod(WAITING, ended(None)), False, 'container "c" in pod "p" is terminated', id="its instance was removed"
        ),
        pytest.param({"metadata": {"name": "p"}}, False, 'container "c" in pod "p" is not available', id="no status"),
    ],
)
def test_no_instance(one: dict[str, Any], previous: bool, message: str) -> None:
    with pytest.raises(InitsupError) as caught:
        attempt_of(one, "c", previous=previous)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("one", "attempt", "expected"),
    [
        pytest.param(pod(RUNNING, {}), 7, True, id="it runs"),
        pytest.param(pod(RUNNING, ended(7), 8), 7, False, id="a later one runs"),
        pytest.param(pod(ended(7), {}), 7, False, id="it has ended"),
        pytest.param({"metadata": {"name": "p"}}, 7, False, id="nothing is known"),
    ],
)
def test_runs(one: dict[str, Any], attempt: int, expected: bool) -> None:
    assert runs(one, "c", attempt) is expected
