"""The loop that joins the core to the world, and the only timer in the program.

    ask `decide`; record each action, then do it; wait for the next event or for `wake_at`; apply; again

That needs no event loop, and there is none, nor is anyio imported, until somebody comes who does: a probe, a hook, a
client who stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from initsup.core.actions import Action, Finish, Kill, Refuse, Remove, RestartAll, Stop
from initsup.core.apply import begin, draft, learn
from initsup.core.change import FORBIDDEN, compare, same
from initsup.core.decide import decide
from initsup.core.events import Added, Began, Changed, Event, Looked, Probed, Redefined
from initsup.core.facts import Facts
from initsup.core.narrate import Notice, narrate
from initsup.core.plan import Plan, plan
from initsup.core.startup import is_alive
from initsup.errors import InitsupError
from initsup.journal import Journal, KeptNotices, Notices, stamp
from initsup.spec.manifest import Manifest
from initsup.spec.pod import EphemeralContainer

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from anyio.abc import TaskGroup

    from initsup.core.report import Where

Take = Callable[[str, bytes], None]
"""Gets what a container has written: "stdout" or "stderr", and the bytes."""

# Began(action) is all there is to these; the others are carried out by the node.
_RECORDED_ONLY = (Finish, Kill, Refuse, Remove, RestartAll, Stop)


class Node(Protocol):
    """What carries actions out. Each action closes with exactly one event."""

    tasks: TaskGroup | None
    wants_loop: bool
    """Somebody has come who needs the event loop."""

    def do(self, action: Action) -> Event | None:
        """Carry out an action; never blocks or raises. The event that closes it, None: `collect` will give it."""

    def fileno(self) -> int:
        """A descriptor that is readable when `collect` has something to do."""

    def wait(self, patience: float | None) -> bool:
        """Wait until `collect` has something to do, as many seconds at most (None: as long as it takes); False: not."""

    def collect(self) -> list[Event]:
        """What has happened; never blocks."""

    def attend(self) -> None:
        """Answer who asks just now; never blocks."""

    def post(self, event: Event) -> None:
        """Hand in an event from outside."""

    def take_over(self, plan: Plan) -> None:
        """Go on with a changed manifest: volumes show the new data, starts use the new definitions."""

    def execute(
        self,
        container: str,
        attempt: int,
        argv: tuple[str, ...],
        fds: tuple[int, ...],
        tty: bool,
        on_exit: Callable[[int], None],
    ) -> Command:
        """Run a command in a running container on these descriptors. Raises OSError when it cannot be started."""

    def rejoin(self, number: int, on_exit: Callable[[int], None]) -> Command:
        """A command that the program which this one replaces has started, by its old number."""

    def processes(self, container: str) -> list[int]:
        """The pids of all processes of a container, its main process first; none when it does not run."""

    def attach(self, container: str, attempt: int, take: Take) -> Attachment:
        """Join the streams of a running container. Raises OSError when it is not running."""

    def listen(self, container: str, take: Take) -> None:
        """Hand on what a container writes from now on, until `unlisten`."""

    def unlisten(self, container: str, take: Take) -> None:
        """Stop to do so."""

    def degraded(self) -> list[str]:
        """What does not work as it should, a line each."""


class Attachment(Protocol):
    """A container's streams. `input` is a descriptor that does not block, -1 when the container takes no input."""

    @property
    def input(self) -> int:
        """Where to write; for a container on a terminal that is the terminal."""

    def close(self, *, with_input: bool) -> None:
        """Let go. `with_input`: input was joined, too, which ends it for good where stdinOnce is set."""


class Command(Protocol):
    """A command that runs in a container. `number` tells it from all others."""

    number: int

    def kill(self) -> None:
        """End it, with all that it started; nothing happens when it has ended."""


