"""Images become directories; those that were made to do harm become errors, and nothing else."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from initsup.node.image_config import Outcome
from initsup.node.image_unpack import unpack
from tests.node.image_world import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    LAYER,
    Entry,
    Layout,
    contents,
    device,
    directory,
    entry,
    hardlink,
    layer,
    platform,
    saved,
    symlink,
    tarred,
    whole,
    zstd,
)
from tests.node.world import need_root

LIMIT = 2**24


class Place:
    """A directory with a cache, and something beside it, which must stay as it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cache = path / "cache"
        self.outside = path / "outside"
        self.outside.mkdir()
        (self.outside / "file").write_text("untouched")

    def layout(self, *layers: bytes, **fields: Any) -> str:
        """A layout with one image."""
        made = Layout(self.path / "layout")
        return made.write(made.image(*layers, **fields))

    def unpack(self, archive: str, limit: int = LIMIT) -> Outcome:
        """And see that nothing but the cache has changed, and in it nothing but what belongs there."""
        before = self.around()
        outcome = unpack(archive, str(self.cache), limit)
        assert self.around() == before
        found = {
            str(path.relative_to(self.cache)) for pattern in ("*", "sha256/*") for path in self.cache.glob(pattern)
        }
        assert all(re.fullmatch(r"archives|sha256(/[0-9a-f]{64}(\.lock)?)?", name) for name in found), found
        return outcome

    def around(self) -> dict[str, tuple[object, ...]]:
        """All that can be seen of the files beside the cache."""
        found: dict[str, tuple[object, ...]] = {}
        for path in [self.path, *self.path.rglob("*")]:
            if path != self.cache and self.cache not in path.parents:
                status = path.lstat()
                times = () if path == self.path else (status.st_mtime_ns, status.st_ctime_ns, status.st_nlink)
                content = path.read_bytes() if path.is_file() else b""
                owner = (status.st_mode, status.st_uid, status.st_gid, status.st_ino)
                found[str(path)] = (*owner, *times, hashlib.sha256(content).digest())
        return found

    def root(self, archive: str) -> Path:
        """The files of an image that can be unpacked."""
        outcome = self.unpack(archive)
        assert not outcome.error
        return self.cache / "sha256" / outcome.image / "rootfs"

    def left(self) -> list[str]:
        """What is in the cache."""
        return [name for name in os.listdir(self.cache / "sha256") if not name.endswith(".lock")]

    def error(self, archive: str, limit: int = LIMIT) -> str:
        """Why one cannot; and that nothing of it has been left anywhere."""
        outcome = self.unpack(archive, limit)
        assert outcome.error
        assert contents(self.outside) == {"file": "f:untouched"}
        assert self.left() == []
        return outcome.error


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# -- what layers say -------------------------------------------------------------------------------------------------

