"""Several pods on one host that want something at the same path: none gets what is another's, or loses what it has."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from initsup.node import neighbours, termination
from initsup.node.failures import CannotCreate
from initsup.spec.pod import Container
from initsup.spec.volume import HostPathVolumeSource, Volume
from tests.node.world import World, as_user, empty_dir, manifest, mount, need_mounts, need_root, say

pytestmark = pytest.mark.real


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Any]:
    """Makes worlds, each with volumes `v` (an emptyDir) and `h` (a directory of the host)."""
    made: list[World] = []
    (tmp_path / "host").mkdir()
    volumes = (empty_dir(), Volume(name="h", host_path=HostPathVolumeSource(path=str(tmp_path / "host"))))

    def make(one: Container, mode: str) -> World:
        state = tmp_path / f"state{len(made)}"
        state.mkdir()
        world = World(manifest(one, volumes=volumes, mode=mode), str(state))
        made.append(world)
        if mode == "mount":
            need_root()
            need_mounts(world)
        world.volumes.prepare()
        return world

    yield make
    for world in made:
        world.remove()


def last_words(world: World) -> str:
    view = world.mounts.current("c")
    assert view is not None
    return termination.take(view.termination_log, "")


@pytest.mark.parametrize("ends", [0, 1], ids=["the first ends", "the second ends"])
@pytest.mark.parametrize(
    ("first", "second", "before"),
    [
        pytest.param("link", "mount", None, id="links, then mounts"),
        pytest.param("mount", "link", None, id="mounts, then links"),
        pytest.param("link", "link", None, id="links both"),
        pytest.param("mount", "mount", None, id="mounts both"),
        pytest.param("link", "mount", "old", id="links, then mounts, and a file there"),
        pytest.param("link", "link", "old", id="links both, and a file there"),
        pytest.param("mount", "mount", "old", id="mounts both, and a file there"),
    ],
)
def test_each_has_its_termination_message(
    pods: Any, tmp_path: Path, first: str, second: str, ends: int, before: str | None
) -> None:
    path = tmp_path / "last-words"
    if before is not None:
        path.write_text(before)
    one = Container(name="c", termination_message_path=str(path))
    both = [pods(one, first), pods(one, second)]
    for number, world in enumerate(both):
        assert world.sh(f"echo bye from {number} > {path}") == ""
        assert last_words(world) == f"bye from {number}\n"
    goes, stays = both[ends], both[1 - ends]
    goes.remove()
    assert stays.sh(f"echo still here > {path}") == ""
    assert last_words(stays) == "still here\n"
    stays.remove()
    assert (path.read_text() if path.exists() else None) == before
    assert sorted(os.listdir(tmp_path)) == sorted(
        ["host", "state0", "state1", *(["last-words"] if before is not None else [])]
    )


def test_a_file_that_another_pod_has_mounted_its_own_on_is_left_alone(pods: Any, tmp_path: Path) -> None:
    path = tmp_path / "last-words"
    path.write_text("old")
    one = Container(name="c", termination_message_path=str(path))
    first, second = pods(one, "mount"), pods(one, "link")
    assert first.sh(f"echo bye > {path}") == ""
    assert second.view().termination_log is None
    assert last_words(first) == "bye\n"
    second.remove()
    first.remove()
    assert path.read_text() == "old"


def test_a_file_that_goes_with_the_other_pod_just_now_is_not_worth_failing_for(
    pods: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    path = tmp_path / "last-words"
    path.touch()
    world = pods(Container(name="c", termination_message_path=str(path)), "link")

    def taken(_: str) -> None:
        path.unlink()
        raise neighbours.InUse

    monkeypatch.setattr(neighbours, "unmounted", taken)
    assert world.view().termination_log is None


def test_a_mark_that_cannot_be_seen_does_not_matter(pods: Any, tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "last-words"
    one = Container(name="c", termination_message_path=str(path))
    first, second = pods(one, "mount"), pods(one, "link")
    first.view()
    monkeypatch.setattr(second.mounts._points, "_mark", "user.initsup.other")  # as root without CAP_SYS_ADMIN
    assert second.sh(f"echo bye > {path}") == ""
    assert last_words(second) == "bye\n"
    second.remove()
    assert path.exists()
    first.remove()
    assert not path.exists()


def test_a_file_that_a_killed_pod_has_left_is_used_and_removed(pods: Any, tmp_path: Path) -> None:
    path = tmp_path / "last-words"
    one = Container(name="c", termination_message_path=str(path))
    killed = pods(one, "link")
    killed.view()
    for fd in killed.mounts._points._held.values():
        os.close(fd)
    killed.mounts._points._held.clear()  # its locks are gone, and nothing is put in order
    again = pods(one, "link")
    assert again.sh(f"echo bye > {path}") == ""
    assert last_words(again) == "bye\n"
    again.remove()
    assert not path.exists()


@pytest.mark.parametrize("name", ["v", "h"])
@pytest.mark.parametrize("below", ["", "/below"], ids=["at the same path", "below it"])
@pytest.mark.parametrize("second", ["mount", "link"])
def test_a_path_that_is_a_link_of_another_pod_is_refused(
    pods: Any, tmp_path: Path, second: str, below: str, name: str
) -> None:
    path = f"{tmp_path}/place"
    first = pods(Container(name="c", volume_mounts=(mount(name, path),)), "link")
    first.view()
    other = pods(Container(name="c", volume_mounts=(mount("v", path + below),)), second)
    with pytest.raises(CannotCreate, match=f'"{path}{below}": the pod in {tmp_path}/state0 has a link there'):
        other.view()
    assert first.sh(f"echo mine > {path}/file; ls {path}") == "file\n"
    first.remove()
    assert other.sh(f"ls {path}{below}") == ""


@pytest.mark.parametrize("before", [[], ["page"]], ids=["that was empty", "that was not empty"])
def test_a_directory_that_another_pod_has_mounted_something_on_is_not_moved_away(
    pods: Any, tmp_path: Path, before: list[str]
) -> None:
    path = tmp_path / "place"
    path.mkdir()
    for name in before:
        (path / name).touch()
    one = Container(name="c", volume_mounts=(mount("v", str(path)),))
    first = pods(one, "mount")
    first.sh(f"echo mine > {path}/file")
    other = pods(one, "link")
    with pytest.raises(CannotCreate, match=f'"{path}": another pod has mounted something there'):
        other.view()
    assert first.sh(f"ls {path}") == "file\n"
    first.remove()
    assert other.sh(f"ls {path}") == ""
    other.remove()
    assert os.listdir(path) == before


@pytest.mark.parametrize(
    ("state", "sub"),
    [
        pytest.param("pod", "v", id="a plain one"),
        pytest.param("volumes/disk/pod", "v", id="below another directory of that name"),
        pytest.param("pod", "v/volumes/x", id="with such a directory in the volume"),
    ],
)
def test_the_owner_of_a_link_is_found_wherever_its_state_directory_is(tmp_path: Path, state: str, sub: str) -> None:
    volumes = tmp_path / state / "volumes"
    volumes.mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(volumes / sub)
    assert neighbours.owner(str(link)) == ""
    held = neighbours.hold(str(volumes))
    try:
        assert neighbours.owner(f"{link}/below") == str(tmp_path / state)
        assert neighbours.owner(str(link), own=str(volumes)) == ""
    finally:
        os.close(held)
    assert neighbours.owner(str(link)) == ""


def test_a_link_of_another_user_is_taken_for_one_in_use() -> None:
    """Whether it is cannot be told: nobody else can open the directory that it leads to."""
    need_root()
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        os.makedirs(f"{place}/state/volumes", mode=0o711)
        os.symlink(f"{place}/state/volumes/v", f"{place}/link")
        assert as_user(1000, lambda: say(neighbours.owner(f"{place}/link"))) == f"{place}/state\n"
        assert neighbours.owner(f"{place}/link") == ""


def test_a_file_that_cannot_be_opened_just_now_is_in_nobody_s_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one with a lease, fcntl(2)."""

    def refuse(*_: object) -> int:
        raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))

    monkeypatch.setattr(os, "open", refuse)
    with neighbours.unmounted("/file"):
        reached = True
    assert reached
