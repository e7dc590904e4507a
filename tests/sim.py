"""A world without processes: containers follow a script, and time jumps to the next thing that happens.

`World` plays the pure core as the engine does: record, then act; feed what follows; look again at `wake_at`. A
status is seen after each event from outside, and when all that was decided at once is done. On the way it checks what
no script may bring about: a wake-up that is not in the future, decisions that never come to rest.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Literal

import msgspec

from initsup.core import actions, events
from initsup.core.apply import apply, begin
from initsup.core.decide import decide
from initsup.core.facts import Facts, User
from initsup.core.narrate import Notice, narrate
from initsup.core.plan import Plan
from initsup.core.report import report
from initsup.core.shutdown import SIGKILL
from initsup.spec.status import ContainerStatus, PodStatus

EPSILON = 1e-9
"""Two times that differ by less are the same: sums of floats."""

ROOT = User(uid=0, gid=0, groups=(0,))
"""Who all containers run as."""

MOST_EVENTS = 200_000
"""More than any history that the tests play."""

Outcome = Literal["success", "failure", "warning", "error"]
Answer = Callable[[float], Outcome]
"""What a probe finds, by the seconds that the instance has been running."""


class HookRun(msgspec.Struct, frozen=True):
    """How a hook goes; one that is cut off by the end of its container fails."""

    takes: float = 0.0
    ok: bool = True
    message: str = ""


class Life(msgspec.Struct, frozen=True):
    """What one instance of a container does; times are seconds.

    It ends with `code` after `lasts` (None: not by itself). After a stop signal it ends after the first number of
    `on_stop` with the second (None: it ignores that), after SIGKILL at once. `refuses`: reason and message of a start
    that fails.
    """

    lasts: float | None = None
    code: int = 0
    message: str = ""
    oom: bool = False
    on_stop: tuple[float, int] | None = (0.0, 143)
    refuses: tuple[str, str] | None = None
    starts_in: float = 0.0
    post_start: HookRun = HookRun()
    pre_stop: HookRun = HookRun()
    probes: dict[str, Answer] = {}
    probe_takes: float = 0.0


Script = dict[str, Life | Sequence[Life]]
"""What the instances of each container do, in turn; the last one repeats. A container that is not there just runs."""


class Shown(msgspec.Struct, frozen=True):
    """A status, and when it was first seen."""

    at: float
    status: PodStatus


def clock(at: float) -> str:
    """Times in statuses: `T+12.5`."""
    return f"T+{round(at, 3):g}"


class World:
    """One pod that follows a script. `asks` are events from outside, such as StopAsked, at their times."""

    def __init__(self, plan: Plan, script: Script | None = None, *asks: events.Event, at: float = 0.0) -> None:
        self.plan = plan
        self.script = script or {}
        self.now = at
        self.facts: Facts = begin(plan, at)
        self.events: list[events.Event] = []
        self.actions: list[tuple[float, actions.Action]] = []
        self.notices: list[tuple[float, Notice]] = []
        self.shown: list[Shown] = []
        self._ticket = count()
        self._agenda: list[tuple[float, int, events.Event]] = []
        self._lives: dict[tuple[str, int], float] = {}
        self._hooks: dict[tuple[str, int], tuple[str, HookRun]] = {}
        for event in asks:
            self._later(event)
        self._show()

    # -- playing ------------------------------------------------------------------------------------------------------

    def run(self, until: float = 3600.0) -> World:
        """Play until the pod has finished, nothing can happen any more, or the time is `until`."""
        while True:
            assert len(self.events) < MOST_EVENTS, f"it never comes to an end: {self.events[-12:]}\n{self.script}"
            wake_at = self._settle()
            if self.facts.finished:
                break
            due = [at for at in (wake_at, self._agenda[0][0] if self._agenda else None) if at is not None]
            if not due or min(due) > until:
                self.now = until
                break
            self.now = min(due)
            while self._agenda and self._agenda[0][0] <= self.now:
                self._deliver(heapq.heappop(self._agenda)[2])
                self._show()
            self.feed(events.Looked(at=self.now))
            self._show()
        return self

    def _settle(self) -> float | None:
        for _ in range(1000):
            decision = decide(self.plan, self.facts, self.now)
            if not decision.actions:
                assert decision.wake_at is None or decision.wake_at > self.now, (decision, self.now)
                return decision.wake_at
            for action in decision.actions:
                self._do(action)
            self._show()
        raise AssertionError(f"never comes to rest: {decision}")

    def _do(self, action: actions.Action) -> None:
        self.actions.append((self.now, action))
        self.feed(events.Began(at=self.now, action=action))
        match action:
            case actions.Prepare():
                self.feed(events.VolumesReady(at=self.now))
            case actions.Start(container=name, attempt=attempt):
                self._start(name, attempt)
            case actions.Probe(container=name, attempt=attempt, probe=kind):
                self._probe(name, attempt, kind)
            case actions.Hook(container=name, attempt=attempt, hook=hook):
                life = self.life(name, attempt)
                run = life.post_start if hook == "postStart" else life.pre_stop
                self._hooks[name, attempt] = hook, run
                self._later(self._hooked(name, attempt, hook, run.ok, run.message, self.now + run.takes))
            case actions.Signal(container=name, attempt=attempt, signal=number):
                self._signal(name, attempt, number)

    # -- what the containers do ---------------------------------------------------------------------------------------

    def life(self, name: str, attempt: int) -> Life:
        """What this instance does."""
        lives = self.script.get(name, Life())
        return lives if isinstance(lives, Life) else lives[min(attempt, len(lives) - 1)]

    def _start(self, name: str, attempt: int) -> None:
        life = self.life(name, attempt)
        who: dict[str, Any] = {"at": self.now + life.starts_in, "container": name, "attempt": attempt}
        event: events.Event = events.Started(**who, pid=attempt + 1, user=ROOT)
        if life.refuses is not None:
            reason, message = life.refuses
            user = ROOT if reason == "RunContainerError" else None
            event = events.StartFailed(**who, reason=reason, message=message, user=user)  # type: ignore[arg-type]
        if life.starts_in:
            self._later(event)
        else:
            self.feed(event)

    def _born(self, name: str, attempt: int) -> None:
        life = self.life(name, attempt)
        self._lives[name, attempt] = self.now
        if life.lasts is not None:
            self._later(self._death(name, attempt, self.now + life.lasts, life.code))

    def _probe(self, name: str, attempt: int, kind: Any) -> None:
        life, since = self.life(name, attempt), self._lives.get((name, attempt), self.now)
        outcome = life.probes[kind](self.now - since + EPSILON) if kind in life.probes else "success"
        at = self.now + life.probe_takes
        self._later(events.Probed(at=at, container=name, attempt=attempt, probe=kind, outcome=outcome, output="out"))

    def _signal(self, name: str, attempt: int, number: int) -> None:
        if (name, attempt) in self._lives:
            life = self.life(name, attempt)
            reaction = (0.0, 128 + SIGKILL) if number == SIGKILL else life.on_stop
            if reaction is not None:
                self._later(self._death(name, attempt, self.now + reaction[0], reaction[1]))
        self.feed(events.Signalled(at=self.now, container=name, attempt=attempt, signal=number))

    def _death(self, name: str, attempt: int, at: float, code: int) -> events.Died:
        life = self.life(name, attempt)
        return events.Died(at=at, container=name, attempt=attempt, code=code, oom=life.oom, message=life.message)

    def _hooked(self, name: str, attempt: int, hook: Any, ok: bool, message: str, at: float) -> events.Hooked:
        return events.Hooked(at=at, container=name, attempt=attempt, hook=hook, ok=ok, message=message)

    # -- the agenda ---------------------------------------------------------------------------------------------------

    def _later(self, event: events.Event) -> None:
        heapq.heappush(self._agenda, (event.at, next(self._ticket), event))

    def _deliver(self, event: events.Event) -> None:
        """Feed an event of the agenda, unless it has been overtaken by the end of its instance."""
        if isinstance(event, events.Died):
            if self._lives.pop((event.container, event.attempt), None) is None:
                return
            self.feed(event)
            cut = self._hooks.pop((event.container, event.attempt), None)
            if cut is not None:
                hook, run = cut
                self.feed(self._hooked(event.container, event.attempt, hook, False, run.message or "cut off", self.now))
            return
        if isinstance(event, events.Hooked) and self._hooks.pop((event.container, event.attempt), None) is None:
            return
        self.feed(event)

    def feed(self, event: events.Event) -> None:
        """Something happens."""
        self.events.append(event)
        self.notices += [(self.now, notice) for notice in narrate(self.plan, self.facts, event)]
        self.facts = apply(self.plan, self.facts, event)
        if isinstance(event, events.Started):
            self._born(event.container, event.attempt)

    def _show(self) -> None:
        status = report(self.plan, self.facts, self.now, clock)
        if not self.shown or self.shown[-1].status != status:
            self.shown.append(Shown(self.now, status))

    # -- what was seen ------------------------------------------------------------------------------------------------

    @property
    def status(self) -> PodStatus:
        """The status at the end."""
        return report(self.plan, self.facts, self.now, clock)

    def of(self, name: str) -> ContainerStatus:
        """The status of a container at the end."""
        return next(one for one in containers(self.status) if one.name == name)

    def acts(self, kind: type, name: str = "") -> list[Any]:
        """The actions of this kind, of one container or of all."""
        return [a for _, a in self.actions if isinstance(a, kind) and name in ("", getattr(a, "container", ""))]

    def times(self, kind: type, name: str = "", **fields: Any) -> list[float]:
        """When such actions were taken, to the millisecond."""
        return [
            round(at, 3)
            for at, a in self.actions
            if isinstance(a, kind)
            and name in ("", getattr(a, "container", ""))
            and all(getattr(a, field) == value for field, value in fields.items())
        ]

    def deaths(self, name: str) -> list[float]:
        """When instances of a container ended, to the millisecond."""
        return [round(e.at, 3) for e in self.events if isinstance(e, events.Died) and e.container == name]

    def phases(self) -> list[str]:
        """The phases in turn."""
        return distinct([one.status.phase for one in self.shown])

    def story(self, name: str) -> list[str]:
        """What a container showed in turn, in short: `ContainerCreating`, `running`, `Error/1`, …"""
        return distinct([brief(one) for shown in self.shown for one in containers(shown.status) if one.name == name])


def containers(status: PodStatus) -> tuple[ContainerStatus, ...]:
    """All container statuses of a pod: init containers first."""
    return (*status.init_container_statuses, *status.container_statuses, *status.ephemeral_container_statuses)


def brief(status: ContainerStatus) -> str:
    """The state of a container in a word."""
    state = status.state
    if state.running is not None:
        return "running"
    if state.terminated is not None:
        return f"{state.terminated.reason}/{state.terminated.exit_code}"
    return state.waiting.reason if state.waiting is not None else "waiting"


def distinct(things: list[Any]) -> list[Any]:
    """Without repetitions of what came right before."""
    return [thing for index, thing in enumerate(things) if index == 0 or thing != things[index - 1]]
