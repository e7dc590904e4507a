"""`initsup describe`: kubectl's layout, and what it does not tell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from initsup.cli.describe import text
from initsup.cli.describe_container import action, containers, probe
from initsup.cli.describe_volume import volumes
from initsup.cli.table import align
from initsup.core.columns import epoch
from tests.cli.conftest import Initsup
from tests.cli.sample import Object, event, events, pod

Ended = Callable[..., Path]
NOW = epoch("2026-03-01T12:00:00Z")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def described(given: Object, listing: Object | None = None) -> str:
    return "\n".join(align(text(given, listing, NOW)))


def section(container: dict[str, Any], status: dict[str, Any] | None = None) -> list[str]:
    """The lines of one container."""
    given = {"metadata": {"name": "web", "labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", **container}]}}
    given["status"] = {"containerStatuses": [{"name": "c", **status}] if status is not None else []}
    return [line.removeprefix("    ") for line in align(containers("Containers", given, "containers", NOW))[2:]]


def test_a_whole_pod() -> None:
    given = pod(now=NOW, labels={"app": "web", "a": "b"}, annotations={"note": "two\nlines"})
    given["spec"] |= {
        "readinessGates": [{"conditionType": "example.com/go"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    given["status"] |= {"startTime": "2026-02-27T11:59:00Z", "qosClass": "BestEffort", "hostIP": "127.0.0.1"}
    listing = events(
        event("BackOff", "Back-off", 10, count=3, kind="Warning", now=NOW), event("Killing", "a\nb", 20, now=NOW)
    )
    assert (
        described(given, listing).splitlines()
        == """\
Name:         web
Namespace:    default
Node:         here/127.0.0.1
Start Time:   Fri, 27 Feb 2026 11:59:00 +0000
Labels:       a=b
              app=web
Annotations:  note: two\\nlines
Status:       Running
IP:           127.0.0.1
IPs:          <none>
Containers:
  app:
    Container ID:
    Image:         host
    Port:          <none>
    Host Port:     <none>
    Command:
      sleep
      9
    State:          Running
      Started:      Sun, 01 Mar 2026 11:58:30 +0000
    Ready:          True
    Restart Count:  0
    Environment:    <none>
    Mounts:         <none>
Readiness Gates:
  Type             Status
  example.com/go   <none>
Conditions:
  Type    Status  Reason
  Ready   True
