"""`initsup wait`."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from initsup.cli.wait import condition, seconds
from initsup.errors import UsageError
from tests.cli.conftest import Initsup
from tests.cli.fake import FakeInitsup
from tests.cli.sample import Object, pod

Ended = Callable[..., Path]
Running = Callable[..., FakeInitsup]
MET = (0, "pod/web condition met\n", "")


@pytest.mark.parametrize(
    ("text", "given", "met"),
    [
        pytest.param("condition=Ready", pod(), True, id="a condition"),
        pytest.param("condition=Ready", pod(ready=False), False, id="a condition that is not met"),
        pytest.param("condition=ready=true", pod(), True, id="in any case"),
        pytest.param("condition=Ready=False", pod(ready=False), True, id="a condition that must be False"),
        pytest.param("condition=Unheard", pod(), False, id="a condition that is not there"),
        pytest.param("phase=Running", pod(), True, id="a phase"),
        pytest.param("phase=running", pod(), True, id="a phase in any case"),
        pytest.param("phase=Succeeded", pod(), False, id="another phase"),
        pytest.param("jsonpath={.status.phase}=Running", pod(), True, id="a field"),
        pytest.param("jsonpath='{.status.phase}'=Running", pod(), True, id="a path in quotes"),
        pytest.param("jsonpath={.status.phase}='Running'", pod(), True, id="a value in quotes"),
        pytest.param("jsonpath={.status.phase}=Failed", pod(), False, id="a field with another value"),
        pytest.param("jsonpath={.status.containerStatuses[0].restartCount}=2", pod(restarts=2), True, id="a number"),
        pytest.param('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', pod(), True, id="a filter"),
        pytest.param("jsonpath={.status.podIP}", pod(), True, id="a field that must be there"),
        pytest.param("jsonpath={.status.reason}", pod(), False, id="a field that is not there"),
        pytest.param("jsonpath={.spec.containers[*].name}=app", pod(), True, id="one value of a list"),
        pytest.param("create", pod(), True, id="that it is there"),
        pytest.param("delete", pod(), False, id="that it is gone: no object tells that"),
    ],
)
def test_a_condition(text: str, given: Object, met: bool) -> None:
    assert condition(text)(given) is met


@pytest.mark.parametrize(
    "text",
    ["", "Ready", "condition=", "phase", "jsonpath", "jsonpath=.a=b", "jsonpath={.a}b", "jsonpath={a b}=c", "gone"],
)
def test_a_condition_that_makes_no_sense(text: str) -> None:
    with pytest.raises(UsageError):
        condition(text)


def test_what_is_said_to_a_condition_of_no_kind() -> None:
    with pytest.raises(UsageError, match="'ready', such as condition=Ready or delete is expected"):
        condition("ready")


@pytest.mark.parametrize(("text", "number"), [("30s", 30), ("1m30s", 90), ("5", 5), ("0", 0), ("-1s", 604800)])
def test_seconds(text: str, number: float) -> None:
    assert seconds(text) == number


def test_seconds_of_nonsense() -> None:
    with pytest.raises(UsageError, match="invalid duration 'soon'"):
        seconds("soon")


def test_a_condition_that_is_met_already(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    running(pod(), stays=True)
    assert initsup("wait", "--for=condition=Ready", "--state-dir", tmp_path) == MET


def test_a_condition_that_is_met_later(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    fake = running(pod("Pending", ready=False), pod(ready=False), pod(), stays=True)
    assert initsup("wait", "--for=condition=Ready", "--state-dir", tmp_path) == MET
    assert [request.get("watch", False) for request in fake.requests] == [False, True]


def test_time_is_up(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    running(pod(ready=False), stays=True)
    done = initsup("wait", "--for=condition=Ready", "--timeout=50ms", "--state-dir", tmp_path)
    assert done == (1, "", "error: timed out waiting for the condition on pods/web\n")


def test_a_time_limit_of_zero_looks_once(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    fake = running(pod(ready=False), pod(), stays=True)
    assert initsup("wait", "--for=condition=Ready", "--timeout=0", "--state-dir", tmp_path).code == 1
    assert len(fake.requests) == 1


def test_the_end_of_the_pod_ends_the_wait(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    running(pod(ready=False), pod("Failed", ready=False))
    done = initsup("wait", "--for=condition=Ready", "--timeout=60s", "--state-dir", tmp_path)
    assert done == (1, "", 'error: pod "web" has ended and will not meet the condition any more\n')


@pytest.mark.parametrize("what", ["phase=Succeeded", "delete", "jsonpath={.status.phase}=Succeeded"])
def test_waiting_for_the_end(initsup: Initsup, running: Running, tmp_path: Path, what: str) -> None:
    running(pod(), pod("Succeeded", ready=False))
    assert initsup("wait", f"--for={what}", "--state-dir", tmp_path) == MET


@pytest.mark.parametrize("what", ["phase=Succeeded", "delete", "create"])
def test_a_pod_that_has_ended(initsup: Initsup, ended: Ended, what: str) -> None:
    assert initsup("wait", f"--for={what}", "--state-dir", ended(pod("Succeeded"))) == MET


def test_a_pod_that_is_gone_is_deleted(initsup: Initsup, tmp_path: Path) -> None:
    assert initsup("wait", "--for=delete", "--state-dir", tmp_path / "web") == MET


def test_a_pod_that_does_not_come(initsup: Initsup, tmp_path: Path) -> None:
    place = tmp_path / "none"
    done = initsup("wait", "--for=condition=Ready", "--timeout=60ms", "--state-dir", place)
    assert done == (1, "", "error: timed out waiting for the condition on pods\n")
    assert initsup("wait", "--for=condition=Ready", "--timeout=0", "--state-dir", place).code == 1


def test_a_pod_that_is_still_to_come(running: Running, tmp_path: Path) -> None:
    words = ["wait", "--for=create", "--timeout=20s", "--state-dir", str(tmp_path / "later")]
    waiting = subprocess.Popen([sys.executable, "-m", "initsup", *words], stdout=subprocess.PIPE, text=True)
    fake = FakeInitsup(tmp_path / "later", [pod()], stays=True)
    out, _ = waiting.communicate(timeout=20)
    fake.close()
    assert (waiting.returncode, out) == (0, "pod/web condition met\n")
