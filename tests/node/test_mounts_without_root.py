"""Mounts in a user namespace, and links where there are no mounts at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from initsup.node import links, termination
from initsup.node.failures import CannotCreate
from initsup.spec.manifest import ConfigMap, Manifest, Secret
from initsup.spec.pod import Container, HostAlias, PodDNSConfig, SecurityContext
from initsup.spec.settings import ImageMapping
from initsup.spec.volume import ImageVolumeSource, Volume
from tests.node.world import (
    World,
    as_user,
    config_volume,
    empty_dir,
    manifest,
    mount,
    need_root,
    say,
    secret_volume,
)

pytestmark = pytest.mark.real

MAPS = {"cm": ConfigMap(data={"one": "1"})}
SECRETS = {"s": Secret(data={"k": b"v"})}
USER = 1000
IMAGE = Volume(name="i", image=ImageVolumeSource(reference="i"))


def container(*mounts: Any, name: str = "c", **more: Any) -> Container:
    return Container(name=name, volume_mounts=mounts, **more)


# -- a user namespace ------------------------------------------------------------------------------------------------


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory of the user's own that the user can get at."""
    need_root()
    place = Path(tempfile.mkdtemp(prefix="initsup-", dir="/tmp"))
    os.chown(place, USER, USER)
    yield place
    shutil.rmtree(place)


def run_as_user(home: Path, made: Manifest, work: Any) -> str:
    """What `work` says, done by the user with a world; skips where user namespaces are not permitted."""

    def inside() -> None:
        world = World(made, str(home))
        if world.volumes.space.way != "user":
            say(f"skip: {world.volumes.space.refusal}")
            return
        world.volumes.prepare()
        work(world)
        world.remove()

    text = as_user(USER, inside)
    if text.startswith("skip: "):
        pytest.skip(f"user namespaces are not permitted here: {text}")
    return text


def test_volumes_of_a_user(home: Path) -> None:
    place = "/initsup-none/x"
    mounts = (mount("v", place), mount("cm", "/etc/initsup-none"), mount("s", f"{place}/s"), mount("m", "/dev/shm"))
    volumes = (empty_dir(), config_volume(), secret_volume(), empty_dir("m", medium="Memory", size_limit="1Mi"))
    made = manifest(container(*mounts), container(name="d"), volumes=volumes, config_maps=MAPS, secrets=SECRETS)
    before = Path("/proc/self/mountinfo").read_text()

    def work(world: World) -> None:
        say(
            world.sh(
                f"id -u; cat {place}/s/k /etc/initsup-none/one; echo x > {place}/f; cat {place}/f; ls /etc/hostname"
            )
        )
        say(world.sh("df -k /dev/shm | tail -n 1 | awk '{print $2}'; echo bye > /dev/termination-log"))
        log = world.mounts.current("c").termination_log  # type: ignore[union-attr]
        say(repr(termination.take(log, "")))
        say(world.sh(f"ls {place}; touch {home}/real; stat -c %T /etc/passwd >/dev/null && echo fine", "d"))
        say((Path(world.volumes.path("v") or "") / "f").read_text())

    text = run_as_user(home, made, work)
    assert text.split() == ["1000", "v1x", "/etc/hostname", "1024", r"'bye\n'", "fine", "x"]
    assert (home / "real").exists()
    assert not os.path.lexists("/initsup-none")
    assert not os.path.lexists("/etc/initsup-none")
    assert Path("/proc/self/mountinfo").read_text() == before
    assert os.listdir(home) == ["real"]


def test_a_read_only_root_of_a_user(home: Path) -> None:
    one = container(mount("v", "/initsup-none"), security_context=SecurityContext(read_only_root_filesystem=True))

    def work(world: World) -> None:
        say(world.sh(f"touch {home}/x 2>&1 | grep -c Read-only; echo x > /initsup-none/f && cat /initsup-none/f"))

    assert run_as_user(home, manifest(one, volumes=(empty_dir(),)), work).split() == ["1", "x"]


def test_a_masked_proc_of_a_user(home: Path) -> None:
    one = container(security_context=SecurityContext(proc_mount="Default"))

    def work(world: World) -> None:
        say(
            world.sh(
                "stat -c %t:%T /proc/timer_list; test -w /proc/sys/vm/swappiness || echo read-only; ls /proc/self/fd"
            )
        )

    assert run_as_user(home, manifest(one), work).split()[:2] == ["1:3", "read-only"]


def test_a_host_name_of_a_user(home: Path) -> None:
    def work(world: World) -> None:
        say(world.sh("uname -n; tail -n 1 /etc/hosts"))

    assert run_as_user(home, manifest(container(), hostname="box"), work).split() == ["box", "127.0.0.1", "box"]


def test_errors_come_through(home: Path) -> None:
    def work(world: World) -> None:
        try:
            world.view()
        except CannotCreate as error:
            say(f"{error.reason}: {error.message}")

    text = run_as_user(home, manifest(container(mount("v", "/etc/passwd")), volumes=(empty_dir(),)), work)
    assert text == 'RunContainerError: error mounting volume "v" at "/etc/passwd": not a directory\n'


