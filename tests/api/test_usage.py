"""What the containers use."""

from __future__ import annotations

import pytest

from initsup.api.usage import used

Seconds = dict[int, tuple[float, float]]


@pytest.mark.parametrize(
    ("earlier", "later", "seconds"),
    [
        pytest.param({}, {7: (2.0, 0.0)}, 2.0, id="the first look at a process"),
        pytest.param({7: (1.0, 0.0)}, {7: (3.0, 0.0)}, 2.0, id="a process goes on"),
        pytest.param({7: (1.0, 0.0)}, {7: (1.0, 0.5)}, 0.5, id="children came and went"),
        pytest.param({7: (1.0, 0.0), 8: (4.0, 0.0)}, {7: (1.0, 4.5)}, 0.5, id="a child that was seen has ended"),
        pytest.param({7: (1.0, 0.0), 8: (4.0, 1.0)}, {7: (1.0, 6.0)}, 1.0, id="a child and what it had waited for"),
        pytest.param({7: (1.0, 0.0), 8: (4.0, 0.0)}, {7: (2.0, 0.0)}, 1.0, id="a child that nobody here waited for"),
        pytest.param({7: (9.0, 9.0)}, {12: (0.5, 0.25)}, 0.75, id="another instance"),
        pytest.param({7: (1.0, 0.0), 8: (5.0, 0.0)}, {7: (1.0, 0.0), 8: (0.5, 0.0)}, 0.0, id="a pid that is used anew"),
    ],
)
def test_what_was_used_between_two_looks(earlier: Seconds, later: Seconds, seconds: float) -> None:
    assert used(earlier, later) == seconds
