"""What each container sees of the file system: its volumes, files of its own such as /etc/hosts, a read-only root.

Every container has a mount namespace of its own, a copy of the pod's (`space`) with its volumes mounted in it. It is
made when the container first starts and serves all its instances. Nothing of it is seen on the host. Where mounts are
not permitted, `links` does what can be done instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from initsup.node import binds as planning
from initsup.node import masks, rootfs, syscalls, termination
from initsup.node.beneath import open_beneath, remove_tree
from initsup.node.binds import TERMINATION_LOG, Bind
from initsup.node.cover import REFUSALS, cover, make
from initsup.node.env import CONFIG_ERROR, Lookup, own_host_name
from initsup.node.failures import CannotCreate
from initsup.node.go_text import said
from initsup.node.handover import Parcel
from initsup.node.identity import may
from initsup.node.links import ARCHIVE_NEEDS_MOUNTS, Links
from initsup.node.mount_points import MountPoints
from initsup.node.mountinfo import make_read_only, make_root_read_only
from initsup.node.namespaces import Namespaces
from initsup.node.volumes import Volumes
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container

if TYPE_CHECKING:
    from initsup.node.kept import KeptMounts

_WRITABLE = ("/dev", "/proc", "/sys")
"""What a read-only root file system leaves as it is: these are file systems of their own in every container."""

_PROPAGATION = {
    "None": syscalls.MS_PRIVATE,
    "HostToContainer": syscalls.MS_SLAVE,
    "Bidirectional": syscalls.MS_SHARED,
}


class View(msgspec.Struct, frozen=True):
    """How a container sees the file system.

    `namespaces` are descriptors to enter in that order, none for the host's own view; `inode` is the number of the
    mount namespace, 0 for the host's. `uts` is a descriptor of the UTS namespace, None for the host's. `root` is a
    directory to change the root to, None: no need. `termination_log` is the file of its last words, from initsup's own
    point of view; None when there is none.
    """

    namespaces: tuple[int, ...] = ()
    inode: int = 0
    uts: int | None = None
    root: str | None = None
    termination_log: str | None = None


class Made(msgspec.Struct, frozen=True):
    """A view that is there, and what it was made for."""

    view: View
    namespaces: Namespaces | None
    binds: list[Bind]
    attempt: int
    own_root: bool


class Mounts:
    """The views of all containers of a pod. `state` is the directory that `volumes` has, too."""

    def __init__(
        self,
        manifest: Manifest,
        volumes: Volumes,
        state: str,
        images: Lookup | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._manifest = manifest
        self._say = say
        self._image = images or (lambda image: self._manifest.settings.mapping(image))
        self._volumes = volumes
        self._state = os.path.abspath(state)
        self._points = MountPoints()
        self._links = Links(manifest, volumes, self._points)
        self._made: dict[str, Made] = {}
        self._covered: set[str] = set()
        self._written: set[str] = set()

    def handed_over(self, parcel: Parcel) -> KeptMounts:
        """What a successor needs to know."""
        from initsup.node.kept import KeptMounts

        for made in self._made.values():
            if made.namespaces is not None:
                made.namespaces.handed_over(parcel)
        return KeptMounts(
            points=self._points.handed_over(parcel),
            links=self._links.handed_over(parcel),
            made=self._made,
            covered=tuple(self._covered),
            written=tuple(self._written),
        )

    def resume(self, kept: KeptMounts) -> None:
        """Go on with what was handed over."""
        self._points.resume(kept.points)
        self._links.resume(kept.links)
        self._made, self._covered, self._written = dict(kept.made), set(kept.covered), set(kept.written)

    def view(self, container: Container, variables: Mapping[str, str], attempt: int) -> View:
        """The view for one instance; its termination log is empty. `variables` are the declared ones, for subPathExpr.

        To be called once for each instance, after all volumes are made. Raises CannotCreate.
        """
        binds = planning.by_depth(self._plan(container, variables))
        made = self._made.get(container.name)
        if made is not None and (made.binds != binds or (made.own_root and made.attempt != attempt)):
            self._close(container.name)
            made = None
        if made is None:
            made = self._made[container.name] = self._make(container, binds, attempt)
        return made.view

    def take_over(self, manifest: Manifest) -> None:
        """Use a changed manifest for the views that are made from now on."""
        self._manifest = manifest

    def current(self, name: str) -> View | None:
        """The view of a container that has been started before, for probes, hooks and exec."""
        made = self._made.get(name)
        return made.view if made is not None else None

    def _plan(self, container: Container, variables: Mapping[str, str]) -> list[Bind]:
        binds = planning.of_volumes(container, self._volumes, variables)
        for path, text in self._own_files().items():
            if not any(bind.target == path for bind in binds):
                binds.append(Bind(path, self._write(path, text), path, directory=False))
        if container.termination_message_path:
            path = self._termination_log(container.name)
            target = planning.absolute(container.termination_message_path)
            binds.append(Bind(TERMINATION_LOG, path, target, directory=False))
        return binds

    def _termination_log(self, name: str) -> str:
        path = f"{self._state}/termination/{name}"
        try:
            try:
                termination.renew(path)
            except FileNotFoundError:
                os.makedirs(f"{self._state}/termination", mode=0o711, exist_ok=True)
                termination.renew(path)
        except OSError as error:
            raise CannotCreate("CreateContainerError", f"cannot make {path}: {said(error)}") from None
        return path

    def _own_files(self) -> dict[str, Callable[[], str]]:
        """The files of /etc that are the pod's and not the host's."""
        pod = self._manifest.pod
        spec, name, config = pod.spec, own_host_name(pod), pod.spec.dns_config
        found: dict[str, Callable[[], str]] = {}
        if spec.host_aliases or name:
            from initsup.node import hosts

            found[hosts.PATH] = lambda: hosts.content(_of_host(hosts.PATH), spec.host_aliases, name)
        if config is not None:
            from initsup.node import resolver

            own = resolver.PATH
            found[own] = lambda: resolver.content(_of_host(own), config, spec.dns_policy, self._say)
        return found

    def _write(self, path: str, text: Callable[[], str]) -> str:
        """Write such a file, at the first time; where it is."""
        file = f"{self._state}/{path[1:].replace('/', '-')}"
        if path in self._written:
            return file
        try:
            with open(file, "w", encoding="utf-8", errors="surrogateescape") as stream:
                stream.write(text())
            os.chmod(file, 0o644)
        except OSError as error:
            raise CannotCreate("CreateContainerError", f"cannot write {file}: {said(error)}") from None
        self._written.add(path)
        return file

    # -- making one --------------------------------------------------------------------------------------------------

    def _make(self, container: Container, binds: list[Bind], attempt: int) -> Made:
        space = self._volumes.space
        log = self._termination_log_of(container)
        image = self._image(container.image)
        is_shared = image is not None and bool(image.archive)
        root = os.path.abspath(image.rootfs) if image is not None and image.rootfs else None
        if root is not None and not os.path.isdir(root):
            raise CannotCreate(
                "CreateContainerError", f'the rootfs of image "{container.image}" is no directory: {root}'
            )
        if space.way == "link":
            if is_shared:
                raise CannotCreate("CreateContainerError", f'image "{container.image}": {ARCHIVE_NEEDS_MOUNTS}')
            log = self._links.provide(container, binds, root)
            return Made(View(root=root, termination_log=log), None, binds, attempt, own_root=False)
        if root is None:
            self._provide_points(binds)
        context = container.security_context
        filling = _Filling(
            binds=binds,
            root=root,
            root_is_shared=is_shared,
            workshop=space.workshop,
            read_only=bool(context is not None and context.read_only_root_filesystem),
            privileged=bool(context is not None and context.privileged),
            masked=masks.is_masked(container, own_root=root is not None),
        )
        try:
            namespaces = space.new(filling.fill)
        except OSError as error:
            place = f" at {error.filename}" if error.filename else ""
            raise CannotCreate("RunContainerError", f"cannot make the mounts{place}: {said(error)}") from None
        uts = space.base.uts if space.base is not None and space.base.uts != -1 else None
        view = View(namespaces.fds, namespaces.inode, uts, None, log)
        return Made(view, namespaces, binds, attempt, own_root=root is not None)

    def _termination_log_of(self, container: Container) -> str | None:
        return f"{self._state}/termination/{container.name}" if container.termination_message_path else None

    def _provide_points(self, binds: list[Bind]) -> None:
        """Have all mount points that are not in other mounts: on the host, else in the pod's namespace."""
        refused = {}
        for bind in binds:
            if planning.nested(bind, binds) or bind.target in self._covered:
                continue
            try:
                if not self._points.provide(bind.target, bind.directory):
                    refused[os.path.realpath(bind.target)] = bind.directory
            except OSError as error:
                raise _cannot_mount(bind, error) from None
        try:
            self._volumes.space.cover(refused)
        except OSError as error:
            raise CannotCreate("RunContainerError", f"cannot make {', '.join(refused)}: {said(error)}") from None
        self._covered.update(refused)

    # -- the end -----------------------------------------------------------------------------------------------------

    def let_go(self, name: str) -> bool:
        """Let the view of a container that runs for the last time go with its processes, whose it is from now on.

        Each end of a mount namespace is a grace period of the kernel's (synchronize_rcu): those of processes that end
        at the same time share it, one after the other they take 60 µs each. False: it stays, as it could not be told
        from a process (ptrace(2), PTRACE_MODE_READ) what it sees.
        """
        made = self._made.get(name)
        if made is None or made.namespaces is None or not self._sees_others:
            return False
        self._close(name)
        return True

    @cached_property
    def _sees_others(self) -> bool:
        return may("SYS_PTRACE")

    def _close(self, name: str) -> None:
        made = self._made.pop(name, None)
        if made is not None and made.namespaces is not None:
            made.namespaces.close()

    def remove(self) -> list[str]:
        """Take everything away, when no container lives any more; before the volumes. A line for what stays."""
        for name in list(self._made):
            self._close(name)
        self._covered.clear()
        failed = self._links.remove()
        self._points.remove()
        self._written.clear()
        for name in ("termination", "etc-hosts", "etc-resolv.conf"):
            try:
                remove_tree(f"{self._state}/{name}")
            except OSError as error:
                failed.append(f"cannot remove {self._state}/{name}: {said(error)}")
        return failed


