"""Both ways to start a process do the same."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from initsup.node.failures import SpawnError
from initsup.node.identity import Identity
from initsup.node.leftovers import RLIMIT_LOCKS
from initsup.node.procfs import children
from initsup.node.spawn import seal_descriptors, spawn
from tests.node.launching import launch, needs_root, output_of, result_of, sh

pytestmark = pytest.mark.real

WAYS = [pytest.param({}, id="fast"), pytest.param({"oom_score_adj": 500}, id="forked")]
ways = pytest.mark.parametrize("way", WAYS)


@ways
def test_arguments_environment_and_directory(way: dict[str, Any], tmp_path: Path) -> None:
    here = os.getcwd()
    text = output_of(*sh('echo "$0|$1|$A|$#"; pwd'), "x y", "*", env={"A": "b c"}, cwd=str(tmp_path), **way)
    assert text == f"x y|*|b c|1\n{tmp_path}\n"
    assert os.getcwd() == here


@ways
def test_environment_is_exactly_what_was_given(way: dict[str, Any]) -> None:
    assert output_of("/usr/bin/env", env={"ONLY": "this", "EMPTY": ""}, **way) == "ONLY=this\nEMPTY=\n"


@ways
def test_program_is_found_in_its_own_path(way: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\necho found\n")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "tool").mkdir()
    assert output_of("tool", env={"PATH": f"/nowhere:{tmp_path}/a:{tmp_path}"}, **way) == "found\n"
    assert output_of("./tool", env={}, cwd=str(tmp_path), **way) == "found\n"


@ways
def test_no_descriptor_leaks(way: dict[str, Any]) -> None:
    extra = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(extra, True)
    seal_descriptors()
    try:
        listing = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd')))"
        # 3 is the listing's own
        assert output_of(sys.executable, "-I", "-S", "-c", listing, **way) == "[0, 1, 2, 3]\n"
    finally:
        os.close(extra)


@ways
def test_signals_are_as_new(way: dict[str, Any]) -> None:
    ignored = [signal.SIGPIPE, signal.SIGHUP, signal.SIGRTMIN + 5]
    old = [signal.signal(number, signal.SIG_IGN) for number in ignored]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGRTMAX})
    try:
        text = output_of("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status", **way)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) >= {signal.SIGUSR1, signal.SIGRTMAX}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in zip(ignored, old, strict=True):
            signal.signal(number, handler)
    sets = [int(line.split()[1], 16) for line in text.splitlines()]
    own = 1 << 31 | 1 << 32  # glibc keeps 32 and 33 for itself, and ignores them in what it spawns
    assert [one & ~own for one in sets] == [0, 0]


@ways
def test_own_session_and_umask(way: dict[str, Any]) -> None:
    umask = os.umask(0o077)
    try:
        read = "read -r me x x x group session rest < /proc/self/stat; [ $group = $session ] && echo leader; umask"
        assert output_of("/bin/sh", "-c", read, **way) == "leader\n0022\n"
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(umask)


@ways
def test_nothing_on_stdin(way: dict[str, Any]) -> None:
    assert output_of("/bin/cat", **way) == ""


@ways
def test_streams_that_are_already_in_place(way: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    os.waitpid(spawn(launch(*sh("echo out; echo err >&2"), out=1, **way)), 0)
    assert capfd.readouterr().out == "out\nerr\n"


@ways
def test_mark_is_for_the_child_only(way: dict[str, Any]) -> None:
    import resource

    before = resource.getrlimit(RLIMIT_LOCKS)
    assert (
        output_of(
            *sh("ulimit -S -w 2>/dev/null || awk '/file locks/ {print $4}' /proc/self/limits"), mark=5 << 42, **way
        )
        == f"{5 << 42}\n"
    )
    assert resource.getrlimit(RLIMIT_LOCKS) == before


@ways
def test_missing_directory_is_made(way: dict[str, Any], tmp_path: Path) -> None:
    assert output_of("/bin/pwd", cwd=f"{tmp_path}/a/b", **way) == f"{tmp_path}/a/b\n"


FAILURES = [
    pytest.param(("foo",), "exec", errno.ENOENT, 'exec: "foo": executable file not found in $PATH', id="not in PATH"),
    pytest.param(("",), "exec", errno.ENOENT, 'exec: "": executable file not found in $PATH', id="no name"),
    pytest.param(
        ("/no/foo",),
        "exec",
        errno.ENOENT,
        'exec: "/no/foo": stat /no/foo: no such file or directory',
        id="no such file",
    ),
    pytest.param(("{tmp}/plain",), "exec", errno.EACCES, 'exec: "{tmp}/plain": permission denied', id="not executable"),
    pytest.param(("/tmp",), "exec", errno.EISDIR, 'exec: "/tmp": is a directory', id="a directory"),
    pytest.param(("{tmp}/bare",), "exec", errno.ENOEXEC, "exec {tmp}/bare: exec format error", id="script without #!"),
    pytest.param(
        ("{tmp}/void",), "exec", errno.ENOENT, "exec {tmp}/void: no such file or directory", id="no interpreter"
    ),
    pytest.param(("{tmp}/elf",), "exec", errno.ENOEXEC, "exec {tmp}/elf: exec format error", id="of another machine"),
    pytest.param(("/bin/echo", "a\0b"), "exec", 0, None, id="NUL byte in an argument"),
]


@ways
@pytest.mark.parametrize(("argv", "stage", "number", "message"), FAILURES)
def test_cannot_be_started(
    way: dict[str, Any], argv: tuple[str, ...], stage: str, number: int, message: str | None, tmp_path: Path
) -> None:
    for name, content in {"bare": b"echo hi\n", "void": b"#!/no/such\n", "elf": b"\x7fELF" + bytes(60)}.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    before = set(children(os.getpid()))
    with pytest.raises(SpawnError) as caught:
        result_of(*(part.replace("{tmp}", str(tmp_path)) for part in argv), **way)
    assert caught.value.stage == stage
    if message:
        assert (caught.value.errno, caught.value.message) == (number, message.replace("{tmp}", str(tmp_path)))
    assert set(children(os.getpid())) <= before


@ways
def test_directory_that_cannot_be(way: dict[str, Any]) -> None:
    with pytest.raises(SpawnError) as caught:
        result_of("/bin/true", cwd="/dev/null", **way)
    assert (caught.value.stage, caught.value.errno) == ("chdir", errno.ENOTDIR)
    assert caught.value.message == 'chdir to cwd ("/dev/null") set in config.json failed: not a directory'


# -- in other namespaces ---------------------------------------------------------------------------------------------

SEED = """
mount -t tmpfs tmpfs "$1" && cd "$1" && mkdir here &&
printf '#!/bin/sh\\necho "found in $PWD"\\n' > tool && chmod +x tool && echo made; exec sleep 1000
"""


@contextmanager
def namespace(place: Path, *options: str) -> Iterator[int]:
    """The pid of a process whose mount namespace has something at `place`, which nobody else sees."""
    command = ["unshare", "--mount", "--propagation", "private", *options, "sh", "-c", SEED, "sh", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as holder:
        try:
            if not holder.stdout or holder.stdout.readline() != "made\n":
                pytest.skip("such namespaces cannot be made here")
            yield holder.pid
        finally:
            holder.kill()


@contextmanager
def opened(*paths: str) -> Iterator[list[int]]:
    fds = [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in paths]
    try:
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


@needs_root
@ways
def test_view_of_a_mount_namespace(way: dict[str, Any], tmp_path: Path) -> None:
    here, own = os.getcwd(), os.readlink("/proc/self/ns/mnt")
    with namespace(tmp_path) as holder, opened(f"/proc/{holder}/ns/mnt") as (fd,):
        inside: dict[str, Any] = {"mount_namespace": fd, "cwd": f"{tmp_path}/here", **way}
        assert output_of("tool", env={"PATH": str(tmp_path)}, **inside) == f"found in {tmp_path}/here\n"
        with pytest.raises(SpawnError, match="executable file not found"):
            output_of("no-tool", env={"PATH": str(tmp_path)}, **inside)
    assert (os.getcwd(), os.readlink("/proc/self/ns/mnt"), os.listdir(tmp_path)) == (here, own, [])


@needs_root
@ways
def test_name_of_a_uts_namespace(way: dict[str, Any], tmp_path: Path) -> None:
    own = os.uname().nodename
    with namespace(tmp_path, "--uts") as holder, opened(*(f"/proc/{holder}/ns/{one}" for one in ("mnt", "uts"))) as fds:
        subprocess.run(["nsenter", f"--uts=/proc/{holder}/ns/uts", "hostname", "other"], check=True)
        inside: dict[str, Any] = {"mount_namespace": fds[0], "uts_namespace": fds[1], **way}
        assert output_of("uname", "-n", env={"PATH": os.defpath}, **inside) == "other\n"
    assert os.uname().nodename == own


@needs_root
@ways
def test_namespace_that_cannot_be_entered(way: dict[str, Any], tmp_path: Path) -> None:
    here, own = os.getcwd(), os.readlink("/proc/self/ns/mnt")
    with namespace(tmp_path) as holder, opened(f"/proc/{holder}/ns/mnt") as (fd,):
        inside: dict[str, Any] = {"mount_namespace": fd, "uts_namespace": fd, **way}
        with pytest.raises(SpawnError) as caught:
            output_of("uname", "-n", env={"PATH": os.defpath}, **inside)
    assert (caught.value.stage, caught.value.errno) == ("setns", errno.EINVAL)
    assert (os.getcwd(), os.readlink("/proc/self/ns/mnt"), os.listdir(tmp_path)) == (here, own, [])


@needs_root
def test_root_directory(tmp_path: Path) -> None:
    with namespace(tmp_path) as holder, opened(f"/proc/{holder}/ns/mnt") as (fd,):
        script = "mkdir -p bin && cp /bin/sh bin/ && ldd /bin/sh | grep -o '/[^ ]*' | xargs -I@ cp --parents @ ."
        output_of(*sh(script), mount_namespace=fd, cwd=str(tmp_path))
        text = output_of("sh", "-c", "pwd; cd ..; pwd", mount_namespace=fd, root=str(tmp_path), cwd="/here")
    assert text == "/here\n/\n"


def test_view_of_a_user_namespace(tmp_path: Path) -> None:
    with (
        namespace(tmp_path, "--user", "--map-root-user") as holder,
        opened(f"/proc/{holder}/ns/user", f"/proc/{holder}/ns/mnt") as (user, mount),
    ):
        text = output_of("./tool", cwd=str(tmp_path), user_namespace=user, mount_namespace=mount)
    assert text == f"found in {tmp_path}\n"
    assert os.listdir(tmp_path) == []


# -- only by fork ----------------------------------------------------------------------------------------------------


def test_terminal_becomes_the_controlling_one() -> None:
    leader, terminal = os.openpty()
    try:
        code, text = result_of(*sh("tty < /dev/tty; echo $?"), stdin=terminal, terminal=True)
        assert (code, text) == (0, "/dev/tty\n0\n")
    finally:
        os.close(leader)
        os.close(terminal)


def test_process_dies_with_initsup(checkout: Path) -> None:
    """The one in the middle starts a child and is killed; what the child holds open then ends."""
    script = (
        "import os, signal; from initsup.node.spawn import Launch, spawn\n"
        "one = Launch(argv=('/bin/sleep', '1000'), env={}, stdin=0, stdout=1, stderr=2, parent_death_signal=9)\n"
        "print(spawn(one))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    code, text = result_of(sys.executable, "-u", "-c", script, env=dict(os.environ), cwd=str(checkout))
    assert code == -signal.SIGKILL
    assert text.strip().isdigit()


@needs_root
def test_user_may_enter_a_directory_that_root_made() -> None:
    who = Identity(uid=65534, gid=65534, groups=(65534,))
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        text = output_of(*sh("pwd; id -u"), cwd=f"{directory}/work", identity=who)
        assert text == f"{directory}/work\n65534\n"


@needs_root
def test_oom_score() -> None:
    assert output_of("/bin/cat", "/proc/self/oom_score_adj", oom_score_adj=321) == "321\n"


# -- speed -----------------------------------------------------------------------------------------------------------


COST = """
import os, time
from initsup.node.spawn import spawn
from tests.node.launching import launch, null
one = launch("/bin/true", out=null(), **{fields})
begin = time.process_time()
pids = [spawn(one) for _ in range(100)]
spent = (time.process_time() - begin) / 100
for pid in pids:
    os.waitpid(pid, 0)
print(spent)
"""


@pytest.mark.parametrize(("fields", "limit"), [({}, 0.5e-3), ({"oom_score_adj": 0}, 5e-3)], ids=["fast", "forked"])
def test_a_start_is_cheap(fields: dict[str, Any], limit: float, checkout: Path) -> None:
    """Bounds are three times what a small shared machine needs, against changes of kind.

    In a process of its own: a fork costs more the larger the process is, and the one that runs the tests is.
    """
    command = [sys.executable, "-c", COST.format(fields=fields)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    assert float(done.stdout) < limit
