"""Rows of what emptyDir is made of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from initsup.node.empty_dir import BadMedium, Medium, medium, usage
from initsup.node.space import Way
from initsup.spec.pod import Container, PodSecurityContext, ResourceRequirements
from initsup.spec.volume import EmptyDirVolumeSource
from tests.node.world import GIB, MACHINE, manifest

LIMITED = Container(name="c", resources=ResourceRequirements(limits={"memory": "64Mi"}))
HUGE = Container(name="c", resources=ResourceRequirements(limits={"hugepages-2Mi": "4Mi"}))
GROUP = {"security_context": PodSecurityContext(fs_group=5)}


@pytest.mark.parametrize(
    ("source", "container", "spec", "way", "expected"),
    [
        pytest.param({}, None, {}, "mount", Medium("tmpfs", "mode=777"), id="a tmpfs of the kernel's default size"),
        pytest.param(
            {"size_limit": "10Mi"},
            None,
            {},
            "mount",
            Medium("tmpfs", "mode=777,size=10485760"),
            id="of the limit's size",
        ),
        pytest.param(
            {"size_limit": "5Gi"},
            None,
            {},
            "mount",
            Medium("disk", limit=5 * GIB),
            id="on disk, if that is much of the memory",
        ),
        pytest.param({"size_limit": "0"}, None, {}, "mount", Medium("tmpfs", "mode=777"), id="a limit of 0 is none"),
        pytest.param({}, None, GROUP, "user", Medium("tmpfs", "mode=2777,gid=5"), id="for a group"),
        pytest.param(
            {"medium": "Memory"},
            None,
            {},
            "mount",
            Medium("tmpfs", f"mode=777,size={8 * GIB}", swap=False),
            id="memory: all of the machine's",
        ),
        pytest.param(
            {"medium": "Memory"},
            LIMITED,
            {},
            "mount",
            Medium("tmpfs", "mode=777,size=67108864", swap=False),
            id="memory: the pod's limit",
        ),
        pytest.param(
            {"medium": "Memory", "size_limit": "1Mi"},
            LIMITED,
            {},
            "mount",
            Medium("tmpfs", "mode=777,size=1048576", swap=False),
            id="memory: its own limit, if less",
        ),
        pytest.param(
            {"medium": "Memory", "size_limit": "1Gi"},
            LIMITED,
            {},
            "mount",
            Medium("tmpfs", "mode=777,size=67108864", swap=False),
            id="memory: not its own limit, if more",
        ),
        pytest.param(
            {"medium": "HugePages-1Gi", "size_limit": "2Gi"},
            None,
            {},
            "mount",
            Medium("hugetlbfs", f"mode=777,pagesize={GIB},size={2 * GIB}"),
            id="huge pages of a size",
        ),
        pytest.param(
            {"medium": "HugePages"},
            HUGE,
            {},
            "mount",
            Medium("hugetlbfs", f"mode=777,pagesize={2 << 20}"),
            id="huge pages of the only size in use",
        ),
        pytest.param({}, None, {}, "link", Medium("disk"), id="links: on disk"),
        pytest.param(
            {"size_limit": "1Mi"}, None, {}, "link", Medium("disk", limit=1 << 20), id="links: on disk, watched"
        ),
        pytest.param(
            {"medium": "Memory", "size_limit": "1Mi"},
            None,
            {},
            "link",
            Medium("memory", limit=1 << 20),
            id="links: in memory, watched",
        ),
    ],
)
def test_media(source: Any, container: Container | None, spec: Any, way: Way, expected: Medium) -> None:
    pod = manifest(*([container] if container is not None else []), **spec).pod
    assert medium(EmptyDirVolumeSource(**source), pod.spec, MACHINE, way) == expected


@pytest.mark.parametrize(
    ("name", "way", "message"),
    [
        pytest.param("Paper", "mount", 'unknown storage medium "Paper"', id="no such medium"),
        pytest.param("HugePages", "mount", "limits for exactly one page size", id="no page size"),
        pytest.param("HugePages-big", "mount", 'unknown storage medium "HugePages-big"', id="no such page size"),
        pytest.param("HugePages-2Mi", "link", "must be mounted", id="links to huge pages"),
    ],
)
def test_bad_media(name: str, way: Way, message: str) -> None:
    with pytest.raises(BadMedium, match=message):
        medium(EmptyDirVolumeSource(medium=name), manifest().pod.spec, MACHINE, way)


def test_usage_counts_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    empty = usage(str(tmp_path))
    (tmp_path / "d/f").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "d/f", tmp_path / "same")
    (tmp_path / "up").symlink_to("..")
    os.truncate(tmp_path / "d/f", 100_000)
    assert 100_000 <= usage(str(tmp_path)) - empty < 120_000
    assert usage(str(tmp_path / "none")) == 0
