"""What tests of the API share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.live import Live


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A pod that runs and is ready, for all tests of a module; it ends without a fault."""
    run = Live(tmp_path_factory.mktemp("live"))
    run.until(lambda: run.ask("/readyz")[0] == 200)
    yield run
    assert run.stop() == 0
    assert run.faults == ""
