"""`initsup health`: the answer is the exit code, for HEALTHCHECK and scripts. Imports next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """The options of `health`."""
    from initsup.cli.arguments import add_pod

    parser.examples("""
# In a Dockerfile
HEALTHCHECK CMD ["initsup", "health"]

# Whether initsup itself answers, whatever the pod does
initsup health --live
""")
    add_pod(parser)
    parser.flag("--ready", help="whether the pod is Ready (the default)")
    parser.flag("--live", help="whether initsup answers")


def health(args: Namespace) -> int:
    """Print `ok`, or what is not; 0 or 1, as a HEALTHCHECK may have no other."""
    from initsup.api.client import call
    from initsup.cli.arguments import pod_name, state_dir
    from initsup.errors import InitsupError

    what = "live" if args.live and not args.ready else "ready"
    pod = pod_name(args.words)
    try:
        found = call(state_dir(args, pod), "health", what=what)
    except InitsupError as problem:  # not there yet, or no longer
        found = {"ok": False, "why": str(problem)}
    print("ok" if found["ok"] else f"not ready: {found['why']}")
    return 0 if found["ok"] else 1
