"""A mount point where the host's file system cannot be written: seen by one container only, and nothing is left.

The directory that it belongs in is covered by a tmpfs that has the same entries, each bound to the original, and the
new one. What the container then makes in that directory itself, if it may, is gone with it; what is below its entries
is real.
"""

from __future__ import annotations

import errno
import os
import stat

from initsup.node import syscalls
from initsup.node.mountinfo import make_read_only

REFUSALS = (errno.EROFS, errno.EACCES, errno.EPERM)
"""What making a mount point raises where it can only be there by `cover`."""
_MAX_ENTRIES = 4096
_BIND = syscalls.MS_BIND | syscalls.MS_REC


def cover(path: str, directory: bool, workshop: str) -> None:
    """Make `path` (absolute, without links) be there, in this mount namespace only. Raises OSError.

    `workshop` is a directory to put things together in; nothing is left in it.
    """
    place = os.path.dirname(path)
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    writable = os.access(place, os.W_OK)
    original = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = os.fstat(original)
        syscalls.mount("tmpfs", workshop, "tmpfs", data="mode=0755")
        for name in _names(original):
            _repeat(f"/proc/self/fd/{original}/{name}", f"{workshop}/{name}")
    finally:
        os.close(original)
    make(f"{workshop}/{os.path.relpath(path, place)}", directory)
    _resemble(workshop, status)
    if place == "/":
        become_root(workshop)
        drop_old_root()
    else:
        syscalls.mount(workshop, place, flags=syscalls.MS_MOVE)
    if not writable:
        make_read_only(place, recursive=False)


def make(path: str, directory: bool) -> None:
    """Make a directory (0755), or an empty file (0644), and all directories above it. Raises OSError."""
    os.makedirs(path if directory else os.path.dirname(path), mode=0o755, exist_ok=True)
    if not directory:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))


def become_root(new: str) -> None:
    """Make the mount at `new` the root of this namespace, and go there. Raises OSError.

    The old one lies over it then, where no path leads (pivot_root(2), "pivot_root(".", ".")"). As long as it is there,
    descriptors of files in it can be mounted.
    """
    os.chdir(new)
    syscalls.pivot_root(".", ".")
    os.chdir("/")


def drop_old_root() -> None:
    """Take away what `become_root` has left. Raises OSError."""
    os.chdir("/")
    syscalls.unmount(".")


def _names(directory: int) -> list[str]:
    names = os.listdir(f"/proc/self/fd/{directory}")
    if len(names) > _MAX_ENTRIES:
        raise OSError(errno.E2BIG, f"more than {_MAX_ENTRIES} entries around it")
    return names


def _repeat(original: str, copy: str) -> None:
    try:
        mode = os.lstat(original).st_mode
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(original), copy)
            return
        make(copy, stat.S_ISDIR(mode))
        syscalls.mount(original, copy, flags=_BIND)
    except FileNotFoundError:  # gone meanwhile
        return


def _resemble(path: str, status: os.stat_result) -> None:
    try:
        os.chown(path, status.st_uid, status.st_gid)
    except OSError:  # ids that do not exist in a user namespace
        pass
    os.chmod(path, stat.S_IMODE(status.st_mode))
