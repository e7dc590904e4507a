"""initsup starts in odd places, gets over faults, and leaves nothing behind, also when it is killed itself."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stories import driver
from tests.stories.driver import INITSUP, NOBODY, SCALE, Story, cli, descendants, need, private
from tests.stories.inits import NAMESPACE

pytestmark = pytest.mark.real

ESCAPEES = """
    restartPolicy = "Never"
    [[initContainers]]
    name = "side"
    restartPolicy = "Always"
    command = ["sh", "-c", "trap '' TERM INT HUP; sleep 1000; sleep 1000"]
    [[containers]]
    name = "main"
    command = ["sh", "-c", "setsid sh -c 'sleep 1000 & sleep 1000 &'; echo up; env -i sleep 1000 & kill -STOP $$$$"]
    [[containers]]
    name = "other"
    command = ["sh", "-c", "while :; do (sleep 1000 &); sleep 0.05; done"]
    volumeMounts = [{ name = "v", mountPath = "%s/v" }]
    [[volumes]]
    name = "v"
    emptyDir = {}
    """

HOSTILE = """
import os, signal, sys, time
for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
target, volume = sys.argv[1:]
os.symlink(target, volume + "/link")
os.makedirs(volume + "/deep/deeper")
os.chmod(volume + "/deep", 0)
for _ in range(30):
    if os.fork() == 0:
        break
end = time.monotonic() + 60
while time.monotonic() < end:
    os.write(1, b"flood" * 1000)
    if os.fork():  # the parent ends, the child goes on in a session of its own: no pid lives for long
        os._exit(0) if os.getppid() != int(os.environ.get("FIRST", 0)) else None
    os.setsid() if os.getsid(0) != os.getpid() else None
    time.sleep(0.05)
"""

Start = Callable[..., Story]


@pytest.fixture
def pod(home: Path, run: Start) -> Start:
    """Run a pod that is given as TOML."""

    def start(toml: str, **arguments: object) -> Story:
        (home / "pod.toml").write_text(textwrap.dedent(toml))
        return run(home / "pod.toml", **arguments)

    return start


def says(script: str, *, more: str = "", top: str = "") -> str:
    """A pod that runs a script once; `top` are fields of its spec, `more` of the container, then tables."""
    command = f'name = "main"\ncommand = ["sh", "-c", {json.dumps(script)}]'
    return f'restartPolicy = "Never"\n{top}\n[[containers]]\n{command}\n{more}'


@pytest.fixture
def as_nobody(home: Path) -> Iterator[list[str]]:
    """A wrapper that becomes a user who has nothing."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    yield driver.as_nobody(home)
    shutil.rmtree(f"/tmp/initsup-{NOBODY}", ignore_errors=True)


