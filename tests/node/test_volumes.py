"""Volumes as they are made, changed and removed; with mounts where they are permitted, and without."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from initsup.node.failures import CannotMount
from initsup.spec.manifest import ConfigMap, Manifest, Secret
from initsup.spec.pod import ObjectMeta, PodSecurityContext
from initsup.spec.settings import ImageMapping
from initsup.spec.volume import (
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    ObjectFieldSelector,
    Volume,
)
from tests.node.world import World, config_volume, empty_dir, manifest, need_mounts, need_root, secret_volume

pytestmark = pytest.mark.real

MAPS = {"cm": ConfigMap(data={"a": "1"})}
SECRETS = {"s": Secret(data={"k": b"v"})}


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Any]:
    """Makes worlds below a directory of their own, which must be empty again after the test."""
    made: list[World] = []
    state = tmp_path / "state"
    state.mkdir()

    def make(one: Manifest) -> World:
        made.append(World(one, str(state)))
        return made[-1]

    yield make
    for world in made:
        world.remove()
    assert os.listdir(state) == []


MODES = pytest.mark.parametrize("mode", ["auto", "link"])


@MODES
def test_all_that_need_nothing_of_the_host(worlds: Any, mode: str) -> None:
    labels = DownwardAPIVolumeFile(path="name", field_ref=ObjectFieldSelector(field_path="metadata.name"))
    volumes = (
        empty_dir("e"),
        Volume(name="n"),
        empty_dir("m", medium="Memory", size_limit="1Mi"),
        config_volume(),
        secret_volume(),
        Volume(name="d", downward_api=DownwardAPIVolumeSource(items=(labels,))),
    )
    world = worlds(manifest(volumes=volumes, config_maps=MAPS, secrets=SECRETS, mode=mode))
    world.volumes.prepare()
    world.volumes.prepare()
    place = {volume.name: Path(world.volumes.path(volume.name)) for volume in volumes}
    assert [(place[name] / file).read_text() for name, file in (("cm", "a"), ("s", "k"), ("d", "name"))] == [
        "1",
        "v",
        "pod-1",
    ]
    for name in ("e", "n", "m"):
        assert list(place[name].iterdir()) == []
        (place[name] / "new").write_text("x")
        assert oct(place[name].stat().st_mode & 0o7777) == "0o777"
    assert world.volumes.path("none") is None


def test_the_host_sees_nothing(worlds: Any, tmp_path: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    world = worlds(manifest(volumes=(empty_dir(), secret_volume()), secrets=SECRETS))
    need_mounts(world)
    world.volumes.prepare()
    assert list((tmp_path / "state/volumes").iterdir()) == []
    assert stat.S_IMODE((tmp_path / "state/volumes").stat().st_mode) == 0o700
    assert Path("/proc/self/mountinfo").read_text() == before
    assert Path.cwd().exists()


def test_a_size_limit_is_the_size(worlds: Any) -> None:
    world = worlds(manifest(volumes=(empty_dir(size_limit="1Mi"),)))
    need_mounts(world)
    world.volumes.prepare()
    file = Path(world.volumes.path("v")) / "f"
    with pytest.raises(OSError, match="No space left"):
        file.write_bytes(b"x" * (2 << 20))
    assert not world.volumes.is_watched


@pytest.mark.parametrize(
    ("mode", "limit"),
    [pytest.param("auto", "5Gi", id="too much for memory"), pytest.param("link", "64Ki", id="without mounts")],
)
def test_what_cannot_be_limited_is_watched(worlds: Any, tmp_path: Path, mode: str, limit: str) -> None:
    world = worlds(manifest(volumes=(empty_dir(size_limit=limit), empty_dir("other")), mode=mode))
    world.volumes.prepare()
    assert world.volumes.is_watched
    assert world.volumes.over_limit() is None
    file = Path(world.volumes.path("v")) / "f"
    if mode == "auto":
        need_mounts(world)
        file.touch()
        assert (tmp_path / "state/disk/v/f").exists()
        return
    file.write_bytes(b"x" * 100_000)
    assert world.volumes.over_limit() == 'Usage of EmptyDir volume "v" exceeds the limit "64Ki". '


def test_group_of_the_files(worlds: Any) -> None:
    need_root()
    volumes = (empty_dir("e"), empty_dir("big", size_limit="5Gi"), config_volume(default_mode=0o400))
    world = worlds(manifest(volumes=volumes, config_maps=MAPS, security_context=PodSecurityContext(fs_group=123)))
    need_mounts(world)
    world.volumes.prepare()
    for name in ("e", "big", "cm"):
        status = os.stat(world.volumes.path(name))
        assert (status.st_gid, oct(status.st_mode & 0o7777)) == (123, "0o2777")
    status = os.stat(world.volumes.path("cm") + "/a")
    assert (status.st_gid, oct(status.st_mode & 0o7777)) == (123, "0o440")


CLAIM = Volume(name="v", persistent_volume_claim={"claimName": "c"})
NO_IMAGE = Volume(name="v", image=ImageVolumeSource(reference="i:1"))


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        pytest.param(config_volume("v"), 'configmap "v" not found', id="no ConfigMap"),
        pytest.param(CLAIM, "persistentVolumeClaim volumes need a cluster, and there is none here", id="a claim"),
        pytest.param(Volume(name="v", nfs={}), "nfs volumes need a cluster, and there is none here", id="NFS"),
        pytest.param(NO_IMAGE, 'no files for image "i:1": set images."i:1".rootfs or archive', id="no image"),
        pytest.param(empty_dir(medium="Paper"), 'unknown storage medium "Paper"', id="no medium"),
        pytest.param(
            Volume(name="v", host_path=HostPathVolumeSource(path="/none", type="File")),
            "hostPath type check failed: /none is not a file",
            id="no file",
        ),
    ],
)
def test_what_cannot_be_made(worlds: Any, volume: Volume, message: str) -> None:
    world = worlds(manifest(volumes=(empty_dir("fine"), volume)))
    for _ in range(2):
        with pytest.raises(CannotMount) as caught:
            world.volumes.prepare()
        assert (caught.value.volume, caught.value.message) == ("v", message)


def test_all_that_cannot_be_made_is_told(worlds: Any, tmp_path: Path) -> None:
    host = Volume(name="h", host_path=HostPathVolumeSource(path=str(tmp_path / "h"), type="Directory"))
    world = worlds(manifest(volumes=(config_volume(), host, empty_dir("fine"), secret_volume())))
    with pytest.raises(CannotMount) as caught:
        world.volumes.prepare()
    assert caught.value.all == (
        ("cm", 'configmap "cm" not found'),
        ("h", f"hostPath type check failed: {tmp_path}/h is not a directory"),
        ("s", 'secret "s" not found'),
    )


def test_files_stay_over_failed_attempts(worlds: Any, tmp_path: Path) -> None:
    host = Volume(name="h", host_path=HostPathVolumeSource(path=str(tmp_path / "h"), type="Directory"))
    world = worlds(manifest(volumes=(empty_dir(), config_volume("cm", optional=True), host)))
    with pytest.raises(CannotMount):
        world.volumes.prepare()
    (tmp_path / "h").mkdir()
    world.volumes.prepare()
    (Path(world.volumes.path("v")) / "kept").touch()
    world.volumes.prepare()
    assert os.listdir(world.volumes.path("v")) == ["kept"]
    assert world.volumes.path("h") == str(tmp_path / "h")


def test_image_volume(worlds: Any, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    volume = Volume(name="v", image=ImageVolumeSource(reference="i"))
    world = worlds(manifest(volumes=(volume,), images={"i": ImageMapping(rootfs=str(tmp_path / "files"))}))
    world.volumes.prepare()
    assert world.volumes.path("v") == str(tmp_path / "files")
    wrong = worlds(manifest(volumes=(volume,), images={"i": ImageMapping(rootfs=str(tmp_path / "none"))}))
    with pytest.raises(CannotMount, match="is not a directory"):
        wrong.volumes.prepare()


@MODES
def test_changes_are_written(worlds: Any, mode: str) -> None:
    label = DownwardAPIVolumeFile(path="l", field_ref=ObjectFieldSelector(field_path="metadata.labels['x']"))
    volumes = (config_volume(), secret_volume(), Volume(name="d", downward_api=DownwardAPIVolumeSource(items=(label,))))
    before = manifest(volumes=volumes, config_maps=MAPS, secrets=SECRETS, mode=mode)
    world = worlds(before)
    world.volumes.prepare()
    assert world.volumes.update(before) == ()
    metadata = ObjectMeta(name="pod-1", labels={"x": "new"})
    after = msgspec.structs.replace(
        before,
        pod=msgspec.structs.replace(before.pod, metadata=metadata),
        config_maps={"cm": ConfigMap(data={"b": "2"})},
    )
    assert world.volumes.update(after) == ("cm", "d")
    directory = Path(world.volumes.path("cm"))
    assert sorted(name for name in os.listdir(directory) if name[0] != ".") == ["b"]
    assert (directory / "b").read_text() == "2"
    assert (Path(world.volumes.path("d")) / "l").read_text() == "new"


def test_without_mounts_secrets_are_in_memory_and_closed(worlds: Any, tmp_path: Path) -> None:
    world = worlds(manifest(volumes=(secret_volume(),), secrets=SECRETS, mode="link"))
    world.volumes.prepare()
    place = Path(world.volumes.path("s"))
    if not place.is_symlink():
        pytest.skip("there is no other tmpfs, or the tests run in one")
    target = place.resolve()
    assert stat.S_IMODE((tmp_path / "state/volumes").stat().st_mode) == 0o711
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o711
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    world.remove()
    assert not target.parent.exists()


@MODES
def test_what_a_killed_run_has_left_is_removed(worlds: Any, tmp_path: Path, mode: str) -> None:
    killed = World(
        manifest(volumes=(empty_dir(size_limit="5Gi"), secret_volume()), secrets=SECRETS, mode=mode),
        str(tmp_path / "state"),
    )
    killed.volumes.prepare()
    (Path(killed.volumes.path("v") or "") / "old").touch()
    place = Path(killed.volumes.path("s") or "").resolve().parent
    again = worlds(manifest(volumes=(empty_dir(size_limit="5Gi"),), mode=mode))
    again.volumes.prepare()
    assert os.listdir(again.volumes.path("v")) == []
    if mode == "link" and place.name.startswith("initsup-"):
        assert not place.exists()
    killed.volumes.space.close()
