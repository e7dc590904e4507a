"""What is mounted where, from /proc/thread-self/mountinfo (proc_pid_mountinfo(5)): what the calling thread sees."""

from __future__ import annotations

import os

import msgspec

from initsup.node import syscalls

_FLAGS = {
    "ro": syscalls.MS_RDONLY,
    "nosuid": syscalls.MS_NOSUID,
    "nodev": syscalls.MS_NODEV,
    "noexec": syscalls.MS_NOEXEC,
    "noatime": syscalls.MS_NOATIME,
    "nodiratime": syscalls.MS_NODIRATIME,
    "relatime": syscalls.MS_RELATIME,
}


class Mount(msgspec.Struct, frozen=True):
    """One mount. `flags` are its MS_… flags, `kind` is the file system type, `number` its id (-1: not known)."""

    point: str
    flags: int
    kind: str = ""
    number: int = -1


def mounts() -> list[Mount]:
    """All mounts, in the order they were made; of several at one place the last is the visible one."""
    found = []
    with open("/proc/thread-self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            own, _, rest = line.partition(" - ")
            words = own.split(" ")
            flags = 0
            for option in words[5].split(","):
                flags |= _FLAGS.get(option, 0)
            found.append(Mount(_unescape(words[4]), flags, rest.split(" ", 1)[0], int(words[0])))
    return found


def file_system(path: str) -> str:
    """The type of the file system that an absolute path without links lies on; "" when that cannot be told."""
    best, kind = "", ""
    for mount in mounts():
        if is_below(path, mount.point) and len(mount.point) >= len(best):
            best, kind = mount.point, mount.kind
    return kind


def is_below(path: str, directory: str) -> bool:
    """Whether `path` is `directory` or lies in it, by name."""
    return path == directory or directory == "/" or path.startswith(directory + "/")


def _unescape(text: str) -> str:
    """The kernel writes blanks, newlines and backslashes in octal."""
    if "\\" not in text:
        return text
    first, *rest = text.split("\\")
    return first + "".join(chr(int(part[:3], 8)) + part[3:] for part in rest)


def make_read_only(point: str, recursive: bool, extra: int = 0) -> None:
    """Make the mount at `point` read-only, and all below it with `recursive`. `extra` are further MS_… flags to set.

    The flags that the mounts have stay. Raises OSError.
    """
    if not recursive:
        lock(Mount(point, _flags_at(point)), extra)
        return
    for mount in {mount.point: mount for mount in mounts()}.values():
        if is_below(mount.point, point):
            lock(mount, extra)


def _flags_at(point: str) -> int:
    """The MS_… flags of the mount at `point`: those that statvfs(3) tells, which spares reading all mounts."""
    found = os.statvfs(point).f_flag
    flags = found & (os.ST_RDONLY | os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)
    return flags | (syscalls.MS_RELATIME if found & os.ST_RELATIME else 0)


def make_root_read_only(spared: tuple[str, ...]) -> None:
    """Make every mount read-only but those at or below the `spared` directories. Raises OSError."""
    for mount in {mount.point: mount for mount in mounts()}.values():
        if not any(is_below(mount.point, directory) for directory in spared):
            lock(mount)


def lock(mount: Mount, extra: int = 0) -> None:
    """Make one mount read-only. One that is hidden below another cannot be reached, so it is left. Raises OSError."""
    wanted = mount.flags | syscalls.MS_RDONLY | extra
    if wanted == mount.flags:
        return
    try:
        syscalls.mount("", mount.point, flags=syscalls.MS_REMOUNT | syscalls.MS_BIND | wanted)
    except OSError:
        if mount.number == -1 or _number_at(mount.point) == mount.number:
            raise


def _number_at(point: str) -> int:
    """The id of the mount that is seen at a path; -1 when there is nothing at all."""
    try:
        fd = os.open(point, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        with open(f"/proc/thread-self/fdinfo/{fd}", encoding="utf-8") as lines:
            return int(next(line for line in lines if line.startswith("mnt_id:")).split()[1])
    finally:
        os.close(fd)
