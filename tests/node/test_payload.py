"""Rows of what the files of volumes hold, and how they are replaced."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from initsup.node import atomic
from initsup.node.failures import CannotMount
from initsup.node.payload import Contents, File
from initsup.spec.manifest import ConfigMap, Secret
from initsup.spec.pod import Container, ObjectMeta, PodSecurityContext, ResourceRequirements, SecurityContext
from initsup.spec.volume import (
    ConfigMapProjection,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    KeyToPath,
    ObjectFieldSelector,
    ProjectedVolumeSource,
    ResourceFieldSelector,
    SecretProjection,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from tests.node.world import CONTEXT, config_volume, empty_dir, manifest, need_root, secret_volume

MAPS = {"cm": ConfigMap(data={"a": "1", "b": "ü"}, binary_data={"bin": b"\xff\x00"})}
SECRETS = {"s": Secret(data={"a": b"secret", "k": b"\xff"})}


def field(path: str, name: str, mode: int | None = None) -> DownwardAPIVolumeFile:
    return DownwardAPIVolumeFile(path=path, field_ref=ObjectFieldSelector(field_path=name), mode=mode)


def limit(path: str, name: str) -> DownwardAPIVolumeFile:
    return DownwardAPIVolumeFile(path=path, resource_field_ref=ResourceFieldSelector(resource=name, container_name="c"))


def downward(*items: DownwardAPIVolumeFile, **source: Any) -> Volume:
    return Volume(name="v", downward_api=DownwardAPIVolumeSource(items=items, **source))


def projected(*sources: VolumeProjection, **source: Any) -> Volume:
    return Volume(name="v", projected=ProjectedVolumeSource(sources=sources, **source))


def config(**source: Any) -> VolumeProjection:
    return VolumeProjection(config_map=ConfigMapProjection(**source))


def secret(**source: Any) -> VolumeProjection:
    return VolumeProjection(secret=SecretProjection(**source))


def fields(*items: DownwardAPIVolumeFile) -> VolumeProjection:
    return VolumeProjection(downward_api=DownwardAPIProjection(items=items))


A_AS_X = (KeyToPath(key="a", path="deep/er/x", mode=0o400),)
NO_KEY = (KeyToPath(key="none", path="x"), KeyToPath(key="a", path="y"))


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        pytest.param(
            config_volume(),
            {"a": (b"1", 0o644), "b": ("ü".encode(), 0o644), "bin": (b"\xff\x00", 0o644)},
            id="all keys, text and bytes",
        ),
        pytest.param(
            config_volume(default_mode=0o440, items=A_AS_X),
            {"deep/er/x": (b"1", 0o400)},
            id="items choose keys, paths and modes",
        ),
        pytest.param(config_volume("none", optional=True), {}, id="an optional ConfigMap may be missing"),
        pytest.param(config_volume(optional=True, items=NO_KEY), {"y": (b"1", 0o644)}, id="and so may its keys"),
        pytest.param(
            secret_volume(default_mode=0o600),
            {"a": (b"secret", 0o600), "k": (b"\xff", 0o600)},
            id="all keys of a Secret",
        ),
        pytest.param(secret_volume("none", optional=True), {}, id="an optional Secret may be missing"),
        pytest.param(
            downward(field("n", "metadata.name"), field("l", "metadata.labels", 0o400), limit("m", "limits.memory")),
            {"n": (b"pod-1", 0o644), "l": (b'x="y"', 0o400), "m": (b"1024", 0o644)},
            id="fields and resources",
        ),
        pytest.param(
            projected(
                config(name="cm", items=A_AS_X),
                secret(name="s"),
                fields(field("d/n", "metadata.name")),
                default_mode=0o440,
            ),
            {"deep/er/x": (b"1", 0o400), "a": (b"secret", 0o440), "k": (b"\xff", 0o440), "d/n": (b"pod-1", 0o440)},
            id="several sources in one directory",
        ),
        pytest.param(
            projected(secret(name="s"), config(name="cm", items=(KeyToPath(key="a", path="a"),))),
            {"a": (b"1", 0o644), "k": (b"\xff", 0o644)},
            id="later sources win",
        ),
        pytest.param(projected(config(name="none", optional=True)), {}, id="optional sources may be missing"),
        pytest.param(
            projected(VolumeProjection(cluster_trust_bundle={"path": "x", "optional": True})),
            {},
            id="what comes from a cluster may be missing if it is optional",
        ),
    ],
)
def test_files(volume: Volume, expected: dict[str, tuple[bytes, int]]) -> None:
    container = Container(name="c", resources=ResourceRequirements(limits={"memory": "1Ki"}))
    metadata = ObjectMeta(name="pod-1", labels={"x": "y"})
    made = manifest(container, config_maps=MAPS, secrets=SECRETS, metadata=metadata)
    files = Contents(CONTEXT).of(made, volume)
    assert files is not None
    assert {path: (file.data, file.mode) for path, file in files.items()} == expected


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        pytest.param(config_volume("none"), 'configmap "none" not found', id="no ConfigMap"),
        pytest.param(secret_volume("none"), 'secret "none" not found', id="no Secret"),
        pytest.param(
            config_volume(items=NO_KEY),
            "configmap references non-existent config key: none",
            id="no key in a ConfigMap",
        ),
        pytest.param(secret_volume(items=NO_KEY), "references non-existent secret key: none", id="no key in a Secret"),
        pytest.param(projected(secret(name="none")), 'secret "none" not found', id="no source"),
        pytest.param(
            projected(secret(name="none"), config(name="no")),
            '[secret "none" not found, configmap "no" not found]',
            id="several are missing",
        ),
        pytest.param(
            downward(field("n", "spec.nodeName")),
            "unsupported fieldPath: spec.nodeName",
            id="fields of the spec are not for volumes",
        ),
        pytest.param(
            config_volume(items=(KeyToPath(key="a", path="../x"),)),
            "invalid path '../x': must not start with '..'",
            id="a path that leads out",
        ),
        pytest.param(
            config_volume(items=(KeyToPath(key="a", path="/x"),)),
            "invalid path '/x': must be a relative path",
            id="an absolute path",
        ),
        pytest.param(
            projected(VolumeProjection(pod_certificate={})),
            "podCertificate comes from a cluster, and there is none here",
            id="a certificate",
        ),
    ],
)
def test_what_cannot_be_had(volume: Volume, message: str) -> None:
    with pytest.raises(CannotMount) as caught:
        Contents(CONTEXT).of(manifest(config_maps=MAPS, secrets=SECRETS), volume)
    assert (caught.value.volume, caught.value.message) == (volume.name, message)


def test_other_volumes_have_no_such_files() -> None:
    assert Contents(CONTEXT).of(manifest(), empty_dir()) is None


USER = SecurityContext(run_as_user=1000)


@pytest.mark.parametrize(
    ("containers", "group", "mode", "owner"),
    [
        pytest.param((Container(name="c"),), None, 0o640, None, id="the default mode"),
        pytest.param((Container(name="c", security_context=USER),), None, 0o600, 1000, id="for the only user"),
        pytest.param(
            (Container(name="c", security_context=USER), Container(name="d")),
            None,
            0o640,
            None,
            id="not for one of several",
        ),
        pytest.param((Container(name="c"),), 5, 0o600, None, id="for the group, which gets its bits later"),
    ],
)
def test_token(containers: tuple[Container, ...], group: int | None, mode: int, owner: int | None) -> None:
    token = VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="token"))
    made = manifest(*containers, security_context=PodSecurityContext(fs_group=group))
    contents = Contents(CONTEXT)
    files = contents.of(made, projected(token, default_mode=0o640))
    assert files is not None
    assert (files["token"].mode, files["token"].owner) == (mode, owner)
    assert files["token"].data.count(b".") == 2
    assert contents.of(made, projected(token, default_mode=0o640)) == files


# -- the writer ------------------------------------------------------------------------------------------------------


def shown(directory: Path) -> dict[str, str]:
    """What a program that lists and reads the directory sees."""
    names = sorted(name for name in os.listdir(directory) if not name.startswith(".."))
    return {
        str(path.relative_to(directory)): path.read_text()
        for name in names
        for path in (sorted((directory / name).rglob("*")) if (directory / name).is_dir() else [directory / name])
        if path.is_file()
    }


def files(**content: str) -> dict[str, File]:
    return {name.replace("__", "/"): File(text.encode(), 0o644) for name, text in content.items()}


def test_layout(tmp_path: Path) -> None:
    atomic.write(str(tmp_path), files(a="1", d__e__f="2"), None)
    assert shown(tmp_path) == {"a": "1", "d/e/f": "2"}
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert os.readlink(tmp_path / "d") == "..data/d"
    stamp = os.readlink(tmp_path / "..data")
    assert sorted(os.listdir(tmp_path)) == sorted([stamp, "..data", "a", "d"])
    assert stat.S_IMODE((tmp_path / stamp).stat().st_mode) == 0o755


def test_replacement(tmp_path: Path) -> None:
    atomic.write(str(tmp_path), files(a="1", b="1", d__x="1"), None)
    old = (tmp_path / "..data").resolve()
    with open(tmp_path / "a", encoding="utf-8") as reader:
        (tmp_path / "mounted").mkdir()
        atomic.write(str(tmp_path), files(a="2", c="2"), None)
        assert reader.read() == "1"
    assert shown(tmp_path) == {"a": "2", "c": "2"}
    assert not old.exists()
    assert (tmp_path / "mounted").is_dir()
    assert not os.path.lexists(tmp_path / "b")


def test_a_write_that_was_cut_short_does_no_harm(tmp_path: Path) -> None:
    atomic.write(str(tmp_path), files(a="1"), None)
    (tmp_path / "..data_tmp").symlink_to("..2026_nowhere")
    atomic.write(str(tmp_path), files(a="2"), None)
    assert shown(tmp_path) == {"a": "2"}


def test_nothing_to_show(tmp_path: Path) -> None:
    atomic.write(str(tmp_path), {}, None)
    assert shown(tmp_path) == {}


def test_modes_and_owners(tmp_path: Path) -> None:
    need_root()
    umask = os.umask(0o077)
    try:
        atomic.write(str(tmp_path), {"a": File(b"", 0o400), "d/t": File(b"", 0o600, 1000)}, 123)
    finally:
        os.umask(umask)
    got = [(os.stat(tmp_path / name).st_mode & 0o7777, os.stat(tmp_path / name).st_uid) for name in ("a", "d/t", "d")]
    assert got == [(0o440, 0), (0o640, 1000), (0o2755, 0)]
    assert {os.stat(tmp_path / name, follow_symlinks=False).st_gid for name in ("a", "d/t", "d", "..data")} == {123}
