"""What tests of the node share."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that nobody has signed."""
    from tests.node.attempt_world import certificate

    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def kept_signals() -> Iterator[None]:
    """What signals do, which a node changes, is as it was before in the end."""
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        if handler is not None and number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, handler)
