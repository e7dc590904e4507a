"""A Node without processes. What its containers do is said in `Habit`s; it obeys the same contract as the real one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec

from initsup.core import actions, events
from initsup.core.actions import Action
from initsup.core.events import Event
from initsup.core.shutdown import SIGKILL
from initsup.node.identity import given


class Habit(msgspec.Struct, frozen=True):
    """What a container does. `exits` at once with this code, or runs until a signal; `stubborn`: until SIGKILL.

    `missing`: its program is not there. `says`: its termination message. `healthy`: how its probes and hooks go.
    `hanging`: its hooks never come to an end.
    """

    exits: int | None = None
    stubborn: bool = False
    missing: bool = False
    says: str = ""
    healthy: bool = True
    hanging: bool = False


class Fault(msgspec.Struct, frozen=True):
    """The operating system refuses actions of this kind, `times` in a row (-1: always), with this message.

    What a real node tells then: a volume, start or hook that failed, a probe without an answer, a signal that was lost.
    """

    kind: type
    message: str = "resource temporarily unavailable"
    times: int = 1


class FakeNode:
    """Carries out actions in no time. `clock` stamps events; `faults` are told as a real node would tell them."""

    def __init__(self, habits: dict[str, Habit], clock: Callable[[], float], faults: tuple[Fault, ...] = ()) -> None:
        self.habits = habits
        self.faults = {fault.kind: fault for fault in faults}
        self.clock = clock
        self.tasks: Any = None
        self.done: list[Action] = []
        self.troubles: list[str] = []
        self._alive: dict[str, int] = {}
        self._hanging: dict[str, actions.Hook] = {}
        self._events: list[Event] = []
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._read

    def do(self, action: Action) -> Event | None:
        self.done.append(action)
        if (fault := self.faults.get(type(action))) is not None and fault.times != 0:
            self.faults[fault.kind] = msgspec.structs.replace(fault, times=fault.times - 1)
            return self._fail(action, fault.message)
        match action:
            case actions.Prepare():
                return events.VolumesReady(at=self.clock())
            case actions.Start():
                return self._start(action)
            case actions.Signal():
                return self._signal(action)
            case actions.Probe():
                self._probe(action)
            case actions.Hook():
                self._hook(action)
        return None

    def _fail(self, action: Action, message: str) -> Event | None:
        """The event that closes an action that the system has refused."""
        at = self.clock()
        match action:
            case actions.Prepare():
                return events.VolumeFailed(at=at, volume="v", message=message)
            case actions.Start(container=name, attempt=attempt):
                reason: Any = "RunContainerError"
                return events.StartFailed(at=at, container=name, attempt=attempt, reason=reason, message=message)
            case actions.Signal(container=name, attempt=attempt, signal=number):
                return events.Signalled(at=at, container=name, attempt=attempt, signal=number)
            case actions.Probe(container=name, attempt=attempt, probe=probe):
                self.post(events.Probed(at=at, container=name, attempt=attempt, probe=probe, outcome="error"))
            case actions.Hook(container=name, attempt=attempt, hook=hook):
                self.post(events.Hooked(at=at, container=name, attempt=attempt, hook=hook, ok=False, message=message))
        return None

    def collect(self) -> list[Event]:
        try:
            os.read(self._read, 4096)
        except BlockingIOError:
            pass
        found, self._events = self._events, []
        return found

    def attend(self) -> None:
        pass

    def post(self, event: Event) -> None:
        self._events.append(event)
        os.write(self._write, b".")

    def take_over(self, _plan: Any) -> None:
        pass

    def processes(self, _container: str) -> list[int]:
        return []

    def execute(self, *_arguments: Any) -> Any:
        raise OSError("nothing is run here")

    def degraded(self) -> list[str]:
        return self.troubles

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)

    def _start(self, action: actions.Start) -> Event:
        habit, name, attempt = self.habits[action.container], action.container, action.attempt
        if habit.missing:
            return events.StartFailed(
                at=self.clock(),
                container=name,
                attempt=attempt,
                reason="RunContainerError",
                message="not there",
                user=given(None),
            )
        self._alive[name] = attempt
        started = events.Started(at=self.clock(), container=name, attempt=attempt, pid=4711, user=given(None))
        if habit.exits is not None:
            self._end(name, habit.exits)
        return started

    def _end(self, name: str, code: int) -> None:
        attempt = self._alive.pop(name)
        message = self.habits[name].says
        self.post(events.Died(at=self.clock(), container=name, attempt=attempt, code=code, message=message))
        cut = self._hanging.pop(name, None)
        if cut is not None:
            self._hooked(cut, ok=False)

    def _signal(self, action: actions.Signal) -> Event:
        name = action.container
        lives = self._alive.get(name) == action.attempt
        if lives and (action.signal == SIGKILL or not self.habits[name].stubborn):
            self._end(name, 128 + action.signal)
        return events.Signalled(at=self.clock(), container=name, attempt=action.attempt, signal=action.signal)

    def _probe(self, action: actions.Probe) -> None:
        lives = self._alive.get(action.container) == action.attempt
        outcome = "error" if not lives else "success" if self.habits[action.container].healthy else "failure"
        self.post(
            events.Probed(
                at=self.clock(),
                container=action.container,
                attempt=action.attempt,
                probe=action.probe,
                outcome=outcome,  # type: ignore[arg-type]
            )
        )

    def _hook(self, action: actions.Hook) -> None:
        habit = self.habits[action.container]
        lives = self._alive.get(action.container) == action.attempt
        if lives and habit.hanging:
            self._hanging[action.container] = action
        else:
            self._hooked(action, ok=lives and habit.healthy)

    def _hooked(self, action: actions.Hook, *, ok: bool) -> None:
        self.post(
            events.Hooked(at=self.clock(), container=action.container, attempt=action.attempt, hook=action.hook, ok=ok)
        )
