"""Reads the journal while it is written, through every reexec, and holds it to the laws of the core."""

from __future__ import annotations

import os
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from initsup.core import actions, events
from initsup.core.apply import apply
from initsup.core.facts import Facts
from initsup.core.plan import Plan
from initsup.core.report import report
from initsup.journal import Snapshot, planned, read_entry
from initsup.spec.status import PodStatus
from tests.core.laws import Watcher, is_plausible
from tests.sim import clock

PAUSE = 0.01
"""Nothing is missed as long as the file is not begun anew twice in between."""
EACH = 20
"""Events between two looks at the status."""
_FACTS = msgspec.json.Decoder(Facts)


def _differs(told: Any, found: Any, path: str = "facts") -> str:
    """Where two facts differ."""
    if isinstance(told, msgspec.Struct) and type(told) is type(found):
        names = told.__struct_fields__
        return ", ".join(
            _differs(getattr(told, name), getattr(found, name), f"{path}.{name}")
            for name in names
            if getattr(told, name) != getattr(found, name)
        )
    if isinstance(told, dict) and isinstance(found, dict):
        return ", ".join(
            _differs(told.get(key), found.get(key), f"{path}[{key}]")
            for key in {**told, **found}
            if told.get(key) != found.get(key)
        )
    return f"{path}: {told} → {found}"


class Books:
    """What has happened so far, and the facts that follow; a thread looks every `PAUSE` seconds."""

    def __init__(self, path: Path) -> None:
        self._problem: BaseException | None = None
        self._over = threading.Event()
        self.counts: Counter[str] = Counter()
        self.attempts: set[tuple[str, int]] = set()
        """The attempts that have ended."""
        self.facts: Facts | None = None
        self.plan: Plan | None = None
        self._path = path
        self._file: Any = None
        self._rest = b""
        self._watcher: Watcher | None = None
        self._statuses: list[PodStatus] = []

        self._looking = threading.Thread(target=self._look_on)
        self._looking.start()

    def check(self) -> None:
        """Raises AssertionError when a law has been broken."""
        if self._problem is not None:
            raise self._problem

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._looking.join()

    def close(self) -> None:
        """Let go of the file."""
        self.stop()
        if self._file is not None:
            self._file.close()

    def _look_on(self) -> None:
        try:
            while not self._over.wait(PAUSE):
                self._look()
        except BaseException as problem:
            self._problem = problem

    def _look(self) -> None:
        if self._file is None or self._is_replaced():
            self._read()  # what was written before the file was replaced
            assert not self._rest, "the journal ends within a line"
            if not self._path.exists():
                return
            self._file = self._path.open("rb", buffering=0)
        self._read()

    def closed(self) -> None:
        """The run is over: read the last of it, and look at how all hangs together."""
        self.stop()
        self.check()
        self._look()
        assert self.facts is not None
        assert self.facts.finished
        is_plausible(self._statuses)

    def _is_replaced(self) -> bool:
        try:
            return os.stat(self._path).st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False

    def _lines(self) -> list[bytes]:
        data = self._rest + (self._file.read() if self._file else b"")
        *lines, self._rest = data.split(b"\n")
        return lines

    def _stands(self, told: Snapshot) -> None:
        """Another program goes on, or another file: with the facts that follow from what was told before."""
        if self._watcher is None:
            self.plan = planned(told)
            self._watcher = Watcher(self.plan)
            self.facts = told.facts
        assert told.facts == self.facts, f"it goes on with other facts: {_differs(self.facts, told.facts)}"
        assert _FACTS.decode(msgspec.json.encode(self.facts)) == self.facts
        self.counts["snapshots, the same as all that was told before"] += 1

    def _read(self) -> None:
        for line in self._lines():
            event = read_entry(line)
            if isinstance(event, Snapshot):
                self._stands(event)
                continue
            assert self.plan is not None
            assert self.facts is not None
            assert self._watcher is not None
            assert read_entry(msgspec.json.encode(event)) == event
            before, self.facts = self.facts, apply(self.plan, self.facts, event)
            self._watcher.saw(before, event, self.facts)
            self._count(event)
            if self.counts["events"] % EACH == 0:
                self._statuses.append(report(self.plan, self.facts, event.at, clock))

    def _count(self, event: Any) -> None:
        self.counts["events"] += 1
        match event:
            case events.Died(container=name, attempt=attempt):
                self.counts["ends of containers"] += 1
                self.attempts.add((name, attempt))
            case events.Began(action=actions.Start()):
                self.counts["starts"] += 1
            case events.Probed(outcome=outcome):
                self.counts[f"probes with {outcome}"] += 1
            case events.Hooked():
                self.counts["hooks"] += 1