class _Filling(msgspec.Struct, frozen=True):
    """The work in a container's new namespace. Raises CannotCreate and OSError."""

    binds: list[Bind]
    root: str | None
    root_is_shared: bool
    workshop: str
    read_only: bool
    privileged: bool
    masked: bool

    def fill(self) -> None:
        # First of all: mounts may hide the places where others come from.
        sources = [_open(bind) for bind in self.binds]
        try:
            if self.root is not None:
                rootfs.enter(self.root, self.workshop, privileged=self.privileged, is_shared=self.root_is_shared)
            if self.masked:
                masks.mask()
            for bind, fd in zip(self.binds, sources, strict=True):
                self._attach(bind, fd)
            if self.root is not None:
                rootfs.leave_old()
            if self.read_only:
                make_root_read_only((*_WRITABLE, *(os.path.realpath(bind.target) for bind in self.binds)))
        finally:
            for fd in sources:
                os.close(fd)

    def _attach(self, bind: Bind, fd: int) -> None:
        try:
            if not os.path.exists(bind.target):
                self._make_point(bind)
            syscalls.mount(f"/proc/self/fd/{fd}", bind.target, flags=syscalls.MS_BIND | syscalls.MS_REC)
            syscalls.mount("", bind.target, flags=syscalls.MS_REC | _PROPAGATION[bind.propagation])
            if bind.read_only:
                extra = 0 if bind.programs else syscalls.MS_NOEXEC
                make_read_only(os.path.realpath(bind.target), bind.recursive, extra)
        except OSError as error:
            raise _cannot_mount(bind, error) from None

    def _make_point(self, bind: Bind) -> None:
        place = os.path.realpath(bind.target)
        if self.root is not None:
            return rootfs.provide(place, bind.directory)
        try:
            make(place, bind.directory)
        except OSError as error:
            if error.errno not in REFUSALS:
                raise
            cover(place, bind.directory, self.workshop)
        return None


def _of_host(path: str) -> str:
    """A file of the host's; empty if there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _open(bind: Bind) -> int:
    try:
        return open_beneath(bind.source, bind.sub)
    except OSError as error:
        if bind.sub:
            raise CannotCreate(CONFIG_ERROR, f"failed to prepare subPath for {bind.what}") from None
        raise _cannot_mount(bind, error) from None


def _cannot_mount(bind: Bind, error: OSError) -> CannotCreate:
    return CannotCreate("RunContainerError", f'error mounting {bind.what} at "{bind.target}": {said(error)}')
