"""`initsup events`: what has happened, oldest first."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser

FORMS = ("json", "yaml", "wide", "name", "jsonpath")
_COLUMNS = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")
_TYPES = ("Normal", "Warning")
_WIDE = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "SUBOBJECT", "SOURCE", "MESSAGE", "FIRST SEEN", "COUNT", "NAME")


def arguments(parser: Parser) -> None:
    """The options of `events`."""
    from initsup.cli.arguments import add_pod
    from initsup.cli.output import add_output

    parser.examples("""
# What has happened to the pod
initsup events

# … and what happens next
initsup events -w

# Only what went wrong, with the container that it concerns
initsup events --types=Warning -o wide
""")
    add_pod(parser)
    add_output(parser, *FORMS)
    parser.flag("-w", "--watch", help="go on and print events as they come, until the pod has ended")
    parser.flag("--no-headers", help="leave out the line with the columns' names")
    parser.add_argument("--types", metavar="TYPE", default="", help="only events of these types: Normal, Warning")


def events(args: Namespace) -> int:
    """Print the events."""
    from initsup.api import client
    from initsup.cli.arguments import pod_name, state_dir
    from initsup.cli.output import check_form

    check_form(args.output, args.forms)
    wanted = [kind.capitalize() for kind in args.types.split(",") if kind]
    if not set(wanted) <= set(_TYPES):
        from initsup.errors import UsageError

        raise UsageError(f"valid --types are {' or '.join(_TYPES)}")
    place = state_dir(args, pod_name(args.words))
    show = _table(args) if args.output in ("", "wide") else _objects(args)
    if not args.watch:
        show(_chosen(client.get_events(place), wanted), False)
        return 0
    seen: dict[str, Any] = {}
    for listing in client.watch(place, "events"):
        items = _chosen(listing, wanted)["items"]
        fresh = [item for item in items if seen.get(_name(item)) != (item.get("count"), item.get("lastTimestamp"))]
        seen = {_name(item): (item.get("count"), item.get("lastTimestamp")) for item in items}
        if fresh:
            show({**listing, "items": fresh}, True)
            sys.stdout.flush()
    return 0


def in_order(listing: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a list, sorted by when they happened last."""
    return sorted(listing.get("items") or [], key=lambda item: item.get("lastTimestamp") or "")


def last_seen(event: dict[str, Any], now: float) -> str:
    """When an event happened last, and how often: `10s`, or `10s (x3 over 1m)`."""
    from initsup.core.columns import age

    first = event.get("firstTimestamp") or event.get("eventTime")
    last = age(event.get("lastTimestamp") or first, now)
    count = event.get("count") or 1
    return f"{last} (x{count} over {age(first, now)})" if count > 1 else last


def container_of(event: dict[str, Any]) -> str:
    """The container that an event is about, from `spec.containers{NAME}`; empty when it is about the pod."""
    path: str = (event.get("involvedObject") or {}).get("fieldPath") or ""
    return path.partition("{")[2].rstrip("}")


def _chosen(listing: dict[str, Any], types: list[str]) -> dict[str, Any]:
    items = [item for item in in_order(listing) if not types or item.get("type") in types]
    return {**listing, "items": items}


def _name(event: dict[str, Any]) -> str:
    return str((event.get("metadata") or {}).get("name"))


def _objects(args: Namespace) -> Any:
    """A function that prints events as objects: one list, or with `-w` one event after the other."""
    from initsup.cli.output import render

    def show(listing: dict[str, Any], one_by_one: bool) -> None:
        alone = one_by_one or args.output == "name"
        for obj in [{"kind": "Event", **item} for item in listing["items"]] if alone else [listing]:
            print(("---\n" if one_by_one and args.output == "yaml" else "") + render(obj, args.output), end="")

    return show


def _table(args: Namespace) -> Any:
    """A function that prints events as rows."""
    from initsup.cli.table import Table

    columns = _WIDE if args.output == "wide" else _COLUMNS
    table = Table(*columns)
    header = not args.no_headers

    def show(listing: dict[str, Any], _: bool) -> None:
        nonlocal header
        if not listing["items"]:
            print("No events found.", file=sys.stderr)
            return
        rows = [_row(item, time.time(), args.output == "wide") for item in listing["items"]]
        print("\n".join(table.lines(rows, header=header)))
        header = False

    return show


def _row(event: dict[str, Any], now: float, wide: bool) -> tuple[str, ...]:
    """One event as cells. Many messages of Kubernetes do not say which container they mean, so OBJECT does."""
    from initsup.core.columns import age

    involved = event.get("involvedObject") or {}
    name = f"{involved.get('kind', 'Pod')}/{involved.get('name', '')}"
    message = (event.get("message") or "").strip()
    head = (last_seen(event, now), event.get("type") or "", event.get("reason") or "")
    if not wide:
        container = container_of(event)
        return (*head, name + (f"{{{container}}}" if container else ""), message)
    source = event.get("source") or {}
    where = ", ".join(part for part in (source.get("component"), source.get("host")) if part)
    tail = (message, age(event.get("firstTimestamp"), now), str(event.get("count") or 1), _name(event))
    return (*head, name, involved.get("fieldPath") or "", where, *tail)
