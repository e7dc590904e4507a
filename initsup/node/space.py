"""Where the volumes of a pod are, and how containers get to see them.

In the `mount` ways a namespace that belongs to the pod alone has a tmpfs at STATE/volumes. The host sees an empty
directory there, nothing is left when initsup is killed, and containers' namespaces are copies of this one. initsup gets
at the files through a descriptor. Where mounts are not permitted, STATE/volumes is a plain directory (`link`).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Literal

import msgspec

from initsup.node import syscalls
from initsup.node.cover import cover
from initsup.node.go_text import said
from initsup.node.handover import Parcel
from initsup.node.namespaces import Delegation, Excursion, Maker, Namespaces, Work

if TYPE_CHECKING:
    from initsup.node.kept import KeptSpace

Way = Literal["mount", "user", "link"]


class Space:
    """The volumes directory of one pod.

    `way`: `mount` (as root), `user` (in a user namespace) or `link`. `root` is the directory as initsup reaches it,
    `inside` as it is called in the namespaces of the pod; they differ in the mount ways only. `workshop` is an empty
    directory in there. `maker` and `base` make namespaces for containers, and are None for `link`.
    """

    __slots__ = ("base", "inside", "maker", "refusal", "root", "way", "workshop")

    def __init__(self, state: str, mode: str, shared: dict[str, str], host_name: str = "") -> None:
        """Open it below the directory `state`. `mode` is the setting `volumes.mode`: auto, mount or link.

        `shared` are host directories, by volume, whose mounts must reach the containers and the host both ways.
        `host_name` is what containers shall find the host to be called, if that can be had (empty: what it is).
        Where mounts are not permitted, `refusal` says why not; that `mount` does not do without them is a promise
        (`promises`). Raises OSError.
        """
        self.inside = os.path.abspath(f"{state}/volumes")
        self.workshop = f"{self.inside}/.workshop"
        self.refusal = ""
        self.maker: Maker | None = None
        self.base: Namespaces | None = None
        os.makedirs(self.inside, mode=0o700, exist_ok=True)
        if mode != "link":
            try:
                self._open(shared, host_name)
            except OSError as error:
                self.refusal = _refusal(error)
        self.way: Way = "link" if self.base is None else "mount" if isinstance(self.maker, Excursion) else "user"
        self.root = self.inside if self.base is None else f"/proc/self/fd/{self.base.directory}"
        if self.base is None:
            # Containers that run as other users go through here by links; they cannot list it, and all else in the
            # state directory is for its owner only.
            for directory in (self.inside, *((state,) if os.geteuid() == 0 else ())):
                os.chmod(directory, 0o711)

    def _open(self, shared: dict[str, str], host_name: str) -> None:
        def fill() -> None:
            clones = {name: syscalls.clone_mount(path) for name, path in shared.items()}
            # What the host mounts later arrives here, and nothing goes the other way.
            syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_SLAVE)
            mount_tmpfs(self.inside, "mode=0700", swap=False)
            os.mkdir(self.workshop)
            for name, fd in clones.items():
                os.mkdir(f"{self.inside}/{name}")
                syscalls.attach_mount(fd, f"{self.inside}/{name}")
                os.close(fd)

        # Root without the right to mount could still make a user namespace, but would lose its rights over the
        # host in there, such as that to listen on port 80.
        maker: Maker = Excursion() if os.geteuid() == 0 else Delegation()
        self.base = maker.make(None, fill, self.inside, host_name)
        self.maker = maker

    def handed_over(self, parcel: Parcel) -> KeptSpace:
        """What a successor needs to know."""
        from initsup.node.kept import KeptSpace

        return KeptSpace(self.way, self.refusal, self.base and self.base.handed_over(parcel))

    @classmethod
    def resume(cls, state: str, kept: KeptSpace) -> Space:
        """Go on with what was handed over. Raises OSError."""
        space = cls.__new__(cls)
        space.inside = os.path.abspath(f"{state}/volumes")
        space.workshop = f"{space.inside}/.workshop"
        space.way, space.refusal, space.base = kept.way, kept.refusal, kept.base
        space.maker = None if kept.base is None else Excursion() if kept.way == "mount" else Delegation()
        space.root = space.inside if kept.base is None else f"/proc/self/fd/{kept.base.directory}"
        return space

    def within(self, work: Work) -> None:
        """Do something in the namespace of the pod. Raises what `work` raises."""
        if self.maker is not None and self.base is not None:
            self.maker.within(self.base, work)

    def cover(self, points: dict[str, bool]) -> None:
        """Have mount points in the namespaces of the pod that cannot be made on the host; path → is it a directory.

        Raises OSError.
        """
        if self.maker is None or self.base is None or not points:
            return

        def work() -> None:
            for path, directory in points.items():
                if not os.path.exists(path):
                    cover(path, directory, self.workshop)

        fd = self.maker.within(self.base, work, self.inside)
        # The root may be another one now, and the old one is not what containers get to see.
        os.close(self.base.directory)
        self.base = msgspec.structs.replace(self.base, directory=fd)
        self.root = f"/proc/self/fd/{fd}"

    def new(self, work: Work) -> Namespaces:
        """A namespace for a container, after `work` in it. Raises what `work` raises, and OSError."""
        assert self.maker is not None
        return self.maker.make(self.base, work)

    def close(self) -> None:
        """Let all of it go."""
        if self.base is not None:
            self.base.close()
            self.base = None
        try:
            os.rmdir(self.inside)
        except OSError:
            pass


def mount_tmpfs(target: str, options: str, *, swap: bool) -> None:
    """A tmpfs with the given options; without `swap` it never goes to disk, where the kernel can do that (6.4)."""
    if not swap:
        try:
            syscalls.mount("tmpfs", target, "tmpfs", data=f"{options},noswap")
            return
        except OSError:
            pass
    syscalls.mount("tmpfs", target, "tmpfs", data=options)


def _refusal(error: OSError) -> str:
    """In words; user_namespaces(7) has its own meaning of some."""
    if error.errno in (errno.ENOSPC, errno.EUSERS):
        return "no more user namespaces, see user.max_user_namespaces"
    return said(error)
