"""`initsup check`: whether a manifest can be run, what of it has no effect here, and what this place can give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from initsup.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """The options of `check`."""
    parser.examples("""
# Is it valid, and does all of it hold on one host?
initsup check pod.yaml

# Together with the files that it needs, as for run
initsup check pod.yaml secrets.yaml

# What can this place give to a pod: mounts, limits, users?
initsup check --here
""")
    parser.add_argument("files", nargs="*", metavar="FILE", help="files that make up one pod; - is stdin")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="set a supervisor setting")
    parser.flag("--here", help="print what this place can give to pods and what not, and why")
    parser.flag("-q", "--quiet", help="say nothing when all is well")


def check(args: Namespace) -> int:
    """Print `FILE: ok` and what to know about it. Raises InvalidManifest with all problems."""
    code = _here(quiet=args.quiet) if args.here else 0
    if args.files:
        _check(args)
    elif not args.here:
        raise UsageError("give the files of a pod, or --here\nSee 'initsup check --help' for usage.")
    return code


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


def _check(args: Namespace) -> None:
    from initsup.load.notes import notes
    from initsup.load.read import load

    manifest = load(args.files, args.set)
    if args.quiet:
        return
    for file in args.files:
        print(f"{file}: ok")
    for note in notes(manifest):
        about = ": ".join(part for part in (note.path, note.text) if part)
        print(f"{note.effect if note.effect.endswith('here') else note.effect + ' here'}: {about}")
