"""Paths that must not lead out of a directory, whatever the processes that can write there do meanwhile.

Containers own the files in their volumes, so a path is walked component by component: each is opened without following
links, and links are then followed by hand as long as they stay inside (pkg/volume/util/subpath does the same).
"""

from __future__ import annotations

import errno
import os
import stat

MOST_READ = 2**24
"""Bytes of a file that are read: who has made it must not fill the memory of initsup."""
_MAX_LINKS = 40  # as the kernel


def open_beneath(directory: str, path: str, create: int | None = None, *, as_root: bool = False) -> int:
    """A descriptor (O_PATH) of `path` below `directory`; of `directory` itself when `path` is empty.

    With `create`, directories that are missing are made with exactly that mode. Raises OSError: EXDEV when the path
    leads out (`..`, absolute links), ELOOP for too many links, and what the kernel says. With `as_root` no path leads
    out, as after chroot(2): absolute links start at `directory`, and `..` stays there.
    """
    trail = [os.open(directory, os.O_PATH | os.O_CLOEXEC)]
    ahead = path.split("/")[::-1]
    links = 0
    try:
        while ahead:
            name = ahead.pop()
            if name in ("", "."):
                continue
            if name == "..":
                if as_root and len(trail) == 1:
                    continue
                os.close(trail.pop())
                if not trail:
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
                continue
            fd = _step(trail[-1], name, create)
            if not stat.S_ISLNK(os.fstat(fd).st_mode):
                trail.append(fd)
                continue
            links += 1
            target = _target(fd, path, links)
            if target.startswith("/"):
                if not as_root:
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
                while len(trail) > 1:
                    os.close(trail.pop())
            ahead.extend(target.split("/")[::-1])
        return trail.pop()
    finally:
        for fd in trail:
            os.close(fd)


def _step(parent: int, name: str, create: int | None) -> int:
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        if create is None:
            raise
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:  # another container was faster
        return os.open(name, flags, dir_fd=parent)
    fd = os.open(name, flags | os.O_DIRECTORY, dir_fd=parent)
    os.chmod(f"/proc/self/fd/{fd}", create)  # whatever the umask
    return fd


def _target(link: int, path: str, links: int) -> str:
    """Where an opened symbolic link points to; closes it."""
    target = os.readlink("", dir_fd=link)
    os.close(link)
    if links > _MAX_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return target


def read_beneath(directory: str, path: str, *, as_root: bool = False) -> bytes:
    """The content of a regular file below `directory` (`as_root`: see `open_beneath`), at most MOST_READ of it.

    Raises OSError, also when it is no regular file.
    """
    with open(open_file_beneath(directory, path, as_root=as_root), "rb") as file:
        return file.read(MOST_READ)


def open_file_beneath(directory: str, path: str, *, as_root: bool = False) -> int:
    """A descriptor to read a regular file below `directory` by. Raises OSError, also when it is no regular file."""
    place = open_beneath(directory, path, as_root=as_root)
    try:
        # Looked at first: to open a device may do something.
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(place)


def remove_tree(path: str, parent: int | None = None) -> None:
    """Remove a file, or a directory with all that is in it; links are not followed, other file systems not entered.

    It is no error if there is nothing. `path` is relative to the directory descriptor `parent`, if one is given.
    Directories are moved to the top before they are emptied, so that no depth is too much. Raises OSError.
    """
    try:
        os.unlink(path, dir_fd=parent)
        return
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):  # EPERM is what POSIX says for directories
        pass
    top = _open_directory(path, parent)
    try:
        waiting = _strip(top, top, os.fstat(top).st_dev)
        while waiting:
            name = waiting.pop()
            fd = _open_directory(name, top)
            try:
                waiting += _strip(fd, top, os.fstat(top).st_dev)
            finally:
                os.close(fd)
            os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(path, dir_fd=parent)


def _open_directory(path: str, parent: int | None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, dir_fd=parent)
    except PermissionError:
        os.chmod(path, 0o700, dir_fd=parent)
        return os.open(path, flags, dir_fd=parent)


def _strip(fd: int, top: int, device: int) -> list[str]:
    """Remove the files of a directory and move its directories to `top`; their names there."""
    own = os.fstat(fd)
    if own.st_dev != device:
        raise OSError(errno.EXDEV, "another file system is mounted there")
    if own.st_mode & 0o300 != 0o300:
        os.fchmod(fd, 0o700)
    moved = []
    with os.scandir(fd) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in names:
        if not is_directory:
            os.unlink(name, dir_fd=fd)
            continue
        aside = name if fd == top else f".{os.urandom(8).hex()}"
        if fd != top:
            os.rename(name, aside, src_dir_fd=fd, dst_dir_fd=top)
        moved.append(aside)
    return moved
