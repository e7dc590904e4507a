"""Clients that watch see every state, also one that lasts no longer than it takes to start again."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sim import distinct
from tests.stories.driver import Story

pytestmark = pytest.mark.real

ONE_FAILURE = """\
[[containers]]
name = "app"
command = ["sh", "-c", "test -e again && exec sleep 100; touch again; until test -e go; do sleep 0.02; done; exit 3"]
workingDir = "{home}"
"""
STATES = ["running", "Error", "running"]


@pytest.fixture
def story(run: Callable[..., Story], home: Path) -> Story:
    (home / "pod.toml").write_text(ONE_FAILURE.format(home=home))
    started = run(home / "pod.toml")
    started.until_ready()
    return started


def test_get_w_shows_a_failure_before_the_restart(story: Story, home: Path) -> None:
    story.watch()
    story.until(lambda: story.seen() == ["Running"], "the watch has begun")
    (home / "go").touch()
    story.until(lambda: len(story.seen()) > 2, "the restart is seen")
    assert story.seen() == ["Running", "Error", "Running"]


def test_the_kubernetes_api_shows_a_failure_before_the_restart(story: Story, home: Path) -> None:
    seen: list[str] = []
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(story.state / "api.sock"))
        client.sendall(b"GET /api/v1/namespaces/default/pods?watch=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with client.makefile("rb") as stream:
            while len(seen) < len(STATES):
                line = stream.readline()
                if line.startswith(b"{"):
                    (home / "go").touch()
                    (status,) = json.loads(line)["object"]["status"]["containerStatuses"]
                    kind, fields = next(iter(status["state"].items()))
                    seen = distinct([*seen, fields.get("reason", kind)])
    assert seen == STATES
