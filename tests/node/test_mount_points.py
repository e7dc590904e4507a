"""Mount points on the host: made, shared by several pods, and removed by the last one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from initsup.node.mount_points import MountPoints
from tests.node.world import as_user, need_root, say


def keeps(path: Path) -> None:
    assert path.exists()


def goes(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize("directory", [pytest.param(True, id="directory"), pytest.param(False, id="file")])
def test_what_is_missing_is_made_and_removed(tmp_path: Path, directory: bool) -> None:
    points = MountPoints()
    place = tmp_path / "a/b/c"
    umask = os.umask(0o022)
    try:
        assert points.provide(str(place), directory)
        assert points.provide(str(place), directory)
    finally:
        os.umask(umask)
    assert (place.is_dir(), place.stat().st_mode & 0o777) == (directory, 0o755 if directory else 0o644)
    points.remove()
    assert os.listdir(tmp_path) == []


def fill(place: Path) -> None:
    (place / "x").touch()


def leave(place: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("beforehand", "meanwhile", "then"),
    [
        pytest.param(True, leave, keeps, id="what was there before stays"),
        pytest.param(False, fill, keeps, id="what is not empty any more stays"),
        pytest.param(False, leave, goes, id="what was made goes"),
    ],
)
def test_what_is_removed(
    tmp_path: Path, beforehand: bool, meanwhile: Callable[[Path], None], then: Callable[[Path], None]
) -> None:
    place = tmp_path / "place"
    if beforehand:
        place.mkdir()
    points = MountPoints()
    points.provide(str(place), True)
    meanwhile(place)
    points.remove()
    then(place)


def test_the_last_of_several_pods_removes_it(tmp_path: Path) -> None:
    first, second = MountPoints(), MountPoints()
    place = tmp_path / "a/b"
    first.provide(str(place), True)
    second.provide(str(place), True)
    first.remove()
    keeps(place)
    second.remove()
    goes(tmp_path / "a")


def test_one_that_was_killed_leaves_it_to_the_next(tmp_path: Path) -> None:
    place = tmp_path / "a/b"
    MountPoints().provide(str(place), True)
    import gc

    gc.collect()
    again = MountPoints()
    again.provide(str(place), True)
    keeps(place)


def test_a_directory_made_for_one_stays_while_another_uses_what_is_in_it(tmp_path: Path) -> None:
    first, second = MountPoints(), MountPoints()
    first.provide(str(tmp_path / "a/one"), True)
    second.provide(str(tmp_path / "a/two"), True)
    first.remove()
    assert os.listdir(tmp_path / "a") == ["two"]
    second.remove()
    goes(tmp_path / "a")


def test_a_link_leads_to_the_place(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    points = MountPoints()
    assert points.provide(str(tmp_path / "link/x"), True)
    assert (tmp_path / "real/x").is_dir()
    points.remove()
    assert sorted(os.listdir(tmp_path)) == ["link"]


def test_where_nothing_may_be_made(tmp_path: Path) -> None:
    need_root()
    # The tests' own directories are closed to other users.
    assert as_user(1000, lambda: say(MountPoints().provide("/initsup-test/x", True))) == "False\n"
    goes(Path("/initsup-test"))


def test_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        MountPoints().provide(str(tmp_path / "file/x"), True)
