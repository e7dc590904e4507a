"""What an image says about how it is run, and how that becomes the defaults of its containers.

Sources: OCI image-spec, config.md; containerd's CRI plugin (WithProcessArgs, WithImageConfig).
"""

from __future__ import annotations

import msgspec

from initsup.spec.settings import ImageMapping


class Document(msgspec.Struct, frozen=True, rename="pascal"):
    """Base of what Docker once wrote in Go's names. Fields that are not listed are ignored."""


class Execution(Document, frozen=True):
    """The part `config` of an image's configuration."""

    user: str | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    working_dir: str | None = None


class RootFs(msgspec.Struct, frozen=True):
    """The digests of the layers, uncompressed, lowest first."""

    diff_ids: tuple[str, ...] = ()


class ImageConfig(msgspec.Struct, frozen=True):
    """An image's configuration."""

    os: str = ""
    architecture: str = ""
    variant: str | None = None
    config: Execution | None = None
    rootfs: RootFs = RootFs()


def parse(data: bytes) -> ImageConfig:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(data, type=ImageConfig)


def with_defaults(mapping: ImageMapping, config: ImageConfig, rootfs: str) -> ImageMapping:
    """The settings for an image, and what the image itself says where they say nothing.

    A `command` in the settings takes the place of the image's Entrypoint and Cmd, as one in the pod does.
    """
    own = config.config or Execution()
    variables = dict(one.split("=", 1) for one in own.env or () if not one.startswith("=") and "=" in one)
    return msgspec.structs.replace(
        mapping,
        command=mapping.command or own.entrypoint or (),
        args=mapping.args or (() if mapping.command else own.cmd or ()),
        env={**variables, **mapping.env},
        working_dir=mapping.working_dir or own.working_dir or "",
        user=mapping.user if mapping.user is not None else own.user or None,
        rootfs=rootfs,
    )
