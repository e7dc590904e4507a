"""The same pods for another user, and where mounts are not permitted: what can be had is, the rest is said first."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stories import trees
from tests.stories.driver import INITSUP, NOBODY, SCALE, Story, as_nobody, need

pytestmark = pytest.mark.real

CONFIGS = Path(__file__).parents[2] / "configs"

NO_NAMESPACES = """
echo 0 > /proc/sys/user/max_user_namespaces &&
exec setpriv --ambient-caps=-all --inh-caps=-all --bounding-set=-all "$@"
"""

ROOTFS = """\
restartPolicy = "Never"
[supervisor.images.other]
rootfs = "@HOME@/tree"
[[initContainers]]
name = "build"
image = "other"
command = ["sh", "-c", "tool > /out/made; test -c /dev/null && cat /proc/self/comm /etc/hosts > /out/found"]
volumeMounts = [{ name = "out", mountPath = "/out" }, { name = "out", mountPath = "/etc/deep/er" }]
[[containers]]
name = "show"
command = ["sh", "-c", "cat @HOME@/shown/made; head -n1 @HOME@/shown/found"]
volumeMounts = [{ name = "out", mountPath = "@HOME@/shown" }]
[[volumes]]
name = "out"
"""

DEMANDS = """\
restartPolicy = "Never"
[supervisor]
podPidsLimit = 50
[[containers]]
name = "a"
command = ["sh", "-c", "echo it runs"]
resources.limits = { memory = "64Mi", cpu = "500m" }
securityContext = { runAsUser = 77, readOnlyRootFilesystem = true, capabilities = { add = ["SYS_TIME"] } }
volumeMounts = [{ name = "v", mountPath = "@HOME@/v", readOnly = true }]
[[containers]]
name = "b"
command = ["sh", "-c", "echo it runs"]
volumeMounts = [{ name = "v", mountPath = "@HOME@/v", subPath = "another" }]
[[volumes]]
name = "v"
"""

Start = Callable[..., Story]


def another(home: Path) -> list[str]:
    """Become a user that has nothing; who is not root is one already."""
    return as_nobody(home) if os.geteuid() == 0 else []


def without_mounts(uid: int) -> list[str]:
    """Give up all capabilities, and the right to make a namespace in which they come back."""
    ids = (f"--map-user={uid}", f"--map-group={uid if uid == NOBODY else os.getegid()}")
    wrapper = [need("unshare"), "--user", *ids, "--keep-caps", "sh", "-c", NO_NAMESPACES, "sh"]
    need("setpriv")
    return wrapper


@pytest.fixture(params=["here", "another user", "without mounts", "another user without mounts", "root but for mounts"])
def place(request: pytest.FixtureRequest, home: Path) -> list[str]:
    """A wrapper for initsup."""
    wrapper = {
        "here": list,
        "another user": lambda: another(home),
        "without mounts": lambda: without_mounts(os.geteuid()),
        "another user without mounts": lambda: [*another(home), *without_mounts(os.geteuid() or NOBODY)],
        "root but for mounts": lambda: ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"],
    }[request.param]()
    if request.param == "root but for mounts" and os.geteuid() != 0:
        pytest.skip("only root can do without that")
    tried = subprocess.run([*wrapper, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"{request.param} cannot be had here: {tried.stderr.strip()}")
    return wrapper


@pytest.fixture
def given(place: list[str]) -> set[str]:
    """What `initsup check --here` says that there is in that place."""
    command = [*place, *INITSUP, "check", "--here"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 * SCALE, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.partition(" yes ")[0].strip() for line in done.stdout.splitlines() if " yes " in line]
    return {f"limit {name}" for row in rows if row.startswith("limit") for name in row[6:].split(", ")} | set(rows)


@pytest.fixture
def pod(home: Path, run: Start, place: list[str]) -> Start:
    """Run a pod in that place."""

    def start(text: str, name: str = "pod.toml", **arguments: object) -> Story:
        (home / name).write_text(text.replace("@HOME@", str(home)))
        state = home / "state"
        return run(home / name, wrapper=place, state=state, cwd=home, **arguments)

    return start


@pytest.mark.parametrize("name", ["minimal.toml", "minimal.yaml"])
def test_the_smallest_example_runs_anywhere(pod: Start, name: str) -> None:
    story = pod((CONFIGS / name).read_text(), name)
    assert story.ended() == 0, story.said()
    assert story.logs("prepare") == "preparing\nprepared\n"
    assert story.logs("hello").startswith("hello 1\n")
    assert story.said().splitlines()[-1].endswith("every container has succeeded, exit code 0")


def test_volumes_are_shared_anywhere(home: Path, pod: Start) -> None:
    """The example with a sidecar, in a place that this user may write to."""
    story = pod((CONFIGS / "sidecar.toml").read_text().replace("/var/log/app", "@HOME@/app"), "sidecar.toml")
    story.until_ready()
    story.until(lambda: "good morning 2" in story.logs("ship-logs"), "it ships what the other one writes")
    story.signal()
    assert story.ended() == 0, story.said()
    assert "good morning: stopped" in story.logs("ship-logs")
    assert not (home / "app").is_symlink()


def test_a_root_of_its_own_runs_or_is_refused_at_once(home: Path, pod: Start, given: set[str]) -> None:
    """The tree is root's where that can be: in a user namespace its directories are somebody else's."""
    tree = trees.busybox(home / "tree")
    before = sorted(tree.rglob("*"))
    story = pod(ROOTFS)
    code = story.ended()
    if "volumes" in given:
        assert code == 0, story.said()
        assert story.logs("show").splitlines() == ["made by a tool", "cat"]
    else:
        line = "spec.initContainers[0].volumeMounts: an image with a rootfs needs mounts, which are not permitted here"
        assert f"pod.toml:8: {line}" in story.said()
        assert code == 2
        assert nothing_has_happened(story)
    assert sorted(tree.rglob("*")) == before


def test_a_volume_at_a_place_that_cannot_be_written(pod: Start, given: set[str]) -> None:
    if os.geteuid() == 0 and "run as other users" in given and "volumes" not in given:
        pytest.skip("root can write there")
    story = pod((CONFIGS / "sidecar.toml").read_text().replace("/var/log/app", "/proc/none/app"), "sidecar.toml")
    if "volumes" in given:
        story.until(lambda: "/proc/none" in story.said(), "nobody can make it in there, really")
        story.signal()
        assert story.ended() == 0, story.said()
    else:
        assert story.ended() == 2, story.said()
        line = "spec.initContainers[0].volumeMounts[0].mountPath: no link can be made in /proc, which"
        assert line in story.said()
        assert nothing_has_happened(story)


def test_all_that_is_not_given_is_said_at_once(pod: Start, given: set[str]) -> None:
    wanted = []
    if "run as other users" not in given:
        wanted += ["spec.containers[0].securityContext.runAsUser: initsup runs as user "]
        wanted += ["spec.containers[0].securityContext.capabilities.add: initsup itself lacks SYS_TIME"]
    if "volumes" not in given:
        wanted += ["spec.containers[0].securityContext.readOnlyRootFilesystem: needs mounts"]
        wanted += ["spec.containers[0].volumeMounts[0].readOnly: needs mounts"]
        wanted += ['spec: containers "a" and "b" have different volumes at ']
    story = pod(DEMANDS)
    assert story.ended() == (2 if wanted else 0), story.said()
    lines = story.said().splitlines()
    assert [line for line in wanted if not any(f": {line}" in one for one in lines)] == []
    assert len([line for line in lines if ": spec" in line]) == len(wanted)
    for what, name in (("a: its memory limit", "memory"), ("a: its cpu limit", "cpu"), ("podPidsLimit", "pids")):
        said = any(f"{what} is not enforced here" in line for line in lines)
        assert said == (f"limit {name}" not in given), name
    assert not wanted or nothing_has_happened(story)


def test_best_effort_is_to_do_without(home: Path, pod: Start, place: list[str], given: set[str]) -> None:
    """And `check --here` says the same beforehand."""
    demands = DEMANDS.replace(', subPath = "another"', "")
    if not {"volumes", "run as other users"} & given:
        demands = demands.replace('mountPath = "@HOME@/v" }', 'mountPath = "/sys/none/v" }')
    story = pod(demands, options=("--best-effort",))
    assert story.ended() == 0, story.said()
    assert story.logs("a") + story.logs("b") == "it runs\n" * 2
    assert ("not given here: " in story.said()) == (not {"volumes", "run as other users"} <= given)
    checked = subprocess.run(
        [*place, *INITSUP, "check", "--here", "--best-effort", str(home / "pod.toml")],
        capture_output=True, text=True, timeout=60 * SCALE, cwd="/",
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    lines = [line for line in checked.stdout.splitlines() if "not given here" in line or "not enforced here" in line]
    assert [f"initsup: {line}" for line in lines] == sorted(
        (line for line in story.said().splitlines() if "not given here" in line or "not enforced here" in line),
        key=lambda line: "not enforced" in line,
    )


def nothing_has_happened(story: Story) -> bool:
    """No container was started."""
    return ": started" not in story.said() and not list(story.state.glob("logs/*"))
