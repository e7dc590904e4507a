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


def container(word: str) -> dict[str, Any]:
    """A container status from a word such as `a:run`: running and ready; `:up`: running, not ready; `:new`: running,
    not yet started; `:3`: ended with 3; `:sig9`: ended by a signal, no reason given; `:code3`: ended, no reason given;
    `:Reason`: waiting; `:`: waiting without a reason. `@30` after it: its last run ended with 1, 30 s ago; `#2`: it
    was restarted twice.
    """
    name, _, rest = word.partition(":")
    rest, _, last = rest.partition("@")
    rest, _, count = rest.partition("#")
    found: dict[str, Any] = {"name": name, "ready": rest == "run", "started": rest in ("run", "up")}
    found |= {"restartCount": int(count or 0), "state": state(rest)}
    if last:
        found["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": at(float(last))}}
    return found


def state(word: str) -> dict[str, Any]:
    if word in ("run", "up", "new"):
        return {"running": {"startedAt": at(60)}}
    if word.isdigit():
        return {"terminated": {"exitCode": int(word), "reason": "Completed" if word == "0" else "Error"}}
    if word.startswith(("sig", "code")):
        number = int(word.lstrip("sigcode"))
        return {"terminated": {"exitCode": number, "signal": number if word.startswith("sig") else 0}}
    if word == "OOMKilled":
        return {"terminated": {"exitCode": 0, "reason": word}}
    return {"waiting": {"reason": word} if word else {}}


def pod(words: str, phase: str = "Running", true: str = "", deleted: bool = False, **status: Any) -> dict[str, Any]:
    """A pod of these containers: i… are init containers, s and t sidecars, others main ones; `true`: conditions."""
    found = [container(word) for word in words.split()]
    inits = [c for c in found if c["name"][0] in "ist"]
    mains = [c for c in found if c not in inits]
    sidecar = {"restartPolicy": "Always"}
    return {
        "metadata": {"name": "p", "creationTimestamp": at(100)} | ({"deletionTimestamp": at(1)} if deleted else {}),
        "spec": {
            "containers": [{"name": c["name"]} for c in mains],
            "initContainers": [{"name": c["name"]} | (sidecar if c["name"] in "st" else {}) for c in inits],
        },
        "status": {
            "phase": phase,
            "conditions": [{"type": name, "status": "True"} for name in true.split()],
            "initContainerStatuses": inits,
            "containerStatuses": mains,
            **status,
        },
    }


GATED = [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]
WAIT = "a:PodInitializing"


def rule(meaning: str, given: dict[str, Any], *shown: str) -> Any:
    return pytest.param(given, *shown, id=meaning)


