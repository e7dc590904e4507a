"""The columns of `get`: kubectl's printPod as a table of rules."""

import sys
from subprocess import run
from typing import Any

import pytest

from initsup.core.columns import age, epoch, row, status_text, summary

NOW = epoch("2026-03-01T12:00:00Z")


def at(seconds_ago: float) -> str:
    minutes, seconds = divmod(12 * 3600 - int(seconds_ago), 60)
    return f"2026-03-01T{minutes // 60:02}:{minutes % 60:02}:{seconds:02}Z"


def status(name: str, state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "ready": False, "restartCount": 0, **fields}


def waiting(name: str, reason: str = "", **fields: Any) -> dict[str, Any]:
    return status(name, {"waiting": {"reason": reason} if reason else {}}, **fields)


def running(name: str, ready: bool = True, **fields: Any) -> dict[str, Any]:
    return status(name, {"running": {"startedAt": at(60)}}, ready=ready, started=True, **fields)


def ended(name: str, code: int = 0, reason: str | None = None, signal: int = 0, **fields: Any) -> dict[str, Any]:
    word = ("Error" if code else "Completed") if reason is None else reason
    state = {"exitCode": code, "finishedAt": at(30), "signal": signal} | ({"reason": word} if word else {})
    return status(name, {"terminated": state}, **fields)


def before(code: int = 1, seconds_ago: float = 30) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": at(seconds_ago)}}


