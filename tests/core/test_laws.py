"""Laws: random pods with random histories, and nature at its worst.

HYPOTHESIS_PROFILE=nightly looks much longer, and at something else each time.
"""

from __future__ import annotations

import os
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from initsup.core import actions, events
from initsup.core.apply import apply, begin
from initsup.core.decide import decide
from initsup.core.facts import Facts, Running, Starting, Stopping
from initsup.core.narrate import narrate
from initsup.core.plan import Plan
from initsup.core.report import exit_code, report
from initsup.spec.pod import Container
from tests import build
from tests.core.laws import Watcher, is_plausible, survives
from tests.sim import HookRun, Life, World, clock

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"


def budget(examples: int, **more: Any) -> settings:
    """So many examples, the same ones each time. A nightly run takes fifty times as many, others each time, and looks
    for the simplest one that fails.
    """
    return settings(
        max_examples=examples * (50 if NIGHTLY else 1),
        derandomize=not NIGHTLY,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if NIGHTLY else [Phase.generate],
        suppress_health_check=list(HealthCheck),
        **more,
    )


# -- random pods ------------------------------------------------------------------------------------------------------

policies = st.sampled_from(["Always", "OnFailure", "Never"])
codes = st.sampled_from([0, 0, 1, 42])
seconds = st.sampled_from([0.0, 0.3, 1.0, 2.0, 5.0, 30.0, 700.0])
outcomes = st.sampled_from(["success", "success", "failure", "warning", "error"])
probes = st.none() | st.builds(
    build.probe,
    period_seconds=st.integers(1, 5),
    initial_delay_seconds=st.integers(0, 3),
    failure_threshold=st.integers(1, 3),
    success_threshold=st.just(1),
    termination_grace_period_seconds=st.none() | st.integers(1, 4),
)
rules = st.lists(
    st.builds(
        lambda action, code, operator: build.rule(action, code, operator=operator),
        st.sampled_from(["Restart", "RestartAllContainers"]),
        codes,
        st.sampled_from(["In", "NotIn"]),
    ),
    max_size=2,
)
lifecycles = st.none() | st.builds(build.hooks, st.booleans(), st.booleans())


@st.composite
def containers(draw: Any, name: str, kind: str) -> Container:
    fields: dict[str, Any] = {}
    if kind != "init":
        fields = {f"{probe}_probe": draw(probes) for probe in ("startup", "liveness", "readiness")}
        fields["lifecycle"] = draw(lifecycles)
    if kind == "sidecar":
        return build.sidecar(name, **fields)
    own = ["OnFailure", "Never"] if kind == "init" else ["Always", "OnFailure", "Never"]
    policy = draw(st.none() | st.sampled_from(own))
    found = tuple(draw(rules)) if policy and draw(st.booleans()) else ()
    return build.container(name, restart_policy=policy, restart_policy_rules=found, **fields)


@st.composite
def plans(draw: Any) -> Plan:
    kinds = draw(st.lists(st.sampled_from(["init", "sidecar"]), max_size=3))
    inits = tuple(draw(containers(f"i{number}", kind)) for number, kind in enumerate(kinds))
    mains = tuple(draw(containers(f"m{number}", "main")) for number in range(draw(st.integers(1, 3))))
    return build.planned(
        *mains,
        inits=inits,
        policy=draw(policies),
        ephemeral_containers=draw(st.sampled_from([(), (), (build.ephemeral(),)])),
        active_deadline_seconds=draw(st.none() | st.integers(1, 60)),
        termination_grace_period_seconds=draw(st.integers(0, 20)),
    )


hook_runs = st.builds(HookRun, takes=seconds, ok=st.booleans())
lives = st.builds(
    Life,
    lasts=st.none() | seconds,
    code=codes,
    oom=st.sampled_from([False, False, False, True]),
    on_stop=st.none() | st.tuples(seconds, codes),
    refuses=st.none()
    | st.none()
    | st.sampled_from([("CreateContainerConfigError", "no"), ("RunContainerError", "no")]),
    starts_in=st.sampled_from([0.0, 0.0, 0.2]),
    post_start=hook_runs,
    pre_stop=hook_runs,
    probes=st.fixed_dictionaries({
        kind: st.lists(outcomes, min_size=1, max_size=4).map(lambda found: lambda t: found[int(t) % len(found)])
        for kind in ("startup", "liveness", "readiness")
    }),
    probe_takes=st.sampled_from([0.0, 0.1, 3.0]),
)  # fmt: skip


@st.composite
def worlds(draw: Any) -> World:
    plan = draw(plans())
    script = {name: tuple(draw(st.lists(lives, min_size=1, max_size=3))) for name in plan.members}
    at = st.floats(0, 200, allow_nan=False)
    asks: list[events.Event] = [
        kind(at=draw(at), container=name)
        for name in plan.members
        if (kind := draw(st.sampled_from([None, None, None, events.RestartAsked, events.Redefined]))) is not None
    ]
    for _ in range(draw(st.integers(0, 2))):
        grace = draw(st.none() | st.integers(0, 40))
        asks.append(events.StopAsked(at=draw(at), grace=grace, kill=draw(st.sampled_from([False, False, True]))))
    if draw(st.sampled_from([0, 0, 0, 1])):
        asks.append(events.Evicted(at=draw(at), message="full"))
    return World(plan, script, *asks)


