"""What one may expect of a PID 1, in the manner of the test suites of tini and dumb-init, and some more.

Each case is tried on initsup in test_pid1.py, and on all of them by `python -m tests.bench.pid1`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.stories.driver import need
from tests.stories.inits import ENVIRONMENT, GRACE, GROUP, ORPHANED, REWRITE, SUBREAPER, NotApplicable, Trial, World

CASES: dict[str, Callable[[World], None]] = {}

FATAL = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGUSR1)

# What ends a PID 1, or stands for the kernel's own dealings with a process.
ENDS = {signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGPWR}
ENDS |= {signal.SIGRTMIN + 3, signal.SIGRTMIN + 4}
HARMLESS = sorted(set(signal.valid_signals()) - ENDS)

# The signals 32 and 33, which glibc keeps to itself: its posix_spawn leaves them ignored.
OF_THE_C_LIBRARY = 3 << 31

# Says "ready" and then each signal that comes in, until SIGTERM, after which it ends with 3.
WITNESS = """
import os, signal, sys
numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("ready", os.getpid(), flush=True)
print("ready", flush=True)
while (number := signal.sigwait(numbers)) != signal.SIGTERM:
    print(int(number), flush=True)
print(int(number), flush=True)
sys.exit(3)
"""

# Orphans that live until all are there and the file `go` is, and then end at once. In sh, as a fork of a larger program
# takes longer. 4 is the only end of the pipe that is written to.
ORPHANS = """
mkfifo gate; exec 3<>gate 4>gate 5<gate 3>&-
i=0
while [ $i -lt $1 ]; do
    (j=0; while [ $j -lt 100 ]; do (exec 4>&-; read _) <&5 & j=$((j + 1)); done)
    i=$((i + 100))
