"""`initsup cp`: files into and out of a container, by the tar that is in it, as `kubectl cp` does."""

from __future__ import annotations

import os
import sys
import threading
from typing import IO, TYPE_CHECKING

from initsup.errors import InitsupError

if TYPE_CHECKING:
    from argparse import Namespace
    from tarfile import TarInfo

    from initsup.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """The options of `cp`."""
    from initsup.cli.arguments import add_state_dir

    parser.examples("""
# Into a container; the name of the pod may be left out
initsup cp settings.ini :/etc/app/settings.ini -c web

# Out of it
initsup cp web:/var/log/app ./logs
""")
    parser.add_argument("source", metavar="SOURCE", help="a path here, or [POD]:PATH")
    parser.add_argument("target", metavar="TARGET", help="a path here, or [POD]:PATH")
    parser.add_argument("-c", "--container", metavar="NAME", help="the container (default: the first one)")
    add_state_dir(parser)


def cp(args: Namespace) -> int:
    """Copy; directories are copied with all that is in them."""
    from initsup.api import client
    from initsup.cli.arguments import state_dir
    from initsup.cli.execute import default_container
    from initsup.errors import UsageError

    source, target = _parted(args.source), _parted(args.target)
    if (source is None) == (target is None):
        raise UsageError("one of the two must be in the pod, such as web:/tmp/file, and the other here")
    pod, path = source or target or ("", "")
    if not path:
        raise UsageError("a path is missing")
    place = state_dir(args, pod or None)
    container = args.container or default_container(client.get_pod(place))
    if source is None:
        return _into(place, container, args.source, path)
    return _out_of(place, container, path, args.target)


def _parted(word: str) -> tuple[str, str] | None:
    """Pod and path; None for a path here, which may have a colon behind a slash."""
    pod, colon, path = word.partition(":")
    return (pod, path) if colon and "/" not in pod else None


def _into(place: str, container: str, source: str, path: str) -> int:
    import tarfile

    if not os.path.lexists(source):
        raise InitsupError(f"{source} doesn't exist in local filesystem")
    if path.endswith("/") or _run(place, container, ["test", "-d", path]) == 0:
        path = os.path.join(path, os.path.basename(os.path.abspath(source)))
    directory, name = os.path.split(path.rstrip("/"))
    reader, writer = os.pipe()

    def write() -> None:
        try:
            with open(writer, "wb") as pipe, tarfile.open(fileobj=pipe, mode="w|") as archive:
                archive.add(source, arcname=name)
        except BrokenPipeError:
            pass  # tar has said why

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    code = _run(place, container, ["tar", "-xmf", "-", "-C", directory or "."], source=reader)
    os.close(reader)
    thread.join()
    return code


def _out_of(place: str, container: str, path: str, target: str) -> int:
    """Extract what the container's tar writes; nothing gets outside of the target (PEP 706)."""
    path = path.rstrip("/") or "/"
    base = os.path.basename(path)
    reader, writer = os.pipe()
    codes: list[int] = []
    problems: list[InitsupError] = []

    def ask() -> None:
        try:
            codes.append(_run(place, container, ["tar", "cf", "-", path], target=writer))
        except InitsupError as problem:
            problems.append(problem)
        finally:
            os.close(writer)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    with open(reader, "rb") as pipe:
        _extract(pipe, path.lstrip("/"), os.path.join(target, base) if os.path.isdir(target) else target)
    thread.join()
    for problem in problems:
        raise problem
    return codes[0] if codes else 1


def _extract(pipe: IO[bytes], prefix: str, target: str) -> None:
    import tarfile

    target = os.path.abspath(target)
    parent, name = os.path.split(target)
    try:
        with tarfile.open(fileobj=pipe, mode="r|") as archive:
            for member in archive:
                inner = member.name.lstrip("/").removeprefix(prefix).lstrip("/")
                member.name = os.path.join(name, inner) if inner else name
                if hasattr(tarfile, "data_filter"):
                    archive.extract(member, parent, filter="data")
                else:
                    archive.extract(_harmless(member, parent), parent)
    except tarfile.ReadError:
        return  # nothing came; tar has said why
    except (tarfile.TarError, OSError) as problem:
        raise InitsupError(f"cannot copy to {target}: {problem}") from None
    finally:
        while pipe.read(65536):
            continue


def _harmless(member: TarInfo, parent: str) -> TarInfo:
    """The part of PEP 706's data filter that keeps files inside, for Python before 3.11.4. Raises OSError."""
    place = os.path.realpath(parent)
    paths = [member.name]
    if member.issym():
        paths.append(os.path.join(os.path.dirname(member.name), member.linkname))
    elif member.islnk():
        paths.append(member.linkname)
    elif not (member.isreg() or member.isdir()):
        raise OSError(0, f"{member.name} is a special file")
    for path in paths:
        if os.path.commonpath([place, os.path.realpath(os.path.join(place, path))]) != place:
            raise OSError(0, f"{member.name} leads outside")
    member.mode &= 0o755
    member.mode |= 0o700 if member.isdir() else 0o600
    member.uid, member.gid, member.uname, member.gname = os.geteuid(), os.getegid(), "", ""
    return member


def _run(place: str, container: str, argv: list[str], source: int | None = None, target: int | None = None) -> int:
    """Run a command in the container. What it writes goes to our stderr, its output to `target`, if that is given."""
    from initsup.api.client import exec_in

    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        return exec_in(place, container, argv, (nothing if source is None else source, target or 2, 2))
    finally:
        os.close(nothing)
