"""What can go wrong on the way from a Start action to a running process. The node turns each into an event."""

from __future__ import annotations


class CannotCreate(Exception):
    """A container cannot be created: something it asks for is wrong or missing.

    `reason` is the waiting reason, CreateContainerConfigError or CreateContainerError (pkg/kubelet/kuberuntime).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class CannotMount(Exception):
    """A volume cannot be made; `message` is kubelet's, without "MountVolume.SetUp failed for volume …".

    `others` are the names and messages of more such volumes.
    """

    def __init__(self, volume: str, message: str, others: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.volume = volume
        self.message = message
        self.others = others

    @property
    def all(self) -> tuple[tuple[str, str], ...]:
        """Names and messages of all volumes."""
        return ((self.volume, self.message), *self.others)


class SpawnError(Exception):
    """A process could not be started. `message` is runc's: `exec: "foo": executable file not found in $PATH`.

    `stage` is the step that failed (`exec`, `chdir`, `setuid`, …), `errno` the kernel's reason, 0 when it has none.
    """

    def __init__(self, stage: str, errno: int, message: str) -> None:
        super().__init__(message)
        self.stage = stage
        self.errno = errno
        self.message = message


class CannotRun(Exception):
    """The command of a probe or hook could not be started; the message is what the runtime would say, such as
    `exec: "foo": executable file not found in $PATH`.
    """
