"""The command line in this process, on a state directory of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from initsup.api.files import EVENTS, POD
from initsup.cli.main import main
from tests.cli.fake import FakeInitsup
from tests.cli.sample import Object


class Done(NamedTuple):
    """How a verb ended and what it printed."""

    code: int
    out: str
    err: str


Initsup = Callable[..., Done]


@pytest.fixture
def initsup(capsys: pytest.CaptureFixture[str]) -> Initsup:
    """Run a verb."""

    def run(*words: object) -> Done:
        code = main([str(word) for word in words])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def ended(tmp_path: Path) -> Callable[..., Path]:
    """The state directory of a run that has ended."""

    def leave(pod: Object, events: Object | None = None) -> Path:
        (tmp_path / POD).write_text(json.dumps(pod))
        if events is not None:
            (tmp_path / EVENTS).write_text(json.dumps(events))
        return tmp_path

    return leave


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., FakeInitsup]]:
    """A run that goes on in `tmp_path`."""
    fakes: list[FakeInitsup] = []

    def start(*pods: Object, events: tuple[Object, ...] = (), stays: bool = False) -> FakeInitsup:
        fakes.append(FakeInitsup(tmp_path, pods, events, stays))
        return fakes[-1]

    yield start
    for fake in fakes:
        fake.close()
