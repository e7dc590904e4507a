"""Limits hold where the machine has the controllers, and what does not hold is said: memory, pids, CPU, their order.

Each story runs where this process is, and once more below a cgroup that was made for it, as in a container or a unit
with Delegate=.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from initsup.core.qos import oom_score_adj
from initsup.load.read import load
from initsup.node.cgroups import pod_cgroup
from initsup.node.hierarchies import Hierarchy, find_hierarchies, make_ready
from tests.stories.driver import Story, need

pytestmark = pytest.mark.real

HOG = "x = b'x' * 2**20 * {}; import time; print('fits', flush=True); time.sleep(1000)"
BUSY = """
import os, pathlib, time
seconds, processes, meeting, guests = 3, {}, pathlib.Path("{}"), {}
if guests:  # all begin together
    (meeting / str(time.monotonic())).touch()
    while len(list(meeting.iterdir())) < guests:
        time.sleep(0.001)
began = time.monotonic()
children = []
while len(children) < processes - 1 and 0 not in children:
    children.append(os.fork())
while time.monotonic() < began + seconds:
    pass
if 0 in children:
    os._exit(0)
for pid in children:
    os.waitpid(pid, 0)
used = sum(os.times()[:4])
print(used / (time.monotonic() - began), flush=True)
time.sleep(1000)
"""
FORKS = """
import os, time
children = 0
try:
    while children < 200:
        os.fork() or time.sleep(1000)
        children += 1
except OSError as error:
    print(children, error, flush=True)
