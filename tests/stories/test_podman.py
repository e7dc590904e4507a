"""A real container image, made from configs/container/Dockerfile, with initsup as PID 1 under podman."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stories.driver import SCALE
from tests.stories.podman import IMAGE, Container, Podman
from tests.stories.test_content import MANIFEST as CONTENT
from tests.stories.test_content import NGINX, PAGE, repository

PLACES = [
    pytest.param((), id="as root"),
    pytest.param(("--user=12345",), id="as a user without passwd entry"),
    pytest.param(("--cap-drop=all",), id="without capabilities"),
    pytest.param(("--read-only",), id="read-only"),
    pytest.param(("--user=12345", "--cap-drop=all", "--read-only"), id="with nothing"),
    pytest.param(("--init",), id="under another init"),
]

# How many processes there are, and how many of them are zombies.
COUNT = """
import pathlib
states = []
for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
    try:
        states.append(stat.read_text().rpartition(") ")[2][0])
    except OSError:
        pass
print(len(states), states.count("Z"))
"""

# The modules without bytecode, of initsup and of what it needs of the standard library.
UNCOMPILED = """
import asyncio, importlib.util, pathlib, sys
needed = [pathlib.Path(module.__file__) for module in [*sys.modules.values()] if getattr(module, "__file__", None)]
for file in [*pathlib.Path("/opt/initsup/lib").rglob("*.py"), *needed]:
    if file.suffix == ".py" and not pathlib.Path(importlib.util.cache_from_source(file)).exists():
        print(file)
"""

BOMB = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
told = False
while True:
    try:
        os.fork()
    except OSError as problem:
        told = told or print(problem, flush=True) or True
        time.sleep(0.1)
"""

Start = Callable[..., Container]

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Iterator[Podman]:
    """podman with the image."""
    place = tmp_path_factory.mktemp("podman")
    place.chmod(0o755)
    podman = Podman(place)
    try:
        podman.build(checkout)
        yield podman
    finally:
        podman.close()


@pytest.fixture
def start(podman: Podman, home: Path) -> Iterator[Start]:
    """`podman run --detach` of a pod given as TOML; the image's own if none is given."""
    started = []

    def run(toml: str = "", *options: str) -> Container:
        container = Container(podman, (f"--volume={home}:/pods:ro", *options), pod(home, toml))
        started.append(container)
        return container

    yield run
    for container in started:
        podman.run("rm", "--force", "--time", "0", container.id)


def pod(home: Path, toml: str) -> tuple[str, ...]:
    if not toml:
        return ()
    (home / "pod.toml").write_text(textwrap.dedent(toml))
    return ("/pods/pod.toml",)


def says(script: str, fields: str = "") -> str:
    """A pod that runs a script once."""
    command = f'name = "main"\ncommand = ["sh", "-c", {json.dumps(script)}]'
    return f'{fields}\nrestartPolicy = "Never"\n[[containers]]\n{command}'


def table(container: Container, verb: str = "get") -> list[list[str]]:
    return [line.split() for line in container.exec("initsup", verb).stdout.splitlines()]


# -- the image -------------------------------------------------------------------------------------------------------


def test_the_image_adds_little_and_all_of_it_is_compiled(podman: Podman) -> None:
    (info,) = json.loads(podman.run("inspect", IMAGE).stdout)
    (base,) = json.loads(podman.run("inspect", "localhost/python").stdout)
    assert info["Size"] - base["Size"] < 20e6
    assert info["Config"]["Entrypoint"] == ["initsup", "run"]
    assert info["Config"]["StopSignal"] in ("SIGTERM", "15")
    assert info["Healthcheck"]["Test"] == ["CMD", "initsup", "health"]
    done = podman.run("run", "--rm", "--network=none", "--entrypoint=python3", IMAGE, "-c", UNCOMPILED)
    assert done.stdout == ""


# -- the lifecycle ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", PLACES)
def test_the_example_becomes_healthy_and_stops_when_asked(start: Start, options: tuple[str, ...]) -> None:
    container = start("", "--health-interval=disable", *options)
    assert container.exec("initsup", "health").returncode in (0, 1), "all that a HEALTHCHECK may answer"
    container.until_healthy()
    assert table(container)[1][1:3] == ["1/1", "Running"]
    fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/').read().decode(), end='')"
    assert container.exec("python3", "-c", fetch).stdout == "<h1>It works</h1>\n"
    first = container.exec("cat", "/proc/1/cmdline").stdout
    assert ("podman-init" in first) == ("--init" in options), first
    state = container.stop()
    assert state.code == 0, container.said()
    assert state.stop < 10 * SCALE, "far from the 30 s of the pod's grace"
    assert container.said().endswith("initsup: pod pod: stopped on request, exit code 0\n")


