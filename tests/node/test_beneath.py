"""Paths that must stay in a directory."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from initsup.node.beneath import open_beneath, read_beneath, remove_tree


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A directory with links of all kinds, and something outside that they must not reach."""
    place = tmp_path / "volume"
    (place / "dir/sub").mkdir(parents=True)
    (place / "file").write_text("inside")
    (tmp_path / "outside").write_text("outside")
    links = {
        "to-file": "file", "to-dir": "dir", "chain": "to-dir", "up-and-back": "dir/../file", "out": "../outside",
        "out-deep": "dir/sub/../../../outside", "absolute": str(tmp_path / "outside"), "loop": "loop",
        "dangling": "none", "home": str(place / "file"),
    }  # fmt: skip
    for name, target in links.items():
        (place / name).symlink_to(target)
    return place


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("", "", id="the directory itself"),
        pytest.param("file", "file", id="a file"),
        pytest.param("dir//./sub/", "dir/sub", id="empty parts and dots"),
        pytest.param("dir/../file", "file", id="up, but not out"),
        pytest.param("to-file", "file", id="a link"),
        pytest.param("chain/sub", "dir/sub", id="links in the middle"),
        pytest.param("up-and-back", "file", id="a link that goes up, but not out"),
        pytest.param("..", errno.EXDEV, id="up and out"),
        pytest.param("dir/../../volume/file", errno.EXDEV, id="out and in again"),
        pytest.param("out", errno.EXDEV, id="a link that leads out"),
        pytest.param("out-deep", errno.EXDEV, id="a link that leads out by a detour"),
        pytest.param("absolute", errno.EXDEV, id="an absolute link"),
        pytest.param("home", errno.EXDEV, id="an absolute link, even back"),
        pytest.param("loop", errno.ELOOP, id="a link to itself"),
        pytest.param("dangling", errno.ENOENT, id="a link to nothing"),
        pytest.param("none", errno.ENOENT, id="nothing"),
        pytest.param("file/x", errno.ENOTDIR, id="below a file"),
    ],
)
def test_where_paths_lead(volume: Path, path: str, expected: str | int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    got: str | int | None
    try:
        fd = open_beneath(str(volume), path)
        got = os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), volume).removeprefix(".")
        os.close(fd)
    except OSError as error:
        got = error.errno
    assert got == expected
    assert len(os.listdir("/proc/self/fd")) == before


def test_missing_directories_are_made_with_the_mode(volume: Path) -> None:
    umask = os.umask(0o077)
    try:
        os.close(open_beneath(str(volume), "to-dir/new/deep", create=0o1777))
    finally:
        os.umask(umask)
    assert [oct((volume / "dir" / name).stat().st_mode & 0o7777) for name in ("new", "new/deep")] == [
        "0o1777",
        "0o1777",
    ]
    with pytest.raises(OSError, match="Invalid cross-device link"):
        os.close(open_beneath(str(volume), "out/../new", create=0o777))
    assert not (volume.parent / "new").exists()


def test_reading(volume: Path) -> None:
    os.mkfifo(volume / "pipe")
    assert read_beneath(str(volume), "to-file") == b"inside"
    for name in ("out", "dir", "pipe"):
        with pytest.raises(OSError, match=r"."):
            read_beneath(str(volume), name)


def test_removal_does_not_follow_links(volume: Path) -> None:
    (volume / "dir/link").symlink_to(volume.parent)
    remove_tree(str(volume))
    assert os.listdir(volume.parent) == ["outside"]


def test_removal_of_what_is_no_directory(volume: Path) -> None:
    for name in ("file", "to-dir", "none"):
        remove_tree(str(volume / name))
    assert not os.path.lexists(volume / "to-dir")
    assert (volume / "dir/sub").is_dir()


def test_removal_of_deep_and_closed_directories(tmp_path: Path) -> None:
    place = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(2000):
        os.mkdir("d", dir_fd=place)
        inner = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=place)
        os.close(os.open("f", os.O_CREAT | os.O_CLOEXEC, dir_fd=inner))
        os.close(place)
        place = inner
    os.close(place)
    (tmp_path / "d").chmod(0o000)
    remove_tree(str(tmp_path / "d"))
    assert os.listdir(tmp_path) == []
