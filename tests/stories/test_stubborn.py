"""Probes and hooks that hang, flood, fork away or ignore signals: they end in time, with everything they started."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.node.attempt_world import STUBBORN
from tests.stories.driver import Story, descendants

pytestmark = pytest.mark.real

Start = Callable[..., Story]
GRACE = 2
OWN = ["sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]


@pytest.fixture
def start(run: Callable[..., Story], home: Path) -> Start:
    """Run a pod of these containers, given by name; each sleeps until it is told to end."""

    def begin(containers: dict[str, dict[str, Any]]) -> Story:
        pod: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stubborn"}}
        pod["spec"] = {
            "terminationGracePeriodSeconds": GRACE,
            "containers": [{"name": name, "command": OWN, **fields} for name, fields in containers.items()],
        }
        (home / "pod.json").write_text(json.dumps(pod))
        return run(home / "pod.json")

    return begin


def named(what: str) -> str:
    """A container's name."""
    return what.lower().replace(" ", "-")


def told(story: Story, reason: str) -> dict[str, str]:
    """The messages of events with this reason, by container."""
    done = story.ask("events", "-o", "json")
    events = json.loads(done.stdout)["items"] if done.returncode == 0 else []
    return {
        event["involvedObject"]["fieldPath"].partition("{")[2].rstrip("}"): event["message"]
        for event in events
        if event["reason"] == reason
    }


def others(story: Story) -> list[str]:
    """What runs below initsup that is neither a container's own nor the sentinel, nor about to become one of these."""
    found = []
    about_to = " ".join(story.supervisor.cmdline())  # it has initsup's words until it is executed
    for one in descendants(story.supervisor):
        with suppress(psutil.NoSuchProcess):
            found.append(" ".join(one.cmdline()))
    not_meant = ("", about_to, " ".join(OWN), "sleep infinity")
    return [line for line in found if line not in not_meant and "sentinel" not in line]


def test_exec_probes(start: Start) -> None:
    story = start(
        {
            named(what): {
                "readinessProbe": {
                    "exec": {"command": [word.replace("$$", "$$$$") for word in argv]},
                    "periodSeconds": 3600,
                }
            }
            for what, argv in STUBBORN.items()
        }
    )
    names = {named(what) for what in STUBBORN}
    story.until(lambda: told(story, "Unhealthy").keys() == names, "every probe has failed")
    for message in told(story, "Unhealthy").values():
        assert message.startswith("Readiness probe failed: command timed out: ")
        assert message.endswith(" timed out after 1s")
    story.until(lambda: not others(story), "nothing of them is left", timeout=5)
    assert {story.container(name)["restartCount"] for name in names} == {0}
    story.signal()
    assert story.ended() == 0
    assert not story.strays()


def test_exec_pre_stop_hooks(start: Start) -> None:
    hooks = {named(what): {"lifecycle": {"preStop": {"exec": {"command": argv}}}} for what, argv in STUBBORN.items()}
    story = start(hooks)
    story.until_ready()
    asked = time.monotonic()
    story.signal()
    assert story.ended() == 0
    assert time.monotonic() - asked >= GRACE
    assert not story.strays()
    for name in hooks:
        end = story.container(name)["state"]["terminated"]
        assert (end["exitCode"], end["reason"]) == (0, "Completed"), name  # it still got its stop signal


@pytest.mark.parametrize("what", STUBBORN)
def test_exec_post_start_hooks_end_with_their_pod(start: Start, what: str) -> None:
    story = start({"a": {"lifecycle": {"postStart": {"exec": {"command": STUBBORN[what]}}}}})
    story.until(lambda: others(story), "the hook runs")
    story.signal()
    assert story.ended() == 0
    assert not story.strays()
