"""`initsup logs`: what containers have written, read from their files; the run that wrote them may be over."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser
    from initsup.node.logread import Reader

LOOK_AGAIN = 0.1
"""Seconds between two looks at a followed log that had nothing new."""
_DEFAULT = "kubectl.kubernetes.io/default-container"
_KINDS = {"containers": "", "initContainers": " (init)", "ephemeralContainers": " (ephem)"}


def arguments(parser: Parser) -> None:
    """The options of `logs`."""
    from initsup.cli.arguments import add_state_dir

    parser.examples("""
# What a container has written
initsup logs web

# The last twenty lines, and then what is added, until the container ends
initsup logs -f --tail=20 web

# Its run before this one
initsup logs -p web

# All containers, each line with its container's name
initsup logs --all-containers --prefix

# The pod's first container, the last ten minutes, with times
initsup logs --since=10m --timestamps
""")
    parser.add_argument("words", nargs="*", metavar="[POD] CONTAINER", help="the container (default: the first one)")
    parser.add_argument("-c", "--container", metavar="NAME", help="the container")
    parser.flag("--all-containers", help="all containers, init containers first")
    parser.flag("-f", "--follow", help="go on with what is written, until the container ends")
    parser.flag("-p", "--previous", help="the run before this one")
    parser.add_argument("--tail", metavar="N", type=int, default=-1, help="only the last N lines (default: all)")
    parser.add_argument(
        "--since", metavar="DURATION", default="0", help="nothing older than this, such as 10s or 1h30m"
    )
    parser.add_argument("--since-time", metavar="TIME", help="nothing older than this, such as 2026-01-02T03:04:05Z")
    parser.flag("--timestamps", help="begin each line with its time")
    parser.flag("--prefix", help="begin each line with its pod and container")
    parser.add_argument("--limit-bytes", metavar="N", type=int, help="stop after so many bytes")
    add_state_dir(parser)


def logs(args: Namespace) -> int:
    """Print the logs. Exit code 1 if, of several containers, one has none."""
    from initsup.errors import InitsupError

    try:
        return _logs(args)
    except PermissionError as problem:
        raise InitsupError(f"cannot read {problem.filename}: {problem.strerror}") from None


def _logs(args: Namespace) -> int:
    from initsup.api.client import get_pod
    from initsup.errors import InitsupError
    from initsup.node.instances import attempt_of
    from initsup.node.logread import Reader

    options = _options(args)
    place, container = _target(args)
    pod = get_pod(place)
    names = _all(pod) if args.all_containers else [_chosen(pod, container)]
    code = 0
    readers: dict[tuple[str, int], Reader] = {}
    for name in names:
        try:
            attempt = attempt_of(pod, name, previous=args.previous)
        except InitsupError as problem:
            if not args.all_containers:
                raise
            print(f"initsup: {problem}", file=sys.stderr)
            code = 1
            continue
        prefix = f"[pod/{pod['metadata']['name']}/{name}] ".encode() if args.prefix else b""
        readers[name, attempt] = Reader(f"{place}/logs/{name}", attempt, prefix=prefix, **options)
    _print(readers, _Pod(place, pod) if args.follow else None)
    return code


# -- what is asked for ----------------------------------------------------------------------------------------------


def _options(args: Namespace) -> dict[str, Any]:
    from initsup.errors import UsageError

    since = _since(args)
    if args.tail < -1:
        raise UsageError("--tail must be greater than or equal to -1")
    if args.limit_bytes is not None and args.limit_bytes < 1:
        raise UsageError("--limit-bytes must be greater than 0")
    return {
        "tail": None if args.tail < 0 else args.tail,
        "since": since,
        "timestamps": args.timestamps,
        "limit": args.limit_bytes,
        "follow": args.follow,
    }


def _since(args: Namespace) -> str:
    """The oldest time to show, as it stands in logs; "" if all are."""
    import time

    from initsup.errors import UsageError
    from initsup.node.logfile import line_time, utc
    from initsup.spec.units import parse_duration

    try:
        seconds = parse_duration(args.since)
    except ValueError:
        raise UsageError(f"invalid argument {args.since!r} for '--since': such as 10s or 1h30m is expected") from None
    if seconds < 0:
        raise UsageError("--since must be greater than 0")
    if seconds and args.since_time:
        raise UsageError("at most one of `sinceTime` or `sinceSeconds` may be specified")
    if args.since_time:
        try:
            return utc(args.since_time)
        except ValueError:
            raise UsageError(f"invalid argument {args.since_time!r} for '--since-time': RFC 3339 is expected, "
                             "such as 2026-01-02T03:04:05Z") from None  # fmt: skip
    return line_time(time.time_ns() - int(seconds * 1e9)).decode() if seconds else ""


def _target(args: Namespace) -> tuple[str, str | None]:
    """The state directory and the container that are meant. A single word is a container or, as in kubectl, a pod."""
    import os

    from initsup.api.client import state_dirs
    from initsup.cli.arguments import split_pod, state_dir
    from initsup.errors import UsageError

    pod, words = split_pod(args.words)
    is_pod = args.container is not None
    if words and not is_pod and not args.state_dir:
        is_pod = words[0] in map(os.path.basename, state_dirs())
    if pod is None and (len(words) == 2 or (words and is_pod)):
        pod = words.pop(0)
    if len(words) > 1 or (words and args.container is not None):
        raise UsageError("only one of -c or an inline [CONTAINER] arg is allowed")
    return state_dir(args, pod), args.container or (words[0] if words else None)


def _all(pod: dict[str, Any]) -> list[str]:
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [container["name"] for kind in kinds for container in pod["spec"].get(kind) or ()]


def _chosen(pod: dict[str, Any], named: str | None) -> str:
    """The container meant; when none is named, the annotation's, else the first, of which several are told."""
    from initsup.errors import InitsupError

    names = _all(pod)
    if named in names:
        return named
    own = pod["metadata"]["name"]
    if named not in (None, own):
        raise InitsupError(f"container {named} is not valid for pod {own}")
    by_annotation = (pod["metadata"].get("annotations") or {}).get(_DEFAULT)
    if by_annotation in names:
        return str(by_annotation)
    first: str = pod["spec"]["containers"][0]["name"]
    if len(names) > 1:
        told = [one["name"] + kind for key, kind in _KINDS.items() for one in pod["spec"].get(key) or ()]
        print(f'Defaulted container "{first}" out of: {", ".join(told)}', file=sys.stderr)
    return first


