"""What processes in a container see: real namespaces, entered by real shells."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from initsup.node import spawn, syscalls, termination
from initsup.node.failures import CannotCreate
from initsup.node.mountinfo import make_root_read_only
from initsup.spec.manifest import ConfigMap, Manifest, Secret
from initsup.spec.pod import Container, HostAlias, PodDNSConfig, SecurityContext
from initsup.spec.settings import ImageMapping
from initsup.spec.volume import HostPathVolumeSource, ImageVolumeSource, Volume, VolumeDevice
from tests.node.world import (
    World,
    config_volume,
    empty_dir,
    in_child,
    manifest,
    mount,
    need_mounts,
    need_root,
    say,
    secret_volume,
)

pytestmark = pytest.mark.real

MAPS = {"cm": ConfigMap(data={"one": "1", "two": "2"})}
SECRETS = {"s": Secret(data={"k": b"v"})}


@pytest.fixture
def place() -> Iterator[str]:
    """A directory that is nowhere yet, at the root; it must be gone at the end."""
    path = f"/initsup-test-{os.getpid()}"
    yield path
    assert not os.path.lexists(path)


@pytest.fixture
def worlds(tmp_path: Path, place: str) -> Iterator[Any]:
    """Makes worlds; skips where mounts are not permitted. Nothing may be left, neither mounts nor descriptors.

    It needs `place` only to be torn down before it.
    """
    made: list[World] = []
    spawn._home()  # stays open for good
    mounted, here, open_files = Path("/proc/self/mountinfo").read_text(), os.getcwd(), len(os.listdir("/proc/self/fd"))

    def make(one: Manifest) -> World:
        state = tmp_path / f"state{len(made)}"
        state.mkdir(exist_ok=True)
        made.append(World(one, str(state)))
        need_mounts(made[-1])
        made[-1].volumes.prepare()
        return made[-1]

    yield make
    for world in made:
        assert world.mounts.remove() == []
        world.volumes.remove()
    assert Path("/proc/self/mountinfo").read_text() == mounted
    assert os.getcwd() == here
    # Each world keeps one for the way home.
    assert len(os.listdir("/proc/self/fd")) <= open_files + len(made)
    for number in range(len(made)):
        assert os.listdir(tmp_path / f"state{number}") == []


def container(*mounts: Any, name: str = "c", **more: Any) -> Container:
    return Container(name=name, volume_mounts=mounts, **more)


def host_path(path: Path | str, kind: str = "") -> Volume:
    return Volume(name="h", host_path=HostPathVolumeSource(path=str(path), type=kind))


# -- volumes ---------------------------------------------------------------------------------------------------------


def test_volumes_are_seen_by_their_containers_only(worlds: Any, place: str) -> None:
    containers = (
        container(mount("v", place), mount("cm", f"{place}-cm"), name="a"),
        container(mount("v", "/mnt"), name="b"),
        container(name="c"),
    )
    world = worlds(manifest(*containers, volumes=(empty_dir(), config_volume()), config_maps=MAPS))
    assert world.sh(f"echo hello > {place}/f; cat {place}-cm/one {place}-cm/two", "a") == "12"
    assert world.sh("cat /mnt/f", "b") == "hello\n"
    assert world.sh(f"ls {place} /mnt/f 2>/dev/null", "c") in ("exit 2\n", f"{place}:\nexit 2\n")
    assert os.listdir(place) == []
    inodes = {world.mounts.current(name).inode for name in "abc"}
    assert len(inodes | {os.stat("/proc/self/ns/mnt").st_ino}) == 4


def test_the_rest_is_the_hosts(worlds: Any, tmp_path: Path, place: str) -> None:
    world = worlds(manifest(container(mount("v", f"{place}/deep/er")), volumes=(empty_dir(),)))
    assert world.sh(f"echo yes > {tmp_path}/written; stat -c %a {place}/deep/er; pwd") == "777\n/\n"
    assert (tmp_path / "written").read_text() == "yes\n"


@pytest.mark.parametrize(
    ("mounts", "script", "expected"),
    [
        pytest.param([mount("v", "{p}"), mount("cm", "{p}/in/side")], "cat {p}/in/side/one", "1", id="one in another"),
        pytest.param(
            [mount("cm", "{p}/in/side"), mount("v", "{p}")], "cat {p}/in/side/one", "1", id="whatever the order"
        ),
        pytest.param(
            [mount("cm", "{p}"), mount("v", "{p}/new")],
            "cat {p}/one; echo x > {p}/new/f; cat {p}/new/f",
            "1x\n",
            id="one in a read-only one",
        ),
        pytest.param(
            [mount("cm", "{p}/f.conf", sub_path="two")], "cat {p}/f.conf", "2", id="a file at a place that is missing"
        ),
        pytest.param([mount("cm", "/etc/passwd", sub_path="two")], "cat /etc/passwd", "2", id="a file over a file"),
        pytest.param(
            [mount("v", "{p}/a", sub_path="x/y"), mount("v", "{p}/all")],
            "echo 1 > {p}/a/f; cat {p}/all/x/y/f; stat -c %a {p}/all/x {p}/all/x/y",
            "1\n777\n777\n",
            id="a missing sub-path is made like the volume",
        ),
        pytest.param(
            [mount("v", "{p}", sub_path_expr="$(POD)/$(N)"), mount("v", "{p}-all")],
            "ls {p}-all/pod-1",
            "3\n",
            id="a sub-path out of variables",
        ),
        pytest.param(
            [mount("v", "/tmp")],
            "ls /tmp; echo x > /tmp/f; cat /tmp/f",
            "x\n",
            id="over the directory that has the state",
        ),
        pytest.param([mount("v", "{p}/x/../y/")], "cd {p}/y", "", id="a path that is not clean"),
        pytest.param(
            [mount("v", "/dev/shm")],
            "stat -f -c %T /dev/shm; echo x > /dev/shm/f; cat /dev/shm/f",
            "tmpfs\nx\n",
            id="/dev/shm",
        ),
        pytest.param(
            [mount("cm", "{p}"), mount("s", "{p}-s")],
            "touch {p}/x {p}-s/x 2>&1 | grep -c 'Read-only file system'",
            "2\n",
            id="ConfigMaps and Secrets are read-only",
        ),
        pytest.param(
            [mount("v", "{p}", read_only=True), mount("v", "{p}-w")],
            "touch {p}/x 2>/dev/null; touch {p}-w/y && ls {p}",
            "y\n",
            id="read-only for one mount",
        ),
        pytest.param(
            [mount("v", "{p}", read_only=True, recursive_read_only="Enabled")],
            "touch {p}/x 2>/dev/null; echo $?",
            "1\n",
            id="recursively read-only",
        ),
    ],
)
def test_mounting(worlds: Any, place: str, mounts: list[Any], script: str, expected: str) -> None:
    import msgspec

    real = [msgspec.structs.replace(one, mount_path=one.mount_path.format(p=place)) for one in mounts]
    volumes = (empty_dir(), config_volume(), secret_volume())
    world = worlds(manifest(container(*real), volumes=volumes, config_maps=MAPS, secrets=SECRETS))
    world.view(POD="pod-1", N="3")
    assert world.sh(script.format(p=place)) == expected


def test_users_reach_their_volumes(worlds: Any, place: str) -> None:
    volumes = (empty_dir(), secret_volume(default_mode=0o444))
    world = worlds(manifest(container(mount("v", place), mount("s", f"{place}-s")), volumes=volumes, secrets=SECRETS))
    assert (
        world.sh(
            f"echo x > {place}/f; stat -c %u {place}/f; cat {place}-s/k; echo bye > /dev/termination-log", uid=1001
        )
        == "1001\nv"
    )
    assert termination.take(world.view().termination_log, "") == ""
    assert world.sh("ls /tmp/pytest-of-root 2>/dev/null", uid=1001) == "exit 2\n"


def test_data_stays_over_restarts(worlds: Any, place: str) -> None:
    world = worlds(manifest(container(mount("v", place)), volumes=(empty_dir(),)))
    world.sh(f"echo 1 >> {place}/runs")
    assert world.view(attempt=1) == world.view(attempt=0)
    assert world.sh(f"echo 2 >> {place}/runs; cat {place}/runs") == "1\n2\n"


def test_config_maps_change_under_their_mounts_but_not_sub_paths(worlds: Any, place: str) -> None:
    mounts = (mount("cm", place), mount("cm", f"{place}-one", sub_path="one"))
    made = manifest(container(*mounts), volumes=(config_volume(),), config_maps=MAPS)
    world = worlds(made)
    world.view()
    import msgspec

    world.volumes.update(msgspec.structs.replace(made, config_maps={"cm": ConfigMap(data={"one": "new"})}))
    assert world.sh(f"cat {place}/one {place}-one; ls {place}") == "new1one\n"


def test_a_sub_path_that_was_removed_is_made_again(worlds: Any, place: str) -> None:
    mounts = (mount("v", place, sub_path="sub"), mount("v", f"{place}-all"))
    world = worlds(manifest(container(*mounts), volumes=(empty_dir(),)))
    world.sh(f"touch {place}/f; rm -r {place}-all/sub")
    world.view(attempt=1)
    assert world.sh(f"touch {place}/g && ls {place}-all/sub") == "g\n"


def test_where_the_hosts_files_cannot_be_written(tmp_path: Path, place: str) -> None:
    """As on an immutable system: the mount points are seen by the containers only."""
    need_root()
    (tmp_path / "state").mkdir()

    def work() -> None:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("tmpfs", str(tmp_path / "state"), "tmpfs")
        make_root_read_only((str(tmp_path / "state"), "/dev", "/proc"))
        mounts = (mount("v", f"{place}/deep"), mount("v", "/etc/initsup-none/x"), mount("cm", f"{place}/deep/er"))
        containers = (container(*mounts), container(name="d"))
        made = manifest(*containers, volumes=(empty_dir(), config_volume()), config_maps=MAPS)
        world = World(made, str(tmp_path / "state"))
        world.volumes.prepare()
        say(world.sh(f"echo x > {place}/deep/f; cat /etc/initsup-none/x/f {place}/deep/er/one; readlink /etc/mtab"))
        say(world.sh(f"ls -A {place}/deep; touch /etc/x 2>&1 | grep -c Read-only; ls -A /etc | wc -l", "d"))
        say(os.listdir(world.volumes.path("v") or ""))

    text = in_child(work).split()
    # /etc is a tmpfs there now, like any directory that was covered; what is in it is as it was.
    assert text[:3] == ["x", "1" + os.readlink("/etc/mtab"), "1"]
    assert text[3:] == [str(len(os.listdir("/etc")) + 1), "['f',", "'er']"]


# -- host paths ------------------------------------------------------------------------------------------------------


def test_host_directories(worlds: Any, tmp_path: Path, place: str) -> None:
    host = tmp_path / "h"
    containers = (container(mount("h", place)), container(mount("h", place, sub_path="sub"), name="d"))
    world = worlds(manifest(*containers, volumes=(host_path(host),)))
    world.sh(f"mkdir {place}/sub; echo x > {place}/sub/f")
    assert (host / "sub/f").read_text() == "x\n"
    assert host.stat().st_mode & 0o777 == 0o755
    assert world.sh(f"cat {place}/f", "d") == "x\n"


def test_host_files_and_sockets(worlds: Any, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("content")
    world = worlds(manifest(container(mount("h", f"{place}/f")), volumes=(host_path(tmp_path / "file", "File"),)))
    assert world.sh(f"cat {place}/f; echo more > {place}/f") == "content"
    assert (tmp_path / "file").read_text() == "more\n"


def test_a_host_path_that_vanished(worlds: Any, tmp_path: Path, place: str) -> None:
    (tmp_path / "h").mkdir()
    world = worlds(manifest(container(mount("h", place)), volumes=(host_path(tmp_path / "h", "Directory"),)))
    (tmp_path / "h").rmdir()
    with pytest.raises(CannotCreate, match=r'failed to stat ".*/h": no such file or directory'):
        world.view()


# -- what is refused -------------------------------------------------------------------------------------------------

PREPARE = 'failed to prepare subPath for volumeMount "v" of container "c"'


@pytest.mark.parametrize(
    ("one", "reason", "message"),
    [
        pytest.param(
            mount("v", "//"),
            "RunContainerError",
            'error mounting volume "v" at "/": nothing can be mounted there',
            id="over everything",
        ),
        pytest.param(
            mount("v", "/proc/sys"),
            "RunContainerError",
            'error mounting volume "v" at "/proc/sys": nothing can be mounted there',
            id="in /proc",
        ),
        pytest.param(
            mount("none", "/x"),
            "CreateContainerConfigError",
            'cannot find volume "none" to mount into container "c"',
            id="no such volume",
        ),
        pytest.param(
            mount("v", "/x", sub_path_expr="$(ABS)"),
            "CreateContainerConfigError",
            "error SubPath `/tmp` must not be an absolute path",
            id="an absolute sub-path",
        ),
        pytest.param(
            mount("v", "/x", sub_path_expr="$(UP)"),
            "CreateContainerConfigError",
            "unable to provision SubPath `../x`: must not contain '..'",
            id="a sub-path that goes up",
        ),
        pytest.param(
            mount("v", "/x", sub_path_expr="$(B)$(NONE)$(A)$(EMPTY)"),
            "CreateContainerConfigError",
            "missing value for A, B, EMPTY, NONE",
            id="variables that are missing or empty",
        ),
        pytest.param(
            mount("v", "/x", sub_path="out"), "CreateContainerConfigError", PREPARE, id="a link out of the volume"
        ),
        pytest.param(
            mount("v", "/x", sub_path="out/new"), "CreateContainerConfigError", PREPARE, id="to something new there"
        ),
        pytest.param(
            mount("v", "/x", sub_path="absolute"), "CreateContainerConfigError", PREPARE, id="an absolute link"
        ),
        pytest.param(
            mount("v", "/etc/passwd"),
            "RunContainerError",
            'error mounting volume "v" at "/etc/passwd": not a directory',
            id="a directory over a file",
        ),
        pytest.param(
            mount("v", "/etc/passwd/x"),
            "RunContainerError",
            'error mounting volume "v" at "/etc/passwd/x": not a directory',
            id="below a file",
        ),
    ],
)
def test_refusals(worlds: Any, one: Any, reason: str, message: str) -> None:
    world = worlds(manifest(container(one), volumes=(empty_dir(),)))
    os.symlink("../../..", f"{world.volumes.path('v')}/out")
    os.symlink("/etc", f"{world.volumes.path('v')}/absolute")
    with pytest.raises(CannotCreate) as caught:
        world.view(ABS="/tmp", UP="../x", EMPTY="")
    assert (caught.value.reason, caught.value.message) == (reason, message)


def test_raw_devices_are_refused(worlds: Any) -> None:
    one = Container(name="c", volume_devices=(VolumeDevice(name="v", device_path="/dev/x"),))
    with pytest.raises(CannotCreate, match='cannot find volume "v" to pass into container "c"'):
        worlds(manifest(one, volumes=(empty_dir(),))).view()


# -- the termination log and /etc/hosts ------------------------------------------------------------------------------


def test_termination_logs_are_apart_and_fresh(worlds: Any) -> None:
    world = worlds(manifest(container(name="a"), container(name="b")))
    for name in ("a", "b"):
        assert world.sh(f"cat /dev/termination-log; echo -n {name} > /dev/termination-log", name) == ""
    logs = [world.mounts.current(name).termination_log for name in ("a", "b")]
    world.view("a", attempt=1)
    assert [termination.take(log, "") for log in logs] == ["", "b"]
    assert (
        world.sh(
            "cat /dev/termination-log; echo -n again >> /dev/termination-log; stat -c %a /dev/termination-log",
            "a",
            uid=65534,
        )
        == "666\n"
    )
    assert termination.take(logs[0], "") == "again"


def test_the_termination_log_may_be_elsewhere(worlds: Any, place: str) -> None:
    one = container(mount("v", place), name="a", termination_message_path=f"{place}/last/words")
    none = container(name="b", termination_message_path="")
    world = worlds(manifest(one, none, volumes=(empty_dir(),)))
    world.sh(f"echo bye > {place}/last/words", "a")
    assert termination.take(world.mounts.current("a").termination_log, "") == "bye\n"
    assert world.view("b").termination_log is None


def test_host_aliases(worlds: Any, tmp_path: Path) -> None:
    aliases = (HostAlias(ip="192.0.2.1", hostnames=("a", "b.example")), HostAlias(ip="::1", hostnames=("c",)))
    containers = (container(name="c"), container(mount("v", "/etc/hosts", sub_path="own"), name="own"))
    world = worlds(manifest(*containers, volumes=(empty_dir(),), host_aliases=aliases))
    (Path(world.volumes.path("v")) / "own").write_text("mine\n")
    own = Path("/etc/hosts").read_text()
    assert world.sh("cat /etc/hosts") == (
        f"# Kubernetes-managed hosts file (host network).\n{own}\n"
        "# Entries added by HostAliases.\n192.0.2.1\ta\tb.example\n::1\tc\n"
    )
    assert world.sh("cat /etc/hosts", "own") == "mine\n"
    assert Path("/etc/hosts").read_text() == own


def test_a_resolver_of_its_own(worlds: Any) -> None:
    own = Path("/etc/resolv.conf").read_text()
    containers = (container(name="c"), container(mount("v", "/etc/resolv.conf", sub_path="own"), name="own"))
    config = PodDNSConfig(nameservers=("192.0.2.1",), searches=("a.example",))
    world = worlds(manifest(*containers, volumes=(empty_dir(),), dns_policy="None", dns_config=config))
    (Path(world.volumes.path("v")) / "own").write_text("mine\n")
    assert world.sh("cat /etc/resolv.conf") == "search a.example\nnameserver 192.0.2.1\n"
    assert world.sh("cat /etc/resolv.conf", "own") == "mine\n"
    assert Path("/etc/resolv.conf").read_text() == own


# -- read-only roots -------------------------------------------------------------------------------------------------

READ_ONLY = SecurityContext(read_only_root_filesystem=True)


def test_a_read_only_root(worlds: Any, tmp_path: Path, place: str) -> None:
    mounts = (mount("v", place), mount("cm", f"{place}/in"))
    one = container(*mounts, security_context=READ_ONLY)
    world = worlds(manifest(one, container(name="d"), volumes=(empty_dir(), config_volume()), config_maps=MAPS))
    refused = f"for f in /file /tmp/file {tmp_path}/file /dev/../etc/file; do touch $f 2>&1 | grep -c 'Read-only'; done"
    assert world.sh(refused) == "1\n" * 4
    written = (
        f"echo x > {place}/f && echo x > /dev/null && echo bye > /dev/termination-log && cat {place}/f {place}/in/one"
    )
    assert world.sh(written) == "x\n1"
    assert termination.take(world.mounts.current("c").termination_log, "") == "bye\n"
    assert world.sh(f"touch {tmp_path}/file", "d") == ""


def test_the_host_stays_writable_beside_a_read_only_root(worlds: Any, tmp_path: Path) -> None:
    world = worlds(manifest(container(security_context=READ_ONLY)))
    world.view()
    (tmp_path / "host").touch()


# -- /proc -----------------------------------------------------------------------------------------------------------

PROBE = """
stat -L -c %t:%T /proc/timer_list; ls -A /proc/scsi 2>/dev/null | wc -l; ls -A /sys/firmware | wc -l
(echo 1 > /proc/sys/vm/drop_caches) 2>/dev/null || echo protected; cat /proc/sys/kernel/ostype; test -r /proc/self/stat
"""
MASKED, OPEN = "1:3\n0\n0\nprotected\nLinux\n", "0:0\n"


@pytest.mark.parametrize(
    ("context", "own", "masked"),
    [
        pytest.param(None, False, False, id="the host's"),
        pytest.param(SecurityContext(proc_mount="Default"), False, True, id="asked for"),
        pytest.param(None, True, True, id="in an image"),
        pytest.param(SecurityContext(proc_mount="Unmasked"), True, False, id="in an image, but not wanted"),
        pytest.param(SecurityContext(privileged=True), True, False, id="privileged"),
        pytest.param(
            SecurityContext(privileged=True, proc_mount="Default"), False, False, id="privileged all the same"
        ),
    ],
)
def test_masks(worlds: Any, image: Path, context: SecurityContext | None, own: bool, masked: bool) -> None:
    need_root()
    one = container(security_context=context)
    world = worlds(in_image(image, one) if own else manifest(one))
    need_mounts(world)
    assert world.sh(PROBE).startswith(MASKED if masked else OPEN)


# -- the host's name -------------------------------------------------------------------------------------------------

NAME = {"hostname": "box", "host_aliases": (HostAlias(ip="10.1.2.3", hostnames=("a.example",)),)}


def test_an_image_has_the_pods_resolver(worlds: Any, image: Path) -> None:
    need_root()
    config = PodDNSConfig(nameservers=("192.0.2.1",))
    world = worlds(in_image(image, container(), dns_policy="None", dns_config=config))
    assert world.sh("cat /etc/resolv.conf") == "nameserver 192.0.2.1\n"


def test_a_pod_may_have_a_host_name_of_its_own(worlds: Any) -> None:
    own = os.uname().nodename
    world = worlds(manifest(container(), container(name="d"), **NAME))
    need_mounts(world)
    for name in ("c", "d"):
        assert world.sh("uname -n; tail -n 4 /etc/hosts", name) == (
            "box\n127.0.0.1\tbox\n\n# Entries added by HostAliases.\n10.1.2.3\ta.example\n"
        )
    assert os.uname().nodename == own
    with open("/etc/hosts") as file:
        assert "a.example" not in file.read()


@pytest.mark.parametrize("spec", [{}, {"hostname": "box", "host_network": True}], ids=["nobody asks", "host network"])
def test_else_it_has_the_hosts(worlds: Any, spec: Any) -> None:
    world = worlds(manifest(container(), **spec))
    need_mounts(world)
    assert world.sh("uname -n; cat /etc/hosts") == f"{os.uname().nodename}\n{Path('/etc/hosts').read_text()}"


# -- images ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A directory with a shell and little else, whose path needs care."""
    root = tmp_path / "image:1,x"
    root.mkdir()
    for name in ("bin", "lib", "lib64", "usr"):
        if os.path.islink(f"/{name}"):
            (root / name).symlink_to(os.readlink(f"/{name}"))
        elif os.path.isdir(f"/{name}"):
            (root / name).mkdir()
    (root / "etc").mkdir()
    (root / "etc/resolv.conf").symlink_to("/run/resolv.conf")
    (root / "own").write_text("image\n")
    return root


