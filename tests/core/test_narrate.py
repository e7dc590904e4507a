"""Which events are told."""

from __future__ import annotations

import pytest

from initsup.core.actions import Start
from initsup.core.events import Began, Event, RestartAsked
from initsup.core.narrate import narrate
from tests.build import container, known, planned, ran

POD = planned(container())


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        pytest.param((), [], id="the first start is none"),
        pytest.param(ran(code=1), ["BackOff"], id="the start after the first failure begins a back-off"),
        pytest.param(ran(code=0), [], id="the end was no failure"),
        pytest.param((*ran(code=1), RestartAsked(at=1, container="a")), [], id="a person wants it"),
    ],
)
def test_back_off_is_told_from_the_first_failure_on(happened: tuple[Event, ...], told: list[str]) -> None:
    facts = known(POD, *happened)
    start = Began(at=2, action=Start(container="a", attempt=facts.containers["a"].attempt + 1))
    assert [notice.reason for notice in narrate(POD, facts, start)] == told
