"""Places on the host's own file system to mount things at, where there are none yet.

A missing directory (or empty file) is made on the host, as container runtimes make it in the image: that way all around
it stays what it is. It is taken away again at the end, if it is still empty and nobody else uses it. That matters, as
removing a directory takes along what is mounted on it in other namespaces, and so does moving it away: whoever uses one
holds a shared lock on it, and it is removed under an exclusive one. Who made it may be gone by then, so it carries a
mark.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING

from initsup.node.aside import put_back
from initsup.node.cover import REFUSALS
from initsup.node.handover import Parcel
from initsup.node.neighbours import owner

if TYPE_CHECKING:
    from initsup.node.kept import KeptPoints

_TRIES = 100


class MountPoints:
    """The mount points on the host that one pod uses."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._held: dict[str, int] = {}
        self._made: set[str] = set()
        # Containers' users can neither set nor see the first kind; the second works for others than root (xattr(7)).
        self._mark = "trusted.initsup.made" if os.geteuid() == 0 else "user.initsup.made"

    def handed_over(self, parcel: Parcel) -> KeptPoints:
        """What a successor needs to know."""
        from initsup.node.kept import KeptPoints

        held = {place: parcel.keep(fd) for place, fd in self._held.items()}
        return KeptPoints(tuple(self._known), held, tuple(self._made))

    def resume(self, kept: KeptPoints) -> None:
        """Go on with what was handed over."""
        self._known, self._held, self._made = set(kept.known), dict(kept.held), set(kept.made)

    def provide(self, path: str, directory: bool, own: str = "") -> bool:
        """See to it that `path` exists; False when it does not and may not be made. Raises OSError.

        `own` is the volumes directory that the pod's own links lead to, if it has any.
        """
        if path in self._known:
            return True
        if other := owner(path, own):
            raise OSError(errno.EBUSY, f"the pod in {other} has a link there", path)
        place = os.path.realpath(path)
        for _ in range(_TRIES):
            if self._hold(place):
                self._known.add(path)
                return True
            try:
                self._make(place, directory)
            except (FileExistsError, FileNotFoundError):  # another pod comes or goes at the same time
                continue
            except OSError as error:
                if error.errno in REFUSALS:
                    return False
                raise
        raise OSError(errno.EBUSY, "others keep making and removing it", place)

    def _hold(self, place: str) -> bool:
        """Whether it exists. Others are kept from removing it, or moving it away."""
        try:
            fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        except OSError:  # unreadable for us: nothing that we have made
            return os.path.exists(place)
        try:
            # Waits only while another pod removes it; what is not empty may be locked by somebody else for long.
            fcntl.flock(fd, fcntl.LOCK_SH if _is_empty(fd) else fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return True
        if _is_at(fd, place):
            self._held[place] = fd
            return True
        os.close(fd)
        return False

    def _make(self, place: str, directory: bool) -> None:
        """Make it, with all that is missing above it."""
        parent = os.path.dirname(place)
        if not os.path.lexists(parent):
            self._make(parent, True)
        if directory:
            os.mkdir(place, 0o755)
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(place, flags, 0o644))
        self._made.add(place)
        try:
            os.setxattr(place, self._mark, b"", follow_symlinks=False)
        except OSError:  # not every file system can do that; then only we ourselves remove it
            pass

    def remove(self) -> None:
        """Take away what was made for pods, is empty and not used by others, and directories that were made for it.

        What was set aside for it (`links`) comes back.
        """
        for place, fd in self._held.items():
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self.is_ours(place) and _is_empty(fd) and _is_at(fd, place):
                    self._remove(place, stat.S_ISDIR(os.fstat(fd).st_mode))
            except OSError:  # somebody uses it, or one of those above
                pass
            os.close(fd)
        self._held.clear()
        self._known.clear()
        self._made.clear()

    def _remove(self, place: str, directory: bool) -> None:
        (os.rmdir if directory else os.unlink)(place)
        put_back(place)
        while self.is_ours(place := os.path.dirname(place)):
            os.rmdir(place)

    def is_ours(self, place: str) -> bool:
        """Whether it was made for a pod, and not by anybody else."""
        if place in self._made:
            return True
        try:
            os.getxattr(place, self._mark, follow_symlinks=False)
        except OSError:
            return False
        return True


def _is_empty(fd: int) -> bool:
    status = os.fstat(fd)
    if stat.S_ISDIR(status.st_mode):
        with os.scandir(fd) as entries:
            return next(entries, None) is None
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def _is_at(fd: int, place: str) -> bool:
    try:
        return os.path.samestat(os.lstat(place), os.fstat(fd))
    except FileNotFoundError:
        return False
