"""`initsup wait`: until a condition, a phase, a field or the end of the pod."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser

LOOK_AGAIN = 0.05
"""Seconds between two looks for a pod that is not there yet."""


class TimeIsUp(Exception):
    """The time limit of `limit` has passed."""


def arguments(parser: Parser) -> None:
    """The options of `wait`."""
    from initsup.cli.arguments import add_pod

    parser.examples("""
# Until the pod is ready
initsup wait --for=condition=Ready

# Until it has ended with success, for at most an hour
initsup wait --for=jsonpath='{.status.phase}'=Succeeded --timeout=1h

# Until it has ended, however
initsup wait --for=delete --timeout=60s
""")
    add_pod(parser)
    parser.add_argument(
        "--for",
        dest="what",
        metavar="WHAT",
        required=True,
        help="condition=TYPE[=STATUS], phase=PHASE, jsonpath='{PATH}'[=VALUE], create or delete",
    )
    parser.add_argument(
        "--timeout", metavar="DURATION", default="30s", help="give up after this long; 0: look once (default: 30s)"
    )


def wait(args: Namespace) -> int:
    """Wait, and say how it ended."""
    test = condition(args.what)
    time_out = seconds(args.timeout)
    name = ""
    try:
        with limit(time_out):
            for name, pod in _pods(args, once=time_out == 0):
                if pod is None and args.what == "delete":
                    print(f"pod/{name} condition met")
                    return 0
                if pod is None:
                    print(f'error: pod "{name}" has ended and will not meet the condition any more', file=sys.stderr)
                    return 1
                if test(pod):
                    print(f"pod/{name} condition met")
                    return 0
    except TimeIsUp:
        pass
    print(f"error: timed out waiting for the condition on pods/{name}".rstrip("/"), file=sys.stderr)
    return 1


def condition(text: str) -> Callable[[dict[str, Any]], bool]:
    """The test that `--for` asks for. Raises UsageError when it makes no sense."""
    from initsup.errors import UsageError

    kind, _, rest = text.partition("=")
    if kind in ("create", "delete") and not rest:
        return lambda pod: kind == "create"
    if kind == "condition" and rest:
        wanted, _, value = rest.partition("=")
        return lambda pod: _holds(pod, wanted, value or "True")
    if kind == "phase" and rest:
        return lambda pod: str((pod.get("status") or {}).get("phase")).lower() == rest.lower()
    if kind == "jsonpath" and rest.lstrip("'").startswith("{") and "}" in rest:
        path, _, value = rest.lstrip("'").rpartition("}")
        value = value.removeprefix("'") if rest.startswith("'") else value
        if not value or value.startswith("="):
            return _field(path[1:], value[1:] if value else None)
    raise UsageError(f"unrecognized condition: {text!r}, such as condition=Ready or delete is expected")


def seconds(text: str) -> float:
    """A time limit in seconds; a negative one means a week, as with kubectl. Raises UsageError."""
    from initsup.errors import UsageError
    from initsup.spec.units import parse_duration, whole_number

    try:
        number = float(text) if whole_number(text.lstrip("-")) is not None else parse_duration(text)
    except ValueError:
        raise UsageError(f"invalid duration {text!r}, 30s or 1m30s is expected") from None
    return number if number >= 0 else 7 * 86400.0


@contextmanager
def limit(time_out: float | None) -> Iterator[None]:
    """Raise TimeIsUp in the block after so many seconds; 0 or None: never. Uses the process's SIGALRM."""

    def over(*_: object) -> None:
        raise TimeIsUp

    if not time_out:
        yield
        return
    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, time_out)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _holds(pod: dict[str, Any], kind: str, value: str) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"].lower() == kind.lower() and c["status"].lower() == value.lower() for c in conditions)


def _field(path: str, value: str | None) -> Callable[[dict[str, Any]], bool]:
    from initsup.cli.jsonpath import find, show

    find(path, {})  # a path that cannot be read is refused before anything is waited for
    if value is None:
        return lambda pod: bool(find(path, pod))
    wanted = value.strip("'\"")
    return lambda pod: [show(one) for one in find(path, pod)] == [wanted]


def _pods(args: Namespace, once: bool) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The pod's name, with the pod now and after each change; with None when initsup has ended."""
    from initsup.api import client

    place, pod = _appear(args, once)
    if pod is None:
        yield os.path.basename(place), None
        return
    name = pod["metadata"]["name"]
    yield name, pod
    if once:
        return
    for seen in client.watch(place):
        yield name, seen
    yield name, client.get_pod(place)
    yield name, None


def _appear(args: Namespace, once: bool) -> tuple[str, dict[str, Any] | None]:
    """The state directory and the pod in it, as soon as there is one; None instead of the pod when its end will do."""
    from initsup.api import client
    from initsup.cli.arguments import pod_name, state_dir
    from initsup.errors import InitsupError

    name = pod_name(args.words)
    while True:
        try:
            place = state_dir(args, name)
            return place, client.get_pod(place)
        except InitsupError:
            if args.what == "delete":
                return args.state_dir or name or "", None
            if once or not (args.state_dir or name or not client.state_dirs()):
                raise
        time.sleep(LOOK_AGAIN)