# -- links -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[Any]:
    """Makes worlds without mounts; nothing may be left at the end."""
    made: list[World] = []

    def make(*containers: Container, **more: Any) -> World:
        state = tmp_path / f"state{len(made)}"
        state.mkdir(exist_ok=True)
        volumes = (empty_dir(), config_volume())
        made.append(World(manifest(*containers, volumes=volumes, config_maps=MAPS, mode="link", **more), str(state)))
        made[-1].volumes.prepare()
        return made[-1]

    yield make
    for number, world in enumerate(made):
        assert world.mounts.remove() == []
        world.volumes.remove()
        assert os.listdir(tmp_path / f"state{number}") == []


def test_links_to_volumes(linked: Any, tmp_path: Path) -> None:
    place = tmp_path / "new/deep"
    mounts = (
        mount("v", f"{place}/v"),
        mount("cm", f"{place}/one", sub_path="one"),
        mount("v", f"{place}/s", sub_path="a/b"),
    )
    world = linked(container(*mounts, name="a"), container(mount("v", f"{place}/v"), name="b"))
    for name in ("a", "b"):
        view = world.view(name)
        assert (view.namespaces, view.inode, view.root) == ((), 0, None)
    assert world.sh(f"cat {place}/one; echo x > {place}/s/f; cat {place}/v/a/b/f", "a") == "1x\n"
    world.remove()
    assert not (tmp_path / "new").exists()


def test_links_lead_other_users_to_the_volumes(home: Path) -> None:
    mounts = (mount("v", f"{home}/v"), mount("cm", f"{home}/cm"))
    state = home / "state"
    state.mkdir(mode=0o700)
    made = manifest(container(*mounts), volumes=(empty_dir(), config_volume()), config_maps=MAPS, mode="link")
    world = World(made, str(state))
    world.volumes.prepare()
    try:
        assert world.sh(f"cat {home}/cm/one; echo x > {home}/v/f; cat {home}/v/f; ls {state}", uid=USER) == (
            f"1x\nls: cannot open directory '{state}': Permission denied\nexit 2\n"
        )
    finally:
        world.remove()