@pytest.mark.parametrize("options", PLACES)
@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("exit 0", 0, id="0 when the pod has Succeeded"),
        pytest.param("exit 7", 7, id="the culprit's own"),
        pytest.param("kill -SEGV $$$$", 139, id="128 and the signal"),
    ],
)
def test_the_exit_code_of_podman_run(
    podman: Podman, home: Path, options: tuple[str, ...], script: str, code: int
) -> None:
    words = ("run", "--rm", "--network=none", "--no-healthcheck", f"--volume={home}:/pods:ro", *options, IMAGE)
    done = podman.run(*words, *pod(home, says(script)), check=False)
    assert done.returncode == code, done.stderr
    assert done.stderr.rstrip().endswith(f"exit code {code}")


def test_no_line_is_lost(start: Start) -> None:
    container = start(says("seq 200000; echo last >&2"), "--no-healthcheck")
    assert container.wait() == 0
    lines = container.printed().splitlines()
    assert [line for line in lines if not line.endswith("last")] == [f"[main] {n}" for n in range(1, 200001)]


def test_orphans_are_reaped(start: Start) -> None:
    script = "for i in $(seq 2000); do (sleep 1 &); done; wait; echo done; exec sleep 1000"
    container = start(says(script), "--no-healthcheck")
    container.until(lambda: "done" in container.printed(), "all orphans were there")

    def counted() -> bool:
        processes, zombies = map(int, container.exec("python3", "-c", COUNT).stdout.split())
        assert zombies < 2000
        return (processes, zombies) == (3, 0)  # initsup, the container, and the one that counts

    container.until(counted, "only the container is left")
    assert container.stop().code == 0


def test_a_second_signal_kills(start: Start, podman: Podman) -> None:
    script = "trap '' TERM; echo up; sleep 1000; sleep 1000"
    container = start(says(script, "terminationGracePeriodSeconds = 600"), "--no-healthcheck")
    container.until(lambda: "up" in container.printed(), "it runs")
    podman.run("kill", "--signal=TERM", container.id)
    container.until(lambda: "gracefully" in container.said(), "it is ending")
    podman.run("kill", "--signal=TERM", container.id)
    assert container.wait() == 0


# -- the pods of configs/ --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [*PLACES[:3], *PLACES[4:]])
def test_the_sidecar_ends_after_the_program(checkout: Path, start: Start, options: tuple[str, ...]) -> None:
    container = start((checkout / "configs/sidecar.toml").read_text(), "--no-healthcheck", *options)
    container.until(lambda: "good morning 1" in container.printed(), "the sidecar ships what the program logs")
    assert table(container)[1][1:3] == ["2/2", "Running"]
    assert container.stop().code == 0
    ends = re.findall(r"initsup: (app|ship-logs): (?:completed|ended)", container.said())
    assert ends == ["app", "ship-logs"]


def test_a_volume_that_cannot_be_linked_is_told(start: Start) -> None:
    """Root without the right to mount has links only, and a read-only root file system takes none."""
    volume = '\nvolumeMounts = [{ name = "v", mountPath = "/srv/v" }]\n[[volumes]]\nname = "v"\nemptyDir = {}\n'
    container = start(says("echo here > /srv/v/file; cat /srv/v/file") + volume, "--no-healthcheck", "--read-only")
    assert container.wait() == 2, container.said()
    assert "no link can be made in /srv, which cannot be written" in container.said()
    writable = start(
        says("echo here > /srv/v/file; cat /srv/v/file") + volume, "--no-healthcheck", "--read-only", "--tmpfs=/srv"
    )
    assert writable.wait() == 0, writable.said()
    assert writable.printed() == "[main] here\n"


def test_migrations_come_before_the_program_and_after_the_database(checkout: Path, home: Path, start: Start) -> None:
    for name, text in {"migrate.sh": "echo migrated", "app.sh": "echo serving; exec sleep 1000"}.items():
        (home / name).write_text(f"#!/bin/sh\n{text}\n")
        (home / name).chmod(0o755)
    options = ("--no-healthcheck", "--workdir=/pods", "--add-host=db-service:127.0.0.1")
    container = start((checkout / "configs/database.toml").read_text(), *options)
    container.until(lambda: table(container)[1:2] and table(container)[1][2] == "Init:0/2", "it waits for the database")
    container.podman.run("exec", "--detach", container.id, "nc", "-lk", "5432")
    container.until(lambda: "serving" in container.printed(), "the program runs")
    assert container.printed() == "[run-migrations] migrated\n[app]            serving\n"
    assert container.stop().code == 0