done
echo all there
until [ -e go ]; do sleep 0.05; done
exec 4>&-
echo released
exec sleep 1000 5<&-
"""

STOPPED, GONE = psutil.STATUS_STOPPED, (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


def case(name: str) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """A case, by what it expects in plain words."""

    def add(function: Callable[[World], None]) -> Callable[[World], None]:
        CASES[name] = function
        return function

    return add


def states(trial: Trial) -> list[str]:
    """Of all processes below the init."""
    found = []
    for one in trial.init.children(recursive=True):
        try:
            found.append(one.status())
        except psutil.NoSuchProcess:
            continue
    return found


def only_the_program(trial: Trial) -> bool:
    """Whether the init has one child only, besides the sentinel of initsup."""
    pid = trial.init.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return len(children) <= 2 and sum(b"initsup-sentinel" not in _command(one) for one in children) == 1


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # gone
        return b""


# -- exit codes ------------------------------------------------------------------------------------------------------


@case("the exit code is the program's")
def exit_code(world: World) -> None:
    for code in (0, 1, 2, 127, 255):
        assert world.script(f"exit {code}").ended() == code


@case("it is 128 and the signal if one has killed the program")
def killed(world: World) -> None:
    for number in FATAL:
        assert world.script(f"kill -{int(number)} $$").ended() == 128 + number


@case("a program that is not there is told, and no success")
def not_there(world: World) -> None:
    trial = world.run(["/does-not-exist"])
    assert trial.ended() not in (0, 1), "1 is what a program may say, too"
    assert "/does-not-exist" in trial.complained()


@case("a program that cannot be executed is told, and no success")
def not_executable(world: World) -> None:
    trial = world.run(["/etc/passwd"])
    assert trial.ended() != 0
    assert "/etc/passwd" in trial.complained()


@case("with nothing to run it says how it is used, and that it is an error")
def nothing(world: World) -> None:
    done = subprocess.run(world.init.nothing(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode != 0
    assert "usage" in done.stderr.lower()


# -- signals ---------------------------------------------------------------------------------------------------------


@case("SIGTERM reaches the program, and ends it all")
def term(world: World) -> None:
    trial = world.python(WITNESS)
    trial.says("ready")
    trial.signal()
    trial.ended()
    assert trial.said().splitlines()[-1] == "15"


@case("the code after SIGTERM is the program's")
def term_code(world: World) -> None:
    trial = world.python(WITNESS)
    trial.says("ready")
    trial.signal()
    assert trial.ended() == 3


@case("SIGINT ends it, too")
def interrupt(world: World) -> None:
    trial = world.script("echo ready; exec sleep 1000")
    trial.says("ready")
    trial.signal(signal.SIGINT)
    trial.ended(10)


@case("every signal reaches the program")
def forwarded(world: World) -> None:
    trial = world.python(WITNESS)
    trial.says("ready")
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGALRM):
        trial.signal(number)
        trial.says(str(int(number)), 5)


@case("no other signal ends the init, or a program that ignores it")
def harmless(world: World) -> None:
    trial = world.python(WITNESS)
    trial.says("ready")
    program = trial.said().splitlines()[0]
    for number in HARMLESS:
        trial.signal(number)
        time.sleep(0.01)  # so that they come in one by one
    trial.signal(signal.SIGCONT)
    trial.until(lambda: trial.init.status() not in (STOPPED, *GONE), "it goes on")
    assert only_the_program(trial)
    trial.signal()
    trial.ended()
    assert [line for line in trial.said().splitlines() if line.startswith("ready ")] == [program], "it was one program"


@case("another signal can be sent where SIGTERM comes in")
def rewritten(world: World) -> None:
    trial = world.script("trap 'echo interrupted; exit 0' INT; echo ready; sleep 1000 & wait", REWRITE)
    trial.says("ready")
    trial.signal()
    assert trial.ended() == 0
    assert "interrupted" in trial.said()


@case("the group of the program can be signalled")
def group(world: World) -> None:
    trial = world.script("trap '' USR1; (trap - USR1; exec sleep 1000); echo over", GROUP)
    trial.until(lambda: "sleep" in [one.name() for one in trial.init.children(recursive=True)], "the child is there")
    trial.signal(signal.SIGUSR1)
    assert trial.ended() in (0, 138)


@case("SIGTSTP stops the program, SIGCONT lets it go on")
def suspended(world: World) -> None:
    trial = world.script("echo ready; exec sleep 1000", first=False)
    trial.says("ready")
    program = trial.program()
    trial.signal(signal.SIGTSTP)
    trial.until(lambda: program.status() == STOPPED, "it is stopped", 5)
    trial.signal(signal.SIGCONT)
    trial.until(lambda: program.status() != STOPPED, "it goes on", 5)


@case("the program starts with every signal at its default, none blocked")
def clean(world: World) -> None:
    trial = world.run(["grep", "-E", "SigBlk|SigIgn", "/proc/self/status"])
    assert trial.ended() == 0
    values = [int(line.split()[1], 16) for line in trial.said().splitlines()]
    assert [value & ~OF_THE_C_LIBRARY for value in values] == [0, 0], trial.said()


@case("what was ignored before is ignored by the program")
def inherited(world: World) -> None:
    ignoring = ["sh", "-c", "trap '' HUP USR1 TTOU; exec \"$@\"", "sh"]
    trial = world.run(["grep", "SigIgn", "/proc/self/status"], wrapper=ignoring)
    assert trial.ended() == 0
    ignored = int(trial.said().split()[1], 16)
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTTOU):
        assert ignored & 1 << (number - 1), trial.said()


# -- orphans ---------------------------------------------------------------------------------------------------------


def orphans(world: World, count: int, *ways: str, first: bool = True) -> None:
    """So many orphans that end at once, and nothing is left of them, while the program goes on."""
    trial = world.run(["sh", "-c", ORPHANS, "sh", str(count)], *ways, first=first)
    trial.says("all there", 60 + count / 50)  # forks are slow on a machine that is busy
    (trial.output.parent / "go").touch()
    trial.says("released", 60)
    trial.until(lambda: only_the_program(trial), "the last orphan is gone")
    assert not set(states(trial)) & set(GONE)
    assert trial.init.num_threads() == 1
    trial.signal()
    trial.ended()


@case("a thousand orphans leave no zombie")
def thousand(world: World) -> None:
    orphans(world, 1000)


@case("nor do they where it is not PID 1")
def adopted(world: World) -> None:
    orphans(world, 100, SUBREAPER, first=False)


@case("the end of an orphan is not the program's")
def not_its_end(world: World) -> None:
    trial = world.script("(sh -c 'exit 9' &); (sh -c 'kill -KILL $$' &); sleep 0.3; echo on; exit 4")
    assert trial.ended() == 4
    assert "on" in trial.said()


# -- the end ---------------------------------------------------------------------------------------------------------

SURVIVORS = {
    "what the program has left behind ends with it, not only as PID 1": "sleep 1000 & echo ready",
    "so does what ignores SIGTERM": "trap '' TERM HUP; sleep 1000 & echo ready",
    "so does what has a session of its own": "setsid sh -c 'sleep 1000 & sleep 1000' & echo ready; sleep 0.3",
}


def _survivor(script: str) -> Callable[[World], None]:
    def left(world: World) -> None:
        trial = world.script(script, first=False)
        assert trial.ended() == 0
        trial.until(lambda: not trial.strays(), "nothing is left", 3)

    return left


for name, script in SURVIVORS.items():
    case(name)(_survivor(script))


@case("nothing outlives an init that is killed itself")
def killed_itself(world: World) -> None:
    trial = world.script("setsid sleep 1000 & sleep 1000 & echo ready; wait", first=False)
    trial.says("ready")
    trial.until(lambda: len(trial.strays()) >= 4, "all are there")
    trial.signal(signal.SIGKILL)
    trial.ended()
    trial.until(lambda: not trial.strays(), "nothing is left", 3)


@case("a program that ignores SIGTERM is killed in the end")
def ignorant(world: World) -> None:
    trial = world.script("trap '' TERM; echo ready; sleep 1000; sleep 1000", GRACE)
    trial.says("ready")
    trial.signal()
    trial.ended(10)


@case("it can end when its parent has ended")
def orphaned(world: World) -> None:
    parent = ["sh", "-c", '"$@" & echo "pid $!"; read -r _', "sh"]
    near, far = os.pipe()
    trial = world.script("echo ready; exec sleep 1000", ORPHANED, wrapper=parent, stdin=near, first=False)
    os.close(near)
    trial.says("ready")
    pid = next(int(line.split()[1]) for line in trial.said().splitlines() if line.startswith("pid "))
    init = psutil.Process(pid)
    os.close(far)
    trial.ended()
    trial.until(lambda: not init.is_running() or init.status() in GONE, "the init is gone", 5)


# -- terminals -------------------------------------------------------------------------------------------------------


class Screen:
    """A terminal; `ours` is the side of who looks at it."""

    def __init__(self, world: World, program: list[str], first: bool = True) -> None:
        self.ours, theirs = os.openpty()
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        # setsid(1) must not lead a group, or it forks.
        self.trial = world.run(
            program, wrapper=[need("setsid"), "--ctty"], first=first, start_new_session=False, **streams
        )
        os.close(theirs)
        self.text = ""
        os.set_blocking(self.ours, False)

    def shows(self, text: str) -> None:
        self.trial.until(lambda: self._read(text), f"the terminal shows {text!r}", 10)

    def _read(self, text: str) -> bool:
        try:
            self.text += os.read(self.ours, 65536).decode(errors="replace")
        except OSError:  # nothing yet, or nobody there
            pass
        return text in self.text

    def type(self, data: bytes) -> None:
        os.write(self.ours, data)

    def close(self) -> None:
        os.close(self.ours)


@case("the program writes on the terminal")
def writes(world: World) -> None:
    screen = Screen(world, ["echo", "to the terminal"])
    screen.shows("to the terminal")
    assert screen.trial.ended() == 0
    screen.close()


@case("the program reads from the terminal")
def reads(world: World) -> None:
    screen = Screen(world, ["sh", "-c", "read -r line; echo got $line"])
    screen.type(b"words\n")
    screen.shows("got words")
    assert screen.trial.ended() == 0
    screen.close()


@case("the program has job control")
def job_control(world: World) -> None:
    screen = Screen(world, [need("bash"), "-m", "-c", "sleep 0.1 & fg; echo in charge"])
    screen.shows("in charge")
    assert "no job control" not in screen.text
    screen.close()


@case("Ctrl-C on the terminal ends it")
def ctrl_c(world: World) -> None:
    screen = Screen(world, ["sh", "-c", "echo ready; exec sleep 1000"])
    screen.shows("ready")
    screen.type(b"\x03")
    screen.trial.ended(10)
    screen.close()


@case("so does its hang-up")
def hang_up(world: World) -> None:
    screen = Screen(world, ["sh", "-c", "echo ready; exec sleep 1000"])
    screen.shows("ready")
    screen.close()
    screen.trial.ended(10)


@case("so do both where it is not PID 1")
def not_first_on_a_terminal(world: World) -> None:
    for ends in (lambda screen: screen.type(b"\x03"), lambda screen: screen.close()):
        screen = Screen(world, ["sh", "-c", "echo ready; exec sleep 1000"], first=False)
        screen.shows("ready")
        ends(screen)
        screen.trial.ended(10)


# -- what is around it -----------------------------------------------------------------------------------------------


@case("a variable comes through")
def variable(world: World) -> None:
    trial = world.script('echo "$TOKEN"', ENVIRONMENT, env={**os.environ, "TOKEN": "abc"})
    assert trial.ended() == 0
    assert trial.said() == "abc\n"


@case("the program starts in the directory where the init was started")
def directory(world: World) -> None:
    trial = world.run(["pwd"])
    assert trial.ended() == 0
    assert trial.said() == f"{trial.output.parent}\n"


@case("no directory is kept busy")
def not_busy(world: World) -> None:
    trial = world.script("cd /; echo ready; exec sleep 1000")
    trial.says("ready")
    trial.until(lambda: trial.init.cwd() == "/", "the init is in /", 2)


@case("it runs without stdin, stdout and stderr")
def closed(world: World) -> None:
    for streams in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        trial = world.script("exit 5", wrapper=["sh", "-c", f'exec "$@" {streams}', "sh"])
        assert trial.ended() == 5, streams


@case("a reader of its output that stands still does not hold up the end")
def unread(world: World) -> None:
    near, far = os.pipe()
    trial = world.script("exec yes", stdout=far)
    os.close(far)
    trial.until(lambda: trial.program().name() == "yes", "it writes")
    trial.signal()
    trial.ended(15)
    os.close(near)


@case("nor does one that is gone")
def unheard(world: World) -> None:
    near, far = os.pipe()
    os.close(near)
    trial = world.script("trap '' PIPE; echo hello; exit 6", stdout=far)
    os.close(far)
    assert trial.ended() == 6


@case("a fork that is refused is told, and no success")
def no_fork(world: World) -> None:
    with alone(world.home.name) as wrapper:
        trial = world.script("true", wrapper=wrapper)
        assert trial.ended() != 0
    assert "temporarily unavailable" in trial.complained().lower() or "to fork" in trial.complained().lower()
    assert "Traceback" not in trial.complained()


@contextmanager
def alone(name: str) -> Iterator[list[str]]:
    """A wrapper for what may have no child. Raises NotApplicable where no cgroup limits pids."""
    for top in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")):
        group = top / f"initsup-test-{name}"
        try:
            group.mkdir()
            (group / "pids.max").write_text("1")
            break
        except OSError:
            continue
    else:
        raise NotApplicable("no cgroup here limits pids")
    try:
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        group.rmdir()
