"""`initsup delete`, `restart` and `signal`: what is asked, and what is said."""

import fcntl
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from initsup.api import client
from initsup.api.client import POD, SOCKET
from initsup.cli.state import StateDir
from tests.cli.conftest import Initsup
from tests.cli.fake import FakeInitsup
from tests.cli.sample import Object, pod

Ended = Callable[..., Path]
Running = Callable[..., FakeInitsup]


def asked(fake: FakeInitsup, verb: str) -> list[Object]:
    return [{k: v for k, v in request.items() if k != "verb"} for request in fake.requests if request["verb"] == verb]


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        pytest.param([], {"grace": None, "now": False}, id="with the pod's own grace period"),
        pytest.param(["--grace-period=5"], {"grace": 5, "now": False}, id="with another one"),
        pytest.param(["--grace-period", "0", "--force"], {"grace": 0, "now": False}, id="with none"),
        pytest.param(["--now"], {"grace": None, "now": True}, id="now"),
    ],
)
def test_delete(initsup: Initsup, running: Running, tmp_path: Path, words: list[str], request_: Object) -> None:
    fake = running(pod(), pod("Succeeded"))
    assert initsup("delete", *words, "--state-dir", tmp_path) == (0, 'pod "web" deleted\n', "")
    assert asked(fake, "delete") == [request_]


def test_delete_waits_for_the_end(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    fake = running(pod(), pod("Succeeded"))
    initsup("delete", "--state-dir", tmp_path)
    assert asked(fake, "get")[-1] == {"watch": True}


def test_delete_need_not_wait(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    fake = running(pod(), stays=True)
    assert initsup("delete", "--wait=false", "--state-dir", tmp_path).out == 'pod "web" deleted\n'
    assert asked(fake, "get") == [{}]


def test_delete_waits_as_long_as_it_may(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    running(pod(), stays=True)
    done = initsup("delete", "--timeout=50ms", "--state-dir", tmp_path)
    assert done == (1, 'pod "web" deleted\n', "error: timed out waiting for the condition on pods/web\n")


def test_delete_now_or_with_a_grace_period(initsup: Initsup, tmp_path: Path) -> None:
    done = initsup("delete", "--now", "--grace-period=3", "--state-dir", tmp_path)
    assert done == (2, "", "initsup: --now and --grace-period cannot be specified together\n")


def test_delete_of_a_pod_that_has_ended(initsup: Initsup, ended: Ended) -> None:
    assert initsup("delete", "--state-dir", ended(pod("Failed"))) == (0, "", 'pod "web" has ended already\n')


def test_delete_of_nothing(initsup: Initsup, tmp_path: Path) -> None:
    assert initsup("delete", "--state-dir", tmp_path / "none").code == 1


@pytest.mark.parametrize("words", [["app"], ["-c", "app"], ["--container=app"], ["pod/web", "app"]])
def test_restart_one_container(initsup: Initsup, running: Running, tmp_path: Path, words: list[str]) -> None:
    fake = running(pod())
    assert initsup("restart", *words, "--state-dir", tmp_path).out == 'container "app" restarted\n'
    assert asked(fake, "restart") == [{"container": "app"}]


def test_restart_all(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    fake = running(pod())
    fake.answers["restart"] = {"containers": ["app", "side"]}
    out = initsup("restart", "--state-dir", tmp_path).out
    assert out == 'container "app" restarted\ncontainer "side" restarted\n'
    assert asked(fake, "restart") == [{"container": None}]


def test_a_refusal_is_told(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    fake = running(pod())
    fake.answers["restart"] = {"error": "the pod is ending", "code": 1}
    assert initsup("restart", "app", "--state-dir", tmp_path) == (1, "", "initsup: the pod is ending\n")


@pytest.mark.parametrize(("word", "number"), [("HUP", 1), ("SIGHUP", 1), ("usr1", 10), ("15", 15), ("RTMIN+1", 35)])
def test_signal(initsup: Initsup, running: Running, tmp_path: Path, word: str, number: int) -> None:
    fake = running(pod())
    done = initsup("signal", "-c", "app", word, "--state-dir", tmp_path)
    assert done.code == 0
    assert done.out.startswith('container "app" got SIG')
    assert asked(fake, "signal") == [{"container": "app", "signal": number}]


def test_a_signal_to_the_only_container(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    fake = running(pod())
    assert initsup("signal", "HUP", "--state-dir", tmp_path).out == 'container "app" got SIGHUP\n'
    assert asked(fake, "signal") == [{"container": "app", "signal": 1}]


def test_a_signal_to_one_of_several(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    given = pod()
    given["spec"]["containers"].append({"name": "side"})
    fake = running(given)
    done = initsup("signal", "HUP", "--state-dir", tmp_path)
    assert done == (2, "", "initsup: name a container by -c: app, side\n")
    assert asked(fake, "signal") == []


@pytest.mark.parametrize("words", [("HUMBUG",), ("HUP", "INT"), ("99",)])
def test_a_signal_that_is_none(initsup: Initsup, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert initsup("signal", "-c", "app", *words, "--state-dir", tmp_path).code == 2


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A state directory that somebody has."""
    with open(tmp_path / "lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield tmp_path


@pytest.mark.parametrize("words", [("get",), ("get", "-w"), ("restart", "app")])
def test_an_initsup_that_starts_is_waited_for(
    initsup: Initsup, running: Running, held: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """And what an earlier run has left is not taken for its answer."""
    (held / POD).write_text(json.dumps(pod("Failed")))
    monkeypatch.setattr("time.sleep", lambda _: running(pod()) if not (held / SOCKET).exists() else None)
    done = initsup(*words, "--state-dir", held)
    assert done.code == 0
    assert "Failed" not in done.out


def test_an_initsup_that_never_answers_is_not_waited_for_long(
    initsup: Initsup, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.05)
    done = initsup("get", "--state-dir", held)
    assert done == (1, "", f"initsup: initsup is starting in {held} and does not answer yet\n")


def test_a_verb_that_looks_whether_somebody_is_there_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the lock for a moment, in which another initsup starts."""
    with open(tmp_path / "lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        monkeypatch.setattr("time.sleep", lambda pause: fcntl.flock(lock, fcntl.LOCK_UN) if pause else None)
        StateDir(str(tmp_path), 0).close()


@pytest.mark.parametrize("words", [("restart", "app"), ("signal", "-c", "app", "HUP")])
def test_nobody_is_there_to_ask(initsup: Initsup, ended: Ended, words: tuple[str, ...]) -> None:
    done = initsup(*words, "--state-dir", ended(pod("Failed")))
    assert done.code == 1
    assert done.err.startswith('initsup: pod "web" has ended, its phase is Failed: no initsup is running in')
