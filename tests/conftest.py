"""What every test may use."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The directory with pyproject.toml, README.md and configs/."""
    return Path(__file__).parent.parent


@pytest.fixture
def anyio_backend() -> str:
    """Coroutines run on asyncio, as initsup itself does."""
    return "asyncio"


@pytest.fixture
def kept_signals() -> Iterator[None]:
    """What signals do, which a node changes, is as it was before in the end."""
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        if handler is not None and number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, handler)
