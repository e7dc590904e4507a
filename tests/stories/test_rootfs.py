"""Containers with a root of their own, a small one and a whole Debian, beside containers of the host."""

from __future__ import annotations

import json
import os
import shutil
import stat
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.node.image_world import contents
from tests.stories import trees
from tests.stories.driver import Story, private

pytestmark = pytest.mark.real

Start = Callable[..., Story]

INIT_BESIDE_HOST = """\
restartPolicy = "Never"

[supervisor.images.other]
rootfs = "@ROOT@"

[[initContainers]]
name = "build"
image = "other"
command = ["sh", "-c", "tool > /out/made && cat /etc/passwd > /out/users"]
volumeMounts = [{ name = "out", mountPath = "/out" }]

[[containers]]
name = "show"
command = ["sh", "-c", "cat @HOME@/shown/made; grep app: @HOME@/shown/users; command -v tool || echo no tool here"]
volumeMounts = [{ name = "out", mountPath = "@HOME@/shown", readOnly = true }]

[[volumes]]
name = "out"
"""

LOOK = """\
readlink /proc/self/exe
cat /proc/self/comm
ls /proc/1 > /dev/null && echo a process table
for name in null zero full random urandom tty ptmx; do test -c /dev/$name && echo $name; done
for name in fd stdin stdout stderr; do readlink /dev/$name; done
echo gone > /dev/null
head -c 4 /dev/zero | cat > /tmp/four; stat -c %s /tmp/four
test -d /dev/shm -a -d /dev/pts && echo directories
touch /sys/x 2>/dev/null || echo a read-only /sys
touch /etc/hosts 2>/dev/null; echo x 2>/dev/null >> /etc/resolv.conf || echo a read-only /etc/resolv.conf
touch /new && ls -d /new
test -e @HOME@ || echo nothing of the host
ls /
"""

LASTING = '''\
[supervisor.images.other]
rootfs = "@ROOT@"
env = { WHERE = "from the settings" }
workingDir = "/srv"

[[containers]]
name = "main"
image = "other"
command = ["sh", "-c", """
echo up; test -e /tmp/again && echo not new; touch /tmp/again
while test ! -e /v/stop; do sleep 1; done
echo last words > /dev/termination-log; exit 3"""]
readinessProbe = { exec = { command = ["tool"] }, periodSeconds = 1 }
livenessProbe = { exec = { command = ["sh", "-c", "command -v tool"] }, periodSeconds = 1, failureThreshold = 1 }
lifecycle = { postStart = { exec = { command = ["sh", "-c", "tool > /v/hook"] } } }
volumeMounts = [
    { name = "v", mountPath = "/v" },
    { name = "v", mountPath = "/only/a/part", subPath = "inner" },
    { name = "settings", mountPath = "/etc/app" },
]

[[volumes]]
name = "v"

[[volumes]]
name = "settings"
configMap = { name = "settings" }

[configMaps.settings]
key = "a value"
'''


@pytest.fixture(params=["busybox", "debian"])
def root(request: pytest.FixtureRequest, home: Path) -> Path:
    """A tree of files, which must not change."""
    private("--mount")
    if request.param == "busybox":
        return trees.busybox(home / "tree")
    return trees.extracted(request.getfixturevalue("debian"), home / "tree")


@pytest.fixture
def pod(home: Path, root: Path, run: Start) -> Start:
    """Run a pod in which @ROOT@ is the tree."""

    def start(toml: str, **arguments: object) -> Story:
        (home / "pod.toml").write_text(textwrap.dedent(toml).replace("@ROOT@", str(root)).replace("@HOME@", str(home)))
        return run(home / "pod.toml", **arguments)

    return start


def test_an_init_container_has_tools_that_the_host_lacks(pod: Start) -> None:
    story = pod(INIT_BESIDE_HOST)
    assert story.ended() == 0, story.said()
    made, user, *none = story.logs("show").splitlines()
    assert made in ("made by a tool", "Hello, world!")
    assert user == trees.USER.strip()
    assert none == ["no tool here"] or shutil.which("tool")


def test_what_a_container_finds_in_there(home: Path, root: Path, pod: Start) -> None:
    before = sorted(path.name for path in root.iterdir())
    command = json.dumps(["sh", "-c", LOOK])
    aliases = 'hostAliases = [{ ip = "192.0.2.1", hostnames = ["far.example.org"] }]'
    show = '[[containers]]\nname = "NAME"\nimage = "other"\ncommand = ["cat", "FILE"]\n'
    files = show.replace("NAME", "hosts").replace("FILE", "/etc/hosts")
    files += show.replace("NAME", "resolv").replace("FILE", "/etc/resolv.conf")
    story = pod(
        f'restartPolicy = "Never"\n{aliases}\n[supervisor.images.other]\nrootfs = "@ROOT@"\n'
        f'[[containers]]\nname = "look"\nimage = "other"\ncommand = {command}\n{files}'
    )
    assert story.ended() == 0, story.said()
    exe, name, *rest = story.logs("look").splitlines()
    assert exe.rpartition("/")[2] in ("busybox", "readlink")
    assert name in ("sh", "cat")
    expected = ["a process table", "null", "zero", "full", "random", "urandom", "tty", "ptmx"]
    expected += ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "4", "directories"]
    expected += ["a read-only /sys", "a read-only /etc/resolv.conf", "/new", "nothing of the host"]
    assert rest[: len(expected)] == expected
    assert sorted(rest[len(expected) :]) == sorted({*before, "dev", "proc", "sys", "etc", "new", "tmp"})
    assert story.logs("hosts").endswith("# Entries added by HostAliases.\n192.0.2.1\tfar.example.org\n")
    assert Path("/etc/hosts").read_text().strip() in story.logs("hosts")
    assert story.logs("resolv") == Path("/etc/resolv.conf").read_text()
    assert sorted(path.name for path in root.iterdir()) == before


