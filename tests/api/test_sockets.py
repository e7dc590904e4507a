"""The sockets that clients connect to: as soon as one can be seen, somebody listens."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from initsup.api.sockets import bind_unix


def test_nobody_is_ever_refused(tmp_path: Path) -> None:
    """Neither the first time nor when a socket that was left behind is replaced."""
    path, over, refused = str(tmp_path / "s"), threading.Event(), []

    def connect() -> None:
        while not over.is_set():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as client:
                try:
                    client.connect(path)
                except (FileNotFoundError, BlockingIOError):  # too early, or the queue is full
                    continue
                except OSError as problem:
                    refused.append(problem)

    clients = [threading.Thread(target=connect) for _ in range(2)]
    for one in clients:
        one.start()
    kept = [bind_unix(str(tmp_path), "s") for _ in range(60)]
    over.set()
    for one in clients:
        one.join()
    for listener in kept:
        listener.close()
    assert refused == []
    assert os.listdir(tmp_path) == ["s"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_place_that_allows_no_socket_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with pytest.raises(OSError, match="directory"):
        bind_unix(str(tmp_path), "s")
    assert os.listdir(tmp_path) == ["s"]
