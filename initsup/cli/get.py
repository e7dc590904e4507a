"""`initsup get`: the pod as a row, or as a whole; with `-w` again after each change.

Imports next to nothing: scripts call it in loops.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from initsup.cli.parser import Parser

FORMS = ("json", "yaml", "wide", "name", "jsonpath")
_COLUMNS = ("NAME", "READY", "STATUS", "RESTARTS", "AGE")
_EVENTS = ("event", "events", "ev")
_OTHERS = (
    "cm", "configmap", "configmaps", "secret", "secrets", "node", "nodes", "no", "ns", "namespace", "namespaces", "svc",
    "service", "services", "deploy", "deployment", "deployments", "sts", "ds", "rs", "job", "jobs", "cj", "pvc", "sa",
)  # fmt: skip
_WIDE = (*_COLUMNS, "IP", "NODE", "NOMINATED NODE", "READINESS GATES")


def arguments(parser: Parser) -> None:
    """The options of `get`."""
    from initsup.cli.arguments import add_pod
    from initsup.cli.output import add_output

    parser.examples("""
# The pod in one line
initsup get

# … again at each change, until it ends
initsup get -w

# The whole object
initsup get -o yaml

# What has happened to it
initsup get events

# One field of it
initsup get -o jsonpath='{.status.containerStatuses[0].restartCount}'
""")
    add_pod(parser)
    add_output(parser, *FORMS)
    parser.flag("-w", "--watch", help="print again after each change, until the pod has ended")
    parser.flag("--no-headers", help="leave out the line with the columns' names")
    parser.flag("-A", "--all-namespaces", help="show the namespace, too; pods are listed whatever theirs is")


def get(args: Namespace) -> int:
    """Print the pod."""
    from initsup.api import client
    from initsup.cli.arguments import pod_name, state_dir
    from initsup.cli.output import check_form

    check_form(args.output, args.forms)
    kind = args.words[0] if args.words else ""
    if kind in _EVENTS:
        from initsup.cli.events import events

        args.words, args.types = args.words[1:], ""
        return events(args)
    if kind in _OTHERS and not any(path.endswith(f"/{kind}") for path in client.state_dirs()):
        from initsup.errors import UsageError

        words = " ".join(args.words)
        raise UsageError(f"`get` knows pods and events, all else is there for kubectl: initsup kubectl get {words}")
    name = pod_name(args.words[1:] if kind == "all" else args.words)
    show = _printer(args.output, not args.no_headers, args.all_namespaces)
    if args.watch:
        for pod in client.watch(state_dir(args, name), "pod"):
            show(pod)
            sys.stdout.flush()
    elif args.state_dir or name:
        show(client.get_pod(state_dir(args, name)))
    else:
        _show_all(show, args.output in ("", "wide", "name"))
    return 0


def _show_all(show: Callable[..., None], one_by_one: bool) -> None:
    """Every pod there is, ended ones too; as one List where that is what the form needs."""
    from initsup.api import client
    from initsup.errors import InitsupError

    pods = []
    for place in client.state_dirs():
        try:
            pods.append(client.get_pod(place))
        except InitsupError:  # it is just being made
            continue
    if not pods:
        pods.append(client.get_pod(client.find_state_dir(None)))
    if len(pods) > 1 and not one_by_one:
        pods = [{"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": pods}]
    show(*pods)


def _printer(form: str, header: bool, namespaces: bool) -> Callable[..., None]:
    """A function that prints the pods it is given, each time it is called, in the form asked for."""
    if form in ("", "wide"):
        return _Rows(wide=form == "wide", header=header, namespaces=namespaces).show
    from initsup.cli.output import render

    count = 0

    def show(*pods: dict[str, Any]) -> None:
        nonlocal count
        for pod in pods:
            count += 1
            print(("---\n" if form == "yaml" and count > 1 else "") + render(pod, form), end="")

    return show


class _Rows:
    """Prints rows, those of one call aligned; one that differs from the one before in its age only is left out."""

    def __init__(self, wide: bool, header: bool, namespaces: bool) -> None:
        from initsup.cli.table import Table

        self._columns = _WIDE if wide else _COLUMNS
        self._namespaces = namespaces
        self._table = Table(*(("NAMESPACE",) if namespaces else ()), *self._columns)
        self._header = header
        self._last: tuple[str, ...] = ()
        self._warned = ""

    def show(self, *pods: dict[str, Any]) -> None:
        from initsup.core.columns import row

        rows = []
        for pod in pods:
            self._warn(pod["metadata"])
            cells = row(pod, time.time())
            shown = (cells.name, cells.ready, cells.status, cells.restarts.partition(" ")[0], *cells[5:])
            if shown != self._last:
                first = (pod["metadata"].get("namespace") or "default",) if self._namespaces else ()
                rows.append((*first, *cells[: len(self._columns)]))
            self._last = shown
        if rows:
            print("\n".join(self._table.lines(rows, header=self._header)))
            self._header = False

    def _warn(self, meta: dict[str, Any]) -> None:
        """Say on stderr, once, that initsup itself does not work as it should, or ended so."""
        trouble = (meta.get("annotations") or {}).get("initsup.dev/degraded", "")
        if trouble and trouble != self._warned:
            print(f"Warning: pod {meta['name']}: {trouble}", file=sys.stderr)
        self._warned = trouble
