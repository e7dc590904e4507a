"""Which image is meant, of all that a layout or an archive holds, and what belongs to it; with every digest checked.

Sources: OCI image-spec (image-layout.md, image-index.md, manifest.md, descriptor.md), Docker's image manifest v2
schema 2, and manifest.json of `docker save` (moby, image/tarexport).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from initsup.node import image_config
from initsup.node.go_text import quote
from initsup.node.image_config import ImageConfig
from initsup.node.image_source import Source, read_document
from initsup.node.image_tar import BadImage, chunks

T = TypeVar("T")

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_LAYERS = (
    "application/vnd.oci.image.layer.",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
)
_REF_NAME, _FULL_NAME = "org.opencontainers.image.ref.name", "io.containerd.image.name"
_DEEPEST = 4
_DIGEST = re.compile(r"(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})")
_MACHINES = {
    "x86_64": ("amd64",), "aarch64": ("arm64", "v8"), "armv7l": ("arm", "v7", "v6", "v5"),
    "armv6l": ("arm", "v6", "v5"), "i386": ("386",), "i686": ("386",), "loongarch64": ("loong64",),
}  # fmt: skip
"""Go's names of architectures, and their variants in order of preference, where uname has another one."""


class Platform(msgspec.Struct, frozen=True, rename="camel"):
    """What an image runs on."""

    os: str = ""
    architecture: str = ""
    variant: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """A reference to a blob."""

    digest: str
    size: int
    media_type: str = ""
    platform: Platform | None = None
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, frozen=True, rename="camel"):
    """A list of images."""

    manifests: tuple[Descriptor, ...] | None = None


class ImageManifest(msgspec.Struct, frozen=True, rename="camel"):
    """One image."""

    config: Descriptor
    layers: tuple[Descriptor, ...] = ()


class Saved(msgspec.Struct, frozen=True, rename="pascal"):
    """An entry of manifest.json: names of files in the archive."""

    config: str
    layers: tuple[str, ...] = ()
    repo_tags: tuple[str, ...] | None = None


class Layer(msgspec.Struct, frozen=True):
    """A layer: the file with it, and its digests: of the file (None: not known) and of what is in it uncompressed."""

    name: str
    descriptor: Descriptor | None
    diff_id: str


class Chosen(msgspec.Struct, frozen=True):
    """An image. `id` is the digest of its configuration, in hexadecimal, which stands for all its layers, too."""

    id: str
    raw_config: bytes
    layers: tuple[Layer, ...]


def choose(source: Source, name: str, machine: str) -> Chosen:
    """The image of that name for this machine (as uname calls it). Without a name there must be one only.

    Raises BadImage.
    """
    if "index.json" in source:
        found = list(_named(_decode(read_document(source, "index.json"), Index, "index.json").manifests or (), name))
        return _from_manifest(source, _for_machine(source, found, machine))
    if "manifest.json" in source:
        return _from_saved(source, name, machine)
    raise BadImage("there is neither index.json (an OCI image layout) nor manifest.json (docker save)")


# -- OCI -------------------------------------------------------------------------------------------------------------


def _named(listed: tuple[Descriptor, ...], name: str) -> Iterator[Descriptor]:
    """Those that are meant by a name."""
    names = [_names(one) for one in listed]
    if not name and len({frozenset(one) for one in names if one}) > 1 and len({one.digest for one in listed}) > 1:
        raise BadImage(f"it holds several images, say which by #NAME after the path: {_join(names)}")
    found = [one for one, own in zip(listed, names, strict=True) if not name or _is_called(name, own)]
    if not found:
        there = _join(names) or "none with a name"
        raise BadImage(f"it holds no image {quote(name)}, but {there}" if name else "it holds no image")
    yield from found


def _names(one: Descriptor) -> set[str]:
    notes = one.annotations or {}
    return {notes[key] for key in (_REF_NAME, _FULL_NAME) if notes.get(key)}


def _is_called(name: str, names: set[str]) -> bool:
    """`1.27` and `nginx:1.27` both mean `docker.io/library/nginx:1.27`."""
    return any(own == name or own.endswith((f":{name}", f"/{name}")) for own in names)


def _join(names: list[set[str]]) -> str:
    return ", ".join(sorted({quote(min(own, key=len)) for own in names if own})[:20])


def _for_machine(source: Source, listed: list[Descriptor], machine: str) -> Descriptor:
    """The manifest that suits the machine best."""
    every = list(_manifests(source, listed, _DEEPEST))
    ranked = [(rank, number) for number, (_, platform) in enumerate(every) if (rank := _rank(platform, machine)) >= 0]
    if not ranked:
        there = ", ".join(sorted({str(platform) for _, platform in every}))
        raise BadImage(f"there is nothing for linux on {machine} in it, only for: {there or 'nothing'}")
    return every[min(ranked)[1]][0]