def test_all_that_is_done_to_a_container_is_done_in_there(home: Path, root: Path, pod: Start) -> None:
    before = contents(root / "etc")
    story = pod(LASTING, options=("--set", "crashLoopBackOff.initialPeriod=1ms"))
    story.until_ready()
    asked = story.exec(
        "main", "sh", "-c", "tool; cat /v/hook /etc/app/key; pwd; echo; echo $WHERE; touch /only/a/part/x; ls /v/inner"
    )
    made = asked.stdout.splitlines()[0]
    assert asked.stdout.splitlines() == [made, made, "a value" + "/srv", "", "from the settings", "x"], asked.stderr
    (home / "here").write_text("from here\n")
    assert story.ask("cp", str(home / "here"), ":/srv/there").returncode == 0
    assert story.ask("cp", ":/srv/there", str(home / "back")).returncode == 0
    assert (home / "back").read_text() == "from here\n"
    assert story.exec("main", "touch", "/v/stop").returncode == 0

    def last() -> dict[str, object] | None:
        return story.container("main").get("lastState", {}).get("terminated")  # type: ignore[no-any-return]

    ended = story.until(last, "it has ended by itself")
    assert (ended["exitCode"], ended["message"]) == (3, "last words\n")
    assert set(story.logs("main").splitlines()) == {"up"}  # each instance has a new layer
    story.signal()
    assert story.ended() == 0, story.said()
    assert not story.strays()
    assert contents(root / "etc") == before
    assert not [name for name in ("v", "only", "srv/there", "tmp/again") if (root / name).exists()]


def test_users_are_those_of_the_tree(pod: Start) -> None:
    """And a terminal can be had by anybody."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    story = pod(
        """
        restartPolicy = "Never"
        [supervisor.images.other]
        rootfs = "@ROOT@"
        user = "app"
        [[containers]]
        name = "main"
        image = "other"
        command = ["sh", "-c", "id -u; id -g; echo $HOME; : < /dev/ptmx && echo a terminal; touch /x || echo read-only"]
        securityContext = { readOnlyRootFilesystem = true }
        """
    )
    assert story.ended() == 0, story.said()
    assert [line for line in story.logs("main").splitlines() if "touch" not in line] == [
        "4321", "4321", "/srv", "a terminal", "read-only",
    ]  # fmt: skip


def test_a_user_of_the_tree_that_cannot_be_had_is_named(pod: Start) -> None:
    if os.geteuid() == 0:
        pytest.skip("root can become anybody")
    text = """
        restartPolicy = "Never"
        [supervisor.images.other]
        rootfs = "@ROOT@"
        user = "app"
        [[containers]]
        name = "main"
        image = "other"
        command = ["id", "-u"]
        """
    story = pod(text)
    story.until(lambda: "the image is for user app, and initsup runs as user" in story.said(), "it says so")
    story.signal()
    assert story.ended() == 0
    for more, options in ((f"securityContext.runAsUser = {os.geteuid()}", ()), ("", ("--best-effort",))):
        again = pod(text + more, options=options)
        assert again.ended() == 0, again.said()
        assert again.logs("main") == f"{os.geteuid()}\n"


def test_the_tree_may_be_any_users(home: Path, run: Start) -> None:
    """Its links lead where they lead inside, also those at the places that are mounted over."""
    private("--mount")
    tree = trees.busybox(home / "tree")
    (home / "outside").write_text("of the host\n")
    (tree / "etc/resolv.conf").symlink_to(home / "outside")
    (tree / "etc/hosts").symlink_to("../../../../../../../../run/hosts")
    (tree / "out").symlink_to("/srv")
    (home / "pod.toml").write_text(INIT_BESIDE_HOST.replace("@ROOT@", str(tree)).replace("@HOME@", str(home)))
    story = run(home / "pod.toml")
    assert story.ended() == 0, story.said()
    assert (home / "outside").read_text() == "of the host\n"
    assert not Path("/run/hosts").exists()
    assert stat.S_ISLNK((tree / "etc/hosts").lstat().st_mode)
    assert not list((tree / "srv").iterdir())
