"""A Debian with systemd as its PID 1, booted by systemd-nspawn from an image that mmdebstrap makes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.stories.driver import until

PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,procps"
SUITE, MIRROR = "bookworm", "http://deb.debian.org/debian"
CHECKOUT = Path(__file__).parents[2]
BOOT = 120.0
"""Seconds in which the guest must be up."""


def missing() -> str:
    """Why no guest can be booted here; "": it can."""
    if os.geteuid() != 0:
        return "only root can boot a guest"
    programs = [one for one in ("mmdebstrap", "systemd-nspawn", "nsenter") if not shutil.which(one)]
    return f"{', '.join(programs)} is not installed (mmdebstrap, systemd-container, util-linux)" if programs else ""


def make_image(place: Path) -> None:
    """A Debian with what initsup needs, and the wheels that it would get from PyPI."""
    if not (place / "usr/bin/python3").exists():
        words = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}"]
        subprocess.run([*words, SUITE, place, MIRROR], check=True)
    version = next((place / "usr/bin").glob("python3.[0-9]*")).name.removeprefix("python")
    wheels = ["--only-binary=:all:", "--python-version", version, "--dest", str(place / "wheels")]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *wheels, "setuptools>=77", "wheel", str(CHECKOUT)]
    subprocess.run(command, check=True)


class Guest:
    """The guest while it runs: a copy of the image, with the checkout at /src."""

    def __init__(self, image: Path, place: Path) -> None:
        subprocess.run(["cp", "-a", "--reflink=auto", image, place], check=True)
        shutil.copytree(CHECKOUT, place / "src", ignore=shutil.ignore_patterns(".venv", ".git", "build", "*.egg-info"))
        (place / "etc/machine-id").write_text("")
        self._log = (place.parent / "console.log").open("wb")
        words = ["systemd-nspawn", "--quiet", f"--directory={place}", "--boot", "--register=no", "--keep-unit"]
        self.process = subprocess.Popen(
            [*words, "--machine=initsup-system", "--console=pipe"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        self._init = until(self._find_init, "systemd runs", BOOT)
        until(self._is_up, "it is up", BOOT)

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()  # an orderly power-off
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()

    def _is_up(self) -> bool:
        return self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def _find_init(self) -> int:
        """The pid, here, of its PID 1."""
        pids = [self.process.pid]
        for pid in pids:
            children = Path(f"/proc/{pid}/task/{pid}/children")
            pids += map(int, children.read_text().split() if children.exists() else [])
            status = Path(f"/proc/{pid}/status").read_text()
            if "NSpid:" in status and status.partition("NSpid:")[2].split("\n")[0].split()[1:] == ["1"]:
                return pid
        return 0

    def run(self, *words: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """A command in the guest, to its end."""
        command = ["nsenter", "--all", "--target", str(self._init), "--", *words]
        environment = {"PATH": "/usr/local/bin:/usr/bin:/usr/sbin", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=300
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def sh(self, script: str) -> str:
        """What a script that succeeds prints."""
        return self.run("sh", "-euc", script, check=True).stdout.strip()

    def show(self, unit: str, *properties: str) -> list[str]:
        """Properties of a unit."""
        return [self.run("systemctl", "show", "--value", "-p", one, unit).stdout.strip() for one in properties]
