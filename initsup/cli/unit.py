"""What systemd is told when initsup is the main process of a unit of Type=notify (sd_notify(3)).

READY=1 when the pod is ready for the first time (or has succeeded before), STATUS= as the STATUS column has it (at most
once a second, as the whole pod is looked at for it), STOPPING=1, WATCHDOG=1 as often as asked, and EXTEND_TIMEOUT_USEC
for as long as init containers or volumes take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from initsup.core.columns import status_text
from initsup.node.place import Systemd

if TYPE_CHECKING:
    from initsup.core.narrate import Notice
    from initsup.engine import Engine

EXTENSION = 60.0
"""Seconds asked for at a time while the pod is not ready; asked again every half of that."""
EACH = 1.0
"""Seconds between two words about the status."""


class Unit:
    """Keeps systemd up to date."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._systemd = Systemd(environ)
        self._status = ""
        self._is_stale = True
        self._ready = self._stopping = False
        self._watchdog_at = self._extend_at = self._status_at = 0.0

    def happened(self, engine: Engine, notices: list[Notice]) -> None:
        """A pass is over."""
        facts, lines = engine.facts, []
        ready = facts.conditions["Ready"].status
        if (ready or (facts.stop is not None and facts.stop.why == "completed")) and not self._ready:
            self._ready = True
            lines.append("READY=1")
        if facts.stop is not None and not self._stopping:
            self._stopping = True
            self._extend_at = 0.0  # what was asked for the start does not count for the end
            lines.append("STOPPING=1")
        if lines:
            self._systemd.tell(*lines)
        self._is_stale = True
        if lines or facts.finished:
            self._tell_status(engine)

    def _tell_status(self, engine: Engine) -> None:
        status = status_text(engine.pod())
        self._is_stale, self._status_at = False, engine.now() + EACH
        if status != self._status:
            self._status = status
            self._systemd.tell(f"STATUS={status}")

    def look_at(self, engine: Engine) -> float | None:
        """The next sign of life, or word about the status, that is due."""
        now, wishes = engine.now(), []
        if self._is_stale and now >= self._status_at:
            self._tell_status(engine)
        elif self._is_stale:
            wishes.append(self._status_at)
        if self._systemd.watchdog:
            if now >= self._watchdog_at:
                self._systemd.tell("WATCHDOG=1")
                self._watchdog_at = now + self._systemd.watchdog
            wishes.append(self._watchdog_at)
        if not self._ready or self._stopping:
            if now >= self._extend_at:
                self._systemd.tell(f"EXTEND_TIMEOUT_USEC={int(EXTENSION * 1e6)}")
                self._extend_at = now + EXTENSION / 2
            wishes.append(self._extend_at)
        return min(wishes, default=None)