LOWER = layer(directory("d"), entry("d/old", b"1"), directory("d/sub"), entry("d/sub/deep", b"2"), entry("top", b"3"))
LOWER_FOUND = {"d": "d", "d/old": "f:1", "d/sub": "d", "d/sub/deep": "f:2", "top": "f:3"}


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        pytest.param([], {}, id="an image without layers is empty"),
        pytest.param(
            [layer(entry("a/b/c", b"x"))], {"a": "d", "a/b": "d", "a/b/c": "f:x"}, id="missing directories are made"
        ),
        pytest.param(
            [layer(entry("./a", b"x"), entry("/b", b"y"))], {"a": "f:x", "b": "f:y"}, id="names begin at the root"
        ),
        pytest.param(
            [layer(entry("a", b"x"), hardlink("b", "a"), hardlink("/c", "/a"))],
            {"a": "f:x", "b": "=a", "c": "=a"},
            id="hard links are one file",
        ),
        pytest.param(
            [layer(entry("f", b"x")), layer(hardlink("g", "f"))], {"f": "f:x", "g": "=f"}, id="hard link to lower layer"
        ),
        pytest.param(
            [layer(symlink("l", "/nowhere/at/all"), symlink("m", "../../.."))],
            {"l": "l:/nowhere/at/all", "m": "l:../../.."},
            id="symbolic links may say anything",
        ),
        pytest.param([layer(entry("p", kind=tarfile.FIFOTYPE))], {"p": "fifo"}, id="a fifo"),
        pytest.param(
            [layer(entry("d")), layer(directory("d"), entry("d/x", b"1"))],
            {"d": "d", "d/x": "f:1"},
            id="a directory takes the place of a file",
        ),
        pytest.param(
            [LOWER, layer(entry("d", b"file"))],
            {"d": "f:file", "top": "f:3"},
            id="a file takes the place of a directory and all in it",
        ),
        pytest.param([LOWER, layer(directory("d"))], LOWER_FOUND, id="a directory that is there keeps what is in it"),
        pytest.param(
            [layer(directory("usr/lib"), symlink("lib", "usr/lib")), layer(entry("lib/x", b"1"))],
            {"usr": "d", "usr/lib": "d", "usr/lib/x": "f:1", "lib": "l:usr/lib"},
            id="a file goes where a link to a directory leads",
        ),
        pytest.param(
            [layer(directory("usr/lib"), symlink("lib", "/usr/lib")), layer(entry("lib/x", b"1"))],
            {"usr": "d", "usr/lib": "d", "usr/lib/x": "f:1", "lib": "l:/usr/lib"},
            id="an absolute link begins at the root of the image",
        ),
        pytest.param(
            [layer(entry("e", b"1"), symlink("l", "e")), layer(entry("l", b"2"))],
            {"e": "f:1", "l": "f:2"},
            id="a file takes the place of a link, not of what it leads to",
        ),
        pytest.param([layer(entry("a", b"1"), entry("a", b"2"))], {"a": "f:2"}, id="the later of two wins"),
        pytest.param(
            [LOWER, layer(entry("d/.wh.old"))],
            {"d": "d", "d/sub": "d", "d/sub/deep": "f:2", "top": "f:3"},
            id="a whiteout removes a file",
        ),
        pytest.param([layer(entry("x", b"12345"))[:517]], {"x": "f:12345"}, id="a layer that ends with its last file"),
        pytest.param([LOWER, layer(entry(".wh.d"))], {"top": "f:3"}, id="a whiteout removes a directory"),
        pytest.param(
            [LOWER, layer(entry(".wh.no"), entry("no/.wh.no"), entry("top/.wh.x"))],
            LOWER_FOUND,
            id="a whiteout of nothing",
        ),
        pytest.param(
            [LOWER, layer(entry("d/.wh..wh..opq"), entry("d/new", b"4"))],
            {"d": "d", "d/new": "f:4", "top": "f:3"},
            id="an opaque directory has nothing of lower layers",
        ),
        pytest.param(
            [LOWER, layer(entry("d/sub/new", b"4"), entry("d/.wh..wh..opq"))],
            {"d": "d", "d/sub": "d", "d/sub/new": "f:4", "top": "f:3"},
            id="what its own layer has put there stays, even if it came first",
        ),
        pytest.param(
            [LOWER, layer(entry("top", b"4"), entry(".wh.top"))],
            {**LOWER_FOUND, "top": "f:4"},
            id="a whiteout is not for its own layer",
        ),
        pytest.param(
            [LOWER, layer(entry(".wh..wh.plnk/1"), entry(".wh..wh.aufs"))],
            LOWER_FOUND,
            id="aufs' own files are nothing",
        ),
    ],
)
def test_layers(place: Place, layers: list[bytes], found: dict[str, str]) -> None:
    assert contents(place.root(place.layout(*layers))) == found


def test_owners_modes_and_times_are_kept(place: Place) -> None:
    need_root()
    made = layer(
        directory(".", 0o711, mtime=5),
        directory("d", 0o1777, uid=12, gid=34, mtime=1000),
        entry("d/su", b"x", mode=0o4755, mtime=1.5),
        entry("d/user", b"x", mode=0o6710, uid=1000, gid=100, mtime=2**40),
        entry("none", b"", mode=0),
        entry("d/link", kind=tarfile.SYMTYPE, link="su", uid=7, gid=8),
    )
    root = place.root(place.layout(made))
    of = {name: os.lstat(root / name) for name in (".", "d", "d/su", "d/user", "none", "d/link")}
    assert {name: (stat.S_IMODE(one.st_mode), one.st_uid, one.st_gid) for name, one in of.items()} == {
        ".": (0o711, 0, 0), "d": (0o1777, 12, 34), "d/su": (0o4755, 0, 0), "d/user": (0o6710, 1000, 100),
        "none": (0, 0, 0), "d/link": (0o777, 7, 8),
    }  # fmt: skip
    assert (of["."].st_mtime, of["d"].st_mtime, of["d/su"].st_mtime, of["d/user"].st_mtime) == (5, 1000, 1.5, 0)


