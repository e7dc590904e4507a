"""The time line of a run, read from its journal: all that is on file, and then what is added to it.

Whoever wants one pays for it: the supervisor keeps no rows, only its journal.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import IO

import msgspec

from initsup.api.client import is_held
from initsup.api.files import JOURNAL, JOURNAL_BEFORE
from initsup.core.chart import NEAR, Chart, Window, chart
from initsup.core.events import Event, Lost
from initsup.core.timeline import Timeline
from initsup.errors import InitsupError
from initsup.journal import Snapshot, planned, read_entry

PIECE = 65536
"""Bytes that are read at a time."""


class History:
    """The journal of one state directory as a time line. `zero` is the wall time of monotonic zero."""

    def __init__(self, state_dir: str) -> None:
        self._state_dir = state_dir
        self._path = os.path.join(state_dir, JOURNAL)
        self._file: IO[bytes] | None = None
        self._rest = b""
        self._timeline: Timeline | None = None
        self._zero = 0.0

    def read_on(self) -> bool:
        """Take in a piece of what is new; whether there may be more. Raises InitsupError when there is no journal."""
        if self._file is None and not self._begin():
            raise InitsupError(f"no journal found in {self._state_dir}, so that there is no time line")
        assert self._file is not None
        data = self._file.read(PIECE)
        if not data:
            return self._goes_on_elsewhere() and self._open(self._path)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        return True

    def chart(self, window: Window, end: float | None = None, near: float = NEAR) -> Chart:
        """What has been read, laid out. `end` is the time (monotonic) up to which it goes while the pod lives; see
        `core.chart` for `near`.

        Raises InitsupError when nothing of it could be read.
        """
        line = self._timeline
        if line is None:
            raise InitsupError(f"the journal in {self._state_dir} cannot be read")
        lives = end is not None and not line.facts.finished
        return chart(line, max(end, line.until) if end is not None and lives else line.until, self._zero, window, near)

    def end(self) -> None:
        """Put the end of a run that was killed at the end of what has been read; others have their own."""
        line = self._timeline
        if line is not None and not line.facts.finished:
            line.add(Lost(at=max(os.stat(self._path).st_mtime - self._zero, line.until)))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> bool:
        """Open the file that was put aside, else the one that is written."""
        before = os.path.join(self._state_dir, JOURNAL_BEFORE)
        try:
            is_other = not os.path.samefile(before, self._path)  # it is the same one where no new one could be made
        except OSError:
            is_other = False
        return (is_other and self._open(before)) or self._open(self._path)

    def _take(self, line: bytes) -> None:
        """What cannot be read is left out: another version wrote it, before it was replaced, or the disk is damaged."""
        with suppress(msgspec.DecodeError, LookupError):
            self._add(read_entry(line))

    def _add(self, entry: Snapshot | Event) -> None:
        if isinstance(entry, Snapshot):
            self._zero = entry.wall
            if self._timeline is None:
                self._timeline = Timeline(planned(entry), entry.facts)
            else:
                self._timeline.go_on(planned(entry), entry.facts)
        elif self._timeline is not None:
            self._timeline.add(entry)

    def _goes_on_elsewhere(self) -> bool:
        """Whether another file has taken the place of the one that has been read to its end."""
        assert self._file is not None
        try:
            now = os.stat(self._path)
        except OSError:
            return False
        ours = os.fstat(self._file.fileno())
        return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino)

    def _open(self, path: str) -> bool:
        try:
            file = open(path, "rb")  # noqa: SIM115
        except OSError:
            return False
        self.close()
        self._file, self._rest = file, b""
        return True


def read(state_dir: str, window: Window) -> Chart:
    """The time line of the run in this state directory. Raises InitsupError."""
    history = History(state_dir)
    try:
        while history.read_on():
            pass
        lives = is_held(state_dir)
        if not lives:
            history.end()
        return history.chart(window, time.monotonic() if lives else None)
    finally:
        history.close()