class Immutable(InitsupError):
    """A new manifest changes fields that cannot change in a running pod; `fields` says which, and how."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__("\n".join((FORBIDDEN, *fields)))
        self.fields = fields


class Observer(Protocol):
    """Somebody who wants to see what happens while it does: the console, systemd, clients that watch."""

    def happened(self, engine: Engine, notices: list[Notice]) -> None:
        """Facts have changed, or time has passed, and these notices were given; nothing has been done about it yet."""

    def look_at(self, engine: Engine) -> float | None:
        """When it wants to be called again even if nothing happens."""


class KeptEngine(msgspec.Struct, frozen=True):
    """An engine as it is handed over to the program that replaces this one."""

    asked: Manifest
    facts: Facts
    notices: KeptNotices
    wall_zero: float
    created: float
    successor: Manifest | None
    probed: tuple[tuple[str, str, str, int], ...]
    lacking: tuple[str, ...]


class Engine:
    """One pod."""

    def __init__(
        self,
        planned: Plan,
        node: Node,
        journal: Journal,
        where: Callable[[], Where],
        host: str = "",
        kept: KeptEngine | None = None,
    ) -> None:
        """`where` tells what the status says of this host; it is asked once, when somebody wants to know.

        `kept` is what the program before this one has handed over: go on with it.
        """
        self.plan = planned
        self.node = node
        self.journal = journal
        self.notices = Notices()
        self.observers: list[Observer] = []
        self._find_where = where
        self._where: Where | None = None
        self.host = host
        self.wall_zero = time.time() - time.monotonic()
        self.created = self.now()
        self.successor: Manifest | None = None
        """What is to run in this pod's place when it has ended."""
        self.probed: dict[tuple[str, str, str], int] = {}
        """How many attempts of probes there were: container, probe, outcome → count."""
        self.facts = begin(planned, self.created)
        self._fresh: list[Notice] = []
        self._lacking: list[str] = []
        self._changed: Any = None
        if kept is not None:
            self._resume(kept)
        journal.begin(self.facts)  # only once: a kill right now must not leave the wrong facts behind

    def handed_over(self) -> KeptEngine:
        """What a successor needs to know. Timers are not among it: `decide` tells them from the facts."""
        return KeptEngine(
            asked=self.plan.asked,
            facts=self.facts,
            notices=self.notices.handed_over(),
            wall_zero=self.wall_zero,
            created=self.created,
            successor=self.successor,
            probed=tuple((*key, count) for key, count in self.probed.items()),
            lacking=tuple(self._lacking),
        )

    def _resume(self, kept: KeptEngine) -> None:
        self.facts, self.created, self.wall_zero = kept.facts, kept.created, kept.wall_zero
        self.successor = kept.successor
        self.notices.resume(kept.notices)
        self.probed = {(container, probe, outcome): count for container, probe, outcome, count in kept.probed}
        self._lacking = list(kept.lacking)

    @staticmethod
    def now() -> float:
        """Monotonic seconds."""
        return time.monotonic()

    # -- the loop ---------------------------------------------------------------------------------------------------

    def step(self) -> float | None:
        """Decide and act until there is nothing to do; when to look again.

        What has happened is told before anything is done about it, to observers and to who asks just now: an end is
        seen also when the start that follows it at once is part of the same step. And it is told before anything else
        comes in: a start before the first output.
        """
        self._tell()
        while True:
            self.node.attend()
            now = self.now()
            decision = decide(self.plan, self.facts, now)
            if not decision.actions:
                return decision.wake_at
            self.happened(*(Began(at=now, action=action) for action in decision.actions))
            done = [self.node.do(action) for action in decision.actions if not isinstance(action, _RECORDED_ONLY)]
            self.happened(*(closing for closing in done if closing is not None))
            self._tell()
            if happened := self.node.collect():
                self.happened(*happened)
                self._tell()

    def happened(self, *events: Event) -> None:
        """Take events in: told, on file, applied."""
        if not events:
            return
        facts = draft(self.facts)
        for event in events:
            for notice in narrate(self.plan, facts, event):
                self.notices.add(notice, self.wall(event.at))
                self._fresh.append(notice)
            if isinstance(event, Probed):
                key = (event.container, event.probe, event.outcome)
                self.probed[key] = self.probed.get(key, 0) + 1
            self.journal.add(event)
            facts = learn(self.plan, facts, event)
        self.facts = facts

    def run_plainly(self) -> None:
        """Go on until the pod is finished, or until somebody wants an event loop."""
        wake_at = self.step()
        while not self.facts.finished and not self.node.wants_loop:
            due = self._due(wake_at)
            in_time = self.node.wait(None if due is None else max(due - self.now(), 0.0))
            wake_at = self._go_on(wake_at, in_time=in_time)

    async def run(self) -> None:
        """Go on until the pod is finished."""
        import anyio

        async with anyio.create_task_group() as tasks:
            self.node.tasks = tasks
            await _Passes(self).over()
            tasks.cancel_scope.cancel()
        self._changed = self._changed or anyio.Event()
        self._changed.set()

    def _go_on(self, wake_at: float | None, *, in_time: bool) -> float | None:
        """One pass: what has happened, or the time that has come; when to look again."""
        happened = self.node.collect()
        if in_time and not happened:  # it was output or a question only
            self.node.attend()
            return wake_at
        self.happened(*(happened or (Looked(at=self.now()),)))
        return self.step()

    def _due(self, wake_at: float | None) -> float | None:
        """When to look again even if nothing happens; None: not at all."""
        return min((at for at in (wake_at, *(o.look_at(self) for o in self.observers)) if at is not None), default=None)

    def _tell(self) -> None:
        self.journal.flush(self.facts)
        notices, self._fresh = self._fresh, []
        for observer in self.observers:
            observer.happened(self, notices)
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def change(self) -> None:
        """Wait until the next pass is over."""
        if self._changed is None:
            import anyio

            self._changed = anyio.Event()
        await self._changed.wait()

    def take_over(self, asked: Manifest) -> tuple[str, ...]:
        """Go on with a changed manifest of the same pod; the containers that are restarted for it.

        Raises Immutable when it changes what cannot change.
        """
        replace, own = msgspec.structs.replace, self.plan.pod
        spec, meta = asked.pod.spec, replace(asked.pod.metadata, uid=own.metadata.uid)
        if not spec.ephemeral_containers:  # no file can have those that were added
            spec = replace(spec, ephemeral_containers=own.spec.ephemeral_containers)
        asked = replace(asked, pod=replace(asked.pod, metadata=meta, spec=spec))
        change = compare(self.plan.asked, asked)
        if change.forbidden:
            raise Immutable(change.forbidden)
        if same(self.plan.asked, asked):
            return ()
        self._go_on_with(asked)
        for name in change.restart:
            self.node.post(Redefined(at=self.now(), container=name))
        self.node.post(Looked(at=self.now()))
        restarted = (m for m in map(self.plan.members.__getitem__, change.restart) if m.kind != "init")
        return tuple(m.name for m in restarted if is_alive(self.facts.containers[m.name]))

    @property
    def where(self) -> Where:
        """What the status tells of this host."""
        if self._where is None:
            self._where = self._find_where()
        return self._where

    def add(self, *containers: EphemeralContainer) -> None:
        """Have ephemeral containers in the pod from now on."""
        replace, pod = msgspec.structs.replace, self.plan.pod
        spec = replace(pod.spec, ephemeral_containers=(*pod.spec.ephemeral_containers, *containers))
        self._go_on_with(replace(self.plan.asked, pod=replace(pod, spec=spec)))
        self.node.post(Looked(at=self.now()))

    def _go_on_with(self, asked: Manifest) -> None:
        """Plan, node and journal follow a changed manifest; facts know the containers that are new in it."""
        is_another = asked.pod.spec != self.plan.pod.spec
        self.plan = self.journal.plan = plan(asked)
        self.node.take_over(self.plan)
        new = (name for name in self.plan.members if name not in self.facts.containers)
        self.happened(*(Added(at=self.now(), container=name) for name in new))
        if is_another:
            self.happened(Changed(at=self.now()))
        self.journal.begin(self.facts)

    # -- what it tells ----------------------------------------------------------------------------------------------

    def wall(self, at: float) -> float:
        """Wall seconds of a monotonic time. A step of the wall clock is followed, small corrections are not."""
        zero = time.time() - time.monotonic()
        if abs(zero - self.wall_zero) > 0.5:
            self.wall_zero = zero
        return at + self.wall_zero

    def clock(self, at: float) -> str:
        """A monotonic time as RFC 3339."""
        return stamp(self.wall(at))

    def moment(self) -> Moment:
        """How things stand now, to be looked at later."""
        return Moment(self)

    def pod(self) -> dict[str, Any]:
        """The v1 Pod as it is now."""
        return self.moment().pod()

    def events(self) -> dict[str, Any]:
        """The v1 EventList of the pod."""
        return self.notices.as_list(self.plan.pod, self.host)

    def lacks(self, message: str) -> None:
        """Note that something does not work as it should."""
        if message not in self._lacking:
            self._lacking.append(message)

    def trouble(self) -> list[str]:
        """What does not work as it should."""
        return [*filter(None, [self.journal.degraded]), *self._lacking, *self.node.degraded()]


