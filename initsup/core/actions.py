"""Everything that can be asked for, each with the reason. `Decision` is what `core.decide` returns.

Actions from `Prepare` to `Signal` are carried out by the node, and each closes with exactly one event. The others
change facts only, by being recorded: `Began(Kill)` *is* the killing state.
"""

from __future__ import annotations

import msgspec

from initsup.core.facts import HookKind, ProbeKind, StopReason


class Act(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag=True, gc=False):
    """Base of all actions. `reason` is for people: `describe` and the log print it."""

    reason: str = ""


class Prepare(Act, frozen=True):
    """Make the pod's volumes → VolumesReady | VolumeFailed."""


class Start(Act, frozen=True):
    """Start an instance → Started | StartFailed, and later Died."""

    container: str
    attempt: int


class Probe(Act, frozen=True):
    """Carry out one attempt of a probe → Probed."""

    container: str
    attempt: int
    probe: ProbeKind


class Hook(Act, frozen=True):
    """Run a lifecycle hook → Hooked."""

    container: str
    attempt: int
    hook: HookKind


class Signal(Act, frozen=True):
    """Send a signal → Signalled. SIGKILL goes to everything the container ever started, others to its main process.

    `last`: the container is not started again after this instance.
    """

    container: str
    attempt: int
    signal: int
    last: bool = False


class Kill(Act, frozen=True):
    """End this instance: preStop hook, stop signal, and SIGKILL at `deadline`. `restart`: see `facts.Stopping`.

    `skip_hook`: no preStop.
    """

    container: str
    attempt: int
    deadline: float
    message: str
    restart: bool = False
    ordered: bool = False
    skip_hook: bool = False


class Stop(Act, frozen=True):
    """End the pod for a reason of its own: everything is done, an init container failed, the deadline passed."""

    why: StopReason
    grace: float
    message: str = ""


class Refuse(Act, frozen=True):
    """Do not start before `until`: it is in its back-off of `delay` seconds. Seen as CrashLoopBackOff."""

    container: str
    attempt: int
    delay: float
    until: float


class RestartAll(Act, frozen=True):
    """A RestartAllContainers rule matched: remove every instance, then start again from the first init container."""

    trigger: str


class Remove(Act, frozen=True):
    """All instances are gone: forget them (RestartAllContainers)."""


class Finish(Act, frozen=True):
    """Nothing lives and nothing is to come: clean up and leave."""


Action = Prepare | Start | Probe | Hook | Signal | Kill | Stop | Refuse | RestartAll | Remove | Finish


class Decision(msgspec.Struct, frozen=True):
    """What to do now, in this order, and when to look again at the latest (monotonic; None: only after an event)."""

    actions: tuple[Action, ...] = ()
    wake_at: float | None = None
