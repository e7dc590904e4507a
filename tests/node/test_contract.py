"""What any Node must do. The fake one and the real one pass the same suite."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from initsup.core.actions import Hook, Prepare, Probe, Signal, Start
from initsup.core.events import (
    Died,
    Event,
    Hooked,
    Looked,
    Probed,
    Signalled,
    Started,
    StartFailed,
    VolumesReady,
)
from initsup.core.facts import User
from initsup.core.plan import plan
from initsup.engine import Node
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container, EphemeralContainer, ObjectMeta, Pod, PodSpec
from initsup.spec.probe import ExecAction, Lifecycle, LifecycleHandler
from initsup.spec.probe import Probe as Check
from tests.fake_node import FakeNode, Habit

pytestmark = [pytest.mark.anyio, pytest.mark.real]

HABITS = {
    "three": Habit(exits=3),
    "stays": Habit(),
    "stubborn": Habit(stubborn=True),
    "missing": Habit(missing=True),
    "ill": Habit(healthy=False),
    "slow": Habit(hanging=True),
    "talks": Habit(exits=0),
}


def _script(name: str, habit: Habit) -> tuple[str, ...]:
    if habit.missing:
        return ("/no/such/program",)
    if name == "talks":
        return ("/bin/sh", "-c", "echo out; echo err >&2")
    if habit.exits is not None:
        return ("/bin/sh", "-c", f"exit {habit.exits}")
    trap = "trap '' TERM; echo deaf; " if habit.stubborn else ""
    return ("/bin/sh", "-c", f"{trap}exec sleep 1000")


def _container(name: str, habit: Habit) -> Container:
    ask = ExecAction(command=("true" if habit.healthy else "false",))
    hook = LifecycleHandler(exec=ExecAction(command=("sleep", "1000")) if habit.hanging else ask)
    return Container(
        name=name,
        command=_script(name, habit),
        liveness_probe=Check(exec=ask),
        lifecycle=Lifecycle(post_start=hook, pre_stop=hook),
    )


@pytest.fixture(params=["fake", "real"])
def bare(request: pytest.FixtureRequest, tmp_path: Path, kept_signals: None) -> Iterator[Node]:
    if request.param == "fake":
        fake = FakeNode(HABITS, time.monotonic)
        yield fake
        fake.close()
        return
    from initsup.node.node import HostNode

    containers = tuple(_container(name, habit) for name, habit in HABITS.items())
    pod = Pod(metadata=ObjectMeta(name="p", uid="u"), spec=PodSpec(containers=containers))
    real = HostNode(plan(Manifest(pod=pod)), str(tmp_path))
    yield real
    real.close()


@pytest.fixture
async def node(bare: Node) -> AsyncIterator[Node]:
    async with anyio.create_task_group() as tasks:
        bare.tasks = tasks
        assert isinstance(bare.do(Prepare()), VolumesReady)
        yield bare
        tasks.cancel_scope.cancel()


async def until(node: Node, kind: type[Event], seen: list[Event] | None = None) -> Any:
    """The next event of this kind; the others are put into `seen`."""
    with anyio.fail_after(10):
        while True:
            await anyio.wait_readable(node.fileno())
            for event in node.collect():
                if isinstance(event, kind):
                    return event
                if seen is not None:
                    seen.append(event)


def start(node: Node, name: str, attempt: int = 0) -> Started:
    closing = node.do(Start(container=name, attempt=attempt))
    assert isinstance(closing, Started)
    return closing


async def test_a_start_closes_with_started_and_the_exit_follows_with_its_code(node: Node) -> None:
    started = start(node, "three", 7)
    assert (started.container, started.attempt) == ("three", 7)
    assert started.pid > 1
    died = await until(node, Died)
    assert (died.container, died.attempt, died.code) == ("three", 7, 3)
    assert died.at >= started.at


async def test_a_start_says_as_whom(node: Node) -> None:
    own = User(uid=os.geteuid(), gid=os.getegid(), groups=tuple(sorted(os.getgroups())))
    assert start(node, "stays").user == own
    failed = node.do(Start(container="missing", attempt=0))
    assert isinstance(failed, StartFailed)
    assert failed.user == own


async def test_a_program_that_is_missing_closes_with_start_failed(node: Node) -> None:
    failed = node.do(Start(container="missing", attempt=0))
    assert isinstance(failed, StartFailed)
    assert (failed.container, failed.reason) == ("missing", "RunContainerError")
    assert failed.message


async def test_a_signal_closes_with_signalled_and_ends_who_listens(node: Node) -> None:
    start(node, "stays")
    closing = node.do(Signal(container="stays", attempt=0, signal=15))
    assert isinstance(closing, Signalled)
    assert (await until(node, Died)).code == 143


async def test_sigkill_ends_who_does_not_listen(node: Node) -> None:
    start(node, "stubborn")
    node.do(Signal(container="stubborn", attempt=0, signal=9))
    assert (await until(node, Died)).code == 137


async def test_a_signal_for_another_attempt_closes_and_touches_nothing(node: Node) -> None:
    start(node, "stays", 1)
    assert isinstance(node.do(Signal(container="stays", attempt=0, signal=9)), Signalled)
    node.do(Probe(container="stays", attempt=1, probe="liveness"))
    assert (await until(node, Probed)).outcome == "success"


async def test_a_container_can_be_started_again_after_its_end(node: Node) -> None:
    for attempt in range(3):
        start(node, "three", attempt)
        assert (await until(node, Died)).attempt == attempt


@pytest.mark.parametrize(("name", "outcome"), [("stays", "success"), ("ill", "failure")])
async def test_a_probe_closes_with_one_probed(node: Node, name: str, outcome: str) -> None:
    start(node, name)
    assert node.do(Probe(container=name, attempt=0, probe="liveness")) is None
    probed = await until(node, Probed)
    assert (probed.container, probed.attempt, probed.probe, probed.outcome) == (name, 0, "liveness", outcome)


async def test_a_probe_of_a_container_that_is_not_there_closes_with_an_error(node: Node) -> None:
    node.do(Probe(container="stays", attempt=5, probe="liveness"))
    assert (await until(node, Probed)).outcome == "error"


@pytest.mark.parametrize(("name", "ok"), [("stays", True), ("ill", False)])
async def test_a_hook_closes_with_one_hooked(node: Node, name: str, ok: bool) -> None:
    start(node, name)
    assert node.do(Hook(container=name, attempt=0, hook="postStart")) is None
    hooked = await until(node, Hooked)
    assert (hooked.container, hooked.hook, hooked.ok) == (name, "postStart", ok)


async def test_a_hook_of_a_container_that_is_not_there_closes_as_failed(node: Node) -> None:
    node.do(Hook(container="stays", attempt=5, hook="preStop"))
    assert (await until(node, Hooked)).ok is False


async def test_a_hook_that_the_end_of_its_container_cuts_off_closes_with_that_end(node: Node) -> None:
    start(node, "slow")
    node.do(Hook(container="slow", attempt=0, hook="preStop"))
    node.do(Signal(container="slow", attempt=0, signal=9))
    with anyio.fail_after(10):
        while not (happened := node.collect()):
            await anyio.wait_readable(node.fileno())
    assert [type(event) for event in happened] == [Died, Hooked]
    assert not any(event.ok for event in happened if isinstance(event, Hooked))


async def test_what_is_written_first_is_taken_in_first(bare: Node) -> None:
    if isinstance(bare, FakeNode):
        pytest.skip("its containers write nothing")
    async with anyio.create_task_group():
        bare.do(Prepare())
        streams: list[str] = []
        bare.listen("talks", lambda stream, _data: streams.append(stream))
        pid = start(bare, "talks").pid
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        while bare.wait(10) and not any(isinstance(event, Died) for event in bare.collect()):
            pass
    assert streams == ["stdout", "stderr"]


async def test_what_is_posted_comes_out_and_wakes(node: Node) -> None:
    node.post(Looked(at=1.0))
    assert (await until(node, Looked)).at == 1.0


async def test_a_wait_may_be_for_months(bare: Node) -> None:
    if isinstance(bare, FakeNode):
        pytest.skip("it is never waited for without an event loop")
    bare.post(Looked(at=1.0))
    assert bare.wait(1e8)


async def test_collect_gives_nothing_and_does_not_block_when_nothing_has_happened(node: Node) -> None:
    assert node.collect() == []


async def test_no_process_is_left_when_it_closes(bare: Node) -> None:
    async with anyio.create_task_group() as tasks:
        bare.tasks = tasks
        bare.do(Prepare())
        pid = start(bare, "stubborn").pid
    if isinstance(bare, FakeNode):
        return
    bare.do(Signal(container="stubborn", attempt=0, signal=9))
    await until(bare, Died)
    assert not os.path.exists(f"/proc/{pid}")


def test_who_debugs_on_a_terminal_is_not_shown_on_this_one(tmp_path: Path, kept_signals: None) -> None:
    """The real node only: a fake one has no console."""
    from initsup.node.node import HostNode

    pod = Pod(metadata=ObjectMeta(name="p", uid="u"), spec=PodSpec(containers=(Container(name="a", tty=True),)))
    real = HostNode(plan(Manifest(pod=pod)), str(tmp_path))
    try:
        assert real.console.muted == frozenset()
        added = (EphemeralContainer(name="d", tty=True), EphemeralContainer(name="e"))
        changed = msgspec.structs.replace(pod.spec, ephemeral_containers=added)
        real.take_over(plan(Manifest(pod=msgspec.structs.replace(pod, spec=changed))))
        assert real.console.muted == {"d"}
    finally:
        real.close()
