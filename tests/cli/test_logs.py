"""`initsup logs`: kubectl's options and words, on the files that a run left or goes on writing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from initsup.node.logfile import LogFile, line_time
from tests.cli.conftest import Done, Initsup
from tests.cli.fake import FakeInitsup
from tests.cli.sample import Object

RUNNING = {"running": {"startedAt": "2026-01-02T03:04:05Z"}}
TIME = "2026-01-02T03:04:05.678901234Z"


def ended_state(attempt: int) -> Object:
    return {"terminated": {"exitCode": 1, "containerID": f"initsup://u/x/{attempt}"}}


def pod(annotation: str = "", **states: tuple[Object, Object, int]) -> Object:
    """Containers web, db, and the init container setup; `states`: state, lastState and attempt of those that differ."""
    statuses = {}
    for name in ("web", "db", "setup"):
        state, last, attempt = states.get(name, (ended_state(0), {}, 0))
        statuses[name] = {
            "name": name,
            "state": state,
            "lastState": last,
            "containerID": f"initsup://u/{name}/{attempt}",
        }
    return {
        "metadata": {"name": "shop", "annotations": {"kubectl.kubernetes.io/default-container": annotation}},
        "spec": {"containers": [{"name": "web"}, {"name": "db"}], "initContainers": [{"name": "setup"}]},
        "status": {
            "containerStatuses": [statuses["web"], statuses["db"]],
            "initContainerStatuses": [statuses["setup"]],
        },
    }


def write(place: Path, container: str, *lines: str, attempt: int = 0, at: str = TIME) -> None:
    file = LogFile(str(place / "logs" / container), attempt, 10**6, 5)
    file.write([f"{at} stdout {'F' if line.endswith('!') else 'P'} {line.rstrip('!')}\n".encode() for line in lines])
    file.close()


@pytest.fixture
def place(ended: Callable[..., Path]) -> Path:
    """A run that has ended, whose containers have written something."""
    directory = ended(pod())
    write(directory, "web", "w1!", "w2!", "w3!")
    write(directory, "db", "d1!")
    write(directory, "setup", "s1!")
    return directory


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param(["web"], "w1\nw2\nw3\n", id="a container"),
        pytest.param(["-c", "web"], "w1\nw2\nw3\n", id="a container by option"),
        pytest.param(["shop", "db"], "d1\n", id="kubectl's words: pod and container"),
        pytest.param(["pod/shop", "db"], "d1\n", id="pod/NAME and container"),
        pytest.param(["shop", "-c", "db"], "d1\n", id="pod, and container by option"),
        pytest.param(["setup"], "s1\n", id="an init container"),
        pytest.param(["web", "--tail=2"], "w2\nw3\n", id="tail"),
        pytest.param(["web", "--tail", "-1"], "w1\nw2\nw3\n", id="a tail of -1 is all"),
        pytest.param(["web", "--tail", "0"], "", id="a tail of nothing"),
        pytest.param(["web", "--limit-bytes=4"], "w1\nw", id="limit-bytes"),
        pytest.param(["db", "--timestamps"], f"{TIME} d1\n", id="timestamps"),
        pytest.param(["db", "--prefix"], "[pod/shop/db] d1\n", id="prefix"),
        pytest.param(["db", "-f"], "d1\n", id="following what has ended ends"),
        pytest.param(["--all-containers"], "s1\nw1\nw2\nw3\nd1\n", id="all containers, init containers first"),
        pytest.param(["--all-containers", "-f", "--tail=1"], "s1\nw3\nd1\n", id="following all"),
        pytest.param(["db", "--since-time", TIME], "d1\n", id="since that time"),
        pytest.param(["db", "--since-time", "2026-01-02T05:04:05.678901234+02:00"], "d1\n", id="in another time zone"),
        pytest.param(["db", "--since-time", "2026-01-02T03:04:05.678901235Z"], "", id="since later, by a nanosecond"),
        pytest.param(["db", "--since-time", "2026-01-02T03:04:06Z"], "", id="since later"),
        pytest.param(["db", "--since", "1h"], "", id="nothing in the last hour"),
    ],
)
def test_what_is_shown(initsup: Initsup, place: Path, words: list[str], shown: str) -> None:
    assert initsup("logs", "--state-dir", place, *words) == Done(0, shown, "")


def test_since_counts_from_now(initsup: Initsup, place: Path) -> None:
    write(place, "db", "recent!", at=line_time(time.time_ns() - 5 * 10**9).decode())
    assert initsup("logs", "--state-dir", place, "db", "--since=1m").out == "recent\n"
    assert initsup("logs", "--state-dir", place, "db", "--since=1s").out == ""


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        pytest.param(["nosuch"], "container nosuch is not valid for pod shop", 1, id="no such container"),
        pytest.param(
            ["-p", "web"], 'previous terminated container "web" in pod "shop" not found', 1, id="no previous run"
        ),
        pytest.param(["--tail=-2", "web"], "--tail must be greater than or equal to -1", 2, id="a negative tail"),
        pytest.param(["--limit-bytes=0", "web"], "--limit-bytes must be greater than 0", 2, id="a limit of nothing"),
        pytest.param(["--since=-1s", "web"], "--since must be greater than 0", 2, id="a negative since"),
        pytest.param(
            ["--since=soon", "web"],
            "invalid argument 'soon' for '--since': such as 10s or 1h30m is expected",
            2,
            id="since",
        ),
        pytest.param(
            ["--since-time=12:00", "web"],
            "invalid argument '12:00' for '--since-time': RFC 3339 is expected, such as 2026-01-02T03:04:05Z",
            2,
            id="not a time",
        ),
        pytest.param(
            ["--since=1s", f"--since-time={TIME}", "web"],
            "at most one of `sinceTime` or `sinceSeconds` may be specified",
            2,
            id="since twice",
        ),
        pytest.param(
            ["shop", "web", "-c", "web"],
            "only one of -c or an inline [CONTAINER] arg is allowed",
            2,
            id="container twice",
        ),
    ],
)
def test_what_is_wrong(initsup: Initsup, place: Path, words: list[str], message: str, code: int) -> None:
    assert initsup("logs", "--state-dir", place, *words) == Done(code, "", f"initsup: {message}\n")


@pytest.mark.parametrize(
    ("annotation", "shown", "said"),
    [
        pytest.param(
            "", "w1\nw2\nw3\n", 'Defaulted container "web" out of: web, db, setup (init)\n', id="the first one"
        ),
        pytest.param("db", "d1\n", "", id="the annotation's"),
        pytest.param(
            "nosuch",
            "w1\nw2\nw3\n",
            'Defaulted container "web" out of: web, db, setup (init)\n',
            id="if there is such a one",
        ),
    ],
)
@pytest.mark.parametrize("words", [[], ["shop"], ["pod/shop"]])
def test_default_container(
    initsup: Initsup, place: Path, annotation: str, shown: str, said: str, words: list[str]
) -> None:
    (place / "pod.json").write_text(json.dumps(pod(annotation)))
    assert initsup("logs", "--state-dir", place, *words) == Done(0, shown, said)


def test_an_only_container_is_not_told(initsup: Initsup, place: Path) -> None:
    one: Any = pod()
    one["spec"] = {"containers": [{"name": "web"}]}
    (place / "pod.json").write_text(json.dumps(one))
    assert initsup("logs", "--state-dir", place) == Done(0, "w1\nw2\nw3\n", "")


def test_runs_of_a_container(initsup: Initsup, ended: Callable[..., Path]) -> None:
    place = ended(pod(web=(RUNNING, ended_state(1), 2)))
    for attempt in range(3):
        write(place, "web", f"run {attempt}!", attempt=attempt)
    assert initsup("logs", "--state-dir", place, "web").out == "run 2\n"
    assert initsup("logs", "--state-dir", place, "web", "-p").out == "run 1\n"


def test_of_all_containers_those_without_a_log_are_told(initsup: Initsup, ended: Callable[..., Path]) -> None:
    place = ended(pod(web=({"waiting": {"reason": "PodInitializing"}}, {}, 0)))
    write(place, "setup", "unended")
    write(place, "db", "d1!")
    assert initsup("logs", "--state-dir", place, "--all-containers") == Done(
        1, "unended\nd1\n", 'initsup: container "web" in pod "shop" is waiting to start: PodInitializing\n'
    )


def test_a_silent_container(initsup: Initsup, ended: Callable[..., Path]) -> None:
    assert initsup("logs", "--state-dir", ended(pod()), "web") == Done(0, "", "")


# -- following ------------------------------------------------------------------------------------------------------


class Following:
    """`initsup logs -f` in a thread; `text` is what it has printed."""

    def __init__(self, place: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "initsup", "logs", "-f", "--state-dir", str(place), *words], stdout=subprocess.PIPE
        )
        self.text = b""
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while data := self.process.stdout.read1():
            with self._more:
                self.text += data
                self._more.notify()
        self.process.stdout.close()

    def until(self, text: bytes) -> None:
        with self._more:
            assert self._more.wait_for(lambda: text in self.text, timeout=10), self.text

    def end(self) -> int:
        code = self.process.wait(10)
        self._thread.join()
        return code


def test_follow_until_the_container_ends(running: Callable[..., FakeInitsup], tmp_path: Path) -> None:
    fake = running(pod(web=(RUNNING, {}, 0)), stays=True)
    file = LogFile(str(tmp_path / "logs" / "web"), 0, 300, 5)
    file.write([f"{TIME} stdout F {n}\n".encode() for n in range(3)])
    following = Following(tmp_path, "web", "--tail=1")
    following.until(b"2\n")
    for n in range(3, 30):
        file.write([f"{TIME} stdout F {n}\n".encode()])
        following.until(b"\n%d\n" % n)
    fake.end()
    file.close()
    assert following.end() == 0
    assert following.text == b"".join(b"%d\n" % n for n in range(2, 30))


def test_follow_ends_though_the_container_starts_again(running: Callable[..., FakeInitsup], tmp_path: Path) -> None:
    fake = running(pod(web=(RUNNING, {}, 0)), pod(web=(RUNNING, ended_state(0), 1)), stays=True)
    write(tmp_path, "web", "first!")
    write(tmp_path, "web", "second!", attempt=1)
    following = Following(tmp_path, "web")
    assert following.end() == 0
    assert following.text == b"first\n"
    fake.end()


def test_a_reader_that_is_gone(place: Path) -> None:
    write(place, "web", *("x" * 1000 + "!" for _ in range(300)))
    code = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m initsup logs --state-dir {place} web | head -c1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert code.stdout == "w141\n"
    assert code.stderr == ""


def test_little_is_imported(place: Path) -> None:
    """A script may call it in a loop."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "initsup", "logs", "--state-dir", str(place), "web"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"yaml", "anyio", "asyncio", "psutil", "ssl", "threading", "datetime"}
