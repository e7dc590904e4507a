"""Programs that are made to be PID 1, run in the same way: tini, dumb-init and initsup."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psutil

from tests.stories.driver import INITSUP, SCALE, descendants, end_all_but, is_sentinel, need, private, until

T = TypeVar("T")

NAMESPACE = ("--pid", "--fork", "--kill-child", "--mount-proc")
SUBREAPER, GROUP, REWRITE, ORPHANED, ENVIRONMENT, GRACE = (
    "be a sub-reaper",
    "signal the whole process group",
    "send SIGINT where SIGTERM comes in",
    "end when the parent has ended",
    "hand on $TOKEN",
    "kill after a second of grace",
)


class NotApplicable(Exception):
    """It is not made for that; the message says why."""


class Init(msgspec.Struct, frozen=True):
    """`ways` are the options that make it do something; what is not there it does not do. `differs`: by case, why."""

    name: str
    ways: dict[str, list[str]]
    differs: dict[str, str]

    def command(self, program: Sequence[str], home: Path, ways: Sequence[str]) -> list[str]:
        """How to run a program that it is told to do these things for."""
        return [need(self.name), *self.options(ways), "--", *program]

    def nothing(self) -> list[str]:
        """How to start it with nothing to run."""
        return [need(self.name)]

    def options(self, ways: Sequence[str]) -> list[str]:
        """Raises NotApplicable."""
        for way in ways:
            if way not in self.ways:
                raise NotApplicable(f"it has no way to {way}")
        return [option for way in ways for option in self.ways[way]]


class Supervisor(Init, frozen=True):
    """initsup: the program is the one container of a pod that runs once."""

    def command(self, program: Sequence[str], home: Path, ways: Sequence[str]) -> list[str]:
        words = [word.replace("$", "$$") for word in program]
        fields = [word for word in self.options(ways) if not word.startswith("--")]
        (home / "pod.toml").write_text(
            "\n".join(
                ['os = { name = "linux" }\nrestartPolicy = "Never"', *(f for f in fields if "." not in f)]
                + [f'[[containers]]\nname = "main"\ncommand = {json.dumps(words)}']
                + [field for field in fields if "." in field]
            )
        )
        settings = [word for word in self.options(ways) if word.startswith("--")]
        return [*INITSUP, "run", str(home / "pod.toml"), f"--state-dir={home}/state", "--console=raw", *settings]

    def nothing(self) -> list[str]:
        return [*INITSUP, "run"]


ITS_OWN = "signals are for initsup itself; `initsup signal` sends any to the program"
TERMINAL = "the terminal is that of whoever runs it; `initsup attach -it` gives a container's"

TINI = Init("tini", {SUBREAPER: ["-s"], GROUP: ["-g"], ORPHANED: ["-p", "SIGKILL"], ENVIRONMENT: []}, {})
DUMB_INIT = Init("dumb-init", {GROUP: [], REWRITE: ["--rewrite", "15:2"], ENVIRONMENT: []}, {})
SUPERVISOR = Supervisor(
    "initsup",
    {
        SUBREAPER: [],
        REWRITE: ['lifecycle.stopSignal = "SIGINT"'],
        ENVIRONMENT: ['--set=inheritEnv=["TOKEN"]'],
        GRACE: ["terminationGracePeriodSeconds = 1"],
    },
    {
        "the code after SIGTERM is the program's": "0: it was stopped on request",
        "every signal reaches the program": ITS_OWN,
        "SIGTSTP stops the program, SIGCONT lets it go on": ITS_OWN,
        "what was ignored before is ignored by the program": "containers start with the default actions, wherever",
        "the program reads from the terminal": TERMINAL,
        "the program has job control": TERMINAL,
        "no directory is kept busy": "it stays where it was started, to read its files again",
    },
)
INITS = (SUPERVISOR, TINI, DUMB_INIT)


class Trial:
    """A program that an init runs, as PID 1 of a namespace if `first`."""

    def __init__(
        self,
        init: Init,
        home: Path,
        program: Sequence[str],
        ways: Sequence[str] = (),
        *,
        first: bool = True,
        wrapper: Sequence[str] = (),
        **more: Any,
    ) -> None:
        home.mkdir()
        self.first = first
        self.output, self.errors = home / "out", home / "err"
        self.before = descendants()
        command = [*(private(*NAMESPACE) if first else ()), *wrapper, *init.command(program, home, ways)]
        with self.output.open("wb") as out, self.errors.open("wb") as err:
            streams = {
                "stdin": subprocess.DEVNULL,
                "stdout": out,
                "stderr": err,
                "cwd": home,
                "start_new_session": True,
            }
            self.process = subprocess.Popen(command, **{**streams, **more})

    @property
    def init(self) -> psutil.Process:
        """The init itself."""
        process = psutil.Process(self.process.pid)
        return until(lambda: next(iter(process.children()), None), "it has started") if self.first else process

    def program(self) -> psutil.Process:
        """The program: the first child that is not of initsup's own."""

        def find() -> psutil.Process | None:
            children = [one for one in self.init.children() if one.status() != psutil.STATUS_ZOMBIE]
            return next((one for one in children if not is_sentinel(one)), None)

        return self.until(find, "the program is there")

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def complained(self) -> str:
        return self.errors.read_text(errors="replace")

    def until(self, ask: Callable[[], T | None], what: str, timeout: float = 30) -> T:
        try:
            return until(ask, what, timeout)
        except AssertionError as problem:
            raise AssertionError(f"{problem}; it said {self.said()[-500:]!r} {self.complained()[-500:]!r}") from None

    def says(self, line: str, timeout: float = 30) -> None:
        """Wait for this line of the program."""
        self.until(lambda: line in self.said().splitlines(), f"it says {line!r}", timeout)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.init.send_signal(number)

    def ended(self, timeout: float = 30) -> int:
        """Wait for the end; the exit code."""
        try:
            return self.process.wait(timeout * SCALE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it has not ended within {timeout} s") from None

    def strays(self) -> set[psutil.Process]:
        """What still lives of everything that it has started."""
        return descendants() - self.before - {psutil.Process()}

    def close(self) -> None:
        """Kill whatever is left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        end_all_but(self.before)


class World:
    """What a case is given: an init to try, and a directory."""

    def __init__(self, init: Init, home: Path) -> None:
        self.init, self.home = init, home
        self.trials: list[Trial] = []

    def run(self, program: Sequence[str], *ways: str, **more: Any) -> Trial:
        """Run a program; the keywords are those of `Trial`."""
        place = self.home / str(len(self.trials))
        self.trials.append(Trial(self.init, place, program, ways, **more))
        return self.trials[-1]

    def script(self, text: str, *ways: str, **more: Any) -> Trial:
        """Run a script of sh."""
        return self.run(["sh", "-c", text], *ways, **more)

    def python(self, text: str, *ways: str, **more: Any) -> Trial:
        """Run a program of Python."""
        return self.run([sys.executable, "-ISc", text], *ways, **more)

    def close(self) -> None:
        for trial in self.trials:
            trial.close()


def outcome(init: Init, name: str, case: Callable[[World], None], home: Path) -> tuple[str, str]:
    """("pass" | "fail" | "n.a.", why)."""
    if name in init.differs:
        return "n.a.", init.differs[name]
    world = World(init, home)
    try:
        case(world)
    except NotApplicable as why:
        return "n.a.", str(why)
    except AssertionError as why:
        return "fail", str(why) or str(traceback.extract_tb(why.__traceback__)[-1].line)
    finally:
        world.close()
    return "pass", ""


def version(init: Init) -> str:
    """What `--version` says."""
    words = [*INITSUP, "--version"] if init is SUPERVISOR else [*init.nothing(), "--version"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ})
    return (done.stdout or done.stderr).strip()
