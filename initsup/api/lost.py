"""What can still be told of a run that ended without a word, from its journal and from what it has left running.

It is shown as Kubernetes shows a pod whose node is gone: Failed, NodeLost, not Ready (pkg/controller/nodelifecycle,
pkg/controller/podgc/gc_controller.go), and its containers as a kubelet shows those that it cannot find any more.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from initsup.api.files import JOURNAL, LOCK
from initsup.core.events import Lost
from initsup.core.phase import LOST_MESSAGE
from initsup.core.qos import qos_class
from initsup.core.report import Where, as_pod
from initsup.errors import InitsupError
from initsup.journal import Replay
from initsup.node.leftovers import living


def lost_pod(state_dir: str) -> dict[str, Any]:
    """The v1 Pod. Raises InitsupError when the journal cannot be read."""
    run = _replay(state_dir)
    where = Where(qos_class=qos_class(run.plan.pod.spec))
    return as_pod(run.plan, run.facts, run.at, run.clock, where, [LOST_MESSAGE, *_left(state_dir)])


def lost_events(state_dir: str) -> dict[str, Any]:
    """The v1 EventList, as far back as the journal goes. Raises InitsupError when it cannot be read."""
    run = _replay(state_dir)
    return run.notices.as_list(run.plan.pod, "")


def _replay(state_dir: str) -> Replay:
    path = os.path.join(state_dir, JOURNAL)
    try:
        run = Replay(path)
    except OSError as problem:
        raise InitsupError(f"cannot read {path}: {problem.strerror}") from None
    except msgspec.DecodeError as problem:
        raise InitsupError(f"cannot read {path}, is it of another version? ({problem})") from None
    run.add(Lost(at=run.at))
    return run


def _left(state_dir: str) -> list[str]:
    """A line about processes that go on, as nobody was there to end them."""
    try:
        with open(os.path.join(state_dir, LOCK)) as lock:
            number = lock.read().strip()
    except OSError:
        return []
    count = len(living(int(number))) if number.isdecimal() else 0
    return [f"{count} processes that it had started go on, the next run there ends them"] if count else []
