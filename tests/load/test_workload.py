"""Workloads, other kinds, several objects: what becomes the pod, and what is ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from initsup.errors import InvalidManifest
from initsup.load.read import load
from initsup.spec.manifest import Manifest

from .conftest import Errors, Write

Loaded = Callable[..., Manifest]
CONTAINER = {"name": "c", "command": ["a"]}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [CONTAINER]}}


def template(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [CONTAINER], **spec}}


def workload(kind: str, version: str = "apps/v1", policy: str | None = None, **spec: Any) -> dict[str, Any]:
    inner = template(**({"restartPolicy": policy} if policy else {}))
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "w", "namespace": "n", "labels": {"not": "taken"}},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": inner, **spec},
    }


CRON = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "w", "namespace": "n"},
    "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template(restartPolicy="Never")}}},
}


@pytest.mark.parametrize(
    "given",
    [
        workload("Deployment"),
        workload("StatefulSet"),
        workload("DaemonSet"),
        workload("ReplicaSet"),
        workload("ReplicationController", "v1"),
        workload("Job", "batch/v1", "OnFailure"),
        CRON,
    ],
    ids=lambda given: given["kind"],
)
def test_the_pod_of_a_workload(loaded: Loaded, given: dict[str, Any]) -> None:
    pod = loaded(given).pod
    assert (pod.metadata.name, pod.metadata.namespace, pod.metadata.labels) == ("w", "n", {"app": "x"})
    assert pod.spec.containers[0].name == "c"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(
            workload("Job", "batch/v1"),
            'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
            id="a Job has to say how it restarts",
        ),
        pytest.param(
            workload("Deployment", policy="Never"),
            'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
            id="a Deployment always restarts",
        ),
        pytest.param(
            workload("Deployment", template=1), "spec.template: must be an object", id="a template that is none"
        ),
        pytest.param(workload("Deployment", template={}), "spec.template.spec: Required value", id="an empty template"),
        pytest.param(
            workload("Deployment", "apps/v2"), 'apiVersion: Unsupported value: "apps/v2"', id="an old version"
        ),
        pytest.param(
            workload("Deployment", template={"spec": {"containers": [{"name": "A", "command": ["x"]}]}}),
            'spec.template.spec.containers[0].name: Invalid value: "A"',
            id="a rule of pods",
        ),
        pytest.param(
            {**workload("Deployment"), "metadata": {"name": "A_"}},
            'metadata.name: Invalid value: "A_"',
            id="the name of the workload",
        ),
    ],
)
def test_a_workload_that_is_wrong(errors: Errors, given: dict[str, Any], said: str) -> None:
    assert [line for line in errors(given) if line.startswith(said)]


def test_claim_templates_become_volumes(errors: Errors) -> None:
    mounting = {**CONTAINER, "volumeMounts": [{"name": "data", "mountPath": "/d"}]}
    given = workload(
        "StatefulSet",
        template={"spec": {"containers": [mounting]}},
        volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {}}],
    )
    assert errors(given) == [
        "spec.template.spec.volumes[0].persistentVolumeClaim: cannot be given here: there are no persistent volumes: "
        "use hostPath"
    ]


def test_what_is_ignored_is_listed(loaded: Loaded) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"anything": 1}}
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"}}
    far = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "far"}}
    manifest = loaded(workload("Deployment", replicas=3), service, ingress, far)
    assert manifest.ignored == (
        "Service s",
        "Ingress i",
        "replicas of Deployment w",
        "ConfigMap cm, which is in the namespace far and the pod in n",
    )
    assert manifest.config_maps == {}


def test_the_status_of_a_pod_is_ignored(loaded: Loaded) -> None:
    assert loaded({**POD, "status": {"phase": "Running"}}).ignored == ("status of Pod p",)


def test_an_object_without_a_namespace_is_in_the_pods(loaded: Loaded) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"a": "b"}}
    assert list(loaded(workload("Deployment"), config_map).config_maps) == ["cm"]


def test_string_data_wins_over_data(loaded: Loaded) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"a": "YQ==", "b": "Y\ng=="},
        "stringData": {"a": "x", "c": None},
    }
    assert loaded(POD, secret).secrets["s"].data == {"a": b"x", "b": b"b", "c": b""}


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        pytest.param(
            (POD, workload("Deployment")), ": 2 pods in one input: Pod p, Deployment w", id="a pod and a workload"
        ),
        pytest.param(({**POD, "kind": "pod"},), "kind: unknown kind", id="small letters"),
    ],
)
def test_not_one_pod(errors: Errors, objects: tuple[Any, ...], said: str) -> None:
    assert [line for line in errors(*objects) if line.startswith(said)]


def test_a_kind_with_a_slip(write: Write) -> None:
    path = write("a.yaml", "apiVersion: apps/v1\nkind: Deployement\nmetadata: {name: d}\n")
    with pytest.raises(
        InvalidManifest, match="there is no pod in it, found only Deployement d, did you mean Deployment"
    ):
        load([path])
