"""A golden trace: what a real kubelet showed of one pod, state by state, and how to compare it with what initsup shows.

Compared are the sequences of distinct states of each container, of the phase and of each condition, and of the
generations that they follow from, when each of them came (not later than a second after kubelet), and which events
there were. Left out is what belongs to a cluster: addresses, image ids, resources, image events.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from initsup.core.narrate import Notice
from initsup.core.restart import REMOVED
from initsup.spec.base import to_dict
from tests.golden.plays import Play
from tests.sim import Shown
from tests.stories.driver import SCALE

TRACES = Path(__file__).parents[2] / ".." / "shared" / "golden"
OF_THE_RUNTIME = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: "
)
"""What containerd and runc put before the reason of a failed start."""
NOT_HERE = "the golden traces are not here"


def names() -> list[str]:
    """Those that are there."""
    return sorted(path.stem for path in TRACES.glob("*.json"))


def params() -> list[Any]:
    """A parameter for each trace."""
    return [pytest.param(name, id=name) for name in names() or ["none"]]


def load(name: str, uid: str = "POD-UID") -> dict[str, Any]:
    """One trace, as if the pod had this uid."""
    text = (TRACES / f"{name}.json").read_text()
    trace: dict[str, Any] = json.loads(text.replace(OF_THE_RUNTIME, "").replace("POD-UID", uid))
    return trace


def is_over(trace: dict[str, Any]) -> bool:
    """Whether the pod has come to its end in it."""
    return trace["snapshots"][-1]["status"]["phase"] in ("Succeeded", "Failed")


def differences(
    trace: dict[str, Any], play: Play, shown: Iterable[Shown], notices: Iterable[Notice], until: float | None = None
) -> Iterator[str]:
    """Where these statuses and notices are not the trace's; `until`: only so many seconds of it count."""
    shots = [shot for shot in trace["snapshots"] if until is None or shot["t"] <= until]
    theirs = sequences([(shot["t"], shot["status"]) for shot in shots if "conditions" in shot["status"]])
    ours = sequences([(one.at, to_dict(one.status, defaults=True)) for one in shown])
    for what in ours.keys() | theirs.keys():
        seen = theirs.get(what, [])
        mine = [(at, state) for at, state in ours.get(what, []) if state not in play.missed.get(what, ())]
        mine = mine[: None if shots == trace["snapshots"] and is_over(trace) else len(seen)]
        if [state for _, state in mine] != [state for _, state in seen]:
            yield "\n".join([f"{what} was:", *map(str, mine), "and should have been:", *map(str, seen)])
        else:
            late = [f"{at}: {state}" for (at, state), (limit, _) in zip(mine, seen, strict=True) if at > limit + SCALE]
            yield from (f"{what} was late at {one}" for one in late)
    noted = {notice(n.type, n.reason, n.message, n.field_path) for n in notices}
    expected = {
        notice(one["type"], one["reason"], one["message"], one.get("fieldPath", ""))
        for one in trace["events"]
        if one["reason"] != "Pulled"
    }
    yield from (f"not in the trace: {one}" for one in noted - expected - set(play.missed.get("events", ())))
    yield from (f"only in the trace: {one}" for one in expected - noted)


def sequences(statuses: list[tuple[float, dict[str, Any]]]) -> dict[str, list[tuple[float, Any]]]:
    """The distinct states of everything that has states, each with when it was seen first."""
    found: dict[str, list[tuple[float, Any]]] = {}
    for at, status in statuses:
        phase = tuple(status.get(key, "") for key in ("phase", "reason", "message"))
        found.setdefault("phase", []).append((at, phase))
        observed = {one.get("observedGeneration") for one in (status, *status.get("conditions", ()))}
        found.setdefault("generations", []).append((at, observed))
        for one in status.get("conditions", ()):
            values = tuple(one.get(key, "") for key in ("status", "reason", "message"))
            found.setdefault(one["type"], []).append((at, values))
        for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            found.setdefault(one["name"], []).append((at, state_of(one)))
    return {name: [next(same) for _, same in groupby(states, lambda s: s[1])] for name, states in found.items()}


def state_of(one: dict[str, Any]) -> tuple[Any, ...]:
    """All that the status of a container says, but for times."""
    flags = f"{'ready ' if one['ready'] else ''}{'started' if one.get('started') else ''}".strip()
    return told(one.get("state", {})), told(one.get("lastState", {})), one["restartCount"], flags, user_of(one)


def user_of(one: dict[str, Any]) -> Any:
    """Who a container runs as, but for groups, as those of root are a matter of the place; None: nobody.

    Of one that has ended by itself and is removed kubelet knows it for as long as that takes.
    """
    if one["state"].get("waiting", {}).get("reason") == REMOVED:
        return None
    user = one.get("user", {}).get("linux")
    return user and (user["uid"], user["gid"])


def told(state: dict[str, Any]) -> Any:
    """A container state without its times, but for whether there are any."""
    for kind, fields in state.items():
        apart = ("containerID", "startedAt", "finishedAt")
        timeless = {key: value for key, value in fields.items() if key not in apart}
        if fields.get("startedAt", "") in (None, "1970-01-01T00:00:00Z"):
            timeless["startedAt"] = fields["startedAt"]
        return kind, tuple(sorted(timeless.items()))
    return ()


def notice(kind: str, reason: str, message: str, path: str) -> tuple[str, ...]:
    """An event without the output of a probe or a hook (kubelet keeps the latter to itself)."""
    has_output = reason in ("Unhealthy", "FailedPostStartHook", "FailedPreStopHook")
    return kind, reason, message.partition(": ")[0] if has_output else message, path
