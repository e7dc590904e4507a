"""Rows of fieldRef and resourceFieldRef."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.node.fields import FieldError, metadata_field, pod_field, resource_field
from initsup.node.machine import Machine
from initsup.spec.pod import Container, ObjectMeta, ResourceRequirements
from initsup.spec.volume import ResourceFieldSelector
from tests.node.world import CONTEXT, MACHINE, manifest

METADATA = ObjectMeta(
    name="pod-1",
    namespace="team-a",
    labels={"b": "2", "a": "1"},
    annotations={"text": 'say "hi"\n\ttab \\ ü\x01', "x/y": ""},
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("metadata.name", "pod-1", id="name"),
        pytest.param("metadata.namespace", "team-a", id="namespace"),
        pytest.param("metadata.uid", CONTEXT.uid, id="uid, where the manifest has none"),
        pytest.param("metadata.labels", 'a="1"\nb="2"', id="all labels, sorted"),
        pytest.param(
            "metadata.annotations", 'text="say \\"hi\\"\\n\\ttab \\\\ ü\\x01"\nx/y=""', id="values are quoted"
        ),
        pytest.param("metadata.labels['a']", "1", id="one label"),
        pytest.param("metadata.annotations['x/y']", "", id="one annotation"),
        pytest.param("metadata.labels['none']", "", id="a label that is not there is empty"),
    ],
)
def test_metadata(path: str, expected: str) -> None:
    pod = manifest(metadata=METADATA).pod
    assert metadata_field(pod, path, CONTEXT) == expected
    assert pod_field(pod, path, CONTEXT) == expected


@pytest.mark.parametrize(
    ("path", "spec", "expected"),
    [
        pytest.param("spec.nodeName", {}, "node-1", id="the machine's name"),
        pytest.param("spec.nodeName", {"node_name": "n"}, "n", id="or what the manifest says"),
        pytest.param("spec.serviceAccountName", {}, "default", id="the default service account"),
        pytest.param("spec.serviceAccountName", {"service_account_name": "sa"}, "sa", id="a service account"),
        pytest.param(
            "spec.serviceAccountName", {"service_account": "sa"}, "sa", id="a service account by its old name"
        ),
        pytest.param("status.hostIP", {}, "192.0.2.7", id="the first address"),
        pytest.param("status.hostIPs", {}, "192.0.2.7,2001:db8::7", id="all addresses"),
        pytest.param("status.podIP", {}, "192.0.2.7", id="the pod has the host's address"),
        pytest.param("status.podIPs", {}, "192.0.2.7,2001:db8::7", id="and all of them"),
    ],
)
def test_other_fields(path: str, spec: dict[str, Any], expected: str) -> None:
    pod = manifest(**spec).pod
    assert pod_field(pod, path, CONTEXT) == expected
    with pytest.raises(FieldError):
        metadata_field(pod, path, CONTEXT)


def test_defaults_of_metadata() -> None:
    pod = manifest(metadata=ObjectMeta(name="p", uid="own")).pod
    assert [metadata_field(pod, f"metadata.{name}", CONTEXT) for name in ("namespace", "uid")] == ["default", "own"]


BOTH = ResourceRequirements(requests={"cpu": "250m", "memory": "32Mi"}, limits={"cpu": "1250m", "memory": "64Mi"})
LIMITS = ResourceRequirements(limits={"cpu": "500m", "memory": "1G", "hugepages-2Mi": "4Mi"})
NONE = ResourceRequirements()


@pytest.mark.parametrize(
    ("resources", "name", "divisor", "expected"),
    [
        pytest.param(BOTH, "limits.cpu", "0", "2", id="CPUs are rounded up"),
        pytest.param(BOTH, "limits.cpu", "1", "2", id="a divisor of 1 is the default"),
        pytest.param(BOTH, "limits.cpu", "1m", "1250", id="thousandths"),
        pytest.param(BOTH, "requests.cpu", "0", "1", id="a quarter is rounded up"),
        pytest.param(BOTH, "requests.cpu", "1m", "250", id="thousandths of a request"),
        pytest.param(BOTH, "limits.memory", "0", "67108864", id="bytes"),
        pytest.param(BOTH, "limits.memory", "1Mi", "64", id="MiB"),
        pytest.param(BOTH, "limits.memory", "1M", "68", id="MB are rounded up"),
        pytest.param(BOTH, "limits.memory", "1Gi", "1", id="GiB, too"),
        pytest.param(BOTH, "requests.memory", "1Ki", "32768", id="KiB of a request"),
        pytest.param(LIMITS, "requests.cpu", "1m", "500", id="a limit without a request is the request"),
        pytest.param(LIMITS, "requests.memory", "1", "1000000000", id="for memory as well"),
        pytest.param(LIMITS, "limits.hugepages-2Mi", "1Mi", "4", id="huge pages"),
        pytest.param(NONE, "limits.cpu", "0", "4", id="no limit: the machine's CPUs"),
        pytest.param(NONE, "limits.memory", "1Gi", "8", id="no limit: the machine's memory"),
        pytest.param(NONE, "limits.ephemeral-storage", "1Gi", "100", id="no limit: the machine's disk"),
        pytest.param(NONE, "limits.hugepages-2Mi", "1", "0", id="no limit: no huge pages"),
        pytest.param(NONE, "requests.cpu", "0", "0", id="no request"),
    ],
)
def test_resources(resources: ResourceRequirements, name: str, divisor: str, expected: str) -> None:
    container = Container(name="c", resources=resources)
    wanted = ResourceFieldSelector(resource=name, divisor=divisor)
    pod = manifest(container).pod
    assert resource_field(pod, container, wanted, MACHINE) == expected
    named = ResourceFieldSelector(resource=name, divisor=divisor, container_name="c")
    assert resource_field(pod, None, named, MACHINE) == expected


def test_an_init_container_can_be_named() -> None:
    pod = manifest(Container(name="c"), init_containers=(Container(name="i", resources=BOTH),)).pod
    wanted = ResourceFieldSelector(resource="limits.cpu", divisor="1m", container_name="i")
    assert resource_field(pod, None, wanted, MACHINE) == "1250"


def test_the_pods_limit_comes_before_the_machines() -> None:
    pod = manifest(resources=ResourceRequirements(limits={"cpu": "3"})).pod
    wanted = ResourceFieldSelector(resource="limits.cpu", container_name="c")
    assert resource_field(pod, None, wanted, MACHINE) == "3"


def test_this_machine() -> None:
    machine = Machine()
    assert machine.name
    assert all("." in ip or ":" in ip for ip in machine.ips)
    assert machine.cpu >= 1
    assert machine.memory > 2**20
    assert machine.storage > 0
