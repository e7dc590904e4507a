"""File trees of other systems, and images of them, made by the tools that people make them with.

Each has the user `app` and a program that this machine does not have, `tool`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stories.driver import SCALE, need

COMMANDS = ("sh", "cat", "cp", "head", "id", "ls", "readlink", "rm", "sleep", "stat", "tar", "test", "touch")
"""What the small one has."""
USER = "app:x:4321:4321::/srv:/bin/sh\n"


def run(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command to its end, which may take a while."""
    return subprocess.run(
        [str(word) for word in words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600 * SCALE, cwd=cwd,
    )  # fmt: skip


def make(*words: str | Path, cwd: Path | None = None) -> None:
    """Run a command that makes something; if it fails, what it said is in the failure."""
    done = run(*words, cwd=cwd)
    assert done.returncode == 0, f"{words}: {done.stderr[-2000:]}"


def busybox(path: Path) -> Path:
    """Some programs in one file: a root that is made in no time. The test is skipped where there is no busybox."""
    program = Path(need("busybox"))
    if b"/ld-" in program.read_bytes()[:4096]:
        pytest.skip("busybox is not linked statically (Debian has it in busybox-static)")
    for name in ("bin", "etc", "srv", "tmp"):
        (path / name).mkdir(parents=True)
    (path / "tmp").chmod(0o1777)
    shutil.copy(program, path / "bin/busybox")
    for name in COMMANDS:
        (path / "bin" / name).symlink_to("busybox")
    (path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n" + USER)
    (path / "bin/tool").write_text("#!/bin/sh\necho made by a tool\n")
    (path / "bin/tool").chmod(0o755)
    return path


def debian(target: Path) -> Path:
    """The smallest Debian as a tar file, with a package that prints something. Skipped where it cannot be made."""
    mmdebstrap = need("mmdebstrap")
    if os.geteuid() != 0:
        pytest.skip("only root can have files of others")
    setup = f'printf {USER!r} >>"$1/etc/passwd" && cp "$1/usr/bin/hello" "$1/usr/bin/tool"'
    words = ["--mode=root", "--variant=essential", "--include=hello", f"--customize-hook={setup}"]
    words += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man", "zoneinfo")]
    done = run(mmdebstrap, *words, release(), target)
    if done.returncode:
        pytest.skip(f"no Debian to be had: {done.stderr.strip().splitlines()[-1:]}")
    return target


def release() -> str:
    """The Debian that this machine is, or the stable one."""
    lines = Path("/etc/os-release").read_text().splitlines()
    known = dict(line.split("=", 1) for line in lines if "=" in line)
    return known["VERSION_CODENAME"] if known.get("ID") == "debian" else "stable"


def extracted(archive: Path, target: Path) -> Path:
    """A tar file as a tree."""
    target.mkdir()
    make("tar", "-xpf", archive, "-C", target)
    return target


# -- images: each gets a tar file and a new directory, and says which archive to name in the settings -----------------

CONFIG = {"entrypoint": ("/bin/sh", "-c"), "cmd": "tool; id -u; pwd; echo $WHERE", "env": "WHERE=in the image"}


def by_umoci(archive: Path, place: Path) -> str:
    """An OCI layout: what umoci unpacks is filled, and repacked."""
    umoci = need("umoci")
    place.mkdir()
    make(umoci, "init", "--layout", "layout", cwd=place)
    make(umoci, "new", "--image", "layout:1", cwd=place)
    make(umoci, "unpack", "--image", "layout:1", "bundle", cwd=place)
    make("tar", "-xpf", archive, "-C", place / "bundle/rootfs")
    make(umoci, "repack", "--image", "layout:1", "bundle", cwd=place)
    entrypoint = [f"--config.entrypoint={word}" for word in CONFIG["entrypoint"]]
    more = [f"--config.cmd={CONFIG['cmd']}", f"--config.env={CONFIG['env']}"]
    make(umoci, "config", "--image", "layout:1", *entrypoint, *more, "--config.user=app", "--config.workingdir=/srv",
         cwd=place)  # fmt: skip
    shutil.rmtree(place / "bundle")
    return f"{place}/layout#1"


def by_buildah(archive: Path, place: Path) -> str:
    """An OCI layout of a container that buildah has made."""
    place.mkdir()
    buildah = [need("buildah"), "--root", str(place / "root"), "--runroot", str(place / "run")]
    buildah += ["--storage-driver", "vfs"]
    make(*buildah, "from", "--name", "new", "scratch")
    make(*buildah, "add", "new", archive, "/")
    entrypoint = f'["{CONFIG["entrypoint"][0]}", "{CONFIG["entrypoint"][1]}"]'
    more = ["--env", CONFIG["env"], "--user", "app", "--workingdir", "/srv"]
    make(*buildah, "config", "--entrypoint", entrypoint, "--cmd", f'"{CONFIG["cmd"]}"', *more, "new")
    policy = place / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    make(*buildah, "commit", "--signature-policy", policy, "new", f"oci:{place}/layout:1")
    make(*buildah, "rm", "new")
    return f"{place}/layout#1"


def saved(layout: Callable[[Path, Path], str]) -> Callable[[Path, Path], str]:
    """What `docker save` would write of a layout, by skopeo."""

    def build(archive: Path, place: Path) -> str:
        return by_skopeo("docker-archive", layout(archive, place), place)

    return build


def by_skopeo(form: str, layout: str, place: Path) -> str:
    """What skopeo makes of a layout: an archive of another form."""
    source, target = layout.replace("#", ":"), place / "image.tar"
    copy = ("copy", f"oci:{source}", f"{form}:{target}:example.org/tool:1")
    make(need("skopeo"), "--insecure-policy", "--tmpdir", place, *copy)
    return str(target)
