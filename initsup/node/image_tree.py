"""The layers of an image, laid over each other in a directory. Whatever they say, nothing outside of it is touched.

Sources: OCI image-spec, layer.md; containerd, pkg/archive (the order of removal, and what is refused). Every name is
looked up below the directory as if that were `/`, so links in an image lead where they do in its containers. Nobody
else writes there meanwhile.

What is not taken over is counted, and told by `notes`: devices but those that every container may have (a container
that is not root could otherwise be given the host's disk), extended attributes, and without root the owners.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from collections import Counter

from initsup.node.beneath import open_beneath, remove_tree
from initsup.node.go_text import quote, said
from initsup.node.image_tar import BadImage, Content

_WHITEOUT, _OPAQUE, _META = ".wh.", ".wh..wh..opq", ".wh..wh."
_LONGEST_NAME = 4096
_MOST_TIME = 2**33
_MOST_ID = 2**32 - 2
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEVICES = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)}
"""null, zero, full, random, urandom, tty, ptmx (OCI runtime-spec, config-linux.md)."""


class Tree:
    """A directory that takes in layers, lowest first."""

    def __init__(self, root: str, *, owners: bool) -> None:
        """`root` is an empty directory. `owners`: users and groups can be set, which needs root."""
        self.notes: Counter[str] = Counter()
        """What was left out, and how often."""
        self._root = root
        self._owners = owners
        self._fresh: set[tuple[int, str]] = set()
        """What the layer at work has put there: the inode of the directory, and the name in it."""
        self._times: dict[str, int] = {}
        self._near: tuple[str, int] | None = None
        """The directory that was worked in last, kept open."""

    def begin_layer(self) -> None:
        """What is there belongs to lower layers now."""
        self._fresh.clear()

    def add(self, member: tarfile.TarInfo, content: Content) -> None:
        """Do what a member of the layer says. Raises BadImage."""
        directory, name = _split(member.name)
        try:
            if not name:
                self._dress_root(member)
            elif name == _OPAQUE:
                self._clear_lower(directory)
            elif name.startswith(_META) or directory.startswith(_META):
                return  # aufs kept its own files there
            elif name.startswith(_WHITEOUT):
                self._remove_lower(directory, name.removeprefix(_WHITEOUT), member.name)
            else:
                self._put(directory, name, member, content)
        except (OSError, ValueError, RecursionError, tarfile.TarError) as error:
            raise BadImage(f"cannot make {_shown(member.name)}: {said(error)}") from None

    def finish(self) -> None:
        """Give the directories their times, now that nothing is put into them any more."""
        for path, time in self._times.items():
            directory, name = _split(path)
            try:
                parent = open_beneath(self._root, directory, as_root=True)
            except OSError:  # a later layer has taken it away
                continue
            try:
                os.utime(name or ".", ns=(time, time), dir_fd=parent, follow_symlinks=False)
            except OSError:
                pass
            finally:
                os.close(parent)
        self._forget_near()

    # -- putting something there -------------------------------------------------------------------------------------

    def _put(self, directory: str, name: str, member: tarfile.TarInfo, content: Content) -> None:
        parent = self._directory(directory)
        there = _status(name, parent)
        stays = there is not None and stat.S_ISDIR(there.st_mode) and member.isdir()
        if there is not None and not stays:
            self._remove(name, parent)
            parent = self._directory(directory)
        if not stays and not self._make(name, parent, member, content):
            return
        self._fresh.add((os.fstat(parent).st_ino, name))
        if not member.islnk():  # else it has the owner, mode and time of what it is linked to
            self._dress(name, parent, member)
        if member.isdir():
            self._times[member.name] = _time(member)

    def _make(self, name: str, parent: int, member: tarfile.TarInfo, content: Content) -> bool:
        """Make something new. Whether it was made: not everything is."""
        if member.isdir():
            os.mkdir(name, 0o700, dir_fd=parent)
        elif member.isreg() and content is not None:
            with open(os.open(name, _NEW, 0o600, dir_fd=parent), "wb") as file:
                shutil.copyfileobj(content, file, 2**20)
                if file.tell() != member.size:
                    raise OSError(0, "it is cut off")
        elif member.issym():
            os.symlink(member.linkname, name, dir_fd=parent)
        elif member.islnk():
            self._link(name, parent, member.linkname)
        elif member.isfifo():
            os.mkfifo(name, 0o600, dir_fd=parent)
        elif member.isdev():
            return self._make_device(name, parent, member)
        else:
            raise OSError(0, f"its type {member.type!r} is not known")
        return True

    def _link(self, name: str, parent: int, target: str) -> None:
        directory, base = _split(target)
        if not base:
            raise OSError(0, "a link to the root")
        place = open_beneath(self._root, directory, as_root=True)
        try:
            os.link(base, name, src_dir_fd=place, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(place)

    def _make_device(self, name: str, parent: int, member: tarfile.TarInfo) -> bool:
        number = (member.devmajor, member.devminor)
        if member.ischr() and number in _DEVICES and self._owners:
            try:
                os.mknod(name, stat.S_IFCHR | 0o600, os.makedev(*number), dir_fd=parent)
            except PermissionError:
                pass
            else:
                return True
        if _split(member.name)[0].partition("/")[0] != "dev":  # where containers have their own
            self.notes["device nodes"] += 1
        return False

    def _dress(self, name: str, parent: int, member: tarfile.TarInfo) -> None:
        """Owner, then mode (a change of owner takes away setuid), then time."""
        mode = member.mode & 0o7777
        if not self._own(name, parent, member):
            mode &= ~0o6000  # setuid to somebody else than meant
            mode |= 0o700 if member.isdir() else 0
        if not member.issym():
            os.chmod(name, mode, dir_fd=parent)  # it was made right now, and is no link
        os.utime(name, ns=(_time(member),) * 2, dir_fd=parent, follow_symlinks=False)
        if any(key.startswith(("SCHILY.xattr.", "LIBARCHIVE.xattr.")) for key in member.pax_headers):
            self.notes["extended attributes (among them file capabilities)"] += 1

    def _own(self, name: str, parent: int, member: tarfile.TarInfo) -> bool:
        """Whether it has the owner that it should have now."""
        if not (0 <= member.uid <= _MOST_ID and 0 <= member.gid <= _MOST_ID):
            raise OSError(0, f"its owner is {member.uid}:{member.gid}")
        if self._owners:
            try:
                os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
            except OSError:  # not root of all users: a user namespace
                pass
            else:
                return True
        if (member.uid, member.gid) == (os.geteuid(), os.getegid()):
            return True
        self.notes["owners"] += 1
        return False

    def _dress_root(self, member: tarfile.TarInfo) -> None:
        if not member.isdir():
            raise OSError(0, "the root is no directory")
        fd = os.open(self._root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._dress(".", fd, member)
        finally:
            os.close(fd)
        self._times["."] = _time(member)

    # -- taking something away ---------------------------------------------------------------------------------------

    def _remove(self, name: str, parent: int) -> None:
        """Remove what is there, through which the way to the directory that was worked in last may have led."""
        remove_tree(name, parent)
        self._forget_near()

    def _remove_lower(self, directory: str, name: str, said: str) -> None:
        """A whiteout: what lower layers have at this name goes."""
        if name in ("", ".", ".."):
            raise BadImage(f"it has the whiteout {_shown(said)}")
        parent = self._existing(directory)
        if parent is None:
            return
        try:
            self._drop_lower(name, parent)
        finally:
            os.close(parent)
            self._forget_near()

    def _clear_lower(self, directory: str) -> None:
        """An opaque whiteout: all that lower layers have in this directory goes."""
        place = self._existing(directory)
        if place is None:
            return
        try:
            for name in os.listdir(f"/proc/self/fd/{place}"):
                self._drop_lower(name, place)
        finally:
            os.close(place)
            self._forget_near()

    def _drop_lower(self, name: str, parent: int) -> bool:
        """Remove it, but for what this layer has put there; whether nothing is left."""
        is_fresh = (os.fstat(parent).st_ino, name) in self._fresh
        there = _status(name, parent)
        if there is None:
            return True
        if not stat.S_ISDIR(there.st_mode):
            if not is_fresh:
                os.unlink(name, dir_fd=parent)
            return not is_fresh
        fd = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            left = [inner for inner in os.listdir(fd) if not self._drop_lower(inner, fd)]
        finally:
            os.close(fd)
        if left or is_fresh:
            return False
        os.rmdir(name, dir_fd=parent)
        return True

    # -- directories -------------------------------------------------------------------------------------------------

    def _directory(self, path: str) -> int:
        """A descriptor of a directory, which is made where it is missing. It stays open until another one is asked for.

        Raises OSError.
        """
        if self._near is not None and self._near[0] == path:
            return self._near[1]
        self._forget_near()
        fd = open_beneath(self._root, path, create=0o755, as_root=True)
        self._near = (path, fd)
        return fd

    def _existing(self, path: str) -> int | None:
        """A descriptor of a directory; None where there is none. Raises OSError."""
        try:
            fd = open_beneath(self._root, path, as_root=True)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
        return None

    def _forget_near(self) -> None:
        if self._near is not None:
            os.close(self._near[1])
            self._near = None


def _split(path: str) -> tuple[str, str]:
    """Directory and name of a member, `/` being the root of the image; both are empty for that itself."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadImage(f"it has a name that leads out: {_shown(path)}")
    if len(os.fsencode(path)) > _LONGEST_NAME or "\0" in path:
        raise BadImage(f"it has a name that cannot be: {_shown(path)}")
    if any(part.startswith(_WHITEOUT) for part in parts[:-1]) and not parts[0].startswith(_META):
        raise BadImage(f"it has something in a whiteout: {_shown(path)}")
    return "/".join(parts[:-1]), parts[-1] if parts else ""


def _shown(path: str) -> str:
    return quote(path if len(path) <= 200 else path[:200] + "…")


def _status(name: str, parent: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _time(member: tarfile.TarInfo) -> int:
    """Nanoseconds since 1970, within what file systems can store."""
    seconds = member.mtime
    return int(seconds * 10**9) if 0 <= seconds <= _MOST_TIME else 0
