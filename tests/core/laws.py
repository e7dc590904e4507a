"""What must hold whatever happens: a watcher that sees every event, with the facts before and after it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec

from initsup.core import actions, events
from initsup.core.apply import apply, begin
from initsup.core.conditions import truths
from initsup.core.facts import BackOff, Facts, Running, Starting, Stopping
from initsup.core.plan import Member, Plan
from initsup.core.shutdown import LEAST, SIGKILL
from initsup.spec.status import PodStatus
from tests.sim import EPSILON, containers

_EVENTS = msgspec.json.Decoder(events.Event)
_FACTS = msgspec.json.Decoder(Facts)


class Watcher:
    """Keeps its own simple books, by other rules than the core's, and compares."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.alive: dict[str, int] = {}
        self.starting: dict[str, int] = {}
        self.once: set[tuple[str, int, str]] = set()
        self.terms: dict[tuple[str, int], float] = {}
        self.deadlines: dict[tuple[str, int], float] = {}
        self.passed: set[str] = set()
        self.initialized = False
        self.ends: dict[str, list[float]] = {name: [] for name in plan.members}
        self.again: dict[str, bool] = dict.fromkeys(plan.members, False)
        self.asked: set[str] = set()
        self.free: set[str] = set()
        self.back_off: dict[str, BackOff | None] = dict.fromkeys(plan.members)

    def saw(self, before: Facts, event: events.Event, after: Facts) -> None:
        """Check everything that one event may bring about."""
        match event:
            case events.Began(action=actions.Start() as start):
                self._may_start(before, start, event.at)
            case events.Began(action=actions.Kill() as kill):
                self._first(kill.container, kill.attempt, "kill")
                self.deadlines[kill.container, kill.attempt] = kill.deadline
            case events.Began(action=actions.Hook() as hook):
                self._first(hook.container, hook.attempt, hook.hook)
                assert self.alive.get(hook.container) == hook.attempt
            case events.Began(action=actions.Signal() as signal):
                self._may_signal(before, signal, event.at)
            case events.Began(action=actions.Refuse(container=name)):
                self.again[name] = False
            case events.Began(action=actions.Probe() as probe):
                assert self.alive.get(probe.container) == probe.attempt
            case events.Began(action=actions.Remove()):
                assert not self._own(self.alive)
                assert not self._own(self.starting)
                self._forget()
            case events.Began(action=actions.Finish()):
                assert not self.alive
                assert not self.starting
                assert before.stop is not None
            case events.Started(container=name, attempt=attempt) if self.starting.get(name) == attempt:
                del self.starting[name]
                self.alive[name] = attempt
            case events.StartFailed(container=name, attempt=attempt) if self.starting.get(name) == attempt:
                del self.starting[name]
                if event.reason == "RunContainerError":
                    self._ended(name, event.at)
                elif name in self.free:
                    self.asked.add(name)
            case events.Died(container=name, attempt=attempt) if self.alive.get(name) == attempt:
                del self.alive[name]
                self._ended(name, event.at)
                state = before.containers[name].state
                self.again[name] = isinstance(state, Stopping) and state.restart
                if event.code == 0 and not event.oom:
                    self.passed.add(name)
            case events.RestartAsked(container=name) if self._own([name]):
                self.asked.add(name)
            case events.Redefined(container=name):
                self.back_off[name] = None
        self.passed |= {m.name for m in self.plan.inits if m.kind == "sidecar" and after.containers[m.name].started}
        self._agrees(after)

    def _may_start(self, before: Facts, start: actions.Start, at: float) -> None:
        name, member = start.container, self.plan.members[start.container]
        assert name not in self.alive, "two live attempts"
        assert name not in self.starting, "two starts"
        assert start.attempt == before.containers[name].attempt + 1
        assert before.stop is None, "a start in a pod that ends"
        assert before.volumes.state == "ready", "a start without volumes"
        assert not (member.kind == "main" and not self.initialized) or self._is_initialized(), "a main before its inits"
        self.initialized = self.initialized or member.kind == "main"
        assert member.kind != "ephemeral" or not self.ends[name], "an ephemeral container twice"
        if member.kind == "init":
            assert all(m.name in self.passed for m in self._before(member)), "an init container before its turn"
            assert not any(m.name in (self.alive | self.starting) for m in self.plan.inits if m.kind == "init")
        self._waited(name, at)
        self.starting[name] = start.attempt

    def _own(self, names: Iterable[str]) -> list[str]:
        """Those that belong to the pod itself, and were not added to it."""
        return [name for name in names if self.plan.members[name].kind != "ephemeral"]

    def _before(self, member: Member) -> tuple[Member, ...]:
        return self.plan.inits[: self.plan.inits.index(member)]

    def _is_initialized(self) -> bool:
        return all(m.name in self.passed for m in self.plan.inits)

    def _waited(self, name: str, at: float) -> None:
        """The back-off, as the fact sheet tells it: from the end of the run before, or of the one before that."""
        ends, entry = self.ends[name], self.back_off[name]
        ended = (ends[-2] if len(ends) > 1 else None) if self.again[name] else (ends[-1] if ends else None)
        self.free.discard(name)
        if name in self.asked:
            self.asked.discard(name)
            self.free.add(name)
        elif ended is not None:
            limits = self.plan.asked.settings.crash_loop_back_off
            fresh = entry is None or ended - entry.used_at > 600
            if entry is not None and not fresh:
                assert at - ended >= entry.delay - EPSILON, "a start in the back-off"
            delay = limits.initial_period if fresh or entry is None else entry.delay * 2
            self.back_off[name] = BackOff(delay=min(delay, limits.max_period), used_at=at)

    def _may_signal(self, before: Facts, signal: actions.Signal, at: float) -> None:
        name, attempt = signal.container, signal.attempt
        assert self.alive.get(name) == attempt, "a signal to nobody"
        self._first(name, attempt, f"signal {signal.signal == SIGKILL}")
        forced = before.stop is not None and before.stop.force
        if signal.signal != SIGKILL:
            self.terms[name, attempt] = at
        elif not forced:
            assert at - self.terms[name, attempt] >= LEAST - EPSILON, "SIGKILL too early"

    def _first(self, name: str, attempt: int, what: str) -> None:
        assert (name, attempt, what) not in self.once, f"{what} twice"
        self.once.add((name, attempt, what))

    def _ended(self, name: str, at: float) -> None:
        self.ends[name].append(at)
        self.again[name] = False

    def _forget(self) -> None:
        self.passed, self.initialized = set(), False
        self.ends |= {name: [] for name in self._own(self.ends)}

    def _agrees(self, facts: Facts) -> None:
        """The facts know who lives, and which conditions hold."""
        assert {kind: one.status for kind, one in facts.conditions.items()} == truths(self.plan, facts)
        for name, one in facts.containers.items():
            assert isinstance(one.state, Starting) == (name in self.starting)
            assert isinstance(one.state, Running | Stopping) == (name in self.alive)
            assert name not in self.alive or one.attempt == self.alive[name]


def survives(plan: Plan, facts: Facts, happened: list[events.Event], at: float) -> None:
    """Facts and events come back from JSON as they were, and the events alone give the facts again."""
    assert _FACTS.decode(msgspec.json.encode(facts)) == facts
    again = [_EVENTS.decode(msgspec.json.encode(event)) for event in happened]
    assert again == happened
    assert apply(plan, begin(plan, at), *again) == facts


def is_plausible(statuses: list[PodStatus]) -> None:
    """What is shown over time hangs together."""
    for status in statuses:
        conditions = {one.type: one.status == "True" for one in status.conditions}
        assert conditions["ContainersReady"] or not conditions["Ready"]
        for one in containers(status):
            assert sum(x is not None for x in (one.state.waiting, one.state.running, one.state.terminated)) == 1
            assert not one.started or one.state.running is not None
            assert one.last_state.running is None
            assert one.last_state.waiting is None
    for earlier, later in pairwise(statuses):
        assert earlier.phase not in ("Succeeded", "Failed") or later.phase == earlier.phase
        for old, new in zip(containers(earlier), containers(later), strict=True):
            assert new.restart_count >= old.restart_count