def finished(words: list[str], **arguments: object) -> subprocess.CompletedProcess[str]:
    """A command to its end; stderr and, unless it goes elsewhere, stdout are taken."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **arguments}
    return subprocess.run(words, stderr=subprocess.PIPE, text=True, timeout=60 * SCALE, **options)  # type: ignore[call-overload,no-any-return]


# -- starts anywhere -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=lambda fds: "closed " + ", ".join(map(str, fds)))
def test_closed_descriptors_are_nobody_elses(home: Path, closed: tuple[int, ...]) -> None:
    (home / "pod.toml").write_text(says("echo out; echo err >&2"))
    command = shlex.join([*INITSUP, "run", str(home / "pod.toml"), "--state-dir", str(home / "state")])
    done = finished(["sh", "-c", f"exec {command} " + " ".join(f"{fd}<&-" for fd in closed)])
    assert done.returncode == 0, done.stderr
    assert sorted(cli("logs", "--state-dir", str(home / "state")).stdout.splitlines()) == ["err", "out"]
    for file in (home / "state").rglob("*.json*"):
        assert "[main]" not in file.read_text()


@pytest.mark.parametrize(
    ("path", "says_so"),
    [
        pytest.param("/proc", "/proc is not mounted", id="without /proc"),
        pytest.param("/dev", "/dev/null cannot be opened", id="without /dev/null"),
    ],
)
def test_where_nothing_can_run_one_line_says_why(pod: Start, path: str, says_so: str) -> None:
    cover = ["sh", "-c", f'mount -t tmpfs none {path} && exec "$@"', "sh"]
    story = pod(says("true"), wrapper=[*private("--mount"), *cover])
    assert story.ended() == 1
    assert story.said().startswith(f"initsup: {says_so}")
    assert story.said().count("\n") == 1


def test_a_user_without_passwd_entry_or_home(home: Path, as_nobody: list[str]) -> None:
    (home / "nobody.toml").write_text(says("id -u"))
    for words in (["run", "nobody.toml"], ["get"], ["logs", "-c", "main"]):
        done = finished([*as_nobody, *INITSUP, *words], cwd=home)
        assert done.returncode == 0, done.stderr
    assert done.stdout == f"{NOBODY}\n"


def test_state_goes_to_the_next_place_where_the_first_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from initsup.api import files
    from initsup.cli.state import open_state_dir

    monkeypatch.setattr("os.geteuid", lambda: 4711)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/dev/null")
    (tmp_path / "taken/initsup-4711").mkdir(parents=True)  # by somebody else
    monkeypatch.setattr(files, "FOR_ALL", (f"{tmp_path}/taken", str(tmp_path)))
    place = open_state_dir(None, "web", 0)
    assert place.path == f"{tmp_path}/initsup-4711/web"
    assert stat.S_IMODE(os.stat(place.path).st_mode) == 0o700
    place.close()


@pytest.mark.parametrize("runtime", ["here", "./here", ""])
def test_a_place_that_is_relative_is_none(monkeypatch: pytest.MonkeyPatch, runtime: str) -> None:
    from initsup.api.files import places

    monkeypatch.setattr("os.geteuid", lambda: 4711)
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    assert [place for place in places() if not os.path.isabs(place)] == []


def test_a_place_that_cannot_be_made_is_named(home: Path) -> None:
    (home / "pod.toml").write_text(says("true"))
    done = cli("run", str(home / "pod.toml"), "--state-dir", "/proc/here")
    assert done.returncode == 1
    assert done.stderr.startswith("initsup: cannot make the state directory /proc/here: ")


@pytest.mark.parametrize("kind", ["a pipe nobody reads", "a closed pipe", "a socket nobody reads", "/dev/full"])
def test_the_console_may_be_anything(home: Path, kind: str) -> None:
    (home / "pod.toml").write_text(says("seq 40000"))
    near, far = socket.socketpair()
    read, write = os.pipe()
    full = os.open("/dev/full", os.O_WRONLY)
    if kind == "a closed pipe":
        os.close(read)
    stdout = {"a socket nobody reads": far.fileno(), "/dev/full": full}.get(kind, write)
    done = finished([*INITSUP, "run", str(home / "pod.toml"), "--state-dir", str(home / "state")], stdout=stdout)
    assert done.returncode == 0, done.stderr
    assert cli("logs", "--state-dir", str(home / "state")).stdout == "".join(f"{n}\n" for n in range(1, 40001))
    for fd in (write, full, *([read] if kind != "a closed pipe" else [])):
        os.close(fd)
    near.close()
    far.close()


def test_check_here_tells_what_this_place_gives() -> None:
    done = cli("check", "--here")
    assert done.returncode == 0, done.stdout + done.stderr
    answers = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert {"run pods", "state directory", "volumes", "run as other users", "outlive SIGKILL"} <= set(answers)
    assert " yes " in answers["run pods"]


# -- nothing survives ------------------------------------------------------------------------------------------------


def test_the_next_start_ends_what_even_the_sentinel_could_not(home: Path, pod: Start) -> None:
    story = pod(ESCAPEES % home)
    story.until(lambda: story.logs("main") == "up\n", "all run")
    story.sentinel().kill()
    story.until(lambda: "degraded: the sentinel was killed" in story.said(), "it says so")
    assert "the sentinel was killed" in story.ask("get").stderr
    assert "the sentinel was killed" in story.ask("describe").stdout
    story.process.kill()
    story.process.wait()
    assert story.strays()
    again = pod(says("true"), state=story.state)
    assert again.ended() == 0, again.said()
    assert re.search(r"the initsup that ran here before was killed, \d+ processes .* ended now", again.said())
    assert not story.strays()


def test_a_normal_end_dismisses_the_sentinel(pod: Start) -> None:
    story = pod(says("sleep 1000"))
    sentinel = story.sentinel()
    story.until(lambda: story.row(), "it runs")
    story.signal()
    assert story.ended() == 0
    assert not sentinel.is_running()


def test_a_hostile_container_cannot_keep_the_pod_from_ending(home: Path, pod: Start) -> None:
    (home / "target").mkdir()
    (home / "target/precious").write_text("still here")
    (home / "hostile.py").write_text(HOSTILE)
    story = pod(
        f"""
        restartPolicy = "Never"
        [[containers]]
        name = "hostile"
        command = ["{sys.executable}", "{home}/hostile.py", "{home}/target", "{home}/vol"]
        volumeMounts = [{{ name = "v", mountPath = "{home}/vol" }}]
        [[containers]]
        name = "other"
        command = ["sleep", "1000"]
        [[volumes]]
        name = "v"
        emptyDir = {{}}
        """,
        options=("--console=none",),
    )
    story.until(lambda: story.logs("hostile", "--tail=1"), "it floods")
    assert story.ask("delete", "--now").returncode == 0
    assert story.ended(timeout=20) == 0, story.said()[-2000:]
    assert not story.strays()
    assert (home / "target/precious").read_text() == "still here"
    assert not (story.state / "volumes").exists()


# -- faults ----------------------------------------------------------------------------------------------------------


def test_a_fork_that_is_refused_is_told(home: Path, as_nobody: list[str]) -> None:
    (home / "pod.toml").write_text(says("true"))
    wrapper = [need("prlimit"), "--nproc=2:2", *as_nobody]  # initsup and its sentinel
    done = finished([*wrapper, *INITSUP, "run", "pod.toml", "--state-dir", f"{home}/state"], cwd=home)
    assert done.returncode not in (0, 1), done.stderr
    assert "resource temporarily unavailable" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_too_few_descriptors_are_told_at_once(home: Path) -> None:
    (home / "pod.toml").write_text(says("true"))
    wrapper = [need("prlimit"), "--nofile=60:60"]
    done = finished([*wrapper, *INITSUP, "run", str(home / "pod.toml"), "--state-dir", f"{home}/state"])
    assert done.returncode == 1
    assert done.stderr == "initsup: 60 open files are too few, 64 are needed at least (ulimit -n)\n"


def test_a_high_limit_on_descriptors_costs_nothing(pod: Start) -> None:
    """The kernel keeps a table as long as the highest number that was ever given out, of 8 bytes each."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if 0 <= most < 4096:
        pytest.skip(f"the limit on descriptors is {most} here")
    story = pod(says("exec sleep 1000"), wrapper=[need("prlimit"), f"--nofile={most}:{most}"])
    story.until_ready()
    status = Path(f"/proc/{story.supervisor.pid}/status").read_text()
    assert int(status.partition("FDSize:")[2].split()[0]) <= 1024
    story.signal(signal.SIGQUIT)
    story.ended()


