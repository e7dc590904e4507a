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


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the program that unpacks prints: the image that is there now, and what it has lost; or why it is not."""

    image: str = ""
    notes: tuple[str, ...] = ()
    error: str = ""


def parse(data: bytes) -> ImageConfig:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(data, type=ImageConfig)


def of_image(config: ImageConfig, rootfs: str) -> ImageMapping:
    """What an image itself says, in the form of the settings. `rootfs` is where it has been unpacked to."""
    own = config.config or Execution()
    return ImageMapping(
        command=own.entrypoint or (),
        args=own.cmd or (),
        env=dict(one.split("=", 1) for one in own.env or () if "=" in one[1:]),
        working_dir=own.working_dir or "",
        user=own.user or None,
        rootfs=rootfs,
    )


def merged(settings: ImageMapping, own: ImageMapping) -> ImageMapping:
    """The settings for an image, and what it says itself where they say nothing.

    A `command` in the settings takes the place of the image's Entrypoint and Cmd, as one in the pod does.
    """
    return msgspec.structs.replace(
        settings,
        command=settings.command or own.command,
        args=settings.args or (() if settings.command else own.args),
        env={**own.env, **settings.env},
        working_dir=settings.working_dir or own.working_dir,
        user=settings.user if settings.user is not None else own.user,
        rootfs=own.rootfs,
    )
