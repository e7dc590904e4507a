"""An init container of an image on disk, beside a container of the host; made by hand, and by Debian's tools."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.node.image_world import LAYER, Layout, busybox, contents, entry, layer, named, symlink
from tests.stories import trees
from tests.stories.driver import Story, cli, need, private

pytestmark = pytest.mark.real

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: built
spec:
  restartPolicy: Never
  initContainers:
    - name: build
      image: example.org/tool:1
      args: ['busybox | head -n1 > /out/made; cat /etc/who >> /out/made; echo $WHERE >> /out/made; pwd >> /out/made']
      volumeMounts: [{name: out, mountPath: /out}]
  containers:
    - name: show
      command: [cat, /shown/made]
      volumeMounts: [{name: out, mountPath: /shown, readOnly: true}]
  volumes:
    - name: out
      emptyDir: {}
"""

HOST = """\
apiVersion: initsup.dev/v1alpha1
kind: SupervisorConfiguration
imageCache: {cache}
images:
  example.org/tool:
    archive: {archive}
"""

CONFIG = {"Entrypoint": ["/bin/sh", "-c"], "Cmd": ["exit 9"], "Env": ["WHERE=in the image"], "WorkingDir": "/srv"}


def by_hand(home: Path) -> str:
    made = Layout(home / "layout")
    head = layer(symlink("bin/head", "busybox"))
    return made.write(made.image(busybox(), head, config=CONFIG, **named("1"))) + "#1"


def by_umoci(home: Path) -> str:
    umoci = need("umoci")
    tree = home / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "etc").mkdir()
    shutil.copy(need("busybox"), tree / "bin/busybox")
    busybox()  # skips where it is not linked statically
    for name in ("sh", "cat", "head"):
        (tree / "bin" / name).symlink_to("busybox")
    (tree / "etc/who").write_text("the image\n")
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    config = ["--config.entrypoint=/bin/sh", "--config.entrypoint=-c", "--config.env=WHERE=in the image"]
    for words in (
        ["init", "--layout", "layout"],
        ["new", "--image", "layout:1"],
        ["insert", *rootless, "--image", "layout:1", "tree", "/"],
        ["config", "--image", "layout:1", *config, "--config.workingdir=/srv", "--config.cmd=exit 9"],
    ):
        trees.make(umoci, *words, cwd=home)
    return f"{home}/layout#1"


def by_skopeo(form: str) -> Callable[[Path], str]:
    return lambda home: trees.by_skopeo(form, by_hand(home), home)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(by_hand, id="a layout made by hand"),
        pytest.param(by_umoci, id="a layout by umoci"),
        pytest.param(by_skopeo("oci-archive"), id="an archive of a layout by skopeo"),
        pytest.param(by_skopeo("docker-archive"), id="docker save by skopeo"),
    ],
)
def test_an_image_builds_what_the_host_shows(
    home: Path, run: Callable[..., Story], make: Callable[[Path], str]
) -> None:
    private("--mount")
    archive = make(home)
    (home / "pod.yaml").write_text(POD)
    (home / "host.yaml").write_text(HOST.format(archive=archive, cache=home / "cache"))
    story = run(home / "pod.yaml", home / "host.yaml")
    assert story.ended() == 0, story.said()
    lines = story.logs("show").splitlines()
    assert lines[0].startswith("BusyBox v")
    assert lines[1:] == ["the image", "in the image", "/srv"]
    (root,) = (home / "cache").glob("sha256/*/rootfs")
    assert not {"out", "srv", "proc", "dev", "sys", "out/made"} & set(contents(root))


def test_a_hostile_image_ends_in_an_error_and_nothing_else(home: Path, run: Callable[..., Story]) -> None:
    made = Layout(home / "layout")
    hostile = layer(entry("../../../../../../" + str(home / "evil").lstrip("/"), b"x"))
    archive = made.write(made.image(busybox(), hostile, config=CONFIG))
    (home / "pod.yaml").write_text(POD)
    (home / "host.yaml").write_text(HOST.format(archive=archive, cache=home / "cache"))
    story = run(home / "pod.yaml", home / "host.yaml")
    story.until_status("Init:CreateContainerError")
    waiting = story.container("build")["state"]["waiting"]
    assert waiting["message"].startswith(f"cannot unpack the image in {archive}: it has a name that leads out: ")
    story.signal()
    assert story.ended() == 0
    assert not (home / "evil").exists()
    assert not [path for path in (home / "cache/sha256").iterdir() if path.suffix != ".lock"]


def test_ten_gigabytes_of_zeros_are_ten_megabytes_and_an_error(home: Path, run: Callable[..., Story]) -> None:
    """Files of 64 MiB, of which the disk gets to see no more than imageMaxSize, and keeps nothing."""
    size = 64 * 2**20
    zeros = gzip.compress(bytes(size), 9)
    made = Layout(home / "layout")

    def spoil(manifest: dict[str, Any]) -> None:
        members = (gzip.compress(layer(entry(f"zeros/{number}", size=size))[:512], 1) + zeros for number in range(160))
        manifest["layers"][0].update(made.blob(b"".join(members), LAYER))

    archive = made.write(made.image(layer(), config=CONFIG, change=spoil))
    (home / "pod.yaml").write_text(POD)
    (home / "host.yaml").write_text(HOST.format(archive=archive, cache=home / "cache"))
    story = run(home / "pod.yaml", home / "host.yaml", options=("--set", "imageMaxSize=200Mi"))
    story.until_status("Init:CreateContainerError", timeout=120)
    message = story.container("build")["state"]["waiting"]["message"]
    assert message.endswith("it has more than 209715200 bytes when unpacked (imageMaxSize)")
    assert not [path for path in (home / "cache/sha256").iterdir() if path.suffix != ".lock"]
    story.signal()
    assert story.ended() == 0


def test_what_is_no_archive_is_said_before_anything_starts(home: Path) -> None:
    (home / "pod.yaml").write_text(POD)
    (home / "host.yaml").write_text(HOST.format(archive=home / "none.tar", cache=home / "cache"))
    checked = cli("check", str(home / "pod.yaml"), str(home / "host.yaml"))
    assert checked.returncode == 2
    where = f'{home}/host.yaml:6: images[example.org/tool].archive: Invalid value: "{home}/none.tar"'
    assert f"{where}: there is no such file" in checked.stderr
