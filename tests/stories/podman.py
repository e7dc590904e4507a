"""A podman with a storage of its own, and an image made from configs/container/Dockerfile without a registry."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil
import pytest

from tests.stories import trees
from tests.stories.driver import SCALE, need, until

T = TypeVar("T")

IMAGE = "localhost/initsup-example"
BASE = "localhost/python"
MIRROR = "http://deb.debian.org/debian"

# What the example of the image needs, and what the pods of configs/ run.
PACKAGES = ("python3", "python3-venv", "git", "nginx-light", "netcat-openbsd")
UNREAD = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")

# Limits that a machine which is itself confined can give, and nothing that needs systemd.
SETTINGS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
RUNTIMES = ("runc", "crun")


class Podman:
    """Rootful podman whose images and containers are in one directory. The test is skipped where it cannot run."""

    def __init__(self, place: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("podman is tried as root only")
        self.program = need("podman")
        self.place = place
        self.settings = place / "containers.conf"
        self.settings.write_text(SETTINGS)
        self.environ = {**os.environ, "CONTAINERS_CONF": str(self.settings)}
        for self.driver in ("overlay", "vfs"):
            done = self.run("info", check=False)
            if done.returncode == 0:
                return
        pytest.skip(f"podman cannot run here: {done.stderr.strip()}")

    def words(self, *arguments: str) -> list[str]:
        """The command."""
        places = ["--root", f"{self.place}/graph-{self.driver}", "--runroot", f"{self.place}/run"]
        return [self.program, *places, "--storage-driver", self.driver, *arguments]

    def run(self, *arguments: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """One podman command to its end."""
        done = subprocess.run(
            self.words(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self.environ,
            timeout=timeout * SCALE,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"podman {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done

    def build(self, checkout: Path) -> None:
        """The image of configs/container, on a base with the packages above."""
        self.run("import", str(base(self.place)), BASE, timeout=300)
        self.choose_runtime()
        trust = "/etc/ssl/certs"
        (self.place / "pip.conf").write_text(f"[global]\ncert = {trust}/ca-certificates.crt\n")
        self.run(
            *("build", "--format=docker", "--network=host", "--build-arg", f"BASE={BASE}", "--tag", IMAGE),
            *("--volume", f"{trust}:{trust}:ro", "--volume", f"{self.place}/pip.conf:/etc/pip.conf:ro"),
            *("--file", str(checkout / "configs/container/Dockerfile"), str(checkout)),
            timeout=600,
        )

    def choose_runtime(self) -> None:
        """Take the first one that can start something; not each of them can everywhere."""
        tried = []
        for runtime in RUNTIMES:
            self.settings.write_text(f'{SETTINGS}runtime = "{runtime}"\n')
            done = self.run("run", "--rm", "--network=none", BASE, "true", check=False)
            if done.returncode == 0:
                return
            tried.append(f"{runtime}: {done.stderr.strip()}")
        pytest.skip(f"podman cannot run here: {'; '.join(tried)}")

    def close(self) -> None:
        """Leave nothing: no container, no mount, no file, and none of the monitors that this process has adopted."""
        self.run("rm", "--all", "--force", "--time", "0", check=False)
        subprocess.run(["umount", f"{self.place}/graph-{self.driver}/overlay"], capture_output=True)
        subprocess.run(["rm", "-rf", str(self.place)], check=True)  # ten thousands of files, in no time
        for child in psutil.Process().children():
            if child.name() == "conmon":
                child.wait(20 * SCALE)


def base(place: Path) -> Path:
    """A root file system of Debian with Python as an archive; made now, if $INITSUP_TEST_BASE does not name one."""
    if made := os.environ.get("INITSUP_TEST_BASE"):
        return Path(made)
    options = ["--variant=minbase", f"--include={','.join(PACKAGES)}", '--aptopt=APT::Install-Recommends "false"']
    options += [f"--dpkgopt=path-exclude={path}" for path in UNREAD]
    done = trees.run(need("mmdebstrap"), *options, trees.release(), place / "base.tar", MIRROR)
    if done.returncode:
        pytest.skip(f"no base image can be made here: {done.stderr.strip().splitlines()[-1]}")
    return place / "base.tar"


class State(msgspec.Struct, frozen=True):
    """What podman knows of a container that has ended."""

    code: int
    stop: float
    """How long `podman stop` took, in seconds."""


class Container:
    """One `podman run --detach`."""

    def __init__(self, podman: Podman, options: tuple[str, ...], arguments: tuple[str, ...]) -> None:
        self.podman = podman
        self.id = podman.run("run", "--detach", "--network=none", *options, IMAGE, *arguments).stdout.strip()

    def exec(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container."""
        return self.podman.run("exec", self.id, *command, check=False)

    def said(self) -> str:
        """Everything on its stdout and stderr."""
        done = self.podman.run("logs", self.id)
        return done.stdout + done.stderr

    def printed(self) -> str:
        """Everything on its stdout."""
        return self.podman.run("logs", self.id).stdout

    def until(self, ask: Callable[[], T | None], what: str, timeout: float = 40) -> T:
        try:
            return until(ask, what, timeout)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\nthe container said:\n{self.said()[-4000:]}") from None

    def until_healthy(self) -> None:
        """Wait until its HEALTHCHECK succeeds."""
        self.until(lambda: self.podman.run("healthcheck", "run", self.id, check=False).returncode == 0, "it is healthy")

    def stop(self) -> State:
        """`podman stop`, with more grace than a pod has by default."""
        began = time.monotonic()
        self.podman.run("stop", "--time", "40", self.id)
        took = time.monotonic() - began
        return State(self.wait(), took)

    def wait(self) -> int:
        """The exit code, when it has ended."""
        return int(self.podman.run("wait", self.id).stdout)
