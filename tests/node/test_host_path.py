"""Rows of hostPath's types."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from initsup.node import host_path
from initsup.node.failures import CannotMount
from initsup.spec.volume import HostPathVolumeSource


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """One of each kind."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to("dir")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "path", "problem"),
    [
        pytest.param("", "none", None, id="without a type nothing is looked at"),
        pytest.param("Directory", "dir", None, id="a directory"),
        pytest.param("Directory", "link", None, id="a link to one"),
        pytest.param("Directory", "file", "hostPath type check failed: {} is not a directory", id="no directory"),
        pytest.param("Directory", "none", "hostPath type check failed: {} is not a directory", id="nothing there"),
        pytest.param("DirectoryOrCreate", "dir", None, id="there already"),
        pytest.param(
            "DirectoryOrCreate", "file", "hostPath type check failed: {} is not a directory", id="there, but a file"
        ),
        pytest.param("File", "file", None, id="a file"),
        pytest.param("File", "dir", "hostPath type check failed: {} is not a file", id="no file"),
        pytest.param("FileOrCreate", "file", None, id="there already, too"),
        pytest.param("FileOrCreate", "no/file", "open {}: no such file or directory", id="its directory must be there"),
        pytest.param("Socket", "socket", None, id="a socket"),
        pytest.param("Socket", "file", "hostPath type check failed: {} is not a socket file", id="no socket"),
        pytest.param("CharDevice", "/dev/null", None, id="a character device"),
        pytest.param("CharDevice", "file", "hostPath type check failed: {} is not a character device", id="none"),
        pytest.param(
            "BlockDevice", "/dev/null", "hostPath type check failed: {} is not a block device", id="no block device"
        ),
        pytest.param("Folder", "dir", "Folder is an invalid volume type", id="no such type"),
        pytest.param("SocketOrCreate", "socket", "SocketOrCreate is an invalid volume type", id="nor that"),
        pytest.param("", "dir/../file", "invalid HostPath `{}`: must not contain '..'", id="a path that goes up"),
    ],
)
def test_checks(host: Path, kind: str, path: str, problem: str | None) -> None:
    place = os.path.join(host, path)
    source = HostPathVolumeSource(path=place, type=kind)
    if problem is None:
        host_path.prepare("v", source)
        return
    with pytest.raises(CannotMount) as caught:
        host_path.prepare("v", source)
    assert (caught.value.volume, caught.value.message) == ("v", problem.format(place))


@pytest.mark.parametrize(
    ("kind", "path", "mode"),
    [
        pytest.param("DirectoryOrCreate", "new/deep", 0o755, id="a directory and those above"),
        pytest.param("FileOrCreate", "new", 0o644, id="a file"),
    ],
)
def test_what_is_made(host: Path, kind: str, path: str, mode: int) -> None:
    umask = os.umask(0o077)
    try:
        host_path.prepare("v", HostPathVolumeSource(path=str(host / path), type=kind))
    finally:
        os.umask(umask)
    assert (host / path).stat().st_mode & 0o7777 == mode
    assert (host / path).is_dir() == (kind == "DirectoryOrCreate")


def test_nothing_is_overwritten(host: Path) -> None:
    host_path.prepare("v", HostPathVolumeSource(path=str(host / "file"), type="FileOrCreate"))
    assert (host / "file").read_text() == "kept"


def test_a_path_without_type_is_made_when_it_is_mounted(host: Path) -> None:
    host_path.ensure(HostPathVolumeSource(path=str(host / "a/b")))
    host_path.ensure(HostPathVolumeSource(path=str(host / "file")))
    host_path.ensure(HostPathVolumeSource(path=str(host / "c"), type="Directory"))
    assert (host / "a/b").is_dir()
    assert (host / "file").is_file()
    assert not (host / "c").exists()
