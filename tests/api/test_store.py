"""What clients see of the pod, while there is somebody who looks."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from initsup.api.store import Store
from initsup.core.report import Where
from initsup.engine import Engine
from initsup.journal import Journal
from tests.build import container, planned
from tests.fake_node import FakeNode, Habit

pytestmark = pytest.mark.anyio


async def test_the_end_waits_for_who_watches_and_for_who_follows_a_log(tmp_path: Path) -> None:
    plan = planned(container("a"))
    node = FakeNode({"a": Habit()}, Engine.now)
    engine = Engine(plan, node, Journal(str(tmp_path / "journal"), plan, 0.0), Where)
    store, over = Store(engine), anyio.Event()

    async def end() -> None:
        await store.all_told()
        over.set()

    async with anyio.create_task_group() as tasks:
        with store.looking(lambda: None):
            with store.watching():
                tasks.start_soon(end)
                await anyio.wait_all_tasks_blocked()
            await anyio.wait_all_tasks_blocked()
            assert not over.is_set()
        await over.wait()
    node.close()
    engine.journal.close()
