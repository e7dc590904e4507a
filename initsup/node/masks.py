"""What of /proc and /sys a container does not see, or cannot write to: procMount.

The paths are those of container runtimes (pkg/securitycontext/util.go; containerd, oci/spec.go). Some are there on some
machines only.
"""

from __future__ import annotations

import os

from initsup.node import syscalls
from initsup.node.mountinfo import make_read_only
from initsup.spec.pod import Container

HIDDEN = (
    *(f"/proc/{name}" for name in ("asound", "acpi", "interrupts", "kcore", "keys", "latency_stats", "timer_list")),
    *(f"/proc/{name}" for name in ("timer_stats", "sched_debug", "scsi")),
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
_PROCESSORS = "/sys/devices/system/cpu"
"""Of which each has a `thermal_throttle` to hide."""
READ_ONLY = tuple(f"/proc/{name}" for name in ("bus", "fs", "irq", "sys", "sysrq-trigger"))


def is_masked(container: Container, *, own_root: bool) -> bool:
    """Whether to `mask`. Containers that see the host's files as they are see its /proc, too, unless they ask."""
    context = container.security_context
    if context is None or not context.privileged:
        word = context.proc_mount if context is not None else None
        return word == "Default" or (own_root and word is None)
    return False


def mask() -> None:
    """Hide and protect the paths in this mount namespace. Raises OSError.

    Nothing can be imported here: the root may be the container's own already.
    """
    processors = os.listdir(_PROCESSORS) if os.path.isdir(_PROCESSORS) else []
    for path in (*HIDDEN, *(f"{_PROCESSORS}/{name}/thermal_throttle" for name in processors)):
        if os.path.isdir(path):
            syscalls.mount("tmpfs", path, "tmpfs", flags=syscalls.MS_RDONLY, data="mode=0555,size=0")
        elif os.path.exists(path):
            syscalls.mount("/dev/null", path, flags=syscalls.MS_BIND)
    for path in READ_ONLY:
        if os.path.exists(path):
            syscalls.mount(path, path, flags=syscalls.MS_BIND | syscalls.MS_REC)
            make_read_only(path, recursive=True)
