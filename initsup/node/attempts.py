"""The attempts of probes and hooks that are under way. Each ends with the instance of the container that it is for."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from initsup.core.actions import Hook, Probe
from initsup.core.events import Event, Hooked, Probed
from initsup.node.box import Box, BoxRunner, Instance

if TYPE_CHECKING:
    import anyio

    T = TypeVar("T")
    Work = Callable[[], Coroutine[Any, Any, None]]

_CUT_OFF = "the container has ended"


class Attempts:
    """All of them.

    `begin` runs a coroutine as soon as there is an event loop, `running` gives an instance (container, attempt) as long
    as it lives, `post` takes events.
    """

    def __init__(
        self,
        begin: Callable[[Work], None],
        running: Callable[[str, int], Instance | None],
        post: Callable[[Event], None],
    ) -> None:
        self._begin = begin
        self._running = running
        self._post = post
        self.under_way: list[Probe | Hook] = []
        self._scopes: dict[tuple[str, int], set[anyio.CancelScope]] = {}

    def start(self, action: Probe | Hook) -> None:
        """Start one; it closes by `Probed` or `Hooked`."""
        self.under_way.append(action)
        self._begin(lambda: self._probe(action) if isinstance(action, Probe) else self._hook(action))

    def hooks(self) -> list[str]:
        """The hooks that run: they must be neither cut short nor run twice, so they are not handed over."""
        return [f"the {one.hook} hook of {one.container}" for one in self.under_way if isinstance(one, Hook)]

    def cut_off(self, container: str, attempt: int) -> None:
        """An instance has ended."""
        for scope in self._scopes.pop((container, attempt), ()):
            scope.cancel()
        for action in [one for one in self.under_way if isinstance(one, Hook)]:
            if (action.container, action.attempt) == (container, attempt):  # told now: what follows may end the pod
                self._hooked(action, ok=False, message=_CUT_OFF)

    async def _probe(self, action: Probe) -> None:
        from initsup.node.attempt import Outcome, probe

        def run(box: Box) -> Coroutine[Any, Any, Outcome]:
            return probe(BoxRunner(box), box.target(), dict(box.probes)[action.probe])

        outcome = await self._within(action, run) or Outcome("error", _CUT_OFF)
        self.under_way.remove(action)
        self._post(
            Probed(
                at=time.monotonic(),
                container=action.container,
                attempt=action.attempt,
                probe=action.probe,
                outcome=outcome.outcome,
                output=outcome.output,
            )
        )

    async def _hook(self, action: Hook) -> None:
        from initsup.node.hook_attempt import HookOutcome, hook

        def run(box: Box) -> Coroutine[Any, Any, HookOutcome]:
            hooks = box.spec.lifecycle
            assert hooks is not None
            handler = hooks.post_start if action.hook == "postStart" else hooks.pre_stop
            assert handler is not None
            return hook(BoxRunner(box), box.target(), handler)

        outcome = await self._within(action, run) or HookOutcome(False, _CUT_OFF)
        if action in self.under_way:
            self._hooked(action, ok=outcome.ok, message=outcome.message)

    def _hooked(self, action: Hook, *, ok: bool, message: str) -> None:
        self.under_way.remove(action)
        name, attempt, at = action.container, action.attempt, time.monotonic()
        self._post(Hooked(at=at, container=name, attempt=attempt, hook=action.hook, ok=ok, message=message))

    async def _within(self, action: Probe | Hook, run: Callable[[Box], Coroutine[Any, Any, T]]) -> T | None:
        """The outcome of an attempt; None when its container ended first."""
        import anyio

        instance = self._running(action.container, action.attempt)
        if instance is None:
            return None
        scopes = self._scopes.setdefault((action.container, action.attempt), set())
        with anyio.CancelScope() as scope:
            scopes.add(scope)
            try:
                return await run(instance.box)
            finally:
                scopes.discard(scope)
        return None