def test_only_devices_that_every_container_has_are_made(place: Place) -> None:
    need_root()
    made = layer(
        device("null", tarfile.CHRTYPE, 1, 3), device("disk", tarfile.BLKTYPE, 8, 0),
        device("mem", tarfile.CHRTYPE, 1, 1), device("as-block", tarfile.BLKTYPE, 1, 3),
        device("overlay-whiteout", tarfile.CHRTYPE, 0, 0),
    )  # fmt: skip
    archive = place.layout(made)
    outcome = place.unpack(archive)
    root = place.root(archive)
    if outcome.notes == ("without device nodes: 5",):
        pytest.skip("mknod is not permitted here")
    assert outcome.notes == ("without device nodes: 4",)
    assert contents(root) == {"null": "device"}
    assert os.stat(root / "null").st_rdev == os.makedev(1, 3)


def test_devices_that_containers_have_of_their_own_are_not_missed(place: Place) -> None:
    archive = place.layout(
        layer(device("./dev/console", tarfile.CHRTYPE, 5, 1), entry("f", b"x", uid=os.geteuid(), gid=os.getegid()))
    )
    assert place.unpack(archive).notes == ()
    assert "dev/console" not in contents(place.root(archive))


def test_extended_attributes_are_left_out_and_said(place: Place) -> None:
    fields = {"uid": os.geteuid(), "gid": os.getegid()}
    made = layer(entry("ping", b"x", pax_headers={"SCHILY.xattr.security.capability": "v"}, **fields))
    archive = place.layout(made)
    assert place.unpack(archive).notes == ("without extended attributes (among them file capabilities): 1",)
    assert "security.capability" not in os.listxattr(place.root(archive) / "ping")


def test_without_root_owners_are_left_out_and_nothing_is_setuid() -> None:
    made = layer(
        directory("d", 0, uid=5), entry("d/su", b"x", mode=0o4755, uid=0), device("null", tarfile.CHRTYPE, 1, 3)
    )
    uid = os.geteuid() or 65534
    # All at once, as Python's own files may be closed to others.
    script = "import ctypes, gzip, hashlib, os; from initsup.node.image_unpack import main\n"
    script += f"os.geteuid() or os.setresuid({uid}, {uid}, {uid}); main()"
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own are closed to others
        os.chmod(name, 0o777)
        layout = Layout(Path(name) / "layout")
        arguments = [layout.write(layout.image(made)), f"{name}/cache", str(LIMIT)]
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        outcome = json.loads(done.stdout)
        assert set(outcome["notes"]) == {"without owners: 2", "without device nodes: 1"}
        root = Path(name) / "cache/sha256" / outcome["image"] / "rootfs"
        assert stat.S_IMODE((root / "d").stat().st_mode) == 0o700
        assert stat.S_IMODE((root / "d/su").stat().st_mode) == 0o755
        assert (root / "d/su").stat().st_uid == uid


# -- hostile ---------------------------------------------------------------------------------------------------------