def test_containers_that_there_are_no_descriptors_for_are_not_started(pod: Start) -> None:
    many = "".join(f'[[containers]]\nname = "c{n}"\ncommand = ["sleep", "1000"]\n' for n in range(40))
    story = pod(many, wrapper=[need("prlimit"), "--nofile=80:80"])
    story.until(lambda: "too many open files: initsup may have 80" in story.said(), "it says so")
    assert story.container("c0")["state"].get("running")
    assert "too many open files" in json.dumps(story.container("c39"))
    assert story.exec("c0", "true").returncode == 126
    story.signal()
    assert story.ended() == 0, story.said()
    assert not story.strays()


def test_a_directory_that_is_gone_is_no_place_to_start_from(home: Path, pod: Start) -> None:
    (home / "gone").mkdir()
    story = pod(says("pwd"), wrapper=["sh", "-c", f'cd {home}/gone && rmdir {home}/gone && exec "$@"', "sh"])
    assert story.ended() == 0, story.said()
    assert story.logs("main") == "/\n"


def test_a_full_disk_loses_log_lines_and_says_so_but_ends_nothing(home: Path, pod: Start) -> None:
    (home / "small").mkdir()
    small = ["sh", "-c", f'mount -t tmpfs -o size=200k none {home}/small && exec "$@"', "sh"]
    story = pod(says("seq 100000"), wrapper=[*private("--mount"), *small], state=home / "small/state")
    assert story.ended() == 1, story.said()[-2000:]
    assert "No space left on device" in story.said()
    assert "but initsup was degraded, exit code 1" in story.said()
    assert story.said().count("[main]") == 100000


def test_a_stopped_container_is_ended_too(pod: Start) -> None:
    story = pod(says("echo up; kill -STOP $$$$", top="terminationGracePeriodSeconds = 1"))
    story.until(lambda: story.logs("main") == "up\n", "it has stopped itself")
    story.signal()
    assert story.ended(timeout=15) == 0
    assert not story.strays()


def test_initsup_itself_may_be_stopped_for_a_while(home: Path, pod: Start) -> None:
    story = pod(says(f"echo up; until [ -e {home}/go ]; do sleep 0.1; done; seq 50000; exit 7"))
    story.until(lambda: story.logs("main") == "up\n", "it has begun")
    story.signal(signal.SIGSTOP)
    (home / "go").touch()

    def writes() -> bool:
        return any(one.name() == "seq" for one in descendants(story.supervisor))

    story.until(writes, "it writes more than a pipe holds")
    story.signal(signal.SIGCONT)
    assert story.ended() == 7
    assert story.logs("main").count("\n") == 50001


