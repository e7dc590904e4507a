"""`initsup exec`: a command in a running container, on this terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
"""The annotation that names the container meant when none is given."""


def arguments(parser: Parser) -> None:
    """The options of `exec`."""
    from initsup.cli.arguments import add_pod

    parser.examples("""
# Run a command in a container; its exit code becomes ours
initsup exec -c web -- ls -l /data

# Give it our input
initsup exec -i -c db -- psql < dump.sql

# Work in a container's surroundings
initsup exec -it -c web -- sh
""")
    parser.command_after_dashes("command")
    add_pod(parser)
    parser.add_argument("-c", "--container", metavar="NAME", help="the container (default: the first one)")
    parser.flag("-i", "--stdin", help="pass our standard input on; without it the command reads nothing")
    parser.flag("-t", "--tty", help="give the command a terminal")


def execute(args: Namespace) -> int:
    """Run the command and return its exit code, 128+n when a signal ended it."""
    from initsup.api import client
    from initsup.cli.arguments import pod_name, state_dir
    from initsup.errors import UsageError

    if not args.command:
        raise UsageError("you must specify at least one command for the container, after --")
    if args.tty and args.stdin and not os.isatty(0):
        print("Unable to use a TTY - input is not a terminal or the right kind of file", file=sys.stderr)
        args.tty = False
    place = state_dir(args, pod_name(args.words))
    container = args.container or default_container(client.get_pod(place))
    if args.tty:
        from initsup.cli.terminal import on_a_terminal

        return on_a_terminal(lambda fds: client.exec_in(place, container, args.command, fds, tty=True), args.stdin)
    if args.stdin:
        return client.exec_in(place, container, args.command, (0, 1, 2))
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        return client.exec_in(place, container, args.command, (nothing, 1, 2))
    finally:
        os.close(nothing)


def default_container(pod: dict[str, Any]) -> str:
    """The container meant when none is named: the annotation's, else the first; says so when there are several."""
    names: list[str] = [container["name"] for container in pod["spec"]["containers"]]
    chosen: str = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER) or names[0]
    if len(names) > 1 and chosen == names[0]:
        print(f'Defaulted container "{chosen}" out of: {", ".join(names)}', file=sys.stderr)
    return chosen
