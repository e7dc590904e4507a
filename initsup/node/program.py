"""Where a program is, in the view of who asks, and why it cannot be run: in the words of runc and Go's os/exec."""

from __future__ import annotations

import errno
import os
import stat

from initsup.node.failures import SpawnError
from initsup.node.go_text import errno_text, quote


def locate(name: str, search: str) -> str:
    """The path to exec for `name`: as it is when it has a slash, else from the directories in `search` ($PATH).

    Only what is not found in $PATH raises SpawnError here; `explain` finds out about the rest when exec has failed.
    """
    if "/" in name:
        return name
    for directory in search.split(":"):
        path = f"{directory or '.'}/{name}"
        if name and os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    raise SpawnError("exec", errno.ENOENT, f"exec: {quote(name)}: executable file not found in $PATH")


def explain(path: str, number: int) -> SpawnError:
    """Why exec of `path` failed with error `number`."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return SpawnError("exec", number, f"exec: {quote(path)}: stat {path}: {errno_text(error.errno or number)}")
    if stat.S_ISDIR(mode):
        return SpawnError("exec", errno.EISDIR, f"exec: {quote(path)}: is a directory")
    if number == errno.EACCES and not os.access(path, os.X_OK):
        return SpawnError("exec", number, f"exec: {quote(path)}: permission denied")
    return SpawnError("exec", number, f"exec {path}: {errno_text(number)}")


def go_to(directory: str) -> None:
    """Make `directory` the working directory; it is made when it is missing, as runtimes do. Raises SpawnError."""
    try:
        try:
            os.chdir(directory)
        except FileNotFoundError:
            _make(directory)
            os.chdir(directory)
    except OSError as error:
        number = error.errno or 0
        message = f"chdir to cwd ({quote(directory)}) set in config.json failed: {errno_text(number)}"
        raise SpawnError("chdir", number, message) from None


def _make(directory: str) -> None:
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        number = error.errno or 0
        raise SpawnError("mkdir", number, f"mkdir {directory}: {errno_text(number)}") from None
