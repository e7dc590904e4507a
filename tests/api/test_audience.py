"""Who waits for news is told of them, without holding up what brings them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

import anyio
import pytest
from anyio.abc import TaskGroup

from initsup.api.audience import Audience, Seat

pytestmark = pytest.mark.anyio


class Hall:
    """An audience, and what was done in it, in order."""

    def __init__(self, prepare: Callable[[], Iterable[object]] = tuple) -> None:
        self.audience = Audience(prepare)
        self.told: list[str] = []
        self.is_news = True

    async def come(self, name: str, then: Callable[[], None] = lambda: None) -> None:
        """One more client, who waits once."""
        with self.audience.seat(lambda: self.is_news) as seat:
            await seat.news()
            self.told.append(name)
            then()

    async def filled(self, tasks: TaskGroup, *names: str, then: Callable[[], None] = lambda: None) -> None:
        """Clients who wait while there is nothing, and then there is."""
        self.is_news = False
        for name in names:
            tasks.start_soon(self.come, name, then)
        tasks.start_soon(self.audience.serve)
        await anyio.wait_all_tasks_blocked()
        self.is_news = True


async def test_what_comes_while_they_are_told_waits_for_few_of_them() -> None:
    hall, before = Hall(), []

    def event_of_the_pod() -> None:
        before.append(len(hall.told))

    def first_one() -> None:
        if len(hall.told) == 1:
            asyncio.get_running_loop().call_soon(event_of_the_pod)

    async with anyio.create_task_group() as tasks:
        await hall.filled(tasks, *map(str, range(50)), then=first_one)
        hall.audience.stir()
        while len(hall.told) < 50:
            await anyio.sleep(0)
        hall.audience.close()
    assert before[0] <= 2
    assert hall.told == [str(number) for number in range(50)]


async def test_all_that_has_happened_is_looked_at_before_anybody_is_told_a_piece_in_each_turn() -> None:
    done: list[str] = []

    def prepare() -> Iterator[None]:
        for _ in range(3):
            done.append("piece")
            asyncio.get_running_loop().call_soon(done.append, "turn")
            yield

    hall = Hall(prepare)
    async with anyio.create_task_group() as tasks:
        await hall.filled(tasks, "a", then=lambda: done.append("told"))
        hall.audience.stir()
        while not hall.told:
            await anyio.sleep(0)
        hall.audience.close()
    assert done == ["piece", "turn"] * 3 + ["told"]


async def test_what_happens_does_nothing_for_clients_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("initsup.api.audience.TOGETHER", 60.0)  # a slow machine is none too slow
    asked: list[str] = []
    hall = Hall(lambda: asked.append("prepare") or ())
    async with anyio.create_task_group() as tasks:
        await hall.filled(tasks, "a")
        hall.audience.stir()
        await anyio.wait_all_tasks_blocked()
        assert (asked, hall.told) == ([], [])
        hall.audience.close()


async def test_who_is_not_concerned_goes_on_waiting_until_the_end() -> None:
    hall, over = Hall(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        await hall.filled(tasks, "a")
        hall.is_news = False
        with hall.audience.seat(lambda: True) as seat:
            hall.audience.stir()
            await seat.news()
            assert hall.told == []
            hall.audience.close()
            await seat.news()  # at once
        over.set()
    assert hall.told == ["a"]


async def test_news_that_all_were_told_of_while_a_client_was_busy_still_reach_it() -> None:
    hall = Hall()
    async with anyio.create_task_group() as tasks:
        await hall.filled(tasks, "a")
        with hall.audience.seat(lambda: True) as busy:
            hall.audience.stir()
            while not hall.told:
                await anyio.sleep(0)
            await anyio.wait_all_tasks_blocked()
            await _at_last(busy)
        hall.audience.close()


async def test_a_fault_while_they_are_told_costs_these_news_and_not_the_pod(capfd: pytest.CaptureFixture[str]) -> None:
    faults = [ZeroDivisionError("once")]

    def prepare() -> tuple[()]:
        if faults:
            raise faults.pop()
        return ()

    hall = Hall(prepare)
    async with anyio.create_task_group() as tasks:
        await hall.filled(tasks, "a")
        with hall.audience.seat(lambda: True) as seat:
            hall.audience.stir()
            while faults:
                await anyio.sleep(0)
            await _at_last(seat)
        hall.audience.close()
    assert "ZeroDivisionError: once" in capfd.readouterr().err


async def _at_last(seat: Seat) -> None:
    with anyio.fail_after(10):
        await seat.news()
