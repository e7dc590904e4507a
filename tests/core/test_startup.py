"""Who is to be started: init containers one by one, sidecars that stay, then the main containers."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.core.events import Event, RestartAsked
from initsup.core.plan import Plan
from initsup.core.startup import all_over, startup
from tests.build import (
    container,
    died,
    hook_begun,
    hooked,
    hooks,
    killed,
    known,
    planned,
    probe,
    probed,
    ran,
    rule,
    sidecar,
    unstartable,
    up,
)

TWO_INITS = planned(inits=(container("i"), container("j")))
SIDE = planned(inits=(sidecar(), container("i")))
LAST_IS_SIDE = planned(inits=(container("i"), sidecar()))
PROBED_SIDE = planned(inits=(sidecar(startup_probe=probe(period_seconds=1)), container("i")))
HOOKED_SIDE = planned(inits=(sidecar(lifecycle=hooks(post_start=True)), container("i")))
NEVER = planned(inits=(container("i"), container("j")), policy="Never")
THREE = planned(inits=(sidecar("s"), container("i"), sidecar("t")))
PAIR = planned(container("a"), container("b"))


def started(plan: Plan, *happened: Event | tuple[Event, ...]) -> list[str]:
    return [member.name for member in startup(plan, known(plan, *happened)).start]


@pytest.mark.parametrize(
    ("plan", "happened", "start"),
    [
        pytest.param(TWO_INITS, [], ["i"], id="the first init container comes first"),
        pytest.param(TWO_INITS, [up("i")], [], id="nothing starts beside a running init container"),
        pytest.param(TWO_INITS, [ran("i")], ["j"], id="success starts the next init container"),
        pytest.param(TWO_INITS, [ran("i"), up("j", 1)], [], id="the main containers wait for the last one"),
        pytest.param(TWO_INITS, [ran("i"), ran("j", 1, 2)], ["a"], id="then the main containers start"),
        pytest.param(TWO_INITS, [ran("i", code=1)], ["i"], id="a failed init container starts again"),
        pytest.param(TWO_INITS, [ran("i"), ran("j", 1, 2, code=1)], ["j"], id="only the failed one starts again"),
        pytest.param(TWO_INITS, [unstartable("i")], ["i"], id="one that could not be started starts again"),
        pytest.param(
            TWO_INITS,
            [unstartable("i", reason="CreateContainerConfigError")],
            ["i"],
            id="one that could not be created is still the first",
        ),
        pytest.param(
            TWO_INITS,
            [ran("i"), (*up("j", 1), died("j", 2, oom=True))],
            ["j"],
            id="an init container that was killed for memory has failed, with exit code 0 even",
        ),
        pytest.param(
            TWO_INITS,
            [ran("i"), ran("j", 1, 2), up("a", 2)],
            [],
            id="a finished init container is left alone once a main container runs",
        ),
        pytest.param(
            TWO_INITS,
            [ran("i"), RestartAsked(at=1, container="i")],
            ["i"],
            id="a person may restart an init container at the frontier",
        ),
        pytest.param(
            TWO_INITS,
            [ran("i"), ran("j", 1, 2), RestartAsked(at=2, container="i")],
            ["a"],
            id="but not one that is behind it",
        ),
        pytest.param(SIDE, [], ["s"], id="a sidecar is started in its turn"),
        pytest.param(SIDE, [up("s")], ["i"], id="a sidecar without probes is up when it runs"),
        pytest.param(SIDE, [ran("s")], ["s"], id="a sidecar that ends starts again, with exit code 0 even"),
        pytest.param(SIDE, [ran("s", code=1)], ["s"], id="a sidecar that fails starts again"),
        pytest.param(
            SIDE, [up("s"), up("i"), died("s", 1)], ["s"], id="a sidecar starts again beside a running init container"
        ),
        pytest.param(
            SIDE,
            [up("s"), ran("i"), died("s", 1)],
            ["s", "a"],
            id="a sidecar that is down does not hold up what comes after the frontier",
        ),
        pytest.param(
            SIDE,
            [up("s"), ran("i"), up("a", 1), died("s", 2)],
            ["s"],
            id="a sidecar starts again beside the main containers",
        ),
        pytest.param(
            SIDE, [up("s"), killed("s")], [], id="a sidecar that is being killed does not let the next one start"
        ),
        pytest.param(SIDE, [up("i")], ["s"], id="a sidecar that was passed over is started as well"),
        pytest.param(TWO_INITS, [up("j")], [], id="an init container that was passed over is not"),
        pytest.param(LAST_IS_SIDE, [ran("i")], ["s"], id="the last init container may be a sidecar"),
        pytest.param(LAST_IS_SIDE, [ran("i"), up("s", 1)], ["a"], id="then the main containers come after it"),
        pytest.param(
            LAST_IS_SIDE,
            [ran("i"), ran("s", 1, 2)],
            ["s"],
            id="the main containers wait for the last sidecar when it is down",
        ),
        pytest.param(
            LAST_IS_SIDE,
            [ran("i"), up("s", 1), ran("a", 1, 2), died("s", 2)],
            ["s"],
            id="also when all main containers have ended",
        ),
        pytest.param(PROBED_SIDE, [up("s")], [], id="a sidecar with a startup probe is not up before it succeeds"),
        pytest.param(PROBED_SIDE, [up("s"), probed("s", 1, "startup", "failure")], [], id="nor when the probe fails"),
        pytest.param(PROBED_SIDE, [up("s"), probed("s", 1, "startup")], ["i"], id="but when it succeeds"),
        pytest.param(HOOKED_SIDE, [up("s")], [], id="a sidecar is not up before its postStart hook is through"),
        pytest.param(HOOKED_SIDE, [up("s"), hook_begun("s")], [], id="nor while it runs"),
        pytest.param(HOOKED_SIDE, [up("s"), hook_begun("s"), hooked("s", 1)], ["i"], id="but when it is through"),
        pytest.param(
            THREE,
            [up("s"), ran("i"), up("t", 1), died("s", 2)],
            ["s", "a"],
            id="starts are in the order of the spec, init containers first",
        ),
        pytest.param(
            THREE,
            [up("s"), ran("i", code=1), died("s", 2)],
            ["s", "i"],
            id="a sidecar and a failed init container start again together",
        ),
        pytest.param(THREE, [up("s"), ran("i")], ["t"], id="a sidecar after the frontier waits for its turn"),
        pytest.param(PAIR, [], ["a", "b"], id="main containers start together"),
        pytest.param(PAIR, [up("a")], ["b"], id="one that runs is not started"),
        pytest.param(PAIR, [up("a"), ran("b")], ["b"], id="one that has ended is started again"),
        pytest.param(PAIR, [up("a"), up("b"), killed("b")], [], id="one that is being killed is not started yet"),
        pytest.param(
            planned(container("a", lifecycle=hooks(post_start=True)), container("b")),
            [up("a")],
            [],
            id="a postStart hook that has not run holds up the next container",
        ),
        pytest.param(
            planned(container("a", lifecycle=hooks(post_start=True)), container("b")),
            [up("a"), hook_begun("a")],
            [],
            id="so does one that runs",
        ),
        pytest.param(
            planned(container("a", lifecycle=hooks(post_start=True)), container("b")),
            [up("a"), hook_begun("a"), hooked("a", 1)],
            ["b"],
            id="one that is through does not",
        ),
        pytest.param(
            planned(container("a", lifecycle=hooks(post_start=True)), container("b")),
            [up("a"), hook_begun("a"), hooked("a", 1, ok=False)],
            ["b"],
            id="one that has failed does not",
        ),
        pytest.param(
            planned(container("a"), container("b", lifecycle=hooks(post_start=True))),
            [up("b"), hook_begun("b")],
            ["a"],
            id="a postStart hook does not hold up those before it",
        ),
        pytest.param(
            planned(container("a"), container("b"), policy="OnFailure"),
            [ran("a"), ran("b", code=1)],
            ["b"],
            id="OnFailure: only the failed one is started again",
        ),
        pytest.param(
            planned(policy="Never"),
            [ran("a"), RestartAsked(at=1, container="a")],
            ["a"],
            id="Never: a person may have it started again",
        ),
    ],
)
def test_who_is_started(plan: Plan, happened: list[Any], start: list[str]) -> None:
    assert started(plan, *happened) == start


@pytest.mark.parametrize(
    ("plan", "happened", "failed"),
    [
        pytest.param(NEVER, [ran("i", code=1)], "i", id="Never: an init container that fails"),
        pytest.param(NEVER, [ran("i"), ran("j", 1, 2, code=1)], "j", id="Never: the second one"),
        pytest.param(NEVER, [unstartable("i")], "i", id="Never: one that could not be started"),
        pytest.param(NEVER, [(*up("i"), died("i", 1, oom=True))], "i", id="Never: one that was killed for memory"),
        pytest.param(NEVER, [ran("i")], "", id="Never: not one that succeeds"),
        pytest.param(NEVER, [ran("i", code=1), RestartAsked(at=1, container="i")], "", id="not when a person asks"),
        pytest.param(NEVER, [ran("i"), ran("j", 1, 2), ran("a", 2, 3, code=1)], "", id="not a main container"),
        pytest.param(
            planned(inits=(container("i"),), policy="OnFailure"),
            [ran("i", code=1)],
            "",
            id="OnFailure: tried again",
        ),
        pytest.param(
            planned(inits=(container("i", restart_policy="Never"),)),
            [ran("i", code=1)],
            "i",
            id="a policy of its own counts",
        ),
        pytest.param(
            planned(inits=(container("i", restart_policy="Never", restart_policy_rules=(rule("Restart", 1),)),)),
            [ran("i", code=1)],
            "",
            id="and so do its rules",
        ),
        pytest.param(
            planned(inits=(sidecar(), container("i")), policy="Never"),
            [ran("s", code=1)],
            "",
            id="a sidecar never fails the pod",
        ),
    ],
)
def test_which_init_container_has_failed_for_good(plan: Plan, happened: list[Any], failed: str) -> None:
    assert startup(plan, known(plan, *happened)).failed == failed


@pytest.mark.parametrize(
    ("plan", "happened", "initialized"),
    [
        pytest.param(planned(), [], True, id="a pod without init containers is initialized"),
        pytest.param(TWO_INITS, [], False, id="not before its init containers"),
        pytest.param(TWO_INITS, [ran("i")], False, id="not after the first of two"),
        pytest.param(TWO_INITS, [ran("i"), ran("j", 1, 2)], True, id="after the last"),
        pytest.param(TWO_INITS, [ran("i"), ran("j", 1, 2), up("a", 2)], True, id="while a main container runs"),
        pytest.param(TWO_INITS, [ran("i"), ran("j", 1, 2), ran("a", 2, 3)], True, id="after it has ended"),
        pytest.param(LAST_IS_SIDE, [ran("i"), up("s", 1), up("a", 1), died("s", 2)], True, id="a sidecar's end"),
        pytest.param(LAST_IS_SIDE, [ran("i"), ran("s", 1, 2)], False, id="a last sidecar that is down"),
        pytest.param(NEVER, [ran("i", code=1)], False, id="a failed one"),
    ],
)
def test_whether_it_is_initialized(plan: Plan, happened: list[Any], initialized: bool) -> None:
    assert startup(plan, known(plan, *happened)).initialized is initialized


@pytest.mark.parametrize(
    ("plan", "happened", "over"),
    [
        pytest.param(planned(policy="Never"), [], False, id="not before the start"),
        pytest.param(planned(policy="Never"), [up("a")], False, id="not while it runs"),
        pytest.param(planned(policy="Never"), [ran("a", code=1)], True, id="Never: after any end"),
        pytest.param(planned(policy="OnFailure"), [ran("a")], True, id="OnFailure: after success"),
        pytest.param(planned(policy="OnFailure"), [ran("a", code=1)], False, id="OnFailure: not after a failure"),
        pytest.param(planned(), [ran("a")], False, id="Always: never"),
        pytest.param(
            planned(container("a"), container("b"), policy="Never"), [ran("a")], False, id="not before all have ended"
        ),
        pytest.param(
            planned(container("a"), container("b"), policy="Never"),
            [ran("a"), ran("b")],
            True,
            id="when all have",
        ),
        pytest.param(
            planned(inits=(sidecar(),), policy="Never"), [up("s"), ran("a")], True, id="sidecars do not count"
        ),
    ],
)
def test_whether_all_is_over(plan: Plan, happened: list[Any], over: bool) -> None:
    assert all_over(plan, known(plan, *happened)) is over
