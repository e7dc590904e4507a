"""Images that have been unpacked, by the digest of their configuration.

    CACHE/sha256/ID/config.json    as it is in the image
    CACHE/sha256/ID/rootfs/        its files; containers never write there
    CACHE/sha256/ID.lock           held by who unpacks it
    CACHE/sha256/ID.new/           being unpacked
    CACHE/archives/KEY             the ID of what an archive holds, as long as that file stays what it is

ID stands for the digests of all layers, so what is there is never changed. Only the owner may look into CACHE: setuid
programs of images are not for the users of the host. To remove all of it while nothing runs is safe.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from initsup.node.beneath import remove_tree
from initsup.node.ground import closed
from initsup.spec.settings import split_archive

_ID = re.compile(r"[a-f0-9]{64}")


def default_directory() -> str:
    """Where the cache is when the settings do not say (file-hierarchy(7), XDG Base Directory Specification).

    A user without a home has it in /var/tmp, where nobody else can take it away or make it beforehand unseen.
    """
    if os.geteuid() == 0:
        return "/var/cache/initsup/images"
    base = os.environ.get("XDG_CACHE_HOME", "")
    place = base if base.startswith("/") else os.path.expanduser("~/.cache")
    directory = f"{place}/initsup/images"
    return directory if place.startswith("/") and not closed(directory) else f"/var/tmp/initsup-images-{os.geteuid()}"


class Cache:
    """One cache. Several processes may use it at the same time."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._images = f"{directory}/sha256"

    def make(self) -> None:
        """Have its directories. Raises OSError, also when others can write there."""
        for path in (self._directory, self._images, f"{self._directory}/archives"):
            os.makedirs(path, mode=0o700, exist_ok=True)
        if not self._is_trusted():
            raise OSError(0, "others can write there, so it cannot be trusted")
        os.chmod(self._images, 0o700)

    def _is_trusted(self) -> bool:
        """Whether nobody else can have put something there. Raises OSError."""
        found = [os.stat(path) for path in (self._directory, self._images, f"{self._directory}/archives")]
        return all(status.st_uid == os.geteuid() and not status.st_mode & 0o022 for status in found)

    @property
    def scratch(self) -> str:
        """A directory for nameless files."""
        return self._images

    def find(self, image: str) -> str | None:
        """The directory of an image; None: it has not been unpacked."""
        path = f"{self._images}/{image}"
        return path if os.path.isdir(path) else None

    @contextmanager
    def making(self, image: str) -> Iterator[str]:
        """An empty directory to unpack an image to; it becomes what `find` finds, or is removed after an exception.

        Waits while another process unpacks the same image, and then may well find it there. Raises OSError.
        """
        lock = os.open(f"{self._images}/{image}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        place = f"{self._images}/{image}.new"
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            remove_tree(place)  # of one that was killed
            os.mkdir(place, 0o700)
            try:
                yield place
                if self.find(image) is None:
                    os.rename(place, f"{self._images}/{image}")
            finally:
                remove_tree(place)
        finally:
            os.close(lock)

    # -- what archives hold ------------------------------------------------------------------------------------------

    def recall(self, archive: str) -> str | None:
        """The image in an archive that has been looked into before and not changed since; None: not known."""
        try:
            if not self._is_trusted():
                return None
            with open(f"{self._directory}/archives/{key_of(archive)}", encoding="utf-8") as file:
                image = file.read(65)
        except (OSError, ValueError):
            return None
        return image if _ID.fullmatch(image) else None

    def remember(self, archive: str, key: str, image: str) -> None:
        """Note what an archive holds. `key` is what `key_of` said before it was read. Raises OSError."""
        if key != key_of(archive):  # written meanwhile
            return
        path = f"{self._directory}/archives/{key}"
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(image)
        os.rename(temporary, path)


def key_of(archive: str) -> str:
    """What changes whenever the archive does: from its inode, size and times. Raises OSError when it is not there."""
    import hashlib

    path, name = split_archive(archive)
    status = os.stat(f"{path}/index.json" if os.path.isdir(path) else path)
    parts = (path, name, os.uname().machine, status.st_dev, status.st_ino, status.st_size)
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return hashlib.sha256(repr((*parts, *times)).encode(errors="surrogateescape")).hexdigest()
