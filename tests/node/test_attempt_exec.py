from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from initsup.node.attempt import Outcome, probe
from initsup.node.exec_attempt import LIMIT, PAUSE, Running, execute
from initsup.node.failures import CannotRun
from initsup.spec.pod import EnvVar
from initsup.spec.probe import ExecAction, Probe
from tests.node.attempt_world import STUBBORN, LocalRunner, env, open_files, shell, target

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

pytestmark = [pytest.mark.anyio, pytest.mark.real]


def asking(*argv: str) -> Probe:
    return Probe(exec=ExecAction(command=argv), timeout_seconds=1)


@pytest.mark.parametrize(
    ("argv", "outcome"),
    [
        pytest.param(("true",), Outcome("success"), id="exit code 0 is success"),
        pytest.param(("false",), Outcome("failure"), id="any other is failure"),
        pytest.param(shell("echo fine"), Outcome("success", "fine\n"), id="its output is kept"),
        pytest.param(
            ("cat", "/nowhere"), Outcome("failure", "cat: /nowhere: No such file or directory\n"), id="stderr too"
        ),
        pytest.param(
            shell("echo err >&2; echo out; exit 3"), Outcome("failure", "out\nerr\n"), id="stdout comes before stderr"
        ),
        pytest.param(shell("kill -9 $$$$"), Outcome("failure"), id="death by a signal is failure"),
        pytest.param(
            shell("head -c 20000 /dev/zero | tr '\\0' x"), Outcome("success", "x" * LIMIT), id="output is cut"
        ),
        pytest.param(shell("printf 'a\\377b'"), Outcome("success", "a\ufffdb"), id="output is always text"),
        pytest.param(shell("test ! -t 0 && ! read line"), Outcome("success"), id="there is nothing on stdin"),
        pytest.param(
            shell("exec >&- 2>&-; sleep 0.1; exit 4"), Outcome("failure"), id="closing its output is not its end"
        ),
        pytest.param(
            shell("sleep 100 & echo done"), Outcome("success", "done\n"), id="a child left behind is no delay"
        ),
    ],
)
async def test_exit_code_and_output(argv: tuple[str, ...], outcome: Outcome) -> None:
    runner = LocalRunner()
    before = open_files()
    assert await probe(runner, target(), asking(*argv)) == outcome
    assert runner.survivors() == []
    assert open_files() == before


async def test_a_command_that_cannot_run_is_an_error_after_three_tries() -> None:
    class Counting(LocalRunner):
        tries = 0

        def run(self, *arguments: object) -> Running:  # type: ignore[override]
            self.tries += 1
            return super().run(*arguments)  # type: ignore[arg-type]

    runner = Counting()
    before = open_files()
    text = 'failed to exec in container: unable to start container process: exec: "/nope": no such file or directory'
    assert await probe(runner, target(), asking("/nope")) == Outcome("error", text)
    assert runner.tries == 3
    assert open_files() == before


async def test_a_try_that_succeeds_after_an_error_counts() -> None:
    class Shaky(LocalRunner):
        broken = 2

        def run(self, *arguments: object) -> Running:  # type: ignore[override]
            if self.broken:
                self.broken -= 1
                raise CannotRun("try again")
            return super().run(*arguments)  # type: ignore[arg-type]

    assert await probe(Shaky(), target(), asking("true")) == Outcome("success")


@pytest.mark.parametrize(
    ("word", "printed"),
    [
        pytest.param("$(A)", "1", id="a literal value is put in"),
        pytest.param("$(RAW)", "$(A)", id="and is not expanded itself"),
        pytest.param("$(REF)", "", id="one with valueFrom is empty"),
        pytest.param("$(NONE)", "$(NONE)", id="an unknown one is left"),
        pytest.param("$$(A)", "$(A)", id="two dollars are one"),
    ],
)
async def test_variables_in_a_probes_command(word: str, printed: str) -> None:
    variables = (*env(A="1", RAW="$(A)"), EnvVar(name="REF"))
    spec = asking("printf", "%s", word)
    assert await probe(LocalRunner(), target(env=variables), spec) == Outcome("success", printed)


@pytest.mark.parametrize("name", STUBBORN)
async def test_whatever_it_does_it_ends_at_its_time_out_with_everything_it_started(name: str) -> None:
    runner = LocalRunner()
    before = open_files()
    started = time.monotonic()
    ran = await execute(runner, STUBBORN[name], 0.3)
    assert 0.3 <= time.monotonic() - started < 2
    assert ran.code is None
    assert len(ran.stdout) <= LIMIT
    assert len(ran.stderr) <= LIMIT
    assert runner.survivors() == []
    assert open_files() == before


async def test_the_text_of_a_time_out() -> None:
    spec = asking("/bin/sh", "-c", 'echo "x"; sleep 10')
    text = r'command timed out: "/bin/sh -c echo \"x\"; sleep 10" timed out after 1s'
    assert await probe(LocalRunner(), target(), spec) == Outcome("failure", text)


async def test_a_flood_is_drained_to_its_end() -> None:
    ran = await execute(LocalRunner(), shell("head -c 30000000 /dev/zero; echo end >&2"), 10)
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"\0" * LIMIT, b"end\n")


async def test_a_flood_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast it comes, it is looked at a bounded number of times."""
    looks = 0

    def counted(fd: int, buffers: Sequence[ReadableBuffer]) -> int:
        nonlocal looks
        looks += 1
        return readv(fd, buffers)

    readv = os.readv
    monkeypatch.setattr(os, "readv", counted)
    await execute(LocalRunner(), ("yes",), 1)
    assert 1 < looks <= 1 / PAUSE + 3


async def test_a_flood_holds_up_nobody_else() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(execute, LocalRunner(), ("yes",), None)
        started = time.monotonic()
        for _ in range(5):
            assert (await execute(LocalRunner(), ("true",), 5)).code == 0
        assert time.monotonic() - started < 2
        group.cancel_scope.cancel()


async def test_cancelling_kills_everything_and_leaves_nothing_open() -> None:
    runner = LocalRunner()
    before = open_files()
    async with anyio.create_task_group() as group:
        group.start_soon(execute, runner, STUBBORN["forks away"], None)
        with anyio.fail_after(5):
            while len(runner.survivors()) < 4:
                await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert runner.survivors() == []
    assert open_files() == before
