"""What the verbs' command lines have in common, and how a pod is named."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from initsup.cli.parser import Parser

_PODS = ("pod", "pods", "po")


def add_state_dir(parser: Parser) -> None:
    """`--state-dir`, on each verb that asks a pod."""
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        help="where the pod keeps its state (default: where the pod of that name, or the only one there is, keeps it)",
    )


def add_pod(parser: Parser) -> None:
    """`[NAME]` and `--state-dir`: which pod is meant. kubectl's `pod NAME` and `pod/NAME` do as well."""
    parser.add_argument("words", nargs="*", metavar="NAME", help="the pod; not needed where only one runs")
    add_state_dir(parser)


def add_overrides(parser: Parser) -> None:
    """`--set` and `--best-effort`, on each verb beside `run` that looks at a manifest as `run` does."""
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="set a supervisor setting")
    parser.flag("--best-effort", help="as for run: do without promises of isolation or safety that cannot be kept")


def overrides(args: Namespace) -> list[str]:
    """What the options say about the settings, as `KEY=VALUE`."""
    found = list(args.set)
    for option, setting in (("console", "console.format"), ("listen", "listen")):
        if getattr(args, option, None):
            found.append(f"{setting}={getattr(args, option)}")
    return [*found, "bestEffort=true"] if args.best_effort else found


def pod_name(words: Sequence[str]) -> str | None:
    """The pod that the words name: `web`, `pod/web`, `pod web`; None for "the only one". Raises UsageError."""
    named, rest = split_pod(words)
    names = ([named] if named else []) + rest[bool(rest) and rest[0] in _PODS :]
    if len(names) > 1:
        from initsup.errors import UsageError

        raise UsageError(f"one pod at a time, not {len(names)}: {' '.join(names)}")
    return names[0] if names else None


def split_pod(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Take `pod/NAME` out of the words of a verb: the name, and the other words."""
    kinds = [word.partition("/") for word in words]
    pods = [name for kind, slash, name in kinds if slash and kind in _PODS]
    return (pods[0] if pods else None), ["".join(parts) for parts in kinds if not (parts[1] and parts[0] in _PODS)]


def state_dir(args: Namespace, name: str | None = None) -> str:
    """The state directory of the pod that the command line means. Raises UsageError when there is none."""
    from initsup.api.client import find_state_dir

    return find_state_dir(args.state_dir, name)


def warn(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr)
