"""Wire names, and what is printed."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from initsup.spec.base import to_dict, wire_name
from initsup.spec.manifest import Secret
from initsup.spec.pod import Container, ContainerPort, EnvVar, EnvVarSource, ObjectMeta, Pod, PodSpec
from initsup.spec.probe import ExecAction, GRPCAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction
from initsup.spec.settings import ImageMapping, SupervisorConfiguration
from initsup.spec.status import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
    Event,
    EventList,
    PodCondition,
)
from initsup.spec.volume import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    ObjectFieldSelector,
    Volume,
)


@pytest.mark.parametrize(
    ("attribute", "wire"),
    [
        ("name", "name"),
        ("pod_ip", "podIP"),
        ("host_ips", "hostIPs"),
        ("container_id", "containerID"),
        ("uid", "uid"),
        ("image_id", "imageID"),
        ("host_pid", "hostPID"),
        ("host_ipc", "hostIPC"),
        ("downward_api", "downwardAPI"),
        ("fs_group", "fsGroup"),
        ("set_hostname_as_fqdn", "setHostnameAsFQDN"),
        ("scale_io", "scaleIO"),
        ("http_get", "httpGet"),
        ("dns_policy", "dnsPolicy"),
        ("ip", "ip"),
        ("from_", "from"),
        ("api_version", "apiVersion"),
        ("se_linux_options", "seLinuxOptions"),
        ("cluster_ip", "clusterIP"),
        ("sub_path_expr", "subPathExpr"),
    ],
)
def test_wire_name(attribute: str, wire: str) -> None:
    assert wire_name(attribute) == wire


POD = Pod(
    metadata=ObjectMeta(name="p"),
    spec=PodSpec(
        containers=(
            Container(
                name="c",
                liveness_probe=Probe(http_get=HTTPGetAction(port=80)),
                readiness_probe=Probe(grpc=GRPCAction(port=1)),
                ports=(ContainerPort(container_port=80),),
                env=(
                    EnvVar(
                        name="N", value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path="metadata.name"))
                    ),
                ),
            ),
        ),
        volumes=(
            Volume(name="v", empty_dir=EmptyDirVolumeSource()),
            Volume(name="h", host_path=HostPathVolumeSource(path="/x")),
            Volume(name="m", config_map=ConfigMapVolumeSource(name="m")),
        ),
    ),
)


def test_shortest_form() -> None:
    assert to_dict(POD, defaults=False) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {
            "volumes": [
                {"name": "v", "emptyDir": {}},
                {"name": "h", "hostPath": {"path": "/x"}},
                {"name": "m", "configMap": {"name": "m"}},
            ],
            "containers": [
                {
                    "name": "c",
                    "ports": [{"containerPort": 80}],
                    "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                    "livenessProbe": {"httpGet": {"port": 80}},
                    "readinessProbe": {"grpc": {"port": 1}},
                }
            ],
        },
    }


def test_form_with_defaults_is_what_kubectl_shows() -> None:
    numbers = {"periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3}
    assert to_dict(POD, defaults=True)["spec"] == {
        "volumes": [
            {"name": "v", "emptyDir": {}},
            {"name": "h", "hostPath": {"path": "/x", "type": ""}},
            {"name": "m", "configMap": {"name": "m", "defaultMode": 0o644}},
        ],
        "containers": [
            {
                "name": "c",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "env": [{"name": "N", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
                "resources": {},
                "livenessProbe": {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, **numbers},
                "readinessProbe": {"grpc": {"port": 1, "service": ""}, **numbers},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }


def test_what_is_filled_in_is_not_shared() -> None:
    first = to_dict(POD, defaults=True)
    first["spec"]["securityContext"]["runAsUser"] = 1
    assert to_dict(POD, defaults=True)["spec"]["securityContext"] == {}


@pytest.mark.parametrize(
    ("obj", "shown"),
    [
        pytest.param(
            ContainerStatus(name="c", image="i"),
            {
                "name": "c",
                "image": "i",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {},
                "lastState": {},
            },
            id="a container status always has ready, restartCount and its states",
        ),
        pytest.param(
            ContainerState(terminated=ContainerStateTerminated(reason="Completed")),
            {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": None, "finishedAt": None}},
            id="exit code 0 is shown",
        ),
        pytest.param(
            PodCondition(type="Ready", status="False"),
            {"type": "Ready", "status": "False", "lastProbeTime": None, "lastTransitionTime": None},
            id="lastProbeTime is shown as null",
        ),
        pytest.param(
            Lifecycle(pre_stop=LifecycleHandler(sleep=SleepAction())),
            {"preStop": {"sleep": {"seconds": 0}}},
            id="a sleep of 0 is shown",
        ),
    ],
)
def test_zero_values_that_are_shown(obj: msgspec.Struct, shown: dict[str, object]) -> None:
    assert to_dict(obj, defaults=True) == shown


def test_items_of_a_list_have_their_kind() -> None:
    tree = to_dict(EventList(items=(Event(reason="Started"),)), defaults=True)
    assert tree["kind"] == "EventList"
    assert tree["items"][0]["kind"] == "Event"
    assert tree["items"][0]["eventTime"] is None


def test_bytes_are_base64() -> None:
    assert to_dict(Secret(metadata=ObjectMeta(name="s"), data={"k": b"\xff"}), defaults=False)["data"] == {"k": "/w=="}


def test_shortest_form_reads_back_as_the_same_object() -> None:
    assert msgspec.convert(to_dict(POD, defaults=False), Pod) == POD
    assert msgspec.convert(to_dict(POD, defaults=True), Pod) == POD


def test_action_is_the_one_that_is_set() -> None:
    action = ExecAction(command=("true",))
    assert Probe(exec=action).action is action
    assert Probe().action is None
    assert LifecycleHandler(sleep=SleepAction(seconds=1)).action == SleepAction(seconds=1)
    assert Volume(name="v", host_path=HostPathVolumeSource(path="/")).source == HostPathVolumeSource(path="/")
    assert Volume(name="v", nfs={"server": "x"}).source is None


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param("nginx", "plain", id="the name itself"),
        pytest.param("nginx:1.27", "tagged", id="the name with its tag comes first"),
        pytest.param("nginx:latest", "plain", id="else the name without its tag"),
        pytest.param("nginx@sha256:abc", "plain", id="else the name without its digest"),
        pytest.param("nginx:1@sha256:abc", "plain", id="or without both"),
        pytest.param("localhost:5000/app", "registry", id="the port of a registry is no tag"),
        pytest.param("localhost:5000/app:2", "registry", id="a port and a tag"),
        pytest.param("nginx-other", None, id="another image"),
        pytest.param("", None, id="no image, whatever the table says of it"),
    ],
)
def test_image_mapping(image: str, expected: str | None) -> None:
    names = {"nginx": "plain", "nginx:1.27": "tagged", "localhost:5000/app": "registry", "": "none"}
    settings = SupervisorConfiguration(images={key: ImageMapping(command=(word,)) for key, word in names.items()})
    found = settings.mapping(image)
    assert (found.command[0] if found else None) == expected


def test_spec_imports_nothing_heavy() -> None:
    code = (
        "import sys; before = set(sys.modules); import initsup.spec.manifest, initsup.spec.status; print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"yaml", "tomllib", "json", "fractions", "dataclasses", "asyncio", "anyio", "difflib", "argparse"} & set(
        loaded
    )
