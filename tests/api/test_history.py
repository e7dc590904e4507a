"""A journal read back as a time line, while it is written and after."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from initsup.api.files import JOURNAL, JOURNAL_BEFORE
from initsup.api.history import History
from initsup.core.apply import apply, begin
from initsup.core.chart import Chart, Window
from initsup.core.events import Event, Looked
from initsup.core.facts import Facts
from initsup.core.plan import Plan
from initsup.errors import InitsupError
from initsup.journal import MAX_BYTES, Journal, Replay
from tests.build import container, planned, probed, ran, up
from tests.build import probe as check

PLAN = planned(container("a", liveness_probe=check()))


class Run:
    """A pod whose events are written down."""

    def __init__(self, home: Path, plan: Plan = PLAN, facts: Facts | None = None) -> None:
        self.plan = plan
        self.facts = facts or begin(plan, 0.0)
        self.journal = Journal(str(home / JOURNAL), plan, 1000.0)
        self.journal.begin(self.facts)

    def see(self, *happened: Event | tuple[Event, ...]) -> Run:
        for event in (event for one in happened for event in (one if isinstance(one, tuple) else (one,))):
            self.journal.add(event)
            self.facts = apply(self.plan, self.facts, event)
        self.journal.flush(self.facts)
        return self


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(str(tmp_path))
    yield made
    made.close()


def told(history: History, end: float | None = None) -> Chart:
    while history.read_on():
        pass
    return history.chart(Window(), end)


def told_once(home: Path) -> Chart:
    history = History(str(home))
    try:
        return told(history)
    finally:
        history.close()


def looks(drawing: Chart) -> list[tuple[str, float, float]]:
    return [(box.look, box.since - 1000, box.until - 1000) for box in drawing.rows[1].boxes if box.width]


def test_what_is_added_is_read_on(tmp_path: Path, history: History) -> None:
    run = Run(tmp_path).see(up(at=1))
    assert looks(told(history, 4.0)) == [("ready", 1, 4)]
    run.see(ran(since=1, until=5)[2:])
    assert looks(told(history, 8.0)) == [("ready", 1, 5)]


def test_a_run_that_was_killed_ends_with_its_last_event(tmp_path: Path) -> None:
    Run(tmp_path).see(up(at=1), Looked(at=7))
    assert looks(told_once(tmp_path)) == [("ready", 1, 7)]


def test_a_torn_line_waits_for_its_end(tmp_path: Path, history: History) -> None:
    Run(tmp_path).see(up(at=1), Looked(at=7))
    whole = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole[:-9])
    assert looks(told(history)) == []
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(whole[-9:])
    assert looks(told(history)) == [("ready", 1, 7)]


def test_the_program_that_takes_over_goes_on_in_the_same_file(tmp_path: Path, history: History) -> None:
    before = Run(tmp_path).see(up(at=1))
    before.journal.close()
    told(history)
    after = Run(tmp_path)  # as a program that starts has it; then it learns what there is
    after.facts = before.facts
    after.journal.begin(after.facts)
    after.see(ran(since=1, until=5)[2:])
    assert looks(told(history, 8.0)) == [("ready", 1, 5)]
    assert Replay(str(tmp_path / JOURNAL)).facts == after.facts


def test_what_an_older_version_wrote_is_passed_over(tmp_path: Path) -> None:
    run = Run(tmp_path).see(up(at=1))
    run.journal.close()
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"type":"Forgotten","at":2}\n')
    run = Run(tmp_path, facts=run.facts).see(Looked(at=7))
    assert looks(told_once(tmp_path)) == [("ready", 1, 7)]
    assert Replay(str(tmp_path / JOURNAL)).facts == run.facts


def test_a_torn_file_of_another_run_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(b'{"type":"Snapsh')
    run = Run(tmp_path).see(up(at=1))
    assert Replay(str(tmp_path / JOURNAL)).facts == run.facts


def test_a_file_that_has_grown_too_large_is_put_aside_and_both_are_read(tmp_path: Path, history: History) -> None:
    run = Run(tmp_path).see(up(at=1))
    told(history)
    at = 10
    while not (tmp_path / JOURNAL_BEFORE).exists():
        run.see(*(probed(at=at + step) for step in range(500)))
        at += 500
    run.see(probed(at=at, outcome="failure"), Looked(at=at))
    assert (tmp_path / JOURNAL).stat().st_size < MAX_BYTES < (tmp_path / JOURNAL_BEFORE).stat().st_size
    for drawing in (told(history), told_once(tmp_path)):
        assert looks(drawing) == [("ready", 1, at)]
        assert [pin.sign for pin in drawing.rows[1].pins] == ["probe"]
    (tmp_path / JOURNAL_BEFORE).unlink()
    assert looks(told_once(tmp_path)) == [("ready", 1, at)]  # which the facts know


def test_a_file_that_could_not_be_put_aside_is_read_once(tmp_path: Path) -> None:
    Run(tmp_path).see(ran(since=1, until=2, code=1), Looked(at=9))
    os.link(tmp_path / JOURNAL, tmp_path / JOURNAL_BEFORE)
    assert len(told_once(tmp_path).rows[1].pins) == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(None, "no journal found", id="nothing is there"),
        pytest.param(b"nonsense\n", "cannot be read", id="it is no journal"),
        pytest.param(b"", "cannot be read", id="it is empty"),
    ],
)
def test_no_time_line(tmp_path: Path, content: bytes | None, expected: str) -> None:
    if content is not None:
        (tmp_path / JOURNAL).write_bytes(content)
    with pytest.raises(InitsupError, match=expected):
        told_once(tmp_path)
