"""What the program stands on: open descriptors, /proc and /dev/null, and where it may make files."""

from __future__ import annotations

import os
import resource
import sys

from initsup.errors import InitsupError

FEWEST_DESCRIPTORS = 64


def open_streams() -> None:
    """Open 0, 1 and 2 where whoever started this program has closed them: to /dev/null.

    Else the next files that are opened would get these numbers, and be taken for stdin or written to as stdout.
    """
    missing = []
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            missing.append(fd)
    for fd in missing:  # the lowest that is free is the next that is opened
        try:
            os.open(os.devnull, os.O_RDWR)
        except OSError:
            os.open("/", os.O_RDONLY)  # nothing can be read or written there, and nobody is hurt
        os.set_inheritable(fd, True)
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # as the interpreter has it when it is closed
            setattr(sys, name, os.fdopen(fd, "w" if fd else "r", closefd=False))


def lacking() -> str:
    """Why no pod can run here at all; empty: it can."""
    if not os.path.exists("/proc/self/fd"):
        return "/proc is not mounted, and without it no process can be followed: mount -t proc proc /proc"
    try:
        os.close(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
    except OSError as problem:
        return f"{os.devnull} cannot be opened ({problem.strerror}), from which containers read their stdin"
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if 0 <= most < FEWEST_DESCRIPTORS:
        return f"{most} open files are too few, {FEWEST_DESCRIPTORS} are needed at least (ulimit -n)"
    return ""


def require() -> None:
    """Raises InitsupError when no pod can run here."""
    if why := lacking():
        raise InitsupError(why)


def closed(path: str) -> str:
    """The directory, or what is in the place of one, that keeps us from making an absolute `path`; empty: we can."""
    place = os.path.dirname(path)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    return "" if os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK) else place
