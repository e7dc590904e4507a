"""A tmpfs of the machine's own for volumes that belong in memory, where none can be mounted."""

from __future__ import annotations

import os
from itertools import count

from initsup.node.beneath import remove_tree
from initsup.node.mountinfo import file_system

_PLACES = ("/dev/shm", "/run", "/tmp")
_IN_MEMORY = ("tmpfs", "ramfs")
_PREFIX = "initsup-"


def usable() -> str | None:
    """A directory of the machine that lies in memory and can be written; None: there is none."""
    for place in _PLACES:
        if os.access(place, os.W_OK) and file_system(os.path.realpath(place)) in _IN_MEMORY:
            return place
    return None


class MemoryPlace:
    """A directory in memory that belongs to one pod; made when first used."""

    def __init__(self, uid: str) -> None:
        self._name = _PREFIX + uid
        self.directory: str | None = None
        """None: it was not used yet."""

    def link(self, path: str) -> bool:
        """Have `path` (of nothing yet, or linked before) lie in memory: as a link, if it would not anyway.

        False when there is no memory that can be used. Raises OSError.
        """
        if os.path.lexists(path) or file_system(os.path.dirname(os.path.realpath(path))) in _IN_MEMORY:
            return True
        if self.directory is None:
            self.directory = self._open()
        if self.directory is None:
            return False
        target = f"{self.directory}/{os.path.basename(path)}"
        os.mkdir(target)
        os.symlink(target, path)
        return True

    @staticmethod
    def forget(directory: str) -> None:
        """Remove what links in `directory` lead to: the memory of a pod that was killed. Raises OSError."""
        with os.scandir(directory) as entries:
            links = {os.path.dirname(os.readlink(entry.path)) for entry in entries if entry.is_symlink()}
        for place in links:
            if os.path.dirname(place) in _PLACES and os.path.basename(place).startswith(_PREFIX):
                remove_tree(place)

    def _open(self) -> str | None:
        place = usable()
        if place is None:
            return None
        for number in count():  # a manifest may say the uid, and be run twice
            directory = f"{place}/{self._name}.{number}"
            try:
                os.mkdir(directory, 0o711)
                break
            except FileExistsError:
                continue
        os.chmod(directory, 0o711)
        return directory

    def remove(self) -> None:
        """Remove it with all that is in it. Raises OSError."""
        if self.directory is not None:
            remove_tree(self.directory)
            self.directory = None