@pytest.mark.parametrize(
    ("given", "ready", "text"),
    [
        # One kind of container
        rule("all that are ready count", pod("a:run b:up c:run"), "2/3", "Running"),
        rule("a container that waits shows why", pod("a:ContainerCreating", "Pending"), "0/1", "ContainerCreating"),
        rule("running but not ready is Running", pod("a:up"), "0/1", "Running"),
        rule("an ended container shows how it ended", pod("a:1"), "0/1", "Error"),
        rule("back-off", pod("a:CrashLoopBackOff@30"), "0/1", "CrashLoopBackOff"),
        rule("back-off beside a ready one", pod("a:run b:CrashLoopBackOff@30"), "1/2", "CrashLoopBackOff"),
        rule("one that never ran", pod("a:run b:ContainerCreating", "Pending"), "1/2", "ContainerCreating"),
        rule("a start error", pod("a:RunContainerError@3"), "0/1", "RunContainerError"),
        rule("one completed, one runs, pod not ready", pod("a:0 b:run"), "1/2", "NotReady"),
        rule("one completed, one runs, pod ready", pod("a:0 b:run", true="Ready"), "1/2", "Running"),
        rule("one completed, one runs unready", pod("a:0 b:up"), "0/2", "Completed"),
        rule("a failure wins over a running one", pod("a:1 b:run"), "1/2", "Error"),
        rule("a failure wins over a completion", pod("a:0 b:3", "Failed"), "0/2", "Error"),
        rule("all completed", pod("a:0 b:0", "Succeeded"), "0/2", "Completed"),
        rule("a failure whose restart is pending", pod("a:0 b:3"), "0/2", "Error"),
        rule("the first by name has the last word: completed", pod("a:0 b:CrashLoopBackOff@3"), "0/2", "Completed"),
        rule("… failed", pod("a:1 b:CrashLoopBackOff@3"), "0/2", "Error"),
        rule("… waiting", pod("a:CrashLoopBackOff@3 b:1"), "0/2", "CrashLoopBackOff"),
        rule("an end without a reason shows its code", pod("a:code2"), "0/1", "ExitCode:2"),
        rule("… or its signal", pod("a:sig11"), "0/1", "Signal:11"),
        rule("a reason other than Completed stays", pod("a:OOMKilled", "Succeeded"), "0/1", "OOMKilled"),
        rule("waiting without a reason leaves the phase", pod("a:", "Pending"), "0/1", "Pending"),
        # Init containers
        rule("the first of two inits runs", pod(f"i0:up i1:PodInitializing {WAIT}", "Pending"), "0/1", "Init:0/2"),
        rule("the second of two inits is next", pod(f"i0:0 i1:PodInitializing {WAIT}", "Pending"), "0/1", "Init:1/2"),
        rule("no init container has run yet", pod(f"i0:PodInitializing {WAIT}", "Pending"), "0/1", "Init:0/1"),
        rule("an init that waits without a reason", pod(f"i0: {WAIT}", "Pending"), "0/1", "Init:0/1"),
        rule("a failed init container", pod(f"i0:1 {WAIT}", "Pending"), "0/1", "Init:Error"),
        rule("an init in back-off", pod(f"i0:CrashLoopBackOff@3 {WAIT}", "Pending"), "0/1", "Init:CrashLoopBackOff"),
        rule("an init that failed for good", pod(f"i0:1 {WAIT}", "Failed"), "0/1", "Init:Error"),
        rule("a failed init without a reason shows its code", pod(f"i0:code3 {WAIT}"), "0/1", "Init:ExitCode:3"),
        rule("… or its signal", pod(f"i0:sig9 {WAIT}"), "0/1", "Init:Signal:9"),
        rule("inits are through, the main one is next", pod(f"i0:0 {WAIT}", "Pending"), "0/1", "PodInitializing"),
        # Sidecars
        rule("a sidecar that has not started", pod(f"s:new {WAIT}", "Pending"), "0/2", "Init:0/1"),
        rule("a started sidecar counts as done", pod(f"s:run i:PodInitializing {WAIT}", "Pending"), "1/2", "Init:1/2"),
        rule("a ready sidecar, the main one is next", pod(f"s:run {WAIT}", "Pending"), "1/2", "PodInitializing"),
        rule("sidecar and main ready", pod("s:run a:run", true="Initialized Ready"), "2/2", "Running"),
        rule("a sidecar that is not ready", pod("s:up a:run", true="Initialized"), "1/2", "Running"),
        rule(
            "a sidecar in back-off shows also in an initialized pod",
            pod("s:CrashLoopBackOff@3 a:run", true="Initialized"), "1/2", "Init:CrashLoopBackOff",
        ),
        rule(
            "… unless a main container has something to say",
            pod("s:CrashLoopBackOff@3 a:ErrImagePull", true="Initialized"), "0/2", "ErrImagePull",
        ),
        rule("one after a failed one is not counted", pod("s:1 t:run a:run", true="Initialized"), "1/3", "Init:Error"),
        rule("main completed, its sidecar runs", pod("s:run a:0", true="Initialized"), "1/2", "Completed"),
        rule("main completed, sidecar killed", pod("s:137 a:0", "Succeeded", "Initialized"), "0/2", "Completed"),
        rule("main and sidecar completed", pod("s:0 a:0", "Succeeded", "Initialized"), "0/2", "Completed"),
        # The pod itself
        rule("being deleted", pod("a:run", deleted=True), "1/1", "Terminating"),
        rule("deleted before it ran", pod("a:ContainerCreating", "Pending", deleted=True), "0/1", "Terminating"),
        rule("being deleted, its container has ended", pod("a:1", deleted=True), "0/1", "Terminating"),
        rule("deleted and succeeded", pod("a:0", "Succeeded", deleted=True), "0/1", "Completed"),
        rule("deleted and failed", pod("a:143", "Failed", deleted=True), "0/1", "Error"),
        rule("deleted while its node is lost", pod("a:run", deleted=True, reason="NodeLost"), "1/1", "Unknown"),
        rule("the pod's reason wins over its phase", pod("a:run", "Failed", reason="Evicted"), "1/1", "Evicted"),
        rule("… and a container's over the pod's", pod("a:143", "Failed", reason="DeadlineExceeded"), "0/1", "Error"),
        rule("held back by a gate", pod("", "Pending", conditions=GATED), "0/0", "SchedulingGated"),
        rule("no container statuses yet", {"status": {"phase": "Pending"}}, "0/0", "Pending"),
        rule("an empty object", {}, "0/0", ""),
    ],
)  # fmt: skip
def test_ready_and_status(given: dict[str, Any], ready: str, text: str) -> None:
    shown = row(given, NOW)
    assert (shown.ready, shown.status) == (ready, text)
    assert status_text(given) == text


def test_name_and_age() -> None:
    shown = row(pod("a:run"), NOW)
    assert (shown.name, shown.age) == ("p", "100s")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        rule("none", pod("a:run"), "0"),
        rule("with the end of the run before", pod("a:run#2@75"), "2 (75s ago)"),
        rule("a count without a known end", pod("a:run#2"), "2"),
        rule("an end without a count", pod("a:run@30"), "0"),
        rule("summed, with the newest end", pod("a:run#1@5 b:run#3@200"), "4 (5s ago)"),
        rule("while it initializes: those of the inits so far", pod(f"i0:0#1@9 i1:1#2@3 {WAIT}"), "3 (3s ago)"),
        rule("… and not of later ones", pod(f"i0:1#1 i1:#5 {WAIT}"), "1"),
        rule("those of inits are forgotten afterwards", pod("i0:0#4@30 a:run", true="Initialized"), "0"),
        rule("… but not those of sidecars", pod("i0:0#4 s:run#2@8 a:run#1", true="Initialized"), "3 (8s ago)"),
        rule("… also of one in back-off", pod("s:CrashLoopBackOff#2@8 a:run#1", true="Initialized"), "3 (8s ago)"),
    ],
)
def test_restarts(given: dict[str, Any], text: str) -> None:
    assert row(given, NOW).restarts == text


def test_summary_counts() -> None:
    given = pod("a:run#2@7 b:CrashLoopBackOff")
    assert summary(given) == ("CrashLoopBackOff", 1, 2, 2, NOW - 7)


def test_wide_columns_of_a_bare_pod() -> None:
    assert row(pod("a:run"), NOW)[5:] == ("<none>",) * 4


def test_wide_columns() -> None:
    given = pod("a:run", podIP="10.0.0.7", nominatedNodeName="n2", true="example.com/one")
    gates = [{"conditionType": f"example.com/{name}"} for name in ("one", "two", "three")]
    given["spec"] |= {"nodeName": "n1", "readinessGates": gates}
    assert row(given, NOW)[5:] == ("10.0.0.7", "n1", "n2", "1/3")


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
