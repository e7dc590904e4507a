"""What a place cannot keep is said with the field, and with best effort it is done without."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from initsup.node.promises import broken, missing, reduced
from initsup.node.space import Way
from initsup.spec.base import to_dict
from initsup.spec.pod import Capabilities, Container, EphemeralContainer, PodSecurityContext, SecurityContext
from initsup.spec.settings import ImageMapping
from tests.node.world import as_user, empty_dir, manifest, mount, need_root, say

pytestmark = pytest.mark.real

OTHER = "initsup runs as user 1000 and cannot become another"


def container(*mounts: Any, **context: Any) -> Container:
    return Container(name="c", volume_mounts=mounts, security_context=SecurityContext(**context))


def pod(**context: Any) -> PodSecurityContext:
    return PodSecurityContext(**context)


def at(way: Way) -> Callable[[], tuple[Way, str]]:
    return lambda: (way, "operation not permitted" if way == "link" else "")


def nowhere() -> tuple[Way, str]:
    raise AssertionError("it does not matter how volumes get to containers")


def as_1000(work: Callable[[], object]) -> list[str]:
    """The lines that something prints as user 1000 of group 1000."""
    need_root()
    return as_user(1000, work).splitlines()


@pytest.mark.parametrize(
    ("one", "context", "said"),
    [
        pytest.param(
            container(run_as_user=5), {}, [f"spec.containers[0].securityContext.runAsUser: {OTHER}"], id="user"
        ),
        pytest.param(container(run_as_user=1000, run_as_group=1000), {}, [], id="its own user"),
        pytest.param(container(), {"run_as_group": 5}, [f"spec.securityContext.runAsGroup: {OTHER}"], id="group"),
        pytest.param(container(), {"fs_group": 5}, [f"spec.securityContext.fsGroup: {OTHER}"], id="group of volumes"),
        pytest.param(
            container(),
            {"supplemental_groups": (1000, 5)},
            [f"spec.securityContext.supplementalGroups: {OTHER}"],
            id="further groups",
        ),
        pytest.param(
            container(capabilities=Capabilities(add=("NET_ADMIN", "CAP_CHOWN"))),
            {},
            ["spec.containers[0].securityContext.capabilities.add: initsup itself lacks NET_ADMIN, CHOWN"],
            id="capabilities",
        ),
        pytest.param(container(capabilities=Capabilities(drop=("ALL",))), {}, [], id="fewer capabilities"),
    ],
)
def test_what_only_root_can_give(one: Container, context: dict[str, Any], said: list[str]) -> None:
    made = manifest(one, security_context=pod(**context))
    found = as_1000(lambda: [say(problem) for problem in broken(made, at("mount"))])
    assert found == [f"{line}, --best-effort does without it" for line in said]


def test_root_can_give_it() -> None:
    need_root()
    one = container(run_as_user=5, capabilities=Capabilities(add=("CHOWN",)))
    assert broken(manifest(one, security_context=pod(fs_group=5)), at("mount")) == []


@pytest.mark.parametrize(("way", "count"), [("user", 1), ("mount", 0)])
def test_no_mount_gets_out_of_a_user_namespace(way: Way, count: int) -> None:
    from initsup.spec.volume import HostPathVolumeSource, Volume

    volume = Volume(name="v", host_path=HostPathVolumeSource(path="/x"))
    one = container(mount("v", "/v", mount_propagation="Bidirectional"), privileged=True)
    found = [problem.path for problem in broken(manifest(one, volumes=(volume,)), at(way))]
    assert found == ["spec.containers[0].volumeMounts[0].mountPropagation"] * count


@pytest.mark.parametrize(("way", "count"), [("user", 1), ("link", 1), ("mount", 0)])
def test_processes_of_its_own_for_each_need_root_and_mounts(way: Way, count: int) -> None:
    made = manifest(container(), share_process_namespace=False)
    assert [problem.path for problem in broken(made, at(way))] == ["spec.shareProcessNamespace"] * count


def test_a_mode_of_volumes_is_a_promise() -> None:
    found = [str(problem) for problem in broken(manifest(mode="mount"), at("link"))]
    assert found == [
        "supervisor.volumes.mode: mounts are not permitted here: operation not permitted, --best-effort does without it"
    ]
    assert broken(manifest(mode="mount"), at("user")) == []


def test_an_ephemeral_container_is_one_of_them() -> None:
    one = EphemeralContainer(name="e", security_context=SecurityContext(read_only_root_filesystem=True))
    found = [problem.path for problem in broken(manifest(ephemeral_containers=(one,)), at("link"))]
    assert found == ["spec.ephemeralContainers[0].securityContext.readOnlyRootFilesystem"]


def test_the_place_is_only_asked_if_that_matters(tmp_path: Path) -> None:
    one = container(mount("v", str(tmp_path / "x")), run_as_user=os.geteuid())
    assert broken(manifest(one, volumes=(empty_dir(),)), nowhere) == []


@pytest.mark.parametrize(
    ("way", "there", "said"),
    [
        pytest.param("link", [], ["/proc and no /dev"], id="nothing is there"),
        pytest.param("link", ["proc/self"], ["/dev"], id="/proc is there"),
        pytest.param("link", ["proc/self", "dev/null"], [], id="both are there"),
        pytest.param("mount", [], [], id="both will be mounted"),
    ],
)
def test_a_root_without_mounts_may_lack_what_others_have(
    tmp_path: Path, way: Way, there: list[str], said: list[str]
) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    made = manifest(Container(name="c", image="i"), images={"i": ImageMapping(rootfs=str(tmp_path))})
    text = "spec.containers[0].image: its rootfs has no {}, and to mount that is not permitted here"
    assert missing(made, at(way)) == [text.format(what) for what in said]
    assert missing(manifest(Container(name="c", image="other")), nowhere) == []


def test_best_effort_does_without_other_users() -> None:
    made = manifest(
        container(run_as_user=5, run_as_group=1000, run_as_non_root=True),
        security_context=pod(run_as_group=5, fs_group=5, supplemental_groups=(5, 1000)),
        best_effort=True,
    )
    found = as_1000(lambda: say(to_dict(reduced(made).pod.spec, defaults=False)))
    assert found == [
        "{'containers': [{'name': 'c', 'securityContext': {'runAsGroup': 1000, 'runAsNonRoot': True}}], "
        "'securityContext': {'supplementalGroups': [1000]}}"
    ]


def test_nothing_is_done_without_unless_it_must() -> None:
    one = container(run_as_user=5)
    assert reduced(manifest(one)).pod.spec.containers == (one,)
    if os.geteuid() == 0:
        assert reduced(manifest(one, best_effort=True)).pod.spec.containers == (one,)
