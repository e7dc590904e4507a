"""The volumes of a pod: made once, before its first container, and gone with it.

Sources: pkg/volume/{emptydir,hostpath,configmap,secret,downwardapi,projected}, KEP-4639 (image).

| kind                                      | what it is here                                                          |
| ----------------------------------------- | ------------------------------------------------------------------------ |
| emptyDir                                  | a tmpfs of its own, `sizeLimit` being its size; for more see `empty_dir` |
| hostPath                                  | that path; what is missing is made as its `type` says                    |
| configMap, secret, downwardAPI, projected | files in the pod's tmpfs, read-only for containers, replaced all at once |
| image                                     | `images.NAME.rootfs` or `archive` of the settings, read-only, noexec     |
| others                                    | an error: they need a cluster                                            |

What makes them is imported when there is one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from initsup.node.beneath import remove_tree
from initsup.node.env import Lookup, own_host_name
from initsup.node.failures import CannotCreate, CannotMount
from initsup.node.fields import Context
from initsup.node.go_text import said
from initsup.node.handover import Parcel
from initsup.node.space import Space
from initsup.node.syscalls import MS_SHARED, mount
from initsup.spec.base import wire_name
from initsup.spec.manifest import Manifest
from initsup.spec.volume import EmptyDirVolumeSource, HostPathVolumeSource, ImageVolumeSource, Volume

if TYPE_CHECKING:
    from initsup.node.empty_dir import Medium
    from initsup.node.kept import KeptVolumes
    from initsup.node.payload import Payload

_LIMIT_MESSAGE = 'Usage of EmptyDir volume "{}" exceeds the limit "{}". '


class Volumes:
    """All volumes of one pod, below the directory `state`."""

    def __init__(self, manifest: Manifest, state: str, context: Context, images: Lookup | None = None) -> None:
        self._manifest = manifest
        self._image = images or (lambda image: self._manifest.settings.mapping(image))
        self._state = os.path.abspath(state)
        self._context = context
        self._space: Space | None = None
        self._payloads: dict[str, Payload] = {}
        self._media: dict[str, Medium] = {}
        self._volumes = {volume.name: volume for volume in manifest.pod.spec.volumes}
        if self._volumes:
            from initsup.node.memory_place import MemoryPlace
            from initsup.node.payload import Contents

            self._contents = Contents(context)
            self._memory = MemoryPlace(context.uid)

    def handed_over(self, parcel: Parcel) -> KeptVolumes:
        """What a successor needs to know."""
        from initsup.node.kept import KeptVolumes

        return KeptVolumes(
            space=self._space.handed_over(parcel) if self._space is not None else None,
            media=self._media,
            written=tuple(self._payloads),
            tokens=tuple((*key, token) for key, token in self._contents.tokens.items()) if self._volumes else (),
            memory=self._memory.directory if self._volumes else None,
        )

    def resume(self, kept: KeptVolumes) -> None:
        """Go on with what was handed over. Raises OSError."""
        self._space = Space.resume(self._state, kept.space) if kept.space is not None else None
        self._media = dict(kept.media)
        if self._volumes:
            self._contents.tokens = {(one, two): token for one, two, token in kept.tokens}
            self._memory.directory = kept.memory
        for name in kept.written:
            files = self._contents.of(self._manifest, self._volumes[name])
            self._payloads[name] = files or {}

    @property
    def space(self) -> Space:
        """Where they are; opened when first asked for. Raises CannotMount."""
        if self._space is None:
            try:
                self._forget_others()
                mode, name = self._manifest.settings.volumes.mode, own_host_name(self._manifest.pod)
                self._space = Space(self._state, mode, self._shared_host_paths(), name)
            except OSError as error:
                raise CannotMount("", f"cannot make {self._state}/volumes: {said(error)}") from None
        return self._space

    def _forget_others(self) -> None:
        """Remove what a pod that was killed has left here. Raises OSError."""
        if os.path.isdir(f"{self._state}/volumes"):
            from initsup.node.memory_place import MemoryPlace

            MemoryPlace.forget(f"{self._state}/volumes")
        for name in ("volumes", "disk"):
            remove_tree(f"{self._state}/{name}")

    # -- making them -------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make what is not there yet. Raises CannotMount when a volume cannot be made; try again later."""
        self._make_empty_dirs([volume for volume in self._volumes.values() if is_empty_dir(volume)])
        self._each(self._make)

    def _each(self, make: Callable[[Volume], object]) -> None:
        """Make every volume, whatever becomes of the others. Raises CannotMount, which tells of all that failed."""
        failed: list[tuple[str, str]] = []
        for volume in self._volumes.values():
            try:
                make(volume)
            except CannotMount as problem:
                failed += problem.all
        if failed:
            raise CannotMount(*failed[0], tuple(failed[1:]))

    def _make(self, volume: Volume) -> None:
        """Make one that is no emptyDir. Raises CannotMount."""
        if isinstance(volume.source, HostPathVolumeSource):
            from initsup.node import host_path

            host_path.prepare(volume.name, volume.source)
        elif isinstance(volume.source, ImageVolumeSource):
            self._check_image(volume)
        elif volume.source is None and not is_empty_dir(volume):
            kind = wire_name(_other_kind(volume))
            raise CannotMount(volume.name, f"{kind} volumes need a cluster, and there is none here")
        else:
            self._refresh(volume)

    def update(self, manifest: Manifest) -> tuple[str, ...]:
        """Take over new ConfigMaps, Secrets and metadata: write what has changed. The names of the volumes written.

        Which volumes there are cannot change. Raises CannotMount.
        """
        self._manifest = manifest
        before = dict(self._payloads)
        self._each(self._refresh)
        return tuple(name for name, files in self._payloads.items() if files is not before.get(name))

    def _refresh(self, volume: Volume) -> None:
        """Write the files of a volume that has any, unless they are there. Raises CannotMount."""
        files = self._contents.of(self._manifest, volume)
        if files is not None and files != self._payloads.get(volume.name):
            self._write(volume, files)
            self._payloads[volume.name] = files

    def tokens_due(self) -> float | None:
        """The wall time at which a token is to be renewed; None: there is none."""
        return min((token.renew_at for token in self._contents.tokens.values()), default=None)

    def renew_tokens(self) -> None:
        """Replace the tokens whose time has come. Raises CannotMount when one cannot be written: all stay due then."""
        before = self._contents.tokens
        self._contents.forget_tokens(time.time())
        try:
            self.update(self._manifest)
        except CannotMount:
            self._contents.tokens = before
            raise

    def _write(self, volume: Volume, files: Payload) -> None:
        from initsup.node import atomic

        directory = f"{self.space.root}/{volume.name}"
        # Containers cannot write there, but for `link`, where nothing but the mode stops them.
        mode = 0o755 if self.space.way == "link" else 0o777
        group = self._manifest.pod.spec.security_context.fs_group
        try:
            if self.space.way == "link" and volume.config_map is None:
                self._memory.link(directory)
            os.makedirs(directory, exist_ok=True)
            _own(directory, mode if group is None else mode | 0o2550, group)
            atomic.write(directory, files, group)
        except OSError as error:
            raise CannotMount(volume.name, said(error)) from None

    def _make_empty_dirs(self, volumes: list[Volume]) -> None:
        made = {volume.name: self._medium(volume) for volume in volumes if volume.name not in self._media}
        if not made:
            return
        from initsup.node.empty_dir import mount_medium

        shared = self._bidirectional()

        def mount_all() -> None:
            for name, one in made.items():
                target = f"{self.space.inside}/{name}"
                try:
                    mount_medium(one, target, f"{self._state}/disk/{name}")
                    if name in shared:
                        mount("", target, flags=MS_SHARED)
                except OSError as error:
                    raise CannotMount(name, said(error)) from None

        for name, one in made.items():
            try:
                self._directory(name, one)
            except OSError as error:
                raise CannotMount(name, said(error)) from None
        self.space.within(mount_all)
        self._media.update(made)

    def _medium(self, volume: Volume) -> Medium:
        from initsup.node.empty_dir import BadMedium, medium

        source = volume.empty_dir or EmptyDirVolumeSource()
        try:
            return medium(source, self._manifest.pod.spec, self._context.machine, self.space.way)
        except BadMedium as error:
            raise CannotMount(volume.name, str(error)) from None

    def _directory(self, name: str, one: Medium) -> None:
        """The directory that an emptyDir is, or is mounted on. Raises OSError."""
        from initsup.node.empty_dir import directory_mode

        spec = self._manifest.pod.spec
        directory = f"{self.space.root}/{name}"
        if one.kind == "memory" and not self._memory.link(directory):
            raise OSError(0, "medium Memory needs a tmpfs, and none that can be written to is there")
        os.makedirs(directory, exist_ok=True)
        if self.space.way != "link" and one.kind == "disk":
            directory = f"{self._state}/disk/{name}"
            os.makedirs(directory, mode=0o700, exist_ok=True)
        if one.kind in ("memory", "disk"):
            _own(directory, directory_mode(spec), spec.security_context.fs_group)

    def _check_image(self, volume: Volume) -> None:
        try:
            directory = self._image_directory(volume)
        except CannotCreate as error:
            raise CannotMount(volume.name, error.message) from None
        if directory is None:
            reference = volume.image.reference if volume.image is not None else ""
            raise CannotMount(
                volume.name, f'no files for image "{reference}": set images."{reference}".rootfs or archive'
            )
        if not os.path.isdir(directory):
            raise CannotMount(volume.name, f"{directory} is not a directory")

    def _image_directory(self, volume: Volume) -> str | None:
        mapping = self._image(volume.image.reference) if volume.image is not None else None
        return mapping.rootfs if mapping is not None and mapping.rootfs else None

    # -- propagation -------------------------------------------------------------------------------------------------

    def _bidirectional(self) -> set[str]:
        """The volumes in which some container may mount things for others to see."""
        spec = self._manifest.pod.spec
        mounts = [mount for container in (*spec.init_containers, *spec.containers) for mount in container.volume_mounts]
        return {mount.name for mount in mounts if mount.mount_propagation == "Bidirectional"}

    def _shared_host_paths(self) -> dict[str, str]:
        found = {}
        for name in self._bidirectional():
            volume = self._volumes.get(name)
            if volume is not None and isinstance(volume.source, HostPathVolumeSource):
                found[name] = volume.source.path
        return found

    # -- asking ------------------------------------------------------------------------------------------------------

    def volume(self, name: str) -> Volume | None:
        """The volume of that name."""
        return self._volumes.get(name)

    def path(self, name: str) -> str | None:
        """Where its files are, from initsup's own point of view; None when there is no such volume."""
        return self._place(name, self.space.root)

    def path_inside(self, name: str) -> str | None:
        """Where its files are in the namespaces that containers' are copied from."""
        return self._place(name, self.space.inside)

    def _place(self, name: str, root: str) -> str | None:
        volume = self._volumes.get(name)
        if volume is None:
            return None
        if isinstance(volume.source, HostPathVolumeSource) and name not in self._shared_host_paths():
            return volume.source.path
        if isinstance(volume.source, ImageVolumeSource):
            return self._image_directory(volume)
        return f"{root}/{name}"

    @property
    def is_watched(self) -> bool:
        """Whether `over_limit` must be asked from time to time (kubelet: every 10 s)."""
        return any(one.limit is not None for one in self._media.values())

    def over_limit(self) -> str | None:
        """Kubelet's message about a volume that holds more than its sizeLimit (pkg/kubelet/eviction)."""
        from initsup.node.empty_dir import usage

        for name, one in self._media.items():
            if one.limit is not None and usage(f"{self.space.root}/{name}/") > one.limit:
                source = self._volumes[name].empty_dir
                return _LIMIT_MESSAGE.format(name, source.size_limit if source is not None else "")
        return None

    # -- the end -----------------------------------------------------------------------------------------------------

    def remove(self) -> None:
        """Take all of it away, when no container lives any more. hostPath volumes stay. Raises OSError."""
        if self._space is not None:
            self._space.close()
        if self._volumes:
            self._memory.remove()
        for name in ("volumes", "disk"):
            remove_tree(f"{self._state}/{name}")
        self._space = None
        self._media.clear()
        self._payloads.clear()


def is_empty_dir(volume: Volume) -> bool:
    """Whether it is an emptyDir, as is a volume that does not say what it is."""
    return volume.empty_dir is not None or (volume.source is None and not _other_kind(volume))


def is_read_only(volume: Volume) -> bool:
    """Whether containers get it read-only whatever their mounts say (`GetAttributes().ReadOnly`)."""
    return not is_empty_dir(volume) and volume.host_path is None


def _other_kind(volume: Volume) -> str:
    """The field of a source that cannot be acted on here; "" if there is none."""
    # Sources that nothing looks into are plain JSON objects.
    return next((field for field in volume.__struct_fields__ if isinstance(getattr(volume, field), dict)), "")


def _own(directory: str, mode: int, group: int | None) -> None:
    if group is not None:
        os.chown(directory, -1, group)
    os.chmod(directory, mode)
