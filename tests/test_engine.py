"""The loop: record, then act; one closing event each; time from `decide` only. On a fake Node."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from msgspec.structs import replace

from initsup.core.actions import Start
from initsup.core.events import StopAsked
from initsup.core.facts import Facts
from initsup.core.narrate import Notice
from initsup.core.report import Where, exit_code
from initsup.engine import Engine
from initsup.journal import Journal, Replay
from initsup.spec.manifest import Manifest
from initsup.spec.pod import ObjectMeta
from tests.build import container, ephemeral, planned, probe, sidecar
from tests.fake_node import FakeNode, Habit
from tests.sim import distinct

pytestmark = pytest.mark.anyio


class World:
    """An engine on a fake node."""

    def __init__(self, plan, habits, path: Path) -> None:  # type: ignore[no-untyped-def]
        self.node = FakeNode(habits, Engine.now)
        self.path = str(path / "journal.jsonl")
        self.engine = Engine(
            plan, self.node, Journal(self.path, plan, 0.0), lambda: Where(ips=("192.0.2.1",)), host="here"
        )

    def started(self) -> list[str]:
        return [action.container for action in self.node.done if isinstance(action, Start)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[type]:
    made: list[World] = []

    def make(plan, **habits: Habit) -> World:  # type: ignore[no-untyped-def]
        made.append(World(plan, habits, tmp_path))
        return made[-1]

    yield make  # type: ignore[misc]
    for one in made:
        one.node.close()
        one.engine.journal.close()


async def run(world: World) -> None:
    with anyio.fail_after(10):
        await world.engine.run()


async def test_a_pod_runs_to_its_end_in_order(world) -> None:  # type: ignore[no-untyped-def]
    plan = planned(container("a"), inits=(container("i"), sidecar("s"), container("j")), policy="Never")
    it = world(plan, a=Habit(exits=0), i=Habit(exits=0), s=Habit(), j=Habit(exits=0))
    await run(it)
    assert it.started() == ["i", "s", "j", "a"]
    assert it.engine.pod()["status"]["phase"] == "Succeeded"
    assert exit_code(plan, it.engine.facts)[0] == 0


async def test_a_start_is_told_before_anything_comes_in(world, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Else the first output of a container would be shown before its start."""
    it = world(planned(container("a"), container("b")), a=Habit(), b=Habit())
    heard: list[str] = []

    class Listener:
        def happened(self, _engine: Engine, notices: list[Notice]) -> None:
            heard.extend(notice.reason for notice in notices if notice.reason == "Started")

        def look_at(self, _engine: Engine) -> None:
            return None

    collect = it.node.collect
    monkeypatch.setattr(it.node, "collect", lambda: heard.append("output") or collect())
    it.engine.observers.append(Listener())
    it.engine.step()
    assert heard[heard.index("Started") :] == ["Started", "Started", "output"]


