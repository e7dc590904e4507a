"""`initsup delete`: end the pod gracefully, and by default wait until it has ended."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """The options of `delete`."""
    from initsup.cli.arguments import add_pod

    parser.examples("""
# End the pod within its own grace period
initsup delete

# Give it five seconds
initsup delete --grace-period=5

# Give it one second, and do not wait until it has ended
initsup delete --now --wait=false
""")
    add_pod(parser)
    parser.add_argument("--grace-period", metavar="SECONDS", type=int, default=-1,
                        help="seconds until what still runs is killed (default: the pod's own)")  # fmt: skip
    parser.flag("--now", help="the same as --grace-period=1")
    parser.flag("--force", help="accepted for kubectl's sake: --grace-period=0 --force kills after the shortest grace")
    parser.flag("--wait", default=True, help="return when the pod has ended (default: true)")
    parser.add_argument("--timeout", metavar="DURATION", default="0", help="how long to wait; 0: as long as it takes")


def delete(args: Namespace) -> int:
    """Ask for the end, and wait for it."""
    from initsup.api import client
    from initsup.cli.arguments import pod_name, state_dir
    from initsup.errors import InitsupError, UsageError

    if args.now and args.grace_period >= 0:
        raise UsageError("--now and --grace-period cannot be specified together")
    place = state_dir(args, pod_name(args.words))
    name = client.get_pod(place)["metadata"]["name"]
    try:
        client.call(place, "delete", grace=args.grace_period if args.grace_period >= 0 else None, now=args.now)
    except InitsupError:
        if (client.get_pod(place).get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            raise
        print(f'pod "{name}" has ended already', file=sys.stderr)
        return 0
    print(f'pod "{name}" deleted')
    sys.stdout.flush()
    return _wait(place, name, args.timeout) if args.wait else 0


def _wait(place: str, name: str, timeout: str) -> int:
    from initsup.api.client import watch
    from initsup.cli.wait import TimeIsUp, limit, seconds

    try:
        with limit(seconds(timeout) or None):
            for _ in watch(place):
                pass
    except TimeIsUp:
        print(f"error: timed out waiting for the condition on pods/{name}", file=sys.stderr)
        return 1
    return 0