def bomb(size: int) -> Entry:
    """A file that is said to have so many bytes, and has none."""
    member, _ = entry("zeros")
    member.size = size
    return member, b""


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        pytest.param([entry("../outside/file", b"x")], 'a name that leads out: "../outside/file"', id="dots in front"),
        pytest.param([entry("a/../../outside/file", b"x")], "a name that leads out", id="dots inside"),
        pytest.param([directory("..")], "a name that leads out", id="the directory above"),
        pytest.param([directory("d"), entry("d/..", b"")], "a name that leads out", id="a file named dots"),
        pytest.param([hardlink("a", "../../../outside/file")], "a name that leads out", id="a hard link to outside"),
        pytest.param([hardlink("a", "OUTSIDE/file")], "no such file", id="a hard link to an absolute name"),
        pytest.param(
            [symlink("l", "OUTSIDE/file"), hardlink("a", "l/../file")],
            "a name that leads out",
            id="dots in a hard link",
        ),
        pytest.param(
            [symlink("l", "OUTSIDE"), hardlink("a", "l/file")],
            "no such file",
            id="a hard link through a link to outside",
        ),
        pytest.param(
            [entry("x", b"x", pax_headers={"path": "../outside/file"})],
            "a name that leads out",
            id="dots in a pax path",
        ),
        pytest.param(
            [entry("d/" + "n" * 120 + "/../../../outside/file", b"x")],
            "a name that leads out",
            id="dots in a long name",
        ),
        pytest.param(
            [entry("a", kind=tarfile.LNKTYPE, pax_headers={"linkpath": "../../../outside/file"})],
            "a name that leads out",
            id="dots in a pax linkpath",
        ),
        pytest.param([hardlink("a", ".")], "a link to the root", id="a hard link to the root"),
        pytest.param([directory("d"), hardlink("a", "d")], "cannot make", id="a hard link to a directory"),
        pytest.param([hardlink("a", "a")], "no such file", id="a hard link to itself"),
        pytest.param([symlink("l", "l"), entry("l/x", b"")], "too many levels", id="a link to itself"),
        pytest.param([entry("f", b""), entry("f/x", b"")], "not a directory", id="a file as a directory"),
        pytest.param([entry(".", b"x")], "the root is no directory", id="the root as a file"),
        pytest.param([symlink(".", "OUTSIDE")], "the root is no directory", id="the root as a link"),
        pytest.param([symlink("./", "OUTSIDE")], "the root is no directory", id="the root as a link, with a slash"),
        pytest.param([entry(".wh.", b"")], "the whiteout", id="a whiteout without a name"),
        pytest.param([entry("d/.wh..", b"")], "the whiteout", id="a whiteout of its directory"),
        pytest.param([entry("d/.wh...", b"")], "the whiteout", id="a whiteout of the directory above"),
        pytest.param([entry(".wh.d/x", b"")], "something in a whiteout", id="a whiteout that is a directory"),
        pytest.param([entry("n" * 256, b"")], "file name too long", id="a name longer than file systems have it"),
        pytest.param([entry("n/" * 2100, b"")], "a name that cannot be", id="a path longer than the kernel has it"),
        pytest.param([entry("n" * 70_000, b"")], "a header of", id="a header that is too long"),
        pytest.param([entry("x", b"", pax_headers={"path": "a\0b"})], "a name that cannot be", id="a zero in a name"),
        pytest.param([entry("x", b"", uid=-2)], "its owner is -2:0", id="a negative owner"),
        pytest.param([entry("x", b"", gid=2**32 - 1)], "its owner is", id="the owner that means no change"),
        pytest.param([entry("x", kind=b"S")], "a sparse file", id="an old sparse file"),
        pytest.param([entry("x", kind=b"z")], "its type b'z' is not known", id="a type that is not known"),
        pytest.param([bomb(10 * 2**30)], "more than 16777216 bytes when unpacked", id="10 GB of zeros"),
        pytest.param([bomb(2**62)], "more than 16777216 bytes when unpacked", id="a size of exabytes"),
        pytest.param([bomb(LIMIT // 2)], "unexpected end of data", id="less data than it says"),
        pytest.param([directory("d") for _ in range(4200)], "more than 16777216 bytes", id="many members"),
    ],
)
def test_hostile_layers(place: Place, entries: list[Entry], error: str) -> None:
    for member, _ in entries:
        member.linkname = member.linkname.replace("OUTSIDE", str(place.outside))
    assert error in place.error(place.layout(layer(*entries)))


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([[symlink("l", "OUTSIDE"), entry("l/file", b"x")]], id="through a link"),
        pytest.param([[symlink("l", "OUTSIDE")], [entry("l/file", b"x")]], id="through a link of a lower layer"),
        pytest.param([[symlink("l", "../../../../../../outside"), entry("l/file", b"x")]], id="through relative link"),
        pytest.param([[symlink("a", "b"), symlink("b", "OUTSIDE"), entry("a/file", b"x")]], id="through two links"),
        pytest.param([[symlink("file", "OUTSIDE/file"), entry("file", b"x")]], id="onto a link"),
        pytest.param([[symlink("l", "OUTSIDE"), entry("l/.wh.file")]], id="a whiteout through a link"),
        pytest.param([[symlink("l", "OUTSIDE"), entry("l/.wh..wh..opq")]], id="an opaque directory through a link"),
        pytest.param([[symlink("l", "OUTSIDE")], [entry(".wh.l")]], id="a whiteout of a link"),
        pytest.param([[symlink("l", "OUTSIDE"), directory("l", 0o777)]], id="a directory over a link"),
        pytest.param([[symlink("l", "OUTSIDE"), directory("l/", 0o777, uid=1)]], id="a directory over a link, a slash"),
        pytest.param(
            [[symlink("l", "OUTSIDE/file"), hardlink("h", "l"), entry("h", b"x")]], id="onto a link's hard link"
        ),
        pytest.param([[symlink("l", "OUTSIDE"), entry("l", kind=tarfile.FIFOTYPE)]], id="a fifo over a link"),
        pytest.param([[symlink("l", "OUTSIDE")], [symlink("l/file", "x")]], id="a link through a link"),
        pytest.param([[symlink("l", "OUTSIDE")], [device("l/file", tarfile.CHRTYPE, 1, 3)]], id="a device, likewise"),
        pytest.param([[symlink("l", "OUTSIDE")], [directory("l/new", 0o777)]], id="a directory, likewise"),
        pytest.param([[symlink("l", "/proc/self/cwd/../outside"), entry("l/file", b"x")]], id="through /proc"),
        pytest.param([[symlink("l", "OUTSIDE/file")], [entry(".wh.l"), entry("l", b"x")]], id="a link, whited out"),
        pytest.param([[device("d", tarfile.BLKTYPE, 8, 0), entry("d/x", b"x")]], id="through a device"),
        pytest.param([[entry("/OUTSIDE/file", b"x")]], id="an absolute name"),
    ],
)
def test_ways_out_that_lead_nowhere(place: Place, steps: list[list[Entry]]) -> None:
    """These are images as they may be; what they say is true inside of them only."""
    before = os.stat(place.outside)
    for member, _ in (one for step in steps for one in step):
        member.linkname = member.linkname.replace("OUTSIDE", str(place.outside))
        member.name = member.name.replace("/OUTSIDE", str(place.outside))
    place.root(place.layout(*(layer(*step) for step in steps)))
    after = os.stat(place.outside)
    assert (before.st_mode, before.st_uid, before.st_mtime) == (after.st_mode, after.st_uid, after.st_mtime)
    assert contents(place.outside) == {"file": "f:untouched"}


