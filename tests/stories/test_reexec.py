"""initsup is replaced by exec while its pod runs: nothing that it has started notices, and nothing is lost."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.stories.driver import INITSUP, Story, need, private, until
from tests.stories.inits import NAMESPACE

pytestmark = pytest.mark.real

Run = Callable[..., Story]
PACKAGE = Path(__file__).parents[2] / "initsup"


@pytest.fixture
def start(run: Run, home: Path) -> Callable[..., Story]:
    """Start a pod of containers, each a name with its fields."""

    def begin(
        containers: dict[str, dict[str, Any]], *options: str, place: dict[str, Any] | None = None, **spec: Any
    ) -> Story:
        spec["containers"] = [{"name": name, **fields} for name, fields in containers.items()]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "story"}, "spec": spec}
        (home / "pod.json").write_text(json.dumps(pod))
        return run(home / "pod.json", options=("--console", "none", *options), **(place or {}))

    return begin


def shell(script: str, **fields: Any) -> dict[str, Any]:
    return {"command": ["sh", "-c", script], **fields}


def reexec(story: Story) -> str:
    done = story.ask("reexec")
    assert done.returncode == 0, done.stderr + story.said()
    return done.stdout


def children(story: Story) -> dict[int, float]:
    """Pid → when it was started, of what initsup itself has started."""
    return {one.pid: one.create_time() for one in story.supervisor.children()}


def arguments(story: Story) -> list[str]:
    found = []
    for child in story.supervisor.children(recursive=True):
        try:
            found.append(" ".join(child.cmdline()))
        except psutil.NoSuchProcess:
            continue
    return found


def spawn(story: Story, verb: str, *words: str, **options: Any) -> subprocess.Popen[str]:
    command = [*INITSUP, verb, "--state-dir", str(story.state), *words]
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **options}
    return subprocess.Popen(command, text=True, **options)


# -- what runs --------------------------------------------------------------------------------------------------------


def test_every_line_of_a_chatty_container_comes_once_and_in_order(start: Callable[..., Story]) -> None:
    count = 50_000
    script = f"""
        i=0
        while [ $i -lt {count} ]; do
            i=$((i + 1)); echo "out $i"
            [ $((i % 1000)) -ne 0 ] || {{ echo "err $i" >&2; printf 'half %d ' $i; sleep 0.01; }}
        done
        exec sleep 1000
    """
    story = start({"chatty": shell(script)})
    story.until_ready()
    with spawn(story, "logs", "-f") as follower:
        before = children(story)
        for _ in range(5):
            assert f"pid {story.process.pid}" in reexec(story)
        assert children(story) == before
        last = {f"out {count}", f"err {count}"}  # which may be far apart: each stream is read on its own
        story.until(lambda: last <= set(story.logs("chatty").splitlines()), "all is written", 90)
        lines = story.logs("chatty").splitlines()
        out = [line.rpartition("out ")[2] for line in lines if "out " in line]
        assert out == [str(number) for number in range(1, count + 1)]
        assert [line for line in lines if line[:4] == "err "] == [f"err {n}" for n in range(1000, count + 1, 1000)]
        assert sum(line.startswith("half ") for line in lines) == count // 1000 - 1
        assert follower.stdout is not None
        followed = [follower.stdout.readline() for _ in lines[:-1]]
        assert followed == [f"{line}\n" for line in lines[:-1]]
        assert story.ask("delete", "--now").returncode == 0
    assert story.ended() == 0
    assert not story.strays()


def test_counts_and_back_off_are_kept(start: Callable[..., Story]) -> None:
    story = start({"crash": shell("exit 3"), "stays": shell("exec sleep 1000")})

    def waits() -> dict[str, Any] | None:
        status = story.container("crash")
        return status if status.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff" else None

    before = story.until(waits, "the container is in its back-off")
    events = json.loads(story.ask("events", "-o", "json").stdout)["items"]
    ended = before["lastState"]["terminated"]["finishedAt"]
    reexec(story)
    assert waits() == before
    assert json.loads(story.ask("events", "-o", "json").stdout)["items"] == events

    def again() -> dict[str, Any] | None:
        status = story.container("crash")
        ends = [status.get(state, {}).get("terminated") for state in ("state", "lastState")]
        return next((end for end in ends if end and end["finishedAt"] > ended), None)

    # 10 s after its end, which is rounded to seconds on both sides.
    assert 9 <= seconds(story.until(again, "it has started again")["startedAt"]) - seconds(ended) <= 12
    assert story.container("crash")["restartCount"] == before["restartCount"] + 1
    assert story.container("stays")["restartCount"] == 0
    story.signal()
    assert story.ended() == 0


def seconds(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def test_volumes_environment_and_starts_are_as_before(start: Callable[..., Story], monkeypatch: Any) -> None:
    monkeypatch.setenv("STRANGE", os.fsdecode(b"not \xff text"))
    writer = shell(
        "echo kept > /data/file; trap 'exit 0' TERM; while :; do sleep 0.1; done",
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
    )
    reader = shell(
        "until [ -e /shared/file ]; do sleep 0.05; done; cat /shared/file; exec sleep 1000",
        volumeMounts=[{"name": "data", "mountPath": "/shared"}],
        env=[{"name": "ASKED", "value": "yes"}],
    )
    story = start(
        {"writer": writer, "reader": reader},
        "--set",
        'inheritEnv=["STRANGE"]',
        volumes=[{"name": "data", "emptyDir": {"sizeLimit": "1Mi"}}],
    )
    story.until_ready()
    reexec(story)
    reexec(story)
    assert story.exec("reader", "cat", "/shared/file").stdout == "kept\n"
    said = story.exec("reader", "sh", "-c", 'echo "$ASKED"; printf %s "$STRANGE" | od -An -c').stdout
    assert said.split() == ["yes", "n", "o", "t", "377", "t", "e", "x", "t"]
    story.exec("writer", "sh", "-c", "echo more >> /data/file")
    assert story.ask("restart", "reader").returncode == 0
    story.until(lambda: story.logs("reader") == "kept\nmore\n", "the new instance reads what was written")
    assert story.container("reader")["restartCount"] == 1
    story.signal()
    assert story.ended() == 0
    assert not story.strays()
    assert not (story.state / "volumes").exists()


def pid1() -> dict[str, Any]:
    return {"wrapper": private(*NAMESPACE), "forks": True}


def another_user() -> dict[str, Any]:
    """Somebody without any right, who can still read the interpreter wherever that is."""
    wrapper = [need("unshare"), "--user", "--map-user=1000", "--map-group=1000"]
    tried = subprocess.run([*wrapper, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no user namespaces here: {tried.stderr.strip()}")
    return {"wrapper": wrapper}


@pytest.mark.parametrize(
    ("place", "mode"),
    [
        pytest.param(pid1, "auto", id="as PID 1"),
        pytest.param(another_user, "auto", id="as another user, in a user namespace where that is allowed"),
        pytest.param(another_user, "link", id="as another user, with links"),
        pytest.param(dict, "link", id="with links"),
    ],
)
def test_it_works_in_every_place(
    start: Callable[..., Story], home: Path, place: Callable[[], dict[str, Any]], mode: str
) -> None:
    data = home / "data"
    mounts = [{"name": "data", "mountPath": str(data)}]
    script = f"echo kept > {data}/file; setsid sleep 1000 & trap 'exit 0' TERM; while :; do sleep 0.1; done"
    story = start(
        {"web": shell(script, volumeMounts=mounts)},
        *("--set", f"volumes.mode={mode}"),
        place=place(),
        volumes=[{"name": "data", "emptyDir": {}}],
    )
    story.until_ready()
    before = children(story)
    reexec(story)
    reexec(story)
    assert children(story) == before
    assert story.exec("web", "cat", f"{data}/file").stdout == "kept\n"
    assert data.is_symlink() == (mode == "link")
    assert story.ask("restart", "web").returncode == 0
    story.until(lambda: story.container("web").get("restartCount") == 1, "it has been started again")
    reexec(story)
    assert story.container("web")["restartCount"] == 1
    story.signal()
    assert story.ended() == 0
    assert not story.strays()
    assert not os.path.lexists(data)


def test_the_exit_code_is_the_culprits(start: Callable[..., Story], home: Path) -> None:
    script = f"until [ -e {home}/go ]; do sleep 0.05; done; echo last words > /dev/termination-log; exit 7"
    story = start({"web": shell(script)}, restartPolicy="Never")
    story.until_ready()
    reexec(story)
    (home / "go").touch()
    assert story.ended() == 7
    assert story.container("web")["state"]["terminated"]["message"] == "last words\n"


# -- what is under way ------------------------------------------------------------------------------------------------


def test_a_hook_that_runs_is_waited_for_and_runs_once(start: Callable[..., Story], home: Path) -> None:
    hook = f"echo began >> {home}/hooks; until [ -e {home}/go ]; do sleep 0.05; done; echo done >> {home}/hooks"
    lifecycle = {"postStart": {"exec": {"command": ["sh", "-c", hook]}}}
    story = start({"web": shell("exec sleep 1000", lifecycle=lifecycle)})
    story.until(lambda: (home / "hooks").exists(), "the hook has begun")
    with spawn(story, "reexec") as asking:
        story.until(lambda: "waiting for the postStart hook of web" in story.said(), "it waits for the hook")
        assert story.exec("web", "echo", "still here").stdout == "still here\n"
        assert asking.poll() is None
        (home / "go").touch()
        assert asking.wait(20) == 0
    story.until_ready()
    assert (home / "hooks").read_text() == "began\ndone\n"


def test_a_probe_that_runs_begins_anew_and_leaves_nothing(start: Callable[..., Story], home: Path) -> None:
    command = f"echo $$$$ >> {home}/probes; until [ -e {home}/go ]; do sleep 0.05; done"  # $$ is Kubernetes' for $
    probe = {"exec": {"command": ["sh", "-c", command]}, "timeoutSeconds": 100, "periodSeconds": 100}
    story = start({"web": shell("exec sleep 1000", readinessProbe=probe)})
    story.until(lambda: (home / "probes").exists(), "the probe has begun")
    reexec(story)
    pids = story.until(lambda: found if len(found := pids_in(home / "probes")) == 2 else None, "it begins anew")
    story.until(lambda: not psutil.pid_exists(pids[0]), "the first one is gone")
    assert psutil.pid_exists(pids[1])
    (home / "go").touch()
    story.until_ready()
    assert pids_in(home / "probes") == pids


def pids_in(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()]


def test_a_signal_that_comes_in_the_middle_is_not_lost(start: Callable[..., Story]) -> None:
    story = start({"web": shell("trap 'exit 0' TERM; while :; do sleep 0.05; done")})
    story.until_ready()
    story.signal(signal.SIGUSR2)
    status = Path(f"/proc/{story.process.pid}/status")

    def held() -> bool:
        """By initsup: when something is spawned all are, for a moment."""
        mask = int(re.findall(r"SigBlk:\s+(\w+)", status.read_text())[0], 16)
        return mask >> signal.SIGTERM - 1 & 1 == 1 and mask >> signal.SIGALRM - 1 & 1 == 0

    deadline = time.monotonic() + 30
    while not held():
        assert time.monotonic() < deadline
    story.signal(signal.SIGTERM)
    assert story.ended() == 0
    assert "goes on as version" in story.said()
    assert story.container("web")["state"]["terminated"]["exitCode"] == 0


# -- who asks ---------------------------------------------------------------------------------------------------------


def test_who_waits_for_an_answer_goes_along(start: Callable[..., Story], home: Path) -> None:
    """`get -w`, and `exec` with its output and exit code."""
    story = start({"web": shell("exec sleep 1000")})
    story.until_ready()
    go = home / "go"
    script = f"echo began; until [ -e {go} ]; do sleep 0.05; done; cat; exit 7"
    with (
        spawn(story, "get", "-w", "-o", "name") as watch,
        spawn(story, "exec", "-i", "-c", "web", "--", "sh", "-c", script, stdin=subprocess.PIPE) as command,
    ):
        assert watch.stdout is not None
        assert command.stdout is not None
        assert watch.stdout.readline() == "pod/story\n"
        assert command.stdout.readline() == "began\n"
        before = children(story)
        reexec(story)
        reexec(story)
        assert children(story) == before
        go.touch()
        assert command.communicate("the end\n", timeout=20) == ("the end\n", None)
        assert command.returncode == 7
        assert watch.poll() is None
        story.ask("delete", "--now")
        assert "pod/story\n" in watch.stdout.readlines()
        assert watch.wait(20) == 0
    assert story.ended() == 0


def test_an_exec_whose_client_leaves_after_it_is_still_ended(start: Callable[..., Story]) -> None:
    story = start({"web": shell("exec sleep 1000")})
    story.until_ready()
    with spawn(story, "exec", "-c", "web", "--", "sh", "-c", "sleep 4321 & echo began; wait") as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "began\n"
        reexec(story)
        assert "sleep 4321" in arguments(story)
        command.kill()
    story.until(lambda: "sleep 4321" not in arguments(story), "the command is gone")


def test_who_has_attached_stays_so(start: Callable[..., Story]) -> None:
    story = start({"web": shell('while read -r line; do echo "got $line"; done; exec sleep 1000', stdin=True)})
    story.until_ready()
    with spawn(story, "attach", "-i", "-c", "web", stdin=subprocess.PIPE) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        for word in ("one", "two", "three"):
            client.stdin.write(f"{word}\n")
            client.stdin.flush()
            assert client.stdout.readline() == f"got {word}\n"
            reexec(story)
        client.kill()
    assert story.logs("web") == "got one\ngot two\ngot three\n"


def test_two_at_a_time_are_both_answered(start: Callable[..., Story]) -> None:
    story = start({"web": shell("exec sleep 1000")})
    story.until_ready()
    with spawn(story, "reexec") as one, spawn(story, "reexec") as other:
        assert one.wait(30) == other.wait(30) == 0


def test_kubectl_finds_the_same_door(start: Callable[..., Story]) -> None:
    story = start({"web": shell("exec sleep 1000")})
    story.until_ready()
    assert story.ask("kubeconfig").returncode == 0
    config = json.loads((story.state / "kubeconfig").read_text())
    reexec(story)
    assert json.loads((story.state / "kubeconfig").read_text()) == config
    authority = config["clusters"][0]["cluster"]["certificate-authority-data"]
    context = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    place = urlsplit(config["clusters"][0]["cluster"]["server"])
    client = HTTPSConnection(str(place.hostname), place.port, context=context, timeout=20)
    token = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    client.request("GET", "/api/v1/namespaces/default/pods/story", headers=token)
    assert json.load(client.getresponse())["status"]["phase"] == "Running"
    client.close()


# -- which program it is ----------------------------------------------------------------------------------------------


@pytest.fixture
def new(start: Callable[..., Story]) -> tuple[Story, Path]:
    """A pod that runs, and the package that its next program would be: `python -m` looks in its directory first."""
    story = start({"web": shell("exec sleep 1000")})
    story.until_ready()
    package = story.state.parent / "initsup"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    return story, package


def test_the_one_that_goes_on_is_the_one_that_is_installed_now(new: tuple[Story, Path]) -> None:
    story, package = new
    before = children(story)
    (package / "__init__.py").write_text('__version__ = "77.7"\n')
    assert reexec(story) == f"initsup 77.7 goes on, pid {story.process.pid}\n"
    assert children(story) == before


@pytest.mark.parametrize(
    ("file", "old", "now", "why"),
    [
        pytest.param("__main__.py", "", "import sys\nsys.exit('broken')\n", "ended with 1 when it was tried: broken",
                     id="one that does not start"),
        pytest.param("cli/handover.py", "FORM = 2\n", "FORM = 3\n", "cannot go on from form 2 of the handover, only "
                     "from 3", id="one that knows another form of the handover"),
        pytest.param("core/facts.py", "began_at: float", "began_at: str", "cannot read what is handed over",
                     id="one that knows other facts"),
        pytest.param("core/decide.py", "def decide(", "def decide_(", "ended with 1 when it was tried",
                     id="one that has lost something"),
    ],
)  # fmt: skip
def test_one_that_cannot_go_on_is_refused(new: tuple[Story, Path], file: str, old: str, now: str, why: str) -> None:
    story, package = new
    before = children(story)
    text = (package / file).read_text()
    assert old in text
    (package / file).write_text(text.replace(old, now) if old else now)
    done = story.ask("reexec")
    assert done.returncode == 1
    assert why in done.stderr
    assert children(story) == before
    story.signal(signal.SIGUSR2)
    story.until(lambda: why in story.said(), "it is said")
    shutil.rmtree(package)
    reexec(story)
    assert children(story) == before
    story.signal()
    assert story.ended() == 0


# -- what is left -----------------------------------------------------------------------------------------------------


def test_nothing_is_left_open_or_running_after_many_of_them(start: Callable[..., Story]) -> None:
    story = start({"web": shell("exec sleep 1000"), "crash": shell("exit 1")})
    story.until(lambda: story.container("crash").get("restartCount", 0) >= 1, "it has crashed")
    reexec(story)
    descriptors, before = story.supervisor.num_fds(), children(story)
    for _ in range(5):
        reexec(story)
    # A client that has ended may be connected for one moment more, at the first look as well.
    story.until(lambda: story.supervisor.num_fds() <= descriptors, "nothing more is open")
    assert children(story) == before
    assert story.supervisor.num_threads() == 1
    assert "INITSUP_" not in story.exec("web", "env").stdout


def test_killed_afterwards_it_leaves_nothing_either(start: Callable[..., Story]) -> None:
    story = start({"web": shell("setsid sleep 1000 & exec sleep 1000")})
    story.until_ready()
    reexec(story)
    story.supervisor.kill()
    assert story.ended() == -signal.SIGKILL
    until(lambda: not story.strays(), "all is gone", 10)
