"""What was asked, as the rules read it."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.core.plan import Plan
from tests.build import container, hooks, planned, probe, rule, sidecar


@pytest.mark.parametrize(
    ("plan", "kind", "policy"),
    [
        pytest.param(planned(), "main", "Always", id="a container is a main container with the pod's policy"),
        pytest.param(planned(policy="Never"), "main", "Never", id="the pod's policy counts where a container has none"),
        pytest.param(
            planned(container(restart_policy="OnFailure"), policy="Never"),
            "main",
            "OnFailure",
            id="a container's own policy wins over the pod's",
        ),
        pytest.param(
            planned(container("m"), inits=(container(),), policy="OnFailure"),
            "init",
            "OnFailure",
            id="an init container has the pod's policy",
        ),
        pytest.param(
            planned(container("m"), inits=(container(restart_policy="Never"),)),
            "init",
            "Never",
            id="an init container with policy Never is no sidecar",
        ),
        pytest.param(
            planned(container("m"), inits=(sidecar("a"),), policy="Never"),
            "sidecar",
            "Always",
            id="an init container with policy Always is a sidecar",
        ),
        pytest.param(
            planned(container(restart_policy="Always"), policy="Never"),
            "main",
            "Always",
            id="a main container with policy Always stays a main container",
        ),
    ],
)
def test_kind_and_policy(plan: Plan, kind: str, policy: str) -> None:
    member = plan.members["a"]
    assert (member.kind, member.policy) == (kind, policy)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        pytest.param("i", "spec.initContainers{i}", id="an init container"),
        pytest.param("s", "spec.initContainers{s}", id="a sidecar"),
        pytest.param("m", "spec.containers{m}", id="a main container"),
    ],
)
def test_how_events_name_a_container(name: str, path: str) -> None:
    plan = planned(container("m"), inits=(container("i"), sidecar()))
    assert plan.members[name].field_path == path


def test_members_are_in_the_order_in_which_they_start() -> None:
    plan = planned(container("b"), container("a"), inits=(sidecar(), container("i")))
    assert list(plan.members) == ["s", "i", "b", "a"]
    assert [m.name for m in plan.inits] == ["s", "i"]
    assert [m.name for m in plan.mains] == ["b", "a"]


def test_a_pod_in_messages() -> None:
    assert planned().full_name == "p_default(u)"


def test_a_pod_without_a_namespace_is_in_the_default_one() -> None:
    from msgspec.structs import replace

    plan = planned()
    bare = replace(plan.pod, metadata=replace(plan.pod.metadata, namespace=""))
    assert replace(plan, asked=replace(plan.asked, pod=bare)).full_name == "p_default(u)"


PROBES: dict[str, Any] = {
    "startup_probe": probe(period_seconds=1),
    "liveness_probe": probe(period_seconds=2),
    "readiness_probe": probe(period_seconds=3),
}


@pytest.mark.parametrize(
    ("plan", "kinds"),
    [
        pytest.param(planned(container(**PROBES)), ["startup", "liveness", "readiness"], id="of a main container"),
        pytest.param(
            planned(container("m"), inits=(sidecar("a", **PROBES),)),
            ["startup", "liveness", "readiness"],
            id="of a sidecar",
        ),
        pytest.param(
            planned(container("m"), inits=(container("a", **PROBES),)), [], id="an init container is never probed"
        ),
        pytest.param(planned(container(liveness_probe=probe())), ["liveness"], id="only those that are asked for"),
    ],
)
def test_probes(plan: Plan, kinds: list[str]) -> None:
    assert [kind for kind, _ in plan.members["a"].probes] == kinds


@pytest.mark.parametrize(
    ("lifecycle", "post_start", "pre_stop"),
    [
        pytest.param(None, False, False, id="none"),
        pytest.param(hooks(), False, False, id="an empty lifecycle"),
        pytest.param(hooks(post_start=True), True, False, id="postStart"),
        pytest.param(hooks(pre_stop=True), False, True, id="preStop"),
    ],
)
def test_hooks(lifecycle: Any, post_start: bool, pre_stop: bool) -> None:
    member = planned(container(lifecycle=lifecycle)).members["a"]
    assert (member.post_start, member.pre_stop) == (post_start, pre_stop)


RESTART_ALL = container("x", restart_policy="Never", restart_policy_rules=(rule("RestartAllContainers", 1),))


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        pytest.param(planned(), False, id="no rules"),
        pytest.param(planned(container(restart_policy_rules=(rule("Restart", 1),))), False, id="another rule"),
        pytest.param(planned(container(), RESTART_ALL), True, id="a main container's rule"),
        pytest.param(planned(inits=(RESTART_ALL,)), True, id="an init container's rule"),
    ],
)
def test_whether_some_exit_restarts_all(plan: Plan, expected: bool) -> None:
    assert plan.restarts_all is expected
