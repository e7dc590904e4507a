"""`initsup events`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from initsup.cli.events import container_of, last_seen
from initsup.core.columns import epoch
from tests.cli.conftest import Initsup
from tests.cli.fake import FakeInitsup
from tests.cli.sample import Object, event, events, pod

Ended = Callable[..., Path]
Running = Callable[..., FakeInitsup]

# Ages of hours, so that they print the same however long the suite takes before it gets here.
STARTED = event("Started", "Container started", 11 * 3600)
FAILED = event("FailedMount", 'MountVolume.SetUp failed for volume "v"\n', 21 * 3600, kind="Warning", container="")
BACK_OFF = event("BackOff", "Back-off restarting failed container app", 9 * 3600, count=3, kind="Warning")
EVENTS = events(BACK_OFF, STARTED, FAILED)
NOW = epoch("2026-03-01T12:00:00Z")


def test_the_table_is_in_order_of_time(initsup: Initsup, ended: Ended) -> None:
    assert initsup("events", "--state-dir", ended(pod(), EVENTS)).out == (
        "LAST SEEN         TYPE      REASON        OBJECT         MESSAGE\n"
        '21h               Warning   FailedMount   Pod/web        MountVolume.SetUp failed for volume "v"\n'
        "11h               Normal    Started       Pod/web{app}   Container started\n"
        "9h (x3 over 9h)   Warning   BackOff       Pod/web{app}   Back-off restarting failed container app\n"
    )


def test_the_wide_table(initsup: Initsup, ended: Ended) -> None:
    done = initsup("events", "-o", "wide", "--no-headers", "--state-dir", ended(pod(), events(BACK_OFF)))
    assert done.out.split("   ") == [
        "9h (x3 over 9h)", "Warning", "BackOff", "Pod/web", "spec.containers{app}", "initsup, here",
        "Back-off restarting failed container app", "9h", " 3", "  web.backoff\n",
    ]  # fmt: skip


def test_of_one_type(initsup: Initsup, ended: Ended) -> None:
    lines = initsup("events", "--types=Warning", "--state-dir", ended(pod(), EVENTS)).out.splitlines()
    assert [line.split("   ")[-1].strip() for line in lines[1:]] == [FAILED["message"].strip(), BACK_OFF["message"]]


def test_none(initsup: Initsup, ended: Ended) -> None:
    done = initsup("events", "--state-dir", ended(pod(), events()))
    assert done == (0, "", "No events found.\n")


def test_the_list(initsup: Initsup, ended: Ended) -> None:
    place = ended(pod(), EVENTS)
    wanted = {**EVENTS, "items": [FAILED, STARTED, BACK_OFF]}
    assert json.loads(initsup("events", "-o", "json", "--state-dir", place).out) == wanted
    assert yaml.safe_load(initsup("events", "-o", "yaml", "--state-dir", place).out) == wanted
    assert (
        initsup("events", "-o", "jsonpath={.items[*].reason}", "--state-dir", place).out
        == "FailedMount Started BackOff"
    )
    names = initsup("events", "-o", "name", "--state-dir", place).out
    assert names == "event/web.failedmount\nevent/web.started\nevent/web.backoff\n"


def test_watch_prints_what_is_new_or_happened_again(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    again = {**BACK_OFF, "count": 4}
    lists = (events(STARTED), events(STARTED, BACK_OFF), events(STARTED, BACK_OFF), events(STARTED, again))
    running(pod(), events=lists)
    lines = initsup("events", "-w", "--state-dir", tmp_path).out.splitlines()
    assert [line.split("   ")[0].strip() for line in lines] == [
        "LAST SEEN", "11h", "9h (x3 over 9h)", "9h (x4 over 9h)"
    ]  # fmt: skip


def test_watch_prints_single_events(initsup: Initsup, running: Running, tmp_path: Path) -> None:
    running(pod(), events=(events(), events(STARTED), events(STARTED, BACK_OFF)))
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
