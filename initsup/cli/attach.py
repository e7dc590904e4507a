"""`initsup attach`: see what a container writes from now on, and write to it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser

PIECE = 65536
Attached = Callable[[tuple[int, int, int], Callable[[Callable[[int, int], None]], None]], Any]


def arguments(parser: Parser) -> None:
    """The options of `attach`."""
    from initsup.cli.arguments import add_pod

    parser.examples("""
# See what the first container writes
initsup attach

# Talk to a container that has `stdin: true`
initsup attach -i -c console
""")
    add_pod(parser)
    parser.add_argument("-c", "--container", metavar="NAME", help="the container (default: the first one)")
    parser.flag("-i", "--stdin", help="pass our standard input on")
    parser.flag("-t", "--tty", help="our terminal is the container's (it must have `tty: true`)")


def attach(args: Namespace) -> int:
    """Stay until the container has ended."""
    from initsup.api import client
    from initsup.cli.arguments import pod_name, state_dir
    from initsup.cli.execute import default_container

    place = state_dir(args, pod_name(args.words))
    container = args.container or default_container(client.get_pod(place))
    if args.tty and args.stdin and os.isatty(0):
        print("If you don't see a command prompt, try pressing enter.", file=sys.stderr)
    join(lambda pipes, joined: client.attach(place, container, pipes, args.stdin, joined), args.stdin, args.tty)
    return 0


def join(attached: Attached, stdin: bool, tty: bool) -> Any:
    """Join our streams to those of a container. With `tty` our terminal, if it is one, is the container's.

    `attached` is called with pipes, and with what is to be told of our terminal's size; its result is ours.
    """
    from contextlib import nullcontext

    from initsup.cli.terminal import raw, sizes_to

    if not (tty and os.isatty(0)):
        return _carry_all(lambda pipes: attached(pipes, lambda _: None), stdin)
    with raw() if stdin else nullcontext():
        return _carry_all(lambda pipes: attached(pipes, sizes_to), stdin)


def _carry_all(attached: Callable[[tuple[int, int, int]], Any], stdin: bool) -> Any:
    """Our streams are carried by threads: the other side wants pipes, which ours need not be."""
    source, to_container = os.pipe()
    out, from_stdout = os.pipe()
    err, from_stderr = os.pipe()
    carriers = [threading.Thread(target=_carry, args=pair, daemon=True) for pair in ((out, 1), (err, 2))]
    if stdin:
        threading.Thread(target=_carry, args=(0, to_container), daemon=True).start()
    for carrier in carriers:
        carrier.start()
    try:
        return attached((source, from_stdout, from_stderr))
    finally:
        for fd in (source, from_stdout, from_stderr):
            os.close(fd)
        for carrier in carriers:
            carrier.join(timeout=2.0)
        sys.stdout.flush()


def _carry(source: int, target: int) -> None:
    try:
        while data := os.read(source, PIECE):
            while data:
                data = data[os.write(target, data) :]
    except OSError:
        pass  # one side has gone
    if target > 2:
        os.close(target)
