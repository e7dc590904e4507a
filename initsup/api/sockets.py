"""The sockets that clients connect to. Stdlib only: they are bound before anything else is imported."""

from __future__ import annotations

import os
import socket

from initsup.errors import InitsupError


def bind_unix(state_dir: str, name: str) -> socket.socket:
    """Listen there, in place of what an earlier run has left. It gets its name when it listens: nobody is ever refused.

    It is bound through the directory's descriptor, as a path may be longer than sun_path. Raises OSError when the place
    does not allow it.
    """
    path = os.path.join(state_dir, name)
    unnamed = path + ".new"
    if os.path.lexists(unnamed):
        os.unlink(unnamed)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    directory = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mask = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{name}.new")
        listener.listen(128)
        _name(unnamed, path)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
        os.close(directory)
    return listener


def _name(unnamed: str, path: str) -> None:
    try:
        os.rename(unnamed, path)
    except OSError:
        os.unlink(unnamed)
        raise


def bind_tcp(address: str) -> socket.socket:
    """Bind and listen at HOST:PORT, an address and not a name; port 0 is any. Raises InitsupError."""
    from initsup.spec.settings import split_address

    pair = split_address(address)
    if pair is None:
        raise InitsupError(f"cannot listen at {address!r}: an address and a port are needed, such as 127.0.0.1:6443")
    tcp = socket.socket(
        socket.AF_INET6 if ":" in pair[0] else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK
    )
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        tcp.bind(pair)
        tcp.listen(128)
    except OSError as problem:
        tcp.close()
        raise InitsupError(f"cannot listen at {address}: {problem.strerror or problem}") from None
    return tcp