def in_image(image: Path, *containers: Container, **more: Any) -> Manifest:
    """The programs are the host's, mounted into the image."""
    names = [
        name for name in ("bin", "lib", "lib64", "usr") if (image / name).is_dir() and not (image / name).is_symlink()
    ]
    volumes = tuple(Volume(name=f"host-{name}", host_path=HostPathVolumeSource(path=f"/{name}")) for name in names)
    mounts = tuple(mount(f"host-{name}", f"/{name}", read_only=True) for name in names)
    import msgspec

    real = [msgspec.structs.replace(one, image="i", volume_mounts=(*one.volume_mounts, *mounts)) for one in containers]
    more["volumes"] = (*more.get("volumes", ()), *volumes)
    return manifest(*real, images={"i": ImageMapping(rootfs=str(image))}, **more)


def tree(directory: Path) -> list[str]:
    return sorted(str(path) for path in directory.rglob("*"))


def test_an_image_is_the_root(worlds: Any, image: Path) -> None:
    need_root()
    before = tree(image)
    world = worlds(in_image(image, container(mount("v", "/data/x")), volumes=(empty_dir(),)))
    script = "cat /own; ls -d /home /root 2>/dev/null; echo x > /made; echo y > /data/x/f; cat /data/x/f"
    assert world.sh(script) == "image\ny\n"
    devices = world.sh("ls /dev").split()
    assert {"null", "zero", "full", "random", "urandom", "tty", "fd", "stdout", "termination-log"} <= set(devices)
    assert not {"kmsg", "mem"} & set(devices)
    assert world.sh("touch /sys/x 2>&1 | grep -c Read-only; echo > /dev/null; cat /made") == "1\nx\n"
    assert world.sh("cat /etc/hosts") == Path("/etc/hosts").read_text()
    assert world.sh("cat /etc/resolv.conf") == Path("/etc/resolv.conf").read_text()
    assert tree(image) == before