def _manifests(source: Source, listed: list[Descriptor], deepest: int) -> Iterator[tuple[Descriptor, Platform]]:
    """All manifests that are listed, in other lists, too."""
    for one in listed:
        if one.media_type in _INDEXES:
            if not deepest:
                raise BadImage("its lists are nested too deeply")
            inner = _decode(_blob(source, one), Index, one.digest).manifests or ()
            yield from _manifests(source, list(inner), deepest - 1)
        elif one.media_type in _MANIFESTS:
            yield one, one.platform or _platform(_config(_blob(source, _manifest(source, one).config)))


def _rank(platform: Platform, machine: str) -> int:
    """How good it is, 0 being best; -1: it cannot run."""
    architecture, *variants = _MACHINES.get(machine, (machine,))
    if platform.os != "linux" or platform.architecture != architecture:
        return -1
    if not platform.variant:
        return len(variants)
    if platform.variant in variants:
        return variants.index(platform.variant)
    return -1 if variants else 1


def _from_manifest(source: Source, descriptor: Descriptor) -> Chosen:
    manifest = _manifest(source, descriptor)
    raw = _blob(source, manifest.config)
    diff_ids = _config(raw).rootfs.diff_ids
    if len(diff_ids) != len(manifest.layers):
        raise BadImage(f"its manifest has {len(manifest.layers)} layers and its configuration {len(diff_ids)}")
    for layer in manifest.layers:
        if layer.media_type and not layer.media_type.startswith(_LAYERS):
            raise BadImage(f"it has a layer of type {quote(layer.media_type)}")
    layers = [
        Layer(_blob_name(one.digest), one, _checked(diff_id))
        for one, diff_id in zip(manifest.layers, diff_ids, strict=True)
    ]
    return Chosen(hashlib.sha256(raw).hexdigest(), raw, tuple(layers))


def _manifest(source: Source, descriptor: Descriptor) -> ImageManifest:
    return _decode(_blob(source, descriptor), ImageManifest, descriptor.digest)


# -- docker save -----------------------------------------------------------------------------------------------------


def _from_saved(source: Source, name: str, machine: str) -> Chosen:
    listed = _decode(read_document(source, "manifest.json"), tuple[Saved, ...], "manifest.json")
    names = [set(one.repo_tags or ()) for one in listed]
    found = [one for one, own in zip(listed, names, strict=True) if not name or _is_called(name, own)]
    if len(found) > 1:
        raise BadImage(f"it holds several images, say which by #NAME after the path: {_join(names)}")
    if not found:
        raise BadImage(f"it holds no image {quote(name)}, but {_join(names)}" if name else "it holds no image")
    saved, raw = found[0], read_document(source, found[0].config)
    identity = hashlib.sha256(raw).hexdigest()
    claimed = re.search(r"[a-f0-9]{64}", saved.config)
    if claimed is not None and claimed[0] != identity:
        raise BadImage(f"its configuration {saved.config} has the digest {identity}")
    config = _config(raw)
    if _rank(_platform(config), machine) < 0:
        raise BadImage(f"it is for {_platform(config)}, and this machine is linux on {machine}")
    diff_ids = config.rootfs.diff_ids
    if len(diff_ids) != len(saved.layers):
        raise BadImage(f"manifest.json has {len(saved.layers)} layers and its configuration {len(diff_ids)}")
    pairs = zip(saved.layers, diff_ids, strict=True)
    return Chosen(identity, raw, tuple(Layer(file, None, _checked(diff_id)) for file, diff_id in pairs))


# -- blobs -----------------------------------------------------------------------------------------------------------


def verify(source: Source, layer: Layer) -> None:
    """Compare a layer's file with its digest and size, where they are known. Raises BadImage."""
    if layer.descriptor is None:
        return
    with source.open(layer.name) as file:
        _compare(layer.descriptor, chunks(file))


def _blob(source: Source, descriptor: Descriptor) -> bytes:
    data = read_document(source, _blob_name(descriptor.digest))
    _compare(descriptor, (data,))
    return data


def _compare(descriptor: Descriptor, data: Iterable[bytes]) -> None:
    algorithm, _, wanted = _checked(descriptor.digest).partition(":")
    found, size = hashlib.new(algorithm), 0
    for chunk in data:
        found.update(chunk)
        size += len(chunk)
    if size != descriptor.size:
        raise BadImage(f"{descriptor.digest} has {size} bytes and should have {descriptor.size}")
    if found.hexdigest() != wanted:
        raise BadImage(f"{descriptor.digest} is damaged: its digest is {algorithm}:{found.hexdigest()}")


def _blob_name(digest: str) -> str:
    return "blobs/" + _checked(digest).replace(":", "/")


def _checked(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise BadImage(f"{quote(digest[:200])} is no digest that can be checked")
    return digest


def _config(raw: bytes) -> ImageConfig:
    try:
        return image_config.parse(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadImage(f"its configuration cannot be read: {error}") from None


def _platform(config: ImageConfig) -> Platform:
    return Platform(config.os, config.architecture, config.variant)


def _decode(data: bytes, kind: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadImage(f"{name} cannot be read: {error}") from None
