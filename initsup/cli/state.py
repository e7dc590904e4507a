"""The state directory of `initsup run`: where it is, whose it is, and what an earlier run has left in it.

The lock in it is held as long as initsup lives. It holds the number that the processes of this run carry, until the run
has ended: one that is found there means that initsup was killed, and `initsup.node.leftovers` ends what goes on.
"""

from __future__ import annotations

import os
import time

from initsup.api.files import EVENTS, JOURNAL, JOURNAL_BEFORE, LOCK, POD, places
from initsup.errors import InitsupError

_PAUSES = (0.001, 0.002, 0.005, 0.01, 0.02)
_KEEP = "name one by --state-dir"


class StateDir:
    """A state directory, for this process alone until `close`. `ended` says what an earlier run had left running."""

    def __init__(self, path: str, number: int) -> None:
        """Make and lock it, and end what is left there. `number`: see `leftovers.claim`.

        Raises OSError when it cannot be used, InitsupError when another initsup has it.
        """
        self.path = os.path.abspath(path)
        os.makedirs(self.path, 0o700, exist_ok=True)
        os.chmod(self.path, 0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self.lock = os.open(os.path.join(self.path, LOCK), flags, 0o600)
        try:
            self._take()
            self.ended = self._end_others()
            self._note(number)
        except BaseException:
            os.close(self.lock)
            raise

    @classmethod
    def resumed(cls, path: str, lock: int) -> StateDir:
        """The directory of this very run, whose lock came along through an exec of initsup itself."""
        self = cls.__new__(cls)
        self.path, self.lock, self.ended = path, lock, ""
        return self

    def clear(self) -> None:
        """Take away what an earlier pod has left for those who ask."""
        for name in (POD, EVENTS, JOURNAL, JOURNAL_BEFORE):
            if os.path.lexists(os.path.join(self.path, name)):
                os.unlink(os.path.join(self.path, name))
        if os.path.isdir(os.path.join(self.path, "logs")):
            import shutil

            shutil.rmtree(os.path.join(self.path, "logs"))

    def close(self) -> None:
        """The run has ended, and nothing that it had started goes on."""
        self._note(0)
        os.close(self.lock)

    def _take(self) -> None:
        """Lock it. A verb that looks whether somebody has it holds it for a moment itself: so it is tried again."""
        import fcntl

        for pause in _PAUSES:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(pause)
                continue
            break
        else:
            text = f"another initsup is running in {self.path}, delete it first or use --state-dir"
            raise InitsupError(text) from None

    def _end_others(self) -> str:
        """End what a run that was killed has left; what to say about it."""
        noted = os.pread(self.lock, 64, 0).decode(errors="replace").strip()
        if not noted.isdecimal():
            return ""
        from initsup.node.leftovers import end

        count = end(int(noted))
        self._remove_cgroups()
        text = "the initsup that ran here before was killed"
        return f"{text}, {count} processes that it had left are ended now" if count else text

    def _remove_cgroups(self) -> None:
        """The pod's uid, after which they are called, is in the first line of the journal."""
        import json

        from initsup.node.cgroups import remove_left

        try:
            with open(os.path.join(self.path, JOURNAL), "rb") as journal:
                remove_left(json.loads(journal.readline())["pod"]["metadata"]["uid"])
        except (OSError, ValueError, LookupError, TypeError):
            return

    def _note(self, number: int) -> None:
        """On a full disk nothing is noted, and the sentinel alone is there to end what is left."""
        try:
            os.ftruncate(self.lock, 0)
            if number:
                os.pwrite(self.lock, b"%d\n" % number, 0)
        except OSError:
            return


def open_state_dir(given: str | None, pod: str, number: int) -> StateDir:
    """The directory that was given, or the pod's own in the first of the usual places that can be used.

    Raises InitsupError.
    """
    problems = []
    for path in [given] if given else [os.path.join(place, pod) for place in places()]:
        try:
            return StateDir(path, number)
        except OSError as problem:
            problems.append(f"{path}: {problem.strerror}")
    raise InitsupError(f"cannot make the state directory {' or '.join(problems)}, {_KEEP}")
