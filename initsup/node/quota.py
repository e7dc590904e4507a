"""Looks after emptyDir volumes whose sizeLimit is not the size of a tmpfs: a pod whose volume is over it is evicted.

Source: pkg/kubelet/eviction/eviction_manager.go (emptyDirLimitEviction), every 10 seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from initsup.core.events import Evicted

if TYPE_CHECKING:
    from initsup.node.volumes import Volumes

PERIOD = 10.0
"""Seconds between two looks."""


class Quota:
    """An observer of the engine, which owns the time."""

    def __init__(self, volumes: Volumes) -> None:
        self._volumes = volumes
        self._due = 0.0

    def happened(self, engine: Any, notices: Any) -> None:
        """Nothing that happens to containers changes a volume's size."""

    def look_at(self, engine: Any) -> float | None:
        """Look when it is due, and say when it is due again."""
        if engine.facts.stop is not None or not self._volumes.is_watched:
            return None
        now: float = engine.now()
        if now >= self._due:
            self._due = now + PERIOD
            message = self._volumes.over_limit()
            if message is not None:
                engine.node.post(Evicted(at=now, message=message))
        return self._due