def test_output_without_a_newline_needs_no_memory(pod: Start) -> None:
    script = "head -c 60000000 /dev/zero | tr '\\0' x; echo; echo end; exec sleep 1000"
    story = pod(says(script), options=("--console=none",))
    story.until(lambda: story.logs("main", "--tail=1") == "end\n", "all is written", timeout=60)
    assert story.supervisor.memory_info().rss < 60e6
    assert sum(file.stat().st_size for file in (story.state / "logs").rglob("*.log*")) < 55e6  # 5 files of 10 MiB
    story.signal()
    assert story.ended() == 0


def test_pids_that_come_round_again(home: Path, pod: Start) -> None:
    few = ["sh", "-c", 'echo 400 > /proc/sys/kernel/pid_max && exec "$@"', "sh"]
    wrapper = [*private(*NAMESPACE), *few]
    if os.geteuid() or subprocess.run([*wrapper, "true"], capture_output=True).returncode:
        pytest.skip("no PID namespace has a pid_max of its own here (Linux 6.14)")
    story = pod(
        """
        restartPolicy = "Always"
        [[containers]]
        name = "main"
        command = ["sh", "-c", "for i in $(seq 130); do (true &); done; exit 1"]
        [[containers]]
        name = "stays"
        command = ["sleep", "1000"]
        """,
        wrapper=wrapper,
        forks=True,
        options=("--set", "crashLoopBackOff.initialPeriod=10ms", "--set", "crashLoopBackOff.maxPeriod=10ms"),
    )
    story.until(lambda: story.container("main").get("restartCount", 0) >= 10, "restarts have used up all pids")
    assert story.container("stays")["restartCount"] == 0
    story.signal()
    assert story.ended() == 0, story.said()[-2000:]
    assert not story.strays()


# -- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (signal.SIGUSR1, '"containers"'),
        (signal.SIGHUP, "reloaded"),
        (signal.SIGPIPE, ""),
        (signal.SIGTTOU, ""),
        (signal.SIGWINCH, ""),
    ],
)
def test_signals_that_end_nothing(pod: Start, number: signal.Signals, word: str) -> None:
    story = pod(says("echo up; exec sleep 1000"))
    story.until(lambda: story.logs("main") == "up\n", "it runs")
    story.signal(number)
    story.until(lambda: word in story.said(), "it says what it did")
    assert story.row()[1] == "1/1"
    story.signal()
    assert story.ended() == 0


def test_sigquit_kills_at_once(pod: Start) -> None:
    script = "trap '' TERM; echo up; sleep 1000; sleep 1000"
    story = pod(says(script, top="terminationGracePeriodSeconds = 600"))
    story.until(lambda: story.logs("main") == "up\n", "the trap is set")
    story.signal(signal.SIGQUIT)
    assert story.ended(timeout=10) == 0


# -- security --------------------------------------------------------------------------------------------------------


def test_secrets_and_state_are_for_their_owner_only(home: Path, pod: Start) -> None:
    mount = f'volumeMounts = [{{ name = "s", mountPath = "{home}/s" }}]\n'
    volume = '[[volumes]]\nname = "s"\nsecret = { secretName = "s", defaultMode = 0o400 }\n'
    secret = '[secrets.s]\nkey = "hidden-word"\n'
    story = pod(says(f"stat -L -c %a {home}/s/key; echo up; exec sleep 1000", more=mount + volume + secret))
    story.until(lambda: story.logs("main") == "400\nup\n", "it runs")
    assert stat.S_IMODE(story.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((story.state / "control.sock").stat().st_mode) == 0o600
    story.signal(signal.SIGUSR1)
    story.until(lambda: '"containers"' in story.said(), "the facts are printed")
    told = [story.ask(*verb).stdout for verb in (["describe"], ["events"], ["get", "-o", "yaml"])]
    story.signal()
    assert story.ended() == 0
    told += [file.read_text(errors="replace") for file in story.state.rglob("*") if file.is_file()]
    everything = story.said() + "".join(told)
    assert "hidden-word" not in everything
    assert "aGlkZGVuLXdvcmQ" not in everything


def test_a_container_gets_no_variable_it_did_not_ask_for(pod: Start) -> None:
    story = pod(says("env"), env={"TOKEN": "abc", "LC_ALL": "C"}, options=("--set", 'inheritEnv=["LC_ALL"]'))
    assert story.ended() == 0, story.said()
    names = {line.partition("=")[0] for line in story.logs("main").splitlines()}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "HOME", "HOSTNAME", "LC_ALL"}


def test_another_user_is_not_heard(pod: Start, as_nobody: list[str]) -> None:
    story = pod(says("echo up; exec sleep 1000"))
    story.until(lambda: story.logs("main") == "up\n", "it runs")
    for path, mode in ((story.state, 0o755), (story.state / "control.sock", 0o666)):
        path.chmod(mode)
    assert finished([*as_nobody, *INITSUP, "delete", "--state-dir", str(story.state)]).returncode != 0
    assert story.row()[2] == "Running"
