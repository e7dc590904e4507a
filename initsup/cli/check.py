"""`initsup check`: whether a manifest can be run, what of it has no effect here, and what this place can give."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from initsup.cli.arguments import add_overrides, overrides
from initsup.errors import InitsupError, InvalidManifest, UsageError

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser
    from initsup.errors import Problem
    from initsup.load.notes import Note
    from initsup.node.space import Way
    from initsup.spec.manifest import Manifest


def arguments(parser: Parser) -> None:
    """The options of `check`."""
    parser.examples("""
# Is it valid, and does all of it hold on one host?
initsup check pod.yaml

# Together with the files that it needs, as for run
initsup check pod.yaml secrets.yaml

# What can this place give to a pod: mounts, limits, users?
initsup check --here

# Can it give what this pod asks for?
initsup check --here pod.yaml
""")
    parser.add_argument("files", nargs="*", metavar="FILE", help="files that make up one pod; - is stdin")
    add_overrides(parser)
    parser.flag("--here", help="can this place give what the pod asks for; without FILE, what can it give at all")
    parser.flag("-q", "--quiet", help="say nothing when all is well")


def check(args: Namespace) -> int:
    """Print `FILE: ok` and what to know about it. Raises InvalidManifest with all problems."""
    if args.files:
        return _check(args)
    if not args.here:
        raise UsageError("give the files of a pod, or --here\nSee 'initsup check --help' for usage.")
    return _here(quiet=args.quiet)


def _here(*, quiet: bool) -> int:
    """Exit code 1 where no pod can run."""
    from initsup.api.files import places
    from initsup.cli.table import Table
    from initsup.node.survey import survey

    found = list(survey(places()))
    if not quiet:
        rows = [(one.what, one.answer, one.text) for one in found]
        print("\n".join(Table("CAN INITSUP", "HERE", "WHY").lines(rows, header=True)))
    return int(any(one.fatal for one in found))


def _check(args: Namespace) -> int:
    from initsup.load.notes import notes
    from initsup.load.read import load

    manifest = load(args.files, overrides(args))
    promises = [f"not given here: {one._replace(hint='')}" for one in lacking(args, manifest)] if args.here else []
    promises += _limits(manifest) + _missing(manifest) if args.here else []
    if args.quiet:
        return 0
    for file in args.files:
        print(f"{file}: ok")
    print("".join(f"{line}\n" for line in (*promises, *(_line(note) for note in notes(manifest)))), end="")
    return 0


def lacking(args: Namespace, manifest: Manifest) -> list[Problem]:
    """The promises that this place cannot keep. Raises InvalidManifest if there are any, but for best effort.

    Raises InitsupError when that cannot be told.
    """
    from initsup.load.read import located
    from initsup.node.promises import broken

    found = broken(manifest, lambda: _way_of_volumes(manifest.settings.volumes.mode))
    if found and not manifest.settings.best_effort:
        raise InvalidManifest(located(found, args.files, overrides(args)))
    return found


def _missing(manifest: Manifest) -> list[str]:
    from initsup.node.promises import missing

    return missing(manifest, lambda: _way_of_volumes(manifest.settings.volumes.mode))


@cache  # it is tried out, and asked for twice
def _way_of_volumes(mode: str) -> tuple[Way, str]:
    from initsup.api.files import places
    from initsup.node.survey import way_of_volumes

    try:
        return way_of_volumes(places(), mode)
    except OSError as problem:
        raise InitsupError(f"cannot try out whether mounts are permitted: {problem}") from None


def _limits(manifest: Manifest) -> list[str]:
    """The limits that do not hold here."""
    from initsup.node.hierarchies import find_hierarchies
    from initsup.node.limits import unenforced

    return unenforced(manifest, lambda: find_hierarchies()[1])


def _line(note: Note) -> str:
    if note.effect == "refused":
        return f"{note.path}: {note.text}"
    return f"{note.effect} here: " + ": ".join(part for part in (note.path, note.text) if part)
