"""Writes the files of a volume so that readers see all of the old ones or all of the new ones.

The layout is kubelet's (pkg/volume/util/atomic_writer.go): the files are in a directory `..YYYY_MM_DD_HH_MM_SS.RANDOM`,
the link `..data` leads there and is replaced by rename, and each name at the top is a link to `..data/NAME`.
"""

from __future__ import annotations

import os
import posixpath
import stat
import time

from initsup.node.beneath import remove_tree
from initsup.node.payload import File, Payload

_DATA = "..data"
_NEW_DATA = "..data_tmp"
# What fsGroup adds to volumes that are read-only for containers (pkg/volume/volume_linux.go).
_GROUP_READS = 0o440
_GROUP_ENTERS = 0o550 | stat.S_ISGID


def write(directory: str, files: Payload, group: int | None) -> None:
    """Make `directory` hold exactly `files`. With `group` they belong to it, and it may read them. Raises OSError."""
    top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        before = _current(top)
        stamp = time.strftime("..%Y_%m_%d_%H_%M_%S.", time.gmtime()) + os.urandom(5).hex()
        _directory(top, stamp, group)
        for path in sorted(files):
            _file(top, stamp, path, files[path], group)
        _link(top, stamp, _NEW_DATA, group)
        os.rename(_NEW_DATA, _DATA, src_dir_fd=top, dst_dir_fd=top)
        _show(top, {path.partition("/")[0] for path in files}, group)
        if before:
            remove_tree(before, top)
    finally:
        os.close(top)


def _current(top: int) -> str:
    """The directory that is in use; what a crash left behind is removed."""
    try:
        os.unlink(_NEW_DATA, dir_fd=top)
    except FileNotFoundError:
        pass
    try:
        return os.readlink(_DATA, dir_fd=top)
    except FileNotFoundError:
        return ""


def _file(top: int, stamp: str, path: str, file: File, group: int | None) -> None:
    parent = stamp
    for name in posixpath.dirname(path).split("/"):
        parent = f"{parent}/{name}" if name else parent
        if name and not _exists(top, parent):
            _directory(top, parent, group)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(f"{stamp}/{path}", flags, 0o600, dir_fd=top)
    with open(fd, "wb", buffering=0) as target:
        view = memoryview(file.data)
        while view:
            view = view[target.write(view) :]
        if file.owner is not None or group is not None:
            os.fchown(fd, -1 if file.owner is None else file.owner, -1 if group is None else group)
        os.fchmod(fd, file.mode | (0 if group is None else _GROUP_READS))


def _exists(top: int, path: str) -> bool:
    try:
        os.stat(path, dir_fd=top, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _directory(top: int, path: str, group: int | None) -> None:
    os.mkdir(path, 0o755, dir_fd=top)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
    try:
        if group is not None:
            os.fchown(fd, -1, group)
        os.fchmod(fd, 0o755 if group is None else 0o755 | _GROUP_ENTERS)
    finally:
        os.close(fd)


def _link(top: int, target: str, name: str, group: int | None) -> None:
    os.symlink(target, name, dir_fd=top)
    if group is not None:
        os.chown(name, -1, group, dir_fd=top, follow_symlinks=False)


def _show(top: int, names: set[str], group: int | None) -> None:
    """Have a link for each name, and none to what is gone. Other things, such as mount points, stay."""
    shown = {name for name in os.listdir(top) if not name.startswith("..")}
    for name in sorted(names - shown):
        _link(top, f"{_DATA}/{name}", name, group)
    for name in shown - names:
        if stat.S_ISLNK(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=top)
