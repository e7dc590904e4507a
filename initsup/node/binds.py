"""What a container has mounted where: the plan, before anything is done (kubelet_pods.go, makeMounts)."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Mapping

import msgspec

from initsup.node.beneath import open_beneath
from initsup.node.env import CONFIG_ERROR, expand
from initsup.node.failures import CannotCreate
from initsup.node.go_text import errno_text, quote
from initsup.node.mountinfo import is_below
from initsup.node.volumes import Volumes, is_read_only
from initsup.spec.pod import Container
from initsup.spec.volume import HostPathVolumeSource, Volume, VolumeMount

TERMINATION_LOG = "terminationMessagePath"


class Bind(msgspec.Struct, frozen=True):
    """A file or directory that a container sees at `target`.

    `sub` is a path below `source` that must not lead out of it. `directory` says which of the two it is, `identity` are
    the device and the number of what was there when the plan was made.
    `read_only`: the mount itself is, and with `recursive` all mounts below it as well. `propagation` is Kubernetes'
    word. `what` names it in messages: `volume "x"`, TERMINATION_LOG, or a file of the pod's own. `volume` is that name.
    """

    what: str
    source: str
    target: str
    directory: bool
    identity: tuple[int, int] = (0, 0)
    sub: str = ""
    read_only: bool = False
    recursive: bool = False
    programs: bool = True
    propagation: str = "None"
    volume: str = ""


def absolute(path: str) -> str:
    """A path in a container as it is meant: one that is relative starts at its root, too."""
    return posixpath.normpath("/" + path.lstrip("/"))


def by_depth(binds: list[Bind]) -> list[Bind]:
    """In an order in which no mount hides one that was made before it."""
    return sorted(binds, key=lambda bind: bind.target.count("/") if bind.target != "/" else 0)


def nested(bind: Bind, binds: list[Bind]) -> bool:
    """Whether its mount point lies in another mount of the same container."""
    return any(other is not bind and is_below(bind.target, other.target) for other in binds)


def of_volumes(container: Container, volumes: Volumes, variables: Mapping[str, str]) -> list[Bind]:
    """The volume mounts of a container; sub-paths that are missing are made. Raises CannotCreate."""
    for device in container.volume_devices:
        raise CannotCreate(
            CONFIG_ERROR, f"cannot find volume {quote(device.name)} to pass into container {quote(container.name)}"
        )
    return [_of_volume(container, mount, volumes, variables) for mount in container.volume_mounts]


def _of_volume(container: Container, mount: VolumeMount, volumes: Volumes, variables: Mapping[str, str]) -> Bind:
    volume = volumes.volume(mount.name)
    source, inside = volumes.path(mount.name), volumes.path_inside(mount.name)
    if volume is None or source is None or inside is None:
        raise CannotCreate(
            CONFIG_ERROR, f"cannot find volume {quote(mount.name)} to mount into container {quote(container.name)}"
        )
    what = f"volume {quote(mount.name)}"
    target = absolute(mount.mount_path)
    if target == "/" or is_below(target, "/proc"):
        raise CannotCreate(
            "RunContainerError", f"error mounting {what} at {quote(target)}: nothing can be mounted there"
        )
    sub = sub_path(mount, variables)
    status = _status(container, volume, source, sub)
    return Bind(
        what=what,
        source=inside,
        target=target,
        directory=stat.S_ISDIR(status.st_mode),
        identity=(status.st_dev, status.st_ino),
        sub=sub,
        read_only=mount.read_only or is_read_only(volume),
        recursive=mount.is_recursive,
        programs=volume.image is None,
        propagation=mount.mount_propagation or "None",
        volume=volume.name,
    )


def sub_path(mount: VolumeMount, variables: Mapping[str, str]) -> str:
    """The sub-path of a mount, expanded where it is an expression. Raises CannotCreate."""
    path = _expanded(mount.sub_path_expr, variables) if mount.sub_path_expr else mount.sub_path
    if path.startswith("/"):
        raise CannotCreate(CONFIG_ERROR, f"error SubPath `{path}` must not be an absolute path")
    if ".." in path.split("/"):
        raise CannotCreate(CONFIG_ERROR, f"unable to provision SubPath `{path}`: must not contain '..'")
    return path


def _expanded(expression: str, variables: Mapping[str, str]) -> str:
    missing = set()

    def lookup(name: str) -> str:
        if not variables.get(name):
            missing.add(name)
        return variables.get(name, "")

    path = expand(expression, lookup)
    if missing:
        raise CannotCreate(CONFIG_ERROR, f"missing value for {', '.join(sorted(missing))}")
    return path


def _status(container: Container, volume: Volume, path: str, sub: str) -> os.stat_result:
    """What is there; a directory is made where nothing is, if it is not an image's."""
    try:
        if isinstance(volume.source, HostPathVolumeSource):
            from initsup.node import host_path

            host_path.ensure(volume.source)
        status = os.stat(path)
    except OSError as error:
        problem = f"failed to stat {quote(path)}: {errno_text(error.errno or 0)}"
        raise CannotCreate("CreateContainerError", problem) from None
    if not sub:
        return status
    try:
        fd = open_beneath(path, sub, create=None if volume.image is not None else stat.S_IMODE(status.st_mode))
    except OSError:
        # No details: they could tell about the host's files.
        where = f"volumeMount {quote(volume.name)} of container {quote(container.name)}"
        raise CannotCreate(CONFIG_ERROR, f"failed to prepare subPath for {where}") from None
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)
