from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from initsup.core.actions import Prepare, Signal, Start
from initsup.core.events import Died, Event, Started, StartFailed
from initsup.node.boxes import Boxes
from initsup.node.failures import SpawnError
from initsup.node.node import HostNode
from tests.build import container, planned

pytestmark = pytest.mark.real


def test_a_start_that_came_to_no_user_does_not_tell_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SpawnError("cgroup", errno.ENOSPC, "no space left on device")

    node = HostNode(planned(msgspec.structs.replace(container("a"), command=("true",))), str(tmp_path))
    try:
        started = node.do(Start(container="a", attempt=0))
        assert isinstance(started, Started)
        assert started.user is not None
        assert started.user.uid == os.geteuid()
        monkeypatch.setattr(Boxes, "cgroup", refuse)
        failed = node.do(Start(container="a", attempt=1))
        assert isinstance(failed, StartFailed)
        assert failed.user is None
    finally:
        node.close()


def test_an_end_is_told_with_that_of_its_output(tmp_path: Path) -> None:
    node = HostNode(planned(msgspec.structs.replace(container("a"), command=("true",))), str(tmp_path))
    try:
        started = node.do(Start(container="a", attempt=0))
        assert isinstance(started, Started)
        os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
        node.wait(None)
        node._ready = [(fd, what) for fd, what in node._ready if fd in node._pump]  # as if the signal came a bit later
        assert [type(event) for event in node.collect()] == [Died]
    finally:
        node.close()


def test_a_command_in_an_instance_that_ends_for_the_last_time_is_in_its_view(tmp_path: Path) -> None:
    words = tmp_path / "words"
    stubborn = msgspec.structs.replace(
        container("a"),
        command=("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"),
        termination_message_path=str(words),
    )
    node = HostNode(planned(stubborn), str(tmp_path))
    try:
        node.do(Prepare())
        started = node.do(Start(container="a", attempt=0))
        assert isinstance(started, Started)
        log = tmp_path / "logs/a/0.log"
        until(node, lambda: log.exists() and "ready" in log.read_text())
        own = os.readlink(f"/proc/{started.pid}/ns/mnt")
        node.do(Signal(container="a", attempt=0, signal=15, last=True))
        source, sink = os.pipe2(os.O_CLOEXEC)
        codes: list[int] = []
        script = f"readlink /proc/self/ns/mnt; echo the last words >{words}"
        node.execute("a", 0, ("sh", "-c", script), (source, sink, sink), False, codes.append)
        os.close(sink)
        until(node, lambda: bool(codes))
        with open(source) as said:
            assert (codes, said.read()) == ([0], own + "\n")
        node.do(Signal(container="a", attempt=0, signal=9, last=True))
        assert [event.message for event in until(node) if isinstance(event, Died)] == ["the last words\n"]
    finally:
        node.close()


def until(node: HostNode, holds: Callable[[], bool] | None = None) -> list[Event]:
    """What has happened when this holds, or else when anything has."""
    happened: list[Event] = []
    while not (holds() if holds is not None else happened):
        assert node.wait(10)
        happened += node.collect()
    return happened
