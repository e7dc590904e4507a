"""What is at a path where a link has to be: moved aside, and put back at the end.

On overlayfs, the root of a container image, a directory that comes with the image cannot be renamed (EXDEV, see
"redirect_dir" in the kernel's Documentation/filesystems/overlayfs.rst). It is copied then, as mv(1) does. The copy
follows no symbolic link, whatever a container that runs already makes of the directory meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat

_ASIDE = ".initsup-aside"
_COPY = ".initsup-copy"


def set_aside(path: str) -> None:
    """Make `path` free. Raises OSError when it cannot be, and leaves it as it was then."""
    aside = path + _ASIDE
    if os.path.lexists(aside):
        raise OSError(0, f"{aside} is in the way")
    try:
        os.rename(path, aside)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        _copy_aside(path, aside)


def put_back(path: str) -> None:
    """Have at `path` again what was there, if anything was. Raises OSError."""
    if os.path.lexists(path + _ASIDE) and not os.path.lexists(path):
        os.rename(path + _ASIDE, path)


def _copy_aside(path: str, aside: str) -> None:
    from shutil import rmtree

    above, name = os.path.split(path)
    rmtree(path + _COPY, ignore_errors=True)  # of a run that was killed
    place = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _copy(place, name, place, name + _COPY)
    except OSError:
        rmtree(path + _COPY, ignore_errors=True)
        raise
    finally:
        os.close(place)
    os.rename(path + _COPY, aside)
    rmtree(path)


def _copy(source: int, name: str, target: int, new: str) -> None:
    """Copy `name` in one directory to `new` in another, with owner, permissions and times."""
    status = os.lstat(name, dir_fd=source)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), new, dir_fd=target)
    elif stat.S_ISDIR(status.st_mode):
        _copy_directory(source, name, target, new)
    elif stat.S_ISREG(status.st_mode):
        status = _copy_file(source, name, target, new)
    else:
        os.mknod(new, status.st_mode, status.st_rdev, dir_fd=target)
    os.chown(new, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(new, stat.S_IMODE(status.st_mode), dir_fd=target)
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)


def _copy_directory(source: int, name: str, target: int, new: str) -> None:
    os.mkdir(new, 0o700, dir_fd=target)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    below = os.open(name, flags, dir_fd=source)
    there = os.open(new, flags, dir_fd=target)
    try:
        for one in os.listdir(below):
            _copy(below, one, there, one)
    finally:
        os.close(below)
        os.close(there)


def _copy_file(source: int, name: str, target: int, new: str) -> os.stat_result:
    """Returns the status of what was read: it need not be what had this name a moment ago."""
    from shutil import copyfileobj

    with (
        open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source), "rb") as old,
        open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target), "wb") as copy,
    ):
        copyfileobj(old, copy)
        return os.fstat(old.fileno())
