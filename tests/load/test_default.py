"""Defaults that depend on something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from initsup.load.default import pull_policy
from initsup.spec.base import to_dict
from initsup.spec.manifest import Manifest

Loaded = Callable[..., Manifest]


def pod(container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    listed = [{"name": "c", "command": ["a"], **container}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": listed, **spec}}


@pytest.mark.parametrize(
    ("given", "path", "expected"),
    [
        pytest.param(pod({}, volumes=[{"name": "v"}]), ("volumes", 0, "emptyDir"), {}, id="a volume is an emptyDir"),
        pytest.param(
            pod({}, terminationGracePeriodSeconds=-5), ("terminationGracePeriodSeconds",), 1, id="a negative grace is 1"
        ),
        pytest.param(
            pod({}, terminationGracePeriodSeconds=0), ("terminationGracePeriodSeconds",), 0, id="zero is zero"
        ),
        pytest.param(pod({}, restartPolicy=""), ("restartPolicy",), "Always", id="an empty restart policy is not set"),
        pytest.param(
            pod({"ports": [{"containerPort": 80}]}, hostNetwork=True),
            ("containers", 0, "ports", 0, "hostPort"),
            80,
            id="host ports are container ports on the host's network",
        ),
        pytest.param(
            pod({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "0.5"}}}),
            ("containers", 0, "resources", "requests"),
            {"cpu": "0.5", "memory": "1Gi"},
            id="requests are limits",
        ),
        pytest.param(
            pod({"livenessProbe": {"exec": {"command": ["a"]}, "periodSeconds": 0, "failureThreshold": 0}}),
            ("containers", 0, "livenessProbe", "periodSeconds"),
            10,
            id="a zero in a probe is not set",
        ),
        pytest.param(
            pod({"livenessProbe": {"httpGet": {"port": 1, "path": "", "scheme": ""}}}),
            ("containers", 0, "livenessProbe", "httpGet"),
            {"path": "/", "port": 1, "scheme": "HTTP"},
            id="an empty path and scheme of a probe",
        ),
        pytest.param(
            pod({"lifecycle": {"preStop": {"httpGet": {"port": 1, "path": ""}}}}),
            ("containers", 0, "lifecycle", "preStop", "httpGet"),
            {"path": "/", "port": 1, "scheme": "HTTP"},
            id="an empty path of a hook",
        ),
        pytest.param(
            pod({"resources": {"requests": {"cpu": "250m"}}}, resources={"limits": {"cpu": "1", "memory": "1Gi"}}),
            ("resources", "requests"),
            {"cpu": "250m", "memory": "1Gi"},
            id="the pod's requests are the containers', else its limits",
        ),
        pytest.param(
            pod({"resources": {"requests": {"cpu": "1"}}}, resources={"requests": {"memory": "1Gi"}}),
            ("resources", "requests"),
            {"memory": "1Gi"},
            id="without limits of the pod nothing is added",
        ),
    ],
)
def test_default(loaded: Loaded, given: dict[str, Any], path: tuple[str | int, ...], expected: object) -> None:
    found: Any = to_dict(loaded(given).pod.spec, defaults=True)
    for step in path:
        found = found[step]
    assert found == expected


def test_aggregate_of_sidecars_and_init_containers(loaded: Loaded) -> None:
    def needing(name: str, cpu: str, **fields: Any) -> dict[str, Any]:
        return {"name": name, "command": ["a"], "resources": {"requests": {"cpu": cpu}}, **fields}

    inits = [needing("s", "1", restartPolicy="Always"), needing("i", "5")]
    given = pod({"resources": {"requests": {"cpu": "500m"}}}, initContainers=inits, resources={"limits": {"cpu": "9"}})
    found = loaded(given).pod.spec.resources
    assert found is not None
    assert found.requests == {"cpu": "6"}


def test_namespace_and_uid(loaded: Loaded) -> None:
    one, two = (loaded(pod({})).pod.metadata for _ in range(2))
    assert one.namespace == "default"
    assert one.uid != two.uid
    assert [len(part) for part in one.uid.split("-")] == [8, 4, 4, 4, 12]
    assert one.uid[14] == "4"
    given = pod({})
    given["metadata"] = {"name": "p", "namespace": "n", "uid": "u"}
    kept = loaded(given).pod.metadata
    assert (kept.namespace, kept.uid) == ("n", "u")


def test_generate_name(loaded: Loaded) -> None:
    given = pod({})
    given["metadata"] = {"generateName": "job-"}
    name = loaded(given).pod.metadata.name
    assert name.startswith("job-")
    assert len(name) == 9


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("localhost:5000/nginx", "Always"),
        ("localhost:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
        ("", "IfNotPresent"),
    ],
)
def test_pull_policy(image: str, policy: str) -> None:
    assert pull_policy(image) == policy