def header(name: bytes, kind: bytes, size: bytes) -> bytes:
    """A tar header with a size as it stands there."""
    raw = struct.pack("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12x", name, b"644", b"0", b"0", size, b"0", b" " * 8,
                      kind, b"", b"ustar\0", b"00", b"", b"", b"0", b"0", b"")  # fmt: skip
    return raw[:148] + b"%06o\0 " % sum(raw) + raw[156:]


def pax(**records: str) -> bytes:
    """A pax header; `_` stands for a dot."""
    lines = b""
    for key, value in records.items():
        body = f" {key.replace('_', '.')}={value}\n".encode()
        length = len(str(len(body) + 2)) + len(body)
        lines += str(length).encode() + body
    return header(b"x", b"x", b"%011o" % len(lines)) + lines.ljust(-(-len(lines) // 512) * 512, b"\0")


NEGATIVE = b"\xff" * 11 + b"\x00"
SPARSE = pax(GNU_sparse_major="1", GNU_sparse_minor="0")


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        pytest.param(b"no tar file at all", "no tar file that can be read", id="something else"),
        pytest.param(b"\x1f\x8b" + b"x" * 600, "cannot be read", id="something that begins like gzip"),
        pytest.param(header(b"a", b"0", NEGATIVE) + b"\0" * 1024, "", id="a negative size"),
        pytest.param(header(b"a", b"Z", NEGATIVE) + b"\0" * 1024, "", id="a negative size of an unknown type"),
        pytest.param(pax(size="-1024") + header(b"a", b"0", b"0") + b"\0" * 1024, "", id="a negative size by pax"),
        pytest.param(header(b"L", b"L", NEGATIVE) + b"\0" * 1024, "a header of -", id="a negative size of a long name"),
        pytest.param(header(b"L", b"L", b"77777777777"), "a header of 8589934591", id="a long name of 8 GB"),
        pytest.param(header(b"x", b"x", b"77777777777"), "a header of 8589934591", id="a pax header of 8 GB"),
        pytest.param(pax(path="b") * 3000 + header(b"a", b"0", b"0"), "", id="a header of a header of a header"),
        pytest.param(layer(entry("x", b"12345"))[:515], "ends within the file", id="cut off in the last block"),
        pytest.param(layer(entry("x", b"1" * 600))[:1024], "unexpected end of data", id="cut off before it"),
        pytest.param(SPARSE + header(b"a", b"0", b"1000") + b"1\n0\n0\n".ljust(512, b"\0"), "sparse", id="sparse file"),
    ],
)
def test_broken_layers(place: Place, raw: bytes, error: str) -> None:
    archive = place.layout(raw, compress=bytes) if raw[:2] == b"\x1f\x8b" else place.layout(raw)
    assert error in place.error(archive)


