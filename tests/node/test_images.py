"""Containers that wait for their image: a real node with real processes."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from initsup.core.actions import Prepare, Start
from initsup.core.events import Died, Event, Started, StartFailed, StopAsked, VolumeFailed, VolumesReady
from initsup.core.plan import plan
from initsup.node.images import Images
from initsup.node.node import HostNode
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container, ObjectMeta, Pod, PodSpec
from initsup.spec.settings import Console, ImageMapping, SupervisorConfiguration
from initsup.spec.volume import ImageVolumeSource, Volume, VolumeMount
from tests.node.image_world import Entry, Layout, busybox, contents, directory, entry, layer, saved, symlink
from tests.node.world import need_root

pytestmark = pytest.mark.real


class Pods:
    """Nodes of one test, with a cache that they share."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cache = path / "cache"
        self.nodes: list[HostNode] = []

    def node(self, *containers: Container, volumes: tuple[Volume, ...] = (), **images: ImageMapping) -> HostNode:
        settings = SupervisorConfiguration(
            images=images, image_cache=str(self.cache), image_max_size=2**24, console=Console(format="none")
        )
        number = len(self.nodes)
        meta = ObjectMeta(name="p", uid=f"u{number}")
        pod = Pod(metadata=meta, spec=PodSpec(containers=containers, volumes=volumes))
        self.nodes.append(HostNode(plan(Manifest(pod=pod, settings=settings)), str(self.path / f"state{number}")))
        return self.nodes[-1]

    def tool(self, *layers: bytes, **config: Any) -> HostNode:
        """A node with a container `c` of an image that has a shell, these layers and this configuration."""
        archive = saved(self.path / "t.tar", busybox(), *layers, config=config)
        return self.node(Container(name="c", image="tool:1"), tool=ImageMapping(archive=archive))

    def log(self, name: str = "c", number: int = 0) -> str:
        """What a container of the last node has printed."""
        log = self.path / f"state{len(self.nodes) - 1}/logs/{name}/{number}.log"
        return "".join(line.split(" ", 3)[3] for line in log.read_text().splitlines(keepends=True))


@pytest.fixture
def pods(tmp_path: Path, kept_signals: None) -> Iterator[Pods]:
    made = Pods(tmp_path)
    yield made
    for node in made.nodes:
        node.close()


