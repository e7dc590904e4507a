"""`initsup describe`: a pod for readers, laid out as `kubectl describe pod` does (kubectl pkg/describe).

A text of lines: two blanks a level, tabs where columns are (`cli.table.align`). Values of Secrets are never shown.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from initsup.cli.describe_container import containers, moment
from initsup.cli.describe_volume import volumes
from initsup.core.columns import age, epoch

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """The options of `describe`."""
    from initsup.cli.arguments import add_pod

    parser.examples("""
# The only pod there is
initsup describe

# One of several
initsup describe pod/web
""")
    add_pod(parser)
    parser.flag("--show-events", default=True, help="list the pod's events at the end (default: true)")


def describe(args: Namespace) -> int:
    """Print the description."""
    from initsup.api import client
    from initsup.cli.arguments import pod_name, state_dir
    from initsup.cli.table import align

    place = state_dir(args, pod_name(args.words))
    pod = client.get_pod(place)
    events = _read_events(place) if args.show_events else None
    print("\n".join(align(text(pod, events, time.time()))))
    return 0


def _read_events(place: str) -> dict[str, Any] | None:
    """The events; None where a run that was killed has left none."""
    from initsup.api import client
    from initsup.errors import InitsupError

    try:
        return client.get_events(place)
    except InitsupError:
        return None


def text(pod: dict[str, Any], events: dict[str, Any] | None, now: float) -> list[str]:
    """The lines that describe a pod; `now` is wall time in Unix seconds. Without `events` their section is left out."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    lines = [*_head(pod, now)]
    if spec.get("initContainers"):
        lines += containers("Init Containers", pod, "initContainers", now)
    lines += containers("Containers", pod, "containers", now)
    if spec.get("ephemeralContainers"):
        lines += containers("Ephemeral Containers", pod, "ephemeralContainers", now)
    if gates := spec.get("readinessGates"):
        held = {c.get("type"): c.get("status") for c in status.get("conditions") or ()}
        lines += ["Readiness Gates:", "  Type\tStatus"]
        lines += [f"  {g.get('conditionType')} \t{held.get(g.get('conditionType'), '<none>')} " for g in gates]
    lines += _conditions(status)
    lines += volumes(spec.get("volumes") or ())
    lines.append(f"QoS Class:\t{status.get('qosClass') or '<none>'}")
    lines += pairs("Node-Selectors", spec.get("nodeSelector"), "=")
    return lines if events is None else lines + _events(events, now)


def pairs(label: str, values: dict[str, str] | None, between: str) -> list[str]:
    """Labels or annotations, one a line."""
    shown = [f"{key}{between}{_short(value)}" for key, value in sorted((values or {}).items())]
    return [f"{label}:\t{shown[0]}", *(f"\t{line}" for line in shown[1:])] if shown else [f"{label}:\t<none>"]


def _short(value: str) -> str:
    """A value on one line of at most 140 characters."""
    flat = value.strip().replace("\n", "\\n")
    return flat if len(flat) <= 140 else flat[:137] + "..."


def _head(pod: dict[str, Any], now: float) -> list[str]:
    meta, spec, status = (pod.get(part) or {} for part in ("metadata", "spec", "status"))
    address = "/".join(part for part in (spec.get("nodeName"), status.get("hostIP")) if part)
    optional = [
        ("Priority", spec.get("priority")),
        ("Priority Class Name", spec.get("priorityClassName")),
        ("Runtime Class Name", spec.get("runtimeClassName")),
        ("Service Account", spec.get("serviceAccountName")),
    ]
    lines = [f"Name:\t{meta.get('name', '')}", f"Namespace:\t{meta.get('namespace') or 'default'}"]
    lines += [f"{label}:\t{value}" for label, value in optional if value not in (None, "")]
    lines.append(f"Node:\t{address or '<none>'}")
    if status.get("startTime"):
        lines.append(f"Start Time:\t{moment(status['startTime'])}")
    lines += pairs("Labels", meta.get("labels"), "=")
    lines += pairs("Annotations", meta.get("annotations"), ": ")
    lines += _phase(meta, status, now)
    lines += [f"{part.capitalize()}:\t{status[part]}" for part in ("reason", "message") if status.get(part)]
    lines.append(f"IP:\t{status.get('podIP') or ''}")
    addresses = [one.get("ip", "") for one in status.get("podIPs") or ()]
    return [*lines, "IPs:", *(f"  IP:\t{one}" for one in addresses)] if addresses else [*lines, "IPs:\t<none>"]


def _phase(meta: dict[str, Any], status: dict[str, Any], now: float) -> list[str]:
    phase = status.get("phase") or ""
    if not meta.get("deletionTimestamp") or phase in ("Succeeded", "Failed"):
        return [f"Status:\t{phase}"]
    grace = meta.get("deletionGracePeriodSeconds")
    # deletionTimestamp is when the grace period is over, and mostly still to come.
    left = epoch(meta["deletionTimestamp"]) - now
    lasts = f"ends within {max(round(left), 0)}s" if left > 0 else f"lasts {age(meta['deletionTimestamp'], now)}"
    lines = [f"Status:\tTerminating ({lasts})"]
    return lines if grace is None else [*lines, f"Termination Grace Period:\t{grace}s"]


def _conditions(status: dict[str, Any]) -> list[str]:
    """Type and status as kubectl shows them, and why a condition is not met."""
    conditions = status.get("conditions") or ()
    if not conditions:
        return []
    rows = [
        f"  {c.get('type')} \t{c.get('status')} \t{': '.join(p for p in (c.get('reason'), c.get('message')) if p)}"
        for c in conditions
    ]
    return ["Conditions:", "  Type\tStatus\tReason", *rows]


def _events(listing: dict[str, Any], now: float) -> list[str]:
    from initsup.cli.events import container_of, in_order, last_seen

    rows = []
    for event in in_order(listing):
        source = (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""
        who = ", ".join(part for part in (source, container_of(event)) if part)
        message = (event.get("message") or "").strip().replace("\n", "\n\t\t\t\t")
        rows.append(f"  {event.get('type')}\t{event.get('reason')}\t{last_seen(event, now)}\t{who}\t{message}")
    if not rows:
        return ["Events:\t<none>"]
    head = ["  Type\tReason\tAge\tFrom\tMessage", "  ----\t------\t----\t----\t-------"]
    return ["Events:", *head, *(line for row in rows for line in row.split("\n"))]