def test_an_image_is_new_for_each_instance(worlds: Any, image: Path) -> None:
    need_root()
    world = worlds(in_image(image, container(mount("v", "/data")), volumes=(empty_dir(),)))
    world.sh("touch /made /data/kept")
    world.view(attempt=1)
    assert world.sh("ls /made 2>/dev/null; ls /data") == "kept\n"


def test_an_image_may_be_read_only(worlds: Any, image: Path) -> None:
    need_root()
    world = worlds(in_image(image, container(mount("v", "/data"), security_context=READ_ONLY), volumes=(empty_dir(),)))
    assert world.sh("touch /made 2>&1 | grep -c Read-only; touch /data/f && echo bye > /dev/termination-log") == "1\n"


def test_no_such_image(worlds: Any, tmp_path: Path) -> None:
    world = worlds(manifest(Container(name="c", image="i"), images={"i": ImageMapping(rootfs=str(tmp_path / "none"))}))
    with pytest.raises(CannotCreate, match=r'the rootfs of image "i" is no directory'):
        world.view()


def test_image_volumes(worlds: Any, tmp_path: Path, place: str) -> None:
    (tmp_path / "files").mkdir()
    program = tmp_path / "files/run"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o755)
    volume = Volume(name="i", image=ImageVolumeSource(reference="img"))
    mounts = (mount("i", place), mount("i", f"{place}-none", sub_path="none"))
    images = {"img": ImageMapping(rootfs=str(tmp_path / "files"))}
    world = worlds(manifest(container(mounts[0]), container(mounts[1], name="d"), volumes=(volume,), images=images))
    assert (
        world.sh(
            f"touch {place}/x 2>&1 | grep -c Read-only; {place}/run 2>&1 | grep -c denied; cat {place}/run | head -c 2"
        )
        == "1\n1\n#!"
    )
    with pytest.raises(CannotCreate, match="failed to prepare subPath"):
        world.view("d")