# -- random histories -------------------------------------------------------------------------------------------------


@budget(200)
@given(worlds())
def test_whatever_happens(world: World) -> None:
    world.run(400)
    replay(world)
    survives(world.plan, world.facts, world.events, 0)
    is_plausible([shown.status for shown in world.shown])
    if world.facts.finished:
        code, why = exit_code(world.plan, world.facts)
        assert why
        assert code == 0 or world.status.phase == "Failed"


def replay(world: World) -> Facts:
    """All events once more, each under the eyes of the watcher."""
    watcher, facts = Watcher(world.plan), begin(world.plan, 0)
    for event in world.events:
        before, facts = facts, apply(world.plan, facts, event)
        watcher.saw(before, event, facts)
    return facts


@budget(100)
@given(worlds(), st.floats(0, 100, allow_nan=False), st.integers(0, 10), st.booleans())
def test_it_always_comes_to_an_end(world: World, at: float, grace: int, kill: bool) -> None:
    """At the latest 2 s after the grace period, plus what an instance takes that was just starting."""
    asked = events.StopAsked(at=at, grace=grace, kill=kill)
    world = World(world.plan, world.script, asked).run(2000)
    assert world.facts.finished
    assert world.now <= at + max(grace, 1) + 2 + 0.2 + 2


@budget(80)
@given(worlds(), st.data())
def test_a_late_event_of_an_old_attempt_changes_nothing(world: World, data: Any) -> None:
    world.run(data.draw(seconds))
    for name, one in world.facts.containers.items():
        for event in events_of(world.plan, name, one.attempt - 1, world.now):
            assert apply(world.plan, world.facts, event) == world.facts
            assert narrate(world.plan, world.facts, event) == ()


@budget(80)
@given(worlds(), st.data())
def test_every_event_has_a_meaning_in_every_state(world: World, data: Any) -> None:
    world.run(data.draw(seconds))
    for name, one in world.facts.containers.items():
        for event in [*events_of(world.plan, name, one.attempt, world.now), *events_of_pod(name, world.now)]:
            narrate(world.plan, world.facts, event)
            facts = apply(world.plan, world.facts, event)
            report(world.plan, facts, world.now, clock)
            decision = decide(world.plan, facts, world.now)
            assert decision.wake_at is None or decision.wake_at > world.now
            assert decide(world.plan, facts, world.now) == decision


def events_of(plan: Plan, name: str, attempt: int, at: float) -> list[events.Event]:
    """All that can be told of one attempt."""
    who: dict[str, Any] = {"at": at, "container": name, "attempt": attempt}
    reasons: tuple[Any, ...] = ("CreateContainerConfigError", "RunContainerError")
    hooks: tuple[Any, ...] = ("postStart", "preStop")
    return [
        events.Started(**who, pid=7),
        *(events.StartFailed(**who, reason=reason, message="late") for reason in reasons),
        events.Died(**who, code=7),
        *(events.Probed(**who, probe=kind, outcome="failure") for kind, _ in plan.members[name].probes),
        *(events.Hooked(**who, hook=hook, ok=ok) for hook in hooks for ok in (True, False)),
        events.Signalled(**who, signal=15),
    ]


def events_of_pod(name: str, at: float) -> list[events.Event]:
    """All that can be told of the pod, and asked of it."""
    return [
        events.VolumesReady(at=at),
        events.VolumeFailed(at=at, volume="v", message="no"),
        events.StopAsked(at=at),
        events.StopAsked(at=at, kill=True),
        events.Evicted(at=at, message="full"),
        events.Lost(at=at),
        events.RestartAsked(at=at, container=name),
        events.Redefined(at=at, container=name),
        events.Added(at=at, container=name),
        events.Changed(at=at),
        events.Looked(at=at),
    ]


# -- nature at its worst ----------------------------------------------------------------------------------------------