def until(node: HostNode, *kinds: type[Event]) -> Any:
    """The next event of one of these kinds. Those after it stay for the next time."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        events = node.collect()
        for number, event in enumerate(events):
            if isinstance(event, kinds):
                for later in events[number + 1 :]:
                    node.post(later)
                return event
        select.select([node.fileno()], [], [], 1)
    raise AssertionError(f"none of {kinds} has happened")


def run(node: HostNode, attempt: int = 0) -> Any:
    """Start `c`, and wait for the end; how it ended, or why it could not start."""
    prepared = node.do(Prepare()) or until(node, VolumesReady, VolumeFailed)
    assert isinstance(prepared, VolumesReady), prepared
    started = node.do(Start(container="c", attempt=attempt)) or until(node, Started, StartFailed)
    return started if isinstance(started, StartFailed) else until(node, Died)


def need_mounts(node: HostNode) -> None:
    need_root()
    space = node._boxes.volumes.space
    if space.way == "link":
        pytest.skip(f"mounts are not permitted here: {space.refusal}")


def test_a_container_runs_in_its_image_and_leaves_it_as_it_is(pods: Pods) -> None:
    script = "cat /etc/who; echo changed > /etc/who; cat /etc/who; rm /etc/passwd; echo $PWD $B $(id -u) $HOME"
    node = pods.tool(Entrypoint=["/bin/sh", "-c"], Cmd=[script], Env=["B=1", "PATH=/bin"], WorkingDir="/made/here")
    need_mounts(node)
    assert run(node).code == 0
    assert pods.log() == "the image\nchanged\n/made/here 1 0 /root\n"
    found = contents(next(pods.cache.glob("sha256/*/rootfs")))
    assert found["etc/who"] == "f:the image\n"
    assert found["etc/passwd"].startswith("f:root")
    assert not {"made", "proc", "dev", "sys"} & set(found)

    assert isinstance(node.do(Start(container="c", attempt=1)), Started), "the image is there, nothing is waited for"
    assert until(node, Died).code == 0
    assert pods.log(number=1) == pods.log()


@pytest.mark.parametrize(
    ("user", "who"),
    [
        pytest.param("app", "uid=1234", id="a name of the image's own users"),
        pytest.param("4321", "uid=4321", id="a number"),
        pytest.param("4321:77", "gid=77", id="a number and a group"),
    ],
)
def test_the_user_of_an_image(pods: Pods, user: str, who: str) -> None:
    node = pods.tool(Cmd=["/bin/id"], User=user)
    need_mounts(node)
    assert run(node).code == 0
    assert who in pods.log()


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(symlink("etc/passwd", "/etc/passwd"), id="a link to itself"),
        pytest.param(symlink("etc/passwd", "../../../../../../../../etc/passwd"), id="a link to the host's"),
        pytest.param(entry("etc/passwd", kind=b"6"), id="a fifo"),
        pytest.param(directory("etc/passwd"), id="a directory"),
    ],
)
def test_users_of_the_host_are_not_those_of_an_image(pods: Pods, hostile: Entry) -> None:
    failed = run(pods.tool(layer(hostile), Cmd=["/bin/id"], User="nobody"))
    assert failed.reason == "CreateContainerError"
    assert failed.message == "unable to find user nobody: no matching entries in passwd file"


def test_a_broken_archive_is_said_and_can_be_mended(pods: Pods) -> None:
    made = Layout(pods.path / "layout")
    image = made.image(busybox(), config={"Cmd": ["/bin/id"]})
    archive = made.write(image)
    data = made.file(image["digest"]).read_bytes()
    made.file(image["digest"]).write_bytes(data.replace(b"2", b"3", 1))
    node = pods.node(Container(name="c", image="tool"), tool=ImageMapping(archive=archive))
    failed = run(node)
    assert failed.reason == "CreateContainerError"
    assert failed.message.startswith(f"cannot unpack the image in {archive}: {image['digest']} is damaged")

    made.file(image["digest"]).write_bytes(data)
    need_mounts(node)
    assert run(node).code == 0


def test_other_containers_do_not_wait(pods: Pods) -> None:
    archive = saved(pods.path / "t.tar", busybox(), config={"Cmd": ["/bin/id"]})
    other = Container(name="other", command=("/bin/sh", "-c", "exit 7"))
    node = pods.node(Container(name="c", image="tool"), other, tool=ImageMapping(archive=archive))
    need_mounts(node)
    assert isinstance(node.do(Prepare()), VolumesReady)
    assert node.do(Start(container="c", attempt=0)) is None
    assert isinstance(node.do(Start(container="other", attempt=0)), Started)
    ends: dict[str, int] = {}
    deadline = time.monotonic() + 30
    while len(ends) < 2 and time.monotonic() < deadline:
        select.select([node.fileno()], [], [], 1)
        ends |= {event.container: event.code for event in node.collect() if isinstance(event, Died)}
    assert ends == {"other": 7, "c": 0}


def test_a_pod_that_ends_does_not_wait(pods: Pods) -> None:
    node = pods.tool(Cmd=["/bin/id"])
    assert isinstance(node.do(Prepare()), VolumesReady)
    assert node.do(Start(container="c", attempt=0)) is None
    node.post(StopAsked(at=time.monotonic()))
    failed = until(node, StartFailed)
    assert failed.message == "unpacking the image was given up, as the pod ends"
    assert not [path for path in pods.cache.glob("sha256/*/rootfs") if path.parent.suffix != ".new"]


def test_an_archive_that_is_gone_is_not_needed_any_longer(pods: Pods) -> None:
    node = pods.tool(Cmd=["/bin/id"])
    need_mounts(node)
    assert run(node).code == 0
    os.unlink(pods.path / "t.tar")
    assert run(node, attempt=1).code == 0


def test_an_image_volume_from_an_archive(pods: Pods) -> None:
    archive = saved(pods.path / "t.tar", layer(entry("data/x", b"from the image\n")))
    container = Container(
        name="c", command=("/bin/sh", "-c", "cat /mnt/data/x; echo no > /mnt/data/x"),
        volume_mounts=(VolumeMount(name="v", mount_path="/mnt"),),
    )  # fmt: skip
    volumes = (Volume(name="v", image=ImageVolumeSource(reference="data:1")),)
    node = pods.node(container, volumes=volumes, data=ImageMapping(archive=archive))
    need_mounts(node)
    assert run(node).code != 0
    assert pods.log().startswith("from the image\n")
    assert "ead-only" in pods.log()


def test_an_image_volume_from_a_broken_archive(pods: Pods) -> None:
    (pods.path / "t.tar").write_bytes(b"x" * 2048)
    volumes = (Volume(name="v", image=ImageVolumeSource(reference="data")),)
    mapping = ImageMapping(archive=str(pods.path / "t.tar"))
    node = pods.node(Container(name="c", command=("true",)), volumes=volumes, data=mapping)
    failed = node.do(Prepare()) or until(node, VolumeFailed)
    assert isinstance(failed, VolumeFailed)
    assert failed.message.startswith("cannot unpack the image in ")


def test_without_archives_nothing_is_waited_for() -> None:
    settings = SupervisorConfiguration(images={"a": ImageMapping(command=("x",))})

    def run(*_: object) -> Any:
        raise AssertionError("nothing is to be started")

    images = Images(settings, run, print)
    assert not images.any_archive
    assert not images.wait_for(["a", "b"], lambda: None)
    assert images.mapping("a:1") == ImageMapping(command=("x",))
    assert images.mapping("b") is None
