"""`initsup exec`, with real descriptors and a real terminal."""

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Initsup
from tests.cli.fake import FakeInitsup
from tests.cli.sample import Object, pod

Running = Callable[..., FakeInitsup]
INITSUP = [sys.executable, "-m", "initsup", "exec"]


def answering(fake: FakeInitsup, code: int = 0) -> list[Object]:
    """Let commands write to their stdout and stderr, and note what they got; gives the list of notes."""
    notes: list[Object] = []

    def run(request: Object, fds: list[int]) -> int:
        source, out, err = fds
        notes.append({**request, "input": os.read(source, 100), "tty": os.isatty(source)})
        os.write(out, b"out\n")
        os.write(err, b"err\n")
        return code

    fake.execute = run
    return notes


def test_a_command_writes_where_we_do(running: Running, tmp_path: Path) -> None:
    fake = running(pod())
    notes = answering(fake, 7)
    words = ["-c", "app", "--state-dir", str(tmp_path), "--", "ls", "-l", "--", "x y"]
    done = subprocess.run([*INITSUP, *words], input=b"not asked for", capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    assert notes[0]["container"] == "app"
    assert notes[0]["argv"] == ["ls", "-l", "--", "x y"]
    assert notes[0]["input"] == b""


def test_input_is_passed_on_when_asked_for(running: Running, tmp_path: Path) -> None:
    notes = answering(running(pod()))
    words = ["-i", "-c", "app", "--state-dir", str(tmp_path), "--", "cat"]
    subprocess.run([*INITSUP, *words], input=b"hello", capture_output=True, check=True)
    assert notes[0]["input"] == b"hello"


def test_a_command_is_needed(initsup: Initsup, tmp_path: Path) -> None:
    done = initsup("exec", "-c", "app", "--state-dir", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "you must specify at least one command for the container" in done.err


@pytest.mark.parametrize(
    ("annotations", "chosen", "said"),
    [
        pytest.param({}, "app", 'Defaulted container "app" out of: app, side\n', id="the first"),
        pytest.param({"kubectl.kubernetes.io/default-container": "side"}, "side", "", id="the annotation's"),
    ],
)
def test_which_container(
    initsup: Initsup, running: Running, tmp_path: Path, annotations: Object, chosen: str, said: str
) -> None:
    given = pod(annotations=annotations)
    given["spec"]["containers"].append({"name": "side"})
    fake = running(given)
    assert initsup("exec", "--state-dir", tmp_path, "--", "ls") == (0, "", said)
    assert fake.requests[-1]["container"] == chosen


def test_a_refusal_is_told(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    fake = running(pod())
    fake.answers["exec"] = {"error": 'container "app" is not running', "code": 1}
    done = initsup("exec", "-c", "app", "--state-dir", tmp_path, "--", "ls")
    assert done == (1, "", 'initsup: container "app" is not running\n')


def test_a_terminal(running: Running, tmp_path: Path) -> None:
    """What we type on our terminal reaches the command's own, raw, and what it writes comes back."""
    fake = running(pod())
    seen: list[tuple[bool, bytes, tuple[int, int]]] = []

    def run(request: Object, fds: list[int]) -> int:
        os.write(fds[1], b"ready\n")
        size = os.get_terminal_size(fds[0])
        seen.append((os.isatty(fds[0]), os.read(fds[0], 100), (size.lines, size.columns)))
        os.write(fds[1], b"bye\n")
        return 3

    fake.execute = run
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (33, 77))
    words = ["-it", "-c", "app", "--state-dir", str(tmp_path), "--", "sh"]
    process = subprocess.Popen([*INITSUP, *words], stdin=theirs, stdout=theirs, stderr=theirs)
    output = b""
    while b"ready" not in output:
        output += os.read(ours, 1000)
    os.write(ours, b"typed\r")
    while b"bye" not in output:
        output += os.read(ours, 1000)
    assert process.wait(20) == 3
    assert seen == [(True, b"typed\n", (33, 77))]
    mode = termios.tcgetattr(theirs)[3]
    assert mode & termios.ICANON, "our terminal is as it was"
    os.close(ours)
    os.close(theirs)


def test_no_terminal_without_one(
    initsup: Initsup, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = running(pod())
    reader, writer = os.pipe()
    done = subprocess.run(
        [*INITSUP, "-it", "-c", "app", "--state-dir", str(tmp_path), "--", "sh"],
        stdin=reader, capture_output=True, text=True, check=False,
    )  # fmt: skip
    os.close(reader)
    os.close(writer)
    assert done.returncode == 0
    assert done.stderr == "Unable to use a TTY - input is not a terminal or the right kind of file\n"
    assert fake.requests[-1]["tty"] is False
