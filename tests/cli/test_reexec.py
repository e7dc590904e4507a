"""`initsup reexec` asks for it and tells who has answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from initsup.cli.main import main
from tests.cli.fake import FakeInitsup
from tests.cli.sample import pod


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., int]:
    def once(*words: str, **answer: object) -> int:
        fake = FakeInitsup(tmp_path / "s", [pod()])
        fake.answers["reexec"] = answer
        try:
            return main(["reexec", "--state-dir", str(tmp_path / "s"), *words])
        finally:
            fake.close()

    return once


def test_the_new_program_answers(ask: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(version="7.7", pid=12) == 0
    assert capsys.readouterr().out == "initsup 7.7 goes on, pid 12\n"


def test_why_it_could_not_be_done(ask: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(error="the pod is over", code=1) == 1
    assert capsys.readouterr().err == "initsup: the pod is over\n"


def test_one_pod_at_a_time(ask: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("one", "two") == 2
    assert "name one pod" in capsys.readouterr().err
