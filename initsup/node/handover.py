"""How the program is replaced by another version of itself, by exec, while everything that it has started goes on.

An exec keeps the process: its pid, its children, who adopts orphans, locks, signals that are pending, and descriptors
that are not closed on exec. What is known only to the old program is one value in an anonymous file (memfd_create(2)),
whose descriptor stays open as well; `VARIABLE` in the environment tells its number. Each module that owns something
has a pair: `handed_over` describes it, and changes nothing, as exec may fail; `resume` takes it up again.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

VARIABLE = "INITSUP_HANDOVER"
"""Number of the descriptor that the value is read from; or `REHEARSAL`."""

REHEARSAL = "rehearsal"
"""The value of `VARIABLE` for a program that shall only say whether it could go on with the value on its stdin."""


class Parcel:
    """The descriptors that stay open."""

    def __init__(self) -> None:
        self.descriptors: list[int] = []

    def keep(self, fd: int) -> int:
        """Have one in there. Returns it; -1 is none."""
        if fd >= 0:
            self.descriptors.append(fd)
        return fd


def write(value: bytes) -> int:
    """The value in an anonymous file, to be read from its start; its descriptor. Raises OSError."""
    fd = os.memfd_create("initsup-handover", os.MFD_CLOEXEC)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(value)
        os.lseek(fd, 0, os.SEEK_SET)
    except OSError:
        os.close(fd)
        raise
    return fd


def read(fd: int) -> bytes:
    """The value; closes the file."""
    with open(fd, "rb") as file:
        return file.read()


def command() -> list[str]:
    """The command by which this program was started, for starting it again: the interpreter by its full path."""
    return [sys.executable, *sys.orig_argv[1:]]


def take_from_environment() -> str:
    """The value of `VARIABLE`, which nobody else shall see; empty: this program begins anew."""
    return os.environ.pop(VARIABLE, "")


def replace_program(value: bytes, parcel: Parcel, variables: dict[str, str]) -> NoReturn:
    """Go on as the program that the command means now, with these variables more.

    Raises OSError when that cannot be; then all is as before.
    """
    memory = write(value)
    opened = [memory, *parcel.descriptors]
    try:
        for fd in opened:
            os.set_inheritable(fd, True)
        os.execve(sys.executable, command(), {**os.environ, **variables, VARIABLE: str(memory)})
    finally:
        for fd in opened:
            os.set_inheritable(fd, False)
        os.close(memory)