time.sleep(1000)
"""

Start = Callable[..., Story]


def hierarchy(controller: str) -> Hierarchy:
    """Where the controller is; the test is skipped where there is none to be had."""
    found, missing = find_hierarchies()
    if controller in missing:
        pytest.skip(f"no {controller} limits here: {missing[controller]}")
    return next(one for one in found if controller in one.controllers)


@pytest.fixture(params=["here", "nested"])
def entered(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """A wrapper that enters a new cgroup of each hierarchy, or none."""
    made = []
    for one in find_hierarchies()[0] if request.param == "nested" else ():
        made.append(f"{make_ready(one).base}/initsup-story-{os.getpid()}")
        os.mkdir(made[-1])
    procs = [f"{directory}/cgroup.procs" for directory in made]
    enter = ["sh", "-c", 'while [ "$1" != -- ]; do echo $$ >"$1" && shift || exit; done; shift; exec "$@"', "sh"]
    yield [*enter, *procs, "--"] if made else []
    for directory in made:
        for inner, _, _ in os.walk(directory, topdown=False):
            os.rmdir(inner)


@pytest.fixture
def pod(entered: list[str], home: Path, run: Start) -> Start:
    """Run a pod that is given as TOML, here or in cgroups of its own."""

    def start(toml: str, **arguments: object) -> Story:
        (home / "pod.toml").write_text(textwrap.dedent(toml))
        return run(home / "pod.toml", wrapper=entered, **arguments)

    return start


def cgroup(story: Story, controller: str, container: str = "") -> Path:
    """The directory of a pod's cgroup, or of its container's first instance."""
    uid = (story.get() or {})["metadata"]["uid"]
    (found,) = cgroups_of(uid, hierarchy(controller))
    return found / f"{container}-0" if container else found


def cgroups_of(uid: str, one: Hierarchy) -> list[Path]:
    """The directories of a pod, wherever they are; those of others come and go meanwhile."""
    return [Path(path) for path, _, _ in os.walk(one.top) if os.path.basename(path) == pod_cgroup(uid)]


def runs(name: str, program: str, fields: str = "") -> str:
    """A container that runs a Python program."""
    command = json.dumps([sys.executable, "-I", "-S", "-c", program])
    return f'[[containers]]\nname = "{name}"\ncommand = {command}\n{fields}\n'


def ends_of(story: Story, container: str) -> list[dict[str, Any]]:
    """How its newest instances have ended that are known to have."""
    status = story.container(container)
    states = (status.get("state", {}), status.get("lastState", {}))
    return [state["terminated"] for state in states if "terminated" in state]


def ends(story: Story) -> None:
    """It ends when it is asked to, and leaves nothing, neither processes nor cgroups."""
    uid = (story.get() or {})["metadata"]["uid"]
    story.signal()
    assert story.ended() == 0, story.said()
    assert not story.strays()
    for one in find_hierarchies()[0]:
        assert not cgroups_of(uid, one)


# -- memory ----------------------------------------------------------------------------------------------------------


def test_over_its_memory_limit_a_container_is_oom_killed(pod: Start) -> None:
    hierarchy("memory")
    story = pod(
        runs("hog", HOG.format(200), 'resources.limits.memory = "48Mi"')
        + runs("modest", HOG.format(1), 'resources.limits.memory = "48Mi"')
    )
    ended = story.until(lambda: ends_of(story, "hog"), "it has been killed")[0]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    assert "hog: ended with 137 (SIGKILL), out of memory" in story.said()
    story.until(lambda: "Back-off restarting failed container hog" in story.ask("events").stdout, "the event")
    described = story.ask("describe").stdout
    assert "Reason:       OOMKilled\n      Exit Code:    137" in described
    assert story.logs("modest") == "fits\n"
    assert story.container("modest")["restartCount"] == 0
    ends(story)


def test_an_oom_kill_of_a_child(pod: Start) -> None:
    """With memory.oom.group (version 2) all of the container dies, else its main process goes on; it is told anyway."""
    version = hierarchy("memory").version
    hog = "\n".join(
        (
            "import os, signal",
            "if os.fork() == 0:",
            "    x = b'x' * 2**20 * 200",
            "status = os.wait()[1]",
            "print(os.waitstatus_to_exitcode(status), flush=True)",
        )
    )
    story = pod('restartPolicy = "Never"\n' + runs("main", hog, 'resources.limits.memory = "48Mi"'))
    code = story.ended()
    ended = story.container("main")["state"]["terminated"]
    assert ended["reason"] == "OOMKilled"
    if version == 2:
        assert (code, ended["exitCode"], story.logs("main")) == (137, 137, "")
    else:
        assert (ended["exitCode"], story.logs("main")) == (0, "-9\n")


def test_the_memory_of_the_pod_is_a_limit_for_its_containers_together(pod: Start) -> None:
    hierarchy("memory")
    two = runs("a", HOG.format(60)) + runs("b", HOG.format(60))
    story = pod('restartPolicy = "Never"\nresources.limits.memory = "100Mi"\n' + two)

    (one,) = story.until(lambda: [name for name in "ab" if ends_of(story, name)], "one has been killed")
    assert ends_of(story, one)[0]["reason"] == "OOMKilled"
    (other,) = {"a", "b"} - {one}
    story.until(lambda: story.logs(other) == "fits\n", "there is room for the other one then")
    ends(story)


# -- pids ------------------------------------------------------------------------------------------------------------


def test_over_its_pids_limit_a_pod_cannot_fork(pod: Start) -> None:
    hierarchy("pids")
    story = pod(runs("forks", FORKS), options=("--set", "podPidsLimit=20"))
    story.until(lambda: story.logs("forks"), "it has forked")
    assert story.logs("forks") == "19 [Errno 11] Resource temporarily unavailable\n"
    done = story.exec("forks", "true")
    assert done.returncode == 0, done.stderr  # it is moved there, and forks nothing
    ends(story)


def test_the_pids_limit_is_for_all_containers_together(pod: Start) -> None:
    hierarchy("pids")
    story = pod(runs("one", FORKS) + runs("two", FORKS), options=("--set", "podPidsLimit=30"))
    counts = [int(story.until(lambda it=name: story.logs(it), "it has forked").split()[0]) for name in ("one", "two")]  # type: ignore[misc]
    assert sum(counts) == 28
    assert all("temporarily unavailable" in story.logs(name) for name in ("one", "two"))
    ends(story)


# -- CPU -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "processes", "share"),
    [
        pytest.param("200m", 1, 0.2, id="a fifth of a CPU"),
        pytest.param("500m", 1, 0.5, id="half a CPU"),
        pytest.param("500m", 3, 0.5, id="half a CPU for three processes"),
    ],
)
def test_a_container_gets_no_more_cpu_than_its_limit(pod: Start, limit: str, processes: int, share: float) -> None:
    """How much less it gets depends on who else is there; that the limit was what stopped it is counted."""
    hierarchy("cpu")
    story = pod(runs("busy", BUSY.format(processes, "", 0), f'resources.limits.cpu = "{limit}"'))
    used = float(story.until(lambda: story.logs("busy"), "it has measured itself"))
    assert 0 < used <= share * 1.1
    counted = dict(line.split() for line in (cgroup(story, "cpu", "busy") / "cpu.stat").read_text().splitlines())
    assert int(counted["nr_throttled"]) > 0 or used < share * 0.9  # it never had so much to lose
    ends(story)


def test_the_cpu_of_the_pod_is_a_limit_for_its_containers_together(home: Path, pod: Start) -> None:
    hierarchy("cpu")
    (home / "meeting").mkdir()
    two = runs("a", BUSY.format(1, home / "meeting", 2)) + runs("b", BUSY.format(1, home / "meeting", 2))
    story = pod('resources.limits.cpu = "400m"\n' + two)
    used = [float(story.until(lambda it=name: story.logs(it), "it has measured itself")) for name in "ab"]  # type: ignore[misc]
    assert 0 < sum(used) <= 0.4 * 1.1
    ends(story)


# -- the order -------------------------------------------------------------------------------------------------------

REQUEST = 'resources.requests = { cpu = "100m", memory = "1Gi" }'
LIMIT = 'resources.limits = { cpu = "100m", memory = "64Mi" }'


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param("", "BestEffort", id="nothing asked for"),
        pytest.param(REQUEST, "Burstable", id="requests"),
        pytest.param(LIMIT, "Guaranteed", id="limits, which are the requests, too"),
    ],
)
def test_qos_class_and_oom_score(home: Path, run: Start, fields: str, expected: str) -> None:
    """kubelet's score, as far as initsup may set it: lower than its own needs CAP_SYS_RESOURCE."""
    (home / "pod.toml").write_text(runs("c", "print(open('/proc/self/oom_score_adj').read())", fields))
    spec = load([str(home / "pod.toml")], []).pod.spec
    story = run(home / "pod.toml", options=("--set", "bestEffort=true"))
    said = int(story.until(lambda: story.logs("c"), "it runs").split()[0])
    assert (story.get() or {})["status"]["qosClass"] == expected
    own = int(Path("/proc/self/oom_score_adj").read_text())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    wanted = own if expected == "BestEffort" else oom_score_adj(spec, spec.containers[0], memory)
    assert said == wanted or (wanted < own == said)
    story.signal()
    assert story.ended() == 0


