"""What every test may use."""

from __future__ import annotations

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
