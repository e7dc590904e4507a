"""initsup as PID 1, as it is in a container image."""

from __future__ import annotations

import signal
import socket
import sys
import textwrap
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.stories.driver import Story, private

NAMESPACE = ("--pid", "--fork", "--kill-child", "--mount-proc")
ORPHANS = 1000

# Each orphan is forked twice and lives until all of them do: then they end at once.
ORPHANAGE = f"""
import os, signal, sys
gate, opener = os.pipe()
for _ in range({ORPHANS}):
    middle = os.fork()
    if middle == 0:
        if os.fork() == 0:
            os.close(opener)
            os.read(gate, 1)
        os._exit(0)
    os.waitpid(middle, 0)
os.close(opener)
print("released", flush=True)
signal.pause()
"""

pytestmark = pytest.mark.real


@pytest.fixture
def as_pid_1(home: Path, run: Callable[..., Story]) -> Callable[..., Story]:
    """Run a pod, given as TOML, with initsup as PID 1 of a namespace."""
    wrapper = private(*NAMESPACE)

    def start(toml: str, *options: str) -> Story:
        (home / "pod.toml").write_text(textwrap.dedent(toml))
        return run(home / "pod.toml", wrapper=wrapper, forks=True, options=options)

    return start


def members(supervisor: psutil.Process) -> list[str]:
    """The states of all processes below PID 1."""
    found: list[str] = []
    for child in supervisor.children(recursive=True):
        try:
            found.append(child.status())
        except psutil.NoSuchProcess:
            continue
    return found


def test_a_thousand_orphans_leave_no_zombie(home: Path, as_pid_1: Callable[..., Story]) -> None:
    (home / "orphanage.py").write_text(ORPHANAGE)
    story = as_pid_1(f"""
        [[containers]]
        name = "orphanage"
        command = ["{sys.executable}", "{home}/orphanage.py"]
        """)
    story.until(lambda: story.logs("orphanage") == "released\n", "all orphans were there", timeout=60)
    story.until(lambda: len(members(story.supervisor)) == 1, "only the container is left")
    assert psutil.STATUS_ZOMBIE not in members(story.supervisor)
    assert story.container("orphanage")["restartCount"] == 0
    assert story.supervisor.num_threads() == 1
    story.signal()
    assert story.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_it_gracefully(home: Path, as_pid_1: Callable[..., Story], number: signal.Signals) -> None:
    story = as_pid_1(f"""
        [[containers]]
        name = "polite"
        command = ["sh", "-c", "trap 'echo bye > {home}/bye; exit 0' TERM; echo up; sleep 1000 & wait"]
        """)
    story.until(lambda: story.logs("polite") == "up\n", "the trap is set")
    story.signal(number)
    assert story.ended() == 0
    assert (home / "bye").read_text() == "bye\n"
    assert not story.strays()


def test_a_second_signal_kills(as_pid_1: Callable[..., Story]) -> None:
    story = as_pid_1("""
        terminationGracePeriodSeconds = 600
        [[containers]]
        name = "deaf"
        command = ["sh", "-c", "trap '' TERM; echo up; sleep 1000; sleep 1000"]
        """)
    story.until(lambda: story.logs("deaf") == "up\n", "the trap is set")
    story.signal()
    story.until_status("Terminating")
    story.signal()
    story.ended()
    assert not story.strays()


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        pytest.param("restartPolicy = 'Never'", 0, id="0 when the pod has Succeeded"),
        pytest.param("restartPolicy = 'Never'\nexit = 'exit 7'", 7, id="the culprit's own code when it Failed"),
        pytest.param("activeDeadlineSeconds = 1\nexit = 'exec sleep 1000'", 124, id="124 when the deadline has passed"),
        pytest.param("colour = 'red'", 2, id="2 for bad input"),
    ],
)
def test_exit_codes(as_pid_1: Callable[..., Story], spec: str, code: int) -> None:
    fields, _, command = spec.partition("\nexit = ")
    story = as_pid_1(f"{fields}\n[[containers]]\nname = 'main'\ncommand = ['sh', '-c', {command or repr('true')}]\n")
    assert story.ended() == code, story.said()


def test_128_and_the_signal_that_killed_the_culprit(home: Path, as_pid_1: Callable[..., Story]) -> None:
    story = as_pid_1("""
        restartPolicy = "Never"
        [[containers]]
        name = "main"
        command = ["sh", "-c", "kill -KILL $$$$"]  # `$$` is how a `$` is written in a command
        """)
    assert story.ended() == 137, story.said()


def test_the_pod_of_the_example_image(checkout: Path, home: Path, as_pid_1: Callable[..., Story]) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    pod = (checkout / "configs/container/pod.toml").read_text()
    for before, after in ((" /pages", f" {home}/pages"), ('"/pages', f'"{home}/pages'), ("8080", str(port))):
        pod = pod.replace(before, after)
    story = as_pid_1(pod, "--set", "volumes.mode=link")  # what there is in an ordinary container
    story.until_ready()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        assert answer.read() == b"<h1>It works</h1>\n"
    story.signal()
    assert story.ended() == 0
    assert not (home / "pages").exists()