UNTOLD = 64
"""Moments that an observer lets wait to be told."""


class Moment:
    """What can be asked of an engine's pod, as it was once; that costs nothing until somebody asks."""

    def __init__(self, engine: Engine) -> None:
        self.plan = engine.plan
        self.facts = engine.facts
        self._engine = engine
        self._at = engine.now()

    def pod(self) -> dict[str, Any]:
        """The v1 Pod."""
        from initsup.core.report import as_pod

        engine = self._engine
        pod = as_pod(self.plan, self.facts, self._at, engine.clock, engine.where, engine.trouble())
        pod["spec"].setdefault("nodeName", engine.host)
        return pod

    def events(self) -> dict[str, Any]:
        """The v1 EventList; those that have come since are in it."""
        return self._engine.events()

    def trouble(self) -> list[str]:
        """What does not work as it should, by now."""
        return self._engine.trouble()


class _Passes:
    """An engine's passes in an event loop, each a callback of its own.

    A task that waits would be woken one turn of the loop later, after what clients have to do in that, and would need
    six times as long to wait again.
    """

    def __init__(self, engine: Engine) -> None:
        import asyncio

        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        self._wake_at: float | None = None
        self._due: float | None = None
        self._timer: TimerHandle | None = None

    async def over(self) -> None:
        """Have them made until the pod is finished. Raises what one of them raises."""
        fd = self._engine.node.fileno()
        self._make(self._engine.step)
        self._loop.add_reader(fd, self._make, partial(self._go_on, in_time=True))
        try:
            await self._over
        finally:
            self._loop.remove_reader(fd)
            self._set_timer(None)

    def _make(self, one: Callable[[], float | None]) -> None:
        if self._over.done():
            return
        try:
            self._wake_at = one()
            self._set_timer(self._engine._due(self._wake_at))
        except BaseException as problem:
            self._over.set_exception(problem)
        else:
            if self._engine.facts.finished:
                self._over.set_result(None)

    def _go_on(self, *, in_time: bool) -> float | None:
        return self._engine._go_on(self._wake_at, in_time=in_time)

    def _set_timer(self, due: float | None) -> None:
        if due == self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = None if due is None else self._loop.call_at(due, self._on_time)

    def _on_time(self) -> None:
        self._due = self._timer = None
        self._make(partial(self._go_on, in_time=False))
