"""What lies in a state directory, and where state directories are."""

from __future__ import annotations

import os
import stat

SOCKET = "control.sock"
API_SOCKET = "api.sock"
KUBECONFIG = "kubeconfig"
POD = "pod.json"
EVENTS = "events.json"
JOURNAL = "journal.jsonl"
JOURNAL_BEFORE = "journal.jsonl.1"
LOCK = "lock"
"""Held as long as initsup lives; in it stands the number of what it has started (`node.leftovers`), until it ends."""
FOR_ALL = ("/tmp", "/dev/shm", "/var/tmp")


def places() -> list[str]:
    """Where state directories may lie unless `--state-dir` says otherwise: `run` takes the first that it can use.

    The directories for everybody come last, and what somebody else has made there is not used. All are absolute: a
    relative XDG_RUNTIME_DIR does not count (XDG Base Directory Specification).
    """
    user = os.geteuid()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    own = ["/run/initsup"] if user == 0 else [os.path.join(runtime, "initsup")] if runtime.startswith("/") else []
    return own + [place for place in (f"{of_all}/initsup-{user}" for of_all in FOR_ALL) if not _is_foreign(place)]


def _is_foreign(path: str) -> bool:
    """Whether somebody else has made it, or it leads somewhere else."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode)
