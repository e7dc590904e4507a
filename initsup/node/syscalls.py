"""System calls that Python 3.11 does not offer, through ctypes. Each raises OSError when the kernel says no.

Commands that only ask import it nowhere: ctypes costs them a few milliseconds.
"""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc_with_gil = ctypes.PyDLL(None, use_errno=True)

CLONE_FS = 0x00000200
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522


def _checked(result: int) -> int:
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _prctl(option: int, value: int) -> None:
    """prctl(2) with one argument; the others must be zero for newer options, and do not matter for older ones."""
    _checked(_libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)))


def become_subreaper() -> None:
    """Orphans among the descendants of this process become its children from now on (PR_SET_CHILD_SUBREAPER)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_parent_death_signal(number: int) -> None:
    """Send `number` to this process when its parent dies; 0: nothing. Lost by a change of user, kept by exec."""
    _prctl(_PR_SET_PDEATHSIG, number)


def set_no_new_privs() -> None:
    """No exec of this process or its children adds privileges from now on (setuid bits, file capabilities)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def drop_from_bounding_set(capability: int) -> None:
    """Take the capability of that number away from everything that is exec'ed from now on; needs CAP_SETPCAP."""
    _prctl(_PR_CAPBSET_DROP, capability)


def set_capabilities(effective: int, permitted: int, inheritable: int) -> None:
    """Set the three capability sets of this thread, as bit masks (capset(2)). Sets can only shrink."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (effective, permitted, inheritable)
    words = [half & 0xFFFFFFFF for shift in (0, 32) for half in (one >> shift for one in sets)]
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)(*words)))


def capabilities() -> tuple[int, int, int]:
    """The effective, permitted and inheritable capabilities of this thread, as bit masks (capget(2))."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    words = (ctypes.c_uint32 * 6)()
    _checked(_libc.capget(header, words))
    return words[0] | words[3] << 32, words[1] | words[4] << 32, words[2] | words[5] << 32


def setns(fd: int, kind: int = 0) -> None:
    """Enter the namespace that `fd` refers to; `kind` is its CLONE_NEW… flag, 0 for any."""
    _checked(_libc.setns(fd, kind))


def enter(fd: int, kind: int) -> None:
    """`setns`, also while a thread shares root and directory, which it would refuse: from then on no one does."""
    try:
        setns(fd, kind)
    except OSError:
        unshare(CLONE_FS)
        setns(fd, kind)


def unshare(flags: int) -> None:
    """Leave what is shared with other threads or processes (unshare(2))."""
    _checked(_libc.unshare(flags))


def set_host_name(name: str) -> None:
    """Name the host, for all in the same UTS namespace (sethostname(2))."""
    text = name.encode()
    _checked(_libc.sethostname(text, ctypes.c_size_t(len(text))))


def fork() -> int:
    """A child by the C library alone, without the hooks of os.fork, which cost a child that only execs 0.4 ms.

    The GIL stays held, so the child has it. There must be no other thread, and the child only execs or calls os._exit.
    """
    return _checked(_libc_with_gil.fork())


MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MS_RELATIME = 0x200000

_MNT_DETACH = 2
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
# Numbers that all architectures share, as do all of system calls added since Linux 5.1.
_NR_OPEN_TREE = 428
_NR_MOVE_MOUNT = 429


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount something (mount(2)). An empty `source`, `kind` or `data` is passed as NULL."""
    arguments = [os.fsencode(text) if text else None for text in (source, target, kind)]
    result = _libc.mount(*arguments, ctypes.c_ulong(flags), os.fsencode(data) if data else None)
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), target)


def unmount(target: str) -> None:
    """Take the topmost mount at `target` away, with all below it, at once even when it is in use (MNT_DETACH)."""
    _checked(_libc.umount2(os.fsencode(target), _MNT_DETACH))


def pivot_root(new: str, old: str) -> None:
    """Make the mount at `new` the root of this mount namespace, and move the old root to `old`, which is below."""
    _checked(_libc.pivot_root(os.fsencode(new), os.fsencode(old)))


def clone_mount(path: str) -> int:
    """A detached copy of the mounts at `path` and below, which shares their propagation (open_tree(2), Linux 5.2)."""
    flags = _OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC
    return _checked(_libc.syscall(_NR_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags))


def attach_mount(fd: int, target: str) -> None:
    """Mount what `clone_mount` returned at `target` (move_mount(2))."""
    _checked(_libc.syscall(_NR_MOVE_MOUNT, fd, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH))
