"""The golden traces with real processes: `initsup run` of each manifest must show what a kubelet showed of it.

What was shown is read from the journal, status by status, so nothing is missed however short it was. A few pods run at
a time; of those that take longer than a minute the first minute is compared.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from initsup.core.apply import apply
from initsup.core.events import Began, Event, Signalled, Started, StartFailed, VolumesReady
from initsup.core.narrate import Notice, narrate
from initsup.core.report import report
from initsup.journal import Snapshot, planned
from tests.golden.plays import PLAYS
from tests.golden.trace import NOT_HERE, TRACES, differences, is_over, load, names, params
from tests.sim import Shown, clock
from tests.stories.driver import Story, cli, until

SIDE_BY_SIDE = 10
AS_PID_1 = ("pid_1_has_no_default_actions",)
"""Traces that show what it means to be PID 1, which each main process is in Kubernetes; here that must be asked for."""
LONGEST = 60.0
CLOSING = (VolumesReady, Started, StartFailed, Signalled)
"""What follows from a decision without a wait in between."""

pytestmark = [
    pytest.mark.skipif(not TRACES.is_dir(), reason=NOT_HERE),
    pytest.mark.skipif(os.geteuid() != 0, reason="root made the traces"),
]

Seen = tuple[list[Shown], list[Notice]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Seen]]]:
    """Every trace's pod; the longest start first."""
    home = tmp_path_factory.mktemp("golden")
    traces = {name: load(name) for name in names()}
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        order = sorted(traces, key=lambda name: -length(traces[name]))
        yield {name: pool.submit(run, home / name, name, traces[name]) for name in order}


@pytest.mark.parametrize("name", params())
def test_a_pod_shows_what_a_kubelet_showed(name: str, runs: dict[str, Future[Seen]]) -> None:
    trace = load(name, uid(name))
    assert "\n".join(differences(trace, PLAYS[name], *runs[name].result(), until=length(trace))) == ""


def uid(name: str) -> str:
    """Pods with limits have a cgroup that is named after it."""
    return f"{name}-{os.getpid()}"


def length(trace: dict[str, Any]) -> float:
    """How many seconds of it are compared."""
    return float(min(trace["snapshots"][-1]["t"], LONGEST))


def run(home: Path, name: str, trace: dict[str, Any]) -> Seen:
    """What the pod of a trace shows, for as long as is compared."""
    home.mkdir()
    manifest = home / "pod.json"
    asked = trace["manifest"]
    spec = asked["spec"] | ({"shareProcessNamespace": False} if name in AS_PID_1 else {})
    manifest.write_text(json.dumps({**asked, "metadata": {**asked["metadata"], "uid": uid(name)}, "spec": spec}))
    if beat := PLAYS[name].beat:
        until(lambda: time.time() % beat > beat - 0.5, "the wall clock is where it was", beat + 10)
    story = Story(home, manifest)
    journal = story.state / "journal.jsonl"
    try:
        until(journal.exists, f"{name} has begun", 60, story.process)
        began = read(journal)[0].facts.began_at
        for action in trace["actions"]:
            at = PLAYS[name].ask_at or action["at"]
            until(lambda at=at: time.monotonic() > began + at, "it is time", at + 10)
            grace = [f"--grace-period={action['grace']}"] if action.get("grace") is not None else []
            cli("delete", "--state-dir", str(story.state), "--wait=false", *grace)
        if is_over(trace):
            story.ended(length(trace) + 30)
        else:
            end = began + length(trace) + 1
            until(lambda: time.monotonic() > end, "it is over", length(trace) + 10)
        return seen(journal)
    finally:
        story.process.send_signal(signal.SIGQUIT)  # no `close`, which would end the pods beside it, too
        story.ended()


def read(journal: Path) -> tuple[Snapshot, list[Event]]:
    """A journal, line by line."""
    first, *lines = journal.read_bytes().split(b"\n")[:-1]
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Event)
    return msgspec.json.decode(first, type=Snapshot), [decoder.decode(line) for line in lines]


def seen(journal: Path) -> Seen:
    """What was shown: a status after each event from outside, and after all that one decision has brought about."""
    first, happened = read(journal)
    plan, facts = planned(first), first.facts
    zero = facts.began_at
    shown = [Shown(0.0, report(plan, facts, zero, clock))]
    notices: list[Notice] = []
    decided_at = None
    for event, following in zip(happened, [*happened[1:], None], strict=True):
        notices += narrate(plan, facts, event)
        facts = apply(plan, facts, event)
        decided_at = event.at if isinstance(event, Began) else decided_at if isinstance(event, CLOSING) else None
        goes_on = following.at == decided_at if isinstance(following, Began) else isinstance(following, CLOSING)
        if decided_at is None or not goes_on:
            shown.append(Shown(event.at - zero, report(plan, facts, event.at, clock)))
    return shown, notices
