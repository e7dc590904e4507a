"""Where the files of an image are: the directory of an OCI image layout, or an archive of one (tar, compressed or not).

Files are named as in an OCI image layout: `index.json`, `blobs/sha256/…`. Nothing that an archive says about names,
links or modes has a meaning for the host: its members are ranges of bytes.
"""

from __future__ import annotations

import os
import posixpath
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from typing import Protocol

from initsup.node.beneath import open_file_beneath
from initsup.node.go_text import quote, said
from initsup.node.image_tar import BadImage, Budget, chunks, decompressed, places

_LONGEST_DOCUMENT = 8 * 2**20
_MOST_MEMBERS = 100_000
_MOST_LINKS = 10


class Source(Protocol):
    """The files of an image."""

    def open(self, name: str) -> BufferedReader:
        """The file of that name. Raises BadImage when there is none."""

    def __contains__(self, name: str) -> bool:
        """Whether there is such a file."""


@contextmanager
def opened(path: str, scratch: str, limit: int) -> Iterator[Source]:
    """What is at `path`: a layout or an archive.

    What is in a compressed archive is written to a nameless file in the directory `scratch`; it must not have more than
    `limit` bytes. Raises BadImage and OSError.
    """
    if os.path.isdir(path):
        yield Layout(path)
        return
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        plain = decompressed(file, scratch)
        if plain is file:
            yield Archive(file)
            return
        with plain, tempfile.TemporaryFile(dir=scratch) as copy:
            budget = Budget(limit)
            for chunk in chunks(plain):
                budget.spend(len(chunk))
                copy.write(chunk)
            copy.seek(0)
            yield Archive(BufferedReader(copy.raw))


def read_document(source: Source, name: str) -> bytes:
    """All of a file that is not large: JSON. Raises BadImage."""
    with source.open(name) as file:
        data = file.read(_LONGEST_DOCUMENT + 1)
    if len(data) > _LONGEST_DOCUMENT:
        raise BadImage(f"{name} has more than {_LONGEST_DOCUMENT} bytes")
    return data


class Layout:
    """A directory. Links in it do not lead out."""

    def __init__(self, path: str) -> None:
        self._path = path

    def open(self, name: str) -> BufferedReader:
        """See Source."""
        try:
            return open(open_file_beneath(self._path, name), "rb")
        except OSError as error:
            raise BadImage(f"cannot read {name}: {said(error)}") from None

    def __contains__(self, name: str) -> bool:
        return os.path.exists(f"{self._path}/{name}")


class Archive:
    """The members of a tar file, by name. Old `docker save` links equal layers to each other; this is followed."""

    def __init__(self, file: BufferedReader) -> None:
        """Raises BadImage."""
        self._file = file
        self._ranges: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        for count, member in enumerate(places(file)):
            if count >= _MOST_MEMBERS:
                raise BadImage(f"the archive has more than {_MOST_MEMBERS} files")
            name = posixpath.normpath(member.name)
            if member.issym():
                self._links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
            elif member.islnk():
                self._links[name] = posixpath.normpath(member.linkname)
            elif member.isreg():
                self._ranges[name] = (member.offset_data, member.size)

    def open(self, name: str) -> BufferedReader:
        """See Source."""
        found = self._range(name)
        if found is None:
            raise BadImage(f"there is no {quote(name)} in the archive")
        return BufferedReader(_Range(self._file.fileno(), *found), 2**20)

    def __contains__(self, name: str) -> bool:
        return self._range(name) is not None

    def _range(self, name: str) -> tuple[int, int] | None:
        name = posixpath.normpath(name)
        for _ in range(_MOST_LINKS):
            if name not in self._links:
                break
            name = self._links[name]
        return self._ranges.get(name)


class _Range(RawIOBase):
    """Some bytes of a file, on their own."""

    def __init__(self, fd: int, start: int, size: int) -> None:
        self._fd = fd
        self._at = start
        self._end = start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = os.pread(self._fd, min(len(buffer), self._end - self._at), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