def test_values_of_the_cgroups(pod: Start) -> None:
    """kubelet's numbers, where the kernel keeps them (`cpu.weight` of 250m is 35)."""
    version = hierarchy("cpu").version
    story = pod(
        runs("a", "input()", 'stdin = true\nresources = { requests.cpu = "250m", limits.cpu = "500m" }')
        + runs("b", "input()", 'stdin = true\nresources.limits.cpu = "100m"')
    )
    story.until_ready()
    wanted = [
        ("a", 256, 35, "50000"),
        ("b", 102, 17, "10000"),
        ("", 358, 45, "60000"),
    ]
    for container, shares, weight, quota in wanted:
        directory = cgroup(story, "cpu", container)
        if version == 2:
            found = (directory / "cpu.weight").read_text(), (directory / "cpu.max").read_text()
            assert found == (f"{weight}\n", f"{quota} 100000\n")
        else:
            found = (directory / "cpu.shares").read_text(), (directory / "cpu.cfs_quota_us").read_text()
            assert found == (f"{shares}\n", f"{quota}\n")
    ends(story)


# -- a fork bomb -----------------------------------------------------------------------------------------------------

BOMB = """
use POSIX;
$SIG{TERM} = 'IGNORE';
for (;;) {
    my $child = fork;
    select undef, undef, undef, .05 if !defined $child;
    setsid if defined $child && !$child;
}
"""
MOST = 100


def test_a_fork_bomb_within_a_pids_limit_is_ended(pod: Start) -> None:
    hierarchy("pids")
    story = pod(
        "terminationGracePeriodSeconds = 1\n" + bomb() + runs("other", FORKS.replace("200", "1")),
        options=("--set", f"podPidsLimit={MOST}", "--console", "none"),
    )
    goes_off(story, "max")
    assert story.ask("delete").returncode == 0
    assert story.ended(timeout=60) == 0, story.said()
    assert not story.strays()


def test_a_fork_bomb_without_that_controller_is_ended(home: Path, run: Start) -> None:
    """What stops it is a limit of its user, which the kernel checks as it checks that of a cgroup."""
    if os.geteuid() != 0:
        pytest.skip("only root can give it a user of its own")
    user = 200_000_000 + os.getpid()
    fields = f"securityContext = {{ runAsUser = {user} }}"
    (home / "pod.toml").write_text("terminationGracePeriodSeconds = 1\n" + bomb(fields))
    story = run(
        home / "pod.toml", wrapper=[need("prlimit"), f"--nproc={MOST}:{MOST}"], options=("--console", "none")
    )  # fmt: skip
    goes_off(story, "its user's limit")
    assert story.ask("delete").returncode == 0
    assert story.ended(timeout=60) == 0, story.said()
    assert not story.strays()


def bomb(fields: str = "") -> str:
    """A container that forks for ever, each time in a session of its own, and takes no signal."""
    command = json.dumps([need("perl"), "-e", BOMB.replace("$", "$$")])
    return f'[[containers]]\nname = "bomb"\ncommand = {command}\n{fields}\n'


def goes_off(story: Story, what: str) -> None:
    """Wait until there are as many processes as there may be, nearly, and initsup can be asked all the same."""
    story.until(lambda: len(story.programs()) > MOST * 0.9, f"the bomb is at {what}", timeout=60)
    story.until(story.get, "initsup answers", timeout=60)