async def test_all_that_is_decided_at_once_is_recorded_before_any_of_it_is_done(world, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    it = world(planned(container("a"), container("b")), a=Habit(), b=Habit())
    seen: list[tuple[str, list[str]]] = []
    do = it.node.do

    def watched(action):  # type: ignore[no-untyped-def]
        states = [type(one.state).__name__ for one in it.engine.facts.containers.values()]
        seen.append((getattr(action, "container", ""), states))
        return do(action)

    monkeypatch.setattr(it.node, "do", watched)
    it.engine.step()
    assert seen[1:] == [("a", ["Starting", "Starting"]), ("b", ["Starting", "Starting"])]
    held = it.engine.facts
    it.engine.happened(StopAsked(at=it.engine.now()))
    it.engine.step()
    assert [type(one.state).__name__ for one in held.containers.values()] == ["Running", "Running"]


async def test_the_first_step_needs_no_event_loop(world) -> None:  # type: ignore[no-untyped-def]
    it = world(planned(container("a")), a=Habit())
    assert it.engine.step() is None
    assert it.started() == ["a"]


class Watcher:
    """Notes what the containers show whenever it is told that something has happened."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def happened(self, engine: Engine, notices: object) -> None:
        for one in engine.pod()["status"]["containerStatuses"]:
            kind, fields = next(iter(one["state"].items()))
            self.seen.append(f"{fields.get('reason', kind)} {one['restartCount']}")

    def look_at(self, engine: Engine) -> float | None:
        return None


@pytest.mark.parametrize(
    ("habit", "states"),
    [
        pytest.param(
            Habit(exits=1),
            ["ContainerCreating 0", "running 0", "Error 0", "running 1", "Error 1"],
            id="a failure and the restart that follows at once",
        ),
        pytest.param(
            Habit(exits=0),
            ["ContainerCreating 0", "running 0", "Completed 0", "running 1", "Completed 1"],
            id="a completion and the restart that follows at once",
        ),
        pytest.param(
            Habit(missing=True),
            ["ContainerCreating 0", "RunContainerError 0", "RunContainerError 1"],
            id="a start that failed, and failed again",
        ),
    ],
)
async def test_states_of_one_pass_are_seen(world, habit, states) -> None:  # type: ignore[no-untyped-def]
    it, watcher = world(planned(container("a")), a=habit), Watcher()
    it.engine.observers.append(watcher)
    it.engine.step()
    assert distinct(watcher.seen) == states


async def test_a_request_to_stop_ends_the_run(world) -> None:  # type: ignore[no-untyped-def]
    plan = planned(container("a"))
    it = world(plan, a=Habit())
    it.node.post(StopAsked(at=it.engine.now(), by="test"))
    await run(it)
    assert exit_code(plan, it.engine.facts) == (0, "stopped on request")


class Doing:
    """An observer that does something of its own, at most after so many seconds each time."""

    def __init__(self, then: Callable[[Engine], None], again: float | None = None) -> None:
        self._then = then
        self._again = again

    def happened(self, engine: Engine, notices: object) -> None:
        self._then(engine)

    def look_at(self, engine: Engine) -> float | None:
        return None if self._again is None else engine.now() + self._again


async def test_what_happens_is_dealt_with_in_the_turn_in_which_it_comes(world) -> None:  # type: ignore[no-untyped-def]
    it, turns = world(planned(container("a")), a=Habit()), 0

    async def busy() -> None:
        nonlocal turns
        it.node.post(StopAsked(at=it.engine.now(), by="test"))
        while it.engine.facts.stop is None:
            turns += 1
            await anyio.sleep(0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, it)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(busy)
    assert turns == 2  # what was to be done already when the event came


async def test_an_observer_has_a_pass_made_when_nothing_happens(world) -> None:  # type: ignore[no-untyped-def]
    it, passes = world(planned(container("a")), a=Habit()), 0

    def count(engine: Engine) -> None:
        nonlocal passes
        passes += 1
        if passes == 3:
            it.node.post(StopAsked(at=engine.now(), by="test"))

    it.engine.observers.append(Doing(count, again=0.001))
    await run(it)
    assert passes >= 3


async def test_a_fault_in_a_pass_ends_the_run(world) -> None:  # type: ignore[no-untyped-def]
    it, passes = world(planned(container("a")), a=Habit()), 0

    def fail_at_second(engine: Engine) -> None:
        nonlocal passes
        passes += 1
        if passes == 2:
            raise ZeroDivisionError

    it.engine.observers.append(Doing(fail_at_second, again=0.001))
    with pytest.raises(ExceptionGroup) as found:
        await run(it)
    assert found.group_contains(ZeroDivisionError)
    assert passes == 2


async def test_the_journal_folds_back_into_the_same_facts(world) -> None:  # type: ignore[no-untyped-def]
    plan = planned(container("a", liveness_probe=probe()), inits=(container("i"),), policy="Never")
    it = world(plan, a=Habit(exits=4), i=Habit(exits=0))
    await run(it)
    again = Replay(it.path)
    assert again.facts == it.engine.facts
    assert [one["message"] for one in again.notices.as_list(plan.pod, "")["items"]] == [
        one["message"] for one in it.engine.events()["items"]
    ]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"type":"Looked","at":"\xff"}', id="no text"),
        pytest.param(b'{"type":"RestartAsked","at":1.0,"container":"\xff"}', id="no text where text is"),
        pytest.param(b'{"type":"Died","at":1.0,"container":"z","attempt":0,"code":0}', id="another container"),
        pytest.param(b'{"type":"Unheard","at":1.0}', id="an event that there is not"),
    ],
)
async def test_a_journal_with_a_damaged_line_is_none(world, line: bytes) -> None:  # type: ignore[no-untyped-def]
    it = world(planned(container("a")), a=Habit())
    it.engine.step()
    with open(it.path, "ab") as file:
        file.write(line + b"\n")
    with pytest.raises(msgspec.DecodeError):
        Replay(it.path)


async def test_what_was_handed_over_is_all_that_a_journal_begins_with(world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    it = world(planned(container("a")), a=Habit())
    it.engine.step()
    begun = []

    class Recording(Journal):
        def begin(self, facts: Facts) -> None:
            begun.append(facts)
            super().begin(facts)

    journal = Recording(str(tmp_path / "next"), it.engine.plan, 0.0)
    after = Engine(it.engine.plan, it.node, journal, Where, kept=it.engine.handed_over())
    journal.close()
    assert begun == [it.engine.facts]
    assert after.facts == it.engine.facts


async def test_a_change_of_the_specification_is_a_new_generation(world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    it = world(planned(container("a", image="a:1"), container("b", image="b:1")), **dict.fromkeys("abef", Habit()))
    it.engine.step()

    def generation() -> int:
        found: int = it.engine.pod()["metadata"]["generation"]
        return found

    def change(**fields: Any) -> Manifest:
        asked = it.engine.plan.asked
        return replace(asked, pod=replace(asked.pod, **fields))

    assert generation() == 1
    it.engine.take_over(change(metadata=ObjectMeta(name="p", namespace="default", labels={"x": "y"}, generation=5)))
    assert generation() == 1
    newer = tuple(replace(one, image=f"{one.name}:2") for one in it.engine.plan.pod.spec.containers)
    it.engine.take_over(change(spec=replace(it.engine.plan.pod.spec, containers=newer)))
    assert generation() == 2
    it.engine.add(ephemeral("e"), ephemeral("f"))
    assert generation() == 3
    it.engine.happened(*it.node.collect())
    it.engine.step()
    assert generation() == 3
    assert Replay(it.path).facts == it.engine.facts
    journal = Journal(str(tmp_path / "next"), it.engine.plan, 0.0)
    assert Engine(it.engine.plan, it.node, journal, Where, kept=it.engine.handed_over()).facts.generation == 3
    journal.close()


async def test_a_journal_that_cannot_be_written_degrades_and_ends_nothing(world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    plan = planned(container("a"), policy="Never")
    it = world(plan, a=Habit(exits=0))
    it.engine.journal = Journal("/proc/no/such/place", plan, 0.0)
    it.engine.journal.begin(it.engine.facts)
    await run(it)
    assert it.engine.facts.finished
    assert "cannot write the journal" in it.engine.trouble()[0]
    assert "cannot write" in it.engine.pod()["metadata"]["annotations"]["initsup.dev/degraded"]


async def test_events_are_counted_and_name_the_pod(world) -> None:  # type: ignore[no-untyped-def]
    it = world(planned(container("a"), policy="Never"), a=Habit(exits=1))
    await run(it)
    listing = it.engine.events()
    assert json.loads(json.dumps(listing)) == listing
    reasons = {item["reason"]: item for item in listing["items"]}
    assert reasons["Started"]["count"] == 1
    assert reasons["Started"]["involvedObject"]["fieldPath"] == "spec.containers{a}"


async def test_secrets_are_not_in_the_journal(world) -> None:  # type: ignore[no-untyped-def]
    from initsup.spec.manifest import Secret
    from initsup.spec.pod import ObjectMeta

    plan = planned(container("a"), policy="Never")
    secret = Secret(metadata=ObjectMeta(name="s"), data={"k": b"hidden-word"})
    asked = msgspec.structs.replace(plan.asked, secrets={"s": secret})
    it = world(msgspec.structs.replace(plan, asked=asked), a=Habit(exits=0))
    await run(it)
    text = Path(it.path).read_text()
    assert "hidden-word" not in text
    assert "aGlkZGVuLXdvcmQ" not in text
