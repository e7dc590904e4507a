"""Whose processes a container sees: all of them, or with `shareProcessNamespace: false` its own."""

from __future__ import annotations

import os
import signal
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stories.driver import INITSUP, Story, cli

pytestmark = pytest.mark.real

POD = """
    SHARE
    terminationGracePeriodSeconds = 1
    [[containers]]
    name = "deaf"
    command = ["sh", "-c", "sleep 1000 & echo pid $$$$; wait"]
    lifecycle.postStart.exec.command = ["sh", "-c", "sleep 2000 & echo hooked"]
    readinessProbe.exec.command = ["test", "-d", "/proc/1"]
    [[containers]]
    name = "hears"
    command = ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done"]
    """

Start = Callable[[str], Story]


@pytest.fixture
def pod(home: Path, run: Callable[..., Story]) -> Start:
    """Run the pod until it is ready; skips where processes cannot be kept apart."""

    def start(share: str) -> Story:
        (home / "pod.toml").write_text(textwrap.dedent(POD).replace("SHARE", share))
        if cli("check", "--here", str(home / "pod.toml")).returncode:
            pytest.skip("no PID namespaces here")
        story = run(home / "pod.toml")
        story.until_ready()
        return story

    return start


def inside(story: Story, container: str, script: str) -> list[str]:
    """What a shell in a container prints."""
    return story.exec(container, "sh", "-c", script).stdout.split()


def test_containers_see_all_processes_by_default(pod: Start) -> None:
    story = pod("")
    assert story.logs("deaf") != "pid 1\n"
    assert str(story.process.pid) in inside(story, "hears", "ls /proc")


def test_each_may_have_its_own(pod: Start) -> None:
    story = pod("shareProcessNamespace = false")
    assert story.logs("deaf") == "pid 1\n"
    assert inside(story, "deaf", "pgrep -x sleep | wc -l") == ["2"]  # its own, and what its hook has left
    assert inside(story, "hears", "pgrep -f 'sleep 1000' -x") == []
    assert inside(story, "hears", "ls -d /proc/1 && cat /proc/1/cmdline | tr '\\0' ' '")[:3] == ["/proc/1", "sh", "-c"]
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    assert len(pids) > len(inside(story, "hears", "ls -d /proc/[0-9]*"))


def test_a_program_that_is_pid_1_ends_by_sigterm_only_if_it_listens(pod: Start) -> None:
    story = pod("shareProcessNamespace = false")
    story.signal(signal.SIGTERM)
    assert story.ended() == 0
    assert "initsup: hears: ended with 7" in story.said()
    assert "initsup: deaf: ended with 137 (SIGKILL)" in story.said()
    assert story.strays() == set()


def test_commands_find_the_way_in_after_initsup_has_replaced_itself(pod: Start) -> None:
    story = pod("shareProcessNamespace = false")
    story.signal(signal.SIGUSR2)
    story.until(lambda: "goes on as version" in story.said(), "initsup is replaced")
    assert inside(story, "deaf", "readlink /proc/self/ns/pid") == inside(story, "deaf", "readlink /proc/1/ns/pid")
    story.ask("restart", "hears")
    story.until(lambda: story.container("hears")["restartCount"] == 1, "it is restarted")
    story.until_ready()
    assert inside(story, "hears", "cat /proc/1/comm") == ["sh"]


def test_who_looks_into_a_container_sees_its_processes(pod: Start) -> None:
    story = pod("shareProcessNamespace = false")
    look = ["sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '; pgrep -cx sleep"]
    for name, target, shown in (("beside", ["--target", "deaf"], "sleep 1000"), ("alone", [], "pgrep")):
        done = cli("debug", "--state-dir", str(story.state), "-c", name, *target, "--", *look)
        assert done.returncode == 0, done.stderr
        story.until(lambda name=name: story.logs(name).count("\n"), "it has looked")  # type: ignore[misc]
        assert shown in story.logs(name)


@pytest.mark.parametrize("once", ["true", "false"])
def test_stdin_once_ends_with_the_first_client(home: Path, run: Callable[..., Story], once: str) -> None:
    script = "while read -r line; do echo got $line; done; echo over; exec sleep 1000"
    (home / "pod.toml").write_text(
        f'[[containers]]\nname = "c"\nstdin = true\nstdinOnce = {once}\ncommand = ["sh", "-c", "{script}"]\n'
    )
    story = run(home / "pod.toml")
    story.until_ready()
    assert told(story, "one") == "got one\n"
    if once == "true":
        story.until(lambda: story.logs("c") == "got one\nover\n", "the input has ended")
    else:
        assert told(story, "two") == "got two\n"


def told(story: Story, word: str) -> str:
    """What the container answers to a client that attaches, says a word, and leaves."""
    command = [*INITSUP, "attach", "--state-dir", str(story.state), "-i", "-c", "c"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(f"{word}\n")
        client.stdin.flush()
        answer = client.stdout.readline()
        client.kill()
    return answer
