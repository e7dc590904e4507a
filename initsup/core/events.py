"""Everything that can happen. `at` is monotonic seconds, stamped once, where it was seen.

Events that concern a container carry the attempt number, so that a late one of attempt 3 cannot touch attempt 4.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from initsup.core.actions import Action
from initsup.core.facts import HookKind, ProbeKind, User


class Happened(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag=True, gc=False):
    """Base of all events."""

    at: float


class Began(Happened, frozen=True):
    """An action is about to be carried out: recorded before it is done, so that it is never asked for twice."""

    action: Action


class VolumesReady(Happened, frozen=True):
    """All volumes of the pod are made."""


class VolumeFailed(Happened, frozen=True):
    """A volume could not be made, or written anew; `message` is kubelet's, without "MountVolume.SetUp failed …".

    `others` are the names and messages of more such volumes.
    """

    volume: str
    message: str
    others: tuple[tuple[str, str], ...] = ()


class Started(Happened, frozen=True):
    """The container's main process was exec'ed, as this user."""

    container: str
    attempt: int
    pid: int
    user: User | None = None


class StartFailed(Happened, frozen=True):
    """It was not. `reason` is the waiting reason: CreateContainerConfigError and CreateContainerError leave no
    instance behind, RunContainerError leaves one, `user`'s, that ended with 128, StartError.
    """

    container: str
    attempt: int
    reason: Literal["CreateContainerConfigError", "CreateContainerError", "RunContainerError"]
    message: str
    user: User | None = None


class Died(Happened, frozen=True):
    """The container's main process is gone, and so is all that it started; its output is in the log.

    `code` is the exit status, 128+n for a signal; `oom`: its memory cgroup counted an OOM kill; `message`: its
    termination message.
    """

    container: str
    attempt: int
    code: int
    oom: bool = False
    message: str = ""


class Probed(Happened, frozen=True):
    """One attempt of a probe has ended: "success", "failure", "warning" (a success worth an event), "error" (could
    not be carried out: it changes nothing). `output` is at most 10 KiB.
    """

    container: str
    attempt: int
    probe: ProbeKind
    outcome: Literal["success", "failure", "warning", "error"]
    output: str = ""


class Hooked(Happened, frozen=True):
    """A lifecycle hook has ended; `message` says why it failed, with its output."""

    container: str
    attempt: int
    hook: HookKind
    ok: bool
    message: str = ""


class Signalled(Happened, frozen=True):
    """A signal was sent (or there was nobody left to get it)."""

    container: str
    attempt: int
    signal: int


class StopAsked(Happened, frozen=True):
    """The pod is to be deleted. `grace` in seconds, None: the pod's own. `kill`: no grace at all, SIGKILL at once."""

    grace: float | None = None
    kill: bool = False
    by: str = ""


class Evicted(Happened, frozen=True):
    """A volume holds more than its sizeLimit; `message` is kubelet's."""

    message: str


class Lost(Happened, frozen=True):
    """The supervisor has ended in the middle of it all, without a word. Told by nobody: it is put at the end of a
    journal that is read afterwards, with the time of what is known last.
    """


class RestartAsked(Happened, frozen=True):
    """A container shall be restarted, whatever its policy says. `by` is why: "was asked to restart", for example."""

    container: str
    by: str = ""


class Redefined(Happened, frozen=True):
    """The definition of a container (its image) has changed: what runs is restarted, and its back-off begins anew."""

    container: str


class Added(Happened, frozen=True):
    """An ephemeral container has been added to the pod; the plan has it already."""

    container: str


class Changed(Happened, frozen=True):
    """The specification of the pod is another one from now on; the plan has it already."""


class Looked(Happened, frozen=True):
    """Time has passed: conditions are stamped with it. Says nothing else."""


Event = (
    Began
    | VolumesReady
    | VolumeFailed
    | Started
    | StartFailed
    | Died
    | Probed
    | Hooked
    | Signalled
    | StopAsked
    | Evicted
    | Lost
    | RestartAsked
    | Redefined
    | Added
    | Changed
    | Looked
)
