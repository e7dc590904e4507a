"""What is known about the pod: plain values, so that they serialise, replay, and can be handed over.

Times are monotonic seconds (CLOCK_MONOTONIC); `core.report` is told how they map to wall time. Facts change in
`core.apply` only, and nothing here says what should happen next: that is `core.decide`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

ProbeKind = Literal["startup", "liveness", "readiness"]
HookKind = Literal["postStart", "preStop"]
StopReason = Literal["deleted", "deadline", "evicted", "completed", "failed", "lost"]

UNSEEN = "ContainerStatusUnknown"
"""Reason of an end that nobody saw, with exit code 137 (pkg/kubelet/status/status_manager.go, TerminatePod)."""
UNSEEN_MESSAGE = "The container could not be located when the pod was terminated"


class Fact(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Base of all facts. They are a tree, so no cycle can need the collector, which would look at thousands of them."""


class User(Fact, frozen=True):
    """Who a container runs as. `groups` are all of its supplementary groups, in the order of their numbers."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class Exit(Fact, frozen=True):
    """How one instance of a container ended: the record that kubelet would get from its runtime.

    `code` is 128+n for a signal; `started_at` is None for one that could not be started (shown as 1970, as
    containerd does).
    """

    code: int
    reason: str
    finished_at: float
    message: str = ""
    started_at: float | None = None
    pid: int = 0


class Waiting(Fact, frozen=True, tag="waiting"):
    """No instance lives and none has ended in this round: it has not been started, or could not be created."""


class Starting(Fact, frozen=True, tag="starting"):
    """The node was asked to start it. `redefined`: see Running."""

    since: float
    redefined: bool = False


class Running(Fact, frozen=True, tag="running"):
    """Its main process lives; `hook` tells whether postStart has still to come, runs, or is through.

    `redefined`: its definition has changed since it was asked for.
    """

    pid: int
    since: float
    hook: Literal["due", "running", "failed", "done"] = "done"
    redefined: bool = False


class Stopping(Fact, frozen=True, tag="stopping"):
    """Its main process lives and is being ended. `deadline` is when the grace period is over.

    `restart`: start again whatever the policy says, in the same breath (a failed liveness or startup probe).
    `ordered`: the stop signal waits for its turn (sidecars, `core.shutdown`).
    """

    pid: int
    since: float
    asked_at: float
    deadline: float
    message: str
    restart: bool = False
    ordered: bool = False
    hook: Literal["none", "due", "running", "done"] = "none"
    term_at: float | None = None
    killed_at: float | None = None


class Exited(Fact, frozen=True, tag="exited"):
    """The newest instance has ended. `retry`: it was killed in order to start again (see `Stopping.restart`)."""

    exit: Exit
    retry: bool = False


State = Waiting | Starting | Running | Stopping | Exited


class ProbeFacts(Fact, frozen=True):
    """One probe of one container, over all its instances (pkg/kubelet/prober/worker.go).

    `result` is the threshold-filtered result of the current instance, `last`/`run` the streak of equal outcomes,
    which outlives an instance; `hold`: nothing is probed until the next instance.
    """

    due: float
    since: float | None = None
    result: bool | None = None
    last: bool | None = None
    run: int = 0
    hold: bool = False


class BackOff(Fact, frozen=True):
    """An entry of the crash-loop back-off: the current delay, and when it was last used (client-go, flowcontrol)."""

    delay: float
    used_at: float


class StartError(Fact, frozen=True):
    """Why the last attempt to start failed: kubelet's "reason cache". Gone with the next successful start."""

    reason: str
    message: str
    at: float


class Refused(Fact, frozen=True):
    """It is not started again before `until`, because of its back-off of `delay` seconds; said at `at`.

    `unseen_end`: it was killed in order to start again, so that it is not shown as ended but at once as refused.
    """

    delay: float
    until: float
    at: float
    unseen_end: bool = False


class ContainerFacts(Fact, frozen=True):
    """One container. `attempt` numbers its instances from 0 (-1: none yet) and is its restartCount.

    `last` is the instance before the one in `state`, whose `user` is None where nobody has told it. `asked`: who wants
    it started again, whatever the rules say. `removed`: taken away by RestartAllContainers and not started since.
    `before`: these facts as they were before the start of the instance in `state`; that is what is shown until it has
    started and its postStart hook is through.
    """

    state: State = Waiting()
    attempt: int = -1
    last: Exit | None = None
    user: User | None = None
    error: StartError | None = None
    back_off: BackOff | None = None
    probes: dict[str, ProbeFacts] = {}
    started: bool = False
    ready: bool = False
    refused: Refused | None = None
    asked: str = ""
    removed: bool = False
    before: ContainerFacts | None = None


class Volumes(Fact, frozen=True):
    """Whether the pod's volumes are made. A failure is tried again at `retry_at`, after `delay` seconds that double."""

    state: Literal["due", "preparing", "ready", "failed"] = "due"
    retry_at: float = 0.0
    delay: float = 0.0
    message: str = ""


class Stop(Fact, frozen=True):
    """The pod is being ended. `why`: deleted, deadline, evicted, completed (all is done), failed (an init container),
    lost (the supervisor was killed).

    `grace` in seconds, `deadline` is its end. `force`: no grace, no hooks, SIGKILL at once.
    """

    at: float
    deadline: float
    why: StopReason
    grace: float
    message: str = ""
    force: bool = False


class Condition(Fact, frozen=True):
    """The status of a pod condition and since when it holds (lastTransitionTime)."""

    status: bool
    since: float


class Facts(Fact, frozen=True):
    """Everything known about the pod.

    `stop`: why and how it ends; `deleted`: the request to delete it, which may come on top of another reason.
    `generation`: how often it was said what the pod shall be: at its start, by each change, and by the deletion.
    `restarting`: where a RestartAllContainers is: instances are being ended, or are removed and none has started since.
    """

    began_at: float
    containers: dict[str, ContainerFacts]
    volumes: Volumes = Volumes()
    stop: Stop | None = None
    deleted: Stop | None = None
    generation: int = 1
    restarting: Literal["", "ending", "removed"] = ""
    finished: bool = False
    conditions: dict[str, Condition] = {}
