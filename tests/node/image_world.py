"""Images made by hand: layers, OCI image layouts, archives of `docker save`."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

Entry = tuple[tarfile.TarInfo, bytes]
MACHINE = os.uname().machine
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(MACHINE, MACHINE)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def entry(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields: Any) -> Entry:
    """A member of a tar file. `link` is where it leads; other fields are TarInfo's."""
    member = tarfile.TarInfo(name)
    member.type, member.size, member.mode = kind, len(data), 0o644
    member.linkname = fields.pop("link", "")
    for field, value in fields.items():
        setattr(member, field, value)
    return member, data


def directory(name: str, mode: int = 0o755, **fields: Any) -> Entry:
    return entry(name, kind=tarfile.DIRTYPE, mode=mode, **fields)


def symlink(name: str, target: str) -> Entry:
    return entry(name, kind=tarfile.SYMTYPE, link=target, mode=0o777)


def hardlink(name: str, target: str) -> Entry:
    return entry(name, kind=tarfile.LNKTYPE, link=target)


def device(name: str, kind: bytes, major: int, minor: int) -> Entry:
    return entry(name, kind=kind, devmajor=major, devminor=minor, mode=0o666)


def layer(*entries: Entry) -> bytes:
    """A tar file. A member's size need not be that of its data, which `TarFile.addfile` would not have."""
    file = b""
    for member, data in entries:
        file += member.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
    end = file + bytes(2 * tarfile.BLOCKSIZE)
    return end + bytes(-len(end) % tarfile.RECORDSIZE)


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    """An OCI image layout that is written piece by piece."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs/sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, media_type: str, **fields: Any) -> dict[str, Any]:
        """Write a blob; its descriptor."""
        self.file(digest(data)).write_bytes(data)
        return {"mediaType": media_type, "digest": digest(data), "size": len(data), **fields}

    def file(self, of: str) -> Path:
        """The file of a blob with this digest."""
        return self.path / "blobs" / of.replace(":", "/")

    def document(self, value: Any, media_type: str, **fields: Any) -> dict[str, Any]:
        return self.blob(json.dumps(value).encode(), media_type, **fields)

    def image(
        self,
        *layers: bytes,
        config: dict[str, Any] | None = None,
        architecture: str = ARCHITECTURE,
        compress: Callable[[bytes], bytes] = gzip.compress,
        media_type: str = MANIFEST,
        change: Callable[[dict[str, Any]], None] = lambda _: None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Write an image of these layers; the descriptor of its manifest. `change` may spoil the manifest."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": self.blob(whole(layers, config, architecture), "application/vnd.oci.image.config.v1+json"),
            "layers": [self.blob(compress(one), LAYER) for one in layers],
        }
        change(manifest)
        return self.document(manifest, media_type, **fields)

    def index(self, *listed: dict[str, Any], media_type: str = INDEX, **fields: Any) -> dict[str, Any]:
        return self.document({"schemaVersion": 2, "manifests": list(listed)}, media_type, **fields)

    def write(self, *listed: dict[str, Any]) -> str:
        """Write index.json; the path of the layout."""
        text = json.dumps({"schemaVersion": 2, "manifests": list(listed)})
        (self.path / "index.json").write_text(text)
        return str(self.path)


def whole(layers: Iterable[bytes], config: dict[str, Any] | None, architecture: str = ARCHITECTURE) -> bytes:
    """The configuration of an image, with its part `config`."""
    rootfs = {"type": "layers", "diff_ids": [digest(one) for one in layers]}
    found = {"os": "linux", "architecture": architecture, "config": config or {}, "rootfs": rootfs}
    return json.dumps(found).encode()


def named(name: str) -> dict[str, Any]:
    """The fields of a descriptor that has a name."""
    return {"annotations": {"org.opencontainers.image.ref.name": name}}


def platform(architecture: str, variant: str = "") -> dict[str, Any]:
    """The fields of a descriptor that has a platform."""
    return {"platform": {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}}


def tarred(path: Path, target: Path) -> str:
    """A layout as an archive."""
    with tarfile.open(target, "w") as tar:
        for one in sorted(path.rglob("*")):
            if one.is_file():
                tar.add(one, one.relative_to(path))
    return str(target)


def saved(target: Path, *layers: bytes, tags: Iterable[str] = ("tool:1",), config: dict[str, Any] | None = None) -> str:
    """What `docker save` wrote before it wrote OCI image layouts, with a link between equal layers."""
    raw = whole(layers, config)
    name = hashlib.sha256(raw).hexdigest() + ".json"
    seen: dict[bytes, str] = {}
    entries = [entry(name, raw)]
    for number, one in enumerate(layers):
        if one in seen:
            entries.append(symlink(f"{number}/layer.tar", f"../{seen[one]}"))
        else:
            entries.append(entry(f"{number}/layer.tar", one))
            seen[one] = f"{number}/layer.tar"
    listed = [{"Config": name, "RepoTags": list(tags), "Layers": [f"{n}/layer.tar" for n in range(len(layers))]}]
    entries.append(entry("manifest.json", json.dumps(listed).encode()))
    target.write_bytes(layer(*entries))
    return str(target)


def contents(root: Path) -> dict[str, str]:
    """All that is below a directory: `d`, `f:text`, `l:target`, …; hard links of a file by its first name, `=name`."""
    found: dict[str, str] = {}
    inodes: dict[int, str] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"l:{path.readlink()}"
        elif path.is_dir():
            found[name] = "d"
        elif path.is_file():
            first = inodes.setdefault(path.stat().st_ino, name)
            found[name] = f"f:{path.read_text(errors='replace')}" if first == name else f"={first}"
        else:
            found[name] = "fifo" if path.is_fifo() else "device"
    return found


def busybox() -> bytes:
    """A layer with a shell and some commands, users, and a file to be recognised by; the test is skipped without."""
    program = shutil.which("busybox")
    if program is None or b"/ld-" in Path(program).read_bytes()[:4096]:
        pytest.skip("no busybox that is linked statically is installed")
    links = [symlink(f"bin/{name}", "busybox") for name in ("sh", "cat", "rm", "id", "ls", "sleep")]
    users = b"root:x:0:0::/root:/bin/sh\napp:x:1234:1234::/home/app:/bin/sh\n"
    return layer(
        entry("bin/busybox", Path(program).read_bytes(), mode=0o755), *links,
        entry("etc/passwd", users), entry("etc/who", b"the image\n"),
    )  # fmt: skip
