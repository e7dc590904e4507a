"""Completion: the words that may come next, and bash asking for them."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from initsup.cli.completion import SHELLS
from initsup.cli.main import VERBS
from tests.cli.conftest import Initsup
from tests.cli.sample import pod

Ended = Callable[..., Path]


@pytest.fixture
def place(ended: Ended) -> Path:
    given = pod()
    given["spec"]["initContainers"] = [{"name": "setup"}]
    given["spec"]["containers"].append({"name": "side"})
    return ended(given)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param(["de"], ["describe", "debug", "delete"], id="a verb"),
        pytest.param([""], [*VERBS], id="any verb"),
        pytest.param(["--v"], ["--version"], id="an option instead of a verb"),
        pytest.param(["get", "--w"], ["--watch"], id="an option"),
        pytest.param(["get", "-o", ""], ["json", "yaml", "wide", "name"], id="a form"),
        pytest.param(["convert", "f", "-o", "t"], ["toml"], id="a form of convert"),
        pytest.param(["wait", "--for", "condition=R"], ["condition=Ready"], id="a condition"),
        pytest.param(["completion", ""], ["bash", "zsh", "fish"], id="a shell"),
        pytest.param(["signal", "-c", "app", "USR"], ["USR1", "USR2"], id="a signal"),
        pytest.param(["explain", "containers.livenessProbe.ht"], ["containers.livenessProbe.httpGet"], id="a field"),
        pytest.param(["explain", "sup"], ["supervisor"], id="a field at the top"),
        pytest.param(["explain", "containers.nonsense.x"], [], id="a field of nothing"),
        pytest.param(["check", ""], [], id="a file: the shell knows better"),
        pytest.param(["exec", "-c", "app", "--", ""], [], id="a command: the shell knows better"),
        pytest.param(["nonsense", ""], [], id="after nonsense"),
    ],
)
def test_words(initsup: Initsup, line: list[str], words: list[str]) -> None:
    assert initsup("__complete", "--", *line).out.splitlines() == words


@pytest.mark.parametrize("before", [["logs", "-c"], ["exec", "--container"], ["debug", "--target"], ["restart"]])
def test_containers(initsup: Initsup, place: Path, before: list[str]) -> None:
    verb, *rest = before
    line = [verb, "--state-dir", str(place), *rest]
    assert initsup("__complete", "--", *line, "").out.split() == ["app", "side", "setup"]
    assert initsup("__complete", "--", *line, "s").out.split() == ["side", "setup"]


def test_containers_where_no_pod_is(initsup: Initsup, tmp_path: Path) -> None:
    assert initsup("__complete", "--", "restart", "--state-dir", str(tmp_path / "none"), "") == (0, "", "")


def test_pods(initsup: Initsup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert initsup("__complete", "--", "get", "").out == ""
    (tmp_path / "initsup" / "web").mkdir(parents=True)
    assert initsup("__complete", "--", "get", "").out == "web\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_code_of_a_shell(initsup: Initsup, shell: str) -> None:
    done = initsup("completion", shell)
    assert done == (0, SHELLS[shell], "")
    assert "initsup __complete -- " in done.out


def test_an_unknown_shell(initsup: Initsup) -> None:
    assert initsup("completion", "cmd").code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes(tmp_path: Path, place: Path) -> None:
    script = tmp_path / "try.bash"
    script.write_text(
        f'initsup() {{ {sys.executable} -m initsup "$@"; }}\n'
        f"source <(initsup completion bash)\n"
        f"COMP_WORDS=(initsup restart --state-dir {place} s) COMP_CWORD=4\n"
        'complete -p initsup; _initsup; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["complete -o default -F _initsup initsup", "side", "setup"]
