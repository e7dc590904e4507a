"""`initsup reexec`: after an upgrade of the package, have a running initsup go on as the new version."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """The options of `reexec`."""
    from initsup.cli.arguments import add_state_dir

    parser.examples("""
# Have the pod that runs go on under the initsup that is installed now
initsup reexec
""")
    parser.add_argument("words", nargs="*", metavar="[POD]", help="the pod (default: the only one)")
    add_state_dir(parser)


def reexec(args: Namespace) -> int:
    """Ask for it; the answer comes from the new program. The old one goes on if that does not work, exit code 1."""
    from initsup.api.client import call
    from initsup.cli.arguments import state_dir
    from initsup.errors import UsageError

    if len(args.words) > 1:
        raise UsageError("name one pod")
    answer = call(state_dir(args, args.words[0] if args.words else None), "reexec")
    print(f"initsup {answer['version']} goes on, pid {answer['pid']}")
    return 0
