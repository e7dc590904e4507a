"""`initsup timeline`, of a run that has ended."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from initsup.api.files import JOURNAL
from initsup.core.apply import apply, begin
from initsup.core.events import Looked, VolumesReady
from initsup.core.phase import LOST_MESSAGE
from initsup.journal import Journal
from tests.build import container, died, planned, ran, up
from tests.cli.conftest import Initsup


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The state directory of a run: an init container, and a main container that has crashed."""
    plan = planned(container("app"), inits=(container("prepare"),))
    facts = begin(plan, 0.0)
    journal = Journal(str(tmp_path / JOURNAL), plan, 1e9)
    journal.begin(facts)
    crash = (*up("app", 20), died("app", 60, code=1), *up("app", 60, attempt=1), Looked(at=100))
    for event in (VolumesReady(at=0.0), *ran("prepare", 0, 20), *crash):
        journal.add(event)
        facts = apply(plan, facts, event)
    journal.flush(facts)
    journal.close()
    os.utime(tmp_path / JOURNAL, (1e9 + 100, 1e9 + 100))  # when it was written to for the last time
    return tmp_path


def test_rows_for_the_pod_and_each_container_then_what_happened(initsup: Initsup, place: Path) -> None:
    done = initsup("timeline", "--state-dir", place)
    lines = done.out.splitlines()
    rows = {line.split()[0]: line for line in lines[3:6]}
    assert list(rows) == ["pod", "prepare", "app"]
    assert rows["prepare"].split()[1].lstrip("▒") == "✓"
    bar = rows["app"].split()[1]
    assert (bar[0], bar.count("✗"), bar[-1]) == ("█", 1, "█")
    assert rows["app"].endswith(" x1")
    assert any(line.split()[1:] == ["app", "ended", "with", "1"] for line in lines)
    assert max(map(len, lines[:6])) <= 100


def test_a_run_that_was_killed_says_so(initsup: Initsup, place: Path) -> None:
    lines = initsup("timeline", "--state-dir", place).out.splitlines()
    assert lines[-1].endswith(f"pod      {LOST_MESSAGE}")
    assert lines[3].split()[1][-1] == "✗"


def test_only_what_is_used_is_explained(initsup: Initsup, place: Path) -> None:
    legend = initsup("timeline", "--state-dir", place, "--no-events").out.splitlines()[-1]
    assert "✗ failed" in legend
    assert "back-off" not in legend


@pytest.mark.parametrize(
    ("options", "span"),
    [
        pytest.param([], "100s", id="all of it"),
        pytest.param(["--first", "30s"], "30s", id="the first part"),
        pytest.param(["--last", "40s"], "40s", id="the last part"),
        pytest.param(["--start"], "25s", id="until it was ready, and a bit more"),
    ],
)
def test_parts_of_it(initsup: Initsup, place: Path, options: list[str], span: str) -> None:
    assert initsup("timeline", "--state-dir", place, *options).out.splitlines()[0].endswith(f", {span}")


def test_ascii_where_there_is_nothing_else(initsup: Initsup, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(type(sys.stdout), "encoding", "ascii", raising=False)
    initsup("timeline", "--state-dir", place, "--no-events").out.encode("ascii")


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"type":"RestartAsked","at":1.0,"container":"\xff"}', id="no text"),
        pytest.param(b'{"type":"Died","at":1.0,"container":"z","attempt":0,"code":0}', id="another container"),
        pytest.param(b'{"type":"Unheard","at":1.0}', id="an event that there is not"),
    ],
)
def test_a_damaged_line_is_left_out(initsup: Initsup, place: Path, line: bytes) -> None:
    whole = initsup("timeline", "--state-dir", place)
    head, rest = (place / JOURNAL).read_bytes().split(b"\n", 1)
    (place / JOURNAL).write_bytes(head + b"\n" + line + b"\n" + rest)
    os.utime(place / JOURNAL, (1e9 + 100, 1e9 + 100))
    assert initsup("timeline", "--state-dir", place) == whole


def test_pictures_and_data(initsup: Initsup, place: Path) -> None:
    assert ElementTree.fromstring(initsup("timeline", "--state-dir", place, "-o", "svg").out).tag.endswith("svg")
    assert initsup("timeline", "--state-dir", place, "-o", "html").out.startswith("<!doctype html>")
    rows = json.loads(initsup("timeline", "--state-dir", place, "-o", "json").out)["rows"]
    assert [(row["name"], row["restarts"]) for row in rows] == [("p", 0), ("prepare", 0), ("app", 1)]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["-o", "png"], 2, "allowed formats are: text,svg,html,json", id="another form"),
        pytest.param(["--last", "soon"], 2, "soon", id="no duration"),
        pytest.param(["--state-dir", "/nowhere"], 1, "no journal found in /nowhere", id="no run"),
    ],
)
def test_what_cannot_be_drawn(initsup: Initsup, place: Path, words: list[str], code: int, message: str) -> None:
    done = initsup("timeline", "--state-dir", place, *words)
    assert done.code == code
    assert message in done.err