# -- propagation -----------------------------------------------------------------------------------------------------


def test_propagation(tmp_path: Path) -> None:
    """What the host mounts, and what containers mount. The host is a namespace of its own here."""
    need_root()
    (tmp_path / "h").mkdir()
    (tmp_path / "state").mkdir()
    privileged = SecurityContext(privileged=True)

    def work() -> None:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("tmpfs", str(tmp_path / "h"), "tmpfs")
        syscalls.mount("", str(tmp_path / "h"), flags=syscalls.MS_SHARED)
        for name in ("host", "one", "two"):
            (tmp_path / "h" / name).mkdir()
        containers = (
            container(mount("h", "/mnt", mount_propagation="Bidirectional"), name="both", security_context=privileged),
            container(mount("h", "/mnt", mount_propagation="HostToContainer"), name="in"),
            container(mount("h", "/mnt"), name="none"),
        )
        world = World(manifest(*containers, volumes=(host_path(tmp_path / "h"),)), str(tmp_path / "state"))
        world.volumes.prepare()
        for name in ("both", "in", "none"):
            world.view(name)
        syscalls.mount("tmpfs", str(tmp_path / "h/host"), "tmpfs")
        (tmp_path / "h/host/from-host").touch()
        for name in ("both", "in", "none"):
            say(f"{name}: {world.sh('ls /mnt/host', name).split()}")
        world.sh("mount -t tmpfs x /mnt/one && touch /mnt/one/from-both", "both")
        world.sh("mount -t tmpfs x /mnt/two && touch /mnt/two/from-in", "in")
        for name in ("both", "in", "none"):
            say(f"{name}: {world.sh('ls /mnt/one /mnt/two', name).split()}")
        say(f"host: {os.listdir(tmp_path / 'h/one')} {os.listdir(tmp_path / 'h/two')}")

    assert in_child(work).splitlines() == [
        "both: ['from-host']",
        "in: ['from-host']",
        "none: []",
        "both: ['/mnt/one:', 'from-both', '/mnt/two:']",
        "in: ['/mnt/one:', 'from-both', '/mnt/two:', 'from-in']",
        "none: ['/mnt/one:', '/mnt/two:']",
        "host: ['from-both'] []",
    ]


