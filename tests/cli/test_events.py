"""`initsup events`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from initsup.cli.events import container_of, last_seen
from initsup.core.columns import epoch
from tests.cli.conftest import Initsup
from tests.cli.fake import FakeInitsup
from tests.cli.sample import Object, event, events, pod

Ended = Callable[..., Path]
Running = Callable[..., FakeInitsup]


class Told(NamedTuple):
    """Three events, whose ages count from when the test begins: they print in minutes."""

    started: Object
    failed: Object
    back_off: Object

    @property
    def all(self) -> Object:
        return events(self.back_off, self.started, self.failed)


@pytest.fixture
def told() -> Told:
    return Told(
        event("Started", "Container started", 4000),
        event("FailedMount", 'MountVolume.SetUp failed for volume "v"\n', 7300, kind="Warning", container=""),
        event("BackOff", "Back-off restarting failed container app", 1800, count=3, kind="Warning"),
    )


NOW = epoch("2026-03-01T12:00:00Z")


def test_the_table_is_in_order_of_time(initsup: Initsup, ended: Ended, told: Told) -> None:
    assert initsup("events", "--state-dir", ended(pod(), told.all)).out == (
        "LAST SEEN           TYPE      REASON        OBJECT         MESSAGE\n"
        '121m                Warning   FailedMount   Pod/web        MountVolume.SetUp failed for volume "v"\n'
        "66m                 Normal    Started       Pod/web{app}   Container started\n"
        "30m (x3 over 31m)   Warning   BackOff       Pod/web{app}   Back-off restarting failed container app\n"
    )


def test_the_wide_table(initsup: Initsup, ended: Ended, told: Told) -> None:
    done = initsup("events", "-o", "wide", "--no-headers", "--state-dir", ended(pod(), events(told.back_off)))
    assert done.out.split("   ") == [
        "30m (x3 over 31m)", "Warning", "BackOff", "Pod/web", "spec.containers{app}", "initsup, here",
        "Back-off restarting failed container app", "31m", "3", "  web.backoff\n",
    ]  # fmt: skip


def test_of_one_type(initsup: Initsup, ended: Ended, told: Told) -> None:
    lines = initsup("events", "--types=Warning", "--state-dir", ended(pod(), told.all)).out.splitlines()
    assert [line.split("   ")[-1].strip() for line in lines[1:]] == [
        told.failed["message"].strip(),
        told.back_off["message"],
    ]


@pytest.mark.parametrize("types", ["Normal,Warning", "warning,normal", ""])
def test_of_both_types(initsup: Initsup, ended: Ended, told: Told, types: str) -> None:
    place = ended(pod(), told.all)
    assert initsup("events", f"--types={types}", "--state-dir", place) == initsup("events", "--state-dir", place)


def test_of_a_type_that_is_none(initsup: Initsup, ended: Ended, told: Told) -> None:
    done = initsup("events", "--types=Error", "--state-dir", ended(pod(), told.all))
    assert done == (2, "", "initsup: valid --types are Normal or Warning\n")


def test_none(initsup: Initsup, ended: Ended) -> None:
    done = initsup("events", "--state-dir", ended(pod(), events()))
    assert done == (0, "", "No events found.\n")


def test_the_list(initsup: Initsup, ended: Ended, told: Told) -> None:
    place = ended(pod(), told.all)
    wanted = {**told.all, "items": [told.failed, told.started, told.back_off]}
    assert json.loads(initsup("events", "-o", "json", "--state-dir", place).out) == wanted
    assert yaml.safe_load(initsup("events", "-o", "yaml", "--state-dir", place).out) == wanted
    assert (
        initsup("events", "-o", "jsonpath={.items[*].reason}", "--state-dir", place).out
        == "FailedMount Started BackOff"
    )
    names = initsup("events", "-o", "name", "--state-dir", place).out
    assert names == "event/web.failedmount\nevent/web.started\nevent/web.backoff\n"


def test_watch_prints_what_is_new_or_happened_again(
    initsup: Initsup, running: Running, tmp_path: Path, told: Told
) -> None:
    again = {**told.back_off, "count": 4}
    lists = (
        events(told.started),
        events(told.started, told.back_off),
        events(told.started, told.back_off),
        events(told.started, again),
    )
    running(pod(), events=lists)
    lines = initsup("events", "-w", "--state-dir", tmp_path).out.splitlines()
    assert [line.split("   ")[0].strip() for line in lines] == [
        "LAST SEEN", "66m", "30m (x3 over 31m)", "30m (x4 over 31m)"
    ]  # fmt: skip


def test_watch_prints_single_events(initsup: Initsup, running: Running, tmp_path: Path, told: Told) -> None:
    running(pod(), events=(events(), events(told.started), events(told.started, told.back_off)))
    documents = yaml.safe_load_all(initsup("events", "-w", "-o", "yaml", "--state-dir", tmp_path).out)
    assert [(one["kind"], one["reason"]) for one in documents if one] == [("Event", "Started"), ("Event", "BackOff")]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        pytest.param(event("R", "m", 12, now=NOW), "12s", id="once"),
        pytest.param(event("R", "m", 12, count=3, now=NOW), "12s (x3 over 72s)", id="again and again"),
        pytest.param({"eventTime": "2026-03-01T11:59:50.000000Z"}, "10s", id="with an eventTime only"),
        pytest.param({}, "<unknown>", id="without a time"),
    ],
)
def test_last_seen(given: Object, text: str) -> None:
    assert last_seen(given, NOW) == text


@pytest.mark.parametrize(
    ("path", "name"), [("spec.containers{app}", "app"), ("spec.initContainers{i-1}", "i-1"), ("", ""), (None, "")]
)
def test_the_container_of_an_event(path: str | None, name: str) -> None:
    assert container_of({"involvedObject": {"fieldPath": path}}) == name
