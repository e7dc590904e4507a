"""What clients see of the pod, while there is somebody who looks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import anyio
import msgspec
import pytest

from initsup.api.exchange import Request
from initsup.api.selectors import Selection
from initsup.api.store import HISTORY, Store
from initsup.api.watching import Watch
from initsup.core.events import RestartAsked
from initsup.core.narrate import Notice
from initsup.core.report import Where
from initsup.engine import UNTOLD, Engine
from initsup.journal import MAX_NOTICES, Journal
from tests.build import container, planned
from tests.fake_node import FakeNode, Habit

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The store of a pod that restarts its container again and again, each time that its engine makes a step."""
    plan = planned(container("a"), policy="Always")
    node = FakeNode({"a": Habit()}, Engine.now)
    engine = Engine(plan, node, Journal(str(tmp_path / "journal"), plan, 0.0), Where)
    engine.step()
    store = Store(engine)
    engine.observers.append(store)
    yield store
    node.close()
    engine.journal.close()


async def test_the_end_waits_for_who_watches_and_for_who_follows_a_log(store: Store) -> None:
    over = anyio.Event()

    async def end() -> None:
        await store.all_told()
        over.set()

    async with anyio.create_task_group() as tasks:
        with store.looking(lambda: False):
            with store.watching(lambda: False):
                tasks.start_soon(end)
                await anyio.wait_all_tasks_blocked()
            await anyio.wait_all_tasks_blocked()
            assert not over.is_set()
        await over.wait()


def watch(store: Store, resource: str = "pods", version: str = "") -> AsyncGenerator[bytes, None]:
    """What a client is told who watches the pod, or something else, perhaps from a version on."""
    query = {"watch": ["1"], "resourceVersion": [version]}
    request = Request(method="GET", path=f"/api/v1/{resource}", query=query, user="someone")
    return Watch(store, resource, Selection(resource), request).lines()  # type: ignore[return-value]


def notice(store: Store, *messages: str) -> None:
    """Something that becomes an event has happened, for each message."""
    engine, notices = store.engine, [Notice("Warning", "Unhealthy", message) for message in messages]
    for one in notices:
        engine.notices.add(one, engine.wall(engine.now()))
    store.happened(engine, notices)


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(2, id="as many as may wait"),
        pytest.param(2 * UNTOLD, id="more than may wait"),
    ],
)
async def test_who_watches_is_told_each_state_of_the_pod_in_order_and_only_when_there_is_time(
    store: Store, count: int
) -> None:
    pieces = watch(store)
    decode = msgspec.json.decode

    def told(lines: bytes) -> list[int]:
        pods = [decode(line)["object"] for line in lines.splitlines()]
        return [status["restartCount"] for pod in pods for status in pod["status"].get("containerStatuses", ())]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.audience.serve)
        await anext(pieces)
        before = store.version
        for _ in range(count):
            store.engine.happened(RestartAsked(at=store.engine.now(), container="a", by="test"))
            store.engine.step()
        assert store.version == before or count > UNTOLD
        found: list[int] = []
        while not found or found[-1] < count:
            found += told(await anext(pieces))
        await pieces.aclose()
        tasks.cancel_scope.cancel()
    assert found == sorted(found)
    assert set(found) == set(range(1, count + 1))


async def test_who_watches_is_told_also_while_there_is_more_to_tell_in_each_turn(store: Store) -> None:
    pieces = watch(store)

    async def go_on() -> None:
        while True:
            store.engine.happened(RestartAsked(at=store.engine.now(), container="a"))
            store.engine.step()
            await anyio.sleep(0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.audience.serve)
        await anext(pieces)
        tasks.start_soon(go_on)
        with anyio.fail_after(20):
            assert await anext(pieces)
        await pieces.aclose()
        tasks.cancel_scope.cancel()


async def test_events_are_told_with_their_count_and_the_oldest_make_room_for_new_ones(store: Store) -> None:
    def events() -> dict[str, int]:
        return {one["message"]: one["count"] for one in store.all("events") if one["reason"] == "Unhealthy"}

    notice(store, "a", "b")
    notice(store, "a")
    assert events() == {"a": 2, "b": 1}
    notice(store, *map(str, range(MAX_NOTICES)))
    notice(store, "last")
    found = events()
    assert len(found) == MAX_NOTICES
    assert list(found)[-1] == "last"
    assert "a" not in found


async def test_a_watch_of_what_seldom_changes_outlives_the_history_of_all_else(store: Store) -> None:
    pieces = watch(store, "nodes")
    host = store.all("nodes")[0]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.audience.serve)
        await anext(pieces)
        notice(store, *map(str, range(HISTORY + 1)))
        store.refresh()
        store._put("nodes", {**host, "spec": {"unschedulable": True}})
        store.audience.stir()
        told = msgspec.json.decode(await anext(pieces))
        await pieces.aclose()
        tasks.cancel_scope.cancel()
    assert told["type"] == "MODIFIED"
    assert told["object"]["spec"] == {"unschedulable": True}


async def test_the_events_that_make_room_are_those_that_have_not_happened_for_longest(store: Store) -> None:
    def told() -> set[str]:
        return {one["message"] for one in store.all("events")}

    notice(store, "often")
    for number in range(2 * MAX_NOTICES):
        notice(store, str(number))
        if not number % 1024:
            notice(store, "often")
            assert "often" in told()
    assert told() == {one.message for one in store.engine.notices}


async def test_what_happens_while_nobody_looks_is_not_kept_for_ever(store: Store) -> None:
    for number in range(4 * MAX_NOTICES):
        notice(store, str(number))
    assert len(store._noticed) <= 2 * MAX_NOTICES
    assert {one["message"] for one in store.all("events")} == {one.message for one in store.engine.notices}


async def test_what_happens_between_the_question_of_a_watch_and_its_first_line_is_told(store: Store) -> None:
    store.refresh()
    pieces = watch(store, version=str(store.version))
    store.engine.happened(RestartAsked(at=store.engine.now(), container="a", by="test"))
    store.engine.step()
    with anyio.fail_after(20):
        (line, *_) = (await anext(pieces)).splitlines()
    await pieces.aclose()
    (status,) = msgspec.json.decode(line)["object"]["status"]["containerStatuses"]
    assert status["restartCount"] == 1
