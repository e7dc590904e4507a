"""QoS classes and the numbers behind cgroups."""

from __future__ import annotations

import msgspec
import pytest

from initsup.core import qos
from initsup.spec.pod import PodSpec

GIB = 2**30


def spec(*containers: dict, init: tuple[dict, ...] = (), **fields: object) -> PodSpec:
    """Each container is given by its requests (r) and limits (l)."""

    def one(index: int, kind: str, given: dict) -> dict:
        resources = {"requests": given.get("r", {}), "limits": given.get("l", {})}
        policy = {"restartPolicy": "Always"} if given.get("sidecar") else {}
        return {"name": f"{kind}{index}", "resources": resources, **policy}

    return msgspec.convert(
        {
            "containers": [one(i, "c", given) for i, given in enumerate(containers)],
            "initContainers": [one(i, "i", given) for i, given in enumerate(init)],
            **fields,
        },
        PodSpec,
    )


FULL = {"l": {"cpu": "1", "memory": "1Gi"}}
FULL_POD = {"limits": {"cpu": "1", "memory": "1Gi"}}
CLASSES = [
    pytest.param(spec({}), "BestEffort", id="nothing asked for"),
    pytest.param(spec({"r": {"cpu": "0"}}), "BestEffort", id="zero is nothing"),
    pytest.param(spec({"r": {"ephemeral-storage": "1Gi"}}), "BestEffort", id="only cpu and memory count"),
    pytest.param(spec(FULL), "Guaranteed", id="limits only: they are the requests, too"),
    pytest.param(spec({"r": {"cpu": "1000m", "memory": "1Gi"}, **FULL}), "Guaranteed", id="equal however written"),
    pytest.param(spec({"r": {"cpu": "0"}, **FULL}), "Burstable", id="a request of zero is below its limit"),
    pytest.param(spec({"r": {"cpu": "500m"}, **FULL}), "Burstable", id="request below the limit"),
    pytest.param(spec({"l": {"cpu": "1"}}), "Burstable", id="one resource is not enough"),
    pytest.param(spec(FULL, {}), "Burstable", id="every container must have limits"),
    pytest.param(spec(FULL, init=({},)), "Burstable", id="init containers count"),
    pytest.param(spec(FULL, init=(FULL,)), "Guaranteed", id="init container with limits"),
    pytest.param(spec({}, resources=FULL_POD), "Guaranteed", id="limits of the pod alone"),
    pytest.param(
        spec({"r": {"cpu": "1"}}, resources={"requests": {"memory": "1Gi"}}), "Burstable", id="requests of the pod"
    ),
    pytest.param(
        spec({"r": {"cpu": "200m"}}, resources=FULL_POD), "Burstable", id="the pod's request follows the containers"
    ),
    pytest.param(spec({}, overhead={"cpu": "1"}), "BestEffort", id="overhead does not count"),
]


@pytest.mark.parametrize(("pod", "expected"), CLASSES)
def test_class(pod: PodSpec, expected: str) -> None:
    assert qos.qos_class(pod) == expected


NEEDS = [
    pytest.param(spec({}), qos.Needs(), id="nothing"),
    pytest.param(
        spec({"r": {"cpu": "100m", "memory": "64Mi"}}, {"r": {"cpu": "250m"}}),
        qos.Needs(cpu_request=350, memory_request=64 * 2**20),
        id="mains are added up",
    ),
    pytest.param(
        spec({"l": {"cpu": "1"}}, {"l": {"cpu": "2", "memory": "1Gi"}}),
        qos.Needs(cpu_request=3000, cpu_limit=3000, memory_request=GIB),
        id="a limit stands only when every container has one",
    ),
    pytest.param(
        spec({"r": {"cpu": "1"}}, init=({"r": {"cpu": "3"}}, {"r": {"cpu": "2"}})),
        qos.Needs(cpu_request=3000),
        id="the largest init container, if larger than the mains",
    ),
    pytest.param(
        spec({"r": {"cpu": "1"}}, init=({"r": {"cpu": "1"}, "sidecar": True}, {"r": {"cpu": "4"}})),
        qos.Needs(cpu_request=5000),
        id="an init container runs beside the sidecars before it",
    ),
    pytest.param(
        spec({"r": {"cpu": "1"}}, init=({"r": {"cpu": "4"}}, {"r": {"cpu": "5"}, "sidecar": True})),
        qos.Needs(cpu_request=6000),
        id="sidecars run beside the mains",
    ),
    pytest.param(
        spec({"r": {"cpu": "1"}}, init=({"r": {"cpu": "1"}, "sidecar": True}, {"r": {"cpu": "2"}, "sidecar": True})),
        qos.Needs(cpu_request=4000),
        id="all of them",
    ),
    pytest.param(
        spec({"r": {"cpu": "200m", "memory": "1Gi"}}, resources={"requests": {"cpu": "1", "memory": "2Gi"}}),
        qos.Needs(cpu_request=1000, memory_request=2 * GIB),
        id="the pod's own requests win over the containers'",
    ),
    pytest.param(
        spec(FULL, overhead={"cpu": "250m", "memory": "1Mi"}),
        qos.Needs(cpu_request=1250, cpu_limit=1250, memory_request=GIB + 2**20, memory_limit=GIB + 2**20),
        id="overhead is added",
    ),
    pytest.param(
        spec({"r": {"cpu": "200m"}}, resources=FULL_POD),
        qos.Needs(cpu_request=200, cpu_limit=1000, memory_request=GIB, memory_limit=GIB),
        id="the pod's own limits; its request is the containers', else the limit",
    ),
]


