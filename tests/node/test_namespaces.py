"""Going to other mount namespaces and coming back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from initsup.node import mountinfo, syscalls
from initsup.node.failures import CannotMount
from initsup.node.namespaces import Excursion
from tests.node.world import in_child, need_root, say

pytestmark = pytest.mark.real


@pytest.fixture
def excursion() -> Excursion:
    """A way there and back; skips where there is none."""
    need_root()
    try:
        return Excursion()
    except OSError as error:
        pytest.skip(f"namespaces are not permitted here: {error}")


def place() -> tuple[int, str]:
    return os.stat("/proc/self/ns/mnt").st_ino, os.getcwd()


def test_there_and_back(excursion: Excursion, tmp_path: Path) -> None:
    before, seen = place(), []

    def work() -> None:
        syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("tmpfs", str(tmp_path), "tmpfs")
        (tmp_path / "f").touch()
        seen.append(place()[0])

    made = excursion.make(None, work, str(tmp_path))
    assert place() == before
    assert seen == [made.inode]
    assert os.listdir(tmp_path) == []
    assert os.listdir(f"/proc/self/fd/{made.directory}") == ["f"]
    copy = excursion.make(made, lambda: os.chdir("/"))
    fd = excursion.within(copy, lambda: (tmp_path / "g").touch(), str(tmp_path))
    assert sorted(os.listdir(f"/proc/self/fd/{fd}")) == ["f", "g"]
    assert place() == before
    os.close(fd)
    copy.close()
    made.close()


def test_it_comes_back_after_an_error(excursion: Excursion) -> None:
    before = place()

    def work() -> None:
        os.chdir("/")
        raise CannotMount("v", "no")

    for _ in range(2):
        with pytest.raises(CannotMount):
            excursion.make(None, work)
        assert place() == before


def test_no_way_out_of_a_chroot(tmp_path: Path) -> None:
    need_root()
    (tmp_path / "proc").mkdir()

    def work() -> None:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("/proc", str(tmp_path / "proc"), flags=syscalls.MS_BIND)
        os.chroot(tmp_path)
        os.chdir("/proc")
        try:
            Excursion()
        except OSError as error:
            say(error.strerror)
        say(f"{os.listdir('/')} {os.getcwd()}")

    text = in_child(work)
    assert text == "initsup runs in a chroot, which a mount namespace would lead out of\n['proc'] /proc\n"


def test_read_only_keeps_other_flags(tmp_path: Path) -> None:
    need_root()
    odd = tmp_path / "with space\\and\nmore"
    (odd / "in").mkdir(parents=True)

    def flags(path: Path) -> str:
        return ",".join(sorted(next(line.split()[5] for line in lines() if mount_at(line) == str(path)).split(",")))

    def lines() -> list[str]:
        return Path("/proc/thread-self/mountinfo").read_text().splitlines()

    def mount_at(line: str) -> str:
        return line.split()[4].encode().decode("unicode_escape")

    def work() -> None:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("tmpfs", str(odd), "tmpfs", flags=syscalls.MS_NOSUID | syscalls.MS_NOATIME)
        (odd / "in").mkdir()
        syscalls.mount("tmpfs", str(odd / "in"), "tmpfs", flags=syscalls.MS_NODEV)
        mountinfo.make_read_only(str(odd), recursive=False, extra=syscalls.MS_NOEXEC)
        say(f"{flags(odd)} {flags(odd / 'in')}")
        mountinfo.make_read_only(str(odd), recursive=True)
        say(f"{flags(odd)} {flags(odd / 'in')}")

    assert in_child(work).splitlines() == [
        "noatime,noexec,nosuid,ro nodev,relatime,rw",
        "noatime,noexec,nosuid,ro nodev,relatime,ro",
    ]


def test_file_systems() -> None:
    assert mountinfo.file_system("/proc/self") == "proc"
    assert mountinfo.file_system("/") == mountinfo.file_system("/none") != ""
