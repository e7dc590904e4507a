"""What has just happened, as the events that kubelet would send: type, reason, message, and the container.

Sources: pkg/kubelet/events/event.go and the call sites of each reason. Where kubelet withholds the output of a hook,
it is kept here.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from initsup.core import actions, events
from initsup.core.facts import ContainerFacts, Exited, Facts, Running, Stopping
from initsup.core.phase import LOST_MESSAGE
from initsup.core.plan import Plan
from initsup.core.probing import is_early
from initsup.core.shutdown import is_down


class Notice(msgspec.Struct, frozen=True, gc=False):
    """One occurrence; the same again is counted by the one who keeps them."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    field_path: str = ""


def narrate(plan: Plan, before: Facts, event: events.Event) -> tuple[Notice, ...]:
    """The notices of an event that is about to be applied to `before`."""
    if isinstance(event, events.Began):
        return _of_action(plan, before, event.action)
    if isinstance(event, events.VolumeFailed):
        failures = ((event.volume, event.message), *event.others)
        texts = (f'MountVolume.SetUp failed for volume "{volume}" : {message}' for volume, message in failures)
        return tuple(Notice("Warning", "FailedMount", text) for text in texts)
    if isinstance(event, events.Evicted):
        return (Notice("Warning", "Evicted", event.message),) if before.stop is None else ()
    if isinstance(event, events.Lost):
        return () if is_down(before) else (Notice("Warning", "NodeNotReady", LOST_MESSAGE),)
    if not isinstance(event, events.Started | events.StartFailed | events.Probed | events.Hooked):
        return ()
    if before.containers[event.container].attempt != event.attempt:
        return ()
    return _of_container(plan, before, event, plan.members[event.container].field_path)


def _of_container(
    plan: Plan,
    before: Facts,
    event: events.Started | events.StartFailed | events.Probed | events.Hooked,
    path: str,
) -> tuple[Notice, ...]:
    created = Notice("Normal", "Created", "Container created", path)
    match event:
        case events.Started():
            return created, Notice("Normal", "Started", "Container started", path)
        case events.StartFailed(reason=reason, message=message):
            notice = Notice("Warning", "Failed", f"Error: {message}", path)
            return (created, notice) if reason == "RunContainerError" else (notice,)
        case events.Hooked(hook=hook, ok=False, message=message):
            name = hook[0].upper() + hook[1:]
            return (Notice("Warning", f"Failed{name}Hook", f"{name}Hook failed: {message}", path),)
        case events.Hooked(message=message) if message:
            return (Notice("Warning", "LifecycleHTTPFallback", message),)
        case events.Probed():
            return _of_probe(plan, before, event, path)
    return ()


def _of_probe(plan: Plan, before: Facts, event: events.Probed, path: str) -> tuple[Notice, ...]:
    name = event.probe.capitalize()
    state = before.containers[event.container].state
    if not isinstance(state, Running | Stopping) or event.outcome == "success":
        return ()
    spec = dict(plan.members[event.container].probes)[event.probe]
    if is_early(event.probe, spec, event.outcome, event.at, state.since):
        return ()
    if event.outcome == "warning":
        return (Notice("Warning", "ProbeWarning", f"{name} probe warning: {event.output}", path),)
    if event.outcome == "failure":
        return (Notice("Warning", "Unhealthy", f"{name} probe failed: {event.output}", path),)
    return (
        Notice("Warning", "Unhealthy", f"{name} probe errored and resulted in unknown state: {event.output}", path),
    )


def _of_action(plan: Plan, before: Facts, action: actions.Action) -> tuple[Notice, ...]:
    match action:
        case actions.Kill(container=name, message=message):
            return (Notice("Normal", "Killing", message, plan.members[name].field_path),)
        case actions.Refuse(container=name):
            return (_back_off(plan, name),)
        case actions.Start(container=name) if _begins_to_back_off(before.containers[name]):
            return (_back_off(plan, name),)
        case actions.Stop(why="deadline", message=message):
            return (Notice("Normal", "DeadlineExceeded", message),)
    return ()


def _back_off(plan: Plan, name: str) -> Notice:
    text = f"Back-off restarting failed container {name} in pod {plan.full_name}"
    return Notice("Warning", "BackOff", text, plan.members[name].field_path)


def _begins_to_back_off(container: ContainerFacts) -> bool:
    """Whether this is the start after a failure that had no wait before it, but gives the next one its wait.

    kubelet is silent here; a failure that is over in a moment would leave no trace but a count.
    """
    state = container.state
    failed = isinstance(state, Exited) and not state.retry and state.exit.code != 0
    return failed and not container.asked and container.refused is None
