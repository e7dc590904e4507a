"""A soak of seconds, as `python -m tests.soak` does it for minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.soak import soak
from tests.stories.conftest import adopt_orphans, home  # noqa: F401 - fixtures

pytestmark = pytest.mark.real


def test_a_short_soak(home: Path) -> None:  # noqa: F811
    counts = dict(soak(home, 8, seed=1))
    assert counts["events"] > 100
    assert counts["numbered lines in them, none lost"] > 100
