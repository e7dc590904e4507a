"""Volumes without mounts: a link at each mountPath.

A link is seen by everybody, so two containers cannot have different things at one path, and nothing can be made
read-only. `problems` says what cannot be kept; a container that asks for it is not started unless the settings say
`bestEffort`. What was at the path before is moved aside and comes back at the end. Where another pod has a link or
mounts, the container is not started (`neighbours`).

Containers with the same terminationMessagePath, the default one mostly, share the file there, also with those of other
pods without mounts: what is in it is taken for the message of the first that ends, as programs write it when they end.
It is a file and no link, so that it is a mount point for pods that have mounts.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from initsup.node import neighbours, termination
from initsup.node.aside import put_back, set_aside
from initsup.node.binds import TERMINATION_LOG, Bind, absolute
from initsup.node.env import CONFIG_ERROR
from initsup.node.failures import CannotCreate
from initsup.node.go_text import said
from initsup.node.ground import closed
from initsup.node.handover import Parcel
from initsup.node.identity import may
from initsup.node.mount_points import MountPoints
from initsup.node.mountinfo import is_below
from initsup.node.volumes import Volumes, is_read_only
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container, PodSpec, containers

if TYPE_CHECKING:
    from initsup.node.kept import KeptLinks

_OF_HOST = ".host"
"""A directory beside the volumes; no volume has such a name."""
_NEED = "needs mounts, which are not permitted here"
_NO_LINK = (
    "no link can be made in {}, which cannot be written, and mounts are not permitted here: have the path below a tmpfs"
)
ARCHIVE_NEEDS_MOUNTS = f"to leave the files of an archive as they are {_NEED}"


def problems(manifest: Manifest) -> list[str]:
    """What the pod asks for that links cannot give, each as a line with the field it is about."""
    spec = manifest.pod.spec
    found = [f"spec.hostAliases: {_NEED}"] if spec.host_aliases else []
    found += [f"spec.dnsConfig: {_NEED}"] if spec.dns_config is not None else []
    for path, container in containers(spec):
        found += [f"{path}.{text}" for text in _problems(manifest, container)]
    return found + _collisions(spec)


def _problems(manifest: Manifest, container: Container) -> list[str]:
    found = []
    context = container.security_context
    if context is not None and context.proc_mount == "Default":
        found.append(f"securityContext.procMount: {_NEED}")
    if context is not None and context.read_only_root_filesystem:
        found.append(f"securityContext.readOnlyRootFilesystem: {_NEED}")
    image = manifest.settings.mapping(container.image)
    if image is not None and image.rootfs and container.volume_mounts:
        found.append(f"volumeMounts: an image with a rootfs {_NEED}")
    elif image is not None and image.rootfs and not may("SYS_CHROOT"):
        found.append(f"image: a rootfs {_NEED}, and neither is chroot")
    if image is not None and image.archive:
        found.append(f"image: {ARCHIVE_NEEDS_MOUNTS}")
    kinds = {volume.name: volume for volume in manifest.pod.spec.volumes}
    for index, mount in enumerate(container.volume_mounts):
        if (image is None or not image.rootfs) and (place := closed(absolute(mount.mount_path))):
            found.append(f"volumeMounts[{index}].mountPath: {_NO_LINK.format(place)}")
        volume = kinds.get(mount.name)
        if volume is not None and volume.image is not None:
            found.append(f"volumeMounts[{index}]: to leave the files of an image as they are {_NEED}")
        elif mount.read_only and volume is not None and not is_read_only(volume):
            found.append(f"volumeMounts[{index}].readOnly: {_NEED}")
    return found


def bare_roots(manifest: Manifest) -> list[str]:
    """The root directories in which nothing is mounted, so that containers miss what all others have."""
    found = []
    for path, container in containers(manifest.pod.spec):
        image = manifest.settings.mapping(container.image)
        if image is not None and image.rootfs:
            there = {"/proc": "proc/self", "/dev": "dev/null"}
            missing = [name for name, sign in there.items() if not os.path.lexists(f"{image.rootfs}/{sign}")]
            if missing:
                text = f"its rootfs has no {' and no '.join(missing)}, and to mount that is not permitted here"
                found.append(f"{path}.image: {text}")
    return found


def _collisions(spec: PodSpec) -> list[str]:
    """Paths at which containers want different things."""
    found = []
    first: dict[str, tuple[str, str, str]] = {}
    for _, container in containers(spec):
        for mount in container.volume_mounts:
            path = absolute(mount.mount_path)
            there = (mount.name, mount.sub_path or mount.sub_path_expr)
            name, *other = first.setdefault(path, (container.name, *there))
            if tuple(other) != there:
                found.append(
                    f'spec: containers "{name}" and "{container.name}" have different volumes at {path}: {_NEED}'
                )
    return found


class Links:
    """The links of one pod. `points` are its mount points."""

    def __init__(self, manifest: Manifest, volumes: Volumes, points: MountPoints) -> None:
        self._manifest = manifest
        self._volumes = volumes
        self._points = points
        self._made: dict[str, str] = {}
        self._parents: list[str] = []
        self._held = -1
        """The lock that says that the links are in use; -1: there is none yet."""

    def handed_over(self, parcel: Parcel) -> KeptLinks:
        """What a successor needs to know."""
        from initsup.node.kept import KeptLinks

        return KeptLinks(self._made, self._parents, parcel.keep(self._held))

    def resume(self, kept: KeptLinks) -> None:
        """Go on with what was handed over."""
        self._made, self._parents, self._held = dict(kept.made), list(kept.parents), kept.held

    def provide(self, container: Container, binds: list[Bind], root: str | None) -> str | None:
        """Have a link for each; the container's termination log, if there is one.

        Raises CannotCreate, also for what links cannot give.
        """
        if not self._manifest.settings.best_effort and (found := _problems(self._manifest, container)):
            raise CannotCreate(CONFIG_ERROR, "; ".join(found))
        if root is not None:
            return None
        log = None
        for bind in binds:
            if bind.what == TERMINATION_LOG:
                log = self._provide_log(bind.target)
            if not bind.volume:
                continue
            try:
                self._provide(bind)
            except OSError as error:
                if self._manifest.settings.best_effort and closed(bind.target):
                    continue  # `problems` has named it
                message = f'cannot link {bind.what} to "{bind.target}": {said(error)}'
                raise CannotCreate(CONFIG_ERROR, message) from None
        return log

    def _provide_log(self, path: str) -> str | None:
        """Not worth failing for: where another file is mounted or in use, it is somebody else's."""
        try:
            if os.path.lexists(path) and not self._points.is_ours(path):
                try:
                    self._make_free(path)
                except neighbours.InUse:  # by its own kind, if it is empty: not everybody can see the mark
                    if os.path.getsize(path):
                        return None
            if not self._points.provide(path, directory=False, own=self._volumes.space.inside):
                return None
            termination.open_to_all(path)
        except OSError:
            return None
        return path

    def _provide(self, bind: Bind) -> None:
        path, wanted = bind.target, f"{self._place(bind)}/{bind.sub}".rstrip("/")
        if (other := self._made.get(path)) == wanted:
            return
        if other is not None:
            raise OSError(0, f"without mounts it can lead to one place only, and that is {other}")
        self._make_free(path)
        self._make_parents(os.path.dirname(path))
        os.symlink(wanted, path)
        self._made[path] = wanted

    def _place(self, bind: Bind) -> str:
        """Where the volume is in the volumes directory: links lead there, so that others know whose they are."""
        inside = self._volumes.space.inside
        if self._held == -1:
            self._held = neighbours.hold(inside)
        if is_below(bind.source, inside):
            return bind.source
        place = f"{inside}/{_OF_HOST}/{bind.volume}"
        if not os.path.lexists(place):
            os.makedirs(os.path.dirname(place), mode=0o711, exist_ok=True)
            os.symlink(bind.source, place)
        return place

    def _make_free(self, path: str) -> None:
        """Raises OSError."""
        if other := neighbours.owner(path, self._volumes.space.inside):
            raise OSError(errno.EBUSY, f"the pod in {other} has a link there")
        if os.path.islink(path) and (not os.path.exists(path) or self._is_own(path)):
            os.unlink(path)  # of a run that was killed
        elif os.path.lexists(path):
            with neighbours.unmounted(path):
                set_aside(path)

    def _is_own(self, path: str) -> bool:
        return is_below(os.readlink(path), self._volumes.space.inside)

    def _make_parents(self, path: str) -> None:
        if not os.path.isdir(path):
            self._make_parents(os.path.dirname(path))
            os.mkdir(path, 0o755)
            self._parents.append(path)

    def remove(self) -> list[str]:
        """Take the links away, and put back what was there. A line for each that could not be."""
        failed = []
        for path, wanted in reversed(self._made.items()):
            try:
                if os.path.islink(path) and os.readlink(path) == wanted:
                    os.unlink(path)
                put_back(path)
            except OSError as error:
                failed.append(f"cannot put {path} back: {said(error)}")
        for path in reversed(self._parents):
            try:
                os.rmdir(path)
            except OSError:  # something else is in there now
                pass
        self._made.clear()
        self._parents.clear()
        if self._held != -1:
            os.close(self._held)
            self._held = -1
        return failed
