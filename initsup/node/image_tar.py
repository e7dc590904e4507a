"""Tar files of images: their members, and what they are compressed with. All of it may have been made to do harm.

tarfile reads the headers, and nothing else of it is used: it never writes anything.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase, BufferedReader, RawIOBase
from typing import IO, cast

_LONGEST_HEADER = 64 * 2**10
"""Bytes of a header that tarfile reads as a whole (pax, GNU long names); a path has 4096 at most."""
_HEADERS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
_BROKEN = (tarfile.TarError, ValueError, OverflowError, EOFError, zlib.error, OSError)
"""What reading a broken file raises."""
_ANY = "surrogateescape"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_MAGIC = 4
_CHUNK = 2**20


class BadImage(Exception):
    """An image cannot be used; the message says why."""


class Budget:
    """How many bytes an image may still have."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit

    def spend(self, size: int) -> None:
        """Raises BadImage when there is not enough left."""
        self.check(size)
        self._left -= size

    def check(self, size: int) -> None:
        """Whether so much could be spent. Raises BadImage."""
        if size > self._left:
            raise BadImage(f"it has more than {self._limit} bytes when unpacked (imageMaxSize)")


class _Header(tarfile.TarInfo):
    """A header that does not make tarfile take more memory than it should."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        found = super().frombuf(buf, encoding, errors)
        if found.type in _HEADERS and not 0 <= found.size <= _LONGEST_HEADER:
            raise BadImage(f"it has a header of {found.size} bytes")
        if found.type == tarfile.GNUTYPE_SPARSE:
            raise BadImage("it has a sparse file")
        return found


class Verified:
    """A tar file that is read once from start to end, counted and hashed meanwhile. Reading raises BadImage.

    Its last block is made whole with zeros that do not count: umoci writes layers that end with their last file.
    """

    def __init__(self, file: BufferedIOBase, budget: Budget, algorithm: str) -> None:
        import hashlib

        self._file = file
        self._budget = budget
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self._is_over = False
        self.size = 0
        """Bytes that have been read."""

    def read(self, size: int) -> bytes:
        """At most so many bytes."""
        data = _read(self._file, size)
        if not data and not self._is_over:
            self._is_over = True
            return bytes(-self.size % tarfile.BLOCKSIZE)
        self.size += len(data)
        self._budget.spend(len(data))
        self._hash.update(data)
        return data

    def finish(self) -> str:
        """Read the rest; the digest of all of it."""
        while self.read(_CHUNK):
            pass
        return f"{self._algorithm}:{self._hash.hexdigest()}"


def chunks(file: BufferedIOBase) -> Iterator[bytes]:
    """All of a file. Raises BadImage."""
    while chunk := _read(file, _CHUNK):
        yield chunk


def _read(file: BufferedIOBase, size: int) -> bytes:
    try:
        return file.read(size)
    except _BROKEN as error:
        raise BadImage(f"something in it cannot be read: {error}") from None


Content = IO[bytes] | None


def members(file: Verified) -> Iterator[tuple[tarfile.TarInfo, Content]]:
    """The members of a tar file, each with what is in it, if it is a file; read that before the next one.

    Raises BadImage.
    """
    source = cast("IO[bytes]", file)  # nothing but its `read` is used
    with (
        _said_plainly(),
        tarfile.open(fileobj=source, mode="r|", tarinfo=_Header, encoding="utf-8", errors=_ANY) as tar,
    ):
        for member in _walk(tar):
            yield member, tar.extractfile(member) if member.isreg() else None


def places(file: BufferedReader) -> Iterator[tarfile.TarInfo]:
    """The members of a tar file that can be sought in. Raises BadImage."""
    with _said_plainly(), tarfile.open(fileobj=file, mode="r:", tarinfo=_Header, encoding="utf-8", errors=_ANY) as tar:
        yield from _walk(tar)


def _walk(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    last = -1
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # or it keeps them all
        if member.offset <= last or member.size < 0:
            raise BadImage("the headers of a tar file in it go round in a circle")
        last = member.offset
        if member.sparse is not None:
            raise BadImage("it has a sparse file")
        yield member


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except (*_BROKEN, RecursionError) as error:
        raise BadImage(f"it is no tar file that can be read: {error}") from None


def decompressed(file: BufferedReader, scratch: str) -> BufferedIOBase:
    """What is in a file, which is compressed with gzip, zstd or not at all; `file` itself if it is not.

    `scratch` is a directory for a nameless file. Raises BadImage; so does reading.
    """
    start = file.peek(_MAGIC)
    if start.startswith(_GZIP):
        import gzip

        return gzip.GzipFile(fileobj=file)
    return _from_zstd(file, scratch) if start.startswith(_ZSTD) else file


def _from_zstd(file: BufferedReader, scratch: str) -> BufferedIOBase:
    """By the standard library from Python 3.14 on, else by the program."""
    import importlib

    try:
        return cast(BufferedIOBase, importlib.import_module("compression.zstd").ZstdFile(file))
    except ImportError:
        pass
    program = shutil.which("zstd")
    if program is None:
        raise BadImage("it is compressed with zstd, which needs Python 3.14 or the program zstd")
    return BufferedReader(_Program([program, "-dcq"], file, scratch), _CHUNK)


class _Program(RawIOBase):
    """What a program makes of a file."""

    def __init__(self, command: list[str], file: BufferedReader, scratch: str) -> None:
        import subprocess

        with tempfile.TemporaryFile(dir=scratch) as copy:  # what follows the file in an archive is not for the program
            shutil.copyfileobj(file, copy, _CHUNK)
            copy.seek(0)
            self._process = subprocess.Popen(command, stdin=copy, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        assert self._process.stdout is not None
        count = cast(BufferedReader, self._process.stdout).readinto(buffer)
        if count == 0 and self._process.wait() != 0:
            raise BadImage("what zstd has compressed is broken")
        return count

    def close(self) -> None:
        if not self.closed:
            self._process.kill()
            self._process.communicate()
        super().close()
