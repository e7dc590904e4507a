"""Unpacks one image into the cache: a program of its own, so that initsup goes on meanwhile.

    python -m initsup.node.image_unpack ARCHIVE CACHE LIMIT

It prints one line of JSON: `{"image": ID, "notes": […]}` or `{"error": "why not"}`. Time and memory are bounded, as the
image may have been made to take both.
"""

from __future__ import annotations

import os
import resource
import sys

import msgspec

from initsup.node.go_text import quote, said
from initsup.node.image_cache import Cache, key_of
from initsup.node.image_config import Outcome
from initsup.node.image_index import Chosen, choose, verify
from initsup.node.image_source import Source, opened
from initsup.node.image_tar import BadImage, Budget, Verified, decompressed, members
from initsup.node.image_tree import Tree
from initsup.spec.settings import split_archive

MOST_MEMORY = 2**30
MOST_CPU = 3600
_MOST_MEMBERS = 1_000_000
_COST = 4096 - 512
"""What a file takes on a disk at least, beside its header, which has been counted already."""


def unpack(archive: str, directory: str, limit: int) -> Outcome:
    """Have the image of an archive (PATH or PATH#NAME) in the cache at `directory`, at most `limit` bytes of it."""
    path, name = split_archive(archive)
    cache = Cache(directory)
    try:
        cache.make()
    except OSError as error:
        return Outcome(error=f"cannot use the cache of images {directory}: {said(error)} (imageCache)")
    try:
        key = key_of(archive)
        with opened(path, cache.scratch, limit) as source:
            chosen = choose(source, name, os.uname().machine)
            notes = () if cache.find(chosen.id) else _make(cache, source, chosen, limit)
        cache.remember(archive, key, chosen.id)
    except (BadImage, OSError) as error:
        return Outcome(error=f"cannot unpack the image in {path}: {said(error)}")
    return Outcome(image=chosen.id, notes=notes)


def _make(cache: Cache, source: Source, chosen: Chosen, limit: int) -> tuple[str, ...]:
    """Unpack and publish it; what had to be left out. Raises BadImage and OSError."""
    with cache.making(chosen.id) as place:
        if cache.find(chosen.id):  # another process was faster
            return ()
        with open(f"{place}/config.json", "wb") as file:
            file.write(chosen.raw_config)
        os.mkdir(f"{place}/rootfs", 0o755)
        os.chmod(f"{place}/rootfs", 0o755)
        tree = Tree(f"{place}/rootfs", owners=os.geteuid() == 0)
        _fill(tree, source, chosen, Budget(limit), cache.scratch)
        tree.finish()
        _sync(place)
    return tuple(f"without {what}: {count}" for what, count in tree.notes.items())


def _fill(tree: Tree, source: Source, chosen: Chosen, budget: Budget, scratch: str) -> None:
    count = 0
    for layer in chosen.layers:
        verify(source, layer)
        tree.begin_layer()
        with source.open(layer.name) as file, decompressed(file, scratch) as plain:
            stream = Verified(plain, budget, layer.diff_id.partition(":")[0])
            for member, content in members(stream):
                count += 1
                if count > _MOST_MEMBERS:
                    raise BadImage(f"it has more than {_MOST_MEMBERS} files")
                budget.spend(_COST)
                budget.check(member.size if member.isreg() else 0)
                tree.add(member, content)
                if member.isreg() and member.offset_data + member.size > stream.size:
                    raise BadImage(f"a layer ends within the file {quote(member.name)}")
            if (digest := stream.finish()) != layer.diff_id:
                raise BadImage(f"its layer {layer.name} has the digest {digest} and should have {layer.diff_id}")


def _sync(place: str) -> None:
    """All of it is on the disk before it gets its name."""
    import ctypes

    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        ctypes.CDLL(None).syncfs(fd)
    finally:
        os.close(fd)


def main() -> None:
    """See above."""
    archive, directory, limit = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU, MOST_CPU))
    os.umask(0o022)
    try:
        outcome = unpack(archive, directory, int(limit))
    except MemoryError:
        outcome = Outcome(error=f"cannot unpack the image in {archive}: more than {MOST_MEMORY} bytes of memory needed")
    os.write(1, msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
