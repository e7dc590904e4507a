"""The golden traces in the simulated world: the core must show of each pod what a real kubelet showed of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from initsup.core.events import Event, StopAsked
from initsup.core.plan import plan
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Pod
from tests.golden.plays import PLAYS, Play
from tests.golden.trace import NOT_HERE, TRACES, differences, load, params
from tests.sim import World

pytestmark = pytest.mark.skipif(not TRACES.is_dir(), reason=NOT_HERE)


@pytest.mark.parametrize("name", params())
def test_the_core_shows_what_a_kubelet_showed(name: str) -> None:
    trace, play = load(name), PLAYS[name]
    world = played(trace, play)
    assert "\n".join(differences(trace, play, world.shown, [notice for _, notice in world.notices])) == ""


def played(trace: dict[str, Any], play: Play) -> World:
    """The trace's pod in a world of its own, for as long as it was recorded."""
    asked = trace["manifest"]
    pod = msgspec.convert({**asked, "metadata": {**asked["metadata"], "namespace": "default", "uid": "POD-UID"}}, Pod)
    asks: list[Event] = [
        StopAsked(at=play.ask_at if play.ask_at is not None else action["at"], grace=action.get("grace"))
        for action in trace["actions"]
    ]
    return World(plan(Manifest(pod=pod)), play.script, *asks).run(trace["snapshots"][-1]["t"] + 1)