@pytest.mark.parametrize("options", [PLACES[0], PLACES[1]])
def test_nginx_serves_what_git_has_fetched(home: Path, podman: Podman, start: Start, options: tuple[str, ...]) -> None:
    user = "user root;" if not options else ""
    (home / "nginx.conf").write_text(NGINX.format(home="/tmp", port=8081, user=user))
    (home / "content.yaml").write_text(CONTENT)
    (home / "host.yaml").write_text(
        "kind: SupervisorConfiguration\napiVersion: initsup.dev/v1alpha1\n"
        "inheritEnv: [GIT_CONFIG_GLOBAL]\n"
        "images: {nginx: {command: [nginx, -c, /pods/nginx.conf]}}\n"
    )
    repository(home)
    (home / "gitconfig").write_text(
        '[url "file:///pods/remote/"]\ninsteadOf = https://github.com/example/\n[safe]\ndirectory = *\n'
    )
    env = "--env=GIT_CONFIG_GLOBAL=/pods/gitconfig"
    words = (f"--volume={home}:/pods:ro", "--health-interval=disable", env, *options)
    container = Container(podman, words, ("/pods/content.yaml", "/pods/host.yaml"))
    try:
        container.until_healthy()
        fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8081/').read().decode(), end='')"
        container.until(lambda: container.exec("python3", "-c", fetch).stdout == PAGE, "nginx answers")
        assert container.stop().code == 0
    finally:
        podman.run("rm", "--force", "--time", "0", container.id)


# -- terminals and limits --------------------------------------------------------------------------------------------


class Terminal:
    """A `podman run -it` on a terminal of its own."""

    def __init__(self, podman: Podman, *arguments: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(podman.program, podman.words("run", "--rm", "-it", "--network=none", *arguments), podman.environ)
        self.text = ""

    def read(self, until: str = "") -> str:
        """What it shows up to `until`, or up to the end."""
        while not until or until not in self.text:
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # EIO: nobody has the other side any longer
                break
            if not data:
                break
            self.text += data.decode(errors="replace")
        assert until in self.text, self.text
        return self.text

    def end(self) -> int:
        """The exit code, after everything has been read."""
        self.read()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_on_a_terminal_ctrl_c_ends_it(podman: Podman, home: Path) -> None:
    toml = says("trap 'echo bye; exit 0' TERM; echo up; sleep 1000 & wait")
    terminal = Terminal(podman, "--no-healthcheck", f"--volume={home}:/pods:ro", IMAGE, *pod(home, toml))
    signal.alarm(int(60 * SCALE))  # ends the read
    terminal.read("\x1b[36m[main]\x1b[0m up")  # in colour
    os.write(terminal.fd, b"\x03")
    assert terminal.end() == 0
    signal.alarm(0)
    assert "bye" in terminal.text


def test_a_container_with_a_terminal_of_its_own(podman: Podman, home: Path) -> None:
    toml = says("tty; stty size; read line; echo got $line") + "\nstdin = true\ntty = true\n"
    terminal = Terminal(podman, "--no-healthcheck", "--name=own", f"--volume={home}:/pods:ro", IMAGE, *pod(home, toml))
    signal.alarm(int(60 * SCALE))
    terminal.read("/dev/pts/")
    words = podman.words("exec", "-i", "own", "initsup", "attach", "-i", "-c", "main")
    attached = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=podman.environ)
    assert attached.stdin is not None
    attached.stdin.write(b"words\n")
    attached.stdin.flush()
    terminal.read("got words")
    attached.communicate(timeout=20 * SCALE)
    assert terminal.end() == 0
    signal.alarm(0)


def test_a_fork_bomb_within_a_limit_of_pids_is_ended(home: Path, start: Start) -> None:
    (home / "bomb.py").write_text(BOMB)
    container = start(
        says("exec python3 /pods/bomb.py", "terminationGracePeriodSeconds = 2"), "--no-healthcheck", "--pids-limit=30"
    )
    container.until(lambda: "temporarily unavailable" in container.printed(), "the container has used them up")
    state = container.stop()
    assert state.code == 0, container.said()
    assert "Traceback" not in container.said()


def test_no_pid_for_any_container(podman: Podman, home: Path) -> None:
    words = ("run", "--rm", "--network=none", "--no-healthcheck", "--pids-limit=1", f"--volume={home}:/pods:ro", IMAGE)
    done = podman.run(*words, *pod(home, says("true")), check=False)
    assert done.returncode not in (0, 1)
    assert "resource temporarily unavailable" in done.stderr.lower()
    assert "Traceback" not in done.stderr
