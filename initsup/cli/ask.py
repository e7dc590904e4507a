"""`initsup restart` and `initsup signal`: one request to the running pod, one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser


def restart_arguments(parser: Parser) -> None:
    """The options of `restart`."""
    from initsup.cli.arguments import add_state_dir

    parser.examples("""
# Restart one container
initsup restart web

# Restart all main containers and sidecars
initsup restart
""")
    parser.add_argument(
        "words", nargs="*", metavar="CONTAINER", help="the container (default: all but init containers)"
    )
    parser.add_argument("-c", "--container", metavar="NAME", help="the container, as for the other verbs")
    add_state_dir(parser)


def restart(args: Namespace) -> int:
    """Ask for a restart: the container is ended gracefully and starts again at once, whatever its restartPolicy."""
    from initsup.api.client import call
    from initsup.cli.arguments import split_pod, state_dir

    pod, names = split_pod(args.words)
    place = state_dir(args, pod)
    names += [args.container] if args.container else []
    wanted: list[str | None] = [*names] if names else [None]
    for name in wanted:
        answer = call(place, "restart", container=name)
        for restarted in answer.get("containers") or [name]:
            print(f'container "{restarted}" restarted')
    return 0


def signal_arguments(parser: Parser) -> None:
    """The options of `signal`."""
    from initsup.cli.arguments import add_state_dir

    parser.examples("""
# Make a server read its configuration again
initsup signal -c web HUP
""")
    parser.add_argument("-c", "--container", metavar="NAME", help="the container (default: the only one)")
    parser.add_argument("words", nargs="+", metavar="SIGNAL", help="the signal, such as HUP, SIGUSR1 or 15")
    add_state_dir(parser)


def signal(args: Namespace) -> int:
    """Send a signal to the main process of a container."""
    from initsup.api.client import call
    from initsup.cli.arguments import split_pod, state_dir
    from initsup.errors import UsageError
    from initsup.spec.units import signal_name, signal_number

    pod, names = split_pod(args.words)
    if len(names) != 1:
        raise UsageError("name one signal, such as HUP, and the container by -c")
    try:
        number = signal_number(names[0])
    except ValueError as problem:
        raise UsageError(str(problem)) from None
    place = state_dir(args, pod)
    container = args.container or _only_container(place)
    call(place, "signal", container=container, signal=number)
    print(f'container "{container}" got {signal_name(number)}')
    return 0


def _only_container(place: str) -> str:
    from initsup.api.client import get_pod
    from initsup.errors import UsageError

    names: list[str] = [container["name"] for container in get_pod(place)["spec"]["containers"]]
    if len(names) > 1:
        raise UsageError(f"name a container by -c: {', '.join(names)}")
    return names[0]