# -- printing -------------------------------------------------------------------------------------------------------


class _Pod:
    """The pod as it is now, for whom it is watched in a thread: whether an instance still runs."""

    def __init__(self, place: str, pod: dict[str, Any]) -> None:
        import threading

        self._place = place
        self._pod = pod
        self._over = False
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        from initsup.api.client import watch
        from initsup.errors import InitsupError

        try:
            for pod in watch(self._place):
                self._pod = pod
        except (OSError, ValueError, InitsupError):
            pass
        self._over = True

    def runs(self, container: str, attempt: int) -> bool:
        """Whether this instance runs."""
        from initsup.node.instances import runs

        return not self._over and runs(self._pod, container, attempt)


def _print(readers: dict[tuple[str, int], Reader], pod: _Pod | None) -> None:
    """One after the other; those that are followed side by side, each until its container has ended."""
    out = _Out()
    if pod is None:
        for reader in readers.values():
            while data := reader.more():
                out.write(data, reader)
        return
    import time

    while readers:
        some = False
        for key, reader in tuple(readers.items()):
            runs = pod.runs(*key)  # before the log is read: all it will ever hold is then there
            data = reader.more()
            if data:
                out.write(data, reader)
                some = True
            elif reader.done or not runs:
                del readers[key]
        if readers and not some:
            time.sleep(LOOK_AGAIN)


class _Out:
    """Our stdout, where a line that has not ended is not continued by another container's."""

    def __init__(self) -> None:
        self._unended: Reader | None = None

    def write(self, data: bytes, reader: Reader) -> None:
        if self._unended not in (None, reader):
            sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self._unended = None if data.endswith(b"\n") else reader
