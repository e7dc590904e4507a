"""Limits hold, OOM kills are noticed, and nothing is left in the cgroup file system."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from initsup.core.qos import Needs
from initsup.node import hierarchies
from initsup.node.cgroups import Cgroups
from initsup.node.failures import SpawnError
from initsup.node.hierarchies import Hierarchy, find_hierarchies, make_ready
from initsup.node.limits import Limits, limits_of, oom_score, promised, unenforced
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Pod, PodSpec
from initsup.spec.settings import SupervisorConfiguration
from tests.node.launching import output_of, result_of, sh

MIB = 2**20
ALL = ("cpu", "memory", "pids")

VALUES = [
    pytest.param(Needs(), None, None, id="nothing asked for"),
    pytest.param(Needs(memory_limit=MIB, memory_request=MIB), None, Limits(memory=MIB), id="memory"),
    pytest.param(
        Needs(cpu_limit=500, cpu_request=250), None, Limits(cpu_quota=50_000, cpu_shares=256), id="CPU limit, request"
    ),
    pytest.param(Needs(cpu_limit=500), None, Limits(cpu_quota=50_000, cpu_shares=512), id="CPU limit without request"),
    pytest.param(Needs(cpu_request=250), None, Limits(cpu_shares=256), id="a request only weighs"),
    pytest.param(Needs(), 9, Limits(pids=9), id="the pod's limit on pids is every container's"),
    pytest.param(Needs(cpu_request=250), 9, Limits(cpu_shares=256, pids=9), id="beside what it asks for"),
]


@pytest.mark.parametrize(("needs", "pids", "expected"), VALUES)
def test_values(needs: Needs, pids: int | None, expected: Limits | None) -> None:
    assert limits_of(needs, pids) == expected


def test_what_asks_for_no_cpu_weighs_nothing_beside_what_does() -> None:
    assert limits_of(Needs(memory_limit=MIB), weighed=True) == Limits(memory=MIB, cpu_shares=2)
    assert limits_of(Needs(cpu_request=250), weighed=True) == Limits(cpu_shares=256)


PROMISES = [
    pytest.param(Limits(cpu_shares=5), (), id="shares are none"),
    pytest.param(Limits(memory=1, cpu_quota=1, pids=1), ("memory", "cpu", "pids"), id="limits are"),
]


@pytest.mark.parametrize(("limits", "expected"), PROMISES)
def test_promised(limits: Limits, expected: tuple[str, ...]) -> None:
    assert promised(limits) == expected


def test_oom_score_only_where_resources_are_given() -> None:
    pod = msgspec.convert({"containers": [{"name": "c"}]}, PodSpec)
    assert oom_score(pod, pod.containers[0]) is None
    pod = msgspec.convert({"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}, PodSpec)
    assert oom_score(pod, pod.containers[0]) == 999


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        pytest.param({}, [], id="all is there"),
        pytest.param({"pids": "why"}, ["podPidsLimit is not enforced here: why"], id="no pids: said once for the pod"),
        pytest.param(
            {"cpu": "why"}, ["b: its cpu limit is not enforced here: why"], id="no cpu: a request is no limit"
        ),
        pytest.param({"memory": "why"}, ["b: its memory limit is not enforced here: why"], id="no memory"),
    ],
)
def test_limits_that_do_not_hold_are_named(missing: dict[str, str], expected: list[str]) -> None:
    containers = [
        {"name": "a", "resources": {"requests": {"cpu": "1"}}},
        {"name": "b", "resources": {"limits": {"cpu": "1", "memory": "1Mi"}}},
    ]
    spec = msgspec.convert({"containers": containers}, PodSpec)
    asked = Manifest(pod=Pod(spec=spec), settings=SupervisorConfiguration(pod_pids_limit=9))
    assert unenforced(asked, lambda: missing) == expected


# -- files: a plain directory shows what is written ------------------------------------------------------------------

LIMITS = Limits(memory=64 * MIB, cpu_quota=50_000, cpu_shares=1024, pids=100)
FILES = [
    pytest.param(
        2,
        ALL,
        {
            "memory.max": str(64 * MIB),
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "cpu.weight": "100",
            "cpu.max": "50000 100000",
            "pids.max": "100",
        },
        id="version 2",
    ),
    pytest.param(
        1,
        ("memory",),
        {"memory.limit_in_bytes": str(64 * MIB), "memory.memsw.limit_in_bytes": str(64 * MIB)},
        id="version 1: memory",
    ),
    pytest.param(
        1,
        ("cpu",),
        {"cpu.shares": "1024", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"},
        id="version 1: cpu",
    ),
]


@pytest.mark.parametrize(("version", "controllers", "files"), FILES)
def test_files(tmp_path: Path, version: int, controllers: tuple[str, ...], files: dict[str, str]) -> None:
    (tmp_path / "cgroup.subtree_control").write_text(" ".join(ALL))
    cgroups = Cgroups("pod", Limits(memory=128 * MIB), [Hierarchy(version, str(tmp_path), controllers, str(tmp_path))])
    made = cgroups.make("c-0", LIMITS)
    leaf = tmp_path / "pod" / "c-0"
    assert made.procs == (f"{leaf}/cgroup.procs",)
    assert made.directory == str(leaf)
    assert {one.name: one.read_text() for one in leaf.iterdir()} == files
    assert not (tmp_path / "pod" / "memory.oom.group").exists()
    if version == 2:
        assert (tmp_path / "pod" / "memory.max").read_text() == str(128 * MIB)
        assert (tmp_path / "pod" / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


COUNTERS = [
    pytest.param(2, "memory.events", "low 0\nmax 7\noom 1\noom_kill 0\noom_group_kill 0\n", False, id="2: none"),
    pytest.param(2, "memory.events", "low 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 1\n", True, id="2: killed"),
    pytest.param(1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", False, id="1: none"),
    pytest.param(1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", True, id="1: killed"),
    pytest.param(1, "other", "", False, id="not there"),
]


@pytest.mark.parametrize(("version", "name", "content", "expected"), COUNTERS)
def test_oom_counter(tmp_path: Path, version: int, name: str, content: str, expected: bool) -> None:
    (tmp_path / "cgroup.subtree_control").write_text(" ".join(ALL))
    made = Cgroups("pod", None, [Hierarchy(version, str(tmp_path), ALL, str(tmp_path))]).make("c", LIMITS)
    (Path(made.directory) / name).write_text(content)
    assert made.oom_killed() == expected


# -- version 2: who may hand out controllers -------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Hierarchy:
    """A hierarchy in which initsup is the only process of a cgroup that was given all controllers."""
    own = tmp_path / "own"
    own.mkdir()
    (tmp_path / "cgroup.subtree_control").write_text(" ".join(ALL))
    (own / "cgroup.controllers").write_text(" ".join(ALL))
    (own / "cgroup.subtree_control").write_text("")
    (own / "cgroup.procs").write_text(f"{os.getpid()}\n")
    return Hierarchy(2, str(own), ALL, str(tmp_path))


def test_supervisor_makes_room(own: Hierarchy) -> None:
    assert hierarchies._obstacle(own) == ""
    assert make_ready(own) == own
    base = Path(own.base)
    assert (base / "supervisor" / "cgroup.procs").read_text() == "0"
    assert (base / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_beside_other_processes_a_cgroup_at_the_top_is_taken(own: Hierarchy) -> None:
    (Path(own.base) / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    assert make_ready(own).base == f"{own.top}/initsup"
    assert (Path(own.top) / "initsup" / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert not (Path(own.base) / "supervisor").exists()


def test_controllers_that_were_not_given(own: Hierarchy) -> None:
    (Path(own.base) / "cgroup.controllers").write_text("cpu memory")
    assert hierarchies._obstacle(own) == f"{own.base} was not given the controller pids"


PATHS = [
    pytest.param("/", "/", "", id="the root"),
    pytest.param("/", "/a/b", "/a/b", id="below the root"),
    pytest.param("/docker/1", "/docker/1/a", "/a", id="mounted from a part"),
    pytest.param("/docker/1", "/docker/1", "", id="just that part"),
    pytest.param("/docker/1", "/elsewhere", "", id="not visible"),
    pytest.param("/", "/a/supervisor", "/a", id="from before an exec"),
    pytest.param("/", "/no/such", "", id="gone"),
]


@pytest.mark.parametrize(("root", "path", "expected"), PATHS)
def test_own_directory(tmp_path: Path, root: str, path: str, expected: str) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "supervisor").mkdir()
    assert hierarchies._below(str(tmp_path), root, path) == f"{tmp_path}{expected}"


# -- real processes --------------------------------------------------------------------------------------------------


def need(controller: str) -> None:
    missing = find_hierarchies()[1]
    if controller in missing:
        pytest.skip(f"no {controller} limits here: {missing[controller]}")


@pytest.fixture
def cgroups() -> Iterator[Cgroups]:
    made = Cgroups(f"initsup-test-{os.getpid()}")
    yield made
    assert made.close()


def hog(size: int) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", f"x = bytearray(b'x' * {size}); print('survived')")


def run(cgroups: Cgroups, limits: Limits, *argv: str) -> tuple[int, str, bool]:
    made = cgroups.make("c-0", limits)
    code, text = result_of(*argv, cgroups=made.procs)
    killed = made.oom_killed()
    cgroups.discard(made)
    assert not os.path.exists(made.directory)
    return code, text, killed


FORKS = """
import os
try:
    for _ in range(9):
        os.fork() or os._exit(0)
