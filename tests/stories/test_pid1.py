"""initsup as PID 1, as it is in a container image."""

from __future__ import annotations

import os
import signal
import socket
import textwrap
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stories.driver import Story, private
from tests.stories.inits import NAMESPACE, SUPERVISOR, NotApplicable, World
from tests.stories.pid1_cases import CASES, orphans

pytestmark = pytest.mark.real


@pytest.fixture
def as_pid_1(home: Path, run: Callable[..., Story]) -> Callable[..., Story]:
    """Run a pod, given as TOML, with initsup as PID 1 of a namespace."""
    wrapper = private(*NAMESPACE)

    def start(toml: str, *options: str) -> Story:
        (home / "pod.toml").write_text(textwrap.dedent(toml))
        return run(home / "pod.toml", wrapper=wrapper, forks=True, options=options)

    return start


@pytest.fixture
def world(home: Path) -> Iterator[World]:
    """initsup, to be tried in the cases that are for any PID 1."""
    world = World(SUPERVISOR, home)
    yield world
    world.close()


@pytest.mark.parametrize("name", [name for name in CASES if name not in SUPERVISOR.differs])
def test_like_any_pid_1(world: World, name: str) -> None:
    try:
        CASES[name](world)
    except NotApplicable as why:
        pytest.skip(str(why))


def test_twenty_thousand_orphans(world: World) -> None:
    if os.geteuid() or int(Path("/proc/sys/kernel/pid_max").read_text()) < 25_000:
        pytest.skip("there are too few pids, or too few for a plain user")
    orphans(world, 20_000)


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
        pytest.param("restartPolicy = 'Never'\nexit = 'exit 7'", 7, id="the culprit's own code when it Failed"),
        pytest.param("activeDeadlineSeconds = 1\nexit = 'exec sleep 1000'", 124, id="124 when the deadline has passed"),
        pytest.param("colour = 'red'", 2, id="2 for bad input"),
    ],
)
def test_exit_codes(as_pid_1: Callable[..., Story], spec: str, code: int) -> None:
    fields, _, command = spec.partition("\nexit = ")
    story = as_pid_1(f"{fields}\n[[containers]]\nname = 'main'\ncommand = ['sh', '-c', {command or repr('true')}]\n")
    assert story.ended() == code, story.said()


def test_the_pod_of_the_example_image(checkout: Path, home: Path, as_pid_1: Callable[..., Story]) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    pod = (checkout / "configs/container/pod.toml").read_text()
    for before, after in (("/tmp/pages", f"{home}/pages"), ("8080", str(port))):
        pod = pod.replace(before, after)
    story = as_pid_1(pod, "--set", "volumes.mode=link")  # what there is in an ordinary container
    story.until_ready()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        assert answer.read() == b"<h1>It works</h1>\n"
    story.signal()
    assert story.ended() == 0
    assert not (home / "pages").exists()
