"""A directory as the root of a container: `images.NAME.rootfs` in the settings.

The container gets a layer of its own over the directory (overlayfs, the layer in memory), new with each instance, so
the directory stays as it is. Where overlayfs is not to be had, it works on the directory itself. /proc and /sys (which
is read-only unless privileged; see also `masks`), /etc/hosts and /etc/resolv.conf are the host's, unless the pod has
its own; /dev has the devices that every container has (OCI runtime-spec, config-linux.md), or with `privileged` is the
host's, too.
"""

from __future__ import annotations

import os
import stat

from initsup.node import syscalls
from initsup.node.cover import REFUSALS, become_root, cover, drop_old_root, make
from initsup.node.mountinfo import make_read_only

_BIND = syscalls.MS_BIND | syscalls.MS_REC
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_DIRECTORIES = ("pts", "shm", "mqueue")
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
_WORKSHOP = "/dev/.initsup"
"""A directory to put mounts together in (`cover`), as long as the new root is being filled."""
_PTMX = os.makedev(5, 2)
_FILES = ("/etc/hosts", "/etc/resolv.conf")


def enter(rootfs: str, workshop: str, *, privileged: bool, is_shared: bool = False) -> None:
    """Make the directory the root of this mount namespace. `workshop` is an empty directory. Raises OSError.

    `is_shared`: others have the directory, too, so that it must not change, which needs overlayfs.

    The old root is there until `leave_old`, when nothing from there is needed any more.
    """
    originals = {name: fd for name in ("/dev", "/sys", *_FILES) if (fd := _opened(name)) is not None}
    try:
        root = _mount_root(rootfs, workshop, is_shared)
        _check_directory(f"{root}/proc")
        syscalls.mount("/proc", f"{root}/proc", flags=_BIND)
        # Only from in there do the links of the image lead where they should.
        become_root(root)
        if privileged:
            _bind(originals["/dev"], "/dev", directory=True)
        else:
            _make_devices(originals["/dev"])
            os.mkdir(_WORKSHOP)
        _mount_system(originals, privileged)
    finally:
        for fd in originals.values():
            os.close(fd)


def provide(path: str, directory: bool) -> None:
    """Have a mount point in the new root, covered where its directory is another user's. Raises OSError."""
    try:
        make(path, directory)
    except OSError as error:
        if error.errno not in REFUSALS or not os.path.isdir(_WORKSHOP) or not os.access("/", os.W_OK):
            raise
        cover(path, directory, _WORKSHOP)


def leave_old() -> None:
    """All is mounted: nothing but the new root is left. Raises OSError."""
    try:
        os.rmdir(_WORKSHOP)
    except FileNotFoundError:
        pass
    drop_old_root()


def _opened(path: str) -> int | None:
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _mount_root(rootfs: str, workshop: str, is_shared: bool) -> str:
    """Where the new root is then."""
    syscalls.mount("tmpfs", workshop, "tmpfs", data="mode=0700")
    status = os.stat(rootfs)
    for name in ("upper", "work", "root"):
        os.mkdir(f"{workshop}/{name}")
    try:
        os.chown(f"{workshop}/upper", status.st_uid, status.st_gid)
    except OSError:  # ids that do not exist in a user namespace
        pass
    os.chmod(f"{workshop}/upper", status.st_mode & 0o7777)
    layers = f"upperdir={workshop}/upper,workdir={workshop}/work,lowerdir={_escaped(rootfs)}"
    root = f"{workshop}/root"
    try:
        _overlay(root, layers)
    except OSError:
        if is_shared:
            raise
        syscalls.mount(rootfs, root, flags=_BIND)
    return root


def _overlay(target: str, layers: str) -> None:
    try:
        syscalls.mount("overlay", target, "overlay", data=layers)
    except OSError:
        # In a user namespace only these attributes may be set (Linux 5.11).
        syscalls.mount("overlay", target, "overlay", data=f"{layers},userxattr")


def _escaped(path: str) -> str:
    """As overlayfs reads a path in its options."""
    return path.replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")


def _check_directory(path: str) -> None:
    if os.path.islink(path):
        raise OSError(0, "a link where a directory should be", path)
    os.makedirs(path, mode=0o755, exist_ok=True)


def _mount_system(originals: dict[str, int], privileged: bool) -> None:
    if "/sys" in originals:
        _bind(originals["/sys"], "/sys", directory=True)
        if not privileged:
            make_read_only("/sys", recursive=True)
    for path in _FILES:
        if path in originals:
            _bind(originals[path], path, directory=False)
            make_read_only(os.path.realpath(path), recursive=False)


def _make_devices(host: int) -> None:
    _check_directory("/dev")
    syscalls.mount("tmpfs", "/dev", "tmpfs", flags=syscalls.MS_NOSUID, data="mode=0755,size=65536k")
    for name in (*_DEVICES, *_DEVICE_DIRECTORIES):
        try:
            fd = os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=host)
        except FileNotFoundError:
            continue
        try:
            _bind(fd, f"/dev/{name}", directory=name in _DEVICE_DIRECTORIES)
        finally:
            os.close(fd)
    for name, target in _LINKS.items():
        os.symlink(target, f"/dev/{name}")
    _make_terminals()


def _make_terminals() -> None:
    """/dev/ptmx, which opens a terminal in the /dev/pts beside it.

    The one in there need not be open to all, it depends on the host (Documentation/filesystems/devpts.rst, ptmxmode).
    """
    try:
        os.mknod("/dev/ptmx", stat.S_IFCHR | 0o666, _PTMX)
        os.chmod("/dev/ptmx", 0o666)
    except PermissionError:  # in a user namespace
        os.symlink("pts/ptmx", "/dev/ptmx")


def _bind(fd: int, target: str, *, directory: bool) -> None:
    target = os.path.realpath(target)
    if not os.path.exists(target):
        provide(target, directory)
    syscalls.mount(f"/proc/self/fd/{fd}", target, flags=_BIND)