except OSError as error:
    print(error)
"""
BUSY = """
import time
end = time.monotonic() + 0.5
while time.monotonic() < end:
    pass
print(time.process_time() < 0.3)
"""


@pytest.mark.real
class TestReal:
    def test_over_the_memory_limit_it_dies(self, cgroups: Cgroups) -> None:
        need("memory")
        assert run(cgroups, Limits(memory=32 * MIB), *hog(100 * MIB)) == (-9, "", True)

    def test_within_the_memory_limit_it_lives(self, cgroups: Cgroups) -> None:
        need("memory")
        assert run(cgroups, Limits(memory=64 * MIB), *hog(8 * MIB)) == (0, "survived\n", False)

    def test_oom_kill_of_a_child_is_noticed(self, cgroups: Cgroups) -> None:
        need("memory")
        script = f"{' '.join(hog(1)[:3])} -c \"x = bytearray(b'x' * {100 * MIB})\"; exit 0"
        code, _, killed = run(cgroups, Limits(memory=32 * MIB), *sh(script))
        assert killed
        assert code in (0, -9)  # version 2 kills the whole container

    def test_limit_of_the_pod_holds_for_its_containers(self) -> None:
        need("memory")
        cgroups = Cgroups(f"initsup-test-pod-{os.getpid()}", Limits(memory=32 * MIB))
        code, _, _ = run(cgroups, Limits(memory=256 * MIB), *hog(100 * MIB))
        assert code == -9
        assert cgroups.close()

    def test_number_of_processes(self, cgroups: Cgroups) -> None:
        need("pids")
        code, text, _ = run(cgroups, Limits(pids=3), sys.executable, "-I", "-S", "-c", FORKS)
        assert (code, "temporarily unavailable" in text) == (0, True)

    def test_processor_time(self, cgroups: Cgroups) -> None:
        need("cpu")
        limits = Limits(cpu_quota=20_000, cpu_shares=2)
        code, text, _ = run(cgroups, limits, sys.executable, "-I", "-S", "-c", BUSY)
        assert (code, text) == (0, "True\n")

    def test_cgroup_is_left_when_it_is_not_empty(self, cgroups: Cgroups) -> None:
        need("memory")
        made = cgroups.make("c-0", Limits(memory=32 * MIB))
        assert output_of("cat", "/proc/self/cgroup", cgroups=made.procs).count("/c-0\n") == 1
        pid = os.fork()
        if pid == 0:
            Path(made.procs[0]).write_text("0")
            os.kill(os.getpid(), 19)
            os._exit(0)
        os.waitid(os.P_PID, pid, os.WSTOPPED)
        cgroups.discard(made)
        assert os.path.exists(made.directory)
        assert not cgroups.close()
        os.kill(pid, 9)
        os.waitpid(pid, 0)

    def test_refusal_of_the_kernel(self, cgroups: Cgroups) -> None:
        need("memory")
        cgroups.make("c-0", Limits(memory=32 * MIB))
        with pytest.raises(SpawnError) as caught:
            cgroups.make("c-0", Limits(memory=32 * MIB))
        assert caught.value.stage == "cgroup"
        assert "file exists" in caught.value.message


def test_places_without_cgroups_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def access(path: Any, mode: int) -> bool:
        return False

    monkeypatch.setattr(os, "access", access)
    found, missing = find_hierarchies()
    assert found == []
    assert set(missing) == set(ALL)
