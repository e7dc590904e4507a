"""Golden traces: what a real kubelet showed of a pod, state by state, must be what the core shows of it.

Compared are the sequences of distinct states of each container, of the phase and of each condition, when each of them
came (not later than a second after kubelet), and which events there were. Left out is what belongs to a cluster:
addresses, image ids, resources, generations, image events.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest

from initsup.core.events import Event, StopAsked
from initsup.core.plan import plan
from initsup.spec.base import to_dict
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Pod
from tests.golden.plays import PLAYS, Play
from tests.sim import World

TRACES = Path(__file__).parents[2] / ".." / "shared" / "golden"
NOT_REPRODUCED: dict[str, str] = {}
"""Traces that differ, with the reason."""

pytestmark = pytest.mark.skipif(not TRACES.is_dir(), reason="the golden traces are not here")


def traces() -> list[Any]:
    """All traces that are there."""
    found = []
    for name in sorted(path.stem for path in TRACES.glob("*.json")) or ["none"]:
        why = NOT_REPRODUCED.get(name)
        found.append(pytest.param(name, id=name, marks=[pytest.mark.xfail(strict=True, reason=why)] if why else []))
    return found


@pytest.mark.parametrize("name", traces())
def test_shows_what_a_kubelet_showed(name: str) -> None:
    trace, play = json.loads((TRACES / f"{name}.json").read_text()), PLAYS[name]
    world = played(trace, play)
    theirs = sequences([(shot["t"], shot["status"]) for shot in trace["snapshots"] if "conditions" in shot["status"]])
    ours = sequences([(shown.at, to_dict(shown.status, defaults=True)) for shown in world.shown])
    over = trace["snapshots"][-1]["status"]["phase"] in ("Succeeded", "Failed")
    assert ours.keys() == theirs.keys()
    for what, seen in theirs.items():
        mine = [(at, state) for at, state in ours[what] if state not in play.missed.get(what, ())]
        mine = mine[: None if over else len(seen)]
        assert [state for _, state in mine] == [state for _, state in seen], what
        late = [state for (at, state), (limit, _) in zip(mine, seen, strict=False) if at > limit + 1]
        assert not late, what
    noted = {notice(n.type, n.reason, n.message, n.field_path) for _, n in world.notices}
    assert noted - set(play.missed.get("events", ())) == {
        notice(one["type"], one["reason"], one["message"], one.get("fieldPath", ""))
        for one in trace["events"]
        if one["reason"] != "Pulled"
    }


def played(trace: dict[str, Any], play: Play) -> World:
    """The trace's pod in a world of its own, for as long as it was recorded."""
    asked = trace["manifest"]
    pod = msgspec.convert({**asked, "metadata": {**asked["metadata"], "namespace": "default", "uid": "POD-UID"}}, Pod)
    asks: list[Event] = [
        StopAsked(at=play.ask_at if play.ask_at is not None else action["at"], grace=action.get("grace"))
        for action in trace["actions"]
    ]
    return World(plan(Manifest(pod=pod)), play.script, *asks).run(trace["snapshots"][-1]["t"] + 1)


def sequences(statuses: list[tuple[float, dict[str, Any]]]) -> dict[str, list[tuple[float, Any]]]:
    """The distinct states of everything that has states, each with when it was seen first."""
    found: dict[str, list[tuple[float, Any]]] = {}
    for at, status in statuses:
        phase = tuple(status.get(key, "") for key in ("phase", "reason", "message"))
        found.setdefault("phase", []).append((at, phase))
        for one in status.get("conditions", ()):
            values = tuple(one.get(key, "") for key in ("status", "reason", "message"))
            found.setdefault(one["type"], []).append((at, values))
        for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            found.setdefault(one["name"], []).append((at, state_of(one)))
    return {name: [next(same) for _, same in groupby(states, lambda s: s[1])] for name, states in found.items()}


def state_of(one: dict[str, Any]) -> tuple[Any, ...]:
    """All that the status of a container says, but for times."""
    flags = f"{'ready ' if one['ready'] else ''}{'started' if one.get('started') else ''}".strip()
    return told(one.get("state", {})), told(one.get("lastState", {})), one["restartCount"], flags


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