def test_mounts_in_an_empty_dir_reach_other_containers(worlds: Any, place: str) -> None:
    need_root()
    containers = (
        container(mount("v", place, mount_propagation="Bidirectional"), name="both"),
        container(mount("v", place, mount_propagation="HostToContainer"), name="in"),
        container(mount("v", place), name="none"),
    )
    world = worlds(manifest(*containers, volumes=(empty_dir(),)))
    for name in ("both", "in", "none"):
        world.view(name)
    world.sh(f"mkdir {place}/d; mount -t tmpfs x {place}/d; touch {place}/d/f", "both")
    assert [world.sh(f"ls {place}/d", name) for name in ("both", "in", "none")] == ["f\n", "f\n", ""]


def test_what_the_host_unmounts_does_not_stay_in_use(tmp_path: Path) -> None:
    need_root()
    (tmp_path / "state").mkdir()
    (tmp_path / "disk").mkdir()

    def work() -> None:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("", "/", flags=syscalls.MS_SHARED)
        world = World(manifest(), str(tmp_path / "state"))
        world.view()
        syscalls.mount("tmpfs", str(tmp_path / "disk"), "tmpfs")
        (tmp_path / "disk/f").touch()
        say(world.sh(f"ls {tmp_path}/disk"))
        syscalls.unmount(str(tmp_path / "disk"))
        say(world.sh(f"ls {tmp_path}/disk"))

    assert in_child(work).split() == ["f"]


# -- the supervisor itself -------------------------------------------------------------------------------------------


def test_other_threads_do_not_matter(worlds: Any, place: str) -> None:
    """An API thread may be there; it stays in the host's namespace all the time."""
    stop, seen = threading.Event(), set()

    def watch() -> None:
        while not stop.is_set():
            seen.add(os.stat("/proc/thread-self/ns/mnt").st_ino)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        world = worlds(manifest(container(mount("v", place)), volumes=(empty_dir(),)))
        assert world.sh(f"touch {place}/f && ls {place}") == "f\n"
    finally:
        stop.set()
        thread.join()
    assert seen == {os.stat("/proc/self/ns/mnt").st_ino}


def test_two_pods_at_one_place(worlds: Any, place: str) -> None:
    made = manifest(container(mount("v", place)), volumes=(empty_dir(),))
    first, second = worlds(made), worlds(made)
    for world, word in ((first, "first"), (second, "second")):
        world.sh(f"echo {word} > {place}/f")
    first.remove()
    assert os.path.isdir(place)
    assert second.sh(f"cat {place}/f") == "second\n"