def test_ten_gigabytes_of_zeros_behind_the_end_are_not_read(place: Place) -> None:
    zeros = gzip.compress(bytes(2**20), 9) * 10240
    made = Layout(place.path / "layout")

    def spoil(manifest: dict[str, Any]) -> None:
        manifest["layers"][0].update(made.blob(zeros, LAYER))

    archive = made.write(made.image(layer(entry("a", b"x")), change=spoil))
    assert "more than 16777216 bytes when unpacked (imageMaxSize)" in place.error(archive)


def test_an_archive_that_is_a_bomb(place: Place) -> None:
    path = place.path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(bytes(2**20), 9) * 64)
    assert "more than 16777216 bytes when unpacked" in place.error(str(path))


def test_more_memory_than_allowed_is_an_error(place: Place) -> None:
    """A sparse file of a million and a half parts."""
    count = 1_500_000
    parts = f"{count}\n".encode() + b"0\n0\n" * count
    raw = SPARSE + header(b"a", b"0", b"%011o" % len(parts)) + parts
    archive = place.layout(raw, compress=lambda data: gzip.compress(data, 1))
    script = "import sys; from initsup.node import image_unpack\n"
    script += f"image_unpack.MOST_MEMORY = {2**27}; sys.argv[1:] = {[archive, str(place.cache), str(2**30)]!r}\n"
    done = subprocess.run([sys.executable, "-c", f"{script}image_unpack.main()"], capture_output=True, text=True)
    assert "more than 134217728 bytes of memory needed" in json.loads(done.stdout)["error"]
    assert place.left() == []


# -- forms of archives -----------------------------------------------------------------------------------------------

SMALL = layer(entry("bin/tool", b"#!", mode=0o755))
FOUND = {"bin": "d", "bin/tool": "f:#!"}


def _compressed(how: Callable[[bytes], bytes]) -> Callable[[Path], str]:
    def make(path: Path) -> str:
        made = Layout(path / "layout")
        return made.write(made.image(SMALL, compress=how))

    return make


def _archive(how: Callable[[bytes], bytes]) -> Callable[[Path], str]:
    def make(path: Path) -> str:
        made = Layout(path / "layout")
        made.write(made.image(SMALL))
        tarred(made.path, path / "plain.tar")
        (path / "image.tar").write_bytes(how((path / "plain.tar").read_bytes()))
        return str(path / "image.tar")

    return make


def _docker_list(path: Path) -> str:
    made = Layout(path / "layout")
    other = made.image(layer(entry("wrong")), architecture="wasm", media_type=DOCKER_MANIFEST, **platform("wasm"))
    return made.write(made.index(other, made.image(SMALL, media_type=DOCKER_MANIFEST), media_type=DOCKER_LIST))


needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(_compressed(gzip.compress), id="a layout, layers with gzip"),
        pytest.param(_compressed(lambda d: gzip.compress(d[:700]) + gzip.compress(d[700:])), id="gzip in two parts"),
        pytest.param(_compressed(bytes), id="a layout, layers not compressed"),
        pytest.param(_compressed(zstd), id="a layout, layers with zstd", marks=needs_zstd),
        pytest.param(_archive(bytes), id="an archive of a layout"),
        pytest.param(_archive(gzip.compress), id="an archive of a layout with gzip"),
        pytest.param(_archive(zstd), id="an archive of a layout with zstd", marks=needs_zstd),
        pytest.param(_docker_list, id="a manifest list of Docker"),
        pytest.param(lambda path: saved(path / "saved.tar", SMALL), id="docker save"),
        pytest.param(lambda path: saved(path / "saved.tar", SMALL, SMALL), id="docker save with a link between layers"),
        pytest.param(lambda path: saved(path / "saved.tar", SMALL) + "#tool:1", id="docker save, by name"),
    ],
)
def test_forms(place: Place, make: Callable[[Path], str]) -> None:
    assert contents(place.root(make(place.path))) == FOUND


@needs_zstd
def test_what_zstd_cannot_read_is_an_error(place: Place) -> None:
    archive = place.layout(SMALL, compress=lambda _: b"\x28\xb5\x2f\xfd" + b"x" * 100)
    assert place.error(archive)


# -- digests ---------------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("part", ["manifest", "config", "layer", "nested index"])
def test_every_digest_is_checked(place: Place, part: str) -> None:
    made = Layout(place.path / "layout")
    kept: dict[str, Any] = {}
    manifest = made.image(SMALL, change=kept.update)
    index = made.index(manifest)
    made.write(index)
    broken = {"manifest": manifest, "config": kept["config"], "layer": kept["layers"][0], "nested index": index}[part]
    flip(made.file(broken["digest"]))
    assert f"{broken['digest']} is damaged" in place.error(str(made.path))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param({"size": 5}, "bytes and should have 5", id="another size"),
        pytest.param({"digest": "sha256:../../../../outside/file"}, "is no digest", id="a digest that is a path"),
        pytest.param({"digest": "md5:" + "0" * 32}, "is no digest", id="a digest of another kind"),
        pytest.param({"digest": "sha256:" + "0" * 64}, "cannot read blobs/sha256/0000", id="a blob that is missing"),
        pytest.param({"mediaType": "text/plain"}, 'a layer of type "text/plain"', id="a type that is no layer"),
    ],
)
def test_descriptors_of_layers(place: Place, change: dict[str, Any], error: str) -> None:
    archive = place.layout(SMALL, change=lambda manifest: manifest["layers"][0].update(change))
    assert error in place.error(archive)


def test_a_layer_that_is_not_the_one_of_the_configuration(place: Place) -> None:
    made = Layout(place.path / "layout")
    other = made.blob(gzip.compress(layer(entry("evil", b"x"))), LAYER)
    archive = made.write(made.image(SMALL, change=lambda manifest: manifest.update(layers=[other])))
    assert "has the digest sha256:" in place.error(archive)


def test_a_layer_more_than_the_configuration_has(place: Place) -> None:
    archive = place.layout(SMALL, change=lambda manifest: manifest["layers"].append(manifest["layers"][0]))
    assert "its manifest has 2 layers and its configuration 1" in place.error(archive)


def test_docker_save_with_a_layer_of_something_else(place: Place) -> None:
    raw = whole([layer(entry("other"))], None)
    listed = [{"Config": "config.json", "RepoTags": ["a:1"], "Layers": ["layer.tar"]}]
    entries = [
        entry("config.json", raw),
        entry("layer.tar", SMALL),
        entry("manifest.json", json.dumps(listed).encode()),
    ]
    (place.path / "saved.tar").write_bytes(layer(*entries))
    assert "layer.tar has the digest sha256:" in place.error(str(place.path / "saved.tar"))