def test_what_was_there_comes_back(linked: Any, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/page").write_text("old")
    (tmp_path / "file").write_text("old")
    (tmp_path / "full").chmod(0o700)
    world = linked(container(mount("v", str(tmp_path / "full")), mount("cm", str(tmp_path / "file"), sub_path="one")))
    world.view()
    assert (os.listdir(tmp_path / "full"), (tmp_path / "file").read_text()) == ([], "1")
    world.remove()
    assert ((tmp_path / "full/page").read_text(), (tmp_path / "file").read_text()) == ("old", "old")
    assert (tmp_path / "full").stat().st_mode & 0o777 == 0o700
    assert not [name for name in os.listdir(tmp_path) if "aside" in name]


@pytest.fixture
def layered(tmp_path: Path) -> Iterator[Path]:
    """An overlayfs, as the root of a container is one, with a directory that comes with its lower layer."""
    lower, upper, work, merged = (tmp_path / name for name in ("lower", "upper", "work", "merged"))
    for place in (lower / "html/deep", upper, work, merged):
        place.mkdir(parents=True)
    (lower / "html/deep/page").write_text("old")
    (lower / "html/link").symlink_to("/etc/passwd")
    os.mkfifo(lower / "html/fifo", 0o640)
    (lower / "html/deep/page").chmod(0o640)
    (lower / "html/deep").chmod(0o711)
    options = f"lowerdir={lower},upperdir={upper},workdir={work},redirect_dir=off"
    done = subprocess.run(
        ["mount", "-t", "overlay", "-o", options, "none", str(merged)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"overlayfs cannot be mounted here: {done.stderr.strip()}")
    yield merged
    subprocess.run(["umount", str(merged)], check=True)


def test_what_comes_with_an_image_comes_back(linked: Any, layered: Path) -> None:
    def found() -> list[tuple[str, int, int, int]]:
        every = [layered / "html", *sorted((layered / "html").rglob("*"))]
        status = [path.lstat() for path in every]
        return [(str(p), s.st_mode, s.st_uid, s.st_mtime_ns) for p, s in zip(every, status, strict=True)]

    if os.geteuid() == 0:
        os.chown(layered / "html/deep/page", USER, USER)
        os.chown(layered / "html/link", USER, USER, follow_symlinks=False)
    before = found()
    world = linked(container(mount("v", str(layered / "html"))))
    world.view()
    assert os.listdir(layered / "html") == []
    world.remove()
    assert found() == before
    assert (layered / "html/deep/page").read_text() == "old"
    assert os.listdir(layered) == ["html"]


def test_what_a_killed_run_has_left_is_taken_over(linked: Any, tmp_path: Path) -> None:
    (tmp_path / "place").symlink_to(tmp_path / "gone/volumes/v")
    (tmp_path / "place.initsup-aside").mkdir()
    world = linked(container(mount("v", str(tmp_path / "place"))))
    world.view()
    assert os.readlink(tmp_path / "place") == world.volumes.path("v")
    world.remove()
    assert not (tmp_path / "place").is_symlink()
    assert (tmp_path / "place").is_dir()


def test_one_path_leads_to_one_volume(linked: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    world = linked(container(mount("v", path), name="a"), container(mount("cm", path), name="b"))
    world.view("a")
    with pytest.raises(CannotCreate, match=r'cannot link volume "cm" to .*it can lead to one place only') as caught:
        world.view("b")
    assert caught.value.reason == "CreateContainerConfigError"


def test_a_termination_log_of_its_own(linked: Any, tmp_path: Path) -> None:
    first, own = str(tmp_path / "first"), str(tmp_path / "last-words")
    world = linked(*(container(name=n, termination_message_path=path) for n, path in (("a", first), ("c", own))))
    for name in ("a", "c"):
        world.view(name)
    world.sh(f"echo bye > {own}", "c")
    assert [termination.take(world.mounts.current(name).termination_log, "") for name in ("a", "c")] == ["", "bye\n"]


def test_a_termination_log_may_be_in_a_volume(linked: Any, tmp_path: Path) -> None:
    place = f"{tmp_path}/place"
    world = linked(container(mount("v", place), name="c", termination_message_path=f"{place}/last-words"))
    world.sh(f"echo bye > {place}/last-words", "c")
    assert termination.take(world.mounts.current("c").termination_log, "") == "bye\n"


def test_a_shared_termination_log_is_the_message_of_the_first_that_ends(linked: Any, tmp_path: Path) -> None:
    shared = str(tmp_path / "last-words")
    world = linked(*(container(name=name, termination_message_path=shared) for name in ("a", "b")))
    logs = [world.view(name).termination_log for name in ("a", "b")]
    world.sh(f"echo from a > {shared}", "a")
    world.view("b", attempt=1)
    assert [termination.take(log, "") for log in logs] == ["from a\n", ""]
    world.sh(f"echo from b > {shared}", "b", uid=None if os.geteuid() else 65534)
    assert [termination.take(log, "") for log in reversed(logs)] in (["from b\n", ""], ["", ""])


READ_ONLY = SecurityContext(read_only_root_filesystem=True)
NEED = "needs mounts, which are not permitted here"


@pytest.mark.parametrize(
    ("containers", "spec", "expected"),
    [
        pytest.param([container(mount("v", "/x"), mount("cm", "/y", read_only=True))], {}, [], id="nothing"),
        pytest.param(
            [container(security_context=READ_ONLY)],
            {},
            [f"spec.containers[0].securityContext.readOnlyRootFilesystem: {NEED}"],
            id="a read-only root",
        ),
        pytest.param(
            [container(security_context=SecurityContext(proc_mount="Default"))],
            {},
            [f"spec.containers[0].securityContext.procMount: {NEED}"],
            id="a masked /proc",
        ),
        pytest.param(
            [container(mount("v", "/x", read_only=True))],
            {},
            [f"spec.containers[0].volumeMounts[0].readOnly: {NEED}"],
            id="a read-only mount",
        ),
        pytest.param(
            [container()], {"host_aliases": (HostAlias(ip="::1"),)}, [f"spec.hostAliases: {NEED}"], id="host aliases"
        ),
        pytest.param(
            [container()], {"dns_config": PodDNSConfig(searches=("a",))}, [f"spec.dnsConfig: {NEED}"], id="a resolver"
        ),
        pytest.param(
            [container(mount("i", "/x"))],
            {},
            [f"spec.containers[0].volumeMounts[0]: to leave the files of an image as they are {NEED}"],
            id="an image's files",
        ),
        pytest.param(
            [container(mount("v", "/x"), image="i")],
            {"images": {"i": ImageMapping(rootfs="/r")}},
            [f"spec.containers[0].volumeMounts: an image with a rootfs {NEED}"],
            id="volumes in an image",
        ),
        pytest.param(
            [container(mount("v", "/x/"), name="a"), container(mount("cm", "/x"), name="b")],
            {},
            [f'spec: containers "a" and "b" have different volumes at /x: {NEED}'],
            id="two volumes at one path",
        ),
        pytest.param(
            [container(mount("v", "/x"), name="a"), container(mount("v", "/x"), name="b")],
            {},
            [],
            id="one volume at one path",
        ),
    ],
)
@pytest.mark.skipif(not os.access("/", os.W_OK), reason="nothing can be linked in a / that cannot be written")
def test_problems(containers: list[Container], spec: Any, expected: list[str]) -> None:
    assert links.problems(manifest(*containers, volumes=(empty_dir(), config_volume(), IMAGE), **spec)) == expected


def test_what_links_cannot_give_is_an_error_unless_best_effort(linked: Any, tmp_path: Path) -> None:
    one = container(mount("v", str(tmp_path / "x"), read_only=True))
    world = linked(one)
    with pytest.raises(CannotCreate, match="readOnly: needs mounts"):
        world.view()
