"""Tiny builders: pods, containers, plans, and what happens to them, in a few words, for tests."""

from __future__ import annotations

from typing import Any, Literal

from initsup.core.actions import Action, Hook, Kill, Prepare, Probe, Signal, Start
from initsup.core.apply import apply, begin
from initsup.core.decide import decide
from initsup.core.events import Began, Died, Event, Hooked, Probed, Started, StartFailed, VolumeFailed, VolumesReady
from initsup.core.facts import Facts, HookKind, ProbeKind
from initsup.core.plan import Plan
from initsup.core.plan import plan as index
from initsup.spec.manifest import Manifest
from initsup.spec.pod import (
    Container,
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    EphemeralContainer,
    ObjectMeta,
    Pod,
    PodReadinessGate,
    PodSpec,
)
from initsup.spec.probe import ExecAction, Lifecycle, LifecycleHandler
from initsup.spec.probe import Probe as Check
from initsup.spec.settings import CrashLoopBackOff, SupervisorConfiguration

Outcome = Literal["success", "failure", "warning", "error"]

# -- what is asked ----------------------------------------------------------------------------------------------------


def container(name: str = "a", **fields: Any) -> Container:
    """A container that runs something."""
    return Container(name=name, command=("run",), **fields)


def sidecar(name: str = "s", **fields: Any) -> Container:
    """An init container that stays."""
    return container(name, restart_policy="Always", **fields)


def ephemeral(name: str = "e", **fields: Any) -> EphemeralContainer:
    """A container that is added while the pod runs."""
    return EphemeralContainer(name=name, command=("look",), **fields)


def probe(**fields: Any) -> Check:
    """A probe that runs a command."""
    return Check(exec=ExecAction(command=("ask",)), **fields)


def hooks(post_start: bool = False, pre_stop: bool = False, stop_signal: str | None = None) -> Lifecycle:
    """Lifecycle hooks that run a command."""
    hook = LifecycleHandler(exec=ExecAction(command=("hook",)))
    return Lifecycle(
        post_start=hook if post_start else None, pre_stop=hook if pre_stop else None, stop_signal=stop_signal
    )


def rule(action: str, *codes: int, operator: str = "In") -> ContainerRestartRule:
    """A restartPolicyRule for these exit codes."""
    return ContainerRestartRule(
        action=action, exit_codes=ContainerRestartRuleOnExitCodes(operator=operator, values=codes)
    )


def pod(*mains: Container, inits: tuple[Container, ...] = (), policy: str = "Always", **spec: Any) -> Pod:
    """A pod `p` of these main containers (`a`, when none is given)."""
    return Pod(
        metadata=ObjectMeta(name="p", namespace="default", uid="u"),
        spec=PodSpec(init_containers=inits, containers=mains or (container(),), restart_policy=policy, **spec),
    )


def planned(*mains: Container, initial: float = 10, most: float = 300, **fields: Any) -> Plan:
    """A pod as the rules read it; `initial` and `most` are the periods of the crash-loop back-off."""
    periods = CrashLoopBackOff(initial_period=initial, max_period=most)
    return index(Manifest(pod=pod(*mains, **fields), settings=SupervisorConfiguration(crash_loop_back_off=periods)))


def gates(*kinds: str) -> tuple[PodReadinessGate, ...]:
    """Readiness gates on these conditions."""
    return tuple(PodReadinessGate(condition_type=kind) for kind in kinds)


# -- what has happened ------------------------------------------------------------------------------------------------


def up(name: str = "a", at: float = 0.0, attempt: int = 0) -> tuple[Event, ...]:
    """An instance was started."""
    return (
        Began(at=at, action=Start(container=name, attempt=attempt)),
        Started(at=at, container=name, attempt=attempt, pid=1),
    )


def died(name: str = "a", at: float = 0.0, code: int = 0, attempt: int = 0, **fields: Any) -> Died:
    """An instance has ended."""
    return Died(at=at, container=name, attempt=attempt, code=code, **fields)


def ran(name: str = "a", since: float = 0.0, until: float = 1.0, code: int = 0, attempt: int = 0) -> tuple[Event, ...]:
    """An instance ran and has ended."""
    return (*up(name, since, attempt), died(name, until, code, attempt))


def unstartable(
    name: str = "a", at: float = 0.0, reason: str = "RunContainerError", attempt: int = 0, message: str = "no"
) -> tuple[Event, ...]:
    """An instance could not be started."""
    return (
        Began(at=at, action=Start(container=name, attempt=attempt)),
        StartFailed(at=at, container=name, attempt=attempt, reason=reason, message=message),  # type: ignore[arg-type]
    )


def killed(name: str = "a", at: float = 0.0, deadline: float = 30.0, attempt: int = 0, **fields: Any) -> Began:
    """An instance is being ended."""
    return Began(at=at, action=Kill(container=name, attempt=attempt, deadline=deadline, message="", **fields))


def signalled(name: str = "a", at: float = 0.0, number: int = 15, attempt: int = 0) -> Began:
    """A signal is being sent."""
    return Began(at=at, action=Signal(container=name, attempt=attempt, signal=number))


def hook_begun(name: str = "a", at: float = 0.0, hook: HookKind = "postStart", attempt: int = 0) -> Began:
    """A hook runs."""
    return Began(at=at, action=Hook(container=name, attempt=attempt, hook=hook))


def hooked(name: str = "a", at: float = 0.0, hook: HookKind = "postStart", ok: bool = True, attempt: int = 0) -> Hooked:
    """A hook has ended."""
    return Hooked(at=at, container=name, attempt=attempt, hook=hook, ok=ok, message="" if ok else "it says no")


def probe_begun(name: str = "a", at: float = 0.0, kind: ProbeKind = "liveness", attempt: int = 0) -> Began:
    """A probe is being carried out."""
    return Began(at=at, action=Probe(container=name, attempt=attempt, probe=kind))


def probed(
    name: str = "a", at: float = 0.0, kind: ProbeKind = "liveness", outcome: Outcome = "success", attempt: int = 0
) -> tuple[Event, ...]:
    """A probe was carried out, in no time."""
    return (
        probe_begun(name, at, kind, attempt),
        Probed(at=at, container=name, attempt=attempt, probe=kind, outcome=outcome, output="out"),
    )


def known(plan: Plan, *happened: Event | tuple[Event, ...], at: float = 0.0) -> Facts:
    """The facts of a pod that began at `at`, with its volumes, after all this."""
    flat = [event for one in happened for event in (one if isinstance(one, tuple) else (one,))]
    return apply(plan, begin(plan, at), VolumesReady(at=at), *flat)


def no_volume(at: float) -> tuple[Event, ...]:
    """A volume cannot be made."""
    return Began(at=at, action=Prepare()), VolumeFailed(at=at, volume="v", message="no")


# -- what is decided --------------------------------------------------------------------------------------------------


def decided(plan: Plan, facts: Facts, now: float) -> list[str]:
    """What is to be done now, in words."""
    return [words(action) for action in decide(plan, facts, now).actions]


def words(action: Action) -> str:
    """An action in a few words: `start a`, `signal a 15`, `stop completed`."""
    kind = type(action).__name__.lower()
    about = ("container", "hook", "probe", "signal", "why", "trigger", "delay")
    return " ".join([kind, *(f"{getattr(action, field):}" for field in about if hasattr(action, field))])