class Nature(RuleBasedStateMachine):
    """Anything that can happen does, at any time, in any order."""

    @initialize(plan=plans())
    def begin(self, plan: Plan) -> None:
        self.plan, self.now = plan, 0.0
        self.facts = begin(plan, 0.0)
        self.watcher = Watcher(plan)
        self.happened: list[events.Event] = []
        self.open: list[actions.Action] = []
        self.statuses = [report(plan, self.facts, 0.0, clock)]
        self.settle()

    def feed(self, *happened: events.Event) -> None:
        for event in happened:
            before, self.facts = self.facts, apply(self.plan, self.facts, event)
            self.happened.append(event)
            self.watcher.saw(before, event, self.facts)

    def settle(self) -> None:
        """Decide until there is nothing to do; what was begun stays open until nature closes it."""
        for _ in range(200):
            decision = decide(self.plan, self.facts, self.now)
            self.wake_at = decision.wake_at
            if not decision.actions:
                break
            for action in decision.actions:
                self.feed(events.Began(at=self.now, action=action))
                if isinstance(action, actions.Prepare | actions.Start | actions.Probe | actions.Hook):
                    self.open.append(action)
                elif isinstance(action, actions.Signal):
                    who: dict[str, Any] = {"container": action.container, "attempt": action.attempt}
                    self.feed(events.Signalled(at=self.now, signal=action.signal, **who))
        else:
            raise AssertionError("it never comes to rest")
        assert self.wake_at is None or self.wake_at > self.now
        self.statuses.append(report(self.plan, self.facts, self.now, clock))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), well=st.booleans())
    def an_action_closes(self, data: Any, well: bool) -> None:
        action = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.feed(self.closing(action, well, data))
        self.settle()

    def closing(self, action: actions.Action, well: bool, data: Any) -> events.Event:
        match action:
            case actions.Prepare():
                return (
                    events.VolumesReady(at=self.now)
                    if well
                    else events.VolumeFailed(at=self.now, volume="v", message="no")
                )
            case actions.Start(container=name, attempt=attempt):
                reason = data.draw(st.sampled_from(["CreateContainerConfigError", "RunContainerError"]))
                return (
                    events.Started(at=self.now, container=name, attempt=attempt, pid=1)
                    if well
                    else events.StartFailed(at=self.now, container=name, attempt=attempt, reason=reason, message="no")
                )
            case actions.Probe(container=name, attempt=attempt, probe=kind):
                outcome = data.draw(outcomes)
                return events.Probed(at=self.now, container=name, attempt=attempt, probe=kind, outcome=outcome)
            case actions.Hook(container=name, attempt=attempt, hook=hook):
                return events.Hooked(at=self.now, container=name, attempt=attempt, hook=hook, ok=well)
        raise AssertionError(action)

    @precondition(lambda self: self.watcher.alive)
    @rule(data=st.data(), code=codes, oom=st.booleans())
    def one_dies(self, data: Any, code: int, oom: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.watcher.alive)))
        self.feed(events.Died(at=self.now, container=name, attempt=self.watcher.alive[name], code=code, oom=oom))
        self.settle()

    @precondition(lambda self: self.wake_at is not None)
    @rule()
    def time_comes(self) -> None:
        self.now = self.wake_at
        self.settle()

    @rule(dt=st.floats(0, 20, allow_nan=False))
    def time_passes(self, dt: float) -> None:
        self.now = min(self.now + dt, self.now + dt if self.wake_at is None else self.wake_at)
        self.settle()

    @rule(data=st.data())
    def something_is_told_late(self, data: Any) -> None:
        name = data.draw(st.sampled_from(sorted(self.plan.members)))
        attempt = self.facts.containers[name].attempt - data.draw(st.integers(1, 2))
        facts = self.facts
        self.feed(data.draw(st.sampled_from(events_of(self.plan, name, attempt, self.now))))
        assert self.facts == facts

    @rule(data=st.data())
    def a_person_restarts(self, data: Any) -> None:
        self.feed(events.RestartAsked(at=self.now, container=data.draw(st.sampled_from(sorted(self.plan.members)))))
        self.settle()

    @rule(data=st.data())
    def a_definition_changes(self, data: Any) -> None:
        self.feed(events.Redefined(at=self.now, container=data.draw(st.sampled_from(sorted(self.plan.members)))))
        self.settle()

    @precondition(lambda self: len(self.happened) > 40)
    @rule(grace=st.none() | st.integers(0, 40), kill=st.booleans())
    def somebody_deletes_it(self, grace: int | None, kill: bool) -> None:
        self.feed(events.StopAsked(at=self.now, grace=grace, kill=kill))
        self.settle()

    @precondition(lambda self: len(self.happened) > 60)
    @rule()
    def it_is_evicted(self) -> None:
        self.feed(events.Evicted(at=self.now, message="full"))
        self.settle()

    @invariant()
    def what_lives_is_looked_after(self) -> None:
        """Nothing is forgotten: something is open, lives, is waited for, or the pod has finished."""
        if hasattr(self, "facts") and not self.facts.finished:
            lives = any(isinstance(c.state, Starting | Running | Stopping) for c in self.facts.containers.values())
            assert lives or self.open or self.wake_at is not None

    def teardown(self) -> None:
        if hasattr(self, "facts"):
            survives(self.plan, self.facts, self.happened, 0)
            is_plausible(self.statuses)


TestNature = Nature.TestCase
TestNature.settings = budget(150, stateful_step_count=80)


PROBED = build.planned(build.container("a", liveness_probe=build.probe()))


@pytest.mark.parametrize("name", ["Began", *sorted(kind.__name__ for kind in events.Happened.__subclasses__())])
def test_every_kind_of_event_occurs_in_these_tests(name: str) -> None:
    """The lists above are complete: a new event must be added to them."""
    told = {type(event).__name__ for event in [*events_of(PROBED, "a", 0, 0), *events_of_pod("a", 0)]} | {"Began"}
    assert name in told
