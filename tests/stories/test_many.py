"""Two hundred containers in one pod."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stories.driver import Story

COUNT = 200

pytestmark = pytest.mark.real


def test_two_hundred_containers(home: Path, run: Callable[..., Story]) -> None:
    containers = [{"name": f"c{number}", "command": ["sleep", "1000"]} for number in range(COUNT)]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "many"}, "spec": {"containers": containers}}
    (home / "many.json").write_text(json.dumps(pod))
    began = time.monotonic()

    story = run(home / "many.json")
    story.until_ready(timeout=60)
    ready = time.monotonic()
    assert story.row()[:3] == ["many", f"{COUNT}/{COUNT}", "Running"]
    supervisor = story.supervisor
    children = [child.name() for child in supervisor.children()]
    assert children.count("sleep") == COUNT
    assert len(children) <= COUNT + 1  # the sentinel
    assert supervisor.num_threads() == 1

    asked = time.monotonic()
    assert story.ask("delete").returncode == 0
    assert story.ended() == 0
    print(f"{COUNT} containers: Ready after {ready - began:.2f} s, gone {time.monotonic() - asked:.2f} s after delete")
    assert not story.strays()
    states = [status["state"] for status in (story.get() or {})["status"]["containerStatuses"]]
    assert [list(state) for state in states] == [["terminated"]] * COUNT
