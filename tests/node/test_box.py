from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import pytest

from initsup.core.actions import Start
from initsup.core.events import Died, Started, StartFailed
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
