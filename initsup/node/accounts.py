"""Users and their groups: of the host as its C library knows them, of another root file system from its files."""

from __future__ import annotations

import os

import msgspec

from initsup.node.beneath import read_beneath
from initsup.spec.units import whole_number


class Account(msgspec.Struct, frozen=True):
    """A user with the primary group `gid` and all others, or a group, of which only `gid` means something."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


def find(wanted: int | str, root: str, *, group: bool = False) -> Account | None:
    """The user (or group) of that number or name; None: there is none.

    `root` is the directory whose etc/passwd and etc/group count; empty: the host with all its name services.
    """
    if group:
        return _group_in(wanted, root) if root else _group_of_host(wanted)
    return _user_in(wanted, root) if root else _user_of_host(wanted)


def _user_of_host(wanted: int | str) -> Account | None:
    import pwd

    try:
        entry = pwd.getpwnam(wanted) if isinstance(wanted, str) else pwd.getpwuid(wanted)
    except KeyError:
        return None
    others = (gid for gid in os.getgrouplist(entry.pw_name, entry.pw_gid) if gid != entry.pw_gid)
    return Account(entry.pw_uid, entry.pw_gid, tuple(others))


def _group_of_host(wanted: int | str) -> Account | None:
    import grp

    try:
        entry = grp.getgrnam(wanted) if isinstance(wanted, str) else grp.getgrgid(wanted)
    except KeyError:
        return None
    return Account(-1, entry.gr_gid)


def _user_in(wanted: int | str, root: str) -> Account | None:
    for name, _, uid, gid, *_ in _lines(root, "etc/passwd", 4):
        if wanted in (name, int(uid)):
            member_of = [int(line[2]) for line in _lines(root, "etc/group", 4) if name in line[3].split(",")]
            return Account(int(uid), int(gid), tuple(member_of))
    return None


def _group_in(wanted: int | str, root: str) -> Account | None:
    return next((Account(-1, int(g[2])) for g in _lines(root, "etc/group", 3) if wanted in (g[0], int(g[2]))), None)


def _lines(root: str, path: str, fields: int) -> list[list[str]]:
    """The well-formed entries of passwd or group; a file that cannot be read has none. Links stay below `root`."""
    try:
        text = read_beneath(root, path, as_root=True).decode(errors="surrogateescape")
    except OSError:
        return []
    entries = [line.split(":") for line in text.split("\n")]
    numbers = slice(2, fields) if fields == 4 and path.endswith("passwd") else slice(2, 3)
    return [
        one for one in entries
        if len(one) >= fields and all(whole_number(text) is not None for text in one[numbers])
    ]  # fmt: skip
