"""The table of verbs, help, and how faults are told."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from initsup import __version__
from initsup.cli.main import GROUPS, HIDDEN, VERBS, load, main
from initsup.errors import InitsupError, UsageError
from tests.cli.conftest import Initsup

INITSUP = [sys.executable, "-m", "initsup"]
HEAVY = {"msgspec", "anyio", "asyncio", "yaml", "psutil", "ssl", "lzma"}


def test_every_verb_is_in_one_group_of_the_help() -> None:
    assert sorted(verb for verbs in GROUPS.values() for verb in verbs) == sorted(VERBS)


@pytest.mark.parametrize("verb", [*VERBS, *HIDDEN])
def test_every_verb_has_help(initsup: Initsup, verb: str) -> None:
    done = initsup(verb, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith({**VERBS, **HIDDEN}[verb][1] + "\n")
    assert f"Usage:\n  initsup {verb}" in done.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_examples(verb: str) -> None:
    text = load(verb)[0].full().format_help()
    examples = text.partition("Examples:\n")[2].partition("\n\nOptions:")[0]
    assert f"initsup {verb}" in examples
    assert "  # " in examples


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_both_ways(initsup: Initsup, verb: str) -> None:
    assert initsup("help", verb).out == initsup(verb, "--help").out


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_the_verbs(initsup: Initsup, words: tuple[str, ...]) -> None:
    done = initsup(*words)
    assert done.code == 0
    assert all(f"  {verb:<12}" in done.out for verb in VERBS)


@pytest.mark.parametrize("word", ["--version", "version"])
def test_version(initsup: Initsup, word: str) -> None:
    assert initsup(word) == (0, f"initsup {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        pytest.param(("gte",), "unknown command 'gte', did you mean get?", id="a verb that is nearly right"),
        pytest.param(("frobnicate",), "unknown command 'frobnicate'", id="a verb that is not"),
        pytest.param(("get", "--frob"), "unrecognized arguments: --frob", id="an unknown option"),
        pytest.param(("get", "-o"), "argument -o/--output: expected one argument", id="an option without its value"),
        pytest.param(
            ("delete", "--wait=perhaps"), "invalid argument 'perhaps' for '--wait'", id="a switch's odd value"
        ),
        pytest.param(("wait",), "the following arguments are required: --for", id="an option that must be there"),
        pytest.param(("get", "a", "b"), "one pod at a time, not 2: a b", id="two pods"),
    ],
)
def test_a_wrong_command_line(initsup: Initsup, words: tuple[str, ...], problem: str) -> None:
    done = initsup(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"initsup: {problem}")


@pytest.mark.parametrize(
    ("problem", "code", "text"),
    [
        pytest.param(InitsupError("no luck"), 1, "initsup: no luck\n", id="a foreseen fault is a line"),
        pytest.param(UsageError("no sense"), 2, "initsup: no sense\n", id="wrong usage is 2"),
        pytest.param(KeyboardInterrupt(), 130, "", id="Ctrl-C is 130 and says nothing"),
        pytest.param(SystemExit(7), 7, "", id="an exit code is passed on"),
    ],
)
def test_how_a_verb_fails(
    initsup: Initsup, monkeypatch: pytest.MonkeyPatch, problem: BaseException, code: int, text: str
) -> None:
    def fail(args: object) -> int:
        raise problem

    monkeypatch.setattr(import_module("initsup.cli.get"), "get", fail)
    assert initsup("get") == (code, "", text)


def test_a_bug_shows_where_it_is(initsup: Initsup, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(args: object) -> int:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(import_module("initsup.cli.get"), "get", fail)
    done = initsup("get")
    assert done.code == 1
    assert "Traceback" in done.err
    assert "ZeroDivisionError: a bug" in done.err
    assert done.err.endswith("initsup: this is a fault of initsup itself, please report it\n")


def test_a_reader_that_goes_away_is_no_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*INITSUP, "--help"], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_exit_code_is_the_process_s() -> None:
    done = subprocess.run([*INITSUP, "gte"], capture_output=True, text=True, check=False)
    assert done.returncode == 2


def test_all_that_is_printed_comes_out_before_the_process_ends() -> None:
    done = subprocess.run([*INITSUP, "explain", "pod.spec"], capture_output=True, text=True, check=False)
    helped = subprocess.run([*INITSUP, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == helped.returncode == 0
    assert len(done.stdout) > 1000
    assert helped.stdout.endswith("'initsup --version' for the version.\n")


def test_what_cannot_be_printed_is_told_and_is_no_success() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*INITSUP, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode != 0
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("verb", ["get", "events", "describe", "logs", "delete", "exec"])
def test_verbs_that_only_ask_stay_light(tmp_path: Path, verb: str) -> None:
    """Each of these costs more than the rest of such a verb (measured: msgspec 20 ms, anyio 80 ms, yaml 13 ms)."""
    code = (
        "import sys; from initsup.cli.main import main; "
        f"main([{verb!r}, '--state-dir', {str(tmp_path)!r}] + (['--', 'ls'] if {verb!r} == 'exec' else [])); "
        f"print(sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_main_takes_the_process_s_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["initsup", "--version"])
    assert main() == 0
    assert capsys.readouterr().out == f"initsup {__version__}\n"