Volumes:
  v:
    Type:        EmptyDir (a temporary directory that shares a pod's lifetime)
    Medium:
    SizeLimit:   <unset>
QoS Class:       BestEffort
Node-Selectors:  <none>
Events:
  Type     Reason   Age                From          Message
  ----     ------   ----               ----          -------
  Normal   Killing  20s                initsup, app  a
                                                     b
  Warning  BackOff  10s (x3 over 70s)  initsup, app  Back-off""".splitlines()
    )


def test_events_may_be_left_out() -> None:
    assert "Events:" not in described(pod())
    assert described(pod(), events()).splitlines()[-1].split() == ["Events:", "<none>"]


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        pytest.param(pod(now=NOW), ["Status: Running"], id="the phase"),
        pytest.param(
            pod(now=NOW, deletionTimestamp="2026-03-01T12:00:20Z", deletionGracePeriodSeconds=30),
            ["Status: Terminating (ends within 20s)", "Termination Grace Period: 30s"],
            id="being deleted",
        ),
        pytest.param(
            pod(now=NOW, deletionTimestamp="2026-03-01T11:59:50Z"),
            ["Status: Terminating (lasts 10s)"],
            id="being deleted, and it takes longer than it may",
        ),
        pytest.param(
            pod("Succeeded", now=NOW, deletionTimestamp="2026-03-01T11:59:50Z"),
            ["Status: Succeeded"],
            id="it has ended",
        ),
        pytest.param(
            {"status": {"phase": "Failed", "reason": "Evicted", "message": "too big"}},
            ["Status: Failed", "Reason: Evicted", "Message: too big"],
            id="the pod's own reason",
        ),
        pytest.param({"status": {"podIPs": [{"ip": "::1"}]}}, ["IPs:", "  IP: ::1"], id="addresses"),
        pytest.param({"spec": {"priority": 0}}, ["Priority: 0"], id="a priority of 0"),
        pytest.param({}, ["Node: <none>", "IP:", "IPs: <none>"], id="an empty object"),
    ],
)
def test_head(given: Object, lines: list[str]) -> None:
    found = [line.replace("\t", " ").rstrip() for line in text(given, None, NOW)]
    assert [line for line in found if line in lines] == lines


RUNNING = {"state": {"running": {"startedAt": "2026-03-01T11:00:00Z"}}, "ready": True, "restartCount": 2}
KILLED = {"exitCode": 137, "signal": 9, "reason": "OOMKilled", "finishedAt": "2026-03-01T11:59:55Z"}
BACK_OFF = "back-off 20s restarting failed container=c pod=web_default(u)"


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        pytest.param(
            RUNNING, ["State:          Running", "  Started:      Sun, 01 Mar 2026 11:00:00 +0000"], id="running"
        ),
        pytest.param(RUNNING, ["Ready:          True", "Restart Count:  2"], id="ready, and its restarts"),
        pytest.param({}, ["State:          Waiting", "Ready:          False"], id="nothing is known yet"),
        pytest.param(
            {"state": {"terminated": KILLED}},
            [
                "State:          Terminated",
                "  Reason:       OOMKilled",
                "  Exit Code:    137",
                "  Signal:       9",
                "  Started:      <unknown>",
                "  Finished:     Sun, 01 Mar 2026 11:59:55 +0000",
            ],
            id="ended",
        ),
        pytest.param(
            {"state": {"terminated": {"exitCode": 1, "message": "one\ntwo\n"}}},
            ["  Message:      one", "                two", "  Exit Code:    1"],
            id="a message of two lines",
        ),
        pytest.param(
            {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": KILLED}},
            ["State:          Waiting", "  Reason:       CrashLoopBackOff", "Last State:     Terminated"],
            id="the run before",
        ),
        pytest.param(
            {"state": {"waiting": {"message": BACK_OFF}}, "lastState": {"terminated": KILLED}},
            [f"Waits Because:  {BACK_OFF}", "Next Try:       in 15s"],
            id="why it waits and when it is tried again",
        ),
        pytest.param(
            {
                "state": {"waiting": {"message": BACK_OFF}},
                "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-03-01T11:00:00Z"}},
            },
            ["Next Try:       now"],
            id="… which is due",
        ),
        pytest.param(
            {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}}},
            ['Waits Because:  secret "s" not found'],
            id="why it waits, when it is no back-off",
        ),
    ],
)
def test_state_of_a_container(status: dict[str, Any], lines: list[str]) -> None:
    found = section({}, status)
    start = found.index(lines[0])
    assert found[start : start + len(lines)] == lines


@pytest.mark.parametrize(
    ("container", "lines"),
    [
        pytest.param({"image": "nginx:1"}, ["Image:        nginx:1"], id="the image"),
        pytest.param({"command": ["sh", "-c", "a\nb"]}, ["Command:", "  sh", "  -c", "  a", "  b"], id="a command"),
        pytest.param({"args": ["x"]}, ["Args:", "  x"], id="arguments"),
        pytest.param(
            {"ports": [{"containerPort": 80, "hostPort": 81}]},
            ["Port:         80/TCP", "Host Port:    81/TCP"],
            id="a port",
        ),
        pytest.param(
            {"ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]},
            ["Ports:        80/TCP, 53/UDP", "Host Ports:   0/TCP, 0/UDP"],
            id="ports",
        ),
        pytest.param(
            {"resources": {"limits": {"memory": "1Gi", "cpu": "1"}, "requests": {"cpu": "1m"}}},
            ["Limits:", "  cpu:     1", "  memory:  1Gi", "Requests:", "  cpu:        1m"],
            id="resources",
        ),
        pytest.param({"restartPolicy": "Always"}, ["Restart Policy:  Always"], id="a sidecar's restartPolicy"),
        pytest.param(
            {"lifecycle": {"preStop": {"exec": {"command": ["a", "b"]}}, "stopSignal": "SIGINT"}},
            ["Pre Stop:     exec [a b]", "Stop Signal:  SIGINT"],
            id="hooks",
        ),
        pytest.param({"env": []}, ["Environment:  <none>"], id="no environment"),
        pytest.param({"env": [{"name": "A", "value": "x\ny"}]}, ["Environment:", "  A:  x", "      y"], id="a value"),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            ["Environment:", "  A:    web (v1:metadata.name)"],
            id="a field of the pod",
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}}]},
            ["Environment:", "  A:    x (v1:metadata.labels['app'])"],
            id="a label of the pod",
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]},
            ["Environment:", "  A:    (limits.cpu)"],
            id="a resource",
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            ["Environment:", "  A:    <set to the key 'k' in secret 's'>  Optional: false"],
            id="a secret is named, its value is not shown",
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "k", "optional": True}}}]},
            ["Environment:", "  A:    <set to the key 'k' of config map 's'>  Optional: true"],
            id="a config map",
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "p", "key": "k"}}}]},
            ["Environment:", "  A:    <set to the key 'k' of file 'p' in volume 'v'>  Optional: false"],
            id="a file",
        ),
        pytest.param(
            {
                "envFrom": [
                    {"secretRef": {"name": "s"}},
                    {"prefix": "P_", "configMapRef": {"name": "cm", "optional": True}},
                ]
            },
            [
                "Environment Variables from:",
                "  s           Secret                        Optional: false",
                "  cm          ConfigMap with prefix 'P_'    Optional: true",
            ],
            id="many variables at once",
        ),
        pytest.param(
            {
                "volumeMounts": [
                    {"name": "v", "mountPath": "/b", "readOnly": True},
                    {"name": "v", "mountPath": "/a", "subPath": "s"},
                ]
            },
            ["Mounts:", '  /a from v (rw,path="s")', "  /b from v (ro)"],
            id="mounts, sorted by path",
        ),
    ],
)
def test_a_container(container: dict[str, Any], lines: list[str]) -> None:
    found = section(container)
    squeezed = [" ".join(line.split()) for line in found]
    wanted = [" ".join(line.split()) for line in lines]
    start = squeezed.index(wanted[0])
    assert squeezed[start : start + len(wanted)] == wanted


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        pytest.param({"exec": {"command": ["cat", "/x"]}}, "exec [cat /x]", id="exec"),
        pytest.param({"httpGet": {"port": 80, "path": "/z"}}, "http-get http://:80/z", id="http"),
        pytest.param(
            {"httpGet": {"port": "web", "scheme": "HTTPS", "host": "h"}}, "http-get https://h:web/", id="https"
        ),
        pytest.param({"httpGet": {"port": 1, "host": "::1"}}, "http-get http://[::1]:1/", id="an IPv6 host"),
        pytest.param({"tcpSocket": {"port": 5432}}, "tcp-socket :5432", id="tcp"),
        pytest.param({"grpc": {"port": 9, "service": "s"}}, "grpc <pod>:9 s", id="grpc"),
        pytest.param({"sleep": {"seconds": 5}}, "sleep 5s", id="sleep"),
        pytest.param({}, "unknown", id="none"),
    ],
)
def test_an_action(given: dict[str, Any], shown: str) -> None:
    assert action(given) == shown


def test_a_probe_with_its_numbers() -> None:
    given = {"tcpSocket": {"port": 1}, "initialDelaySeconds": 5, "periodSeconds": 2, "failureThreshold": 1}
    assert probe(given) == "tcp-socket :1 delay=5s timeout=1s period=2s #success=1 #failure=1"


@pytest.mark.parametrize(
    ("volume", "lines"),
    [
        pytest.param(
            {"hostPath": {"path": "/x", "type": "File"}},
            ["Type: HostPath", "Path: /x", "HostPathType: File"],
            id="hostPath",
        ),
        pytest.param(
            {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            ["Type: EmptyDir", "Medium: Memory", "SizeLimit: 1Mi"],
            id="emptyDir",
        ),
        pytest.param({"configMap": {"name": "c"}}, ["Type: ConfigMap", "Name: c", "Optional: false"], id="configMap"),
        pytest.param(
            {"secret": {"secretName": "s", "optional": True}},
            ["Type: Secret", "SecretName: s", "Optional: true"],
            id="secret",
        ),
        pytest.param(
            {"downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            ["Type: DownwardAPI", "Items:", "  metadata.labels -> p"],
            id="downwardAPI",
        ),
        pytest.param(
            {"projected": {"sources": [{"configMap": {"name": "c"}}, {"downwardAPI": {}}]}},
            ["Type: Projected", "ConfigMapName: c", "Optional: false", "DownwardAPI: true"],
            id="projected",
        ),
        pytest.param({"image": {"reference": "r"}}, ["Type: Image", "Reference: r"], id="image"),
        pytest.param({"nfs": {}}, ["Type: nfs"], id="what cannot be had here"),
        pytest.param({}, ["Type: <unknown>"], id="none"),
    ],
)
def test_a_volume(volume: dict[str, Any], lines: list[str]) -> None:
    found = [line.replace(":\t", ": ").partition(" (")[0] for line in volumes([{"name": "v", **volume}])]
    assert found == ["Volumes:", "  v:", *(f"    {line}" for line in lines)]


def test_init_containers_come_first(initsup: Initsup, ended: Ended) -> None:
    given = pod()
    given["spec"]["initContainers"] = [{"name": "setup"}]
    out = initsup("describe", "--state-dir", ended(given, events())).out
    assert out.index("Init Containers:\n  setup:\n") < out.index("\nContainers:\n  app:\n")


def test_a_run_that_left_no_events(initsup: Initsup, ended: Ended) -> None:
    done = initsup("describe", "--state-dir", ended(pod()))
    assert (done.code, done.err) == (0, "")
    assert "Events:" not in done.out


def test_events_can_be_left_out(initsup: Initsup, ended: Ended) -> None:
    assert "Events:" not in initsup("describe", "--show-events=false", "--state-dir", ended(pod())).out
