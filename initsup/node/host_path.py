"""hostPath: is there what `type` promises (pkg/volume/hostpath/host_path.go)."""

from __future__ import annotations

import os
import stat

from initsup.node.failures import CannotMount
from initsup.node.go_text import errno_text
from initsup.spec.volume import HostPathVolumeSource

_KINDS = {
    "Directory": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket file"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def prepare(volume: str, source: HostPathVolumeSource) -> None:
    """Check the path, and make it where `type` is DirectoryOrCreate (0755) or FileOrCreate (0644).

    Without a type nothing is looked at; `ensure` then makes a directory when a container mounts it.
    Raises CannotMount with kubelet's message.
    """
    path = source.path
    if ".." in path.split("/"):
        raise CannotMount(volume, f"invalid HostPath `{path}`: must not contain '..'")
    if not source.type:
        return
    name = source.type.removesuffix("OrCreate")
    if name not in _KINDS or (name != source.type and name not in ("Directory", "File")):
        raise CannotMount(volume, f"{source.type} is an invalid volume type")
    if name != source.type and not os.path.exists(path):
        try:
            _create(path, name)
        except OSError as error:
            what = "mkdir" if name == "Directory" else "open"
            raise CannotMount(volume, f"{what} {path}: {errno_text(error.errno or 0)}") from None
    try:
        right = _KINDS[name][0](os.stat(path).st_mode)
    except OSError:
        right = False
    if not right:
        raise CannotMount(volume, f"hostPath type check failed: {path} is not a {_KINDS[name][1]}")


def ensure(source: HostPathVolumeSource) -> None:
    """What container runtimes do about a path without a type that is not there: make a directory. Raises OSError."""
    if not source.type and not os.path.lexists(source.path):
        os.makedirs(source.path, mode=0o755, exist_ok=True)


def _create(path: str, name: str) -> None:
    """With the mode it is said to have, whatever the umask. A file's parent must be there."""
    if name == "Directory":
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o755)
    else:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        os.fchmod(fd, 0o644)
        os.close(fd)