def test_docker_save_with_another_configuration(place: Place) -> None:
    name = "0" * 64 + ".json"
    listed = [{"Config": name, "RepoTags": None, "Layers": []}]
    entries = [entry(name, whole([], None)), entry("manifest.json", json.dumps(listed).encode())]
    (place.path / "saved.tar").write_bytes(layer(*entries))
    assert f"its configuration {name} has the digest" in place.error(str(place.path / "saved.tar"))


@pytest.mark.parametrize("path", ["../outside/file", "OUTSIDE/file", "link"])
def test_docker_save_with_a_layer_from_outside(place: Place, path: str) -> None:
    path = path.replace("OUTSIDE", str(place.outside))
    raw = whole([SMALL], None)
    listed = [{"Config": "config.json", "RepoTags": ["a:1"], "Layers": [path]}]
    entries = [
        entry("config.json", raw), symlink("link", f"{place.outside}/file"),
        entry("manifest.json", json.dumps(listed).encode()),
    ]  # fmt: skip
    (place.path / "saved.tar").write_bytes(layer(*entries))
    assert f'there is no "{path}" in the archive' in place.error(str(place.path / "saved.tar"))


def test_a_layout_that_waits_for_ever(place: Place) -> None:
    made = Layout(place.path / "layout")
    kept: dict[str, Any] = {}
    archive = made.write(made.image(SMALL, change=kept.update))
    blob = made.file(kept["layers"][0]["digest"])
    blob.unlink()
    os.mkfifo(blob)
    assert "cannot read blobs/sha256" in place.error(archive)


def test_links_of_a_layout_do_not_lead_out(place: Place) -> None:
    made = Layout(place.path / "layout")
    kept: dict[str, Any] = {}
    archive = made.write(made.image(SMALL, change=kept.update))
    blob = made.file(kept["layers"][0]["digest"])
    blob.rename(place.path / "elsewhere")
    blob.symlink_to(place.path / "elsewhere")
    assert "cannot read blobs/sha256" in place.error(archive)


# -- the cache -------------------------------------------------------------------------------------------------------


def test_an_image_is_unpacked_once(place: Place) -> None:
    archive = place.layout(SMALL)
    root = place.root(archive)
    inode = root.stat().st_ino
    shutil.copytree(archive, place.path / "copy")
    assert place.root(str(place.path / "copy")).stat().st_ino == inode


def test_an_archive_that_has_changed_is_another_image(place: Place) -> None:
    path = place.path / "saved.tar"
    first = place.root(saved(path, SMALL))
    path.unlink()
    second = place.root(saved(path, layer(entry("new", b"1"))))
    assert contents(first) == FOUND
    assert contents(second) == {"new": "f:1"}


def test_what_a_killed_one_has_left_is_removed(place: Place) -> None:
    archive = place.layout(SMALL)
    image = place.unpack(archive).image
    (place.cache / "sha256" / image).rename(place.cache / "sha256" / f"{image}.new")
    (place.cache / "sha256" / f"{image}.new/rootfs/bin/tool").unlink()
    assert contents(place.root(archive)) == FOUND
    assert place.left() == [image]


def test_several_at_the_same_time(place: Place) -> None:
    archive = place.layout(SMALL, layer(*(entry(f"many/{n}", b"x") for n in range(500))))
    command = [sys.executable, "-m", "initsup.node.image_unpack", archive, str(place.cache), str(LIMIT)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {json.loads(one.communicate()[0]).get("image") for one in running}
    assert len(said) == 1
    assert place.left() == list(said)
    assert len(contents(place.root(archive))) == 503


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        pytest.param(lambda path: path.chmod(0o777), "others can write there", id="others can write"),
        pytest.param(lambda path: os.chown(path, 65534, 65534), "others can write there", id="another owner"),
        pytest.param(lambda path: (path.rmdir(), path.write_text("")), "cannot use the cache of images", id="a file"),
    ],
)
def test_a_cache_that_cannot_be_trusted(place: Place, spoil: Callable[[Path], object], error: str) -> None:
    need_root()
    archive = place.layout(SMALL)
    place.cache.mkdir()
    spoil(place.cache)
    assert error in place.unpack(archive).error


def test_nobody_else_can_enter_the_cache(place: Place) -> None:
    place.root(place.layout(SMALL))
    assert stat.S_IMODE((place.cache / "sha256").stat().st_mode) == 0o700
