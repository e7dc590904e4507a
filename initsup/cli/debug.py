"""`initsup debug`: a container that is added to a running pod, to look into it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def arguments(parser: Parser) -> None:
    """The options of `debug`."""
    from initsup.cli.arguments import add_pod

    parser.examples("""
# A shell beside the containers of the only pod there is
initsup debug -it

# Trace what a container does; this one ends when it does
initsup debug -it --target web -- strace -f -p 4711

# Leave something running there, and read later what it has said
initsup debug -c watcher -- sh -c 'while sleep 10; do free -m; done'
initsup logs -f -c watcher
""")
    parser.command_after_dashes("command")
    add_pod(parser)
    parser.add_argument("-c", "--container", metavar="NAME", help="what to call it (default: debugger-xxxxx)")
    parser.add_argument("--image", metavar="NAME", default="", help="an image that the pod's settings know")
    parser.add_argument("--target", metavar="NAME", default="", help="the container to look into, which must run")
    parser.add_argument("--env", metavar="NAME=VALUE", action="append", default=[], help="a variable; may be repeated")
    parser.flag("-i", "--stdin", help="pass our standard input on, and stay until it has ended")
    parser.flag("-t", "--tty", help="give it a terminal")


def debug(args: Namespace) -> int:
    """Add it; with -i or -t stay, and return its exit code."""
    from initsup.api import client
    from initsup.cli.arguments import pod_name, state_dir
    from initsup.cli.attach import join

    place = state_dir(args, pod_name(args.words))
    name = args.container or _fresh_name()
    if not args.container:
        print(f"Defaulting debug container name to {name}.", file=sys.stderr)
    wanted = _container(args, name)
    if not (args.stdin or args.tty):
        client.call(place, "debug", container=wanted)
        return 0
    code: int = join(lambda pipes, joined: client.debug(place, wanted, pipes, joined), args.stdin, args.tty)
    return code


def _container(args: Namespace, name: str) -> dict[str, Any]:
    from initsup.errors import UsageError

    if bad := [text for text in args.env if not text.partition("=")[1]]:
        raise UsageError(f"--env takes NAME=VALUE, not {bad[0]!r}")
    pairs = (text.partition("=") for text in args.env)
    return {
        "name": name,
        "image": args.image,
        "command": args.command,
        "targetContainerName": args.target,
        "env": [{"name": key, "value": value} for key, _, value in pairs],
        "stdin": args.stdin,
        "tty": args.tty,
    }


def _fresh_name() -> str:
    """As kubectl makes one up: letters that form no words (apimachinery/pkg/util/rand)."""
    import secrets

    return "debugger-" + "".join(secrets.choice(_LETTERS) for _ in range(5))