def pod(
    *mains: dict[str, Any],
    inits: tuple[dict[str, Any], ...] = (),
    sidecars: str = "",
    phase: str = "Running",
    true: str = "",
    meta: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A pod of these container statuses; `sidecars` and `true` (conditions) are names separated by blanks."""
    always = sidecars.split()
    return {
        "metadata": {"name": "p", "creationTimestamp": at(100), **(meta or {})},
        "spec": {
            "containers": [{"name": c["name"]} for c in mains],
            "initContainers": [
                {"name": c["name"]} | ({"restartPolicy": "Always"} if c["name"] in always else {}) for c in inits
            ],
        },
        "status": {
            "phase": phase,
            "conditions": [{"type": name, "status": "True"} for name in true.split()],
            "initContainerStatuses": list(inits),
            "containerStatuses": list(mains),
            **more,
        },
    }


DELETED = {"deletionTimestamp": at(1)}


@pytest.mark.parametrize(
    ("given", "ready", "text"),
    [
        pytest.param(pod(waiting("a", "ContainerCreating"), phase="Pending"), "0/1", "ContainerCreating", id="a waiting container shows why it waits"),
        pytest.param(pod(running("a", ready=False)), "0/1", "Running", id="running but not ready is still Running"),
        pytest.param(pod(ended("a", 1)), "0/1", "Error", id="an ended container shows how it ended, restart pending or not"),
        pytest.param(pod(waiting("a", "CrashLoopBackOff", lastState=before(1))), "0/1", "CrashLoopBackOff", id="back-off after a failure"),
        pytest.param(pod(waiting("a", "CrashLoopBackOff", lastState=before(0))), "0/1", "CrashLoopBackOff", id="back-off after an exit with 0"),
        pytest.param(pod(running("a"), waiting("b", "CrashLoopBackOff", lastState=before())), "1/2", "CrashLoopBackOff", id="one in back-off beside a ready one"),
        pytest.param(pod(running("a"), waiting("b", "ContainerCreating"), phase="Pending"), "1/2", "ContainerCreating", id="one that never ran beside a ready one"),
        pytest.param(pod(waiting("a", "RunContainerError", lastState=before(128))), "0/1", "RunContainerError", id="a start error shows its reason"),
        pytest.param(pod(ended("a"), running("b")), "1/2", "NotReady", id="one completed, one running, pod not ready"),
        pytest.param(pod(ended("a"), running("b"), true="Ready"), "1/2", "Running", id="one completed, one running, pod ready"),
        pytest.param(pod(ended("a", 1), running("b")), "1/2", "Error", id="a failure wins over a running one after it"),
        pytest.param(pod(ended("a"), ended("b", 3), phase="Failed"), "0/2", "Error", id="a failure wins over a completion before it"),
        pytest.param(pod(ended("a"), ended("b"), phase="Succeeded"), "0/2", "Completed", id="all completed"),
        pytest.param(pod(ended("a"), ended("b", 3)), "0/2", "Error", id="a failure whose restart is pending"),
        pytest.param(pod(ended("a"), waiting("b", "CrashLoopBackOff", lastState=before())), "0/2", "Completed", id="the first container by name has the last word"),
        pytest.param(pod(ended("a", 1), waiting("b", "CrashLoopBackOff")), "0/2", "Error", id="… also when it failed"),
        pytest.param(pod(waiting("a", "CrashLoopBackOff"), ended("b", 1)), "0/2", "CrashLoopBackOff", id="… also when it waits"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(running("i0", ready=False), waiting("i1", "PodInitializing")), phase="Pending"), "0/1", "Init:0/2", id="the first of two init containers runs"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(ended("i0"), waiting("i1", "PodInitializing")), phase="Pending"), "0/1", "Init:1/2", id="the second of two init containers is next"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(waiting("i0", "PodInitializing"),), phase="Pending"), "0/1", "Init:0/1", id="no init container has run yet"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(waiting("i0"),), phase="Pending"), "0/1", "Init:0/1", id="an init container that waits without a reason"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(ended("i0", 1),), phase="Pending"), "0/1", "Init:Error", id="a failed init container"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(waiting("i0", "CrashLoopBackOff", lastState=before()),), phase="Pending"), "0/1", "Init:CrashLoopBackOff", id="an init container in back-off"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(ended("i0", 1),), phase="Failed"), "0/1", "Init:Error", id="an init container that failed for good"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(ended("i0", 3, reason=""),)), "0/1", "Init:ExitCode:3", id="a failed init container without a reason shows its code"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(ended("i0", 137, reason="", signal=9),)), "0/1", "Init:Signal:9", id="… or its signal"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(ended("i0"),), phase="Pending"), "0/1", "PodInitializing", id="all init containers are through, the main one is not created"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(running("s", ready=False, started=False),), sidecars="s", phase="Pending"), "0/2", "Init:0/1", id="a sidecar that has not started"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(running("s"), waiting("i", "PodInitializing")), sidecars="s", phase="Pending"), "1/2", "Init:1/2", id="a started sidecar counts as one init container done"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(running("s"),), sidecars="s", phase="Pending"), "1/2", "PodInitializing", id="a ready sidecar, the main container is not created"),
        pytest.param(pod(running("a"), inits=(running("s"),), sidecars="s", true="Initialized Ready"), "2/2", "Running", id="sidecar and main ready"),
        pytest.param(pod(running("a"), inits=(running("s", ready=False),), sidecars="s", true="Initialized"), "1/2", "Running", id="a sidecar that is not ready"),
        pytest.param(pod(running("a"), inits=(waiting("s", "CrashLoopBackOff", lastState=before()),), sidecars="s", true="Initialized"), "1/2", "Init:CrashLoopBackOff", id="a sidecar in back-off shows even when the pod is initialized"),
        pytest.param(pod(waiting("a", "CrashLoopBackOff"), inits=(waiting("s", "CrashLoopBackOff"),), sidecars="s", true="Initialized"), "0/2", "CrashLoopBackOff", id="… unless a main container has something to say"),
        pytest.param(pod(running("a"), inits=(ended("s", 1), running("t")), sidecars="s t", true="Initialized"), "1/3", "Init:Error", id="a sidecar after a failed one is not counted"),
        pytest.param(pod(ended("a"), inits=(running("s"),), sidecars="s", true="Initialized"), "1/2", "Completed", id="main completed, its sidecar still runs"),
        pytest.param(pod(ended("a"), inits=(ended("s", 137),), sidecars="s", true="Initialized", phase="Succeeded"), "0/2", "Completed", id="main completed, its sidecar was killed"),
        pytest.param(pod(ended("a"), inits=(ended("s"),), sidecars="s", true="Initialized", phase="Succeeded"), "0/2", "Completed", id="main and sidecar completed"),
        pytest.param(pod(running("a"), meta=DELETED), "1/1", "Terminating", id="being deleted"),
        pytest.param(pod(waiting("a", "ContainerCreating"), phase="Pending", meta=DELETED), "0/1", "Terminating", id="being deleted before it ran"),
        pytest.param(pod(ended("a", 1), meta=DELETED), "0/1", "Terminating", id="being deleted, its container has ended"),
        pytest.param(pod(ended("a"), phase="Succeeded", meta=DELETED), "0/1", "Completed", id="deleted and succeeded"),
        pytest.param(pod(ended("a", 143), phase="Failed", meta=DELETED), "0/1", "Error", id="deleted and failed"),
        pytest.param(pod(running("a"), meta=DELETED, reason="NodeLost"), "1/1", "Unknown", id="deleted while its node is lost"),
        pytest.param(pod(running("a"), reason="Evicted", phase="Failed"), "1/1", "Evicted", id="the pod's own reason wins over the phase"),
        pytest.param(pod(ended("a", 143), reason="DeadlineExceeded", phase="Failed"), "0/1", "Error", id="… and a container's over the pod's"),
        pytest.param(pod(ended("a", 2, reason="")), "0/1", "ExitCode:2", id="an end without a reason shows its code"),
        pytest.param(pod(ended("a", 139, reason="", signal=11)), "0/1", "Signal:11", id="… or its signal"),
        pytest.param(pod(ended("a", 0, reason="OOMKilled"), phase="Succeeded"), "0/1", "OOMKilled", id="a reason other than Completed stays"),
        pytest.param(pod(waiting("a"), phase="Pending"), "0/1", "Pending", id="waiting without a reason leaves the phase"),
        pytest.param({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}, "status": {"phase": "Pending"}}, "0/1", "Pending", id="no container statuses yet"),
        pytest.param(pod(phase="Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]), "0/0", "SchedulingGated", id="held back by a scheduling gate"),
        pytest.param({}, "0/0", "", id="an empty object"),
    ],
)  # fmt: skip
def test_ready_and_status(given: dict[str, Any], ready: str, text: str) -> None:
    shown = row(given, NOW)
    assert (shown.ready, shown.status) == (ready, text)
    assert status_text(given) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        pytest.param(pod(running("a")), "0", id="none"),
        pytest.param(pod(running("a", restartCount=2, lastState=before(seconds_ago=75))), "2 (75s ago)", id="with the end of the run before"),
        pytest.param(pod(running("a", restartCount=2)), "2", id="a count without a known end"),
        pytest.param(pod(running("a", lastState=before())), "0", id="an end without a count"),
        pytest.param(pod(running("a", restartCount=1, lastState=before(seconds_ago=5)), running("b", restartCount=3, lastState=before(seconds_ago=200))), "4 (5s ago)", id="summed, with the newest end"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(ended("i0", restartCount=1, lastState=before(seconds_ago=9)), ended("i1", 1, restartCount=2, lastState=before(seconds_ago=3)))), "3 (3s ago)", id="while it initializes: those of the init containers so far"),
        pytest.param(pod(waiting("a", "PodInitializing"), inits=(ended("i0", 1, restartCount=1), waiting("i1", restartCount=5))), "1", id="… and not of later ones"),
        pytest.param(pod(running("a"), inits=(ended("i0", restartCount=4, lastState=before()),), true="Initialized"), "0", id="init containers' restarts are forgotten afterwards"),
        pytest.param(pod(running("a", restartCount=1), inits=(ended("i0", restartCount=4), running("s", restartCount=2, lastState=before(seconds_ago=8))), sidecars="s", true="Initialized"), "3 (8s ago)", id="… but not those of sidecars"),
        pytest.param(pod(running("a", restartCount=1), inits=(waiting("s", "CrashLoopBackOff", restartCount=2, lastState=before(seconds_ago=8)),), sidecars="s", true="Initialized"), "3 (8s ago)", id="… also of one in back-off"),
    ],
)  # fmt: skip
def test_restarts(given: dict[str, Any], text: str) -> None:
    assert row(given, NOW).restarts == text


def test_summary_counts() -> None:
    given = pod(running("a", restartCount=2, lastState=before(seconds_ago=7)), waiting("b", "CrashLoopBackOff"))
    assert summary(given) == ("CrashLoopBackOff", 1, 2, 2, NOW - 7)


def test_wide_columns_of_a_bare_pod() -> None:
    assert row(pod(running("a")), NOW)[5:] == ("<none>",) * 4


def test_wide_columns() -> None:
    given = pod(running("a"), podIP="10.0.0.7", nominatedNodeName="n2", true="example.com/one")
    given["spec"] |= {"nodeName": "n1", "readinessGates": [{"conditionType": f"example.com/{n}"} for n in ("one", "two")]}
    assert row(given, NOW)[5:] == ("10.0.0.7", "n1", "n2", "1/2")


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        pytest.param(None, "<unknown>", id="no time"),
        pytest.param("", "<unknown>", id="an empty time"),
        pytest.param(at(0), "0s", id="now"),
        pytest.param(at(119), "119s", id="seconds below two minutes"),
        pytest.param(at(120), "2m", id="minutes"),
        pytest.param(at(599), "9m59s", id="minutes and seconds below ten minutes"),
        pytest.param(at(600), "10m", id="minutes alone from ten on"),
        pytest.param(at(3 * 3600 - 1), "179m", id="minutes below three hours"),
        pytest.param(at(3 * 3600), "3h", id="hours"),
        pytest.param(at(8 * 3600 - 60), "7h59m", id="hours and minutes below eight hours"),
        pytest.param(at(8 * 3600 + 60), "8h", id="hours alone from eight on"),
        pytest.param("2026-02-27T12:00:00Z", "2d", id="days"),
        pytest.param("2026-02-21T13:00:00Z", "7d23h", id="days and hours below eight days"),
        pytest.param("2025-03-01T12:00:00Z", "365d", id="days alone below two years"),
        pytest.param("2023-02-28T12:00:00Z", "3y2d", id="years and days below eight years"),
        pytest.param("2010-03-01T12:00:00Z", "16y", id="years alone"),
        pytest.param("2026-03-01T12:00:05Z", "<invalid>", id="in the future"),
    ],
)
def test_age(timestamp: str | None, text: str) -> None:
    assert age(timestamp, NOW) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("1970-01-01T00:00:00Z", 0, id="the epoch"),
        pytest.param("2000-02-29T00:00:00Z", 951782400, id="a leap day"),
        pytest.param("2100-03-01T00:00:00Z", 4107542400, id="a century without one"),
        pytest.param("2026-01-02T03:04:05.25Z", 1767323045.25, id="a fraction"),
        pytest.param("2026-01-02T03:04:05+01:30", 1767323045 - 5400, id="east of Greenwich"),
        pytest.param("2026-01-02T03:04:05-08:00", 1767323045 + 28800, id="west of Greenwich"),
        pytest.param("1969-12-31T23:59:59Z", -1, id="before the epoch"),
    ],
)
def test_epoch(text: str, seconds: float) -> None:
    assert epoch(text) == seconds


def test_the_module_needs_no_data_model() -> None:
    """`initsup get` must not pay for msgspec, which takes longer to import than everything else in it."""
    code = "import sys, initsup.core.columns; print(sorted({'msgspec', 'datetime', 'json'} & set(sys.modules)))"
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
