"""`initsup check`: whether a manifest can be run, and what of it has no effect here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.arguments import Parser


def arguments(parser: Parser) -> None:
    """The options of `check`."""
    parser.examples("""
# Is it valid, and does all of it hold on one host?
initsup check pod.yaml

# Together with the files that it needs, as for run
initsup check pod.yaml secrets.yaml
""")
    parser.add_argument("files", nargs="+", metavar="FILE", help="files that make up one pod; - is stdin")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="set a supervisor setting")
    parser.flag("-q", "--quiet", help="say nothing when all is well")


def check(args: Namespace) -> int:
    """Print `FILE: ok` and what to know about it. Raises InvalidManifest with all problems."""
    from initsup.load.notes import notes
    from initsup.load.read import load

    manifest = load(args.files, args.set)
    if args.quiet:
        return 0
    for file in args.files:
        print(f"{file}: ok")
    for note in notes(manifest):
        about = ": ".join(part for part in (note.path, note.text) if part)
        print(f"{note.effect if note.effect.endswith('here') else note.effect + ' here'}: {about}")
    return 0
