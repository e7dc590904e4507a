"""A run that ended without a word: what the verbs say of it afterwards, plainly and without a lie."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from initsup.core.phase import LOST_MESSAGE
from tests.stories.driver import Story, until

pytestmark = pytest.mark.real

POD = """\
restartPolicy = "OnFailure"

[[initContainers]]
name = "setup"
command = ["true"]

[[initContainers]]
name = "side"
restartPolicy = "Always"
command = ["sleep", "1000"]

[[containers]]
name = "app"
command = ["sh", "-c", "echo up; exec sleep 1000"]

[[containers]]
name = "crash"
command = ["sh", "-c", "exit 3"]

[[containers]]
name = "done"
command = ["true"]
"""


@pytest.fixture
def story(run: Callable[..., Story], home: Path) -> Story:
    """A pod with containers in all states."""
    (home / "pod.toml").write_text(POD)
    started = run(home / "pod.toml")
    started.until_status("CrashLoopBackOff")
    started.until(lambda: started.logs("app") == "up\n", "the container has spoken")
    return started


def kill(story: Story) -> None:
    story.process.kill()
    story.process.wait()
    until(lambda: not story.strays(), "the sentinel has done its work")


def test_get_says_that_it_is_lost(story: Story) -> None:
    kill(story)
    table = story.ask("get")
    assert table.stdout.splitlines()[1].split()[:3] == ["pod", "0/4", "ContainerStatusUnknown"]
    assert table.stderr == f"Warning: pod pod: {LOST_MESSAGE}\n"
    assert table.returncode == 0
    pod = story.get()
    assert pod is not None
    status = pod["status"]
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "NodeLost", LOST_MESSAGE)
    assert {one["type"]: (one["status"], one.get("reason")) for one in status["conditions"]} == {
        "PodReadyToStartContainers": ("False", None),
        "Initialized": ("True", None),
        "Ready": ("False", "PodFailed"),
        "ContainersReady": ("False", "PodFailed"),
        "PodScheduled": ("True", None),
    }


def test_containers_are_shown_as_far_as_they_are_known(story: Story) -> None:
    kill(story)
    ends = {name: story.container(name)["state"]["terminated"] for name in ("setup", "side", "app", "crash", "done")}
    assert {name: (end["exitCode"], end["reason"]) for name, end in ends.items()} == {
        "setup": (0, "Completed"),
        "side": (137, "ContainerStatusUnknown"),
        "app": (137, "ContainerStatusUnknown"),
        "crash": (137, "ContainerStatusUnknown"),
        "done": (0, "Completed"),
    }
    assert ends["app"]["finishedAt"] is None
    assert story.container("crash")["lastState"]["terminated"]["exitCode"] == 3


def test_what_happened_can_still_be_read(story: Story) -> None:
    kill(story)
    assert story.logs("app") == "up\n"
    last = story.ask("events", "--no-headers").stdout.splitlines()[-1]
    assert last.split(None, 4)[1:] == ["Warning", "NodeNotReady", "Pod/pod", LOST_MESSAGE]
    text = story.ask("describe").stdout
    assert f"Reason:       NodeLost\nMessage:      {LOST_MESSAGE}\n" in text
    assert "State:          Running" not in text
    assert "Back-off restarting failed container crash" in text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(("wait", "--for=condition=Ready"), 1, 'pod "pod" has ended', id="wait for what will not come"),
        pytest.param(("wait", "--for=phase=Failed"), 0, "condition met", id="wait for the failure"),
        pytest.param(("wait", "--for=delete"), 0, "condition met", id="wait for the end"),
        pytest.param(("delete",), 0, 'pod "pod" has ended already', id="delete"),
        pytest.param(("restart",), 1, "no initsup is running in", id="restart"),
        pytest.param(("signal", "-c", "app", "HUP"), 1, "no initsup is running in", id="signal"),
        pytest.param(("top",), 1, "no initsup is running in", id="top"),
        pytest.param(("health",), 1, "no initsup is running in", id="health"),
        pytest.param(("logs", "-f", "-c", "app"), 0, "up", id="logs that are followed"),
    ],
)
def test_what_verbs_do_afterwards(story: Story, words: tuple[str, ...], code: int, said: str) -> None:
    kill(story)
    done = story.ask(*words)
    assert said in done.stdout + done.stderr
    assert done.returncode == code


def test_who_watches_sees_it(story: Story) -> None:
    story.watch()
    story.until(lambda: story.seen() == ["CrashLoopBackOff"], "the watch has begun")
    assert story.watcher is not None
    kill(story)
    assert story.watcher.wait(20) == 0
    assert story.seen() == ["CrashLoopBackOff", "ContainerStatusUnknown"]


def test_who_waits_is_told(story: Story) -> None:
    words = [sys.executable, "-m", "initsup", "wait", "--for=condition=Ready", "--state-dir", str(story.state)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as waiter:
        until(lambda: psutil.Process(waiter.pid).net_connections("unix"), "it asks")
        kill(story)
        assert waiter.wait(20) == 1
        assert waiter.stderr is not None
        assert 'pod "pod" has ended and will not meet the condition' in waiter.stderr.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="tried as root only")
def test_what_goes_on_is_told(story: Story) -> None:
    story.sentinel().kill()
    story.until(lambda: "the sentinel was killed" in story.said(), "it has noticed")
    story.process.kill()
    story.process.wait()
    assert len(story.strays()) == 2
    assert "; 2 processes that it had started go on" in story.ask("get").stderr


def test_a_journal_that_cannot_be_read_is_an_error(story: Story) -> None:
    kill(story)
    (story.state / "journal.jsonl").write_text("{}\n")
    done = story.ask("get")
    assert done.returncode == 1
    assert done.stderr.startswith(f"initsup: cannot read {story.state}/journal.jsonl, is it of another version?")