@pytest.mark.parametrize(("pod", "expected"), NEEDS)
def test_needs_of_the_pod(pod: PodSpec, expected: qos.Needs) -> None:
    assert qos.pod_needs(pod) == expected


def test_container_without_limit_gets_the_pods() -> None:
    pod = spec({"r": {"cpu": "200m"}}, {"l": {"cpu": "100m"}}, resources=FULL_POD)
    first, second = (qos.container_needs(pod, one) for one in pod.containers)
    assert first == qos.Needs(cpu_request=200, cpu_limit=1000, memory_limit=GIB)
    assert second == qos.Needs(cpu_request=100, cpu_limit=100, memory_limit=GIB)


@pytest.mark.parametrize(
    ("milli", "shares", "weight"),
    [
        (0, 2, 1),
        (1, 2, 1),
        (100, 102, 17),
        (250, 256, 35),
        (500, 512, 59),
        (1000, 1024, 100),
        (2000, 2048, 174),
        (4000, 4096, 303),
        (10**6, 262144, 10000),
    ],
)
def test_cpu_request(milli: int, shares: int, weight: int) -> None:
    assert qos.cpu_shares(milli) == shares
    assert qos.cpu_weight(shares) == weight


@pytest.mark.parametrize(("milli", "quota"), [(1, 1000), (10, 1000), (20, 2000), (1000, 100_000), (2500, 250_000)])
def test_cpu_limit(milli: int, quota: int) -> None:
    assert str(qos.cpu_quota(milli)) == str(quota)  # as it is written to a cgroup


ADJUST = [
    pytest.param(spec(FULL), -997, id="Guaranteed"),
    pytest.param(spec({}, priorityClassName="system-node-critical"), -997, id="critical for the node"),
    pytest.param(spec({}), 1000, id="BestEffort"),
    pytest.param(spec({"r": {"cpu": "1"}}), 999, id="Burstable without memory request"),
    pytest.param(spec({"r": {"memory": "1Gi"}}), 900, id="a tenth of the machine"),
    pytest.param(spec({"r": {"memory": "1073741823"}}), 901, id="a byte less"),
    pytest.param(spec({"r": {"memory": "5119Mi"}}), 501, id="nearly half of it"),
    pytest.param(spec({"r": {"memory": "10Gi"}}), 3, id="the whole machine"),
    pytest.param(
        spec({"r": {"memory": "1073741823"}}, resources={"requests": {"memory": "1073741823"}}),
        901,
        id="memory of the pod that a container has asked for is not shared out",
    ),
    pytest.param(
        spec({"r": {"memory": "1Gi"}}, {"r": {"memory": "1Gi"}}, resources={"requests": {"memory": "4Gi"}}),
        800,
        id="the rest of it is",
    ),
    pytest.param(
        spec({}, {}, resources={"requests": {"memory": "2Gi"}}), 900, id="memory of the pod is shared out equally"
    ),
]


@pytest.mark.parametrize(("pod", "expected"), ADJUST)
def test_oom_score(pod: PodSpec, expected: int) -> None:
    assert qos.oom_score_adj(pod, pod.containers[0], 10 * GIB) == expected


def test_sidecar_is_not_killed_before_the_mains() -> None:
    pod = spec({"r": {"memory": "2Gi"}}, {"r": {"memory": "3Gi"}}, init=({"r": {"memory": "1Gi"}, "sidecar": True},))
    assert qos.oom_score_adj(pod, pod.init_containers[0], 10 * GIB) == 800


def test_nor_when_it_has_a_share_of_the_pods_memory() -> None:
    shared = {"requests": {"memory": "3Gi"}}
    pod = spec({"r": {"memory": "1Gi"}}, init=({"sidecar": True},), resources=shared)
    assert qos.oom_score_adj(pod, pod.init_containers[0], 10 * GIB) == 800
    assert qos.oom_score_adj(pod, pod.containers[0], 10 * GIB) == 800


def test_an_init_container_is_no_sidecar() -> None:
    pod = spec({"r": {"memory": "2Gi"}}, init=({"r": {"memory": "1Gi"}},))
    assert qos.oom_score_adj(pod, pod.init_containers[0], 10 * GIB) == 900
